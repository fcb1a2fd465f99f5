"""Forcing of many soil columns from a NetCDF file, with its units, depths and gaps checked.

The file has one variable for each quantity, named as a field of `subsoil.forcing.Forcing` or as in CMIP
(`NAMES`), each with ``units``. Of its axes one may be depth (with bounds, positive down) and one the twelve
months, January first; all others count columns. Layers of the file are averaged over those of the model;
below the file's last value, that value holds. Only temperature and precipitation are required; what else is
missing has the default of `subsoil.forcing.site_forcing`, and ``Sites.assumed`` names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from subsoil import netcdf
from subsoil.bounds import BOUNDS, Bound
from subsoil.constants import DAYS_PER_YEAR
from subsoil.depth import DepthGrid, Layers, overlap
from subsoil.errors import BadCall
from subsoil.forcing import MM_PER_M, MONTHS, Forcing, seasonal, site_forcing
from subsoil.netcdf import FRACTION, LENGTH, PURE

GRAIN_DENSITY = 2650.0
"""Of soil minerals, kg m-3, that of quartz: porosity is 1 - bulk density / this."""
SECONDS = DAYS_PER_YEAR * 86400.0

NAMES: Mapping[str, str] = {
    "tsl": "temperature", "mat": "temperature", "pr": "precipitation", "map": "precipitation",
    "map_mm": "precipitation", "evspsblpot": "potential_evaporation", "pet": "potential_evaporation",
    "pet_mm": "potential_evaporation", "mrsol": "water",
}  # fmt: skip
"""Names of CMIP and of `site_forcing` for the fields; beside them a field's own name, ``npp``, ``above``."""

_TEMPERATURE = {"degC": (1.0, 0.0), "K": (1.0, -273.15)}
_WATER_FLUX = {
    "m yr-1": 1.0, "mm yr-1": 1e-3, "mm month-1": 12e-3, "mm d-1": 1e-3 * DAYS_PER_YEAR,
    "mm s-1": 1e-3 * SECONDS, "kg m-2 s-1": 1e-3 * SECONDS, "kg m-2 yr-1": 1e-3, "m s-1": SECONDS,
}  # fmt: skip
_CARBON_FLUX = {
    "kg m-2 yr-1": 1.0, "kg m-2 s-1": SECONDS, "g m-2 yr-1": 1e-3, "g m-2 d-1": 1e-3 * DAYS_PER_YEAR,
    "g m-2 s-1": 1e-3 * SECONDS, "Mg ha-1 yr-1": 0.1, "t ha-1 yr-1": 0.1,
}  # fmt: skip
CHECK_UNITS = "are the units those of the values? 1 mm of rain a day is 1.16e-5 kg m-2 s-1"


@dataclass(frozen=True)
class Field:
    """What a file may say of a quantity: its units with their factors, its bounds, whether depth matters."""

    units: Mapping[str, Any]
    bound: Bound
    layered: bool = False


