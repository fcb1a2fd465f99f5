"""The command line as a newcomer meets it: one line for every error, no traceback, no slow start."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import subsoil
from subsoil import cli, errors

COMMANDS = ("study", "fetch", "check", "template", "fractions", "ages", "report", "doctor")
REJECTS = pd.DataFrame(
    {
        "file": "mine.csv", "sheet": "layer", "row": [4, 9, 12], "column": "lyr_bot", "rule": "depthLogic",
        "value": ["3", None, "5"], "severity": ["error", "warning", "note"],
        "message": ["bottom above top", "b", "c"],
    }
)  # fmt: skip
FRACTIONS = pd.DataFrame(
    [["N001/P1", 0.0, 5.0, 20.0, 0.25, 0.2, 0.3, "isotopes", "Dalal 2005"]],
    columns=[
        "profile_id", "layer_top", "layer_bottom", "labelling_years", "f_new", "f_new_lower", "f_new_upper",
        "method", "study_id",
    ],
)  # fmt: skip


def archive(rejects: pd.DataFrame) -> SimpleNamespace:
    return SimpleNamespace(profile=[1], layer=[1, 2], rejects=rejects)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A pipeline whose functions a test fills in."""
    module = ModuleType("subsoil.pipeline")
    monkeypatch.setitem(sys.modules, "subsoil.pipeline", module)
    monkeypatch.setattr(subsoil, "pipeline", module, raising=False)
    monkeypatch.delenv("SUBSOIL_TRACEBACK", raising=False)
    return module


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.csv"
    path.write_text("x\n")
    return str(path)


Run = Callable[..., tuple[int, str, str]]


def raising(error: BaseException) -> Callable[..., Any]:
    def function(*_: object, **__: object) -> None:
        raise error

    return function


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("arguments", [["--help"], ["study", "--help"], ["--version"]])
def test_no_heavy_import(arguments: list[str]) -> None:
    heavy = (
        "pandas",
        "numpy",
        "jax",
        "numpyro",
        "matplotlib",
        "scipy",
        "xarray",
        "pooch",
        "requests",
        "rich",
    )
    result = fresh(
        f"import sys, json; from subsoil import cli; code = cli.run({arguments});"
        f"print(json.dumps([code, [m for m in {heavy} if m in sys.modules]]), file=sys.stderr)"
    )
    assert json.loads(result.stderr.splitlines()[-1]) == [0, []]


def test_help_names_commands_and_exit_codes(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(f"\n  {name}" in out for name in COMMANDS)
    assert "Exit codes" in out
    for error in (
        errors.BadCall,
        errors.UnreadableFile,
        errors.MissingData,
        errors.MissingExtra,
        errors.NotConverged,
    ):
        assert f"  {error.exit_code}  " in out
    assert run()[1] == out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert "Usage: subsoil " + name in out


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"subsoil {subsoil.__version__}\n", "")


def assert_one_line(err: str) -> None:
    assert err.startswith("subsoil: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stduy"], "Did you mean 'study'"),
        (["fractons"], "Did you mean 'fractions'"),
        (["study", "--frm", "x"], "--frm"),
        (["study", "--key", "abc"], "--key"),
        (["check"], "issing"),
        (["check", "nowhere.xlsx"], "does not exist"),
        (["fractions", "nowhere.xlsx"], "does not exist"),
        (["report", "nowhere"], "does not exist"),
        (["ages", "--depths", "-5"], "numbers from 0 up"),
        (["ages", "--depths", "shallow"], "such as 10,30,100"),
        (["ages", "--ages", "1e400"], "numbers from 0 up"),
        (["ages", "--ages", "nan"], "numbers from 0 up"),
        (["ages", "--ages", ","], "numbers from 0 up"),
        (["ages", "--ages", "ten"], "got 'ten'"),
    ],
)
def test_wrong_arguments(run: Run, pipeline: ModuleType, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert_one_line(err)
    assert words in err


def test_report_of_a_file_instead_of_a_folder(run: Run, mine: str) -> None:
    code, _, err = run("report", mine)
    assert code == 2
    assert_one_line(err)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.BadCall("no study 'balesdent'; did you mean 'balesdent2018'?"), 2, "did you mean"),
        (errors.UnreadableFile("mine.csv is a folder"), 3, "folder"),
        (errors.MissingData("balesdent2018 is not here:\n two ways"), 4, "two ways"),
        (errors.ChecksumMismatch("expected a, found b"), 4, "found b"),
        (errors.MissingExtra("pip install 'subsoil[age]'"), 5, "pip install"),
        (errors.NotConverged("R-hat 1.2"), 6, "R-hat"),
        (PermissionError(13, "Permission denied", "/out"), 7, "Permission denied: /out"),
        (OSError(28, "No space left on device"), 7, "No space left"),
        (MemoryError(), 7, "memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("division by zero"), 70, "rerun with SUBSOIL_TRACEBACK=1"),
    ],
)
def test_errors_are_one_line(
    run: Run, pipeline: ModuleType, error: BaseException, code: int, words: str
) -> None:
    pipeline.study = raising(error)
    found, out, err = run("study")
    assert (found, out) == (code, "")
    assert_one_line(err)
    assert words in err


