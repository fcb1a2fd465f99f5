"""The regression by depth: which profiles it takes, what it returns, and how it speaks of bad tables."""

import numpy as np
import pandas as pd
import pytest

from subsoil import published
from subsoil.age.distributions import BiExponential
from subsoil.age.regression import (
    distance_to_published,
    isochrones,
    profile_values,
    regress,
    sensitivity,
)
from subsoil.age.subsets import TROPICAL, WORLD, Subset
from subsoil.errors import BadCall

DEPTHS = (0.0, 10.0, 30.0, 50.0, 100.0)
PROFILES = 60


def truth(depth: float) -> BiExponential:
    row = published.biexponential().set_index("depth_cm").loc[depth]
    return BiExponential(row.fast_share, row.fast_rate, row.slow_share, row.slow_rate)


def simulated(seed: int = 0, sd: float = 0.0) -> pd.DataFrame:
    """Profiles that follow the published curves, half of them warm and not cropped, one cool, one cropped."""
    rng = np.random.default_rng(seed)
    number = np.arange(PROFILES)
    profiles = pd.DataFrame(
        {
            "profile_id": [f"S{i:02d}/simulated" for i in number],
            "entry_name": [f"S{i:02d}" for i in number],
            "site_id": [f"site {i // 2}" for i in number],
            "study_id": [f"study {i // 4}" for i in number],
            "labelling_years": np.geomspace(4, 4000, PROFILES),
            "mat": np.where(number == 0, 10.0, 25.0),
            "map": 1200.0,
            "p_pet": 1.0,
            "latitude": 5.0,
            "land_use": np.where(number == 1, "crop", "forest"),
        }
    )
    blocks = []
    for depth in DEPTHS:
        f = truth(depth).cdf(profiles["labelling_years"].to_numpy()) + rng.normal(0, sd, PROFILES)
        blocks.append(profiles.assign(depth_cm=depth, f_new=f))
    return pd.concat(blocks, ignore_index=True)


def test_exact_curves_come_back_with_their_medians_and_no_error():
    fitted = regress(simulated())
    medians = fitted.table.set_index("depth_cm")["median_age"]
    for depth in DEPTHS:
        assert medians[depth] == pytest.approx(truth(depth).quantile(0.5), rel=1e-3)
    curves = isochrones(fitted)
    assert curves["percent_se"].max() < 0.01
    # the inferred parameters are rounded; their curves are within 0.2 points of the digitised ones
    assert distance_to_published(curves)["all"] < 0.2


def test_columns_and_rows_are_those_of_the_isochrones_table():
    curves = isochrones(regress(simulated()))
    assert list(curves) == ["depth_cm", "age_yr", "percent_younger", "percent_se", "method"]
    assert len(curves) == len(DEPTHS) * len(published.AGES)
    assert curves["percent_younger"].between(0, 100).all()
    for _, block in curves.groupby("depth_cm"):
        assert block["percent_younger"].is_monotonic_increasing


def test_the_order_of_rows_does_not_matter():
    table = simulated(1, sd=0.1)
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(isochrones(regress(table)), isochrones(regress(shuffled)))


def test_a_depth_nobody_listed_is_fitted_like_any_other():
    table = simulated()
    extra = table[table["depth_cm"] == 30.0].assign(depth_cm=37.5)
    curves = isochrones(regress(pd.concat([table, extra]))).set_index("depth_cm")["percent_younger"]
    np.testing.assert_array_equal(curves[37.5], curves[30.0])


def test_subset_keeps_warm_profiles_that_are_not_cropped():
    table = simulated()
    assert regress(table).table["n"].tolist() == [PROFILES - 2] * len(DEPTHS)
    assert regress(table, WORLD).table["n"].tolist() == [PROFILES] * len(DEPTHS)
    listed = Subset("listed", entries=tuple(f"S{i:02d}" for i in range(10, 30)))
    assert regress(table, listed).table["n"].tolist() == [20] * len(DEPTHS)
    assert not TROPICAL.mask(table.assign(mat=np.nan)).any()


