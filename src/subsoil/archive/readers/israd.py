"""Reader of ISRaD: a folder of its tables as CSV, or one of its template workbooks.

Rules of this reader (``RULES``): what this database is known to hold and no general check can tell.
Whether a value is plausible, keys that match, duplicates and bounds are the matter of validation.

- Errors of radiocarbon that the database filled with Δ14C computed from the fraction modern are emptied.
- Columns that the database derives (``*_filled``, ``*_fill_extra``, ``lyr_dd14c``) are left out.
- Names and addresses of persons are left out.
- Depths counted from an organic surface, and soils under treatment, are flagged.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from subsoil.archive.readers.cells import (
    Grid,
    Log,
    Rule,
    find_header,
    is_missing,
    is_number,
    make_grid,
    need,
    numbers,
    plain,
    repeated_sheet,
    truths,
    words,
)
from subsoil.archive.readers.israd_tables import OTHER_TABLES, TELLING, from_israd, table_of
from subsoil.archive.schema import KEYS, TABLES, Archive, Reject, add_flag, rejects_frame, typed
from subsoil.archive.workbook import Book, Sheet
from subsoil.constants import RADIOCARBON_BASE_YEAR
from subsoil.variables import variables

SOURCE = "israd"
EXPECTED = "ISRaD's tables metadata, site, profile, layer and, if any, fraction"
FILL_DECAY_PER_YR = 0.00012097  # the constant of the package that filled the errors
FILL_TOLERANCE_PERMIL = 0.001
FAR_DEGREES = 1.0
HE_2016 = "10.1126/science.aad4273"
DESCRIPTION_ROWS = 2
DERIVED = re.compile(r".*(_filled|_fill_extra|_dd14c)$")
PERSONAL = re.compile(r"(curator|contact)_.*")
ADDRESS = re.compile(r"[^\s@;,<>()]{1,64}@[\w.-]{3,255}")  # bounded: a cell may hold a megabyte

OPEN_ENDED = ("frc_lower", "frc_upper")
KEYS_OF_PROFILE = list(KEYS["profile"])

RULES = {
    rule.name: rule
    for rule in (
        Rule("error-from-modern", "warning", "no error but Δ14C computed from the fraction modern: emptied"),
        Rule("description-row", "note", "describes the columns, as in the database's template: left out"),
        Rule("derived-column", "note", "derived by the database, in part wrongly: left out"),
        Rule("personal-data", "note", "names and addresses of persons are not kept"),
        Rule("table-not-read", "note", "the archive holds no such table"),
        Rule(
            "coordinates-differ", "warning", "site and profile lie more than 1 degree apart: which is right?"
        ),
        Rule("longitude-sign", "warning", "site and profile differ in the sign of the longitude"),
        Rule("organic-surface", "note", "peat, or depth counted from the top of the organic layer"),
        Rule("treated-soil", "note", "profile under treatment: leave it out of natural soils"),
        Rule("other-study", "warning", "the site belongs to another study; its carbon is ten times too high"),
        Rule("from-compilation", "note", "came through He et al. 2016: never add that compilation on top"),
        Rule("doi-unknown", "note", "the DOI is a place holder: unpublished or unknown"),
        Rule("sheet-unknown", "warning", "no column tells which table of ISRaD it is; it is not used"),
        Rule("lone-metadata", "note", "an entry with metadata only"),
    )
}
# Sites that no test on the numbers finds: entry, words in the site's name, rule.
NAMED = (("McClaran_2000", "Capitao Poco", "other-study"),)


@dataclass(frozen=True)
class Part:
    """One table as it lies in a file."""

    table: str
    file: str
    sheet: Sheet
    header: int


def fits(books: list[Book]) -> bool:
    """Whether files hold ISRaD's tables, told by their headers."""
    found = {part.table for part in _parts(books)}
    return {"site", "profile", "layer"} <= found


def read(books: list[Book]) -> Archive:
    """ISRaD's tables, one a file or all in a workbook, as an archive.

    Raises
    ------
    UnreadableFile
        A table without which nothing can be read, or one of its keys, is absent.
    """
    sheets = _parts(books)
    found = [part for part in sheets if part.table]
    parts = {part.table: part for part in reversed(found)}
    name = books[0].file if len(books) == 1 else "the folder"
    need(name, "", parts, {table: f"entry_name of table {table}" for table in TABLES[:4]}, EXPECTED)
    skipped = _described(parts["site"])
    entries = _entries(parts["site"], skipped)
    rejects = [reject for book in books for reject in book.rejects]
    rejects += [repeated_sheet(part.file, part.sheet) for part in found if part is not parts[part.table]]
    rejects += [reject for part in sheets if not part.table for reject in _unknown(part)]
    frames = {}
    for table, part in parts.items():
        log = Log(part.file, part.sheet.name, RULES)
        if table in OTHER_TABLES:
            log.add("table-not-read", part.header + 1, "", table)
        else:
            frames[table] = _frame(part, _description_rows(part, skipped, entries), log)
        rejects += log.rejects
    logs = {t: Log(p.file, p.sheet.name, RULES) for t, p in parts.items()}
    _repair(frames, logs)
    rejects += [reject for log in logs.values() for reject in log.rejects]
    archive = from_israd(frames, SOURCE)
    layer = archive.layer.assign(lyr_mid=(archive.layer["lyr_top"] + archive.layer["lyr_bot"]) / 2)
    return replace(archive, metadata=_labelled(archive.metadata), layer=layer, rejects=rejects_frame(rejects))


