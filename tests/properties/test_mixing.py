"""Laws of two-source mixing, for any values."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from subsoil.newcarbon import components, covariance, mix

delta = st.floats(-35, -10)
contrast = st.floats(4, 20) | st.floats(-20, -4)
sigma = st.floats(0.01, 2.0)


@given(delta, delta, contrast, st.floats(-50, 50))
def test_only_differences_count(soil: float, ref: float, veg: float, shift: float) -> None:
    """Another standard, or the same offset of the laboratory on both soils, changes nothing."""
    np.testing.assert_allclose(mix(soil + shift, ref + shift, veg), mix(soil, ref, veg), atol=1e-12)


@given(delta, delta, contrast)
def test_direction_of_the_change_does_not_matter(soil: float, ref: float, veg: float) -> None:
    np.testing.assert_allclose(mix(-soil, -ref, -veg), mix(soil, ref, veg), atol=1e-12)


@given(delta, delta, delta, contrast, st.floats(0, 1))
def test_linear_in_the_soil(a: float, b: float, ref: float, veg: float, share: float) -> None:
    """A mixture of two soils of equal carbon content has the mixture of their f."""
    mixed = share * mix(a, ref, veg) + (1 - share) * mix(b, ref, veg)
    np.testing.assert_allclose(mix(share * a + (1 - share) * b, ref, veg), mixed, atol=1e-12)


@given(delta, contrast)
def test_ends_are_zero_and_one(ref: float, veg: float) -> None:
    np.testing.assert_allclose(mix([ref, ref + veg], ref, veg), [0.0, 1.0], atol=1e-12)


@given(delta, delta, contrast, sigma, sigma, sigma, sigma)
def test_unit_of_delta_does_not_matter(
    soil: float, ref: float, veg: float, lab: float, rep: float, ref_se: float, sigma_veg: float
) -> None:
    """Per mil or fraction: f and all its errors are the same."""
    per_mil = [np.array([v]) for v in (veg, lab, rep, ref_se, sigma_veg)]
    fraction = [v / 1000 for v in per_mil]
    f = np.atleast_1d(mix(soil, ref, veg))
    np.testing.assert_allclose(mix(soil / 1000, ref / 1000, veg / 1000), f[0], atol=1e-12)
    a, b = (components(f, v[0], (v[1], v[2]), v[3], v[4]) for v in (per_mil, fraction))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-12)


@given(contrast, sigma, sigma, st.floats(-0.2, 1.3))
def test_errors_are_the_derivatives(veg: float, ref_se: float, sigma_veg: float, f: float) -> None:
    step, ref = 1e-6, -26.0
    soil = ref + f * veg
    sample, plants = (np.zeros(1), np.ones(1)), np.array([sigma_veg])
    parts = components(np.array([f]), np.array([veg]), sample, np.array([ref_se]), plants)
    by_ref = (mix(soil, ref + step, veg) - mix(soil, ref - step, veg)) / (2 * step)
    by_veg = (mix(soil, ref, veg + step) - mix(soil, ref, veg - step)) / (2 * step)
    np.testing.assert_allclose(parts["se_replicate"], abs(1 / veg), rtol=1e-6)
    np.testing.assert_allclose(parts["se_reference"], abs(by_ref) * ref_se, rtol=1e-6)
    np.testing.assert_allclose(parts["se_end_member"], abs(by_veg) * sigma_veg, rtol=1e-4, atol=1e-8)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A new-carbon table as far as `covariance` reads it."""
    n = draw(st.integers(1, 7))
    number = st.lists(st.floats(0, 0.3), min_size=n, max_size=n)
    errors = ("se_laboratory", "se_replicate", "se_reference", "se_end_member", "se_method")
    table = pd.DataFrame({name: draw(number) for name in errors})
    table["f_new"] = draw(st.lists(st.floats(-0.2, 1.3), min_size=n, max_size=n))
    table["contrast"] = draw(st.lists(contrast, min_size=n, max_size=n))
    for key in ("reference_key", "end_member_key"):
        table[key] = draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n))
    return table


@given(tables(), st.randoms(use_true_random=False))
def test_covariance_does_not_depend_on_row_order(table: pd.DataFrame, random: object) -> None:
    order = list(range(len(table)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = covariance(table.iloc[order].reset_index(drop=True))
    np.testing.assert_allclose(shuffled, covariance(table)[np.ix_(order, order)], atol=1e-15)


@given(tables())
def test_covariance_is_symmetric_and_positive(table: pd.DataFrame) -> None:
    matrix = covariance(table)
    np.testing.assert_allclose(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > -1e-10
