"""Laws of cluster-robust regression."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from subsoil.age.meta import (
    cluster_bootstrap,
    cluster_robust,
    held_out_residuals,
    holm,
    joined_clusters,
    least_squares,
    wild_bootstrap,
)
from subsoil.errors import BadCall


@pytest.fixture
def uneven() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thirty rows in nine clusters of 1 to 8 rows, three terms."""
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(9), [1, 2, 2, 3, 8, 5, 1, 4, 4])
    x = np.column_stack([np.ones(30), rng.normal(size=30), rng.normal(size=9)[cluster]])
    return rng.normal(size=30) + rng.normal(size=9)[cluster], x, cluster


def simulated(rng: np.random.Generator, n_clusters: int = 14) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters of uneven size with a shared error; the moderator belongs to the cluster and does nothing."""
    sizes = rng.integers(1, 8, size=n_clusters)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    moderator = rng.lognormal(size=n_clusters)[cluster]
    y = rng.normal(size=n_clusters)[cluster] + 0.5 * rng.normal(size=cluster.size)
    return y, np.column_stack([np.ones(cluster.size), moderator]), cluster


class TestJoinedClusters:
    def test_joins_through_a_chain_of_different_labels(self) -> None:
        site, study = ["p", "p", "q", "r", "s"], ["A", "B", "B", "C", "D"]
        reference = ["x", "x", "y", "y", "z"]
        assert joined_clusters(site, study, reference).tolist() == [0, 0, 0, 0, 1]

    def test_a_missing_label_joins_nothing(self) -> None:
        assert len(set(joined_clusters([1, 2, 3], [None, None, float("nan")]).tolist())) == 3

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=25), st.randoms())
    def test_row_order_is_irrelevant(self, pairs: list[tuple[int, int]], random: object) -> None:
        order = list(range(len(pairs)))
        random.shuffle(order)  # type: ignore[attr-defined]
        first = joined_clusters([a for a, _ in pairs], [b for _, b in pairs])
        second = joined_clusters([pairs[i][0] for i in order], [pairs[i][1] for i in order])
        assert np.array_equal(first[order][:, None] == first[order], second[:, None] == second)

    def test_rejects_unequal_lengths(self) -> None:
        with pytest.raises(BadCall, match="one length"):
            joined_clusters([1, 2], [1])


class TestClusterRobust:
    def test_singleton_clusters_are_hc2(self, uneven: tuple) -> None:
        y, x, _ = uneven
        fit = cluster_robust(y, x, np.arange(30))
        np.testing.assert_allclose(
            fit.covariance, sm.OLS(y, x).fit().get_robustcov_results("HC2").cov_params()
        )

    def test_unbiased_under_the_working_model(self, uneven: tuple) -> None:
        """E[V] is exact: V is quadratic in y, so its mean is the sum over the columns of a root of Phi."""
        _, x, cluster = uneven
        phi = 0.6 * (cluster[:, None] == cluster) + np.diag(np.linspace(0.5, 3.0, 30))
        columns = np.linalg.cholesky(phi).T
        mean = sum(cluster_robust(column, x, cluster, phi).covariance for column in columns)
        np.testing.assert_allclose(mean, np.linalg.inv(x.T @ np.linalg.solve(phi, x)), rtol=1e-9)

    @pytest.mark.parametrize(("a", "b"), [(5, 5), (4, 12), (3, 30)])
    def test_degrees_of_freedom_of_two_groups(self, a: int, b: int) -> None:
        """Welch's formula at equal variances, with clusters in the place of rows."""
        cluster = np.repeat(np.arange(a + b), 4)
        treated = (cluster < a).astype(float)
        y = np.random.default_rng(1).normal(size=cluster.size)
        fit = cluster_robust(y, np.column_stack([np.ones(cluster.size), treated]), cluster)
        expected = (a + b) ** 2 * (a - 1) * (b - 1) / (a**2 * (a - 1) + b**2 * (b - 1))
        assert fit.df[1] == pytest.approx(expected)
        assert fit.df[0] == pytest.approx(b - 1)

    def test_balanced_mean_is_the_t_test_of_cluster_means(self) -> None:
        y = np.random.default_rng(2).normal(size=24)
        fit = cluster_robust(y, np.ones((24, 1)), np.repeat(np.arange(8), 3))
        test = stats.ttest_1samp(y.reshape(8, 3).mean(axis=1), 0.0)
        assert fit.p[0] == pytest.approx(test.pvalue)
        assert fit.df[0] == pytest.approx(7.0)
        low, high = test.confidence_interval()
        np.testing.assert_allclose([bound[0] for bound in fit.interval()], [low, high])

    def test_keeps_the_nominal_error_rate_where_ols_does_not(self) -> None:
        rng = np.random.default_rng(20)
        data = [simulated(rng) for _ in range(400)]
        robust = np.mean([cluster_robust(y, x, cluster).p[1] < 0.05 for y, x, cluster in data])
        naive = np.mean([least_squares(y, x).p[1] < 0.05 for y, x, _ in data])
        assert 0.02 <= robust <= 0.085  # binomial error .011
        assert naive > 0.15

    def test_row_order_labels_and_units_are_irrelevant(self, uneven: tuple) -> None:
        y, x, cluster = uneven
        order = np.random.default_rng(5).permutation(30)
        here = cluster_robust(y, x, cluster)
        there = cluster_robust(1e3 * y[order], x[order] * [1, 1e4, 1e-4], 100 - cluster[order])
        np.testing.assert_allclose(there.estimate, here.estimate * [1e3, 1e-1, 1e7])
        np.testing.assert_allclose(there.p, here.p, rtol=1e-8)
        np.testing.assert_allclose(there.df, here.df, rtol=1e-8)

    def test_weights_follow_the_working_variances(self, uneven: tuple) -> None:
        y, x, cluster = uneven
        v = np.linspace(0.5, 3.0, 30)
        expected = sm.WLS(y, x, weights=1 / v).fit().params
        np.testing.assert_allclose(cluster_robust(y, x, cluster, v).estimate, expected)

    def test_rejects_covariance_across_clusters(self) -> None:
        with pytest.raises(BadCall, match="links rows of different clusters"):
            cluster_robust(np.arange(4.0), np.ones((4, 1)), np.arange(4), np.eye(4) + 0.1)

    @pytest.mark.parametrize(
        ("y", "x", "cluster", "message"),
        [
            ([1.0, np.nan, 2.0], np.ones((3, 1)), [0, 1, 2], "missing or infinite"),
            ([1.0, 2.0], np.ones((3, 1)), [0, 1, 2], "shapes"),
            ([1.0, 2.0, 3.0], np.ones((3, 2)), [0, 1, 2], "cannot be told apart"),
            ([1.0, 2.0, 3.0], np.ones((3, 1)), [0, 0, 0], "at least 2 clusters"),
            ([1.0, 2.0, 3.0], np.zeros((3, 1)), [0, 1, 2], "cannot be told apart"),
        ],
    )
    def test_rejects_what_it_cannot_fit(self, y: list, x: np.ndarray, cluster: list, message: str) -> None:
        with pytest.raises(BadCall, match=message):
            cluster_robust(np.array(y), x, np.array(cluster))


