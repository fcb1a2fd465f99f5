"""Regression of study results on several levels of random effects, with known sampling errors.

Study, site and profile each add their own spread to what a study reports; the error of measurement is
known and comes on top. Restricted maximum likelihood, with the moment-matched t tests that REML needs when
there are few studies. Statistics only, no soil.

Sources: Konstantopoulos 2011 (Research Synthesis Methods 2:61); Giesbrecht & Burns 1985 (Biometrics 41:477);
Higgins & Thompson 2002 (Statistics in Medicine 21:1539); Nakagawa & Schielzeth 2013 (Methods in Ecology and
Evolution 4:133).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg, optimize, stats

from subsoil.age.meta import Design, Fit, Vector, covariance_matrix, least_squares
from subsoil.errors import BadCall

HIERARCHICAL = "hierarchical"

BOUNDARY = 1e-7
"""A variance below this share of the residual variance counts as zero."""

SETTLED = 1e-3
"""Largest slope of the log likelihood at its maximum, per share of the residual variance."""


@dataclass(frozen=True)
class Multilevel:
    """A multilevel fit: coefficients, and the variances behind them.

    ``tau2`` holds the variance of each level's effects (response units squared), ``outcome`` is "converged"
    or "not converged". ``variance_gradient`` is d cov(beta) / d tau2 and ``tau2_covariance`` the inverse
    expected information, both over the levels above zero only.
    """

    fit: Fit
    tau2: Mapping[str, float]
    log_likelihood: float
    outcome: str
    q: float
    q_df: int
    typical_variance: float
    r2_marginal: float
    r2_conditional: float
    variance_gradient: Float[np.ndarray, "level term term"]
    tau2_covariance: Float[np.ndarray, "level level"]

    @property
    def q_p(self) -> float:
        """Chance of a Q as large when all differences are sampling error."""
        return float(stats.chi2.sf(self.q, self.q_df))

    @property
    def i2(self) -> dict[str, float]:
        """Share of each level in the total variance, tau2 / (sum of tau2 + typical sampling variance)."""
        total = sum(self.tau2.values()) + self.typical_variance
        return {level: tau2 / total for level, tau2 in self.tau2.items()}

    def prediction_interval(self, at: Float[np.ndarray, "term"], level: float = 0.95) -> tuple[float, float]:
        """Interval for the true value of a new study at ``at``: x'b -+ t sqrt(x'Cx + sum of tau2).

        The degrees of freedom of t are Satterthwaite's for the whole variance under the root.
        """
        gradient = np.einsum("i,lij,j->l", at, self.variance_gradient, at) + 1.0
        variance = float(at @ self.fit.covariance @ at) + sum(self.tau2.values())
        half = stats.t.ppf((1 + level) / 2, _satterthwaite(variance, gradient, self.tau2_covariance))
        middle = float(at @ self.fit.estimate)
        return middle - half * variance**0.5, middle + half * variance**0.5


def multilevel(
    y: Vector,
    x: Design,
    levels: Mapping[str, Sequence[Any] | np.ndarray],
    sampling: Float[np.ndarray, "row"] | Float[np.ndarray, "row row"],
) -> Multilevel:
    """Random-effects regression with known sampling errors and any number of levels.

        y = X b + sum_l Z_l u_l + e,   u_l ~ N(0, tau2_l I),   e ~ N(0, V),
        Sigma = V + sum_l tau2_l Z_l Z_l',   C = cov(b) = (X' Sigma^-1 X)^-1

    ``y`` [row]; ``x`` [row term] with its own column of ones; ``levels`` maps a name to one label a row,
    coarsest first (study, site, profile); ``sampling`` is V or its diagonal.

    tau2 >= 0 maximise the restricted likelihood. Degrees of freedom of each coefficient: Satterthwaite's
    2 C^2 / Var(C) over the levels above zero. A level estimated at zero is taken as absent, and with none
    above zero the normal law is used. Of levels that group the rows alike only the last is estimated. R2:
    marginal = var(Xb) / (var(Xb) + sum of tau2); conditional counts every level but the last as explained
    too; sampling error is in neither. Q and the typical variance v_typ = (n - p) / tr(P) come from the fit
    without random effects; NaN where a sampling variance is 0.

    Raises
    ------
    BadCall
        As ``least_squares``; no level; a negative variance; or y has no variation left.

    >>> y, v = np.array([0.1, 0.5, 0.3, 0.9]), np.full(4, 0.01)
    >>> model = multilevel(y, np.ones((4, 1)), {"study": range(4)}, v)
    >>> round(model.tau2["study"], 4), round(float(model.fit.df[0]), 2)  # s2 - v, n - 1
    (0.1067, 3.0)
    """
    naive = least_squares(y, x)
    scale = naive.covariance[0, 0] / np.linalg.inv(x.T @ x)[0, 0]  # residual variance: tau2 near 1 inside
    if not scale > 1e-20 * np.mean(y**2):
        raise BadCall("the response has no variation left to explain")
    v = covariance_matrix(sampling, len(y))
    kernels = _kernels(levels, len(y))
    finest = [i for i, k in enumerate(kernels) if not any(np.array_equal(k, o) for o in kernels[i + 1 :])]
    problem = _Likelihood(y / scale**0.5, x, v / scale, kernels[finest])
    shares, outcome = problem.maximise()
    theta = np.zeros(len(kernels))
    theta[finest] = shares
    n_groups = round(np.sum(1 / kernels[0].sum(axis=0)))
    return _assemble(replace(problem, kernels=kernels), theta, outcome, list(levels), scale, n_groups)


class _Solution(NamedTuple):
    """Generalised least squares at given variances."""

    beta: np.ndarray
    covariance: np.ndarray
    weighted: np.ndarray  # Sigma^-1 X
    projector: np.ndarray  # Sigma^-1 - Sigma^-1 X C X' Sigma^-1
    log_det: (
        float  # ln |Sigma| + ln |X' Sigma^-1 X| - ln |X'X|: the last makes the coding of terms irrelevant
    )


@dataclass(frozen=True)
class _Likelihood:
    y: np.ndarray
    x: np.ndarray
    v: np.ndarray
    kernels: np.ndarray  # [level, row, row]: Z Z'

    def solve(self, theta: np.ndarray) -> _Solution:
        sigma = self.v + np.tensordot(theta, self.kernels, axes=1)
        factor = linalg.cho_factor(sigma, lower=True)
        inverse = linalg.cho_solve(factor, np.eye(len(self.y)))
        weighted = inverse @ self.x
        information = self.x.T @ weighted
        covariance = np.linalg.inv(information)
        log_det = 2 * np.sum(np.log(np.diag(factor[0])))
        log_det += np.linalg.slogdet(information)[1] - np.linalg.slogdet(self.x.T @ self.x)[1]
        projector = inverse - weighted @ covariance @ weighted.T
        return _Solution(covariance @ (weighted.T @ self.y), covariance, weighted, projector, log_det)

    def loss(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the restricted log likelihood, and its gradient in ``theta``."""
        s = self.solve(theta)
        py = s.projector @ self.y
        free = self.x.shape[0] - self.x.shape[1]
        value = s.log_det + self.y @ py + free * np.log(2 * np.pi)
        gradient = np.einsum("lij,ij->l", self.kernels, s.projector) - py @ self.kernels @ py
        return 0.5 * value, 0.5 * gradient

    def maximise(self) -> tuple[np.ndarray, str]:
        """Variances from equal shares; should that not settle, from each level dominating in turn."""
        n_levels = len(self.kernels)
        runs: list[optimize.OptimizeResult] = []
        for start in [np.full(n_levels, 1 / n_levels), *(0.9 * np.eye(n_levels) + 0.05)]:
            runs.append(
                optimize.minimize(self.loss, start, jac=True, bounds=[(1e-9, None)] * n_levels, tol=1e-12)
            )
            best = min(runs, key=lambda run: run.fun)
            inside = (best.x >= BOUNDARY) | (best.jac < 0)
            if np.all(np.abs(best.jac[inside]) < SETTLED):
                return np.where(best.x < BOUNDARY, 0.0, best.x), "converged"
        return best.x, "not converged"


