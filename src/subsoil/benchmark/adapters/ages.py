"""Ages by layer: quantiles of age (``ageSoilLevels`` of `subsoil run`, or ``age_quantiles``), in years.

The share of carbon younger than a is the new carbon a years after a label was switched on, so that quantiles
are points of f_new. Between them it is drawn as everywhere (`subsoil.benchmark.submission`), outside them it
is missing. A mean age alone is no distribution: soils of one mean age may hold any share of young carbon.
"""

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float

from subsoil import netcdf
from subsoil.benchmark.adapters import axes
from subsoil.errors import BadCall

QUANTILES = ("ageSoilLevels", "age_quantiles")
MEANS = ("meanAgeSoilLevels", "mean_age", "soc_age")
UNITS: Mapping[str, float] = {"yr": 1.0, "d": 1.0 / 365.25, "s": 1.0 / (365.25 * 86400.0)}
YOUNGEST = 1e-3
"""yr; a quantile of age 0 counts as this, its logarithm being wanted."""
NOTE = "f_new comes from quantiles of age: between them it is interpolated, outside them missing"


def points(
    file: xr.Dataset, depth: Hashable
) -> tuple[Float[np.ndarray, "draw profile layer time"], Float[np.ndarray, "draw profile layer time"]]:
    """Ages (yr) and the shares younger than them, of a file that has quantiles of age.

    Raises BadCall for quantiles without shares, and for ages that fall with the share.
    """
    array = next(file[name] for name in QUANTILES if name in file.data_vars)
    if "quantile" not in array.dims or "quantile" not in file.coords:
        raise BadCall(f"{array.name} wants an axis quantile with its shares, such as 0.05, 0.5, 0.95")
    shares = file["quantile"].values.astype(float)
    if not ((shares > 0) & (shares < 1)).all():
        raise BadCall(f"quantile goes from {shares.min():g} to {shares.max():g}: shares between 0 and 1")
    years = axes.arranged(file, netcdf.in_units(array, UNITS), [depth, "quantile"])
    if (np.diff(years[..., np.argsort(shares)], axis=-1) < 0).any():
        raise BadCall(f"{array.name} falls with the quantile: is quantile the share that is OLDER?")
    years = np.where(np.isfinite(years), np.maximum(years, YOUNGEST), np.nan)
    return years, np.where(np.isnan(years), np.nan, shares)


def refuse_means(file: xr.Dataset) -> None:
    """Raise BadCall where a file has a mean age, to be called where it has nothing better."""
    if found := [name for name in MEANS if name in file.data_vars]:
        raise BadCall(
            f"{found[0]} is a mean age: it does not say how much carbon is young (half a layer of 1 yr and "
            "half of 1999 yr has the mean of a layer all of 1000 yr); give quantiles of age or f_new"
        )
