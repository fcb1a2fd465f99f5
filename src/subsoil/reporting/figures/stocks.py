"""Stock of carbon and of new carbon by depth, and how much of each lies above a depth."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.reporting import style
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.quantities import number
from subsoil.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUBSOIL = 30.0  # cm
KINDS = {
    "soc_density": ("all soil organic carbon", style.GREY, "o"),
    "new_soc_density": ("new carbon", style.ORANGE, "s"),
}


def stocks(results: Results) -> Drawing:
    """Mean density of layers with two standard errors, and the cumulative share."""
    table = results["stocks"].dropna(subset=list(KINDS)).sort_values("depth_cm")
    shares = below(table)
    panels = (
        Panel("Density", partial(_density, table=table), 4.4),
        Panel("Share above a depth", partial(_cumulative, table=table), 4.4),
    )
    deep, deep_new = (number(100 * shares[kind]) for kind in KINDS)
    sentence = (
        f"Of the soil organic carbon of 0–{number(edges(table)[-1])} cm, {deep} % lies below 30 cm; "
        f"of the new carbon, {deep_new} %."
    )
    note = (
        "New carbon: what entered since each profile's own change of plants. Means of the layers drawn "
        "here; the headline table gives the estimates for 50 years, with intervals. "
        f"Bands: ± 2 standard errors of the mean; {_profiles(table)} at a depth."
    )
    return Drawing("stocks", "Carbon stock and new-carbon stock by depth", sentence, panels, note)


def edges(table: pd.DataFrame) -> np.ndarray:
    """Bounds (cm) of layers that follow each other from 0 cm, from their middles.

    >>> edges(pd.DataFrame({"depth_cm": [5.0, 15.0, 30.0]}))
    array([ 0., 10., 20., 40.])
    """
    bounds = [0.0]
    for middle in table["depth_cm"]:
        bounds.append(2 * middle - bounds[-1])
    return np.array(bounds)


def below(table: pd.DataFrame, depth: float = SUBSOIL) -> dict[str, float]:
    """Share of the whole amount that lies deeper than `depth` (cm), for both kinds."""
    return {kind: float(1 - np.interp(depth, edges(table), cumulative(table, kind))) for kind in KINDS}


def cumulative(table: pd.DataFrame, kind: str) -> np.ndarray:
    """Share (0 to 1) of the whole amount that lies above each of the `edges`."""
    sums = np.concatenate([[0.0], np.cumsum(table[kind] * np.diff(edges(table)))])
    return np.asarray(sums / sums[-1] if sums[-1] else sums)


def _density(ax: "Axes", table: pd.DataFrame) -> None:
    for kind, (label, colour, mark) in KINDS.items():
        mean, spread = table[kind], 2 * table[f"{kind}_se"].fillna(0.0)
        ax.fill_betweenx(
            table["depth_cm"], mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0
        )
        ax.plot(mean, table["depth_cm"], marker=mark, markersize=4, color=colour, label=label)
    style.depth_axis(ax, float(edges(table)[-1]))
    ax.set_xlim(left=0)
    ax.set_xlabel("Carbon density (kg C m⁻³)")
    style.legend_below(ax, 2)


def _cumulative(ax: "Axes", table: pd.DataFrame) -> None:
    for kind, (label, colour, mark) in KINDS.items():
        share = 100 * cumulative(table, kind)
        ax.plot(share, edges(table), marker=mark, markersize=4, color=colour, label=label)
    ax.axhline(SUBSOIL, color=style.MUTED, linestyle="--", linewidth=1)
    style.depth_axis(ax, float(edges(table)[-1]))
    ax.set_xlim(-1, 101)
    ax.set_xlabel("Share that lies above the depth (%)")
    style.legend_below(ax, 2)


def _profiles(table: pd.DataFrame) -> str:
    low, high = table["n"].min(), table["n"].max()
    return f"{high:g} profiles" if low == high else f"{low:g} to {high:g} profiles"
