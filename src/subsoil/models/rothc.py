"""RothC in any number of layers: the topsoil model, the profile model RothPC-1, and RothC inside JULES.

Plant carbon enters as decomposable (DPM) and resistant (RPM) material; all four pools decompose and give
CO2, microbial biomass (BIO) and humus (HUM). In a layer at depth z with clay fraction c,

    rate_i = k_i a(T) b(deficit) cover f(z),   x = scale (low + high exp(-decay c))
    CO2 : BIO : HUM = x : B : 1 - B  of x + 1,   DPM : RPM of the inputs = r : 1
    f(z) = exp(-u z) (1 + exp(-s z0)) / (1 + exp(s (z - z0)))

The share p of what would decompose passes to the same pool of the layer below instead. It is given for
layers of 23 cm, so that it is a velocity, p rate_i 0.23 m, and the column converges as layers are refined.
Nothing passes the lower end, where all of it decomposes: one layer is RothC, whatever p is.

Inert carbon (IOM) is no pool here. It has no input, no loss, no age and no steady state; add
`inert_carbon` to the stock, and to the tracers as carbon of its own age (RothC: 50 000 yr).

This is the model in continuous time. The official code takes monthly steps, 1 - exp(-rate / 12), and adds
the month's plant carbon at its end; the rates are the same.

Sources: Coleman & Jenkinson 1996, RothC-26.3; Jenkinson & Coleman 2008, Eur. J. Soil Sci. 59:400 (RothPC-1,
which was not read: f(z) is a suggested form, made 1 at z = 0 so that s = 0 turns it off); Burke et al. 2017,
Geosci. Model Dev. 10:959 (layers in JULES).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.constants import CM_PER_M
from subsoil.depth import DepthGrid, overlap
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs
from subsoil.models.responses import rothc_moisture, rothc_temperature
from subsoil.models.transport import exchange
from subsoil.water import ROTHC_DEPTH

LAYER = ROTHC_DEPTH / CM_PER_M
"""m: the topsoil that RothC was made for, and each layer of RothPC-1."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of DPM, RPM, BIO and HUM. The moisture deficit is that of the topsoil and acts at all depths."""
    k = jnp.stack([values[name] for name in ("k_dpm", "k_rpm", "k_bio", "k_hum")])
    passed = values["passage"] * (np.arange(len(grid)) < len(grid) - 1)[:, None]
    rate = (climate(values, forcing, grid) * slowing(values, grid))[:, None] * k
    flow, respiration = decompose((1.0 - passed) * rate, humification(values, forcing.clay))
    mixing = exchange(grid, values["diffusivity"])
    down = mixing.down + passed * rate * LAYER / grid.thickness[:, None]
    decomposable = values["dpm_to_rpm"] / (1.0 + values["dpm_to_rpm"])
    split = jnp.stack([decomposable, 1.0 - decomposable, 0.0 * decomposable, 0.0 * decomposable])
    above = spread_inputs(forcing.litter, forcing.litter_share, split)
    below = spread_inputs(forcing.roots, forcing.root_share, split)
    up = mixing.up * jnp.ones(4)
    return Fluxes(above + below, flow, respiration, down, up, jnp.zeros_like(rate))


def climate(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, " layer"]:
    """Factor of temperature, moisture and cover: a b (1 - (1 - cover_factor) cover).

    The deficit is over the topsoil, so that its greatest value follows from the mean clay of that layer.
    """
    topsoil = overlap(grid, DepthGrid.from_cm([0.0, ROTHC_DEPTH]))[0]
    clay = (topsoil / topsoil.sum()) @ forcing.clay
    moisture = rothc_moisture(forcing.moisture_deficit, clay)
    cover = 1.0 - (1.0 - values["cover_factor"]) * forcing.cover
    return rothc_temperature(forcing.temperature) * moisture * cover


def slowing(values: Values, grid: DepthGrid) -> Float[Array, " layer"]:
    """Factor f(z) of depth, 1 at the surface: exponential with ``slowing_rate``, and the S-shaped curve of
    ``slowing_steepness`` about ``slowing_depth``; each is 1 at a rate or steepness of 0."""
    depth, steepness, middle = grid.node, values["slowing_steepness"], values["slowing_depth"]
    curve = jax.nn.sigmoid(steepness * (middle - depth)) / jax.nn.sigmoid(steepness * middle)
    return curve * jnp.exp(-values["slowing_rate"] * depth)


def humification(values: Values, clay: Float[Array, " layer"]) -> Float[Array, "layer pool pool"]:
    """Share [to, from] of what decomposes that becomes BIO and HUM; the same from every pool.

        x = scale (low + high exp(-decay clay)),   to BIO = B / (x + 1),   to HUM = (1 - B) / (x + 1)

    >>> from subsoil.models.catalogue import model
    >>> share = humification(model("rothc").values, jnp.array([0.23]))
    >>> [round(float(s), 4) for s in share[0, :, 0]]  # the rest, 0.7791, is CO2
    [0.0, 0.0, 0.1016, 0.1193]
    """
    spread = values["split_low"] + values["split_high"] * jnp.exp(-values["split_decay"] * clay)
    kept = 1.0 / (values["split_scale"] * spread + 1.0)
    biomass = values["biomass_share"]
    to = jnp.stack([0.0 * kept, 0.0 * kept, biomass * kept, (1.0 - biomass) * kept], axis=-1)
    return to[:, :, None] * jnp.ones(4)


def inert_carbon(toc: ArrayLike, factor: ArrayLike = 0.049, power: ArrayLike = 1.139) -> Float[Array, "..."]:
    """Inert carbon (IOM), kg C m-2, of a topsoil with total carbon ``toc``, kg C m-2, 0 or more.

        IOM = 0.049 TOC^1.139  with both in t C ha-1 (Falloon et al. 1998, Soil Biol. Biochem. 30:1207)

    Quoted from codes that use it; the paper was not read. Made for topsoils: deeper down it is a guess.

    >>> round(float(inert_carbon(3.71)), 5)  # the official example takes 3.0041 t C ha-1, of 37.1
    0.30041
    """
    positive = jnp.asarray(toc) > 0.0
    safe = jnp.where(positive, 10.0 * jnp.asarray(toc), 1.0)
    return jnp.where(positive, 0.1 * jnp.asarray(factor) * safe ** jnp.asarray(power), 0.0)
