"""A column at rest: what rides on it follows from its history, as in a long run of it, linear or not."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.equilibrium import Equilibrium, at_rest, sweep
from subsoil.errors import BadCall
from subsoil.evolution import evolve, repeat
from subsoil.forcing import site_forcing, stack
from subsoil.models.catalogue import MODELS
from subsoil.solve.ages import steady
from subsoil.solve.steady import Outcome
from subsoil.solve.transient import Run
from subsoil.tracers import LABEL, RADIOCARBON, Tracer

GRID = DepthGrid.from_cm([0, 10, 30, 100])
SITE = site_forcing(GRID, mat=12, map_mm=900, p_pet=1, npp=0.5)
AGES = np.arange(31.0)
BOMB = 1.0 + 0.8 * np.exp(-((AGES - 12.0) ** 2) / 40.0)
"""Content of what entered by age, and last before: a peak 12 years ago."""


@pytest.fixture(scope="module", params=["icbm", "corpse"])
def rest(request: pytest.FixtureRequest) -> tuple[Any, Equilibrium]:
    model = MODELS[request.param]
    return model, at_rest(model, SITE, GRID)


@pytest.fixture(scope="module")
def ran(rest: tuple[Any, Equilibrium]) -> Run:
    """Thirty years by steps of a 20th: radiocarbon through the bomb curve, and a label from the start on."""
    model, found = rest
    old = steady(RADIOCARBON.ride(found.fluxes, model.pools), BOMB[-1] * found.fluxes.inputs)
    start = jnp.stack([found.carbon, old, 0.0 * found.carbon])
    bomb = np.repeat(BOMB[:-1][::-1], 20)
    entering = np.stack([bomb, np.ones_like(bomb)], axis=1)
    return evolve(model, repeat(SITE, len(bomb)), start, 0.05, [RADIOCARBON, LABEL], entering, GRID)


def test_history_is_what_a_long_run_would_carry(rest: tuple[Any, Equilibrium], ran: Run) -> None:
    """Year by year, to 1e-4 of the content of the standard."""
    model, found = rest
    content = np.asarray(found.content(RADIOCARBON, model.pools, AGES, BOMB))
    assert np.ptp(content) > 0.03
    np.testing.assert_allclose(content, ran.state[-1, 1] / ran.state[-1, 0], atol=1e-4)


def test_the_label_is_what_a_run_from_rest_takes_up(rest: tuple[Any, Equilibrium], ran: Run) -> None:
    """A model at rest is linear in what rides on it, microbes or not."""
    share = np.asarray(ran.state[:, 2].sum(-1) / ran.state[:, 0].sum(-1))
    np.testing.assert_allclose(rest[1].label([1.0, 10.0, 30.0]), share[[19, 199, 599]].T, atol=2e-4)


def test_a_source_of_one_makes_carbon_of_one(rest: tuple[Any, Equilibrium]) -> None:
    model, found = rest
    content = found.content(Tracer("same"), model.pools, AGES, np.ones(AGES.size))
    np.testing.assert_allclose(content, 1.0, rtol=1e-12)


def test_decay_of_a_constant_source_is_one_solve(rest: tuple[Any, Equilibrium]) -> None:
    model, found = rest
    content = found.content(RADIOCARBON, model.pools, AGES, np.ones(AGES.size))
    alone = steady(RADIOCARBON.ride(found.fluxes, model.pools), found.fluxes.inputs)
    np.testing.assert_allclose(content, alone / found.carbon, rtol=1e-12)


def test_a_step_of_the_source_is_the_label(rest: tuple[Any, Equilibrium]) -> None:
    model, found = rest
    since = np.array([1.0, 0.0])  # of one bin of 40 years, and before
    content = np.asarray(found.content(Tracer("same"), model.pools, [0.0, 40.0], since))
    of_layer = (content * found.carbon).sum(-1) / found.carbon.sum(-1)
    np.testing.assert_allclose(of_layer, found.label([40.0])[:, 0], atol=1e-7)


def test_a_decaying_tracer_wants_the_absolute_content(rest: tuple[Any, Equilibrium]) -> None:
    """F14C, relative to a standard that decays as well, rides without decay; else it decays twice."""
    model, found = rest
    fine = np.linspace(0.0, 60.0, 241)
    since = 60.0  # years from 1950 to sampling: the standard has decayed for as long
    middle = np.append(0.5 * (fine[1:] + fine[:-1]), 0.0)
    fraction = 1.0 + 0.8 * np.exp(-((middle - 35.0) ** 2) / 40.0)
    fraction[-1] = 0.0
    absolute = fraction * np.exp(-RADIOCARBON.decay * (since - middle))
    by_f = np.asarray(found.content(Tracer("f14c"), model.pools, fine, fraction))
    by_content = np.asarray(found.content(RADIOCARBON, model.pools, fine, absolute))
    np.testing.assert_allclose(by_content, by_f * np.exp(-RADIOCARBON.decay * since), atol=2e-6)
    twice = np.asarray(found.content(RADIOCARBON, model.pools, fine, fraction))
    assert np.abs(twice / by_f - 1.0).max() > 3e-3


@pytest.mark.parametrize(
    ("ages", "signature"),
    [
        ([0.0, 2.0, 1.0], [1.0] * 3),
        ([1.0, 2.0], [1.0] * 2),
        ([0.0, 1.0], [1.0] * 3),
        ([0.0], [1.0]),
        (0.0, 1.0),
    ],
)
def test_a_history_that_is_none_is_refused(rest: tuple[Any, Equilibrium], ages: Any, signature: Any) -> None:
    model, found = rest
    with pytest.raises(BadCall, match="a history wants ages that rise from 0"):
        found.content(RADIOCARBON, model.pools, ages, signature)


def test_parts_have_ages(rest: tuple[Any, Equilibrium]) -> None:
    """Pools make the layer's carbon, and CO2 of the column is as old as stock over input."""
    model, found = rest
    by_pool = np.asarray(found.mean_age("pools"))
    assert by_pool.shape == (len(model.pools), 3)
    together = (by_pool.T * found.carbon).sum(-1) / found.carbon.sum(-1)
    np.testing.assert_allclose(found.mean_age()[0], together, rtol=1e-10)
    transit = float(found.mean_age("co2", whole=True)[0, 0])
    assert transit == pytest.approx(float(found.carbon.sum() / found.fluxes.inputs.sum()), rel=1e-9)
    median = float(found.ages("co2", whole=True).quantile(0.5)[0, 0, 0])
    assert 0.0 < median < transit
    with pytest.raises(BadCall, match="ages are of carbon, pools or co2, got 'air'"):
        found.ages("air")


