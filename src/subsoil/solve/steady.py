r"""Steady states that want more than one solve: nonlinear models, and the seasonal cycle that repeats.

The steady state of a linear model under a steady forcing is one solve, `subsoil.solve.ages.steady`.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from subsoil.solve.blocks import Blocks, multiply, solve
from subsoil.solve.transient import LEAST_SHARE, System, implicit_step, jacobian

MOST_ITERATIONS = 300
FIRST_STEP = 1e-2
"""First pseudo time step, yr."""
LONGEST_STEP = 1e12
CONVERGED = 1e-9
"""Largest relative change of a pool in the last full Newton step."""
PERIODIC_ITERATIONS = 200
POLISH = 16
"""Iterations after convergence that carry the gradient of a periodic state."""


class Outcome(IntEnum):
    """How a search ended: a number for arrays, a name for people."""

    CONVERGED = 0
    NOT_CONVERGED = 1
    NOT_FINITE = 2


class Steady(NamedTuple):
    """A state and how it was reached: outcome is one of `Outcome`, change the last relative change."""

    carbon: Float[Array, "layer pool"]
    outcome: Int[Array, ""]
    iterations: Int[Array, ""]
    change: Float[Array, ""]


def steady_state(system: Callable[[Array], System], start: Float[Array, "layer pool"]) -> Steady:
    """Where u + A(C) C = 0, by pseudo-transient continuation (Kelley & Keyes 1998, SIAM J. Numer. Anal. 35:508).

    Each iteration solves (I/s - J) d = dC/dt with the Jacobian J, at first with a small step s as an implicit
    run would, then with s growing as dC/dt falls, to Newton's method. A pool keeps at least a tenth of itself.
    It ends converged, or after 300 iterations, or at the first value that is not finite, and says which; a
    batch (jax.vmap) goes on. Differentiable: the last step is a Newton step at the solution, which has the
    derivative of the implicit function theorem.
    """
    frozen = jax.lax.stop_gradient  # the search carries no derivative

    def tendency(c: Array) -> Array:
        here = system(c)
        return here.inputs + multiply(here.blocks, c)

    def go_on(loop: tuple) -> Array:
        _, _, iterations, change, _, step = loop
        done = (change < CONVERGED) & (step >= LONGEST_STEP)
        return (iterations < MOST_ITERATIONS) & ~done & ~jnp.isnan(change)

    def iterate(loop: tuple) -> tuple:
        carbon, f, iterations, _, before, step = loop
        blocks = jacobian(system, carbon)
        unit = jnp.eye(carbon.shape[-1])
        shifted = Blocks(-blocks.lower, unit / step - blocks.diagonal, -blocks.upper)
        new = frozen(jnp.maximum(carbon + solve(shifted, f), LEAST_SHARE * carbon))
        f_new = frozen(tendency(new))
        now, change = _relative(f_new, new), _relative(new - carbon, new)
        change = jnp.where(jnp.isfinite(now), change, jnp.nan)
        growth = jnp.where(
            change > 0.85, 0.5, jnp.where(change < 0.1, 10.0, jnp.clip(before / now, 1.2, 10.0))
        )
        return new, f_new, iterations + 1, change, now, jnp.minimum(step * growth, LONGEST_STEP)

    start = frozen(start)
    f = frozen(tendency(start))
    first = (start, f, jnp.array(0), jnp.array(jnp.inf), _relative(f, start), jnp.array(FIRST_STEP))
    carbon, _, iterations, change, _, _ = jax.lax.while_loop(go_on, iterate, first)
    carbon = frozen(carbon)
    slope = jax.tree.map(frozen, jacobian(system, carbon))
    polished = carbon - solve(slope, tendency(carbon))
    finite = jnp.isfinite(change) & jnp.isfinite(polished).all()
    reached = jnp.where(change < CONVERGED, int(Outcome.CONVERGED), int(Outcome.NOT_CONVERGED))
    outcome = jnp.where(finite, reached, int(Outcome.NOT_FINITE))
    return Steady(jnp.where(finite, polished, jnp.nan), outcome, iterations, change)


def periodic_state(
    blocks: Blocks, inputs: Float[Array, "step layer pool"], duration: float = 1.0
) -> tuple[Float[Array, "step layer pool"], Steady]:
    """The cycle of a linear model whose forcing repeats: states at the end of each step, and the search.

    blocks, inputs: leading axis of the steps of one period of ``duration`` years (12 months). The state x at
    the start of the year that comes back after it, x = Y(x), is found by

        x <- Y(x) + (-A)^-1 (Y(x) - x) / duration,     A the mean operator,

    which is exact both for pools that forget the year and for pools that hardly notice it.
    """
    steps = inputs.shape[0]
    dt = duration / steps
    mean = jax.tree.map(lambda part: part.mean(axis=0), blocks)
    start = -solve(mean, inputs.mean(axis=0))

    def year(x: Array) -> tuple[Array, Array]:
        def month(state: Array, now: tuple[Blocks, Array]) -> tuple[Array, Array]:
            state = implicit_step(now[0], now[1], state, dt)
            return state, state

        return jax.lax.scan(month, x, (blocks, inputs))

    def improve(x: Array) -> Array:
        after = year(x)[0]
        return after - solve(mean, after - x) / duration

    def search(loop: tuple) -> tuple:
        x, iterations, _ = loop
        new = jax.lax.stop_gradient(improve(x))
        return new, iterations + 1, _relative(new - x, new)

    first = (jax.lax.stop_gradient(start), jnp.array(0), jnp.array(jnp.inf))
    x, iterations, change = jax.lax.while_loop(
        lambda loop: (loop[1] < PERIODIC_ITERATIONS) & (loop[2] > 1e-3 * CONVERGED), search, first
    )
    x, _ = jax.lax.scan(lambda x, _: (improve(x), None), jax.lax.stop_gradient(x), length=POLISH)
    _, cycle = year(x)
    finite = jnp.isfinite(cycle).all()
    reached = jnp.where(change < CONVERGED, int(Outcome.CONVERGED), int(Outcome.NOT_CONVERGED))
    return cycle, Steady(x, jnp.where(finite, reached, int(Outcome.NOT_FINITE)), iterations, change)


def _relative(change: Array, state: Array) -> Array:
    """Largest change of a pool as a share of it."""
    size = jnp.abs(state)
    return jnp.max(jnp.abs(change) / (size + 1e-12 * jnp.max(size)))
