"""Delta14C that models show: the content of the carbon of a sample in its year, nothing lost on the way."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest

from subsoil.archive.atmosphere import History
from subsoil.benchmark.radiocarbon import atmospheres, delta14c
from subsoil.benchmark.support import on_support, overlap_shares
from subsoil.constants import CM_PER_M
from subsoil.depth import DepthGrid
from subsoil.equilibrium import at_rest
from subsoil.errors import BadCall
from subsoil.forcing import Forcing, site_forcing, stack
from subsoil.isotopes import fraction_modern
from subsoil.models.catalogue import model as published
from subsoil.models.model import Model
from subsoil.signature import age_bins, entering14
from subsoil.tracers import RADIOCARBON

GRID = DepthGrid.from_cm([0, 10, 30, 60, 100])
ICBM = replace(published("icbm"), grid=GRID)
YEARS = np.concatenate([[-60_000.0, 1900.0], np.arange(1950.0, 2016.0)])
PERMIL = 1e-6
"""A content to 1e-9."""


def air(rise: float, peak: float = 1964.0) -> History:
    """F14C of an air with a bomb peak in its Delta14C."""
    delta = -20.0 + rise * np.exp(-(((YEARS - peak) / 9.0) ** 2))
    return History(YEARS, fraction_modern(delta, YEARS), np.full(YEARS.size, np.nan), "F14C")


AIR = {"NH1": air(700.0), "SH12": air(500.0, 1966.0)}


def profiles(latitude: tuple[float, ...] = (50.0, -40.0, 50.0)) -> pd.DataFrame:
    return pd.DataFrame({"profile_id": list("abcdef")[: len(latitude)], "latitude": latitude})


def sites(model: Model, temperatures: tuple[float, ...] = (8.0, 14.0, 8.0)) -> Forcing:
    return stack([site_forcing(model.grid, mat=t, map_mm=900.0, p_pet=1.1) for t in temperatures])


def values(rows: list[tuple[str, float, float, float]], target: str = "delta14c") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["profile_id", "layer_top", "layer_bottom", "obs_year"])
    return frame.assign(target=target)


ROWS = [
    ("a", 0.0, 10.0, 1990.5),
    ("a", 5.0, 40.0, 1990.5),
    ("a", 60.0, 60.0, 1966.5),
    ("b", 0.0, 10.0, 1966.5),
    ("b", 10.0, 100.0, 2010.5),
    ("c", 0.0, 10.0, 1966.5),
]


def test_it_is_the_content_of_the_sample() -> None:
    """By hand: `Equilibrium.content` of each pool, pools by carbon, layers by what is sampled."""
    asked = values(ROWS)
    found, failures = delta14c(ICBM, sites(ICBM), profiles(), asked, AIR)
    rest = at_rest(ICBM, sites(ICBM), batch=True)
    for row, (name, top, bottom, year) in enumerate(ROWS):
        place = "abc".index(name)
        entered = entering14(AIR["SH12" if name == "b" else "NH1"], year)
        carbon = np.asarray(rest.carbon)[place]
        pools = np.asarray(rest.content(RADIOCARBON, ICBM.pools, age_bins(), entered))[place]
        layers = (pools * carbon).sum(-1) / carbon.sum(-1)
        share = overlap_shares(GRID.top * CM_PER_M, GRID.bottom * CM_PER_M, [top], [bottom])
        expected = (on_support(share, carbon.sum(-1), layers)[0] - 1.0) * 1000.0
        assert found[row] == pytest.approx(expected, abs=PERMIL)
    assert failures == {}
    assert found[0] > 0.0, "bomb carbon of the top layer"


def test_a_constant_air_leaves_decay_alone() -> None:
    """One solve of the decaying operator, (decay - A) X = inputs, times the content of the air."""
    delta = -50.0
    steady = History(YEARS, fraction_modern(delta, YEARS), np.full(YEARS.size, np.nan), "F14C")
    found, _ = delta14c(ICBM, sites(ICBM), profiles(), values(ROWS[:2]), {"NH1": steady})
    rest = at_rest(ICBM, sites(ICBM), batch=True)
    dense = dense_operator(rest, 0) - RADIOCARBON.decay * np.eye(len(GRID) * 2)
    alone = -np.linalg.solve(dense, np.asarray(rest.fluxes.inputs)[0].ravel()).reshape(len(GRID), 2)
    carbon = np.asarray(rest.carbon)[0].sum(-1)
    held = alone.sum(-1) * (1.0 + delta / 1000.0)
    assert found[0] == pytest.approx((held[0] / carbon[0] - 1.0) * 1000.0, abs=PERMIL)
    shares = np.array([0.5, 1.0, 1.0 / 3.0, 0.0])
    assert found[1] == pytest.approx((shares @ held / (shares @ carbon) - 1.0) * 1000.0, abs=PERMIL)


def dense_operator(rest: object, column: int) -> np.ndarray:
    lower, diagonal, upper = (np.asarray(part)[column] for part in rest.blocks)  # type: ignore[attr-defined]
    layers, pools = lower.shape
    dense = np.zeros((layers, pools, layers, pools))
    for i in range(layers):
        dense[i, :, i, :] = diagonal[i]
        if i:
            dense[i, :, i - 1, :] = np.diag(lower[i])
        if i + 1 < layers:
            dense[i, :, i + 1, :] = np.diag(upper[i])
    return dense.reshape(layers * pools, layers * pools)


def test_one_pool_in_one_layer_is_a_sum_on_paper() -> None:
    """held / C = k / (k + decay) sum_i s_i (exp(-(k + decay) a_i) - exp(-(k + decay) a_i+1))."""
    one = replace(published("onepool"), grid=DepthGrid.from_cm([0, 100]))
    forcing = sites(one, (12.0,))
    found, _ = delta14c(one, forcing, profiles((50.0,)), values([("a", 0.0, 100.0, 1985.5)]), AIR)
    rate = -float(at_rest(one, forcing, batch=True).blocks.diagonal.ravel()[0])
    fall = np.append(np.exp(-(rate + RADIOCARBON.decay) * age_bins()), 0.0)
    content = entering14(AIR["NH1"], 1985.5) @ -np.diff(fall) * rate / (rate + RADIOCARBON.decay)
    assert found[0] == pytest.approx((content - 1.0) * 1000.0, abs=1e-3)


def test_parts_of_a_sample_hold_what_the_whole_holds() -> None:
    """14C closes over depth: the whole is the mean of its parts by their carbon."""
    bounds = [(0.0, 7.0), (7.0, 30.0), (30.0, 100.0), (0.0, 100.0)]
    found, _ = delta14c(ICBM, sites(ICBM), profiles(), values([("b", *b, 1975.5) for b in bounds]), AIR)
    carbon = np.asarray(at_rest(ICBM, sites(ICBM), batch=True).carbon)[1].sum(-1)
    share = overlap_shares(GRID.top * CM_PER_M, GRID.bottom * CM_PER_M, *np.array(bounds).T)
    amount = share @ carbon
    assert found[3] == pytest.approx(found[:3] @ amount[:3] / amount[3], abs=PERMIL)


def test_what_enters_and_decays_is_the_change() -> None:
    """One pool: dX/dt = inputs s(t) - (k + decay) X between two years of sampling (central difference)."""
    one = replace(published("onepool"), grid=DepthGrid.from_cm([0, 100]))
    forcing, middle, step = sites(one, (12.0,)), 1980.0, 0.5
    asked = values([("a", 0.0, 100.0, middle + d) for d in (-step, 0.0, step)])
    found, _ = delta14c(one, forcing, profiles((50.0,)), asked, AIR)
    before, held, after = 1.0 + found / 1000.0
    rate = -float(at_rest(one, forcing, batch=True).blocks.diagonal.ravel()[0])
    entering = fraction_at(AIR["NH1"], middle)
    change = rate * entering - (rate + RADIOCARBON.decay) * held
    assert (after - before) / (2.0 * step) == pytest.approx(change, abs=2e-5)


def fraction_at(history: History, year: float) -> float:
    return float(history.at(year) / fraction_modern(0.0, year))


def test_the_order_of_rows_changes_nothing() -> None:
    asked = values(ROWS)
    found, _ = delta14c(ICBM, sites(ICBM), profiles(), asked, AIR)
    turned, order = [2, 0, 1], [4, 1, 5, 0, 3, 2]
    forcing = jax.tree.map(lambda field: np.asarray(field)[turned], sites(ICBM))
    again, _ = delta14c(ICBM, forcing, profiles().iloc[turned], asked.iloc[order], AIR)
    np.testing.assert_array_equal(again, found[order])


def test_what_is_not_asked_or_not_held_is_missing() -> None:
    other = values([("a", 0.0, 10.0, np.nan)], target="f_new")
    deep = values([("a", 90.0, 120.0, 1990.5), ("a", 0.0, 10.0, 1990.5)])
    found, failures = delta14c(ICBM, sites(ICBM), profiles(), pd.concat([other, deep]), AIR)
    assert np.isnan(found).tolist() == [True, True, False]
    assert failures == {}
    assert delta14c(ICBM, sites(ICBM), profiles(), other, AIR)[1] == {}


def test_a_profile_that_fails_is_named_and_the_others_go_on() -> None:
    forcing = sites(ICBM, (8.0, 14.0, 9.0, 10.0))
    broken = forcing._replace(litter=np.where(np.arange(4) == 2, np.nan, forcing.litter))
    table = profiles((50.0, np.nan, 50.0, 50.0))
    asked = values([(name, 0.0, 10.0, 1990.5) for name in "abc"] + [("d", 0.0, 10.0, 2021.5)])
    found, failures = delta14c(ICBM, broken, table, asked, AIR)
    assert np.isnan(found).tolist() == [False, True, True, True]
    assert list(failures) == ["b", "c", "d"]
    for name, why in {"b": "no latitude", "c": "inputs", "d": "the record of 14C ends in 2015.0"}.items():
        assert why in failures[name]


def test_all_columns_refused_is_no_error() -> None:
    forcing = sites(ICBM)._replace(litter=np.full(3, np.nan))
    found, failures = delta14c(ICBM, forcing, profiles(), values(ROWS), AIR)
    assert np.isnan(found).all()
    assert set(failures) == set("abc")


def test_a_wrong_call_says_so() -> None:
    with pytest.raises(BadCall, match="3 profiles and 2 columns of forcing"):
        delta14c(ICBM, sites(ICBM, (8.0, 9.0)), profiles(), values(ROWS), AIR)
    with pytest.raises(BadCall, match="every profile_id"):
        delta14c(ICBM, sites(ICBM), profiles(), values([("z", 0.0, 10.0, 1990.5)]), AIR)
    with pytest.raises(BadCall, match="no record of the air of zone SH12"):
        delta14c(ICBM, sites(ICBM), profiles(), values(ROWS), {"NH1": AIR["NH1"]})


@pytest.mark.data
def test_the_air_of_each_zone_is_read_once() -> None:
    found = atmospheres(profiles((50.0, -40.0, np.nan, 51.0)), download=False)
    assert sorted(found) == ["NH1", "SH12"]
