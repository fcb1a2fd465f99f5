"""Forcing from a file: units, depths and gaps are what the file says, or an error that says what to mend."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall, UnreadableFile
from subsoil.forcing import site_forcing
from subsoil.sites import read_sites

GRID = DepthGrid.from_cm([0, 10, 30, 100])
BOUNDS = np.array([[0.0, 0.1], [0.1, 0.3], [0.3, 1.0]])
SECONDS = 365.25 * 86400
COS = np.cos(2.0 * np.pi * (np.arange(1, 13) - 7) / 12.0)


def axis(bounds: np.ndarray = BOUNDS, unit: str = "m", **attrs: str) -> dict[str, Any]:
    scale = {"m": 1.0, "cm": 100.0}[unit]
    middle = bounds.mean(axis=1) * scale
    return {
        "coords": {"sdepth": ("sdepth", middle, {"units": unit, "bounds": "sdepth_bnds", **attrs})},
        "bounds": (("sdepth", "bnds"), bounds * scale),
    }


def file(folder: Path, depth: dict[str, Any] | None = None, **variables: Any) -> Path:
    """A NetCDF file: variables as (dims, values, units or None)."""
    depth = depth or axis()
    content = {
        name: (dims, np.asarray(values, dtype=float), {} if unit is None else {"units": unit})
        for name, (dims, values, unit) in variables.items()
    }
    if depth["bounds"] is not None:
        content["sdepth_bnds"] = depth["bounds"]
    path = folder / "forcing.nc"
    xr.Dataset(content, coords=depth["coords"]).to_netcdf(path, engine="scipy")
    return path


MAT, RAIN = ((), 12.0, "degC"), ((), 900.0, "mm yr-1")


def test_values_in_any_unit_are_those_of_site_forcing(tmp_path: Path) -> None:
    """K and degC, kg m-2 s-1 and mm, cm and m, per cent and fractions: one forcing."""
    clay = np.array([20.0, 25.0, 30.0])
    path = file(
        tmp_path,
        axis(unit="cm", positive="down"),
        tsl=((), 285.15, "K"),
        pr=((), 900.0 / SECONDS, "kg m-2 s-1"),
        clay=(("sdepth",), clay, "%"),
        bulk_density=((), 1.4, "g cm-3"),
        npp=((), 0.5 / SECONDS, "kg C m-2 s-1"),
        evspsblpot=((), 700.0, "mm year-1"),
    )
    found = read_sites(path, GRID)
    expected = site_forcing(GRID, mat=12, map_mm=900, pet_mm=700, clay=clay / 100, bulk_density=1400, npp=0.5)
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(getattr(found.forcing, name)[0], values, rtol=1e-12, err_msg=name)
    assert found.refused == ("",)
    assert "sand" in found.assumed
    assert not {"clay", "litter", "temperature", "potential_evaporation"} & set(found.assumed)


def test_months_and_maps_become_columns(tmp_path: Path) -> None:
    swing = 10.0 + COS[:, None] * np.array([8.0, 5.0, 1.0])
    rain = np.linspace(30.0, 140.0, 12)
    path = file(
        tmp_path,
        {
            "coords": axis()["coords"] | {"lat": [50.0, -10.0], "lon": [5.0, 6.0, 7.0]},
            "bounds": axis()["bounds"],
        },
        tsl=(("time", "sdepth"), 273.15 + swing, "K"),
        pr=(("time", "lat", "lon"), np.broadcast_to(rain[:, None, None], (12, 2, 3)), "mm month-1"),
        ph=(("lat", "lon"), [[4, 5, 6], [7, 8, 9]], None),
    )
    found = read_sites(path, GRID)
    assert np.shape(found.forcing.temperature) == (6, 12, 3)
    np.testing.assert_allclose(found.forcing.temperature[4], swing, rtol=1e-12)
    np.testing.assert_allclose(found.forcing.precipitation[2], rain * 12e-3, rtol=1e-12)
    np.testing.assert_array_equal(found.forcing.ph[:, 0, 0], [4, 5, 6, 7, 8, 9])
    assert found.latitude.tolist() == [50, 50, 50, -10, -10, -10]
    assert found.places["lon"][0].tolist() == [5, 6, 7, 5, 6, 7]


def test_layers_are_averaged_and_the_deepest_value_goes_on(tmp_path: Path) -> None:
    bounds = np.array([[0.0, 0.05], [0.05, 0.2], [0.2, 0.6]])
    path = file(tmp_path, axis(bounds), mat=MAT, map=RAIN, clay=(("sdepth",), [0.1, 0.2, np.nan], "1"))
    clay = read_sites(path, GRID).forcing.clay[0]
    np.testing.assert_allclose(clay, [0.15, 0.2, 0.2])


def test_water_of_layers_becomes_saturation(tmp_path: Path) -> None:
    depth = {"mat": MAT, "map": RAIN, "bulk_density": ((), 1325.0, "kg m-3")}
    path = file(tmp_path, **depth, mrsol=(("sdepth",), [25.0, 100.0, 70.0], "kg m-2"))
    np.testing.assert_allclose(read_sites(path, GRID).forcing.saturation[0], [0.5, 1.0, 0.2])
    path = file(tmp_path, **depth, mrsol=(("sdepth",), [150.0, 350.0, 900.0], "kg m-2"))
    with pytest.raises(BadCall, match="summed from the surface"):
        read_sites(path, GRID)


def test_a_column_with_a_gap_or_a_wrong_value_is_refused_alone(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        mat=(("site",), [12.0, np.nan, 12.0, 12.0, 12.0], "degC"),
        map_mm=(("site",), [900.0, 900.0, 2.0, 900.0, 900.0], "mm yr-1"),
        clay=(("site",), [0.2, 0.2, 0.2, 0.7, 0.2], "1"),
        sand=(("site",), [0.2, 0.2, 0.2, 0.7, 0.2], "1"),
        cover=(("site",), [1.0, 1.0, 1.0, 1.0, 3.0], None),
    )
    found = read_sites(path, GRID)
    words = (
        "",
        "temperature is missing",
        "map_mm lies between 15",
        "clay and sand together",
        "cover lies between",
    )
    for refused, beginning in zip(found.refused, words, strict=True):
        assert refused.startswith(beginning)
        assert bool(refused) == bool(beginning)
    kept = np.isfinite(found.forcing.temperature).all(axis=1)
    assert kept.tolist() == [True, False, False, False, False]


def test_what_is_known_beside_the_file(tmp_path: Path) -> None:
    path = file(tmp_path, mat=MAT)
    found = read_sites(path, GRID, map_mm=900.0, biome="crops", p_pet=1.2)
    expected = site_forcing(GRID, mat=12, map_mm=900, biome="crops", p_pet=1.2)
    np.testing.assert_allclose(found.forcing.root_share[0], expected.root_share)
    assert "potential_evaporation" not in found.assumed
    with pytest.raises(BadCall, match="leave out mat"):
        read_sites(path, GRID, map_mm=900.0, mat=3.0)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"map": RAIN}, "has no temperature: name a variable temperature or tsl or mat"),
        ({"mat": MAT}, "has no precipitation"),
        ({"mat": ((), 12.0, None), "map": RAIN}, "mat has no units: add the attribute, one of 'degC', 'K'"),
        ({"mat": ((), 12.0, "degF"), "map": RAIN}, "mat is in 'degF': expected one of 'degC', 'K'"),
        ({"tsl": ((), 285.0, "degC"), "map": RAIN}, "got 285: kelvin - 273.15"),
        ({"tsl": ((), 12.0, "K"), "map": RAIN}, "temperature lies between"),
        ({"mat": MAT, "pr": ((), 900.0, "kg m-2 s-1")}, "are the units those of the values"),
        ({"mat": MAT, "pr": ((), 900.0 / SECONDS, "mm yr-1")}, "map_mm lies between"),
        ({"mat": MAT, "map": RAIN, "saturation": ((), 0.3, "m3 m-3")}, "saturation is in 'm3 m-3'"),
        ({"mat": MAT, "tsl": MAT, "map": RAIN}, "both give temperature"),
        ({"mat": MAT, "map": (("time",), np.ones(24), "mm yr-1")}, "24 steps: expected the 12 months"),
        ({"mat": MAT, "map": (("sdepth",), np.ones(3), "mm yr-1")}, "one value for the whole column"),
        ({"mat": MAT, "map": RAIN, "mrsol": ((), 100.0, "kg m-2")}, "mrsol has no depth axis"),
    ],
)  # fmt: skip
def test_variables_that_cannot_be_used(tmp_path: Path, variables: dict, words: str) -> None:
    with pytest.raises(BadCall) as error:
        read_sites(file(tmp_path, **variables), GRID)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        (axis(unit="m") | {"bounds": None}, "has no bounds"),
        (axis(BOUNDS * 300.0, unit="m"), "is it cm instead of m"),
        (axis(BOUNDS / 100.0, unit="m"), "or m instead of cm"),
        (axis(-BOUNDS, unit="m"), "counts upwards"),
        (axis(positive="up"), "counts upwards"),
        (axis(BOUNDS[::-1]), "must run from the surface down"),
        (axis(units="feet"), "expected units 'm' or 'cm'"),
    ],
)  # fmt: skip
def test_depths_that_cannot_be_used(tmp_path: Path, depth: dict, words: str) -> None:
    path = file(tmp_path, depth, mat=MAT, map=RAIN, clay=(("sdepth",), [0.1, 0.2, 0.3], "1"))
    with pytest.raises(BadCall) as error:
        read_sites(path, GRID)
    assert words in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="is not there"):
        read_sites(tmp_path / "none.nc", GRID)
    bad = tmp_path / "bad.nc"
    for content, words in (
        (b"text", "is no NetCDF file"),
        (b"", "is no NetCDF file"),
        (b"CDF\x01\x00", "damaged"),
    ):
        bad.write_bytes(content)
        with pytest.raises(UnreadableFile, match=words):
            read_sites(bad, GRID)
    bad.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(UnreadableFile, match="pip install h5netcdf"):
        read_sites(bad, GRID)
