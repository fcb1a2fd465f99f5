"""Anyone's model as a `Prediction`: NetCDF in several forms, a CSV table, or a Python function.

What a file may hold is told by its adapter (`subsoil.benchmark.adapters`). From there on all go one way: a
sample is the carbon-weighted mean over its depth interval (`subsoil.benchmark.support`), by thickness where
no stock is given; between labelling times f_new is drawn monotonically in ln(t); what lies deeper, later or
earlier than the model says is missing, and a note counts it.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil import netcdf
from subsoil.benchmark.adapters import function, recognise, table
from subsoil.benchmark.adapters.output import Asked, Output
from subsoil.benchmark.adapters.places import on_profiles
from subsoil.benchmark.adapters.times import delta14c_at, share_at
from subsoil.benchmark.reference import AGES, Curves, Prediction, Reference
from subsoil.benchmark.support import on_support, overlap_shares
from subsoil.errors import UnreadableFile

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
CURVE_CM = (0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 75.0, 100.0, 150.0, 200.0)
"""Layers of the curves where profiles have layers of their own, cm."""
TOO_DEEP = "outside the layers given"
NO_TIME = "at a labelling time or date outside those given"
NO_VALUE = "without a value in the file"
ENOUGH = 0.5
"""Share of the tropical profiles that must answer for their mean to stand for all."""


def read(source: str | Path, reference: Reference) -> Prediction:
    """What a model says of a reference.

    source: a NetCDF file, a CSV file (.csv), or ``module:function``. Profiles without a column are named in
    ``failures``; values that a column does not answer are missing, and ``notes`` count them by reason.

    Raises BadCall for units, axes and numbers that cannot be what they are said to be, with the usual fix;
    UnreadableFile for a file that is not there or damaged.
    """
    text = str(source)
    if FUNCTION.fullmatch(text) and not Path(text).exists():
        return Prediction(text.split(":")[1], text, function.answer(text, reference))
    path = Path(source)
    if path.suffix.lower() == ".csv":
        file = table.read(path)
    elif path.suffix.lower() in (".py", ".txt", ".tsv", ".xlsx", ".json", ".parquet"):
        raise UnreadableFile(f"{path}: expected NetCDF, CSV, or a function as module:function")
    else:
        file = netcdf.read(path)
    adapter = recognise(file)
    title = str(file.attrs.get("title", path.stem))
    file, failures, notes = on_profiles(file, adapter.main(file), reference.profiles)
    output = adapter.convert(file, asked_of(reference, file["profile_id"].values.tolist()))
    return predict(path.stem, title, output, reference, failures, notes)


def asked_of(reference: Reference, profile_id: list[str]) -> Asked:
    """The times that a reference asks for, and the labelling time of each of the profiles."""
    own = reference.profiles.set_index("profile_id")["labelling_years"]
    timed = reference.values["target"].isin(["f_new", "isochrone"])
    years = {*AGES, *reference.values.loc[timed, "years"], *own}
    positive = sorted(float(year) for year in years if np.isfinite(year) and year > 0)
    return Asked(tuple(positive), own.reindex(profile_id).to_numpy(float))


def predict(
    model: str,
    title: str,
    output: Output,
    reference: Reference,
    failures: dict[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> Prediction:
    """A model's columns at the samples of a reference."""
    given = [x for x in (output.f_new, output.soc_stock, output.delta14c) if x is not None]
    found = np.full((max(len(x) for x in given), len(reference.values)), np.nan)
    reasons: Counter[tuple[str, str]] = Counter()
    rows = reference.values.reset_index(drop=True)
    said = {"f_new": output.f_new, "stock_share": output.soc_stock, "delta14c": output.delta14c}
    wanted = rows["target"].isin([target for target, values in said.items() if values is not None])
    of_profile = {name: own.index.to_numpy() for name, own in rows[wanted].groupby("profile_id")}
    failed = {name: why for name, why in (failures or {}).items() if name in of_profile}
    for profile, name in enumerate(output.profile_id):
        column = Column(output, profile)
        own = of_profile.get(name, np.array([], dtype=int))
        for target, part in rows.iloc[own].groupby("target"):
            answer, why = column.answer(str(target), part)
            found[:, part.index] = answer
            reasons.update((str(target), reason) for reason in why)
        if len(own) and not np.isfinite(found[:, own]).any():
            failed[name] = f"no value: {column.why or NO_VALUE}"
    at = np.flatnonzero(rows["target"] == "isochrone")
    found[:, at] = isochrones(output, reference, rows.iloc[at])
    counted = [f"{n} values of {target} are missing, {why}" for (target, why), n in sorted(reasons.items())]
    values = np.where(np.isfinite(found), found, np.nan)
    return Prediction(
        model, title, values, curves(output, reference), failed, (*notes, *output.notes, *counted)
    )


