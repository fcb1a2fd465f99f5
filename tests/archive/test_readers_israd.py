"""The reader of ISRaD: its layouts, its known traps, and nothing personal."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from subsoil.archive.readers import israd, read
from subsoil.archive.readers.israd_tables import from_israd, to_israd
from subsoil.archive.schema import TABLES, Archive, concat
from subsoil.archive.workbook import Book, Sheet
from subsoil.errors import UnreadableFile

Edit = Callable[..., Book]
FIRST = 4  # row of the first data in the small workbook: titles, two rows of description


def put(book: Book, edited: Edit, table: str, **values: object) -> Book:
    """The book with some cells of the first row of a table changed; new titles make new columns."""

    def change(rows: list[list[object]]) -> list[list[object]]:
        for title, value in values.items():
            if title not in rows[0]:
                for row, cell in zip(rows, (title, "words", "words", ""), strict=True):
                    row.append(cell)
            rows[FIRST - 1][rows[0].index(title)] = value
        return rows

    return edited(book, table, change)


def rules(archive: Archive) -> set[str]:
    return set(archive.rejects["rule"])


def test_a_workbook_with_rows_of_description_reads(small_israd: Book) -> None:
    assert israd.fits([small_israd])
    archive = israd.read([small_israd])
    assert {name: len(archive.table(name)) for name in TABLES} == dict.fromkeys(TABLES, 1)
    layer = archive.layer.iloc[0]
    assert (layer["lyr_14c"], layer["lyr_mid"], layer["src_row"]) == (50.0, 5.0, FIRST)
    assert archive.metadata["study_id"].tolist() == ["Author 2001"]
    assert archive.fraction["frc_lower"].tolist() == [-np.inf], "an open bound is no error"


def test_a_folder_of_csv_reads_like_the_workbook(small_israd: Book, tmp_path: Path) -> None:
    for i, (_, sheet) in enumerate(small_israd.sheets.items()):
        pd.DataFrame(sheet.rows[3:], columns=sheet.rows[0]).to_csv(tmp_path / f"{i}.csv.gz", index=False)
    archive, expected = read(tmp_path), israd.read([small_israd])
    for name in TABLES:
        assert_frame_equal(
            archive.table(name).drop(columns="src_row"), expected.table(name).drop(columns="src_row")
        )


@pytest.mark.parametrize("table", ["metadata", "site", "profile", "layer"])
def test_an_absent_table_is_named(small_israd: Book, table: str) -> None:
    sheets = {name: sheet for name, sheet in small_israd.sheets.items() if name != table}
    with pytest.raises(UnreadableFile, match=f"table {table}"):
        israd.read([Book("x.xlsx", sheets)])


def test_errors_made_from_the_fraction_modern_are_emptied(small_israd: Book, edited: Edit) -> None:
    false = (1.05 * np.exp(0.00012097 * (1950 - 2000)) - 1) * 1000
    book = put(small_israd, edited, "layer", lyr_14c_sigma=float(false), lyr_14c_sd=3.0)
    archive = israd.read([book])
    assert np.isnan(archive.layer["lyr_14c_sigma"][0])
    assert archive.layer["lyr_14c_sd"][0] == 3.0
    assert archive.layer["flags"][0] == "error-from-modern"
    assert israd.read([small_israd]).layer["lyr_14c_sigma"][0] == 4.0, "a true error stays"


@pytest.mark.parametrize(
    ("table", "values", "rule"),
    [
        ("layer", {"lyr_all_org_neg": "yes"}, "organic-surface"),
        ("profile", {"pro_peatland": "yes"}, "organic-surface"),
        ("profile", {"pro_treatment": "treatment"}, "treated-soil"),
        ("profile", {"pro_lat": 14.0}, "coordinates-differ"),
        ("profile", {"pro_long": -20.0}, "longitude-sign"),
        ("metadata", {"compilation_doi": "10.1126/science.aad4273"}, "from-compilation"),
        ("metadata", {"doi": "israd"}, "doi-unknown"),
        ("metadata", {"entry_name": "Nobody_2000"}, "lone-metadata"),
        ("layer", {"lyr_top": float("-inf")}, "infinite"),
        ("layer", {"lyr_c_org_filled": 4000.0}, "derived-column"),
        ("layer", {"lyr_dd14c": 50.0}, "derived-column"),
        ("metadata", {"curator_email": "someone@somewhere.org"}, "personal-data"),
        ("metadata", {"metadata_note": "ask someone@somewhere.org"}, "personal-data"),
    ],
)
def test_known_traps_are_named(small_israd: Book, edited: Edit, table: str, values: dict, rule: str) -> None:
    archive = israd.read([put(small_israd, edited, table, **values)])
    assert rule in rules(archive)
    assert not any("@" in archive.table(name).to_csv() for name in TABLES)
    assert not archive.rejects["value"].str.contains("@").any()
    if rule == "derived-column":
        (title,) = values
        assert title not in archive.layer or archive.layer[title].isna().all()
    if rule in ("organic-surface", "treated-soil"):
        assert rule in archive.layer["flags"][0]


def test_columns_that_the_schema_does_not_know_are_kept_typed(small_israd: Book, edited: Edit) -> None:
    archive = israd.read([put(small_israd, edited, "layer", lyr_fe_ox=1.5, lyr_color="10YR")])
    assert archive.layer["lyr_fe_ox"].dtype == "float64"
    assert archive.layer["lyr_color"].tolist() == ["10YR"]


def test_other_tables_are_named_not_read(small_israd: Book) -> None:
    flux = Sheet("flux", [["entry_name", "site_name", "flx_name"], ["", "", ""], ["a", "b", "c"]])
    book = Book("x.xlsx", {**small_israd.sheets, "flux": flux})
    assert "table-not-read" in rules(israd.read([book]))


def test_a_site_of_another_study_is_flagged_by_name(small_israd: Book) -> None:
    def rename(cell: object) -> object:
        return {"Author_2001": "McClaran_2000", "hill": "Capitao Poco"}.get(str(cell), cell)

    sheets = {
        n: Sheet(n, [[rename(c) for c in row] for row in s.rows]) for n, s in small_israd.sheets.items()
    }
    assert "other-study" in israd.read([Book("x.xlsx", sheets)]).layer["flags"][0]


@pytest.fixture(scope="module")
def database(data_dir: Path) -> Archive:
    return read(data_dir / "israd2019")


@pytest.mark.data
def test_the_database_of_2019_is_read(database: Archive) -> None:
    sizes = {name: len(database.table(name)) for name in TABLES}
    assert sizes == {"metadata": 223, "site": 665, "profile": 2053, "layer": 6824, "fraction": 3290}
    layer = database.layer
    assert layer["lyr_14c"].notna().sum() == 3354
    assert layer["lyr_13c"].notna().sum() == 2235
    assert np.isfinite(layer.select_dtypes("float64").fillna(0.0)).all().all()


@pytest.mark.data
def test_false_errors_of_the_database_are_found(database: Archive) -> None:
    found = database.rejects[database.rejects["rule"] == "error-from-modern"]["column"].value_counts()
    assert found["lyr_14c_sigma"] == 1415
    assert found["lyr_14c_sd"] == 2500
    assert database.layer["lyr_14c_sigma"].median() == pytest.approx(3.5, abs=0.05)
    assert database.layer["lyr_14c_sd"].notna().sum() == 20
    counts = database.rejects["rule"].value_counts()
    assert counts["coordinates-differ"] + counts["longitude-sign"] == 161
    assert counts["longitude-sign"] == 59


@pytest.mark.data
def test_the_database_goes_to_israd_and_back(database: Archive) -> None:
    back = from_israd(to_israd(database), database.source)
    for name in TABLES:
        assert_frame_equal(database.table(name), back.table(name)[list(database.table(name))])


@pytest.mark.data
def test_it_joins_with_the_workbook(database: Archive, published: Archive) -> None:
    both = concat([published, database])
    assert len(both.layer) == len(published.layer) + len(database.layer)
    assert both.source == "balesdent2018+israd"
