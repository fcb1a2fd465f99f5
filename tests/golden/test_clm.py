"""CLM4.5, CLM5 and ELM by numbers of others, and a column of 7 pools in 10 layers by numbers of the project.

Published: Koven et al. 2013 (BG 10:7109), code and technical note of CTSM, code of ELM. The stocks and ages
of the 7 x 10 and 7 x 20 columns are not published: the project calculated them twice, independently of this
package, and they are held here to the digits that were printed.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import brentq

from subsoil.forcing import Forcing
from subsoil.models.catalogue import MODELS
from subsoil.models.clm import environment, normalisation, transfers
from subsoil.models.model import check_fluxes, operator
from subsoil.models.responses import water_potential
from subsoil.solve.blocks import dense

POOLS = 7


def forcing(grid, **changes):
    """25 degree C, wet, half sand, no frost, 0.3 of the oxygen; litter by root share, a quarter wood."""
    every = np.ones(len(grid))
    beta = 0.966 ** (100.0 * grid.boundaries)
    share = (beta[:-1] - beta[1:]) / (beta[0] - beta[-1])
    column = Forcing(
        temperature=25.0 * every,
        saturation=every,
        oxygen=0.3 * every,
        clay=0.2 * every,
        sand=0.5 * every,
        bulk_density=1300.0 * every,
        ph=6.0 * every,
        precipitation=1.0,
        potential_evaporation=1.0,
        moisture_deficit=0.0,
        thaw_depth=np.inf,
        litter=0.4,
        roots=0.0,
        litter_share=share,
        root_share=share,
        wood=0.25,
        lignin=0.2,
        lignin_to_nitrogen=20.0,
        cover=1.0,
    )
    return column._replace(**changes)


def run(function, model, **changes):
    """A function of (values, forcing, grid) on the model's own, compiled once instead of step by step."""
    return jax.jit(lambda column: function(model.values, column, model.grid))(forcing(model.grid, **changes))


class Column(NamedTuple):
    """Operator, inputs, stocks and stock-weighted mean ages of a steady column, and its eigenvectors."""

    operator: np.ndarray
    inputs: np.ndarray
    stock: np.ndarray
    age: np.ndarray
    values: np.ndarray
    vectors: np.ndarray

    def older(self, age, start):
        """What is left of ``start`` after ``age`` years."""
        return (self.vectors @ (np.exp(self.values * age) * np.linalg.solve(self.vectors, start))).real

    def quantile(self, share, start, among=None):
        """Age below which ``share`` of ``start`` in the states ``among`` is."""
        among = np.ones_like(start) if among is None else among
        start = start / (among @ start)
        return np.exp(brentq(lambda s: among @ self.older(np.exp(s), start) - (1.0 - share), -7.0, 17.0))


def column(grid):
    model = replace(MODELS["clm4.5"](normalisation=0.0), grid=grid)
    fluxes = run(model.equations, model)
    check_fluxes(model, fluxes)
    matrix, inputs = (
        np.asarray(jax.jit(lambda x: dense(operator(x)))(fluxes)),
        np.asarray(fluxes.inputs).ravel(),
    )
    stock = -np.linalg.solve(matrix, inputs)
    return Column(matrix, inputs, stock, -np.linalg.solve(matrix, stock), *np.linalg.eig(matrix))


@pytest.fixture(scope="module")
def ten():
    return column(MODELS["clm4.5"].grid)


def printed(values, digits):
    """Equal to the digits printed: half a unit of the last one, and a little for rounding."""
    return pytest.approx(values, rel=0, abs=0.502 * 10.0**-digits)


# ---- the column of 7 pools in 10 layers ------------------------------------------------------------------


def test_the_case_is_the_model_with_known_scalars(ten):
    """Rates are 0.3 exp(-z / 0.5) times the base rates, so that the numbers below are those of the model."""
    model = MODELS["clm4.5"](normalisation=0.0)
    factor = run(environment, model)
    assert np.asarray(factor) == pytest.approx(0.3 * np.exp(-model.grid.node / 0.5), rel=1e-12)


def test_system_totals_of_the_ten_layers(ten):
    assert ten.stock.sum() == printed(29.358, 3)
    assert ten.stock.sum() / ten.inputs.sum() == printed(73.39, 2)
    assert ten.age.sum() / ten.stock.sum() == printed(11805.6, 1)


