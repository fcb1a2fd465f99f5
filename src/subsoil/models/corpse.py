"""CORPSE: fast, slow and dead microbial carbon, each free or protected, decomposed by one pool of microbes.

Sulman et al. 2014, Nature Clim. Change 4:1099; numbers of CORPSE-fire-response and of the biogeochemical
testbed in ``parameters/corpse.toml``. With U the free carbon of the three kinds i, P the protected one and B
the microbes:

    D_i = v_i exp(-(E_i / R) (1 / T - 1 / 293.15)) f(S) U_i B / (B + k_C sum U)
    dU_i/dt = I_i - D_i - protection_i (clay / 20 %)^0.4833 U_i + P_i / tau_P (+ e_t G for dead microbes)
    dP_i/dt = protection_i (clay / 20 %)^0.4833 U_i - P_i / tau_P
    dB/dt = sum(eup_i D_i) - G,    G = max(0, B - floor sum U) / tau_B
    f(S) = S^a (1 - S)^b over its greatest value

with S the saturation. Respired are (1 - eup_i) D_i, with the isotope ratio of the donor, and (1 - e_t) G,
with that of the microbes. Only ratios of pools enter the rates: stocks are proportional to input, and neither
the thickness of a layer nor a unit matters.

The testbed does not divide f by its greatest value; its maximum rates are multiplied by it in the table. Its
least activity in dry and in saturated soil is left out: nothing decomposes here at S = 0 and S = 1.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.microbes import density, settle
from subsoil.models.model import Fluxes, Values, spread_inputs, transfers
from subsoil.models.responses import arrhenius
from subsoil.models.transport import exchange

FAST, SLOW, NECROMASS, MICROBES, SAFE_FAST, SAFE_SLOW, SAFE_NECROMASS = POOLS = range(7)
"""Safe: protected."""

KINDS = ("fast", "slow", "necromass")
REFERENCE_TEMPERATURE, REFERENCE_CLAY = 20.0, 0.2

LEAST_WATER, LEAST_CLAY = 1e-6, 1e-6
"""Water or air over pore volume, and clay fraction: a power below 1 has no slope at 0."""

LEAST_CARBON = 1e-30
"""kg m-3; a layer without any carbon has ratios too."""

RESIDENCE = (0.3, 8.0, 0.5, 0.2, 3.0, 1.0, 15.0)
"""Years of input in the pools at the start of a `first_guess`."""


def equations(
    values: Values, forcing: Forcing, grid: DepthGrid, carbon: Float[Array, "layer pool"]
) -> Fluxes:
    """Fluxes (1/yr) at ``carbon``, kg m-2 a layer; the equations stand above.

    Reads temperature, saturation, clay and inputs.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["corpse"].pools[:4]
    ('fast', 'slow', 'necromass', 'microbes')
    """
    amount = density(carbon, grid)
    free, microbes = amount[:, :MICROBES].sum(axis=1), amount[:, MICROBES]
    activity = _water(values, forcing) * microbes / (microbes + values["half"] * free + LEAST_CARBON)
    eaten = [_vmax(values, forcing, kind) * activity for kind in KINDS]
    gain = [values[f"uptake_{kind}"] * rate for kind, rate in zip(KINDS, eaten, strict=True)]
    clay = jnp.maximum(forcing.clay, LEAST_CLAY) / REFERENCE_CLAY
    protected = [values[f"protection_{kind}"] * clay ** values["protection_clay"] for kind in KINDS]
    excess = jnp.maximum(0.0, microbes - values["floor"] * free) / (microbes + LEAST_CARBON)
    death = excess / values["microbial_turnover"]

    freed = 1.0 / values["protected_turnover"]
    flow = transfers(
        len(POOLS),
        {
            (MICROBES, FAST): gain[FAST],
            (MICROBES, SLOW): gain[SLOW],
            (MICROBES, NECROMASS): gain[NECROMASS],
            (SAFE_FAST, FAST): protected[FAST],
            (SAFE_SLOW, SLOW): protected[SLOW],
            (SAFE_NECROMASS, NECROMASS): protected[NECROMASS],
            (NECROMASS, MICROBES): values["necromass"] * death,
            (FAST, SAFE_FAST): freed,
            (SLOW, SAFE_SLOW): freed,
            (NECROMASS, SAFE_NECROMASS): freed,
        },
    )
    lost = [rate - up for rate, up in zip(eaten, gain, strict=True)]
    none = jnp.zeros_like(death)
    respired = jnp.stack([*lost, (1.0 - values["necromass"]) * death, none, none, none], axis=1)
    down, up = exchange(grid, values["diffusivity"])
    everywhere = jnp.ones_like(amount)
    return Fluxes(
        inputs=_inputs(values, forcing),
        flow=flow,
        respiration=respired,
        down=down * everywhere,
        up=up * everywhere,
        leaching=0.0 * everywhere,
    )


def first_guess(values: Values, forcing: Forcing, grid: DepthGrid) -> Float[Array, "layer pool"]:
    """A positive start for the search of a steady state, kg m-2 a layer: `settle` from years of input."""
    return settle(equations, values, forcing, grid, RESIDENCE)


def _vmax(values: Values, forcing: Forcing, kind: str) -> Float[Array, " layer"]:
    warmth = arrhenius(forcing.temperature, values[f"energy_{kind}"], REFERENCE_TEMPERATURE)
    return values[f"vmax_{kind}"] * warmth


def _water(values: Values, forcing: Forcing) -> Float[Array, " layer"]:
    """f(S): lack of solutes when dry, of oxygen when wet; 1 at S = a / (a + b)."""
    a, b = values["substrate_exponent"], values["gas_exponent"]
    wet = jnp.maximum(forcing.saturation, LEAST_WATER)
    air = jnp.maximum(1.0 - forcing.saturation, LEAST_WATER)
    return (wet * (a + b) / a) ** a * (air * (a + b) / b) ** b


def _inputs(values: Values, forcing: Forcing) -> Float[Array, "layer pool"]:
    def split(slow: float) -> Float[Array, " pool"]:
        return jnp.array([1.0 - slow, slow, 0.0, 0.0, 0.0, 0.0, 0.0])

    above = spread_inputs(forcing.litter, forcing.litter_share, split(values["slow_litter"]))
    return above + spread_inputs(forcing.roots, forcing.root_share, split(values["slow_roots"]))
