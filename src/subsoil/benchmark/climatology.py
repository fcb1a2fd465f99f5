"""What other sites have at a depth: the simplest prediction of a value, without a model.

The profiles of all other sites are laid on the support of a sampled layer, each even within its own layers,
and each is one member. Of a content (f_new, Delta14C) the member is its mean over the support, weighted by
overlap; of a share of a profile's carbon, the amount in the support over that in all sampled layers of the
profile that is predicted. Profiles differ in number from depth to depth: `condensed` makes ensembles of one
size of them.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

THINNEST = 0.1
"""cm: thickness given to a sample at a point, so that it overlaps."""
COVERED = 0.5
"""Part of a layer that another profile must have sampled to speak for it."""
WHOLE = 1.0 - 1e-6


def contents(table: pd.DataFrame) -> Float[np.ndarray, "value profile"]:
    """Mean content of each other profile over each layer; NaN at one's own site and where it did not sample.

    ``table``: site_id, profile_id, layer_top, layer_bottom (cm), observed; profiles in order of appearance. A
    profile that sampled less than half of a layer (`COVERED`) is left out, unless all did.

    >>> table = pd.DataFrame({"site_id": ["a", "b", "b"], "profile_id": ["a", "b", "b"],
    ...     "layer_top": [0.0, 0.0, 10.0], "layer_bottom": [20.0, 10.0, 30.0], "observed": [0.5, 0.6, 0.2]})
    >>> contents(table).round(2).tolist()
    [[nan, 0.4], [0.5, nan], [0.5, nan]]
    """
    overlap, thickness, profile, other = _laid(table)
    reached = _summed(overlap, profile)
    covered = np.where(other, reached / thickness[:, None], 0.0)
    enough = covered >= COVERED
    enough |= (covered > 0) & ~enough.any(axis=1, keepdims=True)
    amount = _summed(overlap * table["observed"].to_numpy(float), profile)
    return np.where(enough, amount / np.where(enough, reached, 1.0), np.nan)


def shares(table: pd.DataFrame) -> Float[np.ndarray, "value profile"]:
    """Share that each other profile has in each layer, of its carbon in all layers of the layer's profile.

    ``table`` as in `contents`, observed a share of the profile's carbon. NaN at one's own site and for
    profiles that were not sampled in all of these layers.

    >>> table = pd.DataFrame({"site_id": ["a", "b", "b"], "profile_id": ["a", "b", "b"],
    ...     "layer_top": [0.0, 0.0, 10.0], "layer_bottom": [20.0, 10.0, 30.0], "observed": [1.0, 0.6, 0.4]})
    >>> shares(table).round(2).tolist()
    [[nan, 1.0], [nan, nan], [nan, nan]]
    """
    overlap, thickness, profile, other = _laid(table)
    amount = _summed(overlap * (table["observed"].to_numpy(float) / thickness), profile)
    whole, reached = (_summed(part.T, profile).T[profile] for part in (amount, _summed(overlap, profile)))
    sampled = np.bincount(profile, thickness)[profile]
    known = other & (reached >= WHOLE * sampled[:, None]) & (whole > 0)
    return np.where(known, amount / np.where(known, whole, 1.0), np.nan)


def condensed(
    others: Float[np.ndarray, "value profile"],
    members: int,
    weight: Float[np.ndarray, "value profile"] | None = None,
) -> Float[np.ndarray, "member value"]:
    """Ensembles of one size with the mean of all: means of equal slices of the weighted quantile function.

    The k-th of m members is m times the integral of the quantile function from (k - 1) / m to k / m, which
    keeps the mean exactly and loses little spread. NaN where no profile speaks.

    >>> condensed(np.array([[3.0, 1.0, 2.0, np.nan, 6.0]]), 2).ravel().tolist()
    [1.5, 4.5]
    """
    out = np.full((members, len(others)), np.nan)
    steps = np.linspace(0.0, 1.0, members + 1)
    for column, values in enumerate(others):
        known = np.isfinite(values)
        if known.any():
            order = np.argsort(values[known], kind="stable")
            w = (np.ones(len(order)) if weight is None else weight[column][known])[order]
            part = np.concatenate([[0.0], np.cumsum(w)])
            below = np.concatenate([[0.0], np.cumsum(w * values[known][order])])
            out[:, column] = members * np.diff(np.interp(steps, part / part[-1], below / part[-1]))
    return out


def _laid(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Overlap of layers (cm), their thickness, their profile, and which profiles are of another site."""
    top, bottom = (table[name].to_numpy(float) for name in ("layer_top", "layer_bottom"))
    missing = 0.5 * np.clip(THINNEST - (bottom - top), 0.0, None)
    top, bottom = top - missing, bottom + missing
    overlap = np.clip(np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top), 0.0, None)
    profile, _ = pd.factorize(table["profile_id"])
    site = table["site_id"].to_numpy(str)
    of_profile = table.drop_duplicates("profile_id")["site_id"].to_numpy(str)
    return overlap, bottom - top, profile, site[:, None] != of_profile


def _summed(
    values: Float[np.ndarray, "row layer"], profile: Int[np.ndarray, " layer"]
) -> Float[np.ndarray, "row profile"]:
    """Sums over the layers of each profile."""
    order = np.argsort(profile, kind="stable")
    first = np.flatnonzero(np.diff(profile[order], prepend=-1))
    return np.add.reduceat(values[:, order], first, axis=1)
