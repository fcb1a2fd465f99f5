"""Label of columns that each have their own time, and times in any order, against dense exponentials."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from subsoil.errors import BadCall
from subsoil.solve.ages import label_after, label_response
from subsoil.solve.blocks import Blocks, dense
from subsoil.solve.exponential import Windows, shifts

COLUMNS, LAYERS, POOLS = 3, 4, 2
YEARS = np.array([0.3, 40.0, 2500.0])


@pytest.fixture(scope="module")
def soils() -> tuple[Blocks, jax.Array]:
    """Three columns whose two pools feed each other, rates from 1 to 1e-4 a year."""
    random = np.random.default_rng(0)
    rate = 10.0 ** random.uniform(-4, 0, (COLUMNS, LAYERS, POOLS))
    mixing = 10.0 ** random.uniform(-4, -1, (2, COLUMNS, LAYERS, POOLS))
    down, up = mixing[0].copy(), mixing[1].copy()
    down[:, -1], up[:, 0] = 0.0, 0.0
    diagonal = np.eye(POOLS) * -(rate + down + up)[..., None, :]
    diagonal[..., 1, 0], diagonal[..., 0, 1] = 0.6 * rate[..., 0], 0.3 * rate[..., 1]
    lower = np.concatenate([0 * down[:, :1], down[:, :-1]], axis=1)
    upper = np.concatenate([up[:, 1:], 0 * up[:, :1]], axis=1)
    return Blocks(*map(jnp.asarray, (lower, diagonal, upper))), jnp.asarray(random.random(rate.shape))


def exact(blocks: Blocks, inputs: jax.Array, column: int, year: float) -> np.ndarray:
    matrix = np.asarray(dense(blocks))[column]
    stock = -np.linalg.solve(matrix, np.asarray(inputs)[column].ravel())
    old = (expm(matrix * year) @ stock).reshape(LAYERS, POOLS).sum(axis=1)
    return 1.0 - old / stock.reshape(LAYERS, POOLS).sum(axis=1)


def test_each_column_is_labelled_for_its_own_time(soils: tuple[Blocks, jax.Array]) -> None:
    f_new = np.asarray(label_after(*soils, YEARS))
    for column, year in enumerate(YEARS):
        np.testing.assert_allclose(f_new[column], exact(*soils, column, year), atol=1e-8)


def test_one_time_takes_few_solves_and_many_times_come_in_any_order(soils: tuple[Blocks, jax.Array]) -> None:
    assert (
        shifts("single").count * shifts("single").steps
        < shifts("standard").count * shifts("standard").steps / 3
    )
    alone = label_response(*soils, [40.0])[1, :, 0]
    np.testing.assert_allclose(alone, exact(*soils, 1, 40.0), atol=1e-8)
    years = [2500.0, 0.0, 40.0, 0.01, 0.3]  # two windows
    shuffled = np.asarray(label_response(*soils, years))
    for place, year in enumerate(years):
        np.testing.assert_allclose(shuffled[1, :, place], exact(*soils, 1, year), atol=1e-7)
    assert (shuffled[..., 1] == 0.0).all()


def test_the_derivative_in_time_is_the_rate_of_labelling(soils: tuple[Blocks, jax.Array]) -> None:
    slope = np.asarray(jax.grad(lambda years: label_after(*soils, years).sum())(jnp.asarray(YEARS)))
    for column, year in enumerate(YEARS):
        step = 1e-4 * year
        after, before = (exact(*soils, column, year + way * step).sum() for way in (1, -1))
        np.testing.assert_allclose(slope[column], (after - before) / (2 * step), rtol=1e-5)


def test_times_of_no_use_are_refused(soils: tuple[Blocks, jax.Array]) -> None:
    assert (np.asarray(label_after(*soils, np.zeros(COLUMNS))) == 0.0).all()
    for years in (-1.0, np.nan, np.inf):
        with pytest.raises(BadCall, match="since the change"):
            label_after(*soils, np.full(COLUMNS, years))
    with pytest.raises(BadCall, match="serve one time"):
        Windows.spanning(1.0, 2.0, "single")


def test_known_years_may_stand_inside_a_compiled_function(soils: tuple[Blocks, jax.Array]) -> None:
    inside = jax.jit(lambda blocks, inputs: label_after(blocks, inputs, YEARS))
    np.testing.assert_allclose(inside(*soils), label_after(*soils, YEARS), atol=1e-13)
    with pytest.raises(BadCall, match="since the change, not dates"):
        jax.jit(lambda blocks, inputs: label_after(blocks, inputs, -YEARS))(*soils)
