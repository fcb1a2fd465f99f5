"""Builders of a forcing: shares sum to 1, the yearly wave damps as it should, mistakes of units raise."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.bounds import BOUNDS
from subsoil.constants import CM_PER_M
from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.forcing import Forcing, damping_depth, seasonal, site_forcing, stack
from subsoil.roots import ROOT_BETA, ROOT_PRODUCTION_EFOLDING, biome_root_share, exponential_share, root_share
from subsoil.variables import variable
from subsoil.water import retention, rothc_deficit, wetness

GRID = DepthGrid.from_cm([0, 5, 15, 30, 60, 100])
FINE = DepthGrid.from_cm([0, 2, 5, 10, 15, 20, 30, 45, 60, 80, 100])
RAIN = np.array([70, 60, 60, 50, 60, 60, 55, 60, 60, 75, 80, 80.0])
KINDS = ("biomass", "production")
PET = np.array([15, 20, 40, 60, 90, 105, 110, 95, 60, 35, 20, 15.0])


def site(**given):
    return site_forcing(GRID, **{"mat": 9.0, "map_mm": RAIN.sum(), "pet_mm": PET.sum(), **given})


# ---- where carbon enters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("roots", KINDS)
@pytest.mark.parametrize("biome", ROOT_BETA)
def test_shares_sum_to_one_and_a_coarse_grid_gets_the_sums_of_a_fine_one(biome, roots):
    coarse, fine = (np.asarray(biome_root_share(grid, biome, roots)) for grid in (GRID, FINE))
    layer = np.searchsorted(GRID.bottom, FINE.centre)
    assert coarse.sum() == pytest.approx(1.0, abs=1e-15)
    assert (coarse > 0).all()
    np.testing.assert_allclose(np.bincount(layer, fine), coarse, rtol=1e-12)


def test_root_share_is_jackson_s():
    """Share between d1 and d2 is beta^d1 - beta^d2, over 1 - beta^d_max, in cm."""
    beta, d = 0.966, GRID.boundaries * CM_PER_M
    expected = (beta ** d[:-1] - beta ** d[1:]) / (1 - beta ** d[-1])
    np.testing.assert_allclose(root_share(GRID, beta), expected, rtol=1e-12)
    # Jackson et al. 1996: of all roots of the globe half lie in the upper 20 cm
    assert float(root_share(DepthGrid.from_cm([0, 20, 1000]), 0.966)[0]) == pytest.approx(0.5, abs=0.005)


def test_roots_are_made_above_where_they_are_but_in_temperate_grassland():
    assert ROOT_BETA.keys() == ROOT_PRODUCTION_EFOLDING.keys()
    top = {(b, kind): float(biome_root_share(GRID, b, kind)[0]) for b in ROOT_BETA for kind in KINDS}
    assert {b for b in ROOT_BETA if top[b, "production"] < top[b, "biomass"]} == {"temperate grassland"}


def test_shares_of_very_deep_and_very_thin_grids():
    deep = exponential_share(DepthGrid.from_cm([0, 10, 1000, 100000]), 0.001)
    assert np.isfinite(deep).all()
    assert float(deep.sum()) == pytest.approx(1.0, abs=1e-15)
    thin = exponential_share(DepthGrid.from_cm(np.linspace(0, 1e-3, 5)), 100.0)
    np.testing.assert_allclose(thin, 0.25, rtol=1e-6)


def test_nothing_enters_below_the_thaw_depth():
    frozen = site(thaw_depth=0.2)
    for share in (frozen.root_share, frozen.litter_share):
        assert float(share.sum()) == pytest.approx(1.0, abs=1e-15)
        np.testing.assert_array_equal(share[3:], 0.0)
        assert float(share[2]) > 0.0
    np.testing.assert_array_equal(site(thaw_depth=0.0).root_share, [1, 0, 0, 0, 0])


def test_litter_may_stay_on_the_first_layer():
    np.testing.assert_array_equal(site(litter_e_folding=None).litter_share, [1, 0, 0, 0, 0])


# ---- water ------------------------------------------------------------------------------------------------


def test_wetness_is_dry_in_a_desert_and_wet_in_the_rain():
    ratio = np.array([0.0, 1e-6, 0.05, 0.5, 1.0, 5.0, 1e6])
    w = np.asarray(wetness(ratio, 1.0))
    assert w[0] == 0.0
    assert (np.diff(w) > 0).all()
    assert w[-1] == pytest.approx(1.0)
    # evaporation w PET is neither above the rain nor above what can evaporate
    assert (w <= np.minimum(ratio, 1.0)).all()
    assert np.isfinite(jax.grad(wetness, argnums=(0, 1))(0.0, 0.0)).all()
    assert float(wetness(1.0, 0.0)) == 1.0


def test_saturation_lies_between_wilting_point_and_field_capacity_of_the_texture():
    for sand, clay in [(0.9, 0.03), (0.4, 0.2), (0.1, 0.6)]:
        low, high = (float(retention(sand, clay).saturation(psi)) for psi in (-1.5, -0.033))
        dry, wet = (float(site(p_pet=r, pet_mm=None, sand=sand, clay=clay).saturation[0]) for r in (0.01, 15))
        assert low < dry < low + 0.02
        assert high - 0.02 < wet < high <= 1.0


def test_measured_water_overrides_the_rule():
    given = site(saturation=[0.3, 0.4, 0.5, 0.6, 0.7], moisture_deficit=-12.0)
    np.testing.assert_array_equal(given.saturation, [0.3, 0.4, 0.5, 0.6, 0.7])
    assert float(given.moisture_deficit) == -12.0


# ---- a site -----------------------------------------------------------------------------------------------


def test_units_of_the_core_and_one_source_of_evaporation():
    plain = site(npp=0.6, above=0.25)
    assert float(plain.precipitation) == pytest.approx(RAIN.sum() / 1000)
    assert float(plain.potential_evaporation) == pytest.approx(PET.sum() / 1000)
    assert float(plain.litter) == pytest.approx(0.15)
    assert float(plain.litter + plain.roots) == pytest.approx(0.6)
    assert float(plain.potential_evaporation) == pytest.approx(
        float(site(pet_mm=None, p_pet=RAIN.sum() / PET.sum()).potential_evaporation)
    )
    assert float(site(pet_mm=None).potential_evaporation) == pytest.approx(9 * 0.05893)
    for name, field in plain._asdict().items():
        assert field.dtype == np.float64, name
        assert np.isfinite(field).all() or name == "thaw_depth"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"mat": 282.15}, "kelvin"),
        ({"map_mm": 0.77}, "m x 1000 is mm"),
        ({"pet_mm": 0.665}, "m x 1000 is mm"),
        ({"clay": 25.0}, "per cent / 100"),
        ({"clay": [0.2, 0.2, 0.2, 0.2, 25.0]}, "got 25"),
        ({"sand": 40.0}, "per cent / 100"),
        ({"bulk_density": 1.3}, "g cm-3 x 1000"),
        ({"npp": 500.0}, "g m-2 / 1000"),
        ({"thaw_depth": 80.0}, "cm / 100"),
        ({"litter_e_folding": 1000.0}, "cm / 100"),
        ({"saturation": 45.0}, "porosity"),
        ({"moisture_deficit": 20.0}, "negative"),
        ({"ph": 0.0}, "ph lies between 1 and 12"),
        ({"mat": np.nan}, "mat lies between"),
        ({"mat": "cold"}, "is a number"),
        ({"clay": 0.7, "sand": 0.7}, "at most 1 together"),
        ({"clay": [0.2, 0.3]}, "clay is one number or an array of shape (5,); got shape (2,)"),
        ({"mat": [9.0, 10.0]}, "one number: stack makes a batch"),
        ({"p_pet": 1.2}, "not both"),
        ({"biome": "forest"}, "temperate deciduous forest"),
        ({"roots": "mass"}, "'biomass' or 'production'"),
    ],
)
def test_mistakes_raise_and_say_what_is_usual(given, says):
    with pytest.raises(BadCall) as raised:
        site(**given)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("name", "column", "scale"),
    [
        ("mat", "pro_MAT", 1.0),
        ("map_mm", "pro_MAP", 1.0),
        ("pet_mm", "pro_PET", 1.0),
        ("p_pet", "pro_P_PET", 1.0),
        ("clay", "pro_clay", 0.01),
        ("sand", "lyr_sand_tot_psa", 0.01),
        ("bulk_density", "lyr_bd_tot", 1000.0),
        ("ph", "lyr_ph_h2o", 1.0),
        ("npp", "pro_NPP", 0.001),
    ],
)
def test_bounds_lie_within_those_of_the_archive(name, column, scale):
    row = variable(column)
    assert BOUNDS[name].upper == pytest.approx(scale * row.upper)
    assert BOUNDS[name].lower >= scale * row.lower


def test_every_argument_with_a_number_has_a_bound():
    numbers = set(inspect.signature(site_forcing).parameters) - {"grid", "biome", "roots"}
    assert numbers <= BOUNDS.keys()


def test_a_batch_of_traced_sites_is_each_site():
    mat, rain, clay = jnp.array([[-5.0, 9.0, 25.0], [300.0, 800.0, 2000.0], [0.1, 0.2, 0.5]])

    def column(t, p, c):
        steady = site_forcing(GRID, mat=t, map_mm=p, p_pet=1.1, clay=c, sand=0.3)
        return seasonal(steady, GRID, amplitude=8.0, rain_mm=p / RAIN.sum() * RAIN)

    batch = jax.jit(jax.vmap(column))(mat, rain, clay)
    assert batch.temperature.shape == (3, 12, 5)
    alone = column(mat[1], rain[1], clay[1])
    for name, field in batch._asdict().items():
        np.testing.assert_allclose(field[1], getattr(alone, name), rtol=1e-12, atol=1e-12, err_msg=name)


def test_gradients_of_the_whole_builder_are_finite():
    def total(values):
        mat, rain, clay, amplitude = values
        column = seasonal(site_forcing(GRID, mat=mat, map_mm=rain, clay=clay), GRID, amplitude=amplitude)
        return sum(jnp.sum(jnp.where(jnp.isfinite(field), field, 0.0)) for field in column)

    slopes = np.asarray(jax.jit(jax.grad(total))(jnp.array([9.0, 700.0, 0.2, 10.0])))
    assert np.isfinite(slopes).all()
    assert (slopes[:3] != 0).all()


# ---- the year ---------------------------------------------------------------------------------------------


def test_the_mean_of_the_wave_is_the_mean_temperature():
    year = seasonal(site(), GRID, amplitude=12.0)
    np.testing.assert_allclose(year.temperature.mean(axis=0), 9.0, rtol=1e-13)
    assert all(np.shape(field)[0] == 12 for field in year)


def test_the_wave_falls_by_e_at_the_damping_depth_and_lags_by_its_share_of_the_year():
    """Amplitude and phase from the first harmonic of the months, at a node on the damping depth."""
    d = float(damping_depth(15.8))
    grid = DepthGrid(np.array([0.0, 0.1, 2 * d - 0.1, 2 * d]))
    year = seasonal(site_forcing(grid, mat=9.0, map_mm=700), grid, amplitude=12.0)
    t = np.arange(12) + 0.5
    harmonic = np.exp(-2j * np.pi * t / 12) @ np.asarray(year.temperature) / 6
    np.testing.assert_allclose(np.abs(harmonic), 12 * np.exp(-grid.node / d), rtol=1e-12)
    assert np.abs(harmonic[1]) == pytest.approx(12 / np.e)
    july = 2 * np.pi * 6.5 / 12
    np.testing.assert_allclose(np.angle(harmonic * np.exp(1j * july)), -grid.node / d, rtol=1e-10)


def test_the_damping_depth_is_near_two_metres():
    """Textbooks put the yearly damping depth of mineral soils at about 2 m."""
    assert 1.5 < float(damping_depth(15.8)) < 3.0
    assert float(damping_depth(4 * 5.0)) == pytest.approx(2 * float(damping_depth(5.0)))


def test_the_south_is_half_a_year_off():
    north, south = (seasonal(site(), GRID, amplitude=12.0, warmest_month=m).temperature for m in (7, 1))
    np.testing.assert_allclose(south, jnp.roll(north, 6, axis=0), rtol=1e-12)
    assert int(north[:, 0].argmax()) == 6


def test_months_of_rain_average_to_the_year():
    year = seasonal(site(), GRID, rain_mm=RAIN, pet_mm=PET)
    assert float(year.precipitation.mean()) == pytest.approx(RAIN.sum() / 1000)
    assert float(year.potential_evaporation.mean()) == pytest.approx(PET.sum() / 1000)
    assert float(year.litter.mean() + year.roots.mean()) == pytest.approx(0.43)
    even = seasonal(site(), GRID)
    np.testing.assert_allclose(even.precipitation, RAIN.sum() / 1000, rtol=1e-12)


def test_the_moisture_deficit_is_the_periodic_one():
    year = seasonal(site(clay=0.234), GRID, rain_mm=RAIN, pet_mm=PET)
    again = rothc_deficit(RAIN, PET / 0.75, 0.234, start=year.moisture_deficit[-1])
    np.testing.assert_allclose(again, year.moisture_deficit, atol=1e-10)
    assert float(year.moisture_deficit.min()) < -40.0
    assert float(year.moisture_deficit.max()) == 0.0


def test_a_bare_summer_dries_less():
    cover = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1.0])
    bare = seasonal(site(), GRID, rain_mm=RAIN, pet_mm=PET, cover=cover)
    green = seasonal(site(), GRID, rain_mm=RAIN, pet_mm=PET)
    np.testing.assert_array_equal(bare.cover, cover)
    assert float(bare.moisture_deficit.min()) > float(green.moisture_deficit.min())
    steady_bare, steady_green = (float(site(map_mm=100, cover=c).moisture_deficit) for c in (0.0, 1.0))
    assert steady_green < steady_bare < 0.0


def test_clay_of_the_deficit_is_that_of_the_topsoil():
    """0-23 cm: subsoil clay does not enter, the layer from 15 to 30 cm enters with 8 of its 15 cm."""
    mean = (0.2 * 15 + 0.4 * 8) / 23
    layered, plain = site(clay=[0.2, 0.2, 0.4, 0.6, 0.6]), site(clay=mean)
    assert float(layered.moisture_deficit) == pytest.approx(float(plain.moisture_deficit), rel=1e-12)
    deep = DepthGrid.from_cm([50, 60, 80])
    assert np.isfinite(site_forcing(deep, mat=9, map_mm=700, clay=[0.1, 0.3]).moisture_deficit)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"rain_mm": RAIN / 1000}, "the months add up to 1 mm"),
        ({"rain_mm": RAIN[:11]}, "shape (12,); got shape (11,)"),
        ({"saturation": np.ones((5, 12))}, "shape (12, 5); got shape (5, 12)"),
        ({"pet_mm": 2 * PET}, "make the site from the sum of the months"),
        ({"amplitude": 50.0}, "amplitude"),
        ({"thermal_diffusivity": 5e-7}, "3.156e7"),
        ({"warmest_month": 13}, "January is 1"),
        ({"saturation": np.full(12, 30.0)}, "per cent / 100"),
    ],
)
def test_mistakes_in_months_raise(given, says):
    with pytest.raises(BadCall) as raised:
        seasonal(site(), GRID, **given)
    assert says in str(raised.value)


def test_saturation_by_month_or_by_month_and_layer():
    months = np.linspace(0.2, 0.8, 12)
    by_month = seasonal(site(), GRID, saturation=months).saturation
    np.testing.assert_array_equal(by_month, np.repeat(months[:, None], 5, axis=1))
    layered = np.outer(months, np.linspace(0.5, 1.0, 5))
    np.testing.assert_array_equal(seasonal(site(), GRID, saturation=layered).saturation, layered)


# ---- a batch ----------------------------------------------------------------------------------------------


def test_a_stack_puts_the_column_first():
    years = [seasonal(site(mat=t), GRID, amplitude=5.0) for t in (5.0, 10.0, 15.0)]
    batch = stack(years)
    assert isinstance(batch, Forcing)
    assert batch.temperature.shape == (3, 12, 5)
    assert batch.precipitation.shape == (3, 12)
    np.testing.assert_array_equal(batch.temperature[1], years[1].temperature)
    assert stack([site(), site()]).temperature.shape == (2, 5)


def test_columns_that_do_not_fit_are_not_stacked():
    for columns in ([], [site(), seasonal(site(), GRID)], [site(), site_forcing(FINE, mat=9, map_mm=700)]):
        with pytest.raises(BadCall, match="one grid and one season"):
            stack(columns)
