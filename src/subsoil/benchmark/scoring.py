"""All scores of one target: every metric in every slice of depth and group, beside the floor and the best.

*Weight.* Every value counts once, as a point in the paper's figures; that values of a site hang together is
met by drawing sites, not by weights. So a finely sampled profile, and the topsoil, count more in "all": the
rows by depth class say what a score over all depths hides.

*Comparisons* are paired: floor, ceiling and best model are scored on the values that the model answers, in
the same resamples. ``skill`` is (L_floor - L) / (L_floor - L_ceiling) with L the loss by the headline metric,
0 at the floor and 1 at the ceiling, and not given where the ceiling is not clearly the better one (the 95 %
interval of L_floor - L_ceiling holds 0). The best model is the one of rank 1 (`subsoil.benchmark.ranking`);
it is chosen on the same data, which intervals of a difference to it do not hold, but those of ranks do.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from subsoil import ensembles
from subsoil.benchmark import bootstrap, ranking, verdicts
from subsoil.benchmark.metrics import MEANS, METRICS, between_profile_spread
from subsoil.benchmark.reference import Prediction, Reference
from subsoil.benchmark.verdicts import ROUNDING

COLUMNS = ("model", "metric", "depth", "group", "value", "lower", "upper", "n", "verdict")
FLOOR, CEILING, NOISE = BASELINES = ("floor", "ceiling", "noise")
ALL = "all"
CROSSED = ("f_new",)
"""Targets that are scored by depth class within each group too, by the metrics of `BRIEF` alone; of the other
targets groups as a whole have no more than these."""
BRIEF = ("bias", "rmse", "rmse_normalised")


class Slice(NamedTuple):
    """Values that are scored together: those of a depth class in a group, ``ALL`` for no such choice."""

    depth: str
    group: str
    member: Bool[np.ndarray, " value"]


class _Observed(NamedTuple):
    """Values of a target as arrays, in an order that does not depend on that of the rows."""

    rows: Int[np.ndarray, " value"]
    observed: Float[np.ndarray, " value"]
    sigma: Float[np.ndarray, " value"]
    site: np.ndarray
    spread: Float[np.ndarray, " value"]
    slices: tuple[Slice, ...]


def of_target(
    predictions: Sequence[Prediction],
    reference: Reference,
    target: str,
    groups: Mapping[str, Bool[np.ndarray, " value"]],
    *,
    by: str,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Rows (`COLUMNS`) of one target: metrics, skill, differences and ranks; none without observations.

    ``groups``: which values of the reference belong to each; ``by`` the headline metric.
    """
    seen = observed(reference, target, groups)
    if len(np.unique(seen.site)) < 2:
        return pd.DataFrame(columns=[*COLUMNS])
    names = [prediction.model for prediction in predictions]
    modelled = np.stack([prediction.values.mean(axis=0) for prediction in predictions])[:, seen.rows]
    shared: dict[str, Any] = {"spread": seen.spread, "resamples": resamples, "seed": seed}
    whole = [slice_ for slice_ in seen.slices if slice_.group == ALL]
    ranks = ranking.rank(
        modelled, seen.observed, seen.sigma, seen.site, by=by, groups=_members(whole),
        among=[i for i, name in enumerate(names) if name not in BASELINES], **shared,
    )  # fmt: skip
    rivals = {FLOOR: _position(names, FLOOR), CEILING: _position(names, CEILING), "best": ranks.best}
    paired = Paired(
        modelled,
        {name: at for name, at in rivals.items() if at is not None and np.isfinite(modelled[at]).any()},
    )
    data = (seen.observed, seen.sigma, seen.site)
    full = [s.group == ALL or (s.depth == ALL and target in CROSSED) for s in seen.slices]
    plain = [s for s, known in zip(seen.slices, full, strict=True) if known]
    scores = bootstrap.score(
        modelled, *data, groups=_members(plain), means=_means(predictions, seen), **shared
    )
    brief = bootstrap.score(paired.values, *data, groups=_members(seen.slices), only={*BRIEF, by}, **shared)
    rest = [i for i, known in enumerate(full) if not known]
    parts = [
        *(_metric_rows(scores, names, plain, metric, target) for metric in scores.draws),
        *(_metric_rows(brief, names, seen.slices, metric, target, rest) for metric in BRIEF),
        *_paired_rows(brief, paired, names, seen, by),
    ]
    parts += _rank_rows(ranks, names, whole)
    table = pd.concat(parts, ignore_index=True)
    prefix = "" if target == "f_new" else f"{target}_"
    return table.assign(metric=prefix + table["metric"])


