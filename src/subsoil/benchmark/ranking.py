"""Which model is best, and how sure that is: ranks on the values that all ranked models answer.

A model that leaves out hard values must not gain by it, so ranks are given on common values only, to models
that answer at least `ANSWERED` of them all. In each bootstrap resample the models are ranked again: the
interval of a rank is that of its resamples, and the share of resamples in which a model comes first says how
much the order owes to the choice of sites.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from subsoil.benchmark import bootstrap
from subsoil.benchmark.metrics import METRICS

ANSWERED = 0.9
"""Share of the values that a model must answer to be ranked."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """``models`` positions of those ranked; ``rank`` with its interval and ``first``, the share of resamples
    in which each is the best, [ranked model, group]; ``n`` common values by group.
    """

    models: Int[np.ndarray, " ranked"]
    rank: bootstrap.Interval
    first: Float[np.ndarray, "ranked group"]
    n: Int[np.ndarray, " group"]

    @property
    def best(self) -> int | None:
        """Position of the model of rank 1 in the first group; None where none is ranked."""
        return int(self.models[np.argmin(self.rank.value[:, 0])]) if len(self.models) else None


def rank(
    modelled: Float[np.ndarray, "model value"],
    observed: Float[np.ndarray, " value"],
    sigma: Float[np.ndarray, " value"],
    site: np.ndarray,
    *,
    spread: Float[np.ndarray, " value"],
    groups: Bool[np.ndarray, "group value"],
    among: Sequence[int],
    by: str = "rmse",
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> Ranking:
    """Ranks of the models ``among`` by the distance of a metric from its ideal, 1 the closest.

    Arguments as of `subsoil.benchmark.bootstrap.score`. Models that are equal share the better rank.

    >>> o = np.array([0.2, 0.4, 0.9, 0.5])
    >>> got = rank(np.stack([o + 0.2, o + 0.1]), o, np.full(4, 0.1), np.arange(4), spread=np.ones(4),
    ...            groups=np.ones((1, 4), bool), among=[0, 1], resamples=50)
    >>> got.rank.value.ravel().tolist(), got.first.ravel().tolist(), got.best
    ([2.0, 1.0], [0.0, 1.0], 1)
    """
    known = np.isfinite(modelled) & np.isfinite(observed)
    chosen = np.array([m for m in among if known[m].sum() >= ANSWERED * np.isfinite(observed).sum()], int)
    common = known[chosen].all(axis=0) if len(chosen) else np.zeros(known.shape[1], bool)
    if len(np.unique(np.asarray(site)[common])) < 2:
        chosen = chosen[:0]
    if not len(chosen):
        empty = np.empty((0, len(groups)))
        return Ranking(chosen, bootstrap.Interval(empty, empty, empty), empty, np.zeros(len(groups), int))
    scores = bootstrap.score(
        modelled[np.ix_(chosen, common)], observed[common], sigma[common], site[common],
        spread=spread[common], groups=groups[:, common], only=(by,), resamples=resamples, seed=seed,
    )  # fmt: skip
    loss = np.abs(scores.draws[by] - METRICS[by].ideal)
    ranks = 1.0 + (loss[:, None] < loss[:, :, None]).sum(axis=2)
    ranks[np.isnan(loss)] = np.nan
    drawn = ~np.isnan(ranks[1:])
    with np.errstate(invalid="ignore"):
        first = (ranks[1:] == 1).sum(axis=0) / drawn.sum(axis=0)
    return Ranking(chosen, bootstrap.percentile(ranks), first, scores.n[0])
