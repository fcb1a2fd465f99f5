"""Read thousands of damaged and hostile tables; whatever they hold, the outcome must be one of two.

Either an archive, in which every row that held data is kept or has a line in the rejects, or one of our
own errors with one clear line. Anything else is a failure and is printed with the number of its case,
which makes it again:

    python scripts/fuzz.py              # 2000 cases, a table, out/fuzz.json
    python scripts/fuzz.py --case 137   # one case again, its file left in out/fuzz/

The tables are small and invented (``tests/archive/mutations.py``); where SUBSOIL_DATA names the published
workbook, it is damaged too. The cases follow from their number and the seed alone.
"""

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from damage import (
    BYTE_ATTACKS,
    CELL_ACCIDENTS,
    PACKAGE_ATTACKS,
    TEXT_ATTACKS,
    Rng,
    Sheets,
    delimited,
    mutations,
    parts_of,
    zipped,
)

from subsoil import atomic
from subsoil.archive.readers import balesdent_blocks, balesdent_layout, open_books, read
from subsoil.archive.readers.cells import find_header, is_missing, plain
from subsoil.archive.readers.template_layout import EXAMPLE_MARK, FLAT_FIELDS, UNITS_MARK, titles
from subsoil.archive.schema import TABLES, Archive
from subsoil.archive.validate import validate
from subsoil.archive.workbook import Book, Sheet, open_book
from subsoil.errors import SubsoilError
from subsoil.variables import columns

LONGEST_LINE = 1000  # characters of an error
MEMORY_BYTES = 6 * 2**30


# ---- what is damaged --------------------------------------------------------------------------------------


@cache
def published() -> Book | None:
    """The first profiles of the published workbook, where it is on this machine."""
    path = Path(os.environ.get("SUBSOIL_DATA", "")) / "balesdent2018" / "balesdent_2018_raw.xlsx"
    if not os.environ.get("SUBSOIL_DATA") or not path.is_file():
        return None
    return open_book(path)


def seed_sheets(make: str, rng: Rng) -> Sheets:
    """Fresh rows of one make; of the published workbook some neighbouring profiles."""
    if make != "published":
        return {
            name: [list(row) for row in sheet.rows]
            for name, sheet in mutations().SMALL[make]().sheets.items()
        }
    book = published()
    assert book is not None
    first, n = rng.randrange(100), rng.randrange(1, 12)
    profiles, layers = book.sheets["Profiles"].rows, book.sheets["Layers"].rows
    kept = layers[:12] + layers[12 + 15 * first : 12 + 15 * (first + n)]
    return {
        "Profiles": [list(row) for row in profiles[:8] + profiles[8 + first : 8 + first + n]],
        "Layers": [list(row) for row in kept],
    }


def flat_template() -> Sheets:
    """The template as one table."""
    book = mutations().small_template()
    (names, *profiles), (layer_names, *layers) = (book.sheets[n].rows for n in ("profiles", "layers"))
    by_name = {row[1]: dict(zip(names, row, strict=True)) for row in profiles}
    rows = [{**by_name[row[1]], **dict(zip(layer_names, row, strict=True))} for row in layers]
    return {
        "flat": [list(titles(FLAT_FIELDS)), *([row.get(t, "") for t in titles(FLAT_FIELDS)] for row in rows)]
    }


