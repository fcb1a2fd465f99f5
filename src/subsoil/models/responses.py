"""How decomposition answers to temperature, water and depth: the published curves, one function each.

Every function works element by element on numbers or arrays, runs under jit and vmap, and has a finite
gradient over its range: where a curve ends, the side not taken is fed a harmless number. Temperature is in
degree C, clay and sand are mass fractions of the fine earth (0-1), saturation is water over pore volume. A
curve multiplies a rate; each is 1 at a climate of its own, so that rates fitted with one curve do not hold
with another.

The equations were collected from the papers and from the public code of SoilR, RothC_Py and CTSM; where the
two differ the docstring says so.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.water import retention, rothc_max_deficit

KELVIN = 273.15
"""0 degree C in K."""

GAS_CONSTANT = 8.314462618
"""J mol-1 K-1 (CODATA 2018)."""

DRIEST_SATURATION = 0.01
"""Least saturation that `water_potential` uses, as in CLM: the power law has no lower end."""


# ---- temperature ------------------------------------------------------------------------------------------


def q10(temperature: ArrayLike, q10: ArrayLike, reference: ArrayLike) -> Float[Array, "..."]:
    """Exponential response: f = Q10^((T - T_ref) / 10), any T; rates at T_ref stay as they are (van 't Hoff).

    temperature T, reference T_ref: degree C. q10: above 0.

    >>> float(q10(20.0, 2.0, 10.0))
    2.0
    """
    return jnp.asarray(q10) ** ((jnp.asarray(temperature) - jnp.asarray(reference)) / 10.0)


def clm_temperature(
    temperature: ArrayLike, q10: ArrayLike = 1.5, q10_frozen: ArrayLike = 1.5, reference: ArrayLike = 25.0
) -> Float[Array, "..."]:
    """Response of CLM4.5, CLM5 and ELM: a Q10 above 0 degree C, another below, joined at 0.

        f = Q10^((T - T_ref) / 10)  for T >= 0,   f = Q10^(-T_ref / 10) Q10_frozen^(T / 10)  for T < 0

    temperature T: degree C, any. Source: CTSM code and technical note; Koven et al. 2013, BG 10:7109.

    >>> [round(float(clm_temperature(t, q10_frozen=3.0)), 4) for t in (25.0, 0.0, -10.0)]
    [1.0, 0.3629, 0.121]
    """
    t = jnp.asarray(temperature)
    thawed = jnp.asarray(q10) ** ((jnp.maximum(t, 0.0) - jnp.asarray(reference)) / 10.0)
    return thawed * jnp.asarray(q10_frozen) ** (jnp.minimum(t, 0.0) / 10.0)


def century_temperature(temperature: ArrayLike) -> Float[Array, "..."]:
    """Arctangent curve of CENTURY over its value at 30 degree C, where f = 1.

        f = g(T) / g(30),   g(T) = 11.75 + (29.7 / pi) atan(0.031 pi (T - 15.4))

    temperature T: degree C. g is negative below -14.8 degree C; f is 0 there. Highest value 1.28 (hot end).
    Source: CTSM and CENTURY code (``catanf``); Parton et al. 1993, Global Biogeochem. Cycles 7:785.

    >>> round(float(century_temperature(15.0)), 4)
    0.5471
    """
    return jnp.maximum(0.0, _arctangent(temperature) / _arctangent(30.0))


def _arctangent(temperature: ArrayLike) -> Array:
    return 11.75 + 29.7 / jnp.pi * jnp.arctan(0.031 * jnp.pi * (jnp.asarray(temperature) - 15.4))


def daily_century_temperature(temperature: ArrayLike) -> Float[Array, "..."]:
    """Skewed bell of CENTURY, 1 at its top at 35 degree C.

        f = r^0.2 exp((0.2 / 2.63) (1 - r^2.63)),   r = (45 - T) / 10

    temperature T: degree C; 0 at and above 45 degree C. Source: Parton et al. 1987, SSSAJ 51:1173, as in
    the code of SoilR and, times 4.99, of SOMic.

    >>> float(daily_century_temperature(35.0))
    1.0
    """
    r = (45.0 - jnp.asarray(temperature)) / 10.0
    safe = jnp.where(r > 0.0, r, 1.0)
    return jnp.where(r > 0.0, safe**0.2 * jnp.exp(0.2 / 2.63 * (1.0 - safe**2.63)), 0.0)


def daycent_temperature(temperature: ArrayLike) -> Float[Array, "..."]:
    """Arctangent curve of DayCent: f = max(0, 0.56 + (1.46 / pi) atan(0.0309 pi (T - 15.7))).

    temperature T: degree C; 0 below -11.2 degree C, 0.56 at 15.7, at most 1.29. Source: SoilR code after
    Del Grosso et al. 2005, Biogeochemistry 73:71.

    >>> round(float(daycent_temperature(15.7)), 2)
    0.56
    """
    t = jnp.asarray(temperature)
    return jnp.maximum(0.0, 0.56 + 1.46 / jnp.pi * jnp.arctan(0.0309 * jnp.pi * (t - 15.7)))


def rothc_temperature(temperature: ArrayLike) -> Float[Array, "..."]:
    """Response of RothC: a = 47.91 / (1 + exp(106.06 / (T + 18.27))), 0 below -5 degree C.

    temperature T: mean air temperature of the month, degree C; 1 at 9.3 degree C. The step at -5 degree C
    (from 0.016) is the published one. Source: Coleman & Jenkinson 1996; constants of RothC_Py (older ones:
    47.9, 106, 18.3).

    >>> round(float(rothc_temperature(9.3)), 2), float(rothc_temperature(-6.0))
    (1.0, 0.0)
    """
    t = jnp.asarray(temperature)
    safe = jnp.where(t >= -5.0, t, 0.0)
    return jnp.where(t >= -5.0, 47.91 / (1.0 + jnp.exp(106.06 / (safe + 18.27))), 0.0)


def lloyd_taylor(temperature: ArrayLike) -> Float[Array, "..."]:
    """f = exp(308.56 (1 / 56.02 - 1 / (T + 46.02))), 1 at 10 degree C.

    temperature T: degree C; 0 at and below -46.02 degree C, where the curve has its pole. Source: Lloyd
    & Taylor 1994, Funct. Ecol. 8:315 (SoilR codes T + 45.87).

    >>> float(lloyd_taylor(10.0))
    1.0
    """
    warmer = jnp.asarray(temperature) + 46.02
    safe = jnp.where(warmer > 0.0, warmer, 1.0)
    return jnp.where(warmer > 0.0, jnp.exp(308.56 * (1.0 / 56.02 - 1.0 / safe)), 0.0)


def kirschbaum(temperature: ArrayLike) -> Float[Array, "..."]:
    """f = exp(-3.764 + 0.204 T (1 - 0.5 T / 36.9)), 1 at its top at 36.9 degree C, falling above.

    temperature T: degree C; fitted to laboratory incubations above 0 degree C. Source: Kirschbaum 1995, Soil
    Biol. Biochem. 27:753, as coded in SoilR.

    >>> round(float(kirschbaum(36.9)), 3)
    1.0
    """
    t = jnp.asarray(temperature)
    return jnp.exp(-3.764 + 0.204 * t * (1.0 - 0.5 * t / 36.9))


def arrhenius(temperature: ArrayLike, energy: ArrayLike, reference: ArrayLike) -> Float[Array, "..."]:
    """f = exp(-(E / R) (1 / T_K - 1 / T_K,ref)), 1 at the reference; R = 8.314462618 J mol-1 K-1.

    temperature, reference: degree C, above -273.15 (an infinite reference leaves exp(-E / (R T_K)), for rates
    given as a pre-exponential factor). energy E: J mol-1, 0 or more.

    >>> round(float(arrhenius(30.0, 50e3, 20.0)), 3)
    1.967
    """
    kelvin, at = jnp.asarray(temperature) + KELVIN, jnp.asarray(reference) + KELVIN
    return jnp.exp(-jnp.asarray(energy) / GAS_CONSTANT * (1.0 / kelvin - 1.0 / at))


# ---- water ------------------------------------------------------------------------------------------------


def century_moisture(precipitation: ArrayLike, potential_evaporation: ArrayLike) -> Float[Array, "..."]:
    """f = 1 / (1 + 30 exp(-8.5 P / PET)): 0.032 without rain, 1 where it is wet.

    precipitation P, potential_evaporation PET: 0 or more, of one unit and one time (month or year). f is 1
    where nothing evaporates. Source: SoilR code after Adair et al. 2008, Global Change Biol.
    14:2636.

    >>> round(float(century_moisture(0.8, 0.8)), 3)
    0.994
    """
    rain, potential = jnp.asarray(precipitation), jnp.asarray(potential_evaporation)
    evaporates = (potential > rain / 40.0) & (potential > 1e-9)  # from a ratio of 40 on, 1 to the last digit
    ratio = jnp.where(evaporates, rain / jnp.where(evaporates, potential, 1.0), 40.0)
    return 1.0 / (1.0 + 30.0 * jnp.exp(-8.5 * ratio))


def rothc_moisture(deficit: ArrayLike, clay: ArrayLike, *, depth: ArrayLike = 23.0) -> Float[Array, "..."]:
    """Response of RothC to its accumulated moisture deficit: 1 near field capacity, 0.2 at the greatest.

        b = 1  where S / S_max < 0.444,  else  0.2 + 0.8 (1 - S / S_max) / (1 - 0.444)

    deficit S: mm, 0 or negative (`subsoil.water.rothc_deficit`). clay: fraction. depth: cm. S_max is
    `rothc_max_deficit`, for bare soil too: cover limits how far a deficit grows, not what it does. A deficit
    beyond S_max counts as S_max. Source: Coleman & Jenkinson 1996; RothC_Py.

    >>> [round(float(rothc_moisture(d, 0.234)), 3) for d in (0.0, -30.0, -60.0)]
    [1.0, 0.678, 0.2]
    """
    share = jnp.asarray(deficit) / rothc_max_deficit(clay, depth)
    return jnp.clip(0.2 + 0.8 * (1.0 - share) / (1.0 - 0.444), 0.2, 1.0)


def water_potential(saturation: ArrayLike, sand: ArrayLike, clay: ArrayLike) -> Float[Array, "..."]:
    """Matric potential of soil water, MPa, negative: psi = psi_s s^-b (Clapp & Hornberger 1978).

    saturation s: 0-1, at least 0.01 as in CLM. sand, clay: fractions; psi_s and b from them by
    `subsoil.water.retention`.

    >>> round(float(water_potential(1.0, 0.4, 0.2)), 5)
    -0.00223
    """
    wet = jnp.clip(jnp.asarray(saturation), DRIEST_SATURATION, 1.0)
    soil = retention(sand, clay)
    return soil.potential * wet**-soil.exponent


def water_scalar(potential: ArrayLike, driest: ArrayLike, wettest: ArrayLike) -> Float[Array, "..."]:
    """Response of CLM to water: f = ln(psi_min / psi) / ln(psi_min / psi_max), from 0 to 1.

    potential psi, driest psi_min, wettest psi_max: MPa, negative, psi_min below psi_max; 0 below psi_min and
    1 above psi_max. CLM5: -2 and -0.002 MPa; CLM4.5 and ELM: -10 MPa and the potential of the layer at
    saturation (`water_potential` at 1). Source: Andren & Paustian 1987, Ecology 68:1190; CTSM code.

    >>> round(float(water_scalar(-0.2, -2.0, -0.002)), 3)
    0.333
    """
    low, high = jnp.asarray(driest), jnp.asarray(wettest)
    inside = jnp.clip(jnp.asarray(potential), low, high)
    return jnp.log(low / inside) / jnp.log(low / high)


def moyano(water: ArrayLike) -> Float[Array, "..."]:
    """f = 3.11 theta - 2.42 theta^2, highest (0.999) at theta = 0.643 (Moyano et al. 2013, SBB 59:72; SoilR).

    water theta: volumetric content, m3 m-3, 0-1.

    >>> round(float(moyano(0.5)), 3)
    0.95
    """
    theta = jnp.asarray(water)
    return 3.11 * theta - 2.42 * theta**2


def candy(moisture: ArrayLike) -> Float[Array, "..."]:
    """f = 4 M (1 - M) below M = 0.5, 1 above (CANDY, after Bauer et al. 2008, Geoderma 145:17; SoilR).

    moisture M: water over pore volume, 0-1.

    >>> float(candy(0.25)), float(candy(0.8))
    (0.75, 1.0)
    """
    m = jnp.minimum(jnp.asarray(moisture), 0.5)
    return 4.0 * m * (1.0 - m)


def skopp(moisture: ArrayLike) -> Float[Array, "..."]:
    """f = min(2 r^1.3, 2 (1 - r)^0.8): lack of solutes when dry, of oxygen when wet (Skopp et al. 1990).

    moisture r: relative water content, 0-1; 0 at both ends. The top is near 0.6. Source: SSSAJ 54:1619;
    SoilR code.

    >>> round(float(skopp(0.25)), 3), float(skopp(1.0))
    (0.33, 0.0)
    """
    r = jnp.asarray(moisture)
    wet, air = jnp.where(r > 0.0, r, 1.0), jnp.where(r < 1.0, 1.0 - r, 1.0)
    inside = (r > 0.0) & (r < 1.0)
    return jnp.where(inside, jnp.minimum(2.0 * wet**1.3, 2.0 * air**0.8), 0.0)


def gompertz(water: ArrayLike) -> Float[Array, "..."]:
    """f = exp(-exp(0.824 - 0.308 theta%)), theta% = 100 theta (Janssens et al. 2003, after SoilR).

    water theta: volumetric content, m3 m-3, 0-1. 0.10 when dry, 1 above 0.2.

    >>> round(float(gompertz(0.05)), 3)
    0.613
    """
    return jnp.exp(-jnp.exp(0.824 - 30.8 * jnp.asarray(water)))


def demeter(moisture: ArrayLike) -> Float[Array, "..."]:
    """f = 0.25 + 0.75 M (DEMETER; Foley 1995, Tellus B 47:310; SoilR).

    moisture M: water over what the soil holds, 0-1.

    >>> float(demeter(1.0))
    1.0
    """
    return 0.25 + 0.75 * jnp.asarray(moisture)


# ---- both, and depth --------------------------------------------------------------------------------------


def yasso_climate(
    temperature: ArrayLike, precipitation: ArrayLike, b1: ArrayLike, b2: ArrayLike, gamma: ArrayLike
) -> Float[Array, "..."]:
    """Climate factor of Yasso: m = exp(b1 T + b2 T^2) (1 - exp(gamma P)).

    temperature T: of the month, degree C. precipitation P: m yr-1, 0 or more. b1: 1/degree C. b2:
    1/degree C2. gamma: yr m-1, negative. Source: Tuomi et al. 2009, Ecol. Model. 220:3362.

    >>> round(float(yasso_climate(5.0, 0.6, 0.095, -0.0014, -1.21)), 4)
    0.8014
    """
    t = jnp.asarray(temperature)
    warmth = jnp.exp(jnp.asarray(b1) * t + jnp.asarray(b2) * t**2)
    return -warmth * jnp.expm1(jnp.asarray(gamma) * jnp.asarray(precipitation))


def depth_decay(depth: ArrayLike, e_folding: ArrayLike) -> Float[Array, "..."]:
    """f = exp(-z / z_e): slower decomposition at depth for reasons that no other factor holds.

    depth z, e_folding z_e: m; z_e above 0, 1 at z = 0. Source: Koven et al. 2013, BG 10:7109 (CLM4.5: 0.5 m;
    CLM5: 10 m; ELM: 0.33 m).

    >>> round(float(depth_decay(0.5, 0.5)), 4)
    0.3679
    """
    return jnp.exp(-jnp.asarray(depth) / jnp.asarray(e_folding))
