"""The archive: linked tables with ISRaD's names, and the rows that were not taken as they stood.

Keys repeat down the hierarchy: entry_name > site_name > pro_name > lyr_name > frc_name.
Which column belongs to which table, with unit and type, says ``variables.toml``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

import pandas as pd

from subsoil.errors import BadCall
from subsoil.variables import columns

TABLES = ("metadata", "site", "profile", "layer", "fraction")
KEYS = {
    "metadata": ("entry_name",),
    "site": ("entry_name", "site_name"),
    "profile": ("entry_name", "site_name", "pro_name"),
    "layer": ("entry_name", "site_name", "pro_name", "lyr_name"),
    "fraction": ("entry_name", "site_name", "pro_name", "lyr_name", "frc_name"),
}
REJECT_COLUMNS = ("file", "sheet", "row", "column", "rule", "value", "severity", "message")
SEVERITIES = ("error", "warning", "note")
FLAG_SEPARATOR = "; "


@dataclass(frozen=True)
class Reject:
    """One row of the rejects: where, which rule, what was found, what was done.

    ``row`` counts from 1 as a person sees it in the sheet, 0 for the file as a whole.
    error: the row is not used. warning: used, repaired and flagged. note: a fact to know.
    """

    file: str
    sheet: str
    row: int
    column: str
    rule: str
    value: str
    severity: str
    message: str

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise BadCall(f"severity {self.severity!r}: expected one of {', '.join(SEVERITIES)}")


def rejects_frame(rejects: Iterable[Reject] = ()) -> pd.DataFrame:
    """The rejects as a table with ``REJECT_COLUMNS``.

    >>> rejects_frame([Reject("a.csv", "", 7, "lyr_top", "not-a-number", "x", "error", "...")]).row[0]
    np.int64(7)
    """
    frame = pd.DataFrame([asdict(r) for r in rejects], columns=list(REJECT_COLUMNS))
    text = {name: "str" for name in REJECT_COLUMNS if name != "row"}
    return frame.astype({**text, "row": "int64"})


def _empty_table(name: str) -> pd.DataFrame:
    return pd.DataFrame({v.name: pd.Series(dtype=v.dtype) for v in columns(name)})


@dataclass(frozen=True)
class Archive:
    """Observations of one or more sources.

    ``source`` is the key of the data set; ``simulated`` is true where a model made the numbers.
    """

    metadata: pd.DataFrame = field(default_factory=lambda: _empty_table("metadata"))
    site: pd.DataFrame = field(default_factory=lambda: _empty_table("site"))
    profile: pd.DataFrame = field(default_factory=lambda: _empty_table("profile"))
    layer: pd.DataFrame = field(default_factory=lambda: _empty_table("layer"))
    fraction: pd.DataFrame = field(default_factory=lambda: _empty_table("fraction"))
    rejects: pd.DataFrame = field(default_factory=rejects_frame)
    source: str = ""
    simulated: bool = False

    def table(self, name: str) -> pd.DataFrame:
        """One of ``TABLES`` by name."""
        if name not in TABLES:
            raise BadCall(f"unknown table {name!r}: expected one of {', '.join(TABLES)}")
        return getattr(self, name)

    def with_rejects(self, rejects: Iterable[Reject]) -> "Archive":
        """The same archive with further rejects appended."""
        more = rejects_frame(rejects)
        return replace(self, rejects=pd.concat([self.rejects, more], ignore_index=True))


def empty(source: str = "", simulated: bool = False) -> Archive:
    """An archive without rows but with every column and its type.

    >>> len(empty().layer), empty().layer["lyr_top"].dtype
    (0, dtype('float64'))
    """
    return Archive(source=source, simulated=simulated)


def typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table with all columns of the schema, in its order and types; unknown columns follow untouched.

    The values must be of their type already: what a file holds in a cell is the readers' matter.
    A layer without a flag has the empty text, never a missing one.

    Raises
    ------
    BadCall
        A value is not of its column's type.

    >>> typed("site", pd.DataFrame({"entry_name": ["a"], "site_lat": [1]}))["site_lat"].dtype
    dtype('float64')
    """
    known = columns(name)
    extra = [c for c in frame.columns if c not in {v.name for v in known}]
    out = frame.reindex(columns=[v.name for v in known] + extra).reset_index(drop=True)
    try:
        out = out.astype({v.name: v.dtype for v in known})
    except (TypeError, ValueError) as error:
        raise BadCall(f"table {name}: {error}; pass numbers as numbers and words as text") from error
    return out.assign(flags=out["flags"].fillna("")) if "flags" in out else out


def concat(archives: Sequence[Archive], source: str | None = None) -> Archive:
    """Archives one under the other; simulated if any part is.

    >>> concat([empty("a"), empty("b")]).source
    'a+b'
    """
    if not archives:
        return empty(source or "")
    tables = {
        name: typed(name, pd.concat([a.table(name) for a in archives], ignore_index=True)) for name in TABLES
    }
    rejects = pd.concat([a.rejects for a in archives], ignore_index=True)
    joined = "+".join(dict.fromkeys(a.source for a in archives)) if source is None else source
    return Archive(**tables, rejects=rejects, source=joined, simulated=any(a.simulated for a in archives))


def add_flag(flags: pd.Series, rows: pd.Series, rule: str) -> pd.Series:
    """The flags of a layer table with one more rule named on the rows of a mask.

    >>> add_flag(pd.Series(["", "a"], dtype="str"), pd.Series([True, True]), "b").tolist()
    ['b', 'a; b']
    """
    old = flags.fillna("")
    joined = old.where(old == "", old + FLAG_SEPARATOR) + rule
    return old.where(~rows, joined)
