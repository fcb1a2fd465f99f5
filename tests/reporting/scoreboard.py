"""A folder of scores as the benchmark writes it, of made-up models and data, drawn from a seed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from subsoil.benchmark.bootstrap import Interval, Scores, percentile, score
from subsoil.benchmark.metrics import between_profile_spread

CLASSES = ("0-10", "10-30", "30-50", "50-100", "100+")
LAYERS = ((0, 10), (10, 20), (20, 30), (30, 50), (50, 80), (80, 100), (100, 140))
YEARS = (4, 8, 15, 30, 50, 90, 150, 2000)
SCORED = ("bias", "rmse", "crmse", "rmse_corrected", "chi2", "rmse_normalised", "rank_correlation", "kge",
          "ilamb", "ilamb_bias", "ilamb_rmse", "ilamb_distribution")  # fmt: skip
QUESTIONS = pd.DataFrame(
    [
        ("new_share_below_30cm", "New carbon below 30 cm", "%", 21.0, 17.0, 26.0, 19.0),
        ("median_depth_new", "Median depth of new carbon", "cm", 10.2, 8.9, 12.1, 10.0),
        ("young_ratio_top_sub", "Young carbon, topsoil : subsoil", "ratio", 7.1, 5.2, 9.8, 7.0),
        ("aridity_direction", "Effect of aridity", "% per ln unit", -9.0, -16.0, -3.0, np.nan),
        ("crop_direction", "Effect of crops", "ratio", 0.6, 0.4, 0.8, np.nan),
    ],
    columns=["question", "title", "unit", "data", "lower", "upper", "published"],
).assign(source="abstract")


def younger(depth: np.ndarray, years: np.ndarray, fast: float, decline: float) -> np.ndarray:
    """Share of carbon younger than `years`, that falls off with depth over `decline` cm."""
    return 1 - np.exp(-np.power(fast * years, 0.6) * np.exp(-depth / decline))


def values(rng: np.random.Generator, sites: int) -> pd.DataFrame:
    """Layers of one or two profiles a site, with the truth, an observation and its error."""
    rows = [
        (f"s{site}p{k}", f"s{site}", top, bottom, float(YEARS[site % len(YEARS)]))
        for site in range(sites)
        for k in range(1 + site % 2)
        for top, bottom in LAYERS[: 4 + (site + k) % 4]
    ]
    table = pd.DataFrame(rows, columns=["profile_id", "site_id", "layer_top", "layer_bottom", "years"])
    middle = (table["layer_top"] + table["layer_bottom"]) / 2
    of_profile = table.groupby("profile_id").ngroup()
    shift = rng.normal(0, 0.06, of_profile.max() + 1)[of_profile]
    truth = younger(middle, table["years"], 0.03, 28.0)
    table["sigma"] = 0.04
    table["observed"] = truth + shift + rng.normal(0, 0.04, len(table))
    table["depth_class"] = np.array(CLASSES)[np.searchsorted([10, 30, 50, 100], middle)]
    return table.assign(truth=truth, middle=middle)


def answers(table: pd.DataFrame, models: int) -> dict[str, np.ndarray]:
    """Floor, ceiling, noise, and models that are too fast or slow, too shallow or deep."""
    out = {
        "floor": table.groupby("depth_class")["observed"].transform("mean").to_numpy(),
        "ceiling": 0.4 * table["truth"].to_numpy() + 0.6 * table["observed"].to_numpy(),
        "noise": table["observed"].to_numpy()
        + table["sigma"].to_numpy() * np.tile([1, -1], 999)[: len(table)],
    }
    for k in range(models):
        fast, decline = 0.03 * 4 ** np.sin(1.3 * k), 28.0 * 3 ** np.cos(2.1 * k)
        answer = younger(table["middle"], table["years"], fast, decline).to_numpy()
        out[f"model{k:02d}"] = np.where(table["layer_bottom"] > 30, np.nan, answer) if k == 5 else answer
    return out


def scores(table: pd.DataFrame, answered: dict[str, np.ndarray], prefix: str = "") -> pd.DataFrame:
    """The rows of one target, by depth and by group."""
    member = {("all", "all"): np.ones(len(table), bool)}
    member |= {(name, "all"): (table["depth_class"] == name).to_numpy() for name in CLASSES}
    member |= {("all", "crop"): (table.index % 3 == 0), ("all", "dry"): (table.index % 3 > 0)}
    spread = between_profile_spread(table["observed"], table["profile_id"], table["depth_class"])
    found = score(
        np.stack(list(answered.values())), table["observed"].to_numpy(), table["sigma"].to_numpy(),
        table["site_id"].to_numpy(), spread=spread, groups=np.stack(list(member.values())), resamples=60,
    )  # fmt: skip
    parts = {name: percentile(found.draws[name]) for name in SCORED}
    loss = found.draws["rmse"]  # floor, ceiling and then the models
    parts["skill"] = percentile((loss[:, [0]] - loss) / (loss[:, [0]] - loss[:, [1]]))
    parts["rank"] = ranks(found, list(answered))
    parts["rmse_minus_floor"] = parts["rmse_minus_best"] = parts["bias"]
    rows = [
        (model, prefix + name, *key, *(x[i, j] for x in part), found.n[i, j])
        for name, part in parts.items()
        for i, model in enumerate(answered)
        for j, key in enumerate(member)
    ]
    out = pd.DataFrame(rows, columns=["model", "metric", "depth", "group", "value", "lower", "upper", "n"])
    out = out[np.isfinite(out["value"])]
    return out.assign(verdict=[_verdict(*row) for row in out[["metric", "lower", "upper"]].to_numpy()])


def ranks(found: Scores, names: list[str]) -> Interval:
    """Rank of every model that answers all values; missing for the others and for the baselines."""
    draws = np.where((found.n >= 0.9 * found.n.max(axis=0))[None], found.draws["rmse"], np.nan)
    draws[:, [place for place, name in enumerate(names) if not name.startswith("model")]] = np.nan
    order = np.argsort(np.argsort(draws, axis=1), axis=1) + 1.0
    return percentile(np.where(np.isnan(draws), np.nan, order))


def _verdict(metric: str, lower: float, upper: float) -> str:
    if metric.endswith("bias") and "ilamb" not in metric:
        return "too young" if lower > 0 else "too old" if upper < 0 else ""
    return (
        ("better than the floor" if lower > 0 else "not better than the floor") if metric == "skill" else ""
    )


def diagnoses(board: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Where each model fails, in words."""
    rows = board[(board["metric"] == "bias") & (board["verdict"] != "") & (board["depth"] != "all")]
    told = {
        name: "; ".join(part["verdict"] + " at " + part["depth"] + " cm")
        for name, part in rows.groupby("model")
    }
    lines = [
        (name, "diagnosis", "all", "all", np.nan, np.nan, np.nan, 0, told.get(name, "")) for name in names
    ]
    return pd.DataFrame(lines, columns=board.columns)


