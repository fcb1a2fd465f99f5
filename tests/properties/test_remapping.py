"""Laws of moving amounts between layers, for any profile."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subsoil.depth import (
    DepthGrid,
    Layers,
    contributing_fraction,
    monotone_means,
    monotone_values,
    overlap,
    remap,
    spline_means,
)

thickness = st.floats(0.02, 0.5)


@st.composite
def profiles(draw: st.DrawFn, gaps: bool = True) -> tuple[Layers, np.ndarray]:
    """Two to eight layers with or without gaps, and a non-negative density in each."""
    n = draw(st.integers(2, 8))
    steps = draw(st.lists(thickness, min_size=n, max_size=n))
    holes = draw(st.lists(st.sampled_from([0.0, 0.0, 0.1]), min_size=n, max_size=n)) if gaps else [0.0] * n
    top = np.cumsum([0.0, *steps[:-1]]) + np.cumsum([0.0, *holes[1:]])
    density = draw(st.lists(st.just(0.0) | st.floats(1e-6, 100), min_size=n, max_size=n))
    return Layers(top, top + steps), np.array(density)


@st.composite
def cuts(draw: st.DrawFn, bottom: float) -> DepthGrid:
    """A grid from the surface to ``bottom`` with up to six inner boundaries."""
    inner = draw(st.lists(st.floats(0.01, 0.99), min_size=0, max_size=6, unique=True))
    boundaries = np.unique(np.round([0.0, *inner, 1.0], 3)) * bottom
    return DepthGrid(boundaries)


@given(st.data())
def test_mass_closes(data: st.DataObject) -> None:
    source, density = data.draw(profiles(gaps=False))
    target = data.draw(cuts(float(source.bottom[-1])))
    mass = source.thickness @ density
    for means in (
        remap(source, target) @ density,
        spline_means(source, target) @ density,
        spline_means(source, target, 0.01) @ density,
        monotone_means(source, density, target),
    ):
        np.testing.assert_allclose(target.thickness @ means, mass, rtol=1e-9, atol=1e-9)


@given(profiles())
def test_own_layers_come_back(profile: tuple[Layers, np.ndarray]) -> None:
    source, density = profile
    np.testing.assert_allclose(remap(source, source) @ density, density, atol=1e-9)
    np.testing.assert_allclose(spline_means(source, source) @ density, density, atol=1e-7)
    np.testing.assert_allclose(monotone_means(source, density, source), density, atol=1e-7)


@given(profiles(), st.floats(1e-6, 10.0))
def test_smoothing_keeps_the_layers_amount(profile: tuple[Layers, np.ndarray], smoothing: float) -> None:
    source, density = profile
    fitted = spline_means(source, source, smoothing) @ density
    np.testing.assert_allclose(source.thickness @ fitted, source.thickness @ density, rtol=1e-8, atol=1e-8)


@given(profiles())
def test_rows_of_a_map_sum_to_one(profile: tuple[Layers, np.ndarray]) -> None:
    """A constant stays that constant: the maps are means."""
    source, _ = profile
    target = DepthGrid(np.linspace(0.0, float(source.bottom[-1]), 5))
    for a in (remap(source, target), spline_means(source, target), spline_means(source, target, 0.1)):
        known = ~np.isnan(a[:, 0])
        np.testing.assert_allclose(a[known].sum(axis=1), 1.0, rtol=1e-9)


@given(profiles())
def test_monotone_density_is_never_negative(profile: tuple[Layers, np.ndarray]) -> None:
    source, density = profile
    depth = np.linspace(0.0, float(source.bottom[-1]), 101)
    assert (monotone_values(source, density, depth) >= -1e-9).all()


@given(profiles(), st.floats(0.1, 10.0))
def test_monotone_map_scales(profile: tuple[Layers, np.ndarray], factor: float) -> None:
    source, density = profile
    target = DepthGrid(np.linspace(0.0, float(source.bottom[-1]), 4))
    scaled = monotone_means(source, factor * density, target)
    np.testing.assert_allclose(scaled, factor * monotone_means(source, density, target), rtol=1e-7, atol=1e-7)


@given(profiles())
def test_covariance_moves_with_the_map(profile: tuple[Layers, np.ndarray]) -> None:
    """A Cov Aᵀ stays symmetric and positive semi-definite, and merging layers cannot add variance."""
    source, density = profile
    a = spline_means(source, Layers(source.top[:1], source.bottom[-1:]), 0.05)
    out = a @ np.diag(density) @ a.T
    assert out[0, 0] >= 0.0


@given(profiles())
def test_overlap_is_bounded_by_both_sides(profile: tuple[Layers, np.ndarray]) -> None:
    source, _ = profile
    target = DepthGrid(np.linspace(0.0, 1.3 * float(source.bottom[-1]), 7))
    shared = overlap(source, target)
    assert (shared >= 0).all()
    assert (shared.sum(axis=0) <= source.thickness + 1e-12).all()
    np.testing.assert_allclose(shared, overlap(target, source).T)
    fraction = contributing_fraction(source, target)
    assert ((fraction >= 0) & (fraction <= 1 + 1e-12)).all()
