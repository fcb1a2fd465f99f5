"""Damage to tables: accidents to cells, hostile workbooks, mis-saved text, bad disks.

Each kind is a function of what it damages and a random generator. ``fuzz.py`` puts them together.
"""

import csv
import gzip
import importlib.util
import io
import math
import random
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape

from subsoil.archive.workbook import Book, Sheet, letters

ROOT = Path(__file__).resolve().parents[1]
PART_OF_SHEET = "xl/worksheets/sheet{}.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
BOMB_BYTES = 24 * 2**20

Rng = random.Random
Rows = list[list[Any]]
Sheets = dict[str, Rows]
Parts = dict[str, bytes]


@cache
def mutations() -> ModuleType:
    """The small tables and the accidents to their cells, which the tests of the readers use too."""
    path = ROOT / "tests" / "archive" / "mutations.py"
    spec = importlib.util.spec_from_file_location("mutations", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- accidents to cells -----------------------------------------------------------------------------------


def accidents_to_cells(sheets: Sheets, rng: Rng) -> Sheets:
    """One to four of the accidents that the tests of the readers use."""
    book = Book("x", {name: Sheet(name, rows) for name, rows in sheets.items()})
    return {name: sheet.rows for name, sheet in mutations().mutate(book, rng).sheets.items()}


def wrong_unit(sheets: Sheets, rng: Rng) -> Sheets:
    """A column in another unit, of another sign, or shifted."""
    factor, shift = rng.choice([*((k, 0) for k in (0.001, 0.01, 0.1, 10, 100, 1000, -1)), (1, 273.15)])
    rows = sheets[rng.choice(sorted(sheets))]
    j = rng.randrange(max(map(len, rows), default=1) or 1)
    for row in rows:
        if j < len(row) and isinstance(row[j], float | int) and not isinstance(row[j], bool):
            row[j] = row[j] * factor + shift
    return sheets


def other_titles(sheets: Sheets, rng: Rng) -> Sheets:
    """Titles in other case and spacing, misspelt, or given twice."""
    rows = sheets[rng.choice(sorted(sheets))]
    header = max(
        range(len(rows)), key=lambda i: sum(isinstance(c, str) and c != "" for c in rows[i]), default=0
    )
    for _ in range(rng.randint(1, 5)):
        j = rng.randrange(max(1, len(rows[header]))) if rows else 0
        if rows and j < len(rows[header]):
            old = str(rows[header][j])
            choices = [old.upper(), f" {old} ", old.replace("_", " "), old[:-1], "é" + old, "", old * 50]
            rows[header][j] = rng.choice([*choices, rng.choice(rows[header])])
    return sheets


def other_sheets(sheets: Sheets, rng: Rng) -> Sheets:
    """A sheet renamed, given twice, emptied, or one of a stranger."""
    name = rng.choice(sorted(sheets))
    how = rng.randrange(4)
    if how == 0:
        sheets[rng.choice([name.upper(), f"{name} 2", "Tabelle1", "𝓛ayers"])] = sheets.pop(name)
    elif how == 1:
        sheets[f"{name} copy"] = [list(row) for row in sheets[name]]
    elif how == 2:
        sheets[name] = []
    else:
        sheets["budget"] = [["item", "euro"], ["spade", 30.0]]
    return sheets


def repeated_block(sheets: Sheets, rng: Rng) -> Sheets:
    """Some rows copied below the others, once or many times."""
    rows = sheets[rng.choice(sorted(sheets))]
    if rows:
        start = rng.randrange(len(rows))
        block = rows[start : start + rng.randint(1, 6)]
        rows += [list(row) for _ in range(rng.choice([1, 1, 2, 60])) for row in block]
    return sheets


def hostile_cells(sheets: Sheets, rng: Rng) -> Sheets:
    """Formulas as text, control characters, right-to-left marks, megabytes, numbers of other scripts."""
    rows = sheets[rng.choice(sorted(sheets))]
    for _ in range(rng.randint(1, 8)):
        row = rng.choice(rows) if rows else []
        if row:
            row[rng.randrange(len(row))] = rng.choice(HOSTILE)
    return sheets


HOSTILE = (
    *("=cmd|' /C calc'!A0", "@SUM(1)", "+1+1", "-2+3+cmd|' /C calc'!A0", '=HYPERLINK("http://x")'),
    *("\u202eabc", "a\u0000b", "a\tb", "a\nb", "\ufeff", "١٢٣", "½", "1e", "0x10"),
    *("1e309", "-1e309", "1e-400", "null", "None", "True", "[bold]", "{}", "%s"),
    *("x" * 100_000, "A. " * 30_000, "1" * 100_000, "<" * 50_000, "(2001 " * 9_000),
    *("'; DROP TABLE layer; --", "\ud7ff", "🌱" * 99),
    *(1e300, -1e300, 5e-324, 2**63, -(2**70), 0.1 + 0.2, -0.0),
)  # fmt: skip

CELL_ACCIDENTS: tuple[Callable[[Sheets, Rng], Sheets], ...] = (
    *(
        accidents_to_cells,
        accidents_to_cells,
        wrong_unit,
        other_titles,
        other_sheets,
        repeated_block,
        hostile_cells,
    ),
)


# ---- workbooks --------------------------------------------------------------------------------------------


def parts_of(sheets: Sheets) -> Parts:
    """The parts of an XLSX package with these cells."""
    names = list(sheets)
    paths = {name: PART_OF_SHEET.format(i) for i, name in enumerate(names, start=1)}
    listed = "".join(
        f'<sheet name="{_attribute(name[:31])}" sheetId="{i}" r:id="rId{i}"/>'
        for i, name in enumerate(names, start=1)
    )
    listed = f"<sheets>{listed}</sheets>"
    linked = [("worksheet", f"worksheets/sheet{i}.xml") for i in range(1, len(names) + 1)]
    parts = {
        "[Content_Types].xml": _content_types(paths.values()),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{listed}</workbook>',
        "xl/_rels/workbook.xml.rels": _relations(linked),
        **{paths[name]: _sheet(sheets[name]) for name in names},
    }
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    return {name: (head + text).encode("utf-8", "replace") for name, text in parts.items()}


def _content_types(sheets: Iterable[str]) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.{}+xml"
    kinds = {"xl/workbook.xml": kind.format("sheet.main"), **{s: kind.format("worksheet") for s in sheets}}
    typed = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in kinds.items())
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    defaults = f'<Default Extension="rels" ContentType="{relations}"/>'
    return f'<Types xmlns="{PACKAGE}/content-types">{defaults}{typed}</Types>'


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    linked = "".join(
        f'<Relationship Id="rId{i}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{linked}</Relationships>'


def _attribute(text: str) -> str:
    return escape(_printable(text), {'"': "&quot;"})


def _printable(text: str) -> str:
    return "".join(c for c in text if c in "\t\n" or ord(c) >= 32)


def _sheet(rows: Rows) -> str:
    body = "".join(
        f'<row r="{i}">' + "".join(_cell(f"{letters(j)}{i}", cell) for j, cell in enumerate(row)) + "</row>"
        for i, row in enumerate(rows, start=1)
    )
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def _cell(place: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, float | int) and math.isfinite(float(value) if abs(value) < 1e308 else 0.0):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    if isinstance(value, date):
        return f'<c r="{place}" t="d"><v>{value.isoformat()}</v></c>'
    text = escape(_printable(str(value)))
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def zipped(parts: Mapping[str, bytes]) -> bytes:
    """The parts as a package."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return out.getvalue()


def _on_sheet(change: Callable[[bytes], bytes]) -> Callable[[Parts, Rng], Parts]:
    def attack(parts: Parts, rng: Rng) -> Parts:
        names = [name for name in parts if "worksheets/" in name]
        return {**parts, name: change(parts[name])} if (name := rng.choice(names) if names else "") else parts

    return attack


def _after_head(insert: bytes) -> Callable[[bytes], bytes]:
    return lambda xml: xml.replace(b"?>\n", b"?>\n" + insert, 1)


def _far_cell(place: str) -> Callable[[bytes], bytes]:
    return lambda xml: xml.replace(
        b"</sheetData>", f'<row><c r="{place}"><v>1</v></c></row></sheetData>'.encode()
    )


def drop_part(parts: Parts, rng: Rng) -> Parts:
    """A part is missing."""
    gone = rng.choice(sorted(parts))
    return {name: content for name, content in parts.items() if name != gone}


def exchange_parts(parts: Parts, rng: Rng) -> Parts:
    """Two parts stand under each other's name."""
    one, other = rng.choice(sorted(parts)), rng.choice(sorted(parts))
    return {**parts, one: parts[other], other: parts[one]}


def garble_xml(parts: Parts, rng: Rng) -> Parts:
    """Bytes of a part are changed before it is packed, so that its checksum is right."""
    name = rng.choice(sorted(parts))
    return {**parts, name: flip_bits(parts[name], rng)}


def many_parts(parts: Parts, rng: Rng) -> Parts:
    """More parts than any workbook has."""
    return {**parts, **{f"xl/media/{i}.xml": b"<a/>" for i in range(2500)}}


LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 12))
PACKAGE_ATTACKS: dict[str, Callable[[Parts, Rng], Parts]] = {
    "entity-external": _on_sheet(_after_head(b'<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>')),
    "entity-laughs": _on_sheet(_after_head(b'<!DOCTYPE w [<!ENTITY a0 "ha">' + LAUGHS + b"]>")),
    "nested-deep": _on_sheet(lambda xml: xml.replace(b"<sheetData>", b"<sheetData>" + b"<x>" * 50_000)),
    "bomb": _on_sheet(lambda xml: xml.replace(b"<sheetData>", b"<sheetData>" + b" " * BOMB_BYTES)),
    "far-row": _on_sheet(_far_cell("A1048576")),
    "far-column": _on_sheet(_far_cell("XFD9")),
    "far-nonsense": _on_sheet(_far_cell("ZZZZZZZ99999999999")),
    "open-tags": _on_sheet(lambda xml: xml.replace(b"<sheetData>", b"<sheetData>" + b"<c " * 100_000)),
    "open-formulas": _on_sheet(lambda xml: xml.replace(b"<v>", b"<f>" * 20_000 + b"<v>", 9)),
    "formula": _on_sheet(lambda xml: xml.replace(b"<v>", b"<f>1+1</f><v>", 5)),
    "formula-empty": _on_sheet(
        lambda xml: xml.replace(b"<v>", b"<f>A1</f><v>", 3).replace(b"<v>", b"<w>", 1)
    ),
    "shared-text-lost": _on_sheet(lambda xml: xml.replace(b"><v>", b' t="s"><v>', 4)),
    "error-cell": _on_sheet(lambda xml: xml.replace(b"><v>", b' t="e"><v>', 4)),
    "latin-1": _on_sheet(lambda xml: xml.replace(b"<t xml:space", b"<t>\xe9\xff</t><t xml:space", 1)),
    "utf-16": _on_sheet(lambda xml: xml.decode("utf-8", "replace").encode("utf-16")),
    "nul": _on_sheet(lambda xml: xml.replace(b"<row", b"\x00<row", 1)),
    "no-references": _on_sheet(lambda xml: xml.replace(b' r="A', b' s="A')),
    "drop-part": drop_part,
    "exchange-parts": exchange_parts,
    "garble-xml": garble_xml,
    "many-parts": many_parts,
    "path-out": lambda parts, rng: {**parts, "../../evil.xml": b"<a/>"},
    "macros": lambda parts, rng: {**parts, "xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"},
}


