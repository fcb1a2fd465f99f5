"""The simulated archive: says that it is simulated, is the same for a key, and holds a truth to recover."""

import numpy as np
import pandas as pd
import pytest

from subsoil.age.regression import regress
from subsoil.age.simulate import MEAN_SOIL, Truth, simulate_archive, simulate_table
from subsoil.age.subsets import WORLD
from subsoil.archive.schema import TABLES
from subsoil.errors import BadCall


def test_every_row_says_that_it_is_simulated():
    archive = simulate_archive(key=0, n_profiles=30)
    assert archive.simulated
    assert archive.source == "simulated"
    for name in ("metadata", "site", "profile", "layer"):
        assert archive.table(name)["entry_name"].str.contains("simulated").all()
    assert archive.metadata["bibliographical_reference"].str.contains("no such paper exists").all()
    assert archive.profile["pro_name"].str.contains("simulated").all()


def test_the_key_is_all_that_decides():
    first, again, other = (simulate_archive(key, 20) for key in (5, 5, 6))
    for name in TABLES:
        pd.testing.assert_frame_equal(first.table(name), again.table(name))
    assert not first.layer["lyr_13c"].equals(other.layer["lyr_13c"])


def test_the_demo_has_as_many_profiles_as_the_paper_and_shares_sites_and_studies():
    table = simulate_table(0)
    assert table["profile_id"].nunique() == 112
    assert table["study_id"].nunique() < table["site_id"].nunique() < 112
    assert table["labelling_years"].between(4, 4000).all()
    assert set(table["land_use"]) == {"crop", "grassland", "forest"}
    assert (table["labelling_years"] >= 1000).any()
    assert table["f_new"].lt(0).any()  # errors of measurement are not clipped
    references = simulate_archive(0).profile.query("pro_treatment == 'control'")
    assert references["pro_name"].duplicated().any()


def test_keys_of_the_tables_link():
    archive = simulate_archive(key=2, n_profiles=25)
    keys = ["entry_name", "site_name", "pro_name"]
    assert not archive.profile.duplicated(keys).any()
    assert not archive.layer.duplicated([*keys, "lyr_name"]).any()
    assert len(archive.layer.merge(archive.profile, on=keys)) == len(archive.layer)
    assert archive.profile["pro_land_use"].notna().sum() == 25


def test_the_truth_is_the_share_and_the_errors_are_known():
    table = simulate_table(4, truth=MEAN_SOIL)
    z = (table["f_new"] - table["f_true"]) / table["f_new_se"]
    spread = (z.quantile(0.84) - z.quantile(0.16)) / 2
    # printed spreads come from three to seven replicates, missing ones are guessed: tails wider than normal
    assert 0.9 < spread < 1.4
    assert abs(z.median()) < 0.25
    assert table["f_true"].between(0, 1).all()
    assert table.attrs["truth"] == MEAN_SOIL


def test_deeper_carbon_is_older_in_the_mean_soil():
    depth = np.arange(0.0, 101.0, 5.0)
    for age in (10.0, 50.0, 300.0):
        assert (np.diff(MEAN_SOIL.distribution(depth).cdf(age)) < 0).all()


def test_effects_move_what_they_say():
    depth = np.array([0.0, 60.0])
    mean = MEAN_SOIL.distribution(depth).cdf(50.0)
    assert (MEAN_SOIL.distribution(depth, speed=0.5).cdf(50.0) > mean).all()
    steeper = MEAN_SOIL.distribution(depth, gradient=0.3).cdf(50.0)
    assert steeper[0] == mean[0]
    assert steeper[1] < mean[1]
    cropped = MEAN_SOIL.distribution(depth, share=-0.5).cdf(50.0)
    assert mean[0] - cropped[0] > 4 * (mean[1] - cropped[1]) > 0


def test_the_regression_recovers_the_mean_soil():
    """Without errors, at the middle of the layer: within three points, as a layer mean is not its middle."""
    table = simulate_table(1, n_profiles=200, truth=MEAN_SOIL)
    thin = table[table["lyr_name"].isin(["0-10", "20-30"])]
    values = thin.assign(depth_cm=thin["layer_mid"], f_new=thin["f_true"]).drop(columns="layer_mid")
    fitted = regress(values, WORLD)
    for i, depth in enumerate(fitted.table["depth_cm"]):
        for age in (10.0, 50.0, 300.0):
            true = MEAN_SOIL.distribution(np.array([depth])).cdf(age)[0]
            assert fitted.at(i).cdf(age) == pytest.approx(true, abs=0.03)


def test_a_soil_without_profiles_is_refused():
    with pytest.raises(BadCall, match="n_profiles=0: expected at least 1"):
        simulate_archive(0, 0)


def test_one_profile_is_enough_and_truth_can_be_chosen():
    table = simulate_table(0, 1, Truth(discrepancy=0.0))
    assert set(table["entry_name"]) == {"S001 simulated"}
