"""Scores of model values against observations of known error, for many sets of weights at once.

Weighted over the values i of a group, with m modelled, o observed, sigma the error of o, e = m - o,
N the between-profile spread at the depth of i (`between_profile_spread`) and r the correlation of m and o:

    bias = mean e;   rmse = sqrt(mean e^2);   crmse = sqrt(mean e^2 - bias^2)
    rmse_corrected = sqrt(max(0, mean e^2 - mean sigma^2));   chi2 = mean (e / sigma)^2
    bias_normalised = mean e/N;   rmse_normalised = sqrt(mean (e/N)^2)
    kge = 1 - sqrt((r - 1)^2 + (SD m / SD o - 1)^2 + (mean m / mean o - 1)^2)
    ilamb_bias = mean exp(-max(|e| - sigma, 0) / N)
    ilamb_rmse = exp(-D / SD o),  D^2 = mean max(|e - bias| - sigma, 0)^2
    ilamb_distribution = 2 (1 + r) / (s + 1/s)^2,  s = SD m / SD o
    ilamb = mean of these three

*Observation error.* If the error of o is independent of the model, E e^2 = (m - truth)^2 + sigma^2 for every
value, however the errors of values hang together: so rmse_corrected estimates the rmse against the truth, and
chi2 is 1 for a model that is right up to that error (reduced chi-square, nothing fitted: Bevington & Robinson
2003, Data Reduction and Error Analysis, ch. 4).

*Sources.* kge: Gupta et al. 2009, J. Hydrol. 377:80. ILAMB forms: Collier et al. 2018, J. Adv. Model.
Earth Syst. 10:2731, with the discount of the reference's uncertainty as in ilamb3 (2026.6.15). Where ilamb3
divides a bias without a time axis by the observation itself, N stands here: new carbon goes to 0 and Delta14C
through 0, where that has no meaning. The values of a group take the place of ilamb3's times in ilamb_rmse and
of its cells in the other two; the mean of the scores is its overall score.

kge divides by the mean of o: it means little where o changes its sign. A score that is not defined (no value,
no spread) is NaN.
"""

import itertools
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from subsoil.errors import BadCall

ROUNDING = 1e-12
"""A variance below this share of the mean square is rounding, not spread."""


class Metric(NamedTuple):
    """``ideal`` the value of a perfect model; ``meaning`` in words; ``scaled`` whether in the data's unit."""

    ideal: float
    meaning: str
    scaled: bool = False


METRICS: Mapping[str, Metric] = {
    "bias": Metric(0.0, "mean of model less observation", True),
    "rmse": Metric(0.0, "root mean square error", True),
    "crmse": Metric(0.0, "root mean square error after the bias is taken off", True),
    "rmse_corrected": Metric(
        0.0, "root mean square error less the part that observation error explains", True
    ),
    "chi2": Metric(1.0, "mean square error in units of the observation error's variance"),
    "bias_normalised": Metric(0.0, "bias in units of the between-profile spread"),
    "rmse_normalised": Metric(0.0, "root mean square error in units of the between-profile spread"),
    "correlation": Metric(1.0, "correlation"),
    "rank_correlation": Metric(1.0, "Spearman's correlation of ranks"),
    "kge": Metric(1.0, "Kling-Gupta efficiency, 2009"),
    "ilamb_bias": Metric(1.0, "bias score, ILAMB form"),
    "ilamb_rmse": Metric(1.0, "score of the centred error, ILAMB form"),
    "ilamb_distribution": Metric(1.0, "score of spread and correlation, ILAMB form"),
    "ilamb": Metric(1.0, "mean of the scores in ILAMB form"),
    "crps": Metric(0.0, "continuous ranked probability score of the ensemble", True),
    "coverage50": Metric(0.5, "share of observations inside the central 50 % interval"),
    "coverage90": Metric(0.9, "share of observations inside the central 90 % interval"),
}
MEANS = ("crps", "coverage50", "coverage90")
"""Metrics that are means of one number a value, made by `subsoil.ensembles`."""


