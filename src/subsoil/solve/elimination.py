"""The algebra of `subsoil.solve.blocks` in JAX, for where the compiled kernel is not used.

The batch is the last axis inside, so that each step is one vector loop over columns, and the first outside:
the functions here take and give what those of `subsoil.solve.kernel` do.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

CHUNK = {"cpu": 64}
"""Columns eliminated together by platform: on a CPU as many as its cache holds."""
CHUNK_ELSEWHERE = 16384


def solve(
    lower: Float[Array, "batch layer pool"],
    diagonal: Float[Array, "batch layer pool pool"],
    upper: Float[Array, "batch layer pool"],
    rhs: Float[Array, "batch tracer layer pool"],
    *,
    transposed: bool,
) -> Float[Array, "batch tracer layer pool"]:
    """x with ``A x = rhs``, or ``A^T x = rhs``."""

    def columns(lower: Array, diagonal: Array, upper: Array, rhs: Array) -> Array:
        inverses = _eliminate(lower, diagonal, upper)
        substitute = _substitute_transposed if transposed else _substitute
        x = substitute(inverses, lower, upper, jnp.moveaxis(rhs, 0, 2))
        return jnp.moveaxis(x, 2, 0)

    return _by_chunks(columns, lower, diagonal, upper, rhs)


def cayley(
    lower: Float[Array, "batch layer pool"],
    diagonal: Float[Array, "batch layer pool pool"],
    upper: Float[Array, "batch layer pool"],
    start: Float[Array, "batch layer pool"],
    shifts: Float[Array, " shift"],
    weights: Float[Array, "shift step time"],
    project: Float[Array, "batch group layer pool"],
) -> Float[Array, "batch group layer time"]:
    """Weighted sums of the chains of ``subsoil.solve.blocks.cayley``."""

    def columns(lower: Array, diagonal: Array, upper: Array, start: Array, project: Array) -> Array:
        def chain(total: Array, turn: tuple[Array, Array]) -> tuple[Array, None]:
            shift, weight = turn
            below, block, above = _shifted(shift, lower, diagonal, upper)
            links = _links(shift, _eliminate(below, block, above), below, above, start, weight.shape[0])
            return total + jnp.tensordot(weight, jnp.sum(project * links[:, None], axis=3), (0, 0)), None

        nothing = jnp.zeros((weights.shape[2], *project.shape[:2], project.shape[-1]))
        return jnp.moveaxis(jax.lax.scan(chain, nothing, (shifts, weights))[0], 0, 2)

    return _by_chunks(columns, lower, diagonal, upper, start, project)


def cayley_adjoint(
    lower: Float[Array, "batch layer pool"],
    diagonal: Float[Array, "batch layer pool pool"],
    upper: Float[Array, "batch layer pool"],
    start: Float[Array, "batch layer pool"],
    shifts: Float[Array, " shift"],
    weights: Float[Array, "shift step time"],
    project: Float[Array, "batch group layer pool"],
    cotangent: Float[Array, "batch group layer time"],
) -> tuple[Array, ...]:
    """Cotangents of lower, diagonal, upper, start and project, [batch, ...].

    Backwards over the links of a chain, with w the cotangent of q_j and v = (p - A)^-T w: A gets
    ``v (q_j + q_{j-1})^T`` and q_{j-1} gets ``2 p v - w``; at the first link ``v q_1^T``, and start ``p v``.
    """

    def columns(
        lower: Array, diagonal: Array, upper: Array, start: Array, project: Array, cotangent: Array
    ) -> tuple[Array, ...]:
        def chain(total: tuple[Array, ...], turn: tuple[Array, Array]) -> tuple[tuple[Array, ...], None]:
            shift, weight = turn
            below, block, above = _shifted(shift, lower, diagonal, upper)
            inverses = _eliminate(below, block, above)
            links = _links(shift, inverses, below, above, start, weight.shape[0])
            nothing = jnp.zeros_like(start[:1])

            def back(carry: tuple[Array, ...], link: tuple[Array, ...]) -> tuple[tuple[Array, ...], None]:
                w, *sums = carry
                gain, pull, q, pair = link
                w = w + jnp.sum(project * pull[:, :, None], axis=0)
                v = _substitute_transposed(inverses, below, above, w[:, :, None])[:, :, 0]
                new = (
                    v * jnp.concatenate([nothing, pair[:-1]]),
                    v[:, :, None] * pair[:, None],
                    v * jnp.concatenate([pair[1:], nothing]),
                    pull[:, :, None] * q,
                )
                sums = [s + n for s, n in zip(sums, new, strict=True)]
                return (gain * shift * v - (gain - 1.0) * w, *sums), None

            pulls = jnp.tensordot(weight, cotangent, (1, 2))  # step, group, layer, column
            pairs = jnp.concatenate([links[:1], links[1:] + links[:-1]])
            turns = (_gains(weight.shape[0]), pulls, links, pairs)
            first: tuple[Array, ...] = (jnp.zeros_like(start), *total[1:])
            w, *sums = jax.lax.scan(back, first, turns, reverse=True)[0]
            return (total[0] + w, *sums), None

        zero = tuple(jnp.zeros_like(x) for x in (start, lower, diagonal, upper, project))
        to_start, *to_blocks, to_project = jax.lax.scan(chain, zero, (shifts, weights))[0]
        return (*to_blocks, to_start, to_project)

    return _by_chunks(columns, lower, diagonal, upper, start, project, cotangent)


def _by_chunks(function: Callable[..., Any], *arrays: Array) -> Any:
    """``function`` over chunks that fit the cache; columns are the first axis outside, the last inside."""
    columns = arrays[0].shape[0]
    most = CHUNK.get(jax.default_backend(), CHUNK_ELSEWHERE)
    size = next((n for n in range(min(most, columns), most // 2, -1) if columns % n == 0), 0)
    if not size:  # no divisor near: spread columns evenly over chunks and repeat a few of the last
        size = max(1, -(-columns // max(1, -(-columns // most))))
    chunks = -(-columns // size)

    def inside(parts: tuple[Array, ...]) -> Any:
        out = function(*(jnp.moveaxis(x, 0, -1) for x in parts))
        return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), out)

    if chunks == 1:
        return inside(arrays)
    extra = chunks * size - columns
    if extra:
        arrays = tuple(jnp.concatenate([x, jnp.repeat(x[-1:], extra, axis=0)]) for x in arrays)
    out = jax.lax.map(inside, tuple(x.reshape(chunks, size, *x.shape[1:]) for x in arrays))
    return jax.tree.map(lambda x: x.reshape(chunks * size, *x.shape[2:])[:columns], out)


def _invert(matrix: Array) -> Array:
    """Inverse of [pool, pool, column] by Gauss-Jordan without pivots; a loop compiles in half the time."""

    def turn(k: Array, matrix: Array) -> Array:
        pivot = (jnp.arange(matrix.shape[0]) == k)[:, None]
        row, column = (jax.lax.dynamic_index_in_dim(matrix, k, axis, keepdims=False) for axis in (0, 1))
        reciprocal = 1.0 / jax.lax.dynamic_index_in_dim(row, k, 0, keepdims=False)
        row = row * reciprocal
        rest = jnp.where(pivot[:, None], row[None], matrix - column[:, None] * row[None])
        return jnp.where(pivot[None], jnp.where(pivot, reciprocal, -column * reciprocal)[:, None], rest)

    return jax.lax.fori_loop(0, matrix.shape[0], turn, matrix)


def _apply(matrix: Array, x: Array) -> Array:
    """Product of [pool, pool, column] and [pool, tracer, column]."""
    return jnp.sum(matrix[:, :, None] * x[None], axis=1)


def _eliminate(lower: Array, diagonal: Array, upper: Array) -> Array:
    """Inverses of the pivots ``S_l``, [layer, pool, pool, column]."""

    def step(inverse: Array, layer: tuple[Array, ...]) -> tuple[Array, Array]:
        own, from_above, block = layer
        inverse = _invert(block - own[:, None] * inverse * from_above)
        return inverse, inverse

    before = jnp.concatenate([jnp.zeros_like(upper[:1]), upper[:-1]])
    return jax.lax.scan(step, jnp.zeros_like(diagonal[0]), (lower, before, diagonal))[1]


def _substitute(inverses: Array, lower: Array, upper: Array, rhs: Array) -> Array:
    """x from the inverted pivots, rhs [layer, pool, tracer, column]."""

    def down(z: Array, layer: tuple[Array, ...]) -> tuple[Array, Array]:
        inverse, own, y = layer
        z = _apply(inverse, y - own[:, None] * z)
        return z, z

    def up(x: Array, layer: tuple[Array, ...]) -> tuple[Array, Array]:
        inverse, own, z = layer
        x = z - _apply(inverse, own[:, None] * x)
        return x, x

    nothing = jnp.zeros_like(rhs[0])
    z = jax.lax.scan(down, nothing, (inverses, lower, rhs))[1]
    return jax.lax.scan(up, nothing, (inverses, upper, z), reverse=True)[1]


def _substitute_transposed(inverses: Array, lower: Array, upper: Array, rhs: Array) -> Array:
    """As `_substitute` for the transposed matrix: its pivots are the same, transposed."""
    below = jnp.concatenate([jnp.zeros_like(upper[:1]), upper[:-1]])
    above = jnp.concatenate([lower[1:], jnp.zeros_like(lower[:1])])
    return _substitute(jnp.swapaxes(inverses, 1, 2), below, above, rhs)


def _shifted(shift: Array, lower: Array, diagonal: Array, upper: Array) -> tuple[Array, Array, Array]:
    """Blocks of ``p I - A``."""
    return -lower, shift * jnp.eye(diagonal.shape[1])[:, :, None] - diagonal, -upper


def _links(
    shift: Array, inverses: Array, below: Array, above: Array, start: Array, steps: int
) -> Float[Array, "step layer pool column"]:
    def step(q: Array, gain: Array) -> tuple[Array, Array]:
        x = _substitute(inverses, below, above, q[:, :, None])[:, :, 0]
        q = gain * shift * x - (gain - 1.0) * q  # the gain is 1 at the start, then 2
        return q, q

    return jax.lax.scan(step, start, _gains(steps))[1]


def _gains(steps: int) -> Float[Array, " step"]:
    return jnp.full(steps, 2.0).at[0].set(1.0)
