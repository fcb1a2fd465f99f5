"""Rules that pick profiles: which ones stand for the tropics, or for the world.

Which 55 profiles the paper used for its age curves is not known to us; ``TROPICAL`` is inferred.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool

from subsoil.errors import BadCall


def needed(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of a table that cannot do without it; ``BadCall`` names what is there."""
    if name not in table.columns:
        raise BadCall(f"column {name!r} is missing; the table has {', '.join(map(str, table.columns))}")
    return table[name]


@dataclass(frozen=True)
class Subset:
    """A rule that picks profiles; limits are included unless their name says below.

    ``min_mat`` degC, ``min_map`` mm yr-1, ``min_p_pet`` P/PET, ``below_abs_latitude`` degrees; ``land_uses``
    those kept; ``entries`` an explicit list; ``soil_until`` entries and the depth (cm) below which they have
    no soil. A profile whose value is missing does not pass the limit on it.

    >>> TROPICAL.min_mat, TROPICAL.land_uses
    (18.0, ('grassland', 'forest'))
    """

    name: str
    min_mat: float | None = None
    min_map: float | None = None
    min_p_pet: float | None = None
    below_abs_latitude: float | None = None
    land_uses: tuple[str, ...] | None = None
    entries: tuple[str, ...] | None = None
    soil_until: tuple[tuple[str, float], ...] = ()
    note: str = ""

    def mask(self, table: pd.DataFrame) -> Bool[np.ndarray, "row"]:
        """Rows of a table with one row a profile, or one a profile and depth, that the rule keeps."""
        keep = np.ones(len(table), dtype=bool)
        for column, limit in (("mat", self.min_mat), ("map", self.min_map), ("p_pet", self.min_p_pet)):
            if limit is not None:
                keep &= (needed(table, column) >= limit).to_numpy(bool)
        if self.below_abs_latitude is not None:
            keep &= (needed(table, "latitude").abs() < self.below_abs_latitude).to_numpy(bool)
        if self.land_uses is not None:
            keep &= needed(table, "land_use").isin(self.land_uses).to_numpy(bool)
        if self.entries is not None:
            keep &= needed(table, "entry_name").isin(self.entries).to_numpy(bool)
        return keep


NOT_CROP = ("grassland", "forest")
NO_SOIL_BELOW = (("N067", 60.0), ("N068", 60.0))
"""Entries of the 2018 workbook whose soil ends there, though values go on below."""
TROPICAL = Subset(
    "MAT ≥ 18 °C, |lat| < 28°, not crop",
    min_mat=18.0,
    below_abs_latitude=28.0,
    land_uses=NOT_CROP,
    note="inferred: comes close to the printed curves with 55 profiles; not the rule of the paper",
)
WORLD = Subset("all profiles")
CANDIDATES = (
    TROPICAL,
    Subset("|lat| < 28°, not crop", below_abs_latitude=28.0, land_uses=NOT_CROP),
    Subset("|lat| < 23.5°, not crop", below_abs_latitude=23.5, land_uses=NOT_CROP),
    Subset("MAT ≥ 18 °C, not crop", min_mat=18.0, land_uses=NOT_CROP),
    Subset("MAT ≥ 20 °C, not crop", min_mat=20.0, land_uses=NOT_CROP),
    Subset(
        "MAT ≥ 17.1 °C, MAP ≥ 1000 mm, P/PET ≥ 0.8, not crop",
        min_mat=17.1,
        min_map=1000.0,
        min_p_pet=0.8,
        land_uses=NOT_CROP,
    ),
    Subset("not crop", land_uses=NOT_CROP),
    Subset(
        "default, soil of N067 and N068 ends at 60 cm",
        min_mat=18.0,
        below_abs_latitude=28.0,
        land_uses=NOT_CROP,
        soil_until=NO_SOIL_BELOW,
    ),
    WORLD,
)
"""Rules to compare on the printed curves; near matches by chance are likely among many."""
