"""At which depth each model holds too much or too little new carbon."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from subsoil.reporting import bars, style
from subsoil.reporting.board import ALL, Board, ranged, signed
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.figures.scores_rows import listed, rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEPS = (2.5, 7.5, 15.0)  # percentage points at which the colour deepens
HALF = 0.46, 0.45  # of a cell


def bias(board: Board) -> Drawing:
    """A strip of cells for each model: the sign and size of its error at each depth."""
    names = board.scored
    if not names:
        return Drawing("bias", "", "No model answers any value of new carbon.", ())
    parts = [board.scores("bias", depth).reindex(list(names)) for depth in (*board.depths, ALL)]
    value, low, high = (
        100 * np.stack([part[column].to_numpy(float) for part in parts], axis=1)
        for column in ("value", "lower", "upper")
    )
    draw = partial(_strip, board=board, value=value, clear=(low > 0) | (high < 0))
    panel = Panel("New carbon, model less data (pp)", draw, bars.height(len(names)))
    note = (
        "In percentage points (pp). Orange and +: more new carbon than in the data, the soil is too young "
        "there. Blue and −: less, it is too old. Bold: the 95 % interval over sites excludes 0. "
        "Empty: the model has no layer there."
    )
    return Drawing("bias", "Too young or too old, by depth", _sentence(board), (panel,), note + rule(board))


def shared(board: Board) -> list[tuple[str, int, int, int]]:
    """Of each depth class: how many models are clearly too young, too old, and how many have a value."""
    found = []
    for depth in board.depths:
        part = board.scores("bias", depth).reindex(list(board.models))
        young, old = int((part["lower"] > 0).sum()), int((part["upper"] < 0).sum())
        found.append((depth, young, old, int(part["value"].notna().sum())))
    return found


def _sentence(board: Board) -> str:
    told = [
        f"{ranged(depth)} cm {young} too young, {old} too old of {of}"
        for depth, young, old, of in shared(board)
    ]
    return f"Models whose interval excludes 0: {'; '.join(told)}."


def _strip(
    ax: "Axes", board: Board, value: Float[np.ndarray, "model depth"], clear: Bool[np.ndarray, "model depth"]
) -> None:
    from matplotlib.patches import Rectangle

    columns = [*map(ranged, board.depths), ALL]
    for (row, column), size in np.ndenumerate(value):
        if np.isnan(size):
            continue
        corner = column - HALF[0], row - HALF[1]
        ax.add_patch(Rectangle(corner, 2 * HALF[0], 2 * HALF[1], facecolor=colour(size), linewidth=0))
        weight = "bold" if clear[row, column] else "normal"
        ax.text(column, row, signed(round(size)), ha="center", va="center", fontsize=8, fontweight=weight)
    ax.axvline(len(columns) - 1.5, color=style.MUTED, linewidth=1)
    ax.set_xlim(-0.55, len(columns) - 0.45)
    ax.set_xticks(range(len(columns)), columns)
    ax.tick_params(axis="x", length=0, labelsize=8.5)
    listed(ax, board, board.scored)
    ax.grid(False)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_xlabel("Depth class (cm)")


def colour(bias: float, steps: Sequence[float] = STEPS) -> str:
    """Deeper with the size of the error (percentage points); grey where it is below the first step."""
    depth = int(np.searchsorted(steps, abs(bias), side="right"))
    return style.NEUTRAL if depth == 0 else (style.YOUNGER if bias > 0 else style.OLDER)[depth - 1]
