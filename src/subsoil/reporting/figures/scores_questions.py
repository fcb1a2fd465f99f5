"""The questions of the paper, put to every model: its answer beside that of the data."""

from collections.abc import Mapping
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from subsoil.reporting import bars, style
from subsoil.reporting.board import Board
from subsoil.reporting.drawing import Drawing, Panel
from subsoil.reporting.figures.scores_rows import listed, rule
from subsoil.reporting.quantities import interval, number, printed_unit, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PASS, DIRECTION, FAIL = "pass", "agrees in direction", "fail"
SIGNS: Mapping[str, str] = {PASS: "✓", DIRECTION: "~", FAIL: "✗"}
LOOKS = ((PASS, style.GREEN, "o"), (DIRECTION, style.SKY, "^"), (FAIL, style.ORANGE, "X"))
REACH = 2.0  # widths of the middle half of the answers that the axis shows beyond it


def questions(board: Board) -> Drawing:
    """One panel for each question: data with interval, published value, models with pass or fail."""
    panels, told = [], []
    for _, asked in board["questions"].iterrows():
        table = board.scores(asked["question"]).dropna(subset=["value"])
        table = table.reindex([name for name in board.models if name in table.index])
        if len(table):
            draw = partial(_answers, board=board, asked=asked, table=table)
            panels.append(Panel(asked["title"], draw, bars.height(len(table)) + 0.6, title_width=30))
            passed = int((table["verdict"] == PASS).sum())
            told.append(f"“{asked['title']}” {passed} of {len(table)}{_data(asked)}")
    sentence = f"Passed: {'; '.join(told)}." if told else "No model was asked."
    note = (
        "Band: 95 % interval of the data; dashed: the value printed in 2018. A model passes in the range of "
        "both, and for a direction if its whole interval lies on the data's side of no effect; ~: its value "
        "does, its interval does not. Bars: 95 % intervals over sites; very long ones are cut."
    )
    return Drawing("questions", "The questions of the paper", sentence, tuple(panels), note + rule(board))


def passed(board: Board, model: str) -> tuple[int, int]:
    """How many questions the model passes, and how many it answers."""
    names = list(board["questions"]["question"]) if "questions" in board else []
    verdicts = [str(board.scores(name)["verdict"].get(model, "")) for name in names]
    return sum(v == PASS for v in verdicts), sum(v in SIGNS for v in verdicts)


def _data(asked: pd.Series) -> str:
    """Data and published value in brackets, in the unit of the question."""
    factor, unit = scale(asked["unit"]), printed_unit(asked["unit"])
    if not np.isfinite(asked["data"]):
        return ""
    ends = interval(asked["lower"], asked["upper"], asked["unit"])
    text = f"data {number(factor * asked['data'])}{f', {ends}' if ends else ''}"
    if np.isfinite(asked["published"]):
        text += f"; published {number(factor * asked['published'])}"
    return f" ({f'{text} {unit}'.strip()})"


def _answers(ax: "Axes", board: Board, asked: pd.Series, table: pd.DataFrame) -> None:
    factor = scale(asked["unit"])
    value, low, high = (factor * table[name].to_numpy(float) for name in ("value", "lower", "upper"))
    data, least, most, published = factor * asked[["data", "lower", "upper", "published"]].to_numpy(float)
    ax.set_xlim(*_limits(value, low, high, np.array([data, least, most, published])))
    if np.isfinite([least, most]).all():
        ax.axvspan(least, most, color=style.SKY, alpha=0.25, linewidth=0, label="data, 95 %")
    if np.isfinite(published):
        ax.axvline(published, color=style.MUTED, linestyle="--", linewidth=1.2, label="published")
    verdict = table["verdict"].to_numpy(str)
    for name, colour, mark in LOOKS:
        bars.points(ax, np.where(verdict == name, value, np.nan), low, high, colour, mark, label=name)
    listed(ax, board, [*table.index], [SIGNS.get(name, "") for name in verdict])
    ax.set_xlabel(fill(f"{asked['title']} ({printed_unit(asked['unit']) or asked['unit']})", 36))
    style.legend_below(ax, 2, distance=0.62)


def _limits(value: np.ndarray, low: np.ndarray, high: np.ndarray, data: np.ndarray) -> tuple[float, float]:
    """Room for the data and for most of the models."""
    known = value[np.isfinite(value)]
    if not known.size:
        return bars.limits(data, data)
    first, third = np.percentile(known, (25, 75))
    room = REACH * max(third - first, 0.05 * abs(third))
    near = (value >= first - room) & (value <= third + room)
    return bars.limits([*value[near], *data], [*low[near], *high[near]])
