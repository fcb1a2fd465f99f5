"""The questions of the paper: by hand, under other layers, of flipped columns, and of a truth that is met."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from subsoil.benchmark.allocation import allocation, numbers
from subsoil.benchmark.questions import EXPECTED, NOT_ANSWERED, QUESTIONS, ask, expected
from subsoil.benchmark.reference import AGES, Curves
from subsoil.errors import BadCall

RESAMPLES = 200
DIRECTIONS = ("aridity_direction", "crop_direction", "crop_depth_direction")
GRID = np.array([0.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 80.0, 100.0, 150.0])


def _profiles(count: int = 24) -> pd.DataFrame:
    """Sites of two profiles, from dry to humid, a third under crop."""
    number = np.arange(count)
    return pd.DataFrame(
        {
            "profile_id": [f"p{i:02d}" for i in number],
            "site_id": [f"s{i // 2:02d}" for i in number],
            "labelling_years": 30.0,
            "p_pet": np.geomspace(0.2, 2.0, count),
            "land_use": np.array(["crop", "grassland", "forest"])[number % 3],
            "tropical": number % 3 != 0,
        }
    )


def _curves(profiles: pd.DataFrame, grid: np.ndarray = GRID, *, flip: bool = False) -> Curves:
    """New carbon that falls off with depth, deeper where it is dry; crops have less of it at the surface."""
    top, bottom = grid[:-1], grid[1:]
    scale = 16.0 - 4.0 * np.log(profiles["p_pet"].to_numpy())[:, None]
    crop = (profiles["land_use"] == "crop").to_numpy()[:, None]
    edges = np.arange(0.0, 151.0, 5.0)  # everything is even within these steps, whatever the layers
    at = 0.5 * (edges[:-1] + edges[1:])
    stock = 0.05 * np.exp(-at / 40.0) * np.ones((len(profiles), 1))
    new = stock * 0.75 * np.exp(-at / scale) * np.where(crop & (at < 10.0), 0.6, 1.0)
    inside = (at > top[:, None]) & (at < bottom[:, None])
    stock, new = 5.0 * stock @ inside.T, 5.0 * new @ inside.T
    if flip:
        order = np.r_[np.arange(len(top) - 1)[::-1], len(top) - 1]  # 0-100 cm upside down
        stock, new = stock[:, order], new[:, order]
    f_new = np.repeat((new / stock)[:, :, None], len(AGES), axis=2)
    return Curves(tuple(profiles["profile_id"]), top, bottom, stock, f_new)


def _rules(curves: Curves, profiles: pd.DataFrame) -> pd.DataFrame:
    """What data would say that are as the curves."""
    carbon = allocation(curves, profiles)
    rows = []
    for name, found in numbers(carbon, np.ones((1, len(carbon.table)))):
        value, null = found.values[0], QUESTIONS[name].null
        ends = (
            (0.9 * value, 1.1 * value)
            if null is None
            else (-np.inf, null)
            if value < null
            else (null, np.inf)
        )
        rows.append((name, name, QUESTIONS[name].unit, value, *ends, np.nan, *ends, 9, ""))
    return pd.DataFrame(rows, columns=[*EXPECTED])


def _answers(curves: Curves | None, profiles: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    return ask(curves, profiles, rules, resamples=RESAMPLES).set_index("metric")


def test_the_three_numbers_by_hand() -> None:
    """Two profiles, layers 0-20, 20-40 and 40-120 cm, cut at 30 and 100 cm.

    New carbon of the first: 8 x 0.5, 4 x 0.25, 8 x 0.125 = 4, 1, 1, of which 0.75 lies above 100 cm; of the
    second, which has twice the carbon and is not tropical: 8, 2, 2. Shares are the same: above 30 cm 4.5 of
    5.75; half, 2.875 of 4, lies above 14.375 cm. Young: 4.5 of 10 above 30 cm, 1.25 of 2 + 6 below.
    """
    profiles = _profiles(2).assign(tropical=[True, False])
    stock = np.array([[8.0, 4.0, 8.0], [16.0, 8.0, 16.0]])
    f_new = np.zeros((2, 3, len(AGES)))
    f_new[:, :, AGES.index(50.0)] = [0.5, 0.25, 0.125]
    curves = Curves(("p00", "p01"), np.array([0.0, 20.0, 40.0]), np.array([20.0, 40.0, 120.0]), stock, f_new)
    carbon = allocation(curves, profiles)
    found = dict(numbers(carbon, np.ones((1, 2))))
    assert found["new_share_below_30cm"].values[0] == pytest.approx(100 * 1.25 / 5.75)
    assert found["median_depth_new"].values[0] == pytest.approx(14.375)
    assert found["young_ratio_top_sub"].values[0] == pytest.approx((4.5 / 10) / (1.25 / 8))
    assert [found[name].n for name in ("new_share_below_30cm", "young_ratio_top_sub")] == [2, 1]


def test_the_directions_by_hand() -> None:
    """Share below 30 cm 40, 30 and 20 % at P/PET 1, e and e^2: -10 % a unit of ln. Crops: 1/4 at 0-10 cm."""
    profiles = _profiles(3).assign(p_pet=np.exp([0.0, 1.0, 2.0]), land_use=["crop", "forest", "forest"])
    new = np.array([[1.0, 2.0, 2.0], [4.0, 3.0, 3.0], [4.0, 4.0, 2.0]])
    f_new = np.repeat(new[:, :, None] / 10.0, len(AGES), axis=2)
    top, bottom = np.array([0.0, 10.0, 30.0]), np.array([10.0, 30.0, 100.0])
    curves = Curves(tuple(profiles["profile_id"]), top, bottom, np.full((3, 3), 10.0), f_new)
    found = dict(numbers(allocation(curves, profiles), np.ones((1, 3))))
    assert found["aridity_direction"].values[0] == pytest.approx(-10.0)
    assert found["crop_direction"].values[0] == pytest.approx(1.0 / 4.0)
    assert found["crop_depth_direction"].values[0] == pytest.approx(2.0 / np.sqrt(0.75 * 0.5))


def test_a_model_that_is_the_truth_passes_all_and_a_flipped_one_none_of_depth() -> None:
    profiles = _profiles()
    rules = _rules(_curves(profiles), profiles)
    true = _answers(_curves(profiles), profiles, rules)
    assert (true["verdict"] == "pass").all()
    assert (true["value"][[f"{name}_margin" for name in QUESTIONS]] > 0).all()
    assert true["value"]["median_depth_new_margin"] == pytest.approx(0.1 * true["value"]["median_depth_new"])
    flipped = _answers(_curves(profiles, flip=True), profiles, rules)
    wrong = [name for name in QUESTIONS if name != "crop_direction"]
    assert (flipped["verdict"][wrong] == "fail").all()
    assert (flipped["value"][[f"{name}_margin" for name in wrong]] < 0).all()
    assert flipped["value"]["new_share_below_30cm"] > 70 > 30 > true["value"]["new_share_below_30cm"]


def test_finer_layers_rows_in_another_order_and_other_units_of_stock_change_nothing() -> None:
    profiles = _profiles()
    rules = _rules(_curves(profiles), profiles)
    first = _answers(_curves(profiles), profiles, rules)
    whole = _curves(profiles)
    top, bottom = (np.sort(np.r_[edge, 0.5 * (whole.layer_top + whole.layer_bottom)])
                   for edge in (whole.layer_top, whole.layer_bottom))  # fmt: skip
    halves = Curves(whole.profile_id, top, bottom, np.repeat(0.5 * whole.soc_stock, 2, axis=1),
                    np.repeat(whole.f_new, 2, axis=1))  # fmt: skip
    grams = Curves(whole.profile_id, whole.layer_top, whole.layer_bottom, 1e3 * whole.soc_stock, whole.f_new)
    mixed = profiles.sample(frac=1.0, random_state=0)
    for curves, table in ((halves, profiles), (grams, profiles), (_curves(mixed), profiles), (whole, mixed)):
        again = _answers(curves, table, rules)
        np.testing.assert_allclose(again[["value", "lower", "upper"]], first[["value", "lower", "upper"]])
        assert again["verdict"].tolist() == first["verdict"].tolist()


def test_intervals_hold_their_value_and_resample_sites() -> None:
    profiles = _profiles()
    rules = _rules(_curves(profiles), profiles)
    table = _answers(_curves(profiles), profiles, rules).loc[[*QUESTIONS]]
    assert ((table["lower"] < table["value"]) & (table["value"] < table["upper"])).all()
    one = _answers(_curves(profiles), profiles.assign(site_id="s"), rules).loc[[*QUESTIONS]]
    np.testing.assert_allclose(one["lower"], one["value"])  # one site: every resample is the whole


@pytest.mark.parametrize(
    ("curves", "why"),
    [
        (None, "no column"),
        (_curves(_profiles(), GRID[:-2]), "end at 80 cm"),
        (_curves(_profiles(), GRID[1:]), "begin at 5 cm"),
    ],
)
def test_a_model_that_cannot_answer_says_why(curves: Curves | None, why: str) -> None:
    profiles = _profiles()
    table = _answers(curves, profiles, _rules(_curves(profiles), profiles))
    assert len(table) == 2 * len(QUESTIONS)
    assert table["value"].isna().all()
    assert (table["n"] == 0).all()
    assert table["verdict"].str.startswith(NOT_ANSWERED).all()
    assert table["verdict"].str.contains(why).all()


def test_profiles_without_a_column_or_a_label_do_not_count() -> None:
    profiles = _profiles()
    rules = _rules(_curves(profiles), profiles)
    curves = _curves(profiles)
    curves.soc_stock[3] = np.nan
    unlabelled = profiles.assign(labelling_years=profiles["labelling_years"].where(profiles.index != 5))
    table = _answers(curves, unlabelled, rules)
    rest = profiles.drop(index=[3, 5])
    np.testing.assert_allclose(table["value"], _answers(_curves(rest), rest, rules)["value"])
    assert table["n"]["new_share_below_30cm"] == 22
    nobody = _answers(curves, profiles.assign(labelling_years=np.nan), rules)
    assert nobody["verdict"].str.contains("no profile").all()


def test_an_effect_that_other_sites_could_undo_only_agrees_in_direction() -> None:
    profiles = _profiles()
    rules = _rules(_curves(profiles), profiles)
    curves = _curves(profiles)
    noise = np.random.default_rng(0).lognormal(0.0, 1.5, (len(profiles), 1, 1))
    deep = curves.layer_top[:, None] >= 30.0
    noisy = Curves(curves.profile_id, curves.layer_top, curves.layer_bottom, curves.soc_stock,
                   np.where(deep, np.clip(noise * curves.f_new, 0, 1), curves.f_new))  # fmt: skip
    table = _answers(noisy, profiles, rules)
    row = table.loc["aridity_direction"]
    assert row["value"] < 0 < row["upper"]
    assert row["verdict"] == "agrees in direction"
    against = _answers(curves, profiles.assign(p_pet=profiles["p_pet"].to_numpy()[::-1]), rules)
    assert against["verdict"]["aridity_direction"] == "fail"


def test_without_new_carbon_below_the_ratio_has_no_end_and_fails() -> None:
    profiles = _profiles()
    rules = _rules(_curves(profiles), profiles)
    curves = _curves(profiles)
    curves.f_new[:, curves.layer_top >= 30.0] = 0.0
    table = _answers(curves, profiles, rules)
    assert table["value"]["young_ratio_top_sub"] == np.inf
    assert table["value"]["new_share_below_30cm"] == 0
    assert (table["verdict"][["young_ratio_top_sub", "new_share_below_30cm"]] == "fail").all()


def test_bad_calls_are_refused() -> None:
    profiles = _profiles()
    curves, rules = _curves(profiles), _rules(_curves(profiles), profiles)
    with pytest.raises(BadCall, match="lacks"):
        ask(curves, profiles.iloc[1:], rules)
    with pytest.raises(BadCall, match="resamples"):
        ask(curves, profiles, rules, resamples=1)
    few = Curves(curves.profile_id, curves.layer_top, curves.layer_bottom, curves.soc_stock,
                 curves.f_new[..., :2])  # fmt: skip
    with pytest.raises(BadCall, match="8 ages"):
        ask(few, profiles, rules)
    with pytest.raises(BadCall, match="columns"):
        expected(pd.DataFrame({"name": ["a"]}), profiles)
    empty = pd.DataFrame({n: [0.0] for n in ("value", "lower", "upper", "n", "published")})
    with pytest.raises(BadCall, match="young_ratio_tropical"):
        expected(empty.assign(name="a", source=""), profiles)


@pytest.mark.data
def test_what_the_data_say_and_in_which_range_a_model_passes(workbook: Path) -> None:
    from subsoil.age.carbon import DEPTHS
    from subsoil.age.headline import headline
    from subsoil.age.profiles import profile_table
    from subsoil.archive.harmonise import at_depths, cumulative_stocks
    from subsoil.archive.readers import read
    from subsoil.archive.validate import validate
    from subsoil.newcarbon import new_carbon

    archive = validate(read(workbook))
    layers = new_carbon(archive)
    first = layers.drop_duplicates("profile_id").drop(
        columns=["entry_name", "labelling_years", "f_new", "f_new_se"]
    )
    values = at_depths(layers, DEPTHS, "balesdent2018").dropna(subset=["f_new"]).merge(first, on="profile_id")
    stocks = cumulative_stocks(layers, DEPTHS)
    table = expected(headline(values, stocks, replicates=50), profile_table(archive, layers, stocks))
    table = table.set_index("question")
    assert table["data"]["new_share_below_30cm"] == pytest.approx(24.6, abs=0.3)
    assert table["least"]["new_share_below_30cm"] == 19.0  # printed, below our interval
    assert table["least"]["median_depth_new"] == 10.0
    assert table["published"]["young_ratio_top_sub"] == pytest.approx(45 / 13)
    assert table["data"]["young_ratio_top_sub"] == pytest.approx(3.38, abs=0.05)
    low, high = table.loc["young_ratio_top_sub", ["least", "most"]]
    assert 2 < low < 45 / 13 < high < 5.5
    assert table["data"][list(DIRECTIONS)].tolist() == pytest.approx([-7.57, 0.501, 2.167], abs=0.01)
    assert table.loc[list(DIRECTIONS), ["least", "most"]].to_numpy().tolist() == [
        [-np.inf, 0.0],
        [-np.inf, 1.0],
        [1.0, np.inf],
    ]
