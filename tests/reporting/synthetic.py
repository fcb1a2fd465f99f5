"""A folder of results as a study writes it, drawn from a seed: for tests of what people see."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

AGES = (3, 10, 30, 50, 100, 300, 1000, 3000)
DEPTHS = np.arange(0, 101, 10)
# Bi-exponential parameters at 0, 10, 30, 50 and 100 cm (Balesdent et al. 2018, Fig. 2, refitted)
CURVE = pd.DataFrame(
    {
        "depth": [0, 10, 30, 50, 100],
        "fast": [0.613, 0.289, 0.074, 0.066, 0.049],
        "fast_rate": [0.212, 0.146, 0.241, 0.209, 0.245],
        "slow": [0.341, 0.672, 0.855, 0.803, 0.553],
        "slow_rate": [0.00713, 0.00583, 0.00353, 0.00199, 0.00134],
    }
)
TERMS = {
    "ln(labelling years)": "fraction, per ln(yr)",
    "ln(P/PET)": "fraction, per ln unit",
    "MAT": "fraction, per degC",
    "clay": "fraction, per 10 %",
    "grassland against crop": "fraction",
    "forest against crop": "fraction",
}
EFFECTS = (0.02, -0.09, 0.003, 0.01, -0.05, -0.08)
METHODS = (("cluster-robust CR2", 0.05), ("hierarchical", 0.04), ("naive OLS", 0.03))
CROP = "crop against grassland and forest"


def younger(depth: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Share of the carbon at `depth` younger than `age`."""
    fast, fast_rate, slow, slow_rate = (np.interp(depth, CURVE["depth"], CURVE[c]) for c in CURVE.columns[1:])
    return fast * (1 - np.exp(-fast_rate * age)) + slow * (1 - np.exp(-slow_rate * age))


def isochrones(rng: np.random.Generator) -> pd.DataFrame:
    grid = pd.MultiIndex.from_product([DEPTHS, AGES], names=["depth_cm", "age_yr"]).to_frame(index=False)
    true = 100 * younger(grid["depth_cm"].to_numpy(), grid["age_yr"].to_numpy())
    regression = grid.assign(
        percent_younger=true + rng.normal(0, 0.7, len(grid)),
        percent_se=3.0,
        method="as published (bi-exponential regression)",
    )
    median = np.clip(true * 0.95 + 1, 0, 100)
    hierarchical = grid.assign(
        percent_younger=median,
        percent_se=2.0,
        method="hierarchical",
        percent_lower=np.clip(median - 4, 0, 100),
        percent_upper=np.clip(median + 4, 0, 100),
    )
    printed = grid.assign(percent_younger=true, percent_se=np.nan, method="published (digitised)")
    return pd.concat([regression, hierarchical, printed[printed["depth_cm"].isin(CURVE["depth"])]])


def fractions(rng: np.random.Generator, profiles: int = 112) -> pd.DataFrame:
    years = np.concatenate(
        [
            rng.integers(4, 11, 17),
            rng.integers(11, 51, 65),
            rng.integers(60, 201, 21),
            rng.integers(1000, 4001, 9),
        ]
    )[:profiles]
    sites = pd.DataFrame(
        {"latitude": rng.choice([-22, -15, -5, 4, 10, 20, 45], 74), "longitude": rng.uniform(-100, 150, 74)}
    )
    rows = []
    for number, time in enumerate(years):
        place = sites.iloc[number % 74]
        land_use = ("crop", "grassland", "forest")[number % 3]
        for top, bottom in ((0, 5), (5, 10), (10, 20), (20, 30), (30, 50), (50, 80), (80, 150)):
            middle = (top + bottom) / 2
            f = younger(np.array(middle), np.array(time)) + rng.normal(0, 0.1)
            rows.append(
                {
                    "entry_name": f"N{number + 1:03d}",
                    "site_id": f"{place.latitude:.4f},{place.longitude:.4f}",
                    "profile_id": f"N{number + 1:03d}/P{number + 1}",
                    "study_id": f"Study {number // 2}",
                    "layer_top": top,
                    "layer_bottom": bottom,
                    "layer_mid": middle,
                    "f_new": f,
                    "f_new_se": 0.04,
                    "f_new_lower": f - 0.08,
                    "f_new_upper": f + 0.08,
                    "method": "isotopes" if number % 4 else "author",
                    "labelling_years": time,
                    "latitude": place.latitude,
                    "longitude": place.longitude,
                    "land_use": land_use,
                }
            )
    return pd.DataFrame(rows)


def depths(layers: pd.DataFrame) -> pd.DataFrame:
    blocks = [
        pd.DataFrame(
            {
                "profile_id": profile,
                "depth_cm": DEPTHS,
                "f_new": np.interp(DEPTHS, rows["layer_mid"], rows["f_new"]).clip(0, 1),
                "labelling_years": rows["labelling_years"].iloc[0],
            }
        )
        for profile, rows in layers.groupby("profile_id")
    ]
    return pd.concat(blocks)


