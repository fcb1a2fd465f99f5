"""Regression of results whose rows depend on each other: statistics only, no soil.

Profiles share sites, studies and reference profiles, so their residuals move together and ordinary least
squares states errors that are too small. ``cluster_robust`` assumes nothing about the dependence inside a
cluster: bias-reduced sandwich (CR2) with Satterthwaite degrees of freedom, which keeps the stated error rate
with few and uneven clusters. ``age.multilevel`` is its counterpart: it models the dependence instead.

Why not a library. statsmodels knows the cluster sandwich without the small-sample correction (CR1), and
mixed models without known sampling errors. PyMARE 0.0.13 has CR2 and its degrees of freedom, but no
correlated errors and no third level, takes the correction in another metric than Pustejovsky & Tipton once
errors differ inside a cluster, and brings sympy. Both serve as oracles in the tests.

Sources: Bell & McCaffrey 2002 (Survey Methodology 28:169); Pustejovsky & Tipton 2018 (J. Business & Economic
Statistics 36:672); Cameron, Gelbach & Miller 2008 (Review of Economics and Statistics 90:414); Webb 2023
(Canadian J. Economics 56:839); Holm 1979 (Scandinavian J. Statistics 6:65).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from subsoil.errors import BadCall

Vector = Float[np.ndarray, "row"]
Design = Float[np.ndarray, "row term"]

NAIVE = "naive OLS"
ROBUST = "cluster-robust CR2"

WEBB_BELOW = 12
"""Fewer clusters than this give the two-point weights too few distinct draws (2**11 = 2048)."""


@dataclass(frozen=True)
class Fit:
    """Coefficients with the inference of one method; units are those of the response per unit of the term.

    >>> fit = Fit(NAIVE, np.array([2.0]), np.array([[1.0]]), np.array([10.0]), n=11, n_clusters=11)
    >>> [round(float(bound[0]), 3) for bound in fit.interval()]
    [-0.228, 4.228]
    """

    method: str
    estimate: Float[np.ndarray, "term"]
    covariance: Float[np.ndarray, "term term"]
    df: Float[np.ndarray, "term"]
    n: int
    n_clusters: int

    @property
    def se(self) -> Float[np.ndarray, "term"]:
        """Standard errors."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def p(self) -> Float[np.ndarray, "term"]:
        """Two-sided p values of Student's t with ``df`` degrees of freedom."""
        return 2 * stats.t.sf(np.abs(self.estimate / self.se), self.df)

    def interval(self, level: float = 0.95) -> tuple[Float[np.ndarray, "term"], Float[np.ndarray, "term"]]:
        """Confidence interval at ``level``."""
        half = stats.t.ppf((1 + level) / 2, self.df) * self.se
        return self.estimate - half, self.estimate + half


