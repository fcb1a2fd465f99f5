"""One pool that decomposes, diffuses and is carried down: known in closed form.

    dC/dt = R(z) + d/dz(D dC/dz) - d(v C)/dz - k C

With carbon entering at the surface only and no lower end, steady state is

    C(z) = C0 exp(z (v - sqrt(v^2 + 4 D k)) / (2 D))      (`steady_density`)

which is what refining the layers must come to.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs
from subsoil.models.transport import exchange


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of the one pool; climate does not enter."""
    rate = jnp.full((len(grid), 1), 1.0) * values["k"]
    flow, respiration = decompose(rate, jnp.zeros((1, 1)))
    down, up = exchange(grid, values["diffusivity"], values["velocity"])
    above = spread_inputs(forcing.litter, forcing.litter_share, jnp.ones(1))
    below = spread_inputs(forcing.roots, forcing.root_share, jnp.ones(1))
    return Fluxes(above + below, flow, respiration, down, up, jnp.zeros_like(rate))


def steady_density(
    depth: ArrayLike, surface_input: float, k: float, diffusivity: float, velocity: float
) -> Float[Array, "..."]:
    """Density of carbon, kg m-3, at ``depth`` (m) under an input at the surface (kg m-2 yr-1), no lower end.

    C0 follows from what enters: all of it decomposes, k times the integral of C.
    """
    d, v = diffusivity, velocity
    slope = (jnp.sqrt(v**2 + 4.0 * d * k) - v) / (2.0 * d)
    return surface_input * slope / k * jnp.exp(-slope * jnp.asarray(depth))
