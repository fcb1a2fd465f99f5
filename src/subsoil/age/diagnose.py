"""Whether a posterior can be trusted: convergence, prior predictive check, recovery of a simulated truth."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import Predictive
from scipy.special import ndtri
from scipy.stats import rankdata

from subsoil.age.model import Model
from subsoil.datasets import AgeData

RHAT_LIMIT, ESS_LIMIT = 1.01, 400.0
NOT_PARAMETERS = ("diverging", "steps", "f_mean")
TAILS = (0.05, 0.95)


def diagnostics(posterior: xr.Dataset) -> pd.DataFrame:
    """Mean, sd, R-hat and effective sample sizes of every parameter and effect of a posterior.

    Rank-normalised split R-hat (the larger of that of the draws and of their folds), bulk effective sample
    size, and the smaller one of the 5 % and 95 % tails, after Vehtari et al. 2021 (Bayesian Analysis 16:667).
    What a model holds fixed, such as the effects of the pooled one, is left out.
    Columns: parameter, unit, mean, sd, r_hat, ess_bulk, ess_tail.
    """
    rows = [
        {
            "parameter": name,
            "unit": unit,
            "mean": draws.mean(),
            "sd": draws.std(ddof=1),
            "r_hat": r_hat(draws),
            "ess_bulk": ess_bulk(draws),
            "ess_tail": ess_tail(draws),
        }
        for name, unit, draws in _scalars(posterior)
        if np.ptp(draws) > 0
    ]
    return pd.DataFrame(rows)


def outcome(posterior: xr.Dataset) -> str:
    """ "converged", or which criterion the worst parameter misses."""
    table = diagnostics(posterior)
    divergent = int(posterior["diverging"].sum())
    worst, least = table.iloc[table["r_hat"].argmax()], table.iloc[table["ess_bulk"].argmin()]
    misses = [
        f"{divergent} divergent transitions" if divergent else "",
        f"R-hat of {worst.parameter} is {worst.r_hat:.3f}" if not worst.r_hat < RHAT_LIMIT else "",
        f"bulk ESS of {least.parameter} is {least.ess_bulk:.0f}" if not least.ess_bulk > ESS_LIMIT else "",
    ]
    return "; ".join(filter(None, misses)) or "converged"


def r_hat(draws: Float[np.ndarray, "chain draw"]) -> float:
    """Rank-normalised split R-hat, of location and of spread: near 1 if the chains agree.

    >>> rng = np.random.default_rng(0)
    >>> r_hat(rng.normal(size=(4, 500))) < 1.01 < r_hat(rng.normal(size=(4, 500)) + np.arange(4)[:, None])
    True
    """
    folded = np.abs(draws - np.median(draws))
    return max(float(split_gelman_rubin(_normal_scores(d))) for d in (draws, folded))


def ess_bulk(draws: Float[np.ndarray, "chain draw"]) -> float:
    """Effective number of independent draws behind the middle of a posterior."""
    return _effective(_normal_scores(draws))


def ess_tail(draws: Float[np.ndarray, "chain draw"]) -> float:
    """The smaller effective number of draws behind the 5 % and the 95 % quantile."""
    below = [(draws <= np.quantile(draws, q)).astype(float) for q in TAILS]
    return min(_effective(b) for b in below)


def prior_predictive(data: AgeData, model: Model, *, key: int = 0, draws: int = 500) -> pd.DataFrame:
    """What the priors say of f_new before any data: by depth and time, mean and 5, 50, 95 % of the draws.

    Columns: depth_cm, labelling_years (classes of the archive's own layers), n, mean, lower, median, upper,
    below_0, above_1 (shares of simulated observations outside [0, 1], which scatter allows).
    """
    arrays = jax.tree.map(jnp.asarray, data.arrays)
    seen = jnp.ones(len(data.rows), bool)
    simulated = np.asarray(Predictive(model, num_samples=draws)(jax.random.key(key), arrays, seen)["f_new"])
    depth = pd.cut(data.rows["layer_mid"], [-np.inf, 10, 30, 60, 100, np.inf])
    years = pd.cut(data.rows["labelling_years"], [0, 10, 50, 200, np.inf])
    out = []
    for (z, t), rows in data.rows.groupby([depth, years], observed=True):
        values = simulated[:, rows.index.to_numpy()]
        lower, median, upper = np.quantile(values, (TAILS[0], 0.5, TAILS[1]))
        out.append(
            {
                "depth_cm": str(z),
                "labelling_years": str(t),
                "n": len(rows),
                "mean": values.mean(),
                "lower": lower,
                "median": median,
                "upper": upper,
                "below_0": (values < 0).mean(),
                "above_1": (values > 1).mean(),
            }
        )
    return pd.DataFrame(out)


def _scalars(posterior: xr.Dataset) -> Iterator[tuple[str, str, Float[np.ndarray, "chain draw"]]]:
    for name, values in posterior.data_vars.items():
        if name in NOT_PARAMETERS:
            continue
        rest = [d for d in values.dims if d not in ("chain", "draw")]
        arrays = values.transpose("chain", "draw", *rest).values.astype(float)
        unit = values.attrs.get("unit", "ln yr")
        if not rest:
            yield str(name), unit, arrays
        else:
            labels = values[rest[0]].values if rest[0] in values.coords else range(arrays.shape[2])
            for position, label in enumerate(labels):
                yield f"{name}[{label}]", unit, arrays[:, :, position]


def _normal_scores(draws: Float[np.ndarray, "chain draw"]) -> Float[np.ndarray, "chain draw"]:
    ranks = rankdata(draws).reshape(draws.shape)
    return ndtri((ranks - 0.375) / (draws.size + 0.25))


def _effective(draws: Float[np.ndarray, "chain draw"]) -> float:
    """Effective sample size of split chains; not a number where half a chain never moves."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(effective_sample_size(_halves(draws)))


def _halves(draws: Float[np.ndarray, "chain draw"]) -> Float[np.ndarray, "half draw"]:
    middle = draws.shape[1] // 2
    return np.concatenate([draws[:, :middle], draws[:, -middle:]])
