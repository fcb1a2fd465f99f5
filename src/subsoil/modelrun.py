"""One soil model at a site, or at the columns of a file: labelled, or run to rest and written."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from subsoil import atomic
from subsoil.constants import CM_PER_M
from subsoil.errors import BadCall, NotConverged
from subsoil.listing import known
from subsoil.models import catalogue
from subsoil.record import Progress, silent


def label_model(
    name: str, years: Sequence[float], site: Mapping[str, Any], changes: Mapping[str, float] | None = None
) -> tuple[pd.DataFrame, float]:
    """f_new of each layer (cm) of a model, ``years`` after the label was switched on; and its error.

    ``site``: arguments of `subsoil.site_forcing` and `subsoil.seasonal`; ``changes``: of parameters.
    """
    from subsoil import columns

    model = catalogue.model(known(name))(**(changes or {}))
    found = columns.label(model, _at_site(site, model.grid), years)
    table = found.to_dataframe(name="f_new").reset_index()
    table["layer_top"] = (table["layer_top"] * CM_PER_M).round(6)
    table["layer_bottom"] = (table["layer_bottom"] * CM_PER_M).round(6)
    if (table["outcome"] != "converged").any():
        raise NotConverged(f"{name} found no steady state at this site: {table['outcome'].iloc[0]}")
    return table[["layer_top", "layer_bottom", "labelling_years", "f_new"]], found.attrs["error"]


def run_model(
    name: str,
    out: Path | str,
    site: Mapping[str, Any],
    changes: Mapping[str, float] | None = None,
    forcing: Path | None = None,
    progress: Progress = silent,
    plants: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[Path, Path]:
    """Run a model at a site, or at the columns of a file; returns the paths of NetCDF file and figure.

    ``site``, ``changes`` as in `label_model`, ``forcing`` a file as in `subsoil.sites`, ``options`` those of
    `subsoil.columns.run`. The folder ``out`` is written whole: column.nc, column.svg, column.png. Columns
    that have no state are rows with their outcome; without any other, raises `NotConverged`.
    """
    from subsoil import columns
    from subsoil.reporting import column as figure
    from subsoil.signature import Plants

    progress("read model and forcing", None)
    options |= {"plants": Plants(**(plants or {}))}
    model = catalogue.model(known(name))(**(changes or {}))
    if forcing is None:
        progress("steady state, ages and isotopes", None)
        dataset = columns.run(model, _at_site(site, model.grid), **options)
    else:
        from subsoil.sites import read_sites

        sites = read_sites(forcing, model.grid, **_arguments(site)[0])
        if sites.assumed:
            progress(f"not in {forcing}, so at the default: {', '.join(sites.assumed)}", None)
        latitude = np.where(
            np.isnan(sites.latitude), options.pop("latitude", columns.LATITUDE), sites.latitude
        )
        progress(f"steady state, ages and isotopes of {len(sites.refused)} columns", None)
        dataset = columns.run(
            model, sites.forcing, batch=True, refused=sites.refused, latitude=latitude, **options
        )
        dataset = dataset.assign_coords({n: ("column", *place) for n, place in sites.places.items()})
        dataset.attrs["assumed"] = ", ".join(sites.assumed) or "nothing"
    outcome = np.atleast_1d(dataset["outcome"].values)
    if not (outcome == "converged").any():
        raise NotConverged(f"{name} found no steady state under this forcing: {outcome[0]}")
    for isotope in ("14C", "13C"):
        if why := dataset.attrs.get(f"{isotope}_left_out"):
            progress(f"{isotope} is left out: {why}", None)
    progress("draw the figure", None)
    svg, png = figure.draw(dataset)
    with atomic.folder(out) as folder:
        atomic.write_bytes(folder / "column.nc", bytes(dataset.to_netcdf(engine="scipy")))
        atomic.write_text(folder / "column.svg", svg)
        atomic.write_bytes(folder / "column.png", png)
    failed = np.flatnonzero(outcome != "converged")
    if len(failed):
        why = np.atleast_1d(dataset["reason"].values)[failed[0]] or outcome[failed[0]]
        progress(f"{len(failed)} of {len(outcome)} columns have no state; column {failed[0]}: {why}", None)
    return Path(out) / "column.nc", Path(out) / "column.png"


def _at_site(site: Mapping[str, Any], grid: Any) -> Any:
    """The forcing of one column: steady, or of twelve months where the site has an amplitude."""
    from subsoil.forcing import seasonal, site_forcing

    given, months = _arguments(site)
    for name in ("mat", "map_mm"):
        if name not in given:
            raise BadCall(
                f"a site wants {name.removesuffix('_mm')}: --mat 12 --map 900, or --site 'mat=12,map=900'"
            )
    column = site_forcing(grid, **given)
    return seasonal(column, grid, **months) if months else column


def _arguments(site: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is known of a site, as arguments of `site_forcing` and of `seasonal`; map and pet are in mm."""
    from subsoil.forcing import seasonal, site_forcing

    steady = set(signature(site_forcing).parameters) - {"grid"}
    of_months = {"amplitude", "warmest_month", "thermal_diffusivity"} & set(signature(seasonal).parameters)
    named = {{"map": "map_mm", "pet": "pet_mm"}.get(name, name): value for name, value in site.items()}
    for name in named:
        if name not in steady | of_months:
            alike = get_close_matches(name, steady | of_months, n=2)
            hint = f"did you mean {' or '.join(alike)}? " if alike else ""
            raise BadCall(f"a site has no {name!r}; {hint}It has {', '.join(sorted(steady | of_months))}")
    months = {name: value for name, value in named.items() if name in of_months}
    return {name: value for name, value in named.items() if name in steady}, months
