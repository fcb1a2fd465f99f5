"""What the microbial models share: carbon as a density, and a first guess of a steady state."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid

EVENLY = 1.0 / 3.0
"""Share of the input that a first guess spreads evenly over depth: no layer starts empty."""


def density(carbon: ArrayLike, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """Carbon (kg m-2 a layer) per volume of soil, kg m-3 = mg cm-3: kinetics then know no layer thickness.

    >>> density([[1.0], [1.0]], DepthGrid.from_cm([0, 10, 30])).ravel().round(2).tolist()
    [10.0, 5.0]
    """
    return jnp.asarray(carbon) / jnp.asarray(grid.thickness)[:, None]


def years_of_input(
    inputs: Float[Array, "layer pool"], grid: DepthGrid, years: Sequence[float]
) -> Float[Array, "layer pool"]:
    """Stock of each pool that ``years`` [pool] of the carbon input of its layer make, kg m-2 a layer.

    inputs: kg m-2 yr-1. A third of the column's input counts as spread evenly over depth.

    >>> years_of_input(jnp.array([[3.0], [0.0]]), DepthGrid.from_cm([0, 10, 20]), [2.0]).ravel().tolist()
    [5.0, 1.0]
    """
    layer = inputs.sum(axis=1)
    even = jnp.asarray(grid.thickness / grid.thickness.sum()) * layer.sum()
    return ((1.0 - EVENLY) * layer + EVENLY * even)[:, None] * jnp.asarray(years)


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
