"""ILAMB forms against ilamb3 2026.6.15 (PyPI, Python 3.12), run once on the arrays below.

Bias and distribution scores: six cells of equal area without a time axis; ilamb3 then divides by the
observation, which is given here as the spread. The uncertainty is used by ilamb3 where it comes as bounds
o -+ u/sqrt(2), of which it takes the root of the summed squares, u. RMSE score: one place, 24 months of a
calendar without leap years, weighted as ilamb3 does there, by the mean of the distances to the months before
and after. In this release the RMSE score fails where there is an uncertainty, so none is given.

Maps: the files of `write_cells`, one depth class with a cell at each of the latitudes below, through
``ilamb3.run.run_study`` with the transform select_depth. There the error is an ancillary variable.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from subsoil.benchmark.cells import write_cells
from subsoil.benchmark.metrics import measure
from subsoil.benchmark.reference import PROFILES, Prediction, Reference

OBSERVED = np.array([0.71, 0.45, 0.22, 0.90, 0.13, 0.05])
MODELLED = np.array([0.60, 0.52, 0.40, 0.70, 0.20, 0.15])
UNCERTAINTY = np.array([0.05, 0.03, 0.04, 0.10, 0.08, 0.02])
LATITUDE = np.array([-35.0, -15.0, -5.0, 5.0, 25.0, 65.0])


def form(name, modelled, observed, sigma, spread, weight):
    return measure(modelled[None], observed, sigma, spread, weight[:, None])[name].item()


@pytest.mark.parametrize(
    ("name", "sigma", "published"),
    [
        ("bias", np.zeros(6), 0.0183333333333333),
        ("ilamb_bias", np.zeros(6), 0.612227724334087),
        ("ilamb_bias", UNCERTAINTY, 0.743310264801225),
        ("correlation", np.zeros(6), 0.958345395620643),
        ("ilamb_distribution", np.zeros(6), 0.816155894370041),
    ],
)
def test_scores_of_cells(name, sigma, published):
    got = form(name, MODELLED, OBSERVED, sigma, OBSERVED, np.ones(6))
    assert got == pytest.approx(published, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "published"), [("rmse", 0.145255018972857), ("ilamb_rmse", 0.563845940614893)]
)
def test_score_of_a_series(name, published):
    month = np.arange(24)
    observed = 0.5 + 0.3 * np.sin(0.7 * month) + 0.01 * month
    modelled = 0.55 + 0.2 * np.sin(0.7 * month + 0.4)
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] * 2, dtype=float)[:-1]
    weight = 0.5 * (np.r_[days[0], days] + np.r_[days, days[-1]])
    got = form(name, modelled, observed, np.zeros(24), np.ones(24), weight)
    assert got == pytest.approx(published, abs=1e-14)


def maps(folder: Path) -> tuple[xr.Dataset, xr.Dataset]:
    """Files of the arrays above, 20 degrees east, 10-30 cm, in cells of 10 degrees."""
    names = [*"ABCDEF"]
    layer = {
        "layer_top": 10.0,
        "layer_bottom": 30.0,
        "depth_class": "10-30",
        "years": 20.0,
        "obs_year": 2000.0,
    }
    values = pd.DataFrame({"profile_id": names, "site_id": names, "observed": OBSERVED, "sigma": UNCERTAINTY})
    profiles = pd.DataFrame({"profile_id": names, "latitude": LATITUDE, "longitude": 20.0})
    reference = Reference(
        values.assign(target="f_new", **layer), profiles.reindex(columns=[*PROFILES]), "1.0"
    )
    model = Prediction("m", "m", MODELLED[None])
    paths = [write_cells(reference, folder / f"{i}.nc", p, degrees=10) for i, p in enumerate((None, model))]
    data, answers = (xr.open_dataset(path).sel(depth=0.2, method="nearest") for path in paths)
    return data, answers


@pytest.mark.parametrize(
    ("name", "weighted", "published"),
    [
        ("bias", True, 0.012393788798183652),
        ("ilamb_bias", True, 0.7924986908197784),
        ("correlation", False, 0.9583453956206427),
        ("ilamb_distribution", False, 0.8161558943700408),
    ],
)
def test_scores_of_written_maps(name, weighted, published, tmp_path):
    data, answers = maps(tmp_path)
    with data, answers:
        error = data[data["fNewSoilLevels"].attrs["ancillary_variables"]]
        assert set(error.dims) < set(data["fNewSoilLevels"].dims), "else ilamb3 leaves it out"
        observed, modelled = (file["fNewSoilLevels"].isel(time=0).sel(lon=25.0) for file in (data, answers))
        there = np.flatnonzero(np.isfinite(observed))
        south, north = np.sin(np.deg2rad(data["lat_bnds"].values[there])).T
    got = form(
        name,
        modelled.values[there],
        observed.values[there],
        error.sel(lon=25.0).values[there],
        observed.values[there],
        north - south if weighted else np.ones(len(there)),
    )
    assert got == pytest.approx(published, abs=1e-14)
