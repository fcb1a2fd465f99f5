"""Measured Delta14C: what is taken from the database, what is left out and why; no layer goes missing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from subsoil.archive.readers import read
from subsoil.archive.schema import Archive, empty, typed
from subsoil.archive.validate import validate
from subsoil.benchmark.inputs import forcings
from subsoil.benchmark.israd import DEFAULT_SIGMA, RULES, observations
from subsoil.benchmark.radiocarbon import atmospheres, delta14c
from subsoil.benchmark.reference import PROFILES, VALUES, Reference
from subsoil.errors import BadCall
from subsoil.models.catalogue import model as published

Cells = Mapping[str, object]
LAYER: Cells = {
    "lyr_top": 0.0, "lyr_bot": 10.0, "lyr_14c": 50.0, "lyr_14c_sigma": 4.0, "lyr_obs_date_y": 1995.0,
    "lyr_clay_tot_psa": 24.0, "lyr_c_org": 3.0, "flags": "",
}  # fmt: skip
PROFILE: Cells = {
    "pro_lat": 50.0, "pro_long": 8.0, "pro_treatment": "control", "pro_MAT": 9.0, "pro_MAP": 800.0,
    "pro_PET": 640.0, "pro_land_cover": "cultivated", "pro_bio1": 95.0, "pro_bio12": 780.0,
}  # fmt: skip


def archive(*layers: Cells, profile: Cells | None = None) -> Archive:
    """One profile with layers that differ from `LAYER` as told; ``of`` names another profile or entry."""
    rows = []
    for number, layer in enumerate(layers, 2):
        entry, name = str(layer.get("of", "A_2001/p")).split("/")
        given = {key: value for key, value in layer.items() if key != "of"}
        keys = {"entry_name": entry, "site_name": "hill", "pro_name": name, "lyr_name": f"l{number}"}
        rows.append(LAYER | given | keys | {"src_row": float(number)})
    layer = pd.DataFrame(rows)
    above = layer[["entry_name", "site_name", "pro_name"]].drop_duplicates()
    site = above[["entry_name", "site_name"]].drop_duplicates().assign(site_lat=50.0, site_long=8.0)
    metadata = above[["entry_name"]].drop_duplicates().assign(study_id="A 2001")
    return Archive(
        metadata=typed("metadata", metadata),
        site=typed("site", site),
        profile=typed("profile", above.assign(**(PROFILE | (profile or {})))),
        layer=typed("layer", layer),
        source="israd",
    )


def test_a_layer_becomes_a_value_with_its_profile() -> None:
    values, profiles, rejects = observations(archive(LAYER))
    assert list(values) == list(VALUES)
    assert list(profiles) == list(PROFILES)
    assert Reference(values, profiles, "1.0").rows("delta14c").tolist() == [0]
    value, profile = values.iloc[0], profiles.iloc[0]
    assert (value["observed"], value["sigma"], value["obs_year"]) == (50.0, 4.0, 1995.5)
    assert (value["layer_top"], value["layer_bottom"], value["depth_class"]) == (0.0, 10.0, "0-10")
    assert profile["profile_id"] == value["profile_id"] == "israd/A_2001/hill/p"
    assert (profile["mat"], profile["map"], profile["p_pet"]) == (9.0, 800.0, 1.25)
    assert (profile["clay"], profile["land_use"], profile["doubts"]) == (0.24, "crop", "")
    assert (profile["site_id"], profile["study_id"], profile["archive"]) == ("50.0,8.0", "A 2001", "israd")
    assert rejects.empty


@pytest.mark.parametrize(
    ("layer", "profile", "rule"),
    [
        ({}, {"pro_treatment": "treatment"}, "treated-soil"),
        ({}, {"pro_peatland": "yes"}, "organic-surface"),
        ({}, {"pro_usda_soil_order": "Histosols"}, "organic-surface"),
        ({"lyr_all_org_neg": "yes"}, {}, "organic-surface"),
        ({"lyr_top": -3.0}, {}, "above-mineral-soil"),
        ({"lyr_bot": 0.0}, {}, "no-thickness"),
        ({"lyr_hzn": "Oe"}, {}, "organic-layer"),
        ({"lyr_c_org": 31.0}, {}, "organic-layer"),
        ({"lyr_c_org": np.nan, "lyr_c_tot": 31.0}, {}, "organic-layer"),
        ({"lyr_top": 150.0, "lyr_bot": 210.0}, {}, "too-deep"),
        ({"lyr_fraction_modern": 0.8}, {}, "14c-modern"),
        ({"lyr_obs_date_y": np.nan}, {}, "no-year"),
        ({}, {"pro_MAT": np.nan, "pro_bio1": np.nan}, "no-climate"),
        ({}, {"pro_MAP": np.nan, "pro_bio12": np.nan}, "no-climate"),
        ({"lyr_top": 12.0, "lyr_bot": 4.0}, {}, "depth-logic"),
    ],
)
def test_a_layer_is_left_out_by_name(layer: Cells, profile: Cells, rule: str) -> None:
    """Beside a sound one of another profile, which stays."""
    other = LAYER | {"of": "B_2002/q", "lyr_14c": 60.0}
    given = archive(layer, other, profile=profile)
    if profile:
        sound = given.profile["entry_name"] == "B_2002"
        for key in profile:
            given.profile.loc[sound, key] = PROFILE.get(key)
    values, profiles, rejects = observations(given)
    assert values["observed"].tolist() == [60.0]
    assert profiles["profile_id"].tolist() == ["israd/B_2002/hill/q"]
    assert rejects[["row", "rule", "severity"]].to_numpy().tolist() == [[2, rule, "error"]]


def test_a_layer_without_14c_is_no_reject() -> None:
    values, _, rejects = observations(archive(LAYER, {"lyr_top": 10.0, "lyr_bot": 20.0, "lyr_14c": np.nan}))
    assert (len(values), len(rejects)) == (1, 0)
    with pytest.raises(BadCall, match="no layer with Delta14C"):
        observations(empty("israd"))


def test_copies_are_taken_once() -> None:
    """The same value under another profile; of an entry that repeats another, whatever its depth."""
    same = [{"lyr_14c": -20.53}, {"lyr_14c": -20.53, "of": "A_2001/q"}, {"lyr_14c": -31.0, "of": "A_2001/r"}]
    known = [
        {"lyr_14c": -958.0, "lyr_top": 77.0, "lyr_bot": 120.0, "of": "Lupascu_2018/c"},
        {"lyr_14c": -958.0, "lyr_top": 85.0, "lyr_bot": 110.0, "of": "Czimczik_Unpublished/s"},
    ]
    values, profiles, rejects = observations(archive(*same, *known))
    assert sorted(values["observed"]) == [-958.0, -31.0, -20.53]
    assert rejects["rule"].tolist() == ["copy", "copy"]
    assert profiles["profile_id"].str.contains("Lupascu").any()


@pytest.mark.parametrize(
    ("cells", "sigma"),
    [
        ({"lyr_14c_sd": 9.0}, 9.0),
        ({"lyr_14c_sigma": np.nan, "lyr_fraction_modern_sigma": 0.006}, 6.0),
        ({"lyr_14c_sigma": 0.004, "lyr_fraction_modern_sigma": 0.006}, 6.0),
        ({"lyr_14c_sigma": 0.004}, DEFAULT_SIGMA),
        ({"lyr_14c_sigma": np.nan}, DEFAULT_SIGMA),
    ],
)
def test_an_error_is_the_studys_or_said_to_be_assumed(cells: Cells, sigma: float) -> None:
    values, _, rejects = observations(archive(cells))
    assert values["sigma"][0] == pytest.approx(sigma, rel=0.01)
    assert rejects["rule"].tolist() == (["sigma-assumed"] if sigma == DEFAULT_SIGMA else [])
    assert (rejects["severity"] == "note").all()


def test_climate_of_a_map_stands_in_for_the_studys() -> None:
    _, profiles, _ = observations(archive(LAYER, profile={"pro_MAT": np.nan, "pro_MAP": 78.0}))
    assert profiles[["mat", "map"]].iloc[0].tolist() == [9.5, 780.0], "cm taken for mm is not believed"
    _, profiles, _ = observations(archive({"lyr_clay_tot_psa": np.nan}, profile={"pro_PET": np.nan}))
    assert profiles[["p_pet", "clay"]].isna().to_numpy().all()


@pytest.mark.parametrize(
    ("layer", "profile", "doubt"),
    [
        ({}, {"pro_usda_soil_order": "Gelisols"}, "permafrost"),
        ({}, {"pro_MAT": -4.0, "pro_bio1": -40.0}, "permafrost"),
        ({}, {"pro_land_cover": "wetland"}, "wetland"),
        ({}, {"pro_soil_age": 0.3}, "younger than 3000 yr"),
        ({"lyr_hzn": "2Ab"}, {}, "buried"),
        ({"lyr_obs_date_y": 1930.0}, {}, "before 1950"),
        ({"lyr_obs_date_y": 1965.0}, {}, "1956 to 1972"),
        ({}, {"pro_long": -8.0}, "places"),
        ({}, {"pro_MAT": 24.0}, "temperatures"),
    ],
)
def test_doubts_are_words_and_the_profile_stays(layer: Cells, profile: Cells, doubt: str) -> None:
    values, profiles, _ = observations(archive(layer, profile=profile))
    assert len(values) == 1
    assert doubt in profiles["doubts"][0]
    assert ";" not in profiles["doubts"][0]


def test_several_doubts_stand_side_by_side() -> None:
    _, profiles, _ = observations(archive({"lyr_obs_date_y": 1965.0}, profile={"pro_land_cover": "wetland"}))
    assert profiles["doubts"][0] == "wetland; sampled 1956 to 1972, when zones of the air differed"


@pytest.fixture(scope="module")
def database(data_dir: Path) -> Archive:
    return read(data_dir / "israd2019")


@pytest.mark.data
def test_the_database_is_accounted_for(database: Archive) -> None:
    """Loose counts of 2019: 2445 layers of 625 profiles stay of 3354."""
    values, profiles, rejects = observations(database)
    left_out = rejects[rejects["severity"] == "error"]
    assert len(values) + left_out["row"].nunique() == database.layer["lyr_14c"].notna().sum() == 3354
    counts = left_out["rule"].value_counts().to_dict()
    print(len(values), len(profiles), profiles["site_id"].nunique(), rejects["rule"].value_counts().to_dict())
    assert 2300 < len(values) < 2600
    assert 590 < len(profiles) < 660
    assert {"above-mineral-soil", "organic-surface", "treated-soil", "overlap", "copy"} <= set(counts)
    assert counts["treated-soil"] == 80
    assert 0 < counts["copy"] < 60
    assert set(counts) <= {*RULES, "overlap", "missing-depth"}
    assert 1000 < (rejects["rule"] == "sigma-assumed").sum() <= (values["sigma"] == DEFAULT_SIGMA).sum()
    assert values["profile_id"].isin(profiles["profile_id"]).all()
    assert profiles["profile_id"].is_unique
    assert profiles[["mat", "map", "latitude"]].notna().all().all()
    assert profiles["mat"].between(-20, 30).all()
    assert profiles["clay"].dropna().between(0, 1).all()


@pytest.mark.data
def test_rows_in_any_order_and_validated_or_not_give_the_same(database: Archive) -> None:
    first = observations(database)
    turned = Archive(
        **{
            name: database.table(name).sample(frac=1.0, random_state=1)
            for name in ("site", "profile", "layer")
        },
        metadata=database.metadata,
        rejects=database.rejects,
        source=database.source,
    )
    for one, other in zip(first, observations(turned), strict=True):
        assert_frame_equal(one, other)
    again = observations(validate(database))
    assert_frame_equal(first[0], again[0])
    assert_frame_equal(first[1], again[1])


@pytest.mark.data
def test_clm5_answers_the_database(database: Archive) -> None:
    """Models are too young below the topsoil (He et al. 2016, Science 353:1419)."""
    values, profiles, _ = observations(database)
    clm5 = published("clm5")
    found, failures = delta14c(
        clm5, forcings(profiles, clm5.grid), profiles, values, atmospheres(profiles, download=False)
    )
    error = found - values["observed"].to_numpy()
    deep = (values["layer_top"] >= 30.0).to_numpy()
    rmse, bias = float(np.sqrt(np.mean(error**2))), float(np.mean(error[deep]))
    print(f"clm5: rmse {rmse:.1f}, bias below 30 cm {bias:.1f} per mil, {len(values)} layers")
    assert failures == {}
    assert 100.0 < rmse < 400.0
    assert bias > 50.0