def observed(
    reference: Reference, target: str, groups: Mapping[str, Bool[np.ndarray, " value"]]
) -> _Observed:
    """Observations of a target with their spread, and the slices in which they are scored."""
    table = reference.values.assign(row=np.arange(len(reference.values)))
    table = table[(table["target"] == target) & np.isfinite(table["observed"]) & np.isfinite(table["sigma"])]
    keys = ["site_id", "profile_id", "layer_top", "layer_bottom", "years", "obs_year", "observed", "sigma"]
    table = table.sort_values(keys, kind="stable")
    rows = table["row"].to_numpy(int)
    return _Observed(
        rows=rows,
        observed=table["observed"].to_numpy(float),
        sigma=table["sigma"].to_numpy(float),
        site=table["site_id"].to_numpy(str),
        spread=_spread(table) if len(table) else np.empty(0),
        slices=tuple(_slices(table, {name: mask[rows] for name, mask in groups.items()}, target)),
    )


def _slices(
    table: pd.DataFrame, groups: Mapping[str, Bool[np.ndarray, " value"]], target: str
) -> Iterator[Slice]:
    """All values, each depth class, each group, and each class in each group where that is asked for."""
    of_value = table["depth_class"].to_numpy(str)
    depths = {ALL: np.ones(len(table), dtype=bool)} | {d: of_value == d for d in _in_order(table)}
    site = table["site_id"].to_numpy(str)
    for group, inside in groups.items():
        for depth, here in depths.items():
            member = here & inside
            if (ALL in (depth, group) or target in CROSSED) and len(np.unique(site[member])) > 1:
                yield Slice(depth, group, member)


def _in_order(table: pd.DataFrame) -> list[str]:
    """Depth classes from the surface down."""
    middle = table["layer_top"] + table["layer_bottom"]
    return [str(name) for name in middle.groupby(table["depth_class"]).min().sort_values().index]


def _spread(table: pd.DataFrame) -> Float[np.ndarray, " value"]:
    """Between-profile spread of each value; a class without one is merged with the class above it.

    Isochrones, means over profiles, have none: theirs is the spread of all their values.
    """
    observed, profile = table["observed"].to_numpy(float), table["profile_id"].to_numpy(str)
    if (profile == "").all():
        return np.full(len(observed), observed.std(ddof=1))
    classes = _in_order(table)
    number = np.array([classes.index(name) for name in table["depth_class"]])
    for place in range(len(classes) - 1, 0, -1):
        if not _varies(observed, profile, number == place):
            number[number == place] = place - 1
    while len(left := np.unique(number)) > 1 and not _varies(observed, profile, number == left[0]):
        number[number == left[0]] = left[1]
    return between_profile_spread(observed, profile, number)


def _varies(observed: np.ndarray, profile: np.ndarray, rows: np.ndarray) -> bool:
    means = pd.Series(observed[rows]).groupby(profile[rows]).mean()
    return len(means) > 1 and bool(means.std() > 0)


def _means(predictions: Sequence[Prediction], seen: _Observed) -> dict[str, Float[np.ndarray, "model value"]]:
    """Ensemble scores of each value (`subsoil.ensembles`); missing for a model of one draw."""
    table = np.full((3, len(predictions), len(seen.rows)), np.nan)
    for place, prediction in enumerate(predictions):
        draws, y, sigma = prediction.values[:, seen.rows], seen.observed, seen.sigma
        if len(draws) > 1:
            covered = [ensembles.inside(draws, y, level, sigma) for level in (0.5, 0.9)]
            table[:, place] = [ensembles.crps(draws, y, sigma), *covered]
    return dict(zip(MEANS, table, strict=True))


class Paired:
    """Models, and each rival once more on the values that a model and all rivals have.

    ``values`` rows of models first, then of pairs; ``own`` and ``rival[name]`` for each model the rows to
    compare.
    """

    def __init__(self, modelled: Float[np.ndarray, "model value"], rivals: Mapping[str, int]) -> None:
        known = np.isfinite(modelled)
        both = known[list(rivals.values())].all(axis=0)
        self._row = {(m, k.tobytes()): m for m, k in enumerate(known)}
        self._rows = list(modelled)
        self.own = np.array([self._on(m, k & both) for m, k in enumerate(known)])
        self.rival = {name: np.array([self._on(m, k & both) for k in known]) for name, m in rivals.items()}
        self.values = np.stack(self._rows)

    def _on(self, model: int, where: Bool[np.ndarray, " value"]) -> int:
        key = (model, where.tobytes())
        if key not in self._row:
            self._row[key] = len(self._rows)
            self._rows.append(np.where(where, self._rows[model], np.nan))
        return self._row[key]


