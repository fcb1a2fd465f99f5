"""One pool against its profile in closed form: refining the layers comes to it, and how fast."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.catalogue import MODELS
from subsoil.models.model import operator, tendency
from subsoil.models.onepool import equations, steady_density
from subsoil.solve.blocks import dense, solve

K, DIFFUSIVITY, INPUT = 0.02, 1e-3, 0.3  # 1/yr, m2/yr, kg m-2 yr-1


def at_the_surface(grid: DepthGrid) -> Forcing:
    """All carbon enters the first layer; the pool looks at nothing else."""
    first = np.eye(len(grid))[0]
    blank = Forcing(*[np.zeros(())] * len(Forcing._fields))
    return blank._replace(temperature=first, litter=INPUT, litter_share=first, roots=0.0, root_share=first)


def slope(velocity: float) -> float:
    return (np.sqrt(velocity**2 + 4 * DIFFUSIVITY * K) - velocity) / (2 * DIFFUSIVITY)


def stock(grid: DepthGrid, velocity: float) -> np.ndarray:
    """Steady stock of each layer, kg m-2."""
    return np.asarray(profile(grid, K, DIFFUSIVITY, velocity))


def profile(grid: DepthGrid, *at: float) -> jax.Array:
    """Steady stock at rate, diffusivity and velocity."""

    def at_rest(*at: float) -> jax.Array:
        values = dict(zip(("k", "diffusivity", "velocity"), at, strict=True))
        fluxes = equations(values, at_the_surface(grid), grid)
        return solve(operator(fluxes), -fluxes.inputs)[:, 0]

    return jax.jit(at_rest)(*at)


def error(grid: DepthGrid, velocity: float) -> float:
    """Misplaced share of the column's carbon; the closed form is averaged over each layer, not sampled."""
    exact = -INPUT / K * np.diff(np.exp(-slope(velocity) * grid.boundaries))
    return float(np.abs(stock(grid, velocity) - exact).sum() * K / INPUT)


def grids(kind: str, depth: float) -> list[DepthGrid]:
    """Three grids, each with the layers of the one before cut in two; all kinds have equally many layers."""
    if kind == "even":
        cut = [np.linspace(0, 1, 25)]
    elif kind == "growing":
        cut = [np.expm1(np.linspace(0, 2.5, 25)) / np.expm1(2.5)]
    else:
        cut = [np.array([0, 2, 5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200]) / 200]
        cut = [_halved(cut[0])]
    for _ in range(2):
        cut.append(_halved(cut[-1]))
    return [DepthGrid(depth * boundaries) for boundaries in cut]


def _halved(boundaries: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([boundaries, 0.5 * (boundaries[1:] + boundaries[:-1])]))


@pytest.mark.parametrize("kind", ["even", "growing", "jumping"])
@pytest.mark.parametrize(("velocity", "least"), [(0.0, 1.8), (1e-3, 1.8), (-2e-3, 1.8), (5e-3, 1.75)])
def test_refinement_is_of_second_order(kind: str, velocity: float, least: float) -> None:
    """What enters the first layer is a flux through the surface, and costs no order; nor do uneven layers.

    The column ends 20 e-foldings down, so that its closed end does not show.
    """
    errors = np.array([error(grid, velocity) for grid in grids(kind, 20 / slope(velocity))])
    orders = np.log2(errors[:-1] / errors[1:])
    assert orders[-1] >= least
    assert errors[-1] < 0.02


def test_fast_flow_over_thick_layers_is_of_first_order() -> None:
    """Above a Peclet number of 10 the flow is upwind, which smears by v dz / 2."""
    velocity = 0.05
    depth = 20 / slope(velocity)
    even = grids("even", depth)
    assert velocity * depth / len(even[-1]) / DIFFUSIVITY > 10
    errors = [error(grid, velocity) for grid in even]
    assert 0.6 < np.log2(errors[-2] / errors[-1]) < 1.4


@pytest.mark.parametrize("velocity", [0.0, 2e-3, -2e-3])
def test_the_closed_form_holds_its_own_balance(velocity: float) -> None:
    """D C'' - v C' - k C = 0 inside, v C - D C' at the surface and k times the integral are the input."""
    depth = np.linspace(0.0, 0.8, 5)

    def density(z: jax.Array) -> jax.Array:
        return steady_density(z, INPUT, K, DIFFUSIVITY, velocity)

    first = jax.vmap(jax.grad(density))(depth)
    second = jax.vmap(jax.grad(jax.grad(density)))(depth)
    value = density(depth)
    np.testing.assert_allclose(DIFFUSIVITY * second - velocity * first, K * value, rtol=1e-10)
    assert float(velocity * value[0] - DIFFUSIVITY * first[0]) == pytest.approx(INPUT)
    assert float(value[0] / slope(velocity) * K) == pytest.approx(INPUT)


def test_what_enters_is_what_decomposes() -> None:
    grid = MODELS["onepool"].grid
    assert stock(grid, 1e-3).sum() == pytest.approx(INPUT / K, rel=1e-13)


def test_a_closed_lower_end_keeps_what_would_pass() -> None:
    """A column of depth L with v = 0 holds C0 cosh(s (L - z)): the end shows where the column is short."""
    depth, s = 0.3, slope(0.0)
    boundaries = np.linspace(0, depth, 49)
    exact = -INPUT / K * np.diff(np.sinh(s * (depth - boundaries))) / np.sinh(s * depth)
    found = stock(DepthGrid(boundaries), 0.0)
    np.testing.assert_allclose(found, exact, rtol=1e-3)
    assert found.sum() == pytest.approx(exact.sum(), rel=1e-12)


def test_gradient_of_the_profile_equals_that_of_the_closed_form() -> None:
    grid = DepthGrid(np.linspace(0, 2.4, 97))

    def below(*at: float) -> jax.Array:
        return profile(grid, *at)[12:].sum()  # below 30 cm

    def exact(k: float, diffusivity: float, velocity: float) -> jax.Array:
        s = (jnp.sqrt(velocity**2 + 4 * diffusivity * k) - velocity) / (2 * diffusivity)
        return INPUT / k * jnp.exp(-0.3 * s)

    at = (K, DIFFUSIVITY, 1e-3)
    np.testing.assert_allclose(
        jax.jit(jax.grad(below, argnums=(0, 1, 2)))(*at), jax.grad(exact, argnums=(0, 1, 2))(*at), rtol=5e-3
    )


def test_tendency_and_operator_are_one_statement() -> None:
    grid = MODELS["onepool"].grid
    fluxes = MODELS["onepool"](velocity=1e-3).fluxes(at_the_surface(grid))
    carbon = np.linspace(5, 1, len(grid))[:, None]
    by_operator = np.asarray(fluxes.inputs)[:, 0] + np.asarray(dense(operator(fluxes))) @ carbon[:, 0]
    np.testing.assert_allclose(tendency(fluxes, carbon)[:, 0], by_operator, rtol=1e-10, atol=1e-14)
