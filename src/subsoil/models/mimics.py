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
import numpy as np
from jaxtyping import Array, Float

from subsoil.constants import DAYS_PER_YEAR
from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.microbes import density, settle
from subsoil.models.model import Fluxes, Values, spread_inputs, transfers
from subsoil.models.transport import exchange

HOURS_PER_YEAR = 24.0 * DAYS_PER_YEAR
METABOLIC, STRUCTURAL, MICROBES_R, MICROBES_K, PROTECTED, RECALCITRANT, AVAILABLE = POOLS = range(7)
GUILDS, SUBSTRATES = ("r", "k"), ("metabolic", "structural", "available")
EATEN = np.array([METABOLIC, STRUCTURAL, AVAILABLE])
"""Pool of each substrate."""

SLOWEST, FASTEST, PRODUCTION = 0.6, 1.3, 0.1
"""Bounds of the effect of production on turnover, and the production (kg m-2 yr-1) where it is 1."""

LEAST_MICROBES, LEAST_CLAY = 1e-12, 1e-6
"""mg cm-3, and mass fraction: a power and a root below 1 have no slope at 0."""

RESIDENCE = (0.5, 2.0, 0.2, 0.2, 5.0, 3.0, 3.0)
"""Years of input in the pools at the start of a `first_guess`."""


def equations(
    values: Values, forcing: Forcing, grid: DepthGrid, carbon: Float[Array, "layer pool"]
) -> Fluxes:
    """Fluxes (1/yr) at ``carbon``, kg m-2 a layer; the equations stand above.

    Reads temperature, clay, lignin to nitrogen and inputs. The metabolic share counts as at least 0.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["mimics"].pools
    ('LITm', 'LITs', 'MICr', 'MICk', 'SOMp', 'SOMc', 'SOMa')
    """
    amount = density(carbon, grid)
    microbes = amount[:, MICROBES_R : MICROBES_K + 1].T
    vmax, half = _kinetics(values, forcing)
    taken = _attack(values, vmax, half, microbes[:, None], amount[:, EATEN].T)
    gain = _table(values, "cue") * taken
    slower = jnp.array([values[f"oxidation_{guild}"] for guild in GUILDS])[:, None]
    on_structural = SUBSTRATES.index("structural")
    oxidised = _attack(
        values, vmax[:, on_structural], slower * half[:, on_structural], microbes, amount[:, RECALCITRANT]
    )
    death, fate = _death(values, forcing, microbes)
    fed = {
        (to, pool): gain[guild, food]
        for guild, to in enumerate((MICROBES_R, MICROBES_K))
        for food, pool in enumerate(EATEN)
    }
    dead = {
        (pool, of): fate[guild, place] * death[guild]
        for guild, of in enumerate((MICROBES_R, MICROBES_K))
        for place, pool in enumerate((PROTECTED, RECALCITRANT, AVAILABLE))
    }
    freed = {
        (AVAILABLE, PROTECTED): values["desorption"] * jnp.exp(values["desorption_clay"] * forcing.clay),
        (AVAILABLE, RECALCITRANT): oxidised.sum(axis=0),
    }
    respired = jnp.zeros_like(amount).at[:, EATEN].set((taken - gain).sum(axis=0).T)
    down, up = exchange(grid, values["diffusivity"])
    everywhere = jnp.ones_like(amount)
    return Fluxes(
        inputs=_inputs(values, forcing),
        flow=HOURS_PER_YEAR * transfers(len(POOLS), fed | dead | freed),
        respiration=HOURS_PER_YEAR * respired,
        down=down * everywhere,
        up=up * everywhere,
        leaching=0.0 * everywhere,
    )


def first_guess(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """A positive start for the search of a steady state, kg m-2 a layer: `settle` from years of input."""
    return settle(equations, values, forcing, grid, RESIDENCE)


def _attack(values: Values, vmax: Array, half: Array, microbes: Array, substrate: Array) -> Array:
    """V M / (K + m M + c C), 1/hour."""
    crowd = values["microbes_saturate"] * microbes + values["substrate_saturates"] * substrate
    return vmax * microbes / (half + crowd)


def _kinetics(
    values: Values, forcing: Forcing
) -> tuple[Float[Array, "guild substrate layer"], Float[Array, "guild substrate layer"]]:
    """V, 1/hour, and K, mg cm-3."""
    vmax = jnp.exp(_table(values, "vmax_slope") * forcing.temperature + values["vmax_log"])
    slope = jnp.array([values[f"half_slope_{name}"] for name in SUBSTRATES])[:, None]
    half = jnp.exp(slope * forcing.temperature + values["half_log"]) / _table(values, "half")
    root = jnp.sqrt(jnp.maximum(forcing.clay, LEAST_CLAY))
    texture = values["texture"] * jnp.exp(values["texture_clay"] * root)
    by_texture = jnp.stack([texture if name == "available" else jnp.ones_like(root) for name in SUBSTRATES])
    return values["vmax"] * _table(values, "vmax") * vmax, values["half"] * half / by_texture


def _table(values: Values, name: str) -> Float[Array, "guild substrate 1"]:
    return jnp.array([[values[f"{name}_{guild}_{food}"] for food in SUBSTRATES] for guild in GUILDS])[
        ..., None
    ]


def _death(
    values: Values, forcing: Forcing, microbes: Float[Array, "guild layer"]
) -> tuple[Float[Array, "guild layer"], Float[Array, "guild fate layer"]]:
    """Rate of death, 1/hour, and the shares that become protected, recalcitrant and available carbon."""
    metabolic = _metabolic(values, forcing)

    def exponential(name: str, driver: str, amount: Array) -> Array:
        scale = jnp.array([values[f"{name}_{guild}"] for guild in GUILDS])[:, None]
        slope = jnp.array([values[f"{name}_{guild}_{driver}"] for guild in GUILDS])[:, None]
        return scale * jnp.exp(slope * amount)

    production = jnp.clip((forcing.litter + forcing.roots) / PRODUCTION, SLOWEST**2, FASTEST**2)
    lively = jnp.sqrt(production) * values["turnover"]
    crowding = jnp.maximum(microbes, LEAST_MICROBES) ** (values["turnover_exponent"] - 1.0)
    protected = exponential("protected", "clay", forcing.clay)
    recalcitrant = exponential("recalcitrant", "metabolic", metabolic) * jnp.ones_like(protected)
    rate = exponential("death", "metabolic", metabolic) * lively * crowding
    return rate, jnp.stack([protected, recalcitrant, 1.0 - protected - recalcitrant], axis=1)


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
