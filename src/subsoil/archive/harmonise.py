"""From the layers of a new-carbon table to common depths.

Amounts are harmonised, then divided: new carbon and old carbon are moved
separately and f is their ratio on the other side. f itself is never splined.
The interpolation of Balesdent et al. 2018 does interpolate f; it is kept as a named
method, ``"balesdent2018"``, to reproduce their numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from subsoil.constants import CM_PER_M, Numbers
from subsoil.depth import (
    DepthGrid,
    Layers,
    contributing_fraction,
    monotone_means,
    monotone_values,
    remap,
    spline_means,
)
from subsoil.errors import BadCall
from subsoil.newcarbon import covariance

GLOBAL_SOIL_MAP = (0.0, 5.0, 15.0, 30.0, 60.0, 100.0, 200.0)
"""Boundaries of the GlobalSoilMap layers, cm (Arrouays et al. 2014)."""

TOPSOIL_SUBSOIL = (0.0, 30.0, 100.0)
"""Boundaries of topsoil and subsoil, cm."""

PUBLISHED_DEPTHS = tuple(float(z) for z in range(0, 101, 10))
"""Depths of the 2018 workbook, cm."""

DEPTH_COLUMNS = (
    "profile_id",
    "entry_name",
    "depth_cm",
    "f_new",
    "f_new_se",
    "labelling_years",
    "extrapolated",
)
CUMULATIVE_COLUMNS = ("profile_id", "entry_name", "depth_cm", "soc_stock_cum", "new_soc_stock_cum")
LAYER_COLUMNS = (
    "profile_id",
    "entry_name",
    "layer_top",
    "layer_bottom",
    "f_new",
    "soc_density",
    "new_soc_density",
    "soc_stock",
    "new_soc_stock",
    "contributing_fraction",
    "labelling_years",
)

STEP = 1e-5
"""Step of the central differences behind a covariance: in f, and relative to a stock."""

Move = Callable[[Layers, Float[np.ndarray, "layer case"]], Float[np.ndarray, "target case"]]
"""Densities on sampled layers become densities on targets."""

OfLayers = Callable[
    [Float[np.ndarray, "layer #case"], Float[np.ndarray, "layer #case"]], Float[np.ndarray, "target case"]
]
"""A value on the targets as a function of layer f and layer stock (kg m-2), column by column."""


@dataclass(frozen=True, eq=False)
class Harmonised:
    """Values on common layers and how they err together.

    ``table``: one row per profile and target; ``covariance``: of the rows of ``table``, for ``f_new`` and for
    ``new_soc_stock`` ((kg m-2)²), missing where the value is.
    """

    table: pd.DataFrame
    covariance: dict[str, Float[np.ndarray, "row row"]]


def at_depths(
    table: pd.DataFrame, depths: Numbers, method: str = "stocks", *, below: bool = False
) -> pd.DataFrame:
    """New-carbon fraction of every profile at given depths (cm).

    ``method``:

    - ``"stocks"``: densities of new and of old carbon at the depth, each by monotone interpolation of its
      cumulative stock, then new / (new + old). Missing without stocks and outside the sampled range.
    - ``"balesdent2018"``: straight lines between layer f at ``layer_mid``, the end lines continued above the
      first and below the last, clipped to [0, 1]; missing below the profile's depth (`max_depth`) unless
      ``below``. Needs no stock.

    ``f_new_se`` follows from `subsoil.newcarbon.covariance` through the map (first order; for the clipped
    values the error before clipping). ``extrapolated`` marks depths outside the samples' range.

    Returns columns profile_id, entry_name, depth_cm, f_new, f_new_se, labelling_years, extrapolated; one row
    per profile and depth, missing ones included.

    >>> table = pd.DataFrame({"profile_id": "a/b", "entry_name": "a", "layer_top": [0.0, 10.0],
    ...     "layer_bottom": [10.0, 30.0], "layer_mid": [5.0, 20.0], "f_new": [0.5, 0.2], "contrast": 10.0,
    ...     "se_laboratory": 0.0, "se_replicate": 0.03, "se_reference": 0.0, "se_end_member": 0.0,
    ...     "se_method": 0.0, "reference_key": ["x", "y"], "end_member_key": "p", "labelling_years": 20.0,
    ...     "max_depth": 30.0})
    >>> at_depths(table, [0, 20], "balesdent2018")[["depth_cm", "f_new", "extrapolated"]].values.tolist()
    [[0.0, 0.6, True], [20.0, 0.2, False]]
    """
    if method not in ("stocks", "balesdent2018"):
        raise BadCall(f"unknown method {method!r} of at_depths: one of stocks, balesdent2018")
    z = _depths(depths)
    parts = []
    for rows in _profiles(table):
        f, se, outside = _line_at(rows, z, below) if method == "balesdent2018" else _ratio_at(rows, z)
        parts.append(
            pd.DataFrame(
                {
                    "profile_id": rows["profile_id"].iloc[0],
                    "entry_name": rows["entry_name"].iloc[0],
                    "depth_cm": z,
                    "f_new": f,
                    "f_new_se": np.where(np.isnan(f), np.nan, se),
                    "labelling_years": rows["labelling_years"].iloc[0],
                    "extrapolated": outside & ~np.isnan(f),
                }
            )
        )
    return _stacked(parts, DEPTH_COLUMNS)


def standard_layers(
    table: pd.DataFrame,
    targets: Numbers = GLOBAL_SOIL_MAP,
    method: str = "constant",
    smoothing: float = 0.0,
) -> Harmonised:
    """Stocks, new stocks and their ratio on common layers, with covariance.

    ``targets``: boundaries in cm. ``method`` moves the densities of new and old carbon: ``"constant"`` within
    each sampled layer, ``"spline"`` (mass-preserving, ``smoothing`` λ in m, may turn negative),
    ``"monotone"`` (positive). Columns of the table: profile_id, entry_name, layer_top, layer_bottom (cm),
    f_new, f_new_se, soc_density, new_soc_density (kg m-3, means over the sampled part), soc_stock,
    new_soc_stock, new_soc_stock_se (kg m-2), contributing_fraction, labelling_years. A stock is missing
    unless the whole target was sampled; densities and f stand for the sampled part. Profiles without stocks,
    or whose layers overlap, have no rows.

    Errors: f by `subsoil.newcarbon.covariance`, stocks independent between layers; first order.
    """
    grid = DepthGrid.from_cm(_depths(targets))
    moves: dict[str, Move] = {
        "constant": lambda source, density: remap(source, grid) @ density,
        "spline": lambda source, density: spline_means(source, grid, smoothing) @ density,
        "monotone": lambda source, density: monotone_means(source, density, grid),
    }
    if method not in moves:
        raise BadCall(f"unknown method {method!r} of standard_layers: one of {', '.join(moves)}")
    stocked = _stocked(table)
    parts: list[pd.DataFrame] = []
    slopes: dict[str, tuple[list, list]] = {name: ([], []) for name in ("f_new", "new_soc_stock")}
    for rows in _profiles(stocked):
        part, jacobian = _onto(rows, grid, moves[method])
        parts.append(part)
        for name, (by_f, by_stock) in slopes.items():
            by_f.append(_placed(jacobian[name][0], rows.index, len(stocked)))
            by_stock.append(_placed(jacobian[name][1], rows.index, len(stocked)))
    out = _stacked(parts, LAYER_COLUMNS)
    errors = {name: _propagate(stocked, *map(_rows, pair)) for name, pair in slopes.items()}
    for name, matrix in errors.items():
        out[f"{name}_se"] = np.sqrt(np.diag(matrix))
    return Harmonised(out, errors)


def cumulative_stocks(table: pd.DataFrame, depths: Numbers, method: str = "constant") -> pd.DataFrame:
    """Stock and new stock from the surface to given depths (cm): soc_stock_cum, new_soc_stock_cum, kg m-2.

    Density is constant within a layer, so the cumulative stock is a line between bounds. ``method``:

    - ``"constant"``: new stock as it is; missing below the deepest bound and below an unsampled gap;
    - ``"balesdent2018"``: as the workbook does, f clipped to [0, 1] before it meets the stock, and the last
      layer's density continued from the deepest bound to ``max_depth`` where that is deeper.

    >>> table = pd.DataFrame({"profile_id": "a/b", "entry_name": "a", "layer_top": [0.0, 10.0],
    ...     "layer_bottom": [10.0, 30.0], "max_depth": 30.0, "f_new": [0.5, 0.2], "soc_stock": [2.0, 3.0]})
    >>> cumulative_stocks(table, [10, 20])[["soc_stock_cum", "new_soc_stock_cum"]].values.round(3).tolist()
    [[2.0, 1.0], [3.5, 1.3]]
    """
    if method not in ("constant", "balesdent2018"):
        raise BadCall(f"unknown method {method!r} of cumulative_stocks: one of constant, balesdent2018")
    z = _depths(depths)
    parts = [_cumulated(rows, z, method == "balesdent2018") for rows in _profiles(_stocked(table))]
    return _stacked(parts, CUMULATIVE_COLUMNS)


def line_weights(
    mid: Float[np.ndarray, " layer"], depth: Float[np.ndarray, " depth"]
) -> Float[np.ndarray, "depth layer"]:
    """Weights of layers in a value at a depth, by straight lines between the samples' depths ``mid`` (cm).

    Above the first and below the last sample the end line goes on, so weights may be negative; rows sum to 1.
    Layers in any order; of two at one depth the first counts.

    >>> line_weights(np.array([5.0, 15.0]), np.array([0.0, 10.0])).tolist()
    [[1.5, -0.5], [0.5, 0.5]]
    """
    knots, layer = np.unique(mid, return_index=True)
    weights = np.zeros((depth.size, mid.size))
    if knots.size == 1:
        weights[:, layer] = 1.0
        return weights
    left = np.clip(np.searchsorted(knots, depth, side="right") - 1, 0, knots.size - 2)
    along = (depth - knots[left]) / (knots[left + 1] - knots[left])
    weights[np.arange(depth.size), layer[left]] = 1.0 - along
    weights[np.arange(depth.size), layer[left + 1]] = along
    return weights


def max_depth(rows: pd.DataFrame) -> float:
    """Depth (cm) to which a profile speaks: as its source says, else the deepest bound to the next 10 cm.

    >>> max_depth(pd.DataFrame({"layer_bottom": [10.0, 65.0], "max_depth": float("nan")}))
    70.0
    """
    stated = float(rows["max_depth"].iloc[0])
    rounded = 10.0 * np.floor(rows["layer_bottom"].max() / 10.0 + 0.5)
    return float(rounded) if np.isnan(stated) else stated


def _cumulated(rows: pd.DataFrame, z: Float[np.ndarray, " depth"], published: bool) -> pd.DataFrame:
    source, stock = Layers.from_cm(rows["layer_top"], rows["layer_bottom"]), rows["soc_stock"].to_numpy(float)
    f = rows["f_new"].clip(0.0, 1.0) if published else rows["f_new"]
    reach = max(max_depth(rows), rows["layer_bottom"].max()) if published else rows["layer_bottom"].max()
    depth = z / CM_PER_M
    share = np.clip((depth[:, None] - source.top) / source.thickness, 0.0, 1.0)
    if published:
        share[:, -1] = np.clip((depth - source.top[-1]) / source.thickness[-1], 0.0, None)
    known = np.isclose(share @ source.thickness, depth) & (z <= reach)
    return pd.DataFrame(
        {
            "profile_id": rows["profile_id"].iloc[0],
            "entry_name": rows["entry_name"].iloc[0],
            "depth_cm": z,
            "soc_stock_cum": np.where(known, share @ stock, np.nan),
            "new_soc_stock_cum": np.where(known, share @ (f.to_numpy(float) * stock), np.nan),
        }
    )


def _line_at(
    rows: pd.DataFrame, z: Float[np.ndarray, " depth"], below: bool
) -> tuple[Float[np.ndarray, " depth"], Float[np.ndarray, " depth"], Bool[np.ndarray, " depth"]]:
    """f, standard error and whether extrapolated, by the lines of the 2018 workbook."""
    mid, f = rows["layer_mid"].to_numpy(float), rows["f_new"].to_numpy(float)
    weight = line_weights(mid, z)
    se = np.sqrt(np.einsum("zi,ij,zj->z", weight, covariance(rows), weight))
    values = np.where(below | (z <= max_depth(rows)), np.clip(weight @ f, 0.0, 1.0), np.nan)
    return values, se, (z < mid.min()) | (z > mid.max())


def _ratio_at(
    rows: pd.DataFrame, z: Float[np.ndarray, " depth"]
) -> tuple[Float[np.ndarray, " depth"], Float[np.ndarray, " depth"], Bool[np.ndarray, " depth"]]:
    """f from monotone densities of new and old carbon, its standard error; never extrapolated."""
    rows = _stocked(rows)
    nowhere = np.zeros(z.size, dtype=bool)
    if rows.empty:
        return np.full(z.size, np.nan), np.full(z.size, np.nan), nowhere
    source, f, stock = _arrays(rows)
    ratio = _ratio(_new_density(source, lambda s, density: monotone_values(s, density, z / CM_PER_M)))
    error = _propagate(rows, *_derivatives(ratio, f, stock))
    return ratio(f, stock)[:, 0], np.sqrt(np.diag(error)), nowhere


def _arrays(rows: pd.DataFrame) -> tuple[Layers, Float[np.ndarray, "layer 1"], Float[np.ndarray, "layer 1"]]:
    """Layers, f and stock of one profile."""
    top, bottom, f, stock = rows[["layer_top", "layer_bottom", "f_new", "soc_stock"]].to_numpy(float).T
    return Layers.from_cm(top, bottom), f[:, None], stock[:, None]


def _new_density(source: Layers, move: Move) -> OfLayers:
    """Density of new carbon on the targets as a function of layer f and layer stock."""
    return lambda f, stock: move(source, f * stock / source.thickness[:, None])


def _ratio(density: OfLayers) -> OfLayers:
    """f on the targets as a function of layer f and layer stock: new / (new + old), each moved by itself."""

    def ratio(
        f: Float[np.ndarray, "layer #case"], stock: Float[np.ndarray, "layer #case"]
    ) -> Float[np.ndarray, "target case"]:
        new = density(f, stock)
        total = new + density(1.0 - f, stock)
        return np.where(total > 0, new / np.where(total > 0, total, 1.0), np.nan)

    return ratio


def _onto(
    rows: pd.DataFrame, grid: DepthGrid, move: Move
) -> tuple[pd.DataFrame, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """One profile on the targets, and the derivatives of f and new stock by layer f and by layer stock."""
    source, f, stock = _arrays(rows)
    fraction = contributing_fraction(source, grid)
    whole = np.where(fraction > 1.0 - 1e-9, grid.thickness, np.nan)[:, None]
    density = _new_density(source, move)
    ratio = _ratio(density)
    new, old = density(f, stock), density(1.0 - f, stock)
    values = {
        "f_new": ratio(f, stock),
        "soc_density": new + old,
        "new_soc_density": new,
        "soc_stock": (new + old) * whole,
        "new_soc_stock": new * whole,
    }
    part = pd.DataFrame(
        {
            "profile_id": rows["profile_id"].iloc[0],
            "entry_name": rows["entry_name"].iloc[0],
            "layer_top": grid.top * CM_PER_M,
            "layer_bottom": grid.bottom * CM_PER_M,
            **{name: value[:, 0] for name, value in values.items()},
            "contributing_fraction": fraction,
            "labelling_years": rows["labelling_years"].iloc[0],
        }
    )
    by_f, by_stock = _derivatives(density, f, stock)
    return part, {"f_new": _derivatives(ratio, f, stock), "new_soc_stock": (by_f * whole, by_stock * whole)}


def _derivatives(
    function: OfLayers, f: Float[np.ndarray, "layer 1"], stock: Float[np.ndarray, "layer 1"]
) -> tuple[Float[np.ndarray, "target layer"], Float[np.ndarray, "target layer"]]:
    """By layer f and by layer stock, central differences: the monotone map is not linear in either."""
    by_f, by_stock = STEP, STEP * np.maximum(stock, 0.1)[:, 0]
    one = np.eye(len(f))
    return (
        (function(f + by_f * one, stock) - function(f - by_f * one, stock)) / (2.0 * by_f),
        (function(f, stock + by_stock * one) - function(f, stock - by_stock * one)) / (2.0 * by_stock),
    )


def _propagate(
    rows: pd.DataFrame, by_f: Float[np.ndarray, "row layer"], by_stock: Float[np.ndarray, "row layer"]
) -> Float[np.ndarray, "row row"]:
    """``J_f Cov(f) J_fᵀ + J_C diag(σ_C²) J_Cᵀ``."""
    own = by_stock * rows["soc_stock_se"].to_numpy(float)
    return by_f @ covariance(rows) @ by_f.T + own @ own.T


def _stocked(table: pd.DataFrame) -> pd.DataFrame:
    """The layers that stocks can be moved from: stock known, some thickness, no overlap in the profile."""
    rows = table[table["soc_stock"].notna() & (table["layer_bottom"] > table["layer_top"])]
    rows = rows.sort_values(["profile_id", "layer_top", "layer_bottom"], kind="stable")
    above = rows.groupby("profile_id")["layer_bottom"].shift()
    overlaps = rows.loc[rows["layer_top"] < above - 1e-6, "profile_id"]
    return rows[~rows["profile_id"].isin(overlaps)].reset_index(drop=True)


def _profiles(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each profile, in order of its name."""
    return [rows for _, rows in table.groupby("profile_id", sort=True)]


def _placed(block: Float[np.ndarray, "row layer"], positions: pd.Index, width: int) -> np.ndarray:
    """The derivatives of one profile among the columns of all layers."""
    out = np.zeros((block.shape[0], width))
    out[:, positions] = block
    return out


def _rows(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(blocks) if blocks else np.zeros((0, 0))


def _stacked(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def _depths(depths: Numbers) -> Float[np.ndarray, " depth"]:
    z = np.atleast_1d(np.asarray(depths, dtype=float))
    if z.ndim != 1 or not np.isfinite(z).all() or (z < 0).any():
        raise BadCall(f"depths are finite, in cm and >= 0, got {depths!r}")
    return z
