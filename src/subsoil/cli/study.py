"""Commands of a study: run it, its curves of age, its page again."""

from pathlib import Path
from typing import Annotated

import typer

from subsoil.cli.arguments import AsCsv, Data, Verbose, numbers
from subsoil.cli.terminal import Progress, plain_wanted, print_table, say

STUDY = "balesdent2018"
RESULTS = Path("out") / STUDY


def study(
    name: Annotated[str, typer.Argument(help="Which study to run.")] = STUDY,
    out: Annotated[Path | None, typer.Option(help="Folder of the results [default: out/NAME].")] = None,
    data: Data = None,
    demo: Annotated[bool, typer.Option("--demo", help="Run on a simulated archive.")] = False,
    or_demo: Annotated[
        bool, typer.Option("--or-demo", help="Go on with the simulated archive if there are no data.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter sampling: a look, not a result.")] = False,
    key: Annotated[int | None, typer.Option(help="Random key [default: the study's own].")] = None,
    verbose: Verbose = False,
) -> None:
    """Run a whole study, from the archive to report.html."""
    from subsoil import pipeline

    folder = out or Path("out") / name
    with Progress(verbose) as progress:
        page = pipeline.study(
            name, out=folder, data=data, demo=demo, or_demo=or_demo, quick=quick, key=key, progress=progress
        )
    print(page)


def ages(
    depths: Annotated[str, typer.Option(help="Depths in cm, with commas.")] = "0,10,30,50,100",
    ages: Annotated[str, typer.Option(help="Ages in years, with commas.")] = "10,50,100,1000",
    out: Annotated[Path | None, typer.Option(help="CSV to write.")] = None,
    as_csv: AsCsv = False,
) -> None:
    """Percent of the carbon at a depth younger than an age."""
    wanted = numbers("--depths", depths), numbers("--ages", ages)
    from subsoil import pipeline

    table = pipeline.ages(*wanted, out)
    if out:
        say(f"{len(table)} rows written to {out}")
    else:
        print_table(table, plain_wanted(as_csv), "Carbon younger than an age (%)")


def report(
    folder: Annotated[
        Path, typer.Argument(help="Results of a study.", exists=True, file_okay=False)
    ] = RESULTS,
) -> None:
    """Draw report.html again from written results."""
    from subsoil import pipeline

    print(pipeline.report(folder))