def test_stock_and_mean_age_of_each_of_the_ten_layers(ten):
    stock, age = (x.reshape(10, POOLS).sum(axis=1) for x in (ten.stock, ten.age))
    assert stock == printed(
        [0.3981, 0.6196, 0.9947, 1.5529, 2.3141, 3.2056, 4.0020, 4.4860, 5.0108, 6.7737], 4
    )
    ages = age / stock
    assert ages[:8] == printed([690.9, 700.7, 726.7, 790.2, 942.3, 1325.3, 2404.0, 5823.9], 1)
    assert ages[8:] == printed([15919.0, 32771.0], 0)


def test_stock_and_mean_age_of_each_pool(ten):
    stock, age = (x.reshape(10, POOLS).sum(axis=0) for x in (ten.stock, ten.age))
    assert stock == printed([2.6338, 0.0321, 0.3652, 0.1600, 0.2397, 6.5049, 19.4219], 4)
    ages = age / stock
    assert ages[:6] == printed([224.6, 3.7, 89.0, 68.1, 746.5, 951.9], 1)
    assert ages[6] == printed(17484.0, 0)


def test_median_age_of_each_of_the_ten_layers(ten):
    layer = np.repeat(np.eye(10), POOLS, axis=1)
    median = np.array([ten.quantile(0.5, ten.stock, among) for among in layer])
    assert median[:8] == printed([39.3, 41.0, 45.3, 55.1, 77.8, 142.5, 415.6, 1608.2], 1)
    assert median[8] == printed(6930.5, 1)
    assert median[9] == printed(24218.0, 0)


