"""Commands of soil models: list them, run one, label one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from subsoil.cli.arguments import AsCsv, Changes, Map, Mat, ModelName, Site, changed, known_of_site, numbers
from subsoil.cli.terminal import Progress, plain_wanted, print_table, say
from subsoil.errors import BadCall

if TYPE_CHECKING:
    from pandas import DataFrame


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

    plain = plain_wanted(as_csv)
    if check:
        if name is None:
            raise BadCall("--check wants the name of a model: subsoil models icbm --check")
        laws = pipeline.check_model(name)
        print_table(
            laws.assign(holds=laws["holds"].map({True: "yes", False: "no"})), plain, f"Laws of {name}"
        )
        raise typer.Exit(0 if laws["holds"].all() else 1)
    if name is None:
        table = pipeline.list_models()
        shown = table if plain else _counted_pools(table)
        print_table(shown, plain, f"Soil models; each carries {pipeline.TRACERS} in every layer")
        return
    table = pipeline.list_parameters(name)
    shown = table if plain else table.assign(verified=table["verified"].map({True: "", False: "unverified"}))
    print_table(shown, plain, f"Parameters of {name}")


def run(
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
    known, values, times = known_of_site(mat, map, site), changed(changes), numbers("--years", years)
    from subsoil import pipeline

    folder = out or Path("out") / Path(model).name.removesuffix(".py")
    with Progress(False) as progress:
        for path in pipeline.run_model(
            model, folder, known, values, forcing, progress,
            years=times, year=year, latitude=latitude, zone=zone, data=data, forecast=forecast,
            plants={"c4_share": c4, "ci_ca": ci_ca, "co2_effect": co2_effect},
        ):  # fmt: skip
            print(path)


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
    known, values, times = known_of_site(mat, map, site), changed(changes), numbers("--years", years)
    from subsoil import pipeline

    (table, error), plain = pipeline.label_model(model, times, known, values), plain_wanted(as_csv)
    say(f"Error of f_new: below {max(error, 1e-12):.1e}")
    print_table(table if plain else _by_year(table), plain, f"{model}, by layer: share younger than")


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
