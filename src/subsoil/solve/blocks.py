"""Block-tridiagonal algebra of a soil column: solve it, and make chains of its Cayley transforms.

The operator of one column is ``dC/dt = u + A C`` with the state C [layer, pool]. Carbon moves between layers
within its pool only, so the blocks beside the diagonal are diagonal matrices and are kept as vectors. A of a
linear model is a compartmental matrix, its columns diagonally dominant, so elimination needs no pivots; for a
Jacobian of a nonlinear model `residual` tells whether that held.

Elimination runs down the layers: ``S_l = D_l - lower_l S_{l-1}^-1 upper_{l-1}``, each S inverted by
Gauss-Jordan (block Thomas; Golub and Van Loan 2013, Matrix Computations, section 4.5.1). Derivatives come
from one solve with the transpose, not from the elimination. Two backends stand under each function: JAX, and
a compiled kernel on a CPU; see `use`.
"""

import os
from collections.abc import Callable
from functools import cache
from math import prod
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_batching import custom_vmap
from jaxtyping import Float

from subsoil.errors import BadCall
from subsoil.solve import elimination, kernel

jax.config.update("jax_enable_x64", True)

BACKENDS = ("auto", "compiled", "jax")

_chosen = os.environ.get("SUBSOIL_BACKEND", "auto")


class Blocks(NamedTuple):
    """Operator A of a soil column; leading batch axes are allowed on every part and broadcast.

    All in 1/yr: ``lower[l]`` is the rate into layer l from l-1, ``diagonal[l]`` holds the rates within
    layer l as [to, from], ``upper[l]`` is the rate into layer l from l+1. ``lower[0]`` and ``upper[-1]``
    have no effect, whatever finite numbers they hold.
    """

    lower: Float[Array, "*batch layer pool"]
    diagonal: Float[Array, "*batch layer pool pool"]
    upper: Float[Array, "*batch layer pool"]


def use(name: str) -> None:
    """Choose the backend: ``"auto"``, ``"compiled"`` or ``"jax"``. Compiled functions of JAX are forgotten.

    Raises BadCall for another name.

    >>> use("auto")
    """
    global _chosen
    if name not in BACKENDS:
        raise BadCall(f"the backend is one of {', '.join(BACKENDS)}, got {name!r}")
    if name != _chosen:
        _chosen = name
        jax.clear_caches()  # the choice is taken when a function is traced


def backend() -> str:
    """Backend in use, ``"compiled"`` or ``"jax"``.

    ``"auto"`` is compiled where JAX computes on a CPU and the kernel loads. Raises BadCall where
    ``"compiled"`` was asked for and cannot be had.
    """
    if _chosen not in BACKENDS:
        raise BadCall(f"SUBSOIL_BACKEND is one of {', '.join(BACKENDS)}, got {_chosen!r}")
    if _chosen == "jax":
        return "jax"
    missing = kernel.why() if jax.default_backend() == "cpu" else "JAX computes on an accelerator"
    if missing and _chosen == "compiled":
        raise BadCall(f"the compiled backend cannot be used: {missing}")
    return "jax" if missing else "compiled"


def transpose(blocks: Blocks) -> Blocks:
    """Blocks of the transposed matrix.

    >>> blocks = Blocks(jnp.zeros((2, 1)), -jnp.ones((2, 1, 1)), jnp.asarray([[3.0], [0.0]]))
    >>> transpose(blocks).lower.tolist()
    [[0.0], [3.0]]
    """
    return Blocks(_below(blocks.upper), jnp.swapaxes(blocks.diagonal, -1, -2), _above(blocks.lower))


