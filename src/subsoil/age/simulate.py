"""A simulated archive with a known age distribution: for the demonstration, and to test what recovers it.

The truth is bi-exponential at every depth. The four free numbers of ``distributions.from_unconstrained`` are
those of the curves of the 2018 paper, on straight lines in g(z) = ln(1 + z / 10 cm) between its depths and
constant below 1 m, so the mean simulated soil is the one of the paper. Studies, sites and profiles turn over
faster or slower and place carbon deeper or shallower than the mean; temperature, aridity and cropping have
known effects. Nothing here is an observation: every name says "simulated".
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil import published
from subsoil.age.distributions import BiExponential, from_unconstrained, to_unconstrained
from subsoil.archive.schema import Archive, typed
from subsoil.constants import CM_PER_M
from subsoil.errors import BadCall
from subsoil.newcarbon import END_MEMBER_SIGMA, new_carbon

SOURCE = "simulated"
SCHEMES = (
    (0, 5, 10, 20, 30, 50, 70, 100),
    (0, 10, 20, 30, 40, 60, 80, 100),
    (0, 10, 30, 60, 100, 150),
    (0, 15, 30, 45, 60),
    (0, 5, 15, 30, 60, 80),
    (0, 10, 20, 40, 60, 100),
)
"""Bounds of the sampled layers, cm; one scheme a study."""
TIMES = ((0.15, 4, 10), (0.58, 11, 50), (0.19, 60, 200), (0.08, 1000, 4000))
"""Share of the profiles and range of labelling times (yr), as in the 2018 workbook."""
LAND_USES = ("crop", "grassland", "forest")
LAND_COVER = {"crop": "cultivated", "grassland": "rangeland/grassland", "forest": "forest"}
POINTS, POINT_WEIGHTS = np.polynomial.legendre.leggauss(5)


@dataclass(frozen=True)
class Truth:
    """What the simulation knows. Effects add to the free numbers of the age distribution.

    ``study_speed``, ``site_speed``, ``profile_speed``: standard deviations of an effect on both ln(rate);
    ``study_depth``, ``site_depth``: of a relative effect on the gradient with depth. ``speed_per_10_degc``:
    effect on ln(rate) per 10 degC above 20; ``depth_per_ln_p_pet``: relative effect on the gradient per unit
    of ln(P/PET), positive where humid soils hold new carbon nearer to the surface; ``crop``: effect on
    ln(share) of both pools at the surface of cropland, fading over 30 cm. ``discrepancy``: standard deviation
    of f in a layer beyond the error of measurement.
    """

    study_speed: float = 0.3
    site_speed: float = 0.3
    profile_speed: float = 0.2
    study_depth: float = 0.1
    site_depth: float = 0.1
    speed_per_10_degc: float = 0.3
    depth_per_ln_p_pet: float = 0.1
    crop: float = -0.5
    discrepancy: float = 0.04

    def distribution(
        self,
        depth_cm: Float[np.ndarray, "*batch"],
        speed: Float[np.ndarray, "*batch"] | float = 0.0,
        gradient: Float[np.ndarray, "*batch"] | float = 0.0,
        share: Float[np.ndarray, "*batch"] | float = 0.0,
    ) -> BiExponential:
        """The age distribution at a depth (cm); without effects that of the mean soil.

        >>> mean = Truth().distribution(np.array([0.0, 100.0]))
        >>> mean.limit.round(2).tolist()
        [0.95, 0.6]
        """
        knots, numbers = _published_numbers()
        g = (1 + np.asarray(gradient)) * np.log1p(depth_cm / 10)
        free = np.stack([np.interp(g, knots, column) for column in numbers.T], axis=-1)
        fading = np.asarray(share) * np.exp(-depth_cm / 30)
        return from_unconstrained(
            free + np.stack([fading, fading, speed + 0 * fading, speed + 0 * fading], -1)
        )


MEAN_SOIL = Truth(*[0.0] * 9)
"""All soils alike: only the errors of measurement are left."""


@cache
def _published_numbers() -> tuple[Float[np.ndarray, " knot"], Float[np.ndarray, "knot 4"]]:
    """The depths of the paper's curves as g(z), and their four free numbers."""
    curves = published.biexponential()
    names = ("fast_share", "fast_rate", "slow_share", "slow_rate")
    free = to_unconstrained(BiExponential(*(curves[name].to_numpy() for name in names)))
    return np.log1p(curves["depth_cm"].to_numpy() / 10), free


