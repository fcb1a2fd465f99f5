"""Figures: their numbers, their sentences, their bytes."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from subsoil.reporting import results, style
from subsoil.reporting.drawing import Drawing, Rendered, render
from subsoil.reporting.figures import FIGURES, ages, drivers, incorporation, sensitivity, stocks
from subsoil.reporting.results import Results


@pytest.fixture(scope="module")
def read(written: Path) -> Results:
    return results.read(written)


@pytest.fixture(scope="module")
def drawings(read: Results) -> dict[str, Drawing]:
    return {name: make(read) for name, (_, make) in FIGURES.items()}


def test_every_sentence_holds_numbers(drawings: dict[str, Drawing]) -> None:
    for name, drawing in drawings.items():
        assert drawing.name == name
        assert re.search(r"\d", drawing.sentence), name
        assert drawing.sentence.endswith("."), name
        assert "nan" not in drawing.sentence.lower(), name


@pytest.mark.parametrize("name", FIGURES)
def test_every_axis_has_a_unit(drawings: dict[str, Drawing], name: str) -> None:
    for panel in drawings[name].panels:
        with style.canvas([(panel.width, panel.height)], False) as figure:
            panel.draw(figure.axes[0])
            ax = figure.axes[0]
            labels = [ax.get_xlabel(), ax.get_ylabel()]
            ticks = [label.get_text() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
        if name == "sites":
            assert any("°" in tick for tick in ticks)
        elif name in ("drivers", "sensitivity"):  # the vertical axis holds names
            assert "(" in labels[0]
        else:
            assert all("(" in label for label in labels), (panel.title, labels)


def test_sentence_changes_with_the_numbers(results_folder: Path) -> None:
    before = FIGURES["stocks"][1](results.read(results_folder)).sentence
    path = results_folder / "stocks.csv"
    table = pd.read_csv(path)
    table.loc[table["depth_cm"] > 30, "new_soc_density"] *= 3
    table.to_csv(path, index=False)
    assert FIGURES["stocks"][1](results.read(results_folder)).sentence != before


def test_share_below_a_depth_of_a_uniform_density() -> None:
    depth = np.arange(5.0, 100.0, 10.0)
    table = pd.DataFrame({"depth_cm": depth, "soc_density": 0.2, "new_soc_density": 1.0 - depth / 100})
    assert stocks.below(table)["soc_density"] == pytest.approx(0.7)
    assert stocks.below(table)["new_soc_density"] == pytest.approx(0.49, abs=1e-3)  # (1 - 0.3)**2


def test_distance_from_the_printed_curves_counts_shared_values_only() -> None:
    printed = pd.DataFrame(
        {"depth_cm": [0, 10, 20], "age_yr": [3, 3, 3], "percent_younger": [30.0, 10.0, 5.0]}
    )
    ours = printed[:2].assign(percent_younger=[33.0, 14.0])
    gap, count = ages.distance(printed, ours)
    assert count == 2
    assert gap == pytest.approx(np.sqrt((9 + 16) / 2))


def test_bands_prefer_the_interval(read: Results) -> None:
    table = ages.banded(read["isochrones"]).set_index("method")
    assert (table.loc["hierarchical", "high"] == table.loc["hierarchical", "percent_upper"]).all()
    published = table.loc["as published (bi-exponential regression)"]
    assert np.allclose(published["high"] - published["low"], 2 * published["percent_se"])


def test_class_means_are_means(read: Results) -> None:
    values = pd.DataFrame(
        {"label": pd.Categorical(["a", "a", "b"]), "depth_cm": [0, 0, 0], "f_new": [0.1, 0.3, 0.5]}
    )
    means = incorporation.class_means(values).set_index("label")
    assert means.loc["a", "mean"] == pytest.approx(20.0)
    assert means.loc["a", "sem"] == pytest.approx(10.0)
    assert means.loc["b", "count"] == 1


def test_one_subset_is_drawn_for_a_response(read: Results) -> None:
    rows = drivers.asked(read["drivers"], drivers.JOINT)
    assert set(rows["subset"]) == {"t <= 200 yr"}
    assert set(rows["method"]) == {"cluster-robust CR2", "hierarchical"}
    assert len(rows) == 3 * 6 * 2
    assert drivers.asked(read["drivers"], "no such question").empty


def test_choice_that_moves_most_comes_first() -> None:
    rows = pd.DataFrame({"choice": ["a", "a", "b", "b"], "value": [1.0, 2.0, 1.0, 5.0]})
    assert list(sensitivity.spread(rows).index) == ["b", "a"]


@pytest.fixture(scope="module")
def rendered(drawings: dict[str, Drawing]) -> dict[bool, Rendered]:
    return {simulated: render(drawings["stocks"], simulated) for simulated in (False, True)}


def test_same_numbers_same_bytes(read: Results, rendered: dict[bool, Rendered]) -> None:
    again = render(FIGURES["stocks"][1](read), False)
    first = rendered[False]
    assert (again.svg, again.png, again.inline) == (first.svg, first.png, first.inline)
    assert not re.search(r"20\d\d-\d\d-\d\d", again.svg)


def test_simulated_figures_say_so(rendered: dict[bool, Rendered]) -> None:
    marked, plain = rendered[True], rendered[False]
    assert "SIMULATED DATA" in marked.svg
    assert all("SIMULATED DATA" in part and "Simulated data." in part for part in marked.inline)
    assert "SIMULATED" not in plain.svg
    assert marked.png != plain.png


def test_inline_svg_is_sound_and_follows_the_theme(rendered: dict[bool, Rendered]) -> None:
    first, second = rendered[False].inline
    identifiers = [re.findall(r'\bid="([^"]+)"', part) for part in (first, second)]
    assert not set(identifiers[0]) & set(identifiers[1])
    for part, known in zip((first, second), identifiers, strict=True):
        ET.fromstring(part)
        assert set(re.findall(r'href="#([^"]+)"', part)) <= set(known)
        assert set(re.findall(r"url\(#([^)]+)\)", part)) <= set(known)
        colours = set(re.findall(r"#[0-9a-f]{6}\b", part))
        assert not colours & set(style.DARK)
        assert "var(--c20242a)" in part


def test_every_colour_has_its_dark_twin() -> None:
    assert style.theme(True).count("--c") == style.theme(False).count("--c") == len(style.DARK)
    assert style.pick(style.AGE_COLOURS, 8) == list(style.AGE_COLOURS)
    assert len(set(style.pick(style.AGE_COLOURS, 4))) == 4
    assert style.pick(style.AGE_COLOURS, 1) == [style.AGE_COLOURS[0]]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("isochrones", lambda t: t[t["method"] == "published (digitised)"]),
        ("isochrones", lambda t: t[t["method"].str.startswith("as published")].drop(columns="percent_lower")),
        ("isochrones", lambda t: t[(t["depth_cm"] == 20) & (t["method"] == "hierarchical")]),
        ("drivers", lambda t: t.assign(subset="", lower=np.nan, upper=np.nan)),
        ("drivers", lambda t: t[t["question"] == "crop by layer"]),
        ("drivers", lambda t: t[t["question"] == "crop by 10 cm"].head(1)),
        ("drivers", lambda t: t.assign(lower=-np.inf, upper=np.inf)),
        ("choices", lambda t: t.assign(lower=-np.inf, upper=np.inf)),
        ("choices", lambda t: t.assign(value=np.inf)),
        ("drivers", lambda t: t.assign(unit=[f"unit {i % 3}" for i in range(len(t))])),
        ("drivers", lambda t: t.assign(term="a very long name of a term $x_1$ <b> of the regression")),
        ("choices", lambda t: t.assign(name="unknown_name", lower=np.nan, upper=np.nan)),
        ("heldout", lambda t: t.assign(coverage90=np.nan)),
        ("heldout", lambda t: t[t["depth_cm"] == "all"]),
        ("heldout", lambda t: t[t["depth_cm"] != "all"]),
        ("heldout", lambda t: t[t["model"].str.contains("floor")]),
        ("residuals", lambda t: t.assign(lower=np.nan, upper=np.nan).head(1)),
        ("stocks", lambda t: t.assign(soc_density=0.0)),
        ("stocks", lambda t: t.head(1)),
        ("fractions", lambda t: t.assign(land_use=np.nan)),
        ("fractions", lambda t: t.assign(labelling_years=12.0)),
        ("fractions", lambda t: t.assign(f_new=np.nan)),
        ("fractions", lambda t: t.assign(latitude=np.nan)),
        ("depths", lambda t: t.assign(f_new=np.nan)),
        ("headline", lambda t: t.assign(published=np.nan, lower=np.nan)),
    ],
)  # fmt: skip
def test_odd_tables_are_drawn_too(results_folder: Path, name: str, change: object) -> None:
    path = results_folder / f"{name}.csv"
    change(pd.read_csv(path)).to_csv(path, index=False)
    found = results.read(results_folder)
    for needs, make in FIGURES.values():
        if name in needs and not found.lacking(needs):
            drawing = make(found)
            assert drawing.sentence
            if not drawing.panels:
                continue
            with style.canvas([(panel.width, panel.height) for panel in drawing.panels], False) as figure:
                for panel, ax in zip(drawing.panels, figure.axes, strict=True):
                    panel.draw(ax)
                style.settle(figure)