def dense(blocks: Blocks) -> Float[Array, "*batch state state"]:
    """A as one matrix, state counted layer by layer (index ``layer * pools + pool``).

    >>> blocks = Blocks(jnp.asarray([[0.0], [3.0]]), -jnp.ones((2, 1, 1)), jnp.zeros((2, 1)))
    >>> dense(blocks).tolist()
    [[-1.0, 0.0], [3.0, -1.0]]
    """
    layers, pools = jnp.shape(blocks.lower)[-2:]
    unit = jnp.eye(layers * pools).reshape(layers * pools, layers, pools)
    columns = jax.vmap(lambda x: multiply(blocks, x))(unit)
    return jnp.moveaxis(columns.reshape(*columns.shape[:-2], layers * pools), 0, -1)


def multiply(
    blocks: Blocks, x: Float[Array, "*batch layer pool"], *, magnitude: bool = False
) -> Float[Array, "*batch layer pool"]:
    """``A x``; with ``magnitude`` ``|A| |x|``, the scale of its round-off.

    ``x`` may carry a tracer axis before the layers, as in `solve`.

    >>> blocks = Blocks(jnp.asarray([[0.0], [3.0]]), -jnp.ones((2, 1, 1)), jnp.zeros((2, 1)))
    >>> multiply(blocks, jnp.asarray([[1.0], [1.0]])).tolist()
    [[-1.0], [2.0]]
    """
    lower, diagonal, upper = (jnp.asarray(part) for part in blocks)
    x = jnp.asarray(x)
    if magnitude:
        lower, diagonal, upper, x = (jnp.abs(part) for part in (lower, diagonal, upper, x))
    if _has_tracers(lower, diagonal, upper, x):
        lower, diagonal, upper = lower[..., None, :, :], diagonal[..., None, :, :, :], upper[..., None, :, :]
    within = jnp.sum(diagonal * x[..., None, :], axis=-1)
    return within + lower * _below(x) + upper * _above(x)


def residual(
    blocks: Blocks, x: Float[Array, "*batch layer pool"], rhs: Float[Array, "*batch layer pool"]
) -> Float[Array, "*batch"]:
    """How well ``A x = rhs`` holds in each column: ``max |A x - rhs| / max(|A| |x| + |rhs|)`` over its state.

    About 1e-16 for a backward stable solve; inf where anything is not finite. A tracer axis is kept.

    >>> blocks = Blocks(jnp.zeros((1, 1)), -jnp.ones((1, 1, 1)), jnp.zeros((1, 1)))
    >>> float(residual(blocks, jnp.ones((1, 1)), jnp.ones((1, 1))))
    1.0
    """
    rhs = jnp.asarray(rhs)
    error = jnp.max(jnp.abs(multiply(blocks, x) - rhs), axis=(-1, -2))
    scale = jnp.max(multiply(blocks, x, magnitude=True) + jnp.abs(rhs), axis=(-1, -2))
    relative = error / jnp.where(scale == 0.0, 1.0, scale)
    return jnp.where(jnp.isfinite(relative) & jnp.isfinite(scale), relative, jnp.inf)


def solve(
    blocks: Blocks, rhs: Float[Array, "*batch layer pool"] | Float[Array, "*batch tracer layer pool"]
) -> Float[Array, "*batch layer pool"] | Float[Array, "*batch tracer layer pool"]:
    """x with ``A x = rhs``.

    Batch axes of ``blocks`` and ``rhs`` broadcast. An axis of ``rhs`` more than ``blocks`` have, just before
    the layers, counts tracers: they share one elimination, and each gets the same bits as alone.
    Differentiable in both (reverse mode); a vmapped axis becomes part of one batched call. Raises BadCall for
    shapes that do not fit.

    A is taken to be stable without pivots, as compartmental matrices are; ask `residual` where it may not be.

    >>> blocks = Blocks(jnp.asarray([[0.0], [1.0]]), -jnp.ones((2, 1, 1)), jnp.zeros((2, 1)))
    >>> solve(blocks, jnp.asarray([[-1.0], [0.0]])).tolist()
    [[1.0], [1.0]]
    """
    blocks, batch = _door(blocks)
    rhs = jnp.asarray(rhs)
    _want(not jnp.iscomplexobj(rhs), "rhs wants real numbers: solve its two parts as tracers")
    _want(rhs.ndim >= 2 and rhs.shape[-2:] == blocks.lower.shape[-2:], "rhs", blocks, rhs)
    tracers = rhs.ndim == len(batch) + 3
    _want(rhs.ndim <= len(batch) + 3, "rhs has more axes than batch, tracer, layer, pool:", blocks, rhs)
    if not tracers:
        rhs = rhs[..., None, :, :]
    batch = _broadcast(batch, rhs.shape[:-3])
    x = _solve(*_flat(blocks, batch), _rows(rhs, batch, 3))
    x = x.reshape(batch + x.shape[1:])
    return x if tracers else x[..., 0, :, :]


