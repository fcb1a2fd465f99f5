"""Yasso07, Yasso15, Yasso20 and the soil of JSBACH, in layers.

Litter has four chemical fractions: hydrolysable in acid (A), soluble in water (W), soluble in ethanol (E) and
neither (N). They turn into each other, and a share of all that decomposes becomes humus (H):

    rate_i = k_i m_i s,   to j among A, W, E, N: p_ij rate_i,   to H: p_H rate_i,   the rest is CO2
    m = exp(b1 T + b2 T^2) (1 - exp(gamma P)),   with b1, b2, gamma for A, W and E, for N, and for H
    s = min(1, (1 + size_1 d + size_2 d^2)^-size_power)  for wood of diameter d (cm),  1 for all else

Wood and other litter decompose apart, as the separate runs of Yasso for each size of litter do, and share one
humus. The carbon of each splits over A, W, E, N as in the table, over the sum of the four.

Yasso takes the mean of m over the months with the precipitation of the year: so does a seasonal forcing with
that precipitation in each month. Yasso has no depth. Here each layer is Yasso at its own temperature, roots
enter by depth, and carbon mixes; none of this is published.

Sources: Tuomi et al. 2009, Ecol. Model. 220:3362 (Yasso07) and 2011, Ecol. Model. 222:709 (wood); Järvenpää
et al. 2015 (Yasso15); Viskari et al. 2022, Geosci. Model Dev. 15:1735 (Yasso20); Thum et al. 2011, J.
Geophys. Res. 116:G02028 (JSBACH).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs
from subsoil.models.responses import yasso_climate
from subsoil.models.transport import exchange

FRACTIONS = ("acid", "water", "ethanol", "nonsoluble")


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of A, W, E, N of litter that is not wood, of wood, and of humus."""
    k = jnp.stack([values[f"k_{fraction}"] for fraction in FRACTIONS])
    size = wood_slowing(values["wood_diameter"], values["size_1"], values["size_2"], values["size_power"])
    base = jnp.concatenate([k, size * k, jnp.stack([values["k_humus"]])])
    awe, nonsoluble, humus = (climate(values, forcing, group) for group in ("awe", "nonsoluble", "humus"))
    litter = (awe, awe, awe, nonsoluble)
    rate = jnp.stack([*litter, *litter, humus], axis=-1) * base
    flow, respiration = decompose(rate, transfer(values))
    down, up = exchange(grid, values["diffusivity"], values["velocity"])
    leaf, wood = (litter_split(values, kind) for kind in ("leaf", "wood"))
    nothing = jnp.zeros(len(FRACTIONS))
    from_leaf = jnp.concatenate([leaf, nothing, nothing[:1]])
    from_wood = jnp.concatenate([nothing, wood, nothing[:1]])
    above = spread_inputs(
        forcing.litter, forcing.litter_share, (1.0 - forcing.wood) * from_leaf + forcing.wood * from_wood
    )
    below = spread_inputs(forcing.roots, forcing.root_share, from_leaf)
    each = jnp.ones_like(base)
    return Fluxes(above + below, flow, respiration, down * each, up * each, jnp.zeros_like(rate))


def climate(values: Values, forcing: Forcing, group: str) -> Float[Array, " layer"]:
    """Climate factor of a ``group``: ``awe``, ``nonsoluble`` or ``humus``."""
    b1, b2, gamma = (values[f"{name}_{group}"] for name in ("b1", "b2", "gamma"))
    return yasso_climate(forcing.temperature, forcing.precipitation, b1, b2, gamma)


def transfer(values: Values) -> Float[Array, "pool pool"]:
    """Share [to, from] of what decomposes: A, W, E, N among themselves, the same for wood, all to humus.

    >>> from subsoil.models.catalogue import model
    >>> transfer(model("yasso07").values)[:4, 0].tolist()  # of A: none to A, 0.34 to W
    [0.0, 0.34, 0.035, 0.0005]
    """
    zero = jnp.zeros_like(values["to_humus"])
    among = jnp.stack(
        [jnp.stack([zero if a == b else values[f"{a}_to_{b}"] for a in FRACTIONS]) for b in FRACTIONS]
    )
    nothing = jnp.zeros_like(among)
    litter = jnp.block([[among, nothing], [nothing, among]])
    to_humus = jnp.full((1, litter.shape[1]), 1.0) * values["to_humus"]
    return jnp.pad(jnp.concatenate([litter, to_humus]), ((0, 0), (0, 1)))


def litter_split(values: Values, kind: str) -> Float[Array, " fraction"]:
    """Shares of A, W, E, N, of sum 1, in the carbon of ``wood`` or ``leaf``: all else, roots too."""
    amount = jnp.stack([values[f"{kind}_{fraction}"] for fraction in FRACTIONS])
    return amount / amount.sum()


def wood_slowing(
    diameter: ArrayLike, size_1: ArrayLike, size_2: ArrayLike, power: ArrayLike
) -> Float[Array, "..."]:
    """Factor of the size of wood on its rates: s = min(1, (1 + size_1 d + size_2 d^2)^-power).

    diameter d: cm, 0 or more. power: 0 or more (the codes take the absolute value). The bracket of Yasso20 is
    negative between 0.53 and 1.53 cm, where the formula has no value; s is 1 there, as it is on both sides.

    >>> [round(float(wood_slowing(d, -0.44, 1.3, 0.26)), 3) for d in (0.0, 2.0, 10.0)]
    [1.0, 0.648, 0.284]
    """
    d = jnp.asarray(diameter)
    bracket = 1.0 + jnp.asarray(size_1) * d + jnp.asarray(size_2) * d**2
    return jnp.where(bracket > 1.0, bracket, 1.0) ** -jnp.asarray(power)
