r"""exp(A t) at all times at once, without time steps: chains of Cayley transforms at a few real shifts.

For t in [t0, r t0] (r = 3000) and the spectrum of -A in a sector around the positive axis,

    exp(A t) v  ~  sum_s sum_j w_sj(t) q_sj,     q_s1 = p_s (p_s - A)^-1 v,     q_sj = T_s q_s,j-1

with the transforms of Cayley T_s = (p_s + A) (p_s - A)^-1 and
with the same shifts p_s for every t: a rational approximation of exp(-x t) whose poles are real and repeated
(restricted denominators; Nørsett 1978, BIT 18:420; Moret & Novati 2004, BIT 44:595). A shift is eliminated
once and then costs a substitution for each link of its chain, all in real numbers: the response of a column
at every age from 1 to 3000 yr takes a quarter of the work of as good a contour of complex poles (Weideman &
Trefethen 2007, Math. Comp. 76:1341). One time alone wants one shift, also where each column has its own: A t
is then the operator, and the time is 1. Shifts and steps were chosen once (scripts/shifts.py); the weights of
a time are fitted to exp(-x t) by least squares when the time is known. Longer ranges are cut into windows,
each with its own shifts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.errors import BadCall
from subsoil.solve.blocks import Blocks, cayley

LONGEST = 1e12
"""A time beyond this, yr, is a mistake of units."""

SECTOR = 0.7
"""Half angle of the sector to which weights are fitted, radians. It is wider than any spectrum (strongly
cycling pools turn eigenvalues by some 0.3): columns that mix little and hold next to nothing at depth are far
from normal, and for them the sector counts, not the spectrum."""

ROUNDING = 1e-11
"""Singular values of the fit below this share of the largest are left out: that costs little accuracy and
keeps weights below a thousand in sum, so that the answer is smooth to 1e-13."""


@dataclass(frozen=True)
class Shifts:
    """``count`` shifts p_s (1/t0), evenly spaced in their logarithm, each with a chain of ``steps`` links.

    They serve times from t0 to ``ratio`` t0.
    """

    first: float
    last: float
    count: int
    steps: int
    ratio: float

    @property
    def values(self) -> Float[np.ndarray, " shift"]:
        """The shifts, 1/t0."""
        return np.geomspace(self.first, self.last, self.count)

    def weights(self, times: ArrayLike) -> Float[np.ndarray, "shift step time"]:
        """Weights w of exp(-x t) = sum_sj w_sj q_sj(x); ``times`` in units of t0, from 1 to ``ratio``."""
        flat = np.ravel(np.asarray(times, dtype=float))
        (left, size, right), scale, spectrum = self._fit
        target = np.exp(-np.outer(spectrum, flat))
        fitted = right.T @ ((left.T @ np.vstack([target.real, target.imag])) / size[:, None]) / scale[:, None]
        return fitted.reshape(self.count, self.steps, flat.size)

    def error(self, times: ArrayLike, angle: float = 0.0) -> float:
        """Largest error of exp(-x t) over these times, in units of t0, and all x on a ray at this angle."""
        x = np.concatenate([[0.0], np.logspace(-np.log10(self.ratio) - 7.0, 9.0, 3000)]) * np.exp(1j * angle)
        flat = np.ravel(np.asarray(times, dtype=float))
        fitted = self._links(x) @ self.weights(flat).reshape(-1, flat.size)
        return float(np.abs(fitted - np.exp(-np.outer(x, flat))).max())

    @cached_property
    def _fit(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
        """Singular vectors of the least-squares fit, on the axis and the sector's edge, scale and points."""
        ray = np.logspace(-np.log10(self.ratio) - 5.0, 3.0, 300)
        line = np.concatenate([[0.0], ray, np.logspace(3.0, 9.0, 40)])
        spectrum = np.concatenate([line, line * np.exp(1j * SECTOR)])
        links = self._links(spectrum)
        rows = np.vstack([links.real, links.imag])
        scale = np.linalg.norm(rows, axis=0)
        left, size, right = np.linalg.svd(rows / scale, full_matrices=False)
        kept = size > ROUNDING * size[0]
        return (left[:, kept], size[kept], right[kept]), scale, spectrum

    def _links(self, x: np.ndarray) -> np.ndarray:
        """The chains of a scalar operator -x, [x, link]."""
        shift = self.values[None, :, None] + 0.0 * x[:, None, None]
        turn = (shift - x[:, None, None]) / (shift + x[:, None, None])
        chain = shift / (shift + x[:, None, None]) * turn ** np.arange(self.steps)
        return chain.reshape(len(x), -1)


