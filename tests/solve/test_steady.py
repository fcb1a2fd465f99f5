"""Searches for a state at rest or a year that repeats: what they find, how they end, their derivatives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.equilibrium import at_rest
from subsoil.forcing import site_forcing, stack
from subsoil.models.catalogue import MODELS
from subsoil.models.model import annual_fluxes, operator, tendency
from subsoil.solve.blocks import Blocks
from subsoil.solve.steady import MOST_ITERATIONS, Outcome, Steady, periodic_state, steady_state
from subsoil.solve.system import System
from subsoil.solve.transient import run

GRID = DepthGrid.from_cm([0, 10, 30, 100])


def grazing(values: Any, carbon: Any) -> System:
    """Food enters, drains, is eaten at V M / (1 + S); microbes grow by a share of it, die at 0.2 a year."""
    entering, drain, v, share = values
    food, microbes = carbon[:, 0], carbon[:, 1]
    rate, zero, none = v * microbes / (1.0 + food), jnp.zeros_like(carbon), jnp.zeros_like(food)
    food_row, microbe_row = jnp.stack([-rate - drain, none], -1), jnp.stack([share * rate, none - 0.2], -1)
    within = jnp.stack([food_row, microbe_row], axis=-2)
    return System(Blocks(zero, within, zero), jnp.stack([none + entering, none], -1), zero)


@pytest.fixture(scope="module")
def graze() -> Any:
    return jax.jit(jax.vmap(lambda *values: steady_state(lambda c: grazing(values, c), jnp.ones((1, 2)))))


def test_grazing_rests_where_its_formula_says(graze: Any) -> None:
    values = np.array([[1.0, 0.0, 1.0, 0.5], [2.0, 0.5, 3.0, 0.3], [1e-3, 1e-6, 40.0, 0.6]]).T
    entering, drain, v, share = values
    found = graze(*values)
    food = 0.2 / (share * v - 0.2)
    np.testing.assert_array_equal(found.outcome, Outcome.CONVERGED)
    np.testing.assert_allclose(found.carbon[:, 0, 0], food, rtol=1e-12)
    np.testing.assert_allclose(found.carbon[:, 0, 1], share * (entering - drain * food) / 0.2, rtol=1e-12)


def test_each_column_of_a_batch_ends_in_its_own_way(graze: Any) -> None:
    """Microbes that live; that starve where food drains; food without end; and a value that is missing."""
    found: Steady = graze(
        *np.array([[1.0, 0, 1, 0.5], [0.1, 1, 1, 0.5], [1.0, 0, 1, 0.1], [np.nan, 1, 1, 0.5]]).T
    )
    names = [Outcome(int(code)).name for code in found.outcome]
    assert names == ["CONVERGED", "CONVERGED", "NOT_CONVERGED", "NOT_FINITE"]
    assert found.carbon[0, 0, 1] == pytest.approx(2.5)
    np.testing.assert_allclose(found.carbon[1, 0], [0.1, 0.0], atol=1e-12)
    assert found.iterations.tolist()[2] == MOST_ITERATIONS
    assert found.iterations[3] < 5
    assert np.isfinite(found.carbon[:3]).all()
    assert np.isnan(found.carbon[3]).all()


def test_derivative_is_that_of_the_implicit_function(graze: Any) -> None:
    """Of columns that rest, whatever their neighbours do: dM/du = e / m, dS/dV = -m e / (e V - m)^2."""
    values = np.array([[1.0, 0.0, 1.0, 0.5], [1.0, 0.0, 1.0, 0.1], [2.0, 0.5, 3.0, 0.3]]).T

    def answer(u: Any, v: Any) -> Any:
        found = graze(u, values[1], v, values[3])
        rests = (found.outcome == 0)[:, None]
        return jnp.where(rests, found.carbon[:, 0], 0.0).sum(axis=0)

    by_u, by_v = jax.jit(jax.jacrev(answer, argnums=(0, 1)))(jnp.asarray(values[0]), jnp.asarray(values[2]))
    e, v = values[3], values[2]
    np.testing.assert_allclose(by_u[:, [0, 2]], [[0.0, 0.0], [2.5, 1.5]], atol=1e-9)
    np.testing.assert_allclose(by_v[0, [0, 2]], (-0.2 * e / (e * v - 0.2) ** 2)[[0, 2]], rtol=1e-9)
    np.testing.assert_array_equal([by_u[:, 1], by_v[:, 1]], 0.0)


CLIMATES = [(-5.0, 0.05, 0.05), (-5.0, 1.5, 0.6), (12.0, 0.5, 0.25), (28.0, 0.05, 0.6), (28.0, 1.5, 0.05)]
"""Mean annual temperature, production, clay."""


def test_mimics_rests_in_every_climate() -> None:
    """To the last digits of the fluxes, with carbon in every pool, and where a run from elsewhere ends."""
    model = MODELS["mimics"]
    sites = [
        site_forcing(GRID, mat=mat, map_mm=900, p_pet=1, clay=clay, sand=0.3, npp=npp)
        for mat, npp, clay in CLIMATES
    ]
    rest = at_rest(model, stack(sites), GRID, batch=True)
    np.testing.assert_array_equal(rest.outcome, Outcome.CONVERGED)
    assert float(rest.carbon.min()) > 0.0
    turnover = -np.diagonal(rest.blocks.diagonal, axis1=-2, axis2=-1)
    still = np.abs(jax.vmap(tendency)(rest.fluxes, rest.carbon)) / (turnover * rest.carbon)
    assert still.max() < 1e-10
    after = carbon_after(model, sites[2], 1.3 * rest.carbon[2], 400)
    np.testing.assert_allclose(after.sum(), rest.carbon[2].sum(), rtol=0.02)


def carbon_after(model: Any, site: Any, start: Any, steps: int) -> np.ndarray:
    """A transient run by steps of 50 years."""

    def at(_: Any, carbon: Any) -> System:
        fluxes = annual_fluxes(model.equations, model.values, site, GRID, carbon)
        return jax.tree.map(
            lambda part: part[None], System(operator(fluxes), fluxes.inputs, fluxes.respiration)
        )

    ran = jax.jit(lambda c: run(at, jnp.zeros(steps), c[None], 50.0, order=1, linear=False))(start)
    assert (np.asarray(ran.outcome) == 0).all()
    return np.asarray(ran.state[-1, 0])


# The year that repeats.

MONTHS = 12


@pytest.fixture(scope="module")
def season() -> tuple[Blocks, Any]:
    """Pools from a month to 10 000 yr in three layers, faster in summer, fed in autumn."""
    random = np.random.default_rng(3)
    rate = np.array([12.0, 0.8, 1e-4]) * random.uniform(0.7, 1.3, (3, 3))
    summer = 1.0 + 0.9 * np.sin(2 * np.pi * np.arange(MONTHS) / MONTHS)[:, None, None]
    down = np.full((3, 3), 0.01) * (np.arange(3) < 2)[:, None]
    up = np.full((3, 3), 0.01) * (np.arange(3) > 0)[:, None]
    flow = np.zeros((3, 3, 3))
    flow[:, 1, 0], flow[:, 2, 1], flow[:, 0, 2] = 0.5 * rate[:, 0], 0.1 * rate[:, 1], 0.3 * rate[:, 2]
    within = summer[..., None] * (flow - np.eye(3) * rate[:, None, :]) - np.eye(3) * (down + up)[:, None, :]
    every = np.ones((MONTHS, 1, 1))
    blocks = Blocks(np.roll(down, 1, axis=0) * every, within, np.roll(up, -1, axis=0) * every)
    litter = random.uniform(0.0, 1.0, (MONTHS, 3, 1)) * np.array([1.0, 0.2, 0.0])
    return Blocks(*map(jnp.asarray, blocks)), jnp.asarray(litter)


@pytest.fixture(scope="module")
def cycle() -> Any:
    return jax.jit(periodic_state)


def test_the_year_repeats(season: tuple[Blocks, Any], cycle: Any) -> None:
    """A run from it comes back to it month by month: of a stable linear system this is where all runs end."""
    blocks, litter = season
    states, search = cycle(blocks, litter)
    assert Outcome(int(search.outcome)) is Outcome.CONVERGED
    np.testing.assert_allclose(states[-1], search.carbon, rtol=1e-9)

    def at(now: Any, _: Any) -> System:
        return jax.tree.map(lambda part: part[None], System(now[0], now[1], now[1]))

    @jax.jit
    def years(start: Any) -> Any:
        return jax.lax.fori_loop(0, 3, lambda _, x: run(at, season, x, 1 / MONTHS, order=1).state[-1], start)

    again = run(at, season, years(states[-1][None]), 1 / MONTHS, order=1).state[:, 0]
    np.testing.assert_allclose(states, again, rtol=1e-9)
    moved = np.ptp(np.asarray(states), axis=0) / np.asarray(states).mean(axis=0)
    assert moved[:, 0].min() > 0.5  # the season is felt


def test_derivative_of_the_year_equals_differences(season: tuple[Blocks, Any], cycle: Any) -> None:
    blocks, litter = season

    @jax.jit
    def answer(x: Any) -> Any:
        faster = Blocks(blocks.lower, blocks.diagonal.at[:, 1].multiply(1.0 + x), blocks.upper)
        states, _ = periodic_state(faster, litter * (1.0 + 0.5 * x * jnp.arange(MONTHS)[:, None, None]))
        return jnp.log(states).sum()

    slope, step = float(jax.jit(jax.grad(answer))(0.0)), 1e-4
    points = [float(answer(k * step)) for k in (-2, -1, 1, 2)]
    central = (8.0 * (points[2] - points[1]) - (points[3] - points[0])) / (12.0 * step)
    assert abs(slope) > 1.0
    assert slope == pytest.approx(central, rel=1e-5)


def test_a_year_with_a_gap_has_no_cycle(season: tuple[Blocks, Any], cycle: Any) -> None:
    blocks, litter = season
    _, search = cycle(blocks, litter.at[4, 1, 0].set(jnp.nan))
    assert Outcome(int(search.outcome)) is Outcome.NOT_FINITE
