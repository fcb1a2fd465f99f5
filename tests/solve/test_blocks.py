"""Block-tridiagonal algebra against dense matrices, under both backends."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from shutil import which

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsoil.errors import BadCall
from subsoil.solve import blocks as algebra
from subsoil.solve import kernel
from subsoil.solve.blocks import Blocks, transpose

# One compilation a shape instead of one an operation; the tests keep to few shapes.
solve, cayley = jax.jit(algebra.solve), jax.jit(algebra.cayley)
residual, dense = jax.jit(algebra.residual), jax.jit(algebra.dense)
multiply = jax.jit(algebra.multiply, static_argnames="magnitude")

SIZES = [(1, 1, 1), (9, 3, 2), (2, 4, 7), (2, 2, 13)]  # batch, layer, pool
SHIFTS = np.asarray([0.4, 0.1, 3.0])
WEIGHTS = np.random.default_rng(9).normal(size=(3, 4, 5))  # shift, step, time
CHAINS = (SHIFTS, WEIGHTS)


@pytest.fixture(params=["jax", "compiled"], scope="module")
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """One backend after the other; the compiled one is owed wherever there is a compiler."""
    if request.param == "compiled" and kernel.why() and not which("cc"):
        pytest.skip(f"no C compiler: {kernel.why()}")
    before = algebra._chosen
    algebra.use(request.param)
    yield algebra.backend()
    algebra.use(before)


def column(batch: tuple[int, ...], layers: int, pools: int, seed: int = 0) -> Blocks:
    """A compartmental matrix: loss exceeds what is passed on, rates spread over five decades."""
    random = np.random.default_rng(seed)
    shape = (*batch, layers, pools)
    rate = 10.0 ** random.uniform(-4, 1, shape)
    passed = random.random((*shape, pools)) * (1 - np.eye(pools))
    passed *= (
        random.uniform(0.1, 0.9, (*batch, layers, 1, pools)) / np.maximum(passed.sum(-2), 1e-9)[..., None, :]
    )
    lower, upper = random.random(shape) * 0.1, random.random(shape) * 0.1
    lower[..., 0, :], upper[..., -1, :] = 0.0, 0.0
    leaving = np.zeros(shape)
    leaving[..., :-1, :] += lower[..., 1:, :]
    leaving[..., 1:, :] += upper[..., :-1, :]
    diagonal = passed * rate[..., None, :] - np.eye(pools) * (rate + leaving)[..., None, :]
    return Blocks(jnp.asarray(lower), jnp.asarray(diagonal), jnp.asarray(upper))


def matrix(blocks: Blocks) -> np.ndarray:
    """The dense matrix, written out here without the code under test."""
    lower, diagonal, upper = map(np.asarray, blocks)
    *batch, layers, pools = lower.shape
    full = np.zeros((*batch, layers, pools, layers, pools))
    pool = np.arange(pools)
    for layer in range(layers):
        full[..., layer, :, layer, :] = diagonal[..., layer, :, :]
        if layer:
            full[..., layer, pool, layer - 1, pool] = lower[..., layer, :]
            full[..., layer - 1, pool, layer, pool] = upper[..., layer - 1, :]
    return full.reshape(*batch, layers * pools, layers * pools)


def normal(*shape: int, seed: int = 1) -> jnp.ndarray:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def flat(x: np.ndarray) -> np.ndarray:
    return np.asarray(x).reshape(*x.shape[:-2], -1)


def close(got: jnp.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Largest error over largest value."""
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.abs(np.asarray(got) - wanted).max() <= tolerance * np.abs(wanted).max()


def dense_sums(blocks: Blocks, start: np.ndarray, project: np.ndarray) -> np.ndarray:
    """[..., group, layer, time]"""
    full, first = matrix(blocks), flat(start)[..., None]
    unit, total = np.eye(full.shape[-1]), 0.0
    for shift, weights in zip(*CHAINS, strict=True):
        turn = np.linalg.solve(shift * unit - full, shift * unit + full)
        begin = np.linalg.solve(shift * unit - full, shift * first)
        links = [np.linalg.matrix_power(turn, n) @ begin for n in range(len(weights))]
        total += np.einsum("jt,...sj->...ts", weights, np.concatenate(links, axis=-1))
    total = total.reshape(*total.shape[:-1], 1, *start.shape[-2:])
    return np.moveaxis((np.asarray(project)[..., None, :, :, :] * total).sum(-1), -3, -1)


# ---- the matrix itself ----


