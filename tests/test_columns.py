"""A labelled column says what the arrays say: values, units, depths; isotopes obey mixing and decay."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from subsoil import atomic, columns
from subsoil.archive import atmosphere
from subsoil.archive.atmosphere import History
from subsoil.constants import R_PDB, RADIOCARBON_DECAY
from subsoil.equilibrium import at_rest
from subsoil.errors import BadCall, MissingData
from subsoil.forcing import Forcing, seasonal, site_forcing, stack
from subsoil.isotopes import fraction_modern
from subsoil.models.catalogue import model as published
from subsoil.signature import Plants, age_bins, entering13, entering14
from subsoil.tracers import delta13

ONE = published("onepool")
K = ONE.values["k"]
YEARS = [0.0, 10.0, 50.0, 1000.0]
SAMPLED = 2019.0


def site(mat: float = 12.0, npp: float = 0.4) -> Forcing:
    return site_forcing(ONE.grid, mat=mat, map_mm=900, npp=npp)


def history(years: list[float], values: list[float], unit: str) -> History:
    return History(np.array(years), np.array(values), np.full(len(years), np.nan), unit)


def steps(change: float, before: float, after: float, unit: str) -> History:
    """A record that jumps in the year ``change``."""
    years = [-60000.0, change - 1e-6, change + 1e-6, 2030.0]
    return history(years, [before, before, after, after], unit)


@pytest.fixture
def air(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Records of the atmosphere that a test sets: F14C, delta13C, CO2; those not set are missing."""

    def known(f14c: History | None = None, delta: History | None = None, co2: History | None = None) -> None:
        def radiocarbon(zone: str, **_: object) -> History:
            if f14c is None:
                raise MissingData("The data set intcal20 is missing: x.\nThe data set hua2022 is missing: y.")
            return f14c

        def annual(name: str, **_: object) -> History:
            found = {"delta13c_permil": delta, "co2_ppm": co2}[name]
            if found is None:
                raise MissingData("The data set belmecheri2020 is missing: z.")
            return found

        monkeypatch.setattr(atmosphere, "radiocarbon", radiocarbon)
        monkeypatch.setattr(atmosphere, "annual", annual)

    return known


def steady_air(delta14c: float = 0.0) -> History:
    """F14C of an atmosphere whose Delta14C never changes."""
    years = np.concatenate([np.linspace(-60000.0, 1900.0, 6001), np.linspace(1901.0, 2030.0, 500)])
    return History(years, fraction_modern(delta14c, years), np.full(years.size, np.nan), "F14C")


CO2 = history([0.0, 2030.0], [280.0, 280.0], "ppm")