# ---- text tables ------------------------------------------------------------------------------------------


def delimited(rows: Rows, delimiter: str = ",") -> bytes:
    """Rows as a text table."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(["" if c is None else c for c in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _recoded(encoding: str) -> Callable[[bytes, Rng], bytes]:
    return lambda content, rng: content.decode("utf-8", "replace").encode(encoding, "replace")


def decimal_comma(content: bytes, rng: Rng) -> bytes:
    """Numbers with a comma, cells split by semicolons, as half of Europe saves them."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline="")))
    return delimited([[c.replace(".", ",") for c in row] for row in rows], ";")


def split_by(delimiter: str) -> Callable[[bytes, Rng], bytes]:
    """The same cells with another delimiter."""

    def attack(content: bytes, rng: Rng) -> bytes:
        return delimited(
            list(csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline=""))), delimiter
        )

    return attack


def stray_quote(content: bytes, rng: Rng) -> bytes:
    """A quotation mark that is never closed."""
    at = rng.randrange(len(content) + 1)
    return content[:at] + b'"' + content[at:]


def insert_bytes(what: bytes) -> Callable[[bytes, Rng], bytes]:
    """Some bytes somewhere."""

    def attack(content: bytes, rng: Rng) -> bytes:
        at = rng.randrange(len(content) + 1)
        return content[:at] + what + content[at:]

    return attack


