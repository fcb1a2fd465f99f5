"""Notation: known values, inverses, and errors as authors print them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from subsoil import constants, isotopes

deltas = st.floats(-60, 30)
fractions = st.floats(0.001, 2.0)
years = st.floats(1900, 2030)


@given(deltas, st.sampled_from([constants.R_PDB, constants.R_VPDB]))
def test_delta_and_ratio_are_inverse(delta: float, standard: float) -> None:
    ratio = isotopes.delta_to_ratio(delta, standard)
    assert isotopes.ratio_to_delta(ratio, standard) == pytest.approx(delta, abs=1e-9)


@given(fractions, years)
def test_fraction_modern_and_delta14c_are_inverse(fraction: float, year: float) -> None:
    back = isotopes.fraction_modern(isotopes.delta14c(fraction, year), year)
    assert back == pytest.approx(fraction, rel=1e-12)


@given(fractions)
def test_age_and_fraction_are_inverse(fraction: float) -> None:
    age = isotopes.conventional_age(fraction)
    assert isotopes.age_to_fraction_modern(age) == pytest.approx(fraction, rel=1e-12)


def test_known_radiocarbon_values() -> None:
    # Half of modern is one Libby half-life, whatever the decay constant of nature.
    assert isotopes.conventional_age(0.5) == pytest.approx(5568.05, abs=0.01)
    # A sample of 1950 needs no year correction; sixty years later the standard has lost 7.2 per mil.
    assert isotopes.delta14c(1.0, 1950.0) == 0.0
    assert isotopes.delta14c(1.0, 2010.0) == pytest.approx(-7.2315, abs=1e-3)
    # Decay and Libby constants differ by 3 %.
    ratio = constants.LIBBY_MEAN_LIFE * constants.RADIOCARBON_DECAY
    assert ratio == pytest.approx(1 / 1.0291, rel=1e-4)


def test_known_carbon13_values() -> None:
    assert isotopes.delta_to_ratio(0.0) == constants.R_PDB
    assert isotopes.delta_to_ratio(-1000.0) == 0.0
    assert isotopes.ratio_to_delta(isotopes.delta_to_ratio(np.array([-27.0, -12.0]))) == pytest.approx(
        [-27, -12]
    )


def test_age_of_an_impossible_fraction_is_missing() -> None:
    assert np.isnan(isotopes.conventional_age([0.0, -0.1])).all()
    assert np.isnan(isotopes.conventional_age_sigma(0.0, 0.003))


@pytest.mark.parametrize("fraction", [0.05, 0.5, 1.2])
def test_sigmas_are_the_derivatives(fraction: float) -> None:
    step = 1e-6
    age_slope = (isotopes.conventional_age(fraction + step) - isotopes.conventional_age(fraction - step)) / (
        2 * step
    )
    assert isotopes.conventional_age_sigma(fraction, 0.004) == pytest.approx(abs(age_slope) * 0.004, rel=1e-6)
    slope = (isotopes.delta14c(fraction + step, 1994.0) - isotopes.delta14c(fraction - step, 1994.0)) / (
        2 * step
    )
    assert isotopes.delta14c_sigma(0.004, 1994.0) == pytest.approx(slope * 0.004, rel=1e-6)


@pytest.mark.parametrize(
    ("value", "kind", "n", "expected"),
    [
        (0.5, "SD", np.nan, 0.5),
        (0.3, "SE", 9, 0.9),
        (0.3, "se", np.nan, 0.3),
        (0.45, "IC95", 3, 0.45 * 3**0.5 / 4.302653),
        (0.45, "CI95", np.nan, 0.45 / 1.959964),
        (0.6, "LSDP0.05", 5, 0.6 * 5**0.5 / (2**0.5 * 2.306004)),
        (0.6, "LSD", 1, 0.6 / (2**0.5 * 1.959964)),
    ],
)
def test_printed_errors_become_standard_deviations(
    value: float, kind: str, n: float, expected: float
) -> None:
    assert isotopes.spread(value, kind, n) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["ND", "NA", "", "variance", None, float("nan")])
def test_unknown_kind_is_missing_not_guessed(kind: object) -> None:
    assert np.isnan(isotopes.spread(0.5, kind, 3))


@pytest.mark.parametrize(("value", "n"), [(-0.1, 3), (0.5, 0), (0.5, -2)])
def test_impossible_error_is_missing(value: float, n: float) -> None:
    assert np.isnan(isotopes.spread(value, ["SD", "SE", "IC95", "LSD"], n)).all()


@given(st.floats(0.01, 5), st.integers(2, 50))
def test_every_kind_means_the_same_replicates(sd: float, n: int) -> None:
    half_width = sd / n**0.5 * float(stdtrit(n - 1, 0.975))
    least_difference = sd * (2 / n) ** 0.5 * float(stdtrit(2 * (n - 1), 0.975))
    for value, kind in [(sd, "SD"), (sd / n**0.5, "SE"), (half_width, "IC95"), (least_difference, "LSD")]:
        assert isotopes.spread(value, kind, n) == pytest.approx(sd, rel=1e-9)
