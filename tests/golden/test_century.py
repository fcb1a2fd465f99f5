"""CENTURY by its published rates and shares: Parton et al. 1987 as in SoilR, 1993 as in CASA-CNP.

The reference matrix is written out here pool by pool, from rates by the week.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.catalogue import MODELS
from subsoil.models.century import litter_quality, transfers
from subsoil.models.model import check_fluxes, operator
from subsoil.solve.blocks import dense

TOPSOIL = DepthGrid.from_cm([0, 20])
SAND, CLAY = 0.4, 0.25
LIGNIN, LIGNIN_TO_NITROGEN = 0.2, 20.0


def forcing(grid, **changes):
    """30 degree C and no lack of water, where the factors of climate are 1."""
    every = np.ones(len(grid))
    share = grid.thickness / grid.thickness.sum()
    column = Forcing(
        temperature=30.0 * every,
        saturation=0.5 * every,
        oxygen=every,
        clay=CLAY * every,
        sand=SAND * every,
        bulk_density=1300.0 * every,
        ph=6.5 * every,
        precipitation=1.0,
        potential_evaporation=0.0,
        moisture_deficit=0.0,
        thaw_depth=np.inf,
        litter=0.3,
        roots=0.2,
        litter_share=share,
        root_share=share,
        wood=0.0,
        lignin=LIGNIN,
        lignin_to_nitrogen=LIGNIN_TO_NITROGEN,
        cover=1.0,
    )
    return column._replace(**changes)


def run(model, grid, **changes):
    fluxes = jax.jit(lambda column: model.equations(model.values, column, grid))(forcing(grid, **changes))
    check_fluxes(model, fluxes)
    return fluxes


def written_out():
    """CENTURY of 1987 without climate, 1/yr: the matrix of its seven pools and its inputs."""
    fines, metabolic = 1.0 - SAND, 0.85 - 0.018 * LIGNIN_TO_NITROGEN
    lignin = LIGNIN / (1.0 - metabolic)
    respired = 0.85 - 0.68 * fines
    rate = 52.0 * np.array([0.076, 0.28, 0.094, 0.35, 0.14, 0.0038, 0.00013])
    rate[[0, 2]] *= np.exp(-3.0 * lignin)
    rate[4] *= 1.0 - 0.75 * fines
    to = -np.eye(7)
    to[4, 0], to[5, 0] = 0.55 * (1.0 - lignin), 0.7 * lignin
    to[4, 1] = 0.45
    to[4, 2], to[5, 2] = 0.45 * (1.0 - lignin), 0.7 * lignin
    to[4, 3] = 0.45
    to[5, 4], to[6, 4] = 1.0 - respired - 0.004, 0.004
    to[4, 5], to[6, 5] = 0.42, 0.03
    to[4, 6] = 0.45
    split = np.array([1.0 - metabolic, metabolic])
    return to * rate, np.concatenate([0.3 * split, 0.2 * split, np.zeros(3)])


def test_one_layer_is_the_published_model():
    fluxes = run(MODELS["century"], TOPSOIL)
    matrix, inputs = written_out()
    assert np.asarray(dense(operator(fluxes))) == pytest.approx(matrix, rel=1e-12)
    assert np.asarray(fluxes.inputs).ravel() == pytest.approx(inputs, rel=1e-12)


def test_rates_by_the_year():
    """Per year: 3.95, 14.6, 4.9, 18.2, 7.3, 0.2, 0.0066 to 0.0068; in 1993 18.5 and 0.0045."""
    names = [
        "surface_structural",
        "surface_metabolic",
        "structural",
        "metabolic",
        "active",
        "slow",
        "passive",
    ]
    rates = [MODELS["century"].values[f"k_{name}"] for name in names]
    assert rates == pytest.approx([3.95, 14.6, 4.9, 18.2, 7.3, 0.2, 0.0067], rel=0.013)
    later = MODELS["century1993"].values
    assert (later["k_metabolic"], later["k_passive"]) == (18.5, 0.0045)


def test_metabolic_share_falls_by_0018_for_each_lignin_over_nitrogen():
    """The slope is 0.018; ten times that was a mistake of a code (SoilR issue 1). No share is negative."""
    values = MODELS["century"].values
    share = [float(litter_quality(values, 0.2, ratio)[0]) for ratio in (0.0, 10.0, 20.0, 60.0)]
    assert share == pytest.approx([0.85, 0.67, 0.49, 0.0])


def test_all_lignin_is_in_the_structural_litter():
    values = MODELS["century"].values
    metabolic, lignin = (float(x) for x in litter_quality(values, 0.2, 20.0))
    assert lignin * (1.0 - metabolic) == pytest.approx(0.2)
    assert float(litter_quality(values, 0.4, 0.0)[1]) == 1.0


def test_clay_sends_carbon_to_the_passive_pool_in_the_version_of_1993():
    """Active 0.003 + 0.032 clay, slow 0.45 (0.003 + 0.009 clay); respired shares as in 1987."""
    clay = jnp.array([0.0, 0.25, 0.6])
    share = np.asarray(transfers(MODELS["century1993"].values, jnp.full(3, SAND), clay, 0.3))
    assert share[:, 6, 4] == pytest.approx(0.003 + 0.032 * np.asarray(clay))
    assert share[:, 6, 5] == pytest.approx(0.45 * (0.003 + 0.009 * np.asarray(clay)))
    assert 1.0 - share[:, :, 4].sum(axis=1) == pytest.approx(0.85 - 0.68 * 0.6)
    assert 1.0 - share[:, :, 5].sum(axis=1) == pytest.approx(0.55)


def test_climate_multiplies_every_rate():
    """Arctangent curve over its value at 30 degree C, 0.5471 at 15; 1 / (1 + 30 exp(-8.5 P / PET))."""
    model = MODELS["century"]
    best, worse = (
        operator(run(model, TOPSOIL, **climate)).diagonal
        for climate in ({}, {"temperature": np.array([15.0]), "potential_evaporation": 2.0})
    )
    curve = [11.75 + 29.7 / np.pi * np.arctan(np.pi * 0.031 * (t - 15.4)) for t in (15.0, 30.0)]
    assert curve[0] / curve[1] == pytest.approx(0.5471, abs=5e-5)
    factor = curve[0] / curve[1] / (1.0 + 30.0 * np.exp(-8.5 / 2.0))
    assert np.asarray(worse) == pytest.approx(factor * np.asarray(best), rel=1e-12)


def test_surface_litter_stays_where_it_enters():
    fluxes = run(MODELS["century"], MODELS["century"].grid)
    down = np.asarray(fluxes.down)
    assert (down[:, :2] == 0.0).all()
    assert (down[:-1, 2:] > 0.0).all()
