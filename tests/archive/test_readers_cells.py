"""From raw cells to typed columns."""

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from subsoil.archive.readers.cells import (
    CELL_RULES,
    Grid,
    Log,
    find_header,
    is_missing,
    make_grid,
    need,
    numbers,
    truths,
    words,
)
from subsoil.archive.workbook import Sheet
from subsoil.errors import UnreadableFile


def column(cells: Sequence[object]) -> tuple[Grid, Log]:
    grid = Grid(
        pd.DataFrame({"x": pd.Series(list(cells), dtype=object)}), np.arange(5, 5 + len(cells)), {"x": "X"}
    )
    return grid, Log("f.csv", "s", CELL_RULES)


@pytest.mark.parametrize(
    ("cell", "value", "rule"),
    [
        (1.5, 1.5, ""),
        (3, 3.0, ""),
        ("-25.3", -25.3, ""),
        ("−25.3", -25.3, ""),  # the minus sign of a typesetter
        (" 1e-3 ", 0.001, ""),
        ("", np.nan, ""),
        ("NA", np.nan, ""),
        (" n.d. ", np.nan, ""),
        (None, np.nan, ""),
        ("1,5", 1.5, "decimal-comma"),
        ("1,234", np.nan, "not-a-number"),  # a thousand, or one and a bit: not ours to guess
        ("abc", np.nan, "not-a-number"),
        ("1_000", np.nan, "not-a-number"),
        (True, np.nan, "not-a-number"),
        ("#DIV/0!", np.nan, "spreadsheet-error"),
        (datetime.date(2005, 10, 5), np.nan, "date-instead-of-number"),
        (datetime.timedelta(days=1), np.nan, "date-instead-of-number"),
        ("Inf", np.nan, "infinite"),
        (float("-inf"), np.nan, "infinite"),
        (1e300, np.nan, "infinite"),
    ],
)
def test_a_cell_is_a_number_or_is_logged(cell: object, value: float, rule: str) -> None:
    grid, log = column([cell])
    np.testing.assert_equal(numbers(grid, "x", log), np.array([value]))
    assert [r.rule for r in log.rejects] == ([rule] if rule else [])
    for reject in log.rejects:
        assert (reject.file, reject.sheet, reject.row, reject.column) == ("f.csv", "s", 5, "X")


def test_an_open_bound_may_be_infinite() -> None:
    grid, log = column(["-Inf", "2"])
    assert numbers(grid, "x", log, infinite=True).tolist() == [-np.inf, 2.0]
    assert log.rejects == []


def test_words_are_stripped_and_whole_numbers_are_names() -> None:
    grid, _ = column([" a ", 7.0, 7.5, "NA", None])
    assert words(grid, "x").fillna("?").tolist() == ["a", "7", "7.5", "?", "?"]


def test_truths_know_yes_and_no_in_any_spelling() -> None:
    grid, log = column(["Yes", True, "0", "NA", "perhaps"])
    assert truths(grid, "x", log).tolist() == [True, True, False, pd.NA, pd.NA]
    assert [r.rule for r in log.rejects] == ["not-yes-or-no"]


def test_an_absent_column_is_missing_everywhere() -> None:
    grid, log = column([1, 2])
    assert np.isnan(numbers(grid, "y", log)).all()
    assert words(grid, "y").isna().all()


def test_the_header_is_the_first_of_the_rows_with_most_titles() -> None:
    sheet = Sheet("s", [["note"], ["a"], ["A", "b c"], ["unit", ""], ["a", "B-C", "other"], ["1", "a"]])
    assert find_header(sheet, ["a", "b_c"]) == 2
    assert find_header(sheet, ["zzz"]) == -1
    assert find_header(Sheet("s", []), ["a"]) == -1


def test_a_grid_keeps_row_numbers_and_logs_cells_beyond_the_header() -> None:
    sheet = Sheet("s", [["a", "b"], ["", " "], [1], [2, 3, "", 9]])
    _, log = column([])
    grid = make_grid(sheet, 0, ["a", ""], log)
    assert grid.rows.tolist() == [3, 4]
    assert grid.frame["a"].tolist() == [1, 2]
    (reject,) = log.rejects
    assert (reject.rule, reject.row, reject.column) == ("cells-beyond-header", 4, "D")


def test_a_header_said_again_is_no_data_and_data_above_it_are_told() -> None:
    sheet = Sheet("s", [[1, 2, 3], ["a", "b", "c"], [4, 5, 6], ["A", " b", "c"], [7, 8, "c"]])
    _, log = column([])
    assert make_grid(sheet, 1, ["a", "b", "c"], log).rows.tolist() == [3, 5]
    assert [(r.rule, r.row, r.severity) for r in log.rejects] == [("above-header", 1, "error")]


def test_lacking_columns_are_named() -> None:
    with pytest.raises(UnreadableFile, match=r"f\.xlsx, sheet s lacks the columns A, B; expected a thing"):
        need("f.xlsx", "s", ["c"], {"a": "A", "b": "B", "c": "C"}, "a thing")


def test_missing_marks() -> None:
    assert all(map(is_missing, ["", "  ", "NA", "nd", None, float("nan"), "-"]))
    assert not any(map(is_missing, [0, 0.0, "0", False, "no"]))
