"""The shifts are as good as they say, over their times and their sector; windows meet at their edges."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.errors import BadCall
from subsoil.solve.exponential import SECTOR, SETS, Windows, shifts

STATED = {"standard": 1e-7, "fine": 2e-9, "single": 1e-7}
"""Error over the sector of each set, as the docstring of `SETS` has it."""


def times(name: str) -> np.ndarray:
    ratio = shifts(name).ratio
    return np.unique(np.append(np.geomspace(1.0, ratio, 60), ratio))


@pytest.mark.parametrize("name", SETS)
def test_error_over_times_and_sector_is_as_stated(name: str) -> None:
    chosen = shifts(name)
    over = [chosen.error(times(name), angle) for angle in np.linspace(0.0, SECTOR, 4)]
    assert max(over) < STATED[name]
    assert chosen.error(times(name), 0.3) < {"standard": 3e-8, "fine": 5e-10, "single": 3e-8}[name]
    assert chosen.error(times(name), SECTOR + 0.3) > max(over)  # the sector ends


@pytest.mark.parametrize("name", SETS)
def test_weights_do_not_cancel_much(name: str) -> None:
    """So that rounding stays far below the error, and differences of answers mean something."""
    assert np.abs(shifts(name).weights(times(name))).sum(axis=(0, 1)).max() < 1000.0


@pytest.mark.parametrize("name", SETS)
def test_the_error_is_that_of_the_weights(name: str) -> None:
    """Of real rates, computed here from shifts and weights without the code that measures it."""
    chosen = shifts(name)
    rate = np.geomspace(1e-8, 1e3, 400)
    links = []
    for shift in chosen.values:
        links.append(shift / (shift + rate))
        for _ in range(1, chosen.steps):
            links.append(links[-1] * (shift - rate) / (shift + rate))
    off = np.abs(
        np.transpose(links) @ chosen.weights(times(name)).reshape(len(links), -1)
        - np.exp(-np.outer(rate, times(name)))
    ).max()
    assert 1e-13 < off <= chosen.error(times(name)) * 1.01 + 1e-12


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(BadCall, match="shifts are standard or fine or single, got 'coarse'"):
        shifts("coarse")


@pytest.mark.parametrize(
    ("shortest", "longest", "count"), [(2.0, 2.0, 1), (0.5, 1500.0, 1), (0.5, 1501.0, 2), (1e-3, 2e7, 3)]
)
def test_windows_are_as_few_as_cover(shortest: float, longest: float, count: int) -> None:
    windows = Windows.spanning(shortest, longest)
    assert len(windows.first) == count
    assert np.isfinite(windows.weights([shortest, longest])).all()


@pytest.mark.parametrize(
    ("shortest", "longest"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, 1e12), (np.nan, 1.0), (1.0, np.nan)]
)
def test_windows_of_no_time_are_refused(shortest: float, longest: float) -> None:
    with pytest.raises(BadCall, match="times must be positive"):
        Windows.spanning(shortest, longest)


@pytest.mark.parametrize("outside", [0.99, 3001.0, [10.0, 1e5], -1.0, np.nan])
def test_times_outside_the_windows_are_refused(outside: Any) -> None:
    windows = Windows.spanning(1.0, 3000.0)
    with pytest.raises(BadCall, match="outside the windows"):
        windows.weights(outside)


def test_a_time_has_weights_in_its_own_window_only() -> None:
    windows = Windows((1.0, 3000.0))
    weights = windows.weights([0.0, 1.0, 2999.0, 3000.0, 9e6])
    used = (weights != 0.0).any(axis=(1, 2))
    assert used.tolist() == [[False, True, True, False, False], [False, False, False, True, True]]


def test_a_window_takes_over_where_the_other_ends(rings: Any) -> None:
    """Both say the same at the edge, and both the truth; at time 0 it is the start itself."""
    every = jnp.broadcast_to(jnp.eye(3)[:, None, :], (3, 4, 3))
    windows = Windows((1.0, 3000.0))
    times = [0.0, 3000.0 * (1.0 - 1e-9), 3000.0]
    at = np.asarray(windows.at(rings.blocks, rings.stock, every, times))
    np.testing.assert_array_equal(at[..., 0], np.swapaxes(rings.stock, 1, 2))
    np.testing.assert_allclose(at[..., 1], at[..., 2], atol=1e-7 * rings.stock.max())
    for column in range(4):
        exact = rings.left(column, 3000.0).T
        np.testing.assert_allclose(at[column, ..., 2], exact, atol=1e-7 * rings.stock[column].max())


def test_two_spans_of_time_are_one(rings: Any) -> None:
    """exp(A (s + t)) = exp(A s) exp(A t)."""
    every = jnp.broadcast_to(jnp.eye(3)[:, None, :], (3, 4, 3))
    windows = Windows.spanning(5.0, 40.0, "fine")

    def after(state: Any, years: float) -> Any:
        return jnp.swapaxes(windows.at(rings.blocks, state, every, years), -1, -2)

    twice = after(after(rings.stock, 5.0), 35.0)
    np.testing.assert_allclose(twice, after(rings.stock, 40.0), atol=1e-8 * rings.stock.max())
