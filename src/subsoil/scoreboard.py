"""What a leaderboard is made of, and the folder it becomes.

The folder can be put anywhere: of the observations it holds what a study's folder holds, shares of new carbon
and of stock derived from the 2018 workbook, and of the measured Delta14C scores alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from subsoil import __version__, atomic
from subsoil.archive import registry
from subsoil.archive.atmosphere import History
from subsoil.archive.harmonise import cumulative_stocks
from subsoil.archive.readers import read
from subsoil.archive.schema import Archive
from subsoil.benchmark import cmec, protocol
from subsoil.benchmark.reference import AGES, PROFILES, VALUES, Prediction, Reference, checksum
from subsoil.benchmark.scoring import ALL, BASELINES, CEILING, FLOOR, remarks
from subsoil.errors import BadCall, ChecksumMismatch, MissingData
from subsoil.record import Record, manifest, write_tables
from subsoil.studies import Study

RADIOCARBON, KEPT = "israd2019", "benchmark"
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
MAIN = ("bias", "rmse", "rmse_corrected", "skill", "rank_correlation", "kge", "ilamb", "crps",
        "stock_share_rmse", "delta14c_rmse", "isochrone_rmse", "failed", "diagnosis")  # fmt: skip
"""Scores that are printed; the page has them all."""
ANSWERED = ("pass", "fail", "agrees in direction")
NAME = re.compile(r"[\w][\w.+-]{0,63}")
CURVE_COLUMNS = ["model", "layer_top", "layer_bottom", "age_yr", "profiles", "f_new", "lower", "upper"]


@dataclass(frozen=True, eq=False)
class Given:
    """Everything that models are scored with: the reference, new carbon by layer, what the data say to the
    questions, 14C of the air (None without), and notes of what is left out."""

    reference: Reference
    layers: pd.DataFrame
    expected: pd.DataFrame
    air: Mapping[str, History] | None
    simulated: bool
    notes: tuple[str, ...]


def given(
    archive: Archive,
    layers: pd.DataFrame,
    values: pd.DataFrame,
    sources: Sequence[Mapping[str, Any]],
    study: Study,
    data: Path | None = None,
) -> Given:
    """The reference of an archive of new carbon, with the measured Delta14C where the database is at hand.

    ``layers``: its new-carbon table; ``values`` f_new at the study's depths, with what is known of each
    profile. Raises BadCall for an archive without new carbon.
    """
    expected = _expected(archive, layers, values, study)
    dated, air, entries, notes = (None, None, [], ()) if archive.simulated else _radiocarbon(data)
    reference = protocol.build(archive, radiocarbon=dated, sources=(*sources, *entries))
    return Given(reference, layers, expected, air, archive.simulated, notes)


def _expected(archive: Archive, layers: pd.DataFrame, values: pd.DataFrame, study: Study) -> pd.DataFrame:
    """What the data say to the questions: its bootstrap takes ten seconds once and is kept in the cache."""
    from subsoil.age import headline, profiles
    from subsoil.age.carbon import DEPTHS
    from subsoil.benchmark import questions

    code = [atomic.sha256(str(part.__file__)) for part in (headline, profiles, questions)]
    tables = [atomic.digest(table.to_csv(index=False).encode()) for table in (layers, values)]
    made = [*code, *tables, str(study.key), str(study.replicates), __version__, version("numpy")]
    path = registry.cache_folder() / KEPT / f"questions-{atomic.digest(' '.join(made).encode())[:20]}.csv"
    with suppress(OSError, ValueError):
        found = pd.read_csv(path, float_precision="round_trip")
        if list(found.columns) == [*questions.EXPECTED]:
            return found.fillna({"source": ""})
    stocks = cumulative_stocks(layers, DEPTHS)
    told = headline.headline(values, stocks, key=study.key, replicates=study.replicates)
    expected = questions.expected(told, profiles.profile_table(archive, layers, stocks))
    atomic.write_text(path, expected.to_csv(index=False))
    return expected


def _radiocarbon(
    data: Path | None,
) -> tuple[tuple[pd.DataFrame, pd.DataFrame] | None, Mapping[str, History] | None, list, tuple[str, ...]]:
    """Measured Delta14C with its profiles, the air, the sources; nothing and a note where one is missing."""
    from subsoil.benchmark import israd, radiocarbon

    try:
        found = registry.find(RADIOCARBON, data)
        values, profiles, _ = israd.observations(read(found.path))
        air = radiocarbon.atmospheres(profiles, data=data)
    except (MissingData, ChecksumMismatch) as error:
        why = str(error).splitlines()[0]
        return None, None, [], (f"Delta14C is left out: {why}",)
    return (values, profiles), air, [found.entry()], ()


def asked(record: Record, names: Sequence[str], setting: Given) -> list[Prediction]:
    """The answers of models of the catalogue."""
    from subsoil.benchmark import leaderboard

    record.step("ask the models", 0.05)
    return leaderboard.run(
        names, setting.reference, air=setting.air,
        progress=lambda step, done: record.progress(step, 0.05 + 0.45 * (done or 0.0)),
    )  # fmt: skip


def baselines(record: Record, setting: Given, seed: int) -> list[Prediction]:
    """Floor, ceiling and noise of the reference."""
    from subsoil.benchmark import baselines

    def sampled(step: str, done: float | None) -> None:
        record.progress(f"ceiling: {step}", 0.5 + 0.1 * (done or 0.0))

    return [
        baselines.floor(setting.reference),
        baselines.ceiling(setting.layers, setting.reference, progress=sampled),
        baselines.noise(setting.reference, seed=seed),
    ]


def form(reference: Reference) -> pd.DataFrame:
    """What a model is asked for, without what was observed: a row a profile, layer and time, to be filled in.

    The columns of a submission (`subsoil.benchmark.adapters.table`) with what is known of each profile.
    """
    asked = reference.values[
        (reference.values["profile_id"] != "") & (reference.values["target"] != "isochrone")
    ]
    thick = asked[asked["layer_bottom"] > asked["layer_top"]]
    known = reference.profiles.drop(columns=["labelling_years", "obs_year", "archive", "tropical"])
    rows = thick.rename(columns={"years": "labelling_years"})
    own = ["profile_id", "layer_top", "layer_bottom", "labelling_years", "obs_year"]
    timed = rows[rows["target"] != "stock_share"][own].drop_duplicates()
    keys = own[:3]
    bare = rows[own].merge(timed[keys].drop_duplicates(), on=keys, how="left", indicator=True)
    bare = bare[bare["_merge"] == "left_only"][own].drop_duplicates()
    table = pd.concat([timed, bare], ignore_index=True).sort_values(own, ignore_index=True)
    table = table.assign(f_new=np.nan, soc_stock=np.nan, delta14c=np.nan)
    return table.merge(known, on="profile_id", how="left", validate="m:1")


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


def shown(source: Path | str, name: str | None = None) -> str:
    """The name of a model that is handed in: as given, or that of its file or function.

    Raises BadCall for one that cannot be a folder, or is a baseline's.

    >>> shown("runs/mine.nc"), shown("mine:answer"), shown("mine.nc", "my-model")
    ('mine', 'answer', 'my-model')
    """
    text = str(source)
    own = Path(text).stem if Path(text).exists() or ":" not in text else text.rpartition(":")[2]
    found = own if name is None else name
    if found in BASELINES or not NAME.fullmatch(found):
        raise BadCall(
            f"name {found!r}: expected letters, digits, dots, plus, minus and underscores, other than "
            f"{', '.join(BASELINES)}; give another with --name"
        )
    return found


def short(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """The main scores of a model over all values, with floor and ceiling beside."""
    whole = table[(table["depth"] == ALL) & (table["group"] == ALL)]
    values = whole.pivot_table(index="metric", columns="model", values="value", sort=False)
    mine = whole[(whole["model"] == model) & (whole["metric"].isin(MAIN) | whole["verdict"].isin(ANSWERED))]
    mine = mine[~mine["metric"].str.endswith("_margin")].set_index("metric")
    found = mine.rename(columns={"value": model})[[model, "lower", "upper"]].assign(
        floor=values.get(FLOOR), ceiling=values.get(CEILING), n=mine["n"], verdict=mine["verdict"]
    )
    return found.rename_axis("score").reset_index()


def named(names: Sequence[str] | None, homes: Mapping[str, str]) -> list[str]:
    """Names of models to score, all by default. Raises BadCall for an unknown one, with names alike."""
    from difflib import get_close_matches

    chosen = list(dict.fromkeys(names or sorted(homes)))
    for name in chosen:
        if name not in homes:
            alike = get_close_matches(name.lower(), homes, n=3, cutoff=0.6)
            hint = f"did you mean {' or '.join(alike)}? " if alike else ""
            raise BadCall(f"no model {name!r}; {hint}`subsoil models` lists all {len(homes)}")
    return chosen
