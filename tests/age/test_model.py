"""The hierarchical age model: laws of its age distribution, priors, and the three siblings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpyro.infer import Predictive

from subsoil.age import distributions
from subsoil.age.diagnose import prior_predictive
from subsoil.age.model import (
    CURVE,
    Model,
    age_distribution,
    contrast,
    partially_pooled,
    pooled,
    priors,
    scatter,
    unpooled,
)
from subsoil.age.simulate import simulate_table
from subsoil.datasets import AgeData, age_data

SIBLINGS = [pooled, unpooled, partially_pooled]
AGES = np.geomspace(0.1, 1e5, 60)


@pytest.fixture(scope="module")
def data() -> AgeData:
    return age_data(simulate_table(key=5, n_profiles=24), ["crop", "mat"])


def curve_at(position: float) -> dict[str, float]:
    """Parameters ``position`` standard deviations from their priors' middle."""
    return {n: priors()[n]["location"] + position * priors()[n]["scale"] for n in CURVE}


@given(st.floats(-2, 2), st.floats(0, 3), st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=60, deadline=None)
def test_every_depth_has_a_proper_age_distribution(position: float, depth: float, u: float, v: float) -> None:
    ages = age_distribution(curve_at(position), jnp.asarray(depth), u, v)
    share = np.asarray(ages.cdf(AGES))
    assert (np.diff(share) >= -1e-6).all()
    assert share.min() >= 0.0
    assert share.max() <= float(ages.limit) + 1e-6 < 1.0 + 1e-6


def test_carbon_is_older_below() -> None:
    depth = np.linspace(0.0, 1.5, 40)
    for age in (5.0, 50.0, 500.0):
        share = np.asarray(age_distribution(curve_at(0.0), depth).cdf(age))
        assert (np.diff(share) < 0).all()


def test_quantile_inverts_the_distribution() -> None:
    share = np.array([0.05, 0.25, 0.5, 0.75, 0.9])
    ages = distributions.StretchedExponential(np.float64(120.0), np.float64(0.55), np.float64(0.06))
    np.testing.assert_allclose(ages.cdf(ages.quantile(share)), share, rtol=1e-12)


def test_a_stretched_exponential_is_a_mixture_of_pools() -> None:
    """For κ <= 1 the density is completely monotone: its finite differences alternate in sign."""
    ages = distributions.StretchedExponential(np.float64(50.0), np.float64(0.6), np.float64(0.0))
    survival = 1.0 - ages.cdf(np.linspace(5.0, 500.0, 80))
    differences = survival
    for order in range(1, 5):
        differences = np.diff(differences)
        assert ((-1) ** order * differences > 0).all()


def test_the_contrast_changes_sign_once_below_the_surface() -> None:
    assert contrast(jnp.array(0.0)) == pytest.approx(-0.5)
    assert 0.4 < float(contrast(jnp.array(1.0))) < 0.5


def test_gradients_are_finite_also_at_the_edges() -> None:
    def total(u: jax.Array) -> jax.Array:
        ages = age_distribution(curve_at(0.0), jnp.array([0.0, 0.5, 3.0]), u)
        return ages.cdf(jnp.array([0.0, 50.0, 1e6])).sum()

    for u in (-20.0, 0.0, 20.0):
        assert np.isfinite(jax.grad(total)(jnp.asarray(u)))


@pytest.mark.parametrize("name", CURVE)
def test_gradient_equals_finite_difference_and_is_not_zero(name: str) -> None:
    def share(value: jax.Array) -> jax.Array:
        return age_distribution(curve_at(0.3) | {name: value}, jnp.array(0.3)).cdf(50.0)

    with jax.enable_x64(True):
        at, step = jnp.asarray(curve_at(0.3)[name]), 1e-6
        difference = float((share(at + step) - share(at - step)) / (2 * step))
        assert float(jax.grad(share)(at)) == pytest.approx(difference, rel=1e-5, abs=1e-9)
        assert abs(difference) > 1e-6


def test_scatter_holds_the_known_error_and_grows_with_it() -> None:
    parameters = {n: priors()[n]["location"] for n in ("log_sd_constant", "log_sd_binomial", "log_df")}
    df, scale = map(np.asarray, scatter(parameters, np.array([0.0, 0.5, 0.5]), np.array([0.0, 0.0, 0.1])))
    assert df > 1.0
    assert scale[0] == pytest.approx(np.exp(priors()["log_sd_constant"]["location"]), rel=1e-5)
    assert scale[2] ** 2 == pytest.approx(scale[1] ** 2 + 0.01, rel=1e-5)


@pytest.mark.parametrize("model", SIBLINGS, ids=lambda m: m.__name__)
def test_siblings_simulate_with_one_signature(model: Model, data: AgeData) -> None:
    arrays = jax.tree.map(jnp.asarray, data.arrays)
    drawn = Predictive(model, num_samples=40)(jax.random.key(0), arrays, jnp.ones(len(data.rows), bool))
    assert drawn["f_new"].shape == (40, len(data.rows))
    assert (drawn["f_mean"] >= 0).all()
    assert (drawn["f_mean"] <= 1).all()
    left = drawn["u"] - jnp.einsum("dc,pc->dp", drawn["effect_time"], arrays.covariates)
    assert (float(jnp.abs(left).max()) < 1e-4) == (model is pooled)


def test_priors_say_little_before_the_data(data: AgeData) -> None:
    """At every depth and time the middle 90 % of prior draws span most of [0, 1]."""
    table = prior_predictive(data, partially_pooled, key=1, draws=300)
    assert (table["n"] > 0).all()
    middle = table[(table["labelling_years"] == "(10.0, 50.0]")]
    assert (middle["lower"] < 0.1).all()
    assert (middle.loc[middle["depth_cm"].isin(["(-inf, 10.0]", "(10.0, 30.0]"]), "upper"] > 0.6).all()


def test_the_table_of_priors_is_complete() -> None:
    for name, row in priors().items():
        assert row["unit"], name
        assert row["meaning"], name
        assert row["reference"], name
        assert row["family"] in ("normal", "dirichlet"), name