def cayley(
    blocks: Blocks,
    start: Float[Array, "*batch layer pool"],
    shifts: Float[Array, " shift"],
    weights: Float[Array, "shift step time"],
    project: Float[Array, "*batch group layer pool"],
) -> Float[Array, "*batch group layer time"]:
    """Sums ``sum_sj weights[s, j, t] sum_p project[g, l, p] q_sj[l, p]`` over the chain of each shift p_s:

        q_s1 = p_s (p_s - A)^-1 start,    q_sj = (p_s + A) (p_s - A)^-1 q_s,j-1

    One elimination serves a chain; its links stay as large as the start, since the transform of a rate x,
    (p - x) / (p + x), is at most 1. Label response, ages and transit times are such sums
    (`subsoil.solve.exponential`). Shifts are positive, in 1/yr; ``project`` and ``weights`` are without unit.
    Batch axes broadcast. Differentiable once (reverse mode) in blocks, start and project; shifts and weights
    count as constants. Raises BadCall for shapes that do not fit and for shifts that are not positive.

    >>> blocks = Blocks(jnp.zeros((1, 1)), -jnp.ones((1, 1, 1)), jnp.zeros((1, 1)))
    >>> one = jnp.ones((1, 1))
    >>> cayley(blocks, one, jnp.asarray([3.0]), jnp.eye(2)[None], one[None]).ravel().tolist()
    [0.75, 0.375]
    """
    blocks, batch = _door(blocks)
    start, shifts, weights, project = map(jnp.asarray, (start, shifts, weights, project))
    state = blocks.lower.shape[-2:]
    _want(not any(map(jnp.iscomplexobj, (start, shifts, weights, project))), "chains want real numbers")
    _want(start.ndim >= 2 and start.shape[-2:] == state, "start", blocks, start)
    _want(
        project.ndim >= 3 and project.shape[-2:] == state,
        "project wants a group axis and",
        blocks,
        project,
    )
    _want(
        shifts.ndim == 1 and weights.ndim == 3 and weights.shape[:1] == shifts.shape,
        f"chains want shifts [shift] and weights [shift, step, time], got {shifts.shape}, {weights.shape}",
    )
    if not isinstance(shifts, jax.core.Tracer):
        _want(bool((np.asarray(shifts) > 0.0).all()), f"shifts must be positive, got {shifts}")
    batch = _broadcast(batch, start.shape[:-2], project.shape[:-3])
    fixed = (jax.lax.stop_gradient(x.astype(float)) for x in (shifts, weights))
    sums = _cayley(*_flat(blocks, batch), _rows(start, batch, 2), *fixed, _rows(project, batch, 3))
    return sums.reshape(batch + sums.shape[1:])


def _want(condition: bool, message: str, blocks: Blocks | None = None, got: Any = None) -> None:
    if condition:
        return
    if blocks is not None:
        layers, pools = blocks.lower.shape[-2:]
        message += f" must end in the blocks' {layers} layers and {pools} pools, got shape {tuple(got.shape)}"
    raise BadCall(message)


