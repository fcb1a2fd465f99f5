"""Files in NetCDF read with their units, depths and damage checked: what is wrong says how to mend it.

Times are left as numbers. A depth axis wants a unit, bounds and the surface first; a unit is compared in one
spelling (`unit`). Nothing here knows what the numbers mean.
"""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from subsoil.constants import CM_PER_M
from subsoil.depth import Layers
from subsoil.errors import BadCall, UnreadableFile

DEEPEST, SHALLOWEST = 200.0, 0.1
"""A depth axis (m) that ends outside these has a wrong unit; 200 is the end of CMIP's axis."""
DEEP, COARSE, FINE = 20.0, 0.5, 5e-4
"""Layers that reach below 20 m do not begin with one of 0.5 m or more, nor does any soil with one of 0.5 mm:
such depths (m) have a wrong unit too."""

DEPTHS = ("sdepth", "depth", "solth", "levsoi", "levgrnd", "levdcmp", "layer", "lev", "z")
"""Names of depth axes, besides those that say so in their attributes."""

FRACTION = {"1": 1.0, "%": 0.01, "kg kg-1": 1.0, "g g-1": 1.0}
LENGTH = {"m": 1.0, "cm": 1.0 / CM_PER_M, "mm": 1e-3}
PURE = {"1": 1.0}
"""Units with their factors; those of a fraction or a pure number may be left out of a file."""


def read(path: Path | str) -> xr.Dataset:
    """A whole file in memory, its times as numbers.

    Raises UnreadableFile where it is not there, no NetCDF, damaged, or of a kind that no installed library
    reads.
    """
    path = Path(path)
    try:
        with open(path, "rb") as raw:
            start = raw.read(4)
    except FileNotFoundError:
        raise UnreadableFile(f"{path} is not there") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{path} is a folder: name the file in it") from None
    if start[:3] != b"CDF" and start != b"\x89HDF":
        raise UnreadableFile(f"{path} is no NetCDF file")
    if start == b"CDF\x05" and "netcdf4" not in xr.backends.list_engines():
        raise UnreadableFile(_no_library(path, "CDF-5", "netCDF4"))  # SciPy takes it for another kind
    try:
        with xr.open_dataset(path, decode_times=False) as file:
            return file.load()
    except (ValueError, OSError, TypeError, LookupError, RuntimeError, AssertionError, SyntaxError) as error:
        if start == b"\x89HDF":
            raise UnreadableFile(_no_library(path, "NetCDF-4", "h5netcdf")) from error
        raise UnreadableFile(f"{path} is damaged: {error}") from error


def _no_library(path: Path, kind: str, library: str) -> str:
    return (
        f"{path} is {kind}, and no library for it is installed: pip install {library}, or "
        f"convert it with `nccopy -k classic {path} classic.nc`"
    )


def is_depth(file: xr.Dataset, dim: Hashable) -> bool:
    """Whether an axis counts layers, by its name or its attributes.

    >>> is_depth(xr.Dataset(), "levgrnd"), is_depth(xr.Dataset(), "time")
    (True, False)
    """
    attrs = file[dim].attrs if dim in file.coords else {}
    return dim in DEPTHS or attrs.get("axis") == "Z" or attrs.get("standard_name") == "depth"


def in_units(array: xr.DataArray, units: Mapping[str, Any]) -> xr.DataArray:
    """Values times the factor of their unit, or (factor, offset).

    ``units``: those that may be, in the spelling of `unit`. Raises BadCall for another, and for none where
    it cannot be left out.

    >>> in_units(xr.DataArray([5.0], attrs={"units": "percent"}), FRACTION).values.tolist()
    [0.05]
    """
    if "units" not in array.attrs:
        if units in (PURE, FRACTION):
            return array
        raise BadCall(f"{array.name} has no units: add the attribute, one of {', '.join(map(repr, units))}")
    own = unit(str(array.attrs["units"]))
    if own not in units:
        raise BadCall(
            f"{array.name} is in {array.attrs['units']!r}: expected one of {', '.join(map(repr, units))}"
        )
    factor, offset = units[own] if isinstance(units[own], tuple) else (units[own], 0.0)
    return array * factor + offset


