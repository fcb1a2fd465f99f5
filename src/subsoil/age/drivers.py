"""What drives the depth of new carbon: the study's questions answered with dependence in mind.

Each question is a regression over profiles. Three methods answer it side by side:

- ``cluster-robust CR2``: equal weights, clusters = profiles joined by a shared site, study or reference
  profile (connected components), bias-reduced sandwich with Satterthwaite degrees of freedom (`age.meta`) and
  a wild cluster bootstrap as a second opinion (``p_wild``). Equal weights, since profiles differ by far more
  than their sampling errors (`heterogeneity`).
- ``hierarchical``: random effects of study, site and profile on top of the known sampling covariance, REML,
  Satterthwaite degrees of freedom (`age.multilevel`). Deterministic; a Bayesian twin would add priors on
  three variances to the same answer.
- ``naive OLS``: every profile an independent study. Only for comparison with earlier work.

Multiple tests: ``p_holm`` is Holm's over one family, by method and subset. Where several predictors are asked
of one response, the family is these predictors; where one contrast is asked of several depths, the depths.
Controls (labelling time; climate and clay where land use is asked) are in no family.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from subsoil.age.meta import (
    NAIVE,
    ROBUST,
    Fit,
    cluster_bootstrap,
    cluster_robust,
    held_out_residuals,
    holm,
    least_squares,
    wild_bootstrap,
)
from subsoil.age.multilevel import HIERARCHICAL, Multilevel, multilevel
from subsoil.age.questions import (
    ARIDITY,
    MAIN,
    MAT,
    PRIMARY,
    QUESTIONS,
    SHARE,
    SUBSETS,
    Cases,
    Covariances,
    Question,
    Response,
    Term,
    complete_cases,
)
from subsoil.errors import BadCall

Both = Callable[[np.ndarray], tuple[float, float]]
"""A measure for aridity and for temperature, from row numbers."""

COLUMNS = (
    "question", "response", "model", "term", "unit", "estimate", "lower", "upper", "df", "p", "p_holm",
    "p_wild", "method", "n", "n_sites", "n_studies", "n_clusters", "n_missing", "subset", "outcome",
)  # fmt: skip
LEAVE_ONE_OUT = "leave one study out"
RANGE = f"{ROBUST}, range of estimates"
"""Here ``lower`` and ``upper`` are the extreme estimates, ``p`` the largest p; no interval."""
FINE = "ok"
FEW = 4.0
"""Degrees of freedom below which the t approximation fails (Tipton 2015, Psychological Methods 20:375)."""
DOUBTFUL = f"doubtful: fewer than {FEW:g} degrees of freedom"


def drivers(profiles: pd.DataFrame, covariances: Covariances | None = None) -> pd.DataFrame:
    """All questions, by all methods, in all subsets: the table drivers.csv.

    ``profiles``: from `age.profiles.profile_table`; ``covariances``: its `sampling_covariances`. Every
    question is answered in the main subset (labelling time up to 200 yr); the primary ones again in each
    subset for sensitivity by the two methods that respect dependence, and with each study left out in turn.

    Columns: ``COLUMNS``; ``estimate``, ``lower``, ``upper`` (95 %) in ``unit``. ``n_missing`` rows of the
    subset lacked a value. A fit that cannot be made is a row with missing numbers, and ``outcome`` says why.

    Raises
    ------
    BadCall
        A column is missing.
    """
    profiles = profiles.reset_index(drop=True)
    rows: list[dict[str, Any]] = []
    for subset, holds in SUBSETS.items():
        table = profiles[holds(profiles)]
        methods = (ROBUST, HIERARCHICAL, NAIVE) if subset == MAIN else (ROBUST, HIERARCHICAL)
        for question in QUESTIONS if subset == MAIN else PRIMARY:
            cases = complete_cases(question, table, covariances)
            for method in methods:
                rows.extend(answer(question, cases, method, subset, wild=subset == MAIN))
    frame = pd.DataFrame(rows)
    frame["p_holm"] = _holm(frame)
    frame = pd.concat([frame, _ranges(frame, leave_one_out(profiles))], ignore_index=True)[list(COLUMNS)]
    frame.attrs["interval"] = "95 %, Student's t"
    return frame


def answer(
    question: Question, cases: Cases, method: str, subset: str = MAIN, *, wild: bool = False
) -> list[dict[str, Any]]:
    """One row for each term of a question, without the constant; ``wild`` adds the bootstrap to CR2."""
    fit, outcome = _fit(cases, method)
    back = question.response.back
    low, high = (back(bound) for bound in fit.interval())
    rows, counts = [], _counts(cases)
    for i, term in enumerate(question.terms, start=1):
        second = wild and method == ROBUST and outcome == FINE and term in question.asked
        few = outcome == FINE and fit.df[i] < FEW
        rows.append(
            _what(question, term)
            | {"estimate": back(fit.estimate)[i], "lower": low[i], "upper": high[i]}
            | {"df": fit.df[i], "p": fit.p[i]}
            | {"p_wild": wild_bootstrap(cases.y, cases.x, cases.cluster, i) if second else np.nan}
            | counts
            | {"method": method, "subset": subset, "outcome": DOUBTFUL if few else outcome}
        )
    return rows


def _what(question: Question, term: Term) -> dict[str, str]:
    unit = question.response.unit(term)
    where = {"question": question.name, "response": question.response.name, "model": question.model}
    return where | {"term": term.name, "unit": unit}


def _counts(cases: Cases) -> dict[str, int]:
    table = cases.table
    return {
        "n": len(table),
        "n_sites": table["site_id"].nunique(),
        "n_studies": table["study_id"].nunique(),
        "n_clusters": len(np.unique(cases.cluster)),
        "n_missing": cases.n_missing,
    }


def _fit(cases: Cases, method: str) -> tuple[Fit, str]:
    """The fit and what became of it."""
    try:
        if method == HIERARCHICAL:
            model = _random_effects(cases)
            return model.fit, FINE if model.outcome == "converged" else model.outcome
        if method == ROBUST:
            return cluster_robust(cases.y, cases.x, cases.cluster), FINE
        return least_squares(cases.y, cases.x), FINE
    except BadCall as why:
        nothing = np.full(cases.x.shape[1], np.nan)
        return Fit(method, nothing, np.diag(nothing), nothing, len(cases.y), 0), f"not fitted: {why}"


def _random_effects(cases: Cases) -> Multilevel:
    return multilevel(cases.y, cases.x, cases.levels, cases.sampling)


def _holm(frame: pd.DataFrame) -> pd.Series:
    families = {(q.name, q.response.name, t.name): q.family for q in QUESTIONS for t in q.asked}
    keys = zip(frame["question"], frame["response"], frame["term"], strict=True)
    family = pd.Series([families.get(key) for key in keys], index=frame.index, dtype="str")
    groups = frame["p"].groupby([family, frame["method"], frame["subset"]])
    return groups.transform(lambda p: holm(p.to_numpy(float)))


def leave_one_out(profiles: pd.DataFrame, questions: Iterable[Question] = PRIMARY) -> pd.DataFrame:
    """Cluster-robust answers with one study left out: a row for each question, asked term and study.

    Columns as `drivers` and ``left_out``; main subset. Studies are left out, not clusters, so that the row
    names whose data an answer hangs on.
    """
    profiles = profiles.reset_index(drop=True)
    table = profiles[SUBSETS[MAIN](profiles)]
    rows = [row for question in questions for row in _without_each(question, complete_cases(question, table))]
    return pd.DataFrame(rows, columns=[*(c for c in COLUMNS if c != "p_holm"), "left_out"])


def _without_each(question: Question, cases: Cases) -> Iterator[dict[str, Any]]:
    studies = cases.table["study_id"].to_numpy()
    asked = {term.name for term in question.asked}
    for study in pd.unique(studies):
        keep = studies != study
        part = cases._replace(
            y=cases.y[keep], x=cases.x[keep], cluster=cases.cluster[keep], table=cases.table[keep]
        )
        for row in answer(question, part, ROBUST, LEAVE_ONE_OUT):
            if row["term"] in asked:
                yield row | {"left_out": study}


def _ranges(answers: pd.DataFrame, singles: pd.DataFrame) -> pd.DataFrame:
    """The cluster-robust rows of the main subset with the extremes over the studies left out."""
    keys = ["question", "response", "term"]
    extremes = singles.groupby(keys).agg(
        lower=("estimate", "min"), upper=("estimate", "max"), df=("df", "min"), p=("p", "max"), n=("n", "min")
    )
    rows = answers[(answers["subset"] == MAIN) & (answers["method"] == ROBUST)]
    rows = rows.drop(columns=[*extremes.columns, "p_holm", "p_wild"]).merge(extremes.reset_index(), on=keys)
    return rows.assign(method=RANGE, subset=LEAVE_ONE_OUT)


def heterogeneity(profiles: pd.DataFrame, covariances: Covariances | None = None) -> pd.DataFrame:
    """How much profiles differ beyond their errors: one row for each primary question, main subset.

    q, q_df, q_p: Cochran's Q of the residuals. For each level (study, site, profile) tau2 (squared units of
    the fit: ln for stocks) and i2, the share of the total variance; sampling_share is what the known errors
    leave. r2_marginal: by the terms; r2_conditional: by terms, study and site. mean, lower, upper: at mean
    predictors; prediction_lower, prediction_upper: for the true value of a new profile there (95 %, scale of
    the tables).
    """
    profiles = profiles.reset_index(drop=True)
    table = profiles[SUBSETS[MAIN](profiles)]
    return pd.DataFrame([_spread(q, complete_cases(q, table, covariances)) for q in PRIMARY])


def _spread(question: Question, cases: Cases) -> dict[str, Any]:
    what = {"question": question.name, "response": question.response.name, "model": question.model}
    where = _counts(cases) | {"subset": MAIN}
    centred = cases.x - (cases.x.mean(axis=0) if len(cases.x) else 0.0)
    centred[:, 0] = 1.0  # the constant is now the value at mean predictors
    try:
        model = _random_effects(cases._replace(x=centred))
    except BadCall as why:
        return what | where | {"outcome": f"not fitted: {why}"}
    bounds = [bound[0] for bound in model.fit.interval()]
    here = np.eye(centred.shape[1])[0]
    values = question.response.back(
        np.array([model.fit.estimate[0], *bounds, *model.prediction_interval(here)])
    )
    names = ("mean", "lower", "upper", "prediction_lower", "prediction_upper")
    return (
        what
        | {"q": model.q, "q_df": model.q_df, "q_p": model.q_p}
        | {f"tau2_{level}": value for level, value in model.tau2.items()}
        | {f"i2_{level}": value for level, value in model.i2.items()}
        | {"sampling_share": 1 - sum(model.i2.values())}
        | {"r2_marginal": model.r2_marginal, "r2_conditional": model.r2_conditional}
        | dict(zip(names, values.tolist(), strict=True))
        | where
        | {"outcome": FINE if model.outcome == "converged" else model.outcome}
    )


def bias_checks(profiles: pd.DataFrame, covariances: Covariances | None = None) -> pd.DataFrame:
    """Do small or early studies report other values? Each check is one more term in a primary question.

    Small studies: the standard error, the sampling variance (Egger's test in its multilevel form) and
    1/sqrt(replicates). Time lag: the sampling year. Rows as `drivers`, by both methods that respect
    dependence; ``p_holm`` is over the checks of one question and method. The error of f grows with f (through
    the plants) and that of a logarithm with 1 / value, so the first two find a slope without any selection:
    1/sqrt(replicates) is the check to trust. Archive data were not selected for significance; the logic is
    weak here and reported anyway.
    """
    profiles = profiles.reset_index(drop=True)
    table = profiles[SUBSETS[MAIN](profiles)]
    rows: list[dict[str, Any]] = []
    for question in PRIMARY:
        for check in _checks(question.response):
            wider = replace(question, asked=(check,), given=question.terms)
            cases = complete_cases(wider, table, covariances)
            rows.extend(answer(wider, cases, method)[-1] for method in (ROBUST, HIERARCHICAL))
    frame = pd.DataFrame(rows)
    frame["model"] = [model.rsplit(" + ", 1)[0] for model in frame["model"]]
    families = frame.groupby(["question", "response", "method"])["p"]
    return frame.assign(p_holm=families.transform(lambda p: holm(p.to_numpy(float))))


def _checks(response: Response) -> tuple[Term, ...]:
    def error(table: pd.DataFrame) -> pd.Series:
        return table[f"{response.column}_se"] * np.abs(response.slope(table))

    return (
        Term("standard error", "per unit of the standard error", error),
        Term("sampling variance", "per unit of the variance", lambda t: error(t) ** 2),
        Term(
            "1/sqrt(replicates)",
            "per unit",
            lambda t: 1 / np.sqrt(t["replicates"].where(t["replicates"] > 0)),
        ),
        Term("sampling year", "per 10 yr", lambda t: (t["obs_year"] - 2000) / 10),
    )


def aridity_against_temperature(
    profiles: pd.DataFrame, response: Response = SHARE, *, draws: int = 1999, seed: int = 0
) -> pd.DataFrame:
    """Which explains a response better beside labelling time: ln(P/PET) or mean annual temperature?

    Three measures, for aridity, for temperature and their difference with a 95 % percentile interval and p
    from resampling whole clusters (profiles joined by site, study or reference), main subset:

    - "R2 gained": R2 of ln t + predictor minus R2 of ln t;
    - "standardised slope": size of the slope, in standard deviations, with both predictors in the model;
    - "held-out R2": share of the held-out squared error of ln t that the predictor takes away, whole clusters
      left out; may be negative.

    Raises
    ------
    BadCall
        Too few profiles or clusters, or a column is missing.
    """
    profiles = profiles.reset_index(drop=True)
    question = Question("aridity against temperature", response, (ARIDITY, MAT))
    cases = complete_cases(question, profiles[SUBSETS[MAIN](profiles)])
    held_out = [held_out_residuals(cases.y, cases.x[:, c], cases.cluster) ** 2 for c in (_T, _A, _M)]
    measures: dict[str, Both] = {
        "R2 gained": lambda rows: _gained(cases.y[rows], cases.x[rows]),
        "standardised slope": lambda rows: _slopes(cases.y[rows], cases.x[rows]),
        "held-out R2": lambda rows: _held_out_gain(*(e[rows] for e in held_out)),
    }
    rows = []
    for measure, both in measures.items():
        resampled = cluster_bootstrap(partial(_difference, both), cases.cluster, draws=draws, seed=seed)
        aridity, temperature = both(np.arange(len(cases.y)))
        below = (1 + np.sum(resampled <= 0)) / (1 + draws)
        low, high = np.quantile(resampled, [0.025, 0.975])
        rows.append(
            {"response": response.name, "measure": measure, "aridity": aridity, "temperature": temperature}
            | {"difference": aridity - temperature, "lower": low, "upper": high}
            | {"p": min(1.0, 2 * min(below, 1 - below)), "method": f"cluster bootstrap, {draws} draws"}
            | _counts(cases)
            | {"subset": MAIN}
        )
    return pd.DataFrame(rows)


def _difference(both: Both, rows: np.ndarray) -> float:
    aridity, temperature = both(rows)
    return aridity - temperature


_T, _A, _M = [0, 1], [0, 1, 2], [0, 1, 3]
"""Columns of ln t alone, with aridity, with temperature."""


def _r2(y: np.ndarray, x: np.ndarray) -> float:
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - float(residual @ residual) / float(np.sum((y - y.mean()) ** 2))


def _gained(y: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    alone = _r2(y, x[:, _T])
    return _r2(y, x[:, _A]) - alone, _r2(y, x[:, _M]) - alone


def _slopes(y: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    slope = np.linalg.lstsq(x, y, rcond=None)[0] * x.std(axis=0) / y.std()
    return abs(float(slope[2])), abs(float(slope[3]))


def _held_out_gain(time: np.ndarray, aridity: np.ndarray, temperature: np.ndarray) -> tuple[float, float]:
    return 1 - float(aridity.sum() / time.sum()), 1 - float(temperature.sum() / time.sum())