@pytest.fixture(scope="module")
def found() -> xr.Dataset:
    """One pool without isotopes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBSOIL_DATA", "")
        patch.setattr("subsoil.archive.registry.cache_folder", lambda: Path("/nonexistent"))
        return columns.run(ONE, site(), years=YEARS)


def test_label_is_that_of_the_arrays() -> None:
    f_new = columns.label(ONE, site(), YEARS)
    rest = at_rest(ONE, site())
    np.testing.assert_array_equal(f_new.values, np.asarray(rest.label(YEARS)))
    assert f_new.dims == ("sdepth", "labelling_years")
    np.testing.assert_array_equal(f_new["layer_top"], ONE.grid.top)
    np.testing.assert_array_equal(f_new["layer_bottom"], ONE.grid.bottom)
    assert f_new.attrs["units"] == "1"
    assert f_new.attrs["error"] == pytest.approx(float(rest.label_error(YEARS)), abs=1e-12)
    assert f_new["outcome"].item() == "converged"


def test_label_rises_from_nothing_within_0_and_1(found: xr.Dataset) -> None:
    f_new = found["fNewSoilLevels"].values
    np.testing.assert_allclose(f_new[:, 0], 0.0, atol=1e-15)
    assert (np.diff(f_new, axis=1) > 0.0).all()
    assert f_new.max() <= 1.0 + 1e-9
    np.testing.assert_allclose(f_new, columns.label(ONE, site(), YEARS), atol=1e-12)


def test_stocks_and_respiration_add_up(found: xr.Dataset) -> None:
    npp = (found["forcing_litter"] + found["forcing_roots"]).item()
    assert found["cSoil"].item() == pytest.approx(npp / K)
    assert found["cSoilLevels"].sum().item() == pytest.approx(npp / K)
    assert found["cSoilPools"].sum().item() == pytest.approx(npp / K)
    assert found["cSoilPoolsLevels"].sum().item() == pytest.approx(npp / K)
    assert found["rhSoil"].item() * 365.25 * 86400 == pytest.approx(npp)
    assert found["rhSoilLevels"].sum().item() == pytest.approx(found["rhSoil"].item())


def test_ages_of_one_rate_are_exponential(found: xr.Dataset) -> None:
    expected = -np.log(1.0 - found["quantile"].values) / K
    for name in ("ageSoil", "transitTime"):
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)
    for name in ("meanAgeSoil", "meanTransitTime"):
        assert found[name].item() == pytest.approx(1.0 / K)
    np.testing.assert_allclose(found["ageRhSoilLevels"], found["ageSoilLevels"], rtol=1e-6)
    assert found["ageSoilLevels"].dims == ("quantile", "sdepth")
    assert (np.diff(found["ageSoilLevels"], axis=0) > 0.0).all()


def test_every_variable_has_units_and_depth_has_bounds(found: xr.Dataset) -> None:
    for name, variable in found.variables.items():
        if variable.dtype.kind == "f" and name != "sdepth_bnds":
            assert "units" in variable.attrs, name
    depth, bounds = found["sdepth"], found["sdepth_bnds"].values
    assert (depth.attrs["positive"], depth.attrs["units"], depth.attrs["axis"]) == ("down", "m", "Z")
    assert depth.attrs["bounds"] == "sdepth_bnds"
    np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
    assert ((bounds[:, 0] < depth) & (depth < bounds[:, 1])).all()
    assert found["cSoilLevels"].attrs["standard_name"] == "soil_mass_content_of_carbon"
    assert found.attrs["unverified_parameters"] == "k"
    assert '"k": 0.02' in found.attrs["parameters"]


def test_netcdf_keeps_values_units_and_names(air: Callable[..., None], tmp_path: Path) -> None:
    air(steady_air(), history([0.0, 2030.0], [-6.5, -8.5], "permil"), CO2)
    model = published("icbm")
    forcing = site_forcing(model.grid, mat=12, map_mm=900)
    before = columns.run(model, seasonal(forcing, model.grid, amplitude=8), years=[50.0])
    atomic.write_bytes(tmp_path / "a.nc", bytes(before.to_netcdf(engine="scipy")))
    with xr.open_dataset(tmp_path / "a.nc") as after:
        xr.testing.assert_equal(before, after.load())
        assert after["soilpools"].values.tolist() == ["young", "old"]
        assert after["forcing_temperature"].dims == ("month", "sdepth")
        for name in before.variables:
            assert before[name].attrs.items() <= after[name].attrs.items() | {("bounds", "sdepth_bnds")}
        assert before.attrs == after.attrs


def test_14c_without_change_of_the_air_is_decay(air: Callable[..., None]) -> None:
    air(steady_air())
    held = columns.run(ONE, site(), years=[50.0])
    ratio = (held["c14SoilLevels"].sum() / held["cSoilLevels"].sum()).item()
    assert ratio == pytest.approx(K / (K + RADIOCARBON_DECAY), abs=2e-7)
    by_layer = 1000.0 * (held["c14SoilLevels"] / held["cSoilLevels"] - 1.0)
    np.testing.assert_allclose(held["Delta14C"], by_layer)


def test_13c_of_steady_air_is_that_of_the_plants(air: Callable[..., None]) -> None:
    air(delta=history([0.0, 2030.0], [-6.5, -6.5], "permil"), co2=CO2)
    held = columns.run(ONE, site(), years=[50.0])
    np.testing.assert_allclose(held["delta13C"], (-6.5 - 20.22) / 1.02022, atol=1e-6)
    ratio = R_PDB * (1.0 + held["delta13C"] / 1000.0)
    np.testing.assert_allclose(held["c13SoilLevels"], held["cSoilLevels"] * ratio / (1.0 + ratio), rtol=1e-9)


def test_a_step_of_13c_is_a_label(air: Callable[..., None]) -> None:
    """Two-source mixing of the isotope gives back the new carbon of the label: one operator for both."""
    air(delta=steps(SAMPLED - 50.0, -6.5, -26.5, "permil"), co2=CO2)
    held = columns.run(ONE, site(), years=[50.0])
    content = (held["c13SoilLevels"] / held["cSoilLevels"]).values
    ends = []
    for value in (-6.5, -26.5):
        air(delta=history([0.0, 2030.0], [value, value], "permil"), co2=CO2)
        end = columns.run(ONE, site(), years=[50.0])
        ends.append((end["c13SoilLevels"] / end["cSoilLevels"]).values)
    mixed = (content - ends[0]) / (ends[1] - ends[0])
    np.testing.assert_allclose(mixed, held["fNewSoilLevels"][:, 0], atol=2e-6)


def test_c4_plants_and_co2_change_what_enters() -> None:
    years = np.arange(0.0, 2031.0).tolist()
    rising = history(years, np.interp(years, [1900.0, 2030.0], [280.0, 420.0]).tolist(), "ppm")
    delta = history([0.0, 2030.0], [-8.0, -8.0], "permil")

    def entering(plants: Plants) -> np.ndarray:
        return np.asarray(delta13(entering13(delta, rising, SAMPLED, plants)))

    def schubert_jahren(ppm: float) -> float:
        return 28.26 * 0.22 * (ppm + 23.9) / (28.26 + 0.22 * (ppm + 23.9))

    c3, c4 = entering(Plants()), entering(Plants(c4_share=1.0))
    np.testing.assert_allclose(c4, (-8.0 - 4.4) / 1.0044, atol=1e-9)
    mixed = entering(Plants(c4_share=0.25))
    np.testing.assert_allclose(mixed, 0.75 * c3 + 0.25 * c4, atol=1e-3)
    with_co2 = entering(Plants(co2_effect=True))
    assert with_co2[0] == pytest.approx(c3[0], abs=1e-3)  # the level is that of the year of sampling
    less = schubert_jahren(280.0) - schubert_jahren(float(rising.at(SAMPLED)))
    old = 20.22 + less
    assert with_co2[-1] == pytest.approx((-8.0 - old) / (1.0 + old / 1000.0), abs=1e-9)
    with pytest.raises(BadCall, match=r"c4_share lies between 0 and 1, got 50"):
        Plants(c4_share=50.0)


def test_what_entered_is_the_mean_of_its_years() -> None:
    """Linear in time, the record's mean over a bin is its value in the middle of the bin."""
    line = history([-60000.0, 2030.0], [-20.0, 0.0], "permil")
    content = entering13(line, CO2, SAMPLED, Plants(ci_ca=0.0))
    middle = SAMPLED - 0.5 * (age_bins()[1:] + age_bins()[:-1])
    wanted = (line.at(middle) - 4.4) / 1.0044
    np.testing.assert_allclose(np.asarray(delta13(content))[:-1], wanted, atol=2e-3)
    bomb = entering14(steady_air(150.0), SAMPLED)
    np.testing.assert_allclose(bomb, 1.15, rtol=1e-5)


