"""CENTURY, its litter and soil carbon (Parton et al. 1987, SSSAJ 51:1173; 1988; 1993).

    rates:  k_i f_T f_W, those of structural litter times exp(-3 L), active times 1 - 0.75 (silt + clay)
    litter: metabolic share F = 0.85 - 0.018 lignin / N, at least 0; the rest, structural, holds all lignin
    L = lignin / (1 - F), at most 1: lignin in structural litter
    active: respired E = 0.85 - 0.68 (silt + clay), to passive p = p0 + p1 clay, to slow 1 - E - p
    slow:   respired 0.55, to passive q = q0 + q1 clay, to active 0.45 - q
    f_T: arctangent curve of temperature, 1 at 30 degree C;   f_W = 1 / (1 + 30 exp(-8.5 P / PET))

p1 and q1 are 0 in the version of 1987 and not in that of 1993, whose pool of microbes on the surface and
whose leaching are not here, nor is wood. Litter and roots have one quality, and lignin as much carbon as the
rest of the litter. The model has one layer of 20 cm, and on a grid of that one layer it is as published. In
layers, litter on the surface stays where it enters, and the other pools mix with a D that no source gives for
this model.

Sources: code and documentation of SoilR, with the slope of the metabolic share corrected (0.018, not 0.18);
manual of CENTURY 5; texture of 1993 as in CASA-CNP.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs
from subsoil.models.model import transfers as shares_between
from subsoil.models.responses import century_moisture, century_temperature
from subsoil.models.transport import exchange

SURFACE_STRUCTURAL, SURFACE_METABOLIC, STRUCTURAL, METABOLIC, ACTIVE, SLOW, PASSIVE = range(7)
POOL = np.eye(7)
"""One in the place of each pool."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of four litter and three soil pools; litter enters the surface pools, roots those in the soil.

    Looks at temperature, sand, clay, precipitation, potential_evaporation, litter, roots, their shares,
    lignin and lignin_to_nitrogen.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["century1993"].values["k_passive"], MODELS["century"].values["k_passive"]
    (0.0045, 0.00676)
    """
    v = values
    metabolic, lignin = litter_quality(v, forcing.lignin, forcing.lignin_to_nitrogen)
    climate = century_temperature(forcing.temperature)
    climate = climate * century_moisture(forcing.precipitation, forcing.potential_evaporation)
    rate = climate[:, None] * potential_rates(v, forcing.sand, lignin)
    flow, respiration = decompose(rate, transfers(v, forcing.sand, forcing.clay, lignin))
    mixes = 1.0 - POOL[None, SURFACE_STRUCTURAL] - POOL[None, SURFACE_METABOLIC]
    down, up = exchange(grid, v["diffusivity"] * mixes, v["velocity"] * mixes)
    split = jnp.stack([1.0 - metabolic, metabolic])
    above = split @ POOL[SURFACE_STRUCTURAL : SURFACE_METABOLIC + 1]
    below = split @ POOL[STRUCTURAL : METABOLIC + 1]
    inputs = spread_inputs(forcing.litter, forcing.litter_share, above)
    inputs += spread_inputs(forcing.roots, forcing.root_share, below)
    return Fluxes(inputs, flow, respiration, down, up, jnp.zeros_like(respiration))


def litter_quality(
    values: Values, lignin: Array | float, lignin_to_nitrogen: Array | float
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Metabolic share F of litter, and lignin L as a fraction of its structural part.

        F = max(0, a - b lignin / N),   L = min(1, lignin / (1 - F))

    lignin: mass fraction of litter. lignin_to_nitrogen: g/g.

    >>> values = {"metabolic_share": 0.85, "metabolic_share_slope": 0.018}
    >>> [round(float(x), 3) for x in litter_quality(values, 0.2, 20.0)]
    [0.49, 0.392]
    """
    metabolic = jnp.maximum(
        0.0, values["metabolic_share"] - values["metabolic_share_slope"] * lignin_to_nitrogen
    )
    return metabolic, jnp.minimum(1.0, lignin / (1.0 - metabolic))


def potential_rates(
    values: Values, sand: Float[Array, " layer"], lignin: Array | float
) -> Float[Array, "layer 7"]:
    """Rates, 1/yr, before climate: lignin L slows structural litter, silt and clay slow active carbon."""
    v = values
    tough = jnp.exp(-v["lignin_slowing"] * lignin)
    rates = [
        v["k_surface_structural"] * tough,
        v["k_surface_metabolic"],
        v["k_structural"] * tough,
        v["k_metabolic"],
        v["k_active"] * (1.0 - v["active_slowing_fines"] * (1.0 - sand)),
        v["k_slow"],
        v["k_passive"],
    ]
    return jnp.stack([jnp.broadcast_to(rate, jnp.shape(sand)) for rate in rates], axis=-1)


def transfers(
    values: Values, sand: Float[Array, " layer"], clay: Float[Array, " layer"], lignin: Array | float
) -> Float[Array, "layer 7 7"]:
    """Share of what a pool loses that each other pool gets, [to, from]; the rest is respired."""
    v = values
    respired = v["active_respired"] - v["active_respired_fines"] * (1.0 - sand)
    active_to_passive = v["active_to_passive"] + v["active_to_passive_clay"] * clay
    slow_to_passive = v["slow_to_passive"] + v["slow_to_passive_clay"] * clay
    share = {
        (ACTIVE, SURFACE_STRUCTURAL): v["surface_structural_to_active"] * (1.0 - lignin),
        (SLOW, SURFACE_STRUCTURAL): v["lignin_to_slow"] * lignin,
        (ACTIVE, SURFACE_METABOLIC): v["surface_metabolic_to_active"],
        (ACTIVE, STRUCTURAL): v["structural_to_active"] * (1.0 - lignin),
        (SLOW, STRUCTURAL): v["lignin_to_slow"] * lignin,
        (ACTIVE, METABOLIC): v["metabolic_to_active"],
        (SLOW, ACTIVE): 1.0 - respired - active_to_passive,
        (PASSIVE, ACTIVE): active_to_passive,
        (ACTIVE, SLOW): 1.0 - v["slow_respired"] - slow_to_passive,
        (PASSIVE, SLOW): slow_to_passive,
        (ACTIVE, PASSIVE): v["passive_to_active"],
    }
    return shares_between(len(POOL), share)
