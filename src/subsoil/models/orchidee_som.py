"""ORCHIDEE-SOM: soil and dissolved carbon in 11 layers (Camino-Serrano et al. 2018, GMD 11:937).

    solid:      dC_i/dt = R_i + x (sum_j b_ij e k_j W_j - k_i C_i) + d/dz(D(z) dC_i/dz)
    dissolved:  dW_j/dt = x (sum_i c_ji k_i C_i - k_j W_j) - s W_j + r A_j
                          + d/dz(D_W dW_j/dz) - d(q / theta W_j)/dz
    adsorbed:   dA_j/dt = s W_j - r A_j,        s / r = K rho / theta
    D(z) = D exp(-d z),   q = h (P - w PET),   w: `water.wetness`,   theta: `transport.water_content`

All that litter and soil carbon lose becomes dissolved, labile or refractory; of what microbes take of that,
the share e (efficiency) becomes soil carbon and the rest is respired. Adsorbed carbon neither moves nor
decomposes; it follows free carbon at the rate r, fast enough that the distribution coefficient K (m3 of water
per kg of soil) holds. Water carries free carbon down at the flux q (m/yr), and out of the last layer
(leaching). The factor x, rates of solid carbon and the litter's split are those of `orchidee`.

The land model computes how much water flows at which depth. Here q is what rain leaves after evaporation,
at all depths. Which share of a pool's loss is labile was not read: what CENTURY gives to the active pool is
labile here and becomes active, what it gives to slow and passive carbon is refractory and becomes slow or
passive. The published model lets more labile carbon speed up the decay of less labile carbon (priming);
that is not linear and is left out. D falls with depth in the second test of Tifafi et al. 2018, GMD
11:4711; d is 0 by default.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.century import litter_quality
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs, transfers
from subsoil.models.orchidee import ACTIVE, METABOLIC, PASSIVE, SLOW, STRUCTURAL, environment, potential_rates
from subsoil.models.transport import exchange, water_content
from subsoil.water import wetness

LABILE, REFRACTORY, ADSORBED_LABILE, ADSORBED_REFRACTORY = range(5, 9)
SORPTION = ((LABILE, ADSORBED_LABILE), (REFRACTORY, ADSORBED_REFRACTORY))

DESORPTION = 365.25
"""1/yr, r: free and adsorbed carbon balance within a day. The published model balances them in each step."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of two litter pools, three of solid, two of dissolved and two of adsorbed carbon.

    Looks at temperature, saturation, clay, bulk_density, precipitation, potential_evaporation, litter, roots,
    their shares, lignin and lignin_to_nitrogen.

    >>> from subsoil.models.catalogue import MODELS
    >>> len(MODELS["orchidee_som"].grid), float(MODELS["orchidee_som"].grid.bottom[-1])
    (11, 2.0)
    """
    v = values
    water = water_content(forcing.saturation, forcing.bulk_density)
    metabolic, lignin = litter_quality(v, forcing.lignin, forcing.lignin_to_nitrogen)
    dissolved = jnp.stack([v["k_labile"], v["k_refractory"], 0.0, 0.0]) * jnp.ones((len(grid), 1))
    base = jnp.concatenate([potential_rates(v, forcing.clay, lignin), dissolved], axis=1)
    flow, respiration = decompose(environment(v, forcing, grid)[:, None] * base, shares(v, lignin))
    for free, adsorbed in SORPTION:
        held = v["distribution_coefficient"] * forcing.bulk_density / water
        flow = flow.at[:, adsorbed, free].set(DESORPTION * held)
        flow = flow.at[:, free, adsorbed].set(DESORPTION)
    evaporation = (
        wetness(forcing.precipitation, forcing.potential_evaporation) * forcing.potential_evaporation
    )
    drainage = v["drainage_factor"] * (forcing.precipitation - evaporation)
    down, up, leaching = movement(v, water, drainage, grid)
    split = jnp.zeros(9).at[: STRUCTURAL + 1].set(jnp.stack([metabolic, 1.0 - metabolic]))
    inputs = spread_inputs(forcing.litter, forcing.litter_share, split)
    inputs += spread_inputs(forcing.roots, forcing.root_share, split)
    return Fluxes(inputs, flow, respiration, down, up, leaching)


def shares(values: Values, lignin: Array | float) -> Float[Array, "9 9"]:
    """Share of what a pool loses that each other pool gets, [to, from]; the rest is respired."""
    v = values
    share = {
        (LABILE, METABOLIC): 1.0,
        (LABILE, STRUCTURAL): 1.0 - lignin,
        (REFRACTORY, STRUCTURAL): lignin,
        (REFRACTORY, ACTIVE): 1.0,
        (LABILE, SLOW): 1.0 - v["slow_to_refractory"],
        (REFRACTORY, SLOW): v["slow_to_refractory"],
        (LABILE, PASSIVE): 1.0,
        (ACTIVE, LABILE): v["efficiency"],
        (SLOW, REFRACTORY): v["efficiency"] * (1.0 - v["refractory_to_passive"]),
        (PASSIVE, REFRACTORY): v["efficiency"] * v["refractory_to_passive"],
    }
    return transfers(9, share)


def movement(
    values: Values, water: Float[Array, " layer"], drainage: Array | float, grid: DepthGrid
) -> tuple[Float[Array, "layer 9"], Float[Array, "layer 9"], Float[Array, "layer 9"]]:
    """Rates down, up and out of the soil, 1/yr: solid carbon is mixed, free dissolved carbon also flows.

    water: theta, m3 m-3. drainage: q, m yr-1.
    """
    v = values
    solid = jnp.zeros(9).at[ACTIVE : PASSIVE + 1].set(1.0)
    free = jnp.zeros(9).at[LABILE : REFRACTORY + 1].set(1.0)
    between = 0.5 * (water[:-1] + water[1:])
    mixed = v["diffusivity"] * jnp.exp(-v["diffusivity_decay"] * grid.boundaries[1:-1])
    diffusivity = mixed[:, None] * solid + v["dissolved_diffusivity"] * free
    down, up = exchange(grid, diffusivity, (drainage / between)[:, None] * free)
    outflow = drainage / water[-1] / grid.thickness[-1] * free
    return down, up, jnp.zeros_like(down).at[-1].set(outflow)
