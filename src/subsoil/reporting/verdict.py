"""The verdict of the leaderboard in plain words."""

import numpy as np
import pandas as pd

from subsoil.reporting.board import CEILING, FLOOR, Board, ranged
from subsoil.reporting.figures.scores_bias import shared
from subsoil.reporting.figures.scores_questions import PASS, passed
from subsoil.reporting.quantities import interval, joined, number

BEST = 3
MOST = 0.5  # share of the models from which an error is one of most of them


def sentences(board: Board) -> list[str]:
    """How many models beat the floor, which are best, what most get wrong; first those handed in.

    Where nothing but models that were handed in is on the board, each is told by itself.
    """
    told = [text for name in board.submitted for text in _alone(board, name)]
    if set(board.models) != set(board.submitted):
        told += [_beaten(board), _best(board), _wrong(board), _asked(board), _silent(board)]
    return [text for text in told if text]


def _alone(board: Board, name: str) -> list[str]:
    """One model: where it stands, where it errs, what it passes."""
    skill, rmse = board.scores("skill"), board.scores("rmse")
    if name not in board.scored:
        return [f"{name} has no score; the failures below say why."]
    order = board.ranked
    place = f"rank {order.index(name) + 1} of {len(order)}" if name in order else "without a rank"
    place = f", {place}" if len(board.models) > 1 else ""
    stands = f"skill {_with(skill, name)}{place}" if name in skill.index else f"no skill{place}"
    verdict = f"is {skill['verdict'][name]}" if name in skill.index else "has no floor to beat"
    first = f"{name} {verdict}: {stands}. It errs by {_with(rmse, name, 100)} pp"
    errs = [
        f"{board.scores('bias', depth)['verdict'][name]} at {ranged(depth)} cm"
        for depth in board.depths
        if board.scores("bias", depth)["verdict"].get(name)
    ]
    right, asked = passed(board, name)
    return [
        f"{first}{_ends(board)}. Errors are root mean squares in percentage points (pp) of new carbon.",
        f"It is {joined(errs)}." if errs else "It has no clear bias in any depth class.",
        f"It passes {right} of {asked} questions of the paper that it answers." if asked else "",
    ]


def _beaten(board: Board) -> str:
    """Models above and below the floor."""
    skill = board.scores("skill")
    known = skill.loc[[name for name in board.models if name in skill.index]]
    if known.empty:
        return f"No skill could be computed for any of the {len(board.models)} models."
    above, clear = int((known["value"] > 0).sum()), int((known["lower"] > 0).sum())
    below = int((known["upper"] < 0).sum())
    return (
        f"{above} of {len(known)} models come closer to the measured shares of new carbon than the floor, "
        "the mean of the other sites at the same depth. "
        f"For {clear} of them the whole 95 % interval says so; "
        f"{below} {'is' if below == 1 else 'are'} clearly worse."
    )


def _best(board: Board) -> str:
    """The first few of the ranked models, beside floor and ceiling."""
    rmse, skill = board.scores("rmse"), board.scores("skill")
    told = [
        f"{name} (error {_with(rmse, name, 100)} pp"
        + (f"; skill {_with(skill, name)})" if name in skill.index else ")")
        for name in board.ranked[:BEST]
    ]
    if not told:
        return ""
    return (
        f"Best {'is' if len(told) == 1 else 'are'} {joined(told)}{_ends(board)}. Errors are root mean "
        "squares in percentage points (pp) of new carbon."
    )


def _ends(board: Board) -> str:
    """What floor and ceiling err by."""
    rmse = board.scores("rmse")["value"]
    words = {FLOOR: "the floor", CEILING: "the ceiling, an age model at sites it has not seen,"}
    told = [
        f"{text} errs by {number(100 * float(rmse[name]))} pp" for name, text in words.items() if name in rmse
    ]
    return f"; {joined(told)}" if told else ""


def _wrong(board: Board) -> str:
    """The errors that most models share."""
    told: dict[str, list[str]] = {}
    for depth, young, old, of in shared(board):
        count, word = (young, "too young") if young >= old else (old, "too old")
        if of and count >= MOST * of:
            told.setdefault(word, []).append(f"{ranged(depth)} cm ({count} of {of} models)")
    if not told:
        return "No error of one sign is shared by most models at any depth."
    errors = [f"their carbon is {word} at {joined(where)}" for word, where in told.items()]
    return f"What most get wrong: {'; '.join(errors)}."


def _asked(board: Board) -> str:
    """How the models answer the questions of the paper."""
    if "questions" not in board:
        return ""
    columns = {row["title"]: board.scores(row["question"]) for _, row in board["questions"].iterrows()}
    verdicts = pd.DataFrame(
        {
            title: found["verdict"].where(found["value"].notna()).reindex(list(board.models))
            for title, found in columns.items()
        }
    ).dropna(how="all")
    if verdicts.empty:
        return ""
    right = verdicts == PASS
    every = list(right.index[right.all(axis=1)])
    hardest = str(right.sum().idxmin())
    who = f" ({joined(every[:BEST])}{' and more' if len(every) > BEST else ''})" if every else ""
    return (
        f"{len(every) or 'None'} of {len(right)} models that answer pass{'es' if len(every) == 1 else ''} "
        f"all {len(columns)} questions of the paper{who}; "
        f"fewest, {int(right[hardest].sum())}, pass “{hardest}”."
    )


def _silent(board: Board) -> str:
    """Models without a rank and without a score."""
    part = [name for name in board.scored if name not in board.ranked]
    none = [name for name in board.models if name not in board.scored]
    told = [f"{joined(part)} {_have(part)} no rank, for too many sampled layers lie outside"] if part else []
    told += [f"{joined(none)} {_have(none)} no score at all"] if none else []
    return f"{'; '.join(told)}." if told else ""


def _have(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _with(table: pd.DataFrame, name: str, factor: float = 1.0) -> str:
    """A model's value with its interval."""
    value, lower, upper = (factor * float(table[column][name]) for column in ("value", "lower", "upper"))
    ends = interval(lower, upper)
    return number(value) + (f", {ends}" if ends and not np.isclose(lower, upper) else "")
