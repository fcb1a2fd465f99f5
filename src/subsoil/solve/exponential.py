r"""exp(A t) at all times at once, without time steps: the resolvent at a few poles.

For t in [t0, r t0] (r = 3000) and the spectrum of -A in a sector around the positive axis,

    exp(A t) v  ~  sum_k Re(w_k(t) (z_k - A)^-1 v),      w_k = a_k + i b_k

with the same poles z_k for every t: a rational approximation of exp(-x t) with one common denominator. Some
thirty block-tridiagonal solves thus give the response of a column at every age from 1 to 3000 yr; contours of
quadrature (Weideman & Trefethen 2007, Math. Comp. 76:1341) want about twice as many for that range. One time
alone wants seven, also where each column has its own: A t is then the operator, and the time is 1. The poles
were found once (scripts/poles.py, set-valued AAA); the weights of a time are fitted to exp(-x t) by least
squares when the time is known. Longer ranges are cut into windows, each with its own solves.
"""

import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.errors import BadCall
from subsoil.solve.blocks import Blocks, resolvent

SETS = ("standard", "fine", "single")
"""28 poles for a 3000-fold range of time, error below 1e-7 over their sector; 32 for a 300-fold one, 1e-8; 7
for one time, 1e-8."""

LONGEST = 1e12
"""A time beyond this, yr, is a mistake of units."""


