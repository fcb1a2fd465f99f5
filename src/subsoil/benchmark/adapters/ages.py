"""Ages by layer: quantiles of age (``ageSoilLevels`` of `subsoil run`, or ``age_quantiles``), in years.

The share of carbon younger than a is the new carbon a years after a label was switched on, so that quantiles
are points of f_new. Between them it is drawn as everywhere (`subsoil.benchmark.submission`), outside them it
is missing. A mean age alone is no distribution: soils of one mean age may hold any share of young carbon.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from subsoil import netcdf
from subsoil.benchmark.adapters import axes, layered
from subsoil.benchmark.adapters.output import Asked, Output
from subsoil.errors import BadCall

QUANTILES = ("ageSoilLevels", "age_quantiles")
MEANS = ("meanAgeSoilLevels", "mean_age", "soc_age", "age")
UNITS: Mapping[str, float] = {"yr": 1.0, "d": 1.0 / 365.25, "s": 1.0 / (365.25 * 86400.0)}
YOUNGEST = 1e-3
"""yr; a quantile of age 0 counts as this, its logarithm being wanted."""
NOTE = "f_new comes from quantiles of age: between them it is interpolated, outside them missing"


def main(file: xr.Dataset) -> xr.DataArray | None:
    """Quantiles of age, or a mean age, which `convert` refuses."""
    return next((file[name] for name in (*QUANTILES, *MEANS) if name in file.data_vars), None)


def convert(file: xr.Dataset, asked: Asked) -> Output:
    """Output of a file on profiles. Raises BadCall for a mean age alone, and for quantiles without shares."""
    array = main(file)
    assert array is not None
    if array.name in MEANS:
        raise BadCall(
            f"{array.name} is a mean age: it does not say how much carbon is young (half a layer of 1 yr and "
            "half of 1999 yr has the mean of a layer all of 1000 yr); give quantiles of age or f_new"
        )
    if "quantile" not in array.dims or "quantile" not in file.coords:
        raise BadCall(f"{array.name} wants an axis quantile with its shares, such as 0.05, 0.5, 0.95")
    shares = file["quantile"].values.astype(float)
    if not ((shares > 0) & (shares < 1)).all():
        raise BadCall(f"quantile goes from {shares.min():g} to {shares.max():g}: shares between 0 and 1")
    depth = axes.depth_of(file, array)
    top, bottom = axes.layers_of(file, depth)
    years = axes.arranged(file, netcdf.in_units(array, UNITS), [depth, "quantile"])
    if (np.diff(years[..., np.argsort(shares)], axis=-1) < 0).any():
        raise BadCall(f"{array.name} falls with the quantile: is quantile the share that is OLDER?")
    stock, notes = layered.stock_of(file, depth, bottom - top)
    years = np.where(np.isfinite(years), np.maximum(years, YOUNGEST), np.nan)
    return Output(
        tuple(file["profile_id"].values.tolist()),
        top,
        bottom,
        soc_stock=stock,
        years=years,
        f_new=np.where(np.isnan(years), np.nan, shares),
        notes=(*notes, NOTE),
    )
