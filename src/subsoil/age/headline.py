"""The headline numbers, with intervals, beside the published ones, and how far each choice moves them.

A number comes from three things: how young the carbon is at each depth (``AgeDraws``, of the published
regression or of any other age model), how much carbon there is in each layer (cumulative stocks), and a
``Choice`` of how the two are put together. The profiles are resampled by site, the same sample in the
regression and in the stocks: the interval holds what another set of sites would have changed, not the effect
of the choices, which ``choices`` shows. No number is tuned to the published one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from subsoil import published
from subsoil.age.carbon import DEPTHS, FACTORS, FULL_DEPTH, SAME_SAMPLE, complete, layer_carbon, median_depth
from subsoil.age.leastsquares import fit_biexponential
from subsoil.age.regression import METHOD, ProfileValues, profile_values
from subsoil.age.subsets import CANDIDATES, TROPICAL, WORLD, Subset, needed
from subsoil.errors import BadCall

SUBSOIL = DEPTHS[:-1] >= 30
"""Layers of 30-100 cm."""
RECENT = 50.0
"""Age that divides new from old carbon in the headline numbers, yr."""
AREA = {"crop": 1573.0, "grassland": 3208.0, "forest": 4050.0}
"""Land of the world in 2022, million ha (cropland, permanent meadows and pastures, forest): FAO 2024,
Land statistics 2001-2022."""
AS_PUBLISHED, OWN_TIME = "as published", "each profile's own labelling time"
PROFILES, DENSITY, LAND_AREA = "mean over profiles", "mean carbon density", "land-use area"
WEIGHTINGS = (AS_PUBLISHED, PROFILES, DENSITY, LAND_AREA)
EXTRAPOLATIONS = (AS_PUBLISHED, FACTORS, SAME_SAMPLE, FULL_DEPTH)


@dataclass(frozen=True)
class Number:
    """What a headline number is: unit, its name in ``published.headline()`` and meaning."""

    unit: str
    published: str
    meaning: str


NUMBERS = {
    "subsoil_stock_share": Number(
        "%", "soc_stock_share_30_100cm", "C stock of 0-100 cm that lies below 30 cm"
    ),
    "subsoil_new_share_50yr": Number(
        "%", "recent_soc_share_30_100cm", "C of 0-100 cm younger than 50 yr that lies below 30 cm"
    ),
    "topsoil_new_share_50yr": Number(
        "%",
        "soc_renewed_50yr_share_0_30cm_world_approx",
        "C of 0-100 cm younger than 50 yr that lies above 30 cm",
    ),
    "median_depth_new_50yr": Number(
        "cm", "median_depth_recent_incorporation", "depth above which half of the C younger than 50 yr lies"
    ),
    "new_fraction_0_100_50yr": Number(
        "%", "soc_renewed_50yr_0_100cm_world", "C of 0-100 cm younger than 50 yr"
    ),
    "new_carbon_0_100_50yr": Number("kg m-2", "", "stock of C younger than 50 yr in 0-100 cm"),
    "new_fraction_0_30_50yr_tropical": Number(
        "%",
        "tropical_age_below_50yr_0_30cm",
        "C of 0-30 cm younger than 50 yr, tropical grassland and forest",
    ),
    "new_fraction_30_100_50yr_tropical": Number(
        "%",
        "tropical_age_below_50yr_30_100cm",
        "C of 30-100 cm younger than 50 yr, tropical grassland and forest",
    ),
    "young_ratio_tropical": Number(
        "ratio", "", "the first of these two shares over the second, same profiles"
    ),
    "median_age_0cm": Number(
        "yr", "tropical_median_age_0cm", "median age of C at the surface, same profiles"
    ),
    "median_age_100cm": Number("yr", "tropical_median_age_100cm", "median age of C at 100 cm, same profiles"),
    "profiles": Number("count", "sites", "profiles with new carbon"),
    "sites": Number("count", "", "coordinate pairs"),
    "studies": Number("count", "studies_approx", "source studies"),
    "profiles_tropical": Number("count", "tropical_profiles", "profiles in the tropical subset"),
}


@dataclass(frozen=True)
class Choice:
    """How a headline number is made.

    ``world``, ``tropical``: which profiles.
    ``weighting``: ``PROFILES`` averages the shares of the profiles; ``DENSITY`` takes the share of their mean
    carbon; ``LAND_AREA`` does so with each land use weighted by its area on earth, in the regression too;
    ``AS_PUBLISHED`` is ``PROFILES`` for the share of the stock and ``DENSITY`` for the rest.
    ``to_one_metre``: profiles that end above 1 m are completed with the paper's ``FACTORS`` or with the ratio
    over the same full-depth profiles (``SAME_SAMPLE``), or left out (``FULL_DEPTH``); ``AS_PUBLISHED`` is
    ``FACTORS`` for stocks and ``FULL_DEPTH`` for the mean carbon that weights the age curves.
    ``age_model``: ``AS_PUBLISHED`` (regression), ``OWN_TIME`` (new carbon since each profile's own change of
    plants), or a name of the caller.
    """

    world: Subset = WORLD
    tropical: Subset = TROPICAL
    weighting: str = AS_PUBLISHED
    to_one_metre: str = AS_PUBLISHED
    age_model: str = AS_PUBLISHED

    def __post_init__(self) -> None:
        for name, known in (("weighting", WEIGHTINGS), ("to_one_metre", EXTRAPOLATIONS)):
            if getattr(self, name) not in known:
                raise BadCall(f"{name}={getattr(self, name)!r}: expected one of {', '.join(known)}")


@dataclass(frozen=True)
class AgeDraws:
    """An age model at ``DEPTHS``: row 0 the estimate, the rows below it draws (bootstrap or posterior).

    ``younger`` share of the carbon younger than ``RECENT`` (fraction); ``median_age`` yr, infinity where half
    of the carbon never turns over; ``n`` profiles behind each depth.
    """

    method: str
    younger: Float[np.ndarray, "draw depth"]
    median_age: Float[np.ndarray, "draw depth"]
    n: np.ndarray

    def __post_init__(self) -> None:
        for item in fields(self)[1:3]:
            shape = getattr(self, item.name).shape
            if shape[1:] != DEPTHS.shape or shape[0] < 1:
                raise BadCall(
                    f"{item.name} has shape {shape}: expected [draw, {len(DEPTHS)}], estimate first"
                )


def site_weights(sites: pd.Series, replicates: int, key: int) -> Float[np.ndarray, "draw profile"]:
    """Weights of the profiles: a row of ones, then bootstrap samples that draw whole sites.

    >>> site_weights(pd.Series(["a", "a", "b"]), 2, key=0).shape
    (3, 3)
    """
    codes, names = pd.factorize(sites)
    rng = np.random.default_rng(key)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=replicates)
    return np.vstack([np.ones(len(codes)), counts[:, codes]]).astype(float)


def regression_draws(
    values: ProfileValues, subset: Subset, weights: Float[np.ndarray, "draw profile"]
) -> AgeDraws:
    """The published regression at ``DEPTHS``, once for every row of profile weights."""
    keep = subset.mask(values.profiles)
    f_new = values.without_soil(subset)[keep]
    columns = [int(np.flatnonzero(values.depth_cm == depth)[0]) for depth in DEPTHS]
    fits = [
        fit_biexponential(values.years[keep], f_new[:, c], weights[:, keep]).distribution for c in columns
    ]
    return AgeDraws(
        METHOD,
        np.stack([d.cdf(RECENT) for d in fits], axis=1),
        np.stack([d.quantile(np.full(len(weights), 0.5)) for d in fits], axis=1),
        np.isfinite(f_new[:, columns]).sum(axis=0),
    )


def _ratio(
    part: Float[np.ndarray, "draw profile"],
    whole: Float[np.ndarray, "draw profile"],
    weights: Float[np.ndarray, "draw profile"],
    by_profile: bool,
) -> Float[np.ndarray, " draw"]:
    if by_profile:
        return (weights * part / whole).sum(axis=1) / weights.sum(axis=1)
    return (weights * part).sum(axis=1) / (weights * whole).sum(axis=1)


Draws = dict[str, tuple[Float[np.ndarray, " draw"], int]]


@dataclass(frozen=True)
class _Data:
    """Profiles, their carbon on 10-cm layers and the bootstrap weights; fits are kept once made."""

    values: ProfileValues
    total: Float[np.ndarray, "profile layer"]
    new: Float[np.ndarray, "profile layer"]
    weights: Float[np.ndarray, "draw profile"]
    fits: dict[tuple[Subset, bool], AgeDraws] = field(default_factory=dict)

    def weighted(
        self, keep: Bool[np.ndarray, " profile"], by_area: bool
    ) -> Float[np.ndarray, "draw profile"]:
        """Weights that are zero outside ``keep``; by area, each land use has the weight of its area."""
        w = self.weights * keep
        if not by_area:
            return w
        uses = self.values.profiles["land_use"].to_numpy()
        scaled = np.zeros_like(w)
        for use, area in AREA.items():
            of_use = w * (uses == use)
            count = of_use.sum(axis=1, keepdims=True)
            scaled += of_use * area / np.where(count > 0, count, 1)
        return scaled

    def ages(self, subset: Subset, by_area: bool) -> AgeDraws:
        """The regression over a subset, fitted once."""
        if (subset, by_area) not in self.fits:
            keep = subset.mask(self.values.profiles)
            fitted = regression_draws(self.values, subset, self.weighted(keep, by_area))
            self.fits[subset, by_area] = fitted
        return self.fits[subset, by_area]


def _prepare(table: pd.DataFrame, stocks: pd.DataFrame, replicates: int, key: int) -> _Data:
    values = profile_values(table)
    absent = sorted(set(DEPTHS.tolist()) - set(values.depth_cm.tolist()))
    if absent:
        raise BadCall(f"the table lacks depths {absent} cm; pass values at 0, 10, ... 100 cm")
    unknown = set(needed(stocks, "profile_id")) - set(values.profiles["profile_id"])
    if unknown:
        raise BadCall(f"stocks of profiles that the table lacks: {', '.join(sorted(unknown)[:3])} ...")
    total, new = (
        layer_carbon(stocks, column, DEPTHS).reindex(values.profiles["profile_id"]).to_numpy(float)
        for column in ("soc_stock_cum", "new_soc_stock_cum")
    )
    return _Data(values, total, new, site_weights(values.profiles["site_id"], replicates, key))


def _layers(
    data: _Data, choice: Choice, subset: Subset, ages: AgeDraws | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Total and new carbon [draw, profile, layer] and weights of the profiles that have both."""
    rule = choice.to_one_metre
    if rule == AS_PUBLISHED:
        rule = FACTORS if ages is None else FULL_DEPTH
    total = complete(data.total, data.weights, rule, "total")
    if ages is None:
        new = complete(data.new, data.weights, rule, "new")
    else:
        new = total * (0.5 * (ages.younger[:, :-1] + ages.younger[:, 1:]))[:, None, :]
    keep = (
        subset.mask(data.values.profiles)
        & np.isfinite(total[0]).all(axis=1)
        & np.isfinite(new[0]).all(axis=1)
    )
    weights = data.weighted(keep, choice.weighting == LAND_AREA)[:, keep]
    return total[:, keep], new[:, keep], weights


