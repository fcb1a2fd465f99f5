"""Fitting an age model by NUTS, and predicting f_new with it at any depth, age and covariates."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from subsoil import __version__
from subsoil.age.diagnose import outcome
from subsoil.age.model import CURVE, Model, age_distribution, partially_pooled, priors
from subsoil.age.sampler import FULL, LATENT, Fitted, Sampler, Sampling
from subsoil.datasets import AgeData, Covariate, age_data, scaled_covariates
from subsoil.errors import BadCall, NotConverged

EFFECT_NODES = 8
"""Gauss-Hermite nodes for each of u and v where a prediction is averaged over sites not seen."""
CASES_AT_ONCE = 4
"""Draws are predicted in as many blocks, to bound the memory."""
DIMENSIONS = {
    "level_share": ("level",),
    "effect_time": ("covariate",),
    "effect_depth": ("covariate",),
    "u": ("profile_id",),
    "v": ("profile_id",),
    "f_mean": ("layer",),
}


def fit_age(
    table: pd.DataFrame,
    model: Model = partially_pooled,
    *,
    key: int = 0,
    covariates: Sequence[str] = (),
    sampling: Sampling = FULL,
    throw: bool = False,
) -> xr.Dataset:
    """Posterior of an age model given a table of new carbon (`subsoil.newcarbon.new_carbon`).

    ``model``: `partially_pooled`, `pooled` or `unpooled`; ``covariates``: names of
    `subsoil.datasets.COVARIATES`; ``key``: the random key. The result has the dimensions chain and draw, a
    variable for each parameter (units in its attributes) and u and v by profile. ``attrs["outcome"]`` is
    "converged", or says what missed: every parameter and effect needs rank-normalised R-hat below 1.01 and a
    bulk effective sample size above 400, and no transition may diverge. With ``throw`` that is an error.

    Raises
    ------
    BadCall
        The table is empty or a covariate unknown.
    NotConverged
        With ``throw``, if the criteria are missed.
    """
    data = age_data(table, covariates)
    fitted = Sampler(model, sampling)(data.arrays, np.ones(len(data.rows), bool), key)
    posterior = labelled(fitted, data, model, key)
    posterior.attrs["outcome"] = outcome(posterior)
    if throw and posterior.attrs["outcome"] != "converged":
        raise NotConverged(posterior.attrs["outcome"] + "; raise sampling.warmup and sampling.draws")
    return posterior


def labelled(fitted: Fitted, data: AgeData, model: Model, key: int) -> xr.Dataset:
    """Samples as a labelled Dataset with units, names and how it was made; raw effects are left out."""
    variables = {}
    for name, values in fitted.samples.items():
        if name not in LATENT:
            attrs = {k: priors()[name][k] for k in ("unit", "meaning")} if name in priors() else {}
            variables[name] = (("chain", "draw", *DIMENSIONS.get(name, ())), values, attrs)
    variables["diverging"] = (("chain", "draw"), fitted.divergent, {})
    variables["steps"] = (("chain", "draw"), fitted.steps, {})
    coordinates = {
        "profile_id": list(data.profile_id),
        "covariate": [c.name for c in data.covariates],
        "covariate_centre": ("covariate", [c.centre for c in data.covariates]),
        "covariate_scale": ("covariate", [c.scale for c in data.covariates]),
        "level": ["profile", "site", "study"],
    }
    used = {d for dims, *_ in variables.values() for d in dims} | {"covariate"}
    kept = {n: c for n, c in coordinates.items() if n in used or n.startswith("covariate")}
    attrs = {"model": model.__name__, "key": key, "subsoil": __version__, "layers": len(data.rows)}
    return xr.Dataset(variables, coordinates_without(kept, used), attrs)


def coordinates_without(coordinates: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
    """Coordinates whose dimension occurs."""
    return {n: c for n, c in coordinates.items() if n in used or (isinstance(c, tuple) and c[0] in used)}


def predict(
    posterior: xr.Dataset,
    depth_cm: ArrayLike,
    age_yr: ArrayLike,
    covariates: pd.DataFrame | Mapping[str, float] | None = None,
) -> xr.DataArray:
    """Share of carbon younger than an age at a depth, for sites not seen: draws x case x depth x age.

    Each draw is the mean over sites, u and v integrated out by Gauss-Hermite quadrature; its spread over
    draws is the uncertainty of that mean. ``covariates``: raw values, one row a case; those not given, and
    None, mean the average profile of the archive. Use `summarise` for mean, standard error and interval.

    Raises
    ------
    BadCall
        A depth is negative, an age is not positive, or the model lacks a covariate.
    """
    depth, age = np.asarray(depth_cm, float), np.asarray(age_yr, float)
    if not (np.isfinite(depth).all() and (depth >= 0).all()):
        raise BadCall(f"depth_cm needs finite depths of 0 or more, got {depth_cm!r}")
    if not (np.isfinite(age).all() and (age > 0).all()):
        raise BadCall(f"age_yr needs finite ages above 0, got {age_yr!r}")
    cases = scaled_covariates(fitted_covariates(posterior), covariates)
    draws = posterior.stack(sample=("chain", "draw"))  # noqa: PD013 - of xarray, not pandas
    share = jax.jit(_mean_over_sites)
    blocks = np.array_split(np.arange(draws.sizes["sample"]), CASES_AT_ONCE)
    values = np.concatenate(
        [
            np.asarray(share(_effects(draws.isel(sample=b), jnp.asarray(cases)), 0.01 * depth, age))
            for b in blocks
        ]
    )
    coordinates = {"depth_cm": depth, "age_yr": age, "case": np.arange(len(cases))}
    shares = xr.DataArray(values, coordinates, ("sample", "case", "depth_cm", "age_yr"), "f_new")
    shares.attrs = {"unit": "1", "meaning": "share of the carbon younger than age_yr, mean over sites"}
    return shares


def fitted_covariates(posterior: xr.Dataset) -> tuple[Covariate, ...]:
    """The covariates a posterior was fitted with, and their scales."""
    if "effect_time" not in posterior:
        return ()
    names, centres, scales = (
        posterior[n].values for n in ("covariate", "covariate_centre", "covariate_scale")
    )
    return tuple(
        Covariate(str(n), float(c), float(s)) for n, c, s in zip(names, centres, scales, strict=True)
    )


def summarise(shares: xr.DataArray, level: float = 0.95) -> xr.Dataset:
    """Mean, standard error and central interval over the draws of `predict`."""
    tail = 0.5 * (1.0 - level)
    lower, upper = (shares.quantile(q, "sample").drop_vars("quantile") for q in (tail, 1.0 - tail))
    return xr.Dataset(
        {
            "f_new": shares.mean("sample"),
            "f_new_se": shares.std("sample"),
            "f_new_lower": lower,
            "f_new_upper": upper,
        },
        attrs={"interval": f"{100 * level:g} % of the draws"},
    )


def _effects(draws: xr.Dataset, cases: Float[Any, "case covariate"]) -> dict[str, Any]:
    """Parameters of the draws with the shape [sample, case, depth, age, u, v], and effects of covariates."""

    def shaped(values: Any) -> Any:
        return jnp.asarray(values).reshape(-1, *(1,) * 5)

    found = {name: shaped(draws[name].values) for name in CURVE}
    for name, sd, effect in (("u", "log_sd_time", "effect_time"), ("v", "log_sd_depth", "effect_depth")):
        found[f"sd_{name}"] = shaped(
            np.exp(draws[sd].values) if sd in draws else np.zeros(draws.sizes["sample"])
        )
        by_case = jnp.zeros((draws.sizes["sample"], len(cases)))
        if cases.shape[1]:
            by_case = jnp.asarray(draws[effect].transpose("sample", "covariate").values) @ cases.T
        found[name] = by_case[:, :, None, None, None, None]
    return found


def _mean_over_sites(parameters: Mapping[str, Any], depth: Any, age: Any) -> Any:
    nodes, weights = np.polynomial.hermite_e.hermegauss(EFFECT_NODES)
    weights = weights / weights.sum()
    u = parameters["u"] + parameters["sd_u"] * nodes[:, None]
    v = parameters["v"] + parameters["sd_v"] * nodes
    shares = age_distribution(parameters, depth[:, None, None, None], u, v).cdf(age[:, None, None])
    return jnp.einsum("sczauv,u,v->scza", shares, weights, weights)