def _labelled(metadata: pd.DataFrame) -> pd.DataFrame:
    return metadata.assign(study_id=metadata["entry_name"].str.replace("_", " "))


# ---- from cells to tables ---------------------------------------------------------------------------------


def _parts(books: list[Book]) -> list[Part]:
    """Every sheet with a title of ISRaD's; ``table`` is empty where none tells which it is."""
    found = []
    for book in books:
        for sheet in book.sheets.values():
            header = find_header(sheet, ("entry_name", *TELLING.values()))
            if header >= 0:
                found.append(Part(table_of(sheet.rows[header]), book.file, sheet, header))
    return found


def _unknown(part: Part) -> list[Reject]:
    """The reject for a sheet with ISRaD's keys but none of the columns that tell its tables apart."""
    log = Log(part.file, part.sheet.name, RULES)
    log.add("sheet-unknown", part.header + 1, "", part.sheet.name)
    return log.rejects


def _description_rows(part: Part, skipped: int, entries: set[str]) -> int:
    """How many of the rows that may describe the columns do: those with no number and no known entry."""
    below = part.sheet.rows[part.header + 1 :][:skipped]
    return next(
        (i for i, r in enumerate(below) if any(is_number(c) or str(c).strip() in entries for c in r)),
        len(below),
    )


def _entries(site: Part, skipped: int) -> set[str]:
    """The entries that have a site."""
    column = [plain(t) for t in site.sheet.rows[site.header]].index("entry_name")
    rows = site.sheet.rows[site.header + 1 + skipped :]
    return {str(row[column]).strip() for row in rows if column < len(row) and not is_missing(row[column])}


def _described(site: Part) -> int:
    """How many rows under the headers describe the columns: in the site sheet, words for a latitude."""
    titles = [plain(t) for t in site.sheet.rows[site.header]]
    column = titles.index("site_lat")
    below = site.sheet.rows[site.header + 1 :][:DESCRIPTION_ROWS]
    cells = [row[column] if column < len(row) else "" for row in below]
    return sum(isinstance(c, str) and not is_missing(c) and not is_number(c) for c in cells)


def _frame(part: Part, skipped: int, log: Log) -> pd.DataFrame:
    """One table with all columns of the schema; ``src_row`` is the row of the sheet."""
    names = {plain(name): name for name in variables()}
    keys = []
    for row in range(skipped):
        first = next(iter(part.sheet.rows[part.header + 1 + row]), "")
        log.add("description-row", part.header + 2 + row, "", first)
    for title in part.sheet.rows[part.header]:
        name = names.get(plain(title), str(title).strip())
        keys.append("" if name in keys or not _kept(name, part.header + 1, log) else name)
    need(part.file, part.sheet.name, keys, {k: k for k in KEYS[part.table]}, EXPECTED)
    grid = make_grid(part.sheet, part.header, keys, log, skipped)
    columns = {key: _column(grid, key, log) for key in grid.titles}
    return typed(part.table, pd.DataFrame({**columns, "src_row": grid.rows.astype(float)}))


def _kept(title: str, row: int, log: Log) -> bool:
    """Whether a column enters the archive; those left out are noted by name."""
    for rule, pattern in (("derived-column", DERIVED), ("personal-data", PERSONAL)):
        if pattern.fullmatch(title):
            log.add(rule, row, title)
            return False
    return bool(title)


def _column(grid: Grid, key: str, log: Log) -> "pd.Series | np.ndarray":
    """A column by its kind; one that the archive does not know holds numbers where all its cells do."""
    known = variables().get(key)
    if known is None:
        cells = pd.Series([c for c in grid.frame[key] if not is_missing(c)], dtype=object)
        counted = len(cells) > 0 and pd.to_numeric(cells, errors="coerce").notna().all()
        return numbers(grid, key, log) if counted else words(grid, key)
    if known.is_number:
        return numbers(grid, key, log, infinite=key in OPEN_ENDED)
    return truths(grid, key, log) if known.kind == "flag" else words(grid, key)