def _stock_share(data: _Data, choice: Choice) -> Draws:
    rule = FACTORS if choice.to_one_metre == AS_PUBLISHED else choice.to_one_metre
    total = complete(data.total, data.weights, rule, "total")
    keep = choice.world.mask(data.values.profiles) & np.isfinite(total[0]).all(axis=1)
    weights = data.weighted(keep, choice.weighting == LAND_AREA)[:, keep]
    total = total[:, keep]
    by_profile = choice.weighting in (AS_PUBLISHED, PROFILES)
    share = _ratio(total[..., SUBSOIL].sum(-1), total.sum(-1), weights, by_profile)
    return {"subsoil_stock_share": (100 * share, int(keep.sum()))}


def _world_numbers(data: _Data, choice: Choice, ages: AgeDraws | None) -> Draws:
    total, new, weights = _layers(data, choice, choice.world, ages)
    by_profile = choice.weighting == PROFILES
    new_all, n = new.sum(-1), total.shape[1]
    share = _ratio(new[..., SUBSOIL].sum(-1), new_all, weights, by_profile)
    mean_new = np.einsum("dp,dpl->dl", weights, new) / weights.sum(axis=1, keepdims=True)
    if by_profile:
        depth = (weights * median_depth(new)).sum(axis=1) / weights.sum(axis=1)
    else:
        depth = median_depth(mean_new)
    return {
        "subsoil_new_share_50yr": (100 * share, n),
        "topsoil_new_share_50yr": (100 * (1 - share), n),
        "median_depth_new_50yr": (depth, n),
        "new_fraction_0_100_50yr": (100 * _ratio(new_all, total.sum(-1), weights, by_profile), n),
        "new_carbon_0_100_50yr": (mean_new.sum(axis=1), n),
    }


