r"""Runs through time, by implicit steps: for forcing that changes and for models that are not linear.

One step of length h from X0, for carbon and for every tracer that rides on it (tracer axis before the layers):

    X1 = X0 + h (u s + A X1)

Stocks stay positive and carbon closes whatever the step. Two such stages with the weights of Alexander (1977,
SIAM J. Numer. Anal. 14:1006, gamma = 1 - 1/sqrt 2) make a step of second order that damps fast pools as the
first-order one does, so that no start-up steps are needed after a jump of the forcing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.errors import BadCall
from subsoil.solve.blocks import Blocks, multiply, solve

GAMMA = 1.0 - 0.5**0.5
"""Stage length of the second-order step, in steps."""
NEWTON_STEPS = 8
"""Newton's method of one stage; a stage that it does not close is seen in the mass balance."""
LEAST_SHARE = 0.1
"""A pool keeps at least this share of itself in one Newton step: stocks stay positive."""


class System(NamedTuple):
    """What a model states at one moment: operator, inputs (kg m-2 yr-1) and rates counted as loss (1/yr).

    Each may carry a tracer axis before the layers; row 0 is then total carbon.
    """

    blocks: Blocks
    inputs: Float[Array, "*tracer layer pool"]
    loss: Float[Array, "*tracer layer pool"]


class Run(NamedTuple):
    """States at the end of each step, and what was lost during it (kg m-2)."""

    state: Float[Array, "step tracer layer pool"]
    lost: Float[Array, "step tracer layer pool"]


def implicit_step(
    blocks: Blocks,
    inputs: Float[Array, "*batch layer pool"],
    state: Float[Array, "*batch layer pool"],
    dt: Any,
) -> Float[Array, "*batch layer pool"]:
    """State after one implicit Euler step: (I - dt A) X1 = X0 + dt u.

    >>> one = Blocks(jnp.zeros((1, 1)), -jnp.ones((1, 1, 1)), jnp.zeros((1, 1)))
    >>> implicit_step(one, jnp.zeros((1, 1)), jnp.ones((1, 1)), 1.0).tolist()
    [[0.5]]
    """
    unit = jnp.eye(jnp.shape(state)[-1])
    shifted = Blocks(-dt * blocks.lower, unit - dt * blocks.diagonal, -dt * blocks.upper)
    return solve(shifted, state + dt * inputs)


def jacobian(system: Callable[[Array], System], carbon: Float[Array, "layer pool"]) -> Blocks:
    """Jacobian of u + A(C) C, block-tridiagonal: one derivative a pool, taken in all layers at once.

    Reactions stay within their layer and transport does not depend on carbon: what its neighbours add to a
    layer's derivative is therefore known, and is taken off again.
    """
    at = system(carbon).blocks
    unit = jnp.eye(carbon.shape[-1])

    def tendency(c: Array) -> Array:
        here = system(c)
        return here.inputs + multiply(here.blocks, c)

    columns = jax.vmap(lambda e: jax.jvp(tendency, (carbon,), (jnp.broadcast_to(e, carbon.shape),))[1])(unit)
    known = _first_off(at.lower) + _last_off(at.upper)
    return Blocks(at.lower, jnp.moveaxis(columns, 0, -1) - unit * known[..., None], at.upper)


def run(
    system: Callable[[Any, Array], System],
    forcing: Any,
    start: Float[Array, "tracer layer pool"],
    dt: float,
    order: int = 2,
    linear: bool = True,
) -> Run:
    """A column through as many steps of ``dt`` years as ``forcing`` has on its leading axis.

    system(forcing of the step, carbon [layer, pool]) -> `System` with a tracer axis. start: row 0 is total
    carbon. order 1 or 2. In a model that is not ``linear`` carbon is found by Newton's method in each stage
    and the tracers then ride on its rates, so that a tracer fed and started like carbon stays equal to it.
    Raises BadCall for a step that is not positive or an order that is neither.
    """
    if not dt > 0.0 or order not in (1, 2):
        raise BadCall(f"a run wants a positive step (yr) and order 1 or 2, got {dt} and {order}")

    def stage(state: Array, now: Any, h: float) -> tuple[Array, System]:
        if linear:
            here = system(now, state[0])
            return implicit_step(here.blocks, here.inputs, state, h), here
        carbon = _implicit_carbon(lambda c: _row(system(now, c)), state[0], h)
        here = system(now, carbon)
        return implicit_step(here.blocks, here.inputs, state, h).at[0].set(carbon), here

    def step(state: Array, now: Any) -> tuple[Array, tuple[Array, Array]]:
        if order == 1:
            new, here = stage(state, now, dt)
            lost = dt * here.loss * new
        else:
            first, here = stage(state, now, GAMMA * dt)
            slope = here.inputs + multiply(here.blocks, first)
            new, there = stage(state + (1.0 - GAMMA) * dt * slope, now, GAMMA * dt)
            lost = dt * ((1.0 - GAMMA) * here.loss * first + GAMMA * there.loss * new)
        return new, (new, lost)

    return Run(*jax.lax.scan(step, start, forcing)[1])


def accelerate(blocks: Blocks, factor: Float[Array, " pool"]) -> Blocks:
    """The operator with all that leaves pool i, decay of a tracer included, ``factor_i`` times as fast.

    Its steady state times ``factor`` is that of ``blocks``: how land models shorten a spin-up. Decay left out
    is their classic error (14C then comes out too old): accelerate the operator of the tracer, not of carbon.
    """
    return Blocks(blocks.lower * factor, blocks.diagonal * factor, blocks.upper * factor)


def _implicit_carbon(system: Callable[[Array], System], carbon: Array, h: float) -> Array:
    """C1 with C1 = C0 + h (u + A(C1) C1), by Newton steps that leave a pool at least a tenth of itself."""

    def newton(guess: Array, _: None) -> tuple[Array, None]:
        blocks, here = jacobian(system, guess), system(guess)
        unit = jnp.eye(carbon.shape[-1])
        shifted = Blocks(-h * blocks.lower, unit - h * blocks.diagonal, -h * blocks.upper)
        miss = carbon + h * (here.inputs + multiply(here.blocks, guess)) - guess
        return jnp.maximum(guess + solve(shifted, miss), LEAST_SHARE * guess), None

    return jax.lax.scan(newton, carbon, length=NEWTON_STEPS)[0]


def _row(system: System) -> System:
    """Total carbon of a system with tracers."""
    return jax.tree.map(lambda part: part[0], system)


def _first_off(lower: Array) -> Array:
    return lower.at[..., 0, :].set(0.0)


def _last_off(upper: Array) -> Array:
    return upper.at[..., -1, :].set(0.0)