# ---- repairs ----------------------------------------------------------------------------------------------


def _repair(frames: dict[str, pd.DataFrame], logs: dict[str, Log]) -> None:
    """Run every rule on the typed tables, in place of their columns."""
    layer, profile = frames["layer"], frames["profile"]
    _empty_false_errors(layer, "lyr", layer["lyr_obs_date_y"], logs["layer"])
    if "fraction" in frames:
        fraction = frames["fraction"]
        _empty_false_errors(fraction, "frc", fraction["frc_obs_date_y"], logs["fraction"])
    joined = layer[KEYS_OF_PROFILE].merge(
        profile.drop_duplicates(KEYS_OF_PROFILE), how="left", on=KEYS_OF_PROFILE
    )
    organic = layer["lyr_all_org_neg"].eq("yes") | joined["pro_peatland"].eq("yes")
    treated = joined["pro_treatment"].eq("treatment")
    for rule, rows in (("organic-surface", organic), ("treated-soil", treated)):
        layer["flags"] = add_flag(layer["flags"], rows, rule)
        _note(rule, layer, rows, "pro_name", logs["layer"])
    _name_sites(layer, logs["layer"])
    _compare_places(frames["site"], profile, logs["profile"])
    _note_entries(frames, logs["metadata"])


def _note(rule: str, table: pd.DataFrame, rows: pd.Series, column: str, log: Log) -> None:
    log.add_rows(rule, table["src_row"], rows.to_numpy(bool), column, table[column][rows])


def _empty_false_errors(table: pd.DataFrame, prefix: str, year: pd.Series, log: Log) -> None:
    """Empty errors that equal (F exp(k (1950 - year)) - 1) 1000, which the package filled in."""
    modern = table[f"{prefix}_fraction_modern"]
    computed = (modern * np.exp(FILL_DECAY_PER_YR * (RADIOCARBON_BASE_YEAR - year)) - 1) * 1000
    for column in (f"{prefix}_14c_sigma", f"{prefix}_14c_sd"):
        false = (table[column] - computed).abs() <= FILL_TOLERANCE_PERMIL
        _note("error-from-modern", table, false, column, log)
        table[column] = table[column].mask(false)
        if "flags" in table:
            table["flags"] = add_flag(table["flags"], false & ~_flagged(table), "error-from-modern")


def _flagged(table: pd.DataFrame) -> pd.Series:
    return table["flags"].str.contains("error-from-modern")


def _name_sites(layer: pd.DataFrame, log: Log) -> None:
    for entry, site, rule in NAMED:
        rows = layer["entry_name"].eq(entry) & layer["site_name"].str.contains(site, regex=False, na=False)
        layer["flags"] = add_flag(layer["flags"], rows, rule)
        _note(rule, layer, rows, "site_name", log)


def _compare_places(site: pd.DataFrame, profile: pd.DataFrame, log: Log) -> None:
    """Site and profile more than a degree apart; the same place but for the sign of the longitude."""
    keys = list(KEYS["site"])
    both = profile.merge(site.drop_duplicates(keys), how="left", on=keys)
    north = (both["pro_lat"] - both["site_lat"]).abs()
    far = (north > FAR_DEGREES) | ((both["pro_long"] - both["site_long"]).abs() > FAR_DEGREES)
    mirrored = far & (north <= FAR_DEGREES) & ((both["pro_long"] + both["site_long"]).abs() <= FAR_DEGREES)
    _note("longitude-sign", profile, mirrored, "pro_long", log)
    _note("coordinates-differ", profile, far & ~mirrored, "pro_lat", log)


def _note_entries(frames: dict[str, pd.DataFrame], log: Log) -> None:
    """Entries without data, without a DOI, or from a compilation; addresses inside notes are removed."""
    metadata = frames["metadata"]
    texts: list[str] = list(metadata.select_dtypes("str").columns)
    for column in texts:
        for row in metadata["src_row"][metadata[column].str.contains(ADDRESS, na=False)]:
            log.add("personal-data", row, column)
        metadata[column] = metadata[column].str.replace(ADDRESS, "(address)", regex=True)
    data = set(frames["layer"]["entry_name"]) | set(frames["profile"]["entry_name"])
    _note("lone-metadata", metadata, ~metadata["entry_name"].isin(data), "entry_name", log)
    placeholder = metadata["doi"].str.lower().eq("israd")
    _note("doi-unknown", metadata, placeholder, "doi", log)
    metadata["doi"] = metadata["doi"].mask(placeholder)
    _note("from-compilation", metadata, metadata["compilation_doi"].eq(HE_2016), "compilation_doi", log)
