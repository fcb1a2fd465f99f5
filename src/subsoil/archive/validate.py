"""Validation: every row of an archive is kept, repaired with a flag, or put into the rejects.

The rules are in `rules`, the limits of single quantities in ``variables.toml``. Nothing is converted
or guessed: a value in a wrong unit is named and left out, a depth is repaired only where its
neighbours give it.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from subsoil.archive import depths, links, values
from subsoil.archive.findings import Finding, apply, rejects
from subsoil.archive.rules import RULES
from subsoil.archive.schema import SEVERITIES, TABLES, Archive, Reject

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["CHECKS", "RULES", "lines", "render", "summarise", "validate"]

Check = Callable[[Archive], Iterable[Finding]]

# The order matters: a value that is not used must not mislead the checks after it.
CHECKS: tuple[Check, ...] = (
    values.required,
    values.vocabulary,
    values.infinite,
    values.errors,
    values.computed,
    values.bounds,
    links.duplicates,
    *(partial(links.parents, name) for name in TABLES[1:]),
    *depths.CHECKS,
    values.units,
    values.isotopes,
    links.places,
    links.pairs,
    partial(links.parents, "fraction"),
)

SHEETS = {
    "balesdent2018": {"profile": "Profiles", "layer": "Layers"},
    "template": {"profile": "profiles", "layer": "layers"},
}
TEXT_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")  # files without sheets


def validate(
    archive: Archive, *, file: str = "", fill: bool = False, checks: Iterable[Check] = CHECKS
) -> Archive:
    """The archive after every check, with what they found in its ``rejects``.

    Parameters
    ----------
    archive
        As a reader gives it. Validating it again changes no table.
    file
        Name of the file for the rejects; without it the key of the data set.
    fill
        Whether gaps between layers get placeholders, flagged ``filled``.
    checks
        What is checked, in this order.

    Examples
    --------
    >>> from subsoil.archive.schema import empty
    >>> len(validate(empty()).rejects)
    0
    """
    name = file or archive.source
    sheets = dict.fromkeys(TABLES, "") if name.endswith(TEXT_TABLES) else SHEETS.get(archive.source, {})
    tables: dict[str, Any] = {table: archive.table(table).reset_index(drop=True) for table in TABLES}
    checked = replace(archive, **tables)
    noted: list[Reject] = []
    for check in checks:
        found = list(check(checked))
        for each in found:
            noted += rejects(checked, each, name, sheets.get(each.table, each.table))
        checked = apply(checked, found)
    checked = checked.with_rejects(noted) if noted else checked
    return depths.fill(checked) if fill else checked


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """How often each rule was met: columns severity, rule, rows, first_row; the gravest first.

    >>> from subsoil.archive.schema import Reject, rejects_frame
    >>> rows = [Reject("a.csv", "", n, "lyr_top", "gap", "", "note", "...") for n in (9, 7)]
    >>> summarise(rejects_frame(rows)).to_dict("records")
    [{'severity': 'note', 'rule': 'gap', 'rows': 2, 'first_row': 7}]
    """
    grouped = table.groupby(["severity", "rule"], as_index=False).agg(
        rows=("row", "size"), first_row=("row", "min")
    )
    order = grouped.assign(rank=grouped["severity"].map(SEVERITIES.index))
    order = order.sort_values(["rank", "rows", "rule"], ascending=[True, False, True])
    return order.drop(columns="rank").reset_index(drop=True)


def lines(table: pd.DataFrame) -> list[str]:
    """One line for every reject that a person can act on: place, value, rule, what to do.

    >>> from subsoil.archive.schema import Reject, rejects_frame
    >>> lines(rejects_frame([Reject("a.xlsx", "layer", 7, "lyr_top", "gap", "30", "note", "nothing above")]))
    ["note a.xlsx:layer:7 lyr_top '30' gap -> nothing above"]
    """
    return [
        f"{each.severity} {_place(each)} {each.column} {each.value!r} {each.rule} -> {each.message}"
        for each in _listed(table)
    ]


def render(table: pd.DataFrame, *, at_most: int = 5) -> "Table":
    """The rejects as a table for the terminal: the gravest first, `at_most` lines of each rule."""
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title="Rows that need a look" if len(table) else "Every row is fine")
    for title in ("where", "column", "value", "rule", "what to do"):
        drawn.add_column(title, overflow="fold")
    for severity, rule, rows, _ in summarise(table).itertuples(index=False, name=None):
        found = table[(table["rule"] == rule) & (table["severity"] == severity)].sort_values("row")
        for each in _listed(found.head(at_most)):
            cells = (_place(each), each.column, each.value, f"{severity}: {rule}", each.message)
            drawn.add_row(*map(escape, cells), style=_STYLES[each.severity])
        if rows > at_most:
            drawn.add_row("", "", "", f"{severity}: {rule}", f"... {rows - at_most} more")
    return drawn


def _listed(table: pd.DataFrame) -> list[Reject]:
    return [Reject(*each) for each in table.itertuples(index=False, name=None)]


def _place(each: Reject) -> str:
    return ":".join(part for part in (each.file, each.sheet, str(each.row or "")) if part)


_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
