"""Every figure of a page: the tables it needs and the function that makes it from them."""

from collections.abc import Callable, Mapping

from subsoil.reporting.board import Board
from subsoil.reporting.drawing import Drawing
from subsoil.reporting.figures import (
    ages,
    drivers,
    incorporation,
    scores_bias,
    scores_ladder,
    scores_profiles,
    scores_questions,
    sensitivity,
    sites,
    skill,
    stocks,
)
from subsoil.reporting.results import Needs, Results

Maker = Callable[[Results], Drawing]
ScoreMaker = Callable[[Board], Drawing]

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

SCORED: Needs = {"leaderboard": ("value",)}
ANSWERS: Needs = {
    **SCORED,
    "predictions": ("observed", "predicted", "years"),
    "values": ("observed", "years"),
}
SCORES: Mapping[str, tuple[Needs, ScoreMaker]] = {
    "profiles": (ANSWERS, scores_profiles.profiles),
    "examples": (ANSWERS, scores_profiles.examples),
    "ladder": (SCORED, scores_ladder.ladder),
    "bias": (SCORED, scores_bias.bias),
    "questions": ({**SCORED, "questions": ()}, scores_questions.questions),
    "targets": (SCORED, scores_ladder.targets),
}
