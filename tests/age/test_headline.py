"""The headline numbers: known answers from uniform soils, intervals, and how they speak of bad input."""

import numpy as np
import pandas as pd
import pytest

from subsoil.age.distributions import BiExponential
from subsoil.age.headline import (
    AREA,
    DEPTHS,
    EXTRAPOLATIONS,
    NUMBERS,
    OWN_TIME,
    WEIGHTINGS,
    AgeDraws,
    Choice,
    choices,
    headline,
    interval,
    site_weights,
)
from subsoil.errors import BadCall

PROFILES = 30
CURVE = BiExponential(0.3, 0.15, 0.55, 0.004)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Profiles that all follow one curve at every depth."""
    number = np.arange(PROFILES)
    years = np.geomspace(4, 4000, PROFILES)
    profiles = pd.DataFrame(
        {
            "profile_id": [f"S{i:02d}/simulated" for i in number],
            "entry_name": [f"S{i:02d}" for i in number],
            "site_id": [f"site {i // 2}" for i in number],
            "study_id": [f"study {i // 5}" for i in number],
            "labelling_years": years,
            "mat": 25.0,
            "map": 1200.0,
            "p_pet": 1.0,
            "latitude": 5.0,
            "land_use": np.array(["forest", "grassland", "crop"])[number % 3],
        }
    )
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, (len(DEPTHS), PROFILES))
    blocks = [
        profiles.assign(depth_cm=z, f_new=CURVE.cdf(years) + e) for z, e in zip(DEPTHS, noise, strict=True)
    ]
    return pd.concat(blocks, ignore_index=True)


@pytest.fixture(scope="module")
def stocks(table: pd.DataFrame) -> pd.DataFrame:
    """The same carbon in every layer, 1 kg m-2 in 10 cm; a third of the profiles ends at 60 cm."""
    out = table[["profile_id", "depth_cm"]].copy()
    number = out["profile_id"].str[1:3].astype(int)
    sampled = (number % 3 > 0) | (out["depth_cm"] <= 60)
    out["soc_stock_cum"] = (out["depth_cm"] / 10).where(sampled)
    out["new_soc_stock_cum"] = 0.4 * out["soc_stock_cum"]
    return out


def _posterior(draws: int = 20) -> dict[str, AgeDraws]:
    younger = np.full((draws, len(DEPTHS)), 0.25) + np.linspace(0, 0.1, draws)[:, None]
    ages = AgeDraws("posterior", younger, 100 * younger, np.full(len(DEPTHS), 30))
    return {"world": ages, "tropical": ages}


def test_uniform_carbon_gives_the_shares_of_geometry(table, stocks):
    shown = headline(table, stocks, replicates=20).set_index("name")
    share = 100 * CURVE.cdf(50.0)
    assert list(shown.columns) == ["value", "lower", "upper", "unit", "n", "published", "source"]
    assert shown.value["subsoil_new_share_50yr"] == pytest.approx(70, abs=1)
    assert shown.value["topsoil_new_share_50yr"] == pytest.approx(30, abs=1)
    assert shown.value["median_depth_new_50yr"] == pytest.approx(50, abs=1)
    for name in ("0_100_50yr", "0_30_50yr_tropical", "30_100_50yr_tropical"):
        assert shown.value[f"new_fraction_{name}"] == pytest.approx(share, abs=1.5)
    assert shown.value["young_ratio_tropical"] == pytest.approx(1, abs=0.05)
    assert shown.value["median_age_100cm"] == pytest.approx(CURVE.quantile(0.5), rel=0.1)
    assert shown.value["new_carbon_0_100_50yr"] == pytest.approx(share / 10, abs=0.2)
    assert shown.n[["subsoil_stock_share", "subsoil_new_share_50yr"]].tolist() == [30, 20]


def test_every_number_has_its_unit_its_interval_and_the_published_value(table, stocks):
    frame = headline(table, stocks, replicates=30)
    assert frame["name"].tolist() == list(NUMBERS)
    assert frame.set_index("name").published["subsoil_stock_share"] == 47
    assert frame.set_index("name").published["subsoil_new_share_50yr"] == 19
    numbers = frame[frame["unit"] != "count"]
    assert ((numbers["lower"] <= numbers["value"]) & (numbers["value"] <= numbers["upper"])).all()
    assert frame["source"][frame["published"].notna()].str.contains("doi:").all()
    assert frame.attrs["units"]["median_depth_new_50yr"] == "cm"
    assert "key 0" in frame.attrs["interval"]


def test_the_key_decides_the_interval_and_the_order_of_rows_nothing(table, stocks):
    first = headline(table, stocks, key=1, replicates=20)
    pd.testing.assert_frame_equal(
        first, headline(table.sample(frac=1, random_state=0), stocks, key=1, replicates=20)
    )
    other = headline(table, stocks, key=2, replicates=20)
    assert (first["value"] == other["value"]).all()
    assert (first["lower"] != other["lower"]).any()


def test_another_age_model_gives_the_same_names(table, stocks):
    shown = headline(table, stocks, ages=_posterior()).set_index("name")
    assert list(shown.index) == list(NUMBERS)
    assert shown.value["new_fraction_0_100_50yr"] == pytest.approx(25)
    assert shown.value["median_age_0cm"] == pytest.approx(25)
    assert 25 < shown.lower["new_fraction_0_100_50yr"] < 27
    assert 33 < shown.upper["new_fraction_0_100_50yr"] < 35.1
    assert shown.attrs["method"] == "posterior"


def test_own_time_takes_the_new_stocks_and_knows_no_ages(table, stocks):
    shown = headline(table, stocks, replicates=10, choice=Choice(age_model=OWN_TIME)).set_index("name")
    assert "median_age_0cm" not in shown.index
    assert 30 < shown.value["new_fraction_0_100_50yr"] < 45


def test_choices_change_one_thing_at_a_time(table, stocks):
    shown = choices(table, stocks, replicates=6, models={"posterior": _posterior()})
    assert list(shown) == ["name", "choice", "option", "value", "lower", "upper", "n"]
    for choice, options in (("weighting", WEIGHTINGS), ("extrapolation to 1 m", EXTRAPOLATIONS)):
        part = shown[(shown["choice"] == choice) & (shown["name"] == "subsoil_stock_share")]
        assert part["option"].tolist() == list(options)
    model = shown[shown["choice"] == "age model"].set_index(["name", "option"])["value"]
    assert model["new_fraction_0_100_50yr", "posterior"] == pytest.approx(25)
    default = headline(table, stocks, replicates=6).set_index("name")["value"]
    for name in ("subsoil_stock_share", "subsoil_new_share_50yr", "median_age_0cm"):
        assert model[name, "as published"] == default[name]


def test_a_subset_without_profiles_gives_no_number_and_no_crash(table, stocks):
    shown = headline(table.assign(mat=5.0), stocks, replicates=5).set_index("name")
    assert np.isnan(shown.value["new_fraction_0_30_50yr_tropical"])
    assert np.isnan(shown.value["median_age_0cm"])
    assert shown.n["new_fraction_0_30_50yr_tropical"] == 0
    assert np.isfinite(shown.value["subsoil_new_share_50yr"])


def test_land_use_area_weighs_by_area(table, stocks):
    heavy = stocks.copy()
    crop = heavy["profile_id"].isin(table["profile_id"][table["land_use"] == "crop"])
    heavy.loc[crop & (heavy["depth_cm"] > 30), "soc_stock_cum"] = 3.0  # all above 30 cm
    heavy["new_soc_stock_cum"] = 0.4 * heavy["soc_stock_cum"]
    choice = Choice(weighting="land-use area", to_one_metre="same-sample ratio")
    value = headline(table, heavy, replicates=0, choice=choice).set_index("name").value["subsoil_stock_share"]
    # crop: 0 of 3, grassland: 7 of 10; forest ends at 60 cm and is completed like the mean of the other two
    ratio = (10 + 3) / (6 + 3)
    forest = 6 * ratio
    subsoil = AREA["grassland"] * 7 + AREA["forest"] * (forest - 3)
    total = AREA["grassland"] * 10 + AREA["forest"] * forest + AREA["crop"] * 3
    assert value == pytest.approx(100 * subsoil / total)


def test_whole_sites_are_drawn():
    sites = pd.Series(["a", "a", "b", "c", "c", "c"])
    weights = site_weights(sites, 200, key=3)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert weights[1:].mean() == pytest.approx(1, abs=0.1)


def test_interval_leaves_out_missing_draws_and_keeps_infinite_ones():
    value, lower, upper = interval(np.array([5.0, np.nan, 1.0, 2.0, 3.0, np.inf]))
    assert (value, lower, upper) == (5.0, 1.0, np.inf)
    assert np.isnan(interval(np.array([5.0]))[1:]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"choice": lambda: Choice(weighting="guess")}, "weighting='guess': expected one of as published"),
        ({"choice": lambda: Choice(to_one_metre="guess")}, "to_one_metre='guess': expected one of"),
        ({"choice": lambda: Choice(age_model="mine")}, "age_model='mine': pass its AgeDraws"),
        ({"ages": lambda: {"world": _posterior()["world"]}}, "expected AgeDraws for 'world' and 'tropical'"),
        (
            {"ages": lambda: {"world": _posterior(5)["world"], "tropical": _posterior(6)["world"]}},
            "give both the same number",
        ),
    ],
)
def test_bad_choices_say_what_was_expected(table, stocks, arguments, message):
    with pytest.raises(BadCall, match=message):
        headline(table, stocks, replicates=2, **{name: make() for name, make in arguments.items()})


def test_bad_tables_say_what_is_missing(table, stocks):
    with pytest.raises(BadCall, match=r"lacks depths \[50.0\] cm"):
        headline(table[table["depth_cm"] != 50], stocks, replicates=2)
    with pytest.raises(BadCall, match="'new_soc_stock_cum' is missing"):
        headline(table, stocks.drop(columns="new_soc_stock_cum"), replicates=2)
    with pytest.raises(BadCall, match="stocks of profiles that the table lacks: X"):
        headline(table, stocks.assign(profile_id="X"), replicates=2)
    with pytest.raises(BadCall, match=r"younger has shape \(3, 4\)"):
        AgeDraws("m", np.ones((3, 4)), np.ones((3, 4)), np.ones(4))
