"""CLM4.5, CLM5 and ELM: seven pools of the CENTURY family in a mixed column (Koven et al. 2013, BG 10:7109).

    dC_i/dt = R_i + sum_j a_ij k_j x C_j - k_i x C_i + d/dz(D dC_i/dz) - d(v C_i)/dz,   x = N r_T r_W r_O r_z

    r_T = Q10^((T - 25) / 10), another Q10 below 0 degree C
    r_W = ln(psi_min / psi) / ln(psi_min / psi_max), between 0 and 1
    r_O = max(oxygen, least oxygen),   r_z = exp(-z / z_e) at the node of the layer
    N = (g(15) / g(30) / Q10^((15 - 25) / 10))^n, g the arctangent curve of CENTURY, n 1 (on) or 0 (off)

Woody debris does not mix. D is that of frost (`transport.cryoturbation`) where the soil thaws to 2 m at most,
else that of animals; the models take a mean of D between two nodes, here D is that at the boundary itself.
Not here: limitation by nitrogen, and the cut of inputs at the active layer, which belongs to the forcing.

Sources: code and technical note of CTSM, code of ELM; Parton et al. 1988; Thornton & Rosenbloom 2005.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs
from subsoil.models.model import transfers as shares_between
from subsoil.models.responses import (
    century_temperature,
    clm_temperature,
    depth_decay,
    q10,
    water_potential,
    water_scalar,
)
from subsoil.models.transport import cryoturbation, exchange

CWD, METABOLIC, CELLULOSE, LIGNIN, ACTIVE, SLOW, PASSIVE = range(7)
POOL = np.eye(7)
"""One in the place of each pool."""

SUCTION = -0.002
"""MPa; potential of water at saturation that ``wettest_potential`` is given for, where texture counts."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of the seven pools; wood goes to woody debris, other litter and roots to the three litter pools.

    Looks at temperature, saturation, oxygen, sand, clay, thaw_depth, litter, roots, their shares, and wood.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["clm5"].pools
    ('cwd', 'metabolic', 'cellulose', 'lignin', 'active', 'slow', 'passive')
    """
    v = values
    base = jnp.stack(
        [
            v["k_cwd"],
            v["k_metabolic"],
            v["k_cellulose"],
            v["k_lignin"],
            v["k_active"],
            v["k_slow"],
            v["k_passive"],
        ]
    )
    flow, respiration = decompose(environment(v, forcing, grid)[:, None] * base, transfers(v, forcing.sand))
    mixes = 1.0 - POOL[None, CWD]
    diffusivity = cryoturbation(
        grid, forcing.thaw_depth, v["bioturbation"], v["cryoturbation"], v["frost_depth"]
    )
    down, up = exchange(grid, diffusivity * mixes, v["velocity"] * mixes)
    split = jnp.stack(
        [v["metabolic_share"], v["cellulose_share"], 1 - v["metabolic_share"] - v["cellulose_share"]]
    )
    fine = split @ POOL[METABOLIC : LIGNIN + 1]
    above = (1.0 - forcing.wood) * fine + forcing.wood * POOL[CWD]
    inputs = spread_inputs(forcing.litter, forcing.litter_share, above)
    inputs += spread_inputs(forcing.roots, forcing.root_share, fine)
    return Fluxes(inputs, flow, respiration, down, up, jnp.zeros_like(respiration))


def environment(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, " layer"]:
    """The factor x of each layer on all rates: N r_T r_W r_O r_z."""
    return (
        normalisation(values["q10"], values["normalisation"])
        * clm_temperature(forcing.temperature, values["q10"], values["q10_frozen"])
        * _water(values, forcing)
        * jnp.maximum(forcing.oxygen, values["least_oxygen"])
        * depth_decay(grid.node, values["z_efold"])
    )


def normalisation(quotient: Array | float, on: Array | float = 1.0) -> Float[Array, ""]:
    """N: gives a Q10 ``quotient`` the rates of CENTURY's curve at 15 degree C; 1 where ``on`` is 0.

        N = ((g(15) / g(30)) / Q10^((15 - 25) / 10))^on

    >>> round(float(normalisation(1.5)), 4), float(normalisation(1.5, 0.0))
    (0.8206, 1.0)
    """
    return (century_temperature(15.0) / q10(15.0, quotient, 25.0)) ** on


def transfers(values: Values, sand: Float[Array, " layer"]) -> Float[Array, "layer 7 7"]:
    """Share of what a pool loses that each other pool gets, [to, from]; the rest is respired.

    Active carbon: respired r = a - b (1 - sand), to passive as given, to slow what is left.
    """
    v = values
    respired = v["active_respired"] - v["active_respired_fines"] * (1.0 - sand)
    share = {
        (CELLULOSE, CWD): (1.0 - v["cwd_respired"]) * v["cwd_to_cellulose"],
        (LIGNIN, CWD): (1.0 - v["cwd_respired"]) * (1.0 - v["cwd_to_cellulose"]),
        (ACTIVE, METABOLIC): v["metabolic_to_active"],
        (ACTIVE, CELLULOSE): v["cellulose_to_active"],
        (SLOW, LIGNIN): v["lignin_to_slow"],
        (SLOW, ACTIVE): 1.0 - respired - v["active_to_passive"],
        (PASSIVE, ACTIVE): v["active_to_passive"],
        (ACTIVE, SLOW): v["slow_to_active"],
        (PASSIVE, SLOW): v["slow_to_passive"],
        (ACTIVE, PASSIVE): v["passive_to_active"],
    }
    return shares_between(len(POOL), share)


def _water(values: Values, forcing: Forcing) -> Float[Array, " layer"]:
    """r_W with psi_max = wettest (psi_s / SUCTION)^s: s = 1 that of the layer at saturation, s = 0 fixed."""
    saturated = water_potential(1.0, forcing.sand, forcing.clay)
    wettest = values["wettest_potential"] * (saturated / SUCTION) ** values["wettest_by_texture"]
    potential = water_potential(forcing.saturation, forcing.sand, forcing.clay)
    return water_scalar(potential, values["driest_potential"], wettest)