def _tropical_numbers(data: _Data, choice: Choice, ages: AgeDraws | None) -> Draws:
    total, new, weights = _layers(data, choice, choice.tropical, ages)
    by_profile = choice.weighting == PROFILES
    numbers: Draws = {}
    for name, part in (("0_30", ~SUBSOIL), ("30_100", SUBSOIL)):
        share = _ratio(new[..., part].sum(-1), total[..., part].sum(-1), weights, by_profile)
        numbers[f"new_fraction_{name}_50yr_tropical"] = (100 * share, total.shape[1])
    (above, n), (below, _) = numbers.values()
    numbers["young_ratio_tropical"] = (above / below, n)
    if ages is not None:
        numbers["median_age_0cm"] = (ages.median_age[:, 0], int(ages.n[0]))
        numbers["median_age_100cm"] = (ages.median_age[:, -1], int(ages.n[-1]))
    return numbers


def _numbers(data: _Data, choice: Choice, ages: Mapping[str, AgeDraws] | None) -> Draws:
    by_area = choice.weighting == LAND_AREA
    world: AgeDraws | None = None
    tropical: AgeDraws | None = None
    if ages is not None:
        world, tropical = ages["world"], ages["tropical"]
    elif choice.age_model == AS_PUBLISHED:
        world, tropical = data.ages(choice.world, by_area), data.ages(choice.tropical, by_area)
    elif choice.age_model != OWN_TIME:
        raise BadCall(
            f"age_model={choice.age_model!r}: pass its AgeDraws as ages={{'world': .., 'tropical': ..}}"
        )
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a draw without a profile gives NaN, and is left out
        numbers = _stock_share(data, choice) | _world_numbers(data, choice, world)
        return numbers | _tropical_numbers(data, choice, tropical)


