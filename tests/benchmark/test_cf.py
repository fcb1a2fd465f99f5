"""The reference as CF NetCDF: nothing lost, tied as CF ties it, the same bytes; maps by hand."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from subsoil.benchmark.cells import write_cells
from subsoil.benchmark.cf import VARIABLES, write_cf
from subsoil.benchmark.protocol import build, depth_class
from subsoil.benchmark.reference import PROFILES, VALUES, Prediction, Reference
from subsoil.errors import BadCall

# Target, profile, top, bottom, years, year of sampling, observed, sigma. A and B share a cell.
ROWS = [
    ("f_new", "B", 0, 10, 80, 2001, 0.8, 0.04),
    ("f_new", "A", 5, 10, 20, 1999, 0.4, 0.03),
    ("f_new", "A", 0, 5, 20, 1999, 0.6, 0.01),
    ("stock_share", "A", 0, 5, 20, 1999, 0.7, 0.1),
    ("stock_share", "A", 5, 10, 20, 1999, 0.3, 0.1),
    ("f_new", "A", 120, 300, 20, 1999, -0.01, 0.02),
    ("f_new", "C", 10, 30, 20, 1985, 0.25, 0.05),
    ("f_new", "C", 10, 30, 20, 1985, 0.25, 0.06),
    ("delta14c", "C", 20, 20, np.nan, np.nan, -140.0, 5.0),
    ("isochrone", "", 30, 30, 100, np.nan, 0.4, 0.02),
    ("isochrone", "", 0, 0, 100, np.nan, 0.7, 0.02),
]
PLACES = {"A": (10.2, -60.7), "B": (10.8, -60.1), "C": (90.0, 180.0), "D": (np.nan, np.nan)}


def reference(rows=ROWS) -> Reference:
    columns = ["target", "profile_id", "layer_top", "layer_bottom", "years", "obs_year", "observed", "sigma"]
    values = pd.DataFrame(rows, columns=columns).assign(site_id="s")
    values["depth_class"] = depth_class(values["layer_top"], values["layer_bottom"])
    profiles = pd.DataFrame({"profile_id": list(PLACES)}).reindex(columns=list(PROFILES))
    profiles[["latitude", "longitude"]] = list(PLACES.values())
    words = {"site_id": "s", "study_id": "Müller 1990", "archive": "test", "land_use": "crop", "doubts": ""}
    profiles = profiles.assign(**words, tropical=False).fillna({"obs_year": 1999.0, "mat": 20.0})
    return Reference(values[[*VALUES]], profiles, "1.0", ({"name": "made up", "sha256": "0" * 64},))


def read(path: Path) -> xr.Dataset:
    with xr.open_dataset(path) as file:
        return file.load()


def rows_of(file: xr.Dataset) -> pd.DataFrame:
    """The values of a file, by what CF says of a contiguous ragged array."""
    sample = file["row_size"].attrs["sample_dimension"]
    profile = np.repeat(file["profile_id"].values, file["row_size"].values)
    top, bottom = 100 * file["depth_bnds"].transpose(sample, "nv").values.T
    parts = []
    for target, (name, *_) in VARIABLES.items():
        part = pd.DataFrame(
            {"target": target, "profile_id": profile, "layer_top": top, "layer_bottom": bottom}
        )
        for column in ("years", "obs_year"):
            part[column] = file[column].values
        part["observed"] = file[name].values
        part["sigma"] = file[file[name].attrs["ancillary_variables"]].values
        parts.append(part.dropna(subset="observed"))
    isochrones = {
        "layer_top": 100 * file["isochrone_depth"].values,
        "layer_bottom": 100 * file["isochrone_depth"].values,
        "years": file["isochrone_age"].values,
        "observed": file["isochrone"].values,
        "sigma": file["isochrone_error"].values,
    }
    parts.append(pd.DataFrame(isochrones).assign(target="isochrone", profile_id="", obs_year=np.nan))
    return pd.concat(parts)


def same_rows(file: xr.Dataset, expected: Reference) -> None:
    got = rows_of(file)
    numbers = got.columns.drop(["target", "profile_id"])
    tables = [
        t[got.columns]
        .astype(dict.fromkeys(numbers, float))
        .round(9)
        .sort_values([*got])
        .reset_index(drop=True)
        for t in (got, expected.values)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_no_value_is_lost(tmp_path: Path) -> None:
    file = read(write_cf(reference(), tmp_path / "r.nc"))
    same_rows(file, reference())
    assert file.sizes["profile"] == 4, "a profile without values is still a profile"
    assert file["study_id"].values[0] == "Müller 1990"


def test_the_file_is_a_ragged_array_of_profiles(tmp_path: Path) -> None:
    file = read(write_cf(reference(), tmp_path / "r.nc"))
    assert file.attrs["Conventions"] == "CF-1.8"
    assert file.attrs["featureType"] == "profile"
    assert file["profile_id"].attrs["cf_role"] == "profile_id"
    assert int(file["row_size"].sum()) == file.sizes["obs"]
    assert file["time"].dt.year.values[0] == 1999
    depth = file["depth"]
    assert (depth.attrs["units"], depth.attrs["positive"], depth.attrs["axis"]) == ("m", "down", "Z")
    bounds = file[depth.encoding.get("bounds") or depth.attrs["bounds"]]
    np.testing.assert_allclose(bounds.mean("nv"), depth)
    for name, units, _ in VARIABLES.values():
        error = file[file[name].attrs["ancillary_variables"]]
        assert error.dims == file[name].dims == ("obs",)
        assert error.attrs["units"] == file[name].attrs["units"] == units
        assert file[name].encoding["coordinates"] == "time latitude longitude depth"
    assert '"made up"' in file.attrs["sources"]


def test_the_same_reference_gives_the_same_bytes(tmp_path: Path) -> None:
    def content(what: Reference) -> tuple[bytes, ...]:
        return (
            write_cf(what, tmp_path / "r.nc").read_bytes(),
            write_cells(what, tmp_path / "c.nc", degrees=10).read_bytes(),
        )

    first = reference()
    order = np.random.default_rng(0).permutation(len(ROWS))
    moved = replace(first, values=first.values.iloc[order], profiles=first.profiles.iloc[::-1])
    assert content(first) == content(reference()) == content(moved)
    changed = reference([*ROWS[:1], (*ROWS[1][:6], 0.41, 0.03), *ROWS[2:]])
    tracking = [read(write_cf(r, tmp_path / "r.nc")).attrs["tracking_id"] for r in (first, changed)]
    assert tracking[0] != tracking[1]


def test_means_of_cells_by_hand(tmp_path: Path) -> None:
    file = read(write_cells(reference(), tmp_path / "c.nc"))
    field, error, samples = (file[n] for n in ("fNewSoilLevels", "fNewSoilLevels_error", "samples"))
    assert field.dims == ("time", "depth", "lat", "lon")
    assert field.attrs["ancillary_variables"] == "fNewSoilLevels_error"
    assert int(samples.sum()) == 6
    top = {"depth": 0.05, "lat": 10.5, "lon": -60.5}
    assert field.sel(top).item() == pytest.approx((0.8 + 0.4 + 0.6) / 3)
    assert error.sel(top).item() == pytest.approx(np.sqrt(0.04**2 + 0.02**2) / 2)
    assert field.isel(depth=-1).sel(lat=10.5, lon=-60.5).item() == pytest.approx(-0.01)
    assert file["depth_bnds"].values[-1].tolist() == [1.0, 3.0]
    pole = {"depth": 0.2, "lat": 89.5, "lon": -179.5}
    assert (field.sel(pole).item(), error.sel(pole).item()) == pytest.approx((0.25, 0.055))
    assert int(np.isfinite(field).sum()) == int((samples > 0).sum()) == 3
    years = file["time_bnds"].dt.year.values[0].tolist()
    assert years == [1985, 2002]


def test_labelling_times_are_chosen(tmp_path: Path) -> None:
    file = read(write_cells(reference(), tmp_path / "c.nc", years=(20, 80)))
    assert int(file["samples"].sum()) == 1
    assert file["fNewSoilLevels"].sel(depth=0.05, lat=10.5, lon=-60.5).item() == 0.8


def test_a_model_is_asked_about_the_same_samples(tmp_path: Path) -> None:
    truth = reference()
    observed = truth.values["observed"].to_numpy(float)
    itself = read(write_cells(truth, tmp_path / "m.nc", Prediction("m", "M", observed[None])))
    data = read(write_cells(truth, tmp_path / "c.nc"))
    np.testing.assert_allclose(itself["fNewSoilLevels"], data["fNewSoilLevels"], rtol=1e-14)
    assert "fNewSoilLevels_error" not in itself
    assert "ancillary_variables" not in itself["fNewSoilLevels"].attrs
    assert (itself.attrs["source_id"], itself.attrs["source_type"]) == ("m", "model")


def test_an_open_answer_leaves_its_cell_open_and_draws_have_a_spread(tmp_path: Path) -> None:
    truth = reference()
    observed = truth.values["observed"].to_numpy(float)
    answers = np.stack([observed - 0.1, observed + 0.1])
    answers[:, 1] = np.nan
    file = read(write_cells(truth, tmp_path / "m.nc", Prediction("m", "M", answers)))
    assert int(np.isfinite(file["fNewSoilLevels"]).sum()) == 2
    pole = {"depth": 0.2, "lat": 89.5, "lon": -179.5}
    assert file["fNewSoilLevels"].sel(pole).item() == pytest.approx(0.25)
    assert file["fNewSoilLevels_error"].sel(pole).item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"target": "isochrone"}, "a map holds"),
        ({"degrees": 7.0}, "divisor of 180"),
        ({"degrees": 0.0}, "divisor of 180"),
        ({"years": (500, 600)}, "no value of f_new"),
        ({"prediction": Prediction("m", "M", np.zeros((1, 3)))}, "answers 3 values"),
    ],
)
def test_bad_calls_say_why(arguments: dict, word: str, tmp_path: Path) -> None:
    with pytest.raises(BadCall, match=word):
        write_cells(reference(), tmp_path / "c.nc", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.data
def test_the_workbook_is_kept_whole(workbook: Path, tmp_path: Path) -> None:
    from subsoil.archive.readers import read as read_archive

    real = build(read_archive(workbook))
    same_rows(read(write_cf(real, tmp_path / "r.nc")), real)
    file = read(write_cells(real, tmp_path / "c.nc"))
    assert int(file["samples"].sum()) == len(real.rows("f_new"))


@pytest.mark.data
def test_the_example_writes_its_maps(workbook: Path, tmp_path: Path) -> None:
    """examples/ilamb3/maps.py; what ilamb3 then makes of a map is in tests/golden/test_ilamb3.py."""
    examples = Path(__file__).parents[2] / "examples/ilamb3"
    runpy.run_path(str(examples / "maps.py"))["main"](tmp_path, ["icbm"])
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.nc")} == {
        "profiles.nc", "reference.nc", "models/icbm.nc",
    }  # fmt: skip
    data, model = read(tmp_path / "reference.nc"), read(tmp_path / "models/icbm.nc")
    name = data.attrs["variable_id"]
    assert f'VARIABLE = "{name}"' in (examples / "compare.py").read_text("utf-8")
    shallow = data["depth_bnds"].isel(nv=1) <= 1.0
    both = [np.isfinite(file[name]).where(shallow, drop=True) for file in (data, model)]
    np.testing.assert_array_equal(*both)
    assert np.abs(model[name] - data[name]).mean() < 0.3