def asked(rng: np.random.Generator, models: list[str]) -> pd.DataFrame:
    """The rows of the questions: values about the data's, with pass or fail."""
    rows = []
    for question in QUESTIONS.itertuples():
        for model in models:
            value = question.data * rng.lognormal(0, 0.4)
            ends = value * 0.9, value * 1.1
            verdict = "pass" if question.lower <= value <= question.upper else "fail"
            if model == models[2] and "direction" in question.question:
                verdict = "agrees in direction"
            n = 40
            rows.append((model, question.question, "all", "all", value, min(ends), max(ends), n, verdict))
            margin = min(value - question.lower, question.upper - value)
            rows.append(
                (model, f"{question.question}_margin", "all", "all", margin, np.nan, np.nan, n, verdict)
            )
    return pd.DataFrame(
        rows, columns=["model", "metric", "depth", "group", "value", "lower", "upper", "n", "verdict"]
    )


def write(folder: Path, models: int = 35, sites: int = 48, submitted: str = "") -> Path:
    """Write the folder and return it."""
    rng = np.random.default_rng(4)
    folder.mkdir(parents=True)
    table = values(rng, sites)
    answered = answers(table, models)
    names = [name for name in answered if name.startswith("model")]
    board = [scores(table, answered), asked(rng, names)]
    carbon = table.assign(observed=200 * table["observed"] - 150, sigma=8.0)
    in_permil = {name: 200 * x - 150 for name, x in answered.items()}
    board.append(scores(carbon, in_permil, "delta14c_"))
    board.append(scores(table, {name: 0.5 * x + 0.2 for name, x in answered.items()}, "stock_share_"))
    board.append(diagnoses(board[0], names))
    failed = (names[-1], "failed", "all", "all", 2.0, np.nan, np.nan, 2, "s1p0: no steady state <b>kept</b>")
    board.append(pd.DataFrame([failed], columns=board[0].columns))
    pd.concat(board).to_csv(folder / "leaderboard.csv", index=False)
    keys = ["target", "profile_id", "layer_top", "layer_bottom", "years", "depth_class", "observed", "sigma"]
    table = table.assign(target="f_new")
    told = pd.concat([table[keys].assign(model=name, predicted=x) for name, x in answered.items()])
    told.dropna(subset=["predicted"]).to_csv(folder / "predictions.csv", index=False)
    table[[*keys, "site_id"]].to_csv(folder / "values.csv", index=False)
    QUESTIONS.to_csv(folder / "questions.csv", index=False)
    manifest = {
        "protocol": "1.0", "seed": 0, "resamples": 60, "seconds": 12.3, "versions": {"subsoil": "0.1.0"},
        "command": "subsoil leaderboard",
        "notes": {"model05": ["lies above 30 cm"], "reference": []},
        "models": {name: f"Title of {name}" for name in names},
        "data": [{"name": "made up", "sha256": "ab" * 32}],
    }  # fmt: skip
    if submitted:
        manifest["submitted"] = submitted
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
