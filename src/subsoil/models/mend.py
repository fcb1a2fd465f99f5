"""MEND: enzymes made by microbes decompose particulate and mineral-associated carbon.

Wang, Post & Mayes 2013, Ecol. Appl. 23:255; numbers of its table 2 (as in the public package MEMC) in
``parameters/mend.toml``. Particulate carbon P, mineral-associated carbon M and its layer in exchange Q,
microbes B, dissolved carbon D and two enzymes E_p, E_m, in mg g-1 of soil and hours:

    dP/dt  = (1 - i_D) I + (1 - g_D) F8 - F2        F1 = (V_D + m_R) B D / (K_D + D) / E_c
    dM/dt  = (1 - f_D) F2 - F3                      F2 = V_P E_p P / (K_P + P),  F3 = V_M E_m M / (K_M + M)
    dQ/dt  = F6 - F7                                F6 = K_ba K_des D (1 - Q / Q_max),  F7 = K_des Q / Q_max
    dB/dt  = E_c F1 - F8 - F9p - F9m                F8 = (1 - p_p - p_m) m_R B
    dD/dt  = i_D I + f_D F2 + g_D F8 + F3 + F10 - F1 - F6 + F7
    dEp/dt = p_p m_R B - r_p E_p,   dEm/dt = p_m m_R B - r_m E_m,   F10 = r_p E_p + r_m E_m

(1 - E_c) F1 is respired, with the isotope ratio of D. One layer has a steady state in closed form, with D =
K_D m_R / V_D, B = I E_c / ((1 - E_c) m_R) and P / (K_P + P) that input cancels from: more input feeds more
microbes, and hardly more carbon is kept.

All rates are multiplied by Q10^((T - T_ref) / 10), and E_c falls with temperature: the one Q10 and the slope
are those of the model's later version; the paper has an activation energy for each rate. Later versions have
dormant microbes, nitrogen and water; they are not here.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.constants import DAYS_PER_YEAR
from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.microbes import density, settle, sorption_sites
from subsoil.models.model import Fluxes, Values, spread_inputs, transfers
from subsoil.models.responses import q10
from subsoil.models.transport import exchange

PARTICULATE, MINERAL, EXCHANGING, DISSOLVED, MICROBES, ENZYME_P, ENZYME_M = POOLS = range(7)
HOURS_PER_YEAR = 24.0 * DAYS_PER_YEAR
GRAMS_PER_KG = 1e3

LEAST_EFFICIENCY = 0.01
"""Carbon use efficiency counts as at least this: uptake divides by it."""

RESIDENCE = (1.6, 10.0, 0.6, 0.1, 0.36, 1e-3, 1e-3)
"""Years of input in the pools at the start of a `first_guess`."""


def equations(
    values: Values, forcing: Forcing, grid: DepthGrid, carbon: Float[Array, "layer pool"]
) -> Fluxes:
    """Fluxes (1/yr) at ``carbon``, kg m-2 a layer; the equations stand above.

    Reads temperature, bulk density and inputs. An efficiency outside 0.01-1 counts as its bound.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["mend"].pools
    ('POC', 'MOC', 'QOC', 'DOC', 'MBC', 'EP', 'EM')
    """
    content = density(carbon, grid) * GRAMS_PER_KG / forcing.bulk_density[:, None]
    particulate, mineral, exchanging, dissolved, microbes, enzyme_p, enzyme_m = content.T
    pace = HOURS_PER_YEAR * q10(forcing.temperature, values["q10"], values["reference_temperature"])
    warmer = forcing.temperature - values["reference_temperature"]
    efficiency = jnp.clip(values["cue"] - values["cue_slope"] * warmer, LEAST_EFFICIENCY, 1.0)

    uptake = (
        (values["growth"] + values["maintenance"]) / efficiency * microbes / (values["half_doc"] + dissolved)
    )
    decay_p = values["vmax_poc"] * enzyme_p / (values["half_poc"] + particulate)
    decay_m = values["vmax_moc"] * enzyme_m / (values["half_moc"] + mineral)
    free, over = sorption_sites(exchanging, values["capacity"])
    adsorption = values["binding"] * values["desorption"]
    desorbed = values["desorption"] / values["capacity"] + adsorption * dissolved * over
    to_enzymes = values["enzyme_poc"] + values["enzyme_moc"]
    death = (1.0 - to_enzymes) * values["maintenance"]

    flow = transfers(
        len(POOLS),
        {
            (MINERAL, PARTICULATE): (1.0 - values["decay_doc"]) * decay_p,
            (DISSOLVED, PARTICULATE): values["decay_doc"] * decay_p,
            (DISSOLVED, MINERAL): decay_m,
            (DISSOLVED, EXCHANGING): desorbed,
            (EXCHANGING, DISSOLVED): adsorption * free,
            (MICROBES, DISSOLVED): efficiency * uptake,
            (PARTICULATE, MICROBES): (1.0 - values["death_doc"]) * death,
            (DISSOLVED, MICROBES): values["death_doc"] * death,
            (ENZYME_P, MICROBES): values["enzyme_poc"] * values["maintenance"],
            (ENZYME_M, MICROBES): values["enzyme_moc"] * values["maintenance"],
            (DISSOLVED, ENZYME_P): values["enzyme_turnover_poc"],
            (DISSOLVED, ENZYME_M): values["enzyme_turnover_moc"],
        },
    )
    respired = jnp.zeros_like(content).at[:, DISSOLVED].set((1.0 - efficiency) * uptake)
    down, up = _transport(values, grid)
    return Fluxes(
        inputs=_inputs(values, forcing),
        flow=pace[:, None, None] * flow,
        respiration=pace[:, None] * respired,
        down=down,
        up=up,
        leaching=jnp.zeros_like(content),
    )


def first_guess(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """A positive start for the search of a steady state, kg m-2 a layer: `settle` from years of input."""
    return settle(equations, values, forcing, grid, RESIDENCE)


def _inputs(values: Values, forcing: Forcing) -> Float[Array, "layer pool"]:
    dissolved = values["input_doc"]
    split = jnp.array([1.0 - dissolved, 0.0, 0.0, dissolved, 0.0, 0.0, 0.0])
    above = spread_inputs(forcing.litter, forcing.litter_share, split)
    return above + spread_inputs(forcing.roots, forcing.root_share, split)


def _transport(
    values: Values, grid: DepthGrid
) -> tuple[Float[Array, "layer pool"], Float[Array, "layer pool"]]:
    dissolved = jnp.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    diffusivity = (1.0 - dissolved) * values["diffusivity"] + dissolved * values["diffusivity_dissolved"]
    return exchange(grid, diffusivity[None, :], (dissolved * values["velocity_dissolved"])[None, :])
