"""Three pools that decompose, diffuse and are carried down (Elzein & Balesdent 1995, SSSAJ 59:1328).

    dC_i/dt = R_i(z) + sum_j a_ij k_j g(z) C_j - k_i g(z) C_i + d/dz(D dC_i/dz) - d(v C_i)/dz
    g(z) = exp(-z / z_e) at the node of the layer

Carbon enters the fast pool, and what a pool does not pass to the next slower one is respired. D and v are one
for all pools and depths; the paper fits them to the carbon and 14C of five profiles, each of which is a model
here: Marly (`elzein_balesdent`), Kattinkar, Para, Bahia and Bezange (`eb_...`). The rates, the transfers and
g are those of the unpublished prototype in the code of SoilR, one set for all sites: those of the paper were
not read. Climate is in the rates and does not enter.
"""

import jax.numpy as jnp

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs, transfers
from subsoil.models.responses import depth_decay
from subsoil.models.transport import exchange

FAST, SLOW, VERY_SLOW = range(3)


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of the three pools. Looks at litter, roots and their shares.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["eb_para"].values["diffusivity"], MODELS["eb_para"].grid.bottom[-1].round(2)
    (0.001658, np.float64(1.95))
    """
    v = values
    base = jnp.stack([v["k_fast"], v["k_slow"], v["k_very_slow"]])
    rate = depth_decay(grid.node, v["z_efold"])[:, None] * base
    shares = {(SLOW, FAST): v["fast_to_slow"], (VERY_SLOW, SLOW): v["slow_to_very_slow"]}
    flow, respiration = decompose(rate, transfers(3, shares))
    down, up = (moved * jnp.ones((1, 3)) for moved in exchange(grid, v["diffusivity"], v["velocity"]))
    fast = jnp.eye(3)[FAST]
    inputs = spread_inputs(forcing.litter, forcing.litter_share, fast)
    inputs += spread_inputs(forcing.roots, forcing.root_share, fast)
    return Fluxes(inputs, flow, respiration, down, up, jnp.zeros_like(rate))
