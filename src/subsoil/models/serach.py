"""Rapid, slow and stable carbon of a profile in 12C, 13C and 14C (Serach et al. 2024, MATLAB code).

    dC_i/dt = R_i(z) + a_(i,i-1) k_(i-1) C_(i-1) - (1 - e_i + a_(i+1,i)) k_i C_i
              + d/dz(D_b(z) dC_i/dz) - d(v_i C_i)/dz,      D_b(z) = D_0 exp(-b z)

Of the carbon that a pool decomposes, 1 - e_i is respired, with e_i the carbon use efficiency, a_(i+1,i) goes
to the next slower pool, and the rest of e_i stays where it was, as necromass. How the code joins the
efficiencies (0.23, 0.19, 0.13) and the transfers (0.15, 0.01) was not read; this is the reading under which
they fit each other. Litter and roots are 60 % rapid and 40 % slow. Climate does not enter. Each pool has its
own velocity.

The published runs go to 0.5 m, with roots of an e-folding depth of 0.72 m (that is forcing). For their
isotopes they take 1/8267 per yr for 14C, plants of -26.6 per mil, and the response of plants to CO2 of
Schubert & Jahren with A 28.26, B 0.22, C 23.9. CO2 that diffuses through the pores is not here: it is no soil
carbon.
"""

import jax.numpy as jnp

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs, transfers
from subsoil.models.transport import exchange

RAPID, SLOW, STABLE = range(3)


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of the three pools. Looks at litter, roots and their shares.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["serach"](rapid_share=0.5).values["rapid_share"]
    0.5
    """
    v = values
    base = jnp.stack([v["k_rapid"], v["k_slow"], v["k_stable"]])
    rate = jnp.ones((len(grid), 1)) * base
    kept = jnp.stack([v["efficiency_rapid"], v["efficiency_slow"], v["efficiency_stable"]])
    shares = {(SLOW, RAPID): v["rapid_to_slow"], (STABLE, SLOW): v["slow_to_stable"]}
    flow, _ = decompose(rate, transfers(3, shares))  # respired is what the efficiency leaves
    diffusivity = v["diffusivity"] * jnp.exp(-v["diffusivity_decay"] * grid.boundaries[1:-1])
    velocity = jnp.stack([v["velocity_rapid"], v["velocity_slow"], v["velocity_stable"]])
    down, up = exchange(grid, diffusivity, velocity[None, :])
    split = jnp.stack([v["rapid_share"], 1.0 - v["rapid_share"], 0.0 * v["rapid_share"]])
    inputs = spread_inputs(forcing.litter, forcing.litter_share, split)
    inputs += spread_inputs(forcing.roots, forcing.root_share, split)
    return Fluxes(inputs, flow, (1.0 - kept) * rate, down, up, jnp.zeros_like(rate))
