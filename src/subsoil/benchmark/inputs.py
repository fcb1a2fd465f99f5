"""What models are told of a site: climate and clay as archived, roots and input by published rules."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float

from subsoil.bounds import BOUNDS
from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.forcing import HOLDRIDGE, Forcing, site_forcing
from subsoil.roots import biome_root_share

WARM, BOREAL = 18.0, 3.0
"""Mean annual temperature (degree C) from which a biome is tropical, and below which a forest is boreal."""

DRY_MATTER_CARBON = 0.47
"""Carbon in dry plant matter (IPCC 2006, Guidelines for National Greenhouse Gas Inventories 4, table 4.3)."""

HARVEST_INDEX = 0.45
"""Share of a crop's growth above ground that is taken away: about that of modern cereals (Hay 1995, Ann.
Appl. Biol. 126:197), for every crop by assumption; straw stays."""

ABOVE = 0.5
"""Share of growth above ground, as in `site_forcing`: an assumption without a source."""

NEEDED = ("mat", "map")

CLAY = 0.2
"""Mass fraction where not known, as in `site_forcing`."""


def forcings(profiles: pd.DataFrame, grid: DepthGrid) -> Forcing:
    """Forcing of each profile of a reference, as one batch in the order of the table.

    Temperature, precipitation, P/PET and clay of the archive. P/PET not known: by Holdridge's rule (as
    `site_forcing`, with at least 1 degree); clay not known: 0.2; sand is half of what is not clay. Roots by
    the biomass of the biome (`biomes`, `subsoil.roots.ROOT_BETA`); carbon that enters: `carbon_input`. All
    else, as the depth of litter, has the defaults of `site_forcing`, the same at all sites.

    In a linear model f_new and shares of stock follow from where carbon enters, not from how much: the
    amount matters for nonlinear models only.

    Raises BadCall for a profile without temperature or precipitation, and for values out of bounds.
    """
    if named := [
        f"{p}: {why}" for p, why in zip(profiles["profile_id"], refused(profiles), strict=True) if why
    ]:
        raise BadCall(f"leave out profiles without a forcing; {'; '.join(named[:3])}")
    mat, rain, aridity, clay = (profiles[name].to_numpy(float) for name in ("mat", "map", "p_pet", "clay"))
    by_rule = np.minimum(rain / (HOLDRIDGE * np.clip(mat, 1.0, 30.0)), BOUNDS["p_pet"].upper)
    aridity = np.where(np.isnan(aridity), by_rule, aridity)
    clay = np.where(np.isnan(clay), CLAY, clay)
    enters, above = carbon_input(mat, rain, profiles["land_use"].to_numpy() == "crop")
    batch = _columns(grid)(mat, rain, aridity, clay, enters, above)
    kinds, of_profile = np.unique(biomes(profiles), return_inverse=True)
    shares = np.stack([_roots(grid, str(kind)) for kind in kinds])
    return batch._replace(root_share=jnp.asarray(shares[of_profile]))


def refused(profiles: pd.DataFrame) -> list[str]:
    """For each profile why no forcing can be made of it, or "": no temperature, a number out of bounds."""
    reasons = [""] * len(profiles)
    for column, name in {"mat": "mat", "map": "map_mm", "p_pet": "p_pet", "clay": "clay"}.items():
        bound, values = BOUNDS[name], profiles[column].to_numpy(float)
        lacking = np.isnan(values) & (column in NEEDED)
        outside = (values < bound.lower) | (values > bound.upper)
        for row in np.flatnonzero(lacking | outside):
            here = (
                f"{column} is missing" if lacking[row] else f"{column} {values[row]:g} {bound.unit}".rstrip()
            )
            limits = "" if lacking[row] else f": expected {bound.lower:g} to {bound.upper:g}, {bound.fix}"
            reasons[row] = reasons[row] or here + limits
    return reasons


def carbon_input(
    mat: Float[np.ndarray, " profile"],
    rain: Float[np.ndarray, " profile"],
    crop: Bool[np.ndarray, " profile"],
) -> tuple[Float[np.ndarray, " profile"], Float[np.ndarray, " profile"]]:
    """Carbon that enters the soil (kg m-2 yr-1), and its share above ground, by the Miami model.

        NPP = min(3000 / (1 + exp(1.315 - 0.119 T)), 3000 (1 - exp(-0.000664 P)))    g dry matter m-2 yr-1

    mat T: degree C; rain P: mm yr-1 (Lieth 1975, in Lieth & Whittaker, Primary Productivity of the Biosphere,
    237-263). Times the carbon of dry matter, 0.47; half of it above ground; a crop loses 0.45 of that half
    to the harvest. At rest all of it enters the soil.

    >>> enters, above = carbon_input(np.full(2, 25.0), np.full(2, 1000.0), np.array([False, True]))
    >>> enters.round(3).tolist(), above.round(3).tolist()
    ([0.684, 0.53], [0.5, 0.355])
    """
    warmth = 3000.0 / (1.0 + np.exp(1.315 - 0.119 * mat))
    wetness = 3000.0 * -np.expm1(-0.000664 * rain)
    growth = 0.001 * DRY_MATTER_CARBON * np.minimum(warmth, wetness)
    litter = ABOVE * np.where(crop, 1.0 - HARVEST_INDEX, 1.0)
    enters = litter + 1.0 - ABOVE
    return growth * enters, litter / enters


def biomes(profiles: pd.DataFrame) -> np.ndarray:
    """Biome (`subsoil.roots.ROOT_BETA`) of each profile: by land use, temperature and, in the tropics, P/PET.

    Crops are crops; grassland is savanna from 18 degree C, else temperate; forest is tropical from 18 degree
    C, evergreen where P/PET reaches 1 and else deciduous, boreal below 3, temperate deciduous between; tundra
    and shrubland (as sclerophyllous shrub) are their own. Other or unknown land use: the global mean.

    >>> land = ["crop", "forest", "grassland"]
    >>> biomes(pd.DataFrame({"land_use": land, "mat": [9.0, 25.0, 9.0], "p_pet": 1.2})).tolist()
    ['crops', 'tropical evergreen forest', 'temperate grassland']
    """
    land, mat = profiles["land_use"].to_numpy(), profiles["mat"].to_numpy(float)
    humid = profiles["p_pet"].to_numpy(float) >= 1.0
    grass, forest, warm = land == "grassland", land == "forest", mat >= WARM
    rules = {
        "crops": land == "crop",
        "tropical grassland savanna": grass & warm,
        "temperate grassland": grass,
        "tropical evergreen forest": forest & warm & humid,
        "tropical deciduous forest": forest & warm,
        "boreal forest": forest & (mat < BOREAL),
        "temperate deciduous forest": forest,
        "tundra": land == "tundra",
        "sclerophyllous shrub": land == "shrubland",
    }
    return np.select(list(rules.values()), list(rules), default="global")


@lru_cache(maxsize=64)
def _columns(grid: DepthGrid) -> Any:
    def column(mat: Array, rain: Array, aridity: Array, clay: Array, npp: Array, above: Array) -> Forcing:
        return site_forcing(
            grid,
            mat=mat,
            map_mm=rain,
            p_pet=aridity,
            clay=clay,
            sand=0.5 * (1.0 - clay),
            npp=npp,
            above=above,
        )

    return jax.jit(jax.vmap(column))


@lru_cache(maxsize=512)
def _roots(grid: DepthGrid, biome: str) -> Float[np.ndarray, " layer"]:
    return np.asarray(biome_root_share(grid, biome))
