"""From raw cells to typed columns: where the table begins, what a column is called, what a cell means."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta

import numpy as np
import pandas as pd

from subsoil.archive.package import check_extent
from subsoil.archive.schema import Reject
from subsoil.archive.workbook import Book, Sheet, letters
from subsoil.errors import UnreadableFile

MISSING = frozenset({"", "na", "n/a", "nan", "nd", "n.d.", "none", "null", "-", "–", ".", "?"})
HEADER_WITHIN_ROWS = 60
MAX_SHOWN = 200  # characters of a value; a cell may hold a megabyte
NUMBERS_OF_DATA = 3  # a row above the header with as many numbers is data out of place
LARGEST = 1e12  # no quantity of a soil comes near
_COMMA_NUMBER = re.compile(r"[+-]?\d+,(\d{1,2}|\d{4,})")  # 1,234 may be a thousand: not repaired
_PLAIN_NUMBER = re.compile(r"\s*[+-]?\d+([.,]\d+)?\s*")
_FALSE, _TRUE = ("false", "no", "0"), ("true", "yes", "1")


@dataclass(frozen=True)
class Rule:
    """What is done with a known trap: its name, how grave it is, and what a person should know."""

    name: str
    severity: str
    text: str


CELL_RULES = {
    rule.name: rule
    for rule in (
        Rule("not-a-number", "warning", "a number was expected; the cell counts as missing"),
        Rule(
            "date-instead-of-number", "warning", "a spreadsheet made a date of it; the cell counts as missing"
        ),
        Rule("spreadsheet-error", "warning", "the spreadsheet shows an error; the cell counts as missing"),
        Rule("infinite", "warning", "infinite or beyond any measurement: the cell counts as missing"),
        Rule("decimal-comma", "warning", "decimal comma in a text cell: read as a decimal point"),
        Rule("not-yes-or-no", "warning", "yes or no was expected; the cell counts as missing"),
        Rule("above-header", "error", "a row of numbers above the row of titles; it is not used"),
        Rule(
            "cells-beyond-header",
            "warning",
            "the row has more cells than the header: is a delimiter unquoted?",
        ),
        Rule("sheet-not-used", "error", "a second sheet of the same kind; only the first is used"),
        Rule("unknown-column", "note", "a column that the reader does not know: kept as it is or left out"),
        Rule("key-missing", "error", "the row names no profile; it is not used"),
        Rule("key-repeated", "error", "a second row with the same key; only the first is used"),
        Rule("key-unknown", "error", "no row of the table above has this key; the row is not used"),
        Rule("depth-missing", "error", "the layer has no top or bottom; it is not used"),
    )
}


@dataclass
class Log:
    """Collects the rejects of one sheet; rules come from the tables given, looked up by name."""

    file: str
    sheet: str
    rules: Mapping[str, Rule]
    rejects: list[Reject] = field(default_factory=list)

    def add(self, rule: str, row: int, column: str = "", value: object = "", detail: str = "") -> None:
        """Note one finding; ``detail`` follows the text of the rule."""
        known = self.rules.get(rule) or CELL_RULES[rule]
        text = known.text + (f": {detail}" if detail else "")
        shown = f"{value:.10g}" if isinstance(value, float) else str(value)
        self.rejects.append(
            Reject(
                self.file,
                self.sheet,
                int(row),
                column[:MAX_SHOWN],
                rule,
                shown[:MAX_SHOWN],
                known.severity,
                text,
            )
        )

    def add_rows(
        self, rule: str, rows: Iterable[int], where: np.ndarray, column: str, values: Iterable
    ) -> None:
        """Note one finding for every one of ``rows`` in the mask ``where``."""
        for row, value in zip(np.asarray(rows)[where], values, strict=True):
            self.add(rule, row, column, value)


@dataclass(frozen=True)
class Grid:
    """A sheet below its header: raw cells by column key, and the row each came from.

    ``titles`` maps a key to the header as the file spells it.
    """

    frame: pd.DataFrame
    rows: np.ndarray
    titles: Mapping[str, str]


def plain(title: object) -> str:
    """A header without case, and with one underscore for any run of blanks, dashes and underscores.

    >>> plain(" Ctotal_0-10 ")
    'ctotal_0_10'
    """
    return re.sub(r"[\s_\-]+", "_", str(title).strip().lower())


def is_missing(cell: object) -> bool:
    """Whether a cell is empty or holds a mark for a missing value.

    >>> is_missing(" ND "), is_missing(0.0)
    (True, False)
    """
    return cell is None or cell != cell or (isinstance(cell, str) and cell.strip().lower() in MISSING)


def is_number(cell: object) -> bool:
    """Whether a cell is plainly a number, as a number or as its text.

    >>> is_number("-25.3"), is_number("about 3"), is_number("")
    (True, False, False)
    """
    return isinstance(cell, float | int) or (isinstance(cell, str) and bool(_PLAIN_NUMBER.fullmatch(cell)))


def find_header(sheet: Sheet, titles: Iterable[str]) -> int:
    """Index of the header: the first of the rows with the most known titles; -1 where no row holds any."""
    wanted = set(titles)
    counts = [len(wanted & {plain(c) for c in row}) for row in sheet.rows[:HEADER_WITHIN_ROWS]]
    best = max(counts, default=0)
    return counts.index(best) if best else -1


def make_grid(sheet: Sheet, header: int, keys: list[str], log: Log, skip: int = 0) -> Grid:
    """The rows under a header and ``skip`` more, without empty ones and repetitions of the header.

    ``keys`` name the columns, "" leaves one out.
    """
    width = len(keys)
    check_extent(f"{log.file} {sheet.name}".strip(), len(sheet.rows), width)
    for i, row in enumerate(sheet.rows[:header], start=1):
        if sum(map(is_number, row)) >= NUMBERS_OF_DATA:
            log.add("above-header", i)
    titles_row = [plain(c) for c in sheet.rows[header]]
    body, rows = [], []
    for i, row in enumerate(sheet.rows[header + 1 + skip :], start=header + skip + 2):
        full = any(not (isinstance(c, str) and not c.strip()) and c is not None for c in row)
        if full and not _repeats(row, titles_row):
            beyond = next((j for j, c in enumerate(row) if j >= width and not is_missing(c)), None)
            if beyond is not None:
                log.add("cells-beyond-header", i, letters(beyond), row[beyond])
            body.append(row[:width] + [""] * (width - len(row)))
            rows.append(i)
    frame = pd.DataFrame(body, columns=range(width), dtype=object)
    kept = [j for j, key in enumerate(keys) if key]
    titles = {keys[j]: str(sheet.rows[header][j]).strip() for j in kept}
    frame = frame[kept].set_axis([keys[j] for j in kept], axis=1)
    return Grid(frame, np.array(rows, dtype=int), titles)


def _repeats(row: list, titles: list[str]) -> bool:
    """Whether a row says the header again: most of its cells are words of their own column's title."""
    said = [
        (plain(c), titles[j]) for j, c in enumerate(row[: len(titles)]) if isinstance(c, str) and c.strip()
    ]
    return len(said) > 1 and 2 * sum(a == b for a, b in said) > len(row)


