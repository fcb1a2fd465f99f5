"""What the microbial models share: carbon as a density, sorption sites, a first guess of a steady state."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Equations, Values, annual_fluxes, operator
from subsoil.solve.blocks import solve

EVENLY = 1.0 / 3.0
"""Share of the input that a first guess spreads evenly over depth: no layer starts empty."""

ROUNDS = 8
"""They save some 3 steps of the search that follows, and dozens where it is slow (MEND)."""

FARTHEST = 100.0
"""Factor by which one round of `settle` may want to move a pool."""


def density(carbon: ArrayLike, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """Carbon (kg m-2 a layer) per volume of soil, kg m-3 = mg cm-3: kinetics then know no layer thickness.

    >>> density([[1.0], [1.0]], DepthGrid.from_cm([0, 10, 30])).ravel().round(2).tolist()
    [10.0, 5.0]
    """
    return jnp.asarray(carbon) / jnp.asarray(grid.thickness)[:, None]


def settle(
    equations: Equations,
    values: Values,
    forcing: Forcing,
    grid: DepthGrid,
    years: Sequence[float],
) -> Float[Array, "layer pool"]:
    """A positive start for the search of a steady state: linear steady states, half way each round.

    Starts from ``years`` [pool] of the carbon input of each layer, of which a third counts as spread evenly
    over depth, and takes `ROUNDS` steps C <- sqrt(C C'), with C' the steady state that the rates at C would
    have were they constant: 0 = u + A(C) C'. C' is not negative and loses what enters. The geometric mean
    keeps microbes and their substrate from overshooting in turn; C' counts within a factor of 100 of C.
    """
    values, forcing = jax.lax.stop_gradient((dict(values), forcing))
    nothing = jnp.zeros((len(grid), len(years)))
    layer = annual_fluxes(equations, values, forcing, grid, nothing + 1.0).inputs.sum(axis=1)
    even = jnp.asarray(grid.thickness / grid.thickness.sum()) * layer.sum()
    start = ((1.0 - EVENLY) * layer + EVENLY * even)[:, None] * jnp.asarray(years)

    def step(carbon: Array, _: None) -> tuple[Array, None]:
        fluxes = annual_fluxes(equations, values, forcing, grid, carbon)
        there = -solve(operator(fluxes), fluxes.inputs)
        return jnp.sqrt(carbon * jnp.clip(there, carbon / FARTHEST, carbon * FARTHEST)), None

    return jax.lax.scan(step, start, length=ROUNDS)[0]


def sorption_sites(
    bound: Float[Array, " layer"], capacity: Array | float
) -> tuple[Float[Array, " layer"], Float[Array, " layer"]]:
    """What a net sorption K D (1 - Q / Q_max) of dissolved carbon D means as rates of two donors.

    Returns the share of free sites, 1 - Q / Q_max: times K the rate at which D is bound. And, where ``bound``
    (Q) is more than ``capacity`` (Q_max) and the published flux turns round, 1 / Q_max - 1 / Q: times K D the
    rate at which Q is set free. One of the two is always 0, neither is negative.

    >>> [x.tolist() for x in sorption_sites(jnp.array([1.0, 4.0]), 2.0)]
    [[0.5, 0.0], [0.0, 0.25]]
    """
    crowded = bound > capacity
    free = jnp.where(crowded, 0.0, 1.0 - bound / capacity)
    return free, 1.0 / capacity - 1.0 / jnp.where(crowded, bound, capacity)
