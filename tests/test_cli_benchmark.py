"""Leaderboard and score, from the command to the folder: what is written, said, repeated and refused."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import subsoil
from subsoil import pipeline, scoreboard
from subsoil.benchmark import baselines, leaderboard, protocol
from subsoil.benchmark.questions import QUESTIONS
from subsoil.benchmark.reference import Prediction, Reference
from subsoil.errors import BadCall
from subsoil.reporting import leaderboard as page

Run = Callable[..., tuple[int, str, str]]
TABLES = ("leaderboard", "predictions", "curves", "questions", "values", "profiles")
LAYERS = pd.DataFrame({"layer_top": [0.0, 10.0, 30.0], "layer_bottom": [10.0, 30.0, 60.0]})


def truth(values: pd.DataFrame) -> np.ndarray:
    own = values["profile_id"].str[1:].astype(int).to_numpy() * 0.618 % 1.0
    return np.exp(-values["layer_top"].to_numpy(float) / (20 + 60 * own)) * 0.8


def made() -> Reference:
    """Twelve profiles with new carbon, stock shares and Delta14C."""
    number = np.arange(12)
    profiles = pd.DataFrame(
        {
            "profile_id": [f"P{i:02d}" for i in number], "site_id": [f"S{i:02d}" for i in number],
            "study_id": "made", "archive": "made", "latitude": 10.0, "longitude": 20.0 + number,
            "mat": 15.0 + number, "map": 1000.0, "p_pet": 0.4 + 0.1 * number, "clay": 0.2,
            "land_use": np.array(["crop", "forest"])[number % 2], "labelling_years": 20.0,
            "obs_year": 2000.5, "tropical": number % 2 == 0, "doubts": "",
        }
    )  # fmt: skip
    layers = profiles[["profile_id", "site_id"]].merge(LAYERS, how="cross")
    noise = 0.05 * np.random.default_rng(0).standard_normal(len(layers))
    new = layers.assign(
        target="f_new", years=20.0, obs_year=np.nan, observed=truth(layers) + noise, sigma=0.05
    )
    stock = layers.assign(target="stock_share", years=np.nan, obs_year=np.nan, sigma=0.02)
    stock["observed"] = np.tile([0.4, 0.35, 0.25], 12) + 0.1 * noise
    dated = layers.assign(target="delta14c", years=np.nan, obs_year=2000.5, sigma=5.0)
    dated["observed"] = 1234.5 * noise
    values = pd.concat([new, stock, dated], ignore_index=True)
    values["depth_class"] = protocol.depth_class(values["layer_top"], values["layer_bottom"])
    return Reference(
        values, profiles, protocol.PROTOCOL, ({"key": "made", "title": "Made", "doi": "10.1/x"},)
    )


def expected() -> pd.DataFrame:
    rows = [
        (name, q.title, q.unit, 20.0, 10.0, 30.0, 20.0, 10.0, 30.0, 12, "made")
        for name, q in QUESTIONS.items()
    ]
    columns = [
        "question",
        "title",
        "unit",
        "data",
        "lower",
        "upper",
        "published",
        "least",
        "most",
        "n",
        "source",
    ]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(autouse=True)
def setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> scoreboard.Given:
    """A made reference stands for the data, its truth for the ceiling; commands run in an empty folder."""
    given = scoreboard.Given(made(), pd.DataFrame(), expected(), None, False, ("a note",))

    def cheap(record: object, of: scoreboard.Given, seed: int) -> list[Prediction]:
        values = of.reference.values
        right = np.where(values["target"] == "f_new", truth(values), np.nan)
        best = Prediction("ceiling", "Ceiling", right[None])
        return [baselines.floor(of.reference), best, baselines.noise(of.reference, seed=seed)]

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUBSOIL_TRACEBACK", raising=False)
    monkeypatch.setattr(pipeline, "_reference", lambda record, data, demo: record.step("read", 0.0) or given)
    monkeypatch.setattr(scoreboard, "baselines", cheap)
    monkeypatch.setattr(page, "build", lambda folder: folder / "index.html")  # its own tests draw it
    return given


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, setting: scoreboard.Given) -> None:
    """Models answer at once: all the truth but icbm, which fails."""

    def run(names: list[str], reference: Reference, **_: object) -> list[Prediction]:
        right = np.where(reference.values["target"] == "delta14c", 10.0, truth(reference.values))
        return [
            leaderboard.unanswered(name, name, reference, "no such climate") if name == "icbm"
            else Prediction(name, f"Model {name}", right[None], notes=("one note",))
            for name in names
        ]  # fmt: skip

    monkeypatch.setattr(leaderboard, "run", run)


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file but those that hold the seconds."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in ("manifest.json", "index.html"):
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def test_the_folder_is_whole_and_two_runs_are_one(run: Run, asked: None) -> None:
    options = ("--models", "clm5,icbm", "--resamples", "30", "--seed", "4")
    code, out, err = run("leaderboard", *options, "--out", "one")
    assert (code, out) == (0, "one/index.html\n")
    assert "score f_new" in err
    assert run("leaderboard", *options, "--out", "two")[0] == 0
    first, second = dict(contents(Path("one"))), dict(contents(Path("two")))
    assert first == second
    assert {f"{name}.csv" for name in TABLES} | {"diagnostic.json", "output.json"} <= set(first)
    table = pd.read_csv("one/leaderboard.csv", keep_default_na=False, na_values=[""])
    assert list(table.columns) == [
        "model",
        "metric",
        "depth",
        "group",
        "value",
        "lower",
        "upper",
        "n",
        "verdict",
    ]
    assert set(table["model"]) == {"floor", "ceiling", "noise", "clm5", "icbm"}
    failed = table[table["model"] == "icbm"]
    assert list(failed["metric"]) == ["failed"]
    assert list(failed["verdict"]) == ["no such climate"]


def test_the_manifest_says_what_was_scored_and_how(run: Run, asked: None, setting: scoreboard.Given) -> None:
    run("leaderboard", "--models", "clm5", "--resamples", "30", "--seed", "4")
    told = manifest(Path("out/leaderboard"))
    assert (told["protocol"], told["seed"], told["resamples"]) == (protocol.PROTOCOL, 4, 30)
    assert len(told["reference_sha256"]) == 64
    assert told["models"]["clm5"] == "Model clm5"
    assert told["notes"]["clm5"] == ["one note"]
    assert told["notes"]["reference"] == ["a note"]
    assert told["command"] == "subsoil leaderboard --models clm5 --seed 4 --resamples 30"
    assert told["rescored"] == []
    assert set(told["seconds"]) >= {"read", "score"}
    assert told["files_sha256"]["leaderboard.csv"]


def test_nothing_measured_by_others_is_in_the_folder(
    run: Run, asked: None, setting: scoreboard.Given
) -> None:
    """Shares derived from the workbook are, as in a study's folder; measured Delta14C is not."""
    run("leaderboard", "--models", "clm5", "--resamples", "20", "--out", "one")
    dated = setting.reference.values["observed"][setting.reference.rows("delta14c")]
    told = {f"{value:.{digits}g}" for value in dated for digits in (5, 6)}
    for name, content in contents(Path("one")):
        if name.endswith((".csv", ".json")) and name != "leaderboard.csv":
            cells = set(content.decode().replace("\n", ",").replace(":", ",").split(","))
            assert not told & cells, name
    assert "delta14c_rmse" in set(pd.read_csv("one/leaderboard.csv")["metric"])
    for name in ("values", "predictions"):
        assert "delta14c" not in set(pd.read_csv(f"one/{name}.csv")["target"])


