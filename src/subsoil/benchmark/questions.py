"""The questions of the 2018 paper, put to a model's columns: does it send new carbon to the right depth?

New carbon N is the carbon younger than 50 yr, C all carbon (`subsoil.benchmark.allocation`). Over the sums of
the profiles, as the data's own numbers are made (`subsoil.age.headline`, mean carbon density):

    new_share_below_30cm       100 N(30-100) / N(0-100)                                                %
    median_depth_new           depth above which half of N(0-100) lies                                 cm
    young_ratio_top_sub        (N / C)(0-30) / (N / C)(30-100), tropical profiles                      1

and over profiles that each count once:

    aridity_direction          slope of 100 N(30-100) / N(0-100) on ln(P/PET)                          %
    crop_direction             N(0-10) under crop over that elsewhere, ratio of geometric means        1
    crop_depth_direction       the same of N(30-100) / N(0-10)                                         1

Large P/PET is humid: "drier, deeper" is a slope below 0. "Crops lower the new carbon of the surface, not that
below" is a ratio below 1 at 0-10 cm and above 1 for the contrast of depths. A model answers for all profiles,
each 50 yr after the label; the data of the directions have each profile's own time, a term of the regression.

*Rule.* A question has a range: the 95 % interval of the data, widened to the published number where that lies
outside; for a direction, all values on the data's side of no effect. A model passes if its value lies in the
range, and for a direction its whole interval too (else it "agrees in direction"). The margin is the distance
from the value to the nearest end of the range, above 0 inside, in the question's unit. Intervals are those of
other sites (`subsoil.benchmark.bootstrap`, the same resamples where all sites answer).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from subsoil.age.drivers import answer
from subsoil.age.headline import site_weights
from subsoil.age.meta import ROBUST
from subsoil.age.questions import (
    ARIDITY,
    BY_LAYER,
    CROP,
    DEEP_TO_SURFACE,
    MAIN,
    SHARE,
    SINGLE,
    STOCKS,
    SUBSETS,
    complete_cases,
)
from subsoil.age.questions import Question as Regression
from subsoil.benchmark import allocation
from subsoil.benchmark.bootstrap import RESAMPLES, Interval, percentile
from subsoil.benchmark.reference import Curves
from subsoil.benchmark.verdicts import ROUNDING
from subsoil.errors import BadCall

PASS, FAIL, DIRECTION, NOT_ANSWERED = "pass", "fail", "agrees in direction", "not answered"
COLUMNS = ("metric", "depth", "group", "value", "lower", "upper", "n", "verdict")
EXPECTED = ("question", "title", "unit", "data", "lower", "upper", "published", "least", "most", "n",
            "source")  # fmt: skip


class Question(NamedTuple):
    """``data``: row of the headline table, or the regression asked of the profile table; ``null`` of an
    effect, what no effect is."""

    title: str
    unit: str
    data: str | Regression
    null: float | None = None
    factor: float = 1.0


QUESTIONS: Mapping[str, Question] = {
    "new_share_below_30cm": Question("New carbon below 30 cm", "%", "subsoil_new_share_50yr"),
    "median_depth_new": Question("Median depth of new carbon", "cm", "median_depth_new_50yr"),
    "young_ratio_top_sub": Question("Young carbon, topsoil to subsoil", "ratio", "young_ratio_tropical"),
    "aridity_direction": Question(
        "Drier, deeper: new carbon below 30 cm against ln(P/PET)",
        "% per ln unit",
        Regression(SINGLE, SHARE, (ARIDITY,)),
        null=0.0,
        factor=100.0,
    ),
    "crop_direction": Question(
        "Crops: new carbon of 0-10 cm against other land",
        "ratio",
        Regression(BY_LAYER, STOCKS[0], (CROP,)),
        null=1.0,
    ),
    "crop_depth_direction": Question(
        "Crops: new carbon of 30-100 over 0-10 cm against other land",
        "ratio",
        Regression(BY_LAYER, DEEP_TO_SURFACE, (CROP,)),
        null=1.0,
    ),
}
SHARES_OF_RATIO = ("new_fraction_0_30_50yr_tropical", "new_fraction_30_100_50yr_tropical")
"""Rows of the headline table whose published values make the published ratio: 45 % to 13 %."""


def expected(headline: pd.DataFrame, profiles: pd.DataFrame) -> pd.DataFrame:
    """What the data say, one row a question: the columns `EXPECTED`.

    ``headline``: of `subsoil.age.headline.headline`, with name, value, lower, upper, n, published, source;
    its rows subsoil_new_share_50yr, median_depth_new_50yr, young_ratio_tropical and those in
    `SHARES_OF_RATIO` are used. ``profiles``: of `subsoil.age.profiles.profile_table`, for the directions
    (cluster-robust, labelling times up to 200 yr). ``least`` to ``most`` is the range in which a model
    passes; data, interval and range in ``unit``.

    Raises
    ------
    BadCall
        A table lacks a column or a row.
    """
    if missing := sorted({"name", "value", "lower", "upper", "n", "published", "source"} - {*headline}):
        raise BadCall(f"the headline table lacks the columns {', '.join(missing)}")
    known = headline.set_index("name")
    names = [q.data for q in QUESTIONS.values() if isinstance(q.data, str)] + [*SHARES_OF_RATIO]
    if missing := [name for name in names if name not in known.index]:
        raise BadCall(f"the headline table lacks the rows {', '.join(missing)}: make it anew with headline()")
    top, sub = (float(known["published"][name]) for name in SHARES_OF_RATIO)
    rows = []
    for name, question in QUESTIONS.items():
        if isinstance(question.data, str):
            row = known.loc[question.data]
            found = {key: row[key] for key in ("lower", "upper", "n", "published", "source")}
            found["data"] = row["value"]
        else:
            found = _effect(question, question.data, profiles)
        rows.append({"question": name, "title": question.title, "unit": question.unit} | found)
    table = pd.DataFrame(rows).set_index("question", drop=False)
    table.loc["young_ratio_top_sub", ["published", "source"]] = top / sub, known["source"][SHARES_OF_RATIO[0]]
    table["least"], table["most"] = zip(*(_range(row) for _, row in table.iterrows()), strict=True)
    return table[[*EXPECTED]].reset_index(drop=True)


def _effect(question: Question, regression: Regression, profiles: pd.DataFrame) -> dict[str, object]:
    """The last term of a regression over the profiles of the archive."""
    table = profiles.reset_index(drop=True)
    table = table[SUBSETS[MAIN](table)]
    row = answer(regression, complete_cases(regression, table), ROBUST)[-1]
    ends = {name: question.factor * row[name] for name in ("lower", "upper")}
    return ends | {
        "data": question.factor * row["estimate"],
        "n": row["n"],
        "published": np.nan,
        "source": f"{regression.response.name} on {regression.model}; {row['method']}",
    }


def _range(row: pd.Series) -> tuple[float, float]:
    """The interval of the data and the published number, or all that lies on the data's side of no effect."""
    null = QUESTIONS[row["question"]].null
    if np.isnan(row["data"]):
        return np.nan, np.nan
    if null is None:
        ends = [row["lower"], row["upper"], row["published"]]
        return float(np.nanmin(ends)), float(np.nanmax(ends))
    return (-np.inf, null) if row["data"] < null else (null, np.inf)


