"""SOMic: litter dissolves, microbes take up or minerals bind what is dissolved, microbes set the pace of all.

Woolf & Lehmann 2019, Sci. Rep. 9:6522; numbers in ``parameters/somic.toml``. Soluble and insoluble plant
matter S and N, dissolved carbon D, microbes B (t ha-1) and mineral-associated carbon M:

    dS/dt = share I - x k_S S                  dN/dt = (1 - share) I - x k_N N
    dD/dt = x (k_S S + k_N N + k_B B + k_M M - (k_s + k_u) D)
    dB/dt = x (CUE k_u D - k_B B)              dM/dt = x (k_s D - k_M M)

    x = a b c m,   m = m_max B / (B_half + B),   a = 4.99 f(T),   CUE = e - e_t (T - 15)
    k_s = sorption (1 + 0.0145 (clay% - 23)),   c = 0.6 under plants, 1 bare
    b = min(1, 0.2 + 0.8 S / 0.556),   S the saturation;   f is `responses.daily_century_temperature`

and (1 - CUE) k_u D is respired, with the isotope ratio of D. The published model loses the share
1 - exp(-x k) of a pool each month; here the same rates act all the time. Its isotopes move as an "age", which
does not keep 14C; here they ride on the carbon.

Dead microbes enter D, and amounts are taken as t ha-1 of ``reference_depth``: neither was found in print.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.microbes import density, settle
from subsoil.models.model import Fluxes, Values, spread_inputs, transfers
from subsoil.models.responses import daily_century_temperature
from subsoil.models.transport import exchange

SOLUBLE, INSOLUBLE, DISSOLVED, MICROBES, MINERAL = POOLS = range(5)
MONTHS_PER_YEAR = 12.0
TONNES_PER_HECTARE = 10.0
"""t ha-1 in 1 kg m-2."""
MEAN_CLAY = 23.0

RESIDENCE = (0.2, 4.0, 0.15, 0.25, 10.0)
"""Years of input in S, N, D, B and M at the start of a `first_guess`."""


def equations(
    values: Values, forcing: Forcing, grid: DepthGrid, carbon: Float[Array, "layer pool"]
) -> Fluxes:
    """Fluxes (1/yr) at ``carbon``, kg m-2 a layer; the equations stand above.

    Reads temperature, saturation, clay, cover and inputs. A CUE outside 0-1 counts as its bound, and sorption
    stops where the line in clay turns negative.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["somic"].pools
    ('SPM', 'IPM', 'DOC', 'MB', 'MAC')
    """
    amount = density(carbon, grid) * TONNES_PER_HECTARE * values["reference_depth"]
    microbes = amount[:, MICROBES]
    pace = _climate(values, forcing) * values["microbial_pace"] * microbes / (values["half"] + microbes)
    uptake = values["uptake"] * pace
    clay = jnp.maximum(0.0, 1.0 + values["sorption_clay"] * (100.0 * forcing.clay - MEAN_CLAY))
    efficiency = jnp.clip(values["cue"] - values["cue_slope"] * (forcing.temperature - 15.0), 0.0, 1.0)

    flow = transfers(
        len(POOLS),
        {
            (DISSOLVED, SOLUBLE): values["dissolution"] * pace,
            (DISSOLVED, INSOLUBLE): values["depolymerisation"] * pace,
            (MICROBES, DISSOLVED): efficiency * uptake,
            (MINERAL, DISSOLVED): values["sorption"] * clay * pace,
            (DISSOLVED, MICROBES): values["death"] * pace,
            (DISSOLVED, MINERAL): values["desorption"] * pace,
        },
    )
    respired = jnp.zeros_like(amount).at[:, DISSOLVED].set((1.0 - efficiency) * uptake)
    down, up = _transport(values, grid)
    return Fluxes(
        inputs=_inputs(values, forcing),
        flow=MONTHS_PER_YEAR * flow,
        respiration=MONTHS_PER_YEAR * respired,
        down=down,
        up=up,
        leaching=jnp.zeros_like(amount),
    )


def first_guess(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """A positive start for the search of a steady state, kg m-2 a layer: `settle` from years of input."""
    return settle(equations, values, forcing, grid, RESIDENCE)


def _climate(values: Values, forcing: Forcing) -> Float[Array, " layer"]:
    """a b c."""
    warmth = values["warmth"] * daily_century_temperature(forcing.temperature)
    water = jnp.minimum(1.0, 0.2 + 0.8 * forcing.saturation / 0.556)
    return warmth * water * (1.0 - (1.0 - values["covered"]) * forcing.cover)


def _inputs(values: Values, forcing: Forcing) -> Float[Array, "layer pool"]:
    soluble = values["soluble_to_insoluble"] / (1.0 + values["soluble_to_insoluble"])
    split = jnp.array([soluble, 1.0 - soluble, 0.0, 0.0, 0.0])
    above = spread_inputs(forcing.litter, forcing.litter_share, split)
    return above + spread_inputs(forcing.roots, forcing.root_share, split)


def _transport(
    values: Values, grid: DepthGrid
) -> tuple[Float[Array, "layer pool"], Float[Array, "layer pool"]]:
    dissolved = jnp.array([0.0, 0.0, 1.0, 0.0, 0.0])
    diffusivity = (1.0 - dissolved) * values["diffusivity"] + dissolved * values["diffusivity_dissolved"]
    return exchange(grid, diffusivity[None, :], (dissolved * values["velocity_dissolved"])[None, :])
