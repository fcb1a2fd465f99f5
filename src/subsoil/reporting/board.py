"""A leaderboard read from its folder: who is on it, in which order, and each score by its name.

`leaderboard.csv` holds one row for each model, metric, depth class and group; the floor, the ceiling and the
noise of the data are models too. A model that answers too few of the values has no rank
(`subsoil.benchmark.ranking`): it stands after those that have one, whatever its skill.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from subsoil.reporting import results
from subsoil.reporting.quantities import NOTHING, number
from subsoil.reporting.results import Layout, Results

ALL = "all"
SCORES = Layout(
    text={
        "leaderboard": ("model", "metric", "depth", "group", "verdict"),
        "predictions": ("model", "target", "depth_class"),
        "values": ("target", "site_id", "depth_class"),
        "questions": ("question", "title", "unit"),
    },
    numbers={
        "leaderboard": ("value", "lower", "upper", "n"),
        "predictions": ("layer_top", "layer_bottom", "years", "observed", "predicted"),
        "values": ("layer_top", "layer_bottom", "years", "observed"),
        "questions": ("data", "lower", "upper", "published"),
    },
    as_written={},
    made_by="the benchmark (leaderboard.csv and others): run `subsoil leaderboard` first",
)
"""What the folder holds. questions.csv: what the data say (`subsoil.benchmark.questions.expected`);
values.csv: observed shares, of which predictions.csv has the models' answers that are not missing."""

FLOOR, CEILING, NOISE = "floor", "ceiling", "noise"
BASELINES: Mapping[str, str] = {
    CEILING: "age model at sites left out",
    NOISE: "error of the measurement",
    FLOOR: "mean of the depth",
}
LONGEST = 20
"""Characters of a name that an axis has room for."""

NO_SCORE = pd.DataFrame(
    {name: pd.Series(dtype=float) for name in ("value", "lower", "upper", "n")}
    | {"verdict": pd.Series(dtype=object)}
)


class Unit(NamedTuple):
    """How a score is printed: times ``factor``, in ``name``."""

    factor: float
    name: str


UNITS: Mapping[str, Unit] = {
    "": Unit(100.0, "pp"),
    "stock_share_": Unit(100.0, "pp"),
    "isochrone_": Unit(100.0, "pp"),
    "delta14c_": Unit(1.0, "‰"),
}
"""By target, as the metrics of `leaderboard.csv` begin; new carbon has no prefix."""


@dataclass(frozen=True)
class Board(Results):
    """The tables of a folder of scores, and what they say of each model."""

    @cached_property
    def _scores(self) -> Mapping[tuple[str, str, str], pd.DataFrame]:
        grouped = self["leaderboard"].groupby(["metric", "depth", "group"], sort=False)
        return {
            (str(metric), str(depth), str(group)): rows.drop_duplicates("model").set_index("model")[
                [*NO_SCORE]
            ]
            for (metric, depth, group), rows in grouped
        }

    def scores(self, metric: str, depth: str = ALL, group: str = ALL) -> pd.DataFrame:
        """value, lower, upper, n and verdict of one score, by model; empty where no model has it."""
        return self._scores.get((metric, depth, group), NO_SCORE)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Models and baselines in the order of the file."""
        return tuple(dict.fromkeys(self["leaderboard"]["model"])) if "leaderboard" in self else ()

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models in the order of their rank; then those that answer too little for one, by skill, and
        those without a score.
        """
        names = [name for name in self.names if name not in BASELINES]
        columns = (("rank", 1, np.inf), ("skill", -1, np.inf), ("rmse", 1, np.inf))
        keys = [
            (sign * self.scores(metric)["value"].reindex(names)).fillna(last)
            for metric, sign, last in columns
        ]
        return tuple(sorted(names, key=lambda name: (*(float(key[name]) for key in keys), name)))

    @cached_property
    def ranked(self) -> tuple[str, ...]:
        """The models that have a rank, best first."""
        known = set(self.scores("rank").index)
        return tuple(name for name in self.models if name in known)

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """The models that answer any value of new carbon, best first."""
        known = set(self.scores("rmse").index)
        return tuple(name for name in self.models if name in known)

    @cached_property
    def answered(self) -> Mapping[str, float]:
        """Part of the values of new carbon that each model answers; 0 for one without a score."""
        n = self.scores("rmse")["n"]
        return {name: float(n.get(name, 0.0)) / float(n.max()) if len(n) else 0.0 for name in self.names}

    @cached_property
    def submitted(self) -> tuple[str, ...]:
        """Models that someone handed in, where the folder is of `subsoil score`."""
        given = self.manifest.get("submitted") or []
        names = [given] if isinstance(given, str) else given
        return tuple(name for name in names if name in self.names)

    @cached_property
    def depths(self) -> tuple[str, ...]:
        """Depth classes (cm) from the surface down."""
        names = set(self["leaderboard"]["depth"]) - {ALL, ""}
        return tuple(sorted(names, key=lambda name: (*bounds(name), name)))

    def title(self, model: str) -> str:
        """The model in words; its name where nothing more is known."""
        told: Any = self.manifest.get("models")
        entry = told.get(model, "") if isinstance(told, dict) else ""
        text = entry.get("title", "") if isinstance(entry, dict) else entry
        return str(text) or BASELINES.get(model, model)

    def label(self, model: str) -> str:
        """The name as an axis has room for, with the part of the values that it answers if it has no rank."""
        name = model if len(model) <= LONGEST else model[: LONGEST - 1] + "…"
        return name if model in (*self.ranked, *BASELINES) else f"{name} ({100 * self.answered[model]:.0f} %)"


def read(folder: Path | str) -> Board:
    """Read a folder of scores. Raises `UnreadableFile` if it holds none."""
    found = results.read(folder, SCORES)
    return Board(found.folder, found.tables, found.absent, found.manifest)


def bounds(depth: str) -> tuple[float, float]:
    """Top and bottom of a depth class, cm; endless for a name that is none.

    >>> bounds("10-30"), bounds("100+")
    ((10.0, 30.0), (100.0, inf))
    """
    top, _, bottom = depth.removesuffix("+").partition("-")
    try:
        return float(top), float(bottom) if bottom else np.inf
    except ValueError:
        return np.inf, np.inf


def ranged(depth: str) -> str:
    """A depth class as printed.

    >>> ranged("10-30")
    '10–30'
    """
    return depth.replace("-", "–")


def target(metric: str) -> str:
    """What the metric begins with: the target that it is of.

    >>> target("delta14c_rmse"), target("rmse")
    ('delta14c_', '')
    """
    return next((prefix for prefix in UNITS if prefix and metric.startswith(prefix)), "")


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, also where it is positive.

    >>> signed(4.21), signed(-12.0)
    ('+4.2', '−12')
    """
    text = number(value, digits)
    return text if text in (NOTHING, "0") or value < 0 else f"+{text}"
