"""ICBM, young and old carbon (Andren & Katterer 1997, Ecol. Appl. 7:1226), in mixed layers.

    dY/dt = i - k1 r Y,   dO/dt = h k1 r Y - k2 r O,   each + d/dz(D d/dz) - d(v .)/dz

In one layer, steady state is Y = i / (k1 r), O = h i / (k2 r). The model gives r as one number for a climate
and a crop. Here r(z) = r Q10^((T - 10) / 10) with a Q10 of 1, which leaves r as given; a Q10 above 1 makes it
follow the temperature of each layer and month, with r its value at 10 degree C. The model has no layers of
its own: D is a default that no source gives for it.
"""

import jax.numpy as jnp

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Values, decompose, spread_inputs
from subsoil.models.responses import q10
from subsoil.models.transport import exchange

REFERENCE_TEMPERATURE = 10.0
"""Degree C at which r is r, whatever the Q10."""


def equations(values: Values, forcing: Forcing, grid: DepthGrid, carbon: object = None) -> Fluxes:
    """Fluxes of the young and the old pool; litter and roots enter the young one.

    Looks at temperature (where ``q10`` is not 1), litter, roots and their shares.

    >>> from subsoil.models.catalogue import MODELS
    >>> MODELS["icbm"](h=0.34, r=0.97).values["h"]  # sewage sludge at Ultuna
    0.34
    """
    outside = values["r"] * q10(forcing.temperature, values["q10"], REFERENCE_TEMPERATURE)
    rate = outside[:, None] * jnp.stack([values["k1"], values["k2"]])
    flow, respiration = decompose(rate, values["h"] * jnp.array([[0.0, 0.0], [1.0, 0.0]]))
    down, up = exchange(grid, values["diffusivity"], values["velocity"])
    young, both = jnp.array([1.0, 0.0]), jnp.ones(2)
    inputs = spread_inputs(forcing.litter, forcing.litter_share, young)
    inputs += spread_inputs(forcing.roots, forcing.root_share, young)
    return Fluxes(inputs, flow, respiration, down * both, up * both, jnp.zeros_like(rate))
