r"""How old the carbon of each layer is, and how old the CO2 that leaves it: distributions, not only means.

In steady state C = -A^-1 u. Of the carbon C of a layer, exp(A a) C entered more than a years ago, so that

    f_new(layer, a) = 1 - sum_pools (exp(A a) C) / sum_pools C

is at once the answer to a label switched on a years ago and the cumulative distribution of the age of the
layer's carbon (Metzler & Sierra 2018, Math. Geosci. 50:1; Sierra et al. 2017, GCB 23:1763). Weighting the
pools with their rates of respiration instead gives the age of the CO2 that the layer respires, and over the
whole column the transit time. All come from one set of solves, `subsoil.solve.exponential`.
"""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.errors import BadCall
from subsoil.solve.blocks import Blocks, solve
from subsoil.solve.exponential import Windows

SHORTEST, LONGEST = 1e-3, 2e7
"""Ages between which quantiles are looked for, yr: from hours to beyond every soil."""

PIECES_A_WINDOW, DEGREE = 7, 11
"""Between these ages the distribution is a polynomial in ln(age), piece by piece: error below 1e-9."""

NEWTON_STEPS = 3
"""On one piece, from a line between neighbours of its points; the third changes the last digits."""


def steady(blocks: Blocks, inputs: Float[Array, "*batch layer pool"]) -> Float[Array, "*batch layer pool"]:
    """Stock in steady state, kg m-2 a layer: C = -A^-1 u with u the inputs (kg m-2 yr-1).

    >>> one = Blocks(jnp.zeros((1, 1)), -0.1 * jnp.ones((1, 1, 1)), jnp.zeros((1, 1)))
    >>> steady(one, jnp.array([[2.0]])).round(6).tolist()
    [[20.0]]
    """
    return -solve(blocks, inputs)


def label_response(
    blocks: Blocks,
    inputs: Float[Array, "*batch layer pool"],
    years: ArrayLike,
    shifts: str = "standard",
    project: Float[Array, "*batch group layer pool"] | None = None,
) -> Float[Array, "..."]:
    """f_new: share of the carbon of each layer that entered since the label was switched on ``years`` ago.

    years: any number of them, shape [year], zero or positive, the same for every column (`label_after` takes
    one a column). Returns [batch, layer, year]; with ``project`` (weights of the pools) [batch, group, layer,
    year]. One year takes fewer solves than many. Raises BadCall for negative or infinite years.

    >>> one = Blocks(jnp.zeros((1, 1)), -0.1 * jnp.ones((1, 1, 1)), jnp.zeros((1, 1)))
    >>> f = label_response(one, jnp.array([[2.0]]), [0.0, 10.0])
    >>> np.asarray(f).round(6).tolist()
    [[0.0, 0.632121]]
    """
    years = np.atleast_1d(np.asarray(years, dtype=float))
    if not (np.isfinite(years).all() and (years >= 0.0).all()):
        raise BadCall(
            f"years must be zero or positive and finite, got {years.tolist()}: since the change, not dates"
        )
    stock = steady(blocks, inputs)
    weights = jnp.ones((1, *stock.shape[-2:])) if project is None else project
    positive = years[years > 0.0] if years.any() else np.ones(1)
    first, last = positive.min(), positive.max()
    windows = Windows.spanning(first, last, "single" if first == last and shifts == "standard" else shifts)
    left = windows.at(blocks, stock, weights, years)
    f_new = 1.0 - left / _amount(stock, weights)[..., None]
    return f_new[..., 0, :, :] if project is None else f_new


def label_after(
    blocks: Blocks, inputs: Float[Array, "*batch layer pool"], years: Float[Array, "*batch"]
) -> Float[Array, "*batch layer"]:
    """f_new of each layer where every column has its own labelling time, as field sites have.

    exp(A t) is exp(A' 1) with A' = A t: all columns then share the shift of one time, a quarter of what a
    range of times takes. years: zero or positive, one a column; may be traced, and has its derivative.

    Raises BadCall for negative or infinite years, as far as they are known.

    >>> two = Blocks(jnp.zeros((2, 1, 1)), -0.1 * jnp.ones((2, 1, 1, 1)), jnp.zeros((2, 1, 1)))
    >>> f = label_after(two, jnp.ones((2, 1, 1)), jnp.array([0.0, 10.0]))
    >>> np.asarray(f).round(6).ravel().tolist()
    [0.0, 0.632121]
    """
    if not isinstance(years, jax.core.Tracer):
        known = np.asarray(years, dtype=float)
        if not (np.isfinite(known) & (known >= 0.0)).all():
            raise BadCall(
                f"years must be zero or positive and finite, got {known}: since the change, not dates"
            )
    times = jnp.asarray(years, dtype=float)
    stock = steady(blocks, inputs)
    layers = times[..., None, None]
    scaled = Blocks(blocks.lower * layers, blocks.diagonal * layers[..., None], blocks.upper * layers)
    windows = Windows.spanning(1.0, 1.0, "single")
    left = windows.at(scaled, stock, jnp.ones((1, *stock.shape[-2:])), 1.0)[..., 0, :] / stock.sum(-1)
    return jnp.where(times[..., None] > 0.0, 1.0 - left, 0.0)


