"""Layers, grids and the maps between them: known values, doors, order of convergence, traps of peers."""

import numpy as np
import pytest

from subsoil.depth import (
    DepthGrid,
    Layers,
    SupportAverage,
    _fit,
    _stiffness,
    contributing_fraction,
    monotone_means,
    monotone_values,
    overlap,
    remap,
    spline_means,
    spline_values,
)
from subsoil.errors import BadCall

# The profile on which the peers were measured (thickness in cm, used here as the unit of depth).
THICKNESS = np.array([5.0, 10.0, 15.0, 30.0, 40.0])
BOUNDS = np.concatenate([[0.0], np.cumsum(THICKNESS)])
PROFILE = Layers(BOUNDS[:-1], BOUNDS[1:])
CARBON = np.array([60.0, 35.0, 15.0, 6.0, 3.0])


@pytest.mark.parametrize(
    ("top", "bottom", "hint"),
    [
        ([], [], "equally many"),
        ([0.0, 0.1], [0.1], "equally many"),
        ([0.0, np.nan], [0.1, 0.2], "finite"),
        ([0.1], [0.0], "exchanged"),
        ([0.0], [0.0], "exchanged"),
        ([0.0, 0.05], [0.1, 0.2], "overlap"),
        ([0.2, 0.0], [0.3, 0.1], "sorted"),
    ],
)
def test_layers_are_checked_at_the_door(top: list[float], bottom: list[float], hint: str) -> None:
    with pytest.raises(BadCall, match=hint):
        Layers(np.array(top), np.array(bottom))


@pytest.mark.parametrize("boundaries", [[0.0], [0.0, 0.0], [0.1, 0.0], [0.0, np.nan, 1.0]])
def test_grid_is_checked_at_the_door(boundaries: list[float]) -> None:
    with pytest.raises(BadCall, match="increasing"):
        DepthGrid(np.array(boundaries))


def test_grid_is_frozen_and_in_metres() -> None:
    grid = DepthGrid.from_cm([0, 30, 100])
    np.testing.assert_allclose(grid.thickness, [0.3, 0.7])
    np.testing.assert_allclose(grid.centre, [0.15, 0.65])
    with pytest.raises(ValueError, match="read-only"):
        grid.boundaries[0] = -1.0


def test_missing_depth_lowers_the_fraction_never_the_mean() -> None:
    source, target = Layers.from_cm([0, 40], [20, 60]), DepthGrid.from_cm([0, 30, 100, 200])
    np.testing.assert_allclose(contributing_fraction(source, target), [2 / 3, 2 / 7, 0.0])
    means = remap(source, target) @ np.array([5.0, 2.0])
    np.testing.assert_allclose(means[:2], [5.0, 2.0])
    assert np.isnan(means[2])


def test_amounts_move_without_loss() -> None:
    source, target = DepthGrid.from_cm([0, 7, 33, 100]), DepthGrid.from_cm([0, 30, 60, 100])
    np.testing.assert_allclose(overlap(source, target).sum(axis=0), source.thickness)
    np.testing.assert_allclose(overlap(source, target).sum(axis=1), target.thickness)


def test_support_average_is_exact_for_polynomials() -> None:
    grid = DepthGrid.from_cm([0, 10, 50])
    for degree in range(8):
        exact = np.diff(grid.boundaries ** (degree + 1)) / (degree + 1) / grid.thickness
        np.testing.assert_allclose(SupportAverage(grid, 4)(lambda z, d=degree: z**d), exact, rtol=1e-13)


def test_support_average_of_an_exponential_is_not_its_middle() -> None:
    grid, scale = DepthGrid.from_cm([0, 30]), 0.1
    exact = scale / 0.3 * (1 - np.exp(-0.3 / scale))
    assert SupportAverage(grid)(lambda z: np.exp(-z / scale))[0] == pytest.approx(exact, rel=3e-6)
    assert np.exp(-0.15 / scale) < 0.8 * exact
    with pytest.raises(BadCall, match="order"):
        SupportAverage(grid, 0)


