"""What goes with the allocation of new carbon: effects by two methods, side by side."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.report import style
from subsoil.report.drawing import Drawing, Panel
from subsoil.report.quantities import joined, number, printed_unit
from subsoil.report.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREAD = 0.32  # vertical distance between the first and the last method of a row
LONGEST = 30  # characters of a term beside its axis


def drivers(results: Results) -> Drawing:
    """A forest plot for each response; of several subsets the first one of the file is drawn."""
    table = main_rows(results["drivers"])
    panels = []
    for response in table["response"].unique():
        rows = table[table["response"] == response]
        height = 1.35 + 0.36 * rows["term"].nunique()
        panels.append(Panel(_title(response), partial(_forest, rows=rows), height, title_width=30))
    note = "Filled marks: the interval excludes zero. " + _subsets(table)
    return Drawing(
        "drivers", "Drivers of the incorporation of new carbon", _sentence(table), tuple(panels), note
    )


def main_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with an estimate, of the first subset that each response is given for."""
    table = table.dropna(subset=["estimate"])
    first = table.groupby("response", sort=False)["subset"].transform("first")
    rows = table[table["subset"] == first]
    return rows.drop_duplicates(["response", "term", "method"])


def _forest(ax: "Axes", rows: pd.DataFrame) -> None:
    terms, methods = list(rows["term"].unique()), list(rows["method"].unique())
    units = rows["unit"].unique()
    offsets = np.linspace(-SPREAD / 2, SPREAD / 2, len(methods)) if len(methods) > 1 else [0.0]
    for method, offset, colour, mark in zip(methods, offsets, style.SERIES, style.MARKS, strict=False):
        part = rows[rows["method"] == method]
        y = np.array([terms.index(term) for term in part["term"]]) + offset
        clear = (part["lower"] > 0) | (part["upper"] < 0)
        ax.hlines(y, part["lower"], part["upper"], color=colour, linewidth=1.8)
        ax.plot(
            part["estimate"], y, mark, color=colour, markerfacecolor=style.PAPER, markersize=6, label=method
        )
        ax.plot(part["estimate"][clear], y[clear], mark, color=colour, markersize=6)
    ax.axvline(0, color=style.MUTED, linewidth=1)
    ax.set_yticks(range(len(terms)), [_label(rows, term, len(units) > 1) for term in terms])
    ax.set_ylim(len(terms) - 0.5, -0.5)
    ax.grid(False, axis="y")
    ax.set_xlabel("Effect" if len(units) > 1 else f"Effect ({printed_unit(units[0])})")
    style.legend_below(ax, 2)


def _label(rows: pd.DataFrame, term: str, with_unit: bool) -> str:
    name = term if len(term) <= LONGEST else term[: LONGEST - 1] + "…"
    unit = printed_unit(rows.loc[rows["term"] == term, "unit"].iloc[0])
    return f"{name}\n({unit})" if with_unit else name


def _title(response: str) -> str:
    return response[:1].upper() + response[1:]


def _subsets(table: pd.DataFrame) -> str:
    first = table.drop_duplicates("response")
    pairs = zip(first["response"], first["subset"], strict=True)
    parts = [f"{response}: {subset}" for response, subset in pairs if subset]
    return "Data used: " + "; ".join(parts) + "." if parts else ""


def _sentence(table: pd.DataFrame) -> str:
    """Which effects both methods tell from zero."""
    parts = []
    for response, rows in table.groupby("response", sort=False):
        clear = rows.assign(clear=(rows["lower"] > 0) | (rows["upper"] < 0))
        agreed = clear.groupby("term", sort=False)["clear"].all()
        named = []
        for term in agreed[agreed].index:
            first = rows[rows["term"] == term].iloc[0]
            named.append(f"{term} ({number(first['estimate'])} {printed_unit(first['unit'])})")
        parts.append(f"{response}: {joined(named) or 'none'}")
    return "Effects whose interval excludes zero with every method: " + "; ".join(parts) + "."
