"""A soil column through time: the seasonal cycle it comes to, and runs under forcing that changes.

Where nothing changes, `subsoil.equilibrium` answers without time steps.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.forcing import Forcing
from subsoil.models.model import Model, annual_fluxes, operator
from subsoil.solve.steady import Steady, periodic_state
from subsoil.solve.transient import Run, System, run
from subsoil.tracers import Tracer, system


def cycle(
    model: Model, forcing: Forcing, grid: DepthGrid | None = None
) -> tuple[Float[Array, "month layer pool"], Steady]:
    """The year that repeats under a seasonal forcing (`subsoil.forcing.seasonal`), month by month.

    Carbon (kg m-2 a layer) at the end of each month, and how the search ended. For linear models; raises
    BadCall for others and for a steady forcing.
    """
    if not model.linear:
        raise BadCall(f"{model.name} is not linear: run it through some years (`evolve`) instead")
    if jnp.ndim(forcing.temperature) != 2:
        raise BadCall("a cycle wants a forcing of 12 months: see subsoil.seasonal")
    layers = grid or model.grid
    fluxes = jax.vmap(lambda month: model.equations(model.values, month, layers, None))(forcing)
    return jax.jit(periodic_state)(operator(fluxes), fluxes.inputs)


def evolve(
    model: Model,
    forcing: Forcing,
    start: ArrayLike,
    dt: float,
    tracers: Sequence[Tracer] = (),
    signature: ArrayLike | None = None,
    grid: DepthGrid | None = None,
    order: int = 2,
) -> Run:
    """A column through as many steps of ``dt`` years as the forcing has on the first axis of its fields.

    start: carbon [layer, pool], or [1 + tracer, layer, pool] with the tracers after it (their content times
    carbon, see `subsoil.tracers`). signature: what enters, [step, tracer]. One row of the answer a tracer,
    row 0 total carbon, which is the same to the last bit whatever rides on it.

    Raises BadCall where shapes do not fit.
    """
    layers = grid or model.grid
    steps = jnp.shape(forcing.temperature)[0]
    state = jnp.asarray(start, dtype=float)
    state = state if state.ndim == 3 else state[None]
    wanted = (1 + len(tracers), len(layers), len(model.pools))
    if state.shape != wanted or jnp.ndim(forcing.temperature) != 2:
        raise BadCall(f"a run wants a start of shape {wanted} and a forcing by step, got start {state.shape}")
    entering = jnp.zeros((steps, 0)) if signature is None else jnp.asarray(signature, dtype=float)
    if entering.shape != (steps, len(tracers)):
        raise BadCall(f"a run wants signatures of shape {(steps, len(tracers))}, got {entering.shape}")

    def at(now: Any, carbon: Array) -> System:
        climate, signatures = now
        fluxes = annual_fluxes(model.equations, model.values, climate, layers, carbon)
        return system(fluxes, model.pools, tracers, signatures)

    return jax.jit(lambda f, s, x: run(at, (f, s), x, dt, order, model.linear))(forcing, entering, state)


def repeat(forcing: Forcing, steps: int) -> Forcing:
    """A steady forcing for so many steps of a run.

    >>> from subsoil.depth import DepthGrid
    >>> from subsoil.forcing import site_forcing
    >>> repeat(site_forcing(DepthGrid.from_cm([0, 10, 30]), mat=10, map_mm=800), 5).temperature.shape
    (5, 2)
    """
    return jax.tree.map(lambda field: np.broadcast_to(np.asarray(field), (steps, *np.shape(field))), forcing)