def test_spline_is_smooth_and_level_at_its_ends() -> None:
    source = Layers(np.array([0.0, 0.1, 0.5]), np.array([0.1, 0.3, 1.0]))  # a gap of 20 cm
    density = np.array([4.0, 1.0, 0.5])

    def value(z: float) -> float:
        return float((spline_values(source, np.array([z])) @ density)[0])

    for bound in (0.1, 0.3, 0.5):
        step = 1e-6
        assert value(bound - step) == pytest.approx(value(bound + step), abs=1e-4)
        left = (value(bound - step) - value(bound - 2 * step)) / step
        right = (value(bound + 2 * step) - value(bound + step)) / step
        assert left == pytest.approx(right, rel=2e-3)
    for end, sign in ((0.0, 1), (1.0, -1)):
        assert (value(end + sign * 1e-6) - value(end)) / 1e-6 == pytest.approx(0.0, abs=1e-3)
    # linear within the gap
    assert value(0.4) == pytest.approx(0.5 * (value(0.35) + value(0.45)), rel=1e-12)


def test_spline_minimises_what_it_says() -> None:
    """The fitted means beat any perturbation of them in misfit + λ ∫ f'²."""
    smoothing = 3.0
    gap = np.zeros(4)
    r, q = _stiffness(THICKNESS, gap)
    weight = THICKNESS / THICKNESS.sum()

    def energy(means: np.ndarray) -> float:
        slopes = np.concatenate([[0.0], 6.0 * np.linalg.solve(r, q @ means), [0.0]])
        b0, b1 = slopes[:-1], slopes[1:]
        roughness = (THICKNESS * (b0**2 + b0 * b1 + b1**2) / 3.0).sum()  # slope is linear within a layer
        return float((weight * (CARBON - means) ** 2).sum() + smoothing * roughness)

    best = _fit(THICKNESS, gap, smoothing)[0] @ CARBON
    rng = np.random.default_rng(1)
    for _ in range(50):
        assert energy(best) < energy(best + rng.normal(0, 0.1, 5))


def test_a_single_layer_is_level() -> None:
    source, target = Layers.from_cm([0], [20]), DepthGrid.from_cm([0, 5, 20])
    np.testing.assert_allclose(spline_means(source, target)[:, 0], 1.0)
    np.testing.assert_allclose(monotone_means(source, np.array([3.0]), target), 3.0)


def test_below_the_deepest_sample_nothing_is_known_unless_asked() -> None:
    target = DepthGrid(np.array([90.0, 110.0, 130.0]))
    inside = spline_means(PROFILE, DepthGrid(np.array([90.0, 100.0]))) @ CARBON
    means = spline_means(PROFILE, target) @ CARBON
    assert means[0] == pytest.approx(inside[0])
    assert np.isnan(means[1])
    assert np.isnan(monotone_means(PROFILE, CARBON, target)[1])
    assert np.isnan(spline_values(PROFILE, np.array([101.0])) @ CARBON)
    level = (spline_values(PROFILE, np.array([100.0])) @ CARBON)[0]
    asked = spline_means(PROFILE, target, extrapolate=True) @ CARBON
    assert asked[1] == pytest.approx(level)
    assert asked[0] == pytest.approx(0.5 * (inside[0] + level))
    np.testing.assert_allclose(contributing_fraction(PROFILE, target), [0.5, 0.0])


def test_a_negative_smoothing_raises() -> None:
    with pytest.raises(BadCall, match="smoothing"):
        spline_means(PROFILE, PROFILE, -0.1)


def test_cache_knows_values_not_shapes() -> None:
    """Two profiles of one shape, and two values of λ, are different entries."""
    other = Layers(PROFILE.top, PROFILE.bottom + np.array([0, 0, 0, 0, 50.0]))
    target = DepthGrid(np.array([0.0, 50.0]))
    results = [spline_means(s, target, lam) @ CARBON for s in (PROFILE, other) for lam in (0.0, 10.0)]
    assert len({round(float(r[0]), 9) for r in results}) == 4


