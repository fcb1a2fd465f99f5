"""Water of a soil from its texture and climate: retention, a bucket, and the moisture deficit of RothC."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

MPA_PER_MM_WATER = 9.80665e-6
"""Pressure of 1 mm of water, MPa: density 1000 kg m-3, standard gravity."""

PAN_TO_POTENTIAL = 0.75
"""Potential evapotranspiration over evaporation of an open pan in RothC (Coleman & Jenkinson 1996)."""

ROTHC_DEPTH = 23.0
"""Depth of RothC's topsoil, cm."""

BARE_SHARE = 0.556
"""Share of RothC's greatest deficit that bare soil dries to."""

SPIN_YEARS = 100
"""Years that a moisture deficit is run to its cycle; one still drifting then drifts by < 0.6 mm a year."""


class Retention(NamedTuple):
    """Water held by a soil: psi = potential s^-exponent (MPa) at saturation s."""

    potential: Float[Array, "..."]
    exponent: Float[Array, "..."]

    def saturation(self, psi: ArrayLike) -> Float[Array, "..."]:
        """Saturation at a matric potential (MPa, negative), at most 1."""
        return jnp.minimum(1.0, (jnp.asarray(psi) / self.potential) ** (-1.0 / self.exponent))


def retention(sand: ArrayLike, clay: ArrayLike) -> Retention:
    """Retention curve of Clapp & Hornberger (1978, Water Resour. Res. 14:601) from texture, as CLM has it.

        potential = -10 10^(1.88 - 0.0131 sand%) mm of water,   exponent = 2.91 + 0.159 clay%

    sand, clay: fractions. Regressions: Cosby et al. 1984, Water Resour. Res. 20:682, Table 5. Without organic
    matter.
    """
    at_saturation = -10.0 * 10.0 ** (1.88 - 1.31 * jnp.asarray(sand)) * MPA_PER_MM_WATER
    return Retention(at_saturation, 2.91 + 15.9 * jnp.asarray(clay))


def wetness(precipitation: ArrayLike, potential_evaporation: ArrayLike) -> Float[Array, "..."]:
    """Yearly mean water of a bucket over what it holds for plants, 0-1: w = P / sqrt(P^2 + PET^2).

    A bucket that evaporates w PET (Budyko 1974; Manabe 1969) must lose what Turc and Pike found catchments to
    lose, E = P / sqrt(1 + (P / PET)^2) (Pike 1964, J. Hydrol. 2:116; quoted, not read). Both in one unit, 0
    or more; of years, not of months. An assumption where the water of the soil was not measured: it knows no
    season, no groundwater, no snow.

    >>> wetness(0.8, 0.8).round(3).tolist()
    0.707
    """
    rain, potential = jnp.asarray(precipitation), jnp.asarray(potential_evaporation)
    rains = rain > 0.0
    return jnp.where(rains, 1.0 / jnp.hypot(1.0, potential / jnp.where(rains, rain, 1.0)), 0.0)


def rothc_max_deficit(clay: ArrayLike, depth: ArrayLike = ROTHC_DEPTH) -> Float[Array, "..."]:
    """Greatest soil moisture deficit of RothC under plants, mm, negative.

        TSMD_max = -(20 + 1.3 clay% - 0.01 clay%^2) depth / 23,   clay% = 100 clay

    clay: fraction, 0-1. depth: of the soil layer, cm. Source: Coleman & Jenkinson 1996; RothC_Py.

    >>> round(float(rothc_max_deficit(0.234)), 2)
    -44.94
    """
    percent = 100.0 * jnp.asarray(clay)
    return -(20.0 + 1.3 * percent - 0.01 * percent**2) * jnp.asarray(depth) / ROTHC_DEPTH


def rothc_deficit(
    rain: ArrayLike,
    evaporation: ArrayLike,
    clay: ArrayLike,
    cover: ArrayLike = 1.0,
    depth: ArrayLike = ROTHC_DEPTH,
    start: ArrayLike = 0.0,
) -> Float[Array, "month *column"]:
    """Accumulated moisture deficit of RothC at the end of each month, mm, 0 or negative.

        S_m = max(low, min(0, S_(m-1) + rain - 0.75 evaporation))
        low = TSMD_max under plants,   min(0.556 TSMD_max, S_(m-1)) on bare soil

    so that bare soil dries no further than 0.556 TSMD_max, and keeps a larger deficit that plants left.
    rain, evaporation (of an open pan: potential evapotranspiration / 0.75): mm of the month, months on the
    first axis, any number of them. clay: fraction. cover: 1 under plants, 0 bare, one number or one a month.
    depth: cm. start: deficit before the first month, mm. Source: Coleman & Jenkinson 1996; RothC_Py.

    >>> dry = jnp.array([0.0, 0.0, 100.0])
    >>> rothc_deficit(dry, jnp.array([40.0, 40.0, 40.0]), 0.234).round(2).tolist()
    [-30.0, -44.94, 0.0]
    """
    change = jnp.asarray(rain, dtype=float) - PAN_TO_POTENTIAL * jnp.asarray(evaporation, dtype=float)
    lowest = rothc_max_deficit(clay, depth)
    plants = jnp.asarray(cover)
    plants = jnp.broadcast_to(plants.reshape(plants.shape + (1,) * (change.ndim - plants.ndim)), change.shape)

    def month(before: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        balance, covered = now
        low = jnp.where(covered > 0.5, lowest, jnp.minimum(BARE_SHARE * lowest, before))
        after = jnp.maximum(low, jnp.minimum(0.0, before + balance))
        return after, after

    first = jnp.broadcast_to(jnp.asarray(start, dtype=change.dtype), change.shape[1:])
    return jax.lax.scan(month, first, (change, plants))[1]


def rothc_yearly_deficit(
    rain: ArrayLike, potential: ArrayLike, clay: ArrayLike, cover: ArrayLike = 1.0
) -> Float[Array, " month"]:
    """The cycle that `rothc_deficit` comes to when the same months repeat, mm.

    rain, potential (evapotranspiration): mm of the month. clay: fraction. cover: 1 or 0. Run from field
    capacity on: where several cycles repeat themselves this is the wettest.
    """
    pan = jnp.asarray(potential) / PAN_TO_POTENTIAL

    def year(before: Array, _: None) -> tuple[Array, None]:
        return rothc_deficit(rain, pan, clay, cover, start=before)[-1], None

    start, _ = jax.lax.scan(year, jnp.zeros(()), None, length=SPIN_YEARS)
    return rothc_deficit(rain, pan, clay, cover, start=start)
