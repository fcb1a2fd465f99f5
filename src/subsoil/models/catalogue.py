"""The models by their published names: read from ``parameters/*.toml``, equations imported at first use.

A file of equations may carry several published models (CLM4.5, CLM5, ELM): one table of parameters, and for
each name the values and the grid that differ.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module, resources
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall

if TYPE_CHECKING:
    from subsoil.models.model import Model, Parameter


@cache
def tables() -> dict[str, dict[str, Any]]:
    """Contents of each table of parameters, by the name of its file of equations."""
    folder = resources.files("subsoil.models") / "parameters"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {f.name.removesuffix(".toml"): tomllib.loads(f.read_text("utf-8")) for f in files}


def homes() -> dict[str, str]:
    """File of equations of each model: ``{"clm5": "clm", ...}``."""
    return {name: home for home, table in tables().items() for name in table["models"]}


def add(path: str | Path) -> str:
    """Take up a model of one's own, ``mine.py`` with its table ``mine.toml`` beside it; its (first) name.

    Raises BadCall where one of the two files is missing or is no model.
    """
    path = Path(path)
    table = path.with_suffix(".toml")
    if not (path.is_file() and table.is_file()):
        raise BadCall(
            f"a model is two files, {path.name} and {table.name} beside it; not both are in {path.parent}"
        )
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    code = module_from_spec(spec)
    try:
        content = tomllib.loads(table.read_text("utf-8"))
        spec.loader.exec_module(code)
        names = list(content["models"])
        code.equations  # noqa: B018
    except (tomllib.TOMLDecodeError, SyntaxError, ImportError, KeyError, AttributeError) as fault:
        raise BadCall(f"{path} and its table are no model: {type(fault).__name__}: {fault}") from fault
    tables()[path.stem], _OWN[path.stem] = content, code
    model.cache_clear()
    return names[0]


_OWN: dict[str, ModuleType] = {}
"""Equations of models that were added."""


@cache
def model(name: str) -> "Model":
    """The model of this name at its published values.

    Raises BadCall for a name that is not in the catalogue.
    """
    if name not in homes():
        raise BadCall(f"no model {name!r}; there are {', '.join(homes())}")
    return _built(homes()[name], name)


def _built(home: str, name: str) -> "Model":
    from subsoil.models.model import Model

    table = tables()[home]
    own = table["models"][name]
    rows = {key: _parameter(key, row) for key, row in table["parameters"].items()}
    values = {key: row.value for key, row in rows.items()}
    unknown = set(own.get("values", {})) - set(rows)
    if unknown:
        raise BadCall(f"{name}: values of unknown parameters {sorted(unknown)} in parameters/{home}.toml")
    node = own.get("node_cm")
    grid = DepthGrid.from_cm(own["grid_cm"])
    code = _OWN[home] if home in _OWN else import_module(f"subsoil.models.{home}")
    bare = Model(
        name=name,
        title=own["title"],
        reference=own["reference"],
        pools=tuple(table["pools"]),
        equations=code.equations,
        parameters=rows,
        values=values,
        grid=grid if node is None else DepthGrid(grid.boundaries, [0.01 * x for x in node]),  # type: ignore[arg-type]
        linear=table.get("linear", True),
        first_guess=getattr(code, "first_guess", None),
    )
    return bare(**own.get("values", {}))


def _parameter(name: str, row: Mapping[str, Any]) -> "Parameter":
    from subsoil.models.model import Parameter

    lower, upper = row["bounds"]
    rest = {key: row[key] for key in ("prior", "verified") if key in row}
    return Parameter(
        name=name,
        value=float(row["value"]),
        unit=row["unit"],
        lower=float(lower),
        upper=float(upper),
        reference=row["reference"],
        meaning=row["meaning"],
        **rest,
    )


class Catalogue(Mapping[str, "Model"]):
    """``MODELS["clm5"]``: the models by name, made when asked for."""

    def __getitem__(self, name: str) -> "Model":
        try:
            return model(name)
        except BadCall as unknown:
            raise KeyError(str(unknown)) from unknown

    def __iter__(self) -> Iterator[str]:
        return iter(homes())

    def __len__(self) -> int:
        return len(homes())


MODELS = Catalogue()
