"""One model gives one answer in whatever form it is handed in; what it does not say stays missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from subsoil import columns
from subsoil.benchmark import submission
from subsoil.benchmark.reference import AGES, PROFILES, VALUES, Prediction, Reference
from subsoil.benchmark.support import on_support, overlap_shares
from subsoil.equilibrium import Equilibrium, at_rest
from subsoil.errors import BadCall, UnreadableFile
from subsoil.forcing import Forcing, site_forcing, stack
from subsoil.models.catalogue import model as published

MODEL = published("elzein_balesdent")
TOP, BOTTOM = 100.0 * MODEL.grid.top, 100.0 * MODEL.grid.bottom
SAMPLES = [(0.0, 10.0), (10.0, 33.0), (40.0, 40.0), (60.0, 100.0), (80.0, 140.0)]
YEARS = {"p1": 12.0, "p2": 30.0, "p3": 200.0}
PLACES = {"p1": (48.0, 2.0), "p2": (-10.0, -179.8), "p3": (7.0, 100.0)}
SITES = ((8.0, 700.0), (22.0, 1500.0), (26.0, 2200.0))


def reference() -> Reference:
    rows = [
        {"target": target, "profile_id": name, "site_id": name, "layer_top": a, "layer_bottom": b,
         "years": years, "obs_year": 2003.5}
        for name, years in YEARS.items()
        for target in ("f_new", "stock_share", "delta14c")
        for a, b in SAMPLES
        if target != "stock_share" or b in (10.0, 33.0)
    ]  # fmt: skip
    rows += [{"target": "isochrone", "profile_id": "", "site_id": f"{z} cm", "layer_top": z,
              "layer_bottom": z, "years": a} for z in (0.0, 50.0) for a in (10.0, 100.0)]  # fmt: skip
    values = pd.DataFrame(rows).assign(observed=0.5, sigma=0.1, depth_class="").reindex(columns=VALUES)
    profiles = pd.DataFrame({"profile_id": list(YEARS), "labelling_years": list(YEARS.values())})
    profiles = profiles.assign(
        latitude=[PLACES[n][0] for n in YEARS], longitude=[PLACES[n][1] for n in YEARS],
        tropical=[False, True, True], doubts="",
    )  # fmt: skip
    return Reference(values, profiles.reindex(columns=PROFILES), "test")


REFERENCE = reference()
F_ROWS, STOCK_ROWS, OLD_ROWS = (REFERENCE.rows(t) for t in ("f_new", "stock_share", "isochrone"))


@pytest.fixture(scope="module")
def forcing() -> Forcing:
    return stack([site_forcing(MODEL.grid, mat=t, map_mm=p, npp=0.5) for t, p in SITES])


@pytest.fixture(scope="module")
def rest(forcing: Forcing) -> Equilibrium:
    return at_rest(MODEL, forcing, batch=True)


@pytest.fixture(scope="module")
def expected(rest: Equilibrium) -> np.ndarray:
    """The answer put together by hand from the model at rest."""
    stock = np.asarray(rest.carbon).sum(axis=-1)
    times = [*YEARS.values(), 10.0, 100.0]
    label = np.asarray(rest.label(times))
    values = REFERENCE.values
    found = np.full(len(values), np.nan)
    for i, name in enumerate(YEARS):
        own = values["profile_id"] == name
        share = overlap_shares(TOP, BOTTOM, values["layer_top"].to_numpy(), values["layer_bottom"].to_numpy())
        f = on_support(share, stock[i], label[i, :, i])
        found[F_ROWS] = np.where(own[F_ROWS], f[F_ROWS], found[F_ROWS])
        amount = np.where(own, share @ stock[i], 0.0)[STOCK_ROWS]
        found[STOCK_ROWS] = np.where(own[STOCK_ROWS], amount / amount.sum(), found[STOCK_ROWS])
    for row in OLD_ROWS:
        layer = int(np.searchsorted(BOTTOM, values["layer_top"][row], side="right"))
        when = times.index(float(values["years"][row]), 3)
        found[row] = label[1:, layer, when].mean()
    return found


@pytest.fixture(scope="module")
def ran(forcing: Forcing, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    years = sorted({*YEARS.values(), *AGES})
    return columns.run(MODEL, forcing, batch=True, years=years, data=tmp_path_factory.mktemp("no_data"))


def named(file: xr.Dataset) -> xr.Dataset:
    return file.assign(profile_id=("column", list(YEARS)))


def read(folder: Path, file: xr.Dataset) -> Prediction:
    path = folder / "mine.nc"
    file.to_netcdf(path, engine="scipy")
    return submission.read(path, REFERENCE)


def check(found: Prediction, expected: np.ndarray, atol: float = 1e-6) -> None:
    given = np.concatenate([F_ROWS, STOCK_ROWS, OLD_ROWS])
    np.testing.assert_allclose(found.values[0, given], expected[given], atol=atol)
    assert np.isnan(found.values[:, REFERENCE.rows("delta14c")]).all()


def test_the_hand_made_answer_says_something(expected: np.ndarray) -> None:
    known = expected[F_ROWS].reshape(3, 5)
    assert np.isnan(known[:, 4]).all()  # deeper than the model
    assert (np.diff(known[:, :4]) < 0).all()
    assert expected[STOCK_ROWS].reshape(3, 2).sum(axis=1) == pytest.approx(1.0)


def test_a_run_of_this_package_is_accepted_as_it_is(
    tmp_path: Path, ran: xr.Dataset, expected: np.ndarray
) -> None:
    found = read(tmp_path, named(ran))
    check(found, expected)
    assert found.failures == {}
    assert "3 values of f_new are missing, outside the layers given" in found.notes
    assert found.model == "mine"
    assert found.curves is not None
    np.testing.assert_allclose(found.curves.f_new, ran["fNewSoilLevels"].sel(labelling_years=list(AGES)))
    np.testing.assert_allclose(found.curves.soc_stock, ran["cSoilLevels"])
    np.testing.assert_allclose(found.curves.layer_bottom, BOTTOM)


def test_places_stand_for_names(tmp_path: Path, ran: xr.Dataset, expected: np.ndarray) -> None:
    placed = ran.assign(
        lat=("column", [p[0] for p in PLACES.values()]), lon=("column", [p[1] % 360 for p in PLACES.values()])
    )
    check(read(tmp_path, placed), expected)


def test_matrices_give_the_same(tmp_path: Path, rest: Equilibrium, expected: np.ndarray) -> None:
    flux = rest.fluxes
    lost = np.asarray(flux.down + flux.up)
    between = np.asarray(flux.flow) * (1 - np.eye(flux.flow.shape[-1]))
    rate = between.sum(axis=-2) + np.asarray(flux.respiration)
    v = np.zeros((3, len(MODEL.pools), len(TOP), len(TOP)))
    for layer in range(len(TOP)):
        v[:, :, layer, layer] = lost[:, layer]
        if layer:
            v[:, :, layer - 1, layer] = -np.asarray(flux.up)[:, layer]
            v[:, :, layer, layer - 1] = -np.asarray(flux.down)[:, layer - 1]
    file = xr.Dataset(
        {
            "K": (("profile", "layer", "pool"), rate / 365.25, {"units": "1/day"}),
            "A": (("profile", "layer", "pool_to", "pool"), between / rate[..., None, :]),
            "V": (("profile", "pool", "layer_to", "layer"), v, {"units": "yr-1"}),
            "u": (("profile", "layer", "pool"), 1e3 * np.asarray(flux.inputs), {"units": "gC m-2 yr-1"}),
            "layer_top": ("layer", TOP, {"units": "cm"}),
            "layer_bottom": ("layer", BOTTOM, {"units": "cm"}),
            "profile_id": ("profile", list(YEARS)),
        }
    )
    assert not np.asarray(flux.leaching).any()
    check(read(tmp_path, file), expected)


def test_history_files_tables_and_functions_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: xr.Dataset, expected: np.ndarray
) -> None:
    f_new, stock = ran["fNewSoilLevels"].values, ran["cSoilLevels"].values
    thick = 0.01 * (BOTTOM - TOP)
    density = np.broadcast_to(1e3 * stock / thick, (f_new.shape[-1], *stock.shape))
    dims, years = ("time", "lndgrid", "levsoi"), ran["labelling_years"].values
    history = xr.Dataset(
        {
            "SOILC_vr": (dims, density, {"units": "gC/m^3"}),
            "SOILC_vr_new": (dims, density * np.moveaxis(f_new, -1, 0), {"units": "gC/m^3"}),
            "DZSOI": (("levsoi", "lndgrid"), np.repeat(thick[:, None], 3, axis=1), {"units": "m"}),
            "lat": ("lndgrid", [p[0] for p in PLACES.values()]),
            "lon": ("lndgrid", [p[1] % 360 for p in PLACES.values()]),
        },
        {"levsoi": ("levsoi", MODEL.grid.node, {"units": "m"}),
         "time": ("time", 365.0 * years, {"units": "days since 1850-01-01", "calendar": "noleap"})},
        {"label_start": "1850-01-01"},
    )  # fmt: skip
    check(read(tmp_path, history), expected)

    rows = [
        (name, TOP[j], BOTTOM[j], t, f_new[i, j, k], stock[i, j])
        for i, name in enumerate(YEARS)
        for j in range(len(TOP))
        for k, t in enumerate(years)
    ]
    names = ["profile_id", "layer_top", "layer_bottom", "labelling_years", "f_new", "soc_stock"]
    pd.DataFrame(rows, columns=names).sample(frac=1, random_state=0).to_csv(tmp_path / "m.csv", index=False)
    check(submission.read(tmp_path / "m.csv", REFERENCE), expected)

    np.save(tmp_path / "answer.npy", expected)
    (tmp_path / "own_model_of_test.py").write_text(
        "import numpy as np\n\ndef soil(profiles, values):\n"
        "    assert 'observed' not in values and 'sigma' not in values\n"
        f"    return np.load({str(tmp_path / 'answer.npy')!r})\n"
    )
    monkeypatch.chdir(tmp_path)
    found = submission.read("own_model_of_test:soil", REFERENCE)
    assert (found.model, found.curves) == ("soil", None)
    np.testing.assert_array_equal(found.values[0], expected)


def test_quantiles_of_age_are_near(tmp_path: Path, ran: xr.Dataset, expected: np.ndarray) -> None:
    ages = named(ran[["ageSoilLevels", "cSoilLevels", "sdepth_bnds"]])
    found = read(tmp_path, ages).values[0, F_ROWS]
    both = np.isfinite(found)
    assert both.sum() >= 4  # others are older or younger than the outer quantiles
    np.testing.assert_allclose(found[both], expected[F_ROWS][both], atol=0.05)


def test_draws_are_kept_and_the_mean_takes_their_own_weights(tmp_path: Path, ran: xr.Dataset) -> None:
    one = named(ran[["fNewSoilLevels", "cSoilLevels", "sdepth_bnds"]])
    lone = read(tmp_path, one).values
    other = one.assign(fNewSoilLevels=0.5 * one["fNewSoilLevels"], cSoilLevels=one["cSoilLevels"][:, ::-1])
    apart = read(tmp_path, other).values
    units = {name: one[name].attrs for name in ("fNewSoilLevels", "cSoilLevels")}
    both = xr.concat([one, other], dim="draw", data_vars=["fNewSoilLevels", "cSoilLevels"])
    for name, attrs in units.items():
        both[name].attrs = attrs
    np.testing.assert_allclose(read(tmp_path, both).values, np.concatenate([lone, apart]), rtol=1e-12)


def test_what_is_missing_stays_missing_and_is_told(tmp_path: Path, ran: xr.Dataset) -> None:
    part = (
        named(ran[["fNewSoilLevels", "sdepth_bnds"]]).isel(column=[0, 1]).sel(labelling_years=[10, 30, 100])
    )
    part["fNewSoilLevels"][1] = np.nan
    found = read(tmp_path, part)
    f = found.values[0, F_ROWS].reshape(3, 5)
    assert np.isfinite(f[0, :4]).all()  # 12 yr lies between 10 and 30
    assert np.isnan(f[1:]).all()
    assert found.failures == {"p2": "no values in the file", "p3": "not in the file"}
    assert np.isnan(found.values[:, OLD_ROWS]).all()  # of two tropical profiles none answers
    assert any("by their thickness" in note for note in found.notes)
    late = named(ran[["fNewSoilLevels", "sdepth_bnds"]]).sel(labelling_years=[30, 100])
    assert "8 values of f_new are missing, at a labelling time or date outside" in " ".join(
        read(tmp_path, late).notes
    )


def test_a_gap_between_layers_leaves_samples_open(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"profile_id": "p1", "layer_top": [0, 20], "layer_bottom": [10, 33], "f_new": [0.5, 0.1]}
    )
    table.to_csv(tmp_path / "m.csv", index=False)
    found = submission.read(tmp_path / "m.csv", REFERENCE).values[0, F_ROWS]
    np.testing.assert_array_equal(found[:5], [0.5, np.nan, np.nan, np.nan, np.nan])


def test_radiocarbon_of_a_run_is_that_of_its_year(tmp_path: Path, ran: xr.Dataset) -> None:
    file = named(ran[["cSoilLevels", "sdepth_bnds"]])
    file["Delta14C"] = (
        ("column", "sdepth"),
        np.tile(np.linspace(50, -300, len(TOP)), (3, 1)),
        {"units": "1e-3"},
    )
    rows = REFERENCE.rows("delta14c")
    found = read(tmp_path, file.assign_attrs(sampling_year=2003.0)).values[0, rows].reshape(3, 5)
    share = overlap_shares(TOP, BOTTOM, np.array([0.0]), np.array([10.0]))
    by_hand = on_support(share, ran["cSoilLevels"].values[0], file["Delta14C"].values[0])
    np.testing.assert_allclose(found[0, 0], by_hand[0])
    assert np.isfinite(found[:, :4]).all()
    later = read(tmp_path, file.assign_attrs(sampling_year=2019.0))
    assert np.isnan(later.values[:, rows]).all()


def test_sources_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, words in (("none.nc", "not there"), ("none.csv", "not there"), ("model.py", "module:function")):
        with pytest.raises(UnreadableFile, match=words):
            submission.read(name, REFERENCE)
    (tmp_path / "text.nc").write_text("no")
    with pytest.raises(UnreadableFile, match="no NetCDF"):
        submission.read("text.nc", REFERENCE)
    (tmp_path / "five.nc").write_bytes(b"CDF\x05" + bytes(100))
    with pytest.raises(UnreadableFile, match="is CDF-5, and no library for it"):
        submission.read("five.nc", REFERENCE)
    with pytest.raises(UnreadableFile, match="is a folder"):
        submission.read(tmp_path, REFERENCE)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return values['nothing']", "failed: KeyError: 'nothing'"),
        ("return [0.5]", "returned shape (1,): expected [40]"),
        ("return 'high'", "returned str, expected an array of numbers"),
        ("return values[['years']]", "without a column f_new"),
        ("return values.assign(f_new=1.0).iloc[::-1]", "keep the index"),
    ],
)
def test_functions_that_go_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    name = f"wrong_model_{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(f"def f(profiles, values):\n    {body}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadCall) as error:
        submission.read(f"{name}:f", REFERENCE)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_modules_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_model_of_test.py").write_text("x = 1 /\n")
    (tmp_path / "wanting_model_of_test.py").write_text("import no_such_library_at_all\n")
    for source, words in (
        ("no_model_of_test:f", "there is no module"),
        ("broken_model_of_test:f", "cannot be imported: SyntaxError"),
        ("wanting_model_of_test:f", "imports 'no_such_library_at_all', which is not installed"),
        ("math:nothing", "math has no function 'nothing'"),
    ):
        with pytest.raises(BadCall, match=words):
            submission.read(source, REFERENCE)


def test_a_function_may_return_an_ensemble_or_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good_model_of_test.py").write_text(
        "import numpy as np\n"
        "def draws(profiles, values):\n    return np.ones((3, len(values)))\n"
        "def table(profiles, values):\n    return values.assign(f_new=0.25)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert submission.read("good_model_of_test:draws", REFERENCE).values.shape == (3, len(REFERENCE.values))
    assert (submission.read("good_model_of_test:table", REFERENCE).values == 0.25).all()


def test_the_order_of_rows_changes_nothing(tmp_path: Path, ran: xr.Dataset) -> None:
    found = read(tmp_path, named(ran)).values
    order = np.random.default_rng(0).permutation(len(REFERENCE.values))
    other = Reference(REFERENCE.values.iloc[order], REFERENCE.profiles.iloc[::-1], "test")
    again = submission.read(tmp_path / "mine.nc", other).values
    np.testing.assert_array_equal(again, found[:, order])


def test_profiles_that_are_not_asked_for_what_a_file_has_do_not_fail(tmp_path: Path) -> None:
    """Labelled profiles have new carbon and others 14C: each wants only its own."""
    values = REFERENCE.values[
        (REFERENCE.values["target"] == np.where(REFERENCE.values["profile_id"] == "p3", "delta14c", "f_new"))
    ]
    profiles = REFERENCE.profiles.assign(labelling_years=[12.0, 30.0, np.nan])
    other = Reference(values.reset_index(drop=True), profiles, "test")
    layers = pd.DataFrame({"layer_top": [0, 50], "layer_bottom": [50, 100]})
    new = layers.merge(pd.DataFrame({"profile_id": ["p1", "p2"]}), how="cross").assign(f_new=0.4)
    old = layers.assign(profile_id="p3", delta14c=[40.0, -100.0], obs_year=2003.0)
    pd.concat([new, old]).to_csv(tmp_path / "both.csv", index=False)
    found = submission.read(tmp_path / "both.csv", other)
    assert np.isfinite(found.values).sum() == 12  # all but those below 100 cm
    assert found.failures == {}
    new.to_csv(tmp_path / "new.csv", index=False)
    found = submission.read(tmp_path / "new.csv", other)
    assert np.isfinite(found.values).sum() == 8
    assert found.failures == {}
    assert found.curves is not None
    assert found.curves.profile_id == ("p1", "p2")
