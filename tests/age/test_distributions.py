"""Laws of age distributions: monotone, within [0, A + B], quantile inverts cdf, the same under JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsoil.age.distributions import BiExponential, from_unconstrained, to_unconstrained


@pytest.fixture(scope="module", autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


free_numbers = st.lists(st.floats(-6, 2), min_size=4, max_size=4).map(np.array)


@given(free_numbers)
def test_any_free_numbers_give_a_distribution_that_rises_from_zero_to_its_limit(free):
    d = from_unconstrained(free)
    share = d.cdf(np.concatenate([[0.0], np.geomspace(1e-3, 1e7, 60), [np.inf]]))
    assert share[0] == 0
    assert (np.diff(share) >= -1e-12).all()
    assert share[-1] == pytest.approx(d.limit)
    assert 0 < d.limit <= 1
    assert d.fast_rate > d.slow_rate > 0


@given(free_numbers, st.floats(0.001, 0.999))
def test_quantile_inverts_cdf_below_the_limit_and_is_infinite_above(free, part):
    d = from_unconstrained(free)
    share = part * d.limit
    assert d.cdf(d.quantile(share)) == pytest.approx(share, rel=1e-9)
    assert d.quantile(d.limit + 1e-9) == np.inf
    assert d.quantile(0.0) == 0


@given(free_numbers)
def test_free_numbers_come_back(free):
    np.testing.assert_allclose(to_unconstrained(from_unconstrained(free)), free, atol=1e-7)


@given(free_numbers, st.floats(0.01, 100.0))
def test_time_has_no_preferred_unit(free, factor):
    d = from_unconstrained(free)
    scaled = BiExponential(d.fast_share, d.fast_rate / factor, d.slow_share, d.slow_rate / factor)
    assert scaled.cdf(30.0 * factor) == pytest.approx(d.cdf(30.0))
    half = 0.5 * d.limit
    assert scaled.quantile(half) == pytest.approx(factor * d.quantile(half))


def test_density_is_the_slope_of_the_cdf():
    d = BiExponential(0.3, 0.2, 0.5, 0.004)
    t = np.geomspace(0.1, 2000, 30)
    slope = (d.cdf(t * (1 + 1e-6)) - d.cdf(t * (1 - 1e-6))) / (2e-6 * t)
    np.testing.assert_allclose(d.density(t), slope, rtol=1e-6, atol=1e-12)


def test_without_carbon_that_turns_over_no_share_is_reached():
    assert BiExponential(0.0, 0.2, 0.0, 0.01).quantile(0.5) == np.inf
    assert np.isnan(BiExponential(0.3, 0.2, 0.5, 0.01).quantile(-0.1))


def test_fields_broadcast_over_depth_and_age():
    d = BiExponential(*(np.array(x) for x in ([0.6, 0.1], [0.2, 0.2], [0.3, 0.6], [0.01, 0.001])))
    assert d.cdf(np.array([[3.0], [30.0], [300.0]])).shape == (3, 2)
    assert d.quantile(0.5).shape == (2,)


def _two_fifths_of_the_limit(free):
    d = from_unconstrained(free)
    return d.quantile(0.4 * d.limit)


_median_and_slope = jax.jit(jax.value_and_grad(_two_fifths_of_the_limit))


@settings(max_examples=20, deadline=None)
@given(free_numbers)
def test_the_same_numbers_and_derivatives_under_jax(free):
    value, gradient = _median_and_slope(jnp.asarray(free))
    assert float(value) == pytest.approx(float(_two_fifths_of_the_limit(free)), rel=1e-9)
    for i, shift in enumerate(1e-5 * np.eye(4)):
        up, down = _two_fifths_of_the_limit(free + shift), _two_fifths_of_the_limit(free - shift)
        assert float(gradient[i]) == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-6 * float(value))
