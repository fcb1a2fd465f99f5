"""Resampling whole sites: paired, reproducible, of about the nominal coverage; and a strict door."""

import numpy as np
import pytest

from subsoil.benchmark.bootstrap import Interval, percentile, score
from subsoil.benchmark.metrics import METRICS, measure
from subsoil.errors import BadCall


def case(seed=0, sites=20, per_site=6, models=3, site_error=0.05):
    """Observations of sites with an error in common, and models of rising error."""
    rng = np.random.default_rng(seed)
    n = sites * per_site
    site = np.repeat([f"s{i}" for i in range(sites)], per_site)
    observed = rng.beta(1, 2, n)
    common = np.repeat(site_error * rng.normal(size=(models, sites)), per_site, axis=1)
    size = 0.03 * (1 + np.arange(models))[:, None]
    modelled = observed + common + size * rng.normal(size=(models, n))
    return {
        "modelled": modelled,
        "observed": observed,
        "sigma": np.full(n, 0.03),
        "site": site,
        "spread": rng.uniform(0.1, 0.3, n),
        "weight": rng.uniform(0.5, 2.0, n),
        "groups": np.stack([np.ones(n, bool), observed < 0.4, observed >= 0.4]),
        "means": {"crps": np.abs(modelled - observed)},
        "resamples": 50,
    }


def moved(given, order):
    """The case with its values in another order."""
    return {
        k: v
        if k == "resamples"
        else {n: x[..., order] for n, x in v.items()}
        if k == "means"
        else v[..., order]
        for k, v in given.items()
    }


def bytes_of(scores):
    return {name: draws.tobytes() for name, draws in scores.draws.items()}


def test_twice_the_same_bytes_in_any_order_of_rows():
    given = case()
    given["modelled"][1, 4] = np.nan
    order = np.random.default_rng(5).permutation(len(given["observed"]))
    first = score(**given)
    assert bytes_of(first) == bytes_of(score(**given)) == bytes_of(score(**moved(given, order)))
    other = score(**given, seed=1)
    assert bytes_of(first) != bytes_of(other)
    assert (percentile(first.draws["rmse"]).value == percentile(other.draws["rmse"]).value).all()


def test_a_resample_is_the_metric_of_repeated_sites():
    given = case()
    scores = score(**given)
    drawn = scores.counts[:, 7]  # sites in sorted order
    times = drawn[np.searchsorted(np.unique(given["site"]), given["site"])] * given["weight"]
    for group, member in enumerate(given["groups"]):
        again = measure(
            given["modelled"][:, member],
            given["observed"][member],
            given["sigma"][member],
            given["spread"][member],
            times[member, None],
            {"crps": given["means"]["crps"][:, member]},
        )
        for name, values in again.items():
            assert scores.draws[name][7, :, group] == pytest.approx(values[:, 0], rel=1e-9), name
    assert drawn.sum() == 20


def test_a_models_scores_do_not_depend_on_its_company():
    given = case()
    alone = {**given, "modelled": given["modelled"][1:2], "means": {"crps": given["means"]["crps"][1:2]}}
    together, single = score(**given), score(**alone)
    for name, draws in single.draws.items():
        assert together.draws[name][:, 1:2] == pytest.approx(draws, rel=1e-9, nan_ok=True), name


def test_missing_values_are_dropped_and_counted():
    given = case()
    given["observed"][0], given["sigma"][6], given["modelled"][2, :12] = np.nan, np.nan, np.nan
    scores = score(**given)
    assert scores.dropped == 2
    assert scores.missing.tolist() == [0, 0, 10]
    assert scores.n[:, 0].tolist() == [118, 118, 108]
    assert scores.sites[:, 0].tolist() == [20, 20, 18]
    keep = np.isfinite(given["observed"] * given["sigma"] * given["modelled"][2])
    cut = score(**{**moved(given, np.flatnonzero(keep)), "resamples": 2})
    assert percentile(scores.draws["rmse"]).value[2] == pytest.approx(
        percentile(cut.draws["rmse"]).value[2], rel=1e-12
    )


