"""Least squares of the bi-exponential age distribution, any number of weightings at once.

p(t) = A (1 - exp(-k1 t)) + B (1 - exp(-k2 t)). Given the two rates the curve is linear in A and B, so only
the rates are searched (variable projection): a grid over all pairs, then a window that moves and shrinks
around the best pair. That needs no starting values and keeps A, B >= 0 and A + B <= 1 exactly. The weightings
of a bootstrap are fitted in one call.
A curve that the data do not determine is a named ``Outcome``, not an exception.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from subsoil.age.distributions import BiExponential
from subsoil.errors import BadCall

PARAMETERS = 4
MIN_PROFILES, MIN_TIMES = 6, 5
GRID = 45
"""Rates of the first search, evenly spaced in their logarithm."""
WINDOW = 7
SHRINK, GROW = 0.4, 1.5
RESOLVED = 1e-6
"""Half-width of the window in ln(rate) at which the search ends."""
MAX_STEPS = 200
SAME_RATE = 0.01
"""Rates closer than this in their logarithm are one."""
LINE, STEP = 0.01, 6.9
"""A slower rate than LINE / (longest time) draws a line, a faster one than STEP / (shortest time) a step."""


class Outcome(StrEnum):
    """What a fit came to; only ``CONVERGED`` determines all four parameters."""

    CONVERGED = "converged"
    FULL = "all carbon turns over: A + B = 1"
    ONE_POOL = "one pool: A or B = 0, or k1 = k2"
    RATE_AT_BOUND = "a rate is not identified"
    NOT_CONVERGED = "not converged"
    TOO_FEW = "too few profiles or times"


@dataclass(frozen=True)
class Fits:
    """One fit per row of weights: distribution (arrays [fit]), weighted residual sum, outcome [fit]."""

    distribution: BiExponential
    residual_sum: Float[np.ndarray, " fit"]
    outcome: np.ndarray


def fit_biexponential(
    years: Float[np.ndarray, " profile"],
    f_new: Float[np.ndarray, " profile"],
    weights: Float[np.ndarray, "fit _"] | None = None,
) -> Fits:
    """Least squares of f_new on time with A, B >= 0, A + B <= 1 and LINE/max(t) <= k2 <= k1 <= STEP/min(t).

    ``years`` labelling time t (yr); ``f_new`` share of new carbon (fraction, NaN is left out); ``weights``
    a row of non-negative weights for each fit wanted, default one row of ones. Rates come out in yr-1.

    >>> t = np.array([4.0, 8, 16, 30, 60, 120, 500, 2000])
    >>> truth = BiExponential(0.3, 0.15, 0.6, 0.004)
    >>> fits = fit_biexponential(t, truth.cdf(t))
    >>> float(fits.distribution.slow_share[0].round(3)), str(fits.outcome[0])
    (0.6, 'converged')
    """
    usable = np.isfinite(f_new)
    given = np.ones((1, len(years))) if weights is None else np.asarray(weights, float)
    if given.shape[-1] != len(years) or not (given >= 0).all():
        raise BadCall(f"weights: expected non-negative numbers [fit, {len(years)}], got shape {given.shape}")
    t, f, w = years[usable], f_new[usable], given[:, usable]
    enough = _enough(t, w)
    if not enough.any():
        nothing = np.full(len(given), np.nan)
        empty = BiExponential(nothing, nothing, nothing, nothing)
        return Fits(empty, nothing, np.full(len(given), Outcome.TOO_FEW, dtype=object))
    bounds = np.log(LINE / t.max()), np.log(STEP / t.min())
    log_rates, width = _shrink_window(t, f, w, _best_of_grid(t, f, w, bounds), bounds)
    shares, residual_sum = _pairs(t, f, w, log_rates[:, :1], log_rates[:, 1:])
    return _as_fits(shares[:, 0, 0], log_rates, residual_sum[:, 0, 0], width, bounds, enough)


def _enough(years: np.ndarray, weights: np.ndarray) -> Bool[np.ndarray, " fit"]:
    _, group = np.unique(years, return_inverse=True)
    times = np.array([len(np.unique(group[row > 0])) for row in weights])
    return ((weights > 0).sum(axis=1) >= MIN_PROFILES) & (times >= MIN_TIMES)


def _pairs(
    years: np.ndarray, f_new: np.ndarray, weights: np.ndarray, log_fast: np.ndarray, log_slow: np.ndarray
) -> tuple[Float[np.ndarray, "fit fast slow 2"], Float[np.ndarray, "fit fast slow"]]:
    """Best shares and weighted residual sum for every pair of rates; log rates are [fit or 1, rate]."""
    fast, slow = (-np.expm1(-np.exp(k)[..., None] * years) for k in (log_fast, log_slow))
    w = weights[:, None, :]
    fast_w, slow_w = fast * w, slow * w
    g12 = fast_w @ np.swapaxes(np.broadcast_to(slow, (len(fast_w), *slow.shape[1:])), 1, 2)
    g11, g22 = (fast_w * fast).sum(-1)[:, :, None], (slow_w * slow).sum(-1)[:, None, :]
    b1, b2 = (fast_w @ f_new)[:, :, None], (slow_w @ f_new)[:, None, :]
    candidates = _shares_in_triangle(g11, g12, g22, b1, b2)
    total = (weights @ f_new**2)[:, None, None]
    best = np.full(g12.shape, np.inf)
    shares = np.zeros((*g12.shape, 2))
    for a, b in candidates:
        value = total - 2 * (a * b1 + b * b2) + a * a * g11 + 2 * a * b * g12 + b * b * g22
        inside = (a >= 0) & (b >= 0) & (a + b <= 1 + 1e-12) & (value < best)
        best = np.where(inside, value, best)
        shares[..., 0], shares[..., 1] = (
            np.where(inside, a, shares[..., 0]),
            np.where(inside, b, shares[..., 1]),
        )
    return shares, best


def _shares_in_triangle(
    g11: np.ndarray, g12: np.ndarray, g22: np.ndarray, b1: np.ndarray, b2: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Where the quadratic in (A, B) can be least: inside A, B >= 0, A + B <= 1, or on an edge."""
    determinant = g11 * g22 - g12 * g12
    safe = np.where(determinant > 1e-14 * g11 * g22, determinant, np.inf)
    shape = np.zeros_like(g12)
    edge = g11 - 2 * g12 + g22
    on_edge = np.clip((b1 - b2 - g12 + g22) / np.where(edge > 0, edge, np.inf), 0, 1)
    return [
        (np.clip(b1 / g11, 0, 1) + shape, shape),
        (shape, np.clip(b2 / g22, 0, 1) + shape),
        (on_edge, 1 - on_edge),
        ((b1 * g22 - b2 * g12) / safe, (b2 * g11 - b1 * g12) / safe),
    ]


