"""What goes with the incorporation of new carbon: effects by two methods, side by side."""

import re
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.reporting import bars, style
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.quantities import effect, interval, joined, number
from subsoil.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

JOINT, BY_STEP = "all predictors", "crop by 10 cm"
CROP, CONTROL = "crop against grassland and forest", "ln(labelling years)"
RESPONSES = {
    "share_new_30_100": "Share of the new carbon that lies below 30 cm",
    "f_0_30": "New carbon in 0–30 cm, share of the carbon",
    "f_30_100": "New carbon in 30–100 cm, share of the carbon",
}
SPREAD = 0.32  # vertical distance between the first and the last method of a row
RATIOS = (0.2, 5.0)  # axis of the ratios; a bar that leaves it is cut


def drivers(results: Results) -> Drawing:
    """A forest plot for each response, all predictors together."""
    table = asked(results["drivers"], JOINT)
    table = table[(table["term"] != CONTROL) & table["response"].isin(RESPONSES)]
    panels = []
    for response in (name for name in RESPONSES if name in set(table["response"])):
        rows = table[table["response"] == response]
        height = 1.35 + 0.45 * rows["term"].nunique()
        panels.append(Panel(RESPONSES[response], partial(_forest, rows=rows), height, title_width=32))
    note = f"Filled marks: the 95 % interval excludes zero. {_data(table)}, equal ln of the labelling time."
    return Drawing(
        "drivers", "Drivers of the incorporation of new carbon", _clear(table), tuple(panels), note
    )


def land_use(results: Results) -> Drawing:
    """New carbon under crops over that under grassland and forest, by depth."""
    table = results["drivers"]
    panels, first = [], pd.DataFrame()
    for question in sorted(q for q in table["question"].unique() if q.startswith(BY_STEP)):
        rows = asked(table, question)
        rows = (
            rows[rows["term"] == CROP]
            .assign(depth=lambda t: t["response"].map(_middle))
            .dropna(subset="depth")
        )
        first = rows if first.empty else first
        also = question.removeprefix(BY_STEP).strip(", ")
        title = f"Equal labelling time{' and ' + also.removeprefix('same ') if also else ''}"
        panels.append(Panel(title, partial(_ratios, rows=rows), 4.4))
    note = f"Below 1, crops hold less new carbon. Bars: 95 % intervals, cut at the axis. {_data(first)}."
    title = "New carbon under crops against grassland and forest, by depth"
    return Drawing("land_use", title, _least(first), tuple(panels), note)


def asked(table: pd.DataFrame, question: str) -> pd.DataFrame:
    """Estimates of a question in its main subset (the first of the file), without the naive ones."""
    rows = table[(table["question"] == question) & table["estimate"].notna()]
    rows = rows[(rows["subset"] == rows["subset"].iloc[0]) if len(rows) else slice(None)]
    rows = rows[~rows["method"].str.contains("naive|range", case=False)]
    return rows.drop_duplicates(["response", "term", "method"])


def _forest(ax: "Axes", rows: pd.DataFrame) -> None:
    terms, methods = list(rows["term"].unique()), list(rows["method"].unique())
    factors = rows["unit"].map(lambda unit: effect(unit)[0])
    ends = rows[["lower", "upper"]].mul(factors, axis=0)
    ax.set_xlim(*bars.limits([*rows["estimate"] * factors, 0.0], ends))
    offsets = np.linspace(-SPREAD / 2, SPREAD / 2, len(methods)) if len(methods) > 1 else [0.0]
    for method, offset, colour, mark in zip(methods, offsets, style.SERIES, style.MARKS, strict=False):
        part = rows[rows["method"] == method]
        value, low, high = (part[name] * factors[part.index] for name in ("estimate", "lower", "upper"))
        y = np.array([terms.index(term) for term in part["term"]]) + offset
        clear = (low > 0) | (high < 0)
        bars.draw(ax, y, low, high, colour)
        ax.plot(value, y, mark, color=colour, markerfacecolor=style.PAPER, markersize=6, label=method)
        ax.plot(value[clear], y[clear], mark, color=colour, markersize=6)
    ax.axvline(0, color=style.MUTED, linewidth=1)
    ax.set_yticks(range(len(terms)), [_label(rows, term) for term in terms])
    ax.set_ylim(len(terms) - 0.5, -0.5)
    ax.grid(False, axis="y")
    ax.set_xlabel("Effect (percentage points)")
    style.legend_below(ax, 2)


