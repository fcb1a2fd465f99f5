"""What moves the headline numbers: each choice of the analysis changed by itself."""

import math
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.reporting import bars, style
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.headline import title
from subsoil.reporting.quantities import number, printed_unit, scale
from subsoil.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WRAPPED = 28  # characters of a line of an option beside its axis
SHOWN = (
    "subsoil_stock_share", "subsoil_new_share_50yr", "median_depth_new_50yr",
    "new_fraction_0_100_50yr", "new_fraction_0_30_50yr_tropical", "new_fraction_30_100_50yr_tropical",
    "median_age_0cm", "median_age_100cm",
)  # fmt: skip


def sensitivity(results: Results) -> Drawing:
    """One panel for each headline number that was computed with other choices."""
    choices = results["choices"][np.isfinite(results["choices"]["value"])]
    headline = results["headline"]
    names = [name for name in SHOWN if name in set(choices["name"])] or list(choices["name"].unique())
    panels, parts = [], []
    for name in names:
        rows = choices[choices["name"] == name].drop_duplicates(["choice", "option"])
        base = headline[headline["name"] == name]
        unit = str(base["unit"].iloc[0]) if len(base) else "-"
        ours, published = (float(base[c].iloc[0]) if len(base) else math.nan for c in ("value", "published"))
        draw = partial(_options, rows=rows, unit=unit, ours=ours, published=published)
        panels.append(Panel(title(name, short=True), draw, 1.2 + 0.2 * _places(rows)[-1][0]))
        parts.append(_moved(name, rows, unit))
    note = "Solid line: our value; dashed line: the published value. Bars: intervals, cut at the axis."
    if not panels:
        return Drawing("sensitivity", "What moves the numbers", "No finite value was written.", ())
    sentence = f"Range over all choices, and the choice that moves it most: {'; '.join(parts)}."
    return Drawing("sensitivity", "What moves the numbers", sentence, tuple(panels), note)


def spread(rows: pd.DataFrame) -> pd.Series:
    """Distance between the lowest and the highest value within each choice, the largest first."""
    return rows.groupby("choice")["value"].agg(np.ptp).sort_values(ascending=False)


def _places(rows: pd.DataFrame) -> list[tuple[float, str, bool]]:
    """Height, text and whether it is a heading, of every line of a panel."""
    lines, place = [], 0.0
    for choice, part in rows.groupby("choice", sort=False):
        lines.append((place, str(choice), True))
        for option in part["option"]:
            text = fill(str(option), WRAPPED)
            place += 0.55 + 0.45 * (1 + text.count("\n"))
            lines.append((place, text, False))
            place += 0.25 * text.count("\n")
        place += 1.3
    return lines


def _options(ax: "Axes", rows: pd.DataFrame, unit: str, ours: float, published: float) -> None:
    factor, lines = scale(unit), _places(rows)
    values, ends = [*rows["value"], ours, published], rows[["lower", "upper"]]
    ax.set_xlim(*bars.limits(np.multiply(values, factor), ends * factor))
    places = iter([place for place, _, heading in lines if not heading])
    for number_, (_, part) in enumerate(rows.groupby("choice", sort=False)):
        y = [next(places) for _ in range(len(part))]
        colour, mark = style.SERIES[number_ % len(style.SERIES)], style.MARKS[number_ % len(style.MARKS)]
        bars.draw(ax, y, part["lower"] * factor, part["upper"] * factor, colour)
        ax.plot(part["value"] * factor, y, mark, color=colour, markersize=5)
    for value, dash in ((ours, "-"), (published, "--")):
        if math.isfinite(value):
            ax.axvline(value * factor, color=style.MUTED, linestyle=dash, linewidth=1, zorder=0)
    ax.set_yticks([place for place, _, _ in lines], [text for _, text, _ in lines])
    for label, (_, _, heading) in zip(ax.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if heading else "normal")
    ax.tick_params(axis="y", length=0, labelsize=8)
    ax.set_ylim(lines[-1][0] + 0.7, -0.7)
    ax.grid(False, axis="y")
    ax.set_xlabel(f"{title(str(rows['name'].iloc[0]), short=True)} ({printed_unit(unit)})")


def _moved(name: str, rows: pd.DataFrame, unit: str) -> str:
    low, high = rows["value"].min() * scale(unit), rows["value"].max() * scale(unit)
    ends = f"{number(low)} to {number(high)} {printed_unit(unit)}".strip()
    return f"{title(name, short=True)} {ends} ({spread(rows).index[0]})"
