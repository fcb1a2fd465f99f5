"""Which column of a file stands for a profile: the one that names it, else the nearest with carbon."""

import functools
import operator
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from subsoil.benchmark.adapters.axes import columns_of
from subsoil.errors import BadCall

EARTH = 6371.0
"""km."""
SPACINGS = 1.5
"""Farther than this many spacings of the grid, a cell does not stand for a profile."""
ALONE = 0.1
"""Degrees: how far a single column may be."""
COARSEST = 1.0
"""Degrees: no list of columns is taken for a grid coarser than this, lest a site stand for a far one."""
NAMES = {"latitude": ("lat", "latitude", "nav_lat"), "longitude": ("lon", "longitude", "nav_lon")}


def on_profiles(
    file: xr.Dataset, main: Sequence[xr.DataArray], profiles: pd.DataFrame
) -> tuple[xr.Dataset, dict[str, str], tuple[str, ...]]:
    """The file at profiles: one axis ``profile`` in place of its axes of columns, with ``profile_id``.

    main: the variables that count, all of them missing in a column without land. Returns the file at the
    profiles that have a column, why the others have none, and what is to be noted. Raises BadCall for a file
    that does not say where its columns are, and where no profile has one.
    """
    columns = columns_of(file, main[0])
    valid = functools.reduce(operator.or_, (_filled(array, columns) for array in main))
    if "profile_id" in file.variables and set(file["profile_id"].dims) <= set(columns):
        at, why, notes = _by_name(file, valid, columns, profiles)
    else:
        at, why, notes = _by_place(file, valid, columns, profiles)
    found = at >= 0
    names = profiles.loc[found, "profile_id"].tolist()
    if not names:
        raise BadCall(
            f"no profile of the reference has a column; the first: {next(iter(why.values()), 'none')}"
        )
    places = np.unravel_index(at[found], tuple(file.sizes[dim] for dim in columns)) if columns else ()
    chosen = file.isel({dim: xr.DataArray(i, dims="profile") for dim, i in zip(columns, places, strict=True)})
    chosen = chosen.drop_vars(["profile_id", "profile"], errors="ignore")
    if not columns:
        chosen = chosen.expand_dims({"profile": len(names)})
    return chosen.assign_coords(profile_id=("profile", names)), why, notes


def _filled(array: xr.DataArray, columns: Sequence[Hashable]) -> xr.DataArray:
    """Which columns have any value."""
    if not array.size:
        raise BadCall(f"{array.name} is empty: its axes have the lengths {dict(array.sizes)}")
    known = array.notnull()  # noqa: PD004  # arrays of xarray have no notna
    others = [dim for dim in array.dims if dim not in columns]
    return known.any(others) if others else known


def _by_name(
    file: xr.Dataset, valid: xr.DataArray, columns: Sequence[Hashable], profiles: pd.DataFrame
) -> tuple[Int[np.ndarray, " profile"], dict[str, str], tuple[str, ...]]:
    whole = file["profile_id"].broadcast_like(valid).transpose(*columns)
    names = pd.Index([_text(name) for name in np.ravel(whole.values)])
    if twice := names[names.duplicated()].unique().tolist():
        raise BadCall(f"profile_id {twice[0]!r} has two columns: give each profile once")
    filled = np.ravel(valid.transpose(*columns).values)
    at = names.get_indexer(pd.Index(profiles["profile_id"].astype(str)))
    if not (at >= 0).any():
        raise BadCall(
            f"no profile_id of the file is one of the reference: it has {names[0]!r}, the reference "
            f"{profiles['profile_id'].iloc[0]!r}; see `subsoil score --profiles`"
        )
    why = dict.fromkeys(profiles["profile_id"][at < 0], "not in the file")
    why |= dict.fromkeys(profiles["profile_id"][(at >= 0) & ~filled[at]], "no values in the file")
    at = np.where((at >= 0) & filled[at], at, -1)
    unknown = [name for name in names if name not in set(profiles["profile_id"].astype(str))]
    if not unknown:
        return at, why, ()
    return at, why, (f"columns without a profile in the reference: {len(unknown)}, the first {unknown[0]}",)


def _text(name: object) -> str:
    return (name.decode() if isinstance(name, bytes) else str(name)).strip()


