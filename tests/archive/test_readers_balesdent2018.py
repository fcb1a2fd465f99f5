"""The reader of the 2018 workbook: its numbers, its traps, and what it does with a damaged copy."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from subsoil.archive.readers import balesdent2018, read
from subsoil.archive.readers.balesdent_layout import LAYERS, PROFILES
from subsoil.archive.readers.balesdent_rules import NAMED, RULES, alexander
from subsoil.archive.readers.study_labels import study_labels
from subsoil.archive.schema import KEYS, TABLES, Archive
from subsoil.archive.workbook import Book
from subsoil.errors import UnreadableFile

Rows = list[list[object]]
Edit = Callable[..., Book]
HEADER = {"Profiles": 3, "Layers": 2}


def put(book: Book, edited: Edit, sheet: str, title: str, row: int, value: object) -> Book:
    """The book with one cell changed; ``row`` counts from 1 as in the sheet, the second of equal titles."""
    titles = book.sheets[sheet].rows[HEADER[sheet]]
    j = len(titles) - 1 - titles[::-1].index(title)

    def change(rows: Rows) -> Rows:
        rows[row - 1][j] = value
        return rows

    return edited(book, sheet, change)


def rules(archive: Archive, row: int | None = None) -> set[str]:
    found = archive.rejects if row is None else archive.rejects[archive.rejects["row"] == row]
    return set(found["rule"])


def study(archive: Archive) -> pd.DataFrame:
    return archive.layer[archive.layer["src_f"].notna()].reset_index(drop=True)


def fraction(layer: pd.DataFrame) -> pd.Series:
    isotopic = (layer["lyr_13c"] - layer["pair_ref_13c"]) / layer["pair_delta_veg"]
    return isotopic.where(layer["src_f"] == "isotopes", layer["f_author"])


# ---- a small workbook with invented numbers ---------------------------------------------------------------


def test_a_small_workbook_reads_without_a_complaint(small_workbook: Book) -> None:
    archive = balesdent2018.read(small_workbook)
    assert len(study(archive)) == 6
    assert archive.rejects.empty
    assert archive.metadata["study_id"].tolist() == ["Author1 2001", "Author2 2002"]
    first = study(archive).iloc[0]
    assert first["lyr_c_org"] == 2.0  # 20 g/kg
    assert first["lyr_soc"] == pytest.approx(20 * 1.2 * 20 / 100 / 10)  # g cm-2
    assert first["lyr_13c_sd"] == pytest.approx(0.2 * np.sqrt(3))  # SE of three
    assert first["pair_ref_13c_sd"] == 0.4
    assert archive.profile["pro_treatment"].tolist() == ["treatment"] * 2 + ["control"] * 2
    assert archive.profile["pair_quality"].fillna("").tolist() == ["B", "B", "", ""]


def test_columns_and_rows_may_stand_elsewhere(small_workbook: Book, edited: Edit) -> None:
    before = balesdent2018.read(small_workbook)
    book = small_workbook
    for name in HEADER:
        width = len(book.sheets[name].rows[HEADER[name]])
        order = np.random.default_rng(1).permutation(width)

        def moved(rows: Rows, order: np.ndarray = order) -> Rows:
            padded = [[*row, *[""] * (len(order) - len(row))] for row in rows]
            return [["a remark"], [], *([row[j] for j in order] for row in padded)]

        book = edited(book, name, moved)
    after = balesdent2018.read(book)
    for name in TABLES:
        assert_frame_equal(
            before.table(name).drop(columns="src_row", errors="ignore"),
            after.table(name).drop(columns="src_row", errors="ignore"),
        )
    assert after.rejects.empty


def test_without_groups_the_first_of_equal_titles_is_the_summary(small_workbook: Book, edited: Edit) -> None:
    book = edited(small_workbook, "Layers", lambda rows: rows[2:])
    assert_frame_equal(
        balesdent2018.read(book).layer.drop(columns="src_row"),
        balesdent2018.read(small_workbook).layer.drop(columns="src_row"),
    )


@pytest.mark.parametrize("sheet", ["Profiles", "Layers"])
def test_a_lacking_column_is_named(small_workbook: Book, edited: Edit, sheet: str) -> None:
    for known in PROFILES if sheet == "Profiles" else LAYERS:
        if not known.required or known.title == "z1":
            continue

        def rename(rows: Rows, title: str = known.title) -> Rows:
            return [["renamed" if cell == title else cell for cell in row] for row in rows]

        with pytest.raises(UnreadableFile, match=known.title):
            balesdent2018.read(edited(small_workbook, sheet, rename))


def test_a_lacking_sheet_is_named(small_workbook: Book) -> None:
    with pytest.raises(UnreadableFile, match="no sheet Layers"):
        balesdent2018.read(Book("x.xlsx", {"Profiles": small_workbook.sheets["Profiles"]}))


FIRST = 5  # row of the first layer in the small workbook


@pytest.mark.parametrize(
    ("title", "value", "rule"),
    [
        ("C", "stock auteur", "value-elsewhere"),
        ("C", "many", "not-a-number"),
        ("d13C", "#REF!", "spreadsheet-error"),
        ("variance_value_d13C", "<0.05", "spread-censored"),
        ("variance_type_d13C", "CV", "spread-of-unknown-type"),
        ("nb_rep_d13C", "", "spread-of-one-value"),
        ("zmid", 33.0, "sample-depth-outside-layer"),
        ("zmid", 9.0, "sample-depth-not-middle"),
        ("Commentary", "layer depth expanded", "layer-expanded"),
        ("Commentary", "layer created by interpolation", "layer-interpolated"),
        ("z2", 0.0, "zero-thickness"),
        ("z2ref", 25.0, "reference-depth-differs"),
    ],
)
def test_each_trap_has_a_rule_and_a_flag(
    small_workbook: Book, edited: Edit, title: str, value: object, rule: str
) -> None:
    archive = balesdent2018.read(put(small_workbook, edited, "Layers", title, FIRST, value))
    assert rule in rules(archive, FIRST)
    severity = archive.rejects.set_index("rule")["severity"][rule]
    flags = study(archive).set_index("src_row")["flags"][FIRST]
    assert rule in flags or (severity == "note" and rule == "value-elsewhere")


def blank(book: Book, edited: Edit, row: int, *titles: str) -> Book:
    """The book without what stands under some titles in one row of the sheet Layers."""
    gone = [j for j, title in enumerate(book.sheets["Layers"].rows[HEADER["Layers"]]) if title in titles]

    def change(rows: Rows) -> Rows:
        rows[row - 1] = ["" if j in gone else cell for j, cell in enumerate(rows[row - 1])]
        return rows

    return edited(book, "Layers", change)


def test_a_layer_without_depth_is_not_used(small_workbook: Book, edited: Edit) -> None:
    archive = balesdent2018.read(blank(small_workbook, edited, FIRST, "z1", "z1ref"))
    assert {"depth-missing", "reference-depth-missing"} <= rules(archive, FIRST)
    assert FIRST not in archive.layer["src_row"].tolist()


def test_a_reference_without_depths_takes_those_beside_it(small_workbook: Book, edited: Edit) -> None:
    archive = balesdent2018.read(blank(small_workbook, edited, FIRST, "z1ref", "z2ref"))
    reference = archive.layer[(archive.layer["src_row"] == FIRST) & archive.layer["src_f"].isna()]
    assert reference["lyr_bot"].tolist() == [20.0]
    assert reference["flags"].tolist() == ["reference-depth-from-study"]


def test_a_value_at_study_depth_stands_before_the_one_of_the_row(small_workbook: Book, edited: Edit) -> None:
    archive = balesdent2018.read(
        put(small_workbook, edited, "Layers", "d13Cref_at_study_soil_depth", FIRST, -25.0)
    )
    layer = study(archive).iloc[0]
    assert (layer["pair_ref_13c"], layer["pair_ref_origin"]) == (-25.0, "at study depth")
    assert layer["pair_ref_13c_sd"] == 0.4, "the spread of the nearest layer of the reference"


def test_layers_of_nobody_are_not_given_to_the_profile_above(small_workbook: Book, edited: Edit) -> None:
    second = FIRST + 4
    archive = balesdent2018.read(put(small_workbook, edited, "Layers", "Identifier_1", second, ""))
    assert study(archive)["entry_name"].tolist() == ["N001"] * 3
    lost = archive.rejects[archive.rejects["rule"] == "block-without-name"]
    assert lost["row"].tolist() == [second, second + 1, second + 2]
    assert "profile-without-layers" in rules(archive)


@pytest.mark.parametrize(
    ("sheet", "row", "title", "value", "rule", "profiles"),
    [
        ("Profiles", 5, "Identifier_1", "", "key-missing", 1),
        ("Profiles", 6, "Identifier_1", "N001", "key-repeated", 1),
        ("Profiles", 5, "Identifier_1", "N009", "profile-without-layers", 1),
        ("Layers", FIRST, "Identifier_1", "N009", "layers-without-profile", 1),
        ("Layers", FIRST + 4, "Identifier_1", "N001", "key-repeated", 1),
        ("Layers", FIRST, "Studied_profile_ID", "other", "profile-name-differs", 2),
        ("Profiles", 5, "Land_Use", "LAWN", "unknown-word", 2),
        ("Profiles", 5, "Ref site is previousLU", "perhaps", "not-yes-or-no", 2),
        ("Profiles", 5, "Label type", "FACE", "labelled-by-co2", 2),
        ("Profiles", 5, "Sampling date", 1955.0, "sampled-before-1965", 2),
        ("Profiles", 5, "nb horizons", 4.0, "horizons-miscounted", 2),
        ("Profiles", 5, "Duration_labeling", "1,5", "decimal-comma", 2),
    ],
)
def test_keys_and_words_of_the_profiles(
    small_workbook: Book,
    edited: Edit,
    sheet: str,
    row: int,
    title: str,
    value: object,
    rule: str,
    profiles: int,
) -> None:
    archive = balesdent2018.read(put(small_workbook, edited, sheet, title, row, value))
    assert rule in rules(archive)
    assert (archive.profile["pro_treatment"] == "treatment").sum() == profiles
    studied = study(archive)[["entry_name", "pro_name"]].drop_duplicates()
    known = archive.profile[["entry_name", "pro_name"]]
    if rule != "profile-name-differs":
        assert len(studied.merge(known)) == len(studied), "no layer without its profile"


def test_the_summary_is_never_data(small_workbook: Book, edited: Edit) -> None:
    book = put(small_workbook, edited, "Layers", "ratio_newCtoC", FIRST, 0.99)
    assert_frame_equal(balesdent2018.read(book).layer, balesdent2018.read(small_workbook).layer)
    assert balesdent2018.summary(book)["layers"]["ratio_newCtoC"][0] == 0.99


def test_labels_of_studies_are_unique() -> None:
    cited = pd.Series(
        ["Dalal, R.C. A. J. 1 (2005).", "Dalal, R.C. B. J. 2 (2005).", "Legros S. Une longue thèse (2005)."]
    )
    assert study_labels(cited).tolist() == ["Dalal 2005a", "Dalal 2005b", "Legros 2005"]


def test_alexander_fails_on_organic_matter() -> None:
    assert alexander(np.array([505.0]))[0] == pytest.approx(-0.53, abs=0.01)


# ---- the published workbook -------------------------------------------------------------------------------

# How often each rule holds in the workbook of doi 10.1038/s41586-018-0328-3 (sheet rows, profiles).
COUNTS = {
    "depth-missing": 3,
    "organic-layer-unused": 1,
    "reference-depth-missing": 9,
    "horizons-miscounted": 1,
    "labelled-by-co2": 4,
    "layer-expanded": 11,
    "no-stock": 11,
    "reference-bulk-density-unused": 48,
    "reference-not-on-the-line": 30,
    "reference-stock-shifted": 1,
    "sample-depth-not-middle": 52,
    "sampled-before-1965": 2,
    "summary-below-soil": 2,
    "value-elsewhere": 11,
    "bulk-density-without-carbon": 2,
    "layer-interpolated": 8,
    "measured-bulk-density-unused": 8,
    "negative-bulk-density": 1,
    "new-and-old-exchanged": 10,
    "reference-depth-differs": 3,
    "reference-depth-from-study": 113,
    "reference-replicates-zero": 3,
    "sample-depth-doubtful": 1,
    "sample-depth-outside-layer": 1,
    "spread-censored": 4,
    "spread-of-one-value": 4,
    "spread-of-unknown-type": 8,
    "stock-from-summary": 6,
    "stock-is-old-carbon": 4,
    "zero-thickness": 3,
}


@pytest.mark.data
def test_the_whole_of_the_workbook_is_read(published: Archive) -> None:
    studied = published.profile[published.profile["pro_treatment"] == "treatment"]
    assert len(studied) == 112
    assert studied["entry_name"].tolist() == [f"N{i:03d}" for i in range(1, 113)]
    assert len(study(published)) == 754
    assert published.site["site_name"].nunique() == 74
    assert (
        published.metadata["study_id"].nunique()
        == published.metadata["bibliographical_reference"].nunique()
        == 52
    )
    assert studied["ref_pro_name"].nunique() == 78
    assert studied["pro_land_use"].value_counts().to_dict() == {"crop": 40, "grassland": 38, "forest": 34}
    assert studied["pair_ref_is_previous"].value_counts().to_dict() == {True: 88, False: 4}


@pytest.mark.data
def test_f_is_recomputed_for_every_layer(published: Archive, published_book: Book) -> None:
    layers = study(published)
    given = balesdent2018.summary(published_book)["layers"]
    both = layers.assign(f=fraction(layers)).merge(given, left_on="src_row", right_on="row", validate="1:1")
    assert len(both) == 754
    assert (both["src_f"] == "isotopes").sum() == 577
    assert (both["f"] - both["ratio_newCtoC"]).abs().max() < 1e-6


@pytest.mark.data
def test_stocks_are_recomputed_but_for_two_profiles(published: Archive, published_book: Book) -> None:
    given = balesdent2018.summary(published_book)["layers"]
    both = study(published).merge(given, left_on="src_row", right_on="row", validate="1:1")
    differs = ~np.isclose(both["lyr_soc"] * 10, both["c_stock"], rtol=1e-6, atol=1e-9, equal_nan=True)
    assert both["c_stock"].notna().sum() == 669
    assert both["entry_name_x"][differs].value_counts().to_dict() == {"N005": 8, "N071": 4}


@pytest.mark.data
def test_every_trap_is_found_as_often_as_it_occurs(published: Archive) -> None:
    assert published.rejects["rule"].value_counts().to_dict() == COUNTS


@pytest.mark.data
def test_no_layer_vanishes(published: Archive, published_book: Book, mutations: object) -> None:
    assert mutations.lost_rows("balesdent2018", published, published_book) == set()  # type: ignore[attr-defined]


@pytest.mark.data
def test_what_is_repaired_carries_its_flag(published: Archive) -> None:
    layers = study(published).set_index("entry_name")
    veldkamp = layers.loc["N043"]
    assert (veldkamp["flags"].str.contains("new-and-old-exchanged")).all()
    assert veldkamp["f_author"].iloc[0] == pytest.approx(0.68, abs=0.002)
    assert veldkamp["f_author"].iloc[-1] == pytest.approx(0.02, abs=0.002)
    dondini = layers.loc["N071"]
    assert (dondini["flags"] == "stock-is-old-carbon").all()
    assert dondini["lyr_soc"].sum() * 10 == pytest.approx(13.02, abs=0.005)
    litter = layers[layers["flags"].str.contains("zero-thickness")]
    assert litter.index.tolist() == ["N008", "N009", "N010"]
    assert litter["lyr_soc"].tolist() == [0.0, 0.0, 0.0]
    assert litter["lyr_bd_fill"].isna().all()
    for entry, _, _, rule, _ in NAMED:
        assert layers.loc[entry, "flags"].str.contains(rule).any()


@pytest.mark.data
def test_values_outside_0_and_1_are_kept(published: Archive) -> None:
    f = fraction(study(published))
    assert ((f < 0).sum(), (f > 1).sum()) == (31, 4)
    assert f.max() == pytest.approx(1.19, abs=0.005)
    assert f.min() == pytest.approx(-0.085, abs=0.001)


@pytest.mark.data
def test_spreads_are_those_of_replicates(published: Archive) -> None:
    layers = study(published)
    least_difference = layers[layers["entry_name"] == "N001"].iloc[0]  # LSD 0.4, n = 5: t(8) = 2.306
    assert least_difference["lyr_13c_sd"] == pytest.approx(0.4 / (2.306 * np.sqrt(2 / 5)), rel=1e-4)
    censored = layers[layers["src_row"] == 64].iloc[0]  # SE < 0.05, n = 3
    assert censored["lyr_13c_sd"] == pytest.approx(0.05 * np.sqrt(3))
    assert "spread-censored" in censored["flags"]
    interval = layers[(layers["entry_name"] == "N067") & (layers["lyr_13c_n"] > 1)].iloc[0]
    assert 0 < interval["lyr_13c_sd"] < 2


@pytest.mark.data
def test_keys_join_all_tables(published: Archive) -> None:
    for upper, lower in (("metadata", "site"), ("site", "profile"), ("profile", "layer")):
        keys = list(KEYS[upper])
        assert not published.table(upper).duplicated(keys).any()
        joined = published.table(lower).merge(published.table(upper)[keys], on=keys)
        assert len(joined) == len(published.table(lower))
    assert not published.layer.duplicated(list(KEYS["layer"])).any()


@pytest.mark.data
def test_the_summary_holds_what_the_authors_computed(published_book: Book) -> None:
    given = balesdent2018.summary(published_book)
    assert {name: len(table) for name, table in given.items()} == {
        "f_depth": 1142,
        "c_total": 922,
        "c_new": 922,
        "c_reference": 822,
        "shares": 1118,
        "profiles": 112,
        "layers": 754,
    }
    assert given["f_depth"]["f"].between(0, 1).all()


@pytest.mark.data
def test_the_older_spelling_of_the_headers_reads_alike(published_book: Book, edited: Edit) -> None:
    def respell(rows: Rows) -> Rows:
        return [[c.replace("RCn_", "RCnew_") if isinstance(c, str) else c for c in row] for row in rows]

    old = edited(published_book, "Profiles", respell)
    assert_frame_equal(balesdent2018.summary(old)["shares"], balesdent2018.summary(published_book)["shares"])


@pytest.mark.data
def test_it_is_recognised_whatever_its_name(workbook: object, tmp_path: object, published: Archive) -> None:
    from pathlib import Path

    copy = Path(str(tmp_path)) / "download.bin"
    copy.write_bytes(Path(str(workbook)).read_bytes())
    assert_frame_equal(read(copy).layer, published.layer)


def test_rules_have_a_severity_and_words() -> None:
    assert all(rule.text and rule.severity in ("error", "warning", "note") for rule in RULES.values())
    assert set(COUNTS) <= set(RULES) | {"depth-missing", "value-elsewhere", "spread-censored"}