def measure(
    modelled: Float[np.ndarray, "model value"],
    observed: Float[np.ndarray, " value"],
    sigma: Float[np.ndarray, " value"],
    spread: Float[np.ndarray, " value"],
    weight: Float[np.ndarray, "value draw"],
    means: Mapping[str, Float[np.ndarray, "model value"]] | None = None,
    only: Collection[str] = tuple(METRICS),
) -> dict[str, Float[np.ndarray, "model draw"]]:
    """The metrics ``only`` of every model, once for each column of weights (see the module).

    ``modelled``, ``observed``, ``sigma`` and ``spread`` (N) in one unit, without missing numbers; ``means``:
    further metrics as one number a value. `subsoil.benchmark.bootstrap.score` checks its arguments.

    >>> o, m = np.array([0.2, 0.4, 0.9]), np.array([[0.3, 0.4, 0.8]])
    >>> got = measure(m, o, np.full(3, 0.05), np.full(3, 0.5), np.ones((3, 1)))
    >>> round(got["rmse"].item(), 4), round(got["chi2"].item(), 4)
    (0.0816, 2.6667)
    """
    centre = observed.mean()
    m, o, error = modelled - centre, observed - centre, modelled - observed
    whole = weight.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi = np.where(sigma > 0, error / sigma, np.nan)
        beyond = np.exp(-np.maximum(np.abs(error) - sigma, 0.0) / spread)
        columns = (error, error**2, error / spread, (error / spread) ** 2, chi**2, beyond, m, m**2, m * o)
        bias, square, shift, scatter, chi2, ilamb_bias, mean_m, mm, mo = (x @ weight / whole for x in columns)
        noise, mean_o, oo = np.stack([sigma**2, o, o**2]) @ weight / whole
        sd_m, sd_o = np.sqrt(_variance(mm, mean_m)), np.sqrt(_variance(oo, mean_o))
        sd_o = np.where(sd_o > 0, sd_o, np.nan)
        correlation = np.clip((mo - mean_m * mean_o) / (sd_m * sd_o), -1.0, 1.0)
        ratio = sd_m / sd_o
        apart = np.hypot(np.hypot(correlation - 1, ratio - 1), (mean_m + centre) / (mean_o + centre) - 1)
        # A model without spread has no correlation, but this form goes to 0 whatever it is.
        distribution = np.where(ratio == 0, 0.0, 2 * (1 + correlation) / (ratio + 1 / ratio) ** 2)
        forms = {"ilamb_bias": ilamb_bias, "ilamb_distribution": distribution}
        slow = {}
        if not {"ilamb_rmse", "ilamb"}.isdisjoint(only):
            discounted = _discounted(error, sigma, np.where(whole > 0, bias, 0.0), weight) / whole
            forms["ilamb_rmse"] = np.exp(-np.sqrt(discounted) / sd_o)
            slow["ilamb"] = np.mean(list(forms.values()), axis=0)
        if "rank_correlation" in only:
            slow["rank_correlation"] = rank_correlation(modelled, observed, weight)
        found = {
            "bias": bias,
            "rmse": np.sqrt(square),
            "crmse": np.sqrt(_variance(square, bias)),
            "rmse_corrected": np.sqrt(np.maximum(square - noise, 0.0)),
            "chi2": chi2,
            "bias_normalised": shift,
            "rmse_normalised": np.sqrt(scatter),
            "correlation": correlation,
            "kge": 1 - apart,
            **forms,
            **slow,
            **{name: x @ weight / whole for name, x in (means or {}).items()},
        }
        return {name: found[name] for name in METRICS if name in only and name in found}


def rank_correlation(
    modelled: Float[np.ndarray, "model value"],
    observed: Float[np.ndarray, " value"],
    weight: Float[np.ndarray, "value draw"],
) -> Float[np.ndarray, "model draw"]:
    """Spearman's rank correlation, ranks made anew for each column of weights.

    The rank of a value is the weight below it plus half the weight of all values equal to it; of whole-number
    weights that is the mid-rank (less 1/2) in the sample with repeated rows. With W the whole weight and w_k
    that of each set of equal values, the ranks have mean W/2 and sum of squares (W^3 - sum w_k^3) / 12.

    >>> rank_correlation(np.array([[1.0, 2.0, 9.0]]), np.array([1.0, 8.0, 9.0]), np.ones((3, 1))).tolist()
    [[1.0]]
    """
    ranks, square = _ranks(observed, weight)
    weighted = (ranks - 0.5 * weight.sum(axis=0)) * weight
    out = np.empty((len(modelled), weight.shape[1]))
    for row, values in zip(out, modelled, strict=True):
        ranks, of_model = _ranks(values, weight)
        row[:] = np.einsum("vd,vd->d", weighted, ranks) / np.sqrt(square * of_model)
    return np.clip(out, -1.0, 1.0)


