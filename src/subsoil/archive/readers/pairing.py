"""The δ13C of a reference profile at the depths of the profile it stands for.

A layer sampled in both profiles takes the reference's value as it is. Otherwise the reference is
averaged over the depths of the layer: amounts are averaged, never δ itself, so with C the carbon
density of the reference and w the thickness shared with its layer i

    δ_ref = Σ w_i C_i δ_i / Σ w_i C_i ,     SD_ref = Σ w_i C_i SD_i / Σ w_i C_i

(errors of neighbouring layers counted as one, the cautious limit). Without a carbon content in every
layer concerned, C = 1. A layer that the reference does not cover gets no value: nothing is extrapolated.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil.archive.readers.cells import Log, Rule
from subsoil.archive.schema import add_flag
from subsoil.constants import CM_PER_M

RULES = {
    rule.name: rule
    for rule in (
        Rule(
            "reference-interpolated", "warning", "reference sampled at other depths: averaged over the layer"
        ),
        Rule("reference-unweighted", "note", "averaged by thickness: the reference has no carbon content"),
        Rule("reference-not-sampled", "warning", "the reference was not sampled over the whole layer: no f"),
        Rule(
            "reference-overlaps",
            "warning",
            "layers of the reference overlap each other: no f; mend its depths",
        ),
        Rule("reference-unknown", "warning", "no profile of this name in the entry and site: no f"),
    )
}
COVERED = 0.999  # bounds are typed to a millimetre
SAME_CM = 1e-6
_KEYS = ["entry_name", "site_name", "pro_name"]


@dataclass(frozen=True)
class _Bounds:
    top: Float[np.ndarray, "layer"]
    bottom: Float[np.ndarray, "layer"]


def pair_references(layer: pd.DataFrame, profile: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The layers with ``pair_ref_13c`` (sd, n, origin) from the profile named in ``ref_pro_name``.

    Values that are there already stay. What was averaged, and what could not be, is flagged and logged
    at the row of the source. Both tables as in the archive.
    """
    layer = layer.reset_index(drop=True).copy()
    given = layer["pair_ref_13c"].notna()
    layer["pair_ref_origin"] = layer["pair_ref_origin"].mask(
        given & layer["pair_ref_origin"].isna(), "at study depth"
    )
    by_profile = dict(list(layer.groupby(_KEYS, sort=False)))
    for row in profile[profile["ref_pro_name"].notna()].itertuples():
        study = by_profile.get((row.entry_name, row.site_name, row.pro_name))
        if study is None:
            continue
        study = study[study["pair_ref_13c"].isna() & study["lyr_13c"].notna()]
        reference = by_profile.get((row.entry_name, row.site_name, row.ref_pro_name))
        for rule, rows in _paired(layer, study, reference).items():
            where = pd.Series(layer.index.isin(rows), index=layer.index)
            layer["flags"] = add_flag(layer["flags"], where, rule)
            log.add_rows(
                rule, layer["src_row"], where.to_numpy(), "ref_pro_name", [row.ref_pro_name] * len(rows)
            )
    return layer


def _paired(layer: pd.DataFrame, study: pd.DataFrame, reference: pd.DataFrame | None) -> dict[str, pd.Index]:
    """Write the reference's values into ``layer``; which of its rows meet which rule."""
    from subsoil.depth import overlap  # its splines take a second to load, which most files do not need

    if study.empty:
        return {}
    if reference is None:
        return {"reference-unknown": study.index}
    sampled = reference["lyr_13c"].notna() & (reference["lyr_bot"] >= reference["lyr_top"])
    reference = reference[sampled].sort_values("lyr_top")
    if (reference["lyr_top"].to_numpy()[1:] < reference["lyr_bot"].to_numpy()[:-1] - SAME_CM).any():
        return {"reference-overlaps": study.index}
    exact = _same_bounds(study, reference)
    is_exact = np.asarray(exact.any(axis=1))
    density = _carbon_density(reference)
    shared = overlap(_bounds(reference), _bounds(study))
    thickness = (study["lyr_bot"] - study["lyr_top"]).to_numpy() / CM_PER_M
    averaged = ~is_exact & (thickness > 0) & (shared.sum(axis=1) >= COVERED * thickness)
    weights = np.where(averaged[:, None], shared * np.nan_to_num(density, nan=1.0), exact)
    found = weights.sum(axis=1) > 0
    weights = weights[found] / weights[found].sum(axis=1, keepdims=True)
    _write(layer, study.index[found], weights, reference)
    layer.loc[study.index[is_exact], "pair_ref_origin"] = "same row"
    layer.loc[study.index[averaged], "pair_ref_origin"] = "interpolated"
    return {
        "reference-interpolated": study.index[averaged],
        "reference-unweighted": study.index[averaged & np.isnan(density).any()],
        "reference-not-sampled": study.index[~found],
    }


def _bounds(table: pd.DataFrame) -> _Bounds:
    return _Bounds(table["lyr_top"].to_numpy() / CM_PER_M, table["lyr_bot"].to_numpy() / CM_PER_M)


def _same_bounds(study: pd.DataFrame, reference: pd.DataFrame) -> Float[np.ndarray, "study reference"]:
    """1 where a layer of the reference has the bounds of the study layer, once in each row."""
    same = np.ones((len(study), len(reference)))
    for bound in ("lyr_top", "lyr_bot"):
        apart = study[bound].to_numpy()[:, None] - reference[bound].to_numpy()[None, :]
        same *= np.abs(apart) <= SAME_CM
    return same * (same.cumsum(axis=1) <= 1)


def _carbon_density(reference: pd.DataFrame) -> Float[np.ndarray, "reference"]:
    """Carbon per depth from the stock, else from content and bulk density; all NaN where one is unknown."""
    thickness = reference["lyr_bot"] - reference["lyr_top"]
    from_stock = reference["lyr_soc"] / thickness.where(thickness > 0)
    for density in (from_stock, reference["lyr_c_org"] * reference["lyr_bd_fill"], reference["lyr_c_org"]):
        if (density > 0).all():
            return density.to_numpy(float)
    return np.full(len(reference), np.nan)


def _write(
    layer: pd.DataFrame,
    rows: pd.Index,
    weights: Float[np.ndarray, "row reference"],
    reference: pd.DataFrame,
) -> None:
    """Means and spreads by ``weights``, whose rows sum to 1; the smallest number of replicates."""
    used = np.where(weights > 0, 1.0, np.nan)
    layer.loc[rows, "pair_ref_13c"] = weights @ reference["lyr_13c"].to_numpy()
    layer.loc[rows, "pair_ref_13c_sd"] = np.where(
        weights > 0, weights * reference["lyr_13c_sd"].to_numpy(), 0.0
    ).sum(axis=1)
    n = used * reference["lyr_13c_n"].to_numpy()
    layer.loc[rows, "pair_ref_13c_n"] = [np.nan if np.isnan(r).all() else np.nanmin(r) for r in n]
