"""The leaderboard: every model asked, every answer scored, in one table.

One row for each model, metric, depth class and group, ``all`` for no such choice:

- metrics of `subsoil.benchmark.metrics.METRICS`, of new carbon by their bare names, of the other targets with
  the target before them (``stock_share_rmse``);
- ``skill`` between floor (0) and ceiling (1), ``rmse_minus_floor`` and ``rmse_minus_best`` with intervals of
  the difference, ``rank`` with its interval and ``first_share``, the share of resamples in which a model is
  the first (`subsoil.benchmark.scoring`, `subsoil.benchmark.ranking`);
- the questions of the paper, ``failed`` for what could not be computed, and ``diagnosis``, where and how a
  model fails in words.

Floor, ceiling and noise (`subsoil.benchmark.baselines`) are models like any other, but are not ranked.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from subsoil.archive.atmosphere import History
from subsoil.benchmark import protocol, questions, scoring, verdicts
from subsoil.benchmark.metrics import METRICS
from subsoil.benchmark.reference import TARGETS, Prediction, Reference
from subsoil.benchmark.scoring import ALL
from subsoil.errors import BadCall, SubsoilError

Progress = Callable[[str, float | None], None]


def score(
    predictions: Sequence[Prediction],
    reference: Reference,
    *,
    resamples: int = 2000,
    seed: int = 0,
    by: str = "rmse",
    expected: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Every score of every prediction, with intervals from a bootstrap by site.

    ``by``: the metric by which models are ranked and compared; ``expected`` what the data say to the
    questions of the paper (`subsoil.benchmark.questions.expected`), which are left out without it. Rows
    (`subsoil.benchmark.scoring.COLUMNS`) come model by model as given. The order of the rows of ``reference``
    does not matter; the same arguments give the same bytes.

    Raises
    ------
    BadCall
        There is no prediction or two of one name, one does not fit the reference, the metric is unknown,
        or there are fewer than 2 resamples.
    """
    _checked(predictions, reference, by)
    groups = protocol.groups(reference)
    parts = []
    for place, target in enumerate(TARGETS):
        if progress is not None:
            progress(f"score {target}", place / len(TARGETS))
        parts.append(
            scoring.of_target(predictions, reference, target, groups, by=by, resamples=resamples, seed=seed)
        )
    if expected is not None:
        for prediction in predictions:
            if prediction.curves is not None:
                asked = questions.ask(
                    prediction.curves, reference.profiles, expected, resamples=resamples, seed=seed
                )
                parts.append(asked.assign(model=prediction.model)[[*scoring.COLUMNS]])
    parts += [failures(prediction, reference) for prediction in predictions]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    parts = [table, *(_diagnosis(table, prediction.model) for prediction in predictions)]
    return _in_order(pd.concat(parts, ignore_index=True), predictions)


def failures(prediction: Prediction, reference: Reference) -> pd.DataFrame:
    """What a model could not compute: for each reason a row ``failed`` with the number of profiles."""
    by_reason: dict[str, list[str]] = {}
    for profile, why in prediction.failures.items():
        by_reason.setdefault(why, []).append(profile)
    found = []
    for why, profiles in sorted(by_reason.items()):
        count = len(reference.profiles) if ALL in profiles else len(profiles)
        named = ", ".join(sorted(profiles)[:3]) + (" ..." if count > 3 else "")
        text = why if ALL in profiles else f"{why} ({named})"
        found.append((prediction.model, "failed", float(count), count, text))
    return scoring.remarks(found)


def _diagnosis(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Where the model errs, in words."""
    mine = table[(table["model"] == model) & (table["group"] == ALL) & (table["depth"] != ALL)]
    bias: dict[str, Mapping[str, str]] = {}
    for target, metric in (
        ("f_new", "bias"),
        ("stock_share", "stock_share_bias"),
        ("delta14c", "delta14c_bias"),
    ):
        part = mine[mine["metric"] == metric]
        bias[target] = dict(zip(part["depth"], part["verdict"], strict=True))
    text = verdicts.diagnosis(bias)
    return scoring.remarks([(model, "diagnosis", np.nan, 0, text)] if text else [])


def _in_order(table: pd.DataFrame, predictions: Sequence[Prediction]) -> pd.DataFrame:
    """Model by model; rows of a model as they were made, target by target."""
    place = {prediction.model: i for i, prediction in enumerate(predictions)}
    order = np.argsort(table["model"].map(place).to_numpy(int), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _checked(predictions: Sequence[Prediction], reference: Reference, by: str) -> None:
    names = [prediction.model for prediction in predictions]
    if not names or len(set(names)) < len(names):
        raise BadCall(f"expected one prediction or more, each of its own name; got {', '.join(names)}")
    if by not in METRICS:
        raise BadCall(f"no metric {by!r} to rank by: choose from {', '.join(METRICS)}")
    for prediction in predictions:
        shape = np.shape(prediction.values)
        if len(shape) != 2 or not shape[0] or shape[1] != len(reference.values):
            raise BadCall(
                f"{prediction.model}: values {shape}, expected [draw, value] for the {len(reference.values)} "
                "values of the reference"
            )


def run(
    names: Sequence[str],
    reference: Reference,
    *,
    air: Mapping[str, History] | None = None,
    progress: Progress | None = None,
) -> list[Prediction]:
    """The answers of models of the catalogue, in the order of ``names``.

    A model that cannot answer has missing values throughout, and its reason under "all" in ``failures``.
    ``air``: 14C of the air (`subsoil.benchmark.radiocarbon.atmospheres`).

    Raises
    ------
    BadCall
        A name is not in the catalogue.
    """
    from subsoil.benchmark.answer import answer
    from subsoil.models import catalogue

    if unknown := [name for name in names if name not in catalogue.homes()]:
        raise BadCall(f"no model {', '.join(unknown)}; there are {', '.join(catalogue.homes())}")
    found = []
    for place, name in enumerate(names):
        if progress is not None:
            progress(f"ask {name}", place / len(names))
        try:
            found.append(answer(catalogue.model(name), reference, air=air))
        except (SubsoilError, ArithmeticError, np.linalg.LinAlgError) as error:
            found.append(unanswered(name, name, reference, " ".join(str(error).split())))
    return found


def unanswered(model: str, title: str, reference: Reference, why: str) -> Prediction:
    """A prediction of nothing, by a model that failed."""
    return Prediction(model, title, np.full((1, len(reference.values)), np.nan), failures={ALL: why})