def stocks() -> pd.DataFrame:
    middle = np.arange(5.0, 100.0, 10.0)
    density = 6.0 + 24.0 * np.exp(-middle / 22)
    new = density * younger(middle, np.array(50))
    return pd.DataFrame(
        {
            "depth_cm": middle,
            "n": np.linspace(101, 68, 10).round(),
            "soc_density": density,
            "soc_density_se": density * 0.06,
            "new_soc_density": new,
            "new_soc_density_se": new * 0.08,
        }
    )


def headline() -> pd.DataFrame:
    rows = (
        ("subsoil_stock_share", 47.2, 45.0, 49.4, "%", 101, 47, "abstract"),
        ("subsoil_new_share_50yr", 22.2, 19.8, 25.1, "%", 101, 19, "abstract"),
        ("median_depth_new_50yr", 11.3, 9.9, 12.8, "cm", 101, 10, "abstract"),
        ("new_fraction_0_30_50yr_tropical", 44.1, 39.0, 49.2, "%", 55, 45, "caption of Fig. 2"),
        ("new_fraction_30_100_50yr_tropical", 13.5, 10.8, 16.4, "%", 55, 13, "caption of Fig. 2"),
        ("median_age_0cm", 7.6, 5.1, 10.4, "yr", 55, 7, "caption of Fig. 2"),
        ("median_age_100cm", 1302, 905, np.inf, "yr", 55, 1250, "caption of Fig. 2"),
        ("new_fraction_0_100_50yr", 27.9, 25.0, 30.8, "%", 101, 25, "press release, doi:10.1/x"),
        ("profiles", 112, np.nan, np.nan, "count", 112, 112, "abstract"),
    )
    return pd.DataFrame(rows, columns=["name", "value", "lower", "upper", "unit", "n", "published", "source"])


def heldout(rng: np.random.Generator) -> pd.DataFrame:
    models = {
        "depth-only mean (floor)": 0.22,
        "as published": 0.135,
        "pooled": 0.127,
        "with covariates": 0.118,
    }
    rows = []
    for model, level in models.items():
        for depth in (*DEPTHS, "all"):
            fall = 1.0 if depth == "all" else 1.3 - 0.006 * float(depth)
            rmse = level * fall * rng.uniform(0.95, 1.05)
            covers = np.nan if "floor" in model else 0.9 + rng.normal(0, 0.02)
            n = 1142 if depth == "all" else 112 - int(depth) // 3
            rows.append((model, depth, n, rmse, rng.normal(0, 0.01), rmse * 0.55, covers))
    return pd.DataFrame(rows, columns=["model", "depth_cm", "n", "rmse", "bias", "crps", "coverage90"])


def drivers(rng: np.random.Generator) -> pd.DataFrame:
    shares = ("share_new_30_100", "f_0_30", "f_30_100")
    steps = [f"new_soc_stock_{top}_{top + 10}" for top in range(0, 100, 10)]
    asked = [
        ("all predictors", r, t, u, e)
        for r in shares
        for (t, u), e in zip(TERMS.items(), EFFECTS, strict=True)
    ]
    asked += [("crop by layer", "new_soc_stock_0_30", CROP, "ratio", 0.7)]
    asked += [
        (question, response, CROP, "ratio", 0.5 + 0.06 * place)
        for question in ("crop by 10 cm", "crop by 10 cm, same climate and clay")
        for place, response in enumerate(steps)
    ]
    rows = []
    for subset in ("t <= 200 yr", "without FACE"):
        for question, response, term, unit, effect in asked:
            for method, half in METHODS:
                value = effect + rng.normal(0, 0.01)
                ends = (value * 0.7, value * 1.4) if unit == "ratio" else (value - half, value + half)
                rows.append(
                    (question, response, term, unit, value, *ends, 20.0, 0.01, 0.05, method, 99, subset, "ok")
                )
    names = ["question", "response", "term", "unit", "estimate", "lower", "upper", "df", "p", "p_holm"]
    return pd.DataFrame(rows, columns=[*names, "method", "n", "subset", "outcome"])


def claims() -> pd.DataFrame:
    abstract, robust, regression = "abstract, doi:10.1/x", "cluster-robust CR2", "headline table"
    rows = [
        (
            "Drier, deeper",
            abstract,
            np.nan,
            -0.096,
            -0.16,
            -0.03,
            "fraction, per ln unit",
            99,
            robust,
            "agrees",
            "p = 0.01",
        ),
        (
            "19 % lies below 30 cm",
            abstract,
            19,
            22.2,
            19.8,
            25.1,
            "%",
            68,
            regression,
            "disagrees",
            "3 above the published",
        ),
        (
            "25 % worldwide",
            abstract,
            25,
            27.9,
            25.0,
            30.8,
            "%",
            68,
            regression,
            "cannot be tested",
            "no weighting. " * 15,
        ),
    ]
    names = [
        "claim",
        "where_stated",
        "published",
        "value",
        "lower",
        "upper",
        "unit",
        "n",
        "method",
        "agrees",
        "how",
    ]
    return pd.DataFrame(rows, columns=names)


