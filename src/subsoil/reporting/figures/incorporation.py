"""New carbon against depth, by the time that the label had to enter (Fig. 1 of the 2018 paper)."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.reporting import style
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.quantities import joined, number
from subsoil.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGES = (0.0, 10.0, 50.0, 200.0, np.inf)  # yr; the classes of the paper
DEEPEST = 150.0  # cm
SHOWN = (-20.0, 125.0)  # % of the carbon; what lies outside is counted in the note


def new_carbon(results: Results) -> Drawing:
    """Sampled layers and, where the harmonised values exist, the mean of the profiles."""
    layers = classed(results["fractions"])
    panels = [Panel("Sampled layers", partial(_layers, layers=layers))]
    sentence = _counted(layers)
    if "depths" in results:
        means = class_means(classed(results["depths"]))
        curves = classed(results["predictions"]) if "predictions" in results else None
        panels.append(Panel("Mean of the profiles, ± 1 SE", partial(_means, means=means, curves=curves)))
        sentence = _sentence(means) or sentence
    hidden = int((~layers["f_new"].mul(100).between(*SHOWN) | (layers["layer_mid"] > DEEPEST)).sum())
    drawn = (
        " Dashed: the hierarchical model at the median time of each class."
        if "predictions" in results
        else ""
    )
    note = "Values below 0 and above 100 % are kept: they are the scatter of the measurement." + drawn
    if hidden:
        note += f" {hidden} of {len(layers)} layers lie outside the axes."
    return Drawing("new_carbon", "New carbon by depth and labelling time", sentence, tuple(panels), note)


def class_means(values: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard error (%) and number of profiles for each class and depth."""
    grouped = values.assign(percent=100 * values["f_new"]).groupby(["label", "depth_cm"], observed=True)
    table = grouped["percent"].agg(["mean", "sem", "count"]).reset_index()
    return table[table["count"] > 0]


def classed(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with a value, each with the class of its labelling time; a class is named by its data."""
    table = table.dropna(subset=["f_new", "labelling_years"])
    place = pd.cut(table["labelling_years"], list(EDGES), labels=False)
    names, order = {}, []
    for number_, group in table.groupby(place):
        low, high = group["labelling_years"].min(), group["labelling_years"].max()
        names[number_] = f"{low:g} yr" if low == high else f"{low:g}–{high:g} yr"
        order.append(names[number_])
    label = pd.Categorical(place.map(names), categories=list(dict.fromkeys(order)), ordered=True)
    return table.assign(label=label).dropna(subset=["label"])


def _layers(ax: "Axes", layers: pd.DataFrame) -> None:
    labels = layers["label"].cat.categories
    colours = style.pick(style.AGE_COLOURS[::-1], len(labels))
    for label, colour, mark in zip(labels, colours, style.MARKS, strict=False):
        rows = layers[layers["label"] == label]
        ax.plot(
            100 * rows["f_new"], rows["layer_mid"], mark, color=colour, markersize=4, alpha=0.65,
            markeredgecolor=style.PAPER, markeredgewidth=0.4, label=f"{label} ({len(rows)})",
        )  # fmt: skip
    _axes(ax)
    style.legend_below(ax, 2, "labelling time (number of layers)")


def _means(ax: "Axes", means: pd.DataFrame, curves: pd.DataFrame | None) -> None:
    labels = means["label"].cat.categories
    colours = style.pick(style.AGE_COLOURS[::-1], len(labels))
    if curves is not None:
        for (_, line), colour in zip(curves.groupby("labelling_years"), colours, strict=False):
            ax.plot(100 * line["f_new"], line["depth_cm"], "--", color=colour, linewidth=1.2)
    for label, colour, mark in zip(labels, colours, style.MARKS, strict=False):
        rows = means[means["label"] == label].sort_values("depth_cm")
        spread = rows["sem"].fillna(0)
        ax.fill_betweenx(
            rows["depth_cm"],
            rows["mean"] - spread,
            rows["mean"] + spread,
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
        fewest, most = rows["count"].min(), rows["count"].max()
        text = f"{label} ({most})" if fewest == most else f"{label} ({fewest}–{most})"
        ax.plot(rows["mean"], rows["depth_cm"], marker=mark, markersize=4.5, color=colour, label=text)
    _axes(ax)
    style.legend_below(ax, 2, "labelling time (number of profiles)")


def _axes(ax: "Axes") -> None:
    style.depth_axis(ax, DEEPEST)
    ax.set_xlim(*SHOWN)
    ax.axvline(0, color=style.MUTED, linewidth=0.8)
    ax.axvline(100, color=style.MUTED, linewidth=0.8)
    ax.set_xlabel("New carbon (% of the carbon in the layer)")


def _counted(layers: pd.DataFrame) -> str:
    counts = layers["label"].value_counts(sort=False)
    return "Layers by labelling time: " + joined([f"{n} with {label}" for label, n in counts.items()]) + "."


def _sentence(means: pd.DataFrame) -> str:
    """What the youngest and the oldest class show at the top, at 30 cm and at 1 m."""
    parts = []
    for label in means["label"].cat.categories:
        rows = means[means["label"] == label].set_index("depth_cm")
        shown = [depth for depth in (0, 30, 100) if depth in rows.index]
        values = joined([f"{number(rows['mean'][depth], 2)} % at {depth} cm" for depth in shown])
        if shown:
            parts.append(f"after {label} {values}")
    return "Mean share of new carbon: " + "; ".join(parts) + "." if parts else ""
