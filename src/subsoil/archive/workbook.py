"""Opening a table file of unknown make: every sheet as raw cells, at the row and column a person sees.

A file from elsewhere may be truncated, enormous or hostile. The content decides what it is, never the
name; XLSX packages are checked part by part before any parser sees them (``package``), text files are
decoded and split (``delimited``). Nothing is interpreted here: numbers, missing marks and headers are
the matter of the readers.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subsoil.archive.delimited import read_delimited
from subsoil.archive.package import MAX_UNPACKED_BYTES, read_package
from subsoil.archive.schema import Reject
from subsoil.errors import UnreadableFile

Cell = Any  # "" (empty), str, float, int, bool, or a date or time

MAX_FILE_BYTES = 200 * 2**20
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

# A cell of text that a spreadsheet would run: =..., @..., or a sign followed by a call or a pipe.
ARMED = re.compile(r"\s*([=@]|[+\-]\s*[A-Za-z][^\s|(!]*[|(!])")


@dataclass(frozen=True)
class Sheet:
    """Cells of one sheet: ``rows[i][j]`` is row ``i + 1``, column ``j + 1`` of the spreadsheet."""

    name: str
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Book:
    """A file's sheets by name (a text file has one, named ""), and what was noticed on opening it."""

    file: str
    sheets: dict[str, Sheet]
    rejects: tuple[Reject, ...] = ()


def open_book(path: str | Path) -> Book:
    """Open an XLSX, CSV or TSV file, plain or gzipped; the content decides which, never the name.

    Raises
    ------
    UnreadableFile
        The file is absent, empty, truncated, too large, encrypted, hostile or of another format.
    """
    path = Path(path)
    content = _content(path)
    if content.startswith(OLE):
        raise UnreadableFile(f"{path.name} is an old .xls or has a password: save it as .xlsx without one")
    if content.startswith(ZIP):
        tables, rejects = read_package(path.name, content)
    else:
        rows, rejects = read_delimited(path.name, content, MAX_UNPACKED_BYTES)
        tables = {"": rows}
    sheets = {}
    for name, rows in tables.items():
        sheets[name] = Sheet(name, rows)
        rejects = rejects + _disarm(path.name, sheets[name])
    return Book(path.name, sheets, tuple(rejects))


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise UnreadableFile(f"{path}: no such file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UnreadableFile(
                f"{path.name} has {size >> 20} MB; at most {MAX_FILE_BYTES >> 20} MB are read"
            )
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error.strerror}") from error
    if not content:
        raise UnreadableFile(f"{path.name} is empty")
    return content


def _disarm(file: str, sheet: Sheet) -> list[Reject]:
    """Empty every cell of text that a spreadsheet would run as a formula; one reject each."""
    rejects = []
    for i, row in enumerate(sheet.rows):
        for j, cell in enumerate(row):
            if isinstance(cell, str) and cell[:4].strip()[:1] in ("=", "@", "+", "-") and ARMED.match(cell):
                row[j] = ""
                message = "text that a spreadsheet would run as a formula; the cell counts as empty"
                rejects.append(
                    Reject(
                        file, sheet.name, i + 1, letters(j), "formula-text", f"'{cell}", "warning", message
                    )
                )
    return rejects


def letters(column: int) -> str:
    """The name a spreadsheet gives a column, counted from 0.

    >>> letters(0), letters(27)
    ('A', 'AB')
    """
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
