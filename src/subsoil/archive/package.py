"""XLSX packages from anywhere: checked part by part, then parsed from a copy of the checked parts.

Refused: archives that unpack to far more than they hold, parts whose name leads out of the archive,
XML with a document type or entities, sheets with a cell so far out that the table would fill memory.
Reported: cells with a formula, whose stored result is what gets read.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineWorkbook

from subsoil.archive.schema import Reject
from subsoil.errors import UnreadableFile

MAX_UNPACKED_BYTES = 300 * 2**20
MAX_PARTS = 2_000
MAX_RATIO = 200  # spreadsheets pack 5 to 30 times, nearly empty ones up to 100
RATIO_FROM_BYTES = 2**20  # below this a part harms nobody, whatever its ratio
MAX_ROWS = 500_000
MAX_COLUMNS = 2_000
MAX_CELLS = 6_000_000

# No pattern reads past the next tag or cell: a hostile sheet of a hundred thousand open tags takes no longer.
# Every search is linear in the size of the part: a hostile sheet must not buy time with backtracking.
_CELL = re.compile(rb"<(?:\w{1,20}:)?c(?=\s)")
_REFERENCE = re.compile(rb"""[^<>]*?\br\s{0,9}=\s{0,9}["']([A-Za-z]{1,20})(\d{1,20})["']""")
_FORMULA = re.compile(rb"<(?:\w{1,20}:)?f[\s/>]")
_STORED = re.compile(rb"<(?:\w+:)?v>[^<]")
_ADVICE = "open it in a spreadsheet program and save it again as .xlsx"


def read_package(file: str, content: bytes) -> tuple[dict[str, list[list[Any]]], list[Reject]]:
    """The cells of every sheet by name, and the formulas that were met.

    Raises
    ------
    UnreadableFile
        The package is damaged, encrypted, hostile, too large or not an XLSX.
    """
    parts = _checked_parts(file, content)
    rejects: list[Reject] = []
    names = []
    for name, part in _sheet_parts(file, parts):
        check_extent(f"{file}, sheet {name}", *_extent(parts[part]))
        rejects += _formulas(file, name, parts[part])
        names.append(name)
    if not names:
        raise UnreadableFile(f"{file} holds no worksheet: {_ADVICE}")
    return _cells(file, parts, names), rejects


def check_extent(where: str, rows: int, width: int) -> None:
    """Refuse a table with more rows, columns or cells than any soil archive holds.

    >>> check_extent("a.csv", 10, 20)
    """
    if rows > MAX_ROWS or width > MAX_COLUMNS or rows * width > MAX_CELLS:
        raise UnreadableFile(
            f"{where} spans {rows} rows and {width} columns; at most {MAX_ROWS} rows, {MAX_COLUMNS} columns "
            f"and {MAX_CELLS} cells are read: delete stray cells far from the table, or split the file"
        )


def _checked_parts(file: str, content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            members = package.infolist()
            _check_members(file, members)
            parts = {m.filename: package.read(m) for m in members if m.filename.endswith((".xml", ".rels"))}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError) as error:
        raise UnreadableFile(
            f"{file} is damaged or truncated ({error}): copy it again, or {_ADVICE}"
        ) from error
    for name, xml in parts.items():
        _check_xml(file, name, xml)
    return parts


def _check_members(file: str, members: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(m.file_size for m in members)
    if len(members) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES:
        raise UnreadableFile(
            f"{file} unpacks to {len(members)} parts and {unpacked >> 20} MB; at most {MAX_PARTS} parts and "
            f"{MAX_UNPACKED_BYTES >> 20} MB are read"
        )
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[:1]:
            raise UnreadableFile(
                f"{file} holds a part named {member.filename!r} that leads out of the archive"
            )
        if member.flag_bits & 1:
            raise UnreadableFile(f"{file} is encrypted: save it without a password")
        if member.file_size > max(RATIO_FROM_BYTES, MAX_RATIO * member.compress_size):
            raise UnreadableFile(
                f"{file}: part {member.filename} unpacks to more than {MAX_RATIO} times its size, which no "
                f"spreadsheet does (a zip bomb)"
            )


def _check_xml(file: str, name: str, xml: bytes) -> None:
    if b"\x00" in xml:
        raise UnreadableFile(f"{file}: part {name} is not UTF-8 text: {_ADVICE}")
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
        raise UnreadableFile(
            f"{file}: part {name} declares a document type or entities, which no spreadsheet does: {_ADVICE}"
        )


def _xml(file: str, parts: dict[str, bytes], name: str) -> ElementTree.Element:
    if name not in parts:
        raise UnreadableFile(f"{file} is a zip archive but not an .xlsx (no {name}): {_ADVICE}")
    try:
        return ElementTree.fromstring(parts[name])
    except ElementTree.ParseError as error:
        raise UnreadableFile(
            f"{file}: part {name} is damaged ({error}): copy it again, or {_ADVICE}"
        ) from error


def _sheet_parts(file: str, parts: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Name and part of every worksheet; sheets that hold no cells (charts, macros) have none."""
    relations = _xml(file, parts, "xl/_rels/workbook.xml.rels")
    targets = {r.get("Id"): r.get("Target", "") for r in relations}
    for sheet in _xml(file, parts, "xl/workbook.xml").iter():
        if sheet.tag.endswith("}sheet") and sheet.get("name"):
            relation = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
            target = targets.get(relation, "")
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            if "/worksheets/" in part and part in parts:
                yield sheet.get("name", ""), part


def _extent(xml: bytes) -> tuple[int, int]:
    """Last row and last column of a sheet with a cell, from the references of its cells."""
    rows, width = 0, b""
    for cell in _CELL.finditer(xml):
        found = _REFERENCE.match(xml, cell.end())
        if found:
            rows = max(rows, int(found[2]))
            width = max(width, found[1].upper(), key=lambda c: (len(c), c))
    return rows, _column_number(width)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters[:6]:
        number = number * 26 + letter - ord("A") + 1
    return number


def _formulas(file: str, sheet: str, xml: bytes) -> list[Reject]:
    """One reject for every column with formulas; a warning where a result was never stored."""
    if not _FORMULA.search(xml):
        return []
    found: dict[tuple[str, bool], list[int]] = {}
    for cell in _CELL.split(xml)[1:]:
        place = _REFERENCE.match(cell)
        if place and _FORMULA.search(cell):
            key = (place[1].decode().upper(), bool(_STORED.search(cell)))
            found.setdefault(key, []).append(int(place[2]))
    return [_formula_reject(file, sheet, column, stored, rows) for (column, stored), rows in found.items()]


def _formula_reject(file: str, sheet: str, column: str, stored: bool, rows: list[int]) -> Reject:
    cells = f"{column}{min(rows)}" + (f" and {len(rows) - 1} more of column {column}" if rows[1:] else "")
    if stored:
        message = "formula: the result stored in the file was read; paste values to be sure"
        return Reject(file, sheet, min(rows), column, "formula", cells, "note", message)
    message = "formula without a stored result: the cell counts as empty; open, calculate, paste values"
    return Reject(file, sheet, min(rows), column, "formula-without-value", cells, "warning", message)


def _cells(file: str, parts: dict[str, bytes], names: list[str]) -> dict[str, list[list[Any]]]:
    """Cells of the sheets, parsed from an archive made of the checked parts alone."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as package:
        for name, xml in parts.items():
            if "externalLink" not in name:
                package.writestr(name, xml)
    copy.seek(0)
    try:
        book = CalamineWorkbook.from_filelike(copy)
        return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in names}
    except (CalamineError, ValueError, OSError) as error:
        raise UnreadableFile(f"{file} is damaged ({error}): copy it again, or {_ADVICE}") from error
