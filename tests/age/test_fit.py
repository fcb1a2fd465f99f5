"""Fitting and predicting: a simulated truth comes back, a key gives the same draws, means are means."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpyro.infer import Predictive

from subsoil.age.fit import fit_age, predict, summarise
from subsoil.age.model import CURVE, age_distribution, partially_pooled, pooled, priors
from subsoil.age.sampler import Sampling
from subsoil.age.simulate import simulate_table
from subsoil.datasets import age_data
from subsoil.errors import BadCall, NotConverged

SHORT = Sampling(chains=2, warmup=250, draws=250)
TRUTH = {n: row["location"] + 0.4 * row["scale"] for n, row in priors().items() if row["family"] == "normal"}
TRUTH |= {"effect_time": [0.8], "effect_depth": [-0.9], "level_share": [0.3, 0.5, 0.2]}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Layers of simulated profiles, their f drawn from the model itself with parameters ``TRUTH``."""
    rows = age_data(simulate_table(key=11, n_profiles=60)).rows
    arrays = jax.tree.map(jnp.asarray, age_data(rows, ["crop"]).arrays)
    known = {name: jnp.asarray(value, float)[None] for name, value in TRUTH.items()}
    draw = Predictive(partially_pooled, posterior_samples=known, num_samples=1)
    f = draw(jax.random.key(2), arrays, jnp.ones(len(rows), bool))["f_new"][0]
    return rows.assign(f_new=np.asarray(f, float))


@pytest.fixture(scope="module")
def posterior(table: pd.DataFrame) -> xr.Dataset:
    return fit_age(table, partially_pooled, key=4, covariates=["crop"], sampling=SHORT)


def test_a_simulated_truth_is_recovered(posterior: xr.Dataset) -> None:
    """Truth lies 3 posterior standard deviations off at most, and mostly within 2."""
    off = {}
    for name, truth in TRUTH.items():
        draws = posterior[name].values.reshape(-1, *posterior[name].shape[2:])
        off[name] = np.max(np.abs(draws.mean(axis=0) - np.asarray(truth)) / draws.std(axis=0))
    assert max(off.values()) < 3.0, off
    assert np.mean([value < 2.0 for value in off.values()]) >= 0.85, off


def test_the_data_teach_more_than_the_prior(posterior: xr.Dataset) -> None:
    for name in ("log_time_surface", "log_time_rise", "log_shape", "log_sd_depth"):
        assert float(posterior[name].std()) < 0.7 * priors()[name]["scale"]


def test_predicted_share_of_the_truth_is_inside_its_interval(posterior: xr.Dataset) -> None:
    depth, age = [0.0, 20.0, 60.0, 100.0], [10.0, 50.0, 300.0]
    found = summarise(predict(posterior, depth, age, {"crop": 0.0}), 0.99)
    rng = np.random.default_rng(0)
    u = np.exp(TRUTH["log_sd_time"]) * rng.normal(size=20000)
    v = np.exp(TRUTH["log_sd_depth"]) * rng.normal(size=20000)
    u, v = (x - posterior["covariate_centre"].item() * TRUTH[n][0]
            for x, n in ((u, "effect_time"), (v, "effect_depth")))  # fmt: skip
    for z in depth:
        true = np.asarray(
            age_distribution({n: TRUTH[n] for n in CURVE}, jnp.asarray(0.01 * z), u[:, None], v[:, None]).cdf(
                jnp.asarray(age)
            )
        ).mean(axis=0)
        here = found.sel(depth_cm=z, case=0)
        assert (here["f_new_lower"].values < true).all()
        assert (true < here["f_new_upper"].values).all()


def test_predictions_rise_with_age_and_fall_with_depth(posterior: xr.Dataset) -> None:
    mean = predict(posterior, np.arange(0, 101, 10), [1, 10, 100, 1000]).mean("sample").isel(case=0)
    assert (mean.diff("age_yr") > 0).all()
    assert (mean.diff("depth_cm") < 0).all()
    assert float(mean.min()) > 0.0
    assert float(mean.max()) < 1.0


def test_a_key_gives_the_same_draws_and_another_key_others(table: pd.DataFrame) -> None:
    tiny = Sampling(chains=1, warmup=30, draws=10)
    first, again, other = (fit_age(table, pooled, key=k, sampling=tiny) for k in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    assert not np.array_equal(first["log_shape"], other["log_shape"])


def test_order_of_rows_does_not_change_the_posterior(table: pd.DataFrame) -> None:
    tiny = Sampling(chains=1, warmup=30, draws=10)
    straight = fit_age(table, pooled, key=1, sampling=tiny)
    shuffled = fit_age(table.sample(frac=1.0, random_state=3), pooled, key=1, sampling=tiny)
    xr.testing.assert_identical(straight, shuffled)


def test_too_short_a_run_is_a_named_outcome_or_an_error(table: pd.DataFrame) -> None:
    tiny = Sampling(chains=2, warmup=20, draws=10)
    assert fit_age(table, pooled, sampling=tiny).attrs["outcome"] != "converged"
    with pytest.raises(NotConverged, match="raise sampling"):
        fit_age(table, pooled, sampling=tiny, throw=True)


def test_bad_predictions_are_refused(posterior: xr.Dataset) -> None:
    with pytest.raises(BadCall, match="depth_cm"):
        predict(posterior, [-1.0], [10.0])
    with pytest.raises(BadCall, match="age_yr"):
        predict(posterior, [10.0], [0.0])
    with pytest.raises(BadCall, match="no covariate"):
        predict(posterior, [10.0], [10.0], {"mat": 20.0})
