"""Commands of the benchmark: score all models, or one of your own."""

import re
from pathlib import Path
from typing import Annotated

import typer

from subsoil.cli.arguments import AsCsv, Data, Verbose
from subsoil.cli.terminal import Progress, plain_wanted, print_table, say
from subsoil.errors import BadCall, UnreadableFile

Resamples = Annotated[int, typer.Option(help="Bootstrap resamples of sites.", min=2)]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same tables.", min=0)]
Demo = Annotated[bool, typer.Option("--demo", help="Score against a simulated archive.")]
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def leaderboard(
    models: Annotated[
        str, typer.Option(metavar="NAMES", help="Models, with commas [default: all of `subsoil models`].")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("out/leaderboard"),
    data: Data = None,
    demo: Demo = False,
    resamples: Resamples = 2000,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Score every soil model: does it put new carbon at the right depth?

    Writes tables, CMEC files and a page.
    """
    from subsoil import pipeline

    names = [name.strip() for name in models.split(",") if name.strip()] or None
    with Progress(verbose) as progress:
        page = pipeline.leaderboard(
            out=out, data=data, models=names, demo=demo, seed=seed, resamples=resamples, progress=progress
        )
    print(page)


def score(
    source: Annotated[
        str, typer.Argument(metavar="[FILE|MODULE:FUNCTION]", help="NetCDF or CSV of a model, or a function.")
    ] = "",
    name: Annotated[str | None, typer.Option(help="Name it is shown by [default: the file's].")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results [default: out/score/NAME].")] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Write the list of layers to answer for, and stop."),
    ] = None,
    data: Data = None,
    demo: Demo = False,
    resamples: Resamples = 2000,
    seed: Seed = 0,
    verbose: Verbose = False,
    as_csv: AsCsv = False,
) -> None:
    """Score a model of your own: docs/score-a-model.md.

    Prints its main scores beside floor and ceiling; the page has them all.
    """
    _one_of(source, profiles)
    from subsoil import pipeline

    if profiles is not None:
        table = pipeline.asked(profiles, data, demo)
        say(f"{len(table)} layers of {table['profile_id'].nunique()} profiles written to {profiles}")
        return
    with Progress(verbose) as progress:
        page, table = pipeline.score(
            source, out=out, name=name, data=data, demo=demo, seed=seed, resamples=resamples,
            progress=progress,
        )  # fmt: skip
    print_table(table, plain_wanted(as_csv), "Scores over all values, with 95 % intervals")
    say(str(page))


def _one_of(source: str, profiles: Path | None) -> None:
    """Whether there is something to do, before data are read."""
    if bool(source) == (profiles is not None):
        raise BadCall(
            "expected a file or a function to score (subsoil score mine.nc), or --profiles layers.csv for "
            "the list of layers to answer for"
        )
    if source and not Path(source).exists() and not FUNCTION.fullmatch(source):
        raise UnreadableFile(f"{source} is not there; expected NetCDF, CSV, or a function as module:function")
    if profiles is not None and profiles.suffix.lower() != ".csv":
        raise BadCall(f"--profiles {profiles}: expected the name of a CSV file")