def test_traceback_on_request(pipeline: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBSOIL_TRACEBACK", "1")
    pipeline.study = raising(ZeroDivisionError("division by zero"))
    with pytest.raises(ZeroDivisionError):
        cli.run(["study"])


def test_study_passes_its_options(run: Run, pipeline: ModuleType) -> None:
    seen: dict[str, Any] = {}

    def study(name: str, progress: Callable[..., None], **options: object) -> Path:
        progress("reading", 0.0)
        progress("reading", 0.05)
        progress("sampling")
        seen.update(options, name=name)
        return Path("out/x/report.html")

    pipeline.study = study
    code, out, err = run("study", "--or-demo", "--quick", "--key", "3", "--data", "d")
    assert (code, out) == (0, "out/x/report.html\n")
    assert err.splitlines() == ["[  0 %] reading", "sampling"]
    assert seen == {
        "name": "balesdent2018", "out": Path("out/balesdent2018"), "data": Path("d"), "demo": False,
        "or_demo": True, "quick": True, "key": 3,
    }  # fmt: skip


def test_check_lists_findings_and_fails_on_errors(run: Run, pipeline: ModuleType, mine: str) -> None:
    pipeline.check = lambda path, reader: archive(REJECTS)
    code, out, err = run("check", mine)
    assert code == 1
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(out), dtype={"value": str}), REJECTS, check_dtype=False
    )
    assert "1 error, 1 warning, 1 note" in err
    pipeline.check = lambda path, reader: archive(REJECTS[1:])
    assert run("check", mine)[0] == 0


def test_check_passes_the_reader(run: Run, pipeline: ModuleType, mine: str) -> None:
    seen: list[object] = []
    pipeline.check = lambda path, reader: seen.append(reader) or archive(REJECTS[:0])
    assert run("check", mine, "--reader", "template")[0] == 0
    assert seen == ["template"]


def test_tables_for_people(
    run: Run, pipeline: ModuleType, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    hostile = REJECTS.assign(message="[red]not markup[/red] \x1b[31mred")
    pipeline.check = lambda path, reader: archive(hostile)
    _, out, _ = run("check", mine)
    assert "Findings" in out
    assert "[red]not markup[/red]" in out
    assert "\x1b[31m" not in out
    assert "note" not in out
    assert "note" in run("check", mine, "--notes")[1]
    assert run("check", mine, "--csv")[1].startswith("file,sheet,row")


def test_fractions(
    run: Run, pipeline: ModuleType, mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.fractions = lambda path, out: FRACTIONS
    assert "study_id" in run("fractions", mine)[1]  # all columns for a program
    code, out, err = run("fractions", mine, "--out", str(tmp_path / "f.csv"))
    assert (code, out) == (0, "")
    assert "1 layers written" in err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = run("fractions", mine)[1]
    assert all(text in shown for text in ("N001/P1", "0–5", "0.25", "0.3"))
    assert "study_id" not in shown


def test_ages(run: Run, pipeline: ModuleType) -> None:
    pipeline.ages = lambda depths, ages, out: pd.DataFrame({"depth_cm": depths, "age_yr": ages})
    assert run("ages", "--depths", "0; 30", "--ages", "10,50")[1] == "depth_cm,age_yr\n0.0,10.0\n30.0,50.0\n"


def test_template_replaces_nothing_unasked(run: Run, pipeline: ModuleType, mine: str, tmp_path: Path) -> None:
    pipeline.template = lambda path: path
    code, _, err = run("template", mine)
    assert code == 2
    assert "--force" in err
    assert run("template", mine, "--force")[0] == 0
    assert run("template", str(tmp_path / "new.xlsx"))[1].strip().endswith("new.xlsx")


def test_doctor(run: Run, pipeline: ModuleType) -> None:
    pipeline.doctor = lambda: [("python", True, "3.11", ""), ("data", False, "absent", "set SUBSOIL_DATA")]
    code, out, _ = run("doctor")
    assert code == 1
    assert "data,no,absent,set SUBSOIL_DATA" in out
    pipeline.doctor = lambda: [("python", True, "3.11", "")]
    assert run("doctor")[0] == 0


def test_fetch_and_report(run: Run, pipeline: ModuleType, tmp_path: Path) -> None:
    seen: list[object] = []
    pipeline.fetch = lambda names, data: seen.append((names, data)) or [Path("a.xlsx")]
    pipeline.report = lambda folder: folder / "report.html"
    assert run("fetch")[1] == "a.xlsx\n"
    assert run("fetch", "balesdent2018", "--data", "d")[0] == 0
    assert seen == [(None, None), (["balesdent2018"], Path("d"))]
    assert run("report", str(tmp_path))[1] == f"{tmp_path / 'report.html'}\n"


def test_a_closed_pipe_is_no_error() -> None:
    code = (
        "import sys, types, subsoil, pandas as pd\n"
        "m = types.ModuleType('subsoil.pipeline'); subsoil.pipeline = sys.modules['subsoil.pipeline'] = m\n"
        "m.ages = lambda *a: pd.DataFrame({'x': range(200000)})\n"
        "from subsoil import cli; sys.exit(cli.run(['ages']))"
    )
    command = f'{sys.executable} -c "{code}" | head -n 1; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "x\n", "")


def test_many_findings_are_shown_by_rule(
    run: Run, pipeline: ModuleType, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    pipeline.check = lambda path, reader: archive(pd.concat([REJECTS] * 40))
    code, out, err = run("check", mine)
    assert code == 1
    assert out.count("depthLogic") == 2
    assert "and 35 more" in out
    assert "--csv` lists each row" in err
    assert len(run("check", mine, "--csv")[1].splitlines()) == 121


def test_interrupt_ends_at_once_whatever_runs_in_threads() -> None:
    result = fresh(
        "import sys, threading, time, types, subsoil\n"
        "m = types.ModuleType('subsoil.pipeline'); subsoil.pipeline = sys.modules['subsoil.pipeline'] = m\n"
        "def fetch(*_):\n"
        "    threading.Thread(target=threading.Event().wait).start()  # would keep an orderly exit waiting\n"
        "    raise KeyboardInterrupt\n"
        "m.fetch = fetch; sys.argv = ['subsoil', 'fetch']\n"
        "from subsoil import cli; cli.main()"
    )
    assert result.returncode == 130
    assert_one_line(result.stderr)
