"""A study: everything a run of the pipeline can be asked, as one frozen record read from one file."""

import tomllib
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from subsoil.errors import BadCall


@dataclass(frozen=True)
class Study:
    """What is analysed and how; the file in ``studies/`` explains each field.

    >>> load("balesdent2018").depths_cm[-1]
    100
    """

    name: str
    title: str
    source: str
    key: int
    depths_cm: tuple[float, ...]
    ages_yr: tuple[float, ...]
    covariates: tuple[str, ...]
    folds: int
    replicates: int
    quick: bool = False

    def toml(self) -> str:
        """The record as a file that `load` would read: what was run, with every default filled in."""
        return "".join(f"{name} = {_toml(value)}\n" for name, value in asdict(self).items())


def names() -> tuple[str, ...]:
    """The studies that come with the package."""
    return tuple(
        sorted(p.name.removesuffix(".toml") for p in _folder().iterdir() if p.name.endswith(".toml"))
    )


def load(name: str, *, key: int | None = None, quick: bool = False) -> Study:
    """A study by name, with another random ``key`` if given; ``quick`` draws less and does the same.

    Raises
    ------
    BadCall
        There is no such study.
    """
    if name not in names():
        raise BadCall(f"no study {name!r}; there is {', '.join(names())}")
    content: dict[str, Any] = tomllib.loads((_folder() / f"{name}.toml").read_text("utf-8"))
    settings: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in content.items()}
    study = Study(**settings)
    if key is not None:
        study = replace(study, key=key)
    return replace(study, quick=True, folds=3, replicates=40) if quick else study


def _folder() -> Traversable:
    return files("subsoil.studies")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