def choices(rng: np.random.Generator) -> pd.DataFrame:
    options = {
        "profiles": (
            "all with stocks",
            "MAT ≥ 17.1 °C, MAP ≥ 1000 mm, P/PET ≥ 0.8, not crop",
            "tropical, 55",
        ),
        "weighting": ("equal", "inverse variance", "by study"),
        "below the last sample": ("workbook factors", "exponential", "left out"),
        "age model": ("as published", "hierarchical"),
    }
    rows = []
    for row in headline().head(3).itertuples():
        for choice, names in options.items():
            for option in names:
                value = row.value * (1 + rng.normal(0, 0.06))
                rows.append(
                    (row.name, choice, option, value, value * 0.9, value * 1.1, int(rng.integers(50, 102)))
                )
    return pd.DataFrame(rows, columns=["name", "choice", "option", "value", "lower", "upper", "n"])


def rejects() -> pd.DataFrame:
    names = ["file", "sheet", "row", "column", "rule", "value", "severity", "message"]
    rows = [
        (
            "balesdent.xlsx",
            "Layers",
            40 + i,
            "zmid",
            "middle outside the layer",
            "20",
            "warning",
            "kept: authors' depth",
        )
        for i in range(53)
    ]
    rows += [
        ("balesdent.xlsx", "Layers", 9, "z2", "zero thickness", "0", "error", "not used: litter at z = 0")
    ] * 3
    rows += [
        (
            "balesdent.xlsx",
            "Layers",
            99,
            "C",
            "fraction outside 0 to 1",
            "1.19",
            "note",
            "<b>kept</b> as it is",
        )
    ]
    return pd.DataFrame(rows, columns=names)


def predictions() -> pd.DataFrame:
    grid = pd.MultiIndex.from_product([DEPTHS, AGES], names=["depth_cm", "labelling_years"]).to_frame(
        index=False
    )
    f = younger(grid["depth_cm"].to_numpy(), grid["labelling_years"].to_numpy())
    return grid.assign(f_new=f, lower=f - 0.05, upper=f + 0.05)


def residuals(rng: np.random.Generator, at_depths: pd.DataFrame) -> pd.DataFrame:
    predicted = younger(at_depths["depth_cm"].to_numpy(), at_depths["labelling_years"].to_numpy())
    observed = predicted + rng.normal(0, 0.11, len(predicted))
    return at_depths[["profile_id", "depth_cm"]].assign(
        f_new=observed, predicted=predicted, lower=predicted - 0.19, upper=predicted + 0.19, model="pooled"
    )


def diagnostics() -> pd.DataFrame:
    rows = [
        ("rate at the surface", 0.21, 0.02, 1.001, 2210, 1800),
        ("share of old carbon", 0.08, 0.01, 1.004, 930, 1100),
    ]
    return pd.DataFrame(rows, columns=["parameter", "mean", "sd", "r_hat", "ess_bulk", "ess_tail"])


def manifest(simulated: bool) -> dict[str, object]:
    return {
        "simulated": simulated,
        "study": {"name": "balesdent2018", "subset": "MAT at least 18 degC and |latitude| below 28"},
        "versions": {"subsoil": "0.1.0", "python": "3.11.9", "numpy": "2.4.0"},
        "data": [{"name": "balesdent2018", "sha256": "1c1b92a5" * 8, "doi": "10.1038/s41586-018-0328-3"}],
        "key": 20180712,
        "seconds": {"read": 1.2, "fit": 140.0},
        "citations": ["Balesdent et al. 2018, Nature 559, 599-602, doi:10.1038/s41586-018-0328-3"],
    }


def write(folder: Path, simulated: bool = False, seed: int = 7) -> Path:
    """Write every file of a study into `folder`."""
    rng = np.random.default_rng(seed)
    layers = fractions(rng)
    at_depths = depths(layers)
    tables = {
        "headline": headline(),
        "isochrones": isochrones(rng),
        "heldout": heldout(rng),
        "drivers": drivers(rng),
        "claims": claims(),
        "choices": choices(rng),
        "rejects": rejects(),
        "fractions": layers,
        "depths": at_depths,
        "stocks": stocks(),
        "predictions": predictions(),
        "residuals": residuals(rng, at_depths),
        "diagnostics": diagnostics(),
        "subsets": pd.DataFrame(
            {"subset": ["not crop", "all"], "n": [72, 112], "rms_published": [0.97, 3.28]}
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "manifest.json").write_text(json.dumps(manifest(simulated)))
    return folder
