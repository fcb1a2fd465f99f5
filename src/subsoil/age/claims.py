"""Each claim of the paper beside our estimate: agrees or not, and how we know.

Numbers are judged by our interval: they agree if it meets the printed number within its rounding. Effects are
judged by the cluster-robust test after Holm's correction, with the hierarchical answer, the studies left out
and the subsets named in the explanation. A claim about the world cannot be tested on an archive that is not a
sample of the world; its row still shows what the archive gives.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from subsoil.age.drivers import FINE, LEAVE_ONE_OUT, RANGE
from subsoil.age.meta import ROBUST
from subsoil.age.multilevel import HIERARCHICAL
from subsoil.age.questions import ARIDITY, BY_LAYER, CROP, DEEP_TO_SURFACE, JOINT, MAIN, MAT, SHARE, STOCKS
from subsoil.errors import BadCall
from subsoil.published import DOI

AGREES = "agrees"
DIRECTION = "agrees in direction, not significant"
DISAGREES = "disagrees"
UNTESTABLE = "cannot be tested"
COLUMNS = (
    "claim", "where_stated", "published", "value", "lower", "upper", "unit", "n", "method", "agrees", "how",
)  # fmt: skip
ALPHA = 0.05
WORLD = (
    "A number for the world needs a weighting of sites by climate, land use and soil, which the paper does "
    "not describe and the archive cannot give: mostly warm sites, changed plants, no permafrost, no peat."
)
ABSTRACT = f"abstract, doi:{DOI}"


@dataclass(frozen=True)
class Number:
    """A number of the paper: the row ``name`` of the headline table and the rounding of the printed value."""

    name: str
    claim: str
    rounding: float
    world: bool = False


NUMBERS = (
    Number("subsoil_stock_share", "47 % of the carbon stock of 0-100 cm lies at 30-100 cm", 0.5),
    Number("subsoil_new_share_50yr", "19 % of the carbon incorporated in 50 yr lies at 30-100 cm", 0.5),
    Number("median_depth_new_50yr", "The median depth of recent incorporation is 10 cm", 0.5),
    Number(
        "new_fraction_0_30_50yr_tropical",
        "Tropical grassland and forest: 45 % of the carbon of 0-30 cm is younger than 50 yr",
        0.5,
    ),
    Number(
        "new_fraction_30_100_50yr_tropical",
        "Tropical grassland and forest: 13 % of the carbon of 30-100 cm is younger than 50 yr",
        0.5,
    ),
    Number("median_age_0cm", "Tropical grassland and forest: median age 7 yr at the surface", 0.5),
    Number("median_age_100cm", "Tropical grassland and forest: median age 1250 yr at 100 cm", 5.0),
    Number(
        "new_fraction_0_100_50yr",
        "Worldwide, 25 % of the carbon of 0-100 cm was renewed in 50 yr",
        0.5,
        world=True,
    ),
    Number(
        "topsoil_new_share_50yr",
        "Worldwide, about 80 % of the carbon renewed in 50 yr lies at 0-30 cm",
        5.0,
        world=True,
    ),
)


def claims(answers: pd.DataFrame, comparison: pd.DataFrame, headline: pd.DataFrame) -> pd.DataFrame:
    """One row for each claim: the table claims.csv.

    ``answers``: from `age.drivers.drivers`; ``comparison``: from `age.drivers.aridity_against_temperature`;
    ``headline``: columns name, value, lower, upper, unit, n, published, source. Columns: ``COLUMNS``, with
    ``agrees`` one of ``AGREES``, ``DIRECTION``, ``DISAGREES``, ``UNTESTABLE``.

    Raises
    ------
    BadCall
        A table lacks a column.
    """
    needed = {"name", "value", "lower", "upper", "unit", "n", "published", "source"}
    if missing := sorted(needed - set(headline.columns)):
        raise BadCall(f"the headline table lacks the columns {', '.join(missing)}")
    stated = headline.set_index("name")
    rows = [
        _aridity(answers),
        _aridity_against_temperature(answers, comparison),
        _crop_surface(answers),
        _crop_below(answers),
        *(_number(number, stated) for number in NUMBERS),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _aridity(answers: pd.DataFrame) -> dict[str, Any]:
    row = _answer(answers, JOINT, SHARE.name, ARIDITY.name)
    others = " Large P/PET is humid: a negative slope puts more of the new carbon deep where it is dry."
    return _effect(
        "The relative allocation of new carbon to depth follows aridity: drier, deeper",
        row,
        _verdict(float(row["estimate"]) < 0, float(row["p_holm"])),
        _evidence(answers, row) + others,
    )


def _aridity_against_temperature(answers: pd.DataFrame, comparison: pd.DataFrame) -> dict[str, Any]:
    table = comparison[comparison["response"] == SHARE.name].set_index("measure")
    row = table.loc[["held-out R2"]].iloc[0]
    temperature = _answer(answers, JOINT, SHARE.name, MAT.name)
    measures = "; ".join(
        f"{name}: {m['aridity']:.3f} against {m['temperature']:.3f}, difference {m['difference']:.3f} "
        f"({m['lower']:.3f} to {m['upper']:.3f}), p = {m['p']:.2g}"
        for name, m in table.iterrows()
    )
    return {
        "claim": "The allocation follows the aridity index better than mean annual temperature",
        "where_stated": ABSTRACT,
        "value": row["difference"],
        "lower": row["lower"],
        "upper": row["upper"],
        "unit": "held-out R2 of aridity minus that of temperature, beside ln(labelling years)",
        "n": row["n"],
        "method": row["method"],
        "agrees": _verdict(float(row["difference"]) > 0, float(row["p"])),
        "how": f"{measures}. In one model with clay and land use, temperature: {_words(temperature)}.",
    }


def _crop_surface(answers: pd.DataFrame) -> dict[str, Any]:
    row = _answer(answers, BY_LAYER, STOCKS[0].name, CROP.name)
    topsoil = _answer(answers, BY_LAYER, STOCKS[1].name, CROP.name)
    return _effect(
        "Cropping lowers the incorporation of carbon in the surface layer",
        row,
        _verdict(float(row["estimate"]) < 1, float(row["p_holm"])),
        f"New carbon of 0-10 cm under crop over that under grassland and forest, at equal labelling time. "
        f"{_evidence(answers, row)} For 0-30 cm: {_words(topsoil)}.",
    )


def _crop_below(answers: pd.DataFrame) -> dict[str, Any]:
    row = _answer(answers, BY_LAYER, STOCKS[2].name, CROP.name)
    contrast = _answer(answers, BY_LAYER, DEEP_TO_SURFACE.name, CROP.name)
    lowered = row["upper"] < 1
    return _effect(
        "Cropping does not lower the incorporation of carbon deeper than the surface",
        row,
        DISAGREES if lowered else _verdict(float(contrast["estimate"]) > 1, float(contrast["p_holm"])),
        f"New carbon of 30-100 cm under crop over that under grassland and forest. {_evidence(answers, row)} "
        f"An interval that holds 1 proves no absence, so the verdict rests on the contrast of depths, the "
        f"same ratio for 30-100 over 0-10 cm: {_words(contrast)}.",
    )


def _number(number: Number, stated: pd.DataFrame) -> dict[str, Any]:
    if number.name not in stated.index:
        absent = {
            "claim": number.claim,
            "agrees": UNTESTABLE,
            "how": f"the headline table has no {number.name}",
        }
        return dict.fromkeys(COLUMNS, np.nan) | {"where_stated": "", "unit": "", "method": ""} | absent
    row = stated.loc[[number.name]].iloc[0]
    verdict, how = _meets(row, number.rounding)
    if number.world:
        verdict, how = UNTESTABLE, f"{WORLD} Value of the archive. {how}"
    return {
        "claim": number.claim,
        "where_stated": row["source"],
        "published": row["published"],
        **{name: row[name] for name in ("value", "lower", "upper", "unit", "n")},
        "method": "headline table",
        "agrees": verdict,
        "how": how,
    }


def _meets(row: pd.Series, rounding: float) -> tuple[str, str]:
    """Whether our interval meets the printed number, and by how much the values differ."""
    value, published = float(row["value"]), float(row["published"])
    if not np.isfinite([value, published]).all() or np.isnan([row["lower"], row["upper"]]).any():
        return UNTESTABLE, "no estimate with an interval, or no published number"
    unit = {"%": "percentage points"}.get(row["unit"], row["unit"])
    gap = f"Ours is {abs(value - published):.3g} {unit} {'above' if value > published else 'below'}"
    inside = row["lower"] <= published + rounding and row["upper"] >= published - rounding
    position = "inside" if inside else "outside"
    how = f"{gap} the published {published:g}, which lies {position} our interval (rounding {rounding:g})."
    return (AGREES if inside else DISAGREES), how


def _effect(claim: str, row: pd.Series, verdict: str, how: str) -> dict[str, Any]:
    names = {
        "value": "estimate",
        "lower": "lower",
        "upper": "upper",
        "unit": "unit",
        "n": "n",
        "method": "method",
    }
    shown = {ours: row[theirs] for ours, theirs in names.items()}
    return {"claim": claim, "where_stated": ABSTRACT, **shown, "agrees": verdict, "how": how}


def _verdict(as_stated: bool, p: float) -> str:
    if np.isnan(p):
        return UNTESTABLE
    if not as_stated:
        return DISAGREES
    return AGREES if p < ALPHA else DIRECTION


def _answer(
    answers: pd.DataFrame, question: str, response: str, term: str, method: str = ROBUST, subset: str = MAIN
) -> pd.Series:
    same = (answers["question"] == question) & (answers["response"] == response) & (answers["term"] == term)
    rows = answers[same & (answers["method"] == method) & (answers["subset"] == subset)]
    if len(rows) != 1:
        raise BadCall(f"expected one answer of {response} on {term} ({question}, {method}), got {len(rows)}")
    return rows.iloc[0]


def _words(row: pd.Series) -> str:
    corrected = "" if pd.isna(row["p_holm"]) else f", after Holm {row['p_holm']:.2g}"
    return f"{row['estimate']:.3g} ({row['lower']:.3g} to {row['upper']:.3g}), p = {row['p']:.2g}{corrected}"


def _evidence(answers: pd.DataFrame, row: pd.Series) -> str:
    """The cluster-robust answer, the hierarchical one, and how far studies and subsets move it."""
    what = (row["question"], row["response"], row["term"])
    hierarchical = _answer(answers, *what, method=HIERARCHICAL)
    left_out = _answer(answers, *what, method=RANGE, subset=LEAVE_ONE_OUT)
    same = (answers["question"] == what[0]) & (answers["response"] == what[1]) & (answers["term"] == what[2])
    other = same & (answers["method"] == ROBUST) & (answers["subset"] != MAIN) & (answers["outcome"] == FINE)
    subsets = answers[other]["estimate"]
    return (
        f"Cluster-robust: {_words(row)}, {row['n_clusters']} clusters. Hierarchical: {_words(hierarchical)}. "
        f"Each study left out in turn: {left_out['lower']:.3g} to {left_out['upper']:.3g}; "
        f"other subsets: {subsets.min():.3g} to {subsets.max():.3g}."
    )
