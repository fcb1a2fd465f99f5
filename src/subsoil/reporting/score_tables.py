"""The tables of the leaderboard's page."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from subsoil.reporting.board import ALL, BASELINES, UNITS, Board, ranged, signed, target
from subsoil.reporting.figures.scores_questions import SIGNS, passed
from subsoil.reporting.quantities import NOTHING, interval, number, printed_unit, scale
from subsoil.reporting.results import Needs
from subsoil.reporting.tables import Cell, Table, key

FILE = "leaderboard.csv"
KINDS = {
    "better than the floor": "good",
    "not better than the floor": "bad",
    "too young": "bad",
    "too old": "bad",
    "too much carbon": "bad",
    "too little carbon": "bad",
    "pass": "good",
    "fail": "bad",
}
ILAMB = {
    "ilamb": "Overall",
    "ilamb_bias": "Bias",
    "ilamb_rmse": "Centred error",
    "ilamb_distribution": "Spread and correlation",
}
MORE = {
    "crmse": "Centred RMSE (pp)",
    "rmse_corrected": "RMSE less error of the data (pp)",
    "rmse_minus_floor": "RMSE less the floor's (pp)",
    "rmse_minus_best": "RMSE less the best's (pp)",
    "chi2": "χ²",
    "bias_normalised": "Bias / spread",
    "rmse_normalised": "RMSE / spread",
    "correlation": "Correlation",
    "coverage50": "In the 50 % interval",
    "coverage90": "In the 90 % interval",
    "first_share": "First in resamples",
}
SCALED = ("bias", "rmse", "crmse", "rmse_corrected", "crps", "rmse_minus_floor", "rmse_minus_best")
OTHERS = {"delta14c_": "¹⁴C", "stock_share_": "Stock share", "isochrone_": "Isochrones"}


def scores(board: Board) -> Table:
    """One row for each model: rank, skill, error, bias by depth and what else it is judged by."""
    wanted = {
        ("rank", ALL): "Rank",
        ("skill", ALL): "Skill",
        ("rmse", ALL): "RMSE (pp)",
        ("bias", ALL): "Bias (pp)",
        **{("bias", depth): f"Bias {ranged(depth)} cm" for depth in board.depths},
        ("kge", ALL): "KGE",
        ("rank_correlation", ALL): "Rank correlation",
        ("crps", ALL): "CRPS (pp)",
        ("ilamb", ALL): "ILAMB",
    }
    found = {metric: board.scores(*metric) for metric in wanted}
    found = {metric: table for metric, table in found.items() if table["value"].notna().any()}
    rows = [
        (
            _named(board, name),
            *(_score(table, name, metric) for (metric, _), table in found.items()),
            _passed(board, name),
            _count(board.scores("rmse"), name),
            _verdict(board, name),
        )
        for name in _everyone(board)
    ]
    heads = ("Model", *(wanted[metric] for metric in found), "Questions", "Values", "Verdict")
    caption = "Scores for new carbon with 95 % intervals (pp: percentage points)"
    return _table(caption, heads, 1, rows, last=len(heads) - 1)


def diagnosis(board: Board) -> Table:
    """Where each model fails, and why as far as the scores can say."""
    told = board.scores("diagnosis")["verdict"]
    rows = [
        (_named(board, name), Cell(str(told.get(name, "")) or "no clear error in any depth class"))
        for name in board.scored
    ]
    caption = "Where each model fails, and why as far as the scores can say"
    return _table(caption, ("Model", "What is off"), 2, rows, folded=True)


def ilamb(board: Board) -> Table:
    """Scores in the form of ILAMB, 0 to 1."""
    return _metrics(board, ILAMB, "Scores for new carbon in the form of ILAMB, 0 to 1")


def more(board: Board) -> Table:
    """Further scores over all values."""
    caption = "Further scores for new carbon (spread: standard deviation between profiles)"
    return _metrics(board, MORE, caption)


def targets(board: Board) -> Table:
    """Error and bias in the other quantities."""
    metrics = {
        f"{prefix}{metric}": f"{name}: {word} ({UNITS[prefix].name})"
        for prefix, name in OTHERS.items()
        for metric, word in (("rmse", "RMSE"), ("bias", "bias"))
    }
    return _metrics(board, metrics, "Scores for radiocarbon, stocks and isochrones")


def groups(board: Board) -> Table:
    """Skill, error and bias in each group of profiles."""
    metrics = ("skill", "rmse", "bias")
    rows = []
    for group in (name for name in dict.fromkeys(board["leaderboard"]["group"]) if name not in (ALL, "")):
        found = [board.scores(metric, group=group) for metric in metrics]
        for name in (name for name in _everyone(board) if name in found[1].index):
            cells = (_score(table, name, metric) for table, metric in zip(found, metrics, strict=True))
            rows.append((_named(board, name), Cell(group), *cells, _count(found[1], name)))
    heads = ("Model", "Profiles", "Skill", "RMSE (pp)", "Bias (pp)", "Values")
    caption = "Scores for new carbon by land use, climate, labelling time and doubts"
    return _table(caption, heads, 2, rows, folded=True)


def questions(board: Board) -> Table:
    """Every model's answer to every question, with its margin."""
    rows = []
    for _, asked in board["questions"].iterrows():
        found, margins = (board.scores(asked["question"] + end) for end in ("", "_margin"))
        unit = str(asked["unit"])
        data = _quantity(asked["data"], asked["lower"], asked["upper"], unit)
        published = _quantity(asked["published"], np.nan, np.nan, unit)
        for name in (name for name in _everyone(board) if name in found.index):
            verdict = str(found["verdict"][name])
            sign = SIGNS.get(verdict, "")
            value, lower, upper = (float(found[column][name]) for column in ("value", "lower", "upper"))
            answer = _quantity(value, lower, upper, unit)
            margin = _quantity(margins["value"].get(name, np.nan), np.nan, np.nan, unit)
            judged = Cell(f"{sign} {verdict}".strip() or NOTHING, verdict, KINDS.get(verdict, ""))
            rows.append((_named(board, name), Cell(asked["title"]), judged, answer, margin, data, published))
    heads = ("Model", "Question", "Verdict", "Answer", "Margin", "Data", "Published")
    return _table("Answers to the questions of the paper", heads, 3, rows, folded=True)


