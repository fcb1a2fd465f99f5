"""History files of CLM, CTSM and ELM: carbon of each level, and of a second tracer that is new or 14C.

Carbon is ``SOILC_vr``, or the sum of the soil pools that are there (``SOIL1C_vr`` ... or ``ACT_SOMC_vr``
...), and of the litter pools of the levels (``LITR1C_vr`` ... or ``MET_LITC_vr`` ...); woody debris is left
out, as samples are sieved. Units gC/m^3 on levsoi, levgrnd or levdcmp.

- **Label**: the same names with ``_new`` behind them (``SOILC_vr_new``), carbon that entered since the
  switch, from a run with a second tracer; f_new is the ratio. Or C13 as a label: ``C13_`` names with the
  attributes ``label_ratio_before`` and ``label_ratio_after``, the ratio C13_ : total of what entered before
  and after the switch; f_new = (ratio - before) / (after - before).
- **14C**: ``C14_`` names. The models count 14C over 1e-12 (`RATIO`), and decay it, so that Delta14C =
  (C14 / C / 1e-12 - 1) 1000.

Levels are those of ``DZSOI`` where the file has it, of their bounds, or of the grids that are known here:
nodes of CLM4.5 and ELM, and of CLM5.
"""

import re
from collections.abc import Hashable

import numpy as np
import xarray as xr
from jaxtyping import Float

from subsoil import netcdf
from subsoil.benchmark.adapters import axes, layered
from subsoil.benchmark.adapters.output import Asked, Output
from subsoil.constants import CM_PER_M
from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.models.catalogue import model

RATIO = 1e-12
"""14C/C that CLM, CTSM and ELM count as Delta14C = 0, their constant c14ratio. The value is that of a port of
CTSM and of scripts for the output of ELM; it was not read in the models' own code."""
SOIL, LITTER = re.compile(r"(SOIL\d|[A-Z]{3}_SOM)C_vr"), re.compile(r"(LITR\d|[A-Z]{3}_LIT)C_vr")
SAME = 5e-3
"""Nodes within this share of their depth are those of a known grid: files round to single precision."""
TRACERS = ("{}_new", "C13_{}", "C14_{}")
DENSITY = {"g m-3": 1e-3, "kg m-3": 1.0}


def main(file: xr.Dataset) -> list[xr.DataArray]:
    """The carbon of all soil pools, or that of each."""
    return [file[name] for name in carbon_names(file)]


def carbon_names(file: xr.Dataset) -> list[str]:
    """Names of the pools that add up to the carbon of a level.

    >>> pools = {n: ("levsoi", [1.0]) for n in ("SOILC_vr", "SOIL1C_vr", "LITR1C_vr", "CWDC_vr")}
    >>> carbon_names(xr.Dataset(pools))
    ['SOILC_vr', 'LITR1C_vr']
    """
    names = sorted(map(str, file.data_vars))
    soil = ["SOILC_vr"] if "SOILC_vr" in names else [n for n in names if SOIL.fullmatch(n)]
    return soil + [n for n in names if LITTER.fullmatch(n)] if soil else []


def convert(file: xr.Dataset, asked: Asked) -> Output:
    """Output of a file on profiles.

    Raises BadCall for levels that are not known, a file with neither label nor 14C, and a tracer of some
    soil pools only.
    """
    names = _with_tracers(file, carbon_names(file))
    depth = axes.depth_of(file, file[names[0]])
    top, bottom = levels(file, depth)
    carbon = _sum(file, names)
    new, c13, c14 = (_tracer(file, names, form) for form in TRACERS)
    f_new = _ratio(new, carbon) if new is not None else _from_c13(file, c13, carbon)
    if f_new is None and c14 is None:
        raise BadCall(
            f"{names[0]} says nothing of age: give {names[0]}_new (carbon since a label was switched on), "
            f"C14_{names[0]}, or C13_{names[0]} with label_ratio_before and label_ratio_after"
        )
    time = next((dim for dim in carbon.dims if dim in axes.TIMES), "time")
    per_area = carbon * xr.DataArray(bottom - top, dims=("profile", depth)) * 0.01
    per_area = (per_area.mean(time) if time in per_area.dims else per_area).rename(names[0])
    stock = axes.arranged(file, per_area, [depth])
    years = dates = shares = delta = None
    if f_new is not None:
        years = (axes.labelling_years(file, time) if time in f_new.dims else asked.own[:, None])[
            None, :, None
        ]
        shares = axes.arranged(file, f_new, [depth, time])
    if c14 is not None:
        per_mil = ((_ratio(c14, carbon) / RATIO - 1.0) * 1000.0).rename("C14")
        date, dates = layered.dates_of(file, per_mil)
        delta = axes.arranged(file, per_mil, [depth, date])
    return Output(
        tuple(file["profile_id"].values.tolist()), top, bottom, stock, years, shares, dates, delta,
        notes=(f"carbon is {' + '.join(names)}; woody debris is left out",),
    )  # fmt: skip


