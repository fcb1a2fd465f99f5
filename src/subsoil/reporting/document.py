"""A page: one HTML file with everything in it, from a template, figures and tables.

Each page is a template that extends `templates/base.html`, and a TOML file that names its sections.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from subsoil import atomic
from subsoil.errors import MissingExtra
from subsoil.reporting import style, tables
from subsoil.reporting.drawing import Drawing, Rendered, render
from subsoil.reporting.results import Needs, Results

FIGURES = "figures"
R = TypeVar("R", bound=Results)


@dataclass(frozen=True)
class Section:
    """A part of the page: an introduction, then figures and tables by name."""

    name: str
    title: str
    intro: str = ""
    figures: Sequence[str] = ()
    tables: Sequence[str] = ()


def sections(name: str) -> tuple[Section, ...]:
    """The parts of a page in order.

    >>> [section.name for section in sections("sections.toml")][:3]
    ['summary', 'incorporation', 'ages']
    """
    text = files("subsoil.reporting").joinpath(name).read_text(encoding="utf-8")
    return tuple(Section(**part) for part in tomllib.loads(text)["section"])


def drawn(
    parts: Sequence[Section],
    makers: Mapping[str, tuple[Needs, Callable[[R], Drawing]]],
    results: R,
) -> dict[str, Rendered | str]:
    """Every figure in the order of the page, or the reason why it cannot be drawn."""
    made: dict[str, Rendered | str] = {}
    for name in (name for part in parts for name in part.figures):
        needs, make = makers[name]
        made[name] = results.lacking(needs) or _figure(make(results), results.simulated)
    return made


def tabled(
    makers: Mapping[str, tuple[Needs, Callable[[R], tables.Table]]], results: R
) -> dict[str, tables.Table | str]:
    """Every table, or the reason why there is none."""
    return {name: results.lacking(needs) or make(results) for name, (needs, make) in makers.items()}


def save(folder: Path, page: str, text: str, figures: Mapping[str, Rendered | str]) -> Path:
    """Write the page and its figures, and return the page's path."""
    for name, figure in figures.items():
        if isinstance(figure, Rendered):
            atomic.write_text(folder / FIGURES / f"{name}.svg", figure.svg)
            atomic.write_bytes(folder / FIGURES / f"{name}.png", figure.png)
    atomic.write_text(folder / page, text)
    return folder / page


def fill(template: str, results: Results, figures: Mapping[str, Rendered | str], **content: Any) -> str:
    """The page as text: what every page holds, and its own `content`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("subsoil.reporting"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["tied"] = tied
    return environment.get_template(template).render(
        figures=figures,
        numbers={name: place for place, name in enumerate(figures, 1)},
        manifest=tables.manifest(results),
        simulated=results.simulated,
        version=_version(results.manifest),
        light=style.theme(dark=False),
        dark=style.theme(dark=True),
        **content,
    )


def tied(text: str) -> str:
    r"""Numbers kept on one line with their unit, and both ends of a range.

    >>> tied("47 % at 30 cm").split(" ")
    ['47\xa0%', 'at', '30\xa0cm']
    """
    text = re.sub(r"(?<=\d) (?=%|cm\b|yr\b|m\b|pp\b|‰|°)", "\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=\d)–(?=\d)", "–\N{WORD JOINER}", text)


def cited(manifest: Mapping[str, Any], first: str, doi: str) -> list[str]:
    """What the page itself cites first, then what the run cites."""
    given = manifest.get("citations") or []
    texts = given.values() if isinstance(given, dict) else given
    return [f"{first} doi:{doi}", *(str(text) for text in texts if doi not in str(text))]


def need_libraries() -> None:
    """Raise `MissingExtra` without matplotlib or jinja2."""
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            f"{error.name} is needed to draw the report: pip install 'subsoil[report]'"
        ) from error


def _figure(drawing: Drawing, simulated: bool) -> Rendered | str:
    """The rendered drawing, or what it says where nothing can be drawn."""
    return render(drawing, simulated) if drawing.panels else drawing.sentence


def _version(manifest: Mapping[str, Any]) -> str:
    versions = manifest.get("versions")
    return str(versions.get("subsoil", "")) if isinstance(versions, dict) else ""
