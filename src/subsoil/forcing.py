"""Climate, texture and litter of one soil column, layer by layer: all that a model may look at.

A field of a steady forcing has the shape below; a seasonal one has a leading axis of 12 months on every
field (`seasonal`), and a batch of columns has its axis before that: [column, month, layer] (`stack`). Models
get one month of one column at a time and never see these axes. `site_forcing` makes a column of what is known
of a site, and runs under jit, vmap and grad.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.bounds import BOUNDS, MONTHLY, Bound, checked, known
from subsoil.depth import DepthGrid, overlap
from subsoil.errors import BadCall
from subsoil.roots import biome_root_share, exponential_share, surface_share
from subsoil.water import BARE_SHARE, ROTHC_DEPTH, retention, rothc_max_deficit, rothc_yearly_deficit, wetness

MM_PER_M = 1000.0
MONTHS = 12
FIELD_CAPACITY, WILTING_POINT = -0.033, -1.5
"""Matric potentials by the usual convention, MPa."""
HOLDRIDGE = 58.93
"""Potential evapotranspiration, mm yr-1 per degree C between 0 and 30 (Holdridge 1967, Life Zone Ecology)."""


class Forcing(NamedTuple):
    """One column. Depth profiles are [layer]; the rest are numbers.

    temperature: soil, degree C. saturation: water over pore volume, 0-1. oxygen: availability, 0-1 (1: no
    lack). clay, sand: mass fraction of the fine earth. bulk_density: kg m-3. ph: in water.
    precipitation, potential_evaporation: m yr-1 (of the month, at yearly rate). moisture_deficit: accumulated
    topsoil deficit of RothC, mm over 23 cm, 0 or negative. thaw_depth: greatest depth of thaw, m, infinite
    without frost in summer.
    litter, roots: carbon from above and below ground, kg C m-2 yr-1. litter_share, root_share: where it
    enters, sums to 1. wood: share of litter that is wood. lignin: mass fraction of litter.
    lignin_to_nitrogen: of litter, g/g. cover: 1 under plants, 0 bare.
    """

    temperature: Float[Array, " layer"]
    saturation: Float[Array, " layer"]
    oxygen: Float[Array, " layer"]
    clay: Float[Array, " layer"]
    sand: Float[Array, " layer"]
    bulk_density: Float[Array, " layer"]
    ph: Float[Array, " layer"]
    precipitation: Float[Array, ""]
    potential_evaporation: Float[Array, ""]
    moisture_deficit: Float[Array, ""]
    thaw_depth: Float[Array, ""]
    litter: Float[Array, ""]
    roots: Float[Array, ""]
    litter_share: Float[Array, " layer"]
    root_share: Float[Array, " layer"]
    wood: Float[Array, ""]
    lignin: Float[Array, ""]
    lignin_to_nitrogen: Float[Array, ""]
    cover: Float[Array, ""]


def site_forcing(
    grid: DepthGrid,
    *,
    mat: ArrayLike,
    map_mm: ArrayLike,
    pet_mm: ArrayLike | None = None,
    p_pet: ArrayLike | None = None,
    clay: ArrayLike = 0.2,
    sand: ArrayLike = 0.4,
    bulk_density: ArrayLike = 1300.0,
    ph: ArrayLike = 6.5,
    npp: ArrayLike = 0.43,
    above: ArrayLike = 0.5,
    biome: str = "global",
    roots: str = "biomass",
    litter_e_folding: ArrayLike | None = 0.1,
    wood: ArrayLike = 0.0,
    lignin: ArrayLike = 0.2,
    lignin_to_nitrogen: ArrayLike = 20.0,
    saturation: ArrayLike | None = None,
    moisture_deficit: ArrayLike | None = None,
    oxygen: ArrayLike = 1.0,
    thaw_depth: ArrayLike = np.inf,
    cover: ArrayLike = 1.0,
) -> Forcing:
    """A steady column from what is known of a site; what is not known has the default of the signature.

    mat: mean annual temperature, degree C; soil at all depths. map_mm: precipitation, mm yr-1. pet_mm:
    potential evapotranspiration, mm yr-1, or p_pet: P/PET; without either 58.93 mm for each degree of mat
    between 0 and 30 (Holdridge 1967, from the year's mean rather than each month's). npp: carbon that enters
    the soil, kg m-2 yr-1 (56.4 Pg over land without ice: Field et al. 1998, Science 281:237). above: share of
    it above ground. biome, roots: `biome_root_share`. litter_e_folding: m, of litter mixed into the soil
    (CLM: 0.1), None: all into the first layer. No input enters below thaw_depth (m), as in CLM.

    One number, or one a layer: clay, sand (fractions), bulk_density (kg m-3), ph, oxygen (1: no lack) and
    saturation. A saturation not measured is wilting point + `wetness` (field capacity - wilting point), by
    texture (`retention`), at all depths. A moisture_deficit of RothC (mm, 0 or negative) not given is
    (1 - `wetness`) of the greatest one. wood: share of litter; lignin (0.2: the daily CENTURY of Millennial)
    and lignin_to_nitrogen: of litter. cover: 1 under plants, 0 bare.

    Assumptions without a source: texture of a loam, its density and pH, above, wood, lignin_to_nitrogen, and
    both rules of water.

    Raises BadCall for a value out of `BOUNDS` or missing, sand and clay above 1 together, a wrong number of
    layers, an unknown biome.

    >>> column = site_forcing(DepthGrid.from_cm([0, 10, 30, 100]), mat=10, map_mm=800, p_pet=1.1, clay=0.25)
    >>> column.saturation.round(2).tolist(), float(column.root_share.sum().round(12))
    ([0.6, 0.6, 0.6], 1.0)
    """
    if pet_mm is not None and p_pet is not None:
        raise BadCall("give pet_mm or p_pet, not both: one follows from the other and map_mm")
    layered = {"clay": clay, "sand": sand, "bulk_density": bulk_density, "ph": ph, "oxygen": oxygen}
    single = {
        "mat": mat,
        "map_mm": map_mm,
        "pet_mm": pet_mm,
        "p_pet": p_pet,
        "npp": npp,
        "above": above,
        "litter_e_folding": litter_e_folding,
        "wood": wood,
        "lignin": lignin,
        "lignin_to_nitrogen": lignin_to_nitrogen,
        "moisture_deficit": moisture_deficit,
        "thaw_depth": thaw_depth,
        "cover": cover,
    }
    profiles = _shaped(layered | {"saturation": saturation}, (len(grid),))
    texture = (profiles["clay"], profiles["sand"])
    if known(texture) and (most := np.add(*texture).max()) > 1.0 + 1e-6:
        raise BadCall(f"clay and sand are at most 1 together, got {most:g}: is silt counted as sand?")
    return _column(grid, biome, roots, profiles, _shaped(single, ()))


@partial(jax.jit, static_argnums=(0, 1, 2))  # one compilation a grid, rather than one for each operation
def _column(
    grid: DepthGrid, biome: str, roots: str, profiles: dict[str, Array], site: dict[str, Array]
) -> Forcing:
    clay, sand = profiles["clay"], profiles["sand"]
    rain = site["map_mm"] / MM_PER_M
    if "p_pet" in site:
        potential = rain / site["p_pet"]
    else:
        potential = site.get("pet_mm", HOLDRIDGE * jnp.clip(site["mat"], 0.0, 30.0)) / MM_PER_M
    wet, soil = wetness(rain, potential), retention(sand, clay)
    dry, moist = soil.saturation(WILTING_POINT), soil.saturation(FIELD_CAPACITY)
    driest = jnp.where(site["cover"] > 0.5, 1.0, BARE_SHARE) * rothc_max_deficit(_topsoil(grid, clay))
    deficit = jnp.maximum(driest, (1.0 - wet) * rothc_max_deficit(_topsoil(grid, clay)))
    thaw = site["thaw_depth"]
    if "litter_e_folding" in site:
        litter_share = exponential_share(grid, site["litter_e_folding"], thaw)
    else:
        litter_share = surface_share(grid)
    return Forcing(
        temperature=jnp.broadcast_to(site["mat"], len(grid)),
        saturation=profiles.get("saturation", dry + wet * (moist - dry)),
        oxygen=profiles["oxygen"],
        clay=clay,
        sand=sand,
        bulk_density=profiles["bulk_density"],
        ph=profiles["ph"],
        precipitation=rain,
        potential_evaporation=potential,
        moisture_deficit=site.get("moisture_deficit", deficit),
        thaw_depth=thaw,
        litter=site["npp"] * site["above"],
        roots=site["npp"] * (1.0 - site["above"]),
        litter_share=litter_share,
        root_share=biome_root_share(grid, biome, roots, thaw),
        wood=site["wood"],
        lignin=site["lignin"],
        lignin_to_nitrogen=site["lignin_to_nitrogen"],
        cover=site["cover"],
    )


def damping_depth(thermal_diffusivity: ArrayLike) -> Float[Array, ""]:
    """Depth over which the yearly wave of temperature falls by e, m: d = sqrt(kappa P / pi), P = 1 yr.

    thermal_diffusivity kappa: m2 yr-1.

    >>> damping_depth(15.8).round(2).tolist()
    2.24
    """
    return jnp.sqrt(checked("thermal_diffusivity", thermal_diffusivity) / jnp.pi)


def seasonal(
    forcing: Forcing,
    grid: DepthGrid,
    *,
    amplitude: ArrayLike = 0.0,
    warmest_month: ArrayLike = 7.0,
    thermal_diffusivity: ArrayLike = 15.8,
    rain_mm: ArrayLike | None = None,
    pet_mm: ArrayLike | None = None,
    cover: ArrayLike | None = None,
    saturation: ArrayLike | None = None,
) -> Forcing:
    """Twelve months of a steady column: every field gets a leading axis of 12, January first.

        T(z, t) = T(z) + A exp(-z / d) cos(2 pi (t - t_w) - z / d)

    at the middle of each month t and at the nodes z of the grid: the wave in a uniform soil, which lags as it
    falls (Hillel 1982, Introduction to Soil Physics). amplitude A: half of warmest less coldest at the
    surface, degree C. warmest_month: of the surface, t_w (7: north, 1: south). thermal_diffusivity: m2 yr-1;
    15.8 is 5e-7 m2 s-1, an assumption that stands for a moist mineral soil. d: `damping_depth`.

    rain_mm, pet_mm: mm of each month, adding up to the year of ``forcing`` within 1 %; without them a twelfth
    of it. cover: 1 or 0 for each month. saturation: [12] or [12, layer]; without it that of ``forcing``.
    Given months of rain, evaporation or cover, RothC's moisture deficit is the yearly cycle that its monthly
    balance comes to; else that of ``forcing``. Raises BadCall for a value out of `BOUNDS` or not 12 months.

    >>> grid = DepthGrid.from_cm([0, 10, 100])
    >>> year = seasonal(site_forcing(grid, mat=8, map_mm=700), grid, amplitude=10)
    >>> year.temperature.max(axis=0).round().tolist()
    [18.0, 16.0]
    """
    wave = _shaped(
        {"amplitude": amplitude, "warmest_month": warmest_month, "thermal_diffusivity": thermal_diffusivity},
        (),
    )
    months = _shaped({"rain_mm": rain_mm, "pet_mm": pet_mm, "cover": cover}, (MONTHS,), MONTHLY)
    for name, yearly in (("rain_mm", forcing.precipitation), ("pet_mm", forcing.potential_evaporation)):
        if name in months and known(months[name], yearly):
            total, year = float(months[name].sum()), MM_PER_M * float(yearly)
            if abs(total - year) > 0.01 * year:
                raise BadCall(
                    f"{name}: the months add up to {total:.0f} mm, the year of the site is {year:.0f} mm:"
                    " make the site from the sum of the months, or scale them"
                )
    if saturation is not None:
        water = jnp.asarray(saturation)
        months |= _shaped({"saturation": water[:, None] if water.ndim == 1 else water}, (MONTHS, len(grid)))
    return _year(grid, forcing, wave, months)


@partial(jax.jit, static_argnums=0)
def _year(grid: DepthGrid, forcing: Forcing, wave: dict[str, Array], months: dict[str, Array]) -> Forcing:
    fall = jnp.maximum(grid.node, 0.0) / damping_depth(wave["thermal_diffusivity"])
    since_warmest = (jnp.arange(1, MONTHS + 1) - wave["warmest_month"]) / MONTHS
    swing = jnp.exp(-fall) * jnp.cos(2.0 * jnp.pi * since_warmest[:, None] - fall)
    year = jax.tree.map(lambda field: jnp.broadcast_to(field, (MONTHS, *field.shape)), forcing)
    rain = months.get("rain_mm", year.precipitation * MM_PER_M / MONTHS)
    potential = months.get("pet_mm", year.potential_evaporation * MM_PER_M / MONTHS)
    cover, deficit = months.get("cover", year.cover), year.moisture_deficit
    if months.keys() & MONTHLY.keys():
        deficit = rothc_yearly_deficit(rain, potential, _topsoil(grid, forcing.clay), cover)
    return year._replace(
        temperature=forcing.temperature + wave["amplitude"] * swing,
        saturation=months.get("saturation", year.saturation),
        precipitation=rain * MONTHS / MM_PER_M,
        potential_evaporation=potential * MONTHS / MM_PER_M,
        cover=cover,
        moisture_deficit=deficit,
    )


def stack(columns: Sequence[Forcing]) -> Forcing:
    """Columns of one grid as one batch, its axis first: [column, layer] or [column, month, layer].

    Raises BadCall for no column, or for columns of different grids or seasons.
    """
    shapes = {jax.tree.map(jnp.shape, column) for column in columns}
    if len(shapes) != 1:
        raise BadCall(f"columns of one batch have one grid and one season, got {len(shapes)} kinds of them")
    return jax.tree.map(lambda *field: jnp.stack(field), *columns)


def _topsoil(grid: DepthGrid, values: Array) -> Array:
    """Mean over RothC's topsoil; the first layer's value where the grid has none of it."""
    weight = overlap(grid, DepthGrid.from_cm([0.0, ROTHC_DEPTH]))[0]
    return values @ (weight / weight.sum()) if weight.sum() > 0.0 else values[0]


def _shaped(
    values: Mapping[str, ArrayLike | None], shape: tuple[int, ...], bounds: Mapping[str, Bound] = BOUNDS
) -> dict[str, Array]:
    """The values that are given, checked, and each of this shape: one number stands for all of it."""
    arrays = {name: checked(name, value, bounds) for name, value in values.items() if value is not None}
    for name, array in arrays.items():
        try:
            arrays[name] = jnp.broadcast_to(array, shape)
        except ValueError as wrong:
            wanted = (
                f"one number or an array of shape {shape}" if shape else "one number: stack makes a batch"
            )
            raise BadCall(f"{name} is {wanted}; got shape {array.shape}") from wrong
    return arrays
