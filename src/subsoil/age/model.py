"""The hierarchical age model: new carbon as a function of depth and time, with a proper age distribution.

At depth z the carbon of profile i has the age distribution (`StretchedExponential`)

    F_i(t | z) = (1 - I(z)) (1 - exp(-(t / τ_i(z))^κ(z)))
    ln τ_i(z)  = a + b (1 - exp(-z / ζ)) + c z + u_i + v_i h(z)        h(z) = 1/2 - exp(-z / 0.25 m)
    ln κ(z)    = k + k' z            logit I(z) = q + q' z, q' > 0

rising in t, below 1 - I, and falling with depth where τ rises. The f of a layer is the mean of F over its
support at the labelling time. It is seen with a Student-t scatter whose variance is that of the layer's known
error, plus a discrepancy σ_0² + σ_1² f (1 - f): the model is no soil. u and v hold the covariates and what is
left to study, site and profile. Three siblings differ in the last part only:

``pooled``            no effects: all profiles share one distribution by depth and covariates
``unpooled``          every profile by itself: effects with a fixed wide prior, nothing learnt from the others
``partially_pooled``  u: study, site and profile share one variance; v: site; both variances are learnt

All have one signature: arrays of `subsoil.datasets.age_data` and a mask of the layers that are seen; without
``f_new`` they simulate. Priors: ``priors.toml``.
"""

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float

from subsoil.age.distributions import StretchedExponential, namespace
from subsoil.datasets import AgeArrays

CONTRAST_DEPTH = 0.25
"""Depth scale of the contrast h between subsoil and surface, m."""
UNPOOLED_SD = (1.5, 2.5)
"""Spread of u and v where nothing is learnt from other profiles: twice what the archive shows."""
CURVE = ("log_time_surface", "log_time_rise", "log_time_slope", "log_rise_depth", "log_shape",
         "log_shape_slope", "logit_inert", "log_inert_slope")  # fmt: skip
SPREAD = ("log_sd_time", "log_sd_depth")
SCATTER = ("log_sd_constant", "log_sd_binomial", "log_df")

Model = Callable[..., None]
Effects = tuple[Float[Array, " profile"], Float[Array, " profile"]]


@cache
def priors() -> Mapping[str, Mapping[str, Any]]:
    """The table of priors by parameter.

    >>> sorted(priors()["log_shape"])
    ['family', 'location', 'meaning', 'reference', 'scale', 'unit']
    """
    return tomllib.loads((files("subsoil.age") / "priors.toml").read_text("utf-8"))


def age_distribution(
    curve: Mapping[str, Any], depth: Any, time_effect: Any = 0.0, depth_effect: Any = 0.0
) -> StretchedExponential:
    """Age distribution of carbon at ``depth`` (m) for the parameters ``CURVE`` and effects u and v.

    Everything broadcasts: give parameters of many draws a trailing axis of length 1 for the depths. NumPy or
    JAX, as the arguments are.

    >>> curve = {name: priors()[name]["location"] for name in CURVE}
    >>> young = age_distribution(curve, jnp.array([0.05, 0.95])).cdf(50.0)
    >>> bool(young[0] > young[1])
    True
    """
    xp = namespace(depth, *(curve[name] for name in CURVE), time_effect, depth_effect)
    rise = -xp.expm1(-depth / xp.exp(curve["log_rise_depth"]))
    log_time = curve["log_time_surface"] + curve["log_time_rise"] * rise + curve["log_time_slope"] * depth
    log_time = log_time + time_effect + depth_effect * contrast(depth)
    logit_inert = curve["logit_inert"] + xp.exp(curve["log_inert_slope"]) * depth
    return StretchedExponential(
        time_scale=xp.exp(log_time),
        shape=xp.exp(curve["log_shape"] + curve["log_shape_slope"] * depth),
        inert=1.0 / (1.0 + xp.exp(-logit_inert)),
    )


