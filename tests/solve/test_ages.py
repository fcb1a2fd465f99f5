"""Label, ages and transit times against dense matrices and against soils whose answer is known on paper."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import ArrayLike

from subsoil.errors import BadCall
from subsoil.solve import ages
from subsoil.solve.ages import AgeDistribution
from subsoil.solve.blocks import Blocks

YEARS = (0.0, 0.01, 1.0, 30.0, 1000.0, 3e4)
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)

label = jax.jit(ages.label_response, static_argnames=("years", "shifts"))
label_error = jax.jit(ages.label_error, static_argnames="years")
distribution = jax.jit(ages.age_distribution, static_argnames=("shifts", "whole"))
mean_age = jax.jit(ages.mean_age, static_argnames="whole")


def one_layer(diagonal: ArrayLike) -> Blocks:
    """One layer with this matrix."""
    matrix = jnp.asarray(diagonal, dtype=float)[None]
    nothing = jnp.zeros(matrix.shape[:2])
    return Blocks(nothing, matrix, nothing)


def exact_label(soil: Any, column: int, years: ArrayLike) -> np.ndarray:
    """[layer, year]"""
    old = np.stack([soil.left(column, t).sum(axis=1) for t in np.atleast_1d(years)], axis=-1)
    return 1.0 - old / soil.stock[column].sum(axis=1)[:, None]


@pytest.fixture(scope="module", params=["rings", "clm"])
def soil(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_cycling_pools_turn_the_spectrum(rings: Any) -> None:
    """Otherwise the rings prove nothing."""
    eigenvalues = np.linalg.eigvals(rings.matrix[0])
    assert np.abs(np.angle(-eigenvalues)).max() > 0.45


@pytest.mark.parametrize(("set_of_shifts", "error"), [("fine", 1e-8), ("standard", 1e-6)])
def test_label_is_the_matrix_exponential(soil: Any, set_of_shifts: str, error: float) -> None:
    answer = np.asarray(label(soil.blocks, soil.inputs, YEARS, set_of_shifts))
    for column in range(len(soil.stock)):
        np.testing.assert_allclose(answer[column], exact_label(soil, column, YEARS), rtol=0.0, atol=error)


def test_the_label_is_a_share_that_never_falls(soil: Any) -> None:
    years = tuple(np.concatenate([[0.0], np.geomspace(1e-3, 1e6, 200)]).tolist())
    answer = np.asarray(label(soil.blocks, soil.inputs, years))
    assert np.abs(answer[..., 0]).max() < 1e-15
    assert answer.min() >= -1e-8
    assert answer.max() <= 1.0 + 1e-8
    assert np.diff(answer, axis=-1).min() > -2e-8
    assert answer[..., -1].min() > 1.0 - 1e-6


def test_the_error_of_the_label_is_an_honest_bound(soil: Any) -> None:
    stated = np.asarray(label_error(soil.blocks, soil.inputs, YEARS))
    answer = np.asarray(label(soil.blocks, soil.inputs, YEARS))
    for column in range(len(soil.stock)):
        true = np.abs(answer[column] - exact_label(soil, column, YEARS)).max()
        assert true < 1.05 * stated[column] + 1e-9
        assert stated[column] < 1e-6


def test_the_error_says_so_where_the_shifts_do_not_serve(rings: Any) -> None:
    """Equal pools in a ring that only the last one leaves turn by up to 1.3 radians: out of the sector."""
    ring = np.roll(np.eye(15), 1, axis=0)
    ring[0, -1] = 0.9
    blocks, inputs = one_layer(ring - np.eye(15)), jnp.eye(1, 15)
    years = tuple(np.geomspace(1.0, 100.0, 12).tolist())
    soil = type(rings).of(Blocks(*(part[None] for part in blocks)), np.eye(1, 15)[None], np.zeros((1, 1, 15)))
    stated = float(label_error(blocks, inputs, years))
    true = np.abs(np.asarray(label(blocks, inputs, years)) - exact_label(soil, 0, years)).max()
    assert true > 1e-6
    assert 0.5 * true < stated < 2.0 * true


@pytest.mark.parametrize("years", [[-1.0], [np.inf], [np.nan, 1.0]])
def test_years_that_are_none_are_refused(years: list[float]) -> None:
    with pytest.raises(BadCall, match="since the change, not dates"):
        ages.label_response(one_layer([[-1.0]]), jnp.ones((1, 1)), years)


def test_mean_age_is_the_dense_formula(soil: Any) -> None:
    every = jnp.broadcast_to(
        jnp.eye(soil.stock.shape[-1])[:, None, :], (soil.stock.shape[-1], *soil.stock.shape[1:])
    )
    by_pool = np.asarray(mean_age(soil.blocks, soil.stock, every))
    by_layer = np.asarray(mean_age(soil.blocks, soil.stock))
    whole = np.asarray(mean_age(soil.blocks, soil.stock, soil.respiration[:, None], whole=True))
    for column, (stock, gone) in enumerate(zip(soil.stock, soil.respiration, strict=True)):
        exact = soil.mean_age(column)
        np.testing.assert_allclose(by_pool[column], exact.T, rtol=1e-8)
        np.testing.assert_allclose(by_layer[column], (exact * stock).sum(1) / stock.sum(1), rtol=1e-8)
        assert whole[column, 0, 0] == pytest.approx(
            (exact * stock * gone).sum() / (stock * gone).sum(), rel=1e-8
        )


def test_mean_transit_time_is_stock_over_input(soil: Any) -> None:
    """Where all is respired, to the last digits; and it is the integral of what is left."""
    transit = np.asarray(mean_age(soil.blocks, soil.stock, soil.respiration[:, None], whole=True))[:, 0, 0]
    np.testing.assert_allclose(transit, soil.stock.sum((1, 2)) / soil.inputs.sum((1, 2)), rtol=1e-10)
    log = np.linspace(np.log(1e-4), np.log(1e7), 2001)  # the trapezoid in ln t has the error of the ends
    gone = np.asarray(
        ages.label_response(
            soil.blocks, soil.inputs, np.exp(log), "fine", project=jnp.asarray(soil.respiration[:, None])
        )
    )[:, 0]
    amount = (soil.stock * soil.respiration).sum(-1)
    left = np.einsum("clt,cl->ct", 1.0 - gone, amount) / amount.sum(1, keepdims=True)
    np.testing.assert_allclose(np.trapezoid(left * np.exp(log), log) + 1e-4, transit, rtol=2e-5)


@pytest.fixture(scope="module")
def fine(soil: Any) -> AgeDistribution:
    return distribution(soil.blocks, soil.stock)


def test_quantiles_solve_the_dense_distribution(soil: Any, fine: AgeDistribution) -> None:
    """CDF(quantile) = share: off in age by less than 1e-8 of it, by the slope of the dense distribution."""
    found = np.asarray(fine.quantile(SHARES))[:, 0]
    coarse = np.asarray(distribution(soil.blocks, soil.stock, shifts="standard").quantile(SHARES))[:, 0]
    for column in range(min(2, len(found))):
        stock = soil.stock[column]
        for layer in range(len(stock)):
            for place, share in enumerate(SHARES):
                age = found[column, layer, place]
                old = soil.left(column, age)
                falls = -(soil.matrix[column] @ old.ravel()).reshape(old.shape)[layer].sum()
                off = (share * stock[layer].sum() - (stock - old)[layer].sum()) / falls
                assert abs(off) < 1e-8 * age
                assert abs(coarse[column, layer, place] - age) < 3e-7 * age


def test_pools_and_layers_recombine(soil: Any) -> None:
    """Each pool's distribution, weighted by what it holds, is that of the layer; of layers, of the column."""
    layers, many = soil.stock.shape[1:]
    every = jnp.broadcast_to(jnp.eye(many)[:, None, :], (many, layers, many))
    by_pool = distribution(soil.blocks, soil.stock, every)
    np.testing.assert_allclose(jnp.swapaxes(by_pool.amount, 1, 2), soil.stock, rtol=1e-12)
    together = jnp.einsum("cgl,cglpt->clpt", by_pool.amount, by_pool.chebyshev)
    together /= soil.stock.sum(-1)[..., None, None]
    np.testing.assert_allclose(together, distribution(soil.blocks, soil.stock).chebyshev[:, 0], atol=1e-9)


