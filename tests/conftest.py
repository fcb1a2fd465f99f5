"""Fixtures shared by every room."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("subsoil", deadline=None, derandomize=True)  # no times, the same cases each run
settings.load_profile("subsoil")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before NumPy is imported


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The two whole studies come first: they take one core for minutes, while the other runs the rest."""
    items.sort(key=lambda item: item.path.name != "test_pipeline.py")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of other people's data; tests that need it are marked ``data``."""
    folder = os.environ.get("SUBSOIL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SUBSOIL_DATA names no folder: the published data are needed")
    return Path(folder)


@pytest.fixture(scope="session")
def workbook(data_dir: Path) -> Path:
    """The supplementary workbook of Balesdent et al. 2018."""
    return data_dir / "balesdent2018" / "balesdent_2018_raw.xlsx"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; give its exit code, output and errors."""
    from subsoil import cli

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
