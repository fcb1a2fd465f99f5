"""Soil models on the command line: tables, files, a figure, and one line for every mistake."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import subsoil
from subsoil.columns import VARIABLES
from subsoil.equilibrium import at_rest
from subsoil.forcing import seasonal, site_forcing
from subsoil.models import catalogue
from subsoil.models.catalogue import MODELS, homes
from subsoil.reporting import column as figure

ROOT = Path(__file__).parents[1]
SITE = ("--mat", "12", "--map", "900")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in an empty folder; give its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUBSOIL_TRACEBACK", raising=False)
    return run


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def test_models_are_listed_without_jax() -> None:
    result = fresh(
        "import sys, json; from subsoil import cli\n"
        "codes = [cli.run(['models', *name]) for name in ([], ['clm5'], ['clm6'])]\n"
        "heavy = [m for m in ('jax', 'xarray', 'matplotlib') if m in sys.modules]\n"
        "print(json.dumps([codes, heavy]), file=sys.stderr)"
    )
    assert json.loads(result.stderr.splitlines()[-1]) == [[0, 0, 2], []]


def test_the_list_is_the_catalogue(run: Run) -> None:
    code, out, err = run("models")
    listed = table(out).set_index("model")
    assert (code, err) == (0, "")
    assert set(listed.index) == set(homes())
    for name in ("clm5", "millennial"):
        model, row = MODELS[name], listed.loc[name]
        assert row["pools"].split("; ") == list(model.pools)
        assert row["layers"] == len(model.grid)
        assert row["linear"] == model.linear
        assert row["reference"] == model.reference
        assert row["unverified"] == sum(not p.verified for p in model.parameters.values())
        assert row["parameters"] == len(model.parameters)


def test_parameters_are_those_of_the_model(run: Run) -> None:
    for name in ("clm5", "corpse_testbed"):
        rows = table(run("models", name)[1]).set_index("parameter")
        model = MODELS[name]
        assert list(rows.index) == list(model.parameters)
        for key, parameter in model.parameters.items():
            row = rows.loc[key]
            assert row["value"] == model.values[key]
            assert (row["lower"], row["upper"]) == (parameter.lower, parameter.upper)
            assert row["verified"] == parameter.verified


def test_tables_for_people(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    assert "label, age, 13C, 14C" in run("models")[1]
    shown = run("models", "onepool")[1]
    assert "unverified" in shown
    assert "m2 yr-1" in shown
    label = run("label", "onepool", *SITE, "--years", "10, 50")[1]
    assert "10 yr" in label
    assert "0–2" in label


def test_label_is_that_of_the_arrays(run: Run) -> None:
    code, out, err = run(
        "label", "onepool", *SITE, "--years", "10,50", "--set", "k=0.05", "--set", "velocity=1e-3"
    )
    model = MODELS["onepool"](k=0.05, velocity=1e-3)
    expected = at_rest(model, site_forcing(model.grid, mat=12, map_mm=900)).label([10.0, 50.0])
    found = table(out)
    assert code == 0
    assert err.startswith("Error of f_new: below")
    assert found["labelling_years"].unique().tolist() == [10, 50]
    np.testing.assert_allclose(found["f_new"], np.ravel(expected), rtol=1e-12)
    np.testing.assert_allclose(found["layer_top"].unique(), 100 * model.grid.top, atol=1e-6)
    np.testing.assert_allclose(found["layer_bottom"].unique(), 100 * model.grid.bottom, atol=1e-6)


def test_a_site_in_words_is_the_call(run: Run) -> None:
    text = "mat=8; map=700, pet=500, clay=0.3, biome=boreal forest, litter_e_folding=none, amplitude=10"
    out = run("label", "onepool", "--site", text, "--years", "50")[1]
    model = MODELS["onepool"]
    steady = site_forcing(
        model.grid, mat=8, map_mm=700, pet_mm=500, clay=0.3, biome="boreal forest", litter_e_folding=None
    )
    expected = at_rest(model, seasonal(steady, model.grid, amplitude=10)).label([50.0])
    np.testing.assert_allclose(table(out)["f_new"], np.ravel(expected), rtol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["models", "clm6"], "no model 'clm6'; did you mean clm5 or clm4.5"),
        (["label", "CLM5", *SITE], "did you mean clm5"),
        (["run", "rohtc", *SITE], "did you mean rothc"),
        (["run", "zzz", *SITE], "no model 'zzz'; `subsoil models` lists all"),
        (["label"], "Missing argument 'MODEL'"),
        (["label", "onepool"], "a site wants mat"),
        (["label", "onepool", "--mat", "12"], "a site wants map"),
        (["label", "onepool", "--mat", "285", "--map", "900"], "mat lies between -30 and 40 degree C"),
        (["label", "onepool", *SITE, "--set", "k=-1"], "onepool: k must lie between 0 and 100 yr-1, got -1"),
        (["label", "onepool", *SITE, "--set", "k=nan"], "k must lie between"),
        (["label", "onepool", *SITE, "--set", "rate=1"], "no parameter 'rate'; it has k, diffusivity"),
        (["label", "onepool", *SITE, "--set", "k"], "--set expects name=value"),
        (["label", "onepool", *SITE, "--set", "k=fast"], "--set expects a number, such as k=0.1; got 'fast'"),
        (["label", "onepool", *SITE, "--site", "clya=0.2"], "no 'clya'; did you mean clay"),
        (["label", "onepool", *SITE, "--site", "clay"], "--site expects name=value"),
        (["label", "onepool", *SITE, "--site", "clay=30"], "per cent / 100"),
        (["label", "onepool", *SITE, "--site", "mat=3"], "--mat and --site both give mat"),
        (["label", "onepool", *SITE, "--site", "ph=6,ph=7"], "--site gives ph twice"),
        (["label", "onepool", *SITE, "--site", "biome=jungle"], "no biome 'jungle'"),
        (["label", "onepool", *SITE, "--years", "-5"], "numbers from 0 up"),
        (["run", "onepool", *SITE, "--zone", "XX"], "unknown zone 'XX'"),
        (["run", "onepool", *SITE, "--latitude", "95"], "-90 to 90"),
        (["run", "onepool", *SITE, "--c4", "50"], "c4_share lies between 0 and 1"),
        (["run", "onepool", "--forcing", "nowhere.nc"], "does not exist"),
        (["models", "--check"], "--check wants the name of a model"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    *steps, last = err.splitlines()
    assert (code, out) == (2, "")
    assert last.startswith("subsoil: ")
    assert words in last
    assert not any("Traceback" in step for step in steps)
    assert not list(Path().iterdir())


def test_run_writes_netcdf_and_figure_twice_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("subsoil.archive.registry.cache_folder", lambda: tmp_path / "nothing")
    monkeypatch.setenv("SUBSOIL_DATA", "")
    code, out, err = run("run", "onepool", *SITE, "--years", "10,50", "--out", "o")
    assert (code, out) == (0, "o/column.nc\no/column.png\n")
    assert "14C is left out" in err
    assert "subsoil fetch belmecheri2020" in err
    files = {path.name: path.read_bytes() for path in Path("o").iterdir()}
    assert set(files) == {"column.nc", "column.png", "column.svg", ".subsoil"}
    assert files["column.png"].startswith(b"\x89PNG")
    assert b"<svg" in files["column.svg"]
    assert run("run", "onepool", *SITE, "--years", "10,50", "--out", "o")[0] == 0
    assert {path.name: path.read_bytes() for path in Path("o").iterdir()} == files
    found = xr.load_dataset("o/column.nc")
    assert found["cSoil"].item() == pytest.approx(0.43 / 0.02)
    assert found["labelling_years"].values.tolist() == [10, 50]
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("x")
    code, _, err = run("run", "onepool", *SITE, "--out", "mine")
    assert code == 2
    assert "did not write" in err


def test_run_over_a_file_keeps_going_where_a_column_fails(run: Run) -> None:
    xr.Dataset(
        {
            "mat": (("lat",), [10.0, np.nan, 20.0], {"units": "degC"}),
            "map": (("lat",), [800.0, 800.0, 900.0], {"units": "mm yr-1"}),
        },
        coords={"lat": [50.0, 40.0, -10.0]},
    ).to_netcdf("f.nc", engine="scipy")
    code, _, err = run("run", "onepool", "--forcing", "f.nc", "--site", "npp=0.5", "--out", "o")
    assert code == 0
    assert "not in f.nc, so at the default: saturation" in err
    assert "1 of 3 columns have no state; column 1: temperature is missing" in err
    found = xr.load_dataset("o/column.nc")
    assert found["outcome"].values.tolist() == ["converged", "refused", "converged"]
    assert found["lat"].values.tolist() == [50.0, 40.0, -10.0]
    np.testing.assert_allclose(found["cSoil"], [25.0, np.nan, 25.0])
    assert "litter" not in found.attrs["assumed"]
    Path("text.nc").write_text("text")
    code, _, err = run("run", "onepool", "--forcing", "text.nc")
    assert (code, err.splitlines()[-1]) == (3, "subsoil: text.nc is no NetCDF file")


def test_the_figure_says_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBSOIL_DATA", "")
    model = subsoil.model("onepool")
    forcing = subsoil.site_forcing(model.grid, mat=12, map_mm=900)
    one = subsoil.run(model, forcing, years=[10, 50])
    text = figure.sentence(one)
    assert text.startswith("21.5 kg C m⁻²")
    surface = 100 * one["fNewSoilLevels"][0, 1].item()
    assert f"Younger than 50 yr: {surface:.0f} % at 1 cm" in text
    assert figure.deepest(one) == 200.0 or one["cSoilLevels"][:-1].sum() > 0.99 * one["cSoil"]
    two = subsoil.run(model, subsoil.stack([forcing, forcing]), batch=True, years=[10, 50])
    assert figure.sentence(two).startswith(text.partition(". Steady")[0] + ". Medians of 2 columns")
    assert figure.draw(two)[1].startswith(b"\x89PNG")


def fenced(page: str, name: str) -> str:
    """The block of a page that is to be saved under this name."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return re.search(rf"^```\w+ {name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Path]:
    """The model of docs/add-a-model.md, its two files saved; forgotten again afterwards."""
    for name in ("mine.py", "mine.toml"):
        (tmp_path / name).write_text(fenced("add-a-model.md", name), "utf-8")
    yield tmp_path / "mine.py"
    catalogue.tables().pop("mine", None)
    catalogue.model.cache_clear()


def test_the_model_of_the_how_to_holds_the_laws(run: Run, mine: Path) -> None:
    code, out, _ = run("models", str(mine), "--check")
    assert set(table(out)["holds"]) == {"yes"}
    assert code == 0
    assert "mine" in set(table(run("models")[1])["model"])
    assert "k_humus" in run("models", str(mine))[1]
    out = run("run", str(mine), *SITE)[1]
    assert out.splitlines()[0] == "out/mine/column.nc"
    assert mine.is_file()


def test_a_model_that_breaks_a_law_is_told_so(run: Run, mine: Path) -> None:
    text = mine.read_text("utf-8")
    assert 'values["k_humus"]' in text
    mine.write_text(text.replace('values["k_humus"]', "0.01"), "utf-8")  # a row that changes nothing
    code, out, _ = run("models", str(mine), "--check")
    broken = table(out).query("holds == 'no'")
    assert code == 1
    assert "k_humus" in " ".join(broken["law"] + broken["detail"])


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("no table", "two files, mine.py and mine.toml"),
        ("no equations", "AttributeError"),
        ("no python", "SyntaxError"),
        ("no toml", "TOMLDecodeError"),
    ],
)
def test_a_file_that_is_no_model_is_refused(run: Run, mine: Path, fault: str, told: str) -> None:
    if fault == "no table":
        mine.with_suffix(".toml").unlink()
    elif fault == "no toml":
        mine.with_suffix(".toml").write_text("pools = [", "utf-8")
    else:
        mine.write_text("nothing = 1" if fault == "no equations" else "def (", "utf-8")
    code, _, err = run("models", str(mine), "--check")
    assert code == 2
    assert told in err


def test_the_page_lists_what_run_writes() -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    told = {name: row[3] for row in rows if len(row) == 6 for name in re.findall(r"`(\w+)`", row[1])}
    for name, variable in VARIABLES.items():
        assert variable.units in [unit.strip() for unit in told[name].split(",")], name


def test_three_lines_in_python() -> None:
    model = subsoil.model("onepool")
    forcing = subsoil.site_forcing(model.grid, mat=12, map_mm=900)
    f_new = subsoil.label(model, forcing, years=[10, 50, 100])
    assert f_new.shape == (13, 3)
    assert subsoil.MODELS["onepool"] is model
    assert subsoil.at_rest(model, forcing).carbon.shape == (13, 1)


def test_a_missing_library_names_its_extra() -> None:
    """In Python and on the command line; the tables of models need none."""
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.partition('.')[0] in ('jax', 'jaxlib', 'xarray'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, No())\n"
        "import subsoil; from subsoil import cli, errors\n"
        "try: subsoil.label\n"
        "except errors.MissingExtra as error: print(error)\n"
        "print(cli.run(['models', 'onepool']), cli.run(['label', 'onepool', '--mat', '12', '--map', '900']))"
    )
    result = fresh(code)
    assert "pip install 'subsoil[models]'" in result.stdout.splitlines()[0]
    assert result.stdout.splitlines()[-1] == "0 5"
    assert result.stderr.startswith("subsoil: this needs ")


def test_doctor_has_a_line_on_the_kernel(run: Run) -> None:
    out = run("doctor")[1]
    assert "compiled kernel,yes," in out