TEXT_ATTACKS: dict[str, Callable[[bytes, Rng], bytes]] = {
    **{f"encoding-{name}": _recoded(name) for name in ("latin-1", "utf-16", "utf-8-sig", "utf-32", "cp500")},
    **{f"split-{ord(sign)}": split_by(sign) for sign in ";\t|:"},
    "decimal-comma": decimal_comma,
    "stray-quote": stray_quote,
    "nul-bytes": insert_bytes(b"\x00\x00"),
    "broken-utf-8": insert_bytes(b"\xc3\x28\xff"),
    "marks-twice": lambda content, rng: b"\xef\xbb\xbf" * 2 + content,
    "line-ends-cr": lambda content, rng: content.replace(b"\r\n", b"\r"),
    "line-ends-mixed": lambda content, rng: content.replace(b"\r\n", b"\n", 2),
    "blank-lines": lambda content, rng: content.replace(b"\r\n", b"\r\n\r\n\r\n"),
    "sep-line": lambda content, rng: b"sep=,\r\n" + content,
    "one-long-line": lambda content, rng: content.replace(b"\r\n", b","),
    "wide": insert_bytes(b"," * 30_000),
    "long-cell": insert_bytes(b"x" * 500_000),
    "gzip": lambda content, rng: gzip.compress(content, 1),
    "gzip-twice": lambda content, rng: gzip.compress(gzip.compress(content, 1), 1),
    "gzip-cut": lambda content, rng: gzip.compress(content, 1)[: -rng.randrange(1, 60)],
    "gzip-bomb": lambda content, rng: gzip.compress(content + b"\n" * BOMB_BYTES, 6),
}


