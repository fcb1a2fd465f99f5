"""The report in a real browser: it is legible, whole and asks nothing of the network."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Look = Callable[..., Any]


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2) of two CSS colours of the form rgb(r, g, b)."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(scope="module", params=[(400, False), (1200, True)], ids=["400 px light", "1200 px dark"])
def seen(request: pytest.FixtureRequest, look: Look, pages: dict[str, Path]) -> Any:
    width, dark = request.param
    return look(pages["measured"], width, dark)


def test_never_scrolls_sideways(seen: Any) -> None:
    assert seen.measured["width"] in (400, 1200)
    assert seen.measured["scroll"] <= seen.measured["width"]
    assert all(table["box"] <= seen.measured["width"] for table in seen.measured["tables"])


def test_asks_nothing_of_the_network(seen: Any) -> None:
    assert seen.measured["requests"] == []
    assert seen.measured["violations"] == []


def test_console_stays_silent(seen: Any) -> None:
    assert seen.console == []


def test_figures_have_size_and_alternative_text(seen: Any) -> None:
    figures = seen.measured["figures"]
    assert len(figures) >= 17  # panels of nine figures
    for figure in figures:
        assert figure["role"] == "img"
        assert len(figure["alt"]) > 40
        assert figure["width"] > 250
        assert figure["height"] > 100
        assert figure["right"] <= seen.measured["width"]


def test_tables_are_labelled(seen: Any) -> None:
    assert len(seen.measured["tables"]) >= 8
    assert all(table["caption"] and table["heads"] for table in seen.measured["tables"])


def test_structure_is_sound(seen: Any) -> None:
    headings, ids = seen.measured["headings"], seen.measured["ids"]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert len(ids) == len(set(ids))
    assert set(seen.measured["anchors"]) <= set(ids)


def test_text_keeps_its_contrast(seen: Any) -> None:
    measured = seen.measured
    assert contrast(measured["text"], measured["page"]) >= 7
    assert {"a", ".soft", ".bad", ".good"} <= set(measured["colours"])
    assert all(contrast(colour, measured["card"]) >= 4.5 for colour in measured["colours"].values())


def test_sorts_by_value_not_by_text(seen: Any) -> None:
    values = [float(value) for value in seen.measured["sorted"]]
    assert len(values) == 9
    assert values == sorted(values)


def test_simulated_page_with_most_tables_missing(look: Look, pages: dict[str, Path]) -> None:
    seen = look(pages["simulated"], 400)
    assert seen.console == []
    assert seen.measured["scroll"] <= 400
    assert all("Simulated data" in table["caption"] for table in seen.measured["tables"])
    assert all(figure["alt"].startswith("Simulated data") for figure in seen.measured["figures"])


def test_the_measure_sees_a_request(look: Look, pages: dict[str, Path], tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.html"
    text = pages["simulated"].read_text(encoding="utf-8")
    address = "https://example.invalid/picture.png"
    spoilt.write_text(text.replace("</main>", f'<img src="{address}" alt=""></main>'), encoding="utf-8")
    seen = look(spoilt, 400)
    assert address in seen.measured["violations"] + seen.measured["requests"]
    assert seen.console
