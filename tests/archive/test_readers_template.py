"""The reader of our own template: pairs, spreads, stocks and what is said about mistakes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsoil.archive.readers import pairing, read, template
from subsoil.archive.readers.cells import Log
from subsoil.archive.readers.template_layout import FLAT_FIELDS, titles
from subsoil.archive.schema import Archive, typed
from subsoil.archive.template import EXAMPLE_LAYERS, EXAMPLE_PROFILES
from subsoil.archive.workbook import Book, Sheet
from subsoil.errors import BadCall, UnreadableFile

Edit = Callable[..., Book]


def rules(archive: Archive) -> set[str]:
    return set(archive.rejects["rule"])


def put(book: Book, edited: Edit, name: str, row: int, **values: object) -> Book:
    """The book with some cells of one row changed; ``row`` counts from 1, the titles are row 1."""

    def change(rows: list[list[object]]) -> list[list[object]]:
        for title, value in values.items():
            rows[row - 1][rows[0].index(title)] = value
        return rows

    return edited(book, name, change)


def flat_book() -> Book:
    """The same data as the small template, in one table."""
    profiles = {p["pro_name"]: p for p in EXAMPLE_PROFILES}
    joined = [{**profiles[la["pro_name"]], **la, "entry_name": "Mine_2020"} for la in EXAMPLE_LAYERS]
    rows = [list(titles(FLAT_FIELDS)), *([row.get(t, "") for t in titles(FLAT_FIELDS)] for row in joined)]
    return Book("mine.csv", {"": Sheet("", rows)})


# ---- reading ----------------------------------------------------------------------------------------------


def test_a_filled_template_reads_without_a_complaint(small_template: Book) -> None:
    archive = template.read(small_template)
    assert archive.rejects.empty
    assert archive.profile["pro_treatment"].tolist() == ["treatment", "control"]
    assert archive.profile["ref_pro_name"].fillna("").tolist() == ["forest", ""]
    pasture = archive.layer[archive.layer["pro_name"] == "pasture"]
    f = (pasture["lyr_13c"] - pasture["pair_ref_13c"]) / pasture["pair_delta_veg"]
    assert f.round(4).tolist() == [0.4519, 0.1333]
    assert pasture["lyr_soc"].tolist() == pytest.approx([3.1e-2 * 1.05 * 10, 2.2e-2 * 1.15 * 20])  # g cm-2
    assert pasture["pair_ref_origin"].tolist() == ["same row"] * 2
    assert pasture["src_f"].tolist() == ["isotopes"] * 2


def test_one_flat_table_says_the_same_as_two_sheets(small_template: Book) -> None:
    two, one = template.read(small_template), template.read(flat_book())
    assert one.rejects.empty
    for name in ("metadata", "site", "profile", "layer"):
        pd.testing.assert_frame_equal(
            one.table(name).drop(columns="src_row"), two.table(name).drop(columns="src_row")
        )


def test_units_and_examples_are_left_out(small_template: Book, edited: Edit) -> None:
    def add(rows: list[list[object]]) -> list[list[object]]:
        example = ["EXAMPLE_1999", *rows[1][1:]]
        return [rows[0], ["(unit)", *["cm"] * (len(rows[0]) - 1)], example, *rows[1:]]

    archive = template.read(edited(edited(small_template, "layers", add), "profiles", add))
    assert len(archive.layer) == 4
    assert archive.rejects["rule"].tolist() == ["example-row"] * 2
    assert archive.rejects["row"].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("name", "values", "rule", "layers"),
    [
        ("layers", {"entry_name": ""}, "key-missing", 3),
        ("layers", {"pro_name": "pastur"}, "profile-unknown", 3),
        ("layers", {"lyr_13c": "ca. -20"}, "not-a-number", 4),
        ("layers", {"lyr_top": "0,5"}, "decimal-comma", 4),
        ("layers", {"lyr_13c_se": 0.2}, "two-spreads", 4),
        ("profiles", {"pro_name": ""}, "key-missing", 2),
        ("profiles", {"pro_name": "forest"}, "key-repeated", 2),
        ("profiles", {"ref_pro_name": "wood"}, "reference-unknown", 4),
        ("profiles", {"site_lat": ""}, "place-missing", 4),
        ("profiles", {"site_lat": -16.6}, "site-too-wide", 4),
    ],
)
def test_mistakes_are_named(
    small_template: Book, edited: Edit, name: str, values: dict, rule: str, layers: int
) -> None:
    archive = template.read(put(small_template, edited, name, 2, **values))
    assert rule in rules(archive)
    assert len(archive.layer) == layers
    where = archive.rejects[archive.rejects["rule"] == rule].iloc[0]
    assert where["sheet"] in ("profiles", "layers")
    assert where["row"] >= 2


def test_a_flat_table_that_contradicts_itself_is_told() -> None:
    book = flat_book()
    rows = book.sheets[""].rows
    rows[2][rows[0].index("pro_label_years")] = 99
    archive = template.read(book)
    (reject,) = archive.rejects.to_dict("records")
    assert (reject["rule"], reject["row"], reject["column"], reject["value"]) == (
        "values-differ",
        3,
        "pro_label_years",
        "99",
    )
    assert archive.profile["pro_label_years"].max() == 20


def test_a_standard_error_becomes_the_sd_of_replicates(small_template: Book, edited: Edit) -> None:
    book = put(
        small_template,
        edited,
        "layers",
        2,
        lyr_13c_sd="",
        lyr_13c_se=0.2,
        lyr_13c_n=4,
        soc_stock=3.3,
        soc_stock_se=0.1,
        soc_stock_n=9,
    )
    layer = template.read(book).layer.iloc[0]
    assert layer["lyr_13c_sd"] == pytest.approx(0.4)
    assert (layer["lyr_soc"], layer["lyr_soc_sd"], layer["src_soc"]) == (
        pytest.approx(0.33),
        pytest.approx(0.03),
        "author",
    )


def test_a_published_f_serves_where_the_isotopes_do_not(small_template: Book, edited: Edit) -> None:
    book = put(small_template, edited, "layers", 2, f_author=0.4)
    assert template.read(book).layer["src_f"][0] == "isotopes"
    book = put(book, edited, "layers", 2, lyr_13c="")
    assert template.read(book).layer["src_f"][0] == "author"


def test_a_reference_beside_the_layer_needs_no_profile(small_template: Book, edited: Edit) -> None:
    book = put(small_template, edited, "layers", 2, pair_ref_13c=-27.0, pair_ref_13c_sd=0.1)
    layer = template.read(book).layer.iloc[0]
    assert (layer["pair_ref_13c"], layer["pair_ref_13c_sd"]) == (-27.0, 0.1)
    assert layer["pair_ref_origin"] == "at study depth"


def test_a_reference_dug_nearby_belongs_to_the_site_of_its_pair(small_template: Book, edited: Edit) -> None:
    archive = template.read(put(small_template, edited, "profiles", 3, site_lat=-15.61))
    assert set(archive.profile["site_name"]) == {"-15.6000,-47.7000"}
    assert archive.profile["pro_lat"].tolist() == [-15.6, -15.61]
    assert archive.rejects.empty


def test_a_second_sheet_of_a_kind_is_told(small_template: Book) -> None:
    copy = Sheet("layers (2)", small_template.sheets["layers"].rows)
    archive = template.read(Book("x.xlsx", {**small_template.sheets, "layers (2)": copy}))
    assert archive.rejects[["sheet", "rule", "severity"]].to_numpy().tolist() == [
        ["layers (2)", "sheet-not-used", "error"]
    ]
    assert len(archive.layer) == 4


def test_an_empty_template_and_a_lacking_column_are_told(small_template: Book, edited: Edit) -> None:
    with pytest.raises(UnreadableFile, match="fill its rows in"):
        template.read(edited(small_template, "layers", lambda rows: rows[:1]))
    with pytest.raises(UnreadableFile, match="lyr_bot"):
        template.read(
            edited(small_template, "layers", lambda rows: [[c for c in rows[0] if c != "lyr_bot"], *rows[1:]])
        )
    with pytest.raises(UnreadableFile, match="sheet profiles"):
        template.read(Book("x.xlsx", {"layers": small_template.sheets["layers"]}))


def test_a_file_of_another_make_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    other = tmp_path / "a.csv"
    other.write_text("x,y\n1,2\n", encoding="utf-8")
    with pytest.raises(
        UnreadableFile, match=r"no reader knows these columns\. Expected the supplementary workbook"
    ):
        read(other)
    with pytest.raises(BadCall, match="no reader 'excel'; expected one of balesdent2018"):
        read(other, reader="excel")
    with pytest.raises(UnreadableFile, match="Profiles"):
        read(other, reader="balesdent2018")
    with pytest.raises(UnreadableFile, match="holds no"):
        read(tmp_path / "sub") if (tmp_path / "sub").mkdir() is None else None


# ---- pairing ----------------------------------------------------------------------------------------------


def pair(study: list[tuple], reference: list[tuple]) -> tuple[pd.DataFrame, list[str]]:
    """Pair layers of (top, bottom, δ13C) with reference layers of (top, bottom, δ13C, C %)."""
    rows = [{"pro_name": "s", "lyr_top": a, "lyr_bot": b, "lyr_13c": d} for a, b, d in study]
    rows += [
        {
            "pro_name": "r",
            "lyr_top": a,
            "lyr_bot": b,
            "lyr_13c": d,
            "lyr_c_org": c,
            "lyr_13c_sd": 0.5,
            "lyr_13c_n": 3,
        }
        for a, b, d, c in reference
    ]
    layer = pd.DataFrame(rows).assign(entry_name="e", site_name="x", src_row=range(2, len(rows) + 2))
    profile = pd.DataFrame(
        {"entry_name": ["e"], "site_name": ["x"], "pro_name": ["s"], "ref_pro_name": ["r"]}
    )
    log = Log("f", "", pairing.RULES)
    paired = pairing.pair_references(typed("layer", layer), profile, log)
    return paired[paired["pro_name"] == "s"], [r.rule for r in log.rejects]


def test_a_reference_at_other_depths_is_averaged_by_its_carbon() -> None:
    layer, found = pair([(0, 20, -20.0)], [(0, 10, -27.0, 3.0), (10, 20, -24.0, 1.0)])
    assert layer["pair_ref_13c"].tolist() == [pytest.approx(-27 * 0.75 - 24 * 0.25)]
    assert layer["pair_ref_13c_sd"].tolist() == [pytest.approx(0.5)]
    assert layer["pair_ref_13c_n"].tolist() == [3.0]
    assert layer["pair_ref_origin"].tolist() == ["interpolated"]
    assert layer["flags"].tolist() == ["reference-interpolated"]
    assert found == ["reference-interpolated"]


def test_without_carbon_it_is_averaged_by_thickness() -> None:
    layer, found = pair([(0, 20, -20.0)], [(0, 5, -27.0, np.nan), (5, 20, -23.0, 1.0)])
    assert layer["pair_ref_13c"].tolist() == [pytest.approx(-24.0)]
    assert found == ["reference-interpolated", "reference-unweighted"]


@pytest.mark.parametrize(
    ("study", "reference", "rule"),
    [
        ((10, 30, -20.0), [(0, 20, -27.0, 1.0)], "reference-not-sampled"),
        ((10, 20, -20.0), [(0, 10, -27.0, 1.0), (20, 30, -25.0, 1.0)], "reference-not-sampled"),
        ((50, 60, -20.0), [(0, 20, -27.0, 1.0)], "reference-not-sampled"),
        ((0, 20, -20.0), [(0, 15, -27.0, 1.0), (10, 20, -25.0, 1.0)], "reference-overlaps"),
        ((0, 20, -20.0), [(0, 20, np.nan, 1.0)], "reference-not-sampled"),
    ],
)
def test_nothing_is_extrapolated(study: tuple, reference: list[tuple], rule: str) -> None:
    layer, found = pair([study], reference)
    assert layer["pair_ref_13c"].isna().all()
    assert rule in found
    assert rule in layer["flags"].iloc[0]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(1, 40), st.floats(-35, -10), st.floats(0.1, 10)), min_size=1, max_size=6),
)
def test_a_mean_lies_between_the_values_it_is_made_of(steps: list[int], layers: list[tuple]) -> None:
    bounds = np.cumsum([0, *(t for t, _, _ in layers)])
    reference = [(bounds[i], bounds[i + 1], d, c) for i, (_, d, c) in enumerate(layers)]
    depths = np.cumsum([0, *steps])
    study = [(depths[i], depths[i + 1], -20.0) for i in range(len(steps))]
    paired, _ = pair(study, reference)
    for row in paired.itertuples():
        over = [d for a, b, d, _ in reference if a < row.lyr_bot and b > row.lyr_top]
        if row.lyr_bot <= bounds[-1]:
            assert min(over) - 1e-9 <= row.pair_ref_13c <= max(over) + 1e-9
        else:
            assert np.isnan(row.pair_ref_13c)
