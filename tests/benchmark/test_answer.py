"""Models answer on the support of the samples: by hand, in any order, and what they cannot answer is told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from subsoil.benchmark import answer as room
from subsoil.benchmark.answer import Columns, answer, isochrones, new_carbon, stock_share
from subsoil.benchmark.inputs import forcings
from subsoil.benchmark.reference import AGES, PROFILES, VALUES, Curves, Prediction, Reference
from subsoil.equilibrium import Equilibrium, at_rest
from subsoil.errors import BadCall, MissingData
from subsoil.models.catalogue import model
from subsoil.solve.ages import label_response
from subsoil.solve.steady import Outcome

ICBM, ROTHC, SOMIC = model("icbm"), model("rothc"), model("somic")
CM = np.round(ICBM.grid.boundaries * 100.0, 9)
SAMPLES = ((0.0, 0.0), (0.0, 5.0), (0.0, 10.0), (10.0, 25.0), (25.0, 65.0), (65.0, 100.0))
YEARS = {"a": 12.0, "b": 55.0, "c": 400.0}


def values(target: str, profile: str, bounds: Any, years: float) -> pd.DataFrame:
    top, bottom = np.asarray(bounds, dtype=float).T
    table = {
        "target": target, "profile_id": profile, "site_id": f"site {profile}", "layer_top": top,
        "layer_bottom": bottom, "years": years, "obs_year": 2000.5, "observed": 0.5, "sigma": 0.05,
        "depth_class": "0-10",
    }  # fmt: skip
    return pd.DataFrame(table)[[*VALUES]]


def profiles() -> pd.DataFrame:
    table = {
        "profile_id": list(YEARS), "site_id": [f"site {name}" for name in YEARS], "study_id": "s",
        "archive": "made", "latitude": [10.0, 45.0, -5.0], "longitude": 0.0, "mat": [24.0, 9.0, 26.0],
        "map": [1400.0, 700.0, 2200.0], "p_pet": [0.9, 1.1, 1.5], "clay": [0.4, 0.2, np.nan],
        "land_use": ["grassland", "crop", "forest"], "labelling_years": list(YEARS.values()),
        "obs_year": 2000.0, "tropical": [True, False, True], "doubts": "",
    }  # fmt: skip
    return pd.DataFrame(table)[[*PROFILES]]


def reference(bounds: Any = SAMPLES, **more: pd.DataFrame) -> Reference:
    """Three profiles with the same samples, shares of their stock, and isochrones at two depths."""
    parts = [values("f_new", name, bounds, years) for name, years in YEARS.items()]
    parts += [values("stock_share", name, bounds, years) for name, years in YEARS.items()]
    parts += [values("isochrone", "", [(0.0, 0.0), (20.0, 20.0)], age) for age in (10.0, 100.0)]
    return Reference(pd.concat([*parts, *more.values()], ignore_index=True), profiles(), "test")


def of(prediction: Prediction, asked: Reference, target: str, profile: str = "") -> np.ndarray:
    mine = (asked.values["target"] == target) & (asked.values["profile_id"] == profile)
    return prediction.values[0, mine.to_numpy()]


@pytest.fixture(scope="module")
def resting() -> Equilibrium:
    return at_rest(ICBM, forcings(profiles(), ICBM.grid), batch=True)


@pytest.fixture(scope="module")
def given() -> Prediction:
    return answer(ICBM, reference())


# ---- by hand ----------------------------------------------------------------------------------------------


def test_on_its_own_layers_a_model_answers_its_label_response(resting: Equilibrium) -> None:
    own = reference(np.stack([CM[:-1], CM[1:]], axis=1))
    found = answer(ICBM, own)
    stock = np.asarray(resting.carbon).sum(axis=-1)
    for column, (name, years) in enumerate(YEARS.items()):
        exact = np.asarray(label_response(resting.blocks, resting.fluxes.inputs, [years], "fine"))[
            column, :, 0
        ]
        np.testing.assert_allclose(of(found, own, "f_new", name), exact, atol=1e-8)
        share = stock[column] / stock[column].sum()
        np.testing.assert_allclose(of(found, own, "stock_share", name), share, rtol=1e-12)


def test_a_sample_is_the_carbon_weighted_mean_of_what_lies_in_it(
    given: Prediction, resting: Equilibrium
) -> None:
    centimetres = np.arange(0.0, 200.0)
    layer = np.searchsorted(CM, centimetres, side="right") - 1
    thick = np.diff(CM)
    for column, (name, years) in enumerate(YEARS.items()):
        stock = (np.asarray(resting.carbon).sum(axis=-1)[column] / thick)[layer]  # of each centimetre
        f_new = np.asarray(resting.label([years], "fine"))[column, layer, 0]
        for (top, bottom), found in zip(SAMPLES, of(given, reference(), "f_new", name), strict=True):
            inside = slice(int(top), max(int(bottom), int(top) + 1))
            assert found == pytest.approx(np.average(f_new[inside], weights=stock[inside]), abs=1e-8)


def test_isochrones_are_the_mean_of_the_tropical_profiles(given: Prediction, resting: Equilibrium) -> None:
    ages = np.asarray(resting.label([10.0, 100.0], "fine"))[[0, 2]].mean(axis=0)
    at = ages[[0, int(np.searchsorted(CM, 20.0, side="right")) - 1]]
    np.testing.assert_allclose(of(given, reference(), "isochrone"), at.T.ravel(), atol=1e-8)


def test_fine_layers_and_the_whole_say_the_same() -> None:
    rng = np.random.default_rng(1)
    edges = np.arange(0.0, 101.0, 5.0)
    stock, f_own = rng.uniform(1.0, 2.0, (1, 20)), rng.uniform(0.0, 1.0, (1, 20))
    curves = Curves(("a",), edges[:-1], edges[1:], stock, np.zeros((1, 20, len(AGES))))
    bounds = [(0, 10), (10, 40), (40, 95)]
    asked = values("f_new", "a", bounds, 10.0)
    truth = [np.average(f_own[0, i:j], weights=stock[0, i:j]) for i, j in ((0, 2), (2, 8), (8, 19))]
    np.testing.assert_allclose(new_carbon(Columns(curves, f_own), asked), truth, rtol=1e-12)
    shares = np.array([stock[0, i:j].sum() for i, j in ((0, 2), (2, 8), (8, 19))]) / stock[0, :19].sum()
    np.testing.assert_allclose(stock_share(Columns(curves, f_own), asked), shares, rtol=1e-12)


def test_a_layer_without_carbon_adds_nothing_to_a_sample() -> None:
    curves = Curves(("a",), CM[:2], CM[1:3], np.array([[2.0, 0.0]]), np.zeros((1, 2, len(AGES))))
    asked = values("f_new", "a", [(CM[0], CM[2]), (CM[1], CM[2])], 10.0)
    found = new_carbon(Columns(curves, np.array([[0.3, 0.0]])), asked)
    np.testing.assert_array_equal(found, [0.3, np.nan])


# ---- laws -------------------------------------------------------------------------------------------------


def test_the_order_of_both_tables_changes_no_bit(given: Prediction) -> None:
    whole = reference()
    order = np.random.default_rng(0).permutation(len(whole.values))
    turned = replace(whole, values=whole.values.iloc[order], profiles=whole.profiles[::-1])
    np.testing.assert_array_equal(answer(ICBM, turned).values[0], given.values[0, order])


def scaled(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Every site gets so many times its input."""

    def more(*where: Any) -> Any:
        batch = forcings(*where)
        return batch._replace(litter=factor * batch.litter, roots=factor * batch.roots)

    monkeypatch.setattr(room, "forcings", more)