def failures(board: Board) -> Table:
    """What could not be computed, and why."""
    table = board["leaderboard"]
    failed = table[table["metric"] == "failed"]
    rows = [
        (_named(board, row["model"]), _count(failed.iloc[[place]].set_index("model"), row["model"]),
         Cell(row["verdict"] or NOTHING))
        for place, (_, row) in enumerate(failed.iterrows())
    ]  # fmt: skip
    caption = "Profiles that could not be computed" if rows else "Every model answered at every profile"
    return _table(caption, ("Model", "Profiles", "Why"), 3, rows)


def notes(board: Board) -> Table:
    """What the run says of models and data."""
    told = board.manifest.get("notes")
    found = told.items() if isinstance(told, dict) else ()
    rows = [
        (
            _named(board, str(name)),
            Cell("; ".join(map(str, lines)) if isinstance(lines, list) else str(lines)),
        )
        for name, lines in found
        if lines
    ]
    return _table("Notes on models and data", ("Of", "Note"), 2, rows, folded=True)


def _metrics(board: Board, metrics: Mapping[str, str], caption: str) -> Table:
    """Models by metrics, over all values; a metric that no model has is left out."""
    found = {metric: board.scores(metric) for metric in metrics}
    found = {metric: table for metric, table in found.items() if table["value"].notna().any()}
    rows = [
        (_named(board, name), *(_score(table, name, metric) for metric, table in found.items()))
        for name in _everyone(board)
        if any(name in table.index for table in found.values())
    ]
    return _table(caption, ("Model", *(metrics[metric] for metric in found)), 1, rows, folded=True)


def _table(
    caption: str,
    heads: Sequence[str],
    first: int,
    rows: Sequence[tuple[Cell, ...]],
    folded: bool = False,
    last: int | None = None,
) -> Table:
    """A table of models whose columns from ``first`` to before ``last`` hold numbers."""
    numeric = frozenset(range(first, len(heads) if last is None else last))
    return Table(caption, tuple(heads), numeric, tuple(rows), FILE, folded, named=True)


def _everyone(board: Board) -> list[str]:
    """Baselines and models, the ceiling first."""
    return [*(name for name in BASELINES if name in board.names), *board.models]


def _named(board: Board, name: str) -> Cell:
    title = board.title(name)
    return Cell(name, kind="tag" if name in board.submitted else "", note=title if title != name else "")


def _verdict(board: Board, name: str) -> Cell:
    """Of a model, where it stands to the floor."""
    told = str(board.scores("skill")["verdict"].get(name, "")) if name not in BASELINES else ""
    if not told and name in board.models:
        told = "no score" if name not in board.scored else ""
    return Cell(told or NOTHING, kind=KINDS.get(told, ""))


def _passed(board: Board, name: str) -> Cell:
    right, asked = passed(board, name)
    return Cell(f"{right} of {asked}", str(right)) if asked else Cell(NOTHING)


def _score(table: pd.DataFrame, name: str, metric: str) -> Cell:
    """A score with its interval below it, and for a bias the way the model errs."""
    if name not in table.index:
        return Cell(NOTHING)
    bare = metric.removeprefix(target(metric))
    factor = UNITS[target(metric)].factor if bare in SCALED else 1.0
    exact, *ends = (factor * float(table[column][name]) for column in ("value", "lower", "upper"))
    value, lower, upper = (rounded(x, scaled=bare in SCALED) for x in (exact, *ends))
    text = signed(value, 3) if bare.startswith("bias") or "_minus_" in bare else number(value)
    verdict = str(table["verdict"][name]) if bare == "bias" else ""
    note = " · ".join(part for part in (interval(lower, upper), verdict) if part)
    return Cell(text, key(exact), KINDS.get(verdict, ""), note)


def rounded(value: float, scaled: bool) -> float:
    """To the digits that mean something: one decimal from 1 on of what has a unit, else two.

    >>> rounded(12.345, scaled=True), rounded(-0.0412, scaled=True), rounded(1.2345, scaled=False)
    (12.3, -0.04, 1.23)
    """
    return round(value, 1 if scaled and abs(value) >= 1 else 2) + 0.0


def _count(table: pd.DataFrame, name: str) -> Cell:
    n = float(table["n"].get(name, np.nan))
    return Cell(number(n, 6), key(n))


def _quantity(value: float, lower: float, upper: float, unit: str) -> Cell:
    if np.isnan(value):
        return Cell(NOTHING)
    text = f"{number(scale(unit) * value)} {printed_unit(unit)}".strip()
    return Cell(text, key(value), note=interval(lower, upper, unit))


SCORED: Needs = {"leaderboard": ("value",)}
TABLES: Mapping[str, tuple[Needs, Callable[[Board], Table]]] = {
    "scores": (SCORED, scores),
    "diagnosis": (SCORED, diagnosis),
    "more": (SCORED, more),
    "ilamb": (SCORED, ilamb),
    "groups": (SCORED, groups),
    "questions": ({**SCORED, "questions": ()}, questions),
    "targets": (SCORED, targets),
    "failures": ({"leaderboard": ()}, failures),
    "notes": ({"leaderboard": ()}, notes),
}
