"""Between the times that a model gives: f_new in the logarithm of time, 14C from date to date."""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

SAME = 1e-6
"""Times closer than this share of themselves are one time."""
NEAR = 1.0
"""yr; a date this near to a single one, or to the first or last, has its 14C."""
GAP = 5.0
"""yr; 14C is not interpolated across longer gaps: the bomb peak rose and fell within ten years."""


def share_at(
    years: Float[np.ndarray, "#draw #layer time"], f_new: Float[np.ndarray, "draw layer time"], wanted: float
) -> Float[np.ndarray, "draw layer"]:
    """f_new of each layer at a time (yr), monotone between the times given and exact at them.

    PCHIP (Fritsch & Carlson 1980, SIAM J. Numer. Anal. 17:238) of f in ln(t). Missing before the first and
    after the last time of a layer.

    >>> years, f = np.array([[[1.0, 10.0, 100.0]]]), np.array([[[0.1, 0.3, 0.5]]])
    >>> [round(share_at(years, f, t).item(), 3) for t in (10.0, 1000.0**0.5, 200.0)]
    [0.3, 0.4, nan]
    """
    times = np.broadcast_to(years, f_new.shape).reshape(-1, f_new.shape[-1])
    rows = f_new.reshape(times.shape)
    exact = (np.abs(times - wanted) <= SAME * max(wanted, SAME)) & np.isfinite(rows)
    known = exact.any(axis=1)
    found = np.where(known, rows[np.arange(len(rows)), exact.argmax(axis=1)], np.nan)
    usable = np.isfinite(rows) & np.isfinite(times) & (times > 0)
    open_ = ~known & (np.where(usable, times, np.inf).min(axis=1, initial=np.inf) < wanted)
    open_ &= np.where(usable, times, -np.inf).max(axis=1, initial=-np.inf) > wanted
    if not open_.any():
        return found.reshape(f_new.shape[:-1])
    shared = times[open_][0]
    order = np.argsort(shared)
    if usable[open_].all() and (times[open_] == shared).all() and (np.diff(shared[order]) > 0).all():
        found[open_] = _drawn(shared[order], rows[open_][:, order], wanted)
    else:
        for row in np.flatnonzero(open_):
            at, last = np.unique(times[row, usable[row]][::-1], return_index=True)
            found[row] = _drawn(at, rows[row, usable[row]][::-1][last][None], wanted)[0]
    return found.reshape(f_new.shape[:-1])


def _drawn(
    times: Float[np.ndarray, " time"], rows: Float[np.ndarray, "row time"], wanted: float
) -> Float[np.ndarray, " row"]:
    return np.asarray(PchipInterpolator(np.log(times), rows, axis=1)(np.log(wanted)))


def delta14c_at(
    dates: Float[np.ndarray, " date"], values: Float[np.ndarray, "draw layer date"], wanted: float
) -> Float[np.ndarray, "draw layer"]:
    """Delta14C of each layer in a year: a straight line between dates at most `GAP` years apart.

    Missing more than `NEAR` from the first and last date.

    >>> dates, values = np.array([1990.0, 1992.0, 2000.0]), np.array([[[100.0, 80.0, 0.0]]])
    >>> [delta14c_at(dates, values, year).item() for year in (1991.0, 1996.0, 2000.9)]
    [90.0, nan, 0.0]
    """
    order = np.argsort(dates)
    at, rows = dates[order], values[..., order]
    nothing = np.full(values.shape[:-1], np.nan)
    if not len(at) or not np.isfinite(wanted) or not np.isfinite(at).all():
        return nothing
    after = int(np.searchsorted(at, wanted))
    if after in (0, len(at)):
        end = min(after, len(at) - 1)
        return rows[..., end] if abs(at[end] - wanted) <= NEAR else nothing
    if at[after] - at[after - 1] > GAP:
        near = after if at[after] - wanted < wanted - at[after - 1] else after - 1
        return rows[..., near] if abs(at[near] - wanted) <= NEAR else nothing
    part = (wanted - at[after - 1]) / (at[after] - at[after - 1])
    return (1.0 - part) * rows[..., after - 1] + part * rows[..., after]
