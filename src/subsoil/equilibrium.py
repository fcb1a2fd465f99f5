"""A soil column at rest under a forcing, and everything that follows from it: label, ages, 13C, 14C by depth.

A model at rest is linear whatever the model: what rides on its carbon moves at the rates of the steady state.
Linear and microbial models therefore share all that comes after `at_rest`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.forcing import Forcing
from subsoil.models.model import (
    Equations,
    FirstGuess,
    Fluxes,
    Model,
    Values,
    annual_fluxes,
    check_fluxes,
    operator,
)
from subsoil.solve.ages import (
    AgeDistribution,
    age_distribution,
    label_after,
    label_error,
    label_response,
    mean_age,
    steady,
)
from subsoil.solve.blocks import Blocks, residual
from subsoil.solve.exponential import Windows
from subsoil.solve.steady import Outcome, steady_state
from subsoil.solve.transient import System
from subsoil.tracers import Tracer

WORST_RESIDUAL = 1e-10
"""A linear steady state whose relative residual is larger is not one."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Equilibrium(NamedTuple):
    """A column at rest: its fluxes, its operator A, its carbon (kg m-2 a layer) and how that was found.

    outcome: a number of `subsoil.solve.steady.Outcome`; carbon is NaN where it is not finite.
    """

    fluxes: Fluxes
    blocks: Blocks
    carbon: Float[Array, "*batch layer pool"]
    outcome: Int[Array, "*batch"]

    def label(self, years: ArrayLike, shifts: str = "standard") -> Float[Array, "*batch layer year"]:
        """f_new of each layer, ``years`` after the label was switched on. See `label_response`."""
        return _label(self.blocks, self.fluxes.inputs, _fixed(years), shifts)

    def label_after(self, years: ArrayLike) -> Float[Array, "*batch layer"]:
        """f_new of each layer where every column has its own labelling time, years [batch]: `label_after`.

        Raises BadCall for negative or infinite years, or not one for each column.
        """
        times = np.asarray(years, dtype=float)
        if times.shape != self.carbon.shape[:-2] or not (np.isfinite(times) & (times >= 0.0)).all():
            raise BadCall(f"one labelling time of 0 yr or more for each of the columns, got {times}")
        return _label_after(self.blocks, self.fluxes.inputs, times)

    def label_error(self, years: ArrayLike) -> Float[Array, "*batch"]:
        """Error of `label`, by comparison with finer shifts."""
        return _error(self.blocks, self.fluxes.inputs, _fixed(years))

    def ages(self, part: str = "carbon", whole: bool = False, shifts: str = "fine") -> AgeDistribution:
        """Distribution of age: of the ``carbon`` of each layer, of each of its ``pools``, or of its ``co2``.

        whole: of the column instead of its layers; that of the co2 is the transit time where nothing leaches.
        Raises BadCall for another part.
        """
        return _ages(self.blocks, self.carbon, self._project(part), shifts, whole)

    def mean_age(self, part: str = "carbon", whole: bool = False) -> Float[Array, "*batch group layer"]:
        """Mean age, yr, of the same parts."""
        return _mean_age(self.blocks, self.carbon, self._project(part), whole=whole)

    def content(
        self, tracer: Tracer, pools: tuple[str, ...], ages: ArrayLike, signature: ArrayLike
    ) -> Float[Array, "*batch layer pool"]:
        """Content of a tracer in carbon, relative to its standard, after a history of its source.

            X = sum over bins of age of signature * (G(young end) - G(old end)),   G(a) = exp(A* a) C*

        with A* the tracer's operator and C* its steady state under a signature of 1. ages: ends of the bins,
        yr before sampling, from 0 up [bin + 1]; signature: mean of the source's content in each bin, and last
        that of all older time [bin + 1]. Returns X / C, which is not a number in a pool without carbon.

        For a decaying tracer the source's content is absolute, not F14C: see `subsoil.tracers.RADIOCARBON`.
        Within a bin the source counts as constant: bins of a year for a bomb curve. Raises BadCall for ages
        that do not rise from 0, or not one signature for each bin and for all before.
        """
        edges, entering = np.asarray(ages, dtype=float), jnp.asarray(signature)
        rising = edges.ndim == 1 and edges.size > 1 and edges[0] == 0.0 and bool((np.diff(edges) > 0.0).all())
        if not rising or entering.shape != edges.shape:
            raise BadCall(
                "a history wants ages that rise from 0 and a signature of each bin and of all before"
            )
        return (
            _content(tracer.ride(self.fluxes, pools), self.fluxes.inputs, entering, _fixed(edges))
            / self.carbon
        )

    def _project(self, part: str) -> Float[Array, "*batch group layer pool"]:
        layers, pools = self.carbon.shape[-2:]
        if part == "carbon":
            return jnp.ones((1, layers, pools))
        if part == "pools":
            return jnp.broadcast_to(jnp.eye(pools)[:, None, :], (pools, layers, pools))
        if part == "co2":
            return self.fluxes.respiration[..., None, :, :]
        raise BadCall(f"ages are of carbon, pools or co2, got {part!r}")


