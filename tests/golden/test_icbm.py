"""ICBM: steady states and treatments of Andren & Katterer 1997 (Ecol. Appl. 7:1226, Table 1 as in SoilR)."""

import jax
import numpy as np
import pytest
from scipy.linalg import expm

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing
from subsoil.models.catalogue import MODELS
from subsoil.models.model import operator
from subsoil.solve.blocks import dense

TOPSOIL = DepthGrid.from_cm([0, 25])

TREATMENTS = {  # i (kg C m-2 yr-1), h, r
    "bare fallow": (0.0, 0.13, 1.32),
    "+N +straw": (0.285, 0.125, 1.00),
    "-N +straw": (0.248, 0.125, 1.22),
    "-N -straw": (0.057, 0.125, 1.17),
    "+N -straw": (0.091, 0.125, 1.07),
    "manure": (0.272, 0.25, 1.10),
    "sewage sludge": (0.296, 0.34, 0.97),
    "steady state": (0.2, 0.125, 1.00),
}


def forcing(litter, roots=0.0, temperature=5.0):
    one = np.ones(1)
    return Forcing(
        temperature=temperature * one,
        saturation=0.5 * one,
        oxygen=one,
        clay=0.37 * one,
        sand=0.22 * one,
        bulk_density=1400.0 * one,
        ph=6.6 * one,
        precipitation=0.5,
        potential_evaporation=0.5,
        moisture_deficit=0.0,
        thaw_depth=np.inf,
        litter=litter,
        roots=roots,
        litter_share=one,
        root_share=one,
        wood=0.0,
        lignin=0.2,
        lignin_to_nitrogen=20.0,
        cover=1.0,
    )


@jax.jit
def column(values, climate):
    fluxes = MODELS["icbm"].equations(values, climate, TOPSOIL)
    return dense(operator(fluxes)), fluxes.inputs.ravel()


def topsoil(litter, roots=0.0, temperature=5.0, **changes):
    """Operator and inputs of one layer, as the model was published."""
    values = dict(MODELS["icbm"](**changes).values)
    return [np.asarray(x) for x in column(values, forcing(litter, roots, temperature))]


def test_rates_are_the_published_ones():
    values = MODELS["icbm"].values
    assert (values["k1"], values["k2"], values["h"], values["r"]) == (0.8, 0.00605, 0.125, 1.0)


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_steady_state_of_each_treatment_at_ultuna(treatment):
    """Y = i / (k1 r), O = h i / (k2 r)."""
    i, h, r = TREATMENTS[treatment]
    matrix, inputs = topsoil(i, h=h, r=r)
    steady = np.linalg.solve(matrix, -inputs)
    assert steady == pytest.approx([i / (0.8 * r), h * i / (0.00605 * r)], rel=1e-12)


def test_the_steady_state_case_of_the_table():
    """Published Y0 0.25 and O0 4.16; O0 is 4.13 by the published rates, 0.7 % less."""
    matrix, inputs = topsoil(*TREATMENTS["steady state"][:1])
    young, old = np.linalg.solve(matrix, -inputs)
    assert young == pytest.approx(0.25, rel=1e-12)
    assert old == pytest.approx(4.16, rel=0.01)
    assert old == pytest.approx(4.132, abs=0.0005)


@pytest.mark.parametrize("treatment", ["bare fallow", "manure"])
def test_thirty_five_years_of_a_treatment_follow_the_solution_in_closed_form(treatment):
    """From Y0 = 0.3 and O0 of the table: the model's two exponentials, written out, against its operator."""
    i, h, r = TREATMENTS[treatment]
    start = np.array([0.3, {"bare fallow": 3.96, "manure": 3.99}[treatment]])
    matrix, inputs = topsoil(i, h=h, r=r)
    steady = np.linalg.solve(matrix, -inputs)
    k1, k2, t = 0.8 * r, 0.00605 * r, 35.0
    young = i / k1 + (start[0] - i / k1) * np.exp(-k1 * t)
    fed = h * k1 * (start[0] - i / k1) / (k2 - k1)
    old = h * i / k2 + (start[1] - h * i / k2 - fed) * np.exp(-k2 * t) + fed * np.exp(-k1 * t)
    assert steady + expm(matrix * t) @ (start - steady) == pytest.approx([young, old], rel=1e-10)


def test_litter_and_roots_enter_the_young_pool_alike():
    assert topsoil(0.05, 0.15)[1] == pytest.approx([0.2, 0.0])


def test_temperature_enters_only_with_a_q10_above_one():
    given, warm = topsoil(0.2, temperature=5.0)[0], topsoil(0.2, temperature=20.0)[0]
    assert (given == warm).all()
    assert topsoil(0.2, temperature=20.0, q10=2.0)[0] == pytest.approx(2.0 * given)