def between_profile_spread(
    observed: Float[np.ndarray, " value"],
    profile: Int[np.ndarray, " value"] | np.ndarray,
    depth_class: Int[np.ndarray, " value"] | np.ndarray,
    weight: Float[np.ndarray, " value"] | None = None,
) -> Float[np.ndarray, " value"]:
    """N of each value: the standard deviation between profiles in its depth class.

    Each profile counts once in a class, by the (weighted) mean of its values there; the deviation has n - 1
    in the denominator and holds the observation error too. A property of the reference: it is not resampled.

    Raises
    ------
    BadCall
        The lengths differ, a number is missing, or a class has one profile or no spread: merge it.

    >>> between_profile_spread(np.array([0.1, 0.3, 0.5]), np.array([0, 1, 1]), np.zeros(3)).round(3).tolist()
    [0.212, 0.212, 0.212]
    """
    o = np.asarray(observed, dtype=float)
    w = np.ones(o.shape) if weight is None else np.asarray(weight, dtype=float)
    if not (o.ndim == 1 and o.shape == w.shape == np.shape(profile) == np.shape(depth_class)):
        raise BadCall("expected one observation, profile, depth class and weight for each value")
    if not (np.isfinite(o).all() and (w > 0).all()):
        raise BadCall("a value is missing or a weight is not positive: leave such values out first")
    out = np.empty(o.shape)
    for name in np.unique(depth_class):
        rows = np.flatnonzero(np.asarray(depth_class) == name)
        profiles, position = np.unique(np.asarray(profile)[rows], return_inverse=True)
        means = np.bincount(position, w[rows] * o[rows]) / np.bincount(position, w[rows])
        out[rows] = spread = means.std(ddof=1) if len(profiles) > 1 else 0.0
        if not spread > 0:
            raise BadCall(
                f"depth class {name}: {len(profiles)} profile(s) without spread; merge depth classes"
            )
    return out


def _variance(mean_square: np.ndarray, mean: np.ndarray) -> np.ndarray:
    variance = mean_square - mean**2
    return np.where(variance <= ROUNDING * mean_square, 0.0, variance)


def _discounted(
    error: np.ndarray, sigma: np.ndarray, bias: np.ndarray, weight: np.ndarray
) -> Float[np.ndarray, "model draw"]:
    """Sum of w max(|e - bias| - sigma, 0)^2: the squares of e - sigma above bias and of e + sigma below it.

    The bias differs little between draws: a value counts in all of them, which sums do at once, or in none;
    only the few between the lowest and the highest bias are looked at one by one.
    """
    out = np.zeros_like(bias)
    for row, e, b in zip(out, error, bias, strict=True):
        for sign in (1.0, -1.0):
            edge, at = sign * e - sigma, sign * b
            always = np.flatnonzero(edge > at.max())
            x = edge[always]
            count, first, second = np.stack([np.ones_like(x), x, x**2]) @ weight[always]
            row += second - 2 * at * first + at**2 * count
            between = np.flatnonzero((edge > at.min()) & (edge <= at.max()))
            beyond = np.maximum(edge[between, None] - at, 0.0)
            row += np.einsum("vd,vd,vd->d", weight[between], beyond, beyond)
    return np.maximum(out, 0.0)


def _ranks(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks [value, draw], and their weighted sum of squares about the mean [draw]."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]]  # of each set of equal values
    equal = weight[order]
    upper = _running(equal)
    if not first.all():
        upper = upper[np.r_[first[1:], True]]
        equal = np.diff(upper, axis=0, prepend=0.0)
    of_set = np.empty_like(order)
    of_set[order] = np.cumsum(first) - 1
    whole = upper[-1]
    square = (whole**3 - np.einsum("kd,kd,kd->d", equal, equal, equal)) / 12
    return (upper - 0.5 * equal)[of_set], np.where(square > ROUNDING * whole**3, square, np.nan)


def _running(rows: np.ndarray) -> np.ndarray:
    """Running sum over rows: row by row, since `numpy.cumsum` takes each column alone, five times slower."""
    out = rows.copy()
    for above, row in itertools.pairwise(out):
        row += above
    return out