def unit(text: str) -> str:
    """A unit in one spelling: ``kg m-2``, ``yr-1``, ``1``, ``%``, ``degC``.

    >>> unit("gC/m^3"), unit("kg C m**-2 year-1"), unit("percent"), unit("per mil")
    ('g m-3', 'kg m-2 yr-1', '%', '1e-3')
    """
    plain = re.sub(r"\b(kg|g|Mg|t)\s?C(1[34])?\b", r"\1", text.strip()).replace("**", "").replace("^", "")
    plain = re.sub(r"\s*/\s*([A-Za-z]+)(\d*)", lambda m: f" {m[1]}-{m[2] or 1}", plain).removeprefix("1 ")
    words = {
        **dict.fromkeys(
            ("C", "Celsius", "celsius", "degree_C", "degrees_C", "degree_Celsius", "deg_C"), "degC"
        ),
        **dict.fromkeys(("kelvin", "Kelvin", "degK"), "K"),
        **dict.fromkeys(("", "-", "fraction", "unitless", "none"), "1"),
        **dict.fromkeys(("percent", "per cent"), "%"),
        **dict.fromkeys(("per mil", "permil", "per mille", "permille", "‰", "0.001"), "1e-3"),
        **dict.fromkeys(("year", "years", "a"), "yr"),
        **dict.fromkeys(("day", "days"), "d"),
        **dict.fromkeys(("centimeter", "centimeters", "centimetre"), "cm"),
        **dict.fromkeys(("meter", "meters", "metre", "metres"), "m"),
    }
    plain = words.get(plain, plain)
    plain = re.sub(r"\b(year|years|a|y)-1", "yr-1", plain)
    return re.sub(r"\bday-1", "d-1", plain)


def layers(file: xr.Dataset, depth: Hashable) -> Layers:
    """Layers of a depth axis, m. Raises BadCall for one without unit or bounds, upside down or upwards.

    >>> bounds = (("z", "two"), [[0.0, 10.0], [10.0, 30.0]])
    >>> file = xr.Dataset({"z_bnds": bounds}, coords={"z": ("z", [5.0, 20.0], {"units": "cm"})})
    >>> layers(file, "z").bottom.tolist()
    [0.1, 0.3]
    """
    if depth not in file.coords:
        raise BadCall(f"axis {depth!r} has no values: add a coordinate {depth} in m with bounds")
    axis = file[depth]
    name = axis.attrs.get(
        "bounds", next((n for n in (f"{depth}_bnds", f"{depth}_bounds") if n in file), None)
    )
    if name is None or name not in file:
        raise BadCall(
            f"depth axis {depth!r} has no bounds: add {depth}_bnds ({depth}, 2), top and bottom of layers"
        )
    own = unit(str(axis.attrs.get("units", file[name].attrs.get("units", "?"))))
    if own not in LENGTH:
        raise BadCall(f"depth axis {depth!r} is in {own!r}: expected units 'm' or 'cm'")
    bounds = np.sort(file[name].values.astype(float) * LENGTH[own], axis=-1)
    middle = file[depth].values.astype(float)
    if axis.attrs.get("positive", "down") != "down" or bounds.min() < -1e-6:
        raise BadCall(
            f"depth axis {depth!r} counts upwards: multiply it and its bounds by -1 and set positive = 'down'"
        )
    if (np.diff(middle) <= 0).any():
        raise BadCall(
            f"depth axis {depth!r} must run from the surface down, got {middle.tolist()}: reverse it"
        )
    check_depths(bounds.max(), bounds[0, 1] - bounds[0, 0], f"depth axis {depth!r}", own)
    return Layers(bounds[:, 0], bounds[:, 1])


def check_depths(deepest: float, first: float, name: str, own: str) -> None:
    """Refuse depths (m) that no soil column has in the unit ``own`` that they are said to be in.

    deepest: where the last layer ends; first: thickness of the first one. Raises BadCall.

    >>> check_depths(1.0, 0.3, "depth axis 'z'", "m")
    """
    wrong = not SHALLOWEST < deepest < DEEPEST or (deepest > DEEP and first >= COARSE) or first < FINE
    if wrong:
        raise BadCall(
            f"{name} ends at {deepest:g} m with a first layer of {first:g} m, said to be in {own!r}: "
            "is it cm instead of m, or m instead of cm?"
        )
