"""Numbers on the page are the numbers of the files."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsoil.reporting.quantities import NOTHING, interval, joined, number, printed_unit, quantity


@given(st.floats(-9e5, 9e5).filter(lambda value: abs(value) > 1e-4))
def test_number_keeps_three_digits(value: float) -> None:
    assert float(number(value).replace("−", "-")) == pytest.approx(value, rel=0.00501)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_number_always_answers(value: float) -> None:
    text = number(value)
    assert text
    assert (text == NOTHING) == math.isnan(value)
    assert text.endswith("∞") == math.isinf(value)


@pytest.mark.parametrize(
    ("unit", "text"), [("1", "25 %"), ("%", "0.25 %"), ("years", "0.25 yr"), ("kg C m-2", "0.25 kg C m⁻²")]
)
def test_share_is_printed_as_percentage(unit: str, text: str) -> None:
    assert quantity(0.25, unit) == text


def test_missing_values_carry_no_unit() -> None:
    assert quantity(float("nan"), "cm") == NOTHING
    assert interval(1.0, float("nan"), "cm") == ""


def test_a_statement_of_share_is_a_percentage() -> None:
    assert printed_unit("percent of the 0-30 cm C") == "%"


def test_joined() -> None:
    assert [joined([]), joined(["a"]), joined(["a", "b"])] == ["", "a", "a and b"]