FIELDS: Mapping[str, Field] = {
    "temperature": Field(_TEMPERATURE, Bound(-60, 60, "degree C", "kelvin - 273.15 is degree C"), True),
    "saturation": Field({"1": 1.0, "%": 0.01}, BOUNDS["saturation"], True),
    "water": Field(
        {"kg m-2": 1.0, "mm": 1.0}, Bound(0, 1e5, "kg m-2", "water of each layer, not its sum"), True
    ),
    "oxygen": Field(FRACTION, BOUNDS["oxygen"], True),
    "clay": Field(FRACTION, BOUNDS["clay"], True),
    "sand": Field(FRACTION, BOUNDS["sand"], True),
    "bulk_density": Field({"kg m-3": 1.0, "g cm-3": 1e3, "Mg m-3": 1e3}, BOUNDS["bulk_density"], True),
    "ph": Field(PURE, BOUNDS["ph"], True),
    "precipitation": Field(_WATER_FLUX, Bound(0, 60, "m yr-1", CHECK_UNITS)),
    "potential_evaporation": Field(_WATER_FLUX, Bound(0, 15, "m yr-1", CHECK_UNITS)),
    "moisture_deficit": Field({"mm": 1.0}, BOUNDS["moisture_deficit"]),
    "thaw_depth": Field(LENGTH, BOUNDS["thaw_depth"]),
    "npp": Field(_CARBON_FLUX, BOUNDS["npp"]),
    "above": Field(FRACTION, BOUNDS["above"]),
    "litter": Field(_CARBON_FLUX, BOUNDS["npp"]),
    "roots": Field(_CARBON_FLUX, BOUNDS["npp"]),
    "wood": Field(FRACTION, BOUNDS["wood"]),
    "lignin": Field(FRACTION, BOUNDS["lignin"]),
    "lignin_to_nitrogen": Field({"1": 1.0, "g g-1": 1.0, "kg kg-1": 1.0}, BOUNDS["lignin_to_nitrogen"]),
    "cover": Field(FRACTION, BOUNDS["cover"]),
}
REQUIRED = ("temperature", "precipitation")
YEARLY = {"precipitation": "map_mm", "potential_evaporation": "pet_mm"}
"""Sums of a year have bounds of their own."""
PLACES = ("lat", "latitude", "lon", "longitude", "profile_id", "site", "column", "gridcell")

Values = Float[np.ndarray, "column _ _"]


@dataclass(frozen=True)
class Sites:
    """Columns of a file on the grid of a model: their forcing as one batch, and why some cannot be used.

    ``forcing`` is missing (NaN) where ``refused`` says why; ``latitude`` is missing where the file has none.
    ``places``: coordinates of the columns, by their names in the file; ``assumed``: fields at their defaults.
    """

    forcing: Forcing
    refused: tuple[str, ...]
    latitude: Float[np.ndarray, " column"]
    places: Mapping[str, Any]
    assumed: tuple[str, ...]


def read_sites(path: Path | str, grid: DepthGrid, **known: Any) -> Sites:
    """Columns of a file on a grid; ``known``: arguments of `site_forcing` that the file does not hold.

    A column with a gap or a value out of its bounds is refused by name, the others go on. Raises
    `UnreadableFile` where the file cannot be read, `BadCall` where a unit, an axis or a required variable is
    missing or wrong, and where no column can be used.
    """
    file = netcdf.read(path)
    fields, layers, columns = _fields(file)
    for name in known:
        if NAMES.get(name, name) in fields:
            raise BadCall(f"{path} has {NAMES.get(name, name)} of its own: leave out {name}")
    given = set(fields) | {NAMES.get(name, name) for name in known}
    for name in REQUIRED:
        if name not in given:
            names = [name, *(other for other, field in NAMES.items() if field == name)]
            raise BadCall(
                f"{path} has no {name}: name a variable {' or '.join(names)}; it has "
                f"{', '.join(map(str, file))}"
            )
    if "water" in fields:
        fields.setdefault("saturation", _saturation(fields, layers))
        del fields["water"]
    refused = _refused(fields)
    if all(refused):
        raise BadCall(f"{path}: no column can be used; the first: {refused[0]}")
    moved = {name: _on_grid(values, layers, grid) for name, values in fields.items()}
    bad = np.array([bool(why) for why in refused])
    moved = {name: np.where(bad[:, None, None], np.nan, values) for name, values in moved.items()}
    given |= {"potential_evaporation"} if "p_pet" in known else set()
    given |= {"litter", "roots"} if "npp" in given else set()
    given |= {"saturation"} if "saturation" in fields else set()
    optional = [name for name in Forcing._fields if name not in given and not name.endswith("_share")]
    return Sites(
        forcing=_forcing(moved, grid, known),
        refused=tuple(refused),
        latitude=_latitude(columns, len(refused)),
        places=columns,
        assumed=tuple(optional),
    )