def _door(blocks: Blocks) -> tuple[Blocks, tuple[int, ...]]:
    """Blocks as arrays, and their common batch shape."""
    parts = [jnp.asarray(part) for part in blocks]
    shapes = ", ".join(str(part.shape) for part in parts)
    _want(not any(jnp.iscomplexobj(part) for part in parts), "blocks want real numbers")
    lower, diagonal, upper = parts
    _want(
        lower.ndim >= 2
        and diagonal.ndim >= 3
        and lower.shape[-2:] == upper.shape[-2:] == diagonal.shape[-3:-1]
        and diagonal.shape[-1] == diagonal.shape[-2]
        and 0 not in diagonal.shape[-3:],
        f"blocks want lower and upper [layer, pool] and diagonal [layer, pool, pool], got shapes {shapes}",
    )
    return Blocks(*parts), _broadcast(lower.shape[:-2], diagonal.shape[:-3], upper.shape[:-2])


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return jnp.broadcast_shapes(*shapes)
    except ValueError:
        raise BadCall(f"batch axes {', '.join(map(str, shapes))} do not broadcast") from None


def _has_tracers(lower: Array, diagonal: Array, upper: Array, x: Array) -> bool:
    return x.ndim == max(lower.ndim, diagonal.ndim - 1, upper.ndim) + 1


def _below(x: Array) -> Array:
    """``x[l - 1]`` at layer l, 0 at the first."""
    return jnp.concatenate([jnp.zeros_like(x[..., :1, :]), x[..., :-1, :]], axis=-2)


def _above(x: Array) -> Array:
    """``x[l + 1]`` at layer l, 0 at the last."""
    return jnp.concatenate([x[..., 1:, :], jnp.zeros_like(x[..., :1, :])], axis=-2)


def _rows(x: Array, batch: tuple[int, ...], inner: int) -> Array:
    """Batch axes broadcast and merged into one."""
    own = x.shape[x.ndim - inner :]
    return jnp.broadcast_to(x.astype(float), batch + own).reshape(prod(batch), *own)


def _flat(blocks: Blocks, batch: tuple[int, ...]) -> tuple[Array, Array, Array]:
    lower, diagonal, upper = blocks
    return _rows(lower, batch, 2), _rows(diagonal, batch, 3), _rows(upper, batch, 2)


# One batch axis from here on: lower, upper [batch, layer, pool], rhs [batch, tracer, layer, pool] and so on.


@cache
def _solver(transposed: bool) -> Callable[..., Array]:
    """The solve as JAX sees it: vmapped axes join the batch, or the tracers where the matrix is shared."""

    @custom_vmap
    def solver(lower: Array, diagonal: Array, upper: Array, rhs: Array) -> Array:
        return _solve_batch(lower, diagonal, upper, rhs, transposed=transposed)

    @solver.def_vmap
    def rule(size: int, batched: list[bool], *arrays: Array) -> tuple[Array, bool]:
        if not any(batched[:3]):
            rhs = arrays[3]  # [axis, batch, tracer, ...]: the axis joins the tracers
            joined = jnp.moveaxis(rhs, 0, 1).reshape(rhs.shape[1], -1, *rhs.shape[3:])
            x = solver(*arrays[:3], joined)
            return jnp.moveaxis(x.reshape(rhs.shape[1], size, *rhs.shape[2:]), 1, 0), True
        x = solver(*_join(size, batched, arrays))
        return x.reshape(size, -1, *x.shape[1:]), True

    return solver


def _join(size: int, batched: list[bool], arrays: tuple[Array, ...]) -> list[Array]:
    """A new leading axis of ``size`` merged with the batch axis, in every array."""
    whole = _spread(size, batched, arrays)
    return [x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]) for x in whole]


def _spread(size: int, batched: list[bool], arrays: tuple[Array, ...]) -> list[Array]:
    pairs = zip(arrays, batched, strict=True)
    return [x if own else jnp.broadcast_to(x, (size, *x.shape)) for x, own in pairs]


@jax.custom_vjp
def _solve(lower: Array, diagonal: Array, upper: Array, rhs: Array) -> Array:
    return _solver(False)(lower, diagonal, upper, rhs)


def _solve_forward(
    lower: Array, diagonal: Array, upper: Array, rhs: Array
) -> tuple[Array, tuple[Array, ...]]:
    x = _solve(lower, diagonal, upper, rhs)
    return x, (lower, diagonal, upper, x)