def test_a_change_of_protocol_marks_what_was_scored_before(run: Run, asked: None) -> None:
    once = ("leaderboard", "--models", "clm5", "--resamples", "20", "--out", "one")
    run(*once)
    path = Path("one/manifest.json")
    path.write_text(json.dumps(manifest(Path("one")) | {"protocol": "0.9"}))
    assert run("leaderboard", "--models", "clm5,rothc", "--resamples", "20", "--out", "one")[0] == 0
    told = manifest(Path("one"))
    assert told["rescored_from"]["clm5"] == "0.9"
    assert "rothc" not in told["rescored"]
    table = pd.read_csv("one/leaderboard.csv").query("metric == 'rescored' and model == 'clm5'")
    assert list(table["verdict"]) == ["first scored by protocol 0.9"]
    before = dict(contents(Path("one")))
    run("leaderboard", "--models", "clm5,rothc", "--resamples", "20", "--out", "one")
    assert dict(contents(Path("one"))) == before


def test_a_submission_is_the_form_filled_in(run: Run, setting: scoreboard.Given) -> None:
    code, out, err = run("score", "--profiles", "layers.csv")
    assert (code, out) == (0, "")
    assert "of 12 profiles written to layers.csv" in err
    form = pd.read_csv("layers.csv")
    assert {"observed", "sigma"}.isdisjoint(form.columns)
    assert (
        not form[["profile_id", "layer_top", "layer_bottom", "labelling_years", "obs_year"]]
        .duplicated()
        .any()
    )
    form["f_new"] = np.where(form["labelling_years"].notna(), truth(form), np.nan)
    form.to_csv("mine.csv", index=False)
    code, out, err = run("score", "mine.csv", "--resamples", "30", "--name", "my-model")
    assert code == 0
    assert "out/score/my-model/index.html" in err
    table = pd.read_csv(io.StringIO(out)).set_index("score")
    assert list(table.columns) == ["my-model", "lower", "upper", "floor", "ceiling", "n", "verdict"]
    assert table.loc["rmse", "my-model"] == pytest.approx(table.loc["rmse", "ceiling"])
    assert table.loc["rmse", "my-model"] < table.loc["rmse", "floor"]
    assert table.loc["skill", "verdict"] == "better than the floor"
    assert manifest(Path("out/score/my-model"))["submitted"] == ["my-model"]


