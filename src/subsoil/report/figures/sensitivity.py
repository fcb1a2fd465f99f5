"""What moves the headline numbers: each choice of the analysis changed by itself."""

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.report import style
from subsoil.report.drawing import Drawing, Panel
from subsoil.report.headline import title
from subsoil.report.quantities import number, printed_unit, scale
from subsoil.report.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 34  # characters of an option beside its axis


def sensitivity(results: Results) -> Drawing:
    """One panel for each headline number that was computed with other choices."""
    choices = results["choices"].dropna(subset=["value"])
    headline = results["headline"]
    panels, parts = [], []
    for name in choices["name"].unique():
        rows = choices[choices["name"] == name]
        base = headline[headline["name"] == name]
        unit = str(base["unit"].iloc[0]) if len(base) else "-"
        ours, published = (float(base[c].iloc[0]) if len(base) else math.nan for c in ("value", "published"))
        draw = partial(_options, rows=rows, unit=unit, ours=ours, published=published)
        panels.append(
            Panel(title(name, short=True), draw, 1.5 + 0.22 * (len(rows) + rows["choice"].nunique()))
        )
        parts.append(_moved(name, rows, unit))
    note = (
        "Solid line: our value; dashed line: the published value. Bars: intervals where they were computed."
    )
    sentence = f"Range over all choices, and the choice that moves it most: {'; '.join(parts)}."
    return Drawing("sensitivity", "What moves the numbers", sentence, tuple(panels), note)


def spread(rows: pd.DataFrame) -> pd.Series:
    """Distance between the lowest and the highest value within each choice, the largest first."""
    return rows.groupby("choice")["value"].agg(np.ptp).sort_values(ascending=False)


def _options(ax: "Axes", rows: pd.DataFrame, unit: str, ours: float, published: float) -> None:
    factor = scale(unit)
    ticks: list[tuple[float, str, bool]] = []
    place = 0.0
    for number_, (choice, part) in enumerate(rows.groupby("choice", sort=False)):
        ticks.append((place, str(choice), True))
        y = place + 1 + np.arange(len(part))
        colour = style.SERIES[number_ % len(style.SERIES)]
        ax.hlines(y, part["lower"] * factor, part["upper"] * factor, color=colour, linewidth=1.8)
        ax.plot(
            part["value"] * factor, y, style.MARKS[number_ % len(style.MARKS)], color=colour, markersize=5
        )
        ticks += [(at, _shortened(option), False) for at, option in zip(y, part["option"], strict=True)]
        place = y[-1] + 1.15
    for value, dash in ((ours, "-"), (published, "--")):
        if math.isfinite(value):
            ax.axvline(value * factor, color=style.MUTED, linestyle=dash, linewidth=1, zorder=0)
    ax.set_yticks([at for at, _, _ in ticks], [text for _, text, _ in ticks])
    for label, (_, _, heading) in zip(ax.get_yticklabels(), ticks, strict=True):
        label.set_fontweight("bold" if heading else "normal")
    ax.tick_params(axis="y", length=0, labelsize=8.5)
    ax.set_ylim(place - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.set_xlabel(f"{title(str(rows['name'].iloc[0]), short=True)} ({printed_unit(unit)})")


def _shortened(option: str) -> str:
    return option if len(option) <= LONGEST else option[: LONGEST - 1] + "…"


def _moved(name: str, rows: pd.DataFrame, unit: str) -> str:
    low, high = rows["value"].min() * scale(unit), rows["value"].max() * scale(unit)
    ends = f"{number(low)} to {number(high)} {printed_unit(unit)}".strip()
    return f"{title(name, short=True)} {ends} ({spread(rows).index[0]})"