@pytest.mark.parametrize(("method", "order"), [("spline", 2.7), ("monotone", 1.8), ("constant", 0.8)])
def test_refinement_order(method: str, order: float) -> None:
    """The error at targets that cut layers falls at least with this power of the layer thickness."""
    target = DepthGrid(np.array([0.0, 0.137, 0.291, 0.523, 0.871]))

    def integral(z: np.ndarray) -> np.ndarray:
        return 2.0 * z + np.sin(np.pi * z) / np.pi  # of 2 + cos(πz): level at both ends

    exact = np.diff(integral(target.boundaries)) / target.thickness
    errors = []
    for n in (10, 20, 40, 80, 160):
        grid = DepthGrid(np.linspace(0.0, 1.0, n + 1))
        density = np.diff(integral(grid.boundaries)) / grid.thickness
        source = Layers(grid.top, grid.bottom)
        if method == "spline":
            means = spline_means(source, target) @ density
        elif method == "monotone":
            means = monotone_means(source, density, target)
        else:
            means = remap(source, target) @ density
        errors.append(np.abs(means - exact).max())
    assert np.log2(errors[0] / errors[-1]) / 4 > order


# ---- traps measured in other packages ---------------------------------------------------------------------


def test_negative_values_are_not_clipped() -> None:
    """mpspline 0.2.0 turns these δ13C into 0, 0, 0, 0, 0."""
    delta = np.array([-20.0, -22.0, -24.0, -25.0, -25.5])
    np.testing.assert_allclose(spline_means(PROFILE, PROFILE) @ delta, delta, rtol=1e-12)


@pytest.mark.parametrize(("smoothing", "theirs"), [(1e-9, 1175.0), (0.1, 1191.5), (1.0, 1306.2)])
def test_equal_weights_lose_mass_and_thickness_weights_do_not(smoothing: float, theirs: float) -> None:
    """True integral 1175: the unweighted fit of the peers reports 1191.5 at λ 0.1 and 1306.2 at λ 1."""
    r, q = _stiffness(THICKNESS, np.zeros(4))
    unweighted = np.linalg.solve(np.eye(5) + 6 * 5 * smoothing * q.T @ np.linalg.solve(r, q), CARBON)
    assert THICKNESS @ unweighted == pytest.approx(theirs, abs=0.05)
    ours = spline_means(PROFILE, PROFILE, smoothing) @ CARBON
    assert THICKNESS @ ours == pytest.approx(1175.0, rel=1e-12)


def test_a_sum_of_point_values_is_not_the_integral() -> None:
    """Evaluated at the top of each centimetre, the exact spline sums to 1205.6; integrated it is 1175."""
    tops = np.arange(0.0, 100.0)
    assert (spline_values(PROFILE, tops) @ CARBON).sum() == pytest.approx(1205.6, abs=0.05)
    centimetres = DepthGrid(np.arange(0.0, 101.0))
    assert (spline_means(PROFILE, centimetres) @ CARBON).sum() == pytest.approx(1175.0, rel=1e-12)


def test_spline_overshoots_where_the_monotone_one_does_not() -> None:
    """50, 2, 2, 2, 2 dips to -9.8 as a spline."""
    density, depth = np.array([50.0, 2.0, 2.0, 2.0, 2.0]), np.linspace(0, 100, 2001)
    assert (spline_values(PROFILE, depth) @ density).min() == pytest.approx(-9.8, abs=0.05)
    assert monotone_values(PROFILE, density, depth).min() >= 0.0
    np.testing.assert_allclose(monotone_means(PROFILE, density, PROFILE), density, rtol=1e-12)


def test_stocks_are_harmonised_then_divided() -> None:
    """f of 0-30 is 0.526; peers report 0.416 from a splined f and 0.547 from the ratio of splined stocks."""
    f, target = np.array([0.8, 0.5, 0.2, 0.08, 0.05]), DepthGrid(np.array([0.0, 30.0]))
    true = (f * CARBON * THICKNESS)[:3].sum() / (CARBON * THICKNESS)[:3].sum()
    assert true == pytest.approx(0.526, abs=5e-4)
    for smoothing in (0.0, 1e-6):
        a = spline_means(PROFILE, target, smoothing)
        assert (a @ (f * CARBON) / (a @ CARBON))[0] == pytest.approx(true, rel=1e-6)
    # splined by itself, f gives its plain mean over depth, a quarter too low
    assert (spline_means(PROFILE, target) @ f)[0] == pytest.approx(0.400, abs=1e-9)
