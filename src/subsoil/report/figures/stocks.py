"""Stock of carbon and of new carbon by depth, and how much of each lies below a depth."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.integrate import cumulative_trapezoid

from subsoil.report import style
from subsoil.report.drawing import Drawing, Panel
from subsoil.report.quantities import number
from subsoil.report.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_METRE = 100.0  # kg m-2 per cm of depth -> kg m-3
SUBSOIL = 30.0  # cm
KINDS = {
    "soc_density": ("all soil organic carbon", style.GREY, "-", "o"),
    "new_soc_density": ("younger than 50 yr", style.ORANGE, "-", "s"),
}


def stocks(results: Results) -> Drawing:
    """Density by depth with two standard errors, and the cumulative share."""
    table = results["stocks"].sort_values("depth_cm")
    shares = below(table)
    panels = (
        Panel("Density", partial(_density, table=table), 4.4),
        Panel("Share above a depth", partial(_cumulative, table=table), 4.4),
    )
    deepest = number(table["depth_cm"].max())
    sentence = (
        f"Of the soil organic carbon of 0–{deepest} cm, {number(100 * shares['soc_density'])} % lies "
        "below 30 cm; "
        f"of the carbon younger than 50 yr, {number(100 * shares['new_soc_density'])} %."
    )
    note = (
        "Trapezoid rule over the mean densities drawn here; the headline table gives the estimates "
        f"with intervals. Bands: ± 2 standard errors of the mean; {_profiles(table)}."
    )
    return Drawing("stocks", "Carbon stock and new-carbon stock by depth", sentence, panels, note)


def below(table: pd.DataFrame, depth: float = SUBSOIL) -> dict[str, float]:
    """Share of the whole amount that lies deeper than `depth` (cm), for both kinds."""
    share = {kind: cumulative(table, kind) for kind in KINDS}
    return {kind: float(1 - np.interp(depth, table["depth_cm"], values)) for kind, values in share.items()}


def cumulative(table: pd.DataFrame, kind: str) -> np.ndarray:
    """Share (0 to 1) of the whole amount that lies above each depth."""
    sums = cumulative_trapezoid(table[kind].fillna(0.0), table["depth_cm"], initial=0.0)
    return np.asarray(sums / sums[-1] if len(sums) and sums[-1] else sums)


def _density(ax: "Axes", table: pd.DataFrame) -> None:
    for kind, (label, colour, dash, mark) in KINDS.items():
        mean, spread = PER_METRE * table[kind], 2 * PER_METRE * table[f"{kind}_se"].fillna(0.0)
        ax.fill_betweenx(
            table["depth_cm"], mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0
        )
        ax.plot(mean, table["depth_cm"], dash, marker=mark, markersize=4, color=colour, label=label)
    style.depth_axis(ax, float(table["depth_cm"].max()))
    ax.set_xlim(left=0)
    ax.set_xlabel("Carbon density (kg C m⁻³)")
    style.legend_below(ax, 2)


def _cumulative(ax: "Axes", table: pd.DataFrame) -> None:
    for kind, (label, colour, dash, mark) in KINDS.items():
        share = 100 * cumulative(table, kind)
        ax.plot(share, table["depth_cm"], dash, marker=mark, markersize=4, color=colour, label=label)
    ax.axhline(SUBSOIL, color=style.MUTED, linestyle="--", linewidth=1)
    style.depth_axis(ax, float(table["depth_cm"].max()))
    ax.set_xlim(0, 100)
    ax.set_xlabel("Share that lies above the depth (%)")
    style.legend_below(ax, 2)


def _profiles(table: pd.DataFrame) -> str:
    low, high = table["n"].min(), table["n"].max()
    return f"{high:g} profiles" if low == high else f"{low:g} to {high:g} profiles"