def _metric_rows(
    scores: bootstrap.Scores,
    names: Sequence[str],
    slices: Sequence[Slice],
    metric: str,
    target: str,
    kept: Sequence[int] | None = None,
) -> pd.DataFrame:
    """A metric of the models in the slices at the positions ``kept``, all of them by default."""
    chosen = list(range(len(slices)) if kept is None else kept)
    interval = bootstrap.percentile(scores.draws[metric][:, : len(names)][..., chosen])
    verdict: np.ndarray | str = ""
    if metric == "bias":
        verdict = verdicts.of_bias(target, interval)
        verdict[np.isin(names, BASELINES)] = ""  # no models: chance is what the noise is made of
    return rows(names, [slices[i] for i in chosen], metric, interval, scores.n[: len(names), chosen], verdict)


def _paired_rows(
    scores: bootstrap.Scores, paired: Paired, names: Sequence[str], seen: _Observed, by: str
) -> Iterator[pd.DataFrame]:
    """Skill between floor and ceiling, and the loss less that of the floor and of the best model."""
    loss = np.abs(scores.draws[by] - METRICS[by].ideal)
    own, n = loss[:, paired.own], scores.n[paired.own]
    of = {name: loss[:, at] for name, at in paired.rival.items()}
    if FLOOR in of and CEILING in of:
        with np.errstate(divide="ignore", invalid="ignore"):
            skill = bootstrap.percentile((of[FLOOR] - own) / (of[FLOOR] - of[CEILING]))
        told = bootstrap.percentile(of[FLOOR] - of[CEILING]).lower > 0
        skill = bootstrap.Interval(*(np.where(told, x, np.nan) for x in skill))
        yield rows(names, seen.slices, "skill", skill, n, verdicts.of_skill(skill))
    for rival, better, worse in (
        (FLOOR, verdicts.BETTER, verdicts.WORSE),
        ("best", "better than the best", "behind the best"),
    ):
        if rival in of:
            difference = bootstrap.percentile(own - of[rival])
            verdict = verdicts.of_difference(difference, better, worse)
            yield rows(names, seen.slices, f"{by}_minus_{rival}", difference, n, verdict)


def _rank_rows(
    ranks: ranking.Ranking, names: Sequence[str], slices: Sequence[Slice]
) -> Iterator[pd.DataFrame]:
    ranked = [names[i] for i in ranks.models]
    n = np.broadcast_to(ranks.n, ranks.first.shape)
    missing = np.full(ranks.first.shape, np.nan)
    yield rows(ranked, slices, "rank", ranks.rank, n)
    yield rows(ranked, slices, "first_share", bootstrap.Interval(ranks.first, missing, missing), n)


def rows(
    names: Sequence[str],
    slices: Sequence[Slice],
    metric: str,
    interval: bootstrap.Interval,
    n: Int[np.ndarray, "model slice"],
    verdict: np.ndarray | str = "",
) -> pd.DataFrame:
    """One row for each model and slice with a value; ``interval``, ``n`` and ``verdict`` [model, slice].

    What is rounding, as the bias of shares that sum to 1 in each profile, is 0.
    """
    interval = bootstrap.Interval(*(np.where(np.abs(x) < ROUNDING, 0.0, x) for x in interval))
    table = pd.DataFrame(
        {
            "model": np.repeat(np.array(names, dtype=object), len(slices)),
            "metric": metric,
            "depth": [s.depth for s in slices] * len(names),
            "group": [s.group for s in slices] * len(names),
            "value": np.ravel(interval.value),
            "lower": np.ravel(interval.lower),
            "upper": np.ravel(interval.upper),
            "n": np.ravel(n).astype(int),
            "verdict": np.broadcast_to(np.asarray(verdict, dtype=object), np.shape(n)).ravel(),
        }
    )
    return table[np.isfinite(table["value"])]


def remarks(found: Sequence[tuple[str, str, float, int, str]]) -> pd.DataFrame:
    """Rows that hold words rather than a score: model, metric, value, n and verdict."""
    model, metric, value, n, verdict = zip(*found, strict=True) if found else ((),) * 5
    columns = {"model": model, "metric": metric, "depth": ALL, "group": ALL, "value": value}
    table = pd.DataFrame(columns | {"lower": np.nan, "upper": np.nan, "n": n, "verdict": verdict})
    return table.astype({"value": float, "lower": float, "upper": float, "n": int})


def _members(slices: Sequence[Slice]) -> Bool[np.ndarray, "slice value"]:
    return np.stack([s.member for s in slices])


def _position(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None