class Column:
    """One profile of an output: its layers, and what it answers for samples."""

    def __init__(self, output: Output, profile: int) -> None:
        kept = np.isfinite(output.layer_top[profile]) & np.isfinite(output.layer_bottom[profile])
        self.top, self.bottom = output.layer_top[profile][kept], output.layer_bottom[profile][kept]
        self.given_stock = None if output.soc_stock is None else output.soc_stock[:, profile][:, kept]
        self.f_new = None if output.f_new is None else output.f_new[:, profile][:, kept]
        self.years = output.years if output.years is None else _pick(output.years, profile, kept)
        self.delta = None if output.delta14c is None else output.delta14c[:, profile][:, kept]
        self.dates = None
        if output.obs_year is not None:
            self.dates = output.obs_year[min(profile, len(output.obs_year) - 1)]
        self.why = ""

    @property
    def stock(self) -> Float[np.ndarray, "draw layer"]:
        """Weights of the layers: their stock, else their thickness."""
        return (self.bottom - self.top)[None] if self.given_stock is None else self.given_stock

    def support(self, rows: pd.DataFrame) -> Float[np.ndarray, "sample layer"]:
        """`overlap_shares` of samples; NaN too where a gap between layers leaves a part of one open."""
        a, b = rows["layer_top"].to_numpy(float), rows["layer_bottom"].to_numpy(float)
        share = overlap_shares(self.top, self.bottom, a, b)
        covered = np.where(a == b, share.sum(axis=1), share @ (self.bottom - self.top))
        whole = np.where(a == b, 1.0, b - a)
        return np.where((covered >= whole * (1.0 - 1e-6))[:, None], share, np.nan)

    def answer(self, target: str, rows: pd.DataFrame) -> tuple[Float[np.ndarray, "draw value"], list[str]]:
        """Values of a target at samples, and why each missing one is missing."""
        share = self.support(rows)
        said = {"f_new": self.f_new, "stock_share": self.given_stock, "delta14c": self.delta}.get(target)
        if said is None:
            return np.full((1, len(rows)), np.nan), []
        if target == "stock_share":
            amount = self.stock @ share.T
            with np.errstate(invalid="ignore", divide="ignore"):  # where there is no carbon
                found = amount / amount.sum(axis=1, keepdims=True)
            timed = np.ones(len(rows), dtype=bool)
        else:
            found, timed = self._at_times(target, rows, share)
        why = []
        for row in np.flatnonzero(~np.isfinite(found).any(axis=0)):
            why.append(TOO_DEEP if np.isnan(share[row]).any() else NO_VALUE if timed[row] else NO_TIME)
        self.why = why[0] if why else self.why
        return found, why

    def _at_times(
        self, target: str, rows: pd.DataFrame, share: Float[np.ndarray, "sample layer"]
    ) -> tuple[Float[np.ndarray, "draw value"], np.ndarray]:
        times = rows["years" if target == "f_new" else "obs_year"].to_numpy(float)
        parts, timed = {}, np.zeros(len(rows), dtype=bool)
        for time in np.unique(times[np.isfinite(times)]):
            content = self.at(target, float(time))
            parts[time] = mean(share[times == time], self.stock, content)
            timed[times == time] = np.isfinite(content).any()
        draws = max((len(part) for part in parts.values()), default=1)
        found = np.full((draws, len(rows)), np.nan)
        for time, part in parts.items():
            found[:, times == time] = part
        return found, timed

    def at(self, target: str, time: float) -> Float[np.ndarray, "draw layer"]:
        """f_new after a labelling time, or Delta14C in a year, of each layer."""
        if target == "f_new":
            assert self.f_new is not None
            assert self.years is not None
            return share_at(self.years, self.f_new, time)
        assert self.delta is not None
        assert self.dates is not None
        return delta14c_at(self.dates, self.delta, time)