def _counts(data: _Data, choice: Choice) -> Draws:
    profiles = data.values.profiles
    counts = {
        "profiles": len(profiles),
        "sites": profiles["site_id"].nunique(),
        "profiles_tropical": int(choice.tropical.mask(profiles).sum()),
    }
    if "study_id" in profiles:
        counts["studies"] = profiles["study_id"].nunique()
    return {name: (np.array([float(count)]), count) for name, count in counts.items()}


def interval(draws: Float[np.ndarray, " draw"]) -> tuple[float, float, float]:
    """Value (row 0) and the 2.5 and 97.5 percentiles of the draws below it; infinite draws count as such.

    >>> interval(np.array([2.0, 1.0, 2.0, 3.0]))
    (2.0, 1.0, 3.0)
    """
    rest = draws[1:][~np.isnan(draws[1:])]
    if not len(rest):
        return float(draws[0]), np.nan, np.nan
    lower, upper = np.quantile(rest, [0.025, 0.975], method="closest_observation")
    return float(draws[0]), float(lower), float(upper)


def _draw_count(ages: Mapping[str, AgeDraws] | None, replicates: int) -> int:
    if ages is None:
        return replicates
    if set(ages) < {"world", "tropical"}:
        raise BadCall(f"ages has {sorted(ages)}: expected AgeDraws for 'world' and 'tropical'")
    counts = {len(ages[name].younger) for name in ("world", "tropical")}
    if len(counts) > 1:
        raise BadCall(f"ages of world and tropical have {sorted(counts)} draws: give both the same number")
    return counts.pop() - 1


