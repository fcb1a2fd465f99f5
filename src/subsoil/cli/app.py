"""The program: its name, its help, and what stands before every command."""

from typing import Annotated

import typer

from subsoil import __version__

EPILOG = """\b
First steps:
  subsoil study --demo            the whole study, on simulated data
  subsoil template mine.xlsx      a form for your own profiles
  subsoil check mine.xlsx         what is wrong in it, row by row
  subsoil fractions mine.xlsx     its fractions of new carbon
  subsoil models                  soil models, and what is known of each
  subsoil run clm5 --mat 12 --map 900    one of them at a site: NetCDF and figure
  subsoil leaderboard             all of them against the measured data
  subsoil score mine.nc           a model of your own

\b
Exit codes:
  0  fine                         5  an optional library is missing
  1  check or doctor found        6  it did not converge
     something to mend            7  the system refused (permission, disk)
  2  wrong argument               70 a defect in subsoil
  3  unreadable file              130 interrupted
  4  missing or changed data
"""

app = typer.Typer(
    name="subsoil",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"subsoil {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """How much of the carbon at each depth of a soil is younger than t years, measured from isotopes."""