def contrast(depth: Any) -> Any:
    """h(z) = 1/2 - exp(-z / 0.25 m): -1/2 at the surface, towards 1/2 in the subsoil.

    >>> float(contrast(0.0))
    -0.5
    """
    return 0.5 - namespace(depth).exp(-depth / CONTRAST_DEPTH)


def scatter(parameters: Mapping[str, Any], f: Any, f_se: Any) -> tuple[Any, Any]:
    """Degrees of freedom and scale of an observed f around its mean ``f``, given its known error ``f_se``."""
    xp = namespace(f, *(parameters[name] for name in SCATTER))
    constant, binomial = (xp.exp(2.0 * parameters[name]) for name in SCATTER[:2])
    variance = f_se**2 + constant + binomial * f * (1.0 - f)
    return 1.0 + xp.exp(parameters["log_df"]), xp.sqrt(variance)


def pooled(data: AgeArrays, seen: Bool[Array, " layer"], f_new: Float[Array, " layer"] | None = None) -> None:
    """One age distribution for all profiles."""
    none = jnp.zeros(data.years.shape)
    _layers(data, seen, f_new, (none, none))


def unpooled(
    data: AgeArrays, seen: Bool[Array, " layer"], f_new: Float[Array, " layer"] | None = None
) -> None:
    """Every profile by itself."""
    raw = numpyro.sample("profile_effect", dist.Normal().expand([*data.years.shape, 2]).to_event(2))
    _layers(data, seen, f_new, (UNPOOLED_SD[0] * raw[:, 0], UNPOOLED_SD[1] * raw[:, 1]))


def partially_pooled(
    data: AgeArrays, seen: Bool[Array, " layer"], f_new: Float[Array, " layer"] | None = None
) -> None:
    """Profiles of one site, and sites of one study, resemble each other as far as the data say.

    The total variance of u is one parameter and its split over the levels another (``level_share``): the
    total is well known, the split is not, and so the sampler moves freely.
    """
    sd_time, sd_depth = (jnp.exp(_drawn(name)) for name in SPREAD)
    share = jnp.sqrt(_drawn("level_share"))
    profile = numpyro.sample("profile_effect", dist.Normal().expand(data.years.shape).to_event(1))
    site = numpyro.sample("site_effect", dist.Normal().expand([*data.sites.shape, 2]).to_event(2))
    study = numpyro.sample("study_effect", dist.Normal().expand(data.studies.shape).to_event(1))
    levels = share[0] * profile + share[1] * site[data.site, 0] + share[2] * study[data.study]
    _layers(data, seen, f_new, (sd_time * levels, sd_depth * site[data.site, 1]))


def _layers(
    data: AgeArrays, seen: Bool[Array, " layer"], f_new: Float[Array, " layer"] | None, effects: Effects
) -> None:
    """What the siblings share: covariates, layer means and how they are seen."""
    curve = {name: _drawn(name) for name in CURVE}
    size = data.covariates.shape[1]
    both = [
        effect + (data.covariates @ _drawn(name, size) if size else 0.0)
        for effect, name in zip(effects, ("effect_time", "effect_depth"), strict=True)
    ]
    u = numpyro.deterministic("u", both[0])[data.profile][:, None]
    v = numpyro.deterministic("v", both[1])[data.profile][:, None]
    ages = age_distribution(curve, data.support, u, v)
    mean = ages.cdf(data.years[data.profile][:, None]).mean(axis=1)
    df, scale = scatter({name: _drawn(name) for name in SCATTER}, mean, data.f_new_se)
    numpyro.deterministic("f_mean", mean)
    with numpyro.handlers.mask(mask=seen):
        numpyro.sample("f_new", dist.StudentT(df, mean, scale), obs=f_new)


def _drawn(name: str, size: int | None = None) -> Any:
    """A parameter from its row in the table of priors."""
    row = priors()[name]
    if row["family"] == "dirichlet":
        return numpyro.sample(name, dist.Dirichlet(jnp.asarray(row["concentration"])))
    prior = dist.Normal(row["location"], row["scale"])
    return numpyro.sample(name, prior if size is None else prior.expand([size]).to_event(1))
