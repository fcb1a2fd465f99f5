"""Isotope notation and the errors printed beside it.

Tables hold per mil; everything that is computed holds ratios or fractions. All
functions take scalars or arrays and work element by element; a missing value
(NaN) stays missing.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from subsoil.constants import LIBBY_MEAN_LIFE, R_PDB, RADIOCARBON_BASE_YEAR, RADIOCARBON_DECAY
from subsoil.errors import BadCall

NORMAL_975 = 1.959963984540054
"""97.5 % point of the standard normal distribution."""


def delta_to_ratio(delta: ArrayLike, standard: float = R_PDB) -> Float[np.ndarray, "..."]:
    """13C/12C from delta: ``R = R_standard (1 + δ / 1000)``.

    ``delta`` δ in per mil, ``standard`` R_standard (dimensionless). Exact; inverse of `ratio_to_delta`.

    >>> float(delta_to_ratio(-25.0).round(8))
    0.01095627
    """
    return np.asarray(standard * (1.0 + np.asarray(delta, dtype=float) / 1000.0))


def ratio_to_delta(ratio: ArrayLike, standard: float = R_PDB) -> Float[np.ndarray, "..."]:
    """Delta in per mil from 13C/12C: ``δ = 1000 (R / R_standard - 1)``.

    >>> float(ratio_to_delta(0.0112372))
    0.0
    """
    return np.asarray((np.asarray(ratio, dtype=float) / standard - 1.0) * 1000.0)


def delta14c(fraction_modern: ArrayLike, year: ArrayLike) -> Float[np.ndarray, "..."]:
    """Δ14C in per mil of a sample taken in ``year``.

    ``Δ = 1000 (F exp(λ (1950 - y)) - 1)`` with F ``fraction_modern`` (F14C), y ``year`` of sampling (calendar
    year, fractional allowed) and λ = 1/8267 yr⁻¹ (Stuiver & Polach 1977). F14C itself carries no year.

    >>> float(delta14c(1.0, 1950.0))
    0.0
    >>> float(delta14c(1.0, 2010.0).round(2))
    -7.23
    """
    return np.asarray(1000.0 * (np.asarray(fraction_modern, dtype=float) * _year_term(year) - 1.0))


def fraction_modern(delta14c: ArrayLike, year: ArrayLike) -> Float[np.ndarray, "..."]:
    """F14C from Δ14C (``delta14c``, per mil) of a sample taken in ``year``; inverse of `delta14c`.

    >>> float(fraction_modern(100.0, 1950.0).round(4))
    1.1
    """
    return np.asarray((1.0 + np.asarray(delta14c, dtype=float) / 1000.0) / _year_term(year))


def delta14c_sigma(fraction_modern_sigma: ArrayLike, year: ArrayLike) -> Float[np.ndarray, "..."]:
    """Laboratory error of Δ14C in per mil: ``σ_Δ = 1000 σ_F exp(λ (1950 - y))``; exact, the map is linear.

    >>> float(delta14c_sigma(0.003, 1950.0))
    3.0
    """
    return np.asarray(1000.0 * np.asarray(fraction_modern_sigma, dtype=float) * _year_term(year))


def conventional_age(fraction_modern: ArrayLike) -> Float[np.ndarray, "..."]:
    """Conventional 14C age, yr before 1950: ``-8033 ln F``. Negative above F = 1; missing where F <= 0.

    A bulk soil is a mixture of ages: the number is a notation, not the age of its carbon.

    >>> float(conventional_age(0.5).round(1))
    5568.1
    """
    fraction = np.asarray(fraction_modern, dtype=float)
    return np.asarray(-LIBBY_MEAN_LIFE * np.log(np.where(fraction > 0, fraction, np.nan)))


def conventional_age_sigma(fraction_modern: ArrayLike, sigma: ArrayLike) -> Float[np.ndarray, "..."]:
    """First-order error of `conventional_age`, yr: ``8033 σ_F / F``. Valid while σ_F is well below F.

    >>> float(conventional_age_sigma(0.8033, 0.001).round(2))
    10.0
    """
    fraction = np.asarray(fraction_modern, dtype=float)
    return np.asarray(
        LIBBY_MEAN_LIFE * np.asarray(sigma, dtype=float) / np.where(fraction > 0, fraction, np.nan)
    )


def age_to_fraction_modern(age: ArrayLike) -> Float[np.ndarray, "..."]:
    """F14C of a conventional age in yr: ``exp(-age / 8033)``; inverse of `conventional_age`.

    >>> float(age_to_fraction_modern(8033.0).round(6))
    0.367879
    """
    return np.asarray(np.exp(-np.asarray(age, dtype=float) / LIBBY_MEAN_LIFE))


def spread(value: float, kind: str, n: float = np.nan) -> float:
    """Standard deviation of single replicates from an error as authors print it.

    ======== ============================================ ================================
    kind     printed                                      SD
    ======== ============================================ ================================
    SD       s                                            s
    SE       s / √n                                       value √n
    IC95     half-width t(.975, n-1) s / √n of the mean   value √n / t(.975, n-1)
    LSD      t(.975, 2(n-1)) √2 s / √n, two treatments    value √n / (√2 t(.975, 2(n-1)))
    ======== ============================================ ================================

    ``kind`` is read without case; ``LSDP0.05`` is LSD, ``CI95`` is IC95. With an unknown ``n`` (NaN) or n = 1
    the degrees of freedom are unknown: t becomes the normal 1.96 and √n becomes 1, so that dividing by √n
    later gives the author's standard error back. An unknown kind (ND, NA, empty) gives NaN, never a guess.

    Raises BadCall for a value or an n that cannot be one (value < 0, n < 1).

    >>> round(spread(0.3, "SE", 4), 3)
    0.6
    >>> round(spread(0.4, "LSDP0.05", 5), 3)
    0.274
    """
    if value < 0 or n < 1:
        raise BadCall(f"an error is >= 0 and n >= 1, got value {value} and n {n}: leave unknown ones missing")
    replicates = 1.0 if np.isnan(n) else float(n)
    name = kind.strip().upper().removesuffix("P0.05") if isinstance(kind, str) else ""
    factor = {
        "SD": 1.0,
        "SE": replicates**0.5,
        "IC95": replicates**0.5 / _student_975(replicates - 1.0),
        "CI95": replicates**0.5 / _student_975(replicates - 1.0),
        "LSD": (replicates / 2.0) ** 0.5 / _student_975(2.0 * (replicates - 1.0)),
    }.get(name, np.nan)
    return float(value * factor)


def _student_975(df: float) -> float:
    return float(stdtrit(df, 0.975)) if df > 0 else NORMAL_975


def _year_term(year: ArrayLike) -> Float[np.ndarray, "..."]:
    return np.asarray(np.exp(RADIOCARBON_DECAY * (RADIOCARBON_BASE_YEAR - np.asarray(year, dtype=float))))