def _ratios(ax: "Axes", rows: pd.DataFrame) -> None:
    methods = list(rows["method"].unique())
    ax.set_xscale("log")
    ax.set_xlim(*RATIOS)
    for place, (method, colour, mark) in enumerate(zip(methods, style.SERIES, style.MARKS, strict=False)):
        part = rows[rows["method"] == method].sort_values("depth")
        depth = part["depth"] + 2.2 * (place - (len(methods) - 1) / 2)
        bars.draw(ax, depth, part["lower"], part["upper"], colour)
        ax.plot(part["estimate"], depth, mark, color=colour, markersize=5, label=method)
    ax.axvline(1, color=style.MUTED, linewidth=1)
    ticks = (0.2, 0.5, 1, 2, 5)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    style.depth_axis(ax, 100.0)
    ax.set_xlabel("Stock of new carbon, crop / other (ratio)")
    style.legend_below(ax, 2)


def _middle(response: str) -> float:
    """Middle of the layer that a response is named after, cm; missing for other names.

    >>> _middle("new_soc_stock_10_20"), _middle("f_0_30")
    (15.0, nan)
    """
    found = re.fullmatch(r"new_soc_stock_(\d+)_(\d+)", response)
    return (int(found[1]) + int(found[2])) / 2 if found else float("nan")


def _label(rows: pd.DataFrame, term: str) -> str:
    per = effect(rows.loc[rows["term"] == term, "unit"].iloc[0])[2]
    name = fill(term, 16, max_lines=2)
    return f"{name}\n{per}" if per else name


def _data(rows: pd.DataFrame) -> str:
    """The profiles behind the estimates."""
    if rows.empty:
        return "No estimates"
    low, high = rows["n"].min(), rows["n"].max()
    subset = rows["subset"].iloc[0].replace("<=", "≤") or "all"
    count = number(high) if low == high else f"{number(low)} to {number(high)}"
    return f"Profiles: {subset}, {count} of them"


def _clear(table: pd.DataFrame) -> str:
    """Which effects every method tells from zero."""
    if table.empty:
        return "No effect was estimated."
    parts = []
    for response, rows in table.groupby("response", sort=False):
        clear = ((rows["lower"] > 0) | (rows["upper"] < 0)).groupby(rows["term"], sort=False).all()
        named = []
        for term in clear[clear].index:
            first = rows[rows["term"] == term].iloc[0]
            factor, unit, per = effect(first["unit"])
            named.append(f"{term} ({number(first['estimate'] * factor)} {' '.join((unit, per)).strip()})")
        parts.append(f"{RESPONSES[str(response)]}: {joined(named) or 'none'}")
    return "Effects whose interval excludes zero with every method. " + "; ".join(parts) + "."


def _least(rows: pd.DataFrame) -> str:
    """The shallowest and the deepest ratio of the first method."""
    if rows.empty:
        return "No ratio was estimated."
    rows = rows[rows["method"] == rows["method"].iloc[0]].sort_values("depth")
    parts = [
        f"{number(row['estimate'], 2)} times ({interval(row['lower'], row['upper'])}) at "
        f"{row['depth'] - 5:g}–{row['depth'] + 5:g} cm"
        for _, row in rows.iloc[[0, -1] if len(rows) > 1 else [0]].iterrows()
    ]
    return f"At equal labelling time crops hold {joined(parts)} the new carbon of grassland and forest."
