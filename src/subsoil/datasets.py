"""The border between tables and arrays: what crosses it, in which unit, and under which names.

Tables hold depth in cm and names; the arrays of an age model hold depth in m and positions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from subsoil.depth import SupportAverage
from subsoil.errors import BadCall

SUPPORT_NODES = 2
"""Quadrature nodes of a layer: exact for cubic curves, and layers are thin against the curves fitted."""
SHORTEST_SUPPORT = 0.1
"""Thickness (cm) given to a sample at a point, so that it has a mean."""
ERROR_PARTS = ("se_laboratory", "se_replicate", "se_reference", "se_method")
"""Errors of a layer's own. That of the plants moves all layers of a profile together: its effect bears it."""
ALLOPHANIC = "allophanic"


class AgeArrays(NamedTuple):
    """What an age model computes with.

    ``f_new`` and ``f_new_se`` (fraction) by layer; ``support`` quadrature nodes of the layers (m);
    ``profile`` position of a layer's profile; ``years`` labelling time (yr), ``site`` and ``study`` positions
    and ``covariates`` (centred, scaled) by profile; ``counts`` numbers of profiles, sites and studies as the
    lengths of three empty arrays, so that they stay known where values are traced.
    """

    f_new: Float[Any, " layer"]
    f_new_se: Float[Any, " layer"]
    support: Float[Any, "layer node"]
    profile: Int[Any, " layer"]
    years: Float[Any, " profile"]
    site: Int[Any, " profile"]
    study: Int[Any, " profile"]
    covariates: Float[Any, "profile covariate"]
    sites: Float[Any, " site"]
    studies: Float[Any, " study"]


@dataclass(frozen=True)
class Covariate:
    """A property of a profile on the scale of the model: (raw - ``centre``) / ``scale``."""

    name: str
    centre: float
    scale: float


@dataclass(frozen=True, eq=False)
class AgeData:
    """Arrays of an age model and the names of their positions; ``rows`` the table they came from."""

    arrays: AgeArrays
    profile_id: tuple[str, ...]
    site_id: tuple[str, ...]
    study_id: tuple[str, ...]
    covariates: tuple[Covariate, ...]
    rows: pd.DataFrame


COVARIATES: Mapping[str, str] = {
    "crop": "1 under crops, else 0",
    "grassland": "1 under grassland, else 0",
    ALLOPHANIC: "1 where the clay is given as that of an allophanic soil, else 0",
    "mat": "mean annual temperature, degC",
    "ln_p_pet": "ln of P/PET",
    "ln_map": "ln of mean annual precipitation (mm yr-1)",
    "clay": "topsoil clay, %",
}
INDICATORS = ("crop", "grassland", ALLOPHANIC)


