"""Forecasts dressed with the observation error against integrals, simulation and known coverage."""

import numpy as np
import pytest
from scipy import integrate, stats

from subsoil.ensembles import crps, inside
from subsoil.errors import BadCall


def test_a_normal_forecast_has_the_closed_form():
    """sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)): Gneiting et al. 2005, Mon. Weather Rev. 133:1098."""
    mean, sd, y = np.array([0.3, -1.0]), np.array([0.1, 2.0]), np.array([0.5, 3.0])
    z = (y - mean) / sd
    expected = sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert crps(mean[None], y, sd) == pytest.approx(expected)


def test_it_is_the_squared_distance_of_distributions():
    """Integral of (F - step)^2, with pairs i = j put back: the definition of the score."""
    x, y, s = np.array([0.1, 0.2, 0.6]), 0.4, 0.08

    def distance(u):
        return (stats.norm.cdf((u - x) / s).mean() - (u >= y)) ** 2

    whole = sum(integrate.quad(distance, *ends, epsabs=1e-12)[0] for ends in ((-1, y), (y, 2)))
    apart = np.subtract.outer(x, x)[~np.eye(3, dtype=bool)]
    t = np.sqrt(2) * s
    pairs = apart * (2 * stats.norm.cdf(apart / t) - 1) + 2 * t * stats.norm.pdf(apart / t)
    fair = whole + 0.5 * (pairs.sum() + 3 * t * np.sqrt(2 / np.pi)) / 9 - 0.5 * pairs.sum() / 6
    assert crps(x[:, None], np.array([y]), s)[0] == pytest.approx(fair, abs=1e-9)


def test_a_small_error_is_as_none():
    rng = np.random.default_rng(0)
    draws, y = rng.normal(size=(30, 5)), rng.normal(size=5)
    assert crps(draws, y, 1e-9) == pytest.approx(crps(draws, y), abs=1e-8)
    mixed = crps(draws, y, np.array([0.0, 0.5, 0.0, 0.5, 0.0]))
    assert mixed[::2] == pytest.approx(crps(draws, y)[::2], abs=1e-14)
    assert (mixed[1::2] != crps(draws, y)[1::2]).all()


def test_few_draws_do_not_cost():
    """The mean over many forecasts is the same with 3 draws as with 60."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=20_000) * np.hypot(1.0, 0.5)
    few, more = (crps(rng.normal(size=(m, y.size)), y, 0.5).mean() for m in (3, 30))
    assert few == pytest.approx(more, abs=0.01)
    assert more == pytest.approx(np.hypot(1, 0.5) / np.sqrt(np.pi), abs=0.01)  # of the right normal itself


@pytest.mark.parametrize("sigma", [0.0, 0.7])
def test_intervals_of_the_true_ensemble_hold_their_share(sigma):
    rng = np.random.default_rng(2)
    truth = rng.normal(size=4000)
    observed = truth + sigma * rng.normal(size=truth.size)
    draws = rng.normal(size=(199, truth.size))
    for level in (0.5, 0.9):
        assert inside(draws, observed, level, sigma).mean() == pytest.approx(level, abs=0.025)


def test_missing_stays_missing():
    draws, y = np.zeros((2, 2)), np.array([np.nan, 0.0])
    assert np.isnan(crps(draws, y)).tolist() == np.isnan(inside(draws, y, 0.9)).tolist() == [True, False]


@pytest.mark.parametrize(
    "call",
    [
        lambda: crps(np.zeros(3), np.zeros(3)),
        lambda: crps(np.zeros((0, 3)), np.zeros(3)),
        lambda: crps(np.zeros((2, 3)), np.zeros(2)),
        lambda: crps(np.zeros((2, 3)), np.zeros(3), np.zeros(2)),
        lambda: crps(np.zeros((2, 3)), np.zeros(3), -1.0),
        lambda: inside(np.zeros((2, 3)), np.zeros(3), 90),
    ],
)
def test_a_bad_call_is_refused(call):
    with pytest.raises(BadCall, match="expected"):
        call()
