"""The laws that every soil model holds, as checks that anyone can run on their own: `check_contract`.

A model states rates; that carbon closes, that a label stays between 0 and 1, that its answer is the age
distribution of the carbon, that parameters have derivatives, that thinner layers come to the same soil, must
then be so. Each law is one function; what it finds is a row, passed or not, with the number that decides.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import expm

from subsoil.depth import DepthGrid, remap
from subsoil.equilibrium import Equilibrium, at_rest, solve_at_rest
from subsoil.forcing import Forcing, site_forcing, stack
from subsoil.models.model import Model, operator, tendency
from subsoil.solve.blocks import dense
from subsoil.solve.steady import Outcome
from subsoil.tracers import Tracer

YEARS = (1.0, 10.0, 50.0, 200.0, 1000.0, 3000.0)

ENOUGH_LAYERS = 16
"""Layers from which a grid is refined: with fewer the order of a scheme does not show."""

FIVE_POINTS = (-2.0, -1.0, 1.0, 2.0)
"""Steps of a difference of fourth order."""

Column = Callable[[DepthGrid], Forcing]
"""A site: its forcing on any grid."""


def temperate(grid: DepthGrid) -> Forcing:
    """A temperate woodland on loam."""
    return site_forcing(grid, mat=11.0, map_mm=800.0, p_pet=1.1, clay=0.22, sand=0.4, npp=0.5, wood=0.2)


def cold(grid: DepthGrid) -> Forcing:
    """A cold, wet soil that freezes below the thaw depth: where rules for frost and lack of oxygen act."""
    forcing = site_forcing(
        grid, mat=1.0, map_mm=450.0, p_pet=1.3, clay=0.15, sand=0.5, npp=0.3, wood=0.3, thaw_depth=1.2
    )
    depth = jnp.asarray(grid.centre)
    oxygen = jnp.where(depth > 0.4, 0.1, 0.8)
    return forcing._replace(temperature=forcing.temperature - 4.0 * depth, oxygen=oxygen)


def dry(grid: DepthGrid) -> Forcing:
    """A hot and dry grassland on clay, in part without plants."""
    forcing = site_forcing(grid, mat=24.0, map_mm=450.0, p_pet=0.3, clay=0.45, sand=0.25, npp=0.25, wood=0.1)
    return forcing._replace(cover=jnp.asarray(0.5))


SITES: tuple[Column, ...] = (temperate, cold, dry)


class Finding(NamedTuple):
    """One law on one model: whether it holds, by which number."""

    law: str
    holds: bool
    detail: str


def check_contract(model: Model, sites: Sequence[Column] = SITES) -> list[Finding]:
    """Every law of this module on a model, some 10 s. The first of ``sites`` is where most are checked.

    >>> from subsoil.models.catalogue import model
    >>> [f.holds for f in rests(at_rest(model("onepool"), temperate(model("onepool").grid)))]
    [True, True]
    """
    column, grid = sites[0], model.grid
    rest = at_rest(model, column(grid))
    found = [*rests(rest)]
    if found[0].holds:
        found += [*mass(rest), *label(rest), *_tracers(model, rest)]
        found += [*_gradients(model, sites), *_refinement(model, column), *_batch(model, sites)]
    return found


def rests(rest: Equilibrium) -> Iterator[Finding]:
    """There is a steady state, and it holds no negative carbon."""
    carbon = np.asarray(rest.carbon)
    outcome = Outcome(int(rest.outcome))
    yield Finding("a steady state is found", outcome is Outcome.CONVERGED, outcome.words)
    yield Finding(
        "carbon is not negative", bool((carbon >= -1e-12 * carbon.max()).all()), f"least {carbon.min():.3g}"
    )


def mass(rest: Equilibrium) -> Iterator[Finding]:
    """Carbon closes: in the operator, in the steady state, in its tendency."""
    fluxes, carbon = rest.fluxes, rest.carbon
    scale = float(jnp.sum(fluxes.inputs))
    left = float(jnp.sum((fluxes.respiration + fluxes.leaching) * carbon))
    yield Finding(
        "what enters leaves", abs(left / scale - 1.0) < 1e-6, f"lost over entered {left / scale:.12f}"
    )
    columns = np.asarray(dense(rest.blocks)).sum(axis=0) + np.ravel(fluxes.respiration + fluxes.leaching)
    worst = float(np.abs(columns).max() / np.abs(dense(rest.blocks)).max())
    yield Finding("columns of the operator sum to what leaves the soil", worst < 1e-13, f"{worst:.1e}")
    change = tendency(fluxes, carbon)
    gross = float(jnp.max((fluxes.respiration + fluxes.flow.sum(-2)) * carbon))
    still = float(jnp.abs(change).max()) / gross
    yield Finding("at rest nothing changes", still < 1e-8, f"{still:.1e} of the largest flux")


def label(rest: Equilibrium) -> Iterator[Finding]:
    """The label is a share, never falls, and is the age distribution of the carbon."""
    years = np.concatenate([[0.0], np.geomspace(0.1, 1e5, 40)])
    share = np.asarray(rest.label(years))
    inside = bool((share > -1e-6).all() and (share < 1.0 + 1e-6).all())
    yield Finding("the label lies between 0 and 1", inside, f"{share.min():.2g} to {share.max():.6f}")
    fall = float(np.diff(share, axis=-1).min())
    yield Finding("the label never falls", fall > -1e-6, f"largest fall {max(0.0, -fall):.1e}")
    system, carbon = np.asarray(dense(rest.blocks)), np.asarray(rest.carbon)
    answer = np.asarray(rest.label(YEARS, shifts="fine"))
    worst = 0.0
    for i in (0, 2, 5):
        old = (expm(system * YEARS[i]) @ carbon.ravel()).reshape(carbon.shape).sum(axis=-1)
        worst = max(worst, float(np.abs(1.0 - old / carbon.sum(axis=-1) - answer[:, i]).max()))
    yield Finding("label equals the age distribution by matrix exponential", worst < 1e-8, f"{worst:.1e}")
    error = float(rest.label_error(YEARS))
    yield Finding("error of the label below 1e-6", error < 1e-6, f"{error:.1e}")
    median = np.asarray(rest.ages().quantile(0.5))[0, :, 0]
    at_median = np.diag(np.asarray(rest.label(median[:3])))
    yield Finding(
        "half the carbon is younger than its median age",
        bool(abs(at_median - 0.5).max() < 1e-6),
        f"{at_median}",
    )


def _tracers(model: Model, rest: Equilibrium) -> Iterator[Finding]:
    alone = operator(rest.fluxes)
    with_tracer = Tracer("same").ride(rest.fluxes, model.pools)
    same = all(bool((a == b).all()) for a, b in zip(alone, with_tracer, strict=True))
    yield Finding(
        "a tracer without decay rides as carbon", same, "bit for bit" if same else "operators differ"
    )
    content = np.asarray(rest.content(Tracer("same"), model.pools, [0.0, 1.0, 1e3], [1.0, 1.0, 1.0]))
    worst = float(np.nanmax(np.abs(content - 1.0)))
    yield Finding("a source of 1 makes carbon of 1", worst < 1e-6, f"{worst:.1e}")


def _gradients(model: Model, sites: Sequence[Column]) -> Iterator[Finding]:
    """Every row of the table: its derivative equals the difference, and it matters at one site at least."""
    grid, names = model.grid, sorted(model.values)
    weights = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, (len(grid), len(model.pools))))

    def answer(values: jax.Array, forcing: Forcing) -> jax.Array:
        """One number that everything in a soil bears on."""
        here = dict(zip(names, values, strict=True))
        at = solve_at_rest(model.equations, model.first_guess, model.linear, grid, here, forcing)
        leached = jnp.sum(at.fluxes.leaching * at.carbon)
        return (
            jnp.log(jnp.sum(weights * at.carbon))
            + 10.0 * jnp.sum(at.label([5.0, 100.0], "fine") * weights[:, :2])  # smooth: differences want that
            + leached
        )

    start = np.array([float(model.values[name]) for name in names])
    rows = [model.parameters[name] for name in names]
    forcings = stack([site(grid) for site in sites])
    slopes = np.asarray(jax.jit(jax.vmap(jax.grad(answer), in_axes=(None, 0)))(jnp.asarray(start), forcings))
    steps = np.array(
        [1e-4 * max(abs(x), 1e-3 * (r.upper - r.lower), 1e-9) for x, r in zip(start, rows, strict=True)]
    )
    moved = start + np.multiply.outer(FIVE_POINTS, np.diag(steps))
    ends = jax.jit(jax.vmap(answer, in_axes=(0, None)))(
        jnp.asarray(moved.reshape(-1, len(names))), sites[0](grid)
    )
    below_far, below, above, above_far = np.asarray(ends).reshape(len(FIVE_POINTS), -1)
    central = (8.0 * (above - below) - (above_far - below_far)) / (12.0 * steps)
    scale = np.abs(central) + 1e-6 / np.maximum(np.abs(start), steps)
    inside = [r.lower + 2.0 * h <= x <= r.upper - 2.0 * h for r, h, x in zip(rows, steps, start, strict=True)]
    off = np.where(inside, np.abs(slopes[0] - central) / scale, 0.0)
    wrong = [
        f"{names[i]}: {slopes[0, i]:.6g} against {central[i]:.6g}" for i in np.flatnonzero(~(off < 1e-5))
    ]
    yield Finding("gradients equal differences", not wrong, "; ".join(wrong) or f"{sum(inside)} rows to 1e-5")
    idle = [name for name, slope in zip(names, slopes.T, strict=True) if not slope.any()]
    yield Finding("every parameter matters somewhere", not idle, ", ".join(idle) or "all")


def _refinement(model: Model, column: Column) -> Iterator[Finding]:
    """Layers cut in two, and in four: the answer for the model's own layers settles."""
    answers = []
    coarsest = -(-ENOUGH_LAYERS // len(model.grid))
    for parts in (coarsest, 2 * coarsest, 4 * coarsest):
        own = model.grid.boundaries
        cut = np.concatenate([np.linspace(a, b, parts, endpoint=False) for a, b in pairwise(own)])
        grid = DepthGrid(np.append(cut, own[-1]))
        at = at_rest(model, column(grid), grid)
        to_own = remap(grid, model.grid)
        new = np.asarray(at.label([50.0])[:, 0] * at.carbon.sum(-1))
        stock = np.asarray(at.carbon.sum(-1))
        thick = grid.thickness
        carbon, young = (to_own @ (amount / thick) for amount in (stock, new))
        answers.append(young / carbon)
    first, second = (float(np.abs(b - a).max()) for a, b in pairwise(answers))
    settles = second < 0.75 * first or second < 1e-6
    yield Finding("thinner layers settle", settles, f"f_new moves by {first:.2g}, then by {second:.2g}")


def _batch(model: Model, sites: Sequence[Column]) -> Iterator[Finding]:
    forcings = [site(model.grid) for site in sites]
    together = at_rest(model, stack(forcings), batch=True)
    worst = 0.0
    for i, forcing in enumerate(forcings):
        alone = at_rest(model, forcing).carbon
        worst = max(worst, float(jnp.max(jnp.abs(together.carbon[i] - alone)) / jnp.max(jnp.abs(alone))))
    yield Finding("a batch equals a loop", worst < 1e-9, f"{worst:.1e}")