def test_a_model_without_any_number_is_a_row_not_a_crash():
    given = case()
    given["modelled"][1] = np.inf
    scores = score(**given)
    assert scores.n[1].tolist() == [0, 0, 0]
    assert np.isnan(percentile(scores.draws["kge"]).upper[1]).all()
    assert np.isfinite(percentile(scores.draws["kge"]).upper[0]).all()


def test_a_paired_difference_is_narrower():
    """Models that share the errors of the sites differ by much less than each varies."""
    given = case(models=1, site_error=0.2)
    given["modelled"] = np.concatenate([given["modelled"], given["modelled"] + 0.02])
    scores = score(**{**given, "means": None, "resamples": 400})
    paired = percentile(scores.draws["rmse"][:, 0] - scores.draws["rmse"][:, 1])
    one = scores.draws["rmse"][1:, 0, 0] - scores.draws["rmse"][1:, 1, 0][::-1]  # resamples that do not match
    unpaired = np.diff(np.quantile(one, [0.025, 0.975])).item()
    assert (paired.upper - paired.lower)[0] < 0.5 * unpaired


def test_intervals_cover_the_truth():
    """150 samples of 100 sites: 95 % intervals hold the value of a huge sample 88 to 99 times in a hundred.

    Percentile intervals fall a little short of their level; twice the standard error of the count is 4 in a
    hundred. Intervals from drawing values instead of sites would hold the bias 55 times.
    """
    names = ("modelled", "observed", "sigma", "spread")
    huge = case(seed=999, sites=40_000, models=1)
    truth = measure(*(huge[n] for n in names), np.ones((len(huge["observed"]), 1)))
    hits = dict.fromkeys(truth, 0)
    for seed in range(150):
        given = {k: v for k, v in case(seed=seed, sites=100, models=1).items() if k in (*names, "site")}
        scores = score(**given, resamples=200)
        for name, value in truth.items():
            got = percentile(scores.draws[name])
            hits[name] += got.lower.item() <= value.item() <= got.upper.item()
    assert all(0.88 <= count / 150 <= 0.99 for count in hits.values()), hits


def test_percentiles_pass_over_missing_draws():
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(201, 4))
    draws[5:90, 1] = np.nan
    draws[:, 2] = np.nan
    got = percentile(draws, 0.9)
    for column in (0, 1, 3):
        known = draws[1:, column][~np.isnan(draws[1:, column])]
        assert [got.lower[column], got.upper[column]] == pytest.approx(np.quantile(known, [0.05, 0.95]))
    assert np.isnan(got.lower[2])
    assert isinstance(got, Interval)


def test_a_group_of_one_site_has_a_score_but_no_interval():
    given = case()
    given["groups"] = np.stack([given["site"] == "s3", np.zeros(len(given["site"]), bool)])
    got = score(**given)
    assert np.isfinite(percentile(got.draws["rmse"]).value[:, 0]).all()
    assert np.isnan(percentile(got.draws["rmse"]).lower).all()
    assert got.n[:, 1].tolist() == [0, 0, 0]


def test_only_the_means_that_were_given_are_scored():
    given = case()
    assert score(**given).draws.keys() == METRICS.keys() - {"coverage50", "coverage90"}
    assert "crps" not in score(**{**given, "means": None}).draws


N = 120


@pytest.mark.parametrize(
    "wrong",
    [
        {"modelled": np.zeros(N)},
        {"modelled": np.zeros((3, N - 1))},
        {"observed": np.zeros((N, 1))},
        {"sigma": np.zeros(1)},
        {"sigma": np.full(N, -0.1)},
        {"spread": np.zeros(N)},
        {"weight": np.full(N, -1.0)},
        {"site": np.zeros(N)},
        {"site": np.zeros((N, 2))},
        {"groups": np.ones((1, N))},
        {"groups": np.ones(N, bool)},
        {"means": {"crps": np.zeros(N)}},
        {"means": {"rmse": np.zeros((3, N))}},
        {"resamples": 1},
        {"observed": np.full(N, np.nan)},
    ],
)
def test_a_bad_call_is_refused(wrong):
    with pytest.raises(BadCall, match=r"expected|must"):
        score(**{**case(), **wrong})


def test_bad_questions_are_refused():
    with pytest.raises(BadCall, match="level"):
        percentile(score(**case()).draws["rmse"], level=95)