def test_a_column_that_finds_no_rest_leaves_its_neighbours_alone(rest: tuple[Any, Equilibrium]) -> None:
    """Nothing enters the second column: linear pools rest empty, microbes have no state to stand in."""
    model, alone = rest
    none = SITE._replace(litter=0.0 * SITE.litter, roots=0.0 * SITE.roots)
    found = at_rest(model, stack([SITE, none]), GRID, batch=True)
    np.testing.assert_allclose(found.carbon[0], alone.carbon, rtol=1e-9)
    ends = Outcome.CONVERGED if model.linear else Outcome.NOT_FINITE
    assert found.outcome.tolist() == [Outcome.CONVERGED, ends]
    np.testing.assert_array_equal(found.carbon[1], 0.0 if model.linear else np.nan)


def test_columns_may_differ_in_values() -> None:
    """A batch of sites and of rates of decay is a loop over both."""
    rates = np.array([0.01, 0.05])
    warm = SITE._replace(litter=2.0 * SITE.litter)
    found = at_rest(MODELS["onepool"](k=rates), stack([SITE, warm]), GRID, batch=True)
    for i, site in enumerate((SITE, warm)):
        alone = at_rest(MODELS["onepool"](k=float(rates[i])), site, GRID)
        np.testing.assert_allclose(found.carbon[i], alone.carbon, rtol=1e-12)


def test_each_column_may_have_its_own_labelling_time() -> None:
    model, years = MODELS["icbm"], np.array([4.0, 50.0, 4000.0])
    found = at_rest(model, stack([SITE] * 3), GRID, batch=True)
    together = np.asarray(found.label(years, shifts="fine"))
    own = np.asarray(found.label_after(years))
    np.testing.assert_allclose(own, together[np.arange(3), :, np.arange(3)], atol=1e-9)
    for wrong in ([4.0, 50.0], [4.0, 50.0, -1.0], [4.0, 50.0, np.nan], 4.0):
        with pytest.raises(BadCall, match="labelling time"):
            found.label_after(wrong)


def test_a_sweep_in_chunks_is_the_batch() -> None:
    sites = stack([site_forcing(GRID, mat=12, map_mm=900, p_pet=1, npp=0.1 * i) for i in range(1, 8)])
    model, seen = MODELS["onepool"], []
    swept = sweep(
        model, sites, lambda rest: (rest.outcome, rest.label([50.0])), GRID, 3, lambda *at: seen.append(at)
    )
    whole = at_rest(model, sites, GRID, batch=True)
    np.testing.assert_array_equal(swept[0], whole.outcome)
    np.testing.assert_allclose(swept[1], whole.label([50.0]), rtol=1e-12)
    assert seen == [(3, 7), (6, 7), (7, 7)]


def test_a_forcing_of_other_layers_is_refused() -> None:
    with pytest.raises(BadCall, match="the forcing has 3 layers, the grid 13"):
        at_rest(MODELS["icbm"], SITE)
