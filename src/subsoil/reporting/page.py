"""The page of a study, drawn from its folder of results."""

from collections.abc import Mapping
from pathlib import Path

from subsoil.reporting import document, tables
from subsoil.reporting import results as results_folder
from subsoil.reporting.drawing import Rendered
from subsoil.reporting.headline import narrative
from subsoil.reporting.results import Results

PAGE, SECTIONS = "report.html", "sections.toml"
PAPER = (
    "Balesdent, J., Basile-Doelsch, I., Chadoeuf, J., Cornu, S., Derrien, D., Fekiacova, Z., "
    "Hatté, C. (2018). Atmosphere–soil carbon transfer as a function of soil depth. Nature 559, 599–602."
)
DOI = "10.1038/s41586-018-0328-3"


def build(folder: Path | str) -> Path:
    """Write `report.html` and the figures into a folder of results, and return the page's path.

    Only the written files are read, so a page can be drawn again at any time; the same files give
    the same bytes. Raises `UnreadableFile` if the folder holds no results, `MissingExtra` without
    matplotlib or jinja2.
    """
    document.need_libraries()
    from subsoil.reporting.figures import FIGURES as MAKERS

    results = results_folder.read(folder)
    figures = document.drawn(document.sections(SECTIONS), MAKERS, results)
    return document.save(results.folder, PAGE, html(results, figures), figures)


def html(results: Results, figures: Mapping[str, Rendered | str]) -> str:
    """The page as text."""
    return document.fill(
        PAGE,
        results,
        figures,
        sections=document.sections(SECTIONS),
        tables=document.tabled(tables.TABLES, results),
        quick=results.quick,
        sentences=narrative(results["headline"]) if "headline" in results else [],
        citations=document.cited(results.manifest, PAPER, DOI),
    )
