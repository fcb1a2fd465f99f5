"""What a model of the catalogue answers: every profile of a reference at rest under its own forcing.

Models are at rest, whatever the soils are (`subsoil.benchmark.doubts`), and answer for samples with the
carbon-weighted mean of their layers (`subsoil.benchmark.support`). Profiles and values are taken in the
order of their names, so that the order of the tables changes no bit of an answer.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil.archive.atmosphere import History
from subsoil.benchmark import radiocarbon
from subsoil.benchmark.inputs import forcings, refused
from subsoil.benchmark.reference import AGES, VALUES, Curves, Prediction, Reference
from subsoil.benchmark.support import on_support, overlap_shares
from subsoil.constants import CM_PER_M
from subsoil.equilibrium import resting
from subsoil.errors import BadCall, MissingData
from subsoil.models.model import Model
from subsoil.solve.steady import Outcome

Progress = Callable[[int, int], None]
"""Called with columns done and columns in all."""


class Columns(NamedTuple):
    """Labelled profiles of a model at rest: their curves, and f_new after each one's own labelling time."""

    curves: Curves
    f_own: Float[np.ndarray, "profile layer"]


def answer(
    model: Model,
    reference: Reference,
    *,
    air: Mapping[str, History] | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """The values that a model with its own parameters, on its own grid, gives for a reference.

    air: 14C of the air (`subsoil.benchmark.radiocarbon.atmospheres`); if not given it is looked for where the
    package finds data, and without it Delta14C is missing, which a note says. A profile without climate, or
    for which the model finds no steady state, is missing with its reason in ``failures``; samples below the
    model's last layer are missing, and a note counts them. Compiled once for each model, and its label once
    for each number of layers and pools.

    Raises BadCall where the model refuses every labelled profile, and for an isochrone of an age that is not
    in `AGES`.
    """
    values = reference.values[[*VALUES]].reset_index(drop=True).sort_values([*VALUES], kind="stable")
    profiles = reference.profiles.sort_values("profile_id", ignore_index=True)
    failures = {name: why for name, why in zip(profiles["profile_id"], refused(profiles), strict=True) if why}
    profiles = profiles[~profiles["profile_id"].isin(failures)]
    labelled = profiles[profiles["labelling_years"].notna()]
    columns, why = at_labelled(model, labelled, progress)
    tropical = set(labelled["profile_id"][labelled["tropical"].astype(bool)])
    parts = [
        new_carbon(columns, values[values["target"] == "f_new"]),
        stock_share(columns, values[values["target"] == "stock_share"]),
        isochrones(columns, values[values["target"] == "isochrone"], tropical),
    ]
    asked = values[(values["target"] == "delta14c") & values["profile_id"].isin(profiles["profile_id"])]
    dated, why_not, notes = _delta14c(model, asked, profiles, air)
    found = pd.concat([*parts, dated]).reindex(range(len(values)))
    return Prediction(
        model.name,
        model.title,
        found.to_numpy(float)[None],
        columns.curves,
        failures | why | why_not,
        (*_too_deep(model, values), *notes),
    )


def at_labelled(
    model: Model, profiles: pd.DataFrame, progress: Progress | None = None
) -> tuple[Columns, dict[str, str]]:
    """Labelled profiles at rest, and for those that are not there why, by profile_id.

    A layer without carbon has an f_new of 0. Raises BadCall where the model refuses every profile.
    """
    names = profiles["profile_id"].to_numpy(dtype=object)
    years, count = profiles["labelling_years"].to_numpy(float), len(names)
    stock = np.full((count, len(model.grid)), np.nan)
    f_own, f_ages = stock.copy(), np.full((*stock.shape, len(AGES)), np.nan)
    reasons = [""] * count
    forcing = forcings(profiles, model.grid) if count else None
    for here, rest in resting(model, forcing, reasons) if forcing is not None else ():
        rows = np.resize(here, len(rest.carbon))
        found = (rest.carbon.sum(axis=-1), rest.label_after(years[rows]), rest.label(AGES), rest.outcome)
        stock[here], f_own[here], f_ages[here], outcome = (np.asarray(x)[: len(here)] for x in found)
        for column, end in zip(here, outcome, strict=True):
            if end != Outcome.CONVERGED:
                reasons[column] = f"steady state {Outcome(int(end)).words}"
        if progress is not None:
            progress(int(here[-1]) + 1, count)
    kept = np.array([not why for why in reasons], dtype=bool)
    full = stock[kept] > 0.0
    bounds = np.round(model.grid.boundaries * CM_PER_M, 9)
    curves = Curves(
        tuple(names[kept]),
        bounds[:-1],
        bounds[1:],
        stock[kept],
        np.where(full[..., None], f_ages[kept], 0.0),
    )
    failed = {name: why for name, why in zip(names, reasons, strict=True) if why}
    return Columns(curves, np.where(full, f_own[kept], 0.0)), failed


def new_carbon(columns: Columns, values: pd.DataFrame) -> pd.Series:
    """f_new of each value, by the index of the table: mean of the sample's carbon; NaN below the layers."""
    out = pd.Series(np.nan, index=values.index)
    for rows, place, share in _supports(columns.curves, values):
        out.loc[rows] = on_support(share, columns.curves.soc_stock[place], columns.f_own[place])
    return out


def stock_share(columns: Columns, values: pd.DataFrame) -> pd.Series:
    """Share of each value in the carbon of all values of its profile; NaN where one is below the layers."""
    out = pd.Series(np.nan, index=values.index)
    for rows, place, share in _supports(columns.curves, values):
        carbon = share @ columns.curves.soc_stock[place]
        out.loc[rows] = carbon / carbon.sum()
    return out


def isochrones(columns: Columns, values: pd.DataFrame, tropical: Collection[str]) -> pd.Series:
    """Mean over the tropical profiles of the share younger than an age in the layer around a depth.

    Raises BadCall for an age that is not in `AGES`.
    """
    curves = columns.curves
    if unknown := set(values["years"]) - set(AGES):
        raise BadCall(f"isochrones have the ages {AGES} yr, got {sorted(unknown)}")
    share = overlap_shares(
        curves.layer_top, curves.layer_bottom, *values[["layer_top", "layer_bottom"]].to_numpy(float).T
    )
    age = np.searchsorted(AGES, values["years"].to_numpy(float))
    means = [
        on_support(share, curves.soc_stock[place], curves.f_new[place])[np.arange(len(age)), age]
        for place, name in enumerate(curves.profile_id)
        if name in tropical
    ]
    return pd.Series(np.mean(means, axis=0) if means else np.nan, index=values.index)


def _supports(
    curves: Curves, values: pd.DataFrame
) -> Iterator[tuple[pd.Index, int, Float[np.ndarray, "sample layer"]]]:
    """Of each profile that is there: its values, its place, and the part of each layer in each sample."""
    place = {name: i for i, name in enumerate(curves.profile_id)}
    for name, own in values.groupby("profile_id", sort=True):
        if name in place:
            bounds = own[["layer_top", "layer_bottom"]].to_numpy(float).T
            yield own.index, place[str(name)], overlap_shares(curves.layer_top, curves.layer_bottom, *bounds)


def _delta14c(
    model: Model, values: pd.DataFrame, profiles: pd.DataFrame, air: Mapping[str, History] | None
) -> tuple[pd.Series, dict[str, str], list[str]]:
    """Delta14C by the index of the table, why profiles have none, and a note where nothing could be made."""
    missing = pd.Series(np.nan, index=values.index)
    if values.empty:
        return missing, {}, []
    dated = profiles[profiles["profile_id"].isin(values["profile_id"])].reset_index(drop=True)
    try:
        air = radiocarbon.atmospheres(dated, download=False) if air is None else air
    except MissingData as why:
        return missing, {}, [f"no Delta14C: {' '.join(str(why).split())}"]
    found, failed = radiocarbon.delta14c(model, forcings(dated, model.grid), dated, values, air)
    return pd.Series(found, index=values.index), failed, []


def _too_deep(model: Model, values: pd.DataFrame) -> Iterator[str]:
    deepest = float(np.round(model.grid.boundaries[-1] * CM_PER_M, 9))
    for target, own in values.groupby("target", sort=True):
        if below := int((own["layer_bottom"] > deepest).sum()):
            yield f"{below} of {len(own)} values of {target} lie below the last layer ({deepest:g} cm)"
