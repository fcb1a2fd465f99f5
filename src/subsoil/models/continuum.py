"""A continuum of reactivities: carbon whose rates are spread over orders of magnitude, and never change.

A pulse of input with the density p(k) of rates k has decomposed, after t years, to

    F(t) = 1 - integral p(k) exp(-k t) dk

Three models of the empirical kind are one family of p in the logarithm of the rate, with y = ln(kappa / r):

    p dk ~ exp(-(y / s)^2 phi(w y)) dy,   phi(x) = (exp(x) - 1 - x) / x^2,   k = k0 + kappa

    lognormal  w = 0:          ln k is normal with mean ln r and standard deviation s
    gamma      w = 1:          F = 1 - (1 + t / b)^-a,   a = 1 / s^2,   b = a / r
    power law  w = 1, k0 > 0:  F = 1 - exp(-k0 t) (1 + t / b)^-a; two time scales, b and 1 / k0, if a = 1

This is the generalised gamma (Stacy 1962, Ann. Math. Stat. 33:1187) on the scale of Prentice (1974,
Biometrika 61:539). It is taken at 20 rates kappa from 1e-6 to 100 per yr, evenly in the logarithm; the
weights sum to 1, and the two end classes take what lies beyond them. The trapezoid rule makes little error
on a bell: F is met to 1e-3 (lognormal) and 3e-3 (gamma) for s from 0.7 to 3 and r from 0.01 to 3 per yr,
and the new share of the stock of one box at rest to 1e-3 for the lognormal with s up to 2. Carbon of a
million years is the slowest there is (k0 is 1e-6 unless given), so that a gamma with a <= 1 has a steady
state here.

In a profile, every class decomposes, mixes and flows with no exchange with another:

    dC_i/dt = w_i R + d/dz(D dC_i/dz) - d(v C_i)/dz - (k0 + kappa_i) exp(-z / z_e) C_i

Source: in one box, the lognormal is the model of Forney & Rothman 2012 (J. R. Soc. Interface 9:2255), the
gamma that of Boudreau & Ruddick 1991 (Am. J. Sci. 291:507), and the code of soil_diskin fits all three to
soils, one site at a time. Climate does not enter; depth is an addition.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs
from subsoil.models.responses import depth_decay
from subsoil.models.transport import exchange

CLASSES = 20
SLOWEST, FASTEST = 1e-6, 1e2
"""1/yr, kappa of the first and the last class."""

BEYOND = 100
"""Rates beyond each end, as far apart as the classes, whose carbon the end class takes."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of the classes of rates, slowest first. Looks at litter, roots and their shares.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["power_law"].values["floor"], MODELS["power_law"].pools[0]
    (0.0001, 'rate 1')
    """
    v = values
    base, weight = classes(v["rate"], v["spread"], v["tilt"], v["floor"])
    rate = depth_decay(grid.node, v["z_efold"])[:, None] * base
    flow, respiration = decompose(rate, jnp.zeros((CLASSES, CLASSES)))
    down, up = (moved * jnp.ones(CLASSES) for moved in exchange(grid, v["diffusivity"], v["velocity"]))
    inputs = spread_inputs(forcing.litter, forcing.litter_share, weight)
    inputs += spread_inputs(forcing.roots, forcing.root_share, weight)
    return Fluxes(inputs, flow, respiration, down, up, jnp.zeros_like(rate))


def classes(
    rate: ArrayLike, spread: ArrayLike, tilt: ArrayLike, floor: ArrayLike = 0.0
) -> tuple[Float[Array, " pool"], Float[Array, " pool"]]:
    """Rates of the classes, 1/yr, and the share of the input that each gets.

    rate r: 1/yr, where p has its top in ln k (median of the lognormal, mean of the gamma). spread s: of ln k,
    at least half the distance of two classes (0.5). tilt w: 0 to 1. floor k0: 1/yr.

    >>> k, share = classes(0.3, 1.0, 1.0)  # gamma with a = 1: one pool of each rate, exponentially fewer
    >>> round(float(share.sum()), 12), round(float((share * k).sum()), 3)
    (1.0, 0.3)
    """
    step = np.log(FASTEST / SLOWEST) / (CLASSES - 1)
    place = np.arange(-BEYOND, CLASSES + BEYOND)
    y = np.log(SLOWEST) + step * place - jnp.log(jnp.asarray(rate))
    bell = -((y / jnp.asarray(spread)) ** 2) * _lean(jnp.asarray(tilt) * y)
    density = jnp.exp(bell - bell.max())
    slower, inside, faster = jnp.split(density, [BEYOND, BEYOND + CLASSES])
    weight = inside.at[0].add(slower.sum()).at[-1].add(faster.sum())
    kappa = jnp.asarray(np.geomspace(SLOWEST, FASTEST, CLASSES))
    return kappa + jnp.asarray(floor), weight / weight.sum()


def _lean(x: Float[Array, " pool"]) -> Float[Array, " pool"]:
    """phi(x) = (exp(x) - 1 - x) / x^2, by its series near 0."""
    near = jnp.abs(x) < 0.05
    far = jnp.where(near, 1.0, x)
    close = jnp.where(near, x, 0.0)
    series = 0.5 + close / 6 * (1 + close / 4 * (1 + close / 5 * (1 + close / 6 * (1 + close / 7))))
    return jnp.where(near, series, (jnp.expm1(far) - far) / far**2)
