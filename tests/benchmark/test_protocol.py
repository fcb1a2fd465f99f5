"""What models are asked: rows by hand from a small archive, doubts, groups, forcing by the stated rules."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from subsoil.archive.readers import balesdent2018
from subsoil.archive.schema import Archive, typed
from subsoil.benchmark.doubts import stock_ratio
from subsoil.benchmark.inputs import biomes, carbon_input, forcings, refused
from subsoil.benchmark.protocol import DEPTH_CLASSES, PROTOCOL, build, depth_class, groups
from subsoil.benchmark.reference import PROFILES, Reference, checksum
from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.forcing import site_forcing

GRID = DepthGrid.from_cm([0, 10, 30, 100])
KEY = {"entry_name": "N001", "site_name": "here"}
SITE = {"pro_MAT": 25.0, "pro_MAP": 1500.0, "pro_P_PET": 1.2, "pro_clay": 40.0, "pro_land_use": "crop"}


def layers(name: str, bounds: list[float], stock: float = 0.2, **more: object) -> list[dict[str, object]]:
    """Layers between bounds, each of the same stock (g cm-2) known to a tenth; f falls with depth."""
    return [
        {
            **KEY, "pro_name": name, "lyr_name": f"{name} {top:g}", "lyr_top": top, "lyr_bot": bottom,
            "lyr_mid": 0.5 * (top + bottom), "lyr_13c": -25.0 + 6.0 / (1.0 + top), "pair_ref_13c": -25.0,
            "pair_delta_veg": 12.0, "lyr_soc": stock, "lyr_soc_sd": 0.1 * stock, "lyr_soc_n": 1.0,
            "src_f": "isotopes", "pair_ref_origin": "same row", "lyr_obs_date_y": 2000.0, "flags": "", **more,
        }
        for top, bottom in pairwise(bounds)
    ]  # fmt: skip


def control(bounds: list[float], stock: float) -> list[dict[str, object]]:
    """Layers of the reference soil: no label, no f."""
    return layers("forest", bounds, stock, src_f=None, lyr_13c=np.nan, pair_ref_13c=np.nan)


def archive(rows: list[Mapping[str, object]], **profile: object) -> Archive:
    """Every profile named in the rows, beside one reference called forest."""
    names = list(dict.fromkeys(str(row["pro_name"]) for row in rows))
    study = [
        {
            **KEY, **SITE, "pro_name": name, "pro_treatment": "treatment", "ref_pro_name": "forest",
            "pro_reps": 1.0, "pro_label_years": 20.0, "pro_label_type": "C4vsC3", "pro_max_depth": 100.0,
            **profile,
        }
        for name in names
        if name != "forest"
    ]  # fmt: skip
    beside = {**KEY, **SITE, "pro_name": "forest", "pro_treatment": "control", "pro_reps": 1.0}
    return Archive(
        metadata=typed("metadata", pd.DataFrame([{"entry_name": "N001", "study_id": "Test 2000"}])),
        site=typed("site", pd.DataFrame([{**KEY, "site_lat": -10.0, "site_long": 20.5}])),
        profile=typed("profile", pd.DataFrame([*study, beside])),
        layer=typed("layer", pd.DataFrame(rows)),
        source="balesdent2018",
    )


def of(reference: Reference, target: str, profile: str = "") -> pd.DataFrame:
    rows = reference.values.iloc[reference.rows(target)]
    return rows[rows["profile_id"] == f"N001/{profile}"] if profile else rows


@pytest.fixture(scope="module")
def real(workbook: Path) -> Archive:
    return balesdent2018.read(workbook)


# ---- values -----------------------------------------------------------------------------------------------


def test_every_layer_with_new_carbon_is_asked_for_unclipped() -> None:
    rows = layers("cane", [0, 10, 30]) + layers("cane", [30, 30], lyr_13c=-26.0)
    found = of(build(archive(rows)), "f_new")
    np.testing.assert_allclose(found["observed"], [0.5, 6 / 11 / 12, -1 / 12], rtol=1e-12)
    assert found["depth_class"].tolist() == ["0-10", "10-30", "30-50"]
    assert (found["years"] == 20.0).all()
    assert (found["sigma"] > 0.0).all()


def test_shares_of_stock_are_those_above_the_first_gap_and_one_metre() -> None:
    rows = layers("cane", [0, 10, 30, 80, 120]) + layers("gap", [0, 20, 40]) + layers("gap", [50, 60, 70])
    rows += layers("single", [0, 30])
    reference = build(archive(rows))
    assert of(reference, "stock_share", "cane")["layer_bottom"].tolist() == [10.0, 30.0, 80.0]
    assert of(reference, "stock_share", "gap")["layer_bottom"].tolist() == [20.0, 40.0]
    assert of(reference, "stock_share", "single").empty
    sums = of(reference, "stock_share").groupby("profile_id")["observed"].sum()
    np.testing.assert_allclose(sums, 1.0, rtol=1e-12)


def test_the_error_of_a_share_is_that_of_random_stocks() -> None:
    rows = layers("cane", [0, 10, 30, 80])
    rows = [
        row | {"lyr_soc": x, "lyr_soc_sd": 0.05 * x} for row, x in zip(rows, (0.5, 0.3, 0.1), strict=True)
    ]
    found = of(build(archive(rows)), "stock_share")
    stock = np.array([0.5, 0.3, 0.1]) * (1.0 + 0.05 * np.random.default_rng(0).normal(size=(40_000, 3)))
    np.testing.assert_allclose(
        found["sigma"], (stock / stock.sum(axis=1, keepdims=True)).std(axis=0), rtol=0.02
    )


def test_isochrones_stand_at_points_and_have_an_error_each() -> None:
    found = of(build(archive(layers("cane", [0, 10]))), "isochrone").set_index(["layer_top", "years"])
    assert len(found) == 40
    assert found["observed"][10.0, 50.0] == pytest.approx(0.459)
    assert found["sigma"][10.0, 50.0] == pytest.approx(np.hypot(2.6, 0.3) / 100)
    mean = np.hypot((2.6 + 4.0 + 5.0 + 1.8) / 4, 0.3) / 100
    assert found["sigma"][10.0, 3.0] == found["sigma"][0.0, 50.0] == pytest.approx(mean)
    assert set(found["profile_id"]) == {""}


def test_a_reference_does_not_depend_on_the_order_of_the_archive() -> None:
    whole = archive(layers("cane", [0, 10, 30, 60]) + layers("maize", [0, 20, 40]) + control([0, 50], 0.4))
    turned = replace(whole, layer=whole.layer[::-1].reset_index(drop=True), profile=whole.profile[::-1])
    assert checksum(build(whole)) == checksum(build(turned))


def test_a_checksum_sees_every_digit_and_no_order() -> None:
    reference = build(archive(layers("cane", [0, 10, 30])))
    turned = replace(
        reference, values=reference.values[::-1].assign(note="x"), profiles=reference.profiles[::-1]
    )
    assert checksum(turned) == checksum(reference)
    changed = reference.values.copy()
    changed.loc[0, "observed"] = np.nextafter(changed.loc[0, "observed"], 1.0)
    assert checksum(replace(reference, values=changed)) != checksum(reference)
    assert checksum(replace(reference, protocol="2.0")) != checksum(reference)


def test_radiocarbon_stands_beside() -> None:
    alone = build(archive(layers("cane", [0, 10, 30])))
    values = of(alone, "f_new").assign(target="delta14c", profile_id="x", years=np.nan, depth_class="?")
    joined = build(
        archive(layers("cane", [0, 10, 30])), radiocarbon=(values, alone.profiles.assign(profile_id="x"))
    )
    assert joined.protocol == PROTOCOL
    assert of(joined, "delta14c")["depth_class"].tolist() == ["0-10", "10-30"]
    assert joined.profiles["profile_id"].tolist() == ["N001/cane", "x"]


def test_an_archive_without_new_carbon_is_refused() -> None:
    with pytest.raises(BadCall, match="no layer with new carbon"):
        build(archive(control([0, 10], 0.2)))


def test_depth_classes_go_by_the_middle() -> None:
    assert depth_class([0, 0, 10, 25, 49, 90, 0], [20, 19.9, 10, 35, 51, 110, 400]).tolist() == [
        "10-30", "0-10", "10-30", "30-50", "50-100", "100+", "100+"
    ]  # fmt: skip


# ---- doubts and groups ------------------------------------------------------------------------------------


def doubts_of(rows: list[Mapping[str, object]], **profile: object) -> str:
    return str(build(archive(rows, **profile)).profiles["doubts"].iloc[0])


def test_a_profile_without_a_doubt_has_none() -> None:
    assert doubts_of(layers("cane", [0, 10, 30]) + control([0, 15, 60], 0.3)) == ""


def test_doubts_are_told_in_words_and_remove_nothing() -> None:
    rows = layers("cane", [0, 10, 30])
    assert "CO2" in doubts_of(rows, pro_label_type="FACE")
    assert "dated by other means" in doubts_of(rows, pro_label_years=4000.0)
    assert "small contrast" in doubts_of([row | {"pair_delta_veg": 3.0} for row in rows])
    assert "exchanged" in doubts_of([row | {"flags": "same-depth; new-and-old-exchanged"} for row in rows])
    marked = build(archive(rows, pro_label_type="FACE", pro_label_years=4000.0))
    assert len(of(marked, "f_new")) == len(rows)


def test_a_soil_out_of_balance_is_told_by_the_stock_beside_it() -> None:
    rows = layers("cane", [0, 10, 30], 0.2) + control([0, 15, 60], 0.6)
    # To 30 cm: reference 0.6 + 0.6 / 3 = 0.8, profile 0.4.
    assert stock_ratio(archive(rows)).to_dict() == {"N001/cane": pytest.approx(2.0)}
    assert "reference stock 2.00 of the profile's" in doubts_of(rows)


def test_groups_are_by_the_profile_and_leave_isochrones_alone() -> None:
    rows = layers("cane", [0, 10, 30]) + layers("wood", [0, 20, 40]) + layers("moor", [0, 30])
    reference = build(archive(rows))
    table = reference.profiles.set_index("profile_id", drop=False)
    table["land_use"] = ["crop", "", "forest"]
    table["p_pet"], table["mat"], table["labelling_years"] = (
        [0.3, np.nan, 1.2],
        [18.0, 5.0, 17.9],
        [50.0, 51.0, 9.0],
    )
    reference = replace(reference, profiles=table[[*PROFILES]][::-1])
    found = groups(reference)
    profile = reference.values["profile_id"].str.removeprefix("N001/")
    members = {name: set(profile[mask]) - {""} for name, mask in found.items()}
    assert members["crop"] == members["dry"] == members["tropical"] == {"cane"}
    assert members["forest"] == members["humid"] == {"wood"}
    assert members["cool"] == {"moor", "wood"}
    assert members["over 50 yr"] == {"moor"}
    assert members["up to 50 yr"] == {"cane", "wood"}
    assert members["grassland"] == set()
    assert found["all"].all()
    isochrone = reference.rows("isochrone")
    assert not any(mask[isochrone].any() for name, mask in found.items() if name != "all")


# ---- forcing ----------------------------------------------------------------------------------------------


def sites(**columns: object) -> pd.DataFrame:
    table = {"profile_id": ["a", "b"], "mat": [10.0, 26.0], "map": [800.0, 1800.0], "p_pet": [1.1, 1.3],
             "clay": [0.3, 0.6], "land_use": ["crop", "forest"]}  # fmt: skip
    return pd.DataFrame(table | columns)


def test_the_forcing_is_that_of_each_site() -> None:
    batch = forcings(sites(), GRID)
    enters, above = carbon_input(np.array([10.0, 26.0]), np.array([800.0, 1800.0]), np.array([True, False]))
    for row, biome in enumerate(["crops", "tropical evergreen forest"]):
        at = sites().iloc[row]
        alone = site_forcing(
            GRID, mat=at["mat"], map_mm=at["map"], p_pet=at["p_pet"], clay=at["clay"],
            sand=0.5 * (1 - at["clay"]), npp=enters[row], above=above[row], biome=biome,
        )  # fmt: skip
        for name, one, many in zip(alone._fields, alone, batch, strict=True):
            np.testing.assert_allclose(np.asarray(many)[row], one, rtol=1e-12, err_msg=name)


def test_what_is_not_known_has_the_stated_default() -> None:
    batch = forcings(sites(clay=np.nan, p_pet=np.nan, land_use=""), GRID)
    np.testing.assert_allclose(batch.clay, 0.2)
    np.testing.assert_allclose(batch.potential_evaporation, 58.93e-3 * np.array([10.0, 26.0]))
    alone = site_forcing(GRID, mat=10, map_mm=800)
    np.testing.assert_allclose(batch.root_share[0], alone.root_share)
    np.testing.assert_allclose(batch.sand, 0.4)


def test_the_smaller_of_warmth_and_rain_bounds_the_input_and_harvest_takes_from_above() -> None:
    mat, rain = np.array([5.0, 5.0, 27.0]), np.array([900.0, 3000.0, 600.0])
    enters, above = carbon_input(mat, rain, np.zeros(3, bool))
    assert enters[0] == enters[1] == pytest.approx(0.47 * 3.0 / (1 + np.exp(1.315 - 0.119 * 5)))
    assert enters[2] == pytest.approx(0.47 * 3.0 * (1 - np.exp(-0.000664 * 600)))
    harvested, over = carbon_input(mat, rain, np.ones(3, bool))
    np.testing.assert_allclose(harvested * (1 - over), enters * (1 - above))
    np.testing.assert_allclose(harvested * over, 0.55 * enters * above)


def test_biomes_by_land_use_and_climate() -> None:
    table = pd.DataFrame(
        [("grassland", 18.0, 0.5), ("grassland", 17.0, 0.5), ("forest", 25.0, 0.9), ("forest", 25.0, np.nan),
         ("forest", 2.0, 2.0), ("forest", 9.0, 2.0), ("tundra", -5.0, 1.0), ("wetland", 9.0, 1.0)],
        columns=["land_use", "mat", "p_pet"],
    )  # fmt: skip
    assert biomes(table).tolist() == [
        "tropical grassland savanna", "temperate grassland", "tropical deciduous forest",
        "tropical deciduous forest", "boreal forest", "temperate deciduous forest", "tundra", "global",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("mat", np.nan, "mat is missing"),
        ("map", 0.8, "m x 1000 is mm"),
        ("clay", 30.0, "per cent / 100"),
        ("mat", 299.0, "kelvin"),
    ],
)
def test_a_site_that_cannot_be_is_refused_by_name(column: str, value: float, message: str) -> None:
    table = sites()
    table.loc[1, column] = value
    reasons = refused(table)
    assert not reasons[0]
    assert message in reasons[1]
    with pytest.raises(BadCall, match="b: "):
        forcings(table, GRID)


# ---- the published data -----------------------------------------------------------------------------------


@pytest.mark.data
def test_the_archive_of_2018_is_all_there(real: Archive) -> None:
    reference = build(real)
    f_new = of(reference, "f_new")
    assert (len(f_new), f_new["profile_id"].nunique(), len(reference.profiles)) == (754, 112, 112)
    assert (f_new["observed"].min() < 0.0, f_new["observed"].max() > 1.0) == (True, True), "unclipped"
    assert reference.profiles["tropical"].sum() == 55
    assert reference.profiles["clay"].between(0.0, 1.0).all()
    assert set(f_new["depth_class"]) == set(DEPTH_CLASSES)
    assert not any(refused(reference.profiles))
    assert np.isfinite(reference.values[["observed", "sigma"]]).all(axis=None)
    assert (reference.values["sigma"] > 0.0).all()
    sums = of(reference, "stock_share").groupby("profile_id")["observed"].sum()
    np.testing.assert_allclose(sums, 1.0, rtol=1e-12)


@pytest.mark.data
def test_doubtful_profiles_of_2018_are_marked(real: Archive) -> None:
    reference = build(real)
    doubts = reference.profiles.set_index(reference.profiles["profile_id"].str[:4])["doubts"]
    assert "exchanged" in doubts["N043"]
    assert "old carbon alone" in doubts["N071"]
    assert "without thickness" in doubts["N008"]
    assert doubts.str.contains("CO2").sum() == 4
    assert doubts["N001"] == ""
    assert 0.95 < stock_ratio(real).median() < 1.05, "most soils are near balance"
