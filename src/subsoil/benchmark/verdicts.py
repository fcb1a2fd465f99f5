"""Verdicts of scores in words: which way a model errs, and where it stands."""

from collections.abc import Mapping

import numpy as np

from subsoil.benchmark.bootstrap import Interval

DIRECTIONS = {
    "f_new": ("too young", "too old"),
    "isochrone": ("too young", "too old"),
    "delta14c": ("too young", "too old"),
    "stock_share": ("too much carbon", "too little carbon"),
}
"""What a bias above and below 0 means. Carbon with more 14C than observed is younger: it holds bomb carbon or
has decayed less."""
ROUNDING = 1e-12
BETTER, NOT_BETTER, WORSE = "better than the floor", "not better than the floor", "worse than the floor"


def of_bias(target: str, bias: Interval) -> np.ndarray:
    """Which way a model errs, where the interval of its bias leaves 0 out; "" elsewhere.

    >>> one = np.array([0.1])
    >>> of_bias("f_new", Interval(one, one - 0.05, one + 0.05)).tolist()
    ['too young']
    """
    above, below = DIRECTIONS[target]
    return np.where(bias.lower > ROUNDING, above, np.where(bias.upper < -ROUNDING, below, ""))


def of_skill(skill: Interval) -> np.ndarray:
    """Whether a model beats the floor, its whole interval above 0."""
    return np.where(skill.lower > 0, BETTER, NOT_BETTER)


def of_difference(difference: Interval, better: str, worse: str) -> np.ndarray:
    """``better`` where the whole interval of a difference of losses is below 0, ``worse`` where above."""
    return np.where(difference.upper < 0, better, np.where(difference.lower > 0, worse, ""))


WHY = {
    ("too young", "too little carbon"): "carbon turns over too fast",
    ("too young", "too much carbon"): "too much new carbon arrives",
    ("too old", "too much carbon"): "carbon turns over too slowly",
    ("too old", "too little carbon"): "too little new carbon arrives",
}
"""At steady state a stock is what is brought there times how long it stays; share of new carbon and stock
together tell which of the two is off."""


def diagnosis(bias: Mapping[str, Mapping[str, str]]) -> str:
    """Where a model errs, and why as far as the scores can say.

    ``bias``: the verdicts of `of_bias` by target and depth class.

    >>> diagnosis({"f_new": {"30-50": "too young", "50-100": "too young"},
    ...            "stock_share": {"50-100": "too little carbon"}})
    'too young at 30-50, 50-100 cm; too little carbon at 50-100 cm; at 50-100 cm carbon turns over too fast'
    """
    parts = []
    for target, label in (("f_new", ""), ("stock_share", ""), ("delta14c", " by 14C")):
        for direction in DIRECTIONS[target]:
            if found := [depth for depth, verdict in bias.get(target, {}).items() if verdict == direction]:
                parts.append(f"{direction}{label} at {', '.join(found)} cm")
    ages, stocks = bias.get("f_new", {}), bias.get("stock_share", {})
    for depth, direction in ages.items():
        if why := WHY.get((direction, stocks.get(depth, ""))):
            parts.append(f"at {depth} cm {why}")
    return "; ".join(parts)