def _assemble(
    problem: _Likelihood, theta: np.ndarray, outcome: str, names: list[str], scale: float, n_groups: int
) -> Multilevel:
    s = problem.solve(theta)
    n, p = problem.x.shape
    gradient, tau2_covariance = _information(problem, s, theta > 0)
    df = np.array([_satterthwaite(s.covariance[k, k], gradient[:, k, k], tau2_covariance) for k in range(p)])
    tau2 = dict(zip(names, (scale * theta).tolist(), strict=True))
    explained, spread = scale * float(np.var(problem.x @ s.beta)), sum(tau2.values())
    total = explained + spread
    q, typical = _sampling_only(problem)
    return Multilevel(
        fit=Fit(HIERARCHICAL, scale**0.5 * s.beta, scale * s.covariance, df, n, n_groups),
        tau2=tau2,
        log_likelihood=-problem.loss(theta)[0] - 0.5 * (n - p) * np.log(scale),
        outcome=outcome,
        q=q,
        q_df=n - p,
        typical_variance=scale * typical,
        r2_marginal=explained / total if total else np.nan,
        r2_conditional=(total - tau2[names[-1]]) / total if total else np.nan,
        variance_gradient=gradient,
        tau2_covariance=scale**2 * tau2_covariance,
    )


def _information(
    problem: _Likelihood, s: _Solution, active: np.ndarray
) -> tuple[Float[np.ndarray, "level term term"], Float[np.ndarray, "level level"]]:
    """d C / d tau2 = C X' Sigma^-1 K Sigma^-1 X C, and the inverse of 1/2 tr(P K_l P K_m)."""
    kernels = problem.kernels[active]
    projected = s.projector @ kernels
    information = 0.5 * np.einsum("lij,mji->lm", projected, projected)
    sandwich = s.covariance @ s.weighted.T
    return sandwich @ kernels @ sandwich.T, np.linalg.pinv(information, hermitian=True)


def _satterthwaite(variance: float, gradient: np.ndarray, covariance: np.ndarray) -> float:
    spread = float(gradient @ covariance @ gradient)
    return 2 * variance**2 / spread if spread > 0 else np.inf


def _sampling_only(problem: _Likelihood) -> tuple[float, float]:
    """Q and the typical sampling variance."""
    if np.any(np.diag(problem.v) <= 0):
        return np.nan, np.nan
    s = problem.solve(np.zeros(len(problem.kernels)))
    n, p = problem.x.shape
    return float(problem.y @ s.projector @ problem.y), (n - p) / float(np.trace(s.projector))


def _kernels(levels: Mapping[str, Sequence[Any] | np.ndarray], n: int) -> Float[np.ndarray, "level row row"]:
    lengths = {name: len(labels) for name, labels in levels.items()}
    if not lengths or set(lengths.values()) != {n}:
        raise BadCall(f"expected at least one level with {n} labels, got {lengths}")
    codes = [np.unique(np.asarray(labels).astype(str), return_inverse=True)[1] for labels in levels.values()]
    return np.stack([code[:, None] == code[None, :] for code in codes]).astype(float)
