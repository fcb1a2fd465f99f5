"""The folder that a leaderboard becomes: tables, CMEC bundles, manifest and page.

It can be put anywhere: of the observations it holds what a study's folder holds, shares of new carbon and of
stock derived from the 2018 workbook; of the measured Delta14C it holds scores alone.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from subsoil import atomic
from subsoil.benchmark import cmec, protocol
from subsoil.benchmark.reference import AGES, PROFILES, VALUES, Prediction, checksum
from subsoil.benchmark.scoring import remarks
from subsoil.record import Record, manifest, write_tables
from subsoil.scoreboard import Given

MANIFEST, DIAGNOSTIC, OUTPUT = "manifest.json", "diagnostic.json", "output.json"
DERIVED = ("f_new", "stock_share", "isochrone")
"""Targets whose observations may stand in the folder: derived, or printed. Of the others only scores do."""
DIGITS = {"leaderboard": 6, "predictions": 4, "curves": 4, "values": 6, "profiles": 6, "questions": 6}
"""Significant digits of a table: more than any score is known to, fewer than differ between machines."""
FILES = {
    "index.html": ("Leaderboard", "Scores, figures and verdicts on one page"),
    "leaderboard.csv": ("Scores", "One row a model, metric, depth class and group, with 95 % intervals"),
    "predictions.csv": ("Answers", "What each model says of each observed share"),
    "curves.csv": ("Curves", "Share of carbon younger than an age by depth, mean and range over profiles"),
    "questions.csv": ("Questions", "What the data say to the questions of the paper"),
    "values.csv": ("Reference values", "Observed shares with their errors"),
    "profiles.csv": ("Profiles", "What models are told of each profile, and what is doubtful in it"),
    DIAGNOSTIC: ("Scores", "The scores as a CMEC metric bundle"),
}
CURVE_COLUMNS = ["model", "layer_top", "layer_bottom", "age_yr", "profiles", "f_new", "lower", "upper"]


def keep(record: Record, setting: Given, predictions: Sequence[Prediction], table: pd.DataFrame) -> None:
    """Put the tables of a leaderboard into the record of its run."""
    values, profiles = setting.reference.values, setting.reference.profiles
    shown = values[values["target"].isin(DERIVED)]
    record.tables |= {
        "leaderboard": table,
        "predictions": answers(predictions, shown),
        "curves": pd.concat([curves(p) for p in predictions if p.curves is not None] or [_no_curves()]),
        "questions": setting.expected,
        "values": shown[[*VALUES]],
        "profiles": profiles[profiles["profile_id"].isin(shown["profile_id"])][[*PROFILES]],
    }


def answers(predictions: Sequence[Prediction], values: pd.DataFrame) -> pd.DataFrame:
    """What each model says of each of these values of the reference, beside what was observed."""
    columns = [
        "target",
        "profile_id",
        "layer_top",
        "layer_bottom",
        "years",
        "depth_class",
        "observed",
        "sigma",
    ]
    rows = values.index.to_numpy()
    parts = []
    for prediction in predictions:
        part = values[columns].assign(
            model=prediction.model, predicted=prediction.values[:, rows].mean(axis=0)
        )
        parts.append(part[np.isfinite(part["predicted"])])
    return pd.concat(parts, ignore_index=True)[["model", *columns, "predicted"]]


def curves(prediction: Prediction) -> pd.DataFrame:
    """Share of carbon younger than `AGES` by layer: mean over profiles, and the range that holds 80 %."""
    found = prediction.curves
    assert found is not None
    known = np.isfinite(found.f_new).sum(axis=0)
    with np.errstate(invalid="ignore"):
        rows = np.where(known > 0, known, 1)
        mean = np.where(known > 0, np.nansum(found.f_new, axis=0) / rows, np.nan)
    lower, upper = (_quantile(found.f_new, p) for p in (0.1, 0.9))
    layers, ages = mean.shape
    table = pd.DataFrame(
        {
            "model": prediction.model,
            "layer_top": np.repeat(found.layer_top, ages),
            "layer_bottom": np.repeat(found.layer_bottom, ages),
            "age_yr": np.tile(AGES, layers),
            "profiles": known.ravel(),
            "f_new": mean.ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
        }
    )
    return table.dropna(subset=["f_new"])


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Quantile over profiles, missing ones passed over."""
    ordered = np.sort(values, axis=0)
    last = np.maximum(np.isfinite(ordered).sum(axis=0) - 1, 0)
    at = np.round(share * last).astype(int)
    return np.take_along_axis(ordered, at[None], axis=0)[0]