def test_below_the_end_of_a_soil_its_values_are_not_used():
    ended = Subset("ended", soil_until=(("S05", 30.0), ("S06", 60.0)))
    assert regress(simulated(), ended).table["n"].tolist() == [60, 60, 60, 59, 58]


def test_errors_hold_the_truth_about_as_often_as_they_say():
    inside = {name: [] for name in ("residual", "profile", "site")}
    for seed in range(40):
        table = simulated(seed, sd=0.06).query("depth_cm in (0, 50)")
        for name, hits in inside.items():
            curves = isochrones(regress(table, WORLD, errors=name), (10.0, 100.0, 1000.0))
            true = [100 * truth(z).cdf(t) for z, t in zip(curves["depth_cm"], curves["age_yr"], strict=True)]
            hits.append((np.abs(curves["percent_younger"] - true) < 1.96 * curves["percent_se"]).mean())
    for name, hits in inside.items():
        assert 0.87 < np.mean(hits) < 0.98, name


def test_too_few_profiles_at_a_depth_is_named_and_the_others_go_on():
    table = simulated()
    deep = (table["depth_cm"] == 100.0) & (table["labelling_years"] > 6)
    table.loc[deep, "f_new"] = np.nan
    fitted = regress(table)
    assert fitted.table["outcome"].tolist() == ["converged"] * 4 + ["too few profiles or times"]
    assert isochrones(fitted).set_index("depth_cm")["percent_younger"][100.0].isna().all()
    assert np.isnan(fitted.table["median_age"].iloc[-1])


def test_half_never_reached_is_an_infinite_median():
    table = simulated()
    table.loc[table["depth_cm"] == 100.0, "f_new"] *= 0.5
    last = regress(table).table.iloc[-1]
    assert last["median_age"] == np.inf
    assert np.isnan(last["median_age_se"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="site_id"), "'site_id' is missing"),
        (lambda t: t.drop(columns="mat"), "'mat' is missing"),
        (lambda t: pd.concat([t, t.tail(1)]), "twice"),
        (lambda t: t.assign(labelling_years=0.0), "labelling_years of profile S00/simulated"),
        (lambda t: t.assign(labelling_years=np.nan), "labelling_years of profile"),
        (lambda t: t.assign(mat=5.0), "keeps none of 60 profiles"),
    ],
)
def test_a_bad_table_says_what_is_wrong(change, message):
    with pytest.raises(BadCall, match=message):
        regress(change(simulated()))


def test_unknown_kind_of_errors_lists_the_known_ones():
    with pytest.raises(BadCall, match="expected one of residual, profile, site, study"):
        regress(simulated(), errors="guess")


def test_distance_needs_a_depth_of_the_figure():
    with pytest.raises(BadCall, match="no depth and age in common"):
        distance_to_published(published.isochrones().assign(depth_cm=25.0))


def test_profile_values_are_sorted_by_profile():
    values = profile_values(simulated().sample(frac=1, random_state=1))
    assert values.profiles["profile_id"].is_monotonic_increasing
    assert values.f_new.shape == (PROFILES, len(DEPTHS))
    np.testing.assert_allclose(values.f_new[:, 0], truth(0.0).cdf(values.years))


def test_sensitivity_has_a_row_a_rule_and_shows_what_a_rule_moves():
    table = simulated(2, sd=0.05)
    rules = (WORLD, Subset("long labels only", entries=tuple(f"S{i:02d}" for i in range(20, 60))))
    shown = sensitivity(table, rules)
    assert shown["subset"].tolist() == [rule.name for rule in rules]
    assert shown["n"].tolist() == [60, 40]
    assert (shown["rms_published"] > 0).all()
    assert shown.loc[0, "median_age_0cm"] != shown.loc[1, "median_age_0cm"]
