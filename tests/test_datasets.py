"""The border between tables and arrays."""

import numpy as np
import pandas as pd
import pytest

from subsoil.age.simulate import simulate_table
from subsoil.datasets import age_data, raw_covariates, scaled_covariates
from subsoil.errors import BadCall


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return simulate_table(key=3, n_profiles=20)


def test_order_of_rows_does_not_matter(table: pd.DataFrame) -> None:
    straight, shuffled = age_data(table), age_data(table.sample(frac=1.0, random_state=1))
    assert straight.profile_id == shuffled.profile_id
    for one, other in zip(straight.arrays, shuffled.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_layer_and_profile_arrives(table: pd.DataFrame) -> None:
    data = age_data(table, ["crop", "mat"])
    assert len(data.arrays.f_new) == len(table)
    assert set(data.profile_id) == set(table["profile_id"])
    assert data.arrays.covariates.shape == (table["profile_id"].nunique(), 2)
    sites = dict(zip(table["profile_id"], table["site_id"], strict=True))
    assert [data.site_id[s] for s in data.arrays.site] == [sites[p] for p in data.profile_id]


def test_depths_arrive_in_metres_inside_their_layers(table: pd.DataFrame) -> None:
    data = age_data(table)
    top, bottom = (0.01 * data.rows[name].to_numpy(float)[:, None] for name in ("layer_top", "layer_bottom"))
    assert (data.arrays.support >= top - 1e-3).all()
    assert (data.arrays.support <= bottom + 1e-3).all()


@pytest.mark.parametrize(
    ("mid", "expected"),
    [(50.0, 50.0), (20.0, 20.0), (300.0, 50.0)],
    ids=["whole layer", "expanded layer", "depth outside"],
)
def test_support_is_centred_where_the_sample_was(table: pd.DataFrame, mid: float, expected: float) -> None:
    row = table.head(1).assign(layer_top=0.0, layer_bottom=100.0, layer_mid=mid)
    assert 100.0 * age_data(row).arrays.support.mean() == pytest.approx(expected)


def test_scaling_is_undone_by_the_same_scale(table: pd.DataFrame) -> None:
    data = age_data(table, ["crop", "mat", "ln_p_pet"])
    raw = raw_covariates(table.drop_duplicates("profile_id"), ["crop", "mat", "ln_p_pet"])
    raw.index = pd.Index(table.drop_duplicates("profile_id")["profile_id"])
    again = scaled_covariates(data.covariates, raw.loc[list(data.profile_id)].reset_index(drop=True))
    np.testing.assert_allclose(again, data.arrays.covariates, atol=1e-12)
    np.testing.assert_allclose(data.arrays.covariates.mean(axis=0), 0.0, atol=1e-12)


def test_a_missing_covariate_takes_the_mean_and_keeps_the_profile(table: pd.DataFrame) -> None:
    first = table["profile_id"].iloc[0]
    holed = table.assign(mat=table["mat"].where(table["profile_id"] != first))
    data = age_data(holed, ["mat"])
    assert data.arrays.covariates[data.profile_id.index(first), 0] == 0.0


def test_bad_calls_say_what_to_do(table: pd.DataFrame) -> None:
    with pytest.raises(BadCall, match="nothing to fit"):
        age_data(table.head(0))
    with pytest.raises(BadCall, match="choose from"):
        age_data(table, ["altitude"])
    with pytest.raises(BadCall, match="labelling_years"):
        age_data(table.assign(labelling_years=0.0))
    with pytest.raises(BadCall, match="no covariate"):
        scaled_covariates((), {"crop": 1.0})