def test_a_function_is_scored(run: Run) -> None:
    Path("half_of_it.py").write_text(
        "import numpy as np\ndef answer(profiles, values):\n    return np.full(len(values), 0.5)\n"
    )
    code, out, _ = run("score", "half_of_it:answer", "--resamples", "20", "--csv")
    assert code == 0
    assert pd.read_csv(io.StringIO(out)).set_index("score").loc["rmse", "answer"] > 0.1


def test_a_model_of_the_catalogue_answers(run: Run) -> None:
    code, _, err = run("leaderboard", "--models", "onepool", "--resamples", "20")
    assert code == 0
    assert "ask onepool" in err
    table = pd.read_csv("out/leaderboard/leaderboard.csv").query("model == 'onepool'")
    assert {"rmse", "stock_share_rmse", "new_share_below_30cm", "rank"} <= set(table["metric"])
    curves = pd.read_csv("out/leaderboard/curves.csv")
    assert (curves.groupby(["model", "layer_top"])["f_new"].diff().dropna() >= -1e-9).all()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["leaderboard", "--models", "clm6"], 2, "did you mean clm5"),
        (["leaderboard", "--models", "zzz"], 2, "lists all"),
        (["leaderboard", "--resamples", "1"], 2, "--resamples"),
        (["leaderboard", "--seed", "-1"], 2, "--seed"),
        (["leaderboard", "--out", "mine"], 2, "did not write"),
        (["score"], 2, "a file or a function"),
        (["score", "a.nc", "--profiles", "b.csv"], 2, "a file or a function"),
        (["score", "a.nc"], 3, "a.nc is not there"),
        (["score", "--profiles", "b.xlsx"], 2, "CSV"),
        (["score", "mine/notes.txt", "--name", "floor"], 2, "expected"),
        (["score", "nowhere:answer"], 2, "no module"),
        (["score", "math:answer"], 2, "no function"),
        (["scor"], 2, "Did you mean 'score'"),
    ],
)
def test_mistakes_are_one_line(run: Run, asked: None, arguments: list[str], code: int, words: str) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("profile_id\n")
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    last = err.splitlines()[-1]
    assert last.startswith("subsoil: ")
    assert words in last
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["floor", "noise", "a/b", "", "..", "-x"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(BadCall, match="expected letters"):
        scoreboard.shown("mine.nc", name)


def test_options_reach_the_pipeline(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    module = ModuleType("subsoil.pipeline")
    module.leaderboard = lambda **options: seen.update(options) or Path("x/index.html")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "subsoil.pipeline", module)
    monkeypatch.setattr(subsoil, "pipeline", module, raising=False)
    code, out, _ = run("leaderboard", "--demo", "--data", "d", "--models", "clm5, rothc")
    assert (code, out) == (0, "x/index.html\n")
    assert (seen["demo"], seen["data"], seen["models"]) == (True, Path("d"), ["clm5", "rothc"])
    assert (seen["seed"], seen["resamples"], seen["out"]) == (0, 2000, Path("out/leaderboard"))


def test_the_names_of_the_package_are_functions() -> None:
    import subsoil.benchmark.leaderboard
    import subsoil.benchmark.scoring

    assert subsoil.leaderboard is pipeline.leaderboard
    assert subsoil.score is pipeline.score