def _fields(file: xr.Dataset) -> tuple[dict[str, Values], Layers | None, dict[str, Any]]:
    """Arrays in the units of the core, the layers of the file, and the coordinates of its columns."""
    found: dict[str, xr.DataArray] = {}
    for name, array in file.data_vars.items():
        field = NAMES.get(str(name), str(name))
        if field in found:
            raise BadCall(f"{found[field].name} and {name} both give {field}: keep one")
        if field in FIELDS:
            found[field] = array
    dims = list(dict.fromkeys(dim for array in found.values() for dim in array.dims))
    depth = next((dim for dim in dims if netcdf.is_depth(file, dim)), None)
    month = next((dim for dim in dims if dim in ("month", "time")), None)
    if month is not None:
        _check_months(file, month)
    columns = [dim for dim in dims if dim not in (depth, month)]
    sizes = {dim: file.sizes[dim] for dim in columns}
    arrays = {}
    for name, array in found.items():
        if depth in array.dims and not FIELDS[name].layered:
            raise BadCall(f"{array.name} has an axis {depth!r}: expected one value for the whole column")
        whole = netcdf.in_units(array, FIELDS[name].units).expand_dims(
            {dim: size for dim, size in sizes.items() if dim not in array.dims}
        )
        last = [dim for dim in (month, depth) if dim is not None]
        whole = whole.expand_dims({dim: 1 for dim in last if dim not in array.dims}).transpose(
            *columns, *last
        )
        values = whole.values.astype(float)
        months = whole.sizes[month] if month is not None else 1
        arrays[name] = values.reshape(int(np.prod(list(sizes.values()))), months, -1)
    layers = netcdf.layers(file, depth) if depth is not None else None
    return arrays, layers, _places(file, sizes)


def _check_months(file: xr.Dataset, month: Any) -> None:
    if file.sizes[month] not in (1, MONTHS):
        raise BadCall(
            f"axis {month!r} has {file.sizes[month]} steps: expected the 12 months of a mean year, "
            "January first (`cdo ymonmean` makes them), or none"
        )
    if month == "month" and month in file.coords and file.sizes[month] == MONTHS:
        numbers = file[month].values.tolist()
        if numbers != list(range(1, MONTHS + 1)):
            raise BadCall(f"axis 'month' must run from 1 (January) to 12, got {numbers}")


def _places(file: xr.Dataset, sizes: Mapping[Any, int]) -> dict[str, Any]:
    """Coordinates of the columns, each as long as there are columns; two axes (lat, lon) become one."""
    template = xr.DataArray(np.zeros(tuple(sizes.values())), dims=tuple(sizes))
    wanted = {name for name in (*sizes, *PLACES) if name in file.variables}
    places = {}
    for name in sorted(map(str, wanted)):
        if set(file[name].dims) <= set(sizes):
            whole = file[name].broadcast_like(template).transpose(*sizes)
            places[name if name != "column" else "column_name"] = (np.ravel(whole.values), file[name].attrs)
    return places


def _latitude(places: Mapping[str, Any], count: int) -> Float[np.ndarray, " column"]:
    for name in ("lat", "latitude"):
        if name in places:
            return np.asarray(places[name][0], dtype=float)
    return np.full(count, np.nan)


def _saturation(fields: Mapping[str, Values], layers: Layers | None) -> Values:
    """Water of each layer over its pore volume, at most 1: porosity is 1 - bulk density / 2650."""
    if layers is None:
        raise BadCall("mrsol has no depth axis: water of a layer wants the layer's bounds")
    wet = fields["water"] / (MM_PER_M * layers.thickness)
    if np.nanmedian(wet) > 1.0:
        raise BadCall("mrsol is more water than its layers are thick: is it summed from the surface?")
    density = fields.get(
        "bulk_density", np.full((1, 1, 1), signature(site_forcing).parameters["bulk_density"].default)
    )
    return np.minimum(1.0, wet / (1.0 - density / GRAIN_DENSITY))


