"""The page of a leaderboard, drawn from its folder: of all models, or of one that was handed in."""

from collections.abc import Mapping
from pathlib import Path

from subsoil.reporting import board, document, score_tables, verdict
from subsoil.reporting.board import BASELINES, Board
from subsoil.reporting.drawing import Rendered
from subsoil.reporting.page import DOI, PAPER

PAGE, TEMPLATE, SECTIONS = "index.html", "leaderboard.html", "leaderboard.toml"
RUN = ("protocol", "seed", "resamples", "command")


def build(folder: Path | str) -> Path:
    """Write `index.html` and the figures into a folder of scores, and return the page's path.

    Only the written files are read (`subsoil.reporting.board.SCORES`), so a page can be drawn again at any
    time; the same files give the same bytes. A file that is absent costs its own figures and tables. Raises
    `UnreadableFile` if the folder holds no scores, `MissingExtra` without matplotlib or jinja2.
    """
    document.need_libraries()
    from subsoil.reporting.figures import SCORES as MAKERS

    scored = board.read(folder)
    figures = document.drawn(document.sections(SECTIONS), MAKERS, scored)
    return document.save(scored.folder, PAGE, html(scored, figures), figures)


def html(scored: Board, figures: Mapping[str, Rendered | str]) -> str:
    """The page as text."""
    from subsoil.reporting.figures.scores_profiles import gid

    lines = [*scored.models, *(name for name in BASELINES if name in scored.names)]
    return document.fill(
        TEMPLATE,
        scored,
        figures,
        sections=document.sections(SECTIONS),
        tables=document.tabled(score_tables.TABLES, scored),
        sentences=verdict.sentences(scored) if scored.names else [],
        citations=document.cited(scored.manifest, PAPER, DOI),
        submitted=scored.submitted,
        models=[(gid(name), name) for name in lines],
        run={name: scored.manifest.get(name, "not written") for name in RUN},
        rescored=scored.manifest.get("rescored") or [],
    )
