"""How well the age models predict: residuals, and scores at sites that the fit has not seen."""

from collections.abc import Iterable
from functools import partial
from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.reporting import style
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.quantities import number
from subsoil.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALL = "all"
FORECAST = "as observed"  # of the two forecasts of a model, the one that is drawn
NOMINAL = 90.0  # %, the coverage that the intervals promise


def residuals(results: Results) -> Drawing:
    """Observed against predicted at sites left out, and the difference against depth."""
    table = results["residuals"].dropna(subset=["f_new", "predicted", "depth_cm"])
    panels = (
        Panel("Observed against predicted", partial(_scatter, table=table)),
        Panel("Observed minus predicted", partial(_by_depth, table=table)),
    )
    gap = 100 * (table["f_new"] - table["predicted"])
    known = table.dropna(subset=["lower", "upper"])
    sentence = (
        f"{len(table)} values: mean difference {number(gap.mean(), 2)}, "
        f"root mean square {number(float(np.sqrt((gap**2).mean())), 3)} percentage points"
    )
    if len(known):
        inside = 100 * known["f_new"].between(known["lower"], known["upper"]).mean()
        sentence += f"; {number(inside)} % lie inside the 90 % interval"
    title = "Observed against predicted at sites left out"
    return Drawing("residuals", title, sentence + ".", panels, _model(results))


def heldout(results: Results) -> Drawing:
    """Root mean square error and coverage at left-out sites, by depth, for every model."""
    table = results["heldout"]
    by_depth = table[table["depth_cm"] != ALL].assign(
        depth=lambda rows: pd.to_numeric(rows["depth_cm"], errors="coerce")
    )
    by_depth = by_depth.dropna(subset=["depth"])
    drawn = [m for m in by_depth["model"].unique() if is_floor(m) or m.endswith(FORECAST)]
    drawn = drawn if not all(map(is_floor, drawn)) else list(by_depth["model"].unique())
    lines = by_depth[by_depth["model"].isin(drawn)]
    panels = [Panel("Error at sites left out", partial(_errors, table=lines), 5.0)]
    if lines["coverage90"].notna().any():
        panels.append(Panel("Coverage of the 90 % interval", partial(_coverage, table=lines), 5.0))
    note = "All profiles of a coordinate pair are left out together. "
    if len(drawn) < by_depth["model"].nunique():
        note += f"Drawn: forecasts “{FORECAST}”; the table holds every model."
    return Drawing("heldout", "Scores at sites left out, by depth", _scores(table), tuple(panels), note)


def _model(results: Results) -> str:
    """Which model the forecasts come from, where the table says so."""
    models = results["residuals"].get("model")
    return "" if models is None or models.isna().all() else f"Forecasts of: {models.iloc[0]}."


def is_floor(model: str) -> bool:
    """Whether a model only knows the depth: what every other one has to beat."""
    return "floor" in model.lower() or "depth-only" in model.lower()


def _scatter(ax: "Axes", table: pd.DataFrame) -> None:
    x, y = 100 * table["predicted"], 100 * table["f_new"]
    ends = min(0.0, x.min(), y.min()), max(100.0, x.max(), y.max())
    ax.plot(ends, ends, color=style.MUTED, linewidth=1, label="equal")
    ax.plot(x, y, "o", color=style.BLUE, markersize=3, alpha=0.4, markeredgewidth=0)
    ax.set_xlabel("Predicted new carbon (%)")
    ax.set_ylabel("Observed new carbon (%)")
    ax.legend(loc="upper left")


def _by_depth(ax: "Axes", table: pd.DataFrame) -> None:
    gap = 100 * (table["f_new"] - table["predicted"])
    ax.plot(gap, table["depth_cm"], "o", color=style.BLUE, markersize=3, alpha=0.25, markeredgewidth=0)
    middle = gap.groupby((table["depth_cm"] / 10).round() * 10).agg(["mean", "std"])
    ax.errorbar(
        middle["mean"], middle.index, xerr=middle["std"].fillna(0.0), fmt="s", color=style.ORANGE,
        markersize=5, linewidth=3, zorder=4, label="mean ± 1 SD in 10 cm",
    )  # fmt: skip
    ax.axvline(0, color=style.MUTED, linewidth=1)
    style.depth_axis(ax, float(table["depth_cm"].max()))
    ax.set_xlabel("Observed minus predicted (percentage points)")
    style.legend_below(ax, 1)


def _errors(ax: "Axes", table: pd.DataFrame) -> None:
    _lines(ax, table, "rmse")
    ax.set_xlim(left=0)
    ax.set_xlabel("Root mean square error (percentage points)")


def _coverage(ax: "Axes", table: pd.DataFrame) -> None:
    _lines(ax, table, "coverage90")
    ax.axvline(NOMINAL, color=style.MUTED, linestyle="--", linewidth=1)
    ax.set_xlim(min(75.0, 100 * table["coverage90"].min() - 2), 101)
    ax.set_xlabel("Observed values inside the interval (%)")


def _lines(ax: "Axes", table: pd.DataFrame, score: str) -> None:
    """One line over depth for each model with the score; a model looks the same in both panels."""
    for model, (colour, mark, dash) in _looks(table["model"].unique()).items():
        rows = table[(table["model"] == model) & table[score].notna()].sort_values("depth")
        if len(rows):
            ax.plot(
                100 * rows[score],
                rows["depth"],
                dash,
                marker=mark,
                markersize=4.5,
                color=colour,
                label=_name(model),
            )
    style.depth_axis(ax, float(table["depth"].max()))
    style.legend_below(ax, 2)


def _name(model: str) -> str:
    """The model without the name of the forecast, on lines of legend width."""
    return fill("depth-only mean (floor)" if is_floor(model) else model.removesuffix(f", {FORECAST}"), 26)


def _looks(models: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """Colour, mark and dash of each model; the floor is grey and dashed."""
    names = list(models)
    coloured = zip(
        [n for n in names if not is_floor(n)], cycle(style.SERIES), cycle(style.MARKS), strict=False
    )
    looks = {name: (colour, mark, "-") for name, colour, mark in coloured}
    return {name: looks.get(name, (style.GREY, "x", "--")) for name in names}


def _scores(table: pd.DataFrame) -> str:
    """The best model against the floor, over all depths."""
    rows = table[(table["depth_cm"] == ALL) & table["rmse"].notna()]
    models = rows[~rows["model"].map(is_floor)]
    floors = rows[rows["model"].map(is_floor)]
    if models.empty:
        return "No score over all depths was written."
    best = models.sort_values("rmse").iloc[0]
    text = (
        f"Over all depths, {best['model']} errs least: {number(100 * best['rmse'])} percentage points (rms)"
    )
    if len(floors):
        text += f" against {number(100 * floors['rmse'].min())} for the mean of each depth"
    if np.isfinite(best["coverage90"]):
        text += f"; its 90 % intervals hold {number(100 * best['coverage90'])} % of the values"
    return text + "."