def _no_curves() -> pd.DataFrame:
    return pd.DataFrame(columns=CURVE_COLUMNS)


def write(
    record: Record,
    setting: Given,
    predictions: Sequence[Prediction],
    out: Path | str,
    **told: Any,
) -> Path:
    """The folder with its tables, bundles, manifest and page, in one step; the path of the page.

    ``told``: further entries of the manifest (seed, resamples, command ...). A folder of an older protocol
    is replaced, and the models that stood in it are marked as rescored.
    """
    from subsoil.reporting import leaderboard as page

    earlier = rescored(out, [p.model for p in predictions])
    if earlier:
        rows = [(m, "rescored", np.nan, 0, f"first scored by protocol {p}") for m, p in earlier.items()]
        record.tables["leaderboard"] = pd.concat(
            [record.tables["leaderboard"], remarks(rows)], ignore_index=True
        )
    reference = setting.reference
    name = f"subsoil protocol {reference.protocol}"
    entries = {
        "protocol": reference.protocol,
        "reference_sha256": checksum(reference),
        "models": {p.model: p.title for p in predictions},
        "notes": {p.model: list(p.notes) for p in predictions if p.notes}
        | {"reference": list(setting.notes)},
        "failures": {p.model: dict(p.failures) for p in predictions if p.failures},
        "rescored": sorted(earlier),
        "rescored_from": earlier,
        **told,
    }
    with atomic.folder(out) as folder:
        write_tables(record, folder, setting.simulated, DIGITS)
        bundle = cmec.diagnostic(
            record.tables["leaderboard"], reference=name, titles=entries["models"],
            provenance={key: entries[key] for key in ("protocol", "reference_sha256")} | told,
        )  # fmt: skip
        atomic.write_text(folder / DIAGNOSTIC, compact(bundle))
        record.step("", 1.0)
        about = manifest(record, folder, reference.sources, setting.simulated, int(told.get("seed", 0)))
        listed = cmec.output(
            FILES, models=list(entries["models"]), sources=reference.sources, versions=about["versions"]
        )
        atomic.write_json(folder / OUTPUT, listed)
        atomic.write_json(folder / MANIFEST, about | entries)
        page.build(folder)
    return Path(out) / "index.html"


def rescored(out: Path | str, models: Sequence[str]) -> dict[str, str]:
    """Models that an earlier leaderboard in this folder scored by another protocol, and by which.

    A mark stays until the folder is removed: a rerun under one protocol gives the same table.
    """
    atomic.recover(Path(out))
    try:
        earlier = json.loads((Path(out) / MANIFEST).read_text("utf-8"))
        by, known = str(earlier["protocol"]), set(earlier["models"])
        marked = {str(name): str(value) for name, value in earlier.get("rescored_from", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no folder, or of another kind
        return {}
    if by != protocol.PROTOCOL:
        marked = dict.fromkeys(known, by) | marked
    return {name: marked[name] for name in models if name in marked}


def compact(bundle: Mapping[str, Any]) -> str:
    """Canonical JSON without its white space: a tree of this depth is mostly indent.

    >>> compact({"b": 0.1 + 0.2, "a": [1]})
    '{"a":[1],"b":0.3}\\n'
    """
    tree = json.loads(atomic.canonical_json(bundle))
    return json.dumps(tree, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"
