"""Opening files of unknown make: the right cells, or an error that says what to do."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from subsoil.archive import package, workbook
from subsoil.archive.workbook import open_book
from subsoil.errors import UnreadableFile

SHEET = "xl/worksheets/sheet1.xml"
TABLE = [["name", "depth"], ["é", 1.5], ["b", 2]]


def rules(book: workbook.Book) -> list[str]:
    return [r.rule for r in book.rejects]


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# ---- XLSX -------------------------------------------------------------------------------------------------


def test_cells_stand_where_a_person_sees_them(write_xlsx: Callable[..., Path]) -> None:
    book = open_book(write_xlsx({"a": [["", "", "x"], [], [1.5, "é"]], "b": [["y"]]}))
    assert list(book.sheets) == ["a", "b"]
    rows = book.sheets["a"].rows
    assert rows[0][2] == "x"
    assert rows[2][:2] == [1.5, "é"]
    assert book.rejects == ()


def test_the_content_decides_not_the_name(write_xlsx: Callable[..., Path], tmp_path: Path) -> None:
    as_csv = put(tmp_path / "really.csv", write_xlsx({"a": TABLE}).read_bytes())
    assert open_book(as_csv).sheets["a"].rows[1] == ["é", 1.5]
    as_xlsx = put(tmp_path / "really.xlsx", b"name,depth\nb,2\n")
    assert open_book(as_xlsx).sheets[""].rows[1] == ["b", "2"]


def test_formulas_are_reported_with_their_cell(
    write_xlsx: Callable[..., Path], repacked: Callable[..., Path]
) -> None:
    path = write_xlsx({"a": [["x", "y", "z"], [1, 2, 3], [1, 2, 3]]})

    def calculate(xml: bytes) -> bytes:
        stored = xml.replace(b'<c r="B2" t="n"><v>2', b'<c r="B2" t="n"><f>A2+1</f><v>2')
        stored = stored.replace(b'<c r="B3" t="n"><v>2', b'<c r="B3" t="n"><f>A3+1</f><v>2')
        return stored.replace(b'<c r="C3" t="n"><v>3</v>', b'<c r="C3"><f>A3+2</f>')

    book = open_book(repacked(path, {SHEET: calculate}))
    assert book.sheets["a"].rows[1][1] == 2
    assert book.sheets["a"].rows[2][2] == ""
    stored, empty = book.rejects
    assert (stored.rule, stored.severity, stored.row, stored.column) == ("formula", "note", 2, "B")
    assert stored.value == "B2 and 1 more of column B"
    assert (empty.rule, empty.severity, empty.value) == ("formula-without-value", "warning", "C3")


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+HYPERLINK(1)", "-cmd|x", " =1+1"])
def test_text_that_would_run_is_not_a_value(tmp_path: Path, text: str) -> None:
    book = open_book(put(tmp_path / "a.csv", f'name,note\nb,"{text}"\n'.encode()))
    assert book.sheets[""].rows[1] == ["b", ""]
    (reject,) = book.rejects
    assert (reject.rule, reject.row, reject.column) == ("formula-text", 2, "B")
    assert reject.value.startswith("'"), "the text must not run from our own tables either"


@pytest.mark.parametrize("text", ["-25.3", "+5", "- not given", "−25", "a=b", "-", "-25 (estimated)"])
def test_numbers_and_remarks_stay(tmp_path: Path, text: str) -> None:
    book = open_book(put(tmp_path / "a.csv", f"name,note\nb,{text}\n".encode()))
    assert book.sheets[""].rows[1] == ["b", text]
    assert book.rejects == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xl/workbook.xml": None}, "not an .xlsx"),
        ({"xl/_rels/workbook.xml.rels": None}, "not an .xlsx"),
        ({"xl/workbook.xml": b"<workbook"}, "damaged"),
        ({"xl/workbook.xml": b"<workbook/>"}, "no worksheet"),
        ({SHEET: lambda x: b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + x}, "entities"),
        ({"xl/comments9.xml": b"<!ENTITY a 'b'>"}, "entities"),
        ({SHEET: lambda x: x.decode().encode("utf-16")}, "not UTF-8"),
        ({"../outside.xml": b"<a/>"}, "leads out"),
        ({"/etc/outside.xml": b"<a/>"}, "leads out"),
        ({"..\\outside.xml": b"<a/>"}, "leads out"),
        ({"xl/media/zeros.bin": b"\0" * (40 << 20)}, "zip bomb"),
        ({SHEET: lambda x: x.replace(b'r="A1"', b'r="XFD1048576"')}, "stray cells"),
        ({SHEET: lambda x: x.replace(b'r="A1"', b"r = 'A900000'")}, "stray cells"),
        ({SHEET: lambda x: x.replace(b'r="A1"', b'r="ZZZZZZZZZZ1"')}, "stray cells"),
        ({SHEET: lambda x: x[: len(x) // 2]}, "damaged"),
    ],
)
def test_hostile_and_damaged_packages_are_refused(
    write_xlsx: Callable[..., Path], repacked: Callable[..., Path], change: dict, message: str
) -> None:
    with pytest.raises(UnreadableFile, match=message):
        open_book(repacked(write_xlsx({"a": TABLE}), change))


def test_many_small_parts_are_refused(write_xlsx: Callable[..., Path], repacked: Callable[..., Path]) -> None:
    many = {f"xl/media/{i}.bin": b"" for i in range(package.MAX_PARTS + 1)}
    with pytest.raises(UnreadableFile, match="parts"):
        open_book(repacked(write_xlsx({"a": TABLE}), many))


def test_a_size_that_lies_unpacks_no_further(write_xlsx: Callable[..., Path], tmp_path: Path) -> None:
    """The size in the directory of an archive may lie: no more than it states is ever unpacked."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(write_xlsx({"a": TABLE})) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b" " * (1 << 24) if name == SHEET else b""))
    true = (len(zipfile.ZipFile(io.BytesIO(out.getvalue())).read(SHEET))).to_bytes(4, "little")
    lied = out.getvalue().replace(true, (100).to_bytes(4, "little"))
    with pytest.raises(UnreadableFile):
        open_book(put(tmp_path / "lie.xlsx", lied))


