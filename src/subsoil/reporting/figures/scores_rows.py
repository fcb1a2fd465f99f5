"""The vertical axis of models that the figures of the leaderboard share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from subsoil.reporting import bars, style
from subsoil.reporting.board import BASELINES, Board

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RULE = (
    " Below the dotted line: models that answer too little for a rank; in brackets the part of the values "
    "that they answer."
)


def listed(ax: "Axes", board: Board, names: Sequence[str], signs: Sequence[str] = ()) -> None:
    """Name the rows from the top down, each with its sign if any: bold what was handed in, a dotted line
    above the models without a rank.
    """
    labels = [board.label(name) for name in names]
    if signs:
        labels = [f"{label} {sign}" for label, sign in zip(labels, signs, strict=True)]
    bars.named(ax, labels, [place for place, name in enumerate(names) if name in board.submitted])
    first = next((place for place, name in enumerate(names) if not_ranked(board, name)), 0)
    if first:
        ax.axhline(first - 0.5, color=style.MUTED, linewidth=1, linestyle=":")


def rule(board: Board) -> str:
    """What the dotted line means, where there is one."""
    return RULE if board.ranked and any(not_ranked(board, name) for name in board.scored) else ""


def not_ranked(board: Board, name: str) -> bool:
    """Whether a model lacks a rank; a baseline never has one, and is not meant."""
    return name not in board.ranked and name not in BASELINES