def test_co2_by_depth_makes_the_transit_time_of_the_column(soil: Any) -> None:
    gone = jnp.asarray(soil.respiration[:, None])
    by_layer = distribution(soil.blocks, soil.stock, gone)
    column = distribution(soil.blocks, soil.stock, gone, whole=True)
    share = by_layer.amount / by_layer.amount.sum(-1, keepdims=True)
    together = jnp.einsum("cgl,cglpt->cgpt", share, by_layer.chebyshev)
    np.testing.assert_allclose(together, column.chebyshev[:, :, 0], atol=1e-9)
    np.testing.assert_allclose(column.amount[:, 0, 0], soil.inputs.sum((1, 2)), rtol=1e-9)
    medians = np.asarray(column.quantile(0.5))[:, 0, 0, 0]
    for i, median in enumerate(medians):
        old = (soil.left(i, median) * soil.respiration[i]).sum() / soil.inputs[i].sum()
        assert old == pytest.approx(0.5, abs=1e-8)


def test_one_pool_is_exponential() -> None:
    found = distribution(one_layer([[-0.02]]), jnp.array([[50.0]]), shifts="fine")
    shares = np.array([0.05, 0.3, 0.5, 0.9, 0.99])
    np.testing.assert_allclose(found.quantile(shares)[0, 0], -np.log1p(-shares) / 0.02, rtol=1e-8)