def test_every_truncation_is_told(write_xlsx: Callable[..., Path], tmp_path: Path) -> None:
    content = write_xlsx({"a": TABLE}).read_bytes()
    for size in range(4, len(content), 97):
        with pytest.raises(UnreadableFile):
            open_book(put(tmp_path / "cut.xlsx", content[:size]))


def test_an_encrypted_part_asks_for_a_copy_without_password(
    write_xlsx: Callable[..., Path], tmp_path: Path
) -> None:
    content = bytearray(write_xlsx({"a": TABLE}).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    with pytest.raises(UnreadableFile, match="password"):
        open_book(put(tmp_path / "locked.xlsx", bytes(content)))


# ---- CSV --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiter_and_encoding_are_found(tmp_path: Path, delimiter: str, encoding: str) -> None:
    text = "\r\n".join(delimiter.join(map(str, row)) for row in TABLE)
    book = open_book(put(tmp_path / "a.csv", text.encode(encoding)))
    assert book.sheets[""].rows == [[str(c) for c in row] for row in TABLE]
    assert rules(book) == ([] if encoding.startswith("utf-8") else ["encoding"])
    if book.rejects:
        assert book.rejects[0].value == encoding
        assert book.rejects[0].severity == "warning"


def test_a_gzipped_table_reads_alike(tmp_path: Path) -> None:
    book = open_book(put(tmp_path / "a.csv.gz", gzip.compress(b"name,depth\nb,2\n", mtime=0)))
    assert book.sheets[""].rows == [["name", "depth"], ["b", "2"]]


def test_decimal_commas_are_read_and_noted(tmp_path: Path) -> None:
    book = open_book(put(tmp_path / "a.csv", b"tiefe;d13C;Ort\n0,5;-25,31;a, b\n"))
    assert book.sheets[""].rows[1] == ["0.5", "-25.31", "a, b"]
    assert rules(book) == ["decimal-comma"]


def test_mixed_decimal_signs_are_left_to_the_cells(tmp_path: Path) -> None:
    book = open_book(put(tmp_path / "a.csv", b"a;b\n0,5;2.5\n"))
    assert book.sheets[""].rows[1] == ["0,5", "2.5"]


def test_rows_are_counted_as_in_a_spreadsheet(tmp_path: Path) -> None:
    book = open_book(put(tmp_path / "a.csv", b'name,note\n\n"x","two\nlines"\nz,1\n'))
    assert [row[:1] for row in book.sheets[""].rows] == [["name"], [], ["x"], ["z"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "nothing but blanks"),
        (b"\xef\xbb\xbf", "nothing but blanks"),
        (b"a,b\n1,\x00\n", "NUL"),
        (bytes(range(1, 30)) * 40, "binary|control"),
        (b"%PDF-1.7 ...", "no table"),
        (b"<html><body>", "no table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old .xls"),
        (b'a,b\n1,"2\n3,4\n', "quotation mark"),
        (b'a,b\n1,"2"x\n', "quotation mark"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "field larger"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "truncated"),
        (b"\x1f\x8b" + b"x" * 40, "damaged"),
        (gzip.compress(b"\n" * (60 << 20), mtime=0), "unpacks to more"),
        (b"a," * 3000, "columns"),
    ],
)
def test_what_is_no_table_is_refused_with_advice(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message) as caught:
        open_book(put(tmp_path / "a.csv", content))
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_enormous_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.csv", b"a,b\n" + b"1,2\n" * 500)
    monkeypatch.setattr(package, "MAX_ROWS", 100)
    with pytest.raises(UnreadableFile, match="at most 100 rows"):
        open_book(path)
    monkeypatch.setattr(workbook, "MAX_FILE_BYTES", 100)
    with pytest.raises(UnreadableFile, match="MB"):
        open_book(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        open_book(tmp_path / "absent.csv")
    with pytest.raises(UnreadableFile, match="no such file"):
        open_book(tmp_path)


def test_accidents_to_the_bytes_never_end_in_a_traceback(
    write_xlsx: Callable[..., Path], tmp_path: Path
) -> None:
    import random

    content = write_xlsx(
        {"a": [[f"c{j}" for j in range(9)], *([i * j for j in range(9)] for i in range(40))]}
    ).read_bytes()
    read = 0
    for seed in range(300):
        rng = random.Random(seed)
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            open_book(put(tmp_path / "damaged.xlsx", bytes(damaged)))
            read += 1
        except UnreadableFile:
            continue
    assert read < 300, "some of the accidents must have been seen"


@pytest.mark.data
def test_the_published_workbook_opens_without_a_complaint(published_book: workbook.Book) -> None:
    assert {n: len(s.rows) for n, s in published_book.sheets.items()} == {
        "Profiles": 120,
        "Layers": 1688,
        "Comments on variables": 25,
    }
    assert published_book.rejects == ()
