"""Millennial version 2: pools that can be measured, kept by microbes, aggregates and mineral surfaces.

Abramoff et al. 2022, Soil Biol. Biochem. 164:108466; equations as in the public code rabramoff/Millennial
(Michaelis-Menten form), numbers in ``parameters/millennial.toml``. Particulate carbon P, dissolved (low
molecular weight) carbon L, aggregates A, microbes B and mineral-associated carbon M, in g m-2 and days:

    dP/dt = p_i I + p_a k_b w A - V_p w P B / (K_p + B) - r_pa w P
    dL/dt = (1 - p_i) I + V_p w P B / (K_p + B) + K_ld M / Q + (1 - p_b) r_bd B^2
            - r_l w L - K_lm w L (1 - M / Q) - U
    dA/dt = r_pa w P + r_ma w M - k_b w A
    dB/dt = U - (1 - CUE) U - r_bd B^2,                      U = V_l s B L / (K_l + L)
    dM/dt = K_lm w L (1 - M / Q) - K_ld M / Q + p_b r_bd B^2 - r_ma w M + (1 - p_a) k_b w A

    w = sqrt(S),   s = exp(-lambda psi) (k_a + (1 - k_a) sqrt(1 - S)) w,   V = alpha exp(-E / (R T))
    Q = rho (clay% + silt%) p_c,   K_lm = exp(-p1 pH - p2) K_ld,   CUE = c - c_t (T - T_ref)

with S the saturation. Two things follow from writing each flux as a rate times its donor. Uptake passes whole
into the microbes, which respire their share: CO2 carries the isotope ratio of the microbes, as published. And
where minerals hold more than Q, the published sorption turns negative: that net flux then leaves M, at the
rate K_lm w L (1 / Q - 1 / M).

The published constants refer to g m-2 of one box. Here they are densities: g m-2 within ``reference_depth``,
so that nothing depends on how thick a layer is. Leaching leaves the soil from each layer, as from the box.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.constants import DAYS_PER_YEAR
from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.microbes import density, settle, sorption_sites
from subsoil.models.model import Fluxes, Values, spread_inputs, transfers
from subsoil.models.responses import arrhenius
from subsoil.models.transport import exchange

PARTICULATE, DISSOLVED, AGGREGATES, MICROBES, MINERAL = POOLS = range(5)
GRAMS_PER_KG = 1e3

LEAST_WATER, LEAST_FINES = 1e-6, 0.01
"""Least water or air over pore volume, and least clay plus silt: a root and a quotient need them."""

RESIDENCE = (1.5, 0.01, 4.0, 0.03, 10.0)
"""Years of input in P, L, A, B and M at the start of a `first_guess`."""


def equations(
    values: Values, forcing: Forcing, grid: DepthGrid, carbon: Float[Array, "layer pool"]
) -> Fluxes:
    """Fluxes (1/yr) at ``carbon``, kg m-2 a layer; the equations stand above.

    Reads temperature, saturation, clay, sand, bulk density, pH and inputs. A CUE outside 0-1 counts as its
    bound, less than 1 % of clay and silt as 1 %.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["millennial"].pools
    ('POM', 'LMWC', 'AGG', 'MIC', 'MAOM')
    """
    amount = density(carbon, grid) * GRAMS_PER_KG * values["reference_depth"]
    dissolved, microbes, mineral = (amount[:, pool] for pool in (DISSOLVED, MICROBES, MINERAL))
    wet, breathing = _water(values, forcing)
    capacity = _capacity(values, forcing)

    depolymerised = _vmax(values, forcing, "pom") * wet * microbes / (values["half_pom"] + microbes)
    uptake = _vmax(values, forcing, "uptake") * breathing / (values["half_uptake"] + dissolved)
    warmer = forcing.temperature - values["cue_temperature"]
    efficiency = jnp.clip(values["cue"] - values["cue_slope"] * warmer, 0.0, 1.0)

    binding = jnp.exp(-values["binding_ph"] * forcing.ph - values["binding"]) * values["desorption"] * wet
    free, over = sorption_sites(mineral, capacity)
    sorbed = binding * free
    desorbed = values["desorption"] / capacity + binding * dissolved * over

    death = values["death"] * microbes
    breakup = values["breakup"] * wet
    into_mineral, of_pom = values["death_maom"], values["breakup_pom"]
    flow = transfers(
        len(POOLS),
        {
            (DISSOLVED, PARTICULATE): depolymerised,
            (AGGREGATES, PARTICULATE): values["aggregation_pom"] * wet,
            (MICROBES, DISSOLVED): uptake * microbes,
            (MINERAL, DISSOLVED): sorbed,
            (PARTICULATE, AGGREGATES): of_pom * breakup,
            (MINERAL, AGGREGATES): (1.0 - of_pom) * breakup,
            (DISSOLVED, MICROBES): (1.0 - into_mineral) * death,
            (MINERAL, MICROBES): into_mineral * death,
            (DISSOLVED, MINERAL): desorbed,
            (AGGREGATES, MINERAL): values["aggregation_maom"] * wet,
        },
    )
    respired = (1.0 - efficiency) * uptake * dissolved
    down, up = _transport(values, grid)
    return Fluxes(
        inputs=_inputs(values, forcing),
        flow=DAYS_PER_YEAR * flow,
        respiration=DAYS_PER_YEAR * jnp.zeros_like(amount).at[:, MICROBES].set(respired),
        down=down,
        up=up,
        leaching=DAYS_PER_YEAR * jnp.zeros_like(amount).at[:, DISSOLVED].set(values["leaching"] * wet),
    )


def first_guess(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """A positive start for the search of a steady state, kg m-2 a layer: `settle` from years of input."""
    return settle(equations, values, forcing, grid, RESIDENCE)


def _inputs(values: Values, forcing: Forcing) -> Float[Array, "layer pool"]:
    split = jnp.array([values["input_pom"], 1.0 - values["input_pom"], 0.0, 0.0, 0.0])
    above = spread_inputs(forcing.litter, forcing.litter_share, split)
    return above + spread_inputs(forcing.roots, forcing.root_share, split)


def _vmax(values: Values, forcing: Forcing, step: str) -> Float[Array, " layer"]:
    """alpha exp(-E / (R T)), 1/day."""
    return values[f"alpha_{step}"] * arrhenius(forcing.temperature, values[f"energy_{step}"], jnp.inf)


def _water(values: Values, forcing: Forcing) -> tuple[Float[Array, " layer"], Float[Array, " layer"]]:
    """Scalars w (water for diffusion) and s (water and oxygen for microbes)."""
    wet = jnp.sqrt(jnp.maximum(forcing.saturation, LEAST_WATER))
    air = jnp.sqrt(jnp.maximum(1.0 - forcing.saturation, LEAST_WATER))
    driest = jnp.exp(-values["matric_slope"] * values["matric_potential"])
    return wet, driest * (values["anoxic"] + (1.0 - values["anoxic"]) * air) * wet


def _capacity(values: Values, forcing: Forcing) -> Float[Array, " layer"]:
    """Q, g m-2 within the reference depth: mineral carbon at full occupation."""
    percent = 100.0 * jnp.maximum(1.0 - forcing.sand, LEAST_FINES)
    return forcing.bulk_density * percent * values["capacity"] * values["reference_depth"]


def _transport(
    values: Values, grid: DepthGrid
) -> tuple[Float[Array, "layer pool"], Float[Array, "layer pool"]]:
    dissolved = jnp.array([0.0, 1.0, 0.0, 0.0, 0.0])
    diffusivity = (1.0 - dissolved) * values["diffusivity"] + dissolved * values["diffusivity_dissolved"]
    return exchange(grid, diffusivity[None, :], (dissolved * values["velocity_dissolved"])[None, :])
