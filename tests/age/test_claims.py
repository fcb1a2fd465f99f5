"""Each claim's verdict follows from the numbers behind it."""

import numpy as np
import pandas as pd
import pytest

from subsoil.age.claims import AGREES, COLUMNS, DIRECTION, DISAGREES, UNTESTABLE, claims
from subsoil.age.drivers import LEAVE_ONE_OUT, RANGE
from subsoil.age.meta import ROBUST
from subsoil.age.multilevel import HIERARCHICAL
from subsoil.age.questions import ARIDITY, BY_LAYER, CROP, DEEP_TO_SURFACE, JOINT, MAIN, MAT, SHARE, STOCKS
from subsoil.errors import BadCall

ARID = (JOINT, SHARE.name, ARIDITY.name)
WARM = (JOINT, SHARE.name, MAT.name)
SURFACE, TOPSOIL, DEEP = ((BY_LAYER, stock.name, CROP.name) for stock in STOCKS)
CONTRAST = (BY_LAYER, DEEP_TO_SURFACE.name, CROP.name)
AS_STATED = {
    ARID: (-0.09, -0.15, -0.03, 0.01),
    WARM: (0.003, -0.002, 0.008, 0.4),
    SURFACE: (0.5, 0.4, 0.7, 0.001),
    TOPSOIL: (0.7, 0.5, 0.98, 0.1),
    DEEP: (1.1, 0.8, 1.5, 0.6),
    CONTRAST: (2.2, 1.5, 3.2, 0.002),
}


def answers(**changed: tuple[float, float, float, float]) -> pd.DataFrame:
    """Answers of every method and one other subset; ``changed``: estimate, lower, upper, p_holm."""
    names = {"arid": ARID, "surface": SURFACE, "deep": DEEP, "contrast": CONTRAST}
    given = AS_STATED | {names[name]: values for name, values in changed.items()}
    rows = []
    for (question, response, term), (estimate, lower, upper, p) in given.items():
        what = {"question": question, "response": response, "term": term, "unit": "ratio", "n": 99}
        what |= {
            "estimate": estimate,
            "lower": lower,
            "upper": upper,
            "p": p / 2,
            "p_holm": p,
            "n_clusters": 46,
        }
        places = [(ROBUST, MAIN), (HIERARCHICAL, MAIN), (RANGE, LEAVE_ONE_OUT), (ROBUST, "without FACE")]
        rows += [what | {"method": method, "subset": subset, "outcome": "ok"} for method, subset in places]
    return pd.DataFrame(rows)


def comparison(difference: float = 0.1, p: float = 0.01) -> pd.DataFrame:
    row = {
        "response": SHARE.name,
        "aridity": difference,
        "temperature": 0.0,
        "difference": difference,
        "p": p,
    }
    row |= {"lower": difference - 0.1, "upper": difference + 0.1, "n": 99, "method": "cluster bootstrap"}
    return pd.DataFrame(
        [row | {"measure": name} for name in ("R2 gained", "standardised slope", "held-out R2")]
    )


def headline(**changed: tuple[float, float, float]) -> pd.DataFrame:
    values = {
        "subsoil_stock_share": (47.2, 45.0, 49.0, 47.0, "%"),
        "subsoil_new_share_50yr": (22.0, 20.1, 24.0, 19.0, "%"),
        "median_age_100cm": (1200.0, 600.0, np.inf, 1250.0, "yr"),
        "new_fraction_0_100_50yr": (27.0, 25.0, 30.0, 25.0, "%"),
    }
    rows = [
        dict(zip(("value", "lower", "upper", "published", "unit"), row, strict=True)) | {"name": name}
        for name, row in values.items()
    ]
    frame = pd.DataFrame(rows).assign(n=101, source="abstract").set_index("name")
    for name, numbers in changed.items():
        frame.loc[name, ["value", "lower", "upper"]] = numbers
    return frame.reset_index()


def verdict(table: pd.DataFrame, words: str) -> str:
    rows = table[table["claim"].str.contains(words, regex=False)]
    assert len(rows) == 1
    return str(rows["agrees"].iloc[0])


