"""The age of the carbon at each depth: as isochrones (Fig. 2 of the paper) and as distributions."""

from collections.abc import Mapping
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

PRINTED = "published"  # the method that begins so holds the values read off the printed figure
TITLES = {
    "as published": "Regression, as published",
    "hierarchical": "Hierarchical age model",
}  # by the beginning
PLACES = {0: "at the surface", 30: "at 30 cm", 100: "at 1 m"}
DRAWN_DEPTHS = 5


def isochrones(results: Results) -> Drawing:
    """Depth profiles of the share younger than an age, one panel for each method."""
    printed, methods = _split(banded(results["isochrones"]))
    panels = tuple(
        Panel(_title(name), partial(_isochrones, rows=rows, printed=printed), 5.0)
        for name, rows in methods.items()
    )
    sentence = " ".join([_shares(methods, 50), _distances(printed, methods)]).strip()
    note = _bands(results["isochrones"], printed)
    return Drawing("isochrones", "Carbon younger than an age, by depth", sentence, panels, note)


def distribution(results: Results) -> Drawing:
    """The cumulative age distribution at a few depths, one panel for each method."""
    printed, methods = _split(banded(results["isochrones"]))
    panels = tuple(
        Panel(_title(name), partial(_distributions, rows=rows, printed=printed), 4.6)
        for name, rows in methods.items()
    )
    note = "A curve crosses the dashed line at the median age. " + _bands(results["isochrones"], printed)
    return Drawing(
        "age_distribution", "Age distribution of the carbon at a depth", _shares(methods, 1000), panels, note
    )


def banded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `low` and `high`: the stated interval, else one standard error either way."""
    low = table["percent_younger"] - table["percent_se"]
    high = table["percent_younger"] + table["percent_se"]
    if {"percent_lower", "percent_upper"} <= set(table):
        low = pd.to_numeric(table["percent_lower"], errors="coerce").fillna(low)
        high = pd.to_numeric(table["percent_upper"], errors="coerce").fillna(high)
    return table.assign(low=low, high=high).dropna(subset=["percent_younger", "depth_cm", "age_yr"])


def distance(printed: pd.DataFrame, rows: pd.DataFrame) -> tuple[float, int]:
    """Root mean square difference (percentage points) where both have a value, and the number of values."""
    keys = ["depth_cm", "age_yr"]
    both = printed[[*keys, "percent_younger"]].merge(rows[[*keys, "percent_younger"]], on=keys)
    gap = both["percent_younger_x"] - both["percent_younger_y"]
    return float(np.sqrt((gap**2).mean())), len(both)


def _split(table: pd.DataFrame) -> tuple[pd.DataFrame, Mapping[str, pd.DataFrame]]:
    """The printed values, and ours by method in the order of the file."""
    is_printed = table["method"].str.startswith(PRINTED)
    printed, ours = table[is_printed], table[~is_printed]
    methods = {str(name): ours[ours["method"] == name] for name in ours["method"].unique()}
    return printed, methods or {"published (digitised)": printed}


def _isochrones(ax: "Axes", rows: pd.DataFrame, printed: pd.DataFrame) -> None:
    ages = sorted(rows["age_yr"].unique())
    for age, colour in zip(ages, style.pick(style.AGE_COLOURS[::-1], len(ages)), strict=True):
        line = rows[rows["age_yr"] == age].sort_values("depth_cm")
        ax.fill_betweenx(line["depth_cm"], line["low"], line["high"], color=colour, alpha=0.15, linewidth=0)
        ax.plot(line["percent_younger"], line["depth_cm"], color=colour, label=f"{age:g} yr")
        dots = printed[printed["age_yr"] == age]
        _printed(ax, dots["percent_younger"], dots["depth_cm"], colour)
    style.depth_axis(ax, float(rows["depth_cm"].max()))
    ax.set_xlim(0, 100)
    ax.set_xlabel("Carbon younger than the age (% of the carbon)")
    style.legend_below(ax, 4, "younger than")


def _distributions(ax: "Axes", rows: pd.DataFrame, printed: pd.DataFrame) -> None:
    present = rows["depth_cm"].unique()
    wanted = [depth for depth in (0, 10, 30, 50, 100) if depth in present] or sorted(present)[:DRAWN_DEPTHS]
    for depth, colour in zip(wanted, style.pick(style.DEPTH_COLOURS[::-1], len(wanted)), strict=True):
        line = rows[rows["depth_cm"] == depth].sort_values("age_yr")
        ax.fill_between(line["age_yr"], line["low"], line["high"], color=colour, alpha=0.15, linewidth=0)
        ax.plot(line["age_yr"], line["percent_younger"], color=colour, label=f"{depth:g} cm")
        dots = printed[printed["depth_cm"] == depth]
        _printed(ax, dots["age_yr"], dots["percent_younger"], colour)
    ax.axhline(50, color=style.MUTED, linestyle="--", linewidth=1)
    ax.set_xscale("log")
    ticks = [age for age in (3, 10, 30, 100, 300, 1000, 3000) if age >= rows["age_yr"].min()]
    ax.set_xticks(ticks, [f"{age:g}" for age in ticks])
    ax.minorticks_off()
    ax.set_ylim(0, 100)
    ax.set_xlabel("Age (yr, logarithmic)")
    ax.set_ylabel("Carbon younger than the age (%)")
    style.legend_below(ax, 5, "depth")


def _printed(ax: "Axes", x: pd.Series, y: pd.Series, colour: str) -> None:
    ax.plot(
        x,
        y,
        "o",
        color=colour,
        markerfacecolor=style.PAPER,
        markersize=4.5,
        markeredgewidth=1.2,
        clip_on=False,
    )


def _title(method: str) -> str:
    known = (title for start, title in TITLES.items() if method.startswith(start))
    return next(known, method[:1].upper() + method[1:])


def _shares(methods: Mapping[str, pd.DataFrame], age: int) -> str:
    """How much is younger than `age` at the surface, at 30 cm and at 1 m, by each method."""
    parts = []
    for method, rows in methods.items():
        at = rows[rows["age_yr"] == age].set_index("depth_cm")["percent_younger"]
        depths = [depth for depth in PLACES if depth in at.index] or sorted(at.index)[:1]
        values = [f"{number(at[depth])} % {PLACES.get(depth, f'at {depth:g} cm')}" for depth in depths]
        if values:
            parts.append(f"{joined(values)} ({_title(method).lower()})")
    return f"Younger than {age} yr: " + "; ".join(parts) + "." if parts else ""


def _distances(printed: pd.DataFrame, methods: Mapping[str, pd.DataFrame]) -> str:
    """How far each method lies from the printed values."""
    parts = []
    for method, rows in methods.items():
        gap, count = distance(printed, rows)
        if count and rows is not printed:
            parts.append(f"{number(gap, 2)} percentage points over {count} values ({_title(method).lower()})")
    return f"Root mean square distance from the printed curves: {'; '.join(parts)}." if parts else ""


def _bands(table: pd.DataFrame, printed: pd.DataFrame) -> str:
    circles = "Open circles: read off the printed figure of 2018. " if len(printed) else ""
    exact = "percent_lower" in table and table["percent_lower"].notna().any()
    return circles + (
        "Bands: ± 1 standard error of the mean (regression), 95 % interval of the mean (hierarchical)."
        if exact
        else "Bands: ± 1 standard error of the mean."
    )
