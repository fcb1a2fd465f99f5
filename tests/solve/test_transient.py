"""Runs: mass closes, stocks stay positive, steps have their order, tracers ride and leave carbon alone."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.evolution import evolve, repeat
from subsoil.forcing import site_forcing
from subsoil.models.catalogue import MODELS
from subsoil.models.model import Fluxes, operator
from subsoil.solve import blocks as algebra
from subsoil.solve import kernel
from subsoil.solve.ages import steady
from subsoil.solve.blocks import dense
from subsoil.solve.steady import Outcome
from subsoil.solve.system import System
from subsoil.solve.transient import Run, accelerate, run
from subsoil.tracers import Tracer, system

GRID = DepthGrid.from_cm([0, 10, 30, 100])
POOLS = ("fast", "middle", "slow")
SAME, C14 = Tracer("same"), Tracer("c14", decay=1.0 / 8267.0)
TRACERS = {"same": SAME, "c14": C14, "c13": Tracer("c13", fractionation={"*->co2": -2.0})}


@pytest.fixture(scope="module")
def fluxes() -> Fluxes:
    """Three layers, pools of a month, ten and a thousand years; all mix, the fast one leaches."""
    random = np.random.default_rng(5)
    shape = (3, 3)
    rate = np.array([12.0, 0.1, 1e-3]) * random.uniform(0.6, 1.4, shape)
    flow = np.zeros((3, 3, 3))
    flow[:, 1, 0], flow[:, 2, 1], flow[:, 0, 2] = 0.4 * rate[:, 0], 0.2 * rate[:, 1], 0.5 * rate[:, 2]
    down, up = random.uniform(0.001, 0.02, (2, *shape))
    down[-1], up[0] = 0.0, 0.0
    inputs = np.array([[0.3, 0.1, 0.0], [0.1, 0.0, 0.0], [0.05, 0.0, 0.0]])
    respired = rate - flow.sum(axis=-2)
    leached = 0.1 * respired * np.array([1.0, 0.0, 0.0])
    return Fluxes(*map(jnp.asarray, (inputs, flow, respired, down, up, leached)))


@partial(jax.jit, static_argnames=("dt", "order", "tracers"))
def march(
    fluxes: Fluxes, forcing: Any, start: Any, dt: float, order: int = 2, tracers: tuple[str, ...] = ()
) -> Run:
    """A run under a forcing that is (share of the inputs, signatures of the tracers)."""

    def at(now: Any, _: Any) -> System:
        share, signature = now
        own = [TRACERS[name] for name in tracers]
        return system(fluxes._replace(inputs=fluxes.inputs * share), POOLS, own, signature)

    return run(at, forcing, start, dt, order)


def forcing(steps: int, *signatures: Any, share: Any = 1.0) -> tuple[jax.Array, jax.Array]:
    rows = [jnp.broadcast_to(jnp.asarray(s, dtype=float), steps) for s in signatures]
    return jnp.broadcast_to(jnp.asarray(share, dtype=float), steps), jnp.stack(
        rows, -1
    ) if rows else jnp.zeros((steps, 0))


def closes(ran: Run, start: Any, entered: Any) -> float:
    """Worst of start + inputs - lost - end over steps, as a share of the stock of total carbon."""
    stock = np.concatenate([[np.sum(start)], np.asarray(ran.state[:, 0].sum((1, 2)))])
    return float(
        np.abs(np.diff(stock) - entered + np.asarray(ran.lost[:, 0].sum((1, 2)))).max() / stock.max()
    )


@pytest.fixture(scope="module")
def rest(fluxes: Fluxes) -> jax.Array:
    return steady(operator(fluxes), fluxes.inputs)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dt", [0.01, 1.0, 300.0])
def test_mass_closes_and_stocks_stay_positive(fluxes: Fluxes, rest: jax.Array, order: int, dt: float) -> None:
    """Whatever the step, also where litter stops, triples or comes once, and pools start empty."""
    share = np.array([1.0, 0.0, 0.0, 3.0, 1.0, 0.0, 50.0, 0.0, 0.0, 1.0])
    for start in (rest, jnp.zeros_like(rest), rest * jnp.array([100.0, 0.0, 1.0])):
        ran = march(fluxes, forcing(10, share=share), start[None], dt, order)
        assert closes(ran, start, dt * share * float(fluxes.inputs.sum())) < 5e-15
        assert float(ran.state.min()) >= 0.0
        assert float(ran.lost.min()) >= 0.0
        assert (np.asarray(ran.outcome) == Outcome.CONVERGED).all()


@pytest.mark.parametrize(("order", "falls"), [(1, 2.0), (2, 4.0)])
def test_halving_the_step_divides_the_error(
    fluxes: Fluxes, rest: jax.Array, order: int, falls: float
) -> None:
    """Against the matrix exponential of a year without litter, after which nothing is at rest."""
    exact = (expm(np.asarray(dense(operator(fluxes)))) @ np.ravel(rest)).reshape(3, 3)
    errors = [
        float(
            jnp.abs(
                march(fluxes, forcing(n, share=0.0), rest[None], 1.0 / n, order).state[-1, 0] - exact
            ).max()
        )
        for n in (200, 400, 800)
    ]
    ratios = np.array(errors[:-1]) / errors[1:]
    np.testing.assert_allclose(ratios, falls, rtol=0.05)


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan])
def test_a_step_that_is_none_is_refused(fluxes: Fluxes, rest: jax.Array, step: float) -> None:
    with pytest.raises(BadCall, match="a run wants a positive step"):
        march(fluxes, forcing(1), rest[None], step)


def test_an_order_that_is_none_is_refused(fluxes: Fluxes, rest: jax.Array) -> None:
    with pytest.raises(BadCall, match=r"order 1 or 2, got 1\.0 and 3"):
        march(fluxes, forcing(1), rest[None], 1.0, order=3)


@pytest.fixture(params=["jax", "compiled"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "compiled" and kernel.why():
        pytest.skip(f"no kernel: {kernel.why()}")
    before = algebra._chosen
    algebra.use(request.param)
    yield request.param
    algebra.use(before)


@pytest.mark.parametrize("order", [1, 2])
def test_total_carbon_is_the_same_to_the_last_bit_with_tracers(
    fluxes: Fluxes, rest: jax.Array, order: int, backend: str
) -> None:
    share = 1.0 + 0.5 * np.sin(np.arange(40.0))
    alone = march(fluxes, forcing(40, share=share), rest[None], 0.5, order)
    start = jnp.stack([rest, 0.9 * rest, rest, 0.0 * rest])
    with_them = march(
        fluxes, forcing(40, 0.9, 1.0, 0.99, share=share), start, 0.5, order, ("c14", "same", "c13")
    )
    np.testing.assert_array_equal(alone.state[:, 0], with_them.state[:, 0])
    np.testing.assert_array_equal(alone.lost[:, 0], with_them.lost[:, 0])


@pytest.mark.parametrize("order", [1, 2])
def test_a_tracer_fed_and_started_like_carbon_is_carbon(fluxes: Fluxes, rest: jax.Array, order: int) -> None:
    share = np.where(np.arange(30) % 7 == 0, 4.0, 0.2)
    ran = march(fluxes, forcing(30, 1.0, share=share), jnp.stack([rest, rest]), 1.0, order, tracers=("same",))
    np.testing.assert_array_equal(ran.state[:, 1], ran.state[:, 0])


def test_a_pulse_arrives_in_its_own_year(fluxes: Fluxes, rest: jax.Array) -> None:
    """A year of label: nothing before it, most of what entered in it, less and less after."""
    pulse = np.where(np.arange(8) == 3, 1.0, 0.0)
    for order in (1, 2):
        ran = march(fluxes, forcing(8, pulse), jnp.stack([rest, 0.0 * rest]), 1.0, order, tracers=("same",))
        label = np.asarray(ran.state[:, 1].sum((1, 2)))
        assert (label[:3] == 0.0).all()
        assert label[3] == label.max() > 0.1 * float(fluxes.inputs.sum())
        assert (np.diff(label[3:]) < 0.0).all()
        gone = np.asarray(ran.lost[:, 1].sum((1, 2)))
        assert label[-1] + gone.sum() == pytest.approx(float(fluxes.inputs.sum()), rel=1e-13)


def test_the_label_of_a_run_is_the_matrix_exponential(fluxes: Fluxes, rest: jax.Array) -> None:
    """By 400 steps of second order in a year, in a pool that turns over twelve times in it as well."""
    steps = 400
    ran = march(fluxes, forcing(steps, 1.0), jnp.stack([rest, 0.0 * rest]), 1.0 / steps, tracers=("same",))
    old = (expm(np.asarray(dense(operator(fluxes)))) @ np.ravel(rest)).reshape(3, 3)
    np.testing.assert_allclose(ran.state[-1, 1], rest - old, rtol=2e-4)


# Spin-up.


def test_accelerated_spin_up_gives_the_same_carbon_and_radiocarbon(fluxes: Fluxes, rest: jax.Array) -> None:
    """Where decay is accelerated with the rest; without, slow pools come out too young (E3SM issue 2059)."""
    factor = jnp.array([1.0, 5.0, 100.0])
    exact = steady(C14.ride(fluxes, POOLS), fluxes.inputs)
    quick = accelerate(C14.ride(fluxes, POOLS), factor)
    np.testing.assert_allclose(factor * steady(quick, fluxes.inputs), exact, rtol=1e-12)
    np.testing.assert_allclose(
        factor * steady(accelerate(operator(fluxes), factor), fluxes.inputs), rest, rtol=1e-12
    )

    forgotten = accelerate(operator(fluxes), factor)
    forgotten = forgotten._replace(diagonal=forgotten.diagonal - C14.decay * jnp.eye(3))
    wrong = factor * steady(forgotten, fluxes.inputs) / rest
    assert float((wrong - exact / rest)[:, 2].min()) > 0.05


def test_a_run_spins_up_to_the_steady_state(fluxes: Fluxes, rest: jax.Array) -> None:
    """Of carbon and of radiocarbon, by 400 steps of 50 years."""
    exact = steady(C14.ride(fluxes, POOLS), fluxes.inputs)
    for order in (1, 2):
        ran = march(fluxes, forcing(400, 1.0), jnp.stack([0.5 * rest, rest]), 50.0, order, ("c14",))
        np.testing.assert_allclose(ran.state[-1], jnp.stack([rest, exact]), rtol=1e-4)


# Models that are not linear.


def test_a_nonlinear_run_closes_and_its_tracer_is_carbon() -> None:
    """From far off rest, a heap of litter on half of the rest, through a sudden warming."""
    model, steps, dt = MODELS["mimics"], 12, 10.0
    site = site_forcing(GRID, mat=12, map_mm=900, p_pet=1, npp=0.5)
    assert model.first_guess is not None
    start = 0.5 * model.first_guess(model.values, site, GRID).at[0, 0].multiply(20.0)
    warm = repeat(site, steps)
    warm = warm._replace(temperature=warm.temperature + 8.0 * (np.arange(steps)[:, None] > 5))
    ran = evolve(model, warm, jnp.stack([start, start]), dt, [SAME], np.ones((steps, 1)), GRID)
    assert closes(ran, start, dt * float(site.litter + site.roots)) < 5e-15
    assert (np.asarray(ran.outcome) == Outcome.CONVERGED).all()
    assert float(ran.state.min()) >= 0.0
    np.testing.assert_array_equal(ran.state[:, 1], ran.state[:, 0])
    np.testing.assert_array_equal(ran.lost[:, 1], ran.lost[:, 0])


def test_a_nonlinear_run_that_meets_a_gap_says_when() -> None:
    """Before the gap it is a run; from there on not a number, and named so."""

    def at(entering: Any, carbon: Any) -> System:
        zero = jnp.zeros((1, 1, 1))
        return System(algebra.Blocks(zero, -carbon[None, ..., None], zero), zero + entering, zero)

    ran = run(at, jnp.array([1.0, 4.0, jnp.nan, 1.0]), jnp.ones((1, 1, 1)), 100.0, linear=False)
    assert ran.outcome.tolist() == [
        Outcome.CONVERGED,
        Outcome.CONVERGED,
        Outcome.NOT_FINITE,
        Outcome.NOT_FINITE,
    ]
    np.testing.assert_allclose(np.ravel(ran.state)[:2], [1.0, 2.0], rtol=0.02)
    assert np.isnan(np.ravel(ran.state)[2:]).all()


def test_derivative_of_a_nonlinear_run_equals_differences() -> None:
    """Of a pool that respires at its own density, in what enters and where it starts."""

    @jax.jit
    def end(entering: Any, start: Any) -> Any:
        def at(now: Any, carbon: Any) -> System:
            zero = jnp.zeros((1, 1, 1))
            return System(algebra.Blocks(zero, -carbon[None, ..., None], zero), zero + now * entering, zero)

        return (
            run(at, jnp.array([1.0, 3.0, 0.5]), jnp.full((1, 1, 1), start), 0.4, linear=False).state[-1].sum()
        )

    slopes = jax.jit(jax.grad(end, argnums=(0, 1)))(1.0, 2.0)
    for slope, turn in zip(slopes, np.eye(2), strict=True):
        ends = [float(end(*(np.array([1.0, 2.0]) + k * 1e-3 * turn))) for k in (-2, -1, 1, 2)]
        central = (8.0 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / 0.012
        assert float(slope) == pytest.approx(central, rel=1e-7)
