"""Carbon by depth: layers from cumulative stocks, completed to 1 m, and where half of it lies."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil import published
from subsoil.age.subsets import needed
from subsoil.errors import BadCall

DEPTHS = np.arange(0.0, 101.0, 10.0)
"""Depths of the age curves, cm; the layers lie between them."""
FACTORS, SAME_SAMPLE, FULL_DEPTH = "published factors", "same-sample ratio", "full-depth profiles only"
"""What is done with profiles that end above 1 m."""


def layer_carbon(
    stocks: pd.DataFrame, column: str = "soc_stock_cum", depth_cm: Float[np.ndarray, " depth"] = DEPTHS
) -> pd.DataFrame:
    """Cumulative stocks as profile x layer (kg m-2): the amounts between the depths, columns their bottoms.

    ``stocks`` has profile_id, depth_cm (cm) and ``column`` (kg m-2 from the surface down to the depth); other
    depths than ``depth_cm`` are not used; a depth that a profile lacks leaves NaN in the layers it bounds.

    >>> stocks = pd.DataFrame({"profile_id": "a", "depth_cm": [0, 10, 20], "soc_stock_cum": [0, 3.0, 5.0]})
    >>> layer_carbon(stocks, depth_cm=np.array([0.0, 10.0, 20.0])).loc["a"].tolist()
    [3.0, 2.0]
    """
    for name in ("profile_id", "depth_cm", column):
        needed(stocks, name)
    wide = stocks.pivot(index="profile_id", columns="depth_cm", values=column).sort_index()  # noqa: PD010
    amounts = wide.reindex(columns=depth_cm).to_numpy(float, copy=True)
    amounts[:, depth_cm == 0] = 0.0
    return pd.DataFrame(np.diff(amounts, axis=1), index=wide.index, columns=depth_cm[1:])


def share_between(
    younger: Float[np.ndarray, "*batch depth"],
    carbon: Float[np.ndarray, "*batch layer"],
    depth_cm: Float[np.ndarray, " depth"],
    top: float,
    bottom: float,
) -> Float[np.ndarray, "*batch"]:
    """Share of the carbon between two depths that is younger: trapezoid in ``younger``, weighted by carbon.

    ``younger`` at the depths, ``carbon`` (any unit of amount) in the layers between them; ``top`` and
    ``bottom`` must be among the depths (cm).

    >>> depths = np.array([0.0, 10.0, 20.0])
    >>> share_between(np.array([0.8, 0.4, 0.2]), np.array([2.0, 1.0]), depths, 0.0, 20.0).round(2)
    np.float64(0.5)
    """
    if top not in depth_cm or bottom not in depth_cm:
        raise BadCall(f"{top} and {bottom} cm must be among the depths {depth_cm.tolist()}")
    inside = (depth_cm[:-1] >= top) & (depth_cm[1:] <= bottom)
    mean = 0.5 * (younger[..., :-1] + younger[..., 1:])
    return np.asarray((mean * carbon)[..., inside].sum(-1) / carbon[..., inside].sum(-1))


def complete(
    carbon: Float[np.ndarray, "profile layer"],
    weights: Float[np.ndarray, "draw profile"],
    rule: str,
    kind: str,
) -> Float[np.ndarray, "draw profile layer"]:
    """Carbon of the layers between ``DEPTHS``, filled in below the last sample; NaN where the rule cannot.

    ``carbon`` kg m-2, NaN below the last sample; ``weights`` of the profiles in each draw; ``rule`` one of
    ``FACTORS``, ``SAME_SAMPLE``, ``FULL_DEPTH``; ``kind`` "total" or "new" picks the published factor. What
    is added is spread over the missing layers like the mean of the full-depth profiles of the draw.
    """
    known = np.isfinite(carbon)
    full = known.all(axis=1)
    whole = np.full((len(weights), *carbon.shape), np.nan)
    whole[:, full] = carbon[full]
    if rule == FULL_DEPTH:
        return whole
    mean = weights[:, full] @ carbon[full]
    factors = published.to_one_metre().set_index("depth_cm")[kind]
    for i in np.flatnonzero(known.any(axis=1) & ~full):
        last = int(known[i].sum())
        has_gap = not known[i, :last].all()
        if has_gap or (rule == FACTORS and DEPTHS[last] not in factors):
            continue
        tail = mean[:, last:]
        if rule == FACTORS:
            per_tail = (factors[DEPTHS[last]] - 1) / tail.sum(axis=1)
        else:
            per_tail = 1 / mean[:, :last].sum(axis=1)
        whole[:, i, :last] = carbon[i, :last]
        whole[:, i, last:] = carbon[i, :last].sum() * per_tail[:, None] * tail
    return whole


def median_depth(
    carbon: Float[np.ndarray, "*batch layer"], depth_cm: Float[np.ndarray, " depth"] = DEPTHS
) -> Float[np.ndarray, "*batch"]:
    """Depth (cm) above which half of the carbon lies, with constant density within a layer.

    >>> median_depth(np.array([3.0, 1.0]), np.array([0.0, 10.0, 20.0])).round(2)
    np.float64(6.67)
    """
    above = np.cumsum(carbon, axis=-1)
    half = 0.5 * above[..., -1:]
    layer = (above >= half).argmax(axis=-1)[..., None]
    start = np.take_along_axis(np.concatenate([0 * half, above], axis=-1), layer, -1)
    inside = (half - start) / np.take_along_axis(carbon, layer, -1)
    return np.asarray((depth_cm[layer] + inside * np.diff(depth_cm)[layer])[..., 0])