def test_has_a_row_for_each_claim_and_says_how() -> None:
    table = claims(answers(), comparison(), headline())
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 13
    assert set(table["agrees"]) <= {AGREES, DIRECTION, DISAGREES, UNTESTABLE}
    assert table["how"].str.len().min() > 20
    assert not table["claim"].duplicated().any()


@pytest.mark.parametrize(
    ("difference", "p", "expected"), [(0.1, 0.01, AGREES), (0.1, 0.2, DIRECTION), (-0.1, 0.01, DISAGREES)]
)
def test_aridity_against_temperature(difference: float, p: float, expected: str) -> None:
    table = claims(answers(), comparison(difference, p), headline())
    assert verdict(table, "better than mean annual temperature") == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((-0.09, -0.15, -0.03, 0.01), AGREES),
        ((-0.09, -0.19, 0.01, 0.07), DIRECTION),
        ((0.09, 0.01, 0.17, 0.03), DISAGREES),
        ((np.nan, np.nan, np.nan, np.nan), UNTESTABLE),
    ],
)
def test_aridity(values: tuple[float, float, float, float], expected: str) -> None:
    assert verdict(claims(answers(arid=values), comparison(), headline()), "drier, deeper") == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.5, 0.4, 0.7, 0.001), AGREES),
        ((0.8, 0.6, 1.1, 0.2), DIRECTION),
        ((1.4, 1.1, 1.8, 0.01), DISAGREES),
    ],
)
def test_crop_at_the_surface(values: tuple[float, float, float, float], expected: str) -> None:
    assert verdict(claims(answers(surface=values), comparison(), headline()), "surface layer") == expected


@pytest.mark.parametrize(
    ("deep", "contrast", "expected"),
    [
        ((1.1, 0.8, 1.5, 0.6), (2.2, 1.5, 3.2, 0.002), AGREES),
        ((1.1, 0.8, 1.5, 0.6), (1.3, 0.9, 1.9, 0.2), DIRECTION),
        ((0.6, 0.4, 0.9, 0.01), (1.5, 1.1, 2.0, 0.01), DISAGREES),
    ],
)
def test_crop_below(deep: tuple, contrast: tuple, expected: str) -> None:
    table = claims(answers(deep=deep, contrast=contrast), comparison(), headline())
    assert verdict(table, "deeper than the surface") == expected


def test_numbers_are_judged_by_the_interval() -> None:
    table = claims(answers(), comparison(), headline())
    assert verdict(table, "47 %") == AGREES
    assert verdict(table, "19 %") == DISAGREES
    assert verdict(table, "1250 yr") == AGREES
    row = table[table["claim"].str.startswith("19 %")].iloc[0]
    assert "3 percentage points above the published 19" in row["how"]
    assert row["published"] == 19.0


def test_rounding_of_the_printed_number_counts() -> None:
    near = claims(answers(), comparison(), headline(subsoil_new_share_50yr=(21.0, 19.4, 23.0)))
    assert verdict(near, "19 %") == AGREES


def test_claims_about_the_world_cannot_be_tested_but_are_shown() -> None:
    row = claims(answers(), comparison(), headline()).set_index("claim").filter(like="25 %", axis=0).iloc[0]
    assert row["agrees"] == UNTESTABLE
    assert row["value"] == 27.0
    assert "weighting" in row["how"]


def test_a_number_that_was_not_estimated_cannot_be_tested() -> None:
    table = claims(answers(), comparison(), headline(subsoil_stock_share=(47.0, np.nan, np.nan)))
    assert verdict(table, "47 %") == UNTESTABLE
    assert verdict(table, "median depth") == UNTESTABLE


def test_asks_for_the_tables_it_needs() -> None:
    with pytest.raises(BadCall, match="published"):
        claims(answers(), comparison(), headline().drop(columns="published"))
    with pytest.raises(BadCall, match="expected one answer"):
        claims(answers().iloc[:0], comparison(), headline())
