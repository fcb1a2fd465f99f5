"""The page holds everything, asks for nothing, and is drawn from the written files alone."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from subsoil.errors import MissingExtra, UnreadableFile
from subsoil.reporting import document, page, results, tables
from subsoil.reporting.figures import FIGURES


@pytest.fixture(scope="module")
def text(built: Path) -> str:
    return (built / page.PAGE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text: str, parse: Callable[[str], Any]) -> Any:
    return parse(text)


def test_one_file_of_reasonable_size(built: Path, text: str) -> None:
    assert len(text.encode()) < 5e6
    assert {path.stem for path in (built / document.FIGURES).glob("*.svg")} == set(FIGURES)
    assert {path.stem for path in (built / document.FIGURES).glob("*.png")} == set(FIGURES)


def test_nothing_is_loaded(parsed: Any, text: str) -> None:
    assert set(parsed.sources) <= {"data:,"}
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_markup_is_closed(parsed: Any) -> None:
    assert parsed.open == []


def test_every_link_leads_somewhere(built: Path, parsed: Any, text: str) -> None:
    for link in parsed.links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text
        else:
            assert (built / link).is_file(), link


def test_measured_page_has_no_banner(text: str) -> None:
    assert "Simulated" not in text
    assert "SIMULATED" not in text


def test_headline_stands_beside_the_published(text: str) -> None:
    plain = re.sub(r"<[^>]+>", " ", text).replace("\N{NO-BREAK SPACE}", " ")
    assert "Published" in plain
    assert re.search(r"22\.2 %\s+19\.8 to 25\.1\s+19 %\s+\+3\.2 pp\s+no\s+101", plain)
    assert "Our 95 % intervals (in brackets) hold 7 of the 8 published numbers" in plain


def test_hostile_text_stays_text(text: str) -> None:
    assert "&lt;b&gt;kept&lt;/b&gt;" in text
    assert "<b>kept" not in text


@pytest.fixture(scope="module")
def small(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which few figures can be drawn."""
    folder = Path(shutil.copytree(written, tmp_path_factory.mktemp("small") / "results"))
    for path in folder.glob("*.csv"):
        if path.stem not in ("headline", "stocks", "claims"):
            path.unlink()
    return folder


def test_missing_files_cost_their_sections_only(small: Path) -> None:
    text = page.build(small).read_text(encoding="utf-8")
    for name in ("isochrones", "drivers", "rejects", "heldout"):
        assert f"{name}.csv was not written by this run." in text
    assert "Figure 4." in text
    assert [path.stem for path in (small / document.FIGURES).glob("*.svg")] == ["stocks"]


def test_same_files_same_page(small: Path) -> None:
    first = page.build(small).read_bytes()
    assert page.build(small).read_bytes() == first


def test_redrawing_follows_the_files(small: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "results"))
    table = pd.read_csv(folder / "headline.csv")
    table.loc[0, "value"] = 12.34
    table.to_csv(folder / "headline.csv", index=False)
    assert "12.3\N{NO-BREAK SPACE}%" in page.build(folder).read_text(encoding="utf-8")


def test_no_results(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="subsoil study"):
        page.build(tmp_path)


def test_missing_library_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"pip install 'subsoil\[report\]'"):
        page.build(small)


@pytest.mark.parametrize(
    "cited", [None, [], {"paper": "Someone 2020"}, ["Someone 2020"], ["x 10.1038/s41586-018-0328-3"]]
)
def test_citations_in_any_shape(cited: object, small: Path) -> None:
    found = results.read(small)
    cites = results.Results(found.folder, found.tables, found.absent, {"citations": cited})
    text = page.html(cites, dict.fromkeys(FIGURES, "not drawn"))
    assert text.count("doi:10.1038/s41586-018-0328-3") == 1
    assert ("Someone 2020" in text) == ("Someone" in str(cited))


def test_tables_hold_what_the_files_hold(written: Path) -> None:
    found = results.read(written)
    made = {name: make(found) for name, (needs, make) in tables.TABLES.items() if not found.lacking(needs)}
    assert set(tables.TABLES) - set(made) == set(results.AS_WRITTEN) - {"subsets"}
    for name, table in made.items():
        assert table.rows, name
        assert all(len(row) == len(table.heads) for row in table.rows), name
        assert (written / table.file).is_file()
    assert [row[0].text for row in made["rejects"].rows] == ["error", "warning", "note"]
    assert [row[2].text for row in made["rejects"].rows] == ["3", "53", "1"]
    assert [row[1].text for row in made["claims"].rows] == ["✓ agrees", "✗ disagrees", "○ cannot be tested"]
    assert made["claims"].rows[0][2].text == "−9.6 pp per ln unit (−16 to −3)"
    assert len(made["drivers"].rows) == (3 * 6 + 1) * 2
    assert {row[0].text for row in made["robustness"].rows} == {"t <= 200 yr", "without FACE"}
    assert len(made["isochrones"].rows) == 11 + 11 + 5
    assert all(cell.kind != "bad" for row in made["diagnostics"].rows for cell in row)


def test_missed_convergence_is_marked(results_folder: Path) -> None:
    path = results_folder / "diagnostics.csv"
    pd.read_csv(path).assign(r_hat=1.02, ess_bulk=399).to_csv(path, index=False)
    table = tables.diagnostics(results.read(results_folder))
    assert [cell.kind for cell in table.rows[0]][3:] == ["bad", "bad", ""]
    assert "0 of 2 parameters keep" in table.caption


def test_quick_run_says_so(small: Path) -> None:
    found = results.read(small)
    quick = results.Results(found.folder, found.tables, found.absent, {"study": {"quick": True}})
    none = dict.fromkeys(FIGURES, "not drawn")
    assert "Quick run." in page.html(quick, none)
    assert "Quick run." not in page.html(found, none)