@dataclass(frozen=True, eq=False)
class Poles:
    """Poles z_k (1/t0) for the times t0 to ``ratio`` t0 and spectra within ``angle`` of the real axis."""

    real: Float[np.ndarray, " node"]
    imag: Float[np.ndarray, " node"]
    ratio: float
    angle: float

    def weights(self, times: ArrayLike) -> Float[np.ndarray, "part node *time"]:
        """Real weights a, b [2, node, ...] of exp(-x t) = sum_k a_k Re s_k - b_k Im s_k, s_k = 1 / (z_k + x).

        ``times`` in units of t0, from 1 to ``ratio``.
        """
        flat = np.ravel(np.asarray(times, dtype=float))
        (left, size, right), scale, spectrum = self._fit
        target = np.exp(-np.outer(spectrum, flat))
        fitted = right.T @ ((left.T @ np.vstack([target.real, target.imag])) / size[:, None]) / scale[:, None]
        return fitted.reshape(2, self.real.size, *np.shape(times))

    def error(self, times: ArrayLike, angle: float = 0.0) -> float:
        """Largest error of exp(-x t) over these times, in units of t0, and all x on a ray at this angle."""
        x = np.concatenate([[0.0], np.logspace(-np.log10(self.ratio) - 7.0, 9.0, 3000)]) * np.exp(1j * angle)
        flat = np.ravel(np.asarray(times, dtype=float))
        fitted = self._columns(x) @ self.weights(flat).reshape(-1, flat.size)
        return float(np.abs(fitted - np.exp(-np.outer(x, flat))).max())

    @cached_property
    def _fit(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
        """Singular vectors of the least-squares fit, on the axis and the sector's edge, scale and points."""
        ray = np.logspace(-np.log10(self.ratio) - 5.0, 3.0, 500)
        beyond = np.logspace(3.0, 9.0, 60)
        line = np.concatenate([[0.0], ray, beyond])
        spectrum = np.concatenate([line, line * np.exp(1j * self.angle)])
        columns = self._columns(spectrum)
        rows = np.vstack([columns.real, columns.imag])
        scale = np.linalg.norm(rows, axis=0)
        return np.linalg.svd(rows / scale, full_matrices=False), scale, spectrum

    def _columns(self, x: np.ndarray) -> np.ndarray:
        """Re s_k and -Im s_k continued from real to complex x."""
        z = self.real + 1j * self.imag
        here, mirrored = 1.0 / (z[None] + x[:, None]), 1.0 / (np.conj(z)[None] + x[:, None])
        return np.concatenate([0.5 * (here + mirrored), 0.5j * (here - mirrored)], axis=1)


@cache
def poles(name: str = "standard") -> Poles:
    """A set of poles by its name.

    Raises BadCall for a name not in `SETS`.

    >>> poles().error([1.0, 50.0, 3000.0]) < 1e-7
    True
    """
    if name not in SETS:
        raise BadCall(f"poles are {' or '.join(SETS)}, got {name!r}")
    table = tomllib.loads((resources.files("subsoil.solve") / "poles.toml").read_text("utf-8"))
    rows = table[name]
    return Poles(np.array(rows["real"]), np.array(rows["imag"]), rows["ratio"], rows["angle"])


class Response(NamedTuple):
    """The resolvent of a column, projected, in windows of time: gives exp(A t) start at any time in them.

    real, imag: [batch, window, node, group, layer]. start: project . start, the value at t = 0
    [batch, group, layer].
    """

    real: Float[Array, "*batch window node group layer"]
    imag: Float[Array, "*batch window node group layer"]
    start: Float[Array, "*batch group layer"]


@dataclass(frozen=True)
class Windows:
    """Windows of time, each served by one set of poles: the first times (yr), and which poles."""

    first: tuple[float, ...]
    poles: str = "standard"

    @classmethod
    def spanning(cls, shortest: float, longest: float, poles_name: str = "standard") -> "Windows":
        """The fewest windows from ``shortest`` to ``longest`` (yr).

        Raises BadCall unless 0 < shortest <= longest < 1e12 yr, and where poles for a single time get two.
        """
        if not 0.0 < shortest <= longest < LONGEST:
            raise BadCall(
                f"times must be positive, increasing and below {LONGEST:g} yr, got {shortest} to {longest}"
            )
        ratio = poles(poles_name).ratio
        if ratio == 1.0:
            if longest > shortest:
                raise BadCall(f"{poles_name} poles serve one time, got {shortest} to {longest} yr")
            return cls((float(shortest),), poles_name)
        count = max(1, int(np.ceil(np.log(longest / shortest) / np.log(ratio) - 1e-9)))
        return cls(tuple(float(shortest * ratio**i) for i in range(count)), poles_name)

    def weights(self, times: ArrayLike) -> Float[np.ndarray, "part window node *time"]:
        """Weights of each time in its window, zero in the others; a time 0 has none anywhere.

        Raises BadCall for a time that is neither 0 nor in a window.
        """
        times = np.asarray(times, dtype=float)
        chosen, window = poles(self.poles), self._window(times)
        start = np.array(self.first)[window]
        relative = np.where(times > 0.0, times / start, 1.0)
        inside = (relative > 1.0 - 1e-9) & (relative < chosen.ratio * (1.0 + 1e-9))
        if not ((times >= 0.0) & inside).all():
            raise BadCall(f"times {times.min():g} to {times.max():g} yr lie outside the windows {self.first}")
        fitted = chosen.weights(relative) / start * (times > 0.0)
        at = window[None] == np.arange(len(self.first)).reshape(-1, *([1] * times.ndim))
        return fitted[:, None] * at[None, :, None]

    def respond(
        self,
        blocks: Blocks,
        start: Float[Array, "*batch layer pool"],
        project: Float[Array, "*batch group layer pool"],
    ) -> Response:
        """Solve for every pole of every window: sum over pools of project . (z_k - A)^-1 start."""
        chosen = poles(self.poles)
        scale = np.array(self.first)[:, None]
        real, imag = resolvent(
            blocks, start, (chosen.real / scale).ravel(), (chosen.imag / scale).ravel(), project
        )
        shape = (*real.shape[:-3], len(self.first), chosen.real.size, *real.shape[-2:])
        at_start = jnp.sum(jnp.asarray(project) * jnp.asarray(start)[..., None, :, :], axis=-1)
        return Response(real.reshape(shape), imag.reshape(shape), at_start)

    def at(self, response: Response, times: ArrayLike) -> Float[Array, "..."]:
        """project . exp(A t) start at ``times`` (yr), common to all columns: [batch, group, layer, times]."""
        flat = np.ravel(np.asarray(times, dtype=float))
        (a, b), window = self.weights(flat), self._window(flat)
        parts, places = [], []
        for i in np.unique(window):  # a time has weights in its own window only
            here = np.flatnonzero(window == i)
            both = jnp.concatenate([response.real[..., i, :, :, :], response.imag[..., i, :, :, :]], axis=-3)
            weights = np.concatenate([a[i][:, here], -b[i][:, here]])
            parts.append(jnp.einsum("...kgl,kt->...glt", both, weights))
            places.append(here)
        value = jnp.concatenate(parts, axis=-1)[..., np.argsort(np.concatenate(places))]
        value = jnp.where(flat > 0.0, value, response.start[..., None])
        return value.reshape(*value.shape[:-1], *np.shape(times))

    def _window(self, times: np.ndarray) -> np.ndarray:
        """Number of the window that serves each time."""
        after = np.searchsorted(np.array(self.first), times * (1.0 + 1e-12), side="right")
        return np.clip(after - 1, 0, None)
