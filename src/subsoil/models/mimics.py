"""MIMICS: two guilds of microbes (r, K) on two litters and three soil carbons, by Michaelis-Menten kinetics.

Wieder et al. 2014, Biogeosciences 11:3899; 2015, Geosci. Model Dev. 8:1789; MIMICS-CN Kyker-Snowman et al.
2020, Geosci. Model Dev. 13:4413; numbers in ``parameters/mimics.toml``. Metabolic and structural litter, the
microbes, and physically protected, chemically recalcitrant and available soil carbon. Microbes M (density,
mg cm-3) take a substrate C at the rate

    C V M / (K + m M + c C),   V = a_V V_mod exp(V_slope T + V_int),   K = a_K exp(K_slope T + K_int) / K_mod

per hour; K_mod on available carbon is further multiplied by p exp(q sqrt(clay)). With m = 1, c = 0 (reverse
form, as in ``mimics``) microbes saturate; with m = 0, c = 1 (forward, ``mimics_cn``) the substrate does. A
share CUE of what each guild takes becomes microbes, the rest is respired. Recalcitrant carbon is oxidised to
available carbon by both guilds at the rates of their structural litter with K times KO. Protected carbon
desorbs to available carbon: d exp(d_clay clay). Microbes die at

    tau exp(t f_met) P s M^(e - 1),   P = clip(sqrt(production / 100 g m-2 yr-1), 0.6, 1.3)

into protected carbon, f_phys exp(g clay), recalcitrant carbon, f_chem exp(h f_met), and the rest available
carbon. Metabolic share of litter: f_met = s_met (0.85 - 0.013 lignin / N), of which FI goes to protected
carbon; of structural litter FI goes to recalcitrant carbon.

Production is the carbon input of the column, above and below ground, as in the public code. Nitrogen is not
carried: ``mimics_cn`` is the carbon of that model where nitrogen does not limit. Water has no effect.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.constants import DAYS_PER_YEAR
from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.microbes import density, settle
from subsoil.models.model import Fluxes, Values, spread_inputs
from subsoil.models.transport import exchange

HOURS_PER_YEAR = 24.0 * DAYS_PER_YEAR
SUBSTRATES = ("metabolic", "structural", "available")

SLOWEST, FASTEST, PRODUCTION = 0.6, 1.3, 0.1
"""Bounds of the effect of production on turnover, and the production (kg m-2 yr-1) where it is 1."""

LEAST_MICROBES, LEAST_CLAY = 1e-12, 1e-6
"""mg cm-3, and mass fraction: a power and a root below 1 have no slope at 0."""

RESIDENCE = (0.5, 2.0, 0.2, 0.2, 5.0, 3.0, 3.0)
"""Years of input in the pools at the start of a `first_guess`."""

ROUNDS = 40
"""Of `settle`: microbes starved at depth, and their substrate, follow each other slowly."""


def equations(
    values: Values, forcing: Forcing, grid: DepthGrid, carbon: Float[Array, "layer pool"]
) -> Fluxes:
    """Fluxes (1/yr) at ``carbon``, kg m-2 a layer; the equations stand above.

    Reads temperature, clay, lignin to nitrogen and inputs. The metabolic share counts as at least 0.
    """
    amount = density(carbon, grid)
    metabolic, structural, r, k, _, recalcitrant, available = amount.T
    substrate = {"metabolic": metabolic, "structural": structural, "available": available}
    eaten_r, eaten_k = (
        {name: _attack(values, forcing, f"{guild}_{name}", microbes, substrate[name]) for name in SUBSTRATES}
        for guild, microbes in (("r", r), ("k", k))
    )
    oxidised = sum(
        _attack(values, forcing, f"{guild}_structural", microbes, recalcitrant, values[f"oxidation_{guild}"])
        for guild, microbes in (("r", r), ("k", k))
    )
    desorbed = values["desorption"] * jnp.exp(values["desorption_clay"] * forcing.clay)
    death_r, fate_r = _death(values, forcing, "r", r)
    death_k, fate_k = _death(values, forcing, "k", k)

    gain_r = [values[f"cue_r_{name}"] * eaten_r[name] for name in SUBSTRATES]
    gain_k = [values[f"cue_k_{name}"] * eaten_k[name] for name in SUBSTRATES]
    taken = [eaten_r[name] + eaten_k[name] for name in SUBSTRATES]
    lost = [eaten - up_r - up_k for eaten, up_r, up_k in zip(taken, gain_r, gain_k, strict=True)]
    none = jnp.zeros(len(grid))
    flow = jnp.array(
        [  # from metabolic and structural litter, r, K, protected, recalcitrant, available carbon to
            [none] * 7,
            [none] * 7,
            [gain_r[0], gain_r[1], none, none, none, none, gain_r[2]],
            [gain_k[0], gain_k[1], none, none, none, none, gain_k[2]],
            [none, none, death_r * fate_r[0], death_k * fate_k[0], none, none, none],
            [none, none, death_r * fate_r[1], death_k * fate_k[1], none, none, none],
            [none, none, death_r * fate_r[2], death_k * fate_k[2], desorbed, oxidised, none],
        ]
    )
    respired = jnp.stack([lost[0], lost[1], none, none, none, none, lost[2]], axis=1)
    down, up = exchange(grid, values["diffusivity"])
    everywhere = jnp.ones_like(amount)
    return Fluxes(
        inputs=_inputs(values, forcing),
        flow=HOURS_PER_YEAR * jnp.moveaxis(flow, -1, 0),
        respiration=HOURS_PER_YEAR * respired,
        down=down * everywhere,
        up=up * everywhere,
        leaching=0.0 * everywhere,
    )


def first_guess(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """A positive start for the search of a steady state, kg m-2 a layer: `settle` from years of input."""
    return settle(equations, values, forcing, grid, RESIDENCE, ROUNDS)


def _attack(
    values: Values,
    forcing: Forcing,
    step: str,
    microbes: Float[Array, " layer"],
    substrate: Float[Array, " layer"],
    hindrance: float = 1.0,
) -> Float[Array, " layer"]:
    """V M / (hindrance K + m M + c C), 1/hour."""
    t, name = forcing.temperature, step.split("_")[1]
    vmax = values["vmax"] * jnp.exp(values[f"vmax_slope_{step}"] * t + values["vmax_log"])
    half = values["half"] * jnp.exp(values[f"half_slope_{name}"] * t + values["half_log"])
    half = hindrance * half / values[f"half_{step}"]
    if name == "available":
        half = half / _texture(values, forcing)
    crowd = values["microbes_saturate"] * microbes + values["substrate_saturates"] * substrate
    return vmax * values[f"vmax_{step}"] * microbes / (half + crowd)


def _texture(values: Values, forcing: Forcing) -> Float[Array, " layer"]:
    root = jnp.sqrt(jnp.maximum(forcing.clay, LEAST_CLAY))
    return values["texture"] * jnp.exp(values["texture_clay"] * root)


def _death(
    values: Values, forcing: Forcing, guild: str, microbes: Float[Array, " layer"]
) -> tuple[Float[Array, " layer"], list[Float[Array, " layer"]]]:
    """Rate of death, 1/hour, and the shares that become protected, recalcitrant and available carbon."""
    metabolic = _metabolic(values, forcing)

    def exponential(name: str, driver: str, amount: Array) -> Array:
        return values[f"{name}_{guild}"] * jnp.exp(values[f"{name}_{guild}_{driver}"] * amount)

    production = jnp.clip((forcing.litter + forcing.roots) / PRODUCTION, SLOWEST**2, FASTEST**2)
    lively = jnp.sqrt(production) * values["turnover"]
    crowding = jnp.maximum(microbes, LEAST_MICROBES) ** (values["turnover_exponent"] - 1.0)
    protected = exponential("protected", "clay", forcing.clay)
    recalcitrant = exponential("recalcitrant", "metabolic", metabolic) * jnp.ones_like(protected)
    rate = exponential("death", "metabolic", metabolic) * lively * crowding
    return rate, [protected, recalcitrant, 1.0 - protected - recalcitrant]


def _metabolic(values: Values, forcing: Forcing) -> Float[Array, ""]:
    """f_met, share of litter that is metabolic."""
    chemistry = values["metabolic_share"] - values["metabolic_lignin"] * forcing.lignin_to_nitrogen
    return values["metabolic_scale"] * jnp.maximum(chemistry, 0.0)


def _inputs(values: Values, forcing: Forcing) -> Float[Array, "layer pool"]:
    metabolic = _metabolic(values, forcing)
    to_protected, to_recalcitrant = values["input_protected"], values["input_recalcitrant"]
    split = jnp.array(
        [
            metabolic * (1.0 - to_protected),
            (1.0 - metabolic) * (1.0 - to_recalcitrant),
            0.0,
            0.0,
            metabolic * to_protected,
            (1.0 - metabolic) * to_recalcitrant,
            0.0,
        ]
    )
    above = spread_inputs(forcing.litter, forcing.litter_share, split)
    return above + spread_inputs(forcing.roots, forcing.root_share, split)