_label = jax.jit(label_response, static_argnames=("years", "shifts"))
_label_after = jax.jit(label_after)
_error = jax.jit(label_error, static_argnames="years")
_ages = jax.jit(age_distribution, static_argnames=("shifts", "whole"))
_mean_age = jax.jit(mean_age, static_argnames="whole")


@partial(jax.jit, static_argnames="edges")
def _content(blocks: Blocks, inputs: Array, signature: Array, edges: tuple[float, ...]) -> Array:
    """Tracer that arrived in every bin of age and is still there: [batch, layer, pool]."""
    alone = steady(blocks, inputs)
    layers, pools = alone.shape[-2:]
    each = jnp.broadcast_to(jnp.eye(pools)[:, None, :], (pools, layers, pools))
    windows = Windows.spanning(edges[1], edges[-1])
    left = windows.at(blocks, alone, each, edges)
    arrived = left - jnp.concatenate([left[..., 1:], jnp.zeros_like(left[..., :1])], axis=-1)
    return jnp.moveaxis(arrived @ signature, -2, -1)


def _fixed(numbers: ArrayLike) -> tuple[float, ...]:
    """Numbers that a compiled function is made for."""
    return tuple(np.ravel(np.asarray(numbers, dtype=float)).tolist())


def at_rest(
    model: Model, forcing: Forcing, grid: DepthGrid | None = None, batch: bool = False
) -> Equilibrium:
    """The steady state of a model under a forcing; with ``batch`` of many columns at once.

    batch: the first axis of every field of the forcing, and of every value of the model that has an axis,
    counts columns (`subsoil.forcing.stack`). Compiled once for each model and grid.

    Raises BadCall for a forcing of other layers, and for fluxes that no soil has: negative or missing rates,
    transfers above 1, a pool that nothing leaves. A nonlinear model that finds no steady state says so in
    ``outcome``, column by column.
    """
    found = _at_rest(model, forcing, grid or model.grid, batch)
    check_fluxes(model, found.fluxes, found.outcome)
    return found


def _at_rest(model: Model, forcing: Forcing, grid: DepthGrid, batch: bool) -> Equilibrium:
    """The same, its fluxes not looked at yet."""
    layers = jnp.shape(forcing.temperature)[-1]
    if layers != len(grid):
        raise BadCall(
            f"{model.name}: the forcing has {layers} layers, the grid {len(grid)}; make it on model.grid"
        )
    axes = tuple(
        (name, 0 if batch and jnp.ndim(value) else None) for name, value in sorted(model.values.items())
    )
    return _solver(model.equations, model.first_guess, model.linear, grid, batch, axes)(
        dict(model.values), forcing
    )


def resting(
    model: Model, forcing: Forcing, reasons: list[str], chunk: int = 128
) -> Iterator[tuple[Int[np.ndarray, " column"], Equilibrium]]:
    """Chunk by chunk the columns of a batch that can be computed, their positions and their rest.

    reasons: for each column why it shall not be computed, or ""; why a column cannot be is written there, and
    the others go on. Each chunk has the same length, so that the model is compiled once: an `Equilibrium`
    has more columns than there are positions, copies of them that fill it up.

    Raises BadCall for a single column that cannot be computed, and where no column can.
    """
    wanted = np.flatnonzero([not why for why in reasons])
    length = min(chunk, max(len(wanted), 1))
    for start in range(0, len(wanted), length):
        here = wanted[start : start + length]
        rest = _part(model, forcing, np.resize(here, length))
        try:
            check_fluxes(model, rest.fluxes, rest.outcome)
        except BadCall as wrong:
            if len(reasons) == 1:
                raise
            for row, column in enumerate(here):
                reasons[column] = _refusal(model, rest, row)
            good = np.flatnonzero([not reasons[column] for column in here])
            if not len(good) and all(reasons):
                raise BadCall(f"every column is refused; the first: {reasons[0]}") from wrong
            if not len(good):
                continue
            here, fill = here[good], np.resize(good, length)
            rest = jax.tree.map(lambda field, fill=fill: field[fill], rest)
        yield here, rest
    if not len(wanted):
        alone = len(reasons) == 1
        raise BadCall(reasons[0] if alone else f"no column can be computed; the first: {reasons[0]}")


