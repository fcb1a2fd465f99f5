"""Words and names of the tables: what a source writes, as ISRaD and our additive columns say it."""

import pandas as pd

from subsoil.variables import variable

LAND_COVER = {"crop": "cultivated", "grassland": "rangeland/grassland", "forest": "forest"}
PLANTS = {"C3": "C3", "C4": "C4", "C3C4": "mixed", "C4C3": "mixed"}
QUALITY = {0: "C", 1: "B", 2: "A"}


def in_vocabulary(values: pd.Series, name: str) -> pd.Series:
    """Values in the spelling of a variable's vocabulary, whatever their case; missing where there is none.

    >>> in_vocabulary(pd.Series([" CROP", "lawn"]), "pro_land_use").tolist()
    ['crop', nan]
    """
    known = {word.lower(): word for word in variable(name).vocab}
    return values.astype("str").str.strip().str.lower().map(known).astype("str")


def land_cover(land_use: pd.Series) -> pd.Series:
    """ISRaD's word for a land use.

    >>> land_cover(pd.Series(["crop"])).tolist()
    ['cultivated']
    """
    return land_use.map(LAND_COVER).astype("str")


def photosynthesis(label_type: pd.Series, reference: bool = False) -> pd.Series:
    """Pathway of the plants of a profile, or of its reference, from a label such as C4vsC3.

    >>> photosynthesis(pd.Series(["C4vsC3", "FACE"]), reference=True).tolist()
    ['C3', nan]
    """
    side = -1 if reference else 0
    return pd.Series(
        [PLANTS.get(str(t).split("vs")[side]) for t in label_type], label_type.index, dtype="str"
    )


def pair_quality(previous: pd.Series, reps: pd.Series, ref_reps: pd.Series) -> pd.Series:
    """A: the reference is the previous land use and both sides are replicated; B: one of the two; C: neither.

    >>> pair_quality(pd.Series([True], dtype="boolean"), pd.Series([3.0]), pd.Series([1.0])).tolist()
    ['B']
    """
    replicated = (reps >= 2) & (ref_reps >= 2)
    return (replicated.astype(int) + previous.fillna(False).astype(int)).map(QUALITY).astype("str")


def site_names(latitude: pd.Series, longitude: pd.Series, otherwise: pd.Series) -> pd.Series:
    """Sites named by their coordinates, "lat,lon"; by ``otherwise`` where they are unknown.

    >>> site_names(pd.Series([-27.98333]), pd.Series([148.55]), pd.Series(["N001"])).tolist()
    ['-27.9833,148.5500']
    """
    names = [f"{a:.4f},{b:.4f}" for a, b in zip(latitude, longitude, strict=True)]
    known = latitude.notna() & longitude.notna()
    return pd.Series(names, index=latitude.index, dtype="str").where(known, otherwise)
