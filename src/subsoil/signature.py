"""What carbon of each age brought into the soil: 13C and 14C of the air of its year, as plants took them up.

Carbon that is a years old in the year y entered in y - a. `entering13` and `entering14` give the mean content
of what entered in each bin of age, as `subsoil.equilibrium.Equilibrium.content` wants it.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float

from subsoil.archive.atmosphere import History, resample, to_delta14c
from subsoil.constants import Numbers
from subsoil.errors import BadCall
from subsoil.tracers import content13

MONTHLY_TO, YEARLY_TO, OLDEST = 10, 150, 55_000
"""Ages (yr) to which bins are a month and a year wide, and at which the calibration curves end."""
STEP = 1.05
"""Ratio of the ages that bound an older bin."""
C3_FRACTIONATION = (4.4, 22.6)
"""Diffusion, and carboxylation less diffusion, per mil: the form of CLM."""
C4_DISCRIMINATION = 4.4
"""Per mil, as in CLM."""
SCHUBERT_JAHREN = (28.26, 0.22, 23.9)
"""A (per mil), B (per mil ppm-1), C (ppm) as Serach et al. 2024 have them."""


@dataclass(frozen=True)
class Plants:
    """How the plants of a site take up 13C.

    ci_ca: CO2 inside over outside the leaves of C3 plants; 0.7 is an assumption.
    c4_share: of the carbon that enters, from C4 plants. co2_effect: C3 plants discriminate more as CO2 rises
    (Schubert & Jahren 2012, Geochim. Cosmochim. Acta 96:29), at the level of ``ci_ca`` in the year of
    sampling. Raises BadCall outside 0 to 1.

    >>> round(Plants().discrimination3, 2)
    20.22
    """

    ci_ca: float = 0.7
    c4_share: float = 0.0
    co2_effect: bool = False

    def __post_init__(self) -> None:
        for name in ("ci_ca", "c4_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise BadCall(f"{name} lies between 0 and 1, got {getattr(self, name)}: per cent / 100")

    @property
    def discrimination3(self) -> float:
        """Of C3 plants in the year of sampling, per mil: 4.4 + 22.6 ci/ca."""
        return C3_FRACTIONATION[0] + C3_FRACTIONATION[1] * self.ci_ca


@cache
def age_bins() -> Float[np.ndarray, " edge"]:
    """Bounds of the bins of age, yr, from 0: monthly to 10 yr, yearly to 150, then 5 % wide to 55 000.

    Finer bins (half a month, a percent) change Delta14C by 0.04 per mil and delta13C by 0.0001 at most in
    CLM5, Millennial and one pool.

    >>> age_bins()[[0, 1, -1]].round(3).tolist(), age_bins().size
    ([0.0, 0.083, 55000.0], 382)
    """
    monthly = np.arange(12 * MONTHLY_TO) / 12.0
    yearly = np.arange(MONTHLY_TO, YEARLY_TO, dtype=float)
    older = np.geomspace(YEARLY_TO, OLDEST, 1 + round(np.log(OLDEST / YEARLY_TO) / np.log(STEP)))
    edges = np.concatenate([monthly, yearly, older])
    edges.flags.writeable = False
    return edges


def entering14(air: History, year: float, *, hold: bool = False) -> Float[np.ndarray, " bin"]:
    """14C/C of what entered, over that of the standard of 1950, by age in ``year``; last: before the bins.

    1 + Delta14C / 1000 in the year of entry. Decay since then is the model's (`subsoil.tracers.RADIOCARBON`).
    air: F14C. Raises BadCall where the record ends before ``year``, unless ``hold``.
    """
    return 1.0 + _by_age(to_delta14c(air), year, hold) / 1000.0


def entering13(
    delta_air: History, co2: History, year: float, plants: Plants, *, hold: bool = False
) -> Float[np.ndarray, " bin"]:
    """13C / (12C + 13C) of what entered over that of the standard, by age in ``year``; last: before the bins.

        R_plant = R_air / alpha,   alpha = 1 + Delta / 1000

    for C3 and C4 plants, mixed by their share. Delta of C3: `Plants.discrimination3`; with ``co2_effect``
    plus SJ(CO2) - SJ(CO2 in ``year``), SJ(p) = A B (p + C) / (A + B (p + C)). Raises BadCall as `entering14`.

    >>> from subsoil.tracers import delta13
    >>> years, unknown = np.array([0.0, 2020.0]), np.full(2, np.nan)
    >>> air = History(years, np.array([-6.5, -6.5]), unknown, "permil")
    >>> ppm = History(years, np.array([280.0, 280.0]), unknown, "ppm")
    >>> delta13(entering13(air, ppm, 2000.0, Plants())).round(2)[0].tolist()
    -26.19
    """
    years = np.union1d(delta_air.year, co2.year)
    rise: float | np.ndarray = 0.0
    if plants.co2_effect:
        rise = _schubert_jahren(co2.at(years, hold=True)) - _schubert_jahren(co2.at(year, hold=hold))
    delta = delta_air.at(years, hold=True)
    three, four = _taken_up(delta, plants.discrimination3 + rise), _taken_up(delta, C4_DISCRIMINATION)
    mixed = (1.0 - plants.c4_share) * three + plants.c4_share * four
    entered = replace(delta_air, year=years, value=mixed, sigma=np.full(years.size, np.nan), unit="1")
    return _by_age(entered, year, hold)


def _taken_up(delta: Float[np.ndarray, " time"], discrimination: Numbers) -> Float[np.ndarray, " time"]:
    lost = np.asarray(discrimination, dtype=float)
    return np.asarray(content13((delta - lost) / (1.0 + lost / 1000.0)))


def _schubert_jahren(ppm: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    a, b, c = SCHUBERT_JAHREN
    return np.asarray(a * b * (ppm + c) / (a + b * (ppm + c)))


def _by_age(history: History, year: float, hold: bool) -> Float[np.ndarray, " bin"]:
    """Mean of a record over each bin of age, youngest first, and its value before the oldest."""
    edges = (year - age_bins())[::-1]
    return np.append(resample(history, edges, hold=hold)[::-1], history.at(edges[0], hold=True))
