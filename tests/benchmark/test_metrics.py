"""Every metric by hand, its laws, and the spread that normalises it."""

import numpy as np
import pytest
from scipy import stats

from subsoil.benchmark.metrics import MEANS, METRICS, between_profile_spread, measure, rank_correlation
from subsoil.errors import BadCall

OBSERVED = np.array([0.2, 0.4, 0.9])
MODELLED = np.array([0.3, 0.4, 0.8])
SIGMA = np.array([0.05, 0.1, 0.05])
SPREAD = np.array([0.5, 0.5, 0.25])


def scores(modelled=MODELLED, observed=OBSERVED, sigma=SIGMA, spread=SPREAD, weight=None, means=None):
    weight = np.ones(len(observed)) if weight is None else np.asarray(weight, dtype=float)
    got = measure(modelled[None], observed, sigma, spread, weight[:, None], means)
    return {name: value.item() for name, value in got.items()}


def many(seed=0, n=60):
    """Values of a model with real skill and error, and their weights."""
    rng = np.random.default_rng(seed)
    observed = rng.beta(1, 3, n)
    return (
        observed + 0.03 + 0.1 * rng.normal(size=n),
        observed,
        rng.uniform(0.02, 0.08, n),
        rng.integers(0, 4, n),
    )


def test_a_tiny_case_by_hand():
    # Errors 0.1, 0, -0.1; means 0.5 and 0.5; variances 14/300 and 26/300; covariance 19/300... in thirds:
    # observed -0.3, -0.1, 0.4 and modelled -0.2, -0.1, 0.3 about 0.5.
    var_o, var_m, cov = 0.26 / 3, 0.14 / 3, 0.19 / 3
    r, alpha = cov / np.sqrt(var_o * var_m), np.sqrt(var_m / var_o)
    bias_score = (np.exp(-0.05 / 0.5) + 1 + np.exp(-0.05 / 0.25)) / 3
    rmse_score = np.exp(-np.sqrt((0.05**2 + 0 + 0.05**2) / 3) / np.sqrt(var_o))
    distribution = 2 * (1 + r) / (alpha + 1 / alpha) ** 2
    expected = {
        "bias": 0.0,
        "rmse": np.sqrt(0.02 / 3),
        "crmse": np.sqrt(0.02 / 3),
        "rmse_corrected": np.sqrt(0.02 / 3 - 0.015 / 3),
        "chi2": (4 + 0 + 4) / 3,
        "bias_normalised": (0.2 - 0.4) / 3,
        "rmse_normalised": np.sqrt((0.04 + 0.16) / 3),
        "correlation": r,
        "rank_correlation": 1.0,
        "kge": 1 - np.hypot(r - 1, alpha - 1),
        "ilamb_bias": bias_score,
        "ilamb_rmse": rmse_score,
        "ilamb_distribution": distribution,
        "ilamb": (bias_score + rmse_score + distribution) / 3,
    }
    got = scores()
    assert got.keys() == expected.keys() == METRICS.keys() - set(MEANS)
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=1e-15), name


def test_kge_counts_a_wrong_mean():
    # Twice the observations: r = 1, SD ratio 2, mean ratio 2.
    assert scores(modelled=2 * OBSERVED)["kge"] == pytest.approx(1 - np.sqrt(2))


def test_a_perfect_model_is_ideal_in_every_metric():
    got = scores(modelled=OBSERVED)
    for name in got.keys() - {"chi2"}:
        assert got[name] == pytest.approx(METRICS[name].ideal, abs=1e-12), name
    assert got["rmse"] == got["crmse"] == got["chi2"] == 0.0


def test_weights_are_repeated_rows():
    modelled, observed, sigma, times = many()
    observed = observed.round(1)  # with ties
    spread = np.linspace(0.1, 0.3, len(observed))
    weighted = scores(modelled, observed, sigma, spread, times, {"crps": modelled[None]})
    rows = np.repeat(np.arange(len(times)), times)
    repeated = scores(
        modelled[rows], observed[rows], sigma[rows], spread[rows], means={"crps": modelled[None, rows]}
    )
    assert weighted == pytest.approx(repeated, abs=1e-12)


def test_ranks_are_spearmans_with_ties():
    modelled, observed, _, times = many(n=80)
    modelled, observed = modelled.round(1), observed.round(1)
    rows = np.repeat(np.arange(len(times)), times)
    weights = np.stack([np.ones(len(times)), times], axis=1)
    got = rank_correlation(modelled[None], observed, weights)[0]
    assert got[0] == pytest.approx(stats.spearmanr(modelled, observed).statistic, abs=1e-14)
    assert got[1] == pytest.approx(stats.spearmanr(modelled[rows], observed[rows]).statistic, abs=1e-14)


