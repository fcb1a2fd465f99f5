"""What models are scored against: values with their depth, time and error, and the profiles they come from.

A `Reference` is two tables. ``values`` has one row for each number that a model must answer, whatever its
kind (`TARGETS`); ``profiles`` has one row for each soil, with what a model may know of it. A `Prediction` is
the answer of one model: a number, or an ensemble of them, for each row of ``values``, missing where the model
says nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from subsoil.errors import BadCall

TARGETS: Mapping[str, str] = {
    "f_new": "share of the carbon of a sampled layer that entered since the label was switched on",
    "stock_share": "share of a profile's carbon that lies in a sampled layer",
    "delta14c": "Delta14C of the carbon of a sampled layer in its year of sampling",
    "isochrone": "share of carbon younger than an age at a depth, mean of tropical grassland and forest",
}
"""Kinds of values, each with its meaning; delta14c in per mil, the others are fractions."""

AGES = (3.0, 10.0, 30.0, 50.0, 100.0, 300.0, 1000.0, 3000.0)
"""Ages (yr) of the printed isochrones, at which models give curves."""

VALUES = ("target", "profile_id", "site_id", "layer_top", "layer_bottom", "years", "obs_year", "observed",
          "sigma", "depth_class")  # fmt: skip
"""Columns of ``values``. Depths in cm, equal top and bottom mean a point; years since the label was switched
on, or the age of an isochrone; obs_year the year of sampling (14C); observed and its standard error sigma in
the unit of the target; isochrones have an empty profile_id and their depth as site_id."""

PROFILES = ("profile_id", "site_id", "study_id", "archive", "latitude", "longitude", "mat", "map", "p_pet",
            "clay", "land_use", "labelling_years", "obs_year", "tropical", "doubts")  # fmt: skip
"""Columns of ``profiles``. mat degree C, map mm yr-1, clay a mass fraction, missing where not known; tropical
marks those of the isochrones; doubts say in words why label or steady state are doubtful, "" where nothing
is."""


@dataclass(frozen=True, eq=False)
class Reference:
    """``values`` (`VALUES`) and ``profiles`` (`PROFILES`); ``protocol`` its version; ``sources`` of the data
    with their checksums. Raises BadCall for a missing column or a profile that values name but is not there.
    """

    values: pd.DataFrame
    profiles: pd.DataFrame
    protocol: str
    sources: tuple[Mapping[str, object], ...] = ()

    def __post_init__(self) -> None:
        for name, wanted in (("values", VALUES), ("profiles", PROFILES)):
            if missing := [column for column in wanted if column not in getattr(self, name)]:
                raise BadCall(f"{name} of a reference lack {', '.join(missing)}")
        named = set(self.values["profile_id"]) - {""}
        if unknown := named - set(self.profiles["profile_id"]):
            raise BadCall(f"values name profiles that are not there: {', '.join(sorted(unknown)[:3])}")

    def rows(self, target: str) -> Int[np.ndarray, " value"]:
        """Positions of the values of a target. Raises BadCall for an unknown one."""
        if target not in TARGETS:
            raise BadCall(f"targets are {', '.join(TARGETS)}, got {target!r}")
        return np.flatnonzero((self.values["target"] == target).to_numpy())


def checksum(reference: Reference) -> str:
    """sha256 of the protocol's version and both tables, whatever the order of rows and further columns.

    Numbers count with all their digits: two references with one checksum ask and score the same.
    """
    found = hashlib.sha256(reference.protocol.encode())
    for table, columns in ((reference.values, VALUES), (reference.profiles, PROFILES)):
        cells = [[_text(x) for x in table[column]] for column in columns]
        found.update(
            "\n".join(["\t".join(columns), *sorted(map("\t".join, zip(*cells, strict=True)))]).encode()
        )
    return found.hexdigest()


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else repr(float(cell))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Curves:
    """A model's column at profiles of the reference: what the questions about depth are asked of.

    layer_top, layer_bottom: cm [layer]; soc_stock: kg m-2 a layer; f_new: share younger than `AGES`.
    """

    profile_id: tuple[str, ...]
    layer_top: Float[np.ndarray, " layer"]
    layer_bottom: Float[np.ndarray, " layer"]
    soc_stock: Float[np.ndarray, "profile layer"]
    f_new: Float[np.ndarray, "profile layer age"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one model answers: ``values`` [draw, value], a single draw for a model without an ensemble.

    failures: profile_id and why, for each profile that could not be computed; notes: what a reader must know.
    """

    model: str
    title: str
    values: Float[np.ndarray, "draw value"]
    curves: Curves | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
