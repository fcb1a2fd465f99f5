"""The fit finds the least sum of squares, names what it cannot determine, and its errors hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from subsoil.age.distributions import BiExponential
from subsoil.age.leastsquares import Outcome, covariance, fit_biexponential, slopes
from subsoil.errors import BadCall

TRUTH = BiExponential(0.3, 0.15, 0.55, 0.004)
TIMES = np.geomspace(4, 4000, 40)


def _numbers(fits, row=0):
    return np.array([field[row] for field in vars(fits.distribution).values()])


def _noisy(seed, sd=0.1):
    return TRUTH.cdf(TIMES) + np.random.default_rng(seed).normal(0, sd, len(TIMES))


def test_exact_data_give_the_truth_back():
    fits = fit_biexponential(TIMES, TRUTH.cdf(TIMES))
    np.testing.assert_allclose(_numbers(fits), list(vars(TRUTH).values()), rtol=1e-3)
    assert fits.outcome[0] == Outcome.CONVERGED


@pytest.mark.parametrize("seed", range(6))
def test_no_local_search_finds_less(seed):
    f = _noisy(seed)
    fits = fit_biexponential(TIMES, f)
    start = _numbers(fits)

    def residual(p):
        return BiExponential(p[0], np.exp(p[1]), p[2], np.exp(p[3])).cdf(TIMES) - f

    best = min(
        2 * least_squares(residual, [a, np.log(k1), b, np.log(k2)]).cost
        for a, k1, b, k2 in ([*start[:1], *start[1:]], [0.2, 0.3, 0.6, 0.002], [0.5, 0.05, 0.3, 0.001])
    )
    if fits.outcome[0] == Outcome.CONVERGED:
        assert fits.residual_sum[0] == pytest.approx(best, rel=1e-6)
    else:  # a bound holds the fit above the free minimum
        assert fits.residual_sum[0] >= best - 1e-9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_curve_is_a_distribution_whatever_the_data(seed):
    rng = np.random.default_rng(seed)
    f = rng.uniform(-0.3, 1.4, len(TIMES))
    d = fit_biexponential(TIMES, f).distribution
    curve = d.cdf(np.geomspace(0.1, 1e5, 50)[:, None])[:, 0]
    assert (np.diff(curve) >= -1e-9).all()
    assert curve.min() >= -1e-9
    assert curve.max() <= 1 + 1e-9


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.02, 50))
def test_rows_have_no_order_and_time_no_preferred_unit(seed, factor):
    f = _noisy(seed, sd=0.05)
    order = np.random.default_rng(seed).permutation(len(TIMES))
    first = fit_biexponential(TIMES, f)
    ages = np.array([5.0, 50.0, 500.0])
    curve = first.distribution.cdf(ages[:, None])
    again = fit_biexponential(TIMES[order], f[order]).distribution.cdf(ages[:, None])
    scaled = fit_biexponential(TIMES * factor, f).distribution.cdf(factor * ages[:, None])
    np.testing.assert_allclose(again, curve, atol=1e-5)
    np.testing.assert_allclose(scaled, curve, atol=1e-5)


def test_a_weight_of_two_is_a_row_twice_and_zero_is_no_row():
    f = _noisy(1)
    weights = np.vstack([np.ones(40), np.r_[2.0, np.ones(39)], np.r_[0.0, np.ones(39)]])
    together = fit_biexponential(TIMES, f, weights)
    twice = fit_biexponential(np.r_[TIMES[0], TIMES], np.r_[f[0], f])
    without = fit_biexponential(TIMES[1:], f[1:])
    np.testing.assert_allclose(_numbers(together, 1), _numbers(twice), rtol=1e-3)
    np.testing.assert_allclose(together.residual_sum[1], twice.residual_sum[0], rtol=1e-9)
    np.testing.assert_allclose(together.residual_sum[2], without.residual_sum[0], rtol=1e-6)


def test_missing_values_are_left_out():
    f = _noisy(2)
    gap = np.r_[np.nan, f[1:]]
    assert (
        fit_biexponential(TIMES, gap).residual_sum[0] == fit_biexponential(TIMES[1:], f[1:]).residual_sum[0]
    )


@pytest.mark.parametrize(
    ("times", "values", "outcome"),
    [
        (TIMES[:5], TRUTH.cdf(TIMES[:5]), Outcome.TOO_FEW),
        (np.repeat([5.0, 50.0], 20), np.full(40, 0.3), Outcome.TOO_FEW),
        (TIMES, np.full(40, np.nan), Outcome.TOO_FEW),
        (TIMES, 0.5 * (1 - np.exp(-0.01 * TIMES)), Outcome.ONE_POOL),
        (TIMES, 0.2 + 0.5 * (1 - np.exp(-0.002 * TIMES)), Outcome.RATE_AT_BOUND),
        (TIMES, 1 - 0.45 * np.exp(-0.2 * TIMES) - 0.65 * np.exp(-0.004 * TIMES) + 0.1, Outcome.FULL),
    ],
)
def test_what_the_data_do_not_determine_has_a_name(times, values, outcome):
    assert fit_biexponential(times, values).outcome[0] == outcome


def test_bad_weights_say_what_was_expected():
    with pytest.raises(BadCall, match=r"\[fit, 40\], got shape \(1, 3\)"):
        fit_biexponential(TIMES, _noisy(0), np.ones((1, 3)))
    with pytest.raises(BadCall, match="non-negative"):
        fit_biexponential(TIMES, _noisy(0), -np.ones((1, 40)))


def test_slopes_are_the_derivatives_of_the_curve():
    p = np.array(list(vars(TRUTH).values()))
    analytic = slopes(TRUTH, TIMES)
    for i in range(4):
        h = 1e-6 * p[i]
        up, down = (BiExponential(*(p + s * h * np.eye(4)[i])).cdf(TIMES) for s in (1, -1))
        np.testing.assert_allclose(analytic[:, i], (up - down) / (2 * h), rtol=1e-5, atol=1e-8)


def _curve_errors(f, clusters, ages):
    d = BiExponential(*_numbers(fit_biexponential(TIMES, f)))
    g = slopes(d, ages)
    return d.cdf(ages), np.sqrt(np.einsum("ai,ij,aj->a", g, covariance(d, TIMES, f, clusters), g))


def test_errors_of_the_curve_cover_the_truth():
    ages = np.array([10.0, 100.0, 1000.0])
    inside = []
    for seed in range(150):
        estimate, se = _curve_errors(_noisy(seed, sd=0.05), None, ages)
        inside.append(np.abs(estimate - TRUTH.cdf(ages)) < 1.96 * se)
    assert 0.89 < np.mean(inside) < 0.98


def test_errors_by_cluster_see_that_sites_move_together():
    clusters = np.repeat(np.arange(20), 2)
    ages = np.array([100.0])
    inside = {"residual": [], "cluster": []}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        f = TRUTH.cdf(TIMES) + rng.normal(0, 0.08, 20)[clusters] + rng.normal(0, 0.01, 40)
        for name, labels in (("residual", None), ("cluster", clusters)):
            estimate, se = _curve_errors(f, labels, ages)
            inside[name].append(abs(estimate[0] - TRUTH.cdf(100.0)) < 1.96 * se[0])
    assert np.mean(inside["cluster"]) > np.mean(inside["residual"]) + 0.03
    assert np.mean(inside["cluster"]) > 0.85