def _by_place(
    file: xr.Dataset, valid: xr.DataArray, columns: Sequence[Hashable], profiles: pd.DataFrame
) -> tuple[Int[np.ndarray, " profile"], dict[str, str], tuple[str, ...]]:
    latitude, longitude = (_coordinate(file, valid, columns, kind) for kind in NAMES)
    limit = SPACINGS * spacing(file, columns, latitude, longitude)
    filled = np.ravel(valid.transpose(*columns).values) & np.isfinite(latitude + longitude)
    if not filled.any():
        raise BadCall("no column has values: is everything filled or masked?")
    here = profiles[["latitude", "longitude"]].to_numpy(float)
    at, far = nearest(latitude, longitude, filled, here[:, 0], here[:, 1])
    why = {}
    for name, place, distance in zip(profiles["profile_id"], here, far, strict=True):
        if not np.isfinite(place).all():
            why[name] = "the profile has no coordinates"
        elif not distance <= limit:
            why[name] = (
                f"the nearest column with values is {np.radians(distance) * EARTH:.0f} km away, "
                f"more than {np.radians(limit) * EARTH:.0f} km"
            )
    at = np.where([name in why for name in profiles["profile_id"]], -1, at)
    return at, why, (f"profiles take the nearest column, at most {limit:.3g} degrees away",)


def _coordinate(
    file: xr.Dataset, valid: xr.DataArray, columns: Sequence[Hashable], kind: str
) -> Float[np.ndarray, " column"]:
    name = next((n for n in NAMES[kind] if n in file.variables and set(file[n].dims) <= set(columns)), None)
    if name is None:
        along = f" along {' and '.join(map(str, columns))}" if columns else ""
        raise BadCall(
            f"there is no {kind}: say where columns are with lat and lon{along}, or name them with profile_id"
        )
    values = np.ravel(file[name].broadcast_like(valid).transpose(*columns).values).astype(float)
    low, high = (-90.0, 90.0) if kind == "latitude" else (-180.0, 360.0)
    known = values[np.isfinite(values)]
    if known.size and (known.min() < low - 1e-6 or known.max() > high + 1e-6):
        raise BadCall(f"{name} goes from {known.min():g} to {known.max():g}: is it degrees, not lat for lon?")
    return values


def spacing(
    file: xr.Dataset,
    columns: Sequence[Hashable],
    latitude: Float[np.ndarray, " column"],
    longitude: Float[np.ndarray, " column"],
) -> float:
    """Degrees between neighbours: of a grid the wider of its two steps, of a list the median to the nearest.

    >>> grid = xr.Dataset(coords={"lat": [0.0, 1.0], "lon": [0.0, 2.0, 4.0]})
    >>> spacing(grid, ["lat", "lon"], np.zeros(6), np.zeros(6))
    2.0
    """
    steps = [
        float(np.median(np.abs(np.diff(file[name].values.astype(float)))))
        for pair in NAMES.values()
        for name in pair
        if name in columns and file[name].ndim == 1 and file.sizes[name] > 1
    ]
    if steps:
        return max(steps)
    known = np.isfinite(latitude + longitude)
    points = np.unique(_unit_vectors(latitude[known], longitude[known]), axis=0)
    if len(points) < 2:
        return ALONE / SPACINGS
    chord = cKDTree(points).query(points, k=2)[0][:, 1]
    return min(float(np.median(_degrees(chord))), COARSEST)


def nearest(
    latitude: Float[np.ndarray, " column"],
    longitude: Float[np.ndarray, " column"],
    filled: Bool[np.ndarray, " column"],
    to_latitude: Float[np.ndarray, " profile"],
    to_longitude: Float[np.ndarray, " profile"],
) -> tuple[Int[np.ndarray, " profile"], Float[np.ndarray, " profile"]]:
    """Nearest filled column on the sphere, and how far it is, degrees; -1 and NaN for a place not known.

    Longitudes may count from 0 to 360 or from -180 to 180, on either side.

    >>> one = np.array([0.0]), np.array([359.5]), np.array([True])
    >>> [x.round(2).tolist() for x in nearest(*one, np.array([0.0]), np.array([-179.5 + 179.25]))]
    [[0], [0.25]]
    """
    rows = np.flatnonzero(filled)
    known = np.isfinite(to_latitude + to_longitude)
    at, far = np.full(len(known), -1), np.full(len(known), np.nan)
    tree = cKDTree(_unit_vectors(latitude[rows], longitude[rows]))
    chord, row = tree.query(_unit_vectors(to_latitude[known], to_longitude[known]))
    at[known], far[known] = rows[row], _degrees(chord)
    return at, far


def _unit_vectors(latitude: np.ndarray, longitude: np.ndarray) -> Float[np.ndarray, "point 3"]:
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def _degrees(chord: np.ndarray) -> np.ndarray:
    return np.degrees(2.0 * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0)))