def _part(model: Model, forcing: Forcing, rows: np.ndarray) -> Equilibrium:
    values = {
        name: np.asarray(value)[rows] if np.ndim(value) else value for name, value in model.values.items()
    }
    part = jax.tree.map(lambda field: jnp.asarray(field)[rows], forcing)
    return _at_rest(replace(model, values=values), part, model.grid, batch=True)


def _refusal(model: Model, rest: Equilibrium, row: int) -> str:
    """Why the fluxes of one column of a batch are refused, or ""."""
    try:
        check_fluxes(model, jax.tree.map(lambda rate: np.asarray(rate)[row], rest.fluxes), rest.outcome[row])
    except BadCall as why:
        return str(why)
    return ""


def sweep(
    model: Model,
    forcing: Forcing,
    answer: Callable[[Equilibrium], Any],
    grid: DepthGrid | None = None,
    chunk: int = 2048,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """What ``answer`` takes from each of many columns at rest, a chunk of them in memory at a time.

    answer: arrays from the `Equilibrium` of a chunk, its first axis columns, as ``lambda rest:
    rest.label([50.0])``; take ``rest.outcome`` along to see columns that found no rest. progress: called with
    columns done and columns in all. Compiled once for each answer, so pass the same function again.

    >>> from subsoil.forcing import site_forcing, stack
    >>> from subsoil.models.catalogue import model
    >>> one = model("onepool")
    >>> sites = stack([site_forcing(one.grid, mat=10, map_mm=800)] * 3)
    >>> sweep(one, sites, lambda rest: rest.label([50.0]), chunk=2).shape
    (3, 13, 1)
    """
    grid = grid or model.grid
    columns = jnp.shape(forcing.litter)[0]
    solver = _sweeper(model.equations, model.first_guess, model.linear, grid, answer)
    size, parts = min(chunk, columns), []
    for first in range(0, columns, size):
        last = min(first + size, columns)
        rows = np.minimum(np.arange(first, first + size), columns - 1)  # the last chunk is filled up
        part = solver(
            dict(model.values), jax.tree.map(lambda field, rows=rows: np.asarray(field)[rows], forcing)
        )
        parts.append(jax.tree.map(np.asarray, part))
        if progress:
            progress(last, columns)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays)[:columns], *parts)


def solve_at_rest(
    equations: Equations,
    first_guess: FirstGuess | None,
    linear: bool,
    grid: DepthGrid,
    values: Values,
    forcing: Forcing,
) -> Equilibrium:
    """One column, traced: what `at_rest` compiles and what a calibration differentiates."""
    if linear:
        fluxes = annual_fluxes(equations, values, forcing, grid)
        blocks = operator(fluxes)
        carbon = steady(blocks, fluxes.inputs)
        close = residual(blocks, carbon, -fluxes.inputs) < WORST_RESIDUAL
        outcome = jnp.where(close, int(Outcome.CONVERGED), int(Outcome.NOT_FINITE))
        return Equilibrium(fluxes, blocks, carbon, outcome)

    def system(carbon: Array) -> System:
        fluxes = annual_fluxes(equations, values, forcing, grid, carbon)
        return System(operator(fluxes), fluxes.inputs, fluxes.respiration)

    assert first_guess is not None
    found = steady_state(system, first_guess(values, forcing, grid))
    fluxes = annual_fluxes(equations, values, forcing, grid, found.carbon)
    return Equilibrium(fluxes, operator(fluxes), found.carbon, found.outcome)


@lru_cache(maxsize=256)
def _solver(
    equations: Equations,
    first_guess: FirstGuess | None,
    linear: bool,
    grid: DepthGrid,
    batch: bool,
    axes: tuple[tuple[str, int | None], ...],
) -> Any:
    """Compiled once for each model, grid and kind of call."""

    def solve_one(values: Values, forcing: Forcing) -> Equilibrium:
        return solve_at_rest(equations, first_guess, linear, grid, values, forcing)

    return jax.jit(jax.vmap(solve_one, in_axes=(dict(axes), 0)) if batch else solve_one)


@lru_cache(maxsize=64)
def _sweeper(
    equations: Equations,
    first_guess: FirstGuess | None,
    linear: bool,
    grid: DepthGrid,
    answer: Callable[[Equilibrium], Any],
) -> Any:
    def solve_chunk(values: Values, forcing: Forcing) -> Any:
        each = jax.vmap(lambda one: solve_at_rest(equations, first_guess, linear, grid, values, one))
        return answer(each(forcing))

    return jax.jit(solve_chunk)
