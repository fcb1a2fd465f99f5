"""What rides on carbon: 13C, 14C, a label. One operator for all; a tracer only says where it differs.

A tracer's state is carbon times its content, in units of a standard: C F for 14C (F the 14C/C of the carbon
over that of the standard), C x/x_PDB for 13C (x = 13C / (12C + 13C), which mixes exactly, unlike delta), C f
for a label. It enters with the signature of its source, leaves with the signature of its donor, and

    dX/dt = inputs * signature(t) + A* X - decay X,

A* being the operator with the named fluxes made faster or slower by their fractionation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.constants import R_PDB, RADIOCARBON_DECAY
from subsoil.errors import BadCall
from subsoil.models.model import Fluxes, operator
from subsoil.solve.blocks import Blocks
from subsoil.solve.transient import System

CO2 = "co2"
"""Name of the atmosphere as the end of a flux."""


@dataclass(frozen=True)
class Tracer:
    """A name, how fast it decays (1/yr), and the fractionation (per mil) of fluxes named ``"from->to"``.

    A fractionation of +2 on ``"slow->co2"`` makes that flux 2 per mil richer in the tracer than its donor.
    ``"*->co2"`` names the respiration of every pool. Raises BadCall for a decay below zero.
    """

    name: str
    decay: float = 0.0
    fractionation: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.decay >= 0.0:
            raise BadCall(f"tracer {self.name}: decay must be zero or positive (1/yr), got {self.decay}")

    def fluxes(self, carbon: Fluxes, pools: Sequence[str]) -> Fluxes:
        """Fluxes of this tracer, 1/yr: those of carbon, faster or slower by their fractionation.

        Raises BadCall for a flux whose pools the model does not have.
        """
        flow, respiration = jnp.asarray(carbon.flow), jnp.asarray(carbon.respiration)
        for name, permil in self.fractionation.items():
            source, _, target = name.partition("->")
            alpha = 1.0 + permil / 1000.0
            if source not in (*pools, "*") or target not in (*pools, CO2):
                raise BadCall(
                    f"tracer {self.name}: no flux {name!r}; pools are {', '.join(pools)}, and {CO2}"
                )
            at = slice(None) if source == "*" else pools.index(source)
            if target == CO2:
                respiration = respiration.at[..., at].multiply(alpha)
            else:
                flow = flow.at[..., pools.index(target), at].multiply(alpha)
        return carbon._replace(flow=flow, respiration=respiration)

    def ride(self, carbon: Fluxes, pools: Sequence[str]) -> Blocks:
        """The operator A* that moves this tracer, 1/yr, decay in it: carbon's own where neither acts."""
        blocks = operator(self.fluxes(carbon, pools))
        if self.decay == 0.0:
            return blocks
        return blocks._replace(diagonal=blocks.diagonal - self.decay * jnp.eye(len(pools)))


CARBON = Tracer("carbon")
LABEL = Tracer("label")
RADIOCARBON = Tracer("c14", decay=RADIOCARBON_DECAY)
"""Its source is the absolute content, 1 + Delta14C / 1000 of the air in its year, and so is what comes out.

F14C does not change as a sample ages, so that its decay would count twice: F14C of the air rides on a tracer
without decay, and F14C of the soil comes out."""
CARBON13 = Tracer("c13")


def system(
    fluxes: Fluxes, pools: Sequence[str], tracers: Sequence[Tracer], signature: Float[Array, " tracer"]
) -> System:
    """Operator, inputs and losses of carbon (row 0) and of tracers that enter with ``signature`` (one each).

    Losses are respired and leached tracer; what decays is not among them.
    """
    rows = [CARBON, *tracers]
    own = [tracer.fluxes(fluxes, pools) for tracer in rows]
    blocks = [tracer.ride(fluxes, pools) for tracer in rows]
    entering = jnp.concatenate([jnp.ones(1), jnp.asarray(signature)])
    return System(
        Blocks(*(jnp.stack(parts) for parts in zip(*blocks, strict=True))),
        entering[:, None, None] * fluxes.inputs,
        jnp.stack([each.respiration + each.leaching for each in own]),
    )


def content13(delta13c: ArrayLike, standard: float = R_PDB) -> Float[np.ndarray, "..."]:
    """13C / (12C + 13C) over that of the standard, from delta13C in per mil.

    >>> float(content13(0.0))
    1.0
    """
    ratio = standard * (1.0 + np.asarray(delta13c, dtype=float) / 1000.0)
    return ratio / (1.0 + ratio) * (1.0 + standard) / standard


def delta13(content: ArrayLike, standard: float = R_PDB) -> Float[Array, "..."]:
    """delta13C, per mil, of carbon with this content: the way back.

    >>> round(float(delta13(content13(-27.0))), 9)
    -27.0
    """
    share = jnp.asarray(content) * standard / (1.0 + standard)
    return (share / (1.0 - share) / standard - 1.0) * 1000.0
