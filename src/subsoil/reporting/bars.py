"""Intervals as horizontal bars: endless or very long ones are cut, so that the values stay apart."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from subsoil.reporting import style
from subsoil.reporting.quantities import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOM = 1.5  # a bar may reach this far outside the values, in widths of their range
MARGIN = 0.04
ROW, AROUND = 0.235, 1.35  # inches of a row, and of what is above and below the rows


def height(rows: int) -> float:
    """Inches of a panel with so many rows."""
    return AROUND + ROW * rows


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


def points(
    ax: "Axes",
    value: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    colour: str,
    mark: str,
    *,
    hollow: np.ndarray | None = None,
    label: str | None = None,
) -> None:
    """Marks with bars, one a row; a value outside the limits that the axis has now is written at its edge.

    Rows without a value stay empty; those in ``hollow`` get an open mark.
    """
    left, right = ax.get_xlim()
    y = np.arange(len(value), dtype=float)
    inside = (value >= left) & (value <= right)
    known = inside & ~np.isnan(lower) & ~np.isnan(upper)
    draw(ax, y[known], lower[known], upper[known], colour)
    open_ = np.zeros(len(value), bool) if hollow is None else hollow
    for rows, fill in ((inside & ~open_, colour), (inside & open_, style.PAPER)):
        ax.plot(value[rows], y[rows], mark, color=colour, markerfacecolor=fill, markersize=5.2)
    if label and inside.any():
        ax.plot([], [], mark, color=colour, markersize=5.2, label=label)
    for row in np.flatnonzero((value > right) | (value < left)):
        over = value[row] > right
        text = f"{number(value[row])} ▶" if over else f"◀ {number(value[row])}"
        place, side = (right, "right") if over else (left, "left")
        ax.text(place, float(row), text, va="center", ha=side, color=colour, fontsize=8)


def named(ax: "Axes", labels: Sequence[str], bold: Collection[int] = ()) -> None:
    """A vertical axis of names from the top down, one for each bar, some of them in bold."""
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    for place in bold:
        ax.get_yticklabels()[place].set_fontweight("bold")
