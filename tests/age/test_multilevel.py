"""Laws of the multilevel random-effects regression."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from subsoil.age.meta import cluster_robust
from subsoil.age.multilevel import multilevel
from subsoil.errors import BadCall


def simulated(rng: np.random.Generator, n_studies: int = 12) -> tuple:
    """Studies of 1 to 6 profiles, a study-level moderator without effect, unequal known errors."""
    study = np.repeat(np.arange(n_studies), rng.integers(1, 7, size=n_studies))
    x = np.column_stack([np.ones(study.size), rng.normal(size=n_studies)[study]])
    v = rng.uniform(0.05, 0.5, size=study.size)
    y = (
        rng.normal(size=n_studies)[study]
        + 0.5 * rng.normal(size=study.size)
        + v**0.5 * rng.normal(size=v.size)
    )
    return y, x, {"study": study, "profile": np.arange(study.size)}, v


def test_equals_statsmodels_where_both_apply() -> None:
    """Without known sampling errors this is the linear mixed model."""
    y, x, levels, _ = simulated(np.random.default_rng(1), n_studies=25)
    model = multilevel(y, x, levels, np.zeros(y.size))
    oracle = MixedLM(y, x, groups=levels["study"]).fit(reml=True)
    np.testing.assert_allclose(model.fit.estimate, oracle.fe_params, rtol=1e-4)
    np.testing.assert_allclose(model.fit.se, oracle.bse_fe, rtol=5e-3)  # there from the joint Hessian
    assert model.tau2["study"] == pytest.approx(float(oracle.cov_re[0, 0]), rel=1e-3)
    assert model.tau2["profile"] == pytest.approx(oracle.scale, rel=1e-3)
    assert model.outcome == "converged"


def test_equal_variances_have_a_closed_form() -> None:
    """tau2 = s2 - v, mean with n - 1 degrees of freedom and standard error s / sqrt(n)."""
    y, n = np.random.default_rng(2).normal(size=15), 15
    model = multilevel(y, np.ones((n, 1)), {"study": np.arange(n)}, np.full(n, 0.2))
    assert model.tau2["study"] == pytest.approx(np.var(y, ddof=1) - 0.2, rel=1e-5)
    assert model.fit.df[0] == pytest.approx(n - 1, rel=1e-4)
    assert model.fit.p[0] == pytest.approx(stats.ttest_1samp(y, 0.0).pvalue, rel=1e-5)
    assert model.q == pytest.approx(np.sum((y - y.mean()) ** 2) / 0.2)
    assert model.typical_variance == pytest.approx(0.2)


def test_balanced_levels_have_a_closed_form() -> None:
    """One-way layout: tau2 from the mean squares, a - 1 degrees of freedom for the mean."""
    rng = np.random.default_rng(5)
    a, m = 9, 4
    y = np.repeat(2 * rng.normal(size=a), m) + rng.normal(size=a * m)
    table = y.reshape(a, m)
    within = np.mean(np.var(table, axis=1, ddof=1))
    between = np.var(table.mean(axis=1), ddof=1) - within / m
    study = np.repeat(np.arange(a), m)
    model = multilevel(y, np.ones((a * m, 1)), {"study": study, "profile": np.arange(a * m)}, np.zeros(a * m))
    assert model.tau2["profile"] == pytest.approx(within, rel=1e-4)
    assert model.tau2["study"] == pytest.approx(between, rel=1e-4)
    assert model.fit.df[0] == pytest.approx(a - 1, rel=1e-3)
    robust = cluster_robust(y, np.ones((a * m, 1)), study)
    assert model.fit.se[0] == pytest.approx(robust.se[0], rel=1e-4)


def test_no_heterogeneity_is_the_fixed_effect_mean() -> None:
    y, v = np.array([1.0, 1.01, 0.99, 1.0]), np.array([0.1, 0.2, 0.3, 0.4])
    model = multilevel(y, np.ones((4, 1)), {"study": np.arange(4)}, v)
    assert model.tau2 == {"study": 0.0}
    assert model.fit.estimate[0] == pytest.approx(np.average(y, weights=1 / v))
    assert model.fit.se[0] == pytest.approx(np.sum(1 / v) ** -0.5)
    assert np.isinf(model.fit.df[0])
    assert model.q_p > 0.99
    assert np.isnan(model.r2_marginal) or model.r2_marginal < 1e-9


def test_keeps_the_nominal_error_rate() -> None:
    rng = np.random.default_rng(11)
    p = [multilevel(*simulated(rng)).fit.p[1] for _ in range(150)]
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.10  # binomial error .018


def test_prediction_interval_covers_new_studies() -> None:
    rng = np.random.default_rng(12)
    hits = []
    for _ in range(120):
        y, x, levels, v = simulated(rng)
        low, high = multilevel(y, x, levels, v).prediction_interval(np.array([1.0, 0.0]))
        hits.append(low <= rng.normal() + 0.5 * rng.normal() <= high)
    assert 0.89 <= np.mean(hits) <= 0.99


def test_shared_errors_raise_the_uncertainty_of_the_mean() -> None:
    y, x = np.random.default_rng(3).normal(size=20), np.ones((20, 1))
    levels = {"study": np.arange(20)}
    alone = multilevel(y, x, levels, np.full(20, 0.3))
    shared = multilevel(y, x, levels, 0.1 * np.eye(20) + 0.2)
    assert shared.fit.se[0] > 1.5 * alone.fit.se[0]


def test_row_order_and_units_are_irrelevant() -> None:
    y, x, levels, v = simulated(np.random.default_rng(7))
    order = np.random.default_rng(8).permutation(y.size)
    here = multilevel(y, x, levels, v)
    names = {level: [f"{level} {label}" for label in labels[order]] for level, labels in levels.items()}
    there = multilevel(1e3 * y[order], x[order] * [1, 1e-3], names, 1e6 * v[order])
    np.testing.assert_allclose(there.fit.p, here.fit.p, rtol=1e-4)
    np.testing.assert_allclose(there.fit.estimate, here.fit.estimate * [1e3, 1e6], rtol=1e-4)
    assert there.tau2["study"] == pytest.approx(1e6 * here.tau2["study"], rel=1e-4)
    assert there.i2["study"] == pytest.approx(here.i2["study"], rel=1e-4)
    assert there.r2_marginal == pytest.approx(here.r2_marginal, rel=1e-4)
    np.testing.assert_allclose(
        there.prediction_interval(np.array([1.0, 0.0])),
        np.multiply(1e3, here.prediction_interval(np.array([1.0, 0.0]))),
        rtol=1e-4,
    )


def test_of_levels_that_group_alike_only_the_last_counts() -> None:
    y, x, levels, v = simulated(np.random.default_rng(9))
    once = multilevel(y, x, levels, v)
    twice = multilevel(y, x, {"site": levels["study"] + 100} | levels, v)
    assert twice.tau2 == {"site": 0.0, **once.tau2}
    np.testing.assert_allclose(twice.fit.p, once.fit.p)
    assert twice.fit.n_clusters == once.fit.n_clusters == 12


def test_shares_add_up() -> None:
    y, x, levels, v = simulated(np.random.default_rng(9))
    model = multilevel(y, x, levels, v)
    total = sum(model.tau2.values()) + model.typical_variance
    assert sum(model.i2.values()) + model.typical_variance / total == pytest.approx(1.0)
    assert 0 <= model.r2_marginal <= model.r2_conditional <= 1


@pytest.mark.parametrize(
    ("levels", "sampling", "message"),
    [
        ({}, np.ones(4), "at least one level"),
        ({"study": [1, 2]}, np.ones(4), "4 labels"),
        ({"study": range(4)}, -np.ones(4), "variances of at least 0"),
        ({"study": range(4)}, np.ones(3), "variances of at least 0"),
    ],
)
def test_rejects_bad_calls(levels: dict, sampling: np.ndarray, message: str) -> None:
    with pytest.raises(BadCall, match=message):
        multilevel(np.array([1.0, 2.0, 4.0, 3.0]), np.ones((4, 1)), levels, sampling)


def test_rejects_a_constant_response() -> None:
    with pytest.raises(BadCall, match="no variation"):
        multilevel(np.full(4, 2.0), np.ones((4, 1)), {"study": range(4)}, np.ones(4))
