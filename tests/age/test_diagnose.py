"""Convergence statistics against cases with a known answer."""

import numpy as np
import pytest
import xarray as xr

from subsoil.age.diagnose import diagnostics, ess_bulk, ess_tail, outcome, r_hat


def autoregressive(rng: np.random.Generator, correlation: float, draws: int = 4000) -> np.ndarray:
    noise = rng.normal(size=(4, draws)) * np.sqrt(1 - correlation**2)
    chains = np.empty_like(noise)
    chains[:, 0] = rng.normal(size=4)
    for i in range(1, draws):
        chains[:, i] = correlation * chains[:, i - 1] + noise[:, i]
    return chains


def test_independent_draws_count_as_themselves() -> None:
    draws = np.random.default_rng(1).normal(size=(4, 1000))
    assert ess_bulk(draws) == pytest.approx(4000, rel=0.15)
    assert r_hat(draws) < 1.005


def test_correlated_draws_count_by_the_known_factor() -> None:
    """An AR(1) chain has N (1 - ρ) / (1 + ρ) effective draws."""
    draws = autoregressive(np.random.default_rng(2), 0.8)
    assert ess_bulk(draws) == pytest.approx(16000 * 0.2 / 1.8, rel=0.2)


def test_a_monotone_change_of_scale_changes_nothing() -> None:
    draws = np.random.default_rng(3).normal(size=(4, 500))
    assert r_hat(np.exp(3 * draws)) == pytest.approx(r_hat(draws), abs=0.01)
    assert ess_bulk(np.exp(3 * draws)) == pytest.approx(ess_bulk(draws))
    assert ess_tail(np.exp(3 * draws)) == pytest.approx(ess_tail(draws))


def test_chains_that_differ_in_spread_are_found() -> None:
    draws = np.random.default_rng(4).normal(size=(4, 1000)) * np.array([1.0, 1.0, 1.0, 3.0])[:, None]
    assert r_hat(draws) > 1.05


def posterior(draws: np.ndarray, divergent: int = 0) -> xr.Dataset:
    flags = np.zeros(draws.shape, bool)
    flags.flat[:divergent] = True
    return xr.Dataset({"x": (("chain", "draw"), draws), "diverging": (("chain", "draw"), flags)})


def test_outcome_names_what_missed() -> None:
    good = np.random.default_rng(5).normal(size=(4, 500))
    assert outcome(posterior(good)) == "converged"
    assert "2 divergent" in outcome(posterior(good, 2))
    assert "R-hat of x" in outcome(posterior(good + np.arange(4)[:, None]))
    assert "bulk ESS of x" in outcome(posterior(good[:, :60]))
    assert list(diagnostics(posterior(good))["parameter"]) == ["x"]