def test_batch_is_a_loop_and_a_bad_column_a_row(
    monkeypatch: pytest.MonkeyPatch, air: Callable[..., None]
) -> None:
    monkeypatch.setattr(columns, "CHUNK", 2)
    air(steady_air(), history([0.0, 2030.0], [-6.5, -8.5], "permil"), CO2)
    forcings = [site(npp=0.3), site(npp=0.4), site(npp=0.5), site(npp=0.6)]
    bad = forcings[1]._replace(litter=jnp.asarray(-0.1))
    gap = forcings[2]._replace(temperature=forcings[2].temperature.at[4].set(jnp.nan))
    many = columns.run(ONE, stack([forcings[0], bad, gap, forcings[3]]), batch=True, years=YEARS)
    assert many["outcome"].values.tolist() == ["converged", "refused", "refused", "converged"]
    assert "inputs of pool 'carbon'" in many["reason"].values[1]
    assert many["reason"].values[2] == "temperature of the forcing is missing"
    for i in (0, 3):
        one = columns.run(ONE, forcings[i], years=YEARS)
        for name in columns.VARIABLES:
            np.testing.assert_allclose(many[name][i], one[name], rtol=1e-8, atol=1e-12, err_msg=name)
    for name in columns.VARIABLES:
        assert np.isnan(many[name][1:3]).all(), name