def test_quantiles_of_age_and_transit_time(ten):
    quantiles = [ten.quantile(share, ten.stock) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
    assert quantiles[0] == printed(6.79, 2)
    assert quantiles[1:3] == printed([109.0, 1778.6], 1)
    assert quantiles[3:] == printed([12627.0, 58588.0], 0)
    assert ten.quantile(0.5, ten.inputs) == printed(3.16, 2)


def test_eigenvectors_agree_with_the_matrix_exponential(ten):
    for age in (1.0, 100.0, 10000.0):
        assert ten.older(age, ten.stock) == pytest.approx(
            expm(age * ten.operator) @ ten.stock, rel=1e-9, abs=1e-14
        )


def test_the_same_case_on_the_twenty_layers_of_clm5():
    twenty = column(MODELS["clm5"].grid)
    assert twenty.stock.sum() == printed(53.046, 3)
    assert twenty.stock.sum() / twenty.inputs.sum() == printed(132.6, 1)
    assert twenty.age.sum() / twenty.stock.sum() == printed(122588.0, 0)
    assert twenty.quantile(0.5, twenty.stock) == printed(29075.0, 0)


# ---- published values ------------------------------------------------------------------------------------


def test_nodes_and_boundaries_of_clm45_and_elm():
    """Grid 10SL_3.5m of CTSM."""
    for name in ("clm4.5", "elm"):
        grid = MODELS[name].grid
        nodes = [0.0071, 0.0279, 0.0623, 0.1189, 0.2122, 0.3661, 0.6198, 1.0380, 1.7276, 2.8646]
        bottoms = [0.0175, 0.0451, 0.0906, 0.1655, 0.2891, 0.4929, 0.8289, 1.3828, 2.2961, 3.8019]
        assert grid.node == printed(nodes, 4)
        assert grid.bottom == printed(bottoms, 4)


def test_nodes_and_layers_of_clm5():
    """Grid 20SL_8.5m of CTSM."""
    thickness = [0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.20, 0.24, 0.28, 0.32,
                 0.36, 0.40, 0.44, 0.54, 0.64, 0.74, 0.84, 0.94, 1.04, 1.14]  # fmt: skip
    nodes = [0.01, 0.04, 0.09, 0.16, 0.26, 0.40, 0.58, 0.80, 1.06, 1.36,
             1.70, 2.08, 2.50, 2.99, 3.58, 4.27, 5.06, 5.95, 6.94, 8.03]  # fmt: skip
    grid = MODELS["clm5"].grid
    assert grid.thickness == pytest.approx(thickness)
    assert grid.node == pytest.approx(nodes)
    assert grid.bottom[-1] == pytest.approx(8.6)


def test_turnover_times_at_25_degrees_are_those_of_the_technical_note():
    """CLM5 technical note, table 2.21.3: 4.1, 0.066, 0.25, 0.25, 0.17, 6.1, 270 yr."""
    model = MODELS["clm5"](z_efold=1000.0, least_oxygen=1.0, bioturbation=0.0)
    fluxes = run(model.equations, model)
    turnover = -1.0 / np.diagonal(operator(fluxes).diagonal[0])
    assert turnover == pytest.approx([4.1, 0.066, 0.25, 0.25, 0.17, 6.1, 270.0], rel=0.03)
    assert float(normalisation(1.5)) == printed(0.8206, 4)


def test_routing_and_respired_shares():
    """CTSM: respired 0, .55, .5, .5, .85 - .68 (1 - sand), .55, .55; the rest goes where the table says."""
    share = np.asarray(transfers(MODELS["clm4.5"].values, jnp.array([0.5])))[0]
    assert 1.0 - share.sum(axis=0) == pytest.approx([0.0, 0.55, 0.50, 0.50, 0.51, 0.55, 0.55])
    cwd, metabolic, cellulose, lignin, active, slow, passive = share.T
    assert cwd == pytest.approx([0, 0, 0.76, 0.24, 0, 0, 0])
    assert metabolic == pytest.approx([0, 0, 0, 0, 0.45, 0, 0])
    assert cellulose == pytest.approx([0, 0, 0, 0, 0.5, 0, 0])
    assert lignin == pytest.approx([0, 0, 0, 0, 0, 0.5, 0])
    assert active == pytest.approx([0, 0, 0, 0, 0, 0.49 - 0.004, 0.004])
    assert slow == pytest.approx([0, 0, 0, 0, 0.45 * 0.42 / 0.45, 0, 0.45 * 0.03 / 0.45])
    assert passive == pytest.approx([0, 0, 0, 0, 0.45, 0, 0])


@pytest.mark.parametrize(("name", "depth"), [("clm4.5", 0.5), ("clm5", 10.0), ("elm", 0.33)])
def test_rates_fall_by_a_factor_e_over_the_published_depth(name, depth):
    model = MODELS[name]
    factor = np.asarray(run(environment, model))
    slope = np.diff(np.log(factor)) / np.diff(model.grid.node)
    assert slope == pytest.approx(-1.0 / depth, rel=1e-9)


def saturation_at(potential, sand, clay):
    """Saturation that gives a potential, from the power law through two points of it."""
    at_full, at_half = (float(water_potential(s, sand, clay)) for s in (1.0, 0.5))
    return 0.5 ** (np.log(potential / at_full) / np.log(at_half / at_full))


@pytest.mark.parametrize(("name", "driest"), [("clm4.5", -10.0), ("elm", -10.0), ("clm5", -2.0)])
def test_water_counts_between_the_published_potentials(name, driest):
    """CLM5: -2 to -0.002 MPa. CLM4.5 and ELM: -10 MPa to saturation. A half at the geometric mean."""
    model = MODELS[name]
    wettest = -0.002 if name == "clm5" else float(water_potential(1.0, 0.5, 0.2))
    potential = np.full(len(model.grid), -np.sqrt(driest * wettest))
    potential[-1] = 1.05 * driest
    ratio = run(environment, model, saturation=saturation_at(potential, 0.5, 0.2)) / run(environment, model)
    assert np.asarray(ratio)[:-1] == pytest.approx(0.5, rel=1e-9)
    assert float(ratio[-1]) == pytest.approx(0.0, abs=1e-12)


def test_oxygen_has_a_floor_of_a_fifth():
    model = MODELS["clm5"]
    every = np.ones(len(model.grid))
    none, all_of_it = (run(environment, model, oxygen=o * every) for o in (0.0, 1.0))
    assert np.asarray(none / all_of_it) == pytest.approx(0.2)


def test_frost_mixes_a_shallow_active_layer_five_times_as_fast_and_wood_never_moves():
    """Koven et al. 2013: 5e-4 m2/yr where at most 2 m thaw, 1e-4 elsewhere, 0 where nothing thaws."""
    model = MODELS["clm5"]
    frozen, animals, never = (
        np.asarray(run(model.equations, model, thaw_depth=thaw).down) for thaw in (1.0, np.inf, 0.0)
    )
    within = model.grid.bottom <= 1.0
    assert frozen[within, 1:] == pytest.approx(5.0 * animals[within, 1:])
    assert (frozen[model.grid.bottom >= 3.0] == 0.0).all()
    assert (never == 0.0).all()
    assert (animals[:-1, 1:] > 0.0).all()
    assert (frozen[:, 0] == 0.0).all()
    assert (animals[:, 0] == 0.0).all()


def test_litter_and_roots_split_as_in_all_plant_types():
    """CTSM: metabolic, cellulose, lignin 0.25, 0.5, 0.25 of leaves and fine roots; wood is woody debris."""
    model = MODELS["clm5"]
    inputs = run(model.equations, model, litter=0.4, roots=0.2).inputs
    assert np.asarray(inputs.sum(axis=0)) == pytest.approx([0.1, 0.125, 0.25, 0.125, 0, 0, 0])