def _best_of_grid(
    years: np.ndarray, f_new: np.ndarray, weights: np.ndarray, bounds: tuple[float, float]
) -> tuple[Float[np.ndarray, "fit 2"], float]:
    """Log rates of the best pair of the grid, fast one first, and the spacing of the grid."""
    grid = np.linspace(*bounds, GRID)
    _, value = _pairs(years, f_new, weights, grid[None], grid[None])
    value = np.where(np.tri(GRID, k=-1, dtype=bool), value, np.inf).reshape(len(weights), -1)
    fast, slow = np.divmod(value.argmin(axis=1), GRID)
    return np.stack([grid[fast], grid[slow]], axis=1), float(grid[1] - grid[0])


def _shrink_window(
    years: np.ndarray,
    f_new: np.ndarray,
    weights: np.ndarray,
    start: tuple[np.ndarray, float],
    bounds: tuple[float, float],
) -> tuple[Float[np.ndarray, "fit 2"], Float[np.ndarray, " fit"]]:
    """Log rates at the least sum of squares, and the width of the window when the search ended.

    A window whose best pair lies on its rim moves there and grows; otherwise it shrinks around the best pair.
    """
    centre, width = start[0], np.full(len(weights), start[1])
    tolerance = 1e-13 * (weights @ f_new**2)
    for _ in range(MAX_STEPS):
        open_ = np.flatnonzero(width >= RESOLVED)
        if not len(open_):
            break
        axes = centre[open_, :, None] + width[open_, None, None] * np.linspace(-1, 1, WINDOW)
        axes = np.clip(axes, *bounds)
        _, value = _pairs(years, f_new, weights[open_], axes[:, 0], axes[:, 1])
        value = np.where(axes[:, 0, :, None] >= axes[:, 1, None, :], value, np.inf)
        fast, slow = _best_in_window(value, tolerance[open_])
        on_rim = (np.minimum(fast, slow) == 0) | (np.maximum(fast, slow) == WINDOW - 1)
        rows = np.arange(len(open_))
        centre[open_] = np.stack([axes[rows, 0, fast], axes[rows, 1, slow]], axis=1)
        width[open_] *= np.where(on_rim, GROW, SHRINK)
    return centre, width


