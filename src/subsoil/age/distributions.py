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

NEWTON_STEPS = 12
"""Steps to a quantile; ten already give it to rounding for rates from 1e-4 to 3 yr-1."""


class AgeDistribution(Protocol):
    """What every family offers; ages in yr, shares as fractions of all carbon."""

    @property
    def limit(self) -> Any:
        """Share that the distribution tends to for old ages, at most 1."""

    def cdf(self, age: Any) -> Any:
        """Share of the carbon that is younger than ``age``."""

    def quantile(self, share: Any) -> Any:
        """Age that ``share`` of the carbon is younger than; infinity if the share is never reached."""


def namespace(*values: Any) -> ModuleType:
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
        xp = namespace(age, self.fast_share, self.fast_rate, self.slow_share, self.slow_rate)
        fast = -self.fast_share * xp.expm1(-self.fast_rate * age)
        return fast - self.slow_share * xp.expm1(-self.slow_rate * age)

    def density(self, age: Any) -> Any:
        """dp/dt (yr-1)."""
        xp = namespace(age, self.fast_share, self.fast_rate, self.slow_share, self.slow_rate)
        fast = self.fast_share * self.fast_rate * xp.exp(-self.fast_rate * age)
        return fast + self.slow_share * self.slow_rate * xp.exp(-self.slow_rate * age)

    def quantile(self, share: Any) -> Any:
        """Age (yr) that ``share`` of all carbon is younger than; infinity from A + B upwards.

        Newton's method on -ln(1 - p(t) / (A + B)), which is concave in t, close to two straight lines, and
        lies between k2 t and k1 t. From the lower bracket it rises to the root, and its last step carries the
        derivative with respect to the parameters.

        >>> BiExponential(0.05, 0.2, 0.3, 0.001).quantile(np.array([0.0, 0.5]))
        array([ 0., inf])
        """
        xp = namespace(share, self.fast_share, self.fast_rate, self.slow_share, self.slow_rate)
        reached = (share < self.limit) & (share >= 0)
        limit = xp.where(self.limit > 0, self.limit, 1.0)
        depletion = -xp.log1p(-xp.where(reached, share, 0.0) / limit)
        age = depletion / self.fast_rate
        for _ in range(NEWTON_STEPS):
            fast = self.fast_share * xp.exp(-self.fast_rate * age)
            slow = self.slow_share * xp.exp(-self.slow_rate * age)
            left = xp.where(reached, fast + slow, limit)
            slope = (self.fast_rate * fast + self.slow_rate * slow) / left
            age = age + (depletion + xp.log(left / limit)) / xp.where(reached, slope, 1.0)
        return xp.where(reached, age, xp.where(share >= self.limit, xp.inf, xp.nan))


def from_unconstrained(free: Float[Any, "... 4"]) -> BiExponential:
    """The bi-exponential of four free numbers: ln A/C, ln B/C, ln (k1 - k2), ln k2, with C = 1 - A - B.

    Any four finite numbers give a valid distribution, so effects of sites or covariates add on this scale.

    >>> from_unconstrained(np.array([0.0, 0.0, -1.0, -5.0])).limit.round(4)
    np.float64(0.6667)
    """
    xp = namespace(free)
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
    xp = namespace(d.fast_share, d.slow_share, d.fast_rate, d.slow_rate)
    old = 1.0 - d.limit
    columns = (d.fast_share / old, d.slow_share / old, d.fast_rate - d.slow_rate, d.slow_rate)
    return xp.log(xp.stack(xp.broadcast_arrays(*(xp.asarray(c) for c in columns)), axis=-1))


@dataclass(frozen=True)
class StretchedExponential:
    """A continuum of pools, from fast to slow, and a share that does not turn over.

    F(t) = (1 - I) (1 - exp(-(t / τ)^κ))

    ``time_scale`` = τ (yr), ``shape`` = κ, ``inert`` = I (fraction). For κ <= 1 the density falls with age
    and is a mixture of exponentials, that is, of pools that each decay at first order (Kohlrausch; Williams
    and Watts 1970, Trans. Faraday Soc. 66:80); κ = 1 is a single pool. Fields broadcast as in
    `BiExponential`. Valid for τ, κ > 0 and 0 <= I < 1.

    >>> topsoil = StretchedExponential(time_scale=30.0, shape=0.6, inert=0.03)
    >>> float(np.round(topsoil.cdf(50.0), 3)), float(np.round(topsoil.quantile(0.5), 1))
    (0.721, 17.5)
    """

    time_scale: Any
    shape: Any
    inert: Any

    @property
    def limit(self) -> Any:
        """1 - I."""
        return 1.0 - self.inert

    def cdf(self, age: Any) -> Any:
        """F(t): share of the carbon younger than ``age`` (yr)."""
        xp = namespace(age, self.time_scale, self.shape, self.inert)
        age = xp.asarray(age)
        # The power is taken through the logarithm, with age 0 set aside, so that gradients stay finite.
        positive = age > 0
        exponent = self.shape * (xp.log(xp.where(positive, age, 1.0)) - xp.log(xp.asarray(self.time_scale)))
        depleted = -xp.expm1(-xp.exp(xp.clip(exponent, -60.0, 6.0)))
        return xp.where(positive, self.limit * depleted, 0.0)

    def quantile(self, share: Any) -> Any:
        """Age (yr) that ``share`` of all carbon is younger than; infinity from 1 - I upwards.

        >>> StretchedExponential(30.0, 0.6, 0.3).quantile(np.array([0.0, 0.8]))
        array([ 0., inf])
        """
        xp = namespace(share, self.time_scale, self.shape, self.inert)
        share = xp.asarray(share)
        reached = (share < self.limit) & (share >= 0)
        depletion = -xp.log1p(-xp.where(reached, share, 0.0) / self.limit)
        age = self.time_scale * depletion ** (1.0 / self.shape)
        return xp.where(reached, age, xp.where(share >= 0, xp.inf, xp.nan))
