"""A folder of results, read by the names of its files and columns.

The page is drawn from these files only, so that it can be drawn again long after the run. A file
that is absent, unreadable or lacks a column costs its own section, never the page.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from subsoil.errors import UnreadableFile

Needs = Mapping[str, Sequence[str]]  # table -> columns without which a thing cannot be drawn

TEXT: Mapping[str, tuple[str, ...]] = {
    "headline": ("name", "unit", "source"),
    "isochrones": ("method",),
    "heldout": ("model", "depth_cm"),
    "drivers": ("question", "response", "term", "unit", "method", "subset", "outcome"),
    "claims": ("claim", "where_stated", "unit", "method", "agrees", "how"),
    "choices": ("name", "choice", "option"),
    "rejects": ("file", "sheet", "row", "column", "rule", "value", "severity", "message"),
    "fractions": ("profile_id", "site_id", "land_use"),
    "depths": ("profile_id",),
    "diagnostics": ("parameter",),
}
NUMBERS: Mapping[str, tuple[str, ...]] = {
    "headline": ("value", "lower", "upper", "n", "published"),
    "isochrones": ("depth_cm", "age_yr", "percent_younger", "percent_se"),
    "heldout": ("n", "rmse", "bias", "crps", "coverage90"),
    "drivers": ("estimate", "lower", "upper", "p", "p_holm", "n"),
    "claims": ("published", "value", "lower", "upper", "n"),
    "choices": ("value", "lower", "upper", "n"),
    "fractions": ("layer_mid", "f_new", "labelling_years", "latitude", "longitude"),
    "depths": ("depth_cm", "f_new", "labelling_years"),
    "stocks": ("depth_cm", "soc_density", "soc_density_se", "new_soc_density", "new_soc_density_se", "n"),
    "predictions": ("depth_cm", "labelling_years", "f_new", "lower", "upper"),
    "residuals": ("depth_cm", "f_new", "predicted", "lower", "upper"),
    "diagnostics": ("mean", "sd", "r_hat", "ess_bulk", "ess_tail"),
}
AS_WRITTEN: Mapping[str, str] = {  # shown as they are, whatever their columns; name -> caption
    "regression": "Parameters of the published regression at each depth",
    "subsets": "Rules for the tropical profiles, and how far each lies from the printed curves",
    "aridity": "Aridity against temperature as a predictor of the allocation to depth",
    "heterogeneity": "Heterogeneity between studies, sites and profiles, with prediction intervals",
    "bias": "Time-lag and small-study checks",
    "prior": "What the priors say before the data",
}


@dataclass(frozen=True)
class Layout:
    """The tables of a kind of folder: which columns are `text` and `numbers`, the tables shown `as_written`,
    and who makes such a folder.
    """

    text: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, tuple[str, ...]]
    as_written: Mapping[str, str]
    made_by: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every table, once."""
        return tuple(dict.fromkeys((*self.text, *self.numbers, *self.as_written)))


STUDY = Layout(TEXT, NUMBERS, AS_WRITTEN, "a study (headline.csv and others): run `subsoil study` first")


@dataclass(frozen=True)
class Results:
    """The tables of a folder that could be read, and why the others could not."""

    folder: Path
    tables: Mapping[str, pd.DataFrame]
    absent: Mapping[str, str]
    manifest: Mapping[str, Any]

    @property
    def simulated(self) -> bool:
        """Whether the study ran on a simulated archive."""
        return bool(self.manifest.get("simulated"))

    @property
    def quick(self) -> bool:
        """Whether the study sampled less than a result needs."""
        study = self.manifest.get("study")
        return isinstance(study, dict) and bool(study.get("quick"))

    def lacking(self, needs: Needs) -> str:
        """Why these tables cannot be used, with a value in the named columns; empty if they can."""
        for name, columns in needs.items():
            if name in self.absent:
                return self.absent[name]
            if self.tables[name].dropna(subset=list(columns)).empty:
                return f"{name}.csv holds no row with {', '.join(columns)}."
        return ""

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tables


def read(folder: Path | str, layout: Layout = STUDY) -> Results:
    """Read every table of the folder that its layout names, and its manifest.

    Raises `UnreadableFile` if the folder holds none of them.
    """
    folder = Path(folder)
    tables: dict[str, pd.DataFrame] = {}
    absent: dict[str, str] = {}
    for name in layout.names:
        table = _table(folder / f"{name}.csv", layout.text.get(name, ()), layout.numbers.get(name, ()))
        if isinstance(table, str):
            absent[name] = table
        else:
            tables[name] = table
    if not tables:
        raise UnreadableFile(f"{folder} holds no results of {layout.made_by}")
    return Results(folder, tables, absent, _manifest(folder / "manifest.json"))


def _table(path: Path, text: tuple[str, ...], numbers: tuple[str, ...]) -> pd.DataFrame | str:
    """The table with its columns in the stated types, or the reason why there is none."""
    if not path.is_file():
        return f"{path.name} was not written by this run."
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text, "str"), low_memory=False)
    except (ValueError, OSError) as error:  # pandas' parser and decoder errors are ValueErrors
        return f"{path.name} cannot be read: {error}"
    missing = [name for name in (*text, *numbers) if name not in table]
    if missing:
        return f"{path.name} has no column {', '.join(missing)}."
    for name in numbers:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    for name in text:
        table[name] = table[name].fillna("")
    return table if len(table) else f"{path.name} holds no rows."


def _manifest(path: Path) -> dict[str, Any]:
    """What the run wrote about itself; empty if nothing can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
