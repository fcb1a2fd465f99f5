"""Every rule catches what it is for, and a row is kept, repaired with a flag, or in the rejects."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from subsoil.archive.findings import has_flag
from subsoil.archive.readers import read
from subsoil.archive.rules import RULES
from subsoil.archive.schema import TABLES, Archive, empty, rejects_frame, typed
from subsoil.archive.validate import lines, render, summarise, validate

Change = Callable[[dict[str, pd.DataFrame]], None]
NAN = np.nan


def sound() -> dict[str, pd.DataFrame]:
    """A pair of profiles, three layers each, that no rule finds fault with."""
    entry = {"entry_name": "Doe_2001", "site_name": "farm"}
    layers = [
        {
            "pro_name": name,
            "lyr_name": f"{name}{i}",
            "lyr_top": top,
            "lyr_bot": bottom,
            "lyr_13c": d13c + shift,
        }
        for name, shift in (("maize", 4.0), ("wheat", 0.0))
        for i, (top, bottom, d13c) in enumerate([(0, 10, -27.0), (10, 30, -26.0), (30, 60, -25.0)])
    ]
    layer = pd.DataFrame(layers).assign(**entry, lyr_obs_date_y=2000.0, src_row=np.arange(6) + 2.0)
    layer = layer.assign(lyr_c_org=1.5, lyr_bd_samp=1.3, lyr_13c_sd=0.3, lyr_14c=20.0, lyr_14c_sigma=4.0)
    layer = layer.assign(lyr_bd_fill=1.3, src_soc="C x BD x thickness")
    layer["lyr_soc"] = layer["lyr_c_org"] / 100 * layer["lyr_bd_samp"] * (layer["lyr_bot"] - layer["lyr_top"])
    layer.loc[layer["pro_name"] == "maize", "pair_delta_veg"] = 14.0
    profile = pd.DataFrame(
        {"pro_name": ["maize", "wheat"], "pro_treatment": ["treatment", "control"], "src_row": [2.0, 3.0]}
    ).assign(**entry, ref_pro_name=["wheat", None], pro_label_type=["C4vsC3", None], pro_MAT=11.0)
    return {
        "metadata": pd.DataFrame({"entry_name": ["Doe_2001"]}),
        "site": pd.DataFrame([{**entry, "site_lat": 48.8, "site_long": 2.1}]),
        "profile": profile,
        "layer": layer,
        "fraction": pd.DataFrame(
            [{**entry, "pro_name": "maize", "lyr_name": "maize0", "frc_name": "light", "frc_input": "maize0"}]
        ).assign(frc_scheme="density"),
    }


def archive(change: Change | None = None) -> Archive:
    tables = sound()
    if change is not None:
        change(tables)
    return Archive(**{name: typed(name, table) for name, table in tables.items()}, source="doe")


def setting(table: str, column: str, value: object, row: int = 0) -> Change:
    def change(tables: dict[str, pd.DataFrame]) -> None:
        if column not in tables[table]:
            tables[table][column] = None if isinstance(value, str) else NAN
        tables[table].loc[row, column] = value

    return change


def scaling(column: str, factor: float, *more: str) -> Change:
    def change(tables: dict[str, pd.DataFrame]) -> None:
        for name in (column, *more):
            tables["layer"][name] = tables["layer"][name] * factor

    return change


def repeating(table: str, row: int, **changes: object) -> Change:
    def change(tables: dict[str, pd.DataFrame]) -> None:
        again = tables[table].iloc[[row]].assign(**changes)
        tables[table] = pd.concat([tables[table], again], ignore_index=True)

    return change


def both(*changes: Change) -> Change:
    def change(tables: dict[str, pd.DataFrame]) -> None:
        for each in changes:
            each(tables)

    return change


def test_sound_archive_passes_unchanged() -> None:
    before = archive()
    after = validate(before)
    assert len(after.rejects) == 0
    for name in TABLES:
        pd.testing.assert_frame_equal(after.table(name), before.table(name))


# rule, how the sound archive is spoilt, table and rows in which the rule must be met
CASES: list[tuple[str, Change, str, list[int]]] = [
    ("missing-key", setting("layer", "lyr_name", None, 4), "layer", [6]),
    ("missing-required", setting("profile", "pro_treatment", None), "profile", [2]),
    ("vocabulary", setting("profile", "pro_land_use", "maize"), "profile", [2]),
    ("infinite", setting("layer", "lyr_14c", np.inf, 2), "layer", [4]),
    ("out-of-bounds", setting("layer", "lyr_14c", -1400.0, 2), "layer", [4]),
    ("place-out-of-bounds", setting("layer", "lyr_obs_date_y", 200.0, 2), "layer", [4]),
    ("place-out-of-bounds", setting("site", "site_lat", 488.0), "site", [0]),
    ("error-not-positive", setting("layer", "lyr_13c_sd", 0.0, 1), "layer", [3]),
    ("error-not-positive", setting("layer", "lyr_14c_sigma", -3.0, 1), "layer", [3]),
    ("error-is-value", setting("layer", "lyr_14c_sigma", 20.0, 1), "layer", [3]),
    ("computed-value", setting("layer", "lyr_bd_samp", 1300.0), "layer", [2]),
    ("carbon-unit", scaling("lyr_c_org", 10.0), "layer", [2, 3, 4, 5, 6, 7]),
    ("carbon-unit", setting("layer", "lyr_c_org", 150.0), "layer", [2]),
    ("density-unit", scaling("lyr_bd_samp", 1000.0), "layer", [2, 3, 4, 5, 6, 7]),
    ("temperature-unit", setting("profile", "pro_MAT", 284.0), "profile", [2]),
    ("stock-unit", setting("layer", "lyr_soc", 25.0), "layer", [2]),
    ("stock-density", scaling("lyr_soc", 10.0), "layer", [2, 3, 4, 5, 6, 7]),
    ("stock-content", setting("layer", "lyr_soc", 1.2, 1), "layer", [3]),
    ("modern-unit", setting("layer", "lyr_fraction_modern", 98.0), "layer", [2]),
    ("13c-sign", setting("layer", "lyr_13c", 23.0), "layer", [2]),
    ("13c-range", setting("layer", "lyr_13c", -3.0), "layer", [2]),
    ("14c-modern", setting("layer", "lyr_fraction_modern", 0.5), "layer", [2]),
    ("depth-unit-m", scaling("lyr_top", 0.01, "lyr_bot"), "layer", [2, 3, 4, 5, 6, 7]),
    (
        "depth-unit-mm",
        both(scaling("lyr_top", 10.0, "lyr_bot"), scaling("lyr_bd_samp", 1.0)),
        "layer",
        [2, 3, 4, 5, 6, 7],
    ),
    ("missing-depth", setting("layer", "lyr_top", NAN, 1), "layer", [3]),
    ("bottom-repaired", setting("layer", "lyr_bot", NAN, 1), "layer", [3]),
    ("bottom-repaired", setting("layer", "lyr_bot", 0.0, 2), "layer", [4]),
    ("depth-logic", setting("layer", "lyr_bot", 5.0, 1), "layer", [3]),
    ("same-depth", setting("layer", "lyr_bot", 0.0, 0), "layer", [2]),
    ("overlap", setting("layer", "lyr_bot", 12.0, 0), "layer", [2, 3]),
    ("gap", setting("layer", "lyr_top", 15.0, 1), "layer", [3]),
    ("duplicate-row", repeating("layer", 1, src_row=9.0), "layer", [9]),
    ("duplicate-key", repeating("profile", 0, src_row=9.0, pro_MAT=5.0), "profile", [2, 9]),
    (
        "layer-name-twice",
        repeating("layer", 2, src_row=9.0, lyr_top=60.0, lyr_bot=80.0, lyr_soc=NAN),
        "layer",
        [4, 9],
    ),
    ("orphan", setting("layer", "pro_name", "rye", 5), "layer", [7]),
    ("reference-missing", setting("profile", "ref_pro_name", "rye"), "profile", [2]),
    ("no-contrast", setting("layer", "pair_delta_veg", 0.2), "layer", [2]),
    ("small-contrast", setting("layer", "pair_delta_veg", 3.0), "layer", [2]),
    ("contrast-sign", setting("layer", "pair_delta_veg", -14.0), "layer", [2]),
    (
        "reference-depth",
        repeating("layer", 2, src_row=9.0, lyr_name="deep", lyr_top=60.0, lyr_bot=80.0, lyr_soc=NAN),
        "layer",
        [9],
    ),
]


@pytest.mark.parametrize(("rule", "change", "table", "rows"), CASES)
def test_rule_is_met(rule: str, change: Change, table: str, rows: list[int]) -> None:
    before = archive(change)
    after = validate(before)
    met = after.rejects[after.rejects["rule"] == rule]
    assert sorted(set(met["row"])) == rows
    assert set(met["sheet"]) == {table}
    assert set(met["severity"]) == {RULES[rule].severity}
    kept = set(after.table(table)["src_row"].dropna().astype(int))
    if RULES[rule].severity == "error":
        assert not kept & set(rows)
    else:
        assert set(rows) - {0} <= kept
    if RULES[rule].severity == "warning" and table == "layer":
        flagged = after.layer.loc[has_flag(after.layer["flags"], rule), "src_row"]
        assert sorted(flagged.astype(int)) == rows
    no_row_is_lost(before, after)
    again = validate(after)
    for name in TABLES:
        pd.testing.assert_frame_equal(again.table(name), after.table(name))


def no_row_is_lost(before: Archive, after: Archive) -> None:
    lost = after.rejects[after.rejects["severity"] == "error"].groupby("sheet")["row"].agg(set)
    for name in ("profile", "layer"):
        had = set(before.table(name)["src_row"].astype(int))
        has = set(after.table(name)["src_row"].astype(int))
        assert has | set(lost.get(name, set())) == had
        assert not has & set(lost.get(name, set()))


def test_every_rule_has_a_case() -> None:
    tested = {rule for rule, *_ in CASES} | {
        "datum-repaired",
        "middle-repaired",
        "duplicate-place",
        "duplicate-coordinates",
    }
    assert tested == set(RULES)


def test_value_in_a_wrong_unit_is_emptied_never_converted() -> None:
    after = validate(archive(scaling("lyr_bd_samp", 1000.0)))
    assert after.layer["lyr_bd_samp"].isna().all()
    message = after.rejects["message"][after.rejects["rule"] == "density-unit"].iloc[0]
    assert "divide the column by 1000" in message
    assert "0.001 to 2.6 g cm-3" in message


def test_datum_of_organic_layers_is_turned() -> None:
    def change(tables: dict[str, pd.DataFrame]) -> None:
        repeating("layer", 0, src_row=8.0, lyr_name="Oi", lyr_top=5.0, lyr_bot=3.0, lyr_soc=NAN)(tables)
        repeating("layer", 0, src_row=9.0, lyr_name="Oe", lyr_top=3.0, lyr_bot=0.0, lyr_soc=NAN)(tables)
        setting("layer", "lyr_mid", 4.0, 7)(tables)

    after = validate(archive(change))
    organic = after.layer[after.layer["src_row"] > 7]
    assert organic[["lyr_top", "lyr_bot"]].to_numpy().tolist() == [[-5, -3], [-3, 0]]
    assert organic["lyr_mid"].tolist() == [-4, -1.5]
    assert organic["flags"].tolist() == ["datum-repaired; repaired; middle-repaired"] * 2
    assert after.rejects["value"].tolist() == ["5", "3", "3", "0", "", "4"]


def test_exchanged_depths_are_not_taken_for_organic_layers() -> None:
    def change(tables: dict[str, pd.DataFrame]) -> None:
        top, bottom = tables["layer"]["lyr_top"].copy(), tables["layer"]["lyr_bot"].copy()
        tables["layer"]["lyr_top"], tables["layer"]["lyr_bot"] = bottom, top

    after = validate(archive(change))
    assert set(after.rejects["rule"]) == {"depth-logic", "orphan"}
    assert len(after.layer) == 0


@pytest.mark.parametrize(("top", "bottom"), [(60.0, 70.0), (195.0, 200.0)])
def test_last_bottom_is_ten_centimetres_deeper_and_at_most_200(top: float, bottom: float) -> None:
    deep = repeating(
        "layer", 2, src_row=9.0, lyr_name="deep", lyr_top=top, lyr_bot=NAN, lyr_soc=NAN, lyr_13c=NAN
    )
    last = validate(archive(deep)).layer.query("src_row == 9").iloc[0]
    assert last["lyr_bot"] == bottom
    assert last["flags"].startswith("bottom-repaired; repaired")


def test_last_bottom_below_200_cannot_be_told() -> None:
    deep = repeating("layer", 2, src_row=9.0, lyr_name="deep", lyr_top=200.0, lyr_bot=NAN, lyr_soc=NAN)
    rejects = validate(archive(deep)).rejects
    assert rejects.loc[rejects["row"] == 9, "rule"].tolist() == ["missing-depth"]


def test_same_interval_twice_is_meant() -> None:
    twice = repeating("layer", 1, src_row=9.0, lyr_name="C", lyr_13c=-24.0)
    assert len(validate(archive(twice)).rejects) == 0


def test_years_are_separate_series() -> None:
    later = repeating(
        "layer", 1, src_row=9.0, lyr_name="later", lyr_obs_date_y=2010.0, lyr_top=5.0, lyr_soc=NAN
    )
    assert len(validate(archive(later)).rejects) == 0


def test_gaps_are_filled_on_request_only() -> None:
    def change(tables: dict[str, pd.DataFrame]) -> None:
        tables["layer"] = tables["layer"].iloc[[1, 3, 5]].reset_index(drop=True)
        tables["fraction"] = tables["fraction"].iloc[:0]

    assert len(validate(archive(change)).layer) == 3
    filled = validate(archive(change), fill=True)
    new = filled.layer[has_flag(filled.layer["flags"], "filled")]
    assert new[["pro_name", "lyr_top", "lyr_bot"]].to_numpy().tolist() == [
        ["maize", 0, 10],
        ["wheat", 10, 30],
    ]
    assert new[["lyr_13c", "lyr_c_org", "lyr_soc"]].isna().all(axis=None)
    again = validate(filled, fill=True)
    pd.testing.assert_frame_equal(again.layer, filled.layer)


def test_removed_parent_takes_its_rows_along_and_says_so() -> None:
    after = validate(archive(setting("site", "site_lat", 488.0)))
    assert [len(after.table(name)) for name in TABLES] == [1, 0, 0, 0, 0]
    assert after.rejects["rule"].value_counts().to_dict() == {"orphan": 9, "place-out-of-bounds": 1}


def test_one_sample_under_two_entries() -> None:
    one, other = archive(), archive()
    tables = {name: one.table(name).assign(entry_name="Roe_2005") for name in TABLES}
    joined = {n: pd.concat([other.table(n), tables[n]], ignore_index=True) for n in TABLES}
    rejects = validate(replace(other, **joined)).rejects
    assert set(rejects["rule"]) == {"duplicate-place"}
    assert len(rejects) == 6  # the reference is nobody's duplicate


def test_two_sites_at_one_place() -> None:
    rejects = validate(archive(repeating("site", 0, site_name="other farm"))).rejects
    assert rejects["rule"].tolist() == ["duplicate-coordinates"] * 2


def test_reject_says_where_and_what_to_do() -> None:
    after = validate(archive(setting("layer", "lyr_bot", 12.0, 0)), file="doe.xlsx")
    first = after.rejects.iloc[0]
    assert lines(after.rejects)[0] == (
        "error doe.xlsx:layer:2 lyr_top '0' overlap -> Doe_2001/maize/maize0: 0-12 cm: "
        + RULES["overlap"].text
    )
    assert first["message"].endswith("which one is right?")


def test_text_table_has_no_sheets() -> None:
    after = validate(archive(setting("layer", "lyr_bot", 12.0, 0)), file="doe.csv")
    assert lines(after.rejects)[0].startswith("error doe.csv:2 lyr_top")


def test_stock_of_a_wrong_density_names_the_density() -> None:
    after = validate(archive(both(scaling("lyr_bd_samp", 1000.0), scaling("lyr_soc", 1000.0))))
    assert after.layer["lyr_soc"].isna().all()
    assert after.rejects["rule"].value_counts().to_dict() == {"density-unit": 6, "computed-value": 6}


def test_summary_counts_the_gravest_first() -> None:
    after = validate(
        archive(both(setting("layer", "lyr_bot", 12.0, 0), setting("layer", "lyr_13c", -3.0, 4)))
    )
    counted = summarise(after.rejects)
    assert counted[["severity", "rule", "rows", "first_row"]].to_numpy().tolist() == [
        ["error", "overlap", 2, 2],
        ["error", "orphan", 1, 0],
        ["warning", "13c-range", 1, 6],
    ]
    assert len(summarise(rejects_frame())) == 0


def test_rendering_shows_each_rule_and_survives_markup() -> None:
    bad = archive(setting("profile", "pro_land_use", "[bold]maize[/]"))
    console = Console(record=True, width=200)
    console.print(render(validate(bad).rejects))
    text = console.export_text()
    assert "[bold]maize[/]" in text
    assert "expected crop, grassland, forest" in text
    many = archive(scaling("lyr_bd_samp", 1000.0))
    console.print(render(validate(many).rejects, at_most=2))
    assert "... 4 more" in console.export_text()
    console.print(render(rejects_frame()))
    assert "Every row is fine" in console.export_text()


def test_empty_archive_is_fine() -> None:
    assert len(validate(empty(), fill=True).rejects) == 0


def test_row_names_of_any_length_and_kind_survive() -> None:
    after = validate(archive(setting("layer", "lyr_name", "é" * 100_000 + "{}%s", 0)))
    assert len(after.layer) == 6
    assert after.rejects["message"].str.len().max() < 400


def test_simulated_and_source_stay() -> None:
    after = validate(replace(archive(), simulated=True))
    assert after.simulated
    assert after.source == "doe"


@pytest.mark.data
def test_workbook_of_2018_keeps_its_754_layers(workbook: Path) -> None:
    before = read(workbook)
    after = validate(before, file=workbook.name)
    study = after.profile.loc[after.profile["pro_treatment"] == "treatment", ["entry_name", "pro_name"]]
    assert len(study) == 112
    assert len(after.layer.merge(study, on=["entry_name", "pro_name"])) == 754
    new = summarise(after.rejects.iloc[len(before.rejects) :]).set_index("rule")["rows"].to_dict()
    # Zero spreads; N009 and N010 share the study profile; N080 holds much carbon in its first 5 cm.
    assert set(new) <= {"error-not-positive", "duplicate-place", "stock-density", "same-depth"}


@pytest.mark.data
def test_radiocarbon_database_shows_its_known_faults(data_dir: Path) -> None:
    before = read(data_dir / "israd2019")
    after = validate(before)
    found = summarise(after.rejects.iloc[len(before.rejects) :]).set_index("rule")["rows"]
    too_large = (
        found["stock-unit"]
        + ((after.rejects["rule"] == "out-of-bounds") & (after.rejects["column"] == "lyr_soc")).sum()
    )
    assert too_large >= 247
    assert found["14c-modern"] >= 17
    assert found["13c-range"] >= 15
    lost = (after.rejects["severity"] == "error") & (after.rejects["sheet"] == "layer")
    assert len(after.layer) + lost.sum() == len(before.layer)
