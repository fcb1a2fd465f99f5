"""The tables of the page: what a person reads of each CSV file, with the file one click away."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from subsoil.reporting.figures.drivers import CROP, JOINT, asked
from subsoil.reporting.findings import by_rule
from subsoil.reporting.headline import difference, held, title
from subsoil.reporting.quantities import NOTHING, effect, interval, number, printed_unit, quantity
from subsoil.reporting.results import AS_WRITTEN, Needs, Results

BY_LAYER = "crop by layer"
R_HAT_LIMIT, ESS_LIMIT = 1.01, 400
VERDICTS = {"agrees": ("✓", "good"), "disagrees": ("✗", "bad")}


@dataclass(frozen=True)
class Cell:
    """Text of a cell, what it is sorted by, a class for its colour, and a note under it, as an interval."""

    text: str
    sort: str = ""
    kind: str = ""
    note: str = ""

    @property
    def size(self) -> str:
        """How much room the text needs."""
        names = ("", "phrase", "sentence", "text")
        return names[sum(len(self.text) > limit for limit in (16, 45, 160))]


@dataclass(frozen=True)
class Table:
    """`caption`, column `heads`, which of them are `numeric`, `rows`; `file` holds all the values."""

    caption: str
    heads: tuple[str, ...]
    numeric: frozenset[int]
    rows: tuple[tuple[Cell, ...], ...]
    file: str = ""
    folded: bool = False
    named: bool = False  # the first column names its row: it stays in view, and rows can be filtered


def headline(results: Results) -> Table:
    """Ours beside the published value."""
    rows = [
        (
            Cell(title(row["name"])),
            _number(row["value"], row["unit"]),
            Cell(interval(row["lower"], row["upper"], row["unit"]) or NOTHING),
            _number(row["published"], row["unit"]),
            Cell(difference(row) or NOTHING, key(row["value"] - row["published"])),
            Cell(held(row) or NOTHING),
            _plain(row["n"]),
            Cell(_place(row["source"])),
        )
        for _, row in results["headline"].iterrows()
    ]
    heads = ("Quantity", "Ours", "Interval", "Published", "Difference", "Inside ours", "n", "Stated in")
    return Table(
        "Headline numbers beside the published ones",
        heads,
        frozenset({1, 2, 3, 4, 6}),
        tuple(rows),
        "headline.csv",
    )


def isochrones(results: Results) -> Table:
    """Every method at every tenth centimetre: % of the carbon younger than each age."""
    wide = results["isochrones"].pivot_table(
        index=["method", "depth_cm"], columns="age_yr", values="percent_younger", sort=False
    )
    wide = wide[sorted(wide.columns)]
    rows = [
        (Cell(str(key[0])), _plain(key[1]), *(_plain(value) for value in values))
        for key, values in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    heads = ("Method", "Depth (cm)", *(f"{age:g} yr" for age in wide.columns))
    caption = "Carbon younger than an age (%), by depth and method"
    return Table(caption, heads, frozenset(range(1, len(heads))), tuple(rows), "isochrones.csv", folded=True)


def drivers(results: Results) -> Table:
    """The effects that the figures show, and the same for whole layers."""
    table = results["drivers"]
    questions = (JOINT, *(q for q in table["question"].unique() if q.startswith(BY_LAYER)))
    parts = [rows for q in questions for _, rows in asked(table, q).groupby("response", sort=False)]
    rows = [
        _effect(row, row["question"])
        for part in parts
        for _, row in part.iterrows()
        if row["term"] == CROP or row["question"] == JOINT
    ]
    caption = "Effects by question, response and method"
    return Table(caption, EFFECT_HEADS, EFFECT_NUMBERS, tuple(rows), "drivers.csv", folded=True)


def robustness(results: Results) -> Table:
    """The main effects again, with other profiles and with each study left out."""
    table = results["drivers"]
    share = (
        (table["question"] == JOINT)
        & table["response"].str.startswith("share")
        & (table["term"] == "ln(P/PET)")
    )
    crops = (table["question"] == BY_LAYER) & (table["term"] == CROP)
    kept = table[(share | crops) & table["method"].str.startswith(("cluster", "hierarchical"))]
    rows = [_effect(row, row["subset"]) for _, row in kept.sort_values("response", kind="stable").iterrows()]
    heads = ("Profiles", *EFFECT_HEADS[1:])
    caption = "The main effects with other profiles; “leave one study out” gives the range of the estimates"
    return Table(caption, heads, EFFECT_NUMBERS, tuple(rows), "drivers.csv", folded=True)


EFFECT_HEADS = (
    "Question", "Response", "Term", "Method", "Estimate", "Interval", "Unit", "p", "p (Holm)", "n", "Remark",
)  # fmt: skip
EFFECT_NUMBERS = frozenset({4, 5, 7, 8, 9})


def _effect(row: pd.Series, first: str) -> tuple[Cell, ...]:
    factor, unit, per = effect(row["unit"])
    return (
        Cell(first),
        Cell(row["response"]),
        Cell(row["term"]),
        Cell(row["method"]),
        _plain(row["estimate"] * factor),
        Cell(interval(row["lower"] * factor, row["upper"] * factor) or NOTHING),
        Cell(f"{unit} {per}".strip()),
        _plain(row["p"]),
        _plain(row["p_holm"]),
        _plain(row["n"]),
        Cell("" if row["outcome"] == "ok" else row["outcome"]),
    )


def claims(results: Results) -> Table:
    """What the paper states, what we find."""
    rows = []
    for _, row in results["claims"].iterrows():
        sign, kind = VERDICTS.get(row["agrees"], ("○", ""))
        factor, unit, per = effect(row["unit"])
        ends = interval(row["lower"] * factor, row["upper"] * factor)
        words = "times" if unit == "ratio" else f"{printed_unit(unit)} {per}"
        value = f"{number(row['value'] * factor)} {words}".strip()
        rows.append(
            (
                Cell(f"{row['claim']} ({_place(row['where_stated'])})"),
                Cell(f"{sign} {row['agrees']}", row["agrees"], kind),
                Cell(f"{value} ({ends})" if ends else value, key(row["value"])),
                Cell(row["how"]),
            )
        )
    heads = ("Claim (where it is stated)", "Verdict", "Our estimate (95 % interval)", "How")
    return Table("The paper's claims", heads, frozenset(), tuple(rows), "claims.csv")


def heldout(results: Results) -> Table:
    """Scores over all depths."""
    whole = results["heldout"][results["heldout"]["depth_cm"] == "all"]
    rows = [
        (
            Cell(row["model"]),
            _plain(row["n"]),
            *(_plain(100 * row[score]) for score in ("rmse", "bias", "crps", "coverage90")),
        )
        for _, row in whole.iterrows()
    ]
    heads = ("Model", "n", "RMSE (pp)", "Bias (pp)", "CRPS (pp)", "Inside the 90 % interval (%)")
    caption = "Scores at sites left out, all depths together (pp: percentage points of new carbon)"
    return Table(caption, heads, frozenset(range(1, 6)), tuple(rows), "heldout.csv")


def choices(results: Results) -> Table:
    """Every headline number under every choice."""
    known = results["headline"].drop_duplicates("name")
    units = dict(zip(known["name"], known["unit"], strict=True))
    rows = [
        (
            Cell(title(row["name"], short=True)),
            Cell(row["choice"]),
            Cell(row["option"]),
            _number(row["value"], units.get(row["name"], "-")),
            Cell(interval(row["lower"], row["upper"], units.get(row["name"], "-")) or NOTHING),
            _plain(row["n"]),
        )
        for _, row in results["choices"].iterrows()
    ]
    heads = ("Quantity", "Choice", "Option", "Value", "Interval", "n")
    return Table(
        "Headline numbers under other choices",
        heads,
        frozenset({3, 4, 5}),
        tuple(rows),
        "choices.csv",
        folded=True,
    )


def diagnostics(results: Results) -> Table:
    """Convergence of what is sampled; a miss of the limits is marked and counted."""
    table = results["diagnostics"]
    far, few = table["r_hat"] > R_HAT_LIMIT, table["ess_bulk"] < ESS_LIMIT
    rows = [
        (
            Cell(row["parameter"]),
            _plain(row["mean"]),
            _plain(row["sd"]),
            Cell(number(row["r_hat"], 4), key(row["r_hat"]), "bad" if is_far else ""),
            Cell(number(row["ess_bulk"], 4), key(row["ess_bulk"]), "bad" if is_few else ""),
            _plain(row["ess_tail"]),
        )
        for (_, row), is_far, is_few in zip(table.iterrows(), far, few, strict=True)
    ]
    limits = f"R-hat at most {R_HAT_LIMIT}, bulk ESS at least {ESS_LIMIT}"
    caption = (
        f"Convergence of the sampler: {int((~(far | few)).sum())} of {len(table)} parameters keep {limits}"
    )
    heads = ("Parameter", "Mean", "SD", "R-hat", "ESS, bulk", "ESS, tail")
    return Table(caption, heads, frozenset(range(1, 6)), tuple(rows), "diagnostics.csv", folded=True)


def rejects(results: Results) -> Table:
    """The findings on the data, one line for each rule, the severest first."""
    rows = [
        (
            Cell(row["severity"], kind="bad" if row["severity"] == "error" else ""),
            Cell(row["rule"]),
            _plain(row["rows"]),
            Cell(row["where"]),
            Cell(row["message"]),
        )
        for _, row in by_rule(results["rejects"]).iterrows()
    ]
    heads = ("Severity", "Rule", "Rows", "Where (sheet and row)", "What it means (first row)")
    return Table("Findings on the data, by rule", heads, frozenset({2}), tuple(rows), "rejects.csv")


def whole(results: Results, name: str) -> Table:
    """A table as it was written, its columns named in words."""
    table = results[name]
    numeric = [column for column in table if table[column].dtype.kind in "fiu"]
    rows = [
        tuple(
            _plain(value) if column in numeric else Cell("" if value != value else str(value))
            for column, value in zip(table, values, strict=True)
        )
        for values in table.itertuples(index=False)
    ]
    heads = tuple(str(column).replace("_", " ") for column in table)
    places = frozenset(place for place, column in enumerate(table) if column in numeric)
    return Table(AS_WRITTEN[name], heads, places, tuple(rows), f"{name}.csv", folded=True)


def manifest(results: Results) -> Table:
    """What the run wrote about itself, one line for each value."""
    shown = {key: value for key, value in results.manifest.items() if key != "citations"}
    rows = tuple((Cell(key), Cell(value)) for key, value in flat(shown))
    return Table("Manifest", ("Entry", "Value"), frozenset(), rows, "manifest.json", folded=True)


def flat(content: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested content as pairs of a path and a text.

    >>> list(flat({"data": [{"name": "x", "sha256": "ab"}], "key": 1}))
    [('data · x · sha256', 'ab'), ('key', '1')]
    """
    if isinstance(content, dict):
        for key, value in content.items():
            yield from flat(value, f"{prefix} · {key}" if prefix else str(key))
    elif isinstance(content, list) and any(isinstance(item, dict | list) for item in content):
        for place, item in enumerate(content, 1):
            named = dict(item) if isinstance(item, dict) else item
            name = named.pop("name", place) if isinstance(named, dict) else place
            yield from flat(named, f"{prefix} · {name}".removeprefix(" · "))
    elif isinstance(content, list):
        yield prefix, ", ".join(map(str, content))
    else:
        yield prefix, NOTHING if content is None else str(content)


