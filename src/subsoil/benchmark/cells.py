"""Maps of the reference and of a model's answers: means over the samples of a cell and depth class.

For tools that compare maps, ilamb3 among them. A model's map is made of its answers to the same samples, each
over its own layer and after its own labelling time, so that nothing but the model differs.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from subsoil.benchmark import cf
from subsoil.benchmark.cf import VARIABLES
from subsoil.benchmark.protocol import DEPTH_BOUNDS, DEPTH_CLASSES
from subsoil.benchmark.reference import Prediction, Reference
from subsoil.constants import CM_PER_M
from subsoil.errors import BadCall

DIMS = ("depth", "lat", "lon")
DEEPEST = 200.0
"""cm: lower bound of the deepest class where no sample lies below."""
UNDATED = (1950.0, 2020.0)
"""Years of sampling where none is known."""


def write_cells(
    reference: Reference,
    path: Path | str,
    prediction: Prediction | None = None,
    *,
    target: str = "f_new",
    years: tuple[float, float] = (0.0, np.inf),
    degrees: float = 1.0,
) -> Path:
    """A map of a target by depth class, as NetCDF; returns its path.

    Without a prediction: the mean of the observed values of a cell, with its standard error as ancillary
    variable, s = sqrt(sum_p s_p^2) / P over the P profiles of the cell, where s_p is the mean error of a
    profile's values, which share their end members. With a prediction: the mean of its answers to the same
    values, missing where it leaves one open; of an ensemble the mean over draws and its standard deviation.

    target: a key of `subsoil.benchmark.cf.VARIABLES`; years: labelling time, from (excluded) to (included);
    degrees: width of a cell. Axes: time, one interval that spans all years of sampling; depth (m), the
    classes of the protocol; lat, lon, the whole globe, missing where no sample lies. Raises BadCall for a
    target that has no place, a width that does not divide 180, years without values, and a prediction of
    another reference.
    """
    if target not in VARIABLES:
        raise BadCall(f"a map holds {', '.join(VARIABLES)}, got {target!r}")
    if not 0 < degrees <= 90 or abs(180 / degrees - round(180 / degrees)) > 1e-9:
        raise BadCall(f"a cell is a divisor of 180 degrees wide, as 0.5, 1 or 2; got {degrees}")
    rows = _rows(reference, target, years, degrees)
    cells = _observed(rows) if prediction is None else _answered(rows, reference, prediction)
    dataset = _grid(reference, degrees)
    cf.add(dataset, target, DIMS, *(_map(dataset, cells[name]) for name in ("mean", "error")))
    count = np.nan_to_num(_map(dataset, cells["samples"])).astype(np.int32)
    dataset["samples"] = (DIMS, count, {"long_name": "samples of the cell", "units": "1"})
    dataset = dataset.assign_attrs(_attributes(target, years, degrees, prediction))
    return cf.write(_timed(dataset, VARIABLES[target].name), reference, path)


def _rows(reference: Reference, target: str, years: tuple[float, float], degrees: float) -> pd.DataFrame:
    """Values of the target within the labelling times: position, depth class, row and column of the cell."""
    places = reference.profiles.set_index("profile_id")[["latitude", "longitude"]]
    values = reference.values.assign(position=np.arange(len(reference.values)))
    wanted = values["years"].between(*years, inclusive="right") | values["years"].isna()
    rows = values[(values["target"] == target) & wanted].join(places, on="profile_id")
    rows = rows[rows[["latitude", "longitude"]].notna().all(axis=1)]
    if rows.empty:
        raise BadCall(
            f"no value of {target} has a place and from {years[0]:g} to {years[1]:g} years of label"
        )
    count = round(180 / degrees)
    lat = np.minimum((rows["latitude"] + 90) // degrees, count - 1)
    lon = np.minimum((rows["longitude"] + 180) % 360 // degrees, 2 * count - 1)
    depth = pd.Index(DEPTH_CLASSES).get_indexer(pd.Index(rows["depth_class"]))
    # In an order of their own, because the last bit of a sum depends on it.
    order = ["profile_id", "layer_top", "layer_bottom", "years", "observed", "sigma"]
    return rows.assign(depth=depth, lat=lat.astype(int), lon=lon.astype(int)).sort_values(
        order, kind="stable"
    )


def _observed(rows: pd.DataFrame) -> pd.DataFrame:
    own = rows.groupby([*DIMS, "profile_id"])["sigma"].mean().pow(2).groupby(list(DIMS))
    cells = rows.groupby(list(DIMS))["observed"].agg(mean="mean", samples="size")
    return cells.assign(error=np.sqrt(own.sum()) / own.size())


def _answered(rows: pd.DataFrame, reference: Reference, prediction: Prediction) -> pd.DataFrame:
    if prediction.values.shape[1] != len(reference.values):
        raise BadCall(
            f"{prediction.model} answers {prediction.values.shape[1]} values and the reference has "
            f"{len(reference.values)}: ask it with this reference"
        )
    answers = pd.DataFrame(prediction.values[:, rows["position"]].T, index=rows.index)
    cells = answers.groupby([rows[dim] for dim in DIMS])
    means = cells.mean().where(cells.count().eq(cells.size(), axis=0))
    samples = cells.size()
    error = means.std(axis=1, ddof=0, skipna=False)
    return pd.DataFrame({"mean": means.mean(axis=1, skipna=False), "error": error, "samples": samples})


def _grid(reference: Reference, degrees: float) -> xr.Dataset:
    """The axes with their bounds."""
    lowest = np.fmax(DEEPEST, reference.values["layer_bottom"].max())
    sampled = reference.values["obs_year"]
    first, last = (sampled.min(), sampled.max() + 1) if sampled.notna().any() else UNDATED
    count = round(180 / degrees)
    axes: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        "time": (cf.days(np.floor([first, last])), cf.TIME | {"axis": "T"}),
        "depth": (np.array([0.0, *DEPTH_BOUNDS, lowest]) / CM_PER_M, dict(cf.DEPTH)),
        "lat": (np.linspace(-90, 90, count + 1), cf.LATITUDE | {"axis": "Y"}),
        "lon": (np.linspace(-180, 180, 2 * count + 1), cf.LONGITUDE | {"axis": "X"}),
    }
    dataset = xr.Dataset()
    for name, (edge, attrs) in axes.items():
        middle = 0.5 * (edge[1:] + edge[:-1])
        dataset = dataset.assign_coords({name: (name, middle, attrs | {"bounds": f"{name}_bnds"})})
        dataset[f"{name}_bnds"] = ((name, "nv"), np.stack([edge[:-1], edge[1:]], axis=1))
    return dataset


def _map(dataset: xr.Dataset, cells: pd.Series) -> Float[np.ndarray, "depth lat lon"]:
    field = np.full([dataset.sizes[dim] for dim in DIMS], np.nan)
    field[tuple(cells.index.get_level_values(dim).to_numpy() for dim in DIMS)] = cells.to_numpy(float)
    return field


def _timed(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """The variable along time, its error not: ilamb3 takes an ancillary variable for an error only where it
    lacks an axis of the variable. A model without an ensemble has no error."""
    if dataset.attrs["has_aux_unc"] == "FALSE":
        dataset = dataset.drop_vars(f"{name}_error")
        del dataset[name].attrs["ancillary_variables"]
    methods = f"time: area: mean (of samples) {dataset[name].attrs['cell_methods']}"
    dataset[name] = dataset[name].expand_dims(time=1).assign_attrs(cell_methods=methods)
    return dataset


def _attributes(
    target: str, years: tuple[float, float], degrees: float, prediction: Prediction | None
) -> dict[str, Any]:
    attrs: dict[str, Any] = {
        "variable_id": VARIABLES[target].name,
        "grid_label": "gn",
        "nominal_resolution": f"{degrees:g}x{degrees:g} degree",
        "labelling_years": f"more than {years[0]:g}, up to {years[1]:g}",
        "has_aux_unc": "TRUE",
        "comment": "Means over the samples of a cell and depth class, each after its own labelling time.",
    }
    if prediction is not None:
        attrs |= {
            "title": f"{prediction.title}: answers to the reference of the subsoil benchmark",
            "source": prediction.title,
            "source_id": prediction.model,
            "source_type": "model",
            "product": "model-output",
            "has_aux_unc": "TRUE" if len(prediction.values) > 1 else "FALSE",
        }
    return attrs
