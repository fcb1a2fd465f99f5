"""Carbon by depth: amounts add up, completion to 1 m keeps what was measured, halves are halves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsoil.age.carbon import (
    DEPTHS,
    FACTORS,
    FULL_DEPTH,
    SAME_SAMPLE,
    complete,
    layer_carbon,
    median_depth,
    share_between,
)
from subsoil.errors import BadCall

amounts = st.lists(st.floats(0.01, 5), min_size=10, max_size=10).map(np.array)
FULL = np.array([[3.0, 2, 2, 1, 1, 1, 0.5, 0.5, 0.5, 0.5], [4.0, 3, 2, 2, 1, 1, 1, 0.5, 0.5, 1.0]])
SHORT = np.r_[2.0, 2, 1, 1, 1, 1, np.full(4, np.nan)]
ONES = np.ones((1, 3))


def test_layers_are_differences_at_the_depths_and_other_depths_do_not_count():
    stocks = pd.DataFrame(
        {"profile_id": "a", "depth_cm": [10.0, 15.0, 20.0], "soc_stock_cum": [3.0, 4.5, 5.0]}
    )
    layers = layer_carbon(stocks).loc["a"]
    assert layers.iloc[:2].tolist() == [3.0, 2.0]
    assert layers.iloc[2:].isna().all()
    with pytest.raises(BadCall, match="'new_soc_stock_cum' is missing"):
        layer_carbon(stocks, "new_soc_stock_cum")


@given(amounts)
def test_half_of_the_carbon_lies_above_the_median_depth(carbon):
    depth = float(median_depth(carbon))
    above = np.interp(depth, DEPTHS, np.r_[0, np.cumsum(carbon)])
    assert above == pytest.approx(carbon.sum() / 2)


@given(amounts, st.floats(0, 1))
def test_a_share_that_is_the_same_everywhere_stays_so(carbon, share):
    younger = np.full(11, share)
    for top, bottom in ((0.0, 30.0), (30.0, 100.0), (0.0, 100.0)):
        assert share_between(younger, carbon, DEPTHS, top, bottom) == pytest.approx(share, abs=1e-12)


def test_share_between_needs_depths_that_are_there():
    with pytest.raises(BadCall, match=r"25[.]0 and 100[.]0 cm must be among the depths"):
        share_between(np.ones(11), np.ones(10), DEPTHS, 25.0, 100.0)


@pytest.mark.parametrize("rule", [FACTORS, SAME_SAMPLE, FULL_DEPTH])
def test_completion_keeps_what_was_sampled(rule):
    carbon = np.vstack([FULL, SHORT])
    whole = complete(carbon, ONES, rule, "total")[0]
    np.testing.assert_array_equal(whole[:2], FULL)
    if rule == FULL_DEPTH:
        assert np.isnan(whole[2]).all()
    else:
        np.testing.assert_allclose(whole[2, :6], SHORT[:6])
        assert (whole[2, 6:] > 0).all()


def test_completion_by_the_published_factor_multiplies_the_last_stock():
    whole = complete(np.vstack([FULL, SHORT]), ONES, FACTORS, "total")[0, 2]
    assert whole.sum() == pytest.approx(1.33217 * 8.0)  # 60 cm
    new = complete(np.vstack([FULL, SHORT]), ONES, FACTORS, "new")[0, 2]
    assert new.sum() == pytest.approx(1.09245 * 8.0)


def test_completion_by_the_same_sample_uses_the_ratio_of_the_full_profiles_in_each_draw():
    weights = np.array([[1.0, 1, 1], [2.0, 0, 1]])
    whole = complete(np.vstack([FULL, SHORT]), weights, SAME_SAMPLE, "total")
    assert whole[0, 2].sum() == pytest.approx(8.0 * FULL.sum() / FULL[:, :6].sum())
    assert whole[1, 2].sum() == pytest.approx(8.0 * FULL[0].sum() / FULL[0, :6].sum())


def test_a_profile_with_a_gap_or_an_end_without_factor_is_not_completed():
    gap = SHORT.copy()
    gap[2] = np.nan
    shallow = np.r_[2.0, 1, 1, np.full(7, np.nan)]
    whole = complete(np.vstack([FULL, gap, shallow]), np.ones((1, 4)), FACTORS, "total")[0]
    assert np.isnan(whole[2:]).all()
