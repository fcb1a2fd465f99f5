"""Every figure of the report: the tables it needs and the function that makes it from them."""

from collections.abc import Callable, Mapping

from subsoil.report.drawing import Drawing
from subsoil.report.figures import ages, drivers, incorporation, sensitivity, sites, skill, stocks
from subsoil.report.results import Results

Maker = Callable[[Results], Drawing]

FIGURES: Mapping[str, tuple[tuple[str, ...], Maker]] = {
    "new_carbon": (("fractions",), incorporation.new_carbon),
    "isochrones": (("isochrones",), ages.isochrones),
    "age_distribution": (("isochrones",), ages.distribution),
    "stocks": (("stocks",), stocks.stocks),
    "drivers": (("drivers",), drivers.drivers),
    "sensitivity": (("choices", "headline"), sensitivity.sensitivity),
    "sites": (("fractions",), sites.sites),
    "residuals": (("residuals",), skill.residuals),
    "heldout": (("heldout",), skill.heldout),
}
