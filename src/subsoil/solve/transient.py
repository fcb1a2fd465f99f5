r"""Runs through time, by implicit steps: for forcing that changes and for models that are not linear.

One stage of length h from X0, for carbon and for every tracer that rides on it (an axis before the layers):

    X1 = X0 + h (u s + A X1)

A step of first order is one stage. One of second order is two, of length g = 1 - 1/sqrt 2 (Alexander 1977,
SIAM J. Numer. Anal. 14:1006):

    Y  = X0 + g h (u s + A Y)
    X1 = X0 + a (u s + A Y) + (h - a) (u s + A X1),      a = (1 - g) h

It damps fast pools as the first-order one does, so that no start-up steps are needed after a jump of the
forcing. Where a pool would lose more than nine tenths of itself along the first slope, a is shorter in that
column: stocks stay positive and carbon closes to round-off whatever the step, and the order is 2 where a step
is shorter than some 0.4 turnover times of the pools that change. A tracer's row may swing below 0 in a pool
that a longer step empties of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from subsoil.errors import BadCall
from subsoil.solve.blocks import Blocks, multiply
from subsoil.solve.steady import Outcome, steady_state
from subsoil.solve.system import System, implicit_step

GAMMA = 1.0 - 0.5**0.5
"""Stage length of the second-order step, in steps."""
MOST = 0.9
"""Share of a pool that may leave it along the first slope of such a step."""


class Run(NamedTuple):
    """States at the end of each step, what was lost during it (kg m-2), and its `Outcome`.

    Carbon closes in any outcome; in a step that did not converge the rates are those of another state.
    """

    state: Float[Array, "step tracer layer pool"]
    lost: Float[Array, "step tracer layer pool"]
    outcome: Int[Array, " step"]


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
    carbon, kg m-2 a layer. order 1 or 2. In a model that is not ``linear`` carbon of each stage is found by
    `steady_state` (of the system that C0 / h enters and 1 / h leaves; ``start`` is then positive everywhere)
    and all rows ride on its rates: a tracer fed and started like carbon stays equal to it, and carbon closes.
    Raises BadCall for a step that is not positive or an order that is neither.

    >>> def draining(inputs, carbon):
    ...     zero = jnp.zeros((1, 1, 1))
    ...     return System(Blocks(zero, -jnp.ones((1, 1, 1, 1)), zero), zero + inputs, zero + 1.0)
    >>> ten = run(draining, jnp.full(10, 2.0), jnp.zeros((1, 1, 1)), 0.1)
    >>> round(float(ten.state[-1, 0, 0, 0]), 3), round(float(ten.lost.sum()), 3)
    (1.265, 0.735)
    """
    if not dt > 0.0 or order not in (1, 2):
        raise BadCall(f"a run wants a positive step (yr) and order 1 or 2, got {dt} and {order}")

    def stage(state: Array, now: Any, h: Any) -> tuple[Array, System, Array]:
        """One implicit step of length h, the system it ended on, and its outcome."""
        carbon, outcome = state[0], jnp.array(int(Outcome.CONVERGED))
        if not linear:  # C1 = C0 + h (u + A(C1) C1) is at rest where C0 / h enters and 1 / h leaves

            def waiting(c: Array) -> System:
                blocks, inputs, loss = jax.tree.map(lambda part: part[0], system(now, c))
                held = blocks._replace(diagonal=blocks.diagonal - jnp.eye(c.shape[-1]) / h)
                return System(held, inputs + state[0] / h, loss)

            carbon, outcome, _, _ = steady_state(waiting, state[0])
        here = system(now, carbon)
        return implicit_step(here.blocks, here.inputs, state, h), here, outcome

    def step(state: Array, now: Any) -> tuple[Array, Run]:
        if order == 1:
            new, here, outcome = stage(state, now, dt)
            return new, Run(new, dt * here.loss * new, outcome)
        first, here, outcome = stage(state, now, GAMMA * dt)
        slope = here.inputs + multiply(here.blocks, first)
        falls = slope[0] < 0.0
        lasts = jnp.where(falls, state[0] / jnp.where(falls, -slope[0], 1.0), jnp.inf)
        ahead = jnp.minimum((1.0 - GAMMA) * dt, MOST * jnp.min(lasts))
        new, there, then = stage(state + ahead * slope, now, dt - ahead)
        lost = ahead * here.loss * first + (dt - ahead) * there.loss * new
        return new, Run(new, lost, jnp.maximum(outcome, then))

    return jax.lax.scan(step, start, forcing)[1]


def accelerate(blocks: Blocks, factor: Float[Array, " pool"]) -> Blocks:
    """The operator with all that leaves pool i, decay of a tracer included, ``factor_i`` times as fast.

        A' = A diag(factor),    so that    C = factor C'

    with C' its steady state and C that of ``blocks``: how land models shorten a spin-up. Decay left out is
    their classic error (14C then comes out too young): accelerate the operator of the tracer, not of carbon.

    >>> slow = Blocks(jnp.zeros((1, 1)), -0.01 * jnp.ones((1, 1, 1)), jnp.zeros((1, 1)))
    >>> accelerate(slow, jnp.array([100.0])).diagonal.tolist()
    [[[-1.0]]]
    """
    return Blocks(blocks.lower * factor, blocks.diagonal * factor, blocks.upper * factor)
