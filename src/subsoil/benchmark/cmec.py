"""A leaderboard in the two files that other evaluation packages read: ``diagnostic.json``, ``output.json``.

Form: the common metric output and the common output bundle of the Earth System Metrics and Diagnostics
Standards (LLNL-WEB-836141, CMEC), as the CMIP7 rapid evaluation framework (climate-ref) validates them:

- ``DIMENSIONS`` has ``json_structure``, the levels of ``RESULTS`` from the outside in, and for each level its
  names. Every name of a level but the last is there in every branch, empty where there is no score; the last
  level holds some of its names, each a number or null.
- Each statistic says in ``DIMENSIONS`` whether it is a ``scalar`` or a ``score`` (0 to 1), and its units.

The levels: region is a group of profiles, metric is target and depth class as in ``f_new::30-50``, or a
question. Bounds of 95 % are statistics of their own, ``rmse_lower`` and ``rmse_upper``. Floor, ceiling and
noise are sources like models.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from subsoil.benchmark.metrics import METRICS
from subsoil.benchmark.reference import TARGETS
from subsoil.benchmark.scoring import ALL

STRUCTURE = ("kind", "reference_source_id", "experiment_id", "source_id", "member_id", "grid_label", "region",
             "metric", "statistic")  # fmt: skip
FIXED = {
    "kind": "model",
    "experiment_id": "virtual-labelling",
    "member_id": "published",
    "grid_label": "site",
}
"""One name each: models are labelled at sites with their published parameters."""
UNITS = {"f_new": "1", "stock_share": "1", "delta14c": "1e-3", "isochrone": "1"}
"""Of the scaled scores of a target; per mil is 1e-3."""
MEANINGS = {
    "skill": "standing between floor (0) and ceiling (1)",
    "rank": "rank among models on common values",
    "first_share": "share of bootstrap resamples in which the model is the first",
    "value": "answer to a question",
    "margin": "distance from the answer to the nearest end of the range of the data, above 0 inside",
}
BOUNDS = ("lower", "upper")


def diagnostic(
    table: pd.DataFrame,
    *,
    reference: str,
    titles: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The scores of a leaderboard as a CMEC metric bundle.

    ``table``: of `subsoil.benchmark.leaderboard.score`; ``reference`` the name of what was scored against,
    with the version of the protocol; ``titles`` of models. Rows that hold words alone are left out.

    >>> row = ("clm5", "rmse", "all", "all", 0.1, 0.08, 0.12, 754, "")
    >>> names = ["model", "metric", "depth", "group", "value", "lower", "upper", "n", "verdict"]
    >>> found = diagnostic(pd.DataFrame([row], columns=names), reference="made")
    >>> found["RESULTS"]["model"]["made"]["virtual-labelling"]["clm5"]["published"]["site"]["all"]
    {'f_new::all': {'rmse': 0.1, 'rmse_lower': 0.08, 'rmse_upper': 0.12}}
    """
    scored = table[np.isfinite(table["value"]) & (table["metric"] != "failed")]
    split = [_split(metric) for metric in scored["metric"]]
    scored = scored.assign(
        name=[f"{target}::{depth}" for (target, _), depth in zip(split, scored["depth"], strict=True)],
        statistic=[statistic for _, statistic in split],
    )
    models, regions, names = (list(dict.fromkeys(scored[c])) for c in ("model", "group", "name"))
    tree: dict[str, dict[str, dict[str, dict[str, float | None]]]] = {
        model: {region: {name: {} for name in names} for region in regions} for model in models
    }
    for row in scored.itertuples(index=False):
        leaf = tree[row.model][row.group][row.name]
        leaf[row.statistic] = float(row.value)
        for bound in BOUNDS:
            if np.isfinite(number := getattr(row, bound)):
                leaf[f"{row.statistic}_{bound}"] = float(number)
    statistics = dict.fromkeys(
        s for of in tree.values() for at in of.values() for leaf in at.values() for s in leaf
    )
    level = {key: {name: {}} for key, name in FIXED.items()} | {
        "reference_source_id": {reference: {}},
        "source_id": {model: {"long_name": (titles or {}).get(model, model)} for model in models},
        "region": {region: {"long_name": "all profiles" if region == ALL else region} for region in regions},
        "metric": {name: _metric(name) for name in names},
        "statistic": {name: _statistic(name) for name in statistics},
    }
    sources = {m: {FIXED["member_id"]: {FIXED["grid_label"]: at}} for m, at in tree.items()}
    return {
        "DIMENSIONS": {"json_structure": [*STRUCTURE], **{key: level[key] for key in STRUCTURE}},
        "RESULTS": {FIXED["kind"]: {reference: {FIXED["experiment_id"]: sources}}},
        "PROVENANCE": dict(provenance or {}),
    }


