"""The published age model: a bi-exponential regression of new carbon on labelling time at each depth.

Balesdent et al. 2018 (Fig. 2) fitted p(t) = A (1 - exp(-k1 t)) + B (1 - exp(-k2 t)) at each depth to the
share of new carbon of 55 tropical grassland and forest profiles. Which 55, with which weights, and how the
bands were made is not known to us: the subset is an argument, its default is inferred, and ``sensitivity``
shows how much the numbers move with it. The fit itself is in ``leastsquares``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil import published
from subsoil.age.carbon import DEPTHS, layer_carbon, share_between
from subsoil.age.distributions import BiExponential
from subsoil.age.leastsquares import PARAMETERS, Outcome, covariance, fit_biexponential, slopes
from subsoil.age.subsets import CANDIDATES, TROPICAL, Subset, needed
from subsoil.errors import BadCall

METHOD = "as published (bi-exponential regression)"
NEEDED = ("profile_id", "entry_name", "site_id", "depth_cm", "f_new", "labelling_years")
ERRORS = {"residual": None, "profile": "profile_id", "site": "site_id", "study": "study_id"}
"""How standard errors are made, and the column whose rows count as one observation."""


@dataclass(frozen=True)
class ProfileValues:
    """New carbon as profile x depth: ``profiles`` holds one row of attributes each, sorted by profile_id.

    ``depth_cm`` [depth]; ``years`` labelling time, yr [profile]; ``f_new`` [profile, depth], NaN where none.
    """

    profiles: pd.DataFrame
    depth_cm: Float[np.ndarray, " depth"]
    years: Float[np.ndarray, " profile"]
    f_new: Float[np.ndarray, "profile depth"]

    def without_soil(self, subset: Subset) -> Float[np.ndarray, "profile depth"]:
        """``f_new`` with NaN where the subset says that the soil has ended."""
        ends = self.profiles["entry_name"].map(dict(subset.soil_until)).astype(float).to_numpy()
        return np.where(self.depth_cm[None, :] > np.nan_to_num(ends, nan=np.inf)[:, None], np.nan, self.f_new)


def profile_values(table: pd.DataFrame) -> ProfileValues:
    """The profile-and-depth table as arrays; the order of its rows does not matter.

    Raises
    ------
    BadCall
        A needed column is missing, a depth occurs twice in a profile, or a labelling time is not positive.
    """
    for name in NEEDED:
        needed(table, name)
    twice = table.duplicated(["profile_id", "depth_cm"])
    if twice.any():
        row = table[twice].iloc[0]
        raise BadCall(f"profile {row.profile_id} has depth {row.depth_cm} cm twice; keep one row a depth")
    profiles = table.drop_duplicates("profile_id").sort_values("profile_id").reset_index(drop=True)
    years = profiles["labelling_years"].to_numpy(float)
    if not (years > 0).all():
        bad = profiles["profile_id"][~(years > 0)].iloc[0]
        raise BadCall(f"labelling_years of profile {bad} is not a positive number of years; leave it out")
    wide = table.pivot(index="profile_id", columns="depth_cm", values="f_new").sort_index()  # noqa: PD010
    return ProfileValues(
        profiles.drop(columns=["depth_cm", "f_new"]),
        wide.columns.to_numpy(float),
        years,
        wide.to_numpy(float),
    )


@dataclass(frozen=True)
class Regression:
    """One fit a depth.

    ``table`` has depth_cm, n, sites, fast_share, fast_rate (yr-1), slow_share, slow_rate (yr-1), limit,
    median_age (yr, infinity if half of the carbon never turns over), median_age_se, residual_sd, outcome.
    ``covariance`` [depth, 4, 4] is that of (A, k1, B, k2); ``errors`` says how it was made.
    """

    table: pd.DataFrame
    covariance: Float[np.ndarray, "depth 4 4"]
    subset: Subset
    errors: str

    def at(self, depth: int) -> BiExponential:
        """The distribution of the depth with this index."""
        row = self.table.iloc[depth]
        return BiExponential(row.fast_share, row.fast_rate, row.slow_share, row.slow_rate)


def regress(table: pd.DataFrame, subset: Subset = TROPICAL, *, errors: str = "site") -> Regression:
    """Fit the bi-exponential at every depth of a profile-and-depth table.

    ``table`` has a row for each profile and depth: profile_id, entry_name, site_id, depth_cm (cm), f_new
    (fraction), labelling_years (yr) and the columns that ``subset`` asks for. Depths are those of the table;
    rows without f_new are left out. ``errors``: one of ``ERRORS``; "site" lets profiles of one coordinate
    pair depend on each other.

    Raises
    ------
    BadCall
        The table lacks a column, the subset keeps no profile, or ``errors`` is unknown.
    """
    if errors not in ERRORS:
        raise BadCall(f"errors={errors!r}: expected one of {', '.join(ERRORS)}")
    values = profile_values(table)
    keep = subset.mask(values.profiles)
    if not keep.any():
        raise BadCall(f"the subset {subset.name!r} keeps none of {len(keep)} profiles; widen its limits")
    profiles, years = values.profiles[keep], values.years[keep]
    f_new = values.without_soil(subset)[keep]
    rows, covariances = [], []
    for depth, at_depth in zip(values.depth_cm, f_new.T, strict=True):
        row, matrix = _fit_depth(profiles, years, at_depth, ERRORS[errors])
        rows.append({"depth_cm": depth, **row})
        covariances.append(matrix)
    return Regression(pd.DataFrame(rows), np.stack(covariances), subset, errors)


def _fit_depth(
    profiles: pd.DataFrame, years: np.ndarray, f_new: np.ndarray, cluster: str | None
) -> tuple[dict, np.ndarray]:
    there = np.isfinite(f_new)
    t, f = years[there], f_new[there]
    row: dict = {"n": len(t), "sites": profiles["site_id"][there].nunique()}
    fits = fit_biexponential(t, f)
    d = BiExponential(*(float(x[0]) for x in vars(fits.distribution).values()))
    matrix = np.full((PARAMETERS, PARAMETERS), np.nan)
    if fits.outcome[0] != Outcome.TOO_FEW:
        labels = None if cluster is None else needed(profiles, cluster)[there].tolist()
        matrix = covariance(d, t, f, labels)
    median = float(d.quantile(0.5))
    spread = float(np.sqrt(fits.residual_sum[0] / max(len(t) - PARAMETERS, 1)))
    row |= vars(d) | {"limit": d.limit, "median_age": median, "median_age_se": _median_se(d, matrix, median)}
    return row | {"residual_sd": spread, "outcome": str(fits.outcome[0])}, matrix


def _standard_errors(d: BiExponential, matrix: np.ndarray, ages: np.ndarray) -> np.ndarray:
    g = slopes(d, ages)
    return np.sqrt(np.einsum("ai,ij,aj->a", g, matrix, g))


def _median_se(d: BiExponential, matrix: np.ndarray, median: float) -> float:
    if not np.isfinite(median):
        return np.nan
    return float(_standard_errors(d, matrix, np.array([median]))[0] / d.density(median))


def isochrones(
    regression: Regression, ages: Sequence[float] = published.AGES, method: str = METHOD
) -> pd.DataFrame:
    """Percent younger than each age at each depth: depth_cm, age_yr, percent_younger, percent_se, method.

    The standard error is that of the estimated mean curve, by the delta method (percentage points).
    """
    when = np.asarray(ages, float)
    blocks = [
        pd.DataFrame(
            {
                "depth_cm": depth,
                "age_yr": when,
                "percent_younger": 100 * regression.at(i).cdf(when),
                "percent_se": 100 * _standard_errors(regression.at(i), regression.covariance[i], when),
                "method": method,
            }
        )
        for i, depth in enumerate(regression.table["depth_cm"])
    ]
    return pd.concat(blocks, ignore_index=True)


def distance_to_published(curves: pd.DataFrame) -> pd.Series:
    """Root mean square difference to the digitised isochrones, percentage points, by depth and over "all".

    >>> float(distance_to_published(published.isochrones())["all"])
    0.0
    """
    keys = ["depth_cm", "age_yr"]
    both = published.isochrones().merge(curves, on=keys, suffixes=("_published", ""))
    if both.empty:
        raise BadCall("no depth and age in common with the published isochrones (0, 10, 30, 50, 100 cm)")
    square = (both["percent_younger"] - both["percent_younger_published"]) ** 2
    by_depth = square.groupby(both["depth_cm"].astype(object)).mean()
    by_depth["all"] = square.mean()
    return by_depth**0.5


def sensitivity(
    table: pd.DataFrame,
    subsets: Iterable[Subset] = CANDIDATES,
    stocks: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """How the published numbers move with the subset: one row a rule.

    Columns: subset, n, sites, rms_published (percentage points, over the digitised isochrones) and by depth
    rms_0cm ..., median_age_0cm, median_age_100cm (yr), not_identified (depths whose fit is not "converged");
    with ``stocks`` (see ``layer_carbon``) also percent_0_30 and percent_30_100: carbon younger than 50 yr,
    weighted by the mean carbon of the subset's full-depth profiles.
    """
    rows = []
    for subset in subsets:
        fitted = regress(table, subset)
        by_depth = fitted.table.set_index("depth_cm")
        distance = distance_to_published(isochrones(fitted))
        row = {"subset": subset.name, "n": int(by_depth["n"].max()), "sites": int(by_depth["sites"].max())}
        row |= {"rms_published": distance["all"]}
        row |= {f"rms_{depth:g}cm": value for depth, value in distance.drop("all").items()}
        row |= {f"median_age_{z}cm": by_depth["median_age"].get(z, np.nan) for z in (0, 100)}
        row |= {"not_identified": int((by_depth["outcome"] != Outcome.CONVERGED).sum())}
        rows.append(row | ({} if stocks is None else _shares_50yr(table, fitted, stocks)))
    return pd.DataFrame(rows)


def _shares_50yr(table: pd.DataFrame, fitted: Regression, stocks: pd.DataFrame) -> dict[str, float]:
    kept = table["profile_id"][fitted.subset.mask(table)]
    carbon = layer_carbon(stocks)
    mean = carbon[carbon.index.isin(kept)].dropna().mean().to_numpy(float)
    curves = isochrones(fitted, (50.0,)).set_index("depth_cm")["percent_younger"]
    younger = curves.reindex(DEPTHS).to_numpy(float)
    return {
        f"percent_{top:g}_{bottom:g}": float(share_between(younger, mean, DEPTHS, top, bottom))
        for top, bottom in ((0.0, 30.0), (30.0, 100.0))
    }
