"""The command line: each command parses, calls the pipeline and prints a path or a table.

Everything heavy is imported inside the commands, so that ``subsoil --help`` answers at once.
Tables go to standard output (plain CSV when it is not a terminal); progress and errors go to
standard error, an error in one line that says what to do.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from subsoil import __version__, missing_extra
from subsoil.errors import BadCall, SubsoilError

if TYPE_CHECKING:
    from pandas import DataFrame

EPILOG = """\b
First steps:
  subsoil study --demo            the whole study, on simulated data
  subsoil template mine.xlsx      a form for your own profiles
  subsoil check mine.xlsx         what is wrong in it, row by row
  subsoil fractions mine.xlsx     its fractions of new carbon
  subsoil models                  soil models, and what is known of each
  subsoil run clm5 --mat 12 --map 900    one of them at a site: NetCDF and figure

\b
Exit codes:
  0  fine                         5  an optional library is missing
  1  check or doctor found        6  it did not converge
     something to mend            7  the system refused (permission, disk)
  2  wrong argument               70 a defect in subsoil
  3  unreadable file              130 interrupted
  4  missing or changed data
"""
REFUSED, DEFECT, INTERRUPTED = 7, 70, 130
STUDY = "balesdent2018"
RESULTS = Path("out") / STUDY
LISTED = 40  # findings; more are shown by rule
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # wherever this release of typer keeps it

app = typer.Typer(
    name="subsoil",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of published data; else SUBSOIL_DATA, cache, download."
    ),
]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="One of `subsoil models`, or your own: mine.py.")
]
Mat = Annotated[float | None, typer.Option(help="Mean annual temperature, degC.")]
Map = Annotated[float | None, typer.Option(help="Mean annual precipitation, mm.")]
Site = Annotated[
    str, typer.Option(metavar="TEXT", help="What else is known, as 'clay=0.25,npp=0.5,biome=crops'.")
]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter; may be repeated.")
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print plain CSV, as when the output is piped.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print every step on a line of its own.")]


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


@app.command()
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


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets [default: all].")] = None,
    data: Data = None,
) -> None:
    """Download published data by DOI and verify them."""
    from subsoil import pipeline

    for path in pipeline.fetch(names or None, data) or ():
        print(path)


@app.command()
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
    rejects, plain = archive.rejects, _plain(as_csv)
    counts = {severity: int((rejects["severity"] == severity).sum()) for severity in SEVERITIES}
    shown = rejects if notes or plain else rejects[rejects["severity"] != "note"]
    if not plain and len(shown) > LISTED:
        shown = by_rule(shown)
        _say(f"The findings by rule; `subsoil check {file} --csv` lists each row.")
    one_file = not plain and "file" in shown and shown["file"].nunique() < 2
    _print_table(shown.drop(columns="file") if one_file else shown, plain, "Findings")
    _say(f"{len(archive.profile)} profiles, {len(archive.layer)} layers read; " + _counted(counts))
    raise typer.Exit(1 if counts["error"] else 0)


@app.command()
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


@app.command()
def fractions(
    file: Annotated[Path, typer.Argument(help="Workbook, CSV or folder of tables.", exists=True)],
    out: Annotated[Path | None, typer.Option(help="CSV to write, with every column.")] = None,
    as_csv: AsCsv = False,
) -> None:
    """Fraction of new carbon of each layer in FILE.

    Values come with 95 % intervals and may lie outside 0 to 1: nothing is clipped.
    """
    from subsoil import pipeline

    table, plain = pipeline.fractions(file, out=out), _plain(as_csv)
    if out:
        _say(f"{len(table)} layers written to {out}")
    else:
        _print_table(table if plain else _layers(table), plain, "Fraction of new carbon (1 = all new)")


@app.command()
def ages(
    depths: Annotated[str, typer.Option(help="Depths in cm, with commas.")] = "0,10,30,50,100",
    ages: Annotated[str, typer.Option(help="Ages in years, with commas.")] = "10,50,100,1000",
    out: Annotated[Path | None, typer.Option(help="CSV to write.")] = None,
    as_csv: AsCsv = False,
) -> None:
    """Percent of the carbon at a depth younger than an age."""
    wanted = _numbers("--depths", depths), _numbers("--ages", ages)
    from subsoil import pipeline

    table = pipeline.ages(*wanted, out)
    if out:
        _say(f"{len(table)} rows written to {out}")
    else:
        _print_table(table, _plain(as_csv), "Carbon younger than an age (%)")


@app.command()
def report(
    folder: Annotated[
        Path, typer.Argument(help="Results of a study.", exists=True, file_okay=False)
    ] = RESULTS,
) -> None:
    """Draw report.html again from written results."""
    from subsoil import pipeline

    print(pipeline.report(folder))


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Show the parameters of this one.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Hold this one to the laws of every model; exit 1 if one breaks.")
    ] = False,
    as_csv: AsCsv = False,
) -> None:
    """Soil models: pools, layers, source; or the parameters of one."""
    from subsoil import pipeline

    plain = _plain(as_csv)
    if check:
        if name is None:
            raise BadCall("--check wants the name of a model: subsoil models icbm --check")
        laws = pipeline.check_model(name)
        _print_table(
            laws.assign(holds=laws["holds"].map({True: "yes", False: "no"})), plain, f"Laws of {name}"
        )
        raise typer.Exit(0 if laws["holds"].all() else 1)
    if name is None:
        table = pipeline.list_models()
        shown = table if plain else _counted_pools(table)
        _print_table(shown, plain, f"Soil models; each carries {pipeline.TRACERS} in every layer")
        return
    table = pipeline.list_parameters(name)
    shown = table if plain else table.assign(verified=table["verified"].map({True: "", False: "unverified"}))
    _print_table(shown, plain, f"Parameters of {name}")


@app.command("run")
def run_model(
    model: ModelName,
    mat: Mat = None,
    map: Map = None,
    site: Site = "",
    forcing: Annotated[
        Path | None,
        typer.Option(metavar="FILE.nc", help="Columns from NetCDF instead: docs/models.md.", exists=True),
    ] = None,
    changes: Changes = None,
    years: Annotated[str, typer.Option(help="Labelling times, with commas.")] = "1,10,50,100,1000",
    year: Annotated[float, typer.Option(help="Year of sampling, for isotopes.")] = 2019.0,
    latitude: Annotated[float, typer.Option(help="Degrees north: whose 14C of the air counts.")] = 45.0,
    zone: Annotated[str | None, typer.Option(help="Zone of 14C instead, such as NH1.")] = None,
    c4: Annotated[float, typer.Option(help="Share of the carbon that C4 plants bring, 0 to 1.")] = 0.0,
    ci_ca: Annotated[float, typer.Option(help="CO2 inside over outside the leaves of C3 plants.")] = 0.7,
    co2_effect: Annotated[bool, typer.Option("--co2-effect", help="C3 plants discriminate by CO2.")] = False,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="14C of the air after 2019.4 from a forecast.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the results [default: out/MODEL].")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Folder of the records of the air; else SUBSOIL_DATA, cache."
        ),
    ] = None,
) -> None:
    """Run a soil model: stock, new carbon, 14C, 13C and age by depth.

    Writes NetCDF and a figure.
    """
    known, changed, times = _site(mat, map, site), _changes(changes), _numbers("--years", years)
    from subsoil import pipeline

    folder = out or Path("out") / Path(model).name.removesuffix(".py")
    with Progress(False) as progress:
        for path in pipeline.run_model(
            model, folder, known, changed, forcing, progress,
            years=times, year=year, latitude=latitude, zone=zone, data=data, forecast=forecast,
            plants={"c4_share": c4, "ci_ca": ci_ca, "co2_effect": co2_effect},
        ):  # fmt: skip
            print(path)


@app.command()
def label(
    model: ModelName,
    mat: Mat = None,
    map: Map = None,
    site: Site = "",
    changes: Changes = None,
    years: Annotated[str, typer.Option(help="Years since the label was switched on.")] = "10,50,100",
    as_csv: AsCsv = False,
) -> None:
    """Label the input of a soil model: share of new carbon by layer."""
    known, changed, times = _site(mat, map, site), _changes(changes), _numbers("--years", years)
    from subsoil import pipeline

    (table, error), plain = pipeline.label_model(model, times, known, changed), _plain(as_csv)
    _say(f"Error of f_new: below {max(error, 1e-12):.1e}")
    _print_table(table if plain else _by_year(table), plain, f"{model}, by layer: share younger than")


@app.command()
def doctor(as_csv: AsCsv = False) -> None:
    """What is missing on this machine, and what to do."""
    import pandas as pd

    from subsoil import pipeline

    findings = pipeline.doctor()
    table = pd.DataFrame(findings, columns=["check", "ok", "detail", "fix"])
    table["ok"] = table["ok"].map({True: "yes", False: "no"})
    _print_table(table, _plain(as_csv), "This machine")
    raise typer.Exit(0 if all(ok for _, ok, _, _ in findings) else 1)


class Progress:
    """Steps of long work on standard error: a moving bar on a terminal, else a line for each step.

    Call it with the name of a step and, where known, the share of the whole work done (0 to 1).
    """

    def __init__(self, verbose: bool) -> None:
        self._bar: Any = None
        self._moving = sys.stderr.isatty() and not verbose
        self._step = ""

    def __enter__(self) -> "Progress":
        if self._moving:
            from rich.console import Console
            from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (SpinnerColumn(), BarColumn(24), TimeElapsedColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("starting", total=None)
            self._bar.start()
        return self

    def __call__(self, step: str, share: float | None = None) -> None:
        if self._bar is not None:
            from rich.markup import escape

            self._bar.update(
                self._task, description=escape(step), total=1.0 if share else None, completed=share
            )
        elif step != self._step:
            _say(step if share is None else f"[{100 * share:3.0f} %] {step}")
        self._step = step

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _numbers(option: str, text: str) -> list[float]:
    """Numbers from '0, 30,100'; every one finite and not negative."""
    try:
        values = [float(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError:
        raise BadCall(f"{option} expects numbers with commas such as 10,30,100; got {text!r}") from None
    if not values or not all(0 <= value < float("inf") for value in values):
        raise BadCall(f"{option} expects numbers from 0 up, such as 10,30,100; got {text!r}")
    return values


def _pairs(option: str, text: str) -> dict[str, str]:
    """Names and values from 'clay=0.25, npp=0.5'."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.replace(";", ",").split(","))):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value):
            raise BadCall(f"{option} expects name=value with commas between, such as clay=0.25; got {part!r}")
        if name in pairs:
            raise BadCall(f"{option} gives {name} twice")
        pairs[name] = value
    return pairs