def output(
    files: Mapping[str, tuple[str, str]],
    *,
    models: Sequence[str],
    sources: Sequence[Mapping[str, Any]],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """What a folder holds, as a CMEC output bundle.

    ``files``: long name and description by file name; ``models`` that were scored; ``sources`` of the data,
    as a manifest lists them; ``versions`` of the software.

    >>> found = output({"index.html": ("Page", "All.")}, models=[], sources=[], versions={})
    >>> found["index"], found["html"]["index"]["filename"]
    ('index', 'index.html')
    """
    kinds: dict[str, dict[str, dict[str, str]]] = {"data": {}, "plots": {}, "html": {}, "metrics": {}}
    for name, (title, text) in files.items():
        stem = name.rpartition("/")[2].rpartition(".")[0]
        kinds[_kind(name)][stem] = {"filename": name, "long_name": title, "description": text}
    index = next(iter(kinds["html"]), next(iter(kinds["metrics"]), None))
    provenance = {
        "environment": dict(versions),
        "modeldata": list(models),
        "obsdata": {
            str(s.get("key", "")): {"title": s.get("title", ""), "doi": s.get("doi", "")} for s in sources
        },
        "log": "manifest.json",
    }
    return {"index": index, "provenance": provenance, **kinds}


def _split(metric: str) -> tuple[str, str]:
    """Target, or question, and statistic of a metric of the leaderboard.

    >>> _split("delta14c_rmse"), _split("rmse_minus_floor"), _split("crop_direction_margin")
    (('delta14c', 'rmse'), ('f_new', 'rmse_minus_floor'), ('crop_direction', 'margin'))
    """
    for target in TARGETS:
        if metric.startswith(f"{target}_"):
            return target, metric.removeprefix(f"{target}_")
    if metric in METRICS or metric in MEANINGS or "_minus_" in metric:
        return "f_new", metric
    if metric.endswith("_margin"):
        return metric.removesuffix("_margin"), "margin"
    return metric, "value"


def _metric(name: str) -> dict[str, str]:
    target, _, depth = name.partition("::")
    where = "all depths" if depth == ALL else f"{depth} cm"
    if target not in TARGETS:
        return {"long_name": f"question {target.replace('_', ' ')}", "units": "of the question"}
    return {"long_name": f"{TARGETS[target]}, {where}", "units": UNITS[target]}


def _statistic(name: str) -> dict[str, str]:
    bare, _, bound = name.rpartition("_")
    base = bare if bound in BOUNDS else name
    metric = METRICS.get(base.partition("_minus_")[0])
    scaled = base in ("value", "margin") or (metric is not None and metric.scaled)
    meaning = metric.meaning if metric is not None and base in METRICS else MEANINGS.get(base, base)
    return {
        "type": "score" if base.startswith("ilamb") else "scalar",
        "units": "of the metric" if scaled else "1",
        "long_name": f"{meaning}, {bound} bound of 95 %" if base != name else meaning,
    }


def _kind(name: str) -> str:
    if name.endswith(".html"):
        return "html"
    if name.endswith((".svg", ".png")):
        return "plots"
    return "metrics" if name == "diagnostic.json" else "data"