def _best_in_window(
    value: Float[np.ndarray, "fit fast slow"], tolerance: Float[np.ndarray, " fit"]
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the least value, or of the centre where nothing is better than it by the tolerance."""
    middle, rows = WINDOW // 2, np.arange(len(value))
    fast, slow = np.divmod(value.reshape(len(value), -1).argmin(axis=1), WINDOW)
    better = value[rows, fast, slow] < value[:, middle, middle] - tolerance
    return np.where(better, fast, middle), np.where(better, slow, middle)


def _as_fits(
    shares: np.ndarray,
    log_rates: np.ndarray,
    residual_sum: np.ndarray,
    width: np.ndarray,
    bounds: tuple[float, float],
    enough: np.ndarray,
) -> Fits:
    at_bound = (log_rates[:, 0] > bounds[1] - 1e-3) | (log_rates[:, 1] < bounds[0] + 1e-3)
    conditions = [
        (~enough, Outcome.TOO_FEW),
        (width >= RESOLVED, Outcome.NOT_CONVERGED),
        ((shares.min(axis=1) < 1e-9) | (log_rates[:, 0] - log_rates[:, 1] < SAME_RATE), Outcome.ONE_POOL),
        (at_bound, Outcome.RATE_AT_BOUND),
        (shares.sum(axis=1) > 1 - 1e-9, Outcome.FULL),
    ]
    outcome = np.full(len(shares), Outcome.CONVERGED, dtype=object)
    for condition, name in reversed(conditions):
        outcome[condition] = name
    lost = np.where(enough, 1.0, np.nan)
    rates = np.exp(log_rates)
    fitted = BiExponential(*(x * lost for x in (shares[:, 0], rates[:, 0], shares[:, 1], rates[:, 1])))
    return Fits(fitted, residual_sum * lost, outcome)


def slopes(d: BiExponential, years: Float[np.ndarray, " time"]) -> Float[np.ndarray, "time 4"]:
    """dp/d(A, k1, B, k2) at the times: the Jacobian of the delta method.

    >>> slopes(BiExponential(0.3, 0.1, 0.5, 0.01), np.array([0.0]))
    array([[0., 0., 0., 0.]])
    """
    fast, slow = np.exp(-d.fast_rate * years), np.exp(-d.slow_rate * years)
    return np.stack([1 - fast, d.fast_share * years * fast, 1 - slow, d.slow_share * years * slow], axis=-1)


def covariance(
    d: BiExponential,
    years: Float[np.ndarray, " profile"],
    f_new: Float[np.ndarray, " profile"],
    clusters: ArrayLike | None = None,
) -> Float[np.ndarray, "4 4"]:
    """Covariance of (A, k1, B, k2) of an unweighted fit.

    With residuals e and Jacobian J [profile, 4]: without ``clusters`` s2 (J'J)^-1, s2 = e'e / (n - 4), which
    supposes equal and independent scatter. With ``clusters`` (a label a profile) the sandwich
    (J'J)^-1 sum_g(J_g'e_g e_g'J_g) (J'J)^-1 times G/(G - 1) (n - 1)/(n - 4), which supposes only that the
    G clusters are independent. A parameter that moves nothing (the rate of an empty pool, a rate that draws a
    step) has zero rows: the errors are then conditional on it.
    """
    jacobian, residual = slopes(d, years), f_new - d.cdf(years)
    n = len(years)
    moved = np.linalg.norm(jacobian, axis=0) * np.array([1, d.fast_rate, 1, d.slow_rate]) > 1e-2
    j = jacobian[:, moved]
    bread = np.linalg.pinv(j.T @ j)
    if clusters is None:
        inner = bread * (residual @ residual) / max(n - PARAMETERS, 1)
    else:
        codes = pd.factorize(np.asarray(clusters, dtype=object))[0]
        groups = codes.max() + 1
        scores = np.zeros((groups, j.shape[1]))
        np.add.at(scores, codes, j * residual[:, None])
        small = groups / max(groups - 1, 1) * (n - 1) / max(n - PARAMETERS, 1)
        inner = small * bread @ scores.T @ scores @ bread
    full = np.zeros((PARAMETERS, PARAMETERS))
    full[np.ix_(moved, moved)] = inner
    return full
