"""New carbon with depth: every model through the data, by labelling time.

Model and data are averaged over the same layers: those of a labelling class and a depth class. The interval
of the data is that of the mean over whole sites, drawn with replacement.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil.reporting import style
from subsoil.reporting.board import BASELINES, FLOOR, NOISE, Board, signed
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.figures.incorporation import classed
from subsoil.reporting.quantities import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESAMPLES, LEVEL = 2000, 95
FEWEST_SITES = 3  # below which a mean gets no interval
COVERED = 0.9  # part of the layers of a class that a model must answer, for its mean to be comparable
SHOWN = (-8.0, 108.0)  # %
BEST_COLOUR, OTHER_COLOUR = style.BLUE, style.ORANGE
EXAMPLES = 3  # of the best, and of the worst


def profiles(board: Board) -> Drawing:
    """One panel for each labelling class: data, and every model as a line."""
    means = binned(board)
    order = [name for name in board.models if name in set(means["model"])]
    if not order:
        return Drawing("profiles", "", "predictions.csv holds no new carbon beside its observation.", ())
    shown = _shown(board, order)
    panels = tuple(
        Panel(
            f"Label of {label}",
            partial(_through, means=rows, order=order, shown=shown, deepest=float(means["depth"].max())),
            4.9,
        )
        for label, rows in means.groupby("label", observed=True)
    )
    note = (
        "Points and band: mean of the sampled layers and its 95 % interval over sites. Lines: mean of a "
        "model over the same layers; thin: the others. Where the page runs scripts, one can be chosen."
    )
    title = "New carbon with depth: models through the data"
    return Drawing("profiles", title, _gaps(means, shown), panels, note)


def examples(board: Board) -> Drawing:
    """The best and the worst models, one panel each, all labelling classes together."""
    means = binned(board)
    known = set(means["model"])
    order = [name for name in board.ranked if name in known]
    first = [name for name in board.submitted if name in known]
    chosen = list(dict.fromkeys([*first, *order[:EXAMPLES], *order[-EXAMPLES:]]))
    if not chosen:
        return Drawing("examples", "", "predictions.csv holds no model that has a rank.", ())
    panels = tuple(
        Panel(f"{board.label(name)}: {_standing(board, name)}", partial(_alone, means=means, model=name), 4.7)
        for name in chosen
    )
    skill = board.scores("skill")["value"]
    told = "; ".join(f"{name} {number(skill[name], 2)}" for name in chosen if name in skill)
    note = (
        "Marks with bars: the data, mean and 95 % interval over sites. Lines: the model, averaged over the "
        "same layers."
    )
    title = "The best and the worst models, by labelling time"
    return Drawing("examples", title, f"Skill: {told}." if told else "", panels, note)


def binned(board: Board) -> pd.DataFrame:
    """Means of data and model (%) in each labelling class and depth class, with the interval of the data.

    Columns model, label, depth_class, depth (cm, mean of the middles), data, low, high, layers, sites and
    modelled, which is missing where the model answers too few of the layers.
    """
    both = pd.concat([board["values"].assign(model=""), board["predictions"]], ignore_index=True)
    both = both[(both["target"] == "f_new") & (both["model"] != NOISE)]
    both = both.rename(columns={"observed": "f_new", "years": "labelling_years"})
    both = classed(both.assign(depth=(both["layer_top"] + both["layer_bottom"]) / 2))
    keys = ["label", "depth_class"]
    told = both[both["model"] != ""].groupby(["model", *keys], observed=True)["predicted"]
    means = told.agg(["mean", "count"]).reset_index().merge(_data(both[both["model"] == ""]), on=keys)
    means["modelled"] = (100 * means["mean"]).where(means["count"] >= COVERED * means["layers"])
    return means.sort_values(["label", "model", "depth"], kind="stable").drop(columns=["mean", "count"])


def interval(values: Float[np.ndarray, " value"], site: np.ndarray) -> tuple[float, float]:
    """Percentile interval of the mean where whole sites are drawn; missing with fewer than three.

    >>> interval(np.array([1.0, 1.0, 3.0, 5.0]), np.array(list("aabc")))
    (1.0, 5.0)
    """
    names, place = np.unique(site, return_inverse=True)
    if len(names) < FEWEST_SITES:
        return np.nan, np.nan
    share = np.full(len(names), 1 / len(names))
    drawn = np.random.default_rng(0).multinomial(len(names), share, size=RESAMPLES)
    means = drawn @ np.bincount(place, values) / (drawn @ np.bincount(place))
    low, high = np.percentile(means, (50 - LEVEL / 2, 50 + LEVEL / 2))
    return float(low), float(high)


def gid(model: str) -> str:
    """The mark of a model's line in the figure, which the page's script finds.

    >>> gid("clm4.5")
    'model-clm4-5'
    """
    return f"model-{re.sub(r'[^a-z0-9]+', '-', model.lower())}"


def _data(values: pd.DataFrame) -> pd.DataFrame:
    """Mean of the observations of each class, with its interval over sites."""
    rows = []
    for (label, depth), part in values.groupby(["label", "depth_class"], observed=True):
        percent, site = 100 * part["f_new"].to_numpy(float), part["site_id"].to_numpy(str)
        ends = interval(percent, site)
        rows.append((label, depth, part["depth"].mean(), percent.mean(), *ends, len(part), len(set(site))))
    columns = ["label", "depth_class", "depth", "data", "low", "high", "layers", "sites"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(label=pd.Categorical(found["label"], values["label"].cat.categories, ordered=True))


def _shown(board: Board, order: Sequence[str]) -> Mapping[str, str]:
    """The models that are drawn in colour, with their colours: those handed in, else best and worst."""
    whole = [name for name in board.ranked if name in order] or list(order)
    names = [name for name in board.submitted if name in order] or [whole[0], whole[-1]]
    return dict(zip(dict.fromkeys(names), (BEST_COLOUR, OTHER_COLOUR), strict=False))


def _standing(board: Board, name: str) -> str:
    order = board.ranked
    return f"rank {order.index(name) + 1} of {len(order)}" if name in order else "without a rank"


def _through(
    ax: "Axes", means: pd.DataFrame, order: Sequence[str], shown: Mapping[str, str], deepest: float
) -> None:
    data = means.drop_duplicates("depth_class").sort_values("depth")
    band = data.dropna(subset=["low"])
    ax.fill_betweenx(
        band["depth"], band["low"], band["high"], color=style.SKY, alpha=0.3, linewidth=0, label="data, 95 %"
    )
    looks: dict[str, tuple[str, str, float]] = {
        **dict.fromkeys(order, (style.GREY, "-", 0.6)),
        FLOOR: (style.MUTED, "--", 1.4),
        **{name: (colour, "-", 2.2) for name, colour in shown.items()},
    }
    for name, (colour, dash, width) in looks.items():
        line = means[means["model"] == name].dropna(subset=["modelled"])
        label = name if name in shown or name == FLOOR else None
        ax.plot(
            line["modelled"], line["depth"], dash, color=colour, linewidth=width, label=label, gid=gid(name)
        )
    ax.plot(data["data"], data["depth"], "o", color=style.INK, markersize=5, label="data", zorder=5)
    _axes(ax, deepest)
    style.legend_below(ax, 3)


def _alone(ax: "Axes", means: pd.DataFrame, model: str) -> None:
    labels = means["label"].cat.categories
    colours = style.pick(style.AGE_COLOURS[::-1], len(labels))
    for label, colour, mark in zip(labels, colours, style.MARKS, strict=False):
        rows = means[(means["model"] == model) & (means["label"] == label)]
        reach = np.nan_to_num(np.stack([rows["data"] - rows["low"], rows["high"] - rows["data"]]))
        ax.errorbar(
            rows["data"], rows["depth"], xerr=reach, fmt=mark, color=colour, markersize=5, linewidth=1
        )
        line = rows.dropna(subset=["modelled"])
        ax.plot(line["modelled"], line["depth"], color=colour, label=str(label))
    _axes(ax, float(means["depth"].max()))
    style.legend_below(ax, 2)


def _axes(ax: "Axes", deepest: float) -> None:
    style.depth_axis(ax, deepest)
    ax.set_xlim(*SHOWN)
    ax.set_xlabel("New carbon (% of the carbon in the layer)")


def _gaps(means: pd.DataFrame, shown: Mapping[str, str]) -> str:
    """How often the coloured models lie in the band, and how far all of them lie from the data."""
    known = means.dropna(subset=["modelled"])
    inside = known["modelled"].between(known["low"], known["high"])
    parts = []
    for name in shown:
        held = inside[known["model"] == name]
        parts.append(f"{name} lies in the band at {int(held.sum())} of {len(held)} points")
    models = known[~known["model"].isin(BASELINES)]
    gap = (models["modelled"] - models["data"]).groupby(models["label"], observed=True).median()
    told = "; ".join(f"{signed(value)} pp after {label}" for label, value in gap.items())
    return f"{'; '.join(parts)}. Median of all models and depths less the data: {told}."