def simulate_archive(key: int = 0, n_profiles: int = 112, truth: Truth | None = None) -> Archive:
    """An archive of simulated C3/C4 pairs, ``simulated=True``; the same for the same key.

    ``n_profiles`` study profiles, each beside its reference profile, in some half as many studies.

    Raises
    ------
    BadCall
        ``n_profiles`` is below 1.

    >>> archive = simulate_archive(key=1, n_profiles=3)
    >>> archive.simulated, archive.metadata["entry_name"].tolist()[0]
    (True, 'S001 simulated')
    """
    return _as_archive(*_draw(key, n_profiles, truth or Truth()))


def simulate_table(key: int = 0, n_profiles: int = 112, truth: Truth | None = None) -> pd.DataFrame:
    """The new-carbon table of ``simulate_archive`` with the truth beside it.

    Columns of ``newcarbon.new_carbon`` and f_true: the share of the layer's carbon that is younger than the
    labelling time (fraction), before the discrepancy and the errors of measurement. ``attrs["truth"]`` holds
    the ``Truth``.

    >>> bool(simulate_table(key=1, n_profiles=3).f_true.between(0, 1).all())
    True
    """
    made = truth or Truth()
    profiles, layers = _draw(key, n_profiles, made)
    table = new_carbon(_as_archive(profiles, layers))
    known = layers[["entry_name", "lyr_name", "f_true"]]
    with_truth = table.merge(known, on=["entry_name", "lyr_name"], how="left", validate="1:1")
    with_truth.attrs = table.attrs | {"truth": made, "simulated": True}
    return with_truth


# ---- draws ------------------------------------------------------------------------------------------------


def _draw(key: int, n_profiles: int, truth: Truth) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row a profile, one row a layer, with what is true and what is measured."""
    if n_profiles < 1:
        raise BadCall(f"n_profiles={n_profiles}: expected at least 1")
    rng = np.random.default_rng(key)
    profiles = _profiles(rng, n_profiles, truth)
    layers = _layers(profiles)
    layers["f_true"] = _true_share(layers, truth)
    return profiles, _measured(rng, layers, truth)


def _profiles(rng: np.random.Generator, n: int, truth: Truth) -> pd.DataFrame:
    study = np.repeat(np.arange(n), rng.integers(1, 5, size=n))[:n]
    within = np.arange(n) - np.searchsorted(study, study)
    _, site = np.unique(study * n + within // 2, return_inverse=True)
    frame = pd.DataFrame({"study": study, "site": site})
    frame["entry_name"] = [f"S{i:03d} simulated" for i in range(1, n + 1)]
    frame = frame.join(_places(rng, n), on="site")
    frame["scheme"] = rng.integers(len(SCHEMES), size=n)[study]
    frame["obs_year"] = rng.integers(1980, 2016, size=n)[study].astype(float)
    frame["land_use"] = rng.choice(LAND_USES, p=(0.36, 0.34, 0.30), size=n)
    frame["years"] = _times(rng, n)
    to_c4 = rng.random(n) < 0.65
    frame["label_type"] = np.where(to_c4, "C4vsC3", "C3vsC4")
    frame["contrast"] = np.where(to_c4, 1, -1) * rng.normal(13.5, 1.2, size=n)[study]
    frame["speed"] = (
        truth.speed_per_10_degc * (frame["mat"] - 20) / 10
        + rng.normal(0, truth.study_speed, size=n)[study]
        + rng.normal(0, truth.site_speed, size=n)[site]
        + rng.normal(0, truth.profile_speed, size=n)
    )
    frame["gradient"] = (
        truth.depth_per_ln_p_pet * np.log(frame["p_pet"])
        + rng.normal(0, truth.study_depth, size=n)[study]
        + rng.normal(0, truth.site_depth, size=n)[site]
    )
    frame["share"] = truth.crop * (frame["land_use"] == "crop")
    frame["surface_c"] = rng.lognormal(np.log(2.2), 0.5, size=n)
    frame["c_depth"] = rng.uniform(15, 45, size=n)
    frame["replicates"] = rng.integers(3, 8, size=n)[study].astype(float)
    frame["spread"] = rng.lognormal(np.log(0.5), 0.4, size=n)[study]
    frame["spread_printed"] = (rng.random(n) < 0.65)[study]
    frame["has_stock"] = (rng.random(n) < 0.9)[study]
    return frame


def _places(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Sites: mostly warm, some cool; drier and wetter ones at every temperature."""
    latitude = np.where(rng.random(n) < 0.65, rng.uniform(-24, 24, n), rng.uniform(29, 48, n))
    mat = np.clip(27 - 0.5 * np.clip(np.abs(latitude) - 12, 0, None) + rng.normal(0, 1.5, n), 4, 28)
    rain = np.clip(rng.lognormal(np.log(1200), 0.5, n), 250, 4500)
    return pd.DataFrame(
        {
            "latitude": latitude.round(3),
            "longitude": rng.uniform(-180, 180, n).round(3),
            "mat": mat.round(1),
            "map": rain.round(0),
            "p_pet": (rain / (500 + 45 * mat)).round(3),
            "clay": rng.uniform(5, 75, n).round(0),
        }
    )