@pytest.mark.parametrize(("batch", "layers", "pools"), SIZES)
def test_products_and_transposes_are_those_of_the_dense_matrix(batch: int, layers: int, pools: int) -> None:
    blocks, x = column((batch,), layers, pools), normal(batch, layers, pools)
    full = matrix(blocks)
    assert (np.asarray(dense(blocks)) == full).all()
    assert (np.asarray(dense(transpose(blocks))) == np.swapaxes(full, -1, -2)).all()
    close(flat(multiply(blocks, x)), (full @ flat(x)[..., None])[..., 0], 1e-14)
    close(flat(multiply(blocks, x, magnitude=True)), (abs(full) @ abs(flat(x))[..., None])[..., 0], 1e-14)


def test_a_product_takes_tracers() -> None:
    blocks, x = column((2,), 3, 4), normal(2, 5, 3, 4)
    together = multiply(blocks, x)
    for tracer in range(5):
        assert (together[:, tracer] == multiply(blocks, x[:, tracer])).all()


def test_a_residual_sees_what_is_wrong() -> None:
    blocks, rhs = column((4,), 3, 2), normal(4, 3, 2)
    x = solve(blocks, rhs)
    assert float(residual(blocks, x, rhs).max()) < 1e-15
    wrong = x.at[1, 2, 1].multiply(1 + 1e-6).at[2, 0, 0].set(jnp.nan).at[3, 0, 0].set(jnp.inf)
    bad = np.asarray(residual(blocks, wrong, rhs))
    assert bad[0] < 1e-15
    assert 1e-13 < bad[1] < 1e-5
    assert np.isinf(bad[2:]).all()
    assert float(residual(blocks, 0 * x, 0 * rhs).max()) == 0.0


def test_a_residual_keeps_the_tracers_apart() -> None:
    blocks, rhs = column((2,), 3, 2), normal(2, 3, 3, 2)
    x = solve(blocks, rhs)
    bad = residual(blocks, x.at[1, 2].add(1.0), rhs)
    assert bad.shape == (2, 3)
    assert (np.asarray(bad) > 1e-3).nonzero() == (np.asarray([1]), np.asarray([2]))


# ---- solving ----


@pytest.mark.parametrize(("batch", "layers", "pools"), SIZES)
def test_a_solve_is_the_dense_solve(backend: str, batch: int, layers: int, pools: int) -> None:
    blocks, rhs = column((batch,), layers, pools), normal(batch, 2, layers, pools)
    x = solve(blocks, rhs)
    wanted = np.linalg.solve(matrix(blocks)[:, None], flat(rhs)[..., None])[..., 0]
    close(flat(x), wanted, 1e-12)
    assert float(residual(blocks, x, rhs).max()) < 1e-14


@given(seed=st.integers(0, 2**31), layers=st.integers(1, 4))
def test_input_gives_stocks_above_zero_and_respires_in_full(seed: int, layers: int) -> None:
    blocks = column((3,), 4, 3, seed)  # one shape for all cases: one compilation
    source = jnp.asarray(np.random.default_rng(seed).random((3, 4, 3))).at[:, layers:].set(0.0)
    stock = solve(blocks, -source)
    assert float(stock.min()) >= 0.0
    respired = -multiply(blocks, stock).sum((-1, -2))
    np.testing.assert_allclose(respired, source.sum((-1, -2)), rtol=1e-12)


