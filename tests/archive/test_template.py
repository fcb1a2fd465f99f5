"""Writing the template."""

from pathlib import Path

import pytest

from subsoil.archive.readers import read
from subsoil.archive.readers.template_layout import FLAT_FIELDS, LAYER_FIELDS, PROFILE_FIELDS
from subsoil.archive.template import READ_ME, write_template
from subsoil.archive.workbook import open_book
from subsoil.errors import BadCall, UnreadableFile


def test_every_column_is_a_variable_or_the_spread_of_one() -> None:
    for field in (*PROFILE_FIELDS, *LAYER_FIELDS):
        assert field.variable.meaning
        assert field.unit
    assert len({f.name for f in FLAT_FIELDS}) == len(FLAT_FIELDS)


def test_the_workbook_has_a_form_a_key_and_a_dictionary(tmp_path: Path) -> None:
    book = open_book(write_template(tmp_path / "mine.xlsx"))
    assert list(book.sheets) == ["read me", "profiles", "layers", "dictionary"]
    assert book.rejects == (), "nothing in it looks like a formula"
    assert book.sheets["read me"].rows[0][0] == READ_ME[0]
    described = {row[0]: row for row in book.sheets["dictionary"].rows[1:]}
    assert set(described) == {f.name for f in (*PROFILE_FIELDS, *LAYER_FIELDS)}
    assert described["lyr_13c"][3:6] == ["permil", -60, 10]
    assert described["lyr_13c_se"][7].startswith("Standard error of the mean, instead of lyr_13c_sd")
    units = dict(zip(book.sheets["layers"].rows[0], book.sheets["layers"].rows[1], strict=True))
    assert units["soc_stock"] == "kg m-2"


@pytest.mark.parametrize("name", ["mine.xlsx", "mine.csv"])
def test_an_untouched_template_is_told_to_be_empty(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match="fill its rows in"):
        read(write_template(tmp_path / name))


def test_the_worked_example_reads_once_it_is_someones_own(tmp_path: Path) -> None:
    path = write_template(tmp_path / "mine.csv")
    own = path.read_text(encoding="utf-8-sig").replace("EXAMPLE", "Own")
    path.write_text(own, encoding="utf-8")
    archive = read(path)
    assert archive.rejects.empty
    assert len(archive.layer) == 4
    assert archive.source == "template"


def test_the_format_follows_the_name_or_the_wish(tmp_path: Path) -> None:
    assert open_book(write_template(tmp_path / "a.dat", format="csv")).sheets[""].rows[0][0] == "entry_name"
    with pytest.raises(BadCall, match=r"\.xlsx or \.csv"):
        write_template(tmp_path / "a.pdf")
    with pytest.raises(BadCall, match=r"\.xlsx or \.csv"):
        write_template(tmp_path / "noending")
