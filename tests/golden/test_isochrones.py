"""The published analysis redone on the workbook: Fig. 2 and the stated numbers of Balesdent et al. 2018.

Nature 559, 599-602, doi 10.1038/s41586-018-0328-3. Values called "ours" are not published: they are what this
code gives on the workbook, held fixed so that a change is seen.
"""

import numpy as np
import pandas as pd
import pytest

from subsoil import published
from subsoil.age.headline import OWN_TIME, Choice, choices, headline
from subsoil.age.regression import distance_to_published, isochrones, regress, sensitivity
from subsoil.age.subsets import CANDIDATES, TROPICAL
from subsoil.archive.readers import balesdent2018
from subsoil.newcarbon import new_carbon

pytestmark = pytest.mark.data

COVARIATES = ["profile_id", "site_id", "study_id", "mat", "map", "p_pet", "land_use", "latitude"]


@pytest.fixture(scope="module")
def workbook_values(workbook):
    """The workbook's own f at a depth and cumulative stocks, with the covariates of the profiles."""
    summary = balesdent2018.summary(workbook)
    layers = new_carbon(balesdent2018.read(workbook)).drop_duplicates("entry_name")
    profiles = layers[["entry_name", "labelling_years", *COVARIATES]]
    table = summary["f_depth"].rename(columns={"f": "f_new"}).merge(profiles, on="entry_name")
    stocks = summary["c_total"].rename(columns={"value": "soc_stock_cum"})
    new = summary["c_new"].rename(columns={"value": "new_soc_stock_cum"})
    stocks = stocks.merge(new, on=["entry_name", "depth_cm"], how="outer")
    known = stocks[(stocks["depth_cm"] > 0) & stocks["soc_stock_cum"].notna()]["entry_name"]
    stocks = stocks[stocks["entry_name"].isin(known)]
    return table, stocks.merge(profiles[["entry_name", "profile_id"]], on="entry_name")


@pytest.fixture(scope="module")
def fitted(workbook_values):
    return regress(workbook_values[0])


def test_isochrones_are_within_a_point_and_a_half_of_the_published_ones(fitted):
    distance = distance_to_published(isochrones(fitted))
    assert distance["all"] < 1.5
    assert distance["all"] == pytest.approx(0.80, abs=0.03)  # ours
    assert distance.drop("all").max() < 1.5


def test_there_are_55_profiles_at_the_surface_and_every_depth_is_identified(fitted):
    assert fitted.table["n"].iloc[0] == 55
    assert fitted.table["depth_cm"].tolist() == list(np.arange(0.0, 101.0, 10.0))
    assert (fitted.table["outcome"] == "converged").all()


def test_median_ages_are_those_of_the_caption(fitted):
    table = fitted.table.set_index("depth_cm")
    assert table["median_age"][0.0] == pytest.approx(7, abs=0.5)
    assert table["median_age"][100.0] == pytest.approx(1250, rel=0.05)
    assert abs(table["median_age"][100.0] - 1250) < table["median_age_se"][100.0]


def test_shares_fall_with_depth_up_to_300_years(fitted):
    curves = isochrones(fitted)
    for age in (10.0, 30.0, 50.0, 100.0, 300.0):
        by_depth = curves[curves["age_yr"] == age].sort_values("depth_cm")["percent_younger"]
        assert (by_depth.diff().dropna() < 1.0).all()


def test_bands_by_site_are_closer_to_the_printed_ones_than_those_of_equal_scatter(workbook_values):
    printed = published.isochrones()
    distance = {}
    for errors in ("residual", "profile", "site"):
        both = printed.merge(
            isochrones(regress(workbook_values[0], errors=errors)), on=["depth_cm", "age_yr"]
        ).dropna(subset=["percent_se_x"])
        distance[errors] = np.sqrt(((both["percent_se_x"] - both["percent_se_y"]) ** 2).mean())
    assert distance["site"] < 1.2 < 1.5 < distance["residual"]
    assert distance["profile"] < 1.1


def test_how_much_the_numbers_move_with_the_subset(workbook_values):
    """The rms of section 3 of the notes on the paper: 0.75-0.8, 0.6-0.7, 1.0 and 1.4-1.5 points."""
    shown = sensitivity(*_swap(workbook_values)).set_index("subset")
    assert len(shown) == len(CANDIDATES)
    assert shown["n"].tolist() == [55, 58, 51, 58, 53, 57, 72, 55, 112]
    assert shown["rms_published"].round(1).tolist() == [0.8, 0.7, 1.7, 1.4, 1.5, 1.5, 0.9, 0.8, 3.3]
    assert shown["percent_0_30"][TROPICAL.name] == pytest.approx(43.5, abs=0.2)  # printed: 45
    assert shown["percent_30_100"][TROPICAL.name] == pytest.approx(12.9, abs=0.2)  # printed: 13


def _swap(values: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[pd.DataFrame, tuple, pd.DataFrame]:
    table, stocks = values
    return table, CANDIDATES, stocks


@pytest.fixture(scope="module")
def numbers(workbook_values):
    return headline(*workbook_values, replicates=100).set_index("name")


def test_the_stated_numbers_that_we_reproduce(numbers):
    assert numbers.value["subsoil_stock_share"] == pytest.approx(47, abs=0.5)
    assert numbers.n["subsoil_stock_share"] == 101
    for name in (
        "subsoil_stock_share",
        "new_fraction_0_30_50yr_tropical",
        "new_fraction_30_100_50yr_tropical",
        "median_age_0cm",
        "median_age_100cm",
    ):
        assert numbers.lower[name] < numbers.published[name] < numbers.upper[name], name
    assert numbers.value[["profiles", "sites", "studies", "profiles_tropical"]].tolist() == [112, 74, 52, 55]


def test_the_stated_numbers_that_we_do_not_reproduce(numbers):
    """19 % of the new carbon below 30 cm and 10 cm median depth: ours are higher, and nothing is tuned."""
    assert numbers.value["subsoil_new_share_50yr"] == pytest.approx(24.4, abs=0.3)
    assert numbers.value["median_depth_new_50yr"] == pytest.approx(13.8, abs=0.3)
    assert numbers.value["new_fraction_0_100_50yr"] == pytest.approx(27.9, abs=0.3)


def test_the_workbooks_own_shares_come_back_with_each_profiles_own_time(workbook, workbook_values):
    choice = Choice(age_model=OWN_TIME, weighting="mean over profiles")
    ours = headline(*workbook_values, replicates=0, choice=choice).set_index("name")
    shares = balesdent2018.summary(workbook)["shares"]
    deep = shares[(shares["top_cm"] == 30) & (shares["bottom_cm"] == 100)]["value"]
    assert ours.n["subsoil_new_share_50yr"] == deep.notna().sum() == 101
    assert ours.value["subsoil_new_share_50yr"] == pytest.approx(100 * deep.mean(), abs=0.01)


def test_choices_cover_every_number_and_move_the_subsoil_share_of_new_carbon(workbook_values):
    shown = choices(*workbook_values, replicates=3)
    share = shown[shown["name"] == "subsoil_new_share_50yr"]
    assert share["value"].min() < 20.5
    assert share["value"].max() > 24.5
    assert share["value"].min() > 19  # no choice here gives the published value or less
