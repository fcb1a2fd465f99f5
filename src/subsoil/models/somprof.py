"""SOMPROF in the mineral soil: litter, and slow carbon that animals mix and water carries down.

After Braakhekke et al. 2011, Ecol. Model. 222:1712 and 2013, Biogeosciences 10:399. For each pool

    dC_i/dt = R_i + f(T) g(theta) (sum_j a_ij k_j C_j - k_i C_i) + mixing - d(v C_i)/dz
    mixing = d/dz( B l / 2 d(C_i / rho)/dz ),   D = B l / (2 rho)
    f = Q10^((T - 10) / 10),   g(theta) is `responses.gompertz` of the water content

Animals move soil at the rate B over the length l, so that they even out the content of carbon, C / rho. Where
the bulk density rho does not change with depth this is the published d/dz(D dC_i/dz). Above-ground litter
becomes fragmented litter, which like root litter becomes non-leachable and leachable carbon; v acts on the
leachable pool only.

The organic layers (L, F, H) of the published model lie on the mineral soil. Here they are folded into it:
litter lies unmixed where it enters (the first layer, if ``litter_share`` is so), and as fragmented litter it
is mixed in. A thick organic layer is therefore missing, and so is the slow passage through it.

Only D and v were read, for Hainich (`somprof`) and Loobos (`somprof_loobos`). B and l are such that they give
that D. Rates, transfers and both responses were not read, nor was any code: they are starting values for a
calibration.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs, transfers
from subsoil.models.responses import gompertz, q10
from subsoil.models.transport import diffusivity_of_mixing, exchange, water_content

LITTER, FRAGMENTED, ROOTS, NON_LEACHABLE, LEACHABLE = range(5)

REFERENCE_TEMPERATURE = 10.0
"""Degree C at which the rates are as given."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of the five pools. Looks at temperature, saturation, bulk_density, litter, roots, their shares.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["somprof_loobos"].values["velocity"]  # sand: much leaches, little is mixed
    0.0651
    """
    v = values
    base = jnp.stack(
        [v["k_litter"], v["k_fragmented"], v["k_root_litter"], v["k_non_leachable"], v["k_leachable"]]
    )
    shares = {
        (FRAGMENTED, LITTER): v["litter_to_fragmented"],
        (NON_LEACHABLE, FRAGMENTED): v["fragmented_to_non_leachable"],
        (LEACHABLE, FRAGMENTED): v["fragmented_to_leachable"],
        (NON_LEACHABLE, ROOTS): v["root_litter_to_non_leachable"],
        (LEACHABLE, ROOTS): v["root_litter_to_leachable"],
    }
    flow, respiration = decompose(environment(v, forcing)[:, None] * base, transfers(5, shares))
    between = 0.5 * (forcing.bulk_density[:-1] + forcing.bulk_density[1:])
    diffusivity = diffusivity_of_mixing(v["bioturbation"], v["mixing_length"], between)[:, None]
    buried, dissolved = 1.0 - jnp.eye(5)[LITTER], jnp.eye(5)[LEACHABLE]
    velocity = v["velocity"] * dissolved[None, :]
    down, up = exchange(grid, diffusivity * buried, velocity, forcing.bulk_density)
    inputs = spread_inputs(forcing.litter, forcing.litter_share, jnp.eye(5)[LITTER])
    inputs += spread_inputs(forcing.roots, forcing.root_share, jnp.eye(5)[ROOTS])
    return Fluxes(inputs, flow, respiration, down, up, jnp.zeros_like(respiration))


def environment(values: Values, forcing: Forcing) -> Float[Array, " layer"]:
    """The factor of temperature and water on all rates, f g."""
    water = gompertz(water_content(forcing.saturation, forcing.bulk_density))
    return q10(forcing.temperature, values["q10"], REFERENCE_TEMPERATURE) * water
