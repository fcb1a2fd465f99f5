"""A folder of synthetic results, and the same with its page."""

import runpy
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from subsoil.reporting import page

write: Callable[..., Path] = runpy.run_path(str(Path(__file__).with_name("synthetic.py")))["write"]


class Links(HTMLParser):
    """Every address of a page, and whether each opened element is closed."""

    VOID = frozenset({"meta", "link", "br", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "srcset", "href", "data", "action") and tag not in ("a", "use"):
                self.sources.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Links]:
    """The links of a page, read from its text."""

    def read(text: str) -> Links:
        links = Links()
        links.feed(text)
        return links

    return read


@pytest.fixture(scope="session")
def write_scores() -> Callable[..., Path]:
    """Writes a folder of scores of made-up models."""
    found: Callable[..., Path] = runpy.run_path(str(Path(__file__).with_name("scoreboard.py")))["write"]
    return found


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