def test_other_units_change_only_the_scores_that_bear_the_unit():
    modelled, observed, sigma, _ = many()
    spread = np.full(len(observed), 0.2)
    plain = scores(modelled, observed, sigma, spread)
    percent = scores(100 * modelled, 100 * observed, 100 * sigma, 100 * spread)
    for name in plain:
        factor = 100 if METRICS[name].scaled else 1
        assert percent[name] == pytest.approx(factor * plain[name], rel=1e-10), name


def test_another_zero_changes_only_kge():
    modelled, observed, sigma, _ = many()
    spread = np.full(len(observed), 0.2)
    plain = scores(modelled, observed, sigma, spread)
    shifted = scores(modelled - 50, observed - 50, sigma, spread)
    assert shifted.pop("kge") != pytest.approx(plain.pop("kge"), abs=1e-3)
    assert shifted == pytest.approx(plain, rel=1e-9)


def test_observation_error_is_taken_off_the_error():
    """With noise of known size on the truth, the corrected rmse finds the model's own and chi2 finds 1."""
    rng = np.random.default_rng(1)
    truth, sigma = rng.uniform(size=40_000), np.full(40_000, 0.1)
    observed = truth + sigma * rng.normal(size=truth.size)
    off = scores(truth + 0.05, observed, sigma, np.ones(truth.size))
    right = scores(truth, observed, sigma, np.ones(truth.size))
    assert off["rmse_corrected"] == pytest.approx(0.05, abs=0.003)
    assert off["rmse"] == pytest.approx(np.hypot(0.05, 0.1), abs=0.002)
    assert right["chi2"] == pytest.approx(1.0, abs=0.03)
    assert right["rmse_corrected"] < 0.015


def test_an_exchanged_label_or_flipped_depth_scores_worse():
    depth = np.tile(np.linspace(0.05, 0.95, 10), 12)
    rng = np.random.default_rng(2)
    observed = np.exp(-3 * depth) + 0.03 * rng.normal(size=depth.size)
    sigma, spread = np.full(depth.size, 0.03), np.full(depth.size, 0.2)
    right = scores(np.exp(-3 * depth), observed, sigma, spread)
    for wrong in (np.exp(-3 * (1 - depth)), 1 - np.exp(-3 * depth)):
        worse = scores(wrong, observed, sigma, spread)
        for name in right.keys() - {"bias", "bias_normalised"}:
            ideal = METRICS[name].ideal
            assert abs(worse[name] - ideal) > abs(right[name] - ideal) + 0.1, name


def test_what_is_not_defined_is_missing():
    constant = scores(modelled=np.full(3, 0.5))
    assert np.isnan([constant[n] for n in ("correlation", "rank_correlation", "kge")]).all()
    assert constant["ilamb_distribution"] == 0.0
    assert np.isfinite([constant[n] for n in ("rmse", "ilamb_rmse", "ilamb")]).all()
    single = scores(MODELLED[:1], OBSERVED[:1], SIGMA[:1], SPREAD[:1])
    assert np.isnan([single[n] for n in ("kge", "ilamb_rmse", "ilamb_distribution")]).all()
    assert single["rmse"] == pytest.approx(0.1)
    assert np.isnan(scores(sigma=np.array([0.0, 0.1, 0.1]))["chi2"])
    assert all(np.isnan(value) for value in scores(weight=np.zeros(3)).values())


def test_an_empty_resample_leaves_the_others_alone():
    modelled, observed, sigma, times = many()
    weights = np.stack([times, np.zeros(len(times))], axis=1).astype(float)
    both = measure(modelled[None], observed, sigma, np.ones(len(observed)), weights)
    alone = measure(modelled[None], observed, sigma, np.ones(len(observed)), weights[:, :1])
    for name, value in alone.items():
        assert both[name][0, 0] == pytest.approx(value.item(), rel=1e-12), name
        assert np.isnan(both[name][0, 1]), name


def test_spread_is_between_profiles_at_one_depth():
    observed = np.array([0.5, 0.7, 0.1, 0.3, 0.3, 0.3])
    profile = np.array(list("abaabb"))
    depth = np.array([0, 0, 1, 1, 1, 2])
    with pytest.raises(BadCall, match="depth class 2"):
        between_profile_spread(observed, profile, depth)
    depth[-1] = 1
    got = between_profile_spread(observed, profile, depth, np.array([1, 1, 3, 1, 1, 1.0]))
    top, sub = np.std([0.5, 0.7], ddof=1), np.std([0.15, 0.3], ddof=1)
    assert got == pytest.approx([top, top, sub, sub, sub, sub])


@pytest.mark.parametrize(
    ("observed", "profile", "weight"),
    [([0.1, 0.2], [0], None), ([0.1, np.nan], [0, 1], None), ([0.1, 0.2], [0, 1], [1.0, 0.0])],
)
def test_spread_says_what_is_wrong(observed, profile, weight):
    with pytest.raises(BadCall, match=r"expected|missing"):
        between_profile_spread(np.array(observed), np.array(profile), np.zeros(2), weight)