def label_error(
    blocks: Blocks, inputs: Float[Array, "*batch layer pool"], years: ArrayLike
) -> Float[Array, "*batch"]:
    """Error of `label_response` in each column: its largest difference from that of the finer shifts."""
    coarse, fine = (label_response(blocks, inputs, years, name) for name in ("standard", "fine"))
    return jnp.max(jnp.abs(coarse - fine), axis=(-1, -2))


def mean_age(
    blocks: Blocks,
    stock: Float[Array, "*batch layer pool"],
    project: Float[Array, "*batch group layer pool"] | None = None,
    whole: bool = False,
) -> Float[Array, "..."]:
    """Mean age of each layer's carbon, yr: project . (-A^-1 C) / project . C (exact, no distribution needed).

    With the pools weighted by their respiration: the mean age of the layer's CO2. [batch, layer], or
    [batch, group, layer] with ``project``; with ``whole`` all layers together, as one.
    """
    weights = jnp.ones((1, *stock.shape[-2:])) if project is None else project
    aged = jnp.sum(weights * -solve(blocks, stock)[..., None, :, :], -1)
    amount = _amount(stock, weights)
    mean = aged.sum(-1, keepdims=True) / amount.sum(-1, keepdims=True) if whole else aged / amount
    return mean[..., 0, :] if project is None else mean


class AgeDistribution(NamedTuple):
    """Cumulative distribution of age of some part of each layer's carbon (``group``), as pieces in ln(age).

    chebyshev: coefficients [batch, group, layer, piece, degree + 1]; edges: share younger than the start of
    each piece and the end of the last [batch, group, layer, piece + 1]; amount: of the part, [batch, group,
    layer] (kg m-2, or kg m-2 yr-1 for a respired part).
    """

    chebyshev: Float[Array, "*batch group layer piece term"]
    edges: Float[Array, "*batch group layer edge"]
    amount: Float[Array, "*batch group layer"]

    def quantile(self, shares: ArrayLike) -> Float[Array, "*batch group layer share"]:
        """Age (yr) below which the share lies; infinite where it is not reached in 2e7 yr.

        By Newton's method on the piece that holds the share; differentiable in the model, by the implicit
        function theorem. Shares below what the first thousandth of a year holds give that age. The error of
        the distribution over its slope is the error of the age: for shares from 0.05 to 0.95 a relative 1e-8
        or less, with the standard shifts 3e-7.

        Raises BadCall for shares outside (0, 1).
        """
        shares = np.atleast_1d(np.asarray(shares, dtype=float))
        if not ((shares > 0.0) & (shares < 1.0)).all():
            raise BadCall(f"shares lie between 0 and 1, got {shares.tolist()}: 0.5 is the median")
        return _quantile(self, tuple(shares.tolist()))


def _amount(
    stock: Float[Array, "*batch layer pool"], project: Float[Array, "*batch group layer pool"]
) -> Float[Array, "*batch group layer"]:
    return jnp.sum(project * stock[..., None, :, :], -1)


def age_distribution(
    blocks: Blocks,
    stock: Float[Array, "*batch layer pool"],
    project: Float[Array, "*batch group layer pool"] | None = None,
    shifts: str = "fine",
    whole: bool = False,
) -> AgeDistribution:
    """Distribution of age of each layer's carbon, or of the parts that ``project`` weighs.

    stock: steady state, kg m-2. Without ``project``: one group, all pools together. With ``whole`` all layers
    together, as one: with ``project`` the rates of respiration, its distribution is that of transit time.
    """
    weights = jnp.ones((1, *stock.shape[-2:])) if project is None else jnp.asarray(project)
    windows = Windows.spanning(SHORTEST, LONGEST, shifts)
    left, amount = _chebyshev(windows, blocks, stock, weights), _amount(stock, weights)
    if whole:
        left, amount = left.sum(-3, keepdims=True), amount.sum(-1, keepdims=True)
    terms = (-left / amount[..., None, None]).at[..., 0].add(1.0)
    signs = jnp.asarray((-1.0) ** np.arange(DEGREE + 1))
    start = jnp.sum(terms * signs, -1)
    edges = jnp.concatenate([start, jnp.sum(terms[..., -1:, :], -1)], -1)
    return AgeDistribution(terms, edges, amount)


