"""Text tables from anywhere: encoding, delimiter and decimal sign found from the content and reported."""

import csv
import io
import re
import zlib
from collections import Counter

from subsoil.archive.package import check_extent
from subsoil.archive.schema import Reject
from subsoil.errors import UnreadableFile

GZIP = b"\x1f\x8b"
MAX_RATIO = 200  # tables of text pack 3 to 20 times
DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 50
_NOT_TABLES = (b"%PDF", b"<html", b"<!doctype", b"<?xml", b"{\\rtf", b"PAR1", b"\x89HDF", b"SQLite")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+,\d+\s*")
_POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+\s*")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f]")


def read_delimited(file: str, content: bytes, limit: int) -> tuple[list[list[str]], list[Reject]]:
    """Rows of cells of a CSV or TSV file, plain or gzipped, and what had to be assumed.

    ``limit`` is the largest size in bytes after unpacking.

    Raises
    ------
    UnreadableFile
        The file is no text table, holds NUL bytes, is truncated, or is too large.
    """
    if content.startswith(GZIP):
        content = _unpack(file, content, limit)
    text, notes = _decode(file, content)
    if not text.strip():
        raise UnreadableFile(f"{file} holds nothing but blanks")
    delimiter = _delimiter(text)
    rows = _rows(file, text, delimiter)
    check_extent(file, len(rows), max(map(len, rows)))
    return rows, notes + _point_decimals(file, rows, delimiter)


def _unpack(file: str, content: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        out = unpacker.decompress(content, min(limit, MAX_RATIO * len(content)) + 1)
    except zlib.error as error:
        raise UnreadableFile(f"{file} is damaged ({error}): copy it again") from error
    if unpacker.unconsumed_tail:
        raise UnreadableFile(f"{file} unpacks to more than {limit >> 20} MB or {MAX_RATIO} times its size")
    if not unpacker.eof:
        raise UnreadableFile(f"{file} is truncated: copy it again")
    return out


def _decode(file: str, content: bytes) -> tuple[str, list[Reject]]:
    """The text: UTF-8 with or without a mark, UTF-16 with one, else Western European, reported."""
    if content[:20].lstrip().lower().startswith(tuple(mark.lower() for mark in _NOT_TABLES)):
        raise UnreadableFile(f"{file} is no table: expected .xlsx, .csv or .tsv")
    name = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if name == "utf-8-sig" and b"\x00" in content:
        raise UnreadableFile(f"{file} holds NUL bytes: it is binary or damaged; save it as UTF-8 .csv")
    try:
        text = content.decode(name)
    except UnicodeDecodeError:
        name = "cp1252"
        text = content.decode(name, errors="replace")
    if "\x00" in text or len(_CONTROL.findall(text[:10_000])) > 20:
        raise UnreadableFile(
            f"{file} holds control characters: it is binary or damaged; save it as UTF-8 .csv"
        )
    if name == "utf-8-sig":
        return text, []
    message = f"not UTF-8: read as {name}; accents may be wrong, save the file as UTF-8"
    return text, [Reject(file, "", 0, "", "encoding", name, "warning", message)]


def _rows(file: str, text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
    except csv.Error as error:
        raise UnreadableFile(
            f"{file}, row {len(rows) + 1}: {error}; look for a quotation mark that is not closed"
        ) from error
    return rows


def _delimiter(text: str) -> str:
    """The sign that splits the first rows into the most cells, the same number in most rows."""

    def score(delimiter: str) -> tuple[int, int]:
        sample = csv.reader(io.StringIO(text[:200_000], newline=""), delimiter=delimiter)
        try:
            widths = [len(row) for row, _ in zip(sample, range(SAMPLE_ROWS), strict=False) if row]
        except csv.Error:
            return (0, 0)
        width, times = (
            Counter(w for w in widths if w > 1).most_common(1)[0] if max(widths, default=0) > 1 else (0, 0)
        )
        return (times * (width > 1), width)

    return max(DELIMITERS, key=score)


def _point_decimals(file: str, rows: list[list[str]], delimiter: str) -> list[Reject]:
    """Turn 1,5 into 1.5 in a table that writes all its decimals with a comma; reported once."""
    if delimiter == ",":
        return []
    cells = [cell for row in rows for cell in row]
    if not any(map(_COMMA_NUMBER.fullmatch, cells)) or any(map(_POINT_NUMBER.fullmatch, cells)):
        return []
    for row in rows:
        row[:] = [c.replace(",", ".") if _COMMA_NUMBER.fullmatch(c) else c for c in row]
    message = f"decimal comma, cells split at {delimiter!r}: numbers such as 1,5 were read as 1.5"
    return [Reject(file, "", 0, "", "decimal-comma", delimiter, "note", message)]
