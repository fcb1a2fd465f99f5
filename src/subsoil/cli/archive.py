"""Commands of data: fetch, check, a form, fractions of new carbon."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from subsoil.cli.arguments import AsCsv, Data
from subsoil.cli.terminal import counted, plain_wanted, print_table, say
from subsoil.errors import BadCall

if TYPE_CHECKING:
    from pandas import DataFrame

LISTED = 40  # findings; more are shown by rule


def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets [default: all].")] = None,
    data: Data = None,
) -> None:
    """Download published data by DOI and verify them."""
    from subsoil import pipeline

    for path in pipeline.fetch(names or None, data) or ():
        print(path)


def check(
    file: Annotated[Path, typer.Argument(help="Workbook, CSV or folder of tables.", exists=True)],
    reader: Annotated[str | None, typer.Option(help="How to read it [default: recognised].")] = None,
    notes: Annotated[
        bool, typer.Option("--notes", help="List notes too, not only errors and warnings.")
    ] = False,
    as_csv: AsCsv = False,
) -> None:
    """List what is wrong in FILE, row by row.

    The exit code is 1 if a row cannot be used.
    """
    from subsoil import pipeline
    from subsoil.reporting.findings import SEVERITIES, by_rule

    archive = pipeline.check(file, reader=reader)
    rejects, plain = archive.rejects, plain_wanted(as_csv)
    counts = {severity: int((rejects["severity"] == severity).sum()) for severity in SEVERITIES}
    shown = rejects if notes or plain else rejects[rejects["severity"] != "note"]
    if not plain and len(shown) > LISTED:
        shown = by_rule(shown)
        say(f"The findings by rule; `subsoil check {file} --csv` lists each row.")
    one_file = not plain and "file" in shown and shown["file"].nunique() < 2
    print_table(shown.drop(columns="file") if one_file else shown, plain, "Findings")
    say(f"{len(archive.profile)} profiles, {len(archive.layer)} layers read; " + counted(counts))
    raise typer.Exit(1 if counts["error"] else 0)


def template(
    path: Annotated[Path, typer.Argument(help="File to write, .xlsx or .csv.")] = Path(
        "subsoil-template.xlsx"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write an empty template for your own profiles."""
    from subsoil import pipeline

    if path.exists() and not force:
        raise BadCall(f"{path} exists already: choose another name, or --force to replace it")
    print(pipeline.template(path) or path)


def fractions(
    file: Annotated[Path, typer.Argument(help="Workbook, CSV or folder of tables.", exists=True)],
    out: Annotated[Path | None, typer.Option(help="CSV to write, with every column.")] = None,
    as_csv: AsCsv = False,
) -> None:
    """Fraction of new carbon of each layer in FILE.

    Values come with 95 % intervals and may lie outside 0 to 1: nothing is clipped.
    """
    from subsoil import pipeline

    table, plain = pipeline.fractions(file, out=out), plain_wanted(as_csv)
    if out:
        say(f"{len(table)} layers written to {out}")
    else:
        print_table(table if plain else _layers(table), plain, "Fraction of new carbon (1 = all new)")


def _layers(table: "DataFrame") -> "DataFrame":
    """The columns of new carbon that fit a terminal."""
    from pandas import DataFrame

    columns = {
        "profile": table["profile_id"],
        "cm": [
            f"{top:g}–{bottom:g}"
            for top, bottom in zip(table["layer_top"], table["layer_bottom"], strict=True)
        ],
        "years": table["labelling_years"],
        "f_new": table["f_new"],
        "from": table["f_new_lower"],
        "to": table["f_new_upper"],
        "method": table["method"],
    }
    return DataFrame(columns)