def test_how_much_enters_a_linear_model_changes_nothing(
    given: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled(monkeypatch, 3.0)
    tripled = answer(ICBM, reference())
    np.testing.assert_allclose(tripled.values, given.values, rtol=0.0, atol=1e-12)
    assert tripled.curves is not None
    assert given.curves is not None
    np.testing.assert_allclose(tripled.curves.soc_stock, 3.0 * given.curves.soc_stock, rtol=1e-12)


def test_how_much_enters_matters_to_microbes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = answer(SOMIC, reference())
    scaled(monkeypatch, 3.0)
    assert np.nanmax(np.abs(answer(SOMIC, reference()).values - before.values)) > 0.01
    assert not before.failures
    assert np.isfinite(before.values).all()


def test_where_it_enters_matters(given: Prediction, monkeypatch: pytest.MonkeyPatch) -> None:
    def shallow(*where: Any) -> Any:
        batch = forcings(*where)
        return batch._replace(root_share=jnp.zeros_like(batch.root_share) + (jnp.arange(len(CM) - 1) == 0))

    monkeypatch.setattr(room, "forcings", shallow)
    moved = of(answer(ICBM, reference()), reference(), "stock_share", "a")
    assert moved[2] > of(given, reference(), "stock_share", "a")[2] + 0.05


# ---- what cannot be answered ------------------------------------------------------------------------------


def test_a_model_of_one_layer_answers_what_lies_in_it() -> None:
    asked = reference()
    found = answer(ROTHC, asked)
    f_new = of(found, asked, "f_new", "a")
    assert np.isfinite(f_new).tolist() == [True, True, True, False, False, False]
    assert f_new[0] == f_new[1] == f_new[2]
    assert np.isnan(of(found, asked, "stock_share", "a")).all(), "the share of a whole that is not there"
    assert "9 of 18 values of f_new lie below the last layer (23 cm)" in found.notes


def test_a_profile_without_a_forcing_is_a_failure_and_the_others_go_on(given: Prediction) -> None:
    asked = reference()
    table = asked.profiles.copy()
    table.loc[1, "clay"] = 20.0
    found = answer(ICBM, replace(asked, profiles=table))
    assert list(found.failures) == ["b"]
    assert "per cent" in found.failures["b"]
    assert np.isnan(of(found, asked, "f_new", "b")).all()
    assert found.curves is not None
    assert found.curves.profile_id == ("a", "c")
    for name in ("a", "c"):
        np.testing.assert_allclose(
            of(found, asked, "f_new", name), of(given, asked, "f_new", name), rtol=1e-12
        )


def ending(outcome: Outcome) -> Callable[..., Any]:
    """The search for the second column ends so."""

    def wrapped(*where: Any) -> Any:
        for here, rest in room_resting(*where):
            ends = np.where(np.arange(len(rest.carbon)) % len(here) == 1, int(outcome), 0)
            yield here, rest._replace(outcome=jnp.asarray(ends))

    room_resting = room.resting
    return wrapped


@pytest.mark.parametrize("outcome", [Outcome.NOT_CONVERGED, Outcome.NOT_FINITE])
def test_a_column_that_finds_no_rest_is_a_failure(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "resting", ending(outcome))
    found = answer(ICBM, reference())
    assert list(found.failures) == ["b"]
    assert "steady state" in found.failures["b"]
    assert np.isnan(found.values[0]).sum() == 2 * len(SAMPLES)


def test_a_model_that_refuses_every_profile_says_so() -> None:
    broken = replace(ICBM, values={**ICBM.values, "h": 2.0})
    with pytest.raises(BadCall, match="every column is refused"):
        answer(broken, reference())


def test_an_isochrone_of_another_age_is_refused() -> None:
    asked = reference(more=values("isochrone", "", [(0.0, 0.0)], 77.0))
    with pytest.raises(BadCall, match="isochrones have the ages"):
        answer(ICBM, asked)


def test_no_tropical_profile_no_isochrone(given: Prediction) -> None:
    assert given.curves is not None
    columns = Columns(given.curves, np.zeros((3, len(CM) - 1)))
    asked = values("isochrone", "", [(0.0, 0.0)], 10.0)
    assert np.isnan(isochrones(columns, asked, ())).all()


def test_without_the_air_radiocarbon_is_missing_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> None:
        raise MissingData("no record\nof the air")

    monkeypatch.setattr(room.radiocarbon, "atmospheres", nowhere)
    asked = reference(more=values("delta14c", "a", SAMPLES, np.nan))
    found = answer(ICBM, asked)
    assert np.isnan(of(found, asked, "delta14c", "a")).all()
    assert np.isfinite(of(found, asked, "f_new", "a")).all()
    assert "no Delta14C: no record of the air" in found.notes


def test_radiocarbon_lies_with_its_own_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def depths(*where: Any) -> tuple[np.ndarray, dict[str, str]]:
        return where[3]["layer_bottom"].to_numpy(), {"c": "sampled too late"}

    monkeypatch.setattr(room.radiocarbon, "delta14c", depths)
    asked = reference(
        more=pd.concat(
            [values("delta14c", "c", SAMPLES[::-1], np.nan), values("delta14c", "a", SAMPLES, np.nan)]
        )
    )
    found = answer(ICBM, asked, air={})
    np.testing.assert_array_equal(of(found, asked, "delta14c", "a"), [bottom for _, bottom in SAMPLES])
    np.testing.assert_array_equal(of(found, asked, "delta14c", "c"), [bottom for _, bottom in SAMPLES[::-1]])
    assert found.failures == {"c": "sampled too late"}


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    answer(ICBM, reference(), progress=lambda done, whole: told.append((done, whole)))
    assert told == [(3, 3)]
