"""Damaged tables for the readers: a small book of each make, and what may happen to its cells."""

import datetime
import random
from collections.abc import Callable

from subsoil.archive.readers import READERS
from subsoil.archive.readers.balesdent_layout import LAYERS, PROFILES
from subsoil.archive.readers.template_layout import LAYER_FIELDS, PROFILE_FIELDS, titles
from subsoil.archive.schema import TABLES, Archive
from subsoil.archive.template import EXAMPLE_LAYERS, EXAMPLE_PROFILES
from subsoil.archive.workbook import Book, Sheet
from subsoil.errors import SubsoilError
from subsoil.variables import columns

Rows = list[list[object]]
JUNK: tuple[object, ...] = (
    *("", " ", "NA", "nd", "abc", "1,5", "1,234", "<0.8", "#DIV/0!", "inf", "-inf", "1e400", "1_000", "-0"),
    *("é" * 5000, "=1+1", "−25.3", True, False, 0, -1, 1e308, 10**30, float("nan"), float("inf"), None),
    *(
        datetime.date(2005, 10, 5),
        datetime.datetime(1900, 1, 1),
        datetime.time(1),
        datetime.timedelta(days=3),
    ),
)


def small_workbook() -> Book:
    """The 2018 workbook in small, with invented numbers: two profiles, three layers each."""
    profiles: Rows = [["Reference: invented"], [c.title for c in PROFILES], [], [c.title for c in PROFILES]]
    groups = [c.group.capitalize() for c in LAYERS]
    layers: Rows = [["Reference: invented"], groups, [c.title for c in LAYERS], ["" for _ in LAYERS]]
    layers[-1][layers[-2].index("z1")] = "cm"
    for n in (1, 2):
        profiles.append([_profile(n).get(c.key, "") for c in PROFILES])
        for i in range(4):
            named = _names(n) if i == 0 else {}
            layers.append([{**named, **(_layer(n, i) if i < 3 else {})}.get(c.key, "") for c in LAYERS])
    return Book("small.xlsx", {"Profiles": Sheet("Profiles", profiles), "Layers": Sheet("Layers", layers)})


def _names(n: int) -> dict[str, object]:
    named = {"entry": f"N{n:03d}", "profile": f"pasture {n}", "ref_profile": "forest"}
    return {**named, "src_soc": "from C concentrations", "src_f": "from isotope data", "src_bd": "author"}


def _profile(n: int) -> dict[str, object]:
    words = {
        "reference": f"Author{n}, A. Title. J. Soil 1, 1-2 (200{n}).",
        "label_type": "C4vsC3",
        "land_use": "CROP",
    }
    numbers = {
        "lat": 10.0 + n,
        "long": -50.0,
        "years": 20.0,
        "obs_year": 2001.0,
        "max_depth": 60.0,
        "reps": 3.0,
    }
    return {
        **_names(n),
        **words,
        **numbers,
        "ref_is_previous": True,
        "n_layers": 3.0,
        "previous": "prevFOREST",
    }


def _layer(n: int, i: int) -> dict[str, object]:
    top, bot, carbon, delta, ref = 20.0 * i, 20.0 * (i + 1), 20.0 - 5 * i, -20.0 - i * n, -26.0
    share = (delta - ref) / 13.0
    stock = carbon * 1.2 * 20 / 100
    bounds = {"top": top, "bot": bot, "summary_top": top, "summary_bot": bot, "mid": top + 10, "ref_top": top}
    measured = {"c": carbon, "bd": 1.2, "d13c": delta, "d13c_n": 3.0, "d13c_kind": "SE", "d13c_spread": 0.2}
    reference = {"ref_bot": bot, "ref_c": 22.0, "ref_d13c": ref, "ref_d13c_n": 3.0, "ref_d13c_kind": "SD"}
    summary = {"summary_soc": stock, "summary_f": share, "summary_new": stock * share, "delta_veg": 13.0}
    return {**bounds, **measured, **reference, **summary, "ref_d13c_spread": 0.4}


def small_template() -> Book:
    """The filled template in small."""
    sheets = {}
    for name, fields, rows in (
        ("profiles", PROFILE_FIELDS, EXAMPLE_PROFILES),
        ("layers", LAYER_FIELDS, EXAMPLE_LAYERS),
    ):
        body: Rows = [[{**row, "entry_name": "Mine_2020"}.get(t, "") for t in titles(fields)] for row in rows]
        sheets[name] = Sheet(name, [list(titles(fields)), *body])
    return Book("mine.xlsx", sheets)