def _times(rng: np.random.Generator, n: int) -> Float[np.ndarray, " profile"]:
    share, low, high = (np.array(column, float) for column in zip(*TIMES, strict=True))
    group = rng.choice(len(TIMES), p=share, size=n)
    return np.exp(rng.uniform(np.log(low[group]), np.log(high[group]))).round(0)


def _layers(profiles: pd.DataFrame) -> pd.DataFrame:
    """A row for each layer with the attributes of its profile and its carbon."""
    bounds = [
        (i, float(top), float(bottom))
        for i, scheme in enumerate(profiles["scheme"])
        for top, bottom in zip(SCHEMES[scheme][:-1], SCHEMES[scheme][1:], strict=True)
    ]
    layers = pd.DataFrame(bounds, columns=["profile", "top", "bottom"])
    layers = layers.join(profiles, on="profile")
    layers["lyr_name"] = [
        f"{top:g}-{bottom:g}" for top, bottom in zip(layers["top"], layers["bottom"], strict=True)
    ]
    middle = 0.5 * (layers["top"] + layers["bottom"])
    layers["c_org"] = (layers["surface_c"] * np.exp(-middle / layers["c_depth"]) + 0.2).round(3)
    layers["bulk_density"] = (1.1 + 0.4 * (1 - np.exp(-middle / 40))).round(3)
    return layers


def _true_share(layers: pd.DataFrame, truth: Truth) -> Float[np.ndarray, " layer"]:
    """Carbon-weighted mean over the layer of the share younger than the labelling time (5-point Gauss)."""
    top, bottom, years, c_depth, speed, gradient, share = (
        layers[name].to_numpy(float)[:, None]
        for name in ("top", "bottom", "years", "c_depth", "speed", "gradient", "share")
    )
    depth = 0.5 * (top + bottom) + 0.5 * (bottom - top) * POINTS
    weights = POINT_WEIGHTS * np.exp(-depth / c_depth)
    spread = np.zeros_like(depth)
    younger = truth.distribution(depth, speed + spread, gradient + spread, share + spread).cdf(years)
    return np.asarray((weights * younger).sum(axis=1) / weights.sum(axis=1))