# ---- one case ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A damaged file: what it was, what was done to it, where it lies."""

    number: int
    make: str
    attack: str
    path: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a case: ``result`` is "archive" or the name of our error, ``failure`` empty or why."""

    case: Case
    result: str
    rows: int = 0
    kept: int = 0
    seconds: float = 0.0
    failure: str = ""


def make_case(number: int, seed: int, folder: Path, real: bool = True) -> Case:
    """The case of this number, written into a folder of its own under `folder`."""
    rng = Rng(f"{seed}/{number}")
    makes = [
        "balesdent2018",
        "template",
        "israd",
        "flat",
        "folder",
        *(["published"] if real and published() else []),
    ]
    make = makes[number % len(makes)]
    sheets = flat_template() if make == "flat" else seed_sheets("israd" if make == "folder" else make, rng)
    attacks = []
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        accident = rng.choice(CELL_ACCIDENTS)
        if sheets and any(sheets.values()):
            sheets = accident(sheets, rng)
            attacks.append(accident.__name__.replace("_", "-"))
    place = folder / str(number)
    place.mkdir(parents=True)
    writer = {"flat": _write_text, "folder": _write_folder}.get(make, _write_workbook)
    path, attack = writer(place, sheets, rng, bool(attacks))
    return Case(number, make, attack or (attacks[-1] if attacks else "none"), path)


def _write_workbook(place: Path, sheets: Sheets, rng: Rng, damaged: bool) -> tuple[Path, str]:
    parts, attack = parts_of(sheets), ""
    how = rng.random()
    if how < 0.3 or (not damaged and how < 0.55):
        attack = rng.choice(sorted(PACKAGE_ATTACKS))
        parts = PACKAGE_ATTACKS[attack](parts, rng)
    content = zipped(parts)
    if 0.6 < how < 0.8 or (not damaged and how > 0.55):
        attack = rng.choice(sorted(BYTE_ATTACKS))
        content = BYTE_ATTACKS[attack](content, rng)
    path = place / f"table.{rng.choice(['xlsx', 'xlsx', 'xlsx', 'csv', 'dat'])}"
    path.write_bytes(content)
    return path, attack


def _write_text(place: Path, sheets: Sheets, rng: Rng, damaged: bool) -> tuple[Path, str]:
    rows = next(iter(sheets.values()), [])
    attacks = {**TEXT_ATTACKS, **BYTE_ATTACKS}
    attack = rng.choice(sorted(attacks)) if not damaged or rng.random() < 0.5 else ""
    content = delimited(rows)
    path = place / f"table.{rng.choice(['csv', 'csv', 'tsv', 'xlsx'])}"
    path.write_bytes(attacks[attack](content, rng) if attack else content)
    return path, attack


def _write_folder(place: Path, sheets: Sheets, rng: Rng, damaged: bool) -> tuple[Path, str]:
    attack = ""
    for name, rows in sheets.items():
        path, applied = _write_text(place, {name: rows}, rng, damaged or rng.random() < 0.8)
        path.rename(place / f"{''.join(c for c in name if c.isalnum())[:20] or 'x'}.csv")
        attack = applied or attack
    return place, attack


def examine(case: Case) -> Outcome:
    """Read and validate the file of a case, and hold the outcome against the two laws."""
    began = time.perf_counter()
    try:
        archive = read(case.path)
        checked = validate(archive, file=case.path.name)
        rows, kept, lost = account(open_books(case.path), checked)
    except SubsoilError as error:
        text = str(error)
        clear = 0 < len(text) <= LONGEST_LINE and "\n" not in text and "Traceback" not in text
        failure = "" if clear else f"not one clear line: {text[:300]!r}"
        return Outcome(case, type(error).__name__, seconds=time.perf_counter() - began, failure=failure)
    except Exception:  # noqa: BLE001 - to find what nobody thought of is the purpose
        seconds = time.perf_counter() - began
        return Outcome(case, "crash", seconds=seconds, failure=traceback.format_exc(limit=-4))
    failure = f"rows without a trace: {sorted(lost)[:10]}" if lost else ""
    return Outcome(case, "archive", rows, kept, time.perf_counter() - began, failure)


def account(books: Sequence[Book], archive: Archive) -> tuple[int, int, set[tuple[str, int]]]:
    """Rows that hold data, how many of them are in the archive, and those of which there is no trace.

    Of several sheets that hold the same table only one can be the source of its rows; the rows of the
    others, or those sheets as a whole, must stand in the rejects.
    """
    rows, kept, lost = 0, 0, set()
    named = set(archive.rejects["row"])
    places = list(zip(archive.rejects["file"], archive.rejects["sheet"], strict=True))
    for table, sheets in _data(books, archive.source).items():
        known = {int(row) for row in archive.table(table)["src_row"].dropna()}
        used = max(sheets, key=lambda name: len(sheets[name] & known))
        for name, data in sheets.items():
            there = data & known if name == used else set()
            noted = archive.rejects[[f"{file}:{sheet}" == name for file, sheet in places]]
            whole = not there and bool(noted["rule"].isin(["sheet-not-used", "sheet-unknown"]).any())
            lost |= {(name, row) for row in data - there if not whole and row not in named}
            rows, kept = rows + len(data), kept + len(there)
    return rows, kept, lost


def _data(books: Sequence[Book], source: str) -> dict[str, dict[str, set[int]]]:
    """Rows with data by table and sheet."""
    found: dict[str, dict[str, set[int]]] = {}
    if source == "balesdent2018":
        layers, _, _ = balesdent_layout.read_sheet(books[0], "Layers", balesdent_layout.LAYERS)
        values = layers[balesdent_blocks.STUDIED + balesdent_blocks.REFERENCE]
        return {"layer": {f"{books[0].file}:Layers": set(layers.loc[values.notna().any(axis=1), "row"])}}
    for book in books:
        for sheet in book.sheets.values():
            table, rows = _filled(sheet)
            if table and rows:
                found.setdefault(table, {})[f"{book.file}:{sheet.name}"] = rows
    return found


def _filled(sheet: Sheet) -> tuple[str, set[int]]:
    """Which table a sheet holds, and its rows with a value under a known title.

    The rows of units, of examples and of ISRaD's descriptions hold no data.
    """
    known = {plain(v.name) for table in TABLES for v in columns(table)} | {
        plain(t) for t in titles(FLAT_FIELDS)
    }
    header = find_header(sheet, known)
    names = [plain(title) for title in sheet.rows[header]] if header >= 0 else []
    at = {j for j, name in enumerate(names) if name in known}
    if len(at) < 3 or "entry_name" not in names:
        return "", set()
    rows = set()
    for i, row in enumerate(sheet.rows):
        cells = [cell for j, cell in enumerate(row) if j in at and not is_missing(cell)]
        above = i < header and sum(map(_is_number, cells)) < 3  # a heading, not a row that lost its place
        if i != header and cells and not above and not _is_guide(cells, names):
            rows.add(i + 1)
    return _table_of(set(names)), rows


def _is_number(cell: object) -> bool:
    try:
        return math.isfinite(float(cell))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _is_guide(cells: Sequence[object], names: Sequence[str]) -> bool:
    """Whether a row guides the person who fills the form: units, examples, descriptions, titles again."""
    texts = [str(cell).strip() for cell in cells]
    marked = any(text.upper().startswith((UNITS_MARK.upper(), EXAMPLE_MARK)) for text in texts)
    return marked or 2 * sum(text == "words" or plain(text) in names for text in texts) > len(texts)


def _table_of(names: set[str]) -> str:
    for title, table in (
        ("frc_name", "fraction"),
        ("lyr_top", "layer"),
        ("pro_name", "profile"),
        ("site_lat", "site"),
    ):
        if title in names:
            return table
    return "metadata"


# ---- many cases -------------------------------------------------------------------------------------------


def fuzz(numbers: Iterable[int], seed: int, folder: Path, real: bool = True) -> list[Outcome]:
    """The outcomes of the cases of these numbers; their files are removed unless they failed."""
    outcomes = []
    for number in numbers:
        outcome = examine(make_case(number, seed, folder, real))
        outcomes.append(outcome)
        if not outcome.failure:
            shutil.rmtree(folder / str(number))
    return outcomes


def report(outcomes: Sequence[Outcome], seed: int, seconds: float) -> dict[str, Any]:
    """The summary that goes to out/fuzz.json."""
    read_in = [o for o in outcomes if o.result == "archive"]
    slowest = max(outcomes, key=lambda o: o.seconds)
    return {
        "cases": len(outcomes),
        "seed": seed,
        "seconds": round(seconds, 1),
        "failures": [
            {"case": o.case.number, "make": o.case.make, "attack": o.case.attack, "failure": o.failure}
            for o in outcomes
            if o.failure
        ],
        "results": Counter(o.result for o in outcomes),
        "by_make": {
            make: Counter(o.result for o in outcomes if o.case.make == make)
            for make in sorted({o.case.make for o in outcomes})
        },
        "by_attack": {
            attack: Counter(o.result for o in outcomes if o.case.attack == attack)
            for attack in sorted({o.case.attack for o in outcomes})
        },
        "rows": {
            "with_data": sum(o.rows for o in read_in),
            "kept": sum(o.kept for o in read_in),
            "in_rejects": sum(o.rows - o.kept for o in read_in),
        },
        "slowest": {
            "case": slowest.case.number,
            "attack": slowest.case.attack,
            "seconds": round(slowest.seconds, 2),
        },
    }


def show(summary: Mapping[str, Any]) -> None:
    """The summary as a table."""
    from rich.console import Console
    from rich.table import Table

    results = sorted(summary["results"])
    table = Table(title=f"{summary['cases']} damaged files, seed {summary['seed']}")
    for title in ("file", *results):
        table.add_column(title, justify="left" if title == "file" else "right")
    for make, counts in summary["by_make"].items():
        table.add_row(make, *(str(counts.get(result, 0)) for result in results))
    table.add_row("all", *(str(summary["results"][result]) for result in results), style="bold")
    console = Console(width=120)
    console.print(table)
    rows, slowest = summary["rows"], summary["slowest"]
    console.print(
        f"{rows['with_data']} rows with data in files that were read: {rows['kept']} kept, "
        f"{rows['in_rejects']} in the rejects. Slowest: case {slowest['case']} ({slowest['attack']}), "
        f"{slowest['seconds']} s. All: {summary['seconds']} s."
    )
    for failure in summary["failures"]:
        console.print(
            f"[red]case {failure['case']}[/] {failure['make']} {failure['attack']}", highlight=False
        )
        console.print(failure["failure"], markup=False, highlight=False)
    console.print(f"{len(summary['failures'])} failures")


def main() -> int:
    """Run the cases asked for; the exit code is 1 if one failed."""
    parser = argparse.ArgumentParser(description="Read damaged and hostile tables.")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=2018)
    parser.add_argument("--case", type=int, help="one case again, its file left in out/fuzz")
    parser.add_argument("--out", type=Path, default=Path("out"))
    arguments = parser.parse_args()
    if arguments.case is not None:
        case = make_case(
            arguments.case, arguments.seed, Path(tempfile.mkdtemp(dir=_made(arguments.out / "fuzz")))
        )
        print(case.path, examine(case))
        return 0
    _limit_memory()
    from tqdm import tqdm

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(tqdm(range(arguments.cases), unit="file"), arguments.seed, Path(folder))
    summary = report(outcomes, arguments.seed, time.perf_counter() - began)
    show(summary)
    atomic.write_json(arguments.out / "fuzz.json", summary)
    return 1 if summary["failures"] else 0


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _limit_memory() -> None:
    """A table that would fill the memory fails instead of the machine."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    sys.exit(main())
