"""Laws of transport: nothing is lost or made, nothing turns negative, and the limits are the textbook's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.models.model import Fluxes, operator
from subsoil.models.transport import Exchange, cryoturbation, diffusivity_of_mixing, exchange
from subsoil.solve.blocks import dense

GRID = DepthGrid.from_cm([0, 2, 5, 10, 20, 40, 70, 120, 200])
EVEN = DepthGrid.from_cm(np.linspace(0, 200, 9))
BOUNDARIES = len(GRID) - 1


def matrix(grid: DepthGrid, rates: Exchange) -> np.ndarray:
    """Operator of one pool that is only moved, [layer, layer]."""
    nothing = jnp.zeros((len(grid), 1))
    return np.asarray(dense(operator(Fluxes(nothing, nothing[..., None], nothing, *rates, nothing))))


def columns(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Diffusivity, velocity and bulk density that differ from boundary to boundary over many magnitudes."""
    draw = np.random.default_rng(seed)
    diffusivity = 10.0 ** draw.uniform(-9, 0, (BOUNDARIES, 1))
    velocity = draw.choice([-1.0, 0.0, 1.0], (BOUNDARIES, 1)) * 10.0 ** draw.uniform(-6, 0, (BOUNDARIES, 1))
    return diffusivity, velocity, draw.uniform(300, 1800, len(GRID))


@pytest.mark.parametrize("seed", range(8))
def test_what_leaves_a_layer_enters_its_neighbours(seed: int) -> None:
    moved = matrix(GRID, exchange(GRID, *columns(seed)))
    scale = np.abs(moved).sum(axis=0)
    assert np.abs(moved.sum(axis=0)).max() <= 4 * np.finfo(float).eps * scale.max()


@pytest.mark.parametrize("seed", range(8))
def test_rates_are_never_negative_and_the_ends_are_closed(seed: int) -> None:
    down, up = exchange(GRID, *columns(seed))
    assert (down >= 0).all()
    assert (up >= 0).all()
    assert down[-1] == 0
    assert up[0] == 0
    assert (np.asarray(down[:-1] + up[1:]) > 0).all()  # and neighbours do exchange


@pytest.mark.parametrize("years", [0.1, 10.0, 1e4])
@pytest.mark.parametrize("seed", range(4))
def test_mixing_keeps_a_falling_profile_falling_and_inside_its_range(seed: int, years: float) -> None:
    density = np.sort(np.random.default_rng(seed).uniform(0, 50, len(GRID)))[::-1]
    stock = density * GRID.thickness
    step = np.eye(len(GRID)) - years * matrix(GRID, exchange(GRID, columns(seed)[0]))
    after = np.linalg.solve(step, stock) / GRID.thickness
    assert after.max() <= density.max() + 1e-9
    assert after.min() >= density.min() - 1e-9
    assert (np.diff(after) <= 1e-9).all()


def test_pure_advection_is_upwind() -> None:
    velocity = 3e-3
    down, up = exchange(GRID, 0.0, velocity)
    assert down[:-1, 0].tolist() == (velocity / GRID.thickness[:-1]).tolist()
    assert not up.any()
    down, up = exchange(GRID, 0.0, -velocity)
    assert up[1:, 0].tolist() == (velocity / GRID.thickness[1:]).tolist()
    assert not down.any()


@pytest.mark.parametrize("velocity", [0.0, 2e-3, -2e-3])
def test_a_vanishing_diffusivity_ends_in_pure_advection_with_finite_gradients(velocity: float) -> None:
    def first(diffusivity: float, velocity: float) -> jax.Array:
        down, up = exchange(GRID, diffusivity, velocity)
        return down[0, 0] + 2.0 * up[1, 0]

    limit = exchange(GRID, 0.0, velocity)
    for diffusivity in (1e-12, 1e-29, 1e-31, 1e-200):
        np.testing.assert_allclose(
            np.concatenate(exchange(GRID, diffusivity, velocity)), np.concatenate(limit), atol=1e-8
        )
        slopes = jax.grad(first, argnums=(0, 1))(diffusivity, velocity)
        assert np.isfinite(slopes).all()
    step = 1e-9
    difference = (first(step, velocity) - first(0.0, velocity)) / step
    assert float(jax.grad(first)(0.0, velocity)) == pytest.approx(float(difference), rel=1e-6, abs=1e-6)


def test_slow_flow_is_central_fast_flow_is_upwind() -> None:
    distance, thickness = 0.25, 0.25
    carbon = np.array([3.0, 1.0])  # density above and below a boundary

    def flux(peclet: float, diffusivity: float = 1e-4) -> float:
        down, up = exchange(EVEN, diffusivity, peclet * diffusivity / distance)
        return float(down[2, 0] * carbon[0] - up[3, 0] * carbon[1]) * thickness

    for peclet in (1e-4, 1e-3, 1e-2):
        v = peclet * 1e-4 / distance
        central = 1e-4 / distance * (carbon[0] - carbon[1]) + v * carbon.mean()
        assert abs(flux(peclet) - central) <= 0.11 * peclet**2 * 1e-4 / distance * 2.0
    for peclet in (10.0, 11.0, 1e3):
        assert flux(peclet) == pytest.approx(peclet * 1e-4 / distance * carbon[0], rel=1e-14)
        assert flux(-peclet) == pytest.approx(-peclet * 1e-4 / distance * carbon[1], rel=1e-14)


def test_the_power_law_stays_near_the_exact_exponential() -> None:
    """Patankar 1980, section 5.2: Pe / (exp(Pe) - 1) is exact for steady flow in one dimension."""
    peclet = np.linspace(0.01, 20, 300)
    up = exchange(EVEN, 1e-4, peclet[None, :] * 1e-4 / 0.25).up[1]
    assert np.abs(up * 0.25**2 / 1e-4 - peclet / np.expm1(peclet)).max() < 0.016


