"""The hierarchical age model averaged over a population of profiles, in the forms the report compares.

A population is a set of profiles with their covariates. Its share of young carbon is the mean over the
covariates of these profiles and over all sites like theirs (effects of sites integrated out), so it compares
with a regression through the same profiles, and its error says how well that mean is known.
"""

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from subsoil.age.carbon import DEPTHS
from subsoil.age.fit import fitted_covariates, predict, summarise
from subsoil.age.headline import RECENT, AgeDraws
from subsoil.age.subsets import Subset
from subsoil.datasets import raw_covariates

METHOD = "hierarchical"
DRAWS = 500
"""Posterior draws behind a headline number: enough for its 95 % interval."""
AGE_GRID = np.geomspace(0.05, 1e6, 120)
"""Ages (yr) between which the median age is found: 15 % apart, straight lines in ln t between them."""


def shares(
    posterior: xr.Dataset, profiles: pd.DataFrame, depth_cm: ArrayLike, age_yr: ArrayLike
) -> xr.DataArray:
    """Share of carbon younger than an age, mean over a population: sample x depth_cm x age_yr.

    ``profiles``: the population, one row a profile with land_use, clay_source, mat, p_pet, map, clay.
    """
    names = [c.name for c in fitted_covariates(posterior)]
    raw = raw_covariates(profiles, names)
    cases = raw.value_counts(dropna=False).reset_index() if names else pd.DataFrame({"count": [len(raw)]})
    weight = xr.DataArray(cases["count"].to_numpy(float) / cases["count"].sum(), dims="case")
    by_case = predict(posterior, depth_cm, age_yr, cases[names] if names else None)
    return by_case.weighted(weight).mean("case", keep_attrs=True)


def isochrones(
    posterior: xr.Dataset, profiles: pd.DataFrame, depth_cm: ArrayLike, age_yr: ArrayLike
) -> pd.DataFrame:
    """Percent younger by depth and age, standard error and 95 % interval: a block of isochrones.csv."""
    return _percent(shares(posterior, profiles, depth_cm, age_yr))


def average_profile(posterior: xr.Dataset, depth_cm: ArrayLike, age_yr: ArrayLike) -> pd.DataFrame:
    """The same for a profile with the mean covariates of those the model was fitted to."""
    return _percent(predict(posterior, depth_cm, age_yr).isel(case=0, drop=True))


def _percent(curves: xr.DataArray) -> pd.DataFrame:
    summary = 100.0 * summarise(curves)
    names = {"f_new": "percent_younger", "f_new_se": "percent_se", "f_new_lower": "percent_lower"}
    frame = summary.rename(names | {"f_new_upper": "percent_upper"}).to_dataframe().reset_index()
    return frame.assign(method=METHOD)


def age_draws(posterior: xr.Dataset, profiles: pd.DataFrame, subset: Subset) -> AgeDraws:
    """Draws of what the headline numbers need, for the profiles a subset keeps."""
    kept = profiles[subset.mask(profiles)]
    thinned = posterior.isel(draw=_thin(posterior.sizes["draw"], posterior.sizes["chain"]))
    recent = shares(thinned, kept, DEPTHS, [RECENT]).isel(age_yr=0)
    curves = shares(thinned, kept, DEPTHS, AGE_GRID)
    younger = np.vstack([recent.mean("sample").values, recent.values])
    both = np.concatenate([curves.mean("sample").values[None], curves.values])
    return AgeDraws(METHOD, younger, median_age(both), np.full(len(DEPTHS), len(kept)))


def median_age(curves: Float[np.ndarray, "draw depth age"]) -> Float[np.ndarray, "draw depth"]:
    """Age (yr) that half of the carbon is younger than, from shares at ``AGE_GRID``; infinity if never.

    >>> from subsoil.age.distributions import StretchedExponential
    >>> pool = StretchedExponential(100.0, 1.0, 0.0)
    >>> round(float(median_age(pool.cdf(AGE_GRID)[None, None])[0, 0]) / float(pool.quantile(0.5)), 2)
    1.0
    """
    above = curves >= 0.5
    reached = above.any(axis=-1)
    right = np.clip(above.argmax(axis=-1), 1, len(AGE_GRID) - 1)[..., None]
    low, high = (np.take_along_axis(curves, right - k, axis=-1)[..., 0] for k in (1, 0))
    along = (0.5 - low) / np.where(high > low, high - low, 1.0)
    log_age = np.log(AGE_GRID)
    left = log_age[right[..., 0] - 1]
    return np.where(reached, np.exp(left + along * (log_age[right[..., 0]] - left)), np.inf)


def _thin(draws: int, chains: int) -> slice:
    return slice(None, None, max(1, draws * chains // DRAWS))
