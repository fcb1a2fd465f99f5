"""The depth axis: layers, and moving amounts between sets of layers without losing any.

Depth is in metres, 0 at the surface of the mineral soil, positive down. Arrays
over layers hold one value a layer, the mean of a density (amount per volume)
over the layer, unless a name says ``amount``. Only densities and amounts are
moved: a ratio or a delta is made from two moved densities, never moved itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

from subsoil.constants import CM_PER_M, Numbers
from subsoil.errors import BadCall

SAME_DEPTH = 1e-9
"""Bounds closer than this, m, are one bound: conversions from cm round."""

LEAST_END_DENSITY = 2.0 / 3.0
"""Least density at an end of the sampled range, over the mean of the end layer: PCHIP's own end slope falls
to zero where density falls steeply, and a ratio of two such densities would be 0 or 1."""


@runtime_checkable
class Intervals(Protocol):
    """Anything with tops and bottoms: `Layers` or `DepthGrid`."""

    @property
    def top(self) -> Float[np.ndarray, " layer"]: ...

    @property
    def bottom(self) -> Float[np.ndarray, " layer"]: ...


@dataclass(frozen=True, eq=False)
class Layers:
    """Sampled layers: sorted, without overlap, gaps allowed.

    ``top`` and ``bottom`` in m, shape [layer]. Raises BadCall for empty, unequal, non-finite, unsorted or
    overlapping bounds and for layers without thickness.

    >>> Layers.from_cm([0, 20], [10, 30]).thickness.round(3).tolist()
    [0.1, 0.1]
    """

    top: Float[np.ndarray, " layer"]
    bottom: Float[np.ndarray, " layer"]

    def __post_init__(self) -> None:
        top, bottom = _frozen(self.top), _frozen(self.bottom)
        object.__setattr__(self, "top", top)
        object.__setattr__(self, "bottom", bottom)
        if top.ndim != 1 or top.shape != bottom.shape or top.size == 0:
            raise BadCall(f"layers want equally many tops and bottoms, got {top.shape} and {bottom.shape}")
        if not (np.isfinite(top).all() and np.isfinite(bottom).all()):
            raise BadCall("layer bounds must be finite: drop or repair rows without a depth first")
        if (bottom <= top).any():
            raise BadCall(f"bottoms must lie below tops, got {top} and {bottom} m: is a pair exchanged?")
        if (top[1:] < bottom[:-1] - SAME_DEPTH).any():
            raise BadCall(f"layers must be sorted and must not overlap, got tops {top}, bottoms {bottom} m")

    @classmethod
    def from_cm(cls, top: Numbers, bottom: Numbers) -> "Layers":
        """Layers from bounds in cm."""
        return cls(np.asarray(top, dtype=float) / CM_PER_M, np.asarray(bottom, dtype=float) / CM_PER_M)

    @property
    def thickness(self) -> Float[np.ndarray, " layer"]:
        """Thickness, m."""
        return self.bottom - self.top

    @property
    def centre(self) -> Float[np.ndarray, " layer"]:
        """Middle, m."""
        return 0.5 * (self.top + self.bottom)


@dataclass(frozen=True, eq=False)
class DepthGrid:
    """A gapless grid of layers, made from its boundaries.

    ``boundaries`` in m, shape [layer + 1], strictly increasing; values of a profile sit on layers, fluxes on
    boundaries. ``node`` in m, shape [layer]: where in its layer a model reckons the layer's value to be, the
    middle unless given (land models put their boundaries between nodes, not nodes between boundaries).
    Raises BadCall for fewer than two boundaries, a step that does not go down, or a node outside its layer.

    >>> grid = DepthGrid.from_cm([0, 5, 15, 30])
    >>> grid.centre.round(3).tolist(), len(grid)
    ([0.025, 0.1, 0.225], 3)
    """

    boundaries: Float[np.ndarray, " boundary"]
    node: Float[np.ndarray, " layer"] = None  # type: ignore[assignment]  # filled below

    def __post_init__(self) -> None:
        boundaries = _frozen(self.boundaries)
        object.__setattr__(self, "boundaries", boundaries)
        if boundaries.ndim != 1 or boundaries.size < 2 or not (np.diff(boundaries) > 0).all():
            raise BadCall(f"a grid wants two or more increasing boundaries in m, got {boundaries}")
        node = self.centre if self.node is None else self.node
        object.__setattr__(self, "node", _frozen(node))
        if self.node.shape != (len(self),) or not ((self.top < self.node) & (self.node < self.bottom)).all():
            raise BadCall(f"a grid wants one node inside each layer, got {self.node} m in {boundaries} m")

    @classmethod
    def from_cm(cls, boundaries: Numbers) -> "DepthGrid":
        """A grid from boundaries in cm."""
        return cls(np.asarray(boundaries, dtype=float) / CM_PER_M)

    def __len__(self) -> int:
        return self.boundaries.size - 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DepthGrid) and hash(self) == hash(other)

    def __hash__(self) -> int:
        return hash((self.boundaries.tobytes(), self.node.tobytes()))

    @property
    def top(self) -> Float[np.ndarray, " layer"]:
        """Upper bounds, m."""
        return self.boundaries[:-1]

    @property
    def bottom(self) -> Float[np.ndarray, " layer"]:
        """Lower bounds, m."""
        return self.boundaries[1:]

    @property
    def thickness(self) -> Float[np.ndarray, " layer"]:
        """Thickness, m."""
        return np.diff(self.boundaries)

    @property
    def centre(self) -> Float[np.ndarray, " layer"]:
        """Middle, m."""
        return 0.5 * (self.top + self.bottom)


def overlap(source: Intervals, target: Intervals) -> Float[np.ndarray, "target source"]:
    """Thickness that each target layer shares with each source layer, m.

    A density ρ moves as ``(overlap @ ρ) / overlap.sum(1)``, an amount a as ``(overlap / source thickness) @
    a``, both with density constant within a source layer. Columns sum to the source thickness when the
    targets cover the source: nothing is lost.

    >>> overlap(DepthGrid.from_cm([0, 10, 30]), DepthGrid.from_cm([0, 15])).round(3).tolist()
    [[0.1, 0.05]]
    """
    upper = np.maximum(target.top[:, None], source.top[None, :])
    lower = np.minimum(target.bottom[:, None], source.bottom[None, :])
    return np.clip(lower - upper, 0.0, None)


def contributing_fraction(source: Intervals, target: Intervals) -> Float[np.ndarray, " target"]:
    """Share of each target layer that was sampled, 0 to 1. What is missing lowers it, never a mean.

    >>> contributing_fraction(DepthGrid.from_cm([0, 20]), DepthGrid.from_cm([0, 10, 40])).round(3).tolist()
    [1.0, 0.333]
    """
    return overlap(source, target).sum(axis=1) / (target.bottom - target.top)


def remap(source: Intervals, target: Intervals) -> Float[np.ndarray, "target source"]:
    """Linear map of densities with constant density within each source layer.

    Row t averages over the sampled part of target t; a target without samples is a row of NaN.
    Cov_out = A Cov Aᵀ.

    >>> remap(DepthGrid.from_cm([0, 10, 30]), DepthGrid.from_cm([0, 20])).round(3).tolist()
    [[0.5, 0.5]]
    """
    return _mean_rows(overlap(source, target), source, target)


class SupportAverage:
    """Means of a function of depth over layers, by Gauss-Legendre quadrature.

    ``order`` nodes a layer are exact for polynomials up to degree ``2 order - 1``; for exp(-z/h) the relative
    error of 4 nodes is below 3e-6 while layers are thinner than 3 h.

    >>> average = SupportAverage(DepthGrid.from_cm([0, 10, 50]))
    >>> average(lambda z: z).round(3).tolist()
    [0.05, 0.3]
    """

    def __init__(self, layers: Intervals, order: int = 4) -> None:
        if order < 1:
            raise BadCall(f"order of a quadrature is 1 or more, got {order}")
        nodes, weights = np.polynomial.legendre.leggauss(order)
        half = 0.5 * (layers.bottom - layers.top)
        self.nodes: Float[np.ndarray, "layer node"] = layers.top[:, None] + half[:, None] * (nodes + 1.0)
        self.weights: Float[np.ndarray, " node"] = 0.5 * weights

    def __call__(
        self, function: Callable[[Float[np.ndarray, "layer node"]], Float[np.ndarray, "*batch layer node"]]
    ) -> Float[np.ndarray, "*batch layer"]:
        """Layer means of ``function(depth in m)``, which is called once with all nodes."""
        return np.asarray(function(self.nodes)) @ self.weights


def spline_means(
    source: Layers, target: Intervals, smoothing: float = 0.0, extrapolate: bool = False
) -> Float[np.ndarray, "target source"]:
    """Linear map from layer means to target means through the mass-preserving quadratic spline.

    Bishop, McBratney & Laslett 1999 (Geoderma 91:27): quadratic within layers, linear in gaps, continuous
    value and slope, level ends. It minimises ``Σ w_i (y_i - f̄_i)² + λ ∫ f'(x)² dx`` with λ ``smoothing``
    (m) and w_i = D_i / Σ D: weighting the misfit by thickness D keeps the integral ``Σ D_i f̄_i`` for every
    λ, which equal weights do not. At λ = 0 the layer means are met exactly. Targets are integrated
    analytically.

    Outside the sampled range a mean is missing (a row of NaN); a target partly outside is the mean of its
    part inside. With ``extrapolate`` the end values go on level, and `contributing_fraction` tells where. A
    spline may turn negative between a large and a small value: see `monotone_means`. Cov_out = A Cov Aᵀ; A
    depends on depths and λ only and is cached.

    >>> source, target = Layers.from_cm([0, 10], [10, 30]), DepthGrid.from_cm([0, 30])
    >>> spline_means(source, target).round(3).tolist()  # the exact mean of the whole
    [[0.333, 0.667]]
    """
    spline = _spline(source.top.tobytes(), source.bottom.tobytes(), smoothing)
    top, bottom = np.asarray(target.top), np.asarray(target.bottom)
    if not extrapolate:
        top, bottom = (np.clip(edge, source.top[0], source.bottom[-1]) for edge in (top, bottom))
    inside = (bottom - top)[:, None]
    amount = _integral(source, spline, bottom) - _integral(source, spline, top)
    return np.where(inside > 0, amount / np.where(inside > 0, inside, 1.0), np.nan)


def spline_values(
    source: Layers, depth: Float[np.ndarray, " point"], smoothing: float = 0.0, extrapolate: bool = False
) -> Float[np.ndarray, "point source"]:
    """Linear map from layer means to the spline's values at points (m); see `spline_means`.

    >>> spline_values(Layers.from_cm([0, 10], [10, 20]), np.array([0.1, 0.3])).round(6).tolist()
    [[0.5, 0.5], [nan, nan]]
    """
    values = _values(source, _spline(source.top.tobytes(), source.bottom.tobytes(), smoothing), depth)
    outside = (depth < source.top[0]) | (depth > source.bottom[-1])
    return values if extrapolate else np.where(outside[:, None], np.nan, values)


def monotone_means(
    source: Layers, density: Float[np.ndarray, "source *batch"], target: Intervals
) -> Float[np.ndarray, "target *batch"]:
    """Target means by monotone interpolation of the cumulative amount: positive where the data are.

    PCHIP (Fritsch & Carlson 1980) through the amounts above each bound: layer means are exact, and a
    non-negative density stays non-negative, at the two ends above ``LEAST_END_DENSITY`` of the end layer's
    mean. A gap takes the mean of its neighbours. Outside the sampled range missing; a part outside leaves the
    mean of the part inside. Not linear in ``density``; further axes of ``density`` are independent profiles
    on the same layers.

    >>> source = Layers.from_cm([0, 10, 20], [10, 20, 30])
    >>> monotone_means(source, np.array([50.0, 2.0, 2.0]), DepthGrid.from_cm([0, 10, 15])).round(2).tolist()
    [50.0, 2.46]
    """
    cumulative = _cumulative(source, density)
    top, bottom = (np.clip(edge, source.top[0], source.bottom[-1]) for edge in (target.top, target.bottom))
    amount = cumulative(bottom) - cumulative(top)
    inside = (bottom - top).reshape(-1, *(1,) * (amount.ndim - 1))
    return np.where(inside > 0, amount / np.where(inside > 0, inside, 1.0), np.nan)


def monotone_values(
    source: Layers, density: Float[np.ndarray, "source *batch"], depth: Float[np.ndarray, " point"]
) -> Float[np.ndarray, "point *batch"]:
    """Density at points (m) by the interpolation of `monotone_means`; missing outside the sampled range.

    >>> monotone_values(Layers.from_cm([0], [10]), np.array([3.0]), np.array([0.05, 0.2])).round(3).tolist()
    [3.0, nan]
    """
    slope = _cumulative(source, density).derivative()
    values = slope(np.clip(depth, source.top[0], source.bottom[-1]))
    outside = (depth < source.top[0]) | (depth > source.bottom[-1])
    return np.where(outside.reshape(-1, *(1,) * (values.ndim - 1)), np.nan, values)


def _mean_rows(
    shared: Float[np.ndarray, "target source"], source: Intervals, target: Intervals
) -> Float[np.ndarray, "target source"]:
    total = shared.sum(axis=1, keepdims=True)
    return np.where(total > 0, shared / np.where(total > 0, total, 1.0), np.nan)


def _frozen(values: Numbers) -> Float[np.ndarray, "..."]:
    array = np.array(values, dtype=float)
    array.flags.writeable = False
    return array


def _cumulative(source: Layers, density: Float[np.ndarray, "source *batch"]) -> CubicHermiteSpline:
    """Amount above each depth (m); a gap holds the mean density of its two neighbours."""
    bounds, rows = [source.top[0]], [np.zeros(source.top.size)]
    one = np.eye(source.top.size)
    for i, (top, bottom) in enumerate(zip(source.top, source.bottom, strict=True)):
        if top > bounds[-1] + SAME_DEPTH:
            rows.append(rows[-1] + 0.5 * (top - bounds[-1]) * (one[i - 1] + one[i]))
            bounds.append(top)
        rows.append(rows[-1] + (bottom - bounds[-1]) * one[i])
        bounds.append(bottom)
    x, amounts = np.array(bounds), np.tensordot(np.array(rows), density, axes=1)
    slopes = PchipInterpolator(x, amounts)(x, 1)
    for end, layer in ((0, 0), (-1, -1)):
        least = LEAST_END_DENSITY * np.asarray(density)[layer]
        slopes[end] = np.where(np.abs(slopes[end]) < np.abs(least), least, slopes[end])
    return CubicHermiteSpline(x, amounts, slopes)


@lru_cache(maxsize=512)
def _spline(
    top_bytes: bytes, bottom_bytes: bytes, smoothing: float
) -> tuple[Float[np.ndarray, " piece"], Float[np.ndarray, "3 piece source"]]:
    """Pieces of the spline: where each starts, and its c0 + c1 t + c2 t², linear in the layer means.

    The key of the cache is the values of the depths and λ; nothing else enters.
    """
    if not smoothing >= 0:
        raise BadCall(f"smoothing is 0 (exact layer means) or more, got {smoothing}")
    top, bottom = np.frombuffer(top_bytes), np.frombuffer(bottom_bytes)
    thickness, gap = bottom - top, np.clip(top[1:] - bottom[:-1], 0.0, None)
    means, slopes = _fit(thickness, gap, smoothing)
    curvature = (slopes[1:] - slopes[:-1]) / (2.0 * thickness[:, None])
    level = means - slopes[:-1] * thickness[:, None] / 2.0 - curvature * (thickness**2)[:, None] / 3.0
    open_gap = np.flatnonzero(gap > SAME_DEPTH)
    across = slopes[open_gap + 1]
    entry = level[open_gap + 1] - across * gap[open_gap, None]
    starts = np.concatenate([top, bottom[open_gap]])
    layers, gaps = np.stack([level, slopes[:-1], curvature]), np.stack([entry, across, 0.0 * across])
    order = np.argsort(starts)
    return starts[order], np.concatenate([layers, gaps], axis=1)[:, order]


def _fit(
    thickness: Float[np.ndarray, " layer"], gap: Float[np.ndarray, " inner"], smoothing: float
) -> tuple[Float[np.ndarray, "layer source"], Float[np.ndarray, "boundary source"]]:
    """Fitted means and the slopes at the boundaries as linear maps of the observed means.

    ``(W + 6 λ Qᵀ R⁻¹ Q) f̄ = W y`` and ``b = 6 R⁻¹ Q f̄``; see `_stiffness` for R and Q.
    """
    n = thickness.size
    r, q = _stiffness(thickness, gap)
    rq = np.linalg.solve(r, q)
    weight = np.diag(thickness / thickness.sum())
    means = np.linalg.solve(weight + 6.0 * smoothing * q.T @ rq, weight)
    slopes = np.zeros((n + 1, n))
    slopes[1:-1] = 6.0 * rq @ means
    return means, slopes


def _stiffness(
    thickness: Float[np.ndarray, " layer"], gap: Float[np.ndarray, " inner"]
) -> tuple[Float[np.ndarray, "inner inner"], Float[np.ndarray, "inner layer"]]:
    """R: tridiagonal, ``R_ii = 2 (D_i + D_i+1) + 6 g_i``, ``R_i,i+1 = D_i+1``; Q: first differences."""
    n = thickness.size
    r = np.diag(2.0 * (thickness[:-1] + thickness[1:]) + 6.0 * gap)
    r += np.diag(thickness[1:-1], 1) + np.diag(thickness[1:-1], -1)
    return r, np.eye(n)[1:] - np.eye(n)[:-1]


def _piece(
    starts: Float[np.ndarray, " piece"], depth: Float[np.ndarray, " point"]
) -> Int[np.ndarray, " point"]:
    return np.clip(np.searchsorted(starts, depth, side="right") - 1, 0, None)


def _values(
    source: Layers,
    spline: tuple[Float[np.ndarray, " piece"], Float[np.ndarray, "3 piece source"]],
    depth: Float[np.ndarray, " point"],
) -> Float[np.ndarray, "point source"]:
    """Value at each depth; level outside the sampled range."""
    starts, coefficients = spline
    depth = np.clip(depth, source.top[0], source.bottom[-1])
    piece = _piece(starts, depth)
    t = (depth - starts[piece])[:, None]
    c0, c1, c2 = coefficients[:, piece]
    return c0 + t * (c1 + t * c2)


def _integral(
    source: Layers,
    spline: tuple[Float[np.ndarray, " piece"], Float[np.ndarray, "3 piece source"]],
    depth: Float[np.ndarray, " point"],
) -> Float[np.ndarray, "point source"]:
    """Integral from the top of the first layer to each depth; level outside the sampled range."""
    starts, coefficients = spline
    inside = np.clip(depth, source.top[0], source.bottom[-1])
    outside = (depth - inside)[:, None] * _values(source, spline, depth)
    c0, c1, c2 = coefficients
    width = np.diff(starts)[:, None]
    whole = width * (c0[:-1] + width * (c1[:-1] / 2.0 + width * c2[:-1] / 3.0))
    before = np.concatenate([np.zeros_like(c0[:1]), np.cumsum(whole, axis=0)])
    piece = _piece(starts, inside)
    t = (inside - starts[piece])[:, None]
    return before[piece] + t * (c0[piece] + t * (c1[piece] / 2.0 + t * c2[piece] / 3.0)) + outside