def ask(
    curves: Curves | None,
    profiles: pd.DataFrame,
    expected: pd.DataFrame,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """A model's answers with intervals, margins and verdicts: rows of the leaderboard (`COLUMNS`).

    Each question is a metric at depth and group "all", with a second row ``<question>_margin``. ``curves`` of
    the model, None where it gives none; ``profiles`` of the reference (site_id, p_pet, land_use, tropical are
    used); ``expected`` from `expected`. ``n`` profiles behind the answer: those without a missing number in
    0-100 cm. A model that cannot answer, as its layers end above 100 cm, has rows without a value, and the
    verdict says why.

    Raises
    ------
    BadCall
        The curves name a profile that is not there, have no share at 50 yr, or there are fewer than 2
        resamples.
    """
    if resamples < 2:
        raise BadCall(f"resamples={resamples}: expected at least 2, usually {RESAMPLES}")
    why = allocation.unfit(curves)
    found: dict[str, allocation.Draws] = {}
    if curves is not None and not why:
        carbon = allocation.allocation(curves, profiles)
        if len(carbon.table):
            found = dict(allocation.numbers(carbon, site_weights(carbon.table["site_id"], resamples, seed)))
        else:
            why = "no profile has a complete column"
    rows = [row for _, stated in expected.iterrows() for row in _rows(stated, found, why)]
    return pd.DataFrame(rows, columns=[*COLUMNS])


def _rows(stated: pd.Series, found: Mapping[str, allocation.Draws], why: str) -> Iterator[tuple]:
    """The answer to a question and its margin."""
    name = stated["question"]
    draws, n = found.get(name, (np.array([np.nan]), 0))
    if np.isnan(stated["least"]):
        why = "the data give no answer"
    if why or np.isnan(draws[0]):
        reason = f"{NOT_ANSWERED}: {why or 'profiles that it needs are missing'}"
        yield from ((m, "all", "all", np.nan, np.nan, np.nan, 0, reason) for m in (name, f"{name}_margin"))
        return
    with np.errstate(invalid="ignore"):  # a model without carbon below has an infinite ratio
        value = percentile(draws)
    margin = min(float(draws[0]) - stated["least"], stated["most"] - float(draws[0]))
    told = verdict(value, stated["least"], stated["most"], QUESTIONS[name].null is not None)
    yield name, "all", "all", *map(float, value), n, told
    yield f"{name}_margin", "all", "all", margin, np.nan, np.nan, n, told


def verdict(value: Interval, least: float, most: float, direction: bool) -> str:
    """Whether an answer passes in the range from ``least`` to ``most`` (see the module).

    >>> verdict(Interval(25.0, 10.0, 40.0), 19.0, 28.0, False), verdict(Interval(30.0, 10, 40), 19, 28, False)
    ('pass', 'fail')
    >>> verdict(Interval(-1.0, -3.0, 0.5), -np.inf, 0.0, True)
    'agrees in direction'
    >>> verdict(Interval(1 - 1e-16, 0.9, 1.1), -np.inf, 1.0, True)
    'fail'
    """
    away = min(value.value - least, most - value.value)  # no effect at all is no direction, up to rounding
    if away < 0.0 or (direction and away <= ROUNDING):
        return FAIL
    return PASS if not direction or (least < value.lower and value.upper < most) else DIRECTION
