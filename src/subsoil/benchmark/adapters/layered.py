"""Layers that say themselves how much is new: the short form, and the names of CMIP and of `subsoil run`.

    f_new           fNewSoilLevels                 share, "1" or "%"             layer, labelling_years
    soc_stock       cSoilLevels                    a layer, or per volume        layer
    delta14c        Delta14C, or c14SoilLevels     per mil                       layer, obs_year
    age_quantiles   ageSoilLevels                  yr, where f_new is not given  layer, quantile

Any of them will do (`ages` tells how age becomes f_new), each with axes of columns (`places`) and an optional
axis of draws. f_new without an axis of times is that at the profile's own labelling time. 14C has its date
from a coordinate ``obs_year``, from an axis of dates, or from an attribute ``obs_year`` or ``sampling_year``
of the file.
"""

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float

from subsoil import netcdf
from subsoil.benchmark.adapters import ages, axes
from subsoil.benchmark.adapters.output import Asked, Output
from subsoil.errors import BadCall

NAMES: Mapping[str, tuple[str, ...]] = {
    "f_new": ("f_new", "fNewSoilLevels"),
    "soc_stock": ("soc_stock", "cSoilLevels"),
    "delta14c": ("delta14c", "Delta14C"),
    "c14": ("c14SoilLevels",),
    "age_quantiles": ages.QUANTILES,
    "mean_age": ages.MEANS,
}
STOCK = {"kg m-2": 1.0, "g m-2": 1e-3, "Mg ha-1": 0.1, "t ha-1": 0.1}
DENSITY = {"kg m-3": 1.0, "g m-3": 1e-3, "g cm-3": 1e3}
PER_MIL = {"1e-3": 1.0}
NO_STOCK = "soc_stock is not given: layers of a sample count by their thickness"
NO_UNIT = "soc_stock has no units: it counts as weights only"


def main(file: xr.Dataset) -> list[xr.DataArray]:
    """The variables of this kind; stocks and mean ages only where nothing better is there."""
    found = {kind: array for kind in NAMES if (array := named(file, kind)) is not None}
    better = [array for kind, array in found.items() if kind not in ("soc_stock", "mean_age")]
    return better or list(found.values())


def named(file: xr.Dataset, kind: str) -> xr.DataArray | None:
    """The variable of a kind (`NAMES`). Raises BadCall where two are there."""
    found = [name for name in NAMES[kind] if name in file.data_vars]
    if len(found) > 1:
        raise BadCall(f"{found[0]} and {found[1]} both give {kind}: keep one")
    return file[found[0]] if found else None


def convert(file: xr.Dataset, asked: Asked) -> Output:
    """Output of a file on profiles. Raises BadCall for units and axes that cannot be used."""
    depth = axes.depth_of(file, main(file)[0])
    top, bottom = axes.layers_of(file, depth)
    stock, notes = stock_of(file, depth, bottom - top)
    years, f_new = _new_carbon(file, depth, asked)
    if f_new is None and named(file, "age_quantiles") is not None:
        (years, f_new), notes = ages.points(file, depth), (*notes, ages.NOTE)
    dates, delta = _radiocarbon(file, depth)
    if f_new is None and delta is None:
        ages.refuse_means(file)
    return Output(
        tuple(file["profile_id"].values.tolist()), top, bottom, stock, years, f_new, dates, delta, notes
    )


def stock_of(
    file: xr.Dataset, depth: Hashable, thickness: Float[np.ndarray, "profile layer"]
) -> tuple[Float[np.ndarray, "draw profile layer"] | None, tuple[str, ...]]:
    """Stock of each layer and what is to be noted of it; thickness in cm turns a density into a stock."""
    array = named(file, "soc_stock")
    if array is None:
        return None, (NO_STOCK,)
    if "units" not in array.attrs:
        return axes.arranged(file, array, [depth]), (NO_UNIT,)
    per_volume = netcdf.unit(str(array.attrs["units"])) in DENSITY
    values = axes.arranged(file, netcdf.in_units(array, DENSITY if per_volume else STOCK), [depth])
    return (values * thickness * 0.01 if per_volume else values), ()


def _new_carbon(
    file: xr.Dataset, depth: Hashable, asked: Asked
) -> tuple[Float[np.ndarray, "1 profile 1 time"] | None, Float[np.ndarray, "draw profile layer time"] | None]:
    array = named(file, "f_new")
    if array is None:
        return None, None
    share = netcdf.in_units(array, netcdf.FRACTION)
    time = next((dim for dim in array.dims if dim in axes.TIMES), None)
    if time is not None:
        years = axes.labelling_years(file, time)
    elif "labelling_years" in file.variables:
        years = axes.arranged(file, file["labelling_years"], [])[0][:, None]
    else:
        years = asked.own[:, None]
    values = axes.arranged(file, share, [depth, time if time is not None else "labelling_years"])
    return years[None, :, None, :], values


def _radiocarbon(
    file: xr.Dataset, depth: Hashable
) -> tuple[Float[np.ndarray, "profile date"] | None, Float[np.ndarray, "draw profile layer date"] | None]:
    delta, amount = named(file, "delta14c"), named(file, "c14")
    if delta is None and amount is None:
        return None, None
    if delta is None:
        carbon = named(file, "soc_stock")
        if carbon is None:
            raise BadCall("c14SoilLevels wants cSoilLevels beside it: Delta14C is of their ratio")
        assert amount is not None
        delta = ((amount / carbon - 1.0) * 1000.0).rename("c14SoilLevels")
    elif "units" in delta.attrs:
        delta = netcdf.in_units(delta, PER_MIL)
    date, dates = dates_of(file, delta)
    return dates, axes.arranged(file, delta, [depth, date])


def dates_of(file: xr.Dataset, array: xr.DataArray) -> tuple[Hashable, Float[np.ndarray, "profile date"]]:
    """The axis of dates of 14C and its decimal years. Raises BadCall for 14C without a date."""
    date = next((dim for dim in array.dims if dim in ("obs_year", "time")), None)
    if "obs_year" in file.variables and (date is None or date in file["obs_year"].dims):
        years = file["obs_year"]
    elif date is not None and date in file.coords and " since " in str(file[date].attrs.get("units")):
        years = axes.decimal_years(file[date])
    elif date is None and (
        attrs := [file.attrs[n] for n in ("obs_year", "sampling_year") if n in file.attrs]
    ):
        years = xr.DataArray(axes.decimal_year(attrs[0]))
    else:
        raise BadCall(f"{array.name} has no date: add obs_year, the decimal year of each value")
    date = "obs_year" if date is None else date
    return date, axes.arranged(file, years, [date])[0]
