"""How well an age model predicts profiles of sites it has not seen.

Sites (all profiles of one coordinate pair together) are dealt into folds at random. Each fold is left out in
turn; the model, fitted to the rest, simulates the f of every layer of the profiles left out, effects of new
sites and scatter included. Two forecasts come of it for f at 0, 10, ... 100 cm:

- ``at depth``: the mean of the model at the depth itself, and an interval with a layer's usual error;
- ``as observed``: the simulated layers put through the same lines that made the archive's values
  (`subsoil.archive.harmonise.line_weights`), so that like is compared with like: at 0 cm the archive's value
  is a line through the two uppermost layers, and so is the forecast.

Scores by depth: rmse and bias of the mean, the continuous ranked probability score (CRPS) of the draws, and
how often the 90 % interval holds the value. The floor is the mean f of all other sites at that depth.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from subsoil.age.distributions import StretchedExponential
from subsoil.age.model import CURVE, Model, age_distribution, scatter
from subsoil.age.sampler import Sampler, Sampling
from subsoil.archive.harmonise import line_weights
from subsoil.datasets import AgeData, age_data
from subsoil.ensembles import crps
from subsoil.errors import BadCall

FOLDS = 10
FIRST = Sampling(chains=2, warmup=200, draws=100, target=0.8)
"""Sampling of the first fold, which also finds step size and mass matrix."""
FURTHER = Sampling(chains=2, warmup=60, draws=100, target=0.8)
"""Sampling of the other folds: they start from the first, with the effects of all sites at zero."""
AT_DEPTH, AS_OBSERVED = "at depth", "as observed"
FLOOR = "floor: mean of other sites at the depth"
QUANTILES = (0.05, 0.95)
COLUMNS = ["model", "depth_cm", "n", "rmse", "bias", "crps", "coverage90"]


@dataclass(frozen=True)
class Candidate:
    """A model under test: one of the siblings and its covariates."""

    name: str
    model: Model
    covariates: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Fold:
    """A model fitted without some sites: ``data`` of all, profiles ``left_out``, ``draws`` by parameter."""

    data: AgeData
    left_out: Bool[np.ndarray, " profile"]
    draws: Mapping[str, Float[np.ndarray, "draw ..."]]

    def layers(self, profile: int) -> tuple[Int[np.ndarray, " layer"], Float[np.ndarray, "draw layer"]]:
        """Rows of the layers of a profile, and draws of their f: the model's mean, without scatter."""
        rows = np.flatnonzero(self.data.arrays.profile == profile)
        return rows, self.draws["f_mean"][:, rows]

    def ages(self, profile: int, depth: Float[np.ndarray, "*#depth"]) -> StretchedExponential:
        """Age distribution of a profile at ``depth`` (m), one for each draw [draw, *depth]."""
        apart = (slice(None), *(None,) * np.ndim(depth))
        curve = {n: self.draws[n][apart] for n in CURVE}
        return age_distribution(curve, depth, *(self.draws[n][:, profile][apart] for n in ("u", "v")))

    def scattered(
        self, f: Float[np.ndarray, "draw value"], f_se: object, rng: np.random.Generator
    ) -> Float[np.ndarray, "draw value"]:
        """Values seen around ``f`` with the known error ``f_se``; with 0, what the soil itself may be."""
        single = {n: v[:, None] for n, v in self.draws.items() if n.startswith("log_") and v.ndim == 1}
        df, scale = scatter(single, f, f_se)
        return f + np.asarray(scale) * rng.standard_t(np.broadcast_to(np.asarray(df), f.shape))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """``scores``: columns ``COLUMNS``, depth "all" included. ``forecasts``: one row a value and model."""

    scores: pd.DataFrame
    forecasts: pd.DataFrame


def held_out(
    table: pd.DataFrame,
    values: pd.DataFrame,
    candidates: Sequence[Candidate],
    *,
    key: int = 0,
    folds: int = FOLDS,
    progress: Callable[[str, float], None] = lambda step, done: None,
) -> HeldOut:
    """Score age models on sites left out.

    ``table``: new carbon by layer; ``values``: f_new at depths (profile_id, depth_cm, f_new) to predict;
    ``progress`` hears what is sampled and the share done.

    Raises
    ------
    BadCall
        There are fewer sites than folds, or fewer than two folds.
    """
    observed = values.dropna(subset=["f_new"]).sort_values(["profile_id", "depth_cm"], ignore_index=True)
    forecasts = [_floor(observed, _folds_of(observed, table, key, folds))]
    for number, candidate in enumerate(candidates):

        def share(step: str, done: float, before: int = number) -> None:
            progress(step, (before + done) / len(candidates))

        for k, fold in enumerate(refits(table, candidate, key=key, folds=folds, progress=share)):
            forecasts += _forecasts(candidate.name, fold, observed, (key, k))
    both = pd.concat(forecasts, ignore_index=True)
    return HeldOut(score(both), both)