class TestLeastSquares:
    def test_is_ordinary_least_squares(self, uneven: tuple) -> None:
        y, x, _ = uneven
        fit, oracle = least_squares(y, x), sm.OLS(y, x).fit()
        np.testing.assert_allclose(fit.estimate, oracle.params)
        np.testing.assert_allclose(fit.p, oracle.pvalues)
        np.testing.assert_allclose(np.column_stack(fit.interval()), oracle.conf_int())


class TestWildBootstrap:
    def test_keeps_the_nominal_error_rate(self) -> None:
        rng = np.random.default_rng(8)
        p = [wild_bootstrap(*simulated(rng), 1, draws=399, seed=i) for i in range(200)]
        assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.10

    def test_agrees_with_the_t_test_on_independent_rows(self) -> None:
        rng = np.random.default_rng(4)
        x = np.column_stack([np.ones(60), rng.normal(size=60)])
        y = 0.3 * x[:, 1] + rng.normal(size=60)
        assert wild_bootstrap(y, x, np.arange(60), 1) == pytest.approx(least_squares(y, x).p[1], abs=0.02)

    def test_is_seeded_and_blind_to_row_order(self, uneven: tuple) -> None:
        y, x, cluster = uneven
        order = np.random.default_rng(6).permutation(30)
        first = wild_bootstrap(y, x, cluster, 2, draws=999, seed=1)
        assert first == wild_bootstrap(y, x, cluster, 2, draws=999, seed=1)
        assert first == wild_bootstrap(y[order], x[order], cluster[order], 2, draws=999, seed=1)


class TestHeldOutResiduals:
    def test_equals_refitting_without_each_cluster(self, uneven: tuple) -> None:
        y, x, cluster = uneven
        expected = np.empty(30)
        for name in set(cluster.tolist()):
            out = cluster == name
            expected[out] = y[out] - x[out] @ least_squares(y[~out], x[~out]).estimate
        np.testing.assert_allclose(held_out_residuals(y, x, cluster), expected)

    def test_rejects_a_term_of_one_cluster(self) -> None:
        x = np.column_stack([np.ones(5), [0.0, 0, 0, 1, 1]])
        with pytest.raises(BadCall, match="one cluster alone"):
            held_out_residuals(np.arange(5.0), x, np.array([0, 1, 1, 2, 2]))


class TestClusterBootstrap:
    def test_spread_is_that_of_whole_clusters(self) -> None:
        means = np.random.default_rng(9).normal(size=40)
        y, cluster = np.repeat(means, 3), np.repeat(np.arange(40), 3)
        draws = cluster_bootstrap(lambda rows: float(y[rows].mean()), cluster, draws=2000)
        assert np.std(draws) == pytest.approx(np.std(means) / 40**0.5, rel=0.1)


class TestHolm:
    @pytest.mark.parametrize("n", [1, 2, 7, 30])
    def test_agrees_with_statsmodels(self, n: int) -> None:
        p = np.random.default_rng(n).uniform(size=n).round(1)  # with ties
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])

    def test_missing_values_do_not_count_as_tests(self) -> None:
        assert holm([np.nan, 0.02]).tolist()[1] == 0.02
        assert np.isnan(holm([np.nan])).all()
