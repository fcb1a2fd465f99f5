"""The archive's tables: types, joining, and the way to ISRaD and back."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from subsoil.archive.readers.israd_tables import OTHER_TABLES, from_israd, table_of, to_israd
from subsoil.archive.schema import (
    KEYS,
    REJECT_COLUMNS,
    TABLES,
    Archive,
    Reject,
    add_flag,
    concat,
    empty,
    rejects_frame,
    typed,
)
from subsoil.errors import BadCall
from subsoil.variables import Variable, columns

TEXT = st.text(alphabet="abcæ éß,;\"'0-9\n", min_size=1, max_size=8).map(str.strip).filter(bool)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64) | st.none()
TRUTHS = st.booleans() | st.none()


def _values(known: Variable) -> st.SearchStrategy:
    if known.is_number:
        return NUMBERS
    return TRUTHS if known.kind == "flag" else TEXT if known.kind == "key" else TEXT | st.none()


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    """Archives of a few rows with some columns filled, and one that the schema does not know."""
    tables = {}
    for name in TABLES:
        rows = draw(st.integers(0, 3))
        chosen = draw(st.lists(st.sampled_from(columns(name)), max_size=5, unique=True))
        filled = {v.name: v for v in columns(name) if v.kind == "key"} | {v.name: v for v in chosen}
        data = {n: draw(st.lists(_values(v), min_size=rows, max_size=rows)) for n, v in filled.items()}
        frame = pd.DataFrame({**data, "lyr_fe_ox": np.full(rows, 1.5)})
        tables[name] = typed(name, frame)
    return Archive(**tables, source="test", simulated=draw(st.booleans()))


def same(a: Archive, b: Archive) -> None:
    for name in TABLES:
        # only the order of the columns may differ: types, values, missing marks may not
        assert_frame_equal(a.table(name), b.table(name)[list(a.table(name).columns)], check_exact=True)
    assert (a.source, a.simulated) == (b.source, b.simulated)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(archives())
def test_to_israd_and_back_loses_nothing(archive: Archive) -> None:
    same(archive, from_israd(to_israd(archive), archive.source, archive.simulated))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(archives())
def test_to_israd_through_csv_and_back_loses_nothing(archive: Archive) -> None:
    frames = {}
    for name, frame in to_israd(archive).items():
        numbers = {c: "float64" if pd.api.types.is_numeric_dtype(frame[c]) else "str" for c in frame}
        text = io.StringIO(frame.to_csv(index=False, lineterminator="\r\n"), newline="")
        frames[name] = pd.read_csv(text, dtype=numbers, keep_default_na=False, na_values=[""])
    same(archive, from_israd(frames, archive.source, archive.simulated))


def test_israd_columns_come_first_and_keep_their_names() -> None:
    frames = to_israd(empty())
    assert set(frames) == set(TABLES) | set(OTHER_TABLES)
    names = list(frames["layer"])
    assert names.index("lyr_14c") < names.index("pair_ref_13c")
    for name in TABLES:
        assert names[:4] == list(KEYS["layer"]), name


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_known_by_its_header(name: str) -> None:
    assert table_of([v.name for v in columns(name)]) == name


def test_from_israd_names_what_is_absent() -> None:
    frames = to_israd(empty())
    with pytest.raises(BadCall, match="site_name"):
        from_israd({**frames, "layer": frames["layer"].drop(columns="site_name")})
    del frames["site"]
    with pytest.raises(BadCall, match="no table site"):
        from_israd(frames)


def test_typed_adds_orders_and_types_and_keeps_the_unknown() -> None:
    layer = typed("layer", pd.DataFrame({"mine": [7], "lyr_top": [0], "entry_name": ["a"]}, index=[5]))
    assert list(layer)[:1] == ["entry_name"]
    assert list(layer)[-1] == "mine"
    assert layer["lyr_top"].dtype == "float64"
    assert layer["mine"].dtype == "int64"
    assert layer["flags"].tolist() == [""]
    assert layer.index.tolist() == [0]


def test_typed_twice_changes_nothing() -> None:
    once = typed("profile", pd.DataFrame({"entry_name": ["a"], "pair_ref_is_previous": [True]}))
    assert_frame_equal(once, typed("profile", once))


def test_typed_refuses_words_for_numbers() -> None:
    with pytest.raises(BadCall, match="layer"):
        typed("layer", pd.DataFrame({"lyr_top": ["deep"]}))


def test_empty_has_every_column_of_the_schema() -> None:
    archive = empty("x", simulated=True)
    assert archive.simulated
    for name in TABLES:
        assert {c: str(t) for c, t in archive.table(name).dtypes.items()} == {
            v.name: v.dtype for v in columns(name)
        }
    assert tuple(archive.rejects) == REJECT_COLUMNS
    with pytest.raises(BadCall, match="unknown table"):
        archive.table("layers")


def test_concat_joins_rows_rejects_and_doubts() -> None:
    first = Archive(layer=typed("layer", pd.DataFrame({"entry_name": ["a"], "lyr_fe_ox": [1.0]})), source="a")
    reject = Reject("f.csv", "", 3, "lyr_top", "not-a-number", "x", "warning", "words")
    second = empty("b", simulated=True).with_rejects([reject])
    both = concat([first, second, first])
    assert both.layer["entry_name"].tolist() == ["a", "a"]
    assert both.layer["lyr_top"].dtype == "float64"
    assert both.rejects["row"].tolist() == [3]
    assert (both.source, both.simulated) == ("a+b", True)
    assert concat([]).source == ""


def test_a_reject_knows_three_severities() -> None:
    with pytest.raises(BadCall, match="severity"):
        Reject("f", "", 1, "", "rule", "", "fatal", "words")
    assert rejects_frame()["row"].dtype == "int64"


def test_flags_join_and_stay_where_no_rule_holds() -> None:
    flags = pd.Series(["", "a", "a"], dtype="str")
    assert add_flag(flags, pd.Series([True, True, False]), "b").tolist() == ["b", "a; b", "a"]