def test_two_pools_in_series_are_hypoexponential() -> None:
    """Carbon of the second pool is as old as two exponential times together."""
    fast, slow = 0.5, 0.01
    blocks, stock = one_layer([[-fast, 0.0], [fast, -slow]]), jnp.array([[2.0, 100.0]])
    second = jnp.array([[[0.0, 1.0]]])
    assert mean_age(blocks, stock, second)[0, 0] == pytest.approx(1.0 / fast + 1.0 / slow, rel=1e-12)
    age = np.asarray(distribution(blocks, stock, second, shifts="fine").quantile(SHARES))[0, 0]
    cdf = 1.0 - (fast * np.exp(-slow * age) - slow * np.exp(-fast * age)) / (fast - slow)
    np.testing.assert_allclose(cdf, SHARES, atol=1e-9)


def test_a_share_that_is_not_reached_has_no_age() -> None:
    """Half of the carbon is younger than a year, the rest older than any soil."""
    blocks = one_layer([[-2.0, 0.0], [0.0, -1e-10]])
    found = np.asarray(distribution(blocks, jnp.array([[1.0, 1.0]])).quantile([0.25, 0.49, 0.6, 0.9]))[0, 0]
    assert np.isfinite(found).tolist() == [True, True, False, False]
    assert found[0] == pytest.approx(np.log(2.0) / 2.0, rel=1e-6)
    quick = np.asarray(distribution(one_layer([[-1e5]]), jnp.array([[1.0]])).quantile([0.5]))
    assert quick == pytest.approx(ages.SHORTEST)


@pytest.mark.parametrize("shares", [0.0, 1.0, [0.5, np.nan], -0.1])
def test_shares_that_are_none_are_refused(shares: Any) -> None:
    nothing = jnp.zeros((1, 1))
    with pytest.raises(BadCall, match="shares lie between 0 and 1"):
        AgeDistribution(nothing, nothing, nothing).quantile(shares)


def test_derivative_of_quantiles_equals_differences(rings: Any) -> None:
    """In rates within layers, in mixing and in inputs at once, along one direction."""
    blocks, inputs = jax.tree.map(lambda part: jnp.asarray(part[1]), (rings.blocks, rings.inputs))
    random = np.random.default_rng(0)
    turn = random.uniform(0.5, 1.5, inputs.shape)

    @jax.jit
    def answer(x: Any) -> Any:
        faster = Blocks(blocks.lower, blocks.diagonal * (1.0 + x * turn)[..., None, :], blocks.upper)
        entering = inputs * (1.0 + x * turn[::-1])
        found = ages.age_distribution(faster, ages.steady(faster, entering), shifts="fine")
        return jnp.sum(jnp.log(found.quantile(SHARES)) * turn[:, :1])

    slope, step = float(jax.jit(jax.grad(answer))(0.0)), 1e-4
    points = [float(answer(k * step)) for k in (-2, -1, 1, 2)]
    central = (8.0 * (points[2] - points[1]) - (points[3] - points[0])) / (12.0 * step)
    assert abs(slope) > 1.0
    assert slope == pytest.approx(central, rel=1e-5)


def test_a_batch_a_loop_and_a_map_are_one(rings: Any) -> None:
    together = np.asarray(distribution(rings.blocks, rings.stock).quantile(SHARES))
    alone = [
        distribution(Blocks(*(part[i] for part in rings.blocks)), rings.stock[i]).quantile(SHARES)
        for i in range(4)
    ]
    mapped = jax.jit(jax.vmap(lambda b, s: ages.age_distribution(b, s).quantile(SHARES)))(
        rings.blocks, rings.stock
    )
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-9)
    np.testing.assert_allclose(together, mapped, rtol=1e-9)