@partial(jax.jit, static_argnames="at")
def _quantile(ages: AgeDistribution, at: tuple[float, ...]) -> Float[Array, "*batch group layer share"]:
    shares = np.array(at)
    rising = jax.lax.cummax(jax.lax.stop_gradient(ages.edges), axis=ages.edges.ndim - 1)
    below = jnp.sum(rising[..., None, :] < shares[:, None], axis=-1)  # edges below the share
    pieces = ages.chebyshev.shape[-2]
    piece = jnp.clip(below - 1, 0, pieces - 1)
    terms = jnp.take_along_axis(ages.chebyshev[..., None, :, :], piece[..., None, None], axis=-2)[..., 0, :]
    fixed = jax.lax.stop_gradient(terms)
    points = np.linspace(-1.0, 1.0, DEGREE + 2)
    values = fixed @ np.polynomial.chebyshev.chebvander(points, DEGREE).T
    left = jnp.clip(jnp.sum(values < shares[:, None], axis=-1, keepdims=True) - 1, 0, DEGREE)
    low, high = (jnp.take_along_axis(values, left + i, axis=-1)[..., 0] for i in (0, 1))
    part = jnp.clip((shares - low) / jnp.where(high > low, high - low, 1.0), 0.0, 1.0)
    x = -1.0 + (left[..., 0] + part) * (points[1] - points[0])
    for _ in range(NEWTON_STEPS):
        value, slope = _clenshaw(fixed, x)
        x = jnp.clip(x - (value - shares) / jnp.where(slope > 0.0, slope, jnp.inf), -1.0, 1.0)
    value, _ = _clenshaw(terms, x)
    _, slope = _clenshaw(fixed, x)
    inside = (below > 0) & (below <= pieces)
    x = x - jnp.where(
        inside, (value - jax.lax.stop_gradient(value)) / jnp.where(slope > 0.0, slope, 1.0), 0.0
    )
    width = np.log(LONGEST / SHORTEST) / pieces
    reached = SHORTEST * jnp.exp((piece + 0.5 * (x + 1.0)) * width)
    return jnp.where(below > pieces, jnp.inf, reached)


def _chebyshev(
    windows: Windows,
    blocks: Blocks,
    stock: Float[Array, "*batch layer pool"],
    project: Float[Array, "*batch group layer pool"],
) -> Float[Array, "*batch group layer piece term"]:
    """Series of project . exp(A a) C in every piece: each is a sum over links, as the values are."""
    ages, transform = _pieces(len(windows.first))
    parts = []
    for i, weights in enumerate(windows.weights(ages)):
        links = weights.shape[:2]
        own = weights.reshape(*links, *ages.shape)[:, :, i * PIECES_A_WINDOW : (i + 1) * PIECES_A_WINDOW]
        parts.append(windows.sums(blocks, stock, project, i, (own @ transform.T).reshape(*links, -1)))
    return jnp.concatenate([part.reshape(*part.shape[:-1], -1, len(transform)) for part in parts], axis=-2)


@cache
def _pieces(windows: int) -> tuple[Float[np.ndarray, "piece node"], Float[np.ndarray, "term node"]]:
    """Ages of the Chebyshev points of every piece, and the matrix from values there to coefficients."""
    pieces = windows * PIECES_A_WINDOW
    width = np.log(LONGEST / SHORTEST) / pieces
    angle = (np.arange(DEGREE + 1) + 0.5) * np.pi / (DEGREE + 1)
    points = np.cos(angle)
    ages = SHORTEST * np.exp((np.arange(pieces)[:, None] + 0.5 * (points + 1.0)) * width)
    transform = 2.0 / (DEGREE + 1) * np.cos(np.outer(np.arange(DEGREE + 1), angle))
    transform[0] *= 0.5
    return ages, transform


def _clenshaw(terms: Float[Array, "... term"], x: Float[Array, "..."]) -> tuple[Array, Array]:
    """Value and slope of a Chebyshev series at x."""
    b0, b1, d0, d1 = (jnp.zeros_like(x) for _ in range(4))
    for k in range(terms.shape[-1] - 1, 0, -1):
        b0, b1, d0, d1 = terms[..., k] + 2.0 * x * b0 - b1, b0, 2.0 * b0 + 2.0 * x * d0 - d1, d0
    return terms[..., 0] + x * b0 - b1, b0 + x * d0 - d1
