"""Where carbon enters a soil: shares of roots and litter by layer, with the published depths of biomes."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.bounds import checked
from subsoil.constants import CM_PER_M
from subsoil.depth import DepthGrid
from subsoil.errors import BadCall

ROOT_BETA = {
    "boreal forest": 0.943,
    "crops": 0.961,
    "desert": 0.975,
    "sclerophyllous shrub": 0.964,
    "temperate coniferous forest": 0.976,
    "temperate deciduous forest": 0.966,
    "temperate grassland": 0.943,
    "tropical deciduous forest": 0.961,
    "tropical evergreen forest": 0.962,
    "tropical grassland savanna": 0.972,
    "tundra": 0.914,
    "global": 0.966,
}
"""Share of the biomass of roots below d cm is beta^d (Jackson et al. 1996, Oecologia 108:389)."""

ROOT_PRODUCTION_EFOLDING = {
    "boreal forest": 0.115,
    "crops": 0.175,
    "desert": 0.308,
    "sclerophyllous shrub": 0.212,
    "temperate coniferous forest": 0.157,
    "temperate deciduous forest": 0.157,
    "temperate grassland": 0.192,
    "tropical deciduous forest": 0.175,
    "tropical evergreen forest": 0.175,
    "tropical grassland savanna": 0.264,
    "tundra": 0.0927,
    "global": 0.164,
}
"""Depth over which the production of roots falls by e, m (Xiao et al. 2023, as in the code of
evaluate-SOC-models), under the names of `ROOT_BETA`: one value there serves both temperate forests, one both
tropical forests."""


def exponential_share(
    grid: DepthGrid, e_folding: ArrayLike, deepest: ArrayLike = np.inf
) -> Float[Array, " layer"]:
    """Share of an input in each layer when it falls as exp(-z / h); sums to 1.

        share_l = (exp(-z_l / h) - exp(-z_l+1 / h)) / (exp(-z_0 / h) - exp(-z_n / h))

    e_folding h: m. deepest: nothing enters below, m; never above the first layer's bottom. A coarse grid gets
    the sums of a fine one. Raises BadCall for an h out of range.

    >>> exponential_share(DepthGrid.from_cm([0, 10, 20]), 0.1).round(3).tolist()
    [0.731, 0.269]
    """
    h = checked("e_folding", e_folding)
    depth = jnp.minimum(grid.boundaries, jnp.maximum(jnp.asarray(deepest), grid.boundaries[1]))
    amount = -jnp.exp((depth[0] - depth[:-1]) / h) * jnp.expm1(-jnp.diff(depth) / h)
    return amount / amount.sum()


def root_share(grid: DepthGrid, beta: ArrayLike, deepest: ArrayLike = np.inf) -> Float[Array, " layer"]:
    """Share of roots in each layer, beta^d1 - beta^d2 with d in cm, over its sum (Jackson et al. 1996).

    beta: of `ROOT_BETA`, or measured. deepest: as in `exponential_share`. Raises BadCall for a beta out of
    range.

    >>> root_share(DepthGrid.from_cm([0, 20, 100]), 0.966).round(3).tolist()
    [0.516, 0.484]
    """
    return exponential_share(grid, -1.0 / (CM_PER_M * jnp.log(checked("beta", beta))), deepest)


def biome_root_share(
    grid: DepthGrid, biome: str = "global", roots: str = "biomass", deepest: ArrayLike = np.inf
) -> Float[Array, " layer"]:
    """Share of roots of a biome by their ``"biomass"`` (`ROOT_BETA`) or ``"production"`` (mostly shallower).

    biome: a name of `ROOT_BETA`. deepest: as in `exponential_share`. Carbon enters where roots are made and
    die, which speaks for production; most models take biomass. Raises BadCall for an unknown biome or kind.

    >>> biome_root_share(DepthGrid.from_cm([0, 30, 200]), "tundra", "production").round(2).tolist()
    [0.96, 0.04]
    """
    if biome not in ROOT_BETA:
        raise BadCall(f"no biome {biome!r}; there are {', '.join(ROOT_BETA)}")
    if roots == "biomass":
        return root_share(grid, ROOT_BETA[biome], deepest)
    if roots == "production":
        return exponential_share(grid, ROOT_PRODUCTION_EFOLDING[biome], deepest)
    raise BadCall(f"roots go by 'biomass' or 'production', got {roots!r}")


def surface_share(grid: DepthGrid) -> Float[Array, " layer"]:
    """All of it enters the first layer."""
    return jnp.zeros(len(grid)).at[0].set(1.0)