def test_a_column_is_the_same_alone_and_in_a_batch(backend: str) -> None:
    project = jnp.ones((1, 3, 2))
    batches = (1, 7, 8, 9, 65) if backend == "compiled" else (1, 65)  # full and broken lanes; chunks
    for batch in batches:
        blocks, rhs = column((batch,), 3, 2), normal(batch, 3, 2)
        together = solve(blocks, rhs), cayley(blocks, rhs, *CHAINS, project)
        for i in {0, batch // 2, batch - 1}:
            one = Blocks(*(part[i] for part in blocks))
            alone = solve(one, rhs[i]), cayley(one, rhs[i], *CHAINS, project)
            for got, wanted in zip(together, alone, strict=True):
                close(got[i], wanted, 1e-13)


@pytest.mark.parametrize(("batch", "pools"), [(1, 3), (70, 2)])
def test_a_tracer_has_the_same_bits_alone_and_in_company(backend: str, batch: int, pools: int) -> None:
    blocks, rhs = column((batch,), 3, pools), normal(batch, 5, 3, pools)
    company = solve(blocks, rhs)
    for tracer in range(5):
        assert (solve(blocks, rhs[:, tracer]) == company[:, tracer]).all()


def test_a_spoiled_column_spoils_no_other(backend: str) -> None:
    blocks, rhs = column((65,), 3, 2), normal(65, 3, 2)
    project = jnp.ones((1, 3, 2))
    spoiled = blocks._replace(diagonal=blocks.diagonal.at[11, 0, 1, 0].set(jnp.nan))
    for got, wanted in zip(
        (solve(spoiled, rhs), cayley(spoiled, rhs, *CHAINS, project)),
        (solve(blocks, rhs), cayley(blocks, rhs, *CHAINS, project)),
        strict=True,
    ):
        broken = np.isnan(np.asarray(got)).reshape(65, -1).any(1)
        assert broken.nonzero()[0].tolist() == [11]
        others = np.arange(65) != 11
        assert (np.asarray(got)[others] == np.asarray(wanted)[others]).all()


def test_a_pivot_of_zero_shows_in_the_residual(backend: str) -> None:
    exchange = jnp.asarray([[[0.0, 1.0], [1.0, 0.0]]])  # regular, but not without pivots
    blocks = Blocks(jnp.zeros((1, 2)), exchange, jnp.zeros((1, 2)))
    rhs = jnp.ones((1, 2))
    assert np.isinf(float(residual(blocks, solve(blocks, rhs), rhs)))


def test_rates_across_the_ends_have_no_effect(backend: str) -> None:
    blocks, rhs = column((9,), 3, 2), normal(9, 3, 2)
    ends = Blocks(blocks.lower.at[:, 0].set(5.0), blocks.diagonal, blocks.upper.at[:, -1].set(5.0))
    assert (solve(ends, rhs) == solve(blocks, rhs)).all()
    assert (multiply(ends, rhs) == multiply(blocks, rhs)).all()
    cotangent = jax.jit(jax.grad(lambda b: solve(b, rhs).sum()))(ends)
    assert (cotangent.lower[:, 0] == 0).all()
    assert (cotangent.upper[:, -1] == 0).all()


def test_batch_axes_broadcast(backend: str) -> None:
    blocks, rhs = column((), 3, 2), normal(4, 5, 3, 2)
    many = Blocks(blocks.lower, jnp.broadcast_to(blocks.diagonal, (4, 1, 3, 2, 2)), blocks.upper)
    x = solve(many, rhs)
    assert x.shape == rhs.shape
    close(x[3, 4], solve(blocks, rhs[3, 4]), 1e-14)
    assert solve(Blocks(*(part[:0] for part in column((2,), 3, 2))), rhs[0, :0]).shape == (0, 3, 2)


# ---- chains ----


@pytest.mark.parametrize(("batch", "layers", "pools"), SIZES)
def test_chains_are_the_dense_ones(backend: str, batch: int, layers: int, pools: int) -> None:
    blocks, start = column((batch,), layers, pools), normal(batch, layers, pools)
    project = normal(batch, 2, layers, pools, seed=3)
    close(cayley(blocks, start, *CHAINS, project), dense_sums(blocks, start, project), 1e-11)


def test_the_chain_of_a_scalar_is_a_power(backend: str) -> None:
    blocks = Blocks(jnp.zeros((1, 1)), jnp.full((1, 1, 1), -0.3), jnp.zeros((1, 1)))
    each = jnp.eye(12).reshape(3, 4, 12)
    links = cayley(blocks, jnp.full((1, 1), 2.0), SHIFTS, each, jnp.ones((1, 1, 1)))
    turn = ((SHIFTS - 0.3) / (SHIFTS + 0.3))[:, None]
    close(links.reshape(3, 4), 2.0 * SHIFTS[:, None] / (SHIFTS[:, None] + 0.3) * turn ** np.arange(4), 1e-14)


# ---- derivatives ----


def test_gradients_of_a_solve_are_those_of_the_dense_solve(backend: str) -> None:
    blocks, rhs = Blocks(*(part[0] for part in column((1,), 4, 3))), normal(2, 4, 3)

    def ours(blocks: Blocks, rhs: jnp.ndarray) -> jnp.ndarray:
        return jnp.sum(jnp.sin(solve(blocks, rhs)))

    def oracle(blocks: Blocks, rhs: jnp.ndarray) -> jnp.ndarray:
        return jnp.sum(jnp.sin(jnp.linalg.solve(dense(blocks), rhs.reshape(2, 12).T)))

    got, wanted = (jax.jit(jax.grad(loss, (0, 1)))(blocks, rhs) for loss in (ours, oracle))
    jax.tree.map(lambda g, w: close(g, w, 1e-11), got, wanted)


def test_gradients_of_chains_are_those_of_the_dense_ones(backend: str) -> None:
    blocks, start = Blocks(*(part[0] for part in column((1,), 4, 3))), normal(4, 3)
    project = normal(2, 4, 3, seed=5)
    slope = normal(2, 4, 5, seed=6)

    def ours(blocks: Blocks, start: jnp.ndarray, project: jnp.ndarray) -> jnp.ndarray:
        sums = cayley(blocks, start, *CHAINS, project)
        return jnp.sum(slope * sums + sums**2)

    def oracle(blocks: Blocks, start: jnp.ndarray, project: jnp.ndarray) -> jnp.ndarray:
        full, unit, total = dense(blocks), jnp.eye(12), 0.0
        for shift, weights in zip(*CHAINS, strict=True):
            q = jnp.linalg.solve(shift * unit - full, shift * start.ravel())
            for n, weight in enumerate(weights):
                if n:
                    q = 2.0 * jnp.linalg.solve(shift * unit - full, shift * q) - q
                total += weight[:, None] * q
        sums = jnp.moveaxis(jnp.sum(project * total.reshape(5, 1, 4, 3), axis=-1), 0, 2)
        return jnp.sum(slope * sums + sums**2)

    got, wanted = (jax.jit(jax.grad(loss, (0, 1, 2)))(blocks, start, project) for loss in (ours, oracle))
    jax.tree.map(lambda g, w: close(g, w, 1e-10), got, wanted)


def test_gradients_are_differences(backend: str) -> None:
    blocks, start, project = column((9,), 3, 2), normal(9, 3, 2), jnp.ones((1, 3, 2))

    @jax.jit
    @jax.value_and_grad
    def loss(scale: jnp.ndarray) -> jnp.ndarray:
        own = Blocks(*(part * scale[:, None, None] for part in (blocks.lower, 0.0, blocks.upper)))
        own = own._replace(diagonal=blocks.diagonal * scale[:, None, None, None])
        sums = cayley(own, start * scale[::-1, None, None], *CHAINS, project)
        return jnp.sum(sums**2) + jnp.sum(jnp.tanh(solve(own, start)))

    at, step = jnp.linspace(0.5, 2.0, 9), 1e-6
    differences = [
        (loss(at.at[i].add(step))[0] - loss(at.at[i].add(-step))[0]) / (2 * step) for i in range(9)
    ]
    np.testing.assert_allclose(loss(at)[1], differences, rtol=1e-5, atol=1e-7)


def test_a_solve_has_second_derivatives(backend: str) -> None:
    blocks, rhs = Blocks(*(part[0] for part in column((1,), 3, 2))), normal(3, 2)

    def curvature(solver: object) -> jnp.ndarray:
        def loss(scale: jnp.ndarray) -> jnp.ndarray:
            return jnp.sum(solver(blocks._replace(diagonal=blocks.diagonal * scale[:, None, None]), rhs) ** 2)

        return jax.jit(jax.jacrev(jax.grad(loss)))(jnp.asarray([1.0, 1.3, 0.8]))

    close(curvature(solve), curvature(lambda b, r: jnp.linalg.solve(dense(b), r.ravel())), 1e-11)


def test_shifts_and_weights_count_as_constants(backend: str) -> None:
    blocks, start = column((), 2, 2), normal(2, 2)
    slope = jax.grad(lambda *chains: cayley(blocks, start, *chains, jnp.ones((1, 2, 2))).sum(), (0, 1))
    assert all((x == 0).all() for x in jax.jit(slope)(*map(jnp.asarray, CHAINS)))


# ---- vmap ----


def test_a_vmapped_solve_is_a_loop(backend: str) -> None:
    blocks, rhs = column((4, 3), 3, 2), normal(4, 3, 3, 2)
    wanted = solve(blocks, rhs)  # columns of a batch are proved equal to single ones above
    close(jax.jit(jax.vmap(jax.vmap(solve), in_axes=(1, 1), out_axes=1))(blocks, rhs), wanted, 1e-14)
    first = jax.tree.map(lambda x: x[0, 0], blocks)
    shared = jax.jit(jax.vmap(jax.vmap(solve, (None, 0)), (None, 0)))(first, rhs)
    close(shared, np.asarray([[solve(first, x) for x in row] for row in rhs]), 1e-14)
    some = first._replace(lower=blocks.lower[:, 0])
    close(
        jax.jit(jax.vmap(solve, (Blocks(0, None, None), None)))(some, rhs[0, 0]),
        np.asarray([solve(first._replace(lower=lower), rhs[0, 0]) for lower in some.lower]),
        1e-14,
    )


def test_a_vmapped_matrix_shared_by_vectors_is_eliminated_once(backend: str) -> None:
    blocks, rhs = column((), 3, 2), normal(50, 3, 2)
    text = jax.jit(jax.vmap(solve, (None, 0))).lower(blocks, rhs).as_text()
    assert "tensor<50x3x2x2xf64>" not in text  # no copy of the diagonal for each vector
    assert "tensor<1x50x3x2xf64>" in text  # the vectors are tracers of one column


def test_vmapped_chains_and_their_gradient_are_loops(backend: str) -> None:
    blocks, start, project = column((5,), 3, 2), normal(5, 3, 2), normal(2, 3, 2)
    many = jnp.asarray(CHAINS[0]) * jnp.linspace(1.0, 2.0, 5)[:, None]

    def loss(blocks: Blocks, start: jnp.ndarray, shifts: jnp.ndarray, project: jnp.ndarray) -> jnp.ndarray:
        return jnp.sum(cayley(blocks, start, shifts, WEIGHTS, project) ** 2)

    slope = jax.jit(jax.value_and_grad(loss, (0, 1, 3)))
    for axes, shifts in (((0, 0, None, None), many[0]), ((0, 0, 0, None), many)):
        got = jax.jit(jax.vmap(slope, axes))(blocks, start, shifts, project)
        for i in range(5):
            own = jax.tree.map(lambda x, i=i: x[i], blocks)
            wanted = slope(own, start[i], shifts if axes[2] is None else shifts[i], project)
            jax.tree.map(lambda g, w, i=i: close(g[i], w, 1e-12), got, wanted)


def test_the_gradient_of_a_vmap_is_the_sum_of_gradients(backend: str) -> None:
    blocks, rhs = column((), 3, 2), normal(6, 3, 2)
    together = jax.jit(jax.grad(lambda b: jnp.sum(jax.vmap(solve, (None, 0))(b, rhs) ** 2)))(blocks)
    one = jax.jit(jax.grad(lambda b, r: jnp.sum(solve(b, r) ** 2)))
    alone = [one(blocks, r) for r in rhs]
    jax.tree.map(lambda t, *a: close(t, np.sum(a, axis=0), 1e-12), together, *alone)


# ---- threads ----


def test_threads_at_once_neither_wait_for_ever_nor_mix(backend: str) -> None:
    blocks, rhs = column((300,), 8, 3), normal(300, 8, 3)
    project = jnp.ones((1, 8, 3))
    work = jax.jit(lambda rhs: (solve(blocks, rhs), cayley(blocks, rhs, *CHAINS, project)))
    wanted = [jax.block_until_ready(work(scale * rhs)) for scale in (1.0, 2.0, 3.0)]

    def repeat(i: int) -> bool:
        turns = (jax.block_until_ready(work((i + 1.0) * rhs)) for _ in range(10))
        return all((x == y).all() for turn in turns for x, y in zip(turn, wanted[i], strict=True))

    pool = ThreadPoolExecutor(3)
    try:
        assert all(future.result(timeout=60) for future in [pool.submit(repeat, i) for i in range(3)])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


# ---- the door ----


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b, r: solve(b._replace(lower=b.lower[:, :2]), r), "lower and upper"),
        (lambda b, r: solve(b._replace(diagonal=b.diagonal[..., :1]), r), "lower and upper"),
        (lambda b, r: solve(b, r[:, :2]), "rhs must end in the blocks' 3 layers and 2 pools"),
        (lambda b, r: solve(b, r[None, None]), "more axes"),
        (lambda b, r: solve(b, r[:3]), "do not broadcast"),
        (lambda b, r: solve(b, r * 1j), "real"),
        (lambda b, r: cayley(b, r[..., :1], *CHAINS, r[:, None]), "start"),
        (lambda b, r: cayley(b, r, *CHAINS, r[..., :1][:, None]), "project"),
        (lambda b, r: cayley(b, r, SHIFTS[None], WEIGHTS, r[:, None]), "chains want shifts"),
        (lambda b, r: cayley(b, r, SHIFTS[:2], WEIGHTS, r[:, None]), "chains want shifts"),
        (lambda b, r: algebra.cayley(b, r, -SHIFTS, WEIGHTS, r[:, None]), "shifts must be positive"),
        (lambda b, r: algebra.use("numpy"), "auto, compiled, jax"),
    ],
)
def test_a_bad_call_says_what_was_expected(change: object, message: str) -> None:
    with pytest.raises(BadCall, match=message):
        change(column((4,), 3, 2), normal(4, 3, 2))
