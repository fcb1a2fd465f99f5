"""A model as a Python function, ``module:function``: it is given the reference's tables and returns numbers.

The function is called as ``function(profiles, values)`` with copies of the two tables of
`subsoil.benchmark.reference`, without what was observed, and returns a number for each row of ``values``:
an array [value], of an ensemble [draw, value], or a table with a column f_new; NaN where it has none.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil.benchmark.reference import Reference
from subsoil.errors import BadCall

HIDDEN = ("observed", "sigma")


def load(name: str) -> Callable[..., object]:
    """The function of ``module:function``, with the current folder on the path.

    Raises BadCall where there is no such module or function, or the module cannot be imported.

    >>> load("math:hypot")(3, 4)
    5.0
    """
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and module.split(".")[0] == error.name.split(".")[0]:
            raise BadCall(f"there is no module {module!r} in {here} or installed") from None
        raise BadCall(f"{module} imports {error.name!r}, which is not installed") from None
    except Exception as error:  # the module is anyone's
        raise BadCall(f"{module} cannot be imported: {told(error)}") from error
    finally:
        sys.path.remove(here)
    function = getattr(found, attribute, None)
    if not callable(function):
        raise BadCall(f"{module} has no function {attribute!r}")
    return function


def answer(name: str, reference: Reference) -> Float[np.ndarray, "draw value"]:
    """What the function returns for the reference, as draws of its values.

    Raises BadCall where it raises, or returns another shape, something else than numbers, or none at all.
    """
    function = load(name)
    values = reference.values.drop(columns=list(HIDDEN))
    try:
        returned = function(reference.profiles.copy(), values)
    except Exception as error:  # the function is anyone's
        raise BadCall(f"{name} failed: {told(error)}") from error
    if isinstance(returned, pd.DataFrame):
        if "f_new" not in returned:
            raise BadCall(
                f"{name} returned a table without a column f_new: it has {', '.join(map(str, returned))}"
            )
        if not returned.index.equals(values.index):
            raise BadCall(f"{name} returned a table with other rows: keep the index of values")
        returned = returned["f_new"]
    try:
        numbers = np.atleast_2d(np.asarray(returned, dtype=float))
    except (TypeError, ValueError):
        raise BadCall(f"{name} returned {type(returned).__name__}, expected an array of numbers") from None
    if numbers.ndim != 2 or numbers.shape[1] != len(values) or not len(numbers):
        raise BadCall(
            f"{name} returned shape {np.asarray(returned).shape}: expected [{len(values)}], one number for "
            f"each row of values, or [draw, {len(values)}]"
        )
    return np.where(np.isfinite(numbers), numbers, np.nan)


def told(error: Exception) -> str:
    """An error in a line: its kind, what it says, and where in the code it arose.

    >>> try:
    ...     {}["a"]
    ... except KeyError as error:
    ...     told(error).split(" (")[0]
    "KeyError: 'a'"
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
