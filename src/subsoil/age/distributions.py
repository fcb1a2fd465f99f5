"""Age distributions of carbon: the share younger than an age, and the age that a share is younger than.

Every family is a small frozen record of parameters with two methods, ``cdf`` and ``quantile`` (the protocol
``AgeDistribution``), so whatever fits or reports ages needs to know no family by name. The methods use the
namespace of the arrays they are given (the array API: ``x.__array_namespace__()``), so one implementation
serves NumPy and, inside ``jit`` and ``grad``, JAX; nothing here imports JAX.

A share is always of *all* carbon at the depth. The limit of ``cdf`` may stay below 1: the rest is carbon that
never turns over within the model, and a share above the limit has the quantile infinity.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

BISECTIONS = 60
"""Halvings of the bracket of a quantile: 2**-60 of its width."""


class AgeDistribution(Protocol):
    """What every family offers; ages in yr, shares as fractions of all carbon."""

    @property
    def limit(self) -> Any:
        """Share that the distribution tends to for old ages, at most 1."""

    def cdf(self, age: Any) -> Any:
        """Share of the carbon that is younger than ``age``."""

    def quantile(self, share: Any) -> Any:
        """Age that ``share`` of the carbon is younger than; infinity if the share is never reached."""


def _namespace(*values: Any) -> ModuleType:
    """The array namespace of the values: JAX if any is JAX's, else NumPy."""
    spaces = [v.__array_namespace__() for v in values if hasattr(v, "__array_namespace__")]
    return next((space for space in spaces if space is not np), np)


@dataclass(frozen=True)
class BiExponential:
    """Two pools that turn over and a rest that does not (Balesdent et al. 2018, Fig. 2).

    p(t) = A (1 - exp(-k1 t)) + B (1 - exp(-k2 t))

    ``fast_share`` = A and ``slow_share`` = B (fractions), ``fast_rate`` = k1 and ``slow_rate`` = k2 (yr-1).
    The fields are numbers or arrays that broadcast against each other and against the argument; for curves
    by depth and age give ages the shape [age, 1]. Valid for A, B >= 0, A + B <= 1, k1 >= k2 > 0: then p rises
    from 0 to A + B. Not checked here, as the fields may be traced.

    >>> surface = BiExponential(0.613, 0.212, 0.341, 0.00713)  # inferred from the printed curve
    >>> float(surface.cdf(50.0).round(3)), float(surface.quantile(0.5).round(1))
    (0.715, 7.3)
    """

    fast_share: Any
    fast_rate: Any
    slow_share: Any
    slow_rate: Any

    @property
    def limit(self) -> Any:
        """A + B."""
        return self.fast_share + self.slow_share

    def cdf(self, age: Any) -> Any:
        """p(t): share of the carbon younger than ``age`` (yr)."""
        xp = _namespace(age, self.fast_share, self.fast_rate, self.slow_share, self.slow_rate)
        fast = -self.fast_share * xp.expm1(-self.fast_rate * age)
        return fast - self.slow_share * xp.expm1(-self.slow_rate * age)

    def density(self, age: Any) -> Any:
        """dp/dt (yr-1)."""
        xp = _namespace(age, self.fast_share, self.fast_rate, self.slow_share, self.slow_rate)
        fast = self.fast_share * self.fast_rate * xp.exp(-self.fast_rate * age)
        return fast + self.slow_share * self.slow_rate * xp.exp(-self.slow_rate * age)

    def quantile(self, share: Any) -> Any:
        """Age (yr) that ``share`` of all carbon is younger than; infinity from A + B upwards.

        All carbon that turns over in the fast pool, or all in the slow one, bracket the age; halving and one
        Newton step, which also carries the derivative with respect to the parameters, find it.

        >>> BiExponential(0.05, 0.2, 0.3, 0.001).quantile(np.array([0.0, 0.5]))
        array([ 0., inf])
        """
        xp = _namespace(share, self.fast_share, self.fast_rate, self.slow_share, self.slow_rate)
        reached = (share < self.limit) & (share >= 0)
        part = xp.where(reached, share, 0.5 * self.limit)
        depleted = -xp.log1p(-part / xp.where(self.limit > 0, self.limit, 1.0))
        lower, upper = depleted / self.fast_rate, depleted / self.slow_rate
        for _ in range(BISECTIONS):
            middle = 0.5 * (lower + upper)
            below = self.cdf(middle) < part
            lower, upper = xp.where(below, middle, lower), xp.where(below, upper, middle)
        age = 0.5 * (lower + upper)
        slope = self.density(age)
        age = age - (self.cdf(age) - part) / xp.where(slope > 0, slope, 1.0)
        return xp.where(reached, age, xp.where(share >= 0, xp.inf, xp.nan))


def from_unconstrained(free: Float[Any, "... 4"]) -> BiExponential:
    """The bi-exponential of four free numbers: ln A/C, ln B/C, ln (k1 - k2), ln k2, with C = 1 - A - B.

    Any four finite numbers give a valid distribution, so effects of sites or covariates add on this scale.

    >>> from_unconstrained(np.array([0.0, 0.0, -1.0, -5.0])).limit.round(4)
    np.float64(0.6667)
    """
    xp = _namespace(free)
    top = xp.maximum(xp.maximum(free[..., 0], free[..., 1]), xp.zeros_like(free[..., 0]))
    fast, slow, rest = xp.exp(free[..., 0] - top), xp.exp(free[..., 1] - top), xp.exp(-top)
    total = fast + slow + rest
    slow_rate = xp.exp(free[..., 3])
    return BiExponential(fast / total, slow_rate + xp.exp(free[..., 2]), slow / total, slow_rate)


def to_unconstrained(distribution: BiExponential) -> Float[Any, "... 4"]:
    """The inverse of ``from_unconstrained``; needs A, B > 0, A + B < 1 and k1 > k2 > 0.

    >>> to_unconstrained(BiExponential(0.25, 0.2, 0.5, 0.01)).round(2)
    array([ 0.  ,  0.69, -1.66, -4.61])
    """
    d = distribution
    xp = _namespace(d.fast_share, d.slow_share, d.fast_rate, d.slow_rate)
    old = 1.0 - d.limit
    columns = (d.fast_share / old, d.slow_share / old, d.fast_rate - d.slow_rate, d.slow_rate)
    return xp.log(xp.stack(xp.broadcast_arrays(*(xp.asarray(c) for c in columns)), axis=-1))
