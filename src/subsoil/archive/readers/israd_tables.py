"""ISRaD's linked tables and ours: the same names, so that sheets go there and back without a loss.

Our additive columns follow ISRaD's in each table and are ignored by its own tools. Yes and no are
words there, blank is missing.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from subsoil.archive.readers.cells import plain
from subsoil.archive.schema import KEYS, TABLES, Archive, typed
from subsoil.errors import BadCall
from subsoil.variables import columns

ADDITIVE = "Additive."
OTHER_TABLES = {
    "flux": ("entry_name", "site_name", "pro_name", "flx_name"),
    "interstitial": ("entry_name", "site_name", "pro_name", "ist_name"),
    "incubation": ("entry_name", "site_name", "pro_name", "lyr_name", "frc_name", "inc_name"),
}
# The column by which a table is known, in the order of asking: the lower tables repeat the keys above.
TELLING = {
    "incubation": "inc_name",
    "interstitial": "ist_name",
    "flux": "flx_name",
    "fraction": "frc_name",
    "layer": "lyr_top",
    "profile": "pro_treatment",
    "site": "site_lat",
    "metadata": "bibliographical_reference",
}
YES_NO = {True: "yes", False: "no"}


def table_of(titles: Iterable[object]) -> str:
    """Which of ISRaD's tables has this header, "" if none.

    >>> table_of(["entry_name", "site_name", "site_lat", "site_long"])
    'site'
    """
    known = {plain(t) for t in titles}
    if "entry_name" not in known:
        return ""
    return next((table for table, title in TELLING.items() if title in known), "")


def to_israd(archive: Archive) -> dict[str, pd.DataFrame]:
    """The archive as ISRaD's eight tables: ISRaD's columns first, ours after them, the rest as it was.

    `from_israd` gives the archive back unchanged, but for its rejects and source.
    """
    tables = {name: _worded(name, archive.table(name)) for name in TABLES}
    others = {
        name: pd.DataFrame({k: pd.Series(dtype="str") for k in keys}) for name, keys in OTHER_TABLES.items()
    }
    return {**tables, **others}


def _worded(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    flags = [v.name for v in columns(name) if v.kind == "flag" and v.name in frame]
    out = frame.assign(**{flag: frame[flag].map(YES_NO).astype("str") for flag in flags})
    ours = {v.name for v in columns(name) if v.meaning.startswith(ADDITIVE)}
    return out[sorted(out.columns, key=lambda c: c in ours)]


def from_israd(frames: Mapping[str, pd.DataFrame], source: str = "israd", simulated: bool = False) -> Archive:
    """An archive from ISRaD's tables by name; flux, interstitial and incubation are not held.

    Raises
    ------
    BadCall
        A table or one of its keys is absent, or a value is not of its column's type.
    """
    for name in TABLES[:-1]:
        if name not in frames:
            raise BadCall(f"no table {name}; expected {', '.join(TABLES)}")
    tables = {name: _typed(name, frames[name]) for name in TABLES if name in frames}
    return Archive(**tables, source=source, simulated=simulated)


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    absent = [key for key in KEYS[name] if key not in frame]
    if absent:
        raise BadCall(f"table {name} lacks {', '.join(absent)}; keys repeat down ISRaD's hierarchy")
    truths = {word: value for value, word in YES_NO.items()}
    flags = [v.name for v in columns(name) if v.kind == "flag" and v.name in frame]
    back = {flag: frame[flag].map(lambda w: truths.get(w, w)).astype("boolean") for flag in flags}
    return typed(name, frame.assign(**back))