# ---- any file ---------------------------------------------------------------------------------------------


def flip_bits(content: bytes, rng: Rng) -> bytes:
    """One to forty bits are changed."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 40) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def zero_block(content: bytes, rng: Rng) -> bytes:
    """A block of a bad disk."""
    at = rng.randrange(len(content) + 1)
    return content[:at] + bytes(min(512, len(content) - at)) + content[at + 512 :]


def move_block(content: bytes, rng: Rng) -> bytes:
    """A block stands somewhere else too."""
    a, b = rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)
    return content[:a] + content[b : b + rng.randrange(2000)] + content[a:]


def encrypted(content: bytes, rng: Rng) -> bytes:
    """Every entry of the archive says that it is encrypted."""
    data = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0 and at + offset < len(data):
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


BYTE_ATTACKS: dict[str, Callable[[bytes, Rng], bytes]] = {
    "truncated": lambda content, rng: content[: rng.randrange(len(content) + 1)],
    "head-lost": lambda content, rng: content[rng.randrange(min(200, len(content)) + 1) :],
    "flipped-bits": flip_bits,
    "zero-block": zero_block,
    "moved-block": move_block,
    "encrypted": encrypted,
    "prefixed": lambda content, rng: rng.randbytes(rng.randrange(1, 60)) + content,
    "appended": lambda content, rng: content + rng.randbytes(rng.randrange(1, 3000)),
    "empty": lambda content, rng: b"",
    "noise": lambda content, rng: rng.randbytes(rng.randrange(1, 5000)),
    "old-xls": lambda content, rng: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + content,
    "html": lambda content, rng: b"<html><body>Please sign in</body></html>",
    "pdf": lambda content, rng: b"%PDF-1.7\n" + content,
    "other-zip": lambda content, rng: zipped({"readme.txt": b"not a workbook"}),
    "zip-in-zip": lambda content, rng: zipped({"xl/workbook.xml": content}),
}
