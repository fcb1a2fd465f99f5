"""Where the profiles are."""

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from subsoil.reporting import style
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.figures.land import outlines
from subsoil.reporting.quantities import joined, number
from subsoil.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LAND_USES = {"crop": (style.ORANGE, "s"), "grassland": (style.BLUE, "o"), "forest": (style.GREEN, "^")}
TROPICS = 23.44  # degrees


def sites(results: Results) -> Drawing:
    """One mark for each place and land use; larger marks hold more profiles."""
    layers = results["fractions"].dropna(subset=["latitude", "longitude"])
    profiles = layers.drop_duplicates("profile_id")
    places = (
        profiles.groupby(["site_id", "latitude", "longitude", "land_use"]).size().reset_index(name="profiles")
    )
    uses = profiles["land_use"].value_counts()
    tropical = 100 * (profiles["latitude"].abs() < TROPICS).mean()
    counted = joined([f"{n} {use or 'of unknown land use'}" for use, n in uses.items()])
    sentence = (
        f"{len(profiles)} profiles at {profiles['site_id'].nunique()} places, {number(tropical)} % of them "
        f"between the tropics: {counted}."
    )
    note = (
        "Plate carrée. The land is a hand-drawn outline for orientation only, several degrees coarse; "
        "the coordinates are those of the sources, many of them rounded. "
        "Larger marks hold more profiles. Dashed: the tropics."
    )
    panel = Panel("Land use and number of profiles", partial(_map, places=places), 2.7, 5.2)
    return Drawing("sites", "Where the profiles are", sentence, (panel,), note)


def _map(ax: "Axes", places: pd.DataFrame) -> None:
    for land in outlines():
        ax.fill(
            land["longitude"], land["latitude"],
            facecolor=style.LAND, edgecolor=style.GREY, linewidth=0.5, zorder=0,
        )  # fmt: skip
    for latitude in (-TROPICS, TROPICS):
        ax.axhline(latitude, color=style.MUTED, linestyle="--", linewidth=0.7, zorder=1)
    for use, rows in places.groupby("land_use"):
        colour, mark = LAND_USES.get(str(use), (style.PINK, "D"))
        ax.scatter(
            rows["longitude"], rows["latitude"], s=14 + 12 * rows["profiles"], marker=mark, color=colour,
            alpha=0.8, edgecolor=style.PAPER, linewidth=0.5, label=str(use) or "unknown", zorder=3,
        )  # fmt: skip
    ax.set_aspect("equal")
    ax.set_xlim(-180, 180)
    ax.set_ylim(-56, 76)
    ax.set_xticks(range(-150, 151, 50), [_degrees(x, "W", "E") for x in range(-150, 151, 50)])
    ax.set_yticks(range(-50, 76, 25), [_degrees(y, "S", "N") for y in range(-50, 76, 25)])
    style.legend_below(ax, 3, distance=0.3)


def _degrees(value: int, negative: str, positive: str) -> str:
    """
    >>> _degrees(-50, "S", "N"), _degrees(0, "S", "N")
    ('50° S', '0°')
    """
    side = negative if value < 0 else positive if value > 0 else ""
    return f"{abs(value)}° {side}".strip()
