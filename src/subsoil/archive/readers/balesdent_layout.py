"""The sheets of the 2018 workbook as typed tables: titles, kinds, and how columns are found.

Columns are found by title, so they may stand in any order and under any number of rows. Three titles
of the sheet Layers occur twice; the group named above them tells the summary from the sampled values,
and where no group is named the first is the summary, as the authors ordered them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from subsoil.archive.readers.cells import (
    HEADER_WITHIN_ROWS,
    Grid,
    Log,
    Rule,
    find_header,
    is_missing,
    make_grid,
    need,
    numbers,
    plain,
    sheet_like,
    truths,
    words,
)
from subsoil.archive.schema import Reject
from subsoil.archive.workbook import Book, Sheet
from subsoil.errors import UnreadableFile

EXPECTED = "the supplementary workbook of Balesdent et al. 2018 (doi 10.1038/s41586-018-0328-3)"
GROUPS = ("summary", "studied profile", "reference profile")


@dataclass(frozen=True)
class Column:
    """A title of the workbook: ``kind`` is text, number, limit (a number or "<0.8") or flag."""

    key: str
    title: str
    kind: str = "number"
    required: bool = False
    group: str = ""


def _texts(*pairs: tuple[str, str], required: bool = False) -> tuple[Column, ...]:
    return tuple(Column(key, title, "text", required) for key, title in pairs)


def _measured(key: str, title: str, n: str, kind: str, spread: str, group: str = "") -> tuple[Column, ...]:
    return (
        Column(key, title, group=group),
        Column(f"{key}_n", n),
        Column(f"{key}_kind", kind, "text"),
        Column(f"{key}_spread", spread, "limit"),
    )


PROFILES = (
    *_texts(
        ("entry", "Identifier_1"),
        ("reference", "Bibliographic_reference"),
        ("label_type", "Label type"),
        ("profile", "Internal_profile_ID"),
        ("land_use", "Land_Use"),
        ("ref_profile", "reference_internal_profile_ID_A"),
        required=True,
    ),
    Column("lat", "Latitude", required=True),
    Column("long", "Longitude", required=True),
    Column("years", "Duration_labeling", required=True),
    Column("obs_year", "Sampling date", required=True),
    Column("max_depth", "Max_depth_cm", required=True),
    *_texts(
        ("country", "Country"),
        ("src_elevation", "Source Elevation"),
        ("src_mat", "Source MAT"),
        ("src_map", "Source PANN"),
        ("soil", "Soil Type"),
        ("texture", "Texture"),
        ("src_clay", "Source topsoil Clay"),
        ("vegetation", "Vegetation"),
        ("src_obs_year", "Source sampling date"),
        ("previous", "Previous vegetation"),
        ("ref_vegetation", "reference vegetation"),
        ("ref_land_use", "reference_LANDUSE"),
    ),
    Column("elevation", "Elevation _masl"),
    Column("mat", "MAT_C"),
    Column("map", "PANN_mm"),
    Column("p_pet", "P to PET ratio"),
    Column("clay", "Topsoil Clay_%"),
    Column("reps", "Nb replicated profiles"),
    Column("n_layers", "nb horizons"),
    Column("ref_reps", "reference_nb_replicated profiles"),
    Column("ref_is_previous", "Ref site is previousLU", "flag"),
)

LAYERS = (
    *_texts(
        ("entry", "Identifier_1"),
        ("profile", "Studied_profile_ID"),
        ("ref_profile", "Reference_profile_ID"),
        ("src_soc", "Source_C_stock"),
        ("src_f", "Source_Cnewstock"),
        required=True,
    ),
    *_texts(("src_bd", "Source_bulk_density"), ("comment", "Commentary")),
    Column("summary_top", "z1", group="summary"),
    Column("summary_bot", "z2", group="summary"),
    Column("mid", "zmid", required=True),
    Column("summary_soc", "Cstock", group="summary"),
    Column("summary_f", "ratio_newCtoC", required=True),
    Column("summary_new", "Cnewstock"),
    Column("top", "z1", required=True, group="studied profile"),
    Column("bot", "z2", required=True, group="studied profile"),
    *_measured("c", "C", "nb_rep_C", "variance_type_C", "variance_value_C"),
    Column("bd", "bulk_density"),
    *_measured("d13c", "d13C", "nb_rep_d13C", "variance_type_d13C", "variance_value_d13C"),
    Column("bd_calc", "Bulk_density_calculated"),
    *_measured(
        "soc",
        "Cstock",
        "nb_rep_Cstock",
        "variance_type_Cstock",
        "variance_value_Cstock",
        group="studied profile",
    ),
    *_measured("old", "Cold", "nb_rep_Cold", "variance_type_Cold", "variance_value_C_old"),
    *_measured("new", "Cnew", "nb_rep_Cnew", "variance_type_Cnew", "variance_value_Cnew"),
    Column("ref_d13c_here", "d13Cref_at_study_soil_depth", required=True),
    Column("delta_veg", "d13C_veg_minus_d13C_veg_reference", required=True),
    Column("ref_top", "z1ref", required=True),
    Column("ref_bot", "z2ref", required=True),
    *_measured("ref_c", "Cref", "nb_rep_Cref", "variance_type_Cref", "variance_value_C_ref"),
    *_measured(
        "ref_soc",
        "Cstock_ref",
        "nb_rep_Cstock_ref",
        "variance_type_Cstock_ref",
        "variance_value_Cstock_ref",
    ),
    Column("ref_bd", "bulk_density_ref"),
    *_measured(
        "ref_d13c", "d13C_ref", "nb_rep_d13C_ref", "variance_type_d13C_ref", "variance_value_d13C_ref"
    ),
    Column("summary_ref_soc", "Cstock_reference"),
)
_NEEDED_BESIDE = ("d13c", "ref_d13c", "soc", "new", "old", "c")  # without these no f and no stock
LAYOUT_RULES = {
    rule.name: rule
    for rule in (
        Rule("spread-censored", "warning", "only an upper limit of the spread is given: the limit is used"),
        Rule(
            "value-elsewhere", "note", "the source gives a stock instead of this value: it counts as missing"
        ),
    )
}
# Words in number cells that say where the value is, not that it is wrong.
AUTHOR_MARKS = ("stock auteur", "(author)")


def fits(book: Book) -> bool:
    """Whether a book is this workbook: its two sheets, told by their titles."""
    if sheet_like(book, "Profiles") is None or sheet_like(book, "Layers") is None:
        return False
    titles = {plain(c) for s in book.sheets.values() for row in s.rows[:HEADER_WITHIN_ROWS] for c in row}
    return {"studied_profile_id", "internal_profile_id"} <= titles


def read_sheet(book: Book, name: str, columns: tuple[Column, ...]) -> tuple[pd.DataFrame, Grid, list[Reject]]:
    """One sheet: typed columns by key (``row`` is the row of the sheet), the raw grid, the rejects.

    Raises
    ------
    UnreadableFile
        The sheet or a column without which nothing can be read is absent.
    """
    sheet = sheet_like(book, name)
    if sheet is None:
        raise UnreadableFile(f"{book.file} has no sheet {name}; expected {EXPECTED}")
    log = Log(book.file, sheet.name, LAYOUT_RULES)
    header = find_header(sheet, {plain(c.title) for c in columns})
    keys = _keys(sheet, header, columns) if header >= 0 else []
    needed = {c.key: c.title for c in columns if c.required or c.key in _NEEDED_BESIDE}
    need(book.file, sheet.name, keys, needed, EXPECTED)
    grid = _without_units(make_grid(sheet, header, keys, log))
    typed = {c.key: _typed(grid, c, log) for c in columns}
    return pd.DataFrame({"row": grid.rows, **typed}), grid, log.rejects


def _keys(sheet: Sheet, header: int, columns: tuple[Column, ...]) -> list[str]:
    """The key of each column of a sheet; titles that the layout does not know keep their plain form."""
    free: dict[str, list[Column]] = {}
    for column in columns:
        free.setdefault(plain(column.title), []).append(column)
    keys = []
    for j, title in enumerate(sheet.rows[header]):
        choices = free.get(plain(title), [])
        group = _group(sheet, header, j) if len(choices) > 1 else ""
        chosen = next((c for c in choices if group and c.group == group), choices[0] if choices else None)
        if chosen is not None:
            choices.remove(chosen)
            keys.append(chosen.key)
        else:
            known = plain(title) in free or not str(title).strip() or plain(title) in keys
            keys.append("" if known else plain(title))
    return keys


def _group(sheet: Sheet, header: int, j: int) -> str:
    above = [str(row[j]).strip().lower() for row in sheet.rows[:header][::-1] if j < len(row)]
    return next((cell for cell in above if cell in GROUPS), "")


def _without_units(grid: Grid) -> Grid:
    """The grid without rows that name no entry, come before the first that does, and hold no number."""
    named = ~grid.frame["entry"].map(is_missing).to_numpy(bool)
    first = int(named.argmax()) if named.any() else len(named)
    numeric = grid.frame.map(lambda c: isinstance(c, float | int)).any(axis=1).to_numpy(bool)
    kept = numeric | (np.arange(len(named)) >= first)
    return Grid(grid.frame[kept].reset_index(drop=True), grid.rows[kept], grid.titles)


def _typed(grid: Grid, column: Column, log: Log) -> "pd.Series | np.ndarray":
    if column.kind == "text":
        return words(grid, column.key)
    if column.kind == "flag":
        return truths(grid, column.key, log)
    if column.key in grid.frame:
        cells = grid.frame[column.key]
        marks = cells.map(lambda c: isinstance(c, str) and c.strip() in AUTHOR_MARKS).to_numpy(bool)
        limits = cells.map(lambda c: isinstance(c, str) and c.strip()[:1] == "<").to_numpy(bool)
        log.add_rows("value-elsewhere", grid.rows, marks, grid.titles[column.key], cells[marks])
        if column.kind == "limit":
            log.add_rows("spread-censored", grid.rows, limits, grid.titles[column.key], cells[limits])
            cells = cells.where(~limits, cells.astype("str").str.lstrip(" <"))
        grid.frame[column.key] = cells.where(~marks, "")
    return numbers(grid, column.key, log)