def headline(
    table: pd.DataFrame,
    stocks: pd.DataFrame,
    *,
    key: int = 0,
    replicates: int = 500,
    choice: Choice | None = None,
    ages: Mapping[str, AgeDraws] | None = None,
) -> pd.DataFrame:
    """The headline numbers: name, value, lower, upper, unit, n, published, source; order of ``NUMBERS``.

    ``table``: f_new by profile and depth (see ``regression.regress``) at 0, 10, ... 100 cm with covariates.
    ``stocks``: profile_id, depth_cm, soc_stock_cum, new_soc_stock_cum (kg C m-2 from the surface down to the
    depth) at the same depths, NaN or absent below the last sample. ``ages``: draws of another age model for
    "world" and "tropical", which then stand in for the regression whatever ``choice.age_model`` says.
    lower and upper are 95 % percentile limits (an infinite age: half of the carbon never turns over); ``n``
    profiles behind the number; ``source`` where the published value is stated.

    Raises
    ------
    BadCall
        A column or depth is missing, a stock has no profile in the table, or draws do not fit together.
    """
    made = choice or Choice()
    draws = _draw_count(ages, replicates)
    data = _prepare(table, stocks, draws, key)
    numbers = _numbers(data, made, ages) | _counts(data, made)
    stated = published.headline().set_index("name")
    rows = []
    for name, number in NUMBERS.items():
        if name not in numbers:
            continue
        values, n = numbers[name]
        value, lower, upper = interval(values)
        there = number.published in stated.index
        row = {"name": name, "value": value, "lower": lower, "upper": upper, "unit": number.unit, "n": n}
        row["published"] = float(stated["value"][number.published]) if there else np.nan
        row["source"] = f"{stated['where_stated'][number.published]}, doi:{published.DOI}" if there else ""
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.attrs = {
        "method": METHOD if ages is None else ages["world"].method,
        "interval": f"95 %, {draws} draws; profiles resampled by site, key {key}",
        "meaning": {name: number.meaning for name, number in NUMBERS.items()},
        "units": dict(zip(frame["name"], frame["unit"], strict=True)),
    }
    return frame


def _options(models: Mapping[str, Mapping[str, AgeDraws]]) -> Iterator[tuple[str, str, Choice]]:
    """(choice, option, how) for every option, one choice changed at a time."""
    for subset in CANDIDATES:
        yield "subset", subset.name, Choice(world=subset, tropical=subset)
    for option in WEIGHTINGS:
        yield "weighting", option, Choice(weighting=option)
    for option in EXTRAPOLATIONS:
        yield "extrapolation to 1 m", option, Choice(to_one_metre=option)
    for option in (AS_PUBLISHED, OWN_TIME, *models):
        yield "age model", option, Choice(age_model=option)
    yield "age model", f"{OWN_TIME}, {PROFILES}", Choice(age_model=OWN_TIME, weighting=PROFILES)


def choices(
    table: pd.DataFrame,
    stocks: pd.DataFrame,
    *,
    key: int = 0,
    replicates: int = 200,
    models: Mapping[str, Mapping[str, AgeDraws]] | None = None,
) -> pd.DataFrame:
    """How each choice moves each number: name, choice, option, value, lower, upper, n.

    One choice changes at a time, the others stay as published. ``models``: further age models by name, each
    with ``AgeDraws`` for "world" and "tropical". Other arguments as in ``headline``. With ``OWN_TIME`` the
    new carbon is that since each profile's change of plants (4 to 4000 yr), not of 50 yr, and ages are not
    defined; the mean over profiles stands beside it, as the workbook's own shares are such means.
    """
    further = models or {}
    data = _prepare(table, stocks, replicates, key)
    rows = []
    for name_of_choice, option, choice in _options(further):
        ages = further.get(choice.age_model)
        resampled = data
        if ages is not None:
            weights = site_weights(data.values.profiles["site_id"], _draw_count(ages, 0), key)
            resampled = replace(data, weights=weights, fits={})
        for name, (values, n) in _numbers(resampled, choice, ages).items():
            value, lower, upper = interval(values)
            rows.append((name, name_of_choice, option, value, lower, upper, n))
    frame = pd.DataFrame(rows, columns=["name", "choice", "option", "value", "lower", "upper", "n"])
    order = {name: i for i, name in enumerate(NUMBERS)}
    return frame.sort_values("name", key=lambda s: s.map(order), kind="stable").reset_index(drop=True)