def refits(
    table: pd.DataFrame,
    candidate: Candidate,
    *,
    key: int = 0,
    folds: int = FOLDS,
    progress: Callable[[str, float], None] = lambda step, done: None,
) -> Iterator[Fold]:
    """The model fitted once for each fold, to the sites of all others; arguments as in `held_out`.

    Raises
    ------
    BadCall
        There are fewer sites than folds, or fewer than two folds.
    """
    data = age_data(table, candidate.covariates)
    fold = _deal(len(data.site_id), folds, key)
    sampler = Sampler(candidate.model, FIRST)
    for k in range(folds):
        progress(f"held out: {candidate.name}, fold {k + 1} of {folds}", k / folds)
        left_out = fold[data.arrays.site] == k
        fitted = sampler(data.arrays, ~left_out[data.arrays.profile], key + k)
        if k == 0:
            sampler = Sampler(candidate.model, FURTHER, start=fitted)
        yield Fold(data, left_out, {n: np.concatenate(list(x)) for n, x in fitted.samples.items()})


def score(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Scores of forecasts (model, depth_cm, f_new, predicted, lower, upper, crps) by model and depth."""
    rows = []
    for model, of_model in forecasts.groupby("model", sort=False):
        for depth, group in [("all", of_model), *of_model.groupby("depth_cm")]:
            error = group["predicted"] - group["f_new"]
            inside = (group["f_new"] >= group["lower"]) & (group["f_new"] <= group["upper"])
            label = depth if depth == "all" else f"{depth:g}"
            rows.append(
                (
                    model,
                    label,
                    len(group),
                    (error**2).mean() ** 0.5,
                    error.mean(),
                    group["crps"].mean(),
                    inside.mean(),
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _deal(sites: int, folds: int, key: int) -> Int[np.ndarray, " site"]:
    if not 2 <= folds <= sites:
        raise BadCall(f"folds={folds}: expected 2 to the number of sites, {sites}")
    return np.random.default_rng(key).permutation(sites) % folds


def _folds_of(observed: pd.DataFrame, table: pd.DataFrame, key: int, folds: int) -> Int[np.ndarray, " value"]:
    data = age_data(table)
    fold = _deal(len(data.site_id), folds, key)[data.arrays.site]
    return observed["profile_id"].map(dict(zip(data.profile_id, fold, strict=True))).to_numpy(int)


def _floor(observed: pd.DataFrame, fold: Int[np.ndarray, " value"]) -> pd.DataFrame:
    """The climatology of the archive: all values of other folds at the same depth, as an ensemble."""
    parts = []
    for (depth, k), group in observed.groupby([observed["depth_cm"], fold]):
        others = observed.loc[(observed["depth_cm"] == depth) & (fold != k), "f_new"].to_numpy(float)
        parts.append(_rows(FLOOR, group, np.repeat(others[:, None], len(group), axis=1)))
    return pd.concat(parts, ignore_index=True)


def _forecasts(
    name: str, fold: Fold, observed: pd.DataFrame, seed: tuple[int, int]
) -> Iterator[pd.DataFrame]:
    """Forecasts of every profile left out, in both forms."""
    rng = np.random.default_rng(seed)
    data = fold.data
    seen_with = float(np.median(data.arrays.f_new_se))
    for position in map(int, np.flatnonzero(fold.left_out)):
        rows = observed[observed["profile_id"] == data.profile_id[position]]
        depth = rows["depth_cm"].to_numpy(float)
        layers, f = fold.layers(position)
        lines = line_weights(data.rows["layer_mid"].to_numpy(float)[layers], depth)
        simulated = fold.scattered(f, data.arrays.f_new_se[layers], rng)
        yield _rows(f"{name}, {AS_OBSERVED}", rows, *(np.clip(x @ lines.T, 0.0, 1.0) for x in (simulated, f)))
        f = np.asarray(fold.ages(position, 0.01 * depth).cdf(data.arrays.years[position]))
        simulated = fold.scattered(f, seen_with, rng)
        yield _rows(f"{name}, {AT_DEPTH}", rows, np.clip(simulated, 0.0, 1.0), f)


def _rows(
    model: str,
    values: pd.DataFrame,
    draws: Float[np.ndarray, "draw value"],
    means: Float[np.ndarray, "draw value"] | None = None,
) -> pd.DataFrame:
    observed = values["f_new"].to_numpy(float)
    lower, upper = np.quantile(draws, QUANTILES, axis=0)
    out = values[["profile_id", "depth_cm", "f_new"]].reset_index(drop=True)
    predicted = (draws if means is None else means).mean(axis=0)
    return out.assign(model=model, predicted=predicted, lower=lower, upper=upper, crps=crps(draws, observed))
