"""Intervals as horizontal bars: endless or very long ones are cut, so that the values stay apart."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOM = 1.5  # a bar may reach this far outside the values, in widths of their range
MARGIN = 0.04


def limits(values: ArrayLike, ends: ArrayLike) -> tuple[float, float]:
    """An axis that holds every finite value, and of the bars what lies near.

    >>> limits([1.0, 2.0], [0.5, np.inf])
    (0.38, 3.62)
    """
    known, reach = (np.asarray(a, float).ravel() for a in (values, ends))
    known, reach = known[np.isfinite(known)], reach[~np.isnan(reach)]
    if not known.size:
        return 0.0, 1.0
    low, high = known.min(), known.max()
    room = ROOM * (high - low) or 0.5 * abs(high) or 1.0
    low, high = max(reach.min(initial=low), low - room), min(reach.max(initial=high), high + room)
    margin = MARGIN * (high - low or 1.0)
    return round(float(low - margin), 9), round(float(high + margin), 9)


def draw(ax: "Axes", y: ArrayLike, lower: ArrayLike, upper: ArrayLike, colour: str) -> None:
    """Bars within the limits that the axis has now; what reaches beyond ends there."""
    left, right = ax.get_xlim()
    ax.hlines(y, np.clip(lower, left, right), np.clip(upper, left, right), color=colour, linewidth=1.8)
