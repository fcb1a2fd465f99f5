"""How much of the carbon at each depth of a soil came from the atmosphere in the last t years.

    import subsoil as s

    archive = s.check("my_profiles.xlsx")                        # tables and what was found in them
    obs = s.new_carbon(archive)                                  # f_new of each layer, with its error
    post = s.fit_age(obs, s.age.partially_pooled, key=0)         # posterior of the age model
    curves = s.predict(post, depth_cm=[10, 50], age_yr=[50])     # share younger than 50 yr
    s.report(post, to="out/mine")                                # a page

The same quantity from a soil model, labelled in silico:

    model = s.model("clm5")
    forcing = s.site_forcing(model.grid, mat=12, map_mm=900)
    f_new = s.label(model, forcing, years=[10, 50, 100])         # share of new carbon of each layer

Names are loaded at first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subsoil.errors import MissingExtra

__version__ = "0.1.0"

_HOMES = {
    "MODELS": "models.catalogue",
    "Plants": "signature",
    "READERS": "archive.readers",
    "at_depths": "archive.harmonise",
    "at_rest": "equilibrium",
    "check": "pipeline",
    "check_contract": "contract",
    "covariance": "newcarbon",
    "cumulative_stocks": "archive.harmonise",
    "cycle": "evolution",
    "evolve": "evolution",
    "fit_age": "age.fit",
    "fractions": "pipeline",
    "held_out": "age.heldout",
    "label": "columns",
    "leaderboard": "pipeline",
    "load_release": "archive.release",
    "model": "models.catalogue",
    "new_carbon": "newcarbon",
    "predict": "age.fit",
    "read": "archive.readers",
    "read_sites": "sites",
    "report": "pipeline",
    "run": "columns",
    "score": "pipeline",
    "seasonal": "forcing",
    "site_forcing": "forcing",
    "stack": "forcing",
    "standard_layers": "archive.harmonise",
    "study": "pipeline",
    "summarise": "age.fit",
    "sweep": "equilibrium",
    "use_cores": "age.sampler",
    "validate": "archive.validate",
    "write_release": "archive.release",
}
_ROOMS = ("age", "archive", "depth", "errors", "isotopes", "models", "published")
_EXTRAS = {"jax": "models", "jaxlib": "models", "xarray": "models", "numpyro": "age", "matplotlib": "report"}
"""Optional libraries, and the extra of this package that brings them."""
__all__ = ["__version__", *sorted(_HOMES), *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"subsoil.{name}")
    if name in _HOMES:
        try:
            return getattr(import_module(f"subsoil.{_HOMES[name]}"), name)
        except ModuleNotFoundError as absent:
            raise missing_extra(absent) or absent from absent
    raise AttributeError(f"module 'subsoil' has no attribute {name!r}; it has {', '.join(__all__[1:])}")


def __dir__() -> list[str]:
    return __all__


def missing_extra(absent: ModuleNotFoundError) -> "MissingExtra | None":
    """The error that says how to install an optional library; None for a module that is none."""
    from subsoil.errors import MissingExtra

    library = str(absent.name).partition(".")[0]
    if library not in _EXTRAS:
        return None
    return MissingExtra(
        f"this needs {library}, which is not installed: pip install 'subsoil[{_EXTRAS[library]}]'"
    )
