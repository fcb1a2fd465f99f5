"""What models are measured against: the floor, the ceiling and the noise, as predictions like any other.

**Floor**: depth alone. Each value is the mean of what the profiles of all other sites have over the same
interval of depth (`subsoil.benchmark.climatology`), whatever their time, climate and land use; these profiles
are the ensemble. Isochrones have no sites: theirs is the mean of the other ages at the same depth.

**Ceiling**: what the data themselves can tell of a site that was not looked at.

- f_new: the hierarchical age model, fitted without the site (`subsoil.benchmark.unseen`);
- stock_share, delta14c: the floor with each other profile weighted by how alike it is,
  w = L exp(-d_T^2 / 2 - d_A^2 / 2 - d_y^2 / 2), with d_T, d_A, d_y the differences of mean annual
  temperature, ln(P/PET) and, for 14C, year of sampling in units of `WIDTHS`, and L = 1 or, of another land
  use, 0.3. The widths are round numbers of ours, of a few that were tried: a rough ceiling, which a model
  can pass;
- isochrones: our own regression at the printed depths, with its standard error. It is fitted to the profiles
  behind the printed curves: not held out.

Its column for the questions: the age curves of the model without the site, on the mean stock of profiles of
other sites under the same land use that were sampled to 1 m.

**Noise**: the observation once more. A model that knew the truth would miss the observation by the error of
the latter; here the value misses it by as much, m = o + sigma e with e normal and independent, so its
expected rmse is sqrt(mean sigma^2), as for a perfect model. Errors of one profile hang together in truth
(shared references and plants), which leaves the expected rmse as it is and makes its interval wider than
shown here.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.special import ndtri

from subsoil.age import regression
from subsoil.age.carbon import layer_carbon
from subsoil.age.heldout import FOLDS
from subsoil.archive.harmonise import at_depths, cumulative_stocks
from subsoil.benchmark import climatology
from subsoil.benchmark.reference import TARGETS, Curves, Prediction, Reference
from subsoil.benchmark.unseen import COVARIATES, EDGES, KEY, Progress, Unseen, unseen
from subsoil.errors import BadCall

MEMBERS = 100
WIDTHS = {"mat": 6.0, "ln_p_pet": 0.6, "obs_year": 8.0}
"""Standard deviation of the weights: K, ln unit, yr."""
OTHER_LAND = 0.3
UNKNOWN = 1e-2
"""Weight where a number is not known for one of the two."""
LEAST = 1e-6
"""Weight of the least alike: so that there is a mean."""
ORDER = ["target", "site_id", "profile_id", "layer_top", "layer_bottom", "years", "obs_year", "observed",
         "sigma"]  # fmt: skip


def floor(reference: Reference, *, members: int = MEMBERS) -> Prediction:
    """Depth alone: the mean of other sites over each layer, with them as the ensemble (see the module).

    Values [members, value]. Missing where no other site was sampled.

    >>> from subsoil.benchmark.reference import PROFILES, VALUES
    >>> values = pd.DataFrame({name: ["", ""] for name in VALUES}).assign(target="f_new", site_id=["a", "b"],
    ...     profile_id=["a", "b"], layer_top=0.0, layer_bottom=10.0, observed=[0.3, 0.5], sigma=0.1)
    >>> profiles = pd.DataFrame({name: ["a", "b"] for name in PROFILES})
    >>> floor(Reference(values, profiles, "1.0")).values.mean(axis=0).round(3).tolist()
    [0.5, 0.3]
    """
    out = _nothing(reference, members)
    for target in TARGETS:
        rows, table = _observed(reference, target)
        if not len(rows):
            continue
        others = _other_ages(table) if target == "isochrone" else _others(table, target)
        out[:, rows] = climatology.condensed(others, members)
    notes = ("Mean of the other sites over the same depth interval; time, climate and land use are ignored.",)
    return Prediction("floor", "Floor: mean of other sites at the depth", out, notes=notes)


def noise(reference: Reference, *, seed: int = 0) -> Prediction:
    """The observation with its error once more, m = o + sigma e: what a perfect model would score.

    One draw, [1, value]; the same whatever the order of rows. Missing where sigma is 0, which is not known.
    """
    table = reference.values
    order = table.reset_index(drop=True).sort_values(ORDER, kind="stable").index.to_numpy()
    e = np.empty(len(table))
    e[order] = np.random.default_rng(seed).standard_normal(len(table))
    sigma = table["sigma"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        values = np.where(sigma > 0, table["observed"].to_numpy(float) + sigma * e, np.nan)
    notes = ("The observed value and a normal error of its size: what a perfect model would score.",)
    return Prediction("noise", "Noise: error of the observation", values[None], notes=notes)


def ceiling(
    layers: pd.DataFrame,
    reference: Reference,
    *,
    covariates: Sequence[str] = COVARIATES,
    key: int = KEY,
    folds: int = FOLDS,
    members: int = MEMBERS,
    cache: Path | None = None,
    progress: Progress = lambda step, done: None,
) -> Prediction:
    """What the data tell of a site that was not looked at (see the module), with curves for the questions.

    ``layers``: the new-carbon table behind the reference; ``covariates``, ``key``, ``folds`` and ``cache`` as
    in `subsoil.benchmark.unseen.unseen`. Sampling takes half a minute once; later calls read its result.
    Values [members, value]; f_new of layers that the table lacks is missing.

    Raises
    ------
    BadCall
        The table is empty, a covariate is unknown, or there are fewer sites than folds.
    """
    model = unseen(layers, covariates=covariates, key=key, folds=folds, draws=members, cache=cache,
                   progress=progress)  # fmt: skip
    out = _nothing(reference, members)
    rows = reference.rows("f_new")
    layer = _position(reference.values.iloc[rows], model.layers)
    out[:, rows[layer >= 0]] = model.f[:, layer[layer >= 0]]
    for target in ("stock_share", "delta14c"):
        rows, table = _observed(reference, target)
        if len(rows):
            weight = _alike(table, reference.profiles, target)
            out[:, rows] = climatology.condensed(_others(table, target), members, weight)
    notes = ["f_new: age model fitted without the site; stock and 14C: other sites, weighted by likeness."]
    rows, table = _observed(reference, "isochrone")
    try:
        out[:, rows] = _regressed(layers, table, members)
        notes.append("Isochrones: our regression, fitted to the profiles behind the printed curves.")
    except BadCall as why:
        notes.append(f"No isochrones: {why}")
    curves = _curves(layers, model)
    return Prediction("ceiling", "Ceiling: age model at sites left out", out, curves, notes=tuple(notes))


def _nothing(reference: Reference, members: int) -> Float[np.ndarray, "member value"]:
    if members < 2:
        raise BadCall(f"members={members}: an ensemble has at least 2, usually {MEMBERS}")
    return np.full((members, len(reference.values)), np.nan)


def _observed(reference: Reference, target: str) -> tuple[Int[np.ndarray, " value"], pd.DataFrame]:
    """Positions of the observed values of a target, and their rows, in an order of their own."""
    table = reference.values.reset_index(drop=True).iloc[reference.rows(target)]
    table = table[np.isfinite(table["observed"].to_numpy(float))].sort_values(ORDER, kind="stable")
    return table.index.to_numpy(), table


def _others(table: pd.DataFrame, target: str) -> Float[np.ndarray, "value profile"]:
    return climatology.shares(table) if target == "stock_share" else climatology.contents(table)


def _other_ages(table: pd.DataFrame) -> Float[np.ndarray, "value value"]:
    """The other values at the same depth."""
    depth, value = table["layer_top"].to_numpy(float), table["observed"].to_numpy(float)
    others = (depth[:, None] == depth) & ~np.eye(len(depth), dtype=bool)
    return np.where(others, value, np.nan)


def _alike(table: pd.DataFrame, profiles: pd.DataFrame, target: str) -> Float[np.ndarray, "value profile"]:
    """How alike the profile of each value and each other profile are: w of the module."""
    position, names = pd.factorize(table["profile_id"])
    known = profiles.set_index("profile_id").loc[names]
    columns = {"mat": known["mat"], "ln_p_pet": np.log(known["p_pet"])}
    if target == "delta14c":
        columns["obs_year"] = known["obs_year"]
    land = known["land_use"].to_numpy(str)
    weight = np.where(land[:, None] == land, 1.0, OTHER_LAND)
    for name, column in columns.items():
        x = column.to_numpy(float) / WIDTHS[name]
        apart = np.exp(-0.5 * (x[:, None] - x) ** 2)
        weight *= np.where(np.isfinite(apart), apart, UNKNOWN)
    return (weight + LEAST)[position]


def _position(values: pd.DataFrame, layers: pd.DataFrame) -> Int[np.ndarray, " value"]:
    """Position of the layer of each value, -1 where there is none; of equal layers the first is the first."""
    keys = ["profile_id", "layer_top", "layer_bottom"]
    both = [pd.MultiIndex.from_frame(t[keys].assign(n=t.groupby(keys).cumcount())) for t in (values, layers)]
    return both[1].get_indexer(both[0])


def _regressed(layers: pd.DataFrame, table: pd.DataFrame, members: int) -> Float[np.ndarray, "member value"]:
    """Our regression at the depths and ages of the isochrones, as quantiles of a normal of its error."""
    depths, ages = (sorted(set(table[name])) for name in ("layer_top", "years"))
    first = layers.drop_duplicates("profile_id")[["profile_id", "site_id", "mat", "latitude", "land_use"]]
    points = at_depths(layers, depths, "balesdent2018").dropna(subset=["f_new"])
    fitted = regression.regress(points.merge(first, on="profile_id", validate="m:1"))
    curves = regression.isochrones(fitted, ages).set_index(["depth_cm", "age_yr"])
    found = curves.loc[list(zip(table["layer_top"], table["years"], strict=True))]
    younger, error = (found[name].to_numpy(float) / 100.0 for name in ("percent_younger", "percent_se"))
    return younger + ndtri((np.arange(members) + 0.5) / members)[:, None] * error


def _curves(layers: pd.DataFrame, model: Unseen) -> Curves:
    """The age curves on the mean stock of other sites under the same land use."""
    stocks = layer_carbon(cumulative_stocks(layers, EDGES), depth_cm=EDGES).dropna()
    known = layers.drop_duplicates("profile_id").set_index("profile_id")
    own, other = known.loc[[*model.profile_id]], known.loc[stocks.index]
    away = own["site_id"].to_numpy(str)[:, None] != other["site_id"].to_numpy(str)
    alike = away & (own["land_use"].to_numpy(str)[:, None] == other["land_use"].to_numpy(str))
    used = np.where(alike.any(axis=1, keepdims=True), alike, away).astype(float)
    with np.errstate(invalid="ignore"):
        mean = used @ stocks.to_numpy(float) / used.sum(axis=1, keepdims=True)
    return Curves(model.profile_id, EDGES[:-1], EDGES[1:], mean, model.younger)
