"""Samples are carbon-weighted means of layers: nothing is lost, nothing is made up, units do not matter."""

import numpy as np
import pytest

from subsoil.benchmark.support import on_support, overlap_shares
from subsoil.errors import BadCall

TOP, BOTTOM = np.array([0.0, 10.0, 30.0]), np.array([10.0, 30.0, 100.0])
STOCK, CONTENT = np.array([3.0, 2.0, 1.0]), np.array([0.8, 0.5, 0.1])


def test_samples_that_tile_the_layers_hold_all_their_carbon() -> None:
    bounds = np.array([0.0, 4.0, 22.0, 60.0, 100.0])
    share = overlap_shares(TOP, BOTTOM, bounds[:-1], bounds[1:])
    np.testing.assert_allclose(share.sum(axis=0), 1.0, rtol=1e-14)
    new = (share @ STOCK) @ on_support(share, STOCK, CONTENT)
    np.testing.assert_allclose(new, STOCK @ CONTENT, rtol=1e-14)


def test_a_mean_is_weighted_by_carbon_not_by_depth() -> None:
    share = overlap_shares(TOP, BOTTOM, [0.0], [20.0])
    np.testing.assert_allclose(on_support(share, STOCK, CONTENT), (3.0 * 0.8 + 1.0 * 0.5) / 4.0, rtol=1e-14)


def test_cutting_layers_changes_no_sample() -> None:
    edges = np.arange(0.0, 101.0, 2.0)
    layer = np.searchsorted(BOTTOM, 0.5 * (edges[:-1] + edges[1:]))
    stock = STOCK[layer] * 2.0 / (BOTTOM - TOP)[layer]
    samples = ([0.0, 6.0, 8.0], [6.0, 34.0, 98.0])
    fine = on_support(overlap_shares(edges[:-1], edges[1:], *samples), stock, CONTENT[layer])
    np.testing.assert_allclose(
        fine, on_support(overlap_shares(TOP, BOTTOM, *samples), STOCK, CONTENT), rtol=1e-13
    )


def test_metres_and_centimetres_are_one() -> None:
    samples = np.array([[0.0, 7.0, 30.0, 95.0], [7.0, 55.0, 30.0, 130.0]])
    metres = overlap_shares(TOP / 100, BOTTOM / 100, *(samples / 100))
    np.testing.assert_allclose(metres, overlap_shares(TOP, BOTTOM, *samples), rtol=1e-13)


def test_a_point_lies_in_one_layer_the_last_one_at_the_bottom() -> None:
    share = overlap_shares(TOP, BOTTOM, [0.0, 10.0, 100.0], [0.0, 10.0, 100.0])
    np.testing.assert_array_equal(share, np.eye(3))


def test_what_is_not_held_is_missing() -> None:
    share = overlap_shares(TOP, BOTTOM, [50.0, -5.0, 0.0], [100.1, 5.0, 100.0])
    assert np.isnan(share).all(axis=1).tolist() == [True, True, False]
    assert np.isnan(on_support(share, STOCK, CONTENT)).tolist() == [True, True, False]
    empty = on_support(share, np.zeros(3), CONTENT)
    assert np.isnan(empty).all(), "no carbon, no content"


@pytest.mark.parametrize("bounds", [(BOTTOM, TOP), (TOP[::-1], BOTTOM[::-1]), (-TOP, -BOTTOM)])
def test_an_axis_that_does_not_go_down_is_refused(bounds: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(BadCall, match="reverse the depth axis"):
        overlap_shares(*bounds, np.array([0.0]), np.array([10.0]))