def _site(mat: float | None, map_mm: float | None, text: str) -> dict[str, Any]:
    """What is known of a site: numbers where they are, words such as a biome, None for 'none'."""
    known: dict[str, Any] = {}
    for name, value in _pairs("--site", text).items():
        try:
            known[name] = None if value == "none" else float(value)
        except ValueError:
            known[name] = value
    for name, number in (("mat", mat), ("map", map_mm)):
        if number is not None:
            if name in known:
                raise BadCall(f"--{name} and --site both give {name}")
            known[name] = number
    return known


def _changes(pairs: list[str] | None) -> dict[str, float]:
    """Parameters to change."""
    changes = {}
    for name, value in _pairs("--set", ",".join(pairs or ())).items():
        try:
            changes[name] = float(value)
        except ValueError:
            raise BadCall(f"--set expects a number, such as {name}=0.1; got {value!r}") from None
    return changes


def _plain(as_csv: bool) -> bool:
    """Whether the reader is a program rather than a person."""
    return as_csv or not sys.stdout.isatty()


def _print_table(table: "DataFrame", plain: bool, title: str) -> None:
    """CSV for programs, an aligned table for people."""
    try:
        if plain:
            table.to_csv(sys.stdout, index=False)
            sys.stdout.flush()
        elif len(table):
            _draw_table(table, title)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _draw_table(table: "DataFrame", title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in table.columns:
        numeric = table[name].dtype.kind in "fiu"
        drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in table.itertuples(index=False):
        drawn.add_row(*(Text(_cell(value)) for value in row))
    Console().print(drawn)


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


def _counted_pools(table: "DataFrame") -> "DataFrame":
    """The columns of the models that fit a terminal."""
    pools = table["pools"].str.count(";") + 1
    linear = table["linear"].map({True: "yes", False: "no"})
    unverified = table["unverified"].astype(str) + " of " + table["parameters"].astype(str)
    columns = ["model", "title", "pools", "layers", "linear", "unverified", "reference"]
    return table.assign(pools=pools, linear=linear, unverified=unverified)[columns]


def _by_year(table: "DataFrame") -> "DataFrame":
    """One row a layer, one column a labelling time."""
    wide = table.pivot_table(index=["layer_top", "layer_bottom"], columns="labelling_years", values="f_new")
    wide.columns = [f"{year:g} yr" for year in wide.columns]
    cm = [f"{top:.3g}–{bottom:.3g}" for top, bottom in wide.index]
    return wide.round(4).reset_index(drop=True).assign(cm=cm)[["cm", *wide.columns]]


def _cell(value: object) -> str:
    if value is None or value != value:  # NaN is the only value unlike itself
        return ""
    return f"{value:.4g}" if isinstance(value, float) else _shown(str(value))


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {word if n == 1 else word + 's'}" for word, n in counts.items())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _complain(error: object, code: int) -> int:
    """One line on standard error, whatever the message was made of."""
    _say("subsoil: " + _shown(" ".join(str(error).split())))
    return code


def _shown(text: str) -> str:
    """Text without control characters: a name from a file must not steer the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; no traceback leaves this function.

    >>> run(["stduy"])  # says on standard error: did you mean 'study'?
    2
    """
    try:
        code = int(app(list(arguments) or ["--help"], prog_name="subsoil", standalone_mode=False) or 0)
    except SubsoilError as error:
        return _complain(error, error.exit_code)
    except UsageError as error:
        return _complain(f"{error.format_message()} (see subsoil --help)", 2)  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        return _complain(f"{error.strerror or error}: {error.filename or 'the system refused'}", REFUSED)
    except MemoryError:
        return _complain("out of memory; close other programs or use --quick", REFUSED)
    except Exception as error:  # the one edge where a defect becomes a line
        absent = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
        if absent is not None:
            return _complain(absent, absent.exit_code)
        if os.environ.get("SUBSOIL_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {error}"
        return _complain(f"this is a defect in subsoil: {what}; rerun with SUBSOIL_TRACEBACK=1", DEFECT)
    if code == INTERRUPTED:
        _complain("interrupted; earlier results are untouched", code)
    return code


def _one_blas_thread() -> None:
    """Matrices here are small, and two threads of BLAS mostly wait for each other: seven times slower."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Entry point of the `subsoil` command."""
    _one_blas_thread()
    code = run(sys.argv[1:])
    if code == INTERRUPTED:  # a compiled computation still runs in its threads: an orderly exit would crash
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
