"""Delta14C that a model shows in a sampled layer, in the year of its sampling.

Carbon is at rest, its 14C is not. With A* the operator of 14C, decay in it, C* its steady state under a
constant signature of 1, and s the 14C of the air in each bin of age (`subsoil.signature`),

    held = sum_i s_i (G(a_i) - G(a_i+1)),   G(a) = exp(A* a) C*,   Delta14C = (held / carbon - 1) 1000

summed over the pools, and over the layers of the model in proportion to what lies in the sample: the mean of
the sample's carbon (`subsoil.equilibrium.Equilibrium.content` and `subsoil.benchmark.support`). G is found
once for each column, whatever the zones and years in which its layers were sampled.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int

from subsoil.archive import atmosphere
from subsoil.archive.atmosphere import History
from subsoil.benchmark.support import overlap_shares
from subsoil.constants import CM_PER_M
from subsoil.equilibrium import resting
from subsoil.errors import BadCall
from subsoil.forcing import Forcing
from subsoil.models.model import Fluxes, Model
from subsoil.signature import age_bins, entering14
from subsoil.solve.ages import steady
from subsoil.solve.exponential import Windows
from subsoil.solve.steady import Outcome
from subsoil.tracers import RADIOCARBON

TARGET = "delta14c"


class _Histories(NamedTuple):
    """Zones and years of sampling: ``of_value`` which one counts for each value; ``steps`` s_i - s_i-1 by bin
    of age; ``unknown`` why there are none, or ""."""

    of_value: Int[np.ndarray, " value"]
    steps: Float[np.ndarray, "bin history"]
    unknown: np.ndarray


def atmospheres(
    profiles: pd.DataFrame, *, data: Path | str | None = None, download: bool = True
) -> dict[str, History]:
    """14C of the air in each zone (`subsoil.archive.atmosphere.zone_of`) in which a profile lies.

    Raises MissingData where the records are neither on disk nor to be had.
    """
    zones = sorted({atmosphere.zone_of(x) for x in profiles["latitude"] if np.isfinite(x)})
    return {zone: atmosphere.radiocarbon(zone, data=data, download=download) for zone in zones}


def delta14c(
    model: Model, forcing: Forcing, profiles: pd.DataFrame, values: pd.DataFrame, air: Mapping[str, History]
) -> tuple[Float[np.ndarray, " value"], dict[str, str]]:
    """Delta14C (per mil) that a model shows for each value of a reference, and why profiles have none.

    forcing: a batch, one column for each row of ``profiles``, on ``model.grid``; values: rows of other
    targets, and samples that the grid does not hold, are NaN; air: `atmospheres`. obs_year is a calendar year
    with decimals, so that 1997.5 is the middle of 1997. Columns of equal forcing are solved once.

    Failures, by profile_id: what the model refuses, no steady state, no latitude or year, a year of sampling
    after the end of the record.

    Raises BadCall for a profile that is not in the table, a batch of another length, a zone without a record.
    """
    rows = np.flatnonzero((values["target"] == TARGET).to_numpy())
    asked = values.iloc[rows]
    profile = pd.Index(profiles["profile_id"]).get_indexer(pd.Index(asked["profile_id"]))
    columns = np.shape(forcing.litter)[0]
    if (profile < 0).any() or len(profiles) != columns:
        raise BadCall(
            f"{len(profiles)} profiles and {columns} columns of forcing: expected one for each, and every "
            "profile_id of the values in the table of profiles"
        )
    found = np.full(len(values), np.nan)
    if not len(rows):
        return found, {}
    told = _histories(profiles["latitude"].to_numpy(float)[profile], asked["obs_year"].to_numpy(float), air)
    first, column = _distinct(model, forcing, profile)
    content, carbon, reasons = _at_rest(model, forcing, first, told.steps)
    depths = asked[["layer_top", "layer_bottom"]].to_numpy(float).T
    share = overlap_shares(model.grid.top * CM_PER_M, model.grid.bottom * CM_PER_M, *depths)
    with np.errstate(invalid="ignore", divide="ignore"):  # a sample in which the model has no carbon
        held = (share * content[column, :, told.of_value]).sum(axis=1)
        found[rows] = (held / (share * carbon[column]).sum(axis=1) - 1.0) * 1000.0
    why = np.where(reasons[column] != "", reasons[column], told.unknown[told.of_value])
    return found, {name: str(w) for name, w in zip(asked["profile_id"], why, strict=True) if w}


def _histories(
    latitude: Float[np.ndarray, " value"], year: Float[np.ndarray, " value"], air: Mapping[str, History]
) -> _Histories:
    """sum_i s_i (G_i - G_i+1) = sum_i (s_i - s_i-1) G_i with 0 for s before and G after all."""
    zone = np.array([atmosphere.zone_of(x) if np.isfinite(x) else "" for x in latitude])
    cases, of_value = np.unique(np.stack([zone, year.astype(str)]), axis=1, return_inverse=True)
    steps = np.full((len(age_bins()), cases.shape[1]), np.nan)
    unknown = np.full(cases.shape[1], "", dtype=object)
    for case, (name, sampled) in enumerate(zip(cases[0], cases[1].astype(float), strict=True)):
        if not name or not np.isfinite(sampled):
            unknown[case] = "no latitude or no year of sampling, so that the air is not known"
        elif name not in air:
            raise BadCall(f"no record of the air of zone {name}: pass atmospheres(profiles)")
        elif sampled > air[name].last:
            unknown[case] = f"sampled in {sampled:g}, the record of 14C ends in {air[name].last:.1f}"
        else:
            steps[:, case] = np.diff(entering14(air[name], float(sampled)), prepend=0.0)
    return _Histories(np.ravel(of_value), steps, unknown)


def _distinct(
    model: Model, forcing: Forcing, profile: Int[np.ndarray, " value"]
) -> tuple[Int[np.ndarray, " column"], Int[np.ndarray, " value"]]:
    """One profile of each kind of column among those asked for, and the kind of each value."""
    asked, position = np.unique(profile, return_inverse=True)
    fields = [*forcing, *(value for value in model.values.values() if np.ndim(value))]
    flat = [np.asarray(field, dtype=float)[asked].reshape(len(asked), -1) for field in fields]
    _, first, kind = np.unique(np.hstack(flat), axis=0, return_index=True, return_inverse=True)
    return asked[first], np.ravel(kind)[position]


def _at_rest(
    model: Model, forcing: Forcing, first: Int[np.ndarray, " column"], steps: Float[np.ndarray, "bin history"]
) -> tuple[Float[np.ndarray, "column layer history"], Float[np.ndarray, "column layer"], np.ndarray]:
    """14C and carbon of each column that rests, kg m-2 (14C over that of the standard); why others do not."""
    values = {n: np.asarray(v)[first] if np.ndim(v) else v for n, v in model.values.items()}
    some = jax.tree.map(lambda field: np.asarray(field)[first], forcing)
    carbon = np.full((len(first), len(model.grid)), np.nan)
    content = np.full((*carbon.shape, steps.shape[1]), np.nan)
    reasons = [""] * len(first)
    try:
        for here, rest in resting(replace(model, values=values), some, reasons):
            outcome = np.asarray(rest.outcome)[: len(here)]
            for column in np.flatnonzero(outcome != Outcome.CONVERGED):
                reasons[here[column]] = f"steady state {Outcome(int(outcome[column])).words}"
            good = np.flatnonzero(outcome == Outcome.CONVERGED)
            content[here[good]] = np.asarray(_held(rest.fluxes, steps, model.pools))[good]
            carbon[here[good]] = np.asarray(rest.carbon).sum(axis=-1)[good]
    except BadCall as why:  # no column can be computed
        reasons = [each or str(why) for each in reasons]
    return content, carbon, np.array(reasons, dtype=object)


def _held_after(
    fluxes: Fluxes, steps: Float[Array, "bin history"], pools: tuple[str, ...]
) -> Float[Array, "column layer history"]:
    """14C held by all pools of each layer after each history of the air."""
    blocks, edges = RADIOCARBON.ride(fluxes, pools), age_bins()
    alone = steady(blocks, fluxes.inputs)
    windows = Windows.spanning(float(edges[1]), float(edges[-1]))
    return windows.at(blocks, alone, jnp.ones((1, *alone.shape[-2:])), edges)[:, 0] @ steps


_held = jax.jit(_held_after, static_argnames="pools")