def _refused(fields: Mapping[str, Values]) -> list[str]:
    """For each column the first reason not to use it, or ""."""
    count = next(iter(fields.values())).shape[0]
    reasons = [""] * count

    def refuse(name: str, values: np.ndarray, bound: Bound) -> None:
        at_top = values[..., :1]  # deeper gaps are filled from above
        gap = np.isnan(at_top).reshape(count, -1).any(axis=1)
        out = ~np.isnan(values) & ~(
            (values >= bound.lower) & (values <= bound.upper) | (values == bound.besides)
        )
        wrong = out.reshape(count, -1).any(axis=1)
        for i in np.flatnonzero(gap | wrong):
            if gap[i]:
                reasons[i] = reasons[i] or f"{name} is missing"
            else:
                reasons[i] = reasons[i] or (
                    f"{name} lies between {bound.lower:g} and {bound.upper:g} {bound.unit}, got "
                    f"{values[i][out[i]].flat[0]:g}: {bound.fix}"
                )

    for name, values in fields.items():
        refuse(name, values, FIELDS[name].bound)
        if name in YEARLY:
            refuse(YEARLY[name], MM_PER_M * values.mean(axis=1, keepdims=True), BOUNDS[YEARLY[name]])
    if {"clay", "sand"} <= set(fields):
        both = Bound(0.0, 1.0 + 1e-6, "", "is silt counted as sand?")
        refuse("clay and sand together", fields["clay"] + fields["sand"], both)
    return reasons


def _on_grid(values: Values, layers: Layers | None, grid: DepthGrid) -> Values:
    """Means over the layers of the grid; a layer without a value has that above it."""
    if values.shape[-1] == 1 or layers is None:
        return values
    filled = values.copy()
    for layer in range(1, filled.shape[-1]):
        here = filled[..., layer]
        filled[..., layer] = np.where(np.isnan(here), filled[..., layer - 1], here)
    shared = overlap(layers, grid)
    for target in np.flatnonzero(shared.sum(axis=1) == 0.0):
        gap = np.maximum(layers.top - grid.bottom[target], grid.top[target] - layers.bottom)
        shared[target, np.argmin(gap)] = 1.0
    return filled @ (shared / shared.sum(axis=1, keepdims=True)).T


def _forcing(fields: Mapping[str, Values], grid: DepthGrid, known: Mapping[str, Any]) -> Forcing:
    """The batch: `site_forcing` of the yearly means, months laid over it, fields of the file put in."""
    yearly = {name: values.mean(axis=1) for name, values in fields.items()}  # [column, layer]
    site = {
        name: values if FIELDS[name].layered else values[:, 0]
        for name, values in yearly.items()
        if name in signature(site_forcing).parameters
    }
    if "temperature" in yearly:
        site["mat"] = yearly["temperature"].mean(axis=-1)
    site |= {YEARLY[name]: MM_PER_M * yearly[name][:, 0] for name in YEARLY if name in yearly}
    site = {name: jnp.asarray(value) for name, value in site.items() if name not in known}
    batch = jax.vmap(lambda one: site_forcing(grid, **one, **known))(site)
    months = max(values.shape[1] for values in fields.values())
    direct = {name: values for name, values in fields.items() if name in ("temperature", "litter", "roots")}
    if months == 1:
        return _put(batch, {name: values[:, 0] for name, values in direct.items()})
    water = {
        "rain_mm": ("precipitation", MM_PER_M / MONTHS),
        "pet_mm": ("potential_evaporation", MM_PER_M / MONTHS),
        "cover": ("cover", 1.0),
    }
    monthly = {name for name, values in fields.items() if values.shape[1] == MONTHS}
    over = {
        argument: jnp.asarray(fields[name][..., 0] * factor)
        for argument, (name, factor) in water.items()
        if name in monthly
    }
    batch = jax.vmap(lambda one, year: seasonal(one, grid, **year))(batch, over)
    rest = {
        name: fields[name]
        for name in monthly
        if name in Forcing._fields and name not in YEARLY and name != "cover"
    }
    return _put(batch, direct | rest)


def _put(batch: Forcing, fields: Mapping[str, np.ndarray]) -> Forcing:
    """The batch with fields of the file in place of its own."""
    changed = {}
    for name, values in fields.items():
        old = getattr(batch, name)
        changed[name] = jnp.broadcast_to(values if FIELDS[name].layered else values[..., 0], old.shape)
    return batch._replace(**changed)
