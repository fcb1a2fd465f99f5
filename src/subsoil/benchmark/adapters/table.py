"""A model's layers as a CSV table: one row for each profile, layer and labelling time.

    profile_id,layer_top,layer_bottom,labelling_years,f_new[,soc_stock,delta14c,obs_year,draw]

profile_id as in the reference, or latitude and longitude; depths in cm; f_new a fraction; soc_stock kg m-2 a
layer; delta14c in per mil with obs_year. Rows may come in any order, columns that are not named here are
ignored. The table becomes the short form of NetCDF (`layered`): there is one way from there on.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from subsoil.errors import BadCall, UnreadableFile

LAYER = ["layer_top", "layer_bottom"]
VALUES = {"f_new": "1", "soc_stock": "kg m-2", "delta14c": "1e-3"}
NUMBERS = (*LAYER, *VALUES, "labelling_years", "obs_year", "latitude", "longitude", "draw")


def read(path: Path | str) -> xr.Dataset:
    """The table as a dataset on profile, layer and times.

    Raises UnreadableFile for what is no table, and BadCall for missing columns, text in place of numbers (by
    its line) and rows that contradict each other.
    """
    rows = _rows(Path(path))
    key = ["profile_id"] if "profile_id" in rows else ["latitude", "longitude"]
    rows = rows.dropna(subset=[*key, *LAYER])
    columns = rows[key].drop_duplicates().reset_index(drop=True)
    rows = rows.merge(columns.assign(_profile=columns.index), on=key)
    layers = rows[["_profile", *LAYER]].drop_duplicates().sort_values(["_profile", *LAYER])
    rows = rows.merge(layers.assign(_layer=layers.groupby("_profile").cumcount()), on=["_profile", *LAYER])
    shape = (len(columns), int(rows["_layer"].max()) + 1)
    file = xr.Dataset(coords={name: ("column", columns[name].to_numpy()) for name in key})
    for name in LAYER:
        values = np.full(shape, np.nan)
        values[rows["_profile"], rows["_layer"]] = rows[name]
        file[name] = (("column", "layer"), values, {"units": "cm"})
    for name, unit in VALUES.items():
        if name in rows and rows[name].notna().any():
            axis = {"f_new": "labelling_years", "delta14c": "obs_year"}.get(name)
            _put(file, rows.dropna(subset=[name]), name, axis, shape)
            file[name].attrs["units"] = unit
    return file


def _rows(path: Path) -> pd.DataFrame:
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=True, skipinitialspace=True, encoding="utf-8-sig")
    except FileNotFoundError:
        raise UnreadableFile(f"{path} is not there") from None
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise UnreadableFile(f"{path} is no CSV table: {error}") from error
    rows.columns = rows.columns.str.strip()
    rows = rows.rename(columns={"lat": "latitude", "lon": "longitude"})
    _want_columns(path, rows)
    for name in NUMBERS:
        if name in rows:
            numbers = pd.to_numeric(rows[name], errors="coerce")
            if (wrong := numbers.isna() & rows[name].notna()).any():
                line = int(np.flatnonzero(wrong)[0])
                raise BadCall(f"{path} line {line + 2}: {name} is {rows[name].iloc[line]!r}, not a number")
            rows[name] = numbers
    if "profile_id" in rows:
        rows["profile_id"] = rows["profile_id"].str.strip()
    return rows


def _want_columns(path: Path, rows: pd.DataFrame) -> None:
    missing = [name for name in LAYER if name not in rows]
    if "profile_id" not in rows and not {"latitude", "longitude"} <= set(rows):
        missing.insert(0, "profile_id (or latitude and longitude)")
    if not set(VALUES) & set(rows):
        missing.append("f_new")
    if "delta14c" in rows and "obs_year" not in rows:
        missing.append("obs_year")
    if missing and len(rows.columns) == 1:
        raise BadCall(f"{path} has one column, {rows.columns[0]!r}: separate columns by commas")
    if missing:
        raise BadCall(f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, rows))}")
    if not len(rows):
        raise BadCall(f"{path} has no rows")


def _put(file: xr.Dataset, rows: pd.DataFrame, name: str, axis: str | None, shape: tuple[int, ...]) -> None:
    """A variable on draw, column, layer and an axis of times, where the table has these."""
    at = {"column": rows["_profile"].to_numpy(), "layer": rows["_layer"].to_numpy()}
    sizes = dict(zip(at, shape, strict=True))
    for extra in ("draw", axis or ""):
        if extra in rows:
            codes, times = pd.factorize(rows[extra], sort=True)
            if (codes < 0).any():
                raise BadCall(f"{name} has rows without {extra}")
            at[extra], sizes[extra] = codes, len(times)
            attrs = {"units": "yr"} if extra == "labelling_years" else {}
            file.coords[extra] = (extra, np.asarray(times, dtype=float), attrs)
    values = np.full(tuple(sizes.values()), np.nan)
    flat = np.ravel_multi_index(tuple(at.values()), values.shape)
    given = pd.Series(rows[name].to_numpy(float)).groupby(flat)
    if (apart := given.max() != given.min()).any():
        first = rows.iloc[int(np.flatnonzero(flat == apart.idxmax())[0])]
        raise BadCall(
            f"{name} has two values for layer {first['layer_top']:g}-{first['layer_bottom']:g} cm of "
            f"{first.get('profile_id', 'one place')}: number ensembles in a column draw"
        )
    values.ravel()[flat] = rows[name]
    file[name] = (tuple(sizes), values)
