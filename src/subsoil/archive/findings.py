"""What a check finds: rows of a table that meet one rule, and what becomes of them.

A rule of severity "error" takes the row out of the archive. Under a "warning" the row stays and
carries the rule's name in its flags; a value that cannot be right is emptied, a value that follows
from its neighbours is replaced and the row flagged ``repaired``. A "note" changes nothing. Nothing
disappears without a line in the rejects.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from subsoil.archive.readers.cells import Rule
from subsoil.archive.schema import FLAG_SEPARATOR, KEYS, Archive, Reject, add_flag

REPAIRED = "repaired"
MAX_SHOWN = 60  # characters of a value; a cell may hold a megabyte


@dataclass(frozen=True)
class Finding:
    """Rows of `table` that meet `rule` in `column`.

    ``detail`` says what is wrong, one text for all rows or one for each. ``becomes`` holds the values
    that take the place of those found, missing where they are emptied; without it they stay.
    """

    rule: Rule
    table: str
    column: str
    rows: pd.Index
    detail: str | pd.Series = ""
    becomes: pd.Series | None = None


def finding(
    rule: Rule,
    table: str,
    column: str,
    mask: pd.Series,
    detail: str | pd.Series = "",
    becomes: pd.Series | float | None = None,
) -> list[Finding]:
    """One finding for the rows of a mask, none where it is empty; ``nan`` as `becomes` empties the values."""
    met = mask.fillna(False).to_numpy(bool)
    if not met.any():
        return []
    rows = mask.index[met]
    if isinstance(becomes, float):
        becomes = pd.Series(becomes, index=rows)
    return [Finding(rule, table, column, rows, detail, None if becomes is None else becomes.loc[rows])]


def apply(archive: Archive, findings: list[Finding]) -> Archive:
    """The archive with every finding carried out; `rejects` says what that was."""
    tables: dict[str, Any] = {}
    for name in dict.fromkeys(each.table for each in findings):
        tables[name] = _changed(archive.table(name), [f for f in findings if f.table == name])
    return replace(archive, **tables) if tables else archive


def _changed(frame: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    frame, lost = frame.copy(), pd.Index([])
    for each in findings:
        if each.rule.severity == "error":
            lost = lost.union(each.rows)
        if each.becomes is not None:
            frame.loc[each.rows, each.column] = each.becomes
        if each.rule.severity == "warning" and "flags" in frame:
            frame.loc[each.rows, "flags"] = _flagged(frame.loc[each.rows, "flags"], each)
    return frame.drop(index=lost).reset_index(drop=True) if len(lost) else frame


def _flagged(flags: pd.Series, each: Finding) -> pd.Series:
    """Flags with the rule's name, and ``repaired`` where a value was replaced, each at most once."""
    replaced = each.becomes is not None and bool(each.becomes.notna().any())
    for name in (each.rule.name, *([REPAIRED] if replaced else [])):
        flags = add_flag(flags, pd.Series(~has_flag(flags, name), index=flags.index), name)
    return flags


def has_flag(flags: pd.Series, name: str) -> np.ndarray:
    """Which rows carry a flag.

    >>> has_flag(pd.Series(["overlap; repaired", "repaired-not", None], dtype="str"), "repaired").tolist()
    [True, False, False]
    """
    padded = FLAG_SEPARATOR + flags.fillna("") + FLAG_SEPARATOR
    return padded.str.contains(f"{FLAG_SEPARATOR}{name}{FLAG_SEPARATOR}", regex=False).to_numpy(bool)


def rejects(archive: Archive, each: Finding, file: str, sheet: str) -> list[Reject]:
    """One line of the rejects for every row of a finding; `archive` is the one in which it was found."""
    found = archive.table(each.table).loc[each.rows]
    details = each.detail.loc[each.rows] if isinstance(each.detail, pd.Series) else [each.detail] * len(found)
    values = shown(found[each.column]) if each.column in found else [""] * len(found)
    numbers = found["src_row"].fillna(0).astype(int) if "src_row" in found else [0] * len(found)
    lines = zip(numbers, values, _names(found, each.table), details, strict=True)
    return [
        Reject(file, sheet, row, each.column, each.rule.name, value, each.rule.severity, text)
        for row, value, name, detail in lines
        for text in [" ".join(part for part in (f"{name}:", detail, each.rule.text) if part)]
    ]


def _names(found: pd.DataFrame, table: str) -> list[str]:
    """The rows by their keys, for people who sort their sheet."""
    keys = [key for key in KEYS[table] if key != "site_name" or table == "site"]
    parts = [found[key].fillna("(no name)").astype("str") for key in keys]
    return ["/".join(names)[: 2 * MAX_SHOWN] for names in zip(*parts, strict=True)]


def shown(values: pd.Series) -> pd.Series:
    """Values as the rejects show them: numbers with the digits that were typed, long text cut.

    >>> shown(pd.Series([0.1, float("nan")])).tolist()
    ['0.1', '']
    """
    if pd.api.types.is_float_dtype(values):
        return values.map(lambda v: "" if np.isnan(v) else f"{v:.10g}").astype("str")
    return values.astype("str").fillna("").str.slice(0, MAX_SHOWN)
