"""ORCHIDEE, litter and three soil pools by depth, mixed by animals and frost as in ORCHIDEE-MICT.

    dC_i/dt = R_i + x (sum_j a_ij k_j C_j - k_i C_i) + d/dz(D dC_i/dz),   x = f_T f_W exp(-d z)
    f_T = min(1, Q10^((T - 30) / 10))
    f_W = a s + b - c s^2 for saturation s, between 0.25 and 1
    k of structural litter times exp(-3 L), of active carbon times 1 - 0.75 clay
    active: respired 0.85 - 0.68 (silt + clay), to passive 0.004, the rest to slow

Litter is split and its lignin L reckoned as in `century`. Soil carbon mixes, litter does not. D is 1e-4 m2/yr
down to 2 m, by animals, where the soil thaws below 3 m or never freezes; where it thaws to a depth A of at
most 3 m, 1e-3 by frost down to A, from there in a straight line to 0 at 3 A, and none below 3 m; 0 where it
never thaws.

Sources: code of ORCHIDEE-PEAT (turnovers, transfers of soil carbon, f_T, D); litter as in the code of SoilR
after Parton et al. 1988. f_W was not read. The published grid has 32 layers; here a coarser one ends at 3 m.
Litter above and below the ground has one set of transfers, that below.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.depth import SAME_DEPTH, DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.century import litter_quality
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs, transfers
from subsoil.models.responses import q10
from subsoil.models.transport import cryoturbation, exchange

METABOLIC, STRUCTURAL, ACTIVE, SLOW, PASSIVE = range(5)

OPTIMUM = 30.0
"""Degree C from which on decomposition is no faster."""

LEAST_WATER = 0.25
"""Factor of the driest soil on all rates."""

BIOTURBATED = 2.0
"""m: animals mix down to here."""

DEEPEST_THAW = 3.0
"""m: a soil that thaws deeper is not mixed by frost, and frost mixes none below."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of two litter and three soil pools.

    Looks at temperature, saturation, clay, sand, thaw_depth, litter, roots, their shares, lignin and
    lignin_to_nitrogen.

    >>> from subsoil.models.catalogue import MODELS
    >>> round(1 / MODELS["orchidee"].values["k_passive"])  # yr
    241
    """
    v = values
    metabolic, lignin = litter_quality(v, forcing.lignin, forcing.lignin_to_nitrogen)
    rate = environment(v, forcing, grid)[:, None] * potential_rates(v, forcing.clay, lignin)
    flow, respiration = decompose(rate, shares(v, forcing.sand, lignin))
    mixes = jnp.array([[0.0, 0.0, 1.0, 1.0, 1.0]])
    down, up = exchange(grid, mixing(v, forcing.thaw_depth, grid) * mixes)
    split = jnp.zeros(5).at[: STRUCTURAL + 1].set(jnp.stack([metabolic, 1.0 - metabolic]))
    inputs = spread_inputs(forcing.litter, forcing.litter_share, split)
    inputs += spread_inputs(forcing.roots, forcing.root_share, split)
    return Fluxes(inputs, flow, respiration, down, up, jnp.zeros_like(rate))


def environment(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, " layer"]:
    """The factor x of each layer on all rates."""
    v, wet = values, forcing.saturation
    warmth = jnp.minimum(1.0, q10(forcing.temperature, v["q10"], OPTIMUM))
    water = v["water_offset"] + v["water_slope"] * wet - v["water_curvature"] * wet**2
    return warmth * jnp.clip(water, LEAST_WATER, 1.0) * jnp.exp(-v["rate_decay"] * grid.node)


def potential_rates(
    values: Values, clay: Float[Array, " layer"], lignin: Array | float
) -> Float[Array, "layer 5"]:
    """Rates, 1/yr, before climate: lignin L slows structural litter, clay slows active carbon."""
    v = values
    rates = [
        v["k_metabolic"],
        v["k_structural"] * jnp.exp(-v["lignin_slowing"] * lignin),
        v["k_active"] * (1.0 - v["active_slowing_clay"] * clay),
        v["k_slow"],
        v["k_passive"],
    ]
    return jnp.stack([jnp.broadcast_to(rate, jnp.shape(clay)) for rate in rates], axis=-1)


def shares(values: Values, sand: Float[Array, " layer"], lignin: Array | float) -> Float[Array, "layer 5 5"]:
    """Share of what a pool loses that each other pool gets, [to, from]; the rest is respired."""
    v = values
    respired = v["active_respired"] - v["active_respired_fines"] * (1.0 - sand)
    share = {
        (ACTIVE, METABOLIC): v["metabolic_to_active"],
        (ACTIVE, STRUCTURAL): v["structural_to_active"] * (1.0 - lignin),
        (SLOW, STRUCTURAL): v["lignin_to_slow"] * lignin,
        (SLOW, ACTIVE): 1.0 - respired - v["active_to_passive"],
        (PASSIVE, ACTIVE): v["active_to_passive"],
        (ACTIVE, SLOW): v["slow_to_active"],
        (PASSIVE, SLOW): v["slow_to_passive"],
        (ACTIVE, PASSIVE): v["passive_to_active"],
    }
    return transfers(5, share)


def mixing(values: Values, thaw_depth: Array | float, grid: DepthGrid) -> Float[Array, "boundary 1"]:
    """Diffusivity on the inner boundaries, m2/yr, by animals or frost. thaw_depth A: m.

    >>> values = {"bioturbation": 1e-4, "cryoturbation": 1e-3, "frost_reach": 3.0}
    >>> grid = DepthGrid.from_cm([0, 50, 100, 200, 300, 400])
    >>> mixing(values, 0.6, grid).ravel().round(6).tolist()
    [0.001, 0.000667, 0.0, 0.0]
    """
    depth = jnp.asarray(grid.boundaries[1:-1])[:, None]
    thaw = jnp.minimum(jnp.asarray(thaw_depth), DEEPEST_THAW)
    reach = values["frost_reach"] * thaw
    frost = cryoturbation(grid, thaw, 0.0, values["cryoturbation"], reach, DEEPEST_THAW)
    # A boundary at the end itself is closed: below it there is nothing to exchange with.
    animals = values["bioturbation"] * (depth < BIOTURBATED - SAME_DEPTH)
    frost = frost * (depth < DEEPEST_THAW - SAME_DEPTH)
    return jnp.where(jnp.asarray(thaw_depth) > DEEPEST_THAW, animals, frost)