def test_mixing_evens_out_density_and_with_bulk_density_the_content() -> None:
    diffusivity, _, bulk = columns(3)
    for weight, even in ((None, GRID.thickness), (bulk, bulk * GRID.thickness)):
        moved = matrix(GRID, exchange(GRID, diffusivity, bulk_density=weight))
        assert np.abs(moved @ even).max() <= 1e-13 * np.abs(moved).max() * even.max()
    with_density = matrix(GRID, exchange(GRID, diffusivity, bulk_density=bulk))
    assert np.abs(with_density @ GRID.thickness).max() > 1e-6  # an even density is not at rest then
    same = exchange(GRID, diffusivity, bulk_density=np.full(len(GRID), 1234.0))
    np.testing.assert_allclose(same.down, exchange(GRID, diffusivity).down, rtol=1e-14)


@pytest.mark.parametrize("centre", [0.0, 1e-3, -2e-3])
def test_gradients_equal_differences(centre: float) -> None:
    draw = np.random.default_rng(5)
    bulk = draw.uniform(300, 1800, len(GRID))
    weights = draw.normal(size=(2, len(GRID), 2))
    diffusivity = 10.0 ** draw.uniform(-4, -2, (BOUNDARIES, 2))
    velocity = np.full((1, 2), centre)

    def loss(diffusivity: jax.Array, velocity: jax.Array) -> jax.Array:
        return jnp.sum(weights * jnp.stack(exchange(GRID, diffusivity, velocity, bulk)))

    slopes = jax.grad(loss, argnums=(0, 1))(diffusivity, velocity)
    for which, arguments in enumerate((diffusivity, velocity)):
        for place in ((0, 0), (arguments.shape[0] - 1, 1)):
            step = np.zeros_like(arguments)
            step[place] = 1e-4 * max(1e-4, abs(arguments[place]))
            pair = [diffusivity, velocity]
            ends = []
            for sign in (1, -1):
                pair[which] = arguments + sign * step
                ends.append(float(loss(*pair)))
            difference = (ends[0] - ends[1]) / (2 * step[place])
            assert float(slopes[which][place]) == pytest.approx(difference, rel=1e-5)


def test_pools_move_each_at_its_own_pace_and_alone() -> None:
    diffusivity = np.full((BOUNDARIES, 2), [1e-4, 1e-3])
    velocity = np.array([[0.0, 2e-3]])
    both = exchange(GRID, diffusivity, velocity)
    for pool in range(2):
        one = exchange(GRID, diffusivity[0, pool], velocity[0, pool])
        np.testing.assert_allclose(both.down[:, pool], one.down[:, 0], rtol=1e-14)
        np.testing.assert_allclose(both.up[:, pool], one.up[:, 0], rtol=1e-14)


def test_a_single_layer_has_no_neighbours() -> None:
    down, up = exchange(DepthGrid.from_cm([0, 30]), 1e-4, 1e-3)
    assert down.tolist() == up.tolist() == [[0.0]]


@pytest.mark.parametrize("shape", [(len(GRID),), (3, 1), (BOUNDARIES, 1, 1)])
def test_values_of_layers_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadCall, match="boundaries"):
        exchange(GRID, np.full(shape, 1e-4))
    with pytest.raises(BadCall, match="boundaries"):
        exchange(GRID, 1e-4, np.full(shape, 1e-4))


def test_diffusivity_of_mixing_follows_its_formula() -> None:
    assert float(diffusivity_of_mixing(0.4, 0.3, 1500.0)) == pytest.approx(0.5 * 0.4 * 0.3 / 1500.0)


class TestCryoturbation:
    """Koven et al. 2013: full to the thaw depth, straight to 0 at 3 m, animals where it thaws deeper."""

    grid = DepthGrid.from_cm(np.arange(0, 451, 25))
    depth = grid.boundaries[1:-1]

    def test_frost_mixes_to_the_thaw_depth_and_fades_to_three_metres(self) -> None:
        profile = np.asarray(cryoturbation(self.grid, 1.0))[:, 0]
        expected = np.interp(self.depth, [0, 1, 3, 9], [5e-4, 5e-4, 0, 0])
        np.testing.assert_allclose(profile, expected, rtol=1e-12, atol=1e-18)

    @pytest.mark.parametrize("thaw", [2.01, 4.0, np.inf])
    def test_deep_or_no_frost_leaves_it_to_animals(self, thaw: float) -> None:
        assert set(np.asarray(cryoturbation(self.grid, thaw, bioturbation=2e-4)).ravel()) == {2e-4}

    def test_ground_that_never_thaws_is_at_rest(self) -> None:
        assert not np.asarray(cryoturbation(self.grid, 0.0)).any()

    @pytest.mark.parametrize("thaw", [0.0, 0.6, 2.0, np.inf])
    def test_gradients_are_finite_also_where_the_fading_has_no_room(self, thaw: float) -> None:
        def total(bioturbation: float, frost: float, deepest: float) -> jax.Array:
            return cryoturbation(self.grid, thaw, bioturbation, frost, deepest, 2.0).sum()

        slopes = jax.grad(total, argnums=(0, 1, 2))(1e-4, 5e-4, 2.0)
        assert np.isfinite(slopes).all()
        layers = (self.depth <= thaw).sum() if thaw <= 2.0 else 0
        fading = np.clip((2.0 - self.depth) / (2.0 - thaw), 0, 1)[self.depth > thaw] if thaw < 2.0 else [0]
        assert float(slopes[1]) == pytest.approx(0.0 if thaw == 0 else layers + np.sum(fading))
