"""The table of variables: every quantity once, with unit, bounds and meaning.

Readers, checks, templates, plots and docs ask here; nobody repeats a unit or a bound.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import inf

from subsoil.errors import BadCall

NUMBERS = ("value", "count", "year", "sd", "sigma")
KINDS = (*NUMBERS, "key", "text", "flag")


@dataclass(frozen=True)
class Variable:
    """One quantity: what a column of a table holds.

    ``unit`` is "" for words and "1" for pure numbers; ``lower`` and ``upper`` are included.

    >>> variable("lyr_soc").unit, variable("lyr_soc").dtype
    ('g cm-2', 'float64')
    """

    name: str
    kind: str
    meaning: str
    label: str
    tables: tuple[str, ...]
    unit: str = ""
    lower: float = -inf
    upper: float = inf
    required: bool = False
    vocab: tuple[str, ...] = field(default=())

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        return self.kind in NUMBERS

    @property
    def dtype(self) -> str:
        """The pandas type of the column: missing is NaN in numbers and words, NA in flags."""
        if self.is_number:
            return "float64"
        return "boolean" if self.kind == "flag" else "str"


@cache
def variables() -> Mapping[str, Variable]:
    """Every variable by name, in the order of the file.

    >>> len(variables()) > 100
    True
    """
    rows = tomllib.loads((files("subsoil") / "variables.toml").read_text("utf-8"))
    return {name: _variable(name, row) for name, row in rows.items()}


def _variable(name: str, row: dict) -> Variable:
    tables, vocab = tuple(row.pop("tables")), tuple(row.pop("vocab", ()))
    return Variable(name=name, tables=tables, vocab=vocab, **row)


def variable(name: str) -> Variable:
    """One variable.

    Raises
    ------
    BadCall
        The name is not in the table.

    >>> variable("f_new").unit
    '1'
    """
    if name not in variables():
        raise BadCall(f"unknown variable {name!r}; variables.toml holds {len(variables())} names")
    return variables()[name]


@cache
def columns(table: str) -> tuple[Variable, ...]:
    """The variables of one table, keys first, in the order of the file.

    Raises
    ------
    BadCall
        No variable belongs to such a table.

    >>> [v.name for v in columns("site")][:3]
    ['entry_name', 'site_name', 'site_lat']
    """
    found = tuple(v for v in variables().values() if table in v.tables)
    if not found:
        known = sorted({name for v in variables().values() for name in v.tables})
        raise BadCall(f"unknown table {table!r}: expected one of {', '.join(known)}")
    return found
