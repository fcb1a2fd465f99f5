"""Isotope notation and the errors printed beside it.

Tables hold per mil; everything that is computed holds ratios or fractions. All
functions take scalars or arrays and work element by element; a missing value
(NaN) stays missing.
"""

import numpy as np
from jaxtyping import Float

from subsoil.constants import (
    LIBBY_MEAN_LIFE,
    R_PDB,
    RADIOCARBON_BASE_YEAR,
    RADIOCARBON_DECAY,
    Numbers,
)

NORMAL_975 = 1.959963984540054
"""97.5 % point of the standard normal distribution."""

PRINTED_ERRORS = {
    **{name: name for name in ("SD", "SE", "IC95", "LSD")},
    **{"SEM": "SE", "CI95": "IC95", "LSDP0.05": "LSD", "LSD0.05": "LSD"},
}
"""Kinds of error that `spread` knows, under the names authors give them."""


def delta_to_ratio(delta: Numbers, standard: float = R_PDB) -> Float[np.ndarray, "..."]:
    """13C/12C from delta: ``R = R_standard (1 + δ / 1000)``.

    ``delta`` δ in per mil, ``standard`` R_standard (dimensionless). Exact; inverse of `ratio_to_delta`.

    >>> float(delta_to_ratio(-25.0).round(8))
    0.01095627
    """
    return np.asarray(standard * (1.0 + np.asarray(delta, dtype=float) / 1000.0))


def ratio_to_delta(ratio: Numbers, standard: float = R_PDB) -> Float[np.ndarray, "..."]:
    """Delta in per mil from 13C/12C: ``δ = 1000 (R / R_standard - 1)``.

    >>> float(ratio_to_delta(0.0112372))
    0.0
    """
    return np.asarray((np.asarray(ratio, dtype=float) / standard - 1.0) * 1000.0)


def delta14c(fraction_modern: Numbers, year: Numbers) -> Float[np.ndarray, "..."]:
    """Δ14C in per mil of a sample taken in ``year``.

    ``Δ = 1000 (F exp(λ (1950 - y)) - 1)`` with F ``fraction_modern`` (F14C), y ``year`` of sampling (calendar
    year, fractional allowed) and λ = 1/8267 yr⁻¹ (Stuiver & Polach 1977). F14C itself carries no year.

    >>> float(delta14c(1.0, 1950.0))
    0.0
    >>> float(delta14c(1.0, 2010.0).round(2))
    -7.23
    """
    return np.asarray(1000.0 * (np.asarray(fraction_modern, dtype=float) * _year_term(year) - 1.0))


def fraction_modern(delta14c: Numbers, year: Numbers) -> Float[np.ndarray, "..."]:
    """F14C from Δ14C (``delta14c``, per mil) of a sample taken in ``year``; inverse of `delta14c`.

    >>> float(fraction_modern(100.0, 1950.0).round(4))
    1.1
    """
    return np.asarray((1.0 + np.asarray(delta14c, dtype=float) / 1000.0) / _year_term(year))


def delta14c_sigma(fraction_modern_sigma: Numbers, year: Numbers) -> Float[np.ndarray, "..."]:
    """Laboratory error of Δ14C in per mil: ``σ_Δ = 1000 σ_F exp(λ (1950 - y))``; exact, the map is linear.

    >>> float(delta14c_sigma(0.003, 1950.0))
    3.0
    """
    return np.asarray(1000.0 * np.asarray(fraction_modern_sigma, dtype=float) * _year_term(year))


def conventional_age(fraction_modern: Numbers) -> Float[np.ndarray, "..."]:
    """Conventional 14C age, yr before 1950: ``-8033 ln F``. Negative above F = 1; missing where F <= 0.

    A bulk soil is a mixture of ages: the number is a notation, not the age of its carbon.

    >>> float(conventional_age(0.5).round(1))
    5568.1
    """
    fraction = np.asarray(fraction_modern, dtype=float)
    return np.asarray(-LIBBY_MEAN_LIFE * np.log(np.where(fraction > 0, fraction, np.nan)))


def conventional_age_sigma(fraction_modern: Numbers, sigma: Numbers) -> Float[np.ndarray, "..."]:
    """First-order error of `conventional_age`, yr: ``8033 σ_F / F``. Valid while σ_F is well below F.

    >>> float(conventional_age_sigma(0.8033, 0.001).round(2))
    10.0
    """
    fraction = np.asarray(fraction_modern, dtype=float)
    return np.asarray(
        LIBBY_MEAN_LIFE * np.asarray(sigma, dtype=float) / np.where(fraction > 0, fraction, np.nan)
    )


def age_to_fraction_modern(age: Numbers) -> Float[np.ndarray, "..."]:
    """F14C of a conventional age in yr: ``exp(-age / 8033)``; inverse of `conventional_age`.

    >>> float(age_to_fraction_modern(8033.0).round(6))
    0.367879
    """
    return np.asarray(np.exp(-np.asarray(age, dtype=float) / LIBBY_MEAN_LIFE))


def spread(value: Numbers, kind: object, n: Numbers = np.nan) -> Float[np.ndarray, "..."]:
    """Standard deviation of single replicates from an error as authors print it.

    ======== ============================================ ================================
    kind     printed                                      SD
    ======== ============================================ ================================
    SD       s                                            value
    SE, SEM  s / √n                                       value √n
    IC95     half-width t(.975, n-1) s / √n of the mean   value √n / t(.975, n-1)
    LSD      t(.975, 2(n-1)) √2 s / √n, two treatments    value √n / (√2 t(.975, 2(n-1)))
    ======== ============================================ ================================

    ``kind`` is read without case; CI95 is IC95, LSDP0.05 and LSD0.05 are LSD. Where ``n`` is unknown (NaN)
    or 1 the degrees of freedom are unknown: t becomes the normal 1.96 and √n becomes 1, so that dividing by
    √n later gives the author's standard error back. An unknown kind (ND, NA, empty), a negative value or n
    < 1 gives NaN, never a guess.

    >>> spread([0.3, 0.4, 0.5], ["SE", "LSDP0.05", "ND"], [4, 5, 3]).round(3).tolist()
    [0.6, 0.274, nan]
    """
    value, n = np.asarray(value, dtype=float), np.asarray(n, dtype=float)
    names = np.vectorize(lambda k: PRINTED_ERRORS.get(str(k).strip().upper(), ""), otypes=[object])(kind)
    replicates = np.where(np.isnan(n), 1.0, n)
    root = np.sqrt(np.where(replicates >= 1, replicates, np.nan))
    choices = {
        "SD": np.where(replicates >= 1, 1.0, np.nan),
        "SE": root,
        "IC95": root / _student_975(replicates - 1.0),
        "LSD": root / (np.sqrt(2.0) * _student_975(2.0 * (replicates - 1.0))),
    }
    factor = np.select([names == name for name in choices], list(choices.values()), np.nan)
    return np.asarray(np.where(value >= 0, value, np.nan) * factor)


def _student_975(df: Numbers) -> Float[np.ndarray, "..."]:
    from scipy.special import stdtrit  # a third of a second that most callers do not need

    return np.where(np.asarray(df) > 0, stdtrit(np.maximum(df, 1.0), 0.975), NORMAL_975)


def _year_term(year: Numbers) -> Float[np.ndarray, "..."]:
    return np.asarray(np.exp(RADIOCARBON_DECAY * (RADIOCARBON_BASE_YEAR - np.asarray(year, dtype=float))))
