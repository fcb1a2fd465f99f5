"""The page of the leaderboard says what its files say, in the right order, and asks for nothing."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from subsoil.errors import UnreadableFile
from subsoil.reporting import board, document, leaderboard, score_tables, style, verdict
from subsoil.reporting.board import Board
from subsoil.reporting.figures import SCORES, scores_bias, scores_ladder, scores_profiles, scores_questions

MODELS, PART = 9, "model05"  # PART answers the layers down to 30 cm alone


@pytest.fixture(scope="module")
def folder(write_scores: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores of a few models, with their page: read only."""
    found = write_scores(tmp_path_factory.mktemp("scores") / "board", models=MODELS, sites=24)
    leaderboard.build(found)
    return found


@pytest.fixture(scope="module")
def scored(folder: Path) -> Board:
    return board.read(folder)


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / leaderboard.PAGE).read_text(encoding="utf-8")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder that a test may change, without figures."""
    return Path(
        shutil.copytree(folder, tmp_path / "board", ignore=shutil.ignore_patterns("figures", "*.html"))
    )


def made(rows: list[tuple], questions: pd.DataFrame | None = None, **manifest: object) -> Board:
    """A board of hand-written rows: model, metric, depth, value, lower, upper, verdict."""
    names = ["model", "metric", "depth", "value", "lower", "upper", "verdict"]
    table = pd.DataFrame(rows, columns=names).assign(group="all", n=10.0)
    tables = {"leaderboard": table} | ({} if questions is None else {"questions": questions})
    return Board(Path(), tables, {"predictions": "absent"}, manifest)


def three() -> list[tuple]:
    """A good, a middling and a bad model between floor and ceiling."""
    told = {
        "good": (0.5, 0.3, 0.6, 0.10, 1.0, 0.05, 0.02, 0.08),
        "middling": (0.1, -0.1, 0.3, 0.15, 2.0, 0.04, 0.01, 0.07),
        "bad": (-2.0, -3.0, -1.0, 0.4, 3.0, 0.3, 0.2, 0.4),
    }
    rows = [("floor", "rmse", "all", 0.2, 0.18, 0.22, ""), ("ceiling", "rmse", "all", 0.05, 0.04, 0.06, "")]
    for name, (skill, low, high, rmse, rank, bias, least, most) in told.items():
        better = "better than the floor" if low > 0 else "not better than the floor"
        rows.append((name, "skill", "all", skill, low, high, better))
        rows.append((name, "rmse", "all", rmse, rmse, rmse, ""))
        rows.append((name, "rank", "all", rank, rank, rank, ""))
        rows.append((name, "bias", "0-10", bias, least, most, "too young"))
        rows.append((name, "bias", "10-30", -bias if name == "bad" else bias, -0.4, 0.4, ""))
    return rows


def test_one_page_with_every_figure(folder: Path, text: str, parse: Callable[[str], Any]) -> None:
    found = parse(text)
    assert found.open == []
    assert set(found.sources) <= {"data:,"}
    assert not re.search(r"@import|url\((?!#)", text)
    assert {path.stem for path in (folder / document.FIGURES).glob("*.svg")} == set(SCORES)
    for link in found.links:
        assert f'id="{link[1:]}"' in text if link.startswith("#") else (folder / link).is_file(), link


def test_every_figure_has_a_sentence_with_numbers_and_axes_with_units(scored: Board) -> None:
    for name, (_, make) in SCORES.items():
        drawing = make(scored)
        assert drawing.name == name
        assert re.search(r"\d", drawing.sentence), name
        assert "nan" not in drawing.sentence, name
        for panel in drawing.panels:
            with style.canvas([(panel.width, panel.height)], False) as figure:
                panel.draw(figure.axes[0])
                assert "(" in figure.axes[0].get_xlabel(), name


def test_models_stand_by_rank_and_a_partial_one_last(scored: Board) -> None:
    rmse = scored.scores("rmse")["value"]
    whole = [name for name in scored.models if name != PART]
    assert whole == sorted(whole, key=lambda name: rmse[name])
    assert scored.models[-1] == PART
    assert scored.ranked == tuple(whole)
    assert re.fullmatch(rf"{PART} \(\d\d %\)", scored.label(PART))
    assert scored.label(whole[0]) == whole[0]


def test_table_holds_the_numbers_of_the_file(scored: Board) -> None:
    table = score_tables.scores(scored)
    rows = {row[0].text: dict(zip(table.heads, row, strict=True)) for row in table.rows}
    assert list(rows) == [*board.BASELINES, *scored.models]
    assert all(len(row) == len(table.heads) for row in table.rows)
    for name in scored.models:
        for head, metric in (("RMSE (pp)", "rmse"), ("Bias (pp)", "bias")):
            row = scored.scores(metric).loc[name]
            assert float(rows[name][head].sort) == pytest.approx(100 * row["value"])
            assert float(rows[name][head].text.replace("−", "-")) == pytest.approx(
                100 * row["value"], abs=0.06
            )
            assert " to " in rows[name][head].note
        assert rows[name]["Verdict"].text == scored.scores("skill")["verdict"][name]
    assert rows[PART]["Bias 50–100 cm"].text == "–"
    assert rows["floor"]["Verdict"].text == "–"


@pytest.mark.parametrize("name", score_tables.TABLES)
def test_tables_are_whole(scored: Board, name: str) -> None:
    table = score_tables.TABLES[name][1](scored)
    assert table.rows
    assert all(len(row) == len(table.heads) for row in table.rows)
    assert not any("nan" in cell.text for row in table.rows for cell in row)


def test_verdict_counts_what_beats_the_floor() -> None:
    first, best, wrong = verdict.sentences(made(three()))
    assert first.startswith("2 of 3 models come closer")
    assert "For 1 of them the whole 95 % interval says so; 1 is clearly worse." in first
    assert best.startswith("Best are good (error 10 pp; skill 0.5, 0.3 to 0.6), middling (error 15 pp;")
    assert (
        "the floor errs by 20 pp and the ceiling, an age model at sites it has not seen, errs by 5 pp" in best
    )
    assert wrong == "What most get wrong: their carbon is too young at 0–10 cm (3 of 3 models)."


def test_verdict_of_a_submitted_model_comes_first() -> None:
    told = verdict.sentences(made(three(), submitted="bad"))
    assert told[0].startswith(
        "bad is not better than the floor: skill −2, −3 to −1, rank 3 of 3. It errs by 40 pp; the floor errs"
    )
    assert told[1] == "It is too young at 0–10 cm."
    assert told[2].startswith("2 of 3 models come closer")


def test_verdict_of_one_model_is_of_it_alone() -> None:
    rows = [row for row in three() if row[0] not in ("middling", "bad")]
    told = verdict.sentences(made(rows, submitted=["good"]))
    assert told[0].startswith("good is better than the floor: skill 0.5, 0.3 to 0.6. It errs by 10 pp;")
    assert told[1:] == ["It is too young at 0–10 cm."]


def test_verdict_of_the_questions_counts_models_that_pass_all() -> None:
    asked = pd.DataFrame({"question": ["q1", "q2"], "title": ["First", "Second"], "unit": "cm"})
    answers = [
        (name, question, "all", 1.0, 0.5, 1.5, "pass" if passes else "fail")
        for name, passing in {"good": (1, 1), "middling": (1, 0), "bad": (1, 0)}.items()
        for question, passes in zip(("q1", "q2"), passing, strict=True)
    ]
    scored = made([*three(), *answers], asked)
    assert scores_questions.passed(scored, "middling") == (1, 2)
    assert (
        "1 of 3 models that answer passes all 2 questions of the paper (good); fewest, 1, pass “Second”."
        in (verdict.sentences(scored))
    )


def test_model_without_a_score_is_told_not_dropped() -> None:
    rows = [*three(), ("broken", "failed", "all", 3.0, np.nan, np.nan, "no steady state")]
    scored = made(rows)
    assert scored.models[-1] == "broken"
    assert verdict.sentences(scored)[-1] == "broken has no score at all."
    assert score_tables.scores(scored).rows[-1][-1].text == "no score"
    assert [cell.text for cell in score_tables.failures(scored).rows[0]] == [
        "broken",
        "10",
        "no steady state",
    ]


def test_means_are_over_the_same_layers(scored: Board) -> None:
    means = scores_profiles.binned(scored)
    table = scored["predictions"].assign(depth=lambda t: (t["layer_top"] + t["layer_bottom"]) / 2)
    young = table[(table["years"] <= 10) & (table["depth"] > 10) & (table["depth"] <= 30)]
    one = young[young["model"] == "model02"]
    row = means[
        (means["model"] == "model02") & (means["label"] == "4–8 yr") & (means["depth_class"] == "10-30")
    ]
    assert row["data"].item() == pytest.approx(100 * one["observed"].mean())
    assert row["modelled"].item() == pytest.approx(100 * one["predicted"].mean())
    assert row["layers"].item() == len(one)
    assert (means["low"] <= means["data"] + 1e-9).all()
    assert (means["data"] <= means["high"] + 1e-9).all()
    part = means[means["model"] == PART].set_index("depth_class")["modelled"]
    assert part["0-10"].notna().all()
    assert "50-100" not in part.index


def test_order_of_rows_does_not_move_the_means(scored: Board) -> None:
    rows = scored["predictions"].sample(frac=1.0, random_state=1)
    mixed = Board(scored.folder, {**scored.tables, "predictions": rows}, {}, {})
    first, second = (
        scores_profiles.binned(b).set_index(["model", "label", "depth_class"]).sort_index()
        for b in (scored, mixed)
    )
    pd.testing.assert_frame_equal(first, second)


def test_interval_of_a_mean() -> None:
    site = np.repeat(np.arange(40), 3)
    values = np.random.default_rng(1).normal(size=40)[site]
    low, high = scores_profiles.interval(values, site)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(40), rel=0.1)
    assert np.isnan(scores_profiles.interval(np.array([1.0, 2.0]), np.array(["a", "b"]))).all()


def test_colours_of_a_bias_are_even_about_zero() -> None:
    assert scores_bias.colour(0.1) == scores_bias.colour(-0.1) == style.NEUTRAL
    sizes = (3.0, 10.0, 90.0)
    assert [scores_bias.colour(size) for size in sizes] == list(style.YOUNGER)
    assert [scores_bias.colour(-size) for size in sizes] == list(style.OLDER)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("colour", [style.NEUTRAL, *style.YOUNGER, *style.OLDER])
def test_numbers_on_the_strip_are_legible(colour: str, dark: bool) -> None:
    ink, cell = (style.DARK[c] if dark else c for c in (style.INK, colour))
    light, deep = sorted((luminance(ink), luminance(cell)), reverse=True)
    assert (light + 0.05) / (deep + 0.05) >= 4.5


def test_best_elsewhere_answers_enough(scored: Board) -> None:
    sentence = scores_ladder.targets(scored).sentence
    assert PART not in sentence
    assert f"by {scored.ranked[0]} (floor" in sentence


def test_every_model_has_a_line_in_every_panel(scored: Board, text: str) -> None:
    panels = len(SCORES["profiles"][1](scored).panels)
    assert panels == 4
    for name in scored.models:
        assert len(re.findall(rf'<g id="profiles\d-{scores_profiles.gid(name)}"', text)) == panels
        assert f'["{scores_profiles.gid(name)}", "{name}"]' in text


def test_hostile_text_stays_text(copy: Path) -> None:
    path = copy / "leaderboard.csv"
    path.write_text(path.read_text().replace("model00", "</script><b>x"))
    (copy / "predictions.csv").unlink()
    (copy / "questions.csv").unlink()
    (copy / "values.csv").unlink()
    text = leaderboard.build(copy).read_text(encoding="utf-8")
    assert "<b>x" not in text
    assert "&lt;/script&gt;&lt;b&gt;x" in text
    assert "&lt;b&gt;kept" in text
    for name in ("predictions", "questions"):
        assert f"{name}.csv was not written by this run." in text
    assert {path.stem for path in (copy / document.FIGURES).glob("*.svg")} == {"ladder", "bias", "targets"}
    assert leaderboard.build(copy).read_text(encoding="utf-8") == text


def test_page_of_a_submitted_model(scored: Board) -> None:
    one = Board(scored.folder, scored.tables, scored.absent, {**scored.manifest, "submitted": "model03"})
    text = leaderboard.html(one, dict.fromkeys(SCORES, "not drawn"))
    assert "<h1>model03: does it put new carbon at the right depth?</h1>" in text
    assert '<span class="tag">model03</span>' in text
    assert "model03: rank " in scores_profiles.examples(one).panels[0].title


def test_rescored_models_are_marked(scored: Board) -> None:
    none = dict.fromkeys(SCORES, "not drawn")
    assert "Scored again." not in leaderboard.html(scored, none)
    again = Board(scored.folder, scored.tables, scored.absent, {**scored.manifest, "rescored": ["model03"]})
    assert "has changed since model03" in leaderboard.html(again, none)


def test_no_scores(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="subsoil leaderboard"):
        leaderboard.build(tmp_path)
