"""The wheel holds everything the package reads, and runs from an empty folder."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import subsoil

ROOT = Path(__file__).parents[1]
DATA_FILES = (".toml", ".csv", ".html", ".css", ".js", ".typed", ".c")
HEAVY = ("pandas", "numpy", "jax", "scipy", "matplotlib", "xarray", "typer")


def python(*arguments: str, **environment: str) -> str:
    """Standard output of a fresh interpreter, which must succeed."""
    command = [sys.executable, *arguments]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def needed_setuptools() -> int:
    """Major version that pyproject asks for."""
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    return int(next(r for r in requires if r.startswith("setuptools")).split(">=")[1])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that leftovers of earlier builds cannot get into it."""
    try:
        found = int(version("setuptools").split(".")[0])
    except PackageNotFoundError:
        found = 0
    if found < needed_setuptools():
        pytest.skip(f"the environment has setuptools {found}; building needs {needed_setuptools()}")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "*.so")
    )
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(source / "dist"), str(source))
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    package = ROOT / "src" / "subsoil"
    wanted = {
        f"subsoil/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.suffix in (".py", *DATA_FILES)
    }
    held = set(zipfile.ZipFile(wheel).namelist())
    assert sorted(wanted - held) == []
    rest = [n for n in held - wanted if ".dist-info/" not in n]
    assert all(n.startswith("subsoil/solve/_kernel.") and n.endswith(".so") for n in rest), rest


def test_the_installed_wheel_runs_and_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path), str(wheel)
    )
    code = (
        "import subsoil, subsoil.cli, subsoil.studies, subsoil.variables\n"
        f"assert subsoil.__file__.startswith({str(tmp_path)!r}), subsoil.__file__\n"
        "assert subsoil.studies.names() and subsoil.variables.variables()\n"
        "assert subsoil.cli.run(['--version']) == 0"
    )
    out = python("-c", code, PYTHONPATH=str(tmp_path))
    assert out == f"subsoil {subsoil.__version__}\n"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import json, sys, subsoil; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    assert json.loads(python("-c", code)) == []


def test_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == subsoil.__version__
    assert f"\nversion: {subsoil.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {subsoil.__version__}" in (ROOT / "CHANGELOG.md").read_text()
