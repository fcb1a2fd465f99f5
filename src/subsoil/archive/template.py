"""Writing the template: a workbook or CSV that a soil scientist fills in and our reader takes back.

Which columns it has, and in which unit, says ``readers.template_layout``; what they mean, and what a
soil can show, ``variables.toml``.
"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subsoil.archive.readers.template_layout import (
    EXAMPLE_MARK,
    FLAT_FIELDS,
    LAYER_FIELDS,
    LAYER_SHEET,
    PROFILE_FIELDS,
    PROFILE_SHEET,
    UNITS_MARK,
    Field,
    titles,
)
from subsoil.atomic import write_bytes
from subsoil.errors import BadCall

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

FORMATS = ("xlsx", "csv")
README_SHEET, DICTIONARY_SHEET = "read me", "dictionary"
ROWS_WITH_LISTS = 2000  # rows of the form that offer the words of a vocabulary

READ_ME = (
    "subsoil template: carbon isotopes of soil profiles whose plants changed",
    "",
    "1. One row a profile on the sheet 'profiles': the studied profile, and its reference profile below it.",
    "   The studied profile names its reference in ref_pro_name. Both stand in the same entry_name and site.",
    "2. One row a layer on the sheet 'layers', for studied and reference profiles alike.",
    "   The reference may be sampled at other depths: it is averaged over each studied layer, and flagged.",
    "   Without a reference profile, give the d13C of the reference beside each layer in pair_ref_13c.",
    "3. pair_delta_veg is d13C of the plants now minus d13C of the plants of the reference: about +13 for C4",
    "   after C3, -13 for C3 after C4. pro_label_years are the years from the change of plants to sampling.",
    "4. A spread is the standard deviation of replicates (_sd), or the standard error (_se) with _n.",
    "   _sigma is the error of the laboratory. Leave empty what is not known: empty is missing, 0 is zero.",
    "5. Depth in cm from the top of the mineral soil, positive down; organic layers above it negative.",
    "   Carbon content in % (10 g/kg = 1 %). Stocks in kg m-2; else content, bulk density and depth serve.",
    "   14C is welcome beside 13C or alone, as Delta14C in permil (lyr_14c) or as fraction modern.",
    "6. Keep the row of titles. The row of units and the rows that begin with EXAMPLE are skipped.",
    "7. `subsoil check FILE` lists what is wrong, row by row; `subsoil fractions FILE` gives the new carbon.",
)

_PLACE = {"entry_name": f"{EXAMPLE_MARK}_2020", "site_lat": -15.6, "site_long": -47.7, "country": "BRAZIL"}
EXAMPLE_PROFILES: tuple[dict[str, Any], ...] = (
    {
        **_PLACE,
        **{"pro_name": "pasture", "ref_pro_name": "forest", "pro_land_use": "grassland"},
        **{"pro_prev_land_cover": "forest", "pro_label_type": "C4vsC3", "pro_label_years": 20, "pro_reps": 3},
        **{"pair_delta_veg": 13.5, "pair_delta_veg_sigma": 0.5, "pair_ref_is_previous": "yes", "pro_MAT": 23},
        **{"pro_MAP": 1600, "pro_clay": 50},
    },
    {**_PLACE, "pro_name": "forest", "pro_land_use": "forest", "pro_reps": 3},
)
_ENTRY = {"entry_name": f"{EXAMPLE_MARK}_2020", "lyr_obs_date_y": 2019}
EXAMPLE_LAYERS: tuple[dict[str, Any], ...] = tuple(
    {
        **_ENTRY,
        "pro_name": name,
        **dict(zip(("lyr_top", "lyr_bot", "lyr_c_org", "lyr_bd_samp"), values, strict=True)),
    }
    | {"lyr_13c": d13c, "lyr_13c_sd": 0.4, "lyr_13c_n": 3}
    for name, values, d13c in (
        ("pasture", (0, 10, 3.1, 1.05), -20.1),
        ("pasture", (10, 30, 2.2, 1.15), -23.6),
        ("forest", (0, 10, 3.4, 0.95), -26.2),
        ("forest", (10, 30, 2.3, 1.10), -25.4),
    )
)


def write_template(path: str | Path, format: str | None = None) -> Path:
    """Write the empty template and give its path; ``format`` is xlsx or csv, by default the file's ending.

    The CSV is one table of layers with the columns of the profile repeated in every row.

    Raises
    ------
    BadCall
        The format is another one, or the folder cannot be written.
    """
    path = Path(path)
    chosen = (format or path.suffix.lstrip(".")).lower()
    if chosen not in FORMATS:
        raise BadCall(f"a template is .xlsx or .csv, not {chosen or path.name!r}: choose such a name")
    write_bytes(path, _workbook() if chosen == "xlsx" else _flat())
    return path


def _row(fields: tuple[Field, ...], values: dict[str, Any]) -> list[Any]:
    return [values.get(name, "") for name in titles(fields)]


def _units(fields: tuple[Field, ...]) -> list[str]:
    return [UNITS_MARK, *(field.unit for field in fields[1:])]


def _flat() -> bytes:
    profiles = {profile["pro_name"]: profile for profile in EXAMPLE_PROFILES}
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerows([titles(FLAT_FIELDS), _units(FLAT_FIELDS)])
    rows.writerows(_row(FLAT_FIELDS, {**profiles[layer["pro_name"]], **layer}) for layer in EXAMPLE_LAYERS)
    return text.getvalue().encode("utf-8-sig")  # with the mark, spreadsheets read accents right


def _workbook() -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.remove(book.active)
    readme = book.create_sheet(README_SHEET)
    for line in READ_ME:
        readme.append([line])
    readme["A1"].font = Font(bold=True)
    readme.column_dimensions["A"].width = 110
    _form(book.create_sheet(PROFILE_SHEET), PROFILE_FIELDS, EXAMPLE_PROFILES)
    _form(book.create_sheet(LAYER_SHEET), LAYER_FIELDS, EXAMPLE_LAYERS)
    _dictionary(book.create_sheet(DICTIONARY_SHEET))
    book.active = 1
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _form(sheet: "Worksheet", fields: tuple[Field, ...], examples: tuple[dict[str, Any], ...]) -> None:
    """Titles (bold where required), units, examples in grey, and lists of words to choose from."""
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    grey = Font(italic=True, color="707070")
    sheet.append(titles(fields))
    sheet.append(_units(fields))
    for example in examples:
        sheet.append([value if value != "" else None for value in _row(fields, example)])
    for row in sheet.iter_rows(min_row=2, max_row=sheet.max_row):
        for cell in row:
            cell.font = grey
    for j, field in enumerate(fields, start=1):
        column = get_column_letter(j)
        sheet.cell(1, j).font = Font(bold=True, underline="single" if field.required else None)
        sheet.column_dimensions[column].width = max(len(field.name), 10) + 3
        words = ("yes", "no") if field.variable.kind == "flag" else field.variable.vocab
        if words:
            choice = DataValidation(type="list", formula1=f'"{",".join(words)}"', allow_blank=True)
            choice.add(f"{column}3:{column}{ROWS_WITH_LISTS}")
            sheet.add_data_validation(choice)
    sheet.freeze_panes = "C3"


def _dictionary(sheet: "Worksheet") -> None:
    from openpyxl.styles import Font

    sheet.append(["column", "sheet", "required", "unit", "lowest", "highest", "words", "meaning"])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for name, fields in ((PROFILE_SHEET, PROFILE_FIELDS), (LAYER_SHEET, LAYER_FIELDS)):
        for field in fields:
            known = field.variable
            bounds = [b if abs(b) != float("inf") else None for b in (known.lower, known.upper)]
            needed = "yes" if field.required else ""
            words = ", ".join(known.vocab)
            sheet.append([field.name, name, needed, known.unit, *bounds, words, _meaning(field)])
    sheet.column_dimensions["A"].width = sheet.column_dimensions["G"].width = 28
    sheet.column_dimensions["H"].width = 100


def _meaning(field: Field) -> str:
    text = field.variable.meaning.removeprefix("Additive. ")
    if field.name.endswith("_se") and field.of:
        return f"Standard error of the mean, instead of {field.of}: {text}"
    return text
