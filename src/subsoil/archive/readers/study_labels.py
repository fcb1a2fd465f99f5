"""Short labels of source studies: first author and year, with a letter where two studies would share one."""

import re
from string import ascii_lowercase

import pandas as pd

_YEAR = re.compile(r"\((1[89]\d\d|20\d\d)\)|\b(1[89]\d\d|20\d\d)\b")
_INITIALS = re.compile(r"(\s+[A-Z]\.?)+$")
_WORDS_IN_SURNAME = 3
LONGEST = 1000  # characters of a citation that are looked at


def study_labels(references: pd.Series) -> pd.Series:
    """A label for every citation, equal for equal citations and different for different ones.

    >>> study_labels(pd.Series(["Dalal, R.C. Title. J. 43 (2005).", "Paul, A. unpublished data"])).tolist()
    ['Dalal 2005', 'Paul unpublished']
    """
    cited = list(references.dropna().unique())
    plain = {c: _label(c) for c in cited}
    shared: dict[str, list[str]] = {}
    for citation, label in plain.items():
        shared.setdefault(label, []).append(citation)
    labels = {
        c: label if len(group) == 1 else f"{label}{_letter(i)}"
        for label, group in shared.items()
        for i, c in enumerate(group)
    }
    return references.map(labels).astype("str")


def _letter(i: int) -> str:
    return ascii_lowercase[i] if i < len(ascii_lowercase) else f"-{i + 1}"


def _label(citation: str) -> str:
    citation = " ".join(citation.split())[:LONGEST]
    author = re.split(r",| et al| & ", citation, maxsplit=1)[0]
    words = author.split()
    if len(words) > _WORDS_IN_SURNAME:  # "Legros S. Influence de la ...": the surname ends at the initial
        initial = next((i for i, w in enumerate(words) if re.fullmatch(r"[A-Z]\.?", w)), 1)
        author = " ".join(words[: max(1, initial)])
    author = _INITIALS.sub("", author).strip() or "Anonymous"
    years = _YEAR.findall(citation)
    bracketed = [a for a, _ in years if a]
    year = (bracketed or [b for _, b in years if b] or [""])[-1]
    return (
        f"{author} {year}" if year else f"{author} {'unpublished' if 'npublished' in citation else 'undated'}"
    )