def repeated_sheet(file: str, sheet: Sheet) -> Reject:
    """The reject for a second sheet of one kind."""
    log = Log(file, sheet.name, CELL_RULES)
    log.add("sheet-not-used", 1, "", sheet.name)
    return log.rejects[0]


def need(file: str, sheet: str, found: Iterable[str], required: Mapping[str, str], expected: str) -> None:
    """Stop where a column without which nothing can be read is absent.

    ``required`` maps key to title.

    Raises
    ------
    UnreadableFile
        With the titles that were not found and what file was expected.
    """
    lacking = [title for key, title in required.items() if key not in set(found)]
    if lacking:
        where = f"{file}, sheet {sheet}" if sheet else file
        raise UnreadableFile(
            f"{where} lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}; expected {expected}. "
            f"Restore the header row as the source has it."
        )


def sheet_like(book: Book, title: str) -> Sheet | None:
    """The sheet of a name, whatever its case and blanks."""
    return next((s for name, s in book.sheets.items() if plain(name) == plain(title)), None)


def numbers(grid: Grid, key: str, log: Log, infinite: bool = False) -> np.ndarray:
    """A column as floats; what is neither number nor missing mark is logged and missing.

    With ``infinite`` an infinite bound means open and is kept.
    """
    if key not in grid.frame:
        return np.full(len(grid.rows), np.nan)
    cells = grid.frame[key].tolist()
    out = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(float, copy=True)
    odd = np.isnan(out) | np.array([isinstance(c, bool) for c in cells], dtype=bool)
    for i in np.flatnonzero(odd):
        if cells[i] != "" and not is_missing(cells[i]):
            out[i], rule = _number(cells[i])
            if rule:
                log.add(rule, grid.rows[i], grid.titles[key], cells[i])
    endless = np.abs(out) > LARGEST
    if infinite or not endless.any():
        return out
    log.add_rows("infinite", grid.rows, endless, grid.titles[key], out[endless])
    return np.where(endless, np.nan, out)


def _number(cell: object) -> tuple[float, str]:
    """The number in a cell that is not plainly one, and the rule it breaks, "" for none."""
    text = str(cell).strip().replace("\u2212", "-").replace("\u00a0", "")
    if isinstance(cell, date | time | timedelta):
        return np.nan, "date-instead-of-number"
    if text.startswith("#"):
        return np.nan, "spreadsheet-error"
    if _COMMA_NUMBER.fullmatch(text):
        return float(text.replace(",", ".")), "decimal-comma"
    try:
        return (np.nan, "not-a-number") if isinstance(cell, bool) or "_" in text else (float(text), "")
    except ValueError:
        return np.nan, "not-a-number"


def words(grid: Grid, key: str) -> pd.Series:
    """A column as stripped text; missing marks are missing."""
    if key not in grid.frame:
        return pd.Series([None] * len(grid.rows), dtype="str")
    return pd.Series([None if is_missing(c) else _word(c) for c in grid.frame[key]], dtype="str")


def _word(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # a spreadsheet holds the name 7 as the number 7.0
    return str(cell).strip()


def truths(grid: Grid, key: str, log: Log) -> pd.Series:
    """A column as yes or no; anything else is logged and missing."""
    out: list[bool | None] = []
    for i, word in enumerate(words(grid, key)):
        lower = "" if word != word or word is None else str(word).lower()
        if lower and lower not in _TRUE + _FALSE:
            log.add("not-yes-or-no", grid.rows[i], grid.titles[key], word)
        out.append(True if lower in _TRUE else False if lower in _FALSE else None)
    return pd.Series(out, dtype="boolean")
