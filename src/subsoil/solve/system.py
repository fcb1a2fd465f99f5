"""What a model states at one moment, its tendency u + A(C) C with the Jacobian, and one implicit step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from subsoil.solve.blocks import Blocks, multiply, solve


class System(NamedTuple):
    """What a model states at one moment: operator, inputs (kg m-2 yr-1) and rates counted as loss (1/yr).

    Each may carry a tracer axis before the layers; row 0 is then total carbon.
    """

    blocks: Blocks
    inputs: Float[Array, "*tracer layer pool"]
    loss: Float[Array, "*tracer layer pool"]


def implicit_step(
    blocks: Blocks,
    inputs: Float[Array, "*batch layer pool"],
    state: Float[Array, "*batch layer pool"],
    dt: Any,
) -> Float[Array, "*batch layer pool"]:
    """State after one implicit Euler step of ``dt`` years: (I - dt A) X1 = X0 + dt u.

    Never negative for a compartmental A, u and X0 that are not.

    >>> one = Blocks(jnp.zeros((1, 1)), -jnp.ones((1, 1, 1)), jnp.zeros((1, 1)))
    >>> implicit_step(one, jnp.zeros((1, 1)), jnp.ones((1, 1)), 1.0).tolist()
    [[0.5]]
    """
    unit = jnp.eye(jnp.shape(state)[-1])
    shifted = Blocks(-dt * blocks.lower, unit - dt * blocks.diagonal, -dt * blocks.upper)
    return solve(shifted, state + dt * inputs)


def jacobian(
    system: Callable[[Array], System], carbon: Float[Array, "layer pool"]
) -> tuple[System, Float[Array, "layer pool"], Blocks]:
    """The system at ``carbon``, its tendency f = u + A(C) C, and the Jacobian df/dC, block-tridiagonal.

    One derivative a pool is taken, in all layers at once: reactions stay within their layer and transport
    does not depend on carbon, so that what its neighbours add to a layer's derivative is known, and taken
    off. ``system`` has no tracer axis. A model whose transport depends on carbon gets a wrong Jacobian.

    >>> def crowded(c):
    ...     zero = jnp.zeros((1, 1))
    ...     return System(Blocks(zero, -c[..., None], zero), zero + 1.0, zero)
    >>> _, f, slope = jacobian(crowded, jnp.full((1, 1), 3.0))
    >>> f.tolist(), slope.diagonal.tolist()
    ([[-8.0]], [[[-6.0]]])
    """
    unit = jnp.eye(carbon.shape[-1])

    def tendency(c: Array) -> tuple[Array, System]:
        here = system(c)
        return here.inputs + multiply(here.blocks, c), here

    f, push, here = jax.linearize(tendency, carbon, has_aux=True)
    columns = jax.vmap(lambda e: push(jnp.broadcast_to(e, carbon.shape)))(unit)
    lower, _, upper = here.blocks
    known = lower.at[..., 0, :].set(0.0) + upper.at[..., -1, :].set(0.0)
    return here, f, Blocks(lower, jnp.moveaxis(columns, 0, -1) - unit * known[..., None], upper)
