"""The leaderboard: what must hold of its scores whatever the models, on references made for the test."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from subsoil.benchmark import leaderboard
from subsoil.benchmark.protocol import depth_class
from subsoil.benchmark.reference import Prediction, Reference
from subsoil.benchmark.scoring import COLUMNS, Paired, observed
from subsoil.errors import BadCall

RESAMPLES = 200
SIGMA = 0.05
TOPS = np.array([0.0, 10.0, 30.0, 50.0, 100.0])
BOTTOMS = np.array([10.0, 30.0, 50.0, 100.0, 150.0])


def profiles(count: int) -> pd.DataFrame:
    number = np.arange(count)
    return pd.DataFrame(
        {
            "profile_id": [f"P{i:03d}" for i in number], "site_id": [f"S{i // 2:03d}" for i in number],
            "study_id": "made", "archive": "made", "latitude": 10.0, "longitude": 20.0,
            "mat": np.where(number % 3 == 0, 12.0, 25.0), "map": 1000.0,
            "p_pet": np.where(number % 4 == 0, 0.4, 1.2), "clay": 0.2,
            "land_use": np.array(["crop", "grassland", "forest"])[number % 3],
            "labelling_years": np.where(number % 5 == 0, 80.0, 20.0), "obs_year": 2000.0, "tropical": False,
            "doubts": "",
        }
    )  # fmt: skip


def truth(table: pd.DataFrame) -> np.ndarray:
    """Share of new carbon that falls with depth, rises with time, and differs between profiles."""
    middle = 0.5 * (table["layer_top"] + table["layer_bottom"]).to_numpy(float)
    own = table["profile_id"].str[1:].astype(int).to_numpy() * 0.618 % 1.0
    return (1 - np.exp(-table["years"].to_numpy(float) / 25.0)) * np.exp(-middle / (15 + 60 * own))


def made(count: int = 60, noise: float = SIGMA, targets: tuple[str, ...] = ("f_new",)) -> Reference:
    known = profiles(count)
    layers = known[["profile_id", "site_id", "labelling_years"]].merge(
        pd.DataFrame({"layer_top": TOPS, "layer_bottom": BOTTOMS}), how="cross"
    )
    layers = layers.rename(columns={"labelling_years": "years"}).assign(obs_year=np.nan, sigma=SIGMA)
    parts = []
    for place, target in enumerate(targets):
        error = noise * np.random.default_rng(place).standard_normal(len(layers))
        parts.append(layers.assign(target=target, observed=truth(layers) + error))
    values = pd.concat(parts, ignore_index=True)
    values["depth_class"] = depth_class(values["layer_top"], values["layer_bottom"])
    return Reference(values, known, "test")


def answer(name: str, numbers: np.ndarray, **options: object) -> Prediction:
    return Prediction(name, name, np.atleast_2d(numbers), **options)  # type: ignore[arg-type]


def floor(reference: Reference) -> Prediction:
    """The mean of each depth class."""
    means = reference.values.groupby(["target", "depth_class"])["observed"].transform("mean")
    return answer("floor", means.to_numpy())


def row(table: pd.DataFrame, model: str, metric: str, depth: str = "all", group: str = "all") -> pd.Series:
    found = table[table[["model", "metric", "depth", "group"]].eq([model, metric, depth, group]).all(axis=1)]
    assert len(found) == 1, (model, metric, depth, group)
    return found.iloc[0]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return made()


@pytest.fixture(scope="module")
def predictions(reference: Reference) -> list[Prediction]:
    right = truth(reference.values)
    flipped = right.reshape(-1, len(TOPS))[:, ::-1].ravel()
    return [
        floor(reference),
        answer("ceiling", right),
        answer("truth", right),
        answer("swapped", 1 - right),
        answer("flipped", flipped),
        answer("young", np.minimum(right + 0.15, 1.0)),
    ]


@pytest.fixture(scope="module")
def table(predictions: list[Prediction], reference: Reference) -> pd.DataFrame:
    return leaderboard.score(predictions, reference, resamples=RESAMPLES, seed=3)


def test_columns_and_order(table: pd.DataFrame, predictions: list[Prediction]) -> None:
    assert tuple(table.columns) == COLUMNS
    assert list(table["model"].unique()) == [p.model for p in predictions]
    assert table[["value", "lower", "upper"]].dtypes.eq(float).all()
    assert not table.duplicated(["model", "metric", "depth", "group", "verdict"]).any()
    assert table["n"].dtype == int


def test_truth_reaches_the_noise_ceiling(table: pd.DataFrame) -> None:
    assert row(table, "truth", "rmse")["value"] == pytest.approx(SIGMA, rel=0.15)
    chi2 = row(table, "truth", "chi2")
    assert chi2["lower"] < 1 < chi2["upper"]
    assert chi2["value"] == pytest.approx(1, abs=0.25)
    assert row(table, "truth", "rmse_corrected")["value"] < 0.4 * SIGMA
    assert row(table, "truth", "skill")["value"] == pytest.approx(1)
    assert row(table, "truth", "bias")["verdict"] == ""
    assert row(table, "truth", "rank")["value"] == 1
    assert row(table, "truth", "first_share")["value"] == 1


def test_a_swapped_label_and_a_flipped_depth_fall_to_the_floor_or_below(table: pd.DataFrame) -> None:
    for model in ("swapped", "flipped"):
        skill, difference = row(table, model, "skill"), row(table, model, "rmse_minus_floor")
        assert skill["upper"] < 0.05
        assert skill["verdict"] == "not better than the floor"
        assert difference["value"] > 0
        assert difference["verdict"] == "worse than the floor"
    assert row(table, "truth", "rmse_minus_floor")["verdict"] == "better than the floor"


def test_skill_needs_a_ceiling_above_the_floor(reference: Reference) -> None:
    given = [
        floor(reference),
        answer("ceiling", floor(reference).values),
        answer("m", truth(reference.values)),
    ]
    found = leaderboard.score(given, reference, resamples=50)
    assert "skill" not in set(found["metric"])
    assert row(found, "m", "rmse_minus_floor")["verdict"] == "better than the floor"


def test_no_verdict_on_chance(predictions: list[Prediction]) -> None:
    """Shares that sum to 1 have no bias over a profile; noise and floor are no models."""
    reference = made(20, targets=("stock_share",))
    shares = reference.values["observed"].abs()
    of_profile = reference.values["profile_id"]
    given = [answer(n, shares + 0.2) for n in ("noise", "m")]
    values = reference.values.assign(observed=shares / shares.groupby(of_profile).transform("sum"))
    even = np.full(len(values), 1 / len(TOPS))
    found = leaderboard.score(
        [*given, answer("even", even)], Reference(values, reference.profiles, "test"), resamples=50
    )
    assert row(found, "m", "stock_share_bias")["verdict"] == "too much carbon"
    assert row(found, "noise", "stock_share_bias")["verdict"] == ""
    assert row(found, "even", "stock_share_bias")["value"] == 0
    assert row(found, "even", "stock_share_bias")["verdict"] == ""


def test_a_bias_is_named_where_it_is(table: pd.DataFrame, reference: Reference) -> None:
    assert row(table, "young", "bias")["verdict"] == "too young"
    assert row(table, "young", "bias", "50-100")["verdict"] == "too young"
    assert "too young at 0-10" in row(table, "young", "diagnosis")["verdict"]
    old = answer("old", truth(reference.values) - 0.15)
    found = leaderboard.score([old], reference, resamples=20)
    assert row(found, "old", "bias")["verdict"] == "too old"
    assert set(found["metric"]).isdisjoint({"skill", "rmse_minus_floor"})


def test_slices_hold_the_values_they_say(table: pd.DataFrame, reference: Reference) -> None:
    values, known = reference.values, reference.profiles.set_index("profile_id")
    assert row(table, "truth", "rmse")["n"] == len(values)
    assert row(table, "truth", "rmse", "30-50")["n"] == (values["depth_class"] == "30-50").sum()
    crop = values["profile_id"].map(known["land_use"]) == "crop"
    assert row(table, "truth", "rmse", group="crop")["n"] == crop.sum()
    both = crop & (values["depth_class"] == "30-50")
    error = (truth(values) - values["observed"])[both]
    cell = row(table, "truth", "rmse", "30-50", "crop")
    assert (cell["n"], cell["value"]) == (both.sum(), pytest.approx(np.sqrt((error**2).mean())))


def test_order_of_rows_changes_no_byte(
    table: pd.DataFrame, predictions: list[Prediction], reference: Reference
) -> None:
    order = np.random.default_rng(0).permutation(len(reference.values))
    shuffled = Reference(
        reference.values.iloc[order].reset_index(drop=True), reference.profiles.iloc[::-1], "test"
    )
    moved = [replace(p, values=p.values[:, order]) for p in predictions]
    again = leaderboard.score(moved, shuffled, resamples=RESAMPLES, seed=3)
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    assert table.to_csv() == again.to_csv()


def test_another_seed_moves_intervals_but_no_score(
    table: pd.DataFrame, predictions: list[Prediction], reference: Reference
) -> None:
    other = leaderboard.score(predictions, reference, resamples=RESAMPLES, seed=4)
    keys = ["model", "metric", "depth", "group"]
    both = table[table["metric"] != "first_share"].merge(other, on=keys)
    assert len(both) > 0.9 * len(table)
    pd.testing.assert_series_equal(both["value_x"], both["value_y"], rtol=1e-9, check_names=False)
    assert row(other, "young", "rmse")["lower"] != row(table, "young", "rmse")["lower"]


def test_a_case_by_hand() -> None:
    """Errors .1, -.1 and .3, -.1 in two classes of two profiles."""
    known = profiles(3)[lambda t: t["profile_id"].isin(["P000", "P002"])]
    values = pd.DataFrame(
        {
            "target": "f_new", "profile_id": ["P000", "P002"] * 2, "site_id": ["S000", "S001"] * 2,
            "layer_top": [0.0, 0.0, 30.0, 30.0], "layer_bottom": [10.0, 10.0, 50.0, 50.0], "years": 20.0,
            "obs_year": np.nan, "observed": [0.4, 0.6, 0.1, 0.3], "sigma": 0.1,
            "depth_class": ["0-10", "0-10", "30-50", "30-50"],
        }
    )  # fmt: skip
    given = [
        answer("m", np.array([0.5, 0.5, 0.4, 0.2])),
        answer("floor", np.array([0.5, 0.5, 0.2, 0.2])),
        answer("ceiling", values["observed"].to_numpy()),
    ]
    found = leaderboard.score(given, Reference(values, known, "test"), resamples=10)
    assert row(found, "m", "bias")["value"] == pytest.approx(0.05)
    assert row(found, "m", "rmse")["value"] == pytest.approx(np.sqrt(0.12 / 4))
    assert row(found, "m", "rmse", "30-50")["value"] == pytest.approx(np.sqrt(0.1 / 2))
    assert row(found, "m", "chi2")["value"] == pytest.approx(3.0)
    assert row(found, "m", "rmse_normalised")["value"] == pytest.approx(np.sqrt(0.03 / 0.02))  # SD .1 sqrt(2)
    assert row(found, "m", "skill")["value"] == pytest.approx((0.1 - np.sqrt(0.03)) / 0.1)
    assert row(found, "m", "rmse_minus_floor")["value"] == pytest.approx(np.sqrt(0.03) - 0.1)


def test_unanswered_values_neither_help_nor_harm(reference: Reference) -> None:
    """A model that leaves the deep layers out is set against the floor and the best on what it answers."""
    right = truth(reference.values)
    shallow = np.where(reference.values["layer_bottom"] > 100, np.nan, right + 0.02)
    given = [
        floor(reference),
        answer("ceiling", right),
        answer("a", right + 0.01),
        answer("shallow", shallow),
    ]
    found = leaderboard.score(given, reference, resamples=50)
    known = np.isfinite(shallow)
    error = {p.model: (p.values[0] - reference.values["observed"].to_numpy())[known] for p in given}
    rmse = {name: np.sqrt((e**2).mean()) for name, e in error.items()}
    for metric, rival in (("rmse_minus_floor", "floor"), ("rmse_minus_best", "a")):
        cell = row(found, "shallow", metric)
        assert cell["value"] == pytest.approx(rmse["shallow"] - rmse[rival])
        assert cell["n"] == known.sum()
    skill = (rmse["floor"] - rmse["shallow"]) / (rmse["floor"] - rmse["ceiling"])
    assert row(found, "shallow", "skill")["value"] == pytest.approx(skill)
    assert not ((found["model"] == "shallow") & (found["metric"] == "rank")).any()  # four fifths answered


def test_ranks_are_given_on_common_values(reference: Reference) -> None:
    """Of two equal models the one that leaves its errors out does not win."""
    right = truth(reference.values)
    error = np.where(np.arange(len(right)) % 20 == 0, 0.5, 0.01)
    given = [answer("full", right + error), answer("picks", np.where(error > 0.1, np.nan, right + error))]
    found = leaderboard.score(given, reference, resamples=50)
    assert row(found, "picks", "rmse")["value"] < row(found, "full", "rmse")["value"]
    for name in ("full", "picks"):
        assert row(found, name, "rank")["value"] == 1
        assert row(found, name, "rank")["n"] == (error < 0.1).sum()


def test_ensembles_are_scored_as_such(reference: Reference) -> None:
    rng = np.random.default_rng(1)
    right = truth(reference.values)
    draws = right + 0.001 * rng.standard_normal((30, len(right)))
    found = leaderboard.score([answer("draws", draws), answer("one", right)], reference, resamples=20)
    assert row(found, "draws", "crps")["value"] == pytest.approx(SIGMA / np.sqrt(np.pi), rel=0.15)
    assert row(found, "draws", "coverage90")["value"] == pytest.approx(0.9, abs=0.06)
    assert not ((found["model"] == "one") & found["metric"].isin(["crps", "coverage90"])).any()


def test_failures_are_rows(reference: Reference) -> None:
    right = truth(reference.values)
    gaps = np.where(reference.values["profile_id"].isin(["P001", "P004"]), np.nan, right)
    given = [
        answer("gaps", gaps, failures={"P001": "no steady state", "P004": "no steady state"}),
        leaderboard.unanswered("broken", "Broken", reference, "mat is missing"),
        answer("fine", right),
    ]
    found = leaderboard.score(given, reference, resamples=20)
    failed = row(found, "gaps", "failed")
    assert (failed["n"], failed["verdict"]) == (2, "no steady state (P001, P004)")
    broken = found[found["model"] == "broken"]
    assert list(broken["metric"]) == ["failed"]
    assert list(broken["verdict"]) == ["mat is missing"]
    assert "failed" not in set(found[found["model"] == "fine"]["metric"])
    assert row(found, "gaps", "rmse")["n"] == len(right) - 2 * len(TOPS)


def test_a_model_that_raises_is_a_row(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = pytest.importorskip("subsoil.benchmark.answer")

    def asked(model: object, reference: Reference, **_: object) -> Prediction:
        if model.name == "icbm":  # type: ignore[attr-defined]
            raise BadCall("clay lies between 0 and 1")
        return answer(model.name, truth(reference.values))  # type: ignore[attr-defined]

    monkeypatch.setattr(answers, "answer", asked)
    heard: list[str] = []
    given = leaderboard.run(["icbm", "onepool"], reference, progress=lambda step, _: heard.append(step))
    assert heard == ["ask icbm", "ask onepool"]
    found = leaderboard.score(given, reference, resamples=20)
    assert row(found, "icbm", "failed")["verdict"] == "clay lies between 0 and 1"
    assert row(found, "onepool", "rmse")["n"] == len(reference.values)
    with pytest.raises(BadCall, match="no model rohtc"):
        leaderboard.run(["rohtc"], reference)


def test_other_targets_bear_their_names() -> None:
    reference = made(20, targets=("f_new", "stock_share", "delta14c"))
    numbers = np.concatenate([truth(part) for _, part in reference.values.groupby("target", sort=False)])
    found = leaderboard.score([answer("m", numbers)], reference, resamples=20)
    assert {"rmse", "stock_share_rmse", "delta14c_rmse", "delta14c_rank"} <= set(found["metric"])
    assert "isochrone_rmse" not in set(found["metric"])


def test_a_class_without_spread_is_merged_with_its_neighbour(reference: Reference) -> None:
    alone = reference.values["depth_class"].eq("100+") & reference.values["profile_id"].ne("P000")
    fewer = Reference(reference.values[~alone].reset_index(drop=True), reference.profiles, "test")
    seen = observed(fewer, "f_new", {"all": np.ones(len(fewer.values), bool)})
    classes = fewer.values["depth_class"].to_numpy()[seen.rows]
    assert seen.spread[classes == "100+"] == pytest.approx(seen.spread[classes == "50-100"][0])
    assert len(np.unique(seen.spread)) == 4


def test_pairs_share_their_values() -> None:
    nan = np.nan
    modelled = np.array([[1.0, 2.0, nan], [3.0, 4.0, 5.0], [nan, 7.0, 8.0]])
    paired = Paired(modelled, {"floor": 1, "ceiling": 2})
    for model in range(3):
        own, rivals = paired.own[model], [paired.rival[name][model] for name in ("floor", "ceiling")]
        shared = np.isfinite(modelled[model]) & np.isfinite(modelled[2])
        for at, source in zip((own, *rivals), (model, 1, 2), strict=True):
            np.testing.assert_array_equal(paired.values[at], np.where(shared, modelled[source], nan))


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ([], {}, "one prediction or more"),
        (["a", "a"], {}, "its own name"),
        (["a"], {"by": "rsme"}, "no metric 'rsme'"),
        (["a"], {"resamples": 1}, "resamples=1"),
    ],
)
def test_bad_calls(reference: Reference, given: list[str], options: dict, words: str) -> None:
    numbers = truth(reference.values)
    with pytest.raises(BadCall, match=words):
        leaderboard.score([answer(name, numbers) for name in given], reference, **options)


def test_a_prediction_of_another_reference_is_refused(reference: Reference) -> None:
    with pytest.raises(BadCall, match=r"m: values \(1, 3\), expected"):
        leaderboard.score([answer("m", np.zeros(3))], reference)
