"""The page: one HTML file with everything in it, drawn from a folder of results."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from subsoil import atomic
from subsoil.errors import MissingExtra
from subsoil.reporting import results as results_folder
from subsoil.reporting import style, tables
from subsoil.reporting.drawing import Drawing, Rendered, render
from subsoil.reporting.headline import narrative
from subsoil.reporting.results import Results

PAGE, FIGURES = "report.html", "figures"
PAPER = (
    "Balesdent, J., Basile-Doelsch, I., Chadoeuf, J., Cornu, S., Derrien, D., Fekiacova, Z., "
    "Hatté, C. (2018). Atmosphere–soil carbon transfer as a function of soil depth. Nature 559, 599–602."
)
DOI = "10.1038/s41586-018-0328-3"


@dataclass(frozen=True)
class Section:
    """A part of the page (`sections.toml`): an introduction, then figures and tables by name."""

    name: str
    title: str
    intro: str = ""
    figures: Sequence[str] = ()
    tables: Sequence[str] = ()


def build(folder: Path | str) -> Path:
    """Write `report.html` and the figures into a folder of results, and return the page's path.

    Only the written files are read, so a page can be drawn again at any time; the same files give
    the same bytes. Raises `UnreadableFile` if the folder holds no results, `MissingExtra` without
    matplotlib or jinja2.
    """
    _need_libraries()
    results = results_folder.read(folder)
    figures = _figures(results)
    for name, figure in figures.items():
        if isinstance(figure, Rendered):
            atomic.write_text(results.folder / FIGURES / f"{name}.svg", figure.svg)
            atomic.write_bytes(results.folder / FIGURES / f"{name}.png", figure.png)
    path = results.folder / PAGE
    atomic.write_text(path, html(results, figures))
    return path


def html(results: Results, figures: Mapping[str, Rendered | str]) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("subsoil.reporting"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["tied"] = tied
    return environment.get_template(PAGE).render(
        sections=sections(),
        figures=figures,
        numbers={name: place for place, name in enumerate(figures, 1)},
        tables=_tables(results),
        manifest=tables.manifest(results),
        simulated=results.simulated,
        quick=results.quick,
        sentences=narrative(results["headline"]) if "headline" in results else [],
        citations=_citations(results.manifest),
        version=_version(results.manifest),
        light=style.theme(dark=False),
        dark=style.theme(dark=True),
    )


def tied(text: str) -> str:
    r"""Numbers kept on one line with their unit.

    >>> tied("47 % at 30 cm").split(" ")
    ['47\xa0%', 'at', '30\xa0cm']
    """
    return re.sub(r"(?<=\d) (?=%|cm\b|yr\b|m\b|pp\b|°)", "\N{NO-BREAK SPACE}", text)


def sections() -> tuple[Section, ...]:
    """The parts of the page in order.

    >>> [section.name for section in sections()][:3]
    ['summary', 'incorporation', 'ages']
    """
    text = files("subsoil.reporting").joinpath("sections.toml").read_text(encoding="utf-8")
    return tuple(Section(**part) for part in tomllib.loads(text)["section"])


def _figures(results: Results) -> dict[str, Rendered | str]:
    """Every figure in the order of the page, or the reason why it cannot be drawn."""
    from subsoil.reporting.figures import FIGURES as MAKERS

    made: dict[str, Rendered | str] = {}
    for name in (name for section in sections() for name in section.figures):
        needs, make = MAKERS[name]
        made[name] = results.lacking(needs) or _figure(make(results), results.simulated)
    return made


def _figure(drawing: Drawing, simulated: bool) -> Rendered | str:
    """The rendered drawing, or what it says where nothing can be drawn."""
    return render(drawing, simulated) if drawing.panels else drawing.sentence


def _tables(results: Results) -> dict[str, tables.Table | str]:
    return {name: results.lacking(needs) or make(results) for name, (needs, make) in tables.TABLES.items()}


def _citations(manifest: Mapping[str, Any]) -> list[str]:
    """The paper first, then what the run cites."""
    cited = manifest.get("citations") or []
    texts = cited.values() if isinstance(cited, dict) else cited
    return [f"{PAPER} doi:{DOI}", *(str(text) for text in texts if DOI not in str(text))]


def _version(manifest: Mapping[str, Any]) -> str:
    versions = manifest.get("versions")
    return str(versions.get("subsoil", "")) if isinstance(versions, dict) else ""


def _need_libraries() -> None:
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            f"{error.name} is needed to draw the report: pip install 'subsoil[report]'"
        ) from error
