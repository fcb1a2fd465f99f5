"""The bundles have the structure that their readers check, and hold the numbers of the table."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from subsoil.atomic import canonical_json
from subsoil.benchmark import cmec
from subsoil.benchmark.scoring import COLUMNS

ROWS = [
    ("clm5", "rmse", "all", "all", 0.1, 0.08, 0.12, 754, ""),
    ("clm5", "rmse", "30-50", "crop", 0.2, np.nan, np.nan, 20, ""),
    ("clm5", "ilamb", "all", "all", 0.6, 0.5, 0.7, 754, ""),
    ("clm5", "delta14c_rmse", "all", "all", 80.0, 70.0, 90.0, 900, ""),
    ("clm5", "rmse_minus_best", "all", "all", 0.02, 0.01, 0.03, 754, "behind the best"),
    ("clm5", "median_depth_new", "all", "all", 21.0, 20.0, 22.0, 100, "pass"),
    ("clm5", "median_depth_new_margin", "all", "all", 2.0, 1.0, 3.0, 100, "pass"),
    ("clm5", "diagnosis", "all", "all", np.nan, np.nan, np.nan, 0, "too young at 30-50 cm"),
    ("floor", "rmse", "all", "all", 0.15, 0.13, 0.17, 754, ""),
    ("broken", "failed", "all", "all", 112.0, np.nan, np.nan, 112, "no state"),
]


@pytest.fixture
def bundle() -> dict[str, Any]:
    table = pd.DataFrame(ROWS, columns=[*COLUMNS])
    made = cmec.diagnostic(table, reference="made 1.0", titles={"clm5": "CLM 5"}, provenance={"seed": 0})
    return json.loads(canonical_json(made))


def branches(tree: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    """Every node at a depth of a tree."""
    if depth == 0:
        yield tree
    else:
        for node in tree.values():
            yield from branches(node, depth - 1)


def test_dimensions_are_those_of_the_structure(bundle: dict[str, Any]) -> None:
    dimensions = bundle["DIMENSIONS"]
    assert set(dimensions) == {"json_structure", *dimensions["json_structure"]}
    assert dimensions["json_structure"][-4:] == ["grid_label", "region", "metric", "statistic"]


def test_results_hold_every_name_of_each_level(bundle: dict[str, Any]) -> None:
    dimensions = bundle["DIMENSIONS"]
    structure = dimensions["json_structure"]
    for depth, name in enumerate(structure[:-1]):
        for node in branches(bundle["RESULTS"], depth):
            assert set(node) == set(dimensions[name]), name
    for leaf in branches(bundle["RESULTS"], len(structure) - 1):
        assert set(leaf) <= set(dimensions["statistic"])
        assert all(value is None or isinstance(value, int | float) for value in leaf.values())


def test_numbers_are_those_of_the_table(bundle: dict[str, Any]) -> None:
    sources = bundle["RESULTS"]["model"]["made 1.0"]["virtual-labelling"]
    assert set(sources) == {"clm5", "floor"}
    regions = sources["clm5"]["published"]["site"]
    assert regions["all"]["f_new::all"]["rmse_upper"] == 0.12
    assert regions["all"]["delta14c::all"] == {"rmse": 80, "rmse_lower": 70, "rmse_upper": 90}
    assert regions["all"]["f_new::all"]["rmse_minus_best"] == 0.02
    assert regions["all"]["median_depth_new::all"]["value"] == 21
    assert regions["all"]["median_depth_new::all"]["margin_lower"] == 1
    assert regions["crop"]["f_new::30-50"] == {"rmse": 0.2}
    assert regions["crop"]["f_new::all"] == {}


def test_each_statistic_says_what_it_is(bundle: dict[str, Any]) -> None:
    told = bundle["DIMENSIONS"]["statistic"]
    assert told["ilamb"]["type"] == told["ilamb_lower"]["type"] == "score"
    assert told["rmse"] == {
        "type": "scalar", "units": "of the metric", "long_name": "root mean square error",
    }  # fmt: skip
    assert told["rmse_lower"]["long_name"] == "root mean square error, lower bound of 95 %"
    assert told["rmse_minus_best"]["units"] == "of the metric"
    assert bundle["DIMENSIONS"]["metric"]["delta14c::all"]["units"] == "1e-3"


def test_the_output_bundle_has_what_its_readers_need() -> None:
    made = cmec.output(
        {"index.html": ("Page", "All."), "leaderboard.csv": ("Table", "Rows."),
         "diagnostic.json": ("Scores", "As CMEC."), "figures/depth.svg": ("Figure", "By depth.")},
        models=["clm5"], sources=[{"key": "balesdent2018", "title": "Workbook", "doi": "10.1/x"}],
        versions={"subsoil": "0.1"},
    )  # fmt: skip
    assert {"environment", "modeldata", "obsdata", "log"} == set(made["provenance"])
    assert made["index"] in made["html"]
    assert set(made["plots"]) == {"depth"}
    assert set(made["metrics"]) == {"diagnostic"}
    for kind in ("data", "plots", "html", "metrics"):
        for entry in made[kind].values():
            assert {"filename", "long_name", "description"} == set(entry)
    json.dumps(made)
