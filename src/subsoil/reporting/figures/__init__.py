"""Every figure of the report: the tables it needs and the function that makes it from them."""

from collections.abc import Callable, Mapping

from subsoil.reporting.drawing import Drawing
from subsoil.reporting.figures import ages, drivers, incorporation, sensitivity, sites, skill, stocks
from subsoil.reporting.results import Results

Maker = Callable[[Results], Drawing]

Needs = Mapping[str, tuple[str, ...]]  # table -> columns without which it cannot be drawn

FIGURES: Mapping[str, tuple[Needs, Maker]] = {
    "new_carbon": ({"fractions": ("layer_mid", "f_new", "labelling_years")}, incorporation.new_carbon),
    "isochrones": ({"isochrones": ("depth_cm", "age_yr", "percent_younger")}, ages.isochrones),
    "age_distribution": ({"isochrones": ("depth_cm", "age_yr", "percent_younger")}, ages.distribution),
    "stocks": ({"stocks": ("depth_cm", "soc_density", "new_soc_density")}, stocks.stocks),
    "drivers": ({"drivers": ("estimate",)}, drivers.drivers),
    "land_use": ({"drivers": ("estimate",)}, drivers.land_use),
    "sensitivity": ({"choices": ("value",), "headline": ("value",)}, sensitivity.sensitivity),
    "heldout": ({"heldout": ("rmse",)}, skill.heldout),
    "residuals": ({"residuals": ("depth_cm", "f_new", "predicted")}, skill.residuals),
    "sites": ({"fractions": ("latitude", "longitude")}, sites.sites),
}
