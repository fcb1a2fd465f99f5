"""The built-in facts of Balesdent et al. 2018 (Nature 559, 599-602, doi 10.1038/s41586-018-0328-3)."""

import numpy as np
import pandas as pd
import pytest

from subsoil import published
from subsoil.age.distributions import BiExponential


@pytest.mark.data
def test_isochrones_are_those_that_were_digitised(data_dir):
    file = pd.read_csv(data_dir / "published" / "fig2_isochrones.csv")
    ours = published.isochrones()
    names = ["depth_cm", "age_yr", "percent_younger", "percent_se"]
    pd.testing.assert_frame_equal(ours[names], file[names].astype(float))
    assert (ours["note"] == file["note"].fillna("")).all()


@pytest.mark.data
def test_headline_numbers_are_those_that_were_stated(data_dir):
    file = pd.read_csv(data_dir / "published" / "headline.csv")
    pd.testing.assert_frame_equal(published.headline(), file.astype({"value": float}), check_dtype=False)


def test_abstract_and_caption_in_numbers():
    stated = published.headline().set_index("name")["value"]
    assert stated["soc_stock_share_30_100cm"] == 47  # abstract
    assert stated["recent_soc_share_30_100cm"] == 19  # abstract
    assert stated["median_depth_recent_incorporation"] == 10  # abstract
    assert stated["tropical_age_below_50yr_0_30cm"] == 45  # caption of Fig. 2
    assert stated["tropical_median_age_100cm"] == 1250  # caption of Fig. 2


def test_inferred_parameters_give_the_digitised_curves_and_the_printed_medians():
    parameters = published.biexponential().set_index("depth_cm")
    curves = published.isochrones()
    for depth, block in curves.groupby("depth_cm"):
        d = BiExponential(**parameters.loc[depth])
        difference = 100 * d.cdf(block["age_yr"].to_numpy()) - block["percent_younger"]
        assert np.sqrt((difference**2).mean()) < published.READ_ERROR
    surface, metre = (BiExponential(**parameters.loc[z]).quantile(0.5) for z in (0.0, 100.0))
    assert surface == pytest.approx(7, abs=0.5)
    assert metre == pytest.approx(1250, rel=0.015)


def test_a_caller_cannot_change_the_facts():
    first = published.isochrones()
    first["percent_younger"] = 0.0
    first.attrs["units"]["age_yr"] = "s"
    again = published.isochrones()
    assert again["percent_younger"].max() == 96.0
    assert again.attrs["units"]["age_yr"] == "yr"


def test_every_table_says_where_it_comes_from():
    assert published.DOI in published.citation()
    for table in (published.isochrones(), published.headline()):
        assert published.DOI in table.attrs["source"]
    assert "inferred" in published.biexponential().attrs["source"]
    assert "workbook" in published.to_one_metre().attrs["source"]
