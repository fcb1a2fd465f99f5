"""The study's questions: what is explained by what, in which profiles.

Response. The share of new carbon below 30 cm enters as it is: some values lie at or below 0, which a logit
would drop, and the robust errors allow for unequal spread. The logit stands beside it. Stocks enter as
logarithms, so a coefficient is a ratio; profiles without new carbon at that depth are left out and counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from subsoil.age.meta import joined_clusters
from subsoil.errors import BadCall

Covariances = Mapping[str, Float[np.ndarray, "profile profile"]]


@dataclass(frozen=True)
class Term:
    """A predictor: ``values`` of a profile table, the ``unit`` its coefficient is per."""

    name: str
    unit: str
    values: Callable[[pd.DataFrame], pd.Series]


DIFFERENCE = "difference"
YEARS = Term("ln(labelling years)", "per ln(yr)", lambda t: np.log(t["labelling_years"]))
ARIDITY = Term("ln(P/PET)", "per ln unit", lambda t: np.log(t["p_pet"]))
P_PET = Term("P/PET", "per unit", lambda t: t["p_pet"])
MAT = Term("MAT", "per degC", lambda t: t["mat"])
MAP = Term("MAP", "per 1000 mm yr-1", lambda t: t["map"] / 1000)
CLAY = Term("clay", "per 10 %", lambda t: t["clay"] / 10)
GRASSLAND = Term("grassland against crop", DIFFERENCE, lambda t: _is(t, "grassland"))
FOREST = Term("forest against crop", DIFFERENCE, lambda t: _is(t, "forest"))
CROP = Term("crop against grassland and forest", DIFFERENCE, lambda t: _is(t, "crop"))


def _is(table: pd.DataFrame, use: str) -> pd.Series:
    return (table["land_use"] == use).astype(float).where(table["land_use"].notna())


@dataclass(frozen=True)
class Response:
    """What is explained: a column of the profile table as it is ("raw"), its "ln" or its "logit"."""

    column: str
    scale: str = "raw"

    @property
    def name(self) -> str:
        """Name in the tables; the estimate of an "ln" response is given back as a ratio.

        >>> Response("share_new_30_100", "logit").name, Response("new_soc_stock_0_10", "ln").name
        ('logit(share_new_30_100)', 'new_soc_stock_0_10')
        """
        return f"logit({self.column})" if self.scale == "logit" else self.column

    def values(self, table: pd.DataFrame) -> Float[np.ndarray, "profile"]:
        """The response; missing where the scale does not allow the value."""
        y = table[self.column].to_numpy(float)
        if self.scale == "raw":
            return y
        inside = np.where((y > 0) & ((y < 1) | (self.scale == "ln")), y, np.nan)
        return np.log(inside) if self.scale == "ln" else np.log(inside / (1 - inside))

    def slope(self, table: pd.DataFrame) -> Float[np.ndarray, "profile"]:
        """d response / d column, which carries the sampling error over."""
        y = table[self.column].to_numpy(float)
        below = {"raw": np.ones_like(y), "ln": y, "logit": y * (1 - y)}[self.scale]
        return 1 / np.where(np.isfinite(self.values(table)), below, np.nan)

    def unit(self, term: Term) -> str:
        """Unit of an estimate.

        >>> Response("new_soc_stock_0_10", "ln").unit(CROP), Response("f_0_30").unit(MAT)
        ('ratio', 'fraction, per degC')
        """
        scale = {"raw": "fraction", "ln": "ratio", "logit": "logit"}[self.scale]
        return scale if term.unit == DIFFERENCE else f"{scale}, {term.unit}"

    def back(self, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """From the scale of the fit to the scale of the tables."""
        with np.errstate(over="ignore"):  # an interval without information reaches to infinity
            return np.exp(values) if self.scale == "ln" else values


@dataclass(frozen=True)
class Question:
    """One regression: ``asked`` terms are reported and tested, ``given`` ones are controls."""

    name: str
    response: Response
    asked: tuple[Term, ...]
    given: tuple[Term, ...] = (YEARS,)

    @property
    def terms(self) -> tuple[Term, ...]:
        """Controls, then what is asked."""
        return (*self.given, *self.asked)

    @property
    def family(self) -> str:
        """Which tests belong together: predictors of one response, or one contrast at all depths."""
        several = self.name in (SINGLE, JOINT, JOINT_MAP)
        return f"{self.name}: {self.response.name}" if several else self.name

    @property
    def model(self) -> str:
        """The right-hand side in words."""
        return " + ".join(term.name for term in self.terms)


SHARE = Response("share_new_30_100")
ALLOCATION = (SHARE, Response("share_new_30_100", "logit"), Response("f_0_30"), Response("f_30_100"))
STOCKS = tuple(Response(f"new_soc_stock_{depth}", "ln") for depth in ("0_10", "0_30", "30_100"))
STEPS = tuple(Response(f"new_soc_stock_{top}_{top + 10}", "ln") for top in range(0, 100, 10))
DEEP_TO_SURFACE = Response("new_30_100_to_0_10", "ln")
FRACTIONS = ALLOCATION[2:]

SINGLE, JOINT, JOINT_MAP = "one predictor at a time", "all predictors", "all predictors, MAP for P/PET"
BY_LAYER, BY_STEP = "crop by layer", "crop by 10 cm"
LIKE_FOR_LIKE = ", same climate and clay"

PREDICTORS = ((P_PET,), (ARIDITY,), (MAT,), (MAP,), (CLAY,), (GRASSLAND, FOREST))
CLIMATE_AND_CLAY = (YEARS, ARIDITY, MAT, CLAY)
BROAD = (*STOCKS, *FRACTIONS, DEEP_TO_SURFACE)

QUESTIONS = (
    *(Question(SINGLE, r, asked) for r in ALLOCATION for asked in PREDICTORS),
    *(Question(JOINT, r, (ARIDITY, MAT, CLAY, GRASSLAND, FOREST)) for r in ALLOCATION),
    *(Question(JOINT_MAP, r, (MAP, MAT, CLAY, GRASSLAND, FOREST)) for r in ALLOCATION),
    *(Question(BY_LAYER, r, (CROP,)) for r in BROAD),
    *(Question(BY_LAYER + LIKE_FOR_LIKE, r, (CROP,), CLIMATE_AND_CLAY) for r in BROAD),
    *(Question(BY_STEP, r, (CROP,)) for r in STEPS),
    *(Question(BY_STEP + LIKE_FOR_LIKE, r, (CROP,), CLIMATE_AND_CLAY) for r in STEPS),
)
PRIMARY = tuple(
    q
    for q in QUESTIONS
    if (q.name == JOINT and q.response.scale == "raw")
    or (q.name in (BY_LAYER, BY_LAYER + LIKE_FOR_LIKE) and q.response.scale == "ln")
)
"""Asked again of every subset."""

MAIN = "t <= 200 yr"
ALL = "all durations"
FIRST_YEAR = 1965
"""The paper states 1965 to 2015; two profiles were sampled earlier."""

SUBSETS: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = {
    MAIN: lambda t: t["labelling_years"] <= 200,
    ALL: lambda t: t["labelling_years"].notna(),
    "without FACE": lambda t: (t["labelling_years"] <= 200) & (t["label_type"] != "FACE"),
    "without author f": lambda t: (t["labelling_years"] <= 200) & ~t["author_f"].astype(bool),
    "without imputed errors": lambda t: (t["labelling_years"] <= 200) & ~t["error_imputed"].astype(bool),
    "without pedotransfer bulk density": lambda t: (
        (t["labelling_years"] <= 200) & ~t["bd_pedotransfer"].astype(bool)
    ),
    "without samples before 1965": lambda t: (t["labelling_years"] <= 200) & (t["obs_year"] >= FIRST_YEAR),
    "sampled to 100 cm": lambda t: (t["labelling_years"] <= 200) & ~t["extended"].astype(bool),
}


class Cases(NamedTuple):
    """Complete cases of one question."""

    y: Float[np.ndarray, "row"]
    x: Float[np.ndarray, "row term"]
    sampling: Float[np.ndarray, "row row"]
    cluster: Int[np.ndarray, "row"]
    table: pd.DataFrame
    n_missing: int

    @property
    def levels(self) -> dict[str, np.ndarray]:
        """Study, site and profile of each row, coarsest first."""
        return {name: self.table[f"{name}_id"].to_numpy(str) for name in ("study", "site", "profile")}


def complete_cases(question: Question, table: pd.DataFrame, covariances: Covariances | None = None) -> Cases:
    """Rows that have the response, every term and its sampling error; ``n_missing`` counts the others.

    ``covariances``: by column, as from `age.profiles.sampling_covariances`, over the rows of the table whose
    labels are its positions; else the squares of the ``_se`` columns; else 0, and the random effects take up
    all.

    Raises
    ------
    BadCall
        The table lacks a column.
    """
    column = question.response.column
    try:
        terms = [term.values(table).to_numpy(float) for term in question.terms]
        y = question.response.values(table)
    except KeyError as missing:
        raise BadCall(
            f"the profile table lacks the column {missing}: make it with profile_table"
        ) from missing
    x = np.column_stack([np.ones(len(table)), *terms])
    variance = _sampling(column, table, covariances) * np.outer(*2 * [question.response.slope(table)])
    keep = np.isfinite(y) & np.isfinite(x).all(axis=1) & np.isfinite(np.diag(variance))
    kept = table[keep]
    reference = (kept["study_id"] + "|" + kept["reference_id"]).tolist()
    labels = (kept["site_id"].tolist(), kept["study_id"].tolist(), reference)
    cluster = joined_clusters(*labels) if len(kept) else np.zeros(0, dtype=np.int64)
    sampling = variance[np.ix_(keep, keep)]
    return Cases(y[keep], x[keep], sampling, cluster, kept, int((~keep).sum()))


def _sampling(column: str, table: pd.DataFrame, covariances: Covariances | None) -> np.ndarray:
    if covariances is not None:
        rows = table.index.to_numpy(int)
        return covariances[column][np.ix_(rows, rows)]
    se = table.get(f"{column}_se")
    return np.zeros((len(table), len(table))) if se is None else np.diag(se.to_numpy(float) ** 2)
