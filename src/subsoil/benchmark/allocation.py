"""Where in the soil a model's new carbon lies: amounts by depth, and the numbers that the paper states.

New carbon is the carbon younger than 50 yr: N = C f, with C the stock of a layer and f its share that is
younger. N(a-b) and C(a-b) are amounts between a and b cm; a layer that crosses a bound is cut in proportion,
its carbon spread evenly over it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from subsoil.age.carbon import median_depth
from subsoil.age.headline import RECENT
from subsoil.benchmark.reference import AGES, Curves
from subsoil.benchmark.support import overlap_shares
from subsoil.errors import BadCall

SURFACE, TOP, BOTTOM = 10.0, 30.0, 100.0
"""cm: bounds of the amounts."""
SLACK = 1e-6
"""cm: bounds of layers that differ by less are one."""


class Draws(NamedTuple):
    """A number of a model, once for each row of weights, and the ``n`` profiles behind it."""

    values: Float[np.ndarray, " draw"]
    n: int


class Allocation(NamedTuple):
    """All and new carbon [profile, layer] of the profiles of ``table``, in the layers between ``edges`` (cm,
    0 to 100), and the part of each layer that lies at 0-10, 0-30 and 30-100 cm."""

    table: pd.DataFrame
    total: Float[np.ndarray, "profile layer"]
    new: Float[np.ndarray, "profile layer"]
    edges: Float[np.ndarray, " bound"]
    surface: Float[np.ndarray, " layer"]
    top: Float[np.ndarray, " layer"]
    below: Float[np.ndarray, " layer"]


def unfit(curves: Curves | None) -> str:
    """Why the layers of a model cannot tell, "" if they can."""
    if curves is None:
        return "the model gives no column of stock and new carbon"
    top, bottom = curves.layer_top, curves.layer_bottom
    if bottom[-1] < BOTTOM - SLACK:
        return f"the layers end at {bottom[-1]:g} cm"
    if top[0] > SLACK:
        return f"the layers begin at {top[0]:g} cm"
    if np.any(np.abs(top[1:] - bottom[:-1]) > SLACK):
        return "there are gaps between the layers"
    return ""


def allocation(curves: Curves, profiles: pd.DataFrame) -> Allocation:
    """Carbon in 0-100 cm of each labelled profile whose column has no missing number, sorted by site.

    ``profiles`` as those of a reference; one without labelling_years, which has no new carbon to compare
    with, is left out. Layers follow each other from the surface to 100 cm (see `unfit`).

    Raises
    ------
    BadCall
        Shapes do not fit, the curves name a profile that is not there, or layers are not in order.
    """
    position = pd.Index(profiles["profile_id"]).get_indexer(pd.Index(curves.profile_id))
    if (position < 0).any():
        name = curves.profile_id[int(np.argmin(position))]
        raise BadCall(f"curves of profile {name!r}, which the reference lacks")
    shape = (len(position), len(curves.layer_top))
    if curves.soc_stock.shape != shape or curves.f_new.shape != (*shape, len(AGES)):
        raise BadCall(
            f"soc_stock {curves.soc_stock.shape} and f_new {curves.f_new.shape}: expected [profile, layer] = "
            f"{shape} and the {len(AGES)} ages {AGES} yr behind it"
        )
    bounds = np.array([(0.0, BOTTOM), (0.0, SURFACE), (0.0, TOP), (TOP, BOTTOM)])
    share = overlap_shares(curves.layer_top, curves.layer_bottom, *bounds.T)
    used = share[0] > 0
    within, *parts = share[:, used]
    stock, f_new = curves.soc_stock[:, used] * within, curves.f_new[:, used, AGES.index(RECENT)]
    table = profiles.iloc[position].assign(row=np.arange(len(position)))
    table = table[np.isfinite(stock * f_new).all(axis=1) & table["labelling_years"].notna().to_numpy()]
    table = table.sort_values(["site_id", "profile_id"], kind="stable")
    row = table["row"].to_numpy()
    edges = np.append(curves.layer_top[used], curves.layer_bottom[used][-1]).clip(0.0, BOTTOM)
    surface, top, below = (part / within for part in parts)
    return Allocation(table, stock[row], (stock * f_new)[row], edges, surface, top, below)


def numbers(carbon: Allocation, weights: Float[np.ndarray, "draw profile"]) -> Iterator[tuple[str, Draws]]:
    """Each number of `subsoil.benchmark.questions` by its name, for each row of profile weights.

    >>> from subsoil.benchmark.reference import Curves
    >>> curves = Curves(("a",), np.array([0.0, 30.0]), np.array([30.0, 100.0]), np.array([[5.0, 5.0]]),
    ...                 np.array([[8 * [0.6], 8 * [0.2]]]))
    >>> table = pd.DataFrame({"profile_id": ["a"], "site_id": "s", "labelling_years": 20.0, "tropical": True,
    ...                       "p_pet": 1.0, "land_use": "crop"})
    >>> found = dict(numbers(allocation(curves, table), np.ones((1, 1))))
    >>> [round(found[name].values.item(), 6) for name in list(found)[:3]]
    [25.0, 20.0, 3.0]
    """
    table, n = carbon.table, len(carbon.table)
    with np.errstate(divide="ignore", invalid="ignore"):  # what a resample lacks is missing in its draw
        new = weights @ carbon.new
        whole = new.sum(axis=1)
        yield "new_share_below_30cm", Draws(100 * (new @ carbon.below) / whole, n)
        depth = median_depth(new, carbon.edges)
        yield "median_depth_new", Draws(np.where(whole > 0, depth, np.nan), n)
        tropical = table["tropical"].to_numpy(bool)
        part = weights * tropical
        new, total = part @ carbon.new, part @ carbon.total
        above, below = ((new @ inside) / (total @ inside) for inside in (carbon.top, carbon.below))
        yield "young_ratio_top_sub", Draws(above / below, int(tropical.sum()))
        surface, deep = carbon.new @ carbon.surface, carbon.new @ carbon.below
        share = 100 * deep / carbon.new.sum(axis=1)
        yield "aridity_direction", _slope(np.log(table["p_pet"].to_numpy(float)), share, weights)
        use = table["land_use"]
        crop, known = (use == "crop").to_numpy(bool), (use.fillna("") != "").to_numpy()
        yield "crop_direction", _contrast(crop, known, np.log(surface), weights)
        yield "crop_depth_direction", _contrast(crop, known, np.log(deep / surface), weights)


def _slope(x: Float[np.ndarray, " profile"], y: Float[np.ndarray, " profile"], weights: np.ndarray) -> Draws:
    """Slope of the weighted straight line through the profiles that have both."""
    there = np.isfinite(x) & np.isfinite(y)
    w = weights[:, there]
    x, y = (v[there] - v[there].mean() if there.any() else v[there] for v in (x, y))
    whole = w.sum(axis=1)
    mean_x, mean_y = w @ x / whole, w @ y / whole
    spread = w @ x**2 / whole - mean_x**2
    slope = (w @ (x * y) / whole - mean_x * mean_y) / np.where(spread > 1e-12, spread, np.nan)
    return Draws(slope, int(there.sum()))


def _contrast(
    crop: Bool[np.ndarray, " profile"],
    known: Bool[np.ndarray, " profile"],
    logarithm: Float[np.ndarray, " profile"],
    weights: np.ndarray,
) -> Draws:
    """Ratio of geometric means, crop over other land."""
    there = known & np.isfinite(logarithm)
    w, y = weights[:, there], logarithm[there]
    on, off = ((w[:, use] @ y[use]) / w[:, use].sum(axis=1) for use in (crop[there], ~crop[there]))
    return Draws(np.exp(on - off), int(there.sum()))