SETS: Mapping[str, Shifts] = {
    "standard": Shifts(1.011e-3, 70.46, count=6, steps=16, ratio=3000.0),
    "fine": Shifts(8.57e-4, 71.1, count=10, steps=20, ratio=3000.0),
    "single": Shifts(21.14, 21.14, count=1, steps=24, ratio=1.0),
}
"""Shifts for a 3000-fold range of time, error below 1e-7 over the sector, or finer, 2e-9; and for one time,
1e-7."""


def shifts(name: str = "standard") -> Shifts:
    """A set of shifts by its name.

    Raises BadCall for a name not in `SETS`.

    >>> shifts().error([1.0, 50.0, 3000.0]) < 1e-7
    True
    """
    if name not in SETS:
        raise BadCall(f"shifts are {' or '.join(SETS)}, got {name!r}")
    return SETS[name]


@dataclass(frozen=True)
class Windows:
    """Windows of time, each served by one set of shifts: the first times (yr), and which shifts."""

    first: tuple[float, ...]
    shifts: str = "standard"

    @classmethod
    def spanning(cls, shortest: float, longest: float, name: str = "standard") -> "Windows":
        """The fewest windows from ``shortest`` to ``longest`` (yr), equally wide.

        Raises BadCall unless 0 < shortest <= longest < 1e12 yr, and where shifts for a single time get two.
        """
        if not 0.0 < shortest <= longest < LONGEST:
            raise BadCall(
                f"times must be positive, increasing and below {LONGEST:g} yr, got {shortest} to {longest}"
            )
        ratio = shifts(name).ratio
        if ratio == 1.0:
            if longest > shortest:
                raise BadCall(f"{name} shifts serve one time, got {shortest} to {longest} yr")
            return cls((float(shortest),), name)
        count = max(1, int(np.ceil(np.log(longest / shortest) / np.log(ratio) - 1e-9)))
        return cls(tuple(float(shortest * (longest / shortest) ** (i / count)) for i in range(count)), name)

    def weights(self, times: ArrayLike) -> Float[np.ndarray, "window shift step time"]:
        """Weights of each time in its window, zero in the others; a time 0 has none anywhere.

        Raises BadCall for a time that is neither 0 nor in a window.
        """
        times = np.ravel(np.asarray(times, dtype=float))
        chosen, window = shifts(self.shifts), self._window(times)
        start = np.array(self.first)[window]
        relative = np.where(times > 0.0, times / start, 1.0)
        inside = (relative > 1.0 - 1e-9) & (relative < chosen.ratio * (1.0 + 1e-9))
        if not ((times >= 0.0) & inside).all():
            raise BadCall(f"times {times.min():g} to {times.max():g} yr lie outside the windows {self.first}")
        fitted = chosen.weights(relative) * (times > 0.0)
        return np.where(window == np.arange(len(self.first))[:, None, None, None], fitted, 0.0)

    def at(
        self,
        blocks: Blocks,
        start: Float[Array, "*batch layer pool"],
        project: Float[Array, "*batch group layer pool"],
        times: ArrayLike,
    ) -> Float[Array, "..."]:
        """project . exp(A t) start at ``times`` (yr), shape [batch, group, layer, *times]."""
        flat = np.ravel(np.asarray(times, dtype=float))
        weights, window = self.weights(flat), self._window(flat)
        parts, places = [], []
        for i in np.unique(window):  # a time has weights in its own window only
            here = np.flatnonzero(window == i)
            parts.append(self.sums(blocks, start, project, int(i), weights[i][..., here]))
            places.append(here)
        value = jnp.concatenate(parts, axis=-1)
        if len(parts) > 1:
            value = value[..., np.argsort(np.concatenate(places))]
        if not flat.all():
            begins = jnp.sum(jnp.asarray(project) * jnp.asarray(start)[..., None, :, :], axis=-1)
            value = jnp.where(flat > 0.0, value, begins[..., None])
        return value.reshape(*value.shape[:-1], *np.shape(times))

    def sums(
        self,
        blocks: Blocks,
        start: Float[Array, "*batch layer pool"],
        project: Float[Array, "*batch group layer pool"],
        window: int,
        weights: Float[np.ndarray, "shift step sum"],
    ) -> Float[Array, "*batch group layer sum"]:
        """Sums over the links of a window with any weights, such as linear combinations of `weights`."""
        scaled = jnp.asarray(shifts(self.shifts).values / self.first[window])
        return cayley(blocks, start, scaled, jnp.asarray(weights), project)

    def _window(self, times: np.ndarray) -> np.ndarray:
        """Number of the window that serves each time."""
        after = np.searchsorted(np.array(self.first), times * (1.0 + 1e-12), side="right")
        return np.clip(after - 1, 0, None)
