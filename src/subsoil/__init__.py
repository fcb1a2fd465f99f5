"""How much of the carbon at each depth of a soil came from the atmosphere in the last t years.

    import subsoil as s

    archive = s.check("my_profiles.xlsx")                        # tables and what was found in them
    obs = s.new_carbon(archive)                                  # f_new of each layer, with its error
    post = s.fit_age(obs, s.age.partially_pooled, key=0)         # posterior of the age model
    curves = s.predict(post, depth_cm=[10, 50], age_yr=[50])     # share younger than 50 yr
    s.report(post, to="out/mine")                                # a page

Names are loaded at first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "READERS": "archive.readers",
    "at_depths": "archive.harmonise",
    "check": "pipeline",
    "covariance": "newcarbon",
    "cumulative_stocks": "archive.harmonise",
    "fit_age": "age.fit",
    "fractions": "pipeline",
    "held_out": "age.heldout",
    "load_release": "archive.release",
    "new_carbon": "newcarbon",
    "predict": "age.fit",
    "read": "archive.readers",
    "report": "pipeline",
    "standard_layers": "archive.harmonise",
    "study": "pipeline",
    "summarise": "age.fit",
    "use_cores": "age.sampler",
    "validate": "archive.validate",
    "write_release": "archive.release",
}
_ROOMS = ("age", "archive", "depth", "errors", "isotopes", "published")
__all__ = ["__version__", *sorted(_HOMES), *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"subsoil.{name}")
    if name in _HOMES:
        return getattr(import_module(f"subsoil.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'subsoil' has no attribute {name!r}; it has {', '.join(__all__[1:])}")


def __dir__() -> list[str]:
    return __all__
