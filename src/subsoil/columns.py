"""Soil columns with names, units and depths: THE border between the arrays of models and xarray.

`label` gives the new carbon of a column, `run` all that a column at rest tells: stock, ages and isotopes by
depth, as a Dataset after CF-1.8 with the names of CMIP where it has one. Depth is in metres, positive down,
with bounds. Nothing inside the core knows of names; nothing outside needs the order of an axis.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from subsoil import __version__
from subsoil.archive import atmosphere
from subsoil.constants import DAYS_PER_YEAR, R_PDB, RADIOCARBON_DECAY, Numbers
from subsoil.depth import DepthGrid
from subsoil.equilibrium import QUANTILES, Equilibrium, at_rest, resting
from subsoil.errors import BadCall, MissingData
from subsoil.forcing import Forcing
from subsoil.models.model import Model
from subsoil.signature import Plants, age_bins, entering13, entering14
from subsoil.solve.steady import Outcome
from subsoil.tracers import CARBON13, RADIOCARBON, Tracer, delta13

YEARS = (1.0, 10.0, 50.0, 100.0, 1000.0)
"""Labelling times of `run` unless others are asked for, yr."""
SAMPLED = 2019.0
"""Year of sampling unless another is asked for: the measured 14C of the air ends in 2019.4."""
LATITUDE = 45.0
"""Where a column lies unless it is said, degrees north: it decides which 14C record counts."""
CHUNK = 128
"""Columns computed at once: bounds the memory."""
REFUSED = "refused"
SECONDS = DAYS_PER_YEAR * 86400.0
OLD_13C = " The record of 13C begins in year 0; before it, its first value is taken."


class Variable(NamedTuple):
    """Axes after that of the columns, units, meaning, and the standard name of CF where there is one."""

    dims: tuple[str, ...]
    units: str
    meaning: str
    standard_name: str = ""


LAYERS, AGES = ("sdepth",), ("quantile", "sdepth")
CARBON, FLUX = "soil_mass_content_of_carbon", "kg m-2 s-1"
VARIABLES: Mapping[str, Variable] = {
    "cSoil": Variable((), "kg m-2", "carbon of the whole column, litter pools included", CARBON),
    "cSoilLevels": Variable(LAYERS, "kg m-2", "carbon of each layer, all pools", CARBON),
    "cSoilPools": Variable(("soilpools",), "kg m-2", "carbon of each pool, all layers", CARBON),
    "cSoilPoolsLevels": Variable(("soilpools", "sdepth"), "kg m-2", "carbon of each pool in each layer"),
    "rhSoil": Variable(
        (),
        FLUX,
        "CO2 of decomposition, as carbon; litter pools included",
        "surface_upward_mass_flux_of_carbon_due_to_heterotrophic_respiration_in_soil",
    ),
    "rhSoilLevels": Variable(LAYERS, FLUX, "CO2 of decomposition in each layer, as carbon"),
    "fNewSoilLevels": Variable(
        (*LAYERS, "labelling_years"),
        "1",
        "share of the layer's carbon that entered the soil since the label was switched on",
    ),
    "fNewSoilLevels_error": Variable((), "1", "largest error of fNewSoilLevels, by finer shifts"),
    "ageSoilLevels": Variable(AGES, "yr", "age of the layer's carbon since it entered the soil: quantiles"),
    "meanAgeSoilLevels": Variable(LAYERS, "yr", "mean age of the layer's carbon"),
    "ageSoil": Variable(("quantile",), "yr", "age of the column's carbon: quantiles"),
    "meanAgeSoil": Variable((), "yr", "mean age of the column's carbon"),
    "ageRhSoilLevels": Variable(AGES, "yr", "age of the carbon that the layer respires: quantiles"),
    "meanAgeRhSoilLevels": Variable(LAYERS, "yr", "mean age of the carbon that the layer respires"),
    "transitTime": Variable(("quantile",), "yr", "age of the carbon that the column respires: quantiles"),
    "meanTransitTime": Variable((), "yr", "mean age of the carbon that the column respires"),
    "c14SoilLevels": Variable(LAYERS, "kg m-2", "14C of each layer over that of the standard of 1950"),
    "Delta14C": Variable(LAYERS, "1e-3", "Delta14C of the layer's carbon in the year of sampling"),
    "c13SoilLevels": Variable(LAYERS, "kg m-2", "13C of each layer"),
    "delta13C": Variable(LAYERS, "1e-3", "delta13C of the layer's carbon in the year of sampling"),
}
COMMENTS = {
    "c14SoilLevels": "divided by 14C/C of the standard, without its decay since 1950: equals cSoilLevels "
    "where Delta14C is 0",
    "Delta14C": f"per mil, (c14SoilLevels / cSoilLevels - 1) 1000; decay {RADIOCARBON_DECAY:.6g} yr-1",
    "c13SoilLevels": "cSoilLevels times 13C / (12C + 13C), a ratio of atoms, as land models count it; times "
    "13.0034 / 12.011 for the mass of the atoms",
    "delta13C": f"per mil, against R_PDB = {R_PDB}",
}

FORCING: Mapping[str, str] = {
    "temperature": "degC", "saturation": "1", "oxygen": "1", "clay": "1", "sand": "1",
    "bulk_density": "kg m-3", "ph": "1", "precipitation": "m yr-1", "potential_evaporation": "m yr-1",
    "moisture_deficit": "mm", "thaw_depth": "m", "litter": "kg m-2 yr-1", "roots": "kg m-2 yr-1",
    "litter_share": "1", "root_share": "1", "wood": "1", "lignin": "1", "lignin_to_nitrogen": "1",
    "cover": "1",
}  # fmt: skip
"""Units of the fields of a forcing."""


def label(model: Model, forcing: Forcing, years: Numbers, *, batch: bool = False) -> xr.DataArray:
    """f_new: of the carbon of each layer, the share that entered in the last ``years``, at steady state.

    A label is switched on in all that enters; f_new is what share of a layer's carbon carries it ``years``
    later (`subsoil.solve.ages.label_response`). forcing: on ``model.grid``; with ``batch`` of many columns
    (`subsoil.forcing.stack`). Returns sdepth x labelling_years, layer bounds in m; ``attrs["error"]`` is the
    largest error of the shifts, the coordinate ``outcome`` tells how the steady state was found.

    Raises BadCall for negative years, a forcing on other layers, fluxes that no soil has.

    >>> import subsoil
    >>> model = subsoil.model("onepool")
    >>> f_new = label(model, subsoil.site_forcing(model.grid, mat=12, map_mm=900), years=[10, 50])
    >>> f_new.dims, f_new.sel(labelling_years=50)[:2].round(2).values.tolist()
    (('sdepth', 'labelling_years'), [0.71, 0.7])
    """
    times = np.atleast_1d(np.asarray(years, dtype=float))
    rest = at_rest(model, forcing, batch=batch)
    found, error = rest.label(times), rest.label_error(times)
    outcome = np.asarray(rest.outcome)
    values = np.where((outcome == Outcome.CONVERGED)[..., None, None], found, np.nan)
    row = VARIABLES["fNewSoilLevels"]
    dims = (*(("column",) if batch else ()), *row.dims)
    return xr.DataArray(
        values,
        dims=dims,
        coords={
            **_depths(model.grid),
            "layer_top": ("sdepth", model.grid.top, {"units": "m", "long_name": "top of the layer"}),
            "layer_bottom": ("sdepth", model.grid.bottom, {"units": "m", "long_name": "bottom of the layer"}),
            "labelling_years": _times(times),
            "outcome": (dims[: outcome.ndim], _names(outcome)),
        },
        name="fNewSoilLevels",
        attrs={
            "units": row.units,
            "long_name": row.meaning,
            "error": float(np.nanmax(np.append(error, 0.0))),
            "model": model.name,
        },
    )


def run(
    model: Model,
    forcing: Forcing,
    *,
    batch: bool = False,
    years: Numbers = YEARS,
    year: float = SAMPLED,
    zone: str | None = None,
    latitude: Numbers = LATITUDE,
    plants: Plants | None = None,
    fractionation: Mapping[str, float] | None = None,
    forecast: bool = False,
    data: Path | str | None = None,
    refused: Sequence[str] | None = None,
) -> xr.Dataset:
    """A column at rest under a forcing: stock, new carbon, ages, 14C and 13C of each layer (`VARIABLES`).

    Carbon is at steady state; what it carries is not: 13C and 14C of the air changed, and carbon of each age
    brought what was there (`subsoil.signature`), so that the contents are those of a sample of ``year``.

    forcing: on ``model.grid``; with ``batch`` of many columns (`subsoil.forcing.stack`), and values of the
    model may then have a first axis of columns too. years: labelling times. zone: one of
    `subsoil.archive.atmosphere.ZONES`, else that of ``latitude`` (degrees north, one or one a column).
    plants: `subsoil.signature.Plants`. fractionation: of 13C in fluxes of the model, per mil
    (`subsoil.tracers.Tracer`); none unless given. forecast: 14C of the air after 2019.4 from a forecast.
    data: folder of the records of the air; without them isotopes are left out and an attribute says why.
    refused: for each column why it shall not be computed, or "".

    A column of a batch that cannot be computed is a row of missing values with its ``outcome`` ("refused",
    "not converged", "not finite") and ``reason``. Raises BadCall for a single column that has no state, an
    unknown zone or year, and where every column is refused.

    >>> import subsoil
    >>> model = subsoil.model("onepool")
    >>> found = run(model, subsoil.site_forcing(model.grid, mat=12, map_mm=900), years=[50])
    >>> found["meanAgeSoil"].round(6).item(), found["cSoil"].round(2).item(), str(found["outcome"].values)
    (50.0, 21.5, 'converged')
    """
    columns = forcing if batch else jax.tree.map(lambda field: jnp.asarray(field)[None], forcing)
    count = int(np.shape(columns.temperature)[0])
    zones = [zone] * count if zone else [atmosphere.zone_of(x) for x in _each(latitude, count, "latitude")]
    air = _Air.read(sorted(set(zones)), year, plants or Plants(), forecast, data)
    tracer13 = replace(CARBON13, fractionation=fractionation or {})
    times = np.atleast_1d(np.asarray(years, dtype=float))

    reasons = _missing(columns) if refused is None else [str(why) for why in refused]
    if len(reasons) != count:
        raise BadCall(f"refused has one reason or '' for each of the {count} columns, got {len(reasons)}")
    arrays: dict[str, np.ndarray] = {}
    outcome = np.full(count, -1)
    for wanted, rest in resting(model, columns, reasons, CHUNK):
        places = np.resize([zones[i] for i in wanted], len(rest.carbon)).tolist()
        here = _describe(rest, times) | _isotopes(rest, model, air, places, tracer13)
        for name, values in here.items():
            full = arrays.setdefault(name, np.full((count, *np.shape(values)[1:]), np.nan))
            full[wanted] = np.asarray(values)[: len(wanted)] + 0.0  # no minus zero
        outcome[wanted] = np.asarray(rest.outcome)[: len(wanted)]
    for values in arrays.values():
        values[outcome != Outcome.CONVERGED] = np.nan

    dataset = xr.Dataset(
        {name: (("column", *VARIABLES[name].dims), arrays[name]) for name in VARIABLES if name in arrays},
        coords={
            **_depths(model.grid),
            "soilpools": ("soilpools", list(model.pools), {"long_name": "pool of the model"}),
            "labelling_years": _times(times),
            "quantile": (
                "quantile",
                np.array(QUANTILES),
                {"units": "1", "long_name": "share that is younger"},
            ),
        },
    )
    dataset["sdepth"].attrs["bounds"] = "sdepth_bnds"
    dataset["sdepth_bnds"] = (("sdepth", "bnds"), np.stack([model.grid.top, model.grid.bottom], axis=-1))
    dataset["outcome"] = (
        "column",
        _names(outcome),
        {"long_name": "how the search for the steady state ended"},
    )
    dataset["reason"] = ("column", np.array(reasons, dtype=str), {"long_name": "why it was refused"})
    _add_inputs(dataset, model, columns)
    for name, row in VARIABLES.items():
        if name in dataset:
            dataset[name].attrs |= {"units": row.units, "long_name": row.meaning}
            dataset[name].attrs |= {"standard_name": row.standard_name} if row.standard_name else {}
            dataset[name].attrs |= {"comment": COMMENTS[name]} if name in COMMENTS else {}
    dataset["fNewSoilLevels"].attrs["ancillary_variables"] = "fNewSoilLevels_error"
    if air.entering14:
        dataset["zone"] = ("column", np.array(zones, dtype=str), {"long_name": "whose 14C of the air counts"})
    dataset.attrs = _attributes(model) | air.notes | {"sampling_year": year}
    return dataset if batch else dataset.isel(column=0)


class _Air(NamedTuple):
    """What entered with carbon of each age, 14C by zone, and what is to be said of it."""

    entering14: dict[str, Float[np.ndarray, " bin"]]
    entering13: Float[np.ndarray, " bin"] | None
    notes: dict[str, str]

    @classmethod
    def read(
        cls, zones: Sequence[str], year: float, plants: Plants, forecast: bool, data: Path | str | None
    ) -> "_Air":
        notes: dict[str, str] = {}
        by_zone: dict[str, np.ndarray] = {}
        content = None
        try:
            for zone in zones:
                air = atmosphere.radiocarbon(zone, data=data, forecast=forecast, download=False)
                if year > air.last:
                    raise MissingData(f"the measured 14C ends in {air.last:.1f}: forecast=True (--forecast)")
                by_zone[zone] = entering14(air, year)
                notes[f"atmosphere_14C_{zone}"] = _sources(air)
        except MissingData as why:
            notes["14C_left_out"] = _left_out(why)
        try:
            delta, co2 = (
                atmosphere.annual(name, data=data, download=False) for name in ("delta13c_permil", "co2_ppm")
            )
            if year > delta.last:
                raise MissingData(f"the record of 13C ends in {delta.last:.1f}")
            content = entering13(delta, co2, year, plants)
            notes["atmosphere_13C"] = _sources(delta) + OLD_13C
            notes["plants"] = (
                f"C4 share {plants.c4_share:g}; ci/ca {plants.ci_ca:g} of C3 plants, discrimination "
                f"{plants.discrimination3:.2f} per mil in {year:g}, "
                f"{'rising with CO2' if plants.co2_effect else 'the same at all times'}"
            )
        except MissingData as why:
            notes["13C_left_out"] = _left_out(why)
        return cls(by_zone, content, notes)


def _left_out(why: MissingData) -> str:
    """Why an isotope is left out and how to provide its record, in one line."""
    keys = [line.split()[3] for line in str(why).splitlines() if line.startswith("The data set ")]
    if not keys:
        return f"{why}."
    return (
        f"no record of the atmosphere: {', '.join(keys)}. Pass data=DIR (--data DIR), set SUBSOIL_DATA=DIR, "
        f"or run `subsoil fetch {' '.join(keys)}` when online."
    )


def _sources(air: atmosphere.History) -> str:
    return "; ".join(f"{span.name} (doi:{span.doi}) to {span.last:.1f}" for span in air.source)


def _missing(columns: Forcing) -> list[str]:
    """For each column the fields of its forcing that are not there, or ""."""
    reasons = [""] * int(np.shape(columns.temperature)[0])
    for name, field in zip(Forcing._fields, columns, strict=True):
        values = np.asarray(field)
        for column in np.flatnonzero(np.isnan(values).reshape(len(values), -1).any(axis=1)):
            reasons[column] = reasons[column] or f"{name} of the forcing is missing"
    return reasons


def _describe(rest: Equilibrium, years: Float[np.ndarray, " year"]) -> dict[str, Any]:
    """What needs no record of the atmosphere; every array has the axis of columns first."""
    carbon, respired = rest.carbon, rest.fluxes.respiration * rest.carbon / SECONDS
    quantiles = {
        "ageSoilLevels": rest.ages(),
        "ageRhSoilLevels": rest.ages("co2"),
        "ageSoil": rest.ages(whole=True),
        "transitTime": rest.ages("co2", whole=True),
    }
    ages = {name: jnp.moveaxis(ages.quantile(QUANTILES)[:, 0], -1, 1) for name, ages in quantiles.items()}
    return {
        "cSoil": carbon.sum(axis=(-2, -1)),
        "cSoilLevels": carbon.sum(axis=-1),
        "cSoilPools": carbon.sum(axis=-2),
        "cSoilPoolsLevels": jnp.moveaxis(carbon, -1, -2),
        "rhSoil": respired.sum(axis=(-2, -1)),
        "rhSoilLevels": respired.sum(axis=-1),
        "fNewSoilLevels": rest.label(years),
        "fNewSoilLevels_error": rest.label_error(years),
        "meanAgeSoilLevels": rest.mean_age()[:, 0],
        "meanAgeRhSoilLevels": rest.mean_age("co2")[:, 0],
        "meanAgeSoil": rest.mean_age(whole=True)[:, 0, 0],
        "meanTransitTime": rest.mean_age("co2", whole=True)[:, 0, 0],
        "ageSoilLevels": ages["ageSoilLevels"],
        "ageRhSoilLevels": ages["ageRhSoilLevels"],
        "ageSoil": ages["ageSoil"][..., 0],
        "transitTime": ages["transitTime"][..., 0],
    }


def _isotopes(
    rest: Equilibrium, model: Model, air: _Air, zones: Sequence[str], tracer13: Tracer
) -> dict[str, np.ndarray]:
    """14C and 13C of each layer, of what there is a record for."""
    carbon = np.asarray(rest.carbon).sum(axis=-1)
    found: dict[str, np.ndarray] = {}

    def amount(tracer: Tracer, entering: np.ndarray) -> np.ndarray:
        content = rest.content(tracer, model.pools, age_bins(), entering)
        return np.where(rest.carbon > 0.0, content * rest.carbon, 0.0).sum(axis=-1)

    with np.errstate(invalid="ignore", divide="ignore"):  # where there is no state or no carbon
        if air.entering14:
            held = np.full(carbon.shape, np.nan)
            for name in dict.fromkeys(zones):
                here = np.array(zones) == name
                held[here] = amount(RADIOCARBON, air.entering14[name])[here]
            found |= {"c14SoilLevels": held, "Delta14C": (held / carbon - 1.0) * 1000.0}
        if air.entering13 is not None:
            held = amount(tracer13, air.entering13)
            found |= {"c13SoilLevels": held * R_PDB / (1.0 + R_PDB)}
            found |= {"delta13C": np.asarray(delta13(held / carbon))}
    return found


def _add_inputs(dataset: xr.Dataset, model: Model, columns: Forcing) -> None:
    """The forcing, month by month where it has months, and the parameters that differ between columns."""
    axes = ("column", "month") if np.ndim(columns.temperature) == 3 else ("column",)
    for name, field in zip(Forcing._fields, columns, strict=True):
        dims = axes if np.ndim(field) == len(axes) else (*axes, "sdepth")
        dataset[f"forcing_{name}"] = (dims, np.asarray(field), {"units": FORCING[name]})
    for name, value in model.values.items():
        if np.ndim(value):
            row = model.parameters[name]
            attrs = {"units": row.unit, "long_name": row.meaning}
            dataset[f"parameter_{name}"] = ("column", np.asarray(value), attrs)


def _attributes(model: Model) -> dict[str, Any]:
    unverified = [name for name, row in model.parameters.items() if not row.verified]
    return {
        "Conventions": "CF-1.8",
        "title": f"{model.title}: soil carbon at steady state",
        "source": f"subsoil {__version__}; jax {version('jax')}, numpy {np.__version__}",
        "model": model.name,
        "references": model.reference,
        "parameters": json.dumps({n: float(v) for n, v in model.values.items() if not np.ndim(v)}),
        "unverified_parameters": ", ".join(unverified) or "none",
        "comment": "Carbon is at steady state; its isotopes are those of the year of sampling.",
    }


def _depths(grid: DepthGrid) -> dict[str, Any]:
    attrs = {"standard_name": "depth", "long_name": "depth below the top of the mineral soil"}
    return {"sdepth": ("sdepth", grid.node, attrs | {"units": "m", "axis": "Z", "positive": "down"})}


def _times(years: Float[np.ndarray, " year"]) -> tuple[str, np.ndarray, dict[str, str]]:
    return "labelling_years", years, {"units": "yr", "long_name": "time since the label was switched on"}


def _names(outcome: np.ndarray) -> np.ndarray:
    """Outcomes in words."""
    words = {int(o): o.words for o in Outcome} | {-1: REFUSED}
    return np.array([words[int(o)] for o in np.ravel(outcome)], dtype=str).reshape(np.shape(outcome))


def _each(value: Numbers, count: int, name: str) -> list[float]:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (count,)):
        raise BadCall(f"{name} is one number or one a column ({count}), got shape {array.shape}")
    return [float(x) for x in np.broadcast_to(array, (count,))]
