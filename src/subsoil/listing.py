"""The soil models of the catalogue as tables: which there are, their parameters, the laws they hold."""

from difflib import get_close_matches

import pandas as pd

from subsoil.errors import BadCall
from subsoil.models import catalogue

TRACERS = "label, age, 13C, 14C"
"""What rides on the carbon of every model."""


def list_models() -> pd.DataFrame:
    """Every soil model of the catalogue, from its table of parameters; no equations are loaded."""
    rows = []
    for name, home in catalogue.homes().items():
        table = catalogue.tables()[home]
        own = table["models"][name]
        row = {"model": name, "title": own["title"], "pools": "; ".join(table["pools"]), "tracers": TRACERS}
        row |= {"layers": len(own["grid_cm"]) - 1, "deepest_cm": round(float(own["grid_cm"][-1]), 1)}
        unverified = sum(not parameter.get("verified", True) for parameter in table["parameters"].values())
        row |= {"linear": table.get("linear", True), "parameters": len(table["parameters"])}
        rows.append(row | {"unverified": unverified, "reference": own["reference"]})
    return pd.DataFrame(rows).sort_values("model", ignore_index=True)


def list_parameters(name: str) -> pd.DataFrame:
    """The parameters of one model: value, unit, bounds, whether the value was checked, where it comes from.

    Raises `BadCall` for an unknown model, with names that are alike.
    """
    found = known(name)
    table = catalogue.tables()[catalogue.homes()[found]]
    own = table["models"][found].get("values", {})
    rows = [
        {"parameter": key, "value": float(own.get(key, row["value"])), "unit": row["unit"]}
        | {"lower": float(row["bounds"][0]), "upper": float(row["bounds"][1])}
        | {"verified": row.get("verified", True), "meaning": row["meaning"], "reference": row["reference"]}
        for key, row in table["parameters"].items()
    ]
    return pd.DataFrame(rows)


def check_model(name: str) -> pd.DataFrame:
    """The laws of every model (`subsoil.contract`), each with whether this one holds it and by how much."""
    from subsoil.contract import check_contract

    return pd.DataFrame(check_contract(catalogue.model(known(name))))


def known(name: str) -> str:
    """The name of a model, if there is such a model; a path to one of one's own adds it."""
    if name.endswith(".py"):
        return catalogue.add(name)
    if name in catalogue.homes():
        return name
    alike = get_close_matches(name.lower(), catalogue.homes(), n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(alike)}? " if alike else ""
    raise BadCall(f"no model {name!r}; {hint}`subsoil models` lists all {len(catalogue.homes())}")
