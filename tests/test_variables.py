"""The table of variables: complete, consistent, and of use to everyone else."""

import math

import pytest

from subsoil.errors import BadCall
from subsoil.variables import KINDS, columns, variable, variables

EVERY = list(variables().values())
OPEN_ENDED = ("frc_lower", "frc_upper")


def test_each_variable_is_described() -> None:
    for known in EVERY:
        assert known.kind in KINDS, known
        assert known.tables, known
        assert known.label, known
        assert len(known.meaning) > 3, known
        assert known.lower <= known.upper, known


def test_numbers_have_a_unit_and_bounds() -> None:
    for known in EVERY:
        if known.is_number:
            assert not known.vocab, known
            assert known.name in OPEN_ENDED or (known.unit and math.isfinite(known.upper - known.lower)), (
                known
            )


def test_an_error_has_the_unit_of_its_value_and_is_not_negative() -> None:
    for known in EVERY:
        if known.kind in ("sd", "sigma"):
            assert known.lower == 0, known
            value = known.name.removesuffix("_sd").removesuffix("_sigma").removesuffix("_se")
            assert value == known.name or known.unit == variables().get(value, known).unit, known


def test_keys_repeat_down_the_hierarchy() -> None:
    depth = [
        len([v for v in columns(t) if v.kind == "key"]) for t in ("metadata", "site", "profile", "layer")
    ]
    assert depth == [1, 2, 3, 4]


def test_words_have_no_unit_and_numbers_no_words() -> None:
    assert {v.name for v in EVERY if v.kind in ("key", "text", "flag") and v.unit} == set()


def test_types_follow_the_kind() -> None:
    assert {variable(n).dtype for n in ("lyr_top", "lyr_13c_sd", "lyr_obs_date_y")} == {"float64"}
    assert variable("pair_ref_is_previous").dtype == "boolean"
    assert variable("entry_name").dtype == "str"


@pytest.mark.parametrize(("ask", "wrong"), [(variable, "lyr_depth"), (columns, "layers")])
def test_an_unknown_name_is_a_bad_call(ask: object, wrong: str) -> None:
    with pytest.raises(BadCall, match=wrong):
        ask(wrong)  # type: ignore[operator]


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        variable("f_new").unit = "%"  # type: ignore[misc]
