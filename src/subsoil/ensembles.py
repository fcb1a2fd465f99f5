"""How well an ensemble, dressed with the error of the observation, foretells a value.

An observation y = truth + error is foretold by the members x_1 ... x_m of an ensemble for the truth, each
dressed with that error: the mixture of the normals N(x_i, sigma^2). So the observation error counts without
random draws (the limit of the perturbed-ensemble method of Candille & Talagrand 2008, Q. J. R. Meteorol. Soc.
134:959, doi:10.1002/qj.268). One member is a normal forecast: ``draws = mean[None]``, ``sigma`` its SD.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from subsoil.errors import BadCall


def crps(
    draws: Float[np.ndarray, "draw value"],
    observed: Float[np.ndarray, " value"],
    sigma: Float[np.ndarray, " value"] | float = 0.0,
) -> Float[np.ndarray, " value"]:
    """Continuous ranked probability score: E|X - y| - E|X - X'| / 2, X and X' two dressed members.

    With A(d, s) = d (2 Phi(d/s) - 1) + 2 s phi(d/s), the mean of |N(d, s^2)|: the mean over i of
    A(y - x_i, sigma) less half the mean over pairs i != j of A(x_i - x_j, sqrt(2) sigma) (Grimit et al. 2006,
    Q. J. R. Meteorol. Soc. 132:2925, eq. 5). Pairs of a member with itself are left out, which makes the
    score fair: free of bias from the number of draws (Ferro 2014, Q. J. R. Meteorol. Soc. 140:1917). One
    member is taken as certain. In the unit of the values; lower is better; a single draw without error scores
    its absolute error.

    ``draws`` members x [draw, value]; ``observed`` y; ``sigma`` its error beyond what the draws already hold.

    Raises
    ------
    BadCall
        The shapes do not fit, there is no draw, or an error is negative.

    >>> crps(np.array([[0.2], [0.4]]), np.array([0.3])).round(3).tolist()
    [0.0]
    >>> crps(np.array([[0.0]]), np.array([0.0]), 1.0).round(4).tolist()  # (sqrt(2) - 1) / sqrt(pi)
    [0.2337]
    """
    x, y, s = _checked(draws, observed, sigma)
    m = len(x)
    error = _mean_absolute(y - x, s).mean(axis=0)
    if m == 1:
        return error - s / np.sqrt(np.pi)
    if not s.any():
        ranks = np.arange(1, m + 1)[:, None]
        return error - ((2 * ranks - m - 1) * np.sort(x, axis=0)).sum(axis=0) / (m * (m - 1))
    pairs = sum(_mean_absolute(x[i] - x[i + 1 :], np.sqrt(2) * s).sum(axis=0) for i in range(m - 1))
    return error - pairs / (m * (m - 1))


def inside(
    draws: Float[np.ndarray, "draw value"],
    observed: Float[np.ndarray, " value"],
    level: float,
    sigma: Float[np.ndarray, " value"] | float = 0.0,
) -> Float[np.ndarray, " value"]:
    """1 where the central interval of ``level`` of the dressed ensemble holds the observation, else 0.

    The mixture's distribution at y, F = mean over i of Phi((y - x_i) / sigma), lies in
    [(1 - level) / 2, (1 + level) / 2]; without error F is the share of members below y, members equal to y
    counting half. The mean over values is the coverage of the interval.

    Raises
    ------
    BadCall
        As `crps`, or ``level`` is not between 0 and 1.

    >>> inside(np.zeros((1, 2)), np.array([1.6, 1.7]), 0.9, 1.0).tolist()
    [1.0, 0.0]
    """
    if not 0 < level < 1:
        raise BadCall(f"level={level}: expected a share between 0 and 1, such as 0.9")
    x, y, s = _checked(draws, observed, sigma)
    apart = y - x
    below = np.where(s > 0, ndtr(apart / np.where(s > 0, s, 1.0)), 0.5 * (1 + np.sign(apart))).mean(axis=0)
    return np.where(np.isnan(below), np.nan, np.abs(below - 0.5) <= 0.5 * level)


def _mean_absolute(d: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Mean of |N(d, s^2)|; of no error, |d|."""
    safe = np.where(s > 0, s, 1.0)
    z = d / safe
    dressed = d * (2 * ndtr(z) - 1) + safe * np.sqrt(2 / np.pi) * np.exp(-0.5 * z**2)
    return np.where(s > 0, dressed, np.abs(d))


def _checked(draws: object, observed: object, sigma: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = np.asarray(draws, dtype=float), np.asarray(observed, dtype=float)
    if x.ndim != 2 or y.shape != x.shape[1:] or not len(x):
        raise BadCall(f"draws {x.shape} and observed {y.shape}: expected [draw, value] and [value]")
    s = np.asarray(sigma, dtype=float)
    if s.shape not in ((), y.shape) or np.any(s < 0):
        raise BadCall("sigma: expected one error for all values or one each, none below 0")
    return x, y, np.broadcast_to(s, y.shape)