def _measured(rng: np.random.Generator, layers: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    """δ13C of layers and references with the error of their means, and the printed difference of the plants.

    Profiles of one site share the reference, so its errors are drawn once for each site and layer.
    """
    n = len(layers)
    old_plants = np.where(layers["label_type"] == "C4vsC3", -26.0, -13.0)
    reference = old_plants + 2 * (1 - np.exp(-0.5 * (layers["top"] + layers["bottom"]) / 30))
    f = layers["f_true"] + rng.normal(0, truth.discrepancy, size=n)
    replicates, spread = layers["replicates"].to_numpy(), layers["spread"].to_numpy()
    mean_error = spread / np.sqrt(replicates)
    printed = np.where(layers["spread_printed"], spread, np.nan)
    sd, ref_sd = (printed * np.sqrt(rng.chisquare(replicates - 1) / (replicates - 1)) for _ in range(2))
    row = pd.Series(np.arange(n))
    same = (
        row.groupby([layers["site"], layers["label_type"], layers["lyr_name"]]).transform("first").to_numpy()
    )
    plants_error = rng.normal(0, END_MEMBER_SIGMA, size=n)[layers["study"].to_numpy()]
    return layers.assign(
        d13c=(reference + f * layers["contrast"] + mean_error * rng.normal(size=n)).round(2),
        d13c_sd=sd.round(3),
        ref_d13c=(reference + mean_error * rng.normal(size=n)[same]).round(2),
        ref_d13c_sd=ref_sd[same].round(3),
        printed_contrast=(layers["contrast"] + plants_error).round(1),
    )


# ---- tables -----------------------------------------------------------------------------------------------


def _as_archive(profiles: pd.DataFrame, layers: pd.DataFrame) -> Archive:
    pro = pd.concat([_study_profiles(profiles), _reference_profiles(profiles)], ignore_index=True)
    lyr = pd.concat([_study_layers(layers), _reference_layers(layers)], ignore_index=True)
    return Archive(
        metadata=typed("metadata", _metadata(profiles)),
        site=typed("site", _sites(profiles)),
        profile=typed("profile", pro),
        layer=typed("layer", lyr),
        source=SOURCE,
        simulated=True,
    )


def _metadata(profiles: pd.DataFrame) -> pd.DataFrame:
    number = (profiles["study"] + 1).map("{:03d}".format)
    return pd.DataFrame(
        {
            "entry_name": profiles["entry_name"],
            "bibliographical_reference": "Simulated study " + number + ": no such paper exists",
            "metadata_note": "Simulated by subsoil, not observed",
            "study_id": "Simulated " + number,
        }
    )


def _names(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    site = "simulated site " + (rows["site"] + 1).map("{:03d}".format)
    return pd.DataFrame({"entry_name": rows["entry_name"], "site_name": site, "pro_name": name})


def _reference_name(rows: pd.DataFrame) -> pd.Series:
    return "simulated reference " + (rows["site"] + 1).map("{:03d}".format) + " " + rows["label_type"].str[4:]


def _sites(profiles: pd.DataFrame) -> pd.DataFrame:
    return _names(profiles, "").assign(
        site_lat=profiles["latitude"], site_long=profiles["longitude"], site_note="simulated"
    )[["entry_name", "site_name", "site_lat", "site_long", "site_note"]]


def _climate(profiles: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "pro_lat": profiles["latitude"],
        "pro_long": profiles["longitude"],
        "pro_MAT": profiles["mat"],
        "pro_MAP": profiles["map"],
        "pro_P_PET": profiles["p_pet"],
        "pro_clay": profiles["clay"],
        "pro_reps": profiles["replicates"],
    }


def _study_profiles(profiles: pd.DataFrame) -> pd.DataFrame:
    use = profiles["land_use"]
    counts = profiles["scheme"].map(lambda s: len(SCHEMES[s]) - 1)
    return _names(profiles, "simulated profile").assign(
        pro_treatment="treatment",
        **_climate(profiles),
        pro_land_use=use,
        pro_land_cover=use.map(LAND_COVER),
        pro_label_type=profiles["label_type"],
        pro_label_years=profiles["years"],
        pro_max_depth=profiles["scheme"].map(lambda s: min(float(SCHEMES[s][-1]), CM_PER_M)),
        pro_n_layers=counts.astype(float),
        ref_pro_name=_reference_name(profiles),
        pair_ref_is_previous=True,
    )


def _reference_profiles(profiles: pd.DataFrame) -> pd.DataFrame:
    names = _names(profiles, "").assign(pro_name=_reference_name(profiles))
    return names.assign(pro_treatment="control", **_climate(profiles))


def _layer_names(layers: pd.DataFrame) -> pd.DataFrame:
    return _names(layers, "simulated profile").assign(
        lyr_name=layers["lyr_name"],
        lyr_obs_date_y=layers["obs_year"],
        lyr_top=layers["top"],
        lyr_bot=layers["bottom"],
        lyr_mid=0.5 * (layers["top"] + layers["bottom"]),
        flags="simulated",
    )


def _study_layers(layers: pd.DataFrame) -> pd.DataFrame:
    thickness = layers["bottom"] - layers["top"]
    stock = layers["c_org"] / 100 * layers["bulk_density"] * thickness
    return _layer_names(layers).assign(
        lyr_c_org=layers["c_org"],
        lyr_bd_samp=layers["bulk_density"].where(layers["has_stock"]),
        lyr_bd_fill=layers["bulk_density"].where(layers["has_stock"]),
        lyr_soc=stock.where(layers["has_stock"]),
        lyr_13c=layers["d13c"],
        lyr_13c_sd=layers["d13c_sd"],
        lyr_13c_n=layers["replicates"],
        pair_ref_13c=layers["ref_d13c"],
        pair_ref_13c_sd=layers["ref_d13c_sd"],
        pair_ref_13c_n=layers["replicates"],
        pair_ref_origin="same row",
        pair_delta_veg=layers["printed_contrast"],
        src_f="isotopes",
        src_soc="C x BD x thickness",
        src_bd="author",
    )


def _reference_layers(layers: pd.DataFrame) -> pd.DataFrame:
    names = _layer_names(layers).assign(pro_name=_reference_name(layers))
    return names.assign(
        lyr_13c=layers["ref_d13c"], lyr_13c_sd=layers["ref_d13c_sd"], lyr_13c_n=layers["replicates"]
    )
