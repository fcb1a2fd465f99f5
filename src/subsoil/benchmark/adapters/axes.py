"""Axes of a file by their names: draws, layers, times, pools; every other one counts columns."""

from collections.abc import Hashable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from subsoil import netcdf
from subsoil.constants import CM_PER_M
from subsoil.errors import BadCall

DRAWS = ("draw", "member", "member_id", "realization", "ensemble")
TIMES = ("labelling_years", "time", "age")
POOLS = ("pool", "pool_to", "soilpools")
OTHERS = ("quantile", "obs_year", "layer_to", "boundary", "bnds", "nv", "bounds")
CALENDARS = {"noleap": 365.0, "365_day": 365.0, "all_leap": 366.0, "366_day": 366.0, "360_day": 360.0}
"""Days of a year where the calendar does not have them as ours."""
STEPS = {"days": 1.0, "day": 1.0, "hours": 1.0 / 24.0, "seconds": 1.0 / 86400.0}


def columns_of(file: xr.Dataset, array: xr.DataArray) -> list[Hashable]:
    """Axes that count columns, as lat and lon, profile, gridcell.

    >>> columns_of(xr.Dataset(), xr.DataArray(np.zeros((2, 3, 4)), dims=("draw", "profile", "layer")))
    ['profile']
    """
    known = (*DRAWS, *TIMES, *POOLS, *OTHERS)
    return [dim for dim in array.dims if dim not in known and not netcdf.is_depth(file, dim)]


def depth_of(file: xr.Dataset, array: xr.DataArray) -> Hashable:
    """The axis of layers. Raises BadCall where there is none."""
    found = next((dim for dim in array.dims if netcdf.is_depth(file, dim)), None)
    if found is None:
        raise BadCall(
            f"{array.name} has no axis of layers, only {', '.join(map(str, array.dims)) or 'one number'}: "
            "name it layer, with layer_top and layer_bottom"
        )
    return found


def arranged(
    file: xr.Dataset, array: xr.DataArray, last: Sequence[Hashable]
) -> Float[np.ndarray, "draw profile *rest"]:
    """Values on axes draw, profile and ``last``, an axis that is not there of length 1; infinite is missing.

    Raises BadCall for an axis that has no place, and for text.
    """
    draw = next((dim for dim in array.dims if dim in DRAWS), "draw")
    order = [draw, "profile", *last]
    if extra := [dim for dim in array.dims if dim not in order]:
        raise BadCall(
            f"{array.name} has an axis {extra[0]!r} that has no place here: expected "
            f"{', '.join(map(str, order))}"
        )
    whole = array.expand_dims({dim: 1 for dim in order if dim not in array.dims}).transpose(*order)
    if whole.dtype.kind not in "fiub":
        raise BadCall(f"{array.name} holds {whole.dtype}: expected numbers")
    values = whole.values.astype(float)
    values = np.where(np.isfinite(values), values, np.nan)
    profiles = file.sizes.get("profile", 1)
    return np.broadcast_to(values, (values.shape[0], profiles, *values.shape[2:])).copy()


def layers_of(
    file: xr.Dataset, depth: Hashable
) -> tuple[Float[np.ndarray, "profile layer"], Float[np.ndarray, "profile layer"]]:
    """Top and bottom of the layers of each profile, cm.

    From ``layer_top`` and ``layer_bottom`` (with units; a column of its own for each profile if need be), or
    from the bounds of the axis. Raises BadCall as `subsoil.netcdf.layers` does.
    """
    if {"layer_top", "layer_bottom"} <= set(file.variables):
        top, bottom = (
            CM_PER_M * arranged(file, netcdf.in_units(file[name], netcdf.LENGTH), [depth])[0]
            for name in ("layer_top", "layer_bottom")
        )
        thick = bottom - top
        known = np.isfinite(thick)
        if known.any() and thick[known].min() > 0 and top[known].min() >= 0:
            uppermost = top == np.where(known, top, np.inf).min(axis=1, keepdims=True)
            first, own = float(np.median(thick[known & uppermost])), str(file["layer_bottom"].attrs["units"])
            netcdf.check_depths(bottom[known].max() / CM_PER_M, first / CM_PER_M, "layer_bottom", own)
        return top, bottom
    layers = netcdf.layers(file, depth)
    shape = (file.sizes.get("profile", 1), len(layers.top))
    top, bottom = (np.broadcast_to(CM_PER_M * edge, shape).copy() for edge in (layers.top, layers.bottom))
    return top, bottom


def labelling_years(file: xr.Dataset, time: Hashable) -> Float[np.ndarray, "profile time"]:
    """Years since the label was switched on, along an axis of times.

    The axis itself in years, a variable ``labelling_years`` along it, or dates together with an attribute
    ``label_start``, the decimal year of the switch. Raises BadCall for dates alone.
    """
    if "labelling_years" in file.variables and time in file["labelling_years"].dims:
        return arranged(file, netcdf.in_units(_in_years(file["labelling_years"]), YEARS), [time])[0]
    if time not in file.coords:
        raise BadCall(f"axis {time!r} has no values: add labelling_years ({time}), years since the label")
    axis = file[time]
    if " since " not in str(axis.attrs.get("units", "")):
        if time == "time" and "units" not in axis.attrs:
            raise BadCall("axis 'time' has no units: call it labelling_years, or give labelling_years (time)")
        return arranged(file, netcdf.in_units(_in_years(axis), YEARS), [time])[0]
    if "label_start" not in file.attrs:
        raise BadCall(
            f"axis {time!r} counts dates ({axis.attrs['units']!r}): add the attribute label_start, the "
            f"decimal year of the label's switch, or labelling_years ({time})"
        )
    return arranged(file, decimal_years(axis), [time])[0] - decimal_year(file.attrs["label_start"])


YEARS = {"yr": 1.0, "d": 1.0 / 365.25}
"""Units of a labelling time."""


def _in_years(array: xr.DataArray) -> xr.DataArray:
    return array if "units" in array.attrs else array.assign_attrs(units="yr")


def decimal_years(axis: xr.DataArray) -> xr.DataArray:
    """Dates of a time axis as decimal years, within a day of the calendar's own.

    >>> axis = xr.DataArray([0.0, 730.0], attrs={"units": "days since 1850-01-01", "calendar": "noleap"})
    >>> decimal_years(axis).values.tolist()
    [1850.0, 1852.0]
    """
    step, _, start = str(axis.attrs.get("units", "")).partition(" since ")
    if step.strip() not in STEPS or not start[:4].isdigit():
        raise BadCall(f"{axis.name} is in {axis.attrs.get('units')!r}: expected 'days since 1850-01-01'")
    days = CALENDARS.get(str(axis.attrs.get("calendar", "standard")), 365.2425)
    return decimal_year(start) + axis.astype(float) * STEPS[step.strip()] / days


def decimal_year(date: object) -> float:
    """A decimal year, or a date written year-month-day, as a decimal year.

    >>> decimal_year("1851-01-01 00:00:00"), decimal_year(1990.5)
    (1851.0, 1990.5)
    """
    parts = str(date).strip().split(" ")[0].split("T")[0].split("-")
    try:
        year, *rest = (float(part) for part in parts)
    except ValueError:
        raise BadCall(f"{date!r} is no date: give a decimal year or year-month-day") from None
    month, day = (*rest, *(1.0, 1.0)[len(rest) :])
    return year + (month - 1.0) / 12.0 + (day - 1.0) / 365.25
