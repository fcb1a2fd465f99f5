"""The reference as NetCDF after CF-1.8, for tools that know nothing of subsoil.

`write_cf` keeps every value: profiles as a discrete sampling geometry, layers as a contiguous ragged array
(CF-1.8, section 9). Means of cells, for tools that compare maps: `subsoil.benchmark.cells`.

Files are NetCDF-3, so that any library reads them, and hold no time of writing: the same reference gives the
same bytes, in whatever order its rows stand.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from subsoil import __version__, atomic
from subsoil.benchmark.reference import TARGETS, Reference, checksum
from subsoil.constants import CM_PER_M

EPOCH = "1850-01-01"


class Variable(NamedTuple):
    """Name in a file, units, and how a value stands for its layer."""

    name: str
    units: str
    cell_methods: str


VARIABLES: Mapping[str, Variable] = {
    "f_new": Variable("fNewSoilLevels", "1", "depth: mean"),
    "stock_share": Variable("cSoilLevelsShare", "1", "depth: sum"),
    "delta14c": Variable("Delta14C", "1e-3", "depth: mean"),
}
"""Targets that belong to profiles; CMIP has no names for them, these extend its own."""

DEPTH: Mapping[str, Any] = {
    "standard_name": "depth",
    "long_name": "depth below the top of the mineral soil",
    "units": "m",
    "positive": "down",
    "axis": "Z",
    "bounds": "depth_bnds",
}
TIME = {
    "standard_name": "time",
    "long_name": "sampling",
    "units": f"days since {EPOCH}",
    "calendar": "standard",
}
LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}
LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}
NUMBERS: Mapping[str, dict[str, str]] = {
    "latitude": LATITUDE,
    "longitude": LONGITUDE,
    "mat": {"units": "degC", "long_name": "mean annual air temperature"},
    "map": {"units": "mm yr-1", "long_name": "mean annual precipitation"},
    "p_pet": {"units": "1", "long_name": "precipitation over potential evapotranspiration"},
    "clay": {"units": "1", "long_name": "mass fraction of clay in the topsoil"},
}
WORDS: Mapping[str, str] = {
    "profile_id": "profile",
    "site_id": "site; values of one site are not independent",
    "study_id": "study that published the profile",
    "archive": "compilation that the profile comes from",
    "land_use": "land use at sampling",
    "doubts": "why label or steady state are doubtful; empty where nothing is",
}
SAMPLE = ["profile_id", "layer_top", "layer_bottom", "years", "obs_year"]


def write_cf(reference: Reference, path: Path | str) -> Path:
    """Every value of a reference in one file; returns its path.

    Feature type profile: ``row_size`` layers of each profile follow each other along ``obs``, with depth (m)
    and its bounds, labelling time, year of sampling, and each target of `VARIABLES` with its standard error
    as ancillary variable, missing where a layer has none. The printed isochrones, which belong to no
    profile, stand beside them along ``isochrone_row``. Raises BadCall for a folder that cannot be written.
    """
    return write(_profiles(reference), reference, path)


def write(dataset: xr.Dataset, reference: Reference, path: Path | str) -> Path:
    """A dataset with the global attributes of the reference under its own, as a file; returns its path.

    ``tracking_id`` is made from the content; missing values are NaN, in targets and their errors only.
    """
    measured = {name for variable in VARIABLES.values() for name in (variable.name, f"{variable.name}_error")}
    encoding = {name: {"_FillValue": None} for name in dataset.variables if name not in measured}
    dataset = dataset.assign_attrs(_attributes(reference) | dataset.attrs)
    content = bytes(dataset.to_netcdf(engine="scipy", encoding=encoding))
    dataset.attrs["tracking_id"] = str(uuid5(NAMESPACE_URL, atomic.digest(content)))
    atomic.write_bytes(path, bytes(dataset.to_netcdf(engine="scipy", encoding=encoding)))
    return Path(path)


def add(dataset: xr.Dataset, target: str, dims: Any, value: ArrayLike, error: ArrayLike) -> None:
    """Put a target and its standard error into a dataset, tied as CF ties them."""
    name, units, cell_methods = VARIABLES[target]
    attrs = {"units": units, "long_name": TARGETS[target], "cell_methods": cell_methods}
    dataset[name] = (dims, np.asarray(value, float), attrs | {"ancillary_variables": f"{name}_error"})
    attrs = {"units": units, "long_name": f"standard error of {name}"}
    dataset[f"{name}_error"] = (dims, np.asarray(error, float), attrs)


def days(year: ArrayLike) -> Float[np.ndarray, " year"]:
    """Days from `EPOCH` to a year with its fraction; NaN where it is not known.

    >>> days([1850.0, 1851.5, np.nan]).tolist()
    [0.0, 547.5, nan]
    """
    year = np.asarray(year, dtype=float)
    whole = np.where(np.isnan(year), 1850, np.floor(year)).astype(int)
    start, end = ((whole + i - 1970).astype("datetime64[Y]").astype("datetime64[D]") for i in (0, 1))
    return (start - np.datetime64(EPOCH)).astype(float) + (year - whole) * (end - start).astype(float)


def _profiles(reference: Reference) -> xr.Dataset:
    """The ragged array: profiles by name, layers of a profile by depth."""
    profiles = reference.profiles.sort_values("profile_id", kind="stable")
    layers = _layers(reference)
    names = pd.Index(profiles["profile_id"])
    size = np.bincount(names.get_indexer(pd.Index(layers["profile_id"])), minlength=len(names))
    dataset = xr.Dataset(attrs={"featureType": "profile", "grid_label": "site", "nominal_resolution": "site"})
    for column, meaning in WORDS.items():
        dataset[column] = ("profile", profiles[column].fillna("").to_numpy(str), {"long_name": meaning})
    dataset["profile_id"].attrs["cf_role"] = "profile_id"
    for column, attrs in NUMBERS.items():
        dataset[column] = ("profile", profiles[column].to_numpy(float), attrs)
    dataset["time"] = ("profile", days(profiles["obs_year"] + 0.5), TIME)
    attrs = {"long_name": "layers of the profile", "sample_dimension": "obs"}
    dataset["row_size"] = ("profile", size.astype(np.int32), attrs)
    bounds = layers[["layer_top", "layer_bottom"]].to_numpy(float) / CM_PER_M
    dataset["depth"] = ("obs", bounds.mean(axis=1), DEPTH)
    dataset["depth_bnds"] = (("obs", "nv"), bounds)
    for column, meaning in (("years", "time since the label was switched on"), ("obs_year", "sampling")):
        attrs = {"units": "yr", "long_name": meaning}
        dataset[column] = ("obs", layers[column].to_numpy(float), attrs)
    for target, (name, *_) in VARIABLES.items():
        add(dataset, target, "obs", layers[target], layers[f"{target}_error"])
        dataset[name].attrs["coordinates"] = "time latitude longitude depth"
    return _with_isochrones(dataset, reference)


def _layers(reference: Reference) -> pd.DataFrame:
    """A row for each sample, its targets side by side; what was measured twice there has a second row."""
    values = reference.values[reference.values["target"].isin(VARIABLES)]
    values = values.sort_values([*SAMPLE, "target", "observed", "sigma"], kind="stable")
    values = values.assign(again=values.groupby([*SAMPLE, "target"], dropna=False).cumcount())
    keys = [*SAMPLE, "again"]
    table = values[keys].drop_duplicates()
    for target in VARIABLES:
        own = values.loc[values["target"] == target, [*keys, "observed", "sigma"]]
        own = own.rename(columns={"observed": target, "sigma": f"{target}_error"})
        table = table.merge(own, on=keys, how="left", validate="one_to_one")
    return table.sort_values(keys, kind="stable")


def _with_isochrones(dataset: xr.Dataset, reference: Reference) -> xr.Dataset:
    rows = reference.values.iloc[reference.rows("isochrone")].sort_values(["layer_top", "years"])
    for name, values, units, meaning in (
        ("isochrone_depth", rows["layer_top"] / CM_PER_M, "m", DEPTH["long_name"]),
        ("isochrone_age", rows["years"], "yr", "age"),
        ("isochrone", rows["observed"], "1", TARGETS["isochrone"]),
        ("isochrone_error", rows["sigma"], "1", "standard error of isochrone"),
    ):
        attrs = {"units": units, "long_name": meaning}
        dataset[name] = ("isochrone_row", values.to_numpy(float), attrs)
    dataset["isochrone"].attrs["ancillary_variables"] = "isochrone_error"
    return dataset


def _attributes(reference: Reference) -> dict[str, Any]:
    """What a file says as a whole, with the names of obs4MIPs."""
    return {
        "Conventions": "CF-1.8",
        "title": "New carbon, carbon stock and radiocarbon by depth: reference of the subsoil benchmark",
        "institution": "The subsoil developers",
        "institution_id": "subsoil",
        "source": "measurements of the sources, computed by subsoil",
        "source_id": "subsoil-benchmark",
        "source_type": "insitu",
        "source_version_number": reference.protocol,
        "realm": "land",
        "product": "observations",
        "frequency": "fx",
        "variable_id": " ".join(variable.name for variable in VARIABLES.values()),
        "has_aux_unc": "TRUE",
        "license": "that of the sources: read it there before passing this file on",
        "references": "Balesdent et al. 2018, Nature 559, 599-602, doi:10.1038/s41586-018-0328-3",
        "sources": atomic.canonical_json(reference.sources),
        "reference_checksum": checksum(reference),
        "history": f"subsoil {__version__}, protocol {reference.protocol}",
    }
