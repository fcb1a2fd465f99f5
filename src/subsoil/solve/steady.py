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
from subsoil.solve.system import System, implicit_step, jacobian

MOST_ITERATIONS = 300
FIRST_STEP, LONGEST_STEP = 0.5, 1e12
"""Pseudo time step at the start and at most, in turnover times of each pool."""
FARTHEST = 2.0
"""A pool moves by at most this much in ln C in one iteration."""
NEWTON = 1e6
"""From this step on the search is Newton's method to the digits that count."""
CONVERGED = 1e-9
"""Largest relative change of a pool in the last Newton step."""
NEGLIGIBLE = 1e-12
"""A shrinking pool this small beside the largest one counts as gone."""
PERIODIC_ITERATIONS = 200
POLISH = 16
"""Iterations after convergence that carry the gradient of a periodic state."""


class Outcome(IntEnum):
    """How a search ended: a number for arrays, a name for people."""

    CONVERGED = 0
    NOT_CONVERGED = 1
    NOT_FINITE = 2

    @property
    def words(self) -> str:
        """The name as it is shown: "not converged"."""
        return self.name.lower().replace("_", " ")


class Steady(NamedTuple):
    """A state (kg m-2 a layer) and how it was reached: `Outcome`, iterations, last relative change."""

    carbon: Float[Array, "layer pool"]
    outcome: Int[Array, ""]
    iterations: Int[Array, ""]
    change: Float[Array, ""]


def steady_state(system: Callable[[Array], System], start: Float[Array, "layer pool"]) -> Steady:
    """Where u + A(C) C = 0, by pseudo-transient continuation (Kelley & Keyes 1998, SINUM 35:508).

    Each iteration is a step of Newton's method for ln C, damped by a pseudo time step of s turnover times
    1/w of each pool (w = -diag A). With f = dC/dt = u + A C and its Jacobian J it solves

        (w / s + f / C - J) d = f,     C <- C exp(d / C)

    and s doubles, grows faster the less moves, and halves where a pool wants to move by more than e^2. Pools
    stay positive, microbes cannot jump to a negative root, and slow pools settle in as few iterations as
    fast ones, so that microbes do not starve while their food builds up.

    system(carbon) -> `System` without tracers; start: kg m-2 a layer, positive everywhere. Ends converged
    (1e-9), or after 300 iterations, or at the first value that is not finite, and says which; under jax.vmap
    the other columns go on. A pool that dies out ends at 0. Whether the state is stable is not asked.
    Differentiable: the last step is a Newton step at the solution, which has the derivative of the implicit
    function theorem; carbon is NaN where it is not finite.

    >>> def uptake(c):  # food enters at 1, microbes eat it at c / (1 + food) and die at 0.2, half is respired
    ...     rate, zero = c[0, 1] / (1.0 + c[0, 0]), jnp.zeros((1, 2))
    ...     within = jnp.array([[[-rate, 0.0], [0.5 * rate, -0.2]]])
    ...     return System(Blocks(zero, within, zero), jnp.array([[1.0, 0.0]]), zero)
    >>> found = steady_state(uptake, jnp.ones((1, 2)))
    >>> found.carbon.round(6).tolist(), Outcome(int(found.outcome)).name
    ([[0.666667, 2.5]], 'CONVERGED')
    """
    frozen = jax.lax.stop_gradient  # the search carries no derivative
    start = frozen(start)
    unit = jnp.eye(start.shape[-1])

    def go_on(loop: tuple) -> Array:
        _, iterations, change, step, _ = loop
        done = (change < CONVERGED) & (step > NEWTON)
        return (iterations < MOST_ITERATIONS) & ~done & ~jnp.isnan(change)

    def iterate(loop: tuple) -> tuple:
        carbon, iterations, _, step, _ = loop
        here, f, slope = frozen(jacobian(system, carbon))
        gone = (carbon < NEGLIGIBLE * jnp.max(carbon)) & (f < 0.0)
        turnover = -jnp.diagonal(here.blocks.diagonal, axis1=-2, axis2=-1)
        own = turnover / step + jnp.where(gone, 0.0, f / carbon)
        diagonal = own[..., None] * unit - slope.diagonal
        move = solve(Blocks(-slope.lower, diagonal, -slope.upper), f) / carbon
        change = jnp.max(jnp.where(gone, 0.0, jnp.abs(move)))
        new = carbon * jnp.exp(jnp.clip(move, -FARTHEST, FARTHEST))
        growth = jnp.where(change > FARTHEST, 0.5, jnp.maximum(2.0, 1.0 / change))
        return new, iterations + 1, change, jnp.minimum(step * growth, LONGEST_STEP), slope

    nothing = jnp.zeros_like(start)
    slope = Blocks(nothing, nothing[..., None] * unit, nothing)
    first = (start, jnp.array(0), jnp.array(jnp.inf), jnp.array(FIRST_STEP), slope)
    carbon, iterations, change, step, slope = frozen(jax.lax.while_loop(go_on, iterate, first))
    finite, converged = jnp.isfinite(change), (change < CONVERGED) & (step > NEWTON)
    here = system(jnp.where(finite, carbon, start))
    f = here.inputs + multiply(here.blocks, carbon)
    safe = jax.tree.map(lambda a, b: jnp.where(converged, a, b), slope, here.blocks)  # no NaN in a gradient
    carbon = carbon - jnp.where(converged, solve(frozen(safe), f), 0.0)
    reached = jnp.where(converged, int(Outcome.CONVERGED), int(Outcome.NOT_CONVERGED))
    outcome = jnp.where(finite, reached, int(Outcome.NOT_FINITE))
    return Steady(jnp.where(finite, carbon, jnp.nan), outcome, iterations, change)


def periodic_state(
    blocks: Blocks, inputs: Float[Array, "step layer pool"], duration: float = 1.0
) -> tuple[Float[Array, "step layer pool"], Steady]:
    """The cycle of a linear model whose forcing repeats: states at the end of each step, and the search.

    blocks, inputs: leading axis of the steps of one period of ``duration`` years (12 months). The state x at
    the start of the year that comes back after it, x = Y(x), is found by

        x <- Y(x) + (-A)^-1 (Y(x) - x) / duration,     A the mean operator,

    which is exact both for pools that forget the year and for pools that hardly notice it, and divides the
    error by four or more between them. Months are implicit steps (`implicit_step`). Returns states [step,
    layer, pool], and the search: its carbon is that at the start of the period, its outcome not converged
    after 200 iterations. Differentiable through 16 further iterations.

    >>> rate = jnp.ones((12, 1, 1, 1)) * jnp.linspace(0.5, 1.5, 12)[:, None, None, None]
    >>> nothing = jnp.zeros((12, 1, 1))
    >>> cycle, search = periodic_state(Blocks(nothing, -rate, nothing), nothing + 1.0)
    >>> [f"{x:.2f}" for x in cycle[::5].ravel()], Outcome(int(search.outcome)).name
    (['0.97', '1.05', '0.95'], 'CONVERGED')
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
