"""The tables of the page: what a person reads of each CSV file, with the file one click away."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from subsoil.report.headline import difference, held, title
from subsoil.report.quantities import NOTHING, interval, number, printed_unit, quantity
from subsoil.report.results import Results

R_HAT_LIMIT, ESS_LIMIT = 1.01, 400
VERDICTS = {"agrees": "✓", "differs": "✗", "disagrees": "✗"}
SEVERITIES = ("error", "warning", "note")
EXAMPLES = 5  # rows named for each rule


@dataclass(frozen=True)
class Cell:
    """Text of a cell, what it is sorted by, and a class for its colour."""

    text: str
    sort: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """`caption`, column `heads`, which of them are `numeric`, `rows`; `file` holds all the values."""

    caption: str
    heads: tuple[str, ...]
    numeric: frozenset[int]
    rows: tuple[tuple[Cell, ...], ...]
    file: str = ""
    folded: bool = False


def headline(results: Results) -> Table:
    """Ours beside the published value."""
    rows = [
        (
            Cell(title(row["name"])),
            _number(row["value"], row["unit"]),
            Cell(interval(row["lower"], row["upper"], row["unit"]) or NOTHING),
            _number(row["published"], row["unit"]),
            Cell(difference(row) or NOTHING, str(row["value"] - row["published"])),
            Cell(held(row) or NOTHING),
            _plain(row["n"]),
            Cell(row["source"]),
        )
        for _, row in results["headline"].iterrows()
    ]
    heads = ("Quantity", "Ours", "Interval", "Published", "Difference", "Inside ours", "n", "Source")
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
    """Every effect with its interval."""
    rows = [
        (
            Cell(row["response"]),
            Cell(row["term"]),
            Cell(row["method"]),
            _plain(row["estimate"]),
            Cell(interval(row["lower"], row["upper"]) or NOTHING),
            Cell(printed_unit(row["unit"])),
            _plain(row.get("p")),
            _plain(row.get("p_holm")),
            _plain(row["n"]),
            Cell(row["subset"]),
        )
        for _, row in results["drivers"].iterrows()
    ]
    heads = ("Response", "Term", "Method", "Estimate", "Interval", "Unit", "p", "p (Holm)", "n", "Data used")
    return Table("Drivers", heads, frozenset({3, 4, 6, 7, 8}), tuple(rows), "drivers.csv", folded=True)


def claims(results: Results) -> Table:
    """What the paper states, what we find."""
    rows = []
    for _, row in results["claims"].iterrows():
        verdict = row["verdict"]
        sign = VERDICTS.get(verdict.split()[0].rstrip(",;:").lower() if verdict else "", "○")
        rows.append(
            (
                Cell(row["claim"]),
                Cell(row["stated"]),
                _number(row["estimate"], row["unit"]),
                Cell(interval(row["lower"], row["upper"], row["unit"]) or NOTHING),
                Cell(row["method"]),
                Cell(f"{sign} {verdict}", verdict, {"✓": "good", "✗": "bad"}.get(sign, "")),
                Cell(row["explanation"]),
            )
        )
    heads = ("Claim", "As stated", "Our estimate", "Interval", "Method", "Verdict", "How")
    return Table("The paper's claims", heads, frozenset({2, 3}), tuple(rows), "claims.csv")


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
    """Convergence of what is reported; a miss of the limits is marked."""
    rows = []
    for _, row in results["diagnostics"].iterrows():
        low_ess = min(row["ess_bulk"], row["ess_tail"]) < ESS_LIMIT
        rows.append(
            (
                Cell(row["parameter"]),
                _plain(row["mean"]),
                _plain(row["sd"]),
                Cell(number(row["r_hat"], 4), str(row["r_hat"]), "bad" if row["r_hat"] > R_HAT_LIMIT else ""),
                Cell(number(row["ess_bulk"], 4), str(row["ess_bulk"]), "bad" if low_ess else ""),
                Cell(number(row["ess_tail"], 4), str(row["ess_tail"]), "bad" if low_ess else ""),
            )
        )
    heads = ("Parameter", "Mean", "SD", "R-hat", "ESS, bulk", "ESS, tail")
    return Table(
        "Convergence of the sampler",
        heads,
        frozenset(range(1, 6)),
        tuple(rows),
        "diagnostics.csv",
        folded=True,
    )


def rejects(results: Results) -> Table:
    """The findings on the data, one line for each rule, the severest first."""
    table = results["rejects"]
    order = (
        table["severity"].map({name: place for place, name in enumerate(SEVERITIES)}).fillna(len(SEVERITIES))
    )
    rows = []
    for (_, severity, rule), part in table.assign(order=order).groupby(["order", "severity", "rule"]):
        named = [f"{sheet} {row}".strip() for sheet, row in zip(part["sheet"], part["row"], strict=True)]
        more = f" and {len(part) - EXAMPLES} more" if len(part) > EXAMPLES else ""
        rows.append(
            (
                Cell(str(severity), kind="bad" if severity == "error" else ""),
                Cell(str(rule)),
                _plain(len(part)),
                Cell(", ".join(named[:EXAMPLES]) + more),
                Cell(part["message"].iloc[0]),
            )
        )
    heads = ("Severity", "Rule", "Rows", "Where (sheet and row)", "What it means (first row)")
    return Table("Findings on the data, by rule", heads, frozenset({2}), tuple(rows), "rejects.csv")


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


def _number(value: float, unit: str) -> Cell:
    return Cell(quantity(value, unit), str(value))


def _plain(value: Any) -> Cell:
    """A number without unit; nothing where it is absent."""
    known = pd.to_numeric(value, errors="coerce") if value is not None else float("nan")
    return Cell(number(float(known), 4 if abs(known) >= 1000 else 3), str(known))


TABLES: Mapping[str, tuple[Mapping[str, tuple[str, ...]], Callable[[Results], Table]]] = {
    "headline": ({"headline": ()}, headline),
    "isochrones": ({"isochrones": ("depth_cm", "age_yr", "percent_younger")}, isochrones),
    "drivers": ({"drivers": ()}, drivers),
    "claims": ({"claims": ()}, claims),
    "heldout": ({"heldout": ()}, heldout),
    "choices": ({"choices": (), "headline": ()}, choices),
    "diagnostics": ({"diagnostics": ()}, diagnostics),
    "rejects": ({"rejects": ()}, rejects),
}
