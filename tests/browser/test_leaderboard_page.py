"""The leaderboard in a real browser: legible and whole on a phone and a desk, and it can be searched."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=[(400, True), (1200, False)], ids=["400 px dark", "1200 px light"])
def seen(request: pytest.FixtureRequest, look: Callable[..., Any], leaderboard_page: Path) -> Any:
    width, dark = request.param
    return look(leaderboard_page, width, dark)


def test_never_scrolls_sideways(seen: Any) -> None:
    assert seen.measured["width"] in (400, 1200)
    assert seen.measured["scroll"] <= seen.measured["width"]
    assert len(seen.measured["tables"]) >= 8
    assert all(table["box"] <= seen.measured["width"] for table in seen.measured["tables"])


def test_asks_nothing_and_says_nothing(seen: Any) -> None:
    assert seen.measured["requests"] == seen.measured["violations"] == seen.console == []


def test_figures_have_size_and_alternative_text(seen: Any) -> None:
    figures = seen.measured["figures"]
    assert len(figures) == 4 + 6 + 1 + 1 + 5 + 2  # profiles, examples, skill, bias, questions, other targets
    for figure in figures:
        assert figure["role"] == "img"
        assert len(figure["alt"]) > 40
        assert figure["width"] > 250
        assert figure["right"] <= seen.measured["width"]


def test_structure_is_sound(seen: Any) -> None:
    headings, ids = seen.measured["headings"], seen.measured["ids"]
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert len(ids) == len(set(ids))
    assert set(seen.measured["anchors"]) <= set(ids)


def test_rows_can_be_searched(seen: Any) -> None:
    assert len(seen.measured["filtered"]) == 1
    assert seen.measured["filtered"][0].startswith("model03")


def test_a_model_comes_forward_in_every_panel(seen: Any) -> None:
    assert len(seen.measured["chosen"]) == 4
    assert set(seen.measured["chosen"]) == {seen.measured["text"]}