def test_columns_that_differ_in_a_parameter(air: Callable[..., None]) -> None:
    air()
    rates = np.array([0.01, 0.05])
    model = replace(ONE, values={**ONE.values, "k": rates})
    found = columns.run(model, stack([site(), site()]), batch=True, years=[50.0])
    np.testing.assert_allclose(found["meanAgeSoil"], 1.0 / rates)
    np.testing.assert_array_equal(found["parameter_k"], rates)
    assert '"k"' not in found.attrs["parameters"]


def test_each_column_has_the_air_of_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        atmosphere, "radiocarbon", lambda zone, **_: steady_air({"NH1": 0.0, "SH12": 100.0}[zone])
    )
    forcing = stack([site(), site(), site()])
    found = columns.run(ONE, forcing, batch=True, years=[50.0], latitude=[52.0, -35.0, 48.0])
    assert found["zone"].values.tolist() == ["NH1", "SH12", "NH1"]
    np.testing.assert_allclose(found["c14SoilLevels"][1], 1.1 * found["c14SoilLevels"][0], rtol=1e-5)
    np.testing.assert_array_equal(found["c14SoilLevels"][2], found["c14SoilLevels"][0])


def test_isotopes_are_left_out_with_the_reason(air: Callable[..., None]) -> None:
    air()
    found = columns.run(ONE, site(), years=[50.0])
    assert not {"Delta14C", "c14SoilLevels", "delta13C", "c13SoilLevels"} & set(found)
    assert "subsoil fetch intcal20 hua2022" in found.attrs["14C_left_out"]
    assert "SUBSOIL_DATA" in found.attrs["13C_left_out"]
    air(steady_air())
    assert "forecast=True" in columns.run(ONE, site(), years=[50.0], year=2031.0).attrs["14C_left_out"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"years": [-1.0]}, "zero or positive"),
        ({"latitude": [10.0, 20.0]}, "one number or one a column"),
        ({"latitude": 95.0}, "-90 to 90"),
        ({"refused": ["", ""]}, "one reason"),
        ({"refused": ["no soil"]}, "no soil"),
        ({"fractionation": {"slow->co2": 1.0}, "year": 2000.0}, "no flux 'slow->co2'"),
    ],
)
def test_bad_calls(air: Callable[..., None], options: dict, words: str) -> None:
    air(delta=history([0.0, 2030.0], [-6.5, -6.5], "permil"), co2=CO2)
    with pytest.raises(BadCall, match=words):
        columns.run(ONE, site(), **options)


def test_one_column_that_has_no_state_raises() -> None:
    with pytest.raises(BadCall, match="the forcing has 10 layers"):
        columns.label(ONE, jax.tree.map(lambda field: field[:10] if field.ndim else field, site()), [10])
    with pytest.raises(BadCall, match="inputs of pool"):
        columns.run(ONE, site()._replace(litter=jnp.asarray(-1.0)))


@pytest.mark.data
def test_bomb_carbon_of_one_pool(data_dir: Path) -> None:
    """Column total: the integral of k exp(-(k + decay) a) (1 + Delta/1000) over age a, by trapezoids."""
    found = columns.run(ONE, site(), years=[50.0], data=data_dir, latitude=52.0)
    curve = atmosphere.to_delta14c(atmosphere.radiocarbon("NH1", data=data_dir, download=False))
    age = np.concatenate([np.arange(0.0, 400.0, 0.02), np.arange(400.0, 20000.0, 1.0)])
    entered = 1.0 + curve.at(SAMPLED - age) / 1000.0
    expected = np.trapezoid(K * np.exp(-(K + RADIOCARBON_DECAY) * age) * entered, age)
    total = (found["c14SoilLevels"].sum() / found["cSoilLevels"].sum()).item()
    assert total == pytest.approx(expected, abs=2e-5)
    assert "hua2022" in found.attrs["atmosphere_14C_NH1"]
    assert "ci/ca 0.7" in found.attrs["plants"]
    assert (found["delta13C"] < -25.0).all()