def joined_clusters(*labels: Sequence[Any] | np.ndarray) -> Int[np.ndarray, "row"]:
    """Smallest clusters that keep together all rows which share any label, directly or through others.

    Each argument holds one label a row (site, study, reference profile). Rows are nodes of a graph, a shared
    label is an edge, the clusters are its connected components. So one-way inference on the result is safe
    for every kind of sharing at once. A missing label (None, NaN) joins nothing.

    >>> joined_clusters(["a", "a", "b", "c"], [1, 2, 2, 3]).tolist()
    [0, 0, 0, 1]
    """
    n = len(labels[0]) if labels else 0
    if not labels or n == 0 or any(len(column) != n for column in labels):
        raise BadCall(f"expected label columns of one length above 0, got {[len(c) for c in labels]}")
    edges = [_shared(column) for column in labels]
    rows, columns = np.hstack(edges)
    graph = coo_array((np.ones(rows.size), (rows, columns)), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _shared(column: Sequence[Any] | np.ndarray) -> Int[np.ndarray, "2 edge"]:
    first: dict[Any, int] = {}
    pairs = [(row, first.setdefault(x, row)) for row, x in enumerate(column) if x is not None and x == x]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def least_squares(y: Vector, x: Design) -> Fit:
    """Ordinary least squares as if every row were an independent study: the naive comparison.

    beta = (X'X)^-1 X'y, covariance s2 (X'X)^-1, df = n - p.

    Raises
    ------
    BadCall
        Shapes differ, a value is not finite, or the columns of ``x`` are not independent.

    >>> round(float(least_squares(np.array([1.0, 2.0, 4.0]), np.ones((3, 1))).se[0]), 4)
    0.8819
    """
    _check(y, x)
    n, p = x.shape
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    s2 = np.sum((y - x @ beta) ** 2) / (n - p)
    return Fit(NAIVE, beta, s2 * bread, np.full(p, float(n - p)), n, n)


def cluster_robust(
    y: Vector,
    x: Design,
    cluster: Int[np.ndarray, "row"],
    working: Float[np.ndarray, "row"] | Float[np.ndarray, "row row"] | None = None,
) -> Fit:
    """Weighted least squares with the bias-reduced sandwich CR2 and Satterthwaite degrees of freedom.

    With Phi the ``working`` covariance (None: identity; a vector: its diagonal), W = Phi^-1,
    M = (X'WX)^-1 and H = XMX'W:

        V = M [ sum_i X_i'W_i A_i e_i e_i' A_i' W_i X_i ] M,   A_i = D_i' B_i^(+1/2) D_i,
        B_i = D_i (I-H)_i Phi (I-H)_i' D_i',   Phi_i = D_i'D_i (Cholesky)

    so that V is unbiased whenever Phi holds up to a factor; with clusters of one row it is HC2. For term k
    let G_ij = l_ik Phi l_jk', where the row vector l_ik maps y to cluster i's part of the error of beta_k;
    then df_k = tr(G)^2 / tr(G^2). Below about 4 degrees of freedom the t approximation itself is doubtful.

    ``y`` [row], ``x`` [row term] with its own column of ones, ``cluster`` [row].

    Raises
    ------
    BadCall
        As ``least_squares``; fewer than two clusters; ``working`` links rows of different clusters.

    >>> y, x = np.array([1.0, 2.0, 4.0, 9.0]), np.ones((4, 1))
    >>> fit = cluster_robust(y, x, np.array([0, 0, 1, 1]))
    >>> round(float(fit.se[0]), 3), round(float(fit.df[0]), 3)
    (2.5, 1.0)
    """
    _check(y, x)
    members = _members(cluster, len(y))
    phi = covariance_matrix(working, len(y))
    if np.any(phi[cluster[:, None] != cluster[None, :]]):
        raise BadCall("the working covariance links rows of different clusters: join those clusters first")
    weighted = np.linalg.solve(phi, x)
    bread = np.linalg.inv(x.T @ weighted)
    beta = bread @ (weighted.T @ y)
    residual_maker = np.eye(len(y)) - x @ bread @ weighted.T
    spread = residual_maker @ phi @ residual_maker.T
    parts = np.stack(
        [
            bread
            @ weighted[rows].T
            @ _adjustment(phi[np.ix_(rows, rows)], spread[np.ix_(rows, rows)])
            @ residual_maker[rows]
            for rows in members
        ]
    )  # [cluster, term, row]
    scores = parts @ y
    gram = np.einsum("ikn,nm,jkm->kij", parts, phi, parts, optimize=True)
    df = np.trace(gram, axis1=1, axis2=2) ** 2 / np.sum(gram**2, axis=(1, 2))
    return Fit(ROBUST, beta, scores.T @ scores, df, len(y), len(members))


def _adjustment(phi: np.ndarray, spread: np.ndarray) -> np.ndarray:
    root = np.linalg.cholesky(phi).T  # upper, phi = root' root
    values, vectors = np.linalg.eigh(root @ spread @ root.T)
    keep = values > 1e-9 * max(values.max(), 1e-300)  # a fully fitted direction carries no residual
    inverse_root = (vectors[:, keep] * values[keep] ** -0.5) @ vectors[:, keep].T
    return root.T @ inverse_root @ root


def wild_bootstrap(
    y: Vector, x: Design, cluster: Int[np.ndarray, "row"], term: int, *, draws: int = 9999, seed: int = 0
) -> float:
    """p value of beta[``term``] = 0 from the wild cluster bootstrap, a check where clusters are few.

    Refits under the null, multiplies each cluster's residuals by one random weight (Rademacher; Webb's six
    points below ``WEBB_BELOW`` clusters) and compares |t|, t with the plain cluster sandwich.

    >>> y, x = np.array([5.0, 5.2, 5.1, 4.9, 5.3, 5.0]), np.ones((6, 1))
    >>> 0.0 < wild_bootstrap(y, x, np.arange(6), 0, draws=999) < 0.1
    True
    """
    _check(y, x)
    members = _members(cluster, len(y))
    rest = np.delete(x, term, axis=1)
    null = y - rest @ np.linalg.lstsq(rest, y, rcond=None)[0] if rest.shape[1] else y
    bread = np.linalg.inv(x.T @ x)
    influence = x @ bread[term]
    residual_maker = np.eye(len(y)) - x @ bread @ x.T
    belongs = np.array([np.isin(np.arange(len(y)), rows) for rows in members], dtype=float)
    weights = _weights(len(members), draws, seed)
    shifts = weights @ (belongs @ (influence * null))
    scatter = (belongs * influence) @ residual_maker @ (belongs * null).T  # [cluster, cluster]
    errors = np.sqrt(np.sum((weights @ scatter.T) ** 2, axis=1))
    observed_error = np.sqrt(np.sum(((belongs * influence) @ residual_maker @ y) ** 2))
    observed = abs(influence @ y) / observed_error
    return float((1 + np.sum(np.abs(shifts) >= observed * errors * (1 - 1e-12))) / (1 + draws))


def _weights(n_clusters: int, draws: int, seed: int) -> Float[np.ndarray, "draw cluster"]:
    points = np.sqrt([1.0]) if n_clusters >= WEBB_BELOW else np.sqrt([0.5, 1.0, 1.5])
    return np.random.default_rng(seed).choice(np.concatenate([-points, points]), size=(draws, n_clusters))


def held_out_residuals(y: Vector, x: Design, cluster: Int[np.ndarray, "row"]) -> Vector:
    """What each row misses by when its whole cluster is left out of the least-squares fit.

    e_(-i) = (I - H_ii)^-1 e_i, cluster by cluster: no refitting.

    Raises
    ------
    BadCall
        As ``least_squares``; a term cannot be estimated without one of the clusters.

    >>> held_out_residuals(np.array([1.0, 2.0, 6.0]), np.ones((3, 1)), np.arange(3)).round(9).tolist()
    [-3.0, -1.5, 4.5]
    """
    _check(y, x)
    hat = x @ np.linalg.inv(x.T @ x) @ x.T
    residual = y - hat @ y
    out = np.empty_like(residual)
    for rows in _members(cluster, len(y)):
        block = np.eye(len(rows)) - hat[np.ix_(rows, rows)]
        if np.linalg.matrix_rank(block) < len(rows):
            raise BadCall("a term rests on one cluster alone, so that cluster cannot be held out")
        out[rows] = np.linalg.solve(block, residual[rows])
    return out


def cluster_bootstrap(
    statistic: Callable[[Int[np.ndarray, "row"]], float],
    cluster: Int[np.ndarray, "row"],
    *,
    draws: int = 1999,
    seed: int = 0,
) -> Float[np.ndarray, "draw"]:
    """Values of ``statistic`` (a function of row numbers) over samples of whole clusters with replacement.

    >>> y = np.array([1.0, 1.0, 3.0, 3.0])
    >>> values = cluster_bootstrap(lambda rows: y[rows].mean(), np.array([0, 0, 1, 1]), draws=99)
    >>> sorted(set(values.tolist()))
    [1.0, 2.0, 3.0]
    """
    members = _members(cluster, len(cluster))
    picks = np.random.default_rng(seed).integers(len(members), size=(draws, len(members)))
    return np.array([statistic(np.concatenate([members[i] for i in pick])) for pick in picks], dtype=float)


def holm(p: Sequence[float] | np.ndarray) -> Float[np.ndarray, "test"]:
    """p values adjusted for the number of tests after Holm 1979; missing ones stay missing and do not count.

    Sorted p_(1) <= ... <= p_(m): adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).

    >>> holm([0.01, 0.04, 0.03, float("nan")]).round(2).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    values = np.asarray(p, dtype=float)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return out


def covariance_matrix(values: np.ndarray | None, n: int) -> Float[np.ndarray, "row row"]:
    """A covariance of ``n`` rows from nothing (identity), variances [row] or a matrix [row row].

    Raises
    ------
    BadCall
        The shape is wrong, a value is not finite, or a variance is negative.

    >>> covariance_matrix(np.array([1.0, 4.0]), 2).tolist()
    [[1.0, 0.0], [0.0, 4.0]]
    """
    matrix = np.eye(n) if values is None else np.diag(values) if np.ndim(values) == 1 else np.asarray(values)
    if matrix.shape != (n, n) or not np.all(np.isfinite(matrix)) or np.any(np.diag(matrix) < 0):
        raise BadCall(f"expected {n} variances of at least 0, or their {n} x {n} covariance, all finite")
    return matrix


def _members(cluster: np.ndarray, n: int) -> list[Int[np.ndarray, "member"]]:
    names, codes = np.unique(cluster, return_inverse=True)
    if len(cluster) != n or len(names) < 2:
        raise BadCall(f"expected a cluster for each of {n} rows and at least 2 clusters, got {len(names)}")
    return [np.flatnonzero(codes == code) for code in range(len(names))]


def _check(y: np.ndarray, x: np.ndarray) -> None:
    if np.ndim(y) != 1 or np.ndim(x) != 2 or len(x) != len(y):
        raise BadCall(f"expected y [row] and x [row term], got shapes {np.shape(y)} and {np.shape(x)}")
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise BadCall("y and x hold missing or infinite values: leave those rows out and count them")
    n, p = x.shape
    size = np.linalg.norm(x, axis=0)
    if n <= p or not size.all() or np.linalg.matrix_rank(x / size) < p:
        raise BadCall(f"{p} terms cannot be told apart with {n} rows: drop a term or add rows")
