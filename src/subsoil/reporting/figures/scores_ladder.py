"""Where each model stands between the floor and the ceiling, and its error in other quantities."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.reporting import bars, style
from subsoil.reporting.board import BASELINES, CEILING, FLOOR, NOISE, UNITS, Board, target
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.figures.scores_rows import listed, rule
from subsoil.reporting.quantities import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FARTHEST = -2.5  # skill at which the axis ends; what lies beyond is told in figures
LONGEST = 3.0  # times the median error, where the axis of errors ends
TARGETS = {
    "delta14c_rmse": "¹⁴C of the layers",
    "stock_share_rmse": "Share of the stock in each layer",
    "isochrone_rmse": "Printed isochrones of 2018",
}


def ladder(board: Board) -> Drawing:
    """Skill of every model with its interval: 0 at the floor, 1 at the ceiling."""
    skill = board.scores("skill")
    names = [name for name in board.models if name in skill.index]
    rows = [name for name in (CEILING, NOISE) if name in skill.index] + names
    if not names:
        return Drawing("ladder", "", "leaderboard.csv holds no skill of a model.", ())
    panel = Panel(
        "Skill for new carbon",
        partial(_ladder, board=board, table=skill.reindex(rows)),
        bars.height(len(rows)),
    )
    better = int((skill["lower"].reindex(names) > 0).sum())
    worse = int((skill["upper"].reindex(names) < 0).sum())
    sentence = (
        f"The interval of {better} of {len(names)} models lies above the floor, that of {worse} below it; of "
        f"the other {len(names) - better - worse} the data do not tell."
    )
    note = (
        "Skill: 0 for the mean of the other sites at the depth, 1 for the age model at sites not seen. "
        "Bars: 95 % intervals over sites; filled marks: the interval excludes 0. Each model on the values "
        "that it answers; the order is that of the ranks, on the values that all ranked models answer."
    )
    return Drawing("ladder", "Skill between floor and ceiling", sentence, (panel,), note + rule(board))


def targets(board: Board) -> Drawing:
    """Root mean square error for 14C, stocks and isochrones."""
    panels, least = [], []
    for metric, title in TARGETS.items():
        table = board.scores(metric)
        names = [name for name in board.models if name in table.index]
        if names:
            draw = partial(_errors, board=board, table=table.reindex(names), metric=metric)
            panels.append(Panel(title, draw, bars.height(len(names))))
            least.append(_told(board, metric, title))
    sentence = f"Least error: {'; '.join(least)}." if least else "No score of another quantity was written."
    note = (
        "Bars: 95 % intervals over sites, cut where they leave the axis. Dashed: the floor, the mean of the "
        "other sites at the depth. Models stand in the order of their rank for new carbon."
    )
    return Drawing(
        "targets", "Error for radiocarbon, stocks and isochrones", sentence, tuple(panels), note + rule(board)
    )


def _ladder(ax: "Axes", board: Board, table: pd.DataFrame) -> None:
    value, low, high = (table[name].to_numpy(float) for name in ("value", "lower", "upper"))
    least, most = np.nanmin([*value, *low, 0.0]), np.nanmax([*value, *high, 1.0])
    ax.set_xlim(max(FARTHEST, least - 0.08), most + 0.08)
    for end in (0, 1):
        ax.axvline(end, color=style.MUTED, linewidth=1.2, linestyle="--")
    kinds = np.array([_kind(board, name) for name in table.index])
    for kind, colour, mark in (
        ("model", style.BLUE, "o"), ("baseline", style.GREY, "D"), ("submitted", style.ORANGE, "s"),
    ):  # fmt: skip
        mine = kinds == kind
        bars.points(
            ax, np.where(mine, value, np.nan), low, high, colour, mark, hollow=(low <= 0) & (high >= 0)
        )
    listed(ax, board, [*table.index])
    ax.set_xlabel("Skill (0: floor, 1: ceiling)")


def _kind(board: Board, name: str) -> str:
    return "baseline" if name in BASELINES else "submitted" if name in board.submitted else "model"


def _errors(ax: "Axes", board: Board, table: pd.DataFrame, metric: str) -> None:
    factor, unit = UNITS[target(metric)]
    value, low, high = (factor * table[name].to_numpy(float) for name in ("value", "lower", "upper"))
    floor = factor * float(board.scores(metric)["value"].get(FLOOR, np.nan))
    most = np.nanmax([*value, *high])
    ax.set_xlim(0, 1.04 * max(min(most, LONGEST * np.nanmedian(value)), np.nan_to_num(floor)))
    if np.isfinite(floor):
        ax.axvline(floor, color=style.MUTED, linewidth=1.2, linestyle="--")
    bars.points(ax, value, low, high, style.BLUE, "o")
    listed(ax, board, [*table.index])
    ax.set_xlabel(f"Root mean square error ({'percentage points' if unit == 'pp' else unit})")


def _told(board: Board, metric: str, title: str) -> str:
    """The best of the models that answer enough, the floor, and how many lie below it."""
    factor, unit = UNITS[target(metric)]
    table, ranked = board.scores(metric)["value"], board.scores(f"{target(metric)}rank").index
    rows = table[[name for name in board.models if name in table.index and (name in ranked or ranked.empty)]]
    floor = float(table.get(FLOOR, np.nan))
    best = f"{title[0].lower() + title[1:]} {number(factor * float(rows.min()))} {unit} by {rows.idxmin()}"
    if not np.isfinite(floor):
        return best
    below = int((rows < floor).sum())
    return f"{best} (floor {number(factor * floor)} {unit}; {below} of {len(rows)} models below it)"