def _pick(
    years: Float[np.ndarray, "#draw #profile #layer time"], profile: int, kept: np.ndarray
) -> np.ndarray:
    own = years[:, min(profile, years.shape[1] - 1)]
    return own[:, kept] if own.shape[1] == len(kept) else own


def mean(
    share: Float[np.ndarray, "sample layer"],
    stock: Float[np.ndarray, "#draw layer"],
    content: Float[np.ndarray, "#draw layer"],
) -> Float[np.ndarray, "draw sample"]:
    """`on_support` for each draw; missing where a layer with carbon has no content.

    >>> share = np.array([[1.0, 1.0], [1.0, 0.0]])
    >>> mean(share, np.array([[3.0, 1.0]]), np.array([[0.5, np.nan]])).tolist()
    [[nan, 0.5]]
    """
    draws = max(len(stock), len(content))
    both = (np.broadcast_to(x, (draws, x.shape[1])) for x in (np.nan_to_num(stock), content))
    rows = []
    for weight, values in zip(*both, strict=True):
        gap = np.isnan(values)
        part = on_support(share, weight, np.stack([np.where(gap, 0.0, values), gap], axis=1))
        rows.append(np.where(part[:, 1] > 0, np.nan, part[:, 0]))
    return np.stack(rows)


def isochrones(output: Output, reference: Reference, rows: pd.DataFrame) -> Float[np.ndarray, "draw value"]:
    """Share younger than an age at a depth: mean of the tropical profiles, if most of them answer."""
    tropical = set(reference.profiles.loc[reference.profiles["tropical"].astype(bool), "profile_id"])
    there = [i for i, name in enumerate(output.profile_id) if name in tropical]
    if output.f_new is None or not there or not len(rows):
        return np.full((1, len(rows)), np.nan)
    timed = rows.assign(target="f_new")
    each = np.stack([Column(output, i).answer("f_new", timed)[0] for i in there])
    known = np.isfinite(each)
    enough = known.sum(axis=0) >= ENOUGH * len(tropical)
    total = np.where(known, each, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(enough, total, np.nan)


def curves(output: Output, reference: Reference) -> Curves | None:
    """Labelled profiles' columns at `AGES`, mean over draws; on `CURVE_CM` where they differ in layers."""
    profiles = reference.profiles
    labelled = set(profiles.loc[profiles["labelling_years"].notna(), "profile_id"])
    names = {name: i for i, name in enumerate(output.profile_id) if name in labelled}
    if output.f_new is None or not names:
        return None
    columns = [Column(output, i) for i in names.values()]
    first = columns[0]
    same = all(
        len(c.top) == len(first.top) and np.allclose(c.top, first.top) and np.allclose(c.bottom, first.bottom)
        for c in columns
    )
    grid = np.array(CURVE_CM)
    top, bottom = (first.top, first.bottom) if same else (grid[:-1], grid[1:])
    samples = pd.DataFrame({"layer_top": top, "layer_bottom": bottom})
    stock, f_new = [], []
    for column in columns:
        share = column.support(samples)
        weights = column.stock if column.given_stock is not None else np.full((1, len(column.top)), np.nan)
        stock.append((weights @ share.T).mean(axis=0))
        f_new.append([mean(share, column.stock, column.at("f_new", age)).mean(axis=0) for age in AGES])
    return Curves(tuple(names), top, bottom, np.stack(stock), np.moveaxis(np.array(f_new), 1, 2))
