"""C-Tool: fresh, humified and resistant carbon in two layers, topsoil and subsoil.

All carbon enters as fresh matter (FOM). With F(T) the factor of temperature, rate_i = k_i F(T), and t the
share that passes to the same pool of the layer below, what decomposes goes

    FOM: t down; of the rest h to HUM, 1 - h to CO2,   h = 1 / (1 + scale (low + high exp(-decay clay)))
    HUM: CO2 share to CO2, ROM share to ROM, the rest down
    ROM: CO2 share to CO2, t down, the rest stays
    F(T) = 7.24 exp(-3.432 + slope T (1 - 0.5 T / optimum)),   1 at 10 degree C

What goes down is published for a topsoil of 25 cm, so that it is a velocity, share times rate_i times 0.25 m,
and the column converges as layers are refined. Nothing passes the lower end: there FOM decomposes in full,
and the part of HUM and ROM that would go down stays. Manure, part of which would enter as HUM, is left out.

Sources: Petersen et al. 2002, Ecol. Model. 151:1; Taghizadeh-Toosi et al. 2014, Ecol. Model. 292:11; values
of sorcering; what goes where, and F(T), as in rCTOOL 3.1.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs

TOPSOIL = 0.25
"""m: the layer for which the shares that go down are given."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of FOM, HUM and ROM; of the climate only temperature counts."""
    k = jnp.stack([values[name] for name in ("k_fom", "k_hum", "k_rom")])
    warmth = temperature_factor(
        forcing.temperature, values["temperature_slope"], values["temperature_optimum"]
    )
    rate = warmth[:, None] * k
    passage, co2, to_rom = values["passage"], values["co2_share"], values["rom_share"]
    above_another = (np.arange(len(grid)) < len(grid) - 1)[:, None]
    passed = above_another * jnp.stack([passage, 1.0 - co2 - to_rom, passage])
    kept = jnp.stack([1.0 - passed[:, 0], jnp.ones(len(grid)), jnp.ones(len(grid))], axis=-1)
    flow, respiration = decompose(kept * rate, transfer(values, forcing.clay))
    down = passed * rate * TOPSOIL / grid.thickness[:, None]
    fresh = jnp.array([1.0, 0.0, 0.0])
    above = spread_inputs(forcing.litter, forcing.litter_share, fresh)
    below = spread_inputs(forcing.roots, forcing.root_share, fresh)
    nothing = jnp.zeros_like(rate)
    return Fluxes(above + below, flow, respiration, down, nothing, nothing)


def temperature_factor(
    temperature: ArrayLike, slope: ArrayLike = 0.168, optimum: ArrayLike = 36.9
) -> Float[Array, "..."]:
    """Factor of temperature: F = 7.24 exp(-3.432 + slope T (1 - 0.5 T / optimum)), highest at the optimum.

    temperature T, optimum: degree C. slope: 1/degree C. The curve of Kirschbaum (1995) with other values.

    >>> [round(float(temperature_factor(t)), 3) for t in (0.0, 10.0, 20.0)]
    [0.234, 1.0, 2.71]
    """
    t = jnp.asarray(temperature)
    return 7.24 * jnp.exp(-3.432 + jnp.asarray(slope) * t * (1.0 - 0.5 * t / jnp.asarray(optimum)))


def transfer(values: Values, clay: Float[Array, " layer"]) -> Float[Array, "layer pool pool"]:
    """Share [to, from] of what decomposes, and does not pass as FOM, that stays in the layer.

    >>> from subsoil.models.catalogue import model
    >>> share = transfer(model("ctool").values, jnp.array([0.1]))[0]
    >>> round(float(share[1, 0]), 4), float(share[2, 1])
    (0.1884, 0.012)
    """
    spread = values["split_low"] + values["split_high"] * jnp.exp(-values["split_decay"] * clay)
    humified = 1.0 / (1.0 + values["split_scale"] * spread)
    zero, one = jnp.zeros_like(humified), jnp.ones_like(humified)
    co2, to_rom = values["co2_share"], values["rom_share"]
    rows = (
        (zero, zero, zero),
        (humified, (1.0 - co2 - to_rom) * one, zero),
        (zero, to_rom * one, (1.0 - co2) * one),
    )
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