def small_israd() -> Book:
    """ISRaD's workbook in small, with rows of description."""
    values: dict[str, object] = {
        **{
            "entry_name": "Author_2001",
            "site_name": "hill",
            "pro_name": "p",
            "lyr_name": "a",
            "frc_name": "f",
        },
        **{"doi": "israd", "bibliographical_reference": "A.", "site_lat": 10.0, "site_long": 20.0},
        **{
            "pro_lat": 10.0,
            "pro_long": 20.0,
            "pro_treatment": "control",
            "lyr_obs_date_y": 2000.0,
            "lyr_top": 0.0,
        },
        **{
            "lyr_bot": 10.0,
            "lyr_14c": 50.0,
            "lyr_fraction_modern": 1.05,
            "lyr_14c_sigma": 4.0,
            "frc_input": "a",
        },
        **{"frc_scheme": "Density", "frc_lower": float("-inf"), "frc_upper": 1.6, "frc_obs_date_y": 2000.0},
    }
    sheets = {}
    for table in TABLES:
        names = [v.name for v in columns(table)]
        described = ["words" for _ in names]
        rows: Rows = [list(names), list(described), list(described), [values.get(n, "") for n in names]]
        sheets[table] = Sheet(table, rows)
    return Book("israd.xlsx", sheets)


SMALL: dict[str, Callable[[], Book]] = {
    "balesdent2018": small_workbook,
    "template": small_template,
    "israd": small_israd,
}


def mutate(book: Book, rng: random.Random) -> Book:
    """The book after one to four accidents to cells, rows, columns or sheets."""
    sheets = {name: [list(row) for row in sheet.rows] for name, sheet in book.sheets.items()}
    for _ in range(rng.randint(1, 4)):
        if not sheets:
            break
        name = rng.choice(sorted(sheets))
        accident = rng.choice(ACCIDENTS)
        if accident is None:
            del sheets[name]
        elif sheets[name]:
            accident(sheets[name], rng)
    return Book(book.file, {name: Sheet(name, rows) for name, rows in sheets.items()}, book.rejects)


def _cells(rows: Rows, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 12)):
        row = rng.choice(rows)
        if row:
            row[rng.randrange(len(row))] = rng.choice(JUNK)


def _drop_row(rows: Rows, rng: random.Random) -> None:
    del rows[rng.randrange(len(rows))]


def _cut(rows: Rows, rng: random.Random) -> None:
    del rows[rng.randrange(len(rows)) :]


def _repeat_row(rows: Rows, rng: random.Random) -> None:
    i = rng.randrange(len(rows))
    rows.insert(rng.randrange(len(rows)), list(rows[i]))


def _insert_rows(rows: Rows, rng: random.Random) -> None:
    rows[0:0] = [[rng.choice(JUNK)] for _ in range(rng.randint(1, 9))]


def _shuffle_rows(rows: Rows, rng: random.Random) -> None:
    rng.shuffle(rows)


def _shuffle_columns(rows: Rows, rng: random.Random) -> None:
    width = max(map(len, rows))
    order = rng.sample(range(width), width)
    rows[:] = [[(row + [""] * width)[j] for j in order] for row in rows]


def _drop_column(rows: Rows, rng: random.Random) -> None:
    j = rng.randrange(max(1, max(map(len, rows))))
    for row in rows:
        del row[j : j + 1]


def _junk_column(rows: Rows, rng: random.Random) -> None:
    j, junk = rng.randrange(max(1, max(map(len, rows)))), rng.choice(JUNK)
    for row in rows[4:]:
        row[j : j + 1] = [junk]


def _ragged(rows: Rows, rng: random.Random) -> None:
    rng.choice(rows).extend(rng.choice(JUNK) for _ in range(3))


ACCIDENTS: tuple[Callable[[Rows, random.Random], None] | None, ...] = (
    *(_cells, _cells, _drop_row, _cut, _repeat_row, _insert_rows, _shuffle_rows, _shuffle_columns),
    *(_drop_column, _junk_column, _ragged, None),
)


def outcome(make: str, book: Book) -> str:
    """What reading a book gave: "read", or the name of our own error; any other error passes through."""
    try:
        archive = READERS[make].read([book])
    except SubsoilError as error:
        return type(error).__name__ if str(error) else "an error without words"
    check(archive)
    return "read"


def check(archive: Archive) -> None:
    """What holds of every archive that a reader gives."""
    for table in TABLES:
        frame = archive.table(table)
        assert {v.name: v.dtype for v in columns(table)} == {
            v.name: str(frame[v.name].dtype) for v in columns(table)
        }
    assert archive.rejects["severity"].isin(["error", "warning", "note"]).all()
    assert (archive.rejects["message"].str.len() > 0).all()


MEASURED = {
    "balesdent2018": ("Layers", "d13C"),
    "template": ("layers", "lyr_13c"),
    "israd": ("layer", "lyr_14c"),
}


def lost_rows(make: str, archive: Archive, book: Book) -> set[int]:
    """Rows of layers with an isotope value that are neither in the archive nor in the rejects."""
    name, title = MEASURED[make]
    rows = book.sheets[name].rows if name in book.sheets else []
    header = next((i for i, row in enumerate(rows) if title in row), len(rows))
    j = rows[header].index(title) if header < len(rows) else 0
    full = {i + 1 for i, row in enumerate(rows) if i > header and j < len(row) and isinstance(row[j], float)}
    return full - set(archive.layer["src_row"].astype(int)) - set(archive.rejects["row"])