def levels(
    file: xr.Dataset, depth: Hashable
) -> tuple[Float[np.ndarray, "profile layer"], Float[np.ndarray, "profile layer"]]:
    """Top and bottom of the levels, cm. Raises BadCall where only nodes are given and no known grid has them.

    >>> nodes = xr.Dataset(coords={"levsoi": ("levsoi", [0.01, 0.04, 0.09], {"units": "m"})})
    >>> levels(nodes, "levsoi")[1].round(6).tolist()
    [[2.0, 6.0, 12.0]]
    """
    if "DZSOI" in file.variables:
        thick = file["DZSOI"]
        own = next((dim for dim in thick.dims if netcdf.is_depth(file, dim)), depth)
        rows = CM_PER_M * axes.arranged(file, thick, [own])[0][:, : file.sizes[depth]]
        bottom = np.cumsum(rows, axis=1)
        return bottom - rows, bottom
    if depth not in file.coords or file[depth].attrs.get("bounds") or f"{depth}_bnds" in file:
        return axes.layers_of(file, depth)
    nodes = file[depth].values.astype(float)
    for grid in (model("clm4.5").grid, model("clm5").grid):
        edges = _edges(grid, nodes)
        if edges is not None:
            shape = (file.sizes.get("profile", 1), len(nodes))
            top, bottom = (np.broadcast_to(CM_PER_M * e, shape).copy() for e in (edges[:-1], edges[1:]))
            return top, bottom
    raise BadCall(
        f"{depth} has nodes {nodes[:3].round(4).tolist()} ... m of no grid known here: add DZSOI ({depth}), "
        f"the thickness of levels in m, or {depth}_bnds"
    )


def _edges(grid: DepthGrid, nodes: Float[np.ndarray, " level"]) -> Float[np.ndarray, " edge"] | None:
    """Boundaries of as many layers of a grid as there are nodes, if these are its nodes; else None.

    Below the grid's own last layer files may have levels of rock, without carbon: midway between nodes.
    """
    shared = min(len(nodes), len(grid))
    if not np.allclose(nodes[:shared], grid.node[:shared], rtol=SAME, atol=1e-4):
        return None
    edges = grid.boundaries[: shared + 1]
    if len(nodes) == shared:
        return edges
    deeper = 0.5 * (nodes[shared:-1] + nodes[shared + 1 :])
    edges = np.concatenate([edges, deeper])
    return np.append(edges, 2.0 * nodes[-1] - edges[-1])


def _sum(file: xr.Dataset, names: list[str]) -> xr.DataArray:
    parts = [netcdf.in_units(file[name], DENSITY) for name in names]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total.rename(names[0])


def _with_tracers(file: xr.Dataset, names: list[str]) -> list[str]:
    """The pools of which every tracer of the file is there; litter may be left out, soil may not."""
    present = [form for form in TRACERS if any(form.format(name) in file for name in names)]
    whole = [name for name in names if all(form.format(name) in file for form in present)]
    for name in names:
        if name not in whole and not LITTER.fullmatch(name):
            form = next(form for form in present if form.format(name) not in file)
            raise BadCall(f"{form.format(name)} is missing: a tracer wants every soil pool that {name} has")
    return whole


def _tracer(file: xr.Dataset, names: list[str], form: str) -> xr.DataArray | None:
    """The sum of the pools of a tracer; None where the file does not have it."""
    own = [form.format(name) for name in names]
    return _sum(file, own) if own[0] in file.data_vars else None


def _ratio(part: xr.DataArray, whole: xr.DataArray) -> xr.DataArray:
    return (part / whole.where(whole > 0)).rename("f_new")


def _from_c13(file: xr.Dataset, c13: xr.DataArray | None, carbon: xr.DataArray) -> xr.DataArray | None:
    wanted = ("label_ratio_before", "label_ratio_after")
    if c13 is None or not all(name in file.attrs for name in wanted):
        return None
    before, after = (float(file.attrs[name]) for name in wanted)
    if before == after:
        raise BadCall("label_ratio_before and label_ratio_after are equal: C13 is then no label")
    return (_ratio(c13, carbon) - before) / (after - before)