def _solve_backward(saved: tuple[Array, ...], cotangent: Array) -> tuple[Array, ...]:
    """``A^T w = cotangent``: the cotangent of rhs is w, that of A is ``-w x^T`` on its blocks."""
    lower, diagonal, upper, x = saved
    w = _adjoint_solve(lower, diagonal, upper, cotangent)
    return (
        -jnp.sum(w * _below(x), axis=1),
        -jnp.sum(w[..., :, None] * x[..., None, :], axis=1),
        -jnp.sum(w * _above(x), axis=1),
        w,
    )


_solve.defvjp(_solve_forward, _solve_backward)


@jax.custom_vjp
def _adjoint_solve(lower: Array, diagonal: Array, upper: Array, rhs: Array) -> Array:
    return _solver(True)(lower, diagonal, upper, rhs)


def _adjoint_forward(
    lower: Array, diagonal: Array, upper: Array, rhs: Array
) -> tuple[Array, tuple[Array, ...]]:
    w = _adjoint_solve(lower, diagonal, upper, rhs)
    return w, (lower, diagonal, upper, w)


def _adjoint_backward(saved: tuple[Array, ...], cotangent: Array) -> tuple[Array, ...]:
    """As `_solve_backward` with A and its transpose exchanged, for second derivatives."""
    lower, diagonal, upper, w = saved
    x = _solve(lower, diagonal, upper, cotangent)
    return (
        -jnp.sum(w * _below(x), axis=1),
        -jnp.sum(w[..., :, None] * x[..., None, :], axis=1),
        -jnp.sum(w * _above(x), axis=1),
        x,
    )


_adjoint_solve.defvjp(_adjoint_forward, _adjoint_backward)


def _chains_rule(function: Callable[..., Any]) -> Callable[..., Any]:
    """Vmapped axes join the batch; a batch of shifts or weights runs one after the other."""
    mapped = custom_vmap(function)

    @mapped.def_vmap
    def rule(size: int, batched: list[bool], *arrays: Array) -> tuple[Any, Any]:
        if any(batched[4:6]):
            out = jax.lax.map(lambda turn: mapped(*turn), tuple(_spread(size, batched, arrays)))
        else:
            joined = _join(size, batched[:4] + batched[6:], arrays[:4] + arrays[6:])
            out = mapped(*joined[:4], *arrays[4:6], *joined[4:])
            out = jax.tree.map(lambda x: x.reshape(size, -1, *x.shape[1:]), out)
        return out, jax.tree.map(lambda x: True, out)

    return mapped


@jax.custom_vjp
def _cayley(*arrays: Array) -> Array:
    return _cayley_batch(*arrays)


def _cayley_forward(*arrays: Array) -> tuple[Array, tuple[Array, ...]]:
    return _cayley_batch(*arrays), arrays


def _cayley_backward(saved: tuple[Array, ...], cotangent: Array) -> tuple[Array, ...]:
    lower, diagonal, upper, start, project = _cayley_adjoint_batch(*saved, cotangent)
    return lower, diagonal, upper, start, jnp.zeros_like(saved[4]), jnp.zeros_like(saved[5]), project


_cayley.defvjp(_cayley_forward, _cayley_backward)


@jax.jit(static_argnames="transposed")
def _solve_batch(lower: Array, diagonal: Array, upper: Array, rhs: Array, *, transposed: bool) -> Array:
    return _algebra().solve(lower, diagonal, upper, rhs, transposed=transposed)


@_chains_rule
@jax.jit
def _cayley_batch(*arrays: Array) -> Array:
    return _algebra().cayley(*arrays)


@_chains_rule
@jax.jit
def _cayley_adjoint_batch(*arrays: Array) -> tuple[Array, ...]:
    return _algebra().cayley_adjoint(*arrays)


def _algebra() -> ModuleType:
    return kernel if backend() == "compiled" else elimination
