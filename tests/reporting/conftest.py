"""A folder of synthetic results, and the same with its page."""

import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from subsoil.reporting import page

write: Callable[..., Path] = runpy.run_path(str(Path(__file__).with_name("synthetic.py")))["write"]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results without a page: read only."""
    return write(tmp_path_factory.mktemp("written") / "results")


@pytest.fixture
def results_folder(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(written, tmp_path / "results"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with their page and figures: read only."""
    folder = write(tmp_path_factory.mktemp("built") / "results")
    page.build(folder)
    return folder
