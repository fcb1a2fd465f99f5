"""What models write, in one form: each adapter knows the names and units of one kind of file.

An adapter is a module with ``main(file)``, the variables that it reads (none where the file is not of its
kind), and ``convert(file, asked)``, the file's columns as `output.Output`. By then the file has one axis for
columns, ``profile``: `places.on_profiles` has chosen for each profile the column that stands for it.
"""

from types import ModuleType

import xarray as xr

from subsoil.benchmark.adapters import land, layered, matrices
from subsoil.errors import BadCall

ADAPTERS: tuple[ModuleType, ...] = (matrices, land, layered)
"""In the order in which a file is tried; one that gives f_new itself is `layered` whatever else it has."""


def recognise(file: xr.Dataset) -> ModuleType:
    """The adapter of a file, by the names of its variables.

    Raises BadCall where none knows them.

    >>> recognise(xr.Dataset({"f_new": ("layer", [0.5])})).__name__.split(".")[-1]
    'layered'
    """
    if layered.named(file, "f_new") is not None:
        return layered
    for adapter in ADAPTERS:
        if adapter.main(file):
            return adapter
    raise BadCall(
        f"nothing to score: give f_new (share of carbon that entered since the label was switched on), "
        f"delta14c, soc_stock, age quantiles or pool matrices by layer; the file has "
        f"{', '.join(map(str, file.data_vars)) or 'no variable'}"
    )