def raw_covariates(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Covariates (`COVARIATES`) of each row of a table with profile attributes, unscaled.

    >>> raw_covariates(pd.DataFrame({"land_use": ["crop", "forest"], "p_pet": [1.0, 1.0]}), ["crop"])
       crop
    0   1.0
    1   0.0
    """
    unknown = [name for name in names if name not in COVARIATES]
    if unknown:
        raise BadCall(f"covariate {unknown[0]!r} is unknown: choose from {', '.join(COVARIATES)}")
    makers = {
        "crop": lambda t: (t["land_use"] == "crop").astype(float),
        "grassland": lambda t: (t["land_use"] == "grassland").astype(float),
        ALLOPHANIC: lambda t: t["clay_source"].str.contains(ALLOPHANIC).eq(True).astype(float),
        "mat": lambda t: t["mat"].astype(float),
        "ln_p_pet": lambda t: np.log(t["p_pet"].astype(float)),
        "ln_map": lambda t: np.log(t["map"].astype(float)),
        "clay": lambda t: t["clay"].astype(float),
    }
    return pd.DataFrame({name: makers[name](table) for name in names}, index=table.index)


def age_data(table: pd.DataFrame, covariates: Sequence[str] = ()) -> AgeData:
    """A new-carbon table as the arrays of an age model.

    The support of a layer is the widest interval inside it that is centred on ``layer_mid``: the whole layer,
    unless the authors give another depth (the workbook's expanded layers); a depth outside the layer is not
    believed. Missing covariates take the mean of the others, so that no profile is lost.

    Raises
    ------
    BadCall
        The table is empty, a covariate is unknown, or a labelling time or error is not positive.
    """
    if table.empty:
        raise BadCall("no layer with a new-carbon fraction: nothing to fit")
    rows = table.sort_values(["profile_id", "layer_mid", "lyr_name"], kind="stable").reset_index(drop=True)
    if not (rows["labelling_years"] > 0).all():
        bad = rows.loc[~(rows["labelling_years"] > 0), "profile_id"].iloc[0]
        raise BadCall(f"labelling_years of {bad} is not a positive number of years: leave the profile out")
    profiles = rows.drop_duplicates("profile_id").reset_index(drop=True)
    position, profile_id = pd.factorize(rows["profile_id"])
    site, site_id = pd.factorize(profiles["site_id"], sort=True)
    study, study_id = pd.factorize(profiles["study_id"], sort=True)
    raw = raw_covariates(profiles, covariates)
    scales = tuple(_covariate(name, raw[name]) for name in covariates)
    scaled = [((raw[c.name] - c.centre) / c.scale).fillna(0.0) for c in scales]
    own_error = np.sqrt((rows[list(ERROR_PARTS)].to_numpy(float) ** 2).sum(axis=1))
    arrays = AgeArrays(
        f_new=rows["f_new"].to_numpy(float),
        f_new_se=own_error,
        support=_support(rows),
        profile=position,
        years=profiles["labelling_years"].to_numpy(float),
        site=site,
        study=study,
        covariates=np.stack(scaled, axis=1) if scaled else np.zeros((len(profiles), 0)),
        sites=np.zeros(len(site_id)),
        studies=np.zeros(len(study_id)),
    )
    return AgeData(arrays, tuple(profile_id), tuple(site_id), tuple(study_id), scales, rows)


def scaled_covariates(
    covariates: Sequence[Covariate], values: pd.DataFrame | Mapping[str, float] | None
) -> Float[np.ndarray, "case covariate"]:
    """Covariates for a prediction on the scale of a fitted model; those not given take their centre.

    ``values``: a table of raw covariates, one row a case; a mapping for a single case; or None.
    """
    frame = pd.DataFrame([values]) if isinstance(values, Mapping) else values
    cases = 1 if frame is None else len(frame)
    columns = [
        (frame[c.name].to_numpy(float) - c.centre) / c.scale
        if frame is not None and c.name in frame
        else np.zeros(cases)
        for c in covariates
    ]
    extra = [] if frame is None else [n for n in frame if n not in {c.name for c in covariates}]
    if extra:
        known = ", ".join(c.name for c in covariates) or "none"
        raise BadCall(f"the model has no covariate {extra[0]!r}; it has {known}")
    return np.nan_to_num(np.stack(columns, axis=1)) if columns else np.zeros((cases, 0))


def _covariate(name: str, raw: pd.Series) -> Covariate:
    """Indicators are only centred; the rest is scaled by its spread too."""
    spread = 1.0 if name in INDICATORS else float(raw.std())
    return Covariate(name, float(raw.mean()), spread if spread > 0 else 1.0)


def _support(rows: pd.DataFrame) -> Float[np.ndarray, "layer node"]:
    top, bottom = rows["layer_top"].to_numpy(float), rows["layer_bottom"].to_numpy(float)
    mid, middle = rows["layer_mid"].to_numpy(float), 0.5 * (top + bottom)
    inside = (mid >= top) & (mid <= bottom)
    centre = np.where(inside, mid, middle)
    half = np.maximum(np.minimum(centre - top, bottom - centre), 0.5 * SHORTEST_SUPPORT)
    return SupportAverage(_Supports(0.01 * (centre - half), 0.01 * (centre + half)), SUPPORT_NODES).nodes


class _Supports(NamedTuple):
    """Intervals of any order and overlap, which the layers of many profiles are."""

    top: Float[np.ndarray, " layer"]
    bottom: Float[np.ndarray, " layer"]
