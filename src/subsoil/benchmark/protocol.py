"""How models are asked, version 1.0: which numbers, at which depths, under which climate and input.

**New carbon** (`f_new`). Every layer of the 2018 archive with a share of new carbon, as `new_carbon` makes it
from isotopes or the source study's stocks (Balesdent et al. 2018, Nature 559:599), unclipped, with its full
standard error. A model answers with the carbon-weighted mean over the layer after the profile's own labelling
time; all its pools count, litter in the soil too. The sample is the whole layer as published, also where
the source sampled a part of it. A sample without thickness is a point.

**Stock** (`stock_share`). The share of each layer in the carbon of its profile, from the surface down to the
deepest layer that follows without a gap and ends at `STOCK_TO` or above; errors of the stocks taken as
independent. At least two layers.

**Isochrones**. Share of carbon younger than an age at a point, mean of the tropical grasslands and forests
(Fig. 2 of the paper, digitised). Standard error: half-width of the printed band, where it cannot be read the
mean of those printed at that depth (at 0 cm, where none is, at 10 cm), and the error of reading.

**Radiocarbon** (`delta14c`): `subsoil.benchmark.israd` says which layers, `subsoil.benchmark.radiocarbon`
what a model shows.

**What a model knows of a site**: `forcings`. **Doubts** about label or steady state are told in words
(`subsoil.benchmark.doubts`); such profiles stay, and the group "undoubted" is scored beside all.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool
from numpy.typing import ArrayLike

from subsoil import published
from subsoil.age.subsets import TROPICAL
from subsoil.archive.schema import Archive
from subsoil.benchmark.doubts import cumulative, doubts
from subsoil.benchmark.inputs import WARM, forcings
from subsoil.benchmark.reference import PROFILES, VALUES, Reference
from subsoil.errors import BadCall
from subsoil.newcarbon import new_carbon

__all__ = ["DEPTH_CLASSES", "PROTOCOL", "build", "depth_class", "forcings", "groups"]

PROTOCOL = "1.0"
"""Changes with every rule that can change a score."""

DEPTH_CLASSES = ("0-10", "10-30", "30-50", "50-100", "100+")
"""By the middle of a sample, cm; a middle between two classes belongs to the deeper one."""
DEPTH_BOUNDS = (10.0, 30.0, 50.0, 100.0)

STOCK_TO = 100.0
"""cm: many models end at 1 m."""

DRY = 0.65
"""P/PET below which land is dry (UNEP 1997, World Atlas of Desertification)."""
SHORT = 50.0
"""Labelling (yr) up to which it is short."""


def build(
    archive: Archive,
    *,
    radiocarbon: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    sources: tuple[Mapping[str, object], ...] = (),
) -> Reference:
    """The reference of this protocol, from the 2018 archive, the printed isochrones and radiocarbon.

    radiocarbon: values and profiles with the columns of `VALUES` and `PROFILES`; sources: what to cite, with
    checksums of the files. Raises BadCall for an archive without new carbon.
    """
    layers = new_carbon(archive).sort_values(["profile_id", "layer_top", "layer_bottom", "lyr_name"])
    if layers.empty:
        raise BadCall("the archive has no layer with new carbon: is it the one of the 2018 workbook?")
    values = [_new_carbon_rows(layers), _stock_rows(layers), _isochrone_rows()]
    profiles = [_profiles(archive, layers)]
    if radiocarbon is not None:
        values.append(radiocarbon[0])
        profiles.append(radiocarbon[1])
    table = pd.concat([part[[*VALUES[:-1]]] for part in values if len(part)], ignore_index=True)
    table["depth_class"] = depth_class(table["layer_top"], table["layer_bottom"])
    known = pd.concat([part[[*PROFILES]] for part in profiles if len(part)], ignore_index=True)
    return Reference(table, known, PROTOCOL, sources)


def depth_class(top_cm: ArrayLike, bottom_cm: ArrayLike) -> np.ndarray:
    """Depth class (`DEPTH_CLASSES`) of samples by their middle, cm.

    >>> depth_class([0, 10, 80], [10, 10, 120]).tolist()
    ['0-10', '10-30', '100+']
    """
    middle = 0.5 * (np.asarray(top_cm, dtype=float) + np.asarray(bottom_cm, dtype=float))
    return np.asarray(DEPTH_CLASSES)[np.digitize(middle, DEPTH_BOUNDS)]


def groups(reference: Reference) -> dict[str, Bool[np.ndarray, " value"]]:
    """Which values belong to each group that is scored on its own.

    By the profile's land use, aridity, temperature, labelling time and doubts; a profile that lacks the
    number is in neither group. Isochrones are means over profiles: they are in "all" only.
    """
    profiles = reference.profiles
    land, aridity, warmth, years = (profiles[c] for c in ("land_use", "p_pet", "mat", "labelling_years"))
    of_profile = {
        "crop": land == "crop",
        "grassland": land == "grassland",
        "forest": land == "forest",
        "dry": aridity < DRY,
        "humid": aridity >= DRY,
        "tropical": warmth >= WARM,
        "cool": warmth < WARM,
        "up to 50 yr": years <= SHORT,
        "over 50 yr": years > SHORT,
        "undoubted": profiles["doubts"] == "",
    }
    position = pd.Index(profiles["profile_id"]).get_indexer(pd.Index(reference.values["profile_id"]))
    there = position >= 0
    out = {"all": np.ones(len(position), dtype=bool)}
    for name, mask in of_profile.items():
        out[name] = there & mask.fillna(False).to_numpy(bool)[position]
    return out


def _new_carbon_rows(layers: pd.DataFrame) -> pd.DataFrame:
    return _rows("f_new", layers).assign(observed=layers["f_new"], sigma=layers["f_new_se"])


def _stock_rows(layers: pd.DataFrame) -> pd.DataFrame:
    """s_i = C_i / T and its error: var s_i = sum over j of ((i = j) - s_i)^2 var C_j / T^2."""
    parts = []
    for _, own in layers[layers["layer_bottom"] > layers["layer_top"]].groupby("profile_id", sort=True):
        reached = cumulative(own, "layer_top", "layer_bottom", "soc_stock")[1:, 0]
        depth = max(reached[reached <= STOCK_TO], default=0.0)
        used = own[own["layer_bottom"] <= depth]
        if len(used) > 1:
            stock, error = used["soc_stock"].to_numpy(float), used["soc_stock_se"].to_numpy(float)
            share = stock / stock.sum()
            spread = (np.eye(len(share)) - share[:, None]) * error
            sigma = np.sqrt((spread**2).sum(axis=1)) / stock.sum()
            parts.append(_rows("stock_share", used).assign(observed=share, sigma=sigma))
    return pd.concat(parts) if parts else layers.iloc[:0]


def _rows(target: str, layers: pd.DataFrame) -> pd.DataFrame:
    kept = layers[["profile_id", "site_id", "layer_top", "layer_bottom", "obs_year"]]
    return kept.assign(target=target, years=layers["labelling_years"])


def _isochrone_rows() -> pd.DataFrame:
    curves = published.isochrones()
    printed = curves.groupby("depth_cm")["percent_se"].transform("mean").bfill()
    error = np.hypot(curves["percent_se"].fillna(printed), published.READ_ERROR)
    return pd.DataFrame(
        {
            "target": "isochrone",
            "profile_id": "",
            "site_id": [f"{depth:g} cm" for depth in curves["depth_cm"]],
            "layer_top": curves["depth_cm"],
            "layer_bottom": curves["depth_cm"],
            "years": curves["age_yr"],
            "obs_year": np.nan,
            "observed": curves["percent_younger"] / 100.0,
            "sigma": error / 100.0,
        }
    )


def _profiles(archive: Archive, layers: pd.DataFrame) -> pd.DataFrame:
    first = layers.drop_duplicates("profile_id").set_index("profile_id", drop=False)
    return first.assign(
        archive=archive.source,
        clay=first["clay"] / 100.0,
        tropical=TROPICAL.mask(first),
        doubts=doubts(archive, layers),
    ).reset_index(drop=True)
