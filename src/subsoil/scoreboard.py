"""What models are scored with, and who is scored: reference, questions, air; answers and baselines."""

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
from subsoil.benchmark import bootstrap, protocol
from subsoil.benchmark.reference import Prediction, Reference
from subsoil.benchmark.scoring import ALL, BASELINES, CEILING, FLOOR
from subsoil.errors import BadCall, ChecksumMismatch, MissingData
from subsoil.record import Record
from subsoil.studies import Study

RADIOCARBON, KEPT = "israd2019", "benchmark"
MAIN = ("bias", "rmse", "rmse_corrected", "skill", "rank_correlation", "kge", "ilamb", "crps",
        "stock_share_rmse", "delta14c_rmse", "isochrone_rmse", "failed", "diagnosis")  # fmt: skip
"""Scores that are printed; the page has them all."""
ANSWERED = ("pass", "fail", "agrees in direction")
NAME = re.compile(r"[\w][\w.+-]{0,63}")


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


def command(verb: str, options: Mapping[str, str | None], seed: int, resamples: int) -> str:
    """The command that makes a folder again, without options at their defaults; None: not given.

    >>> command("leaderboard", {"--models": "clm5", "--demo": None}, 3, 2000)
    'subsoil leaderboard --models clm5 --seed 3'
    """
    numbers = {
        "--seed": str(seed) if seed else None,
        "--resamples": str(resamples) if resamples != bootstrap.RESAMPLES else None,
    }
    words = [f"{name} {value}".strip() for name, value in {**options, **numbers}.items() if value is not None]
    return " ".join(["subsoil", verb, *words])


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