def _place(source: str) -> str:
    """Where a number is stated, without the identifier that the citations hold."""
    return source.partition(", doi:")[0]


def _number(value: float, unit: str) -> Cell:
    return Cell(quantity(value, unit), key(value))


def key(value: float) -> str:
    """What a cell is sorted by, in the words of the page's script.

    >>> key(1.5), key(float("inf")), key(float("nan"))
    ('1.5', 'Infinity', '')
    """
    return str(float(value)).replace("inf", "Infinity").replace("nan", "")


def _plain(value: Any) -> Cell:
    """A number without unit; nothing where it is absent."""
    known = pd.to_numeric(value, errors="coerce") if value is not None else float("nan")
    return Cell(number(float(known), 4 if abs(known) >= 1000 else 3), key(float(known)))


TABLES: Mapping[str, tuple[Needs, Callable[[Results], Table]]] = {
    "headline": ({"headline": ()}, headline),
    "isochrones": ({"isochrones": ("depth_cm", "age_yr", "percent_younger")}, isochrones),
    "drivers": ({"drivers": ("estimate",)}, drivers),
    "robustness": ({"drivers": ("estimate",)}, robustness),
    "claims": ({"claims": ()}, claims),
    "heldout": ({"heldout": ()}, heldout),
    "choices": ({"choices": (), "headline": ()}, choices),
    "diagnostics": ({"diagnostics": ()}, diagnostics),
    "rejects": ({"rejects": ()}, rejects),
    **{name: ({name: ()}, partial(whole, name=name)) for name in AS_WRITTEN},
}
