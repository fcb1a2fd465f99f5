"""What moves carbon between layers: diffusion, advection, mixing by animals and frost.

All of it ends as two rates of each layer and pool, ``down`` and ``up`` (1/yr): the share of the carbon of a
layer that passes its lower and its upper boundary in a year. Nothing passes the two ends of the column.
Stocks are kg m-2 a layer, so that what leaves one layer enters the next to the last digit.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall

LEAST_DIFFUSIVITY = 1e-30
"""m2/yr; below it nothing diffuses in any time that matters, and a division stays finite."""

PARTICLE_DENSITY = 2650.0
"""kg m-3, of quartz, as usual for mineral soil."""

DRIEST = 0.01
"""m3 m-3; soil water is at least this, so that what it carries has a finite velocity."""


class Exchange(NamedTuple):
    """Rates of carbon that passes the boundaries of each layer, 1/yr.

    ``down``: through the lower boundary, 0 in the last layer; ``up``: through the upper one, 0 in the first.
    """

    down: Float[Array, "layer pool"]
    up: Float[Array, "layer pool"]


def exchange(
    grid: DepthGrid, diffusivity: ArrayLike, velocity: ArrayLike = 0.0, bulk_density: ArrayLike | None = None
) -> Exchange:
    """Diffusion and advection between neighbouring layers by the power law of Patankar (1980, section 5.2-6).

    The flux through the boundary between layers j and j+1, downwards, with c the density of carbon, g = D / d
    the conductance over the distance d of their nodes and Pe = v d / D the Peclet number, is

        F = (g max(0, 1 - 0.1 |Pe|)^5 + max(v, 0)) c_j - (g max(0, 1 - 0.1 |Pe|)^5 + max(-v, 0)) c_j+1

    which goes from central differences (slow flow) to upwind ones (fast flow) and never turns a rate
    negative. ``bulk_density`` [layer], kg m-3: mixing then moves soil, and evens out the carbon content of
    the soil (kg/kg) rather than its density (kg m-3): g c becomes g rho_boundary (c / rho).

    grid: n layers. diffusivity D (m2/yr) and velocity v (m/yr, positive down): on the n - 1 inner boundaries,
    numbers, [boundary], or [boundary or 1, pool or 1]. Returns rates of shape [layer, pool or 1]. Raises
    BadCall for as many values as there are layers, or any other number that is not that of the boundaries.

    >>> from subsoil.depth import DepthGrid
    >>> rates = exchange(DepthGrid.from_cm([0, 10, 30]), diffusivity=1e-4)
    >>> [f"{x:.4f}" for x in rates.down.ravel()], [f"{x:.4f}" for x in rates.up.ravel()]
    (['0.0067', '0.0000'], ['0.0000', '0.0033'])
    """
    distance = jnp.asarray(grid.node[1:] - grid.node[:-1])[:, None]
    thickness = jnp.asarray(grid.thickness)[:, None]
    d, v = (_on_boundaries(values, len(grid) - 1) for values in (diffusivity, velocity))
    if bulk_density is None:
        weight_above = weight_below = jnp.ones(())
    else:
        density = jnp.asarray(bulk_density)[:, None]
        between = 0.5 * (density[:-1] + density[1:])
        weight_above, weight_below = between / density[:-1], between / density[1:]
    sinking, rising = jnp.maximum(v, 0.0), jnp.maximum(-v, 0.0)  # their sum is |v| with derivative 0 at v = 0
    mixes = d > LEAST_DIFFUSIVITY
    peclet = (sinking + rising) * distance / jnp.where(mixes, d, 1.0)
    # Without mixing the Peclet number is infinite where carbon flows and 0 where it rests.
    damping = jnp.where(mixes, jnp.maximum(0.0, 1.0 - 0.1 * peclet) ** 5, jnp.where(v == 0.0, 1.0, 0.0))
    conductance = d / distance * damping
    down = (conductance * weight_above + sinking) / thickness[:-1]
    up = (conductance * weight_below + rising) / thickness[1:]
    end = jnp.zeros((1, down.shape[1]))
    return Exchange(jnp.concatenate([down, end]), jnp.concatenate([end, up]))


def diffusivity_of_mixing(
    mass_flux: ArrayLike, mixing_length: ArrayLike, bulk_density: ArrayLike
) -> Float[Array, "..."]:
    """Diffusivity of bioturbation, m2/yr: D = B l / (2 rho) (Braakhekke et al. 2011, Ecol. Model. 222:1712).

    mass_flux B: soil that animals move, kg m-2 yr-1; mixing_length l: m; bulk_density rho: kg m-3.

    >>> float(diffusivity_of_mixing(0.4, 0.5, 1000.0))
    0.0001
    """
    return 0.5 * jnp.asarray(mass_flux) / jnp.asarray(bulk_density) * jnp.asarray(mixing_length)


def water_content(saturation: ArrayLike, bulk_density: ArrayLike) -> Float[Array, "..."]:
    """Volumetric water of a mineral soil, m3 m-3: theta = s (1 - rho / 2650), at least 0.01.

    saturation s: water over pore volume, 0-1. bulk_density rho: kg m-3.

    >>> float(water_content(0.5, 1325.0))
    0.25
    """
    pores = 1.0 - jnp.asarray(bulk_density) / PARTICLE_DENSITY
    return jnp.maximum(jnp.asarray(saturation) * pores, DRIEST)


def cryoturbation(
    grid: DepthGrid,
    thaw_depth: ArrayLike,
    bioturbation: ArrayLike = 1e-4,
    frost: ArrayLike = 5e-4,
    deepest: ArrayLike = 3.0,
    deepest_thaw: float = 2.0,
) -> Float[Array, "boundary 1"]:
    """Diffusivity on the inner boundaries, m2/yr, of CLM4.5 and later (Koven et al. 2013, BG 10:7109).

    A soil that thaws in summer to ``thaw_depth`` (m) of at most ``deepest_thaw`` mixes by frost: D =
    ``frost`` down to that depth, from there in a straight line to 0 at ``deepest`` (m). Deeper thaw, or no
    frost (infinite): D = ``bioturbation`` at all depths. Never thawed (0): D = 0.

    >>> from subsoil.depth import DepthGrid
    >>> cryoturbation(DepthGrid.from_cm([0, 50, 100, 200, 300, 400]), 1.0).ravel().tolist()
    [0.0005, 0.0005, 0.00025, 0.0]
    """
    depth = jnp.asarray(grid.boundaries[1:-1])[:, None]
    thaw, end = jnp.asarray(thaw_depth), jnp.asarray(deepest)
    shallow = jnp.minimum(thaw, deepest_thaw)
    tapers = end > shallow  # else mixing ends at the thaw depth, and the slope has no run
    below = jnp.where(tapers, jnp.clip((end - depth) / jnp.where(tapers, end - shallow, 1.0), 0.0, 1.0), 0.0)
    frozen = jnp.asarray(frost) * jnp.where(depth <= shallow, 1.0, below)
    return jnp.where(
        thaw > deepest_thaw,
        jnp.asarray(bioturbation) * jnp.ones_like(depth),
        jnp.where(thaw > 0.0, frozen, 0.0),
    )


def _on_boundaries(values: ArrayLike, boundaries: int) -> Float[Array, "boundary pool"]:
    given = jnp.asarray(values, dtype=float)
    array = given[None, None] if given.ndim == 0 else given[:, None] if given.ndim == 1 else given
    if array.ndim != 2 or array.shape[0] not in (1, boundaries):
        raise BadCall(
            f"diffusivity and velocity want one value at each of the {boundaries} boundaries of layers, "
            f"got shape {given.shape}; values of layers are averaged onto the boundaries first"
        )
    return array
