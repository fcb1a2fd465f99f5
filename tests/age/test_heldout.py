"""Scores on sites left out: definitions by hand, nothing leaks, every value is forecast once."""

import numpy as np
import pandas as pd
import pytest

from subsoil.age import heldout
from subsoil.age.heldout import AS_OBSERVED, AT_DEPTH, FLOOR, Candidate, held_out, score
from subsoil.age.model import pooled
from subsoil.age.sampler import Sampling
from subsoil.age.simulate import simulate_table
from subsoil.archive.harmonise import at_depths
from subsoil.ensembles import crps
from subsoil.errors import BadCall

DEPTHS = [0, 30, 60]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return simulate_table(key=21, n_profiles=24)


@pytest.fixture(scope="module")
def values(table: pd.DataFrame) -> pd.DataFrame:
    return at_depths(table, DEPTHS, "balesdent2018").dropna(subset=["f_new"])


@pytest.fixture(scope="module")
def result(table: pd.DataFrame, values: pd.DataFrame) -> heldout.HeldOut:
    short = pytest.MonkeyPatch()
    short.setattr(heldout, "FIRST", Sampling(chains=1, warmup=150, draws=60))
    short.setattr(heldout, "FURTHER", Sampling(chains=1, warmup=30, draws=60))
    try:
        return held_out(table, values, [Candidate("pooled", pooled)], key=1, folds=3)
    finally:
        short.undo()


def test_crps_equals_its_integral() -> None:
    """∫ (F(x) - 1[x >= y])² dx of the ensemble, with the fair correction for its size."""
    rng = np.random.default_rng(0)
    draws, observed = rng.normal(0.3, 0.2, (40, 1)), np.array([0.5])
    x = np.linspace(-2, 3, 200001)
    integral = np.trapezoid(((draws <= x).mean(axis=0) - (x >= observed)) ** 2, x)
    pairs = np.abs(draws - draws.T).sum() / 2
    assert crps(draws, observed)[0] == pytest.approx(integral + pairs / 40**2 - pairs / (40 * 39), abs=1e-4)


def test_crps_of_a_normal_forecast_is_the_known_formula() -> None:
    draws = np.random.default_rng(1).normal(0.0, 1.0, (20000, 1))
    assert crps(draws, np.array([0.0]))[0] == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), abs=0.01)


def test_scores_by_hand() -> None:
    forecasts = pd.DataFrame(
        {
            "model": "m",
            "depth_cm": [0.0, 0.0, 10.0],
            "f_new": [0.5, 0.3, 0.2],
            "predicted": [0.6, 0.3, 0.1],
            "lower": [0.4, 0.35, 0.0],
            "upper": [0.8, 0.5, 0.3],
            "crps": [0.1, 0.2, 0.3],
        }
    )
    table = score(forecasts).set_index("depth_cm")
    assert table.loc["all", "rmse"] == pytest.approx(np.sqrt(0.02 / 3))
    assert table.loc["0", "bias"] == pytest.approx(0.05)
    assert table.loc["0", "coverage90"] == 0.5
    assert table.loc["10", "n"] == 1
    assert table.loc["all", "crps"] == pytest.approx(0.2)


def test_every_value_is_forecast_once_by_every_model(result: heldout.HeldOut, values: pd.DataFrame) -> None:
    for model in (FLOOR, f"pooled, {AS_OBSERVED}", f"pooled, {AT_DEPTH}"):
        rows = result.forecasts[result.forecasts["model"] == model]
        assert len(rows) == len(values)
        assert not rows.duplicated(["profile_id", "depth_cm"]).any()


def test_the_model_beats_the_floor(result: heldout.HeldOut) -> None:
    rmse = result.scores[result.scores["depth_cm"] == "all"].set_index("model")["rmse"]
    assert rmse[f"pooled, {AS_OBSERVED}"] < rmse[FLOOR]


def test_a_site_left_out_does_not_see_itself(table: pd.DataFrame, values: pd.DataFrame) -> None:
    """Its own f may change at will without any change in its forecast; the floor shows it for the folds."""
    site = table["site_id"].iloc[0]
    moved = table.assign(f_new=table["f_new"].where(table["site_id"] != site, 0.987))
    other = values.merge(table[["profile_id", "site_id"]].drop_duplicates(), on="profile_id")
    shifted = other.assign(f_new=other["f_new"].where(other["site_id"] != site, 0.987))
    tiny = pytest.MonkeyPatch()
    tiny.setattr(heldout, "FIRST", Sampling(chains=1, warmup=20, draws=5))
    tiny.setattr(heldout, "FURTHER", Sampling(chains=1, warmup=5, draws=5))
    with tiny.context():
        runs = [
            held_out(t, v, [Candidate("pooled", pooled)], key=1, folds=2).forecasts
            for t, v in ((table, values), (moved, shifted))
        ]
    tiny.undo()
    mine = set(table.loc[table["site_id"] == site, "profile_id"])
    for model in (FLOOR, f"pooled, {AT_DEPTH}"):
        first, second = (
            r[(r["model"] == model) & r["profile_id"].isin(mine)].sort_values(["profile_id", "depth_cm"])
            for r in runs
        )
        np.testing.assert_allclose(first["predicted"], second["predicted"], rtol=1e-6)


def test_folds_must_fit_the_sites(table: pd.DataFrame, values: pd.DataFrame) -> None:
    with pytest.raises(BadCall, match="number of sites"):
        held_out(table, values, [], folds=1)
