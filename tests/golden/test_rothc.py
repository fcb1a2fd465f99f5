"""RothC against the example that Rothamsted Research publishes with its own code, and against hand numbers.

Inputs: Rothamsted-Models/RothC_Py, ``RothC_input.dat``. Outputs: ``output_years.csv`` and
``month_results.csv`` of the same repository, and ``month_results.out`` of Rothamsted-Models/RothC_Code
(version 1), which prints the factors. Copyright 2024 Rothamsted Research, Apache-2.0; numbers quoted in part.
"""

import jax
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.forcing import site_forcing
from subsoil.models.catalogue import model
from subsoil.models.model import annual_fluxes, operator
from subsoil.models.responses import rothc_moisture, rothc_temperature
from subsoil.models.rothc import humification, inert_carbon, slowing
from subsoil.solve.blocks import dense
from subsoil.water import rothc_deficit, rothc_max_deficit

ONE_LAYER = DepthGrid.from_cm([0, 23])
CLAY, DEPTH_CM, IOM = 0.13, 25.0, 3.0041  # fraction, cm, t C ha-1
YEARS_OF_SPIN_UP = 19872 // 12  # the official code stops there, 5e-6 of the humus short of equilibrium
MEAN_LIFE, AGE_OF_IOM = 8035.0, 50_000.0  # yr, of the radiocarbon in the official code

# of each month: temperature (degree C), rain and open-pan evaporation (mm), plant carbon (t C ha-1), cover
MEAN_YEAR = """
3.73 52.2 6.6 0 1|3.08 42.9 17.3 0 1|5.49 35.2 40.7 0 1|7.4 52 70.5 0 1|10.94 64.9 103.5 0 1
14.4 46.3 117.3 0 1|16.28 63.5 130.1 0 1|16.24 60.6 106.9 1.74 1|13.78 58.8 61.9 0 0
9.51 63.4 29.5 0 1|6.22 72.5 8.8 0 1|4.09 60.9 3.9 0 1
"""
YEARS_1939_TO_1942 = """
3.99 114.5 8.2 0 1|5.37 30.7 17.2 0 1|5.46 51.6 43.1 0 1|8.3 90.3 68.2 0 1|10.53 40.4 99.3 0 1
13.55 74.9 112.5 0 1|15.56 59.8 128.9 0 1|16.06 96.4 104.4 1.4643 1|14.07 25.2 64.2 0 0|7.91 103.6 27.7 0 0
8.47 105.4 12.9 0 1|2.36 58 3.6 0 1
-2.6 56.1 2.4 0 1|1.61 52.9 18.2 0 1|5.97 79.1 47.1 0 1|8.52 69.7 78.9 0.0571 1|12.14 45.8 105.3 0.0571 1
15.66 35.4 120.3 0.0571 1|14.77 82.2 124.7 0.0571 1|15.47 6 111.3 0.0571 1|12.62 29.7 62.9 0.2854 1
8.8 81.4 28.1 0 1|6.39 189.3 6 0 1|3.03 46.2 3 0 1
-0.03 74.8 4 0 0|3.28 55.9 16.1 0 0|4.5 88.3 43 0 0|6.18 45.6 73.9 0 0|8.42 58.6 104.3 0 1
15.01 40.9 120.8 0 1|17.53 67.8 134.9 0 1|14.5 105 102.9 0 1|13.95 25.5 65.7 1.3266 1|9.84 52.5 29.5 0 0
6.25 69.6 10.2 0 0|4.94 42.8 4.4 0 0
-0.21 71 7 0 0|-0.42 34.2 15.3 0 0|4.74 37.1 43.3 0 0|8.73 32.8 70.5 0 1|11.07 68.3 107.1 0 1
14.56 11.3 121.8 0 1|15.69 70.3 132.7 0 1|16.54 39.1 114.2 1.1377 1|13.84 27.7 67.2 0 0|10.53 60.9 34.1 0 0
4.63 54.7 7.2 0 0|6.46 66.3 3.5 0 0
"""
MODERN_IN_1939_TO_1942 = 0.975  # radiocarbon of plant carbon over the standard; 1 in the mean year

# DPM, RPM, BIO, HUM (t C ha-1) and D14C of all carbon (per mil)
EQUILIBRIUM = (
    0.14546618698414296,
    5.678120858752452,
    0.7405937979752077,
    27.642769420831222,
    -93.34988833305712,
)
DECEMBERS = (
    (0.07302139331609193, 5.422154823708169, 0.7133801110667124, 27.605974986907576, -94.85562056650632),
    (0.10828713887006813, 5.202865543614263, 0.6788825393188336, 27.559985992997362, -95.76491404401023),
    (0.12662012235038353, 4.9935979258906595, 0.6507365157224589, 27.49939668177539, -96.8792075803745),
    (0.07739391551869046, 4.854879139049615, 0.6381051974881565, 27.459048785516256, -97.8013569860845),
)
# printed for 1942: factor of temperature, deficit (mm), factor of moisture
FACTORS_1942 = """
0.1345 0.00 1.0000|0.1256 0.00 1.0000|0.4724 0.00 1.0000|0.9247 -20.08 0.8841|1.2560 -32.10 0.4320
1.8221 -38.27 0.2000|2.0201 -38.27 0.2000|2.1729 -38.27 0.2000|1.6993 -38.27 0.2000|1.1757 -2.95 1.0000
0.4622 0.00 1.0000|0.6485 0.00 1.0000
"""


def table(text):
    return np.array([[float(x) for x in row.split()] for row in text.replace("|", "\n").strip().splitlines()])


def forcing(grid, **changes):
    """A column under plants at 10 degree C without lack of water; all carbon enters the first layer."""
    known = {"mat": 10.0, "clay": CLAY, "moisture_deficit": 0.0, "npp": 0.4, "above": 1.0, **changes}
    return site_forcing(grid, map_mm=700.0, litter_e_folding=None, **known)


def fluxes_of(model, column, grid=None):
    return jax.jit(lambda values, field: annual_fluxes(model.equations, values, field, grid or model.grid))(
        model.values, column
    )


def steady_stock(fluxes):
    """Stock [layer, pool] at steady state."""
    return np.linalg.solve(-dense(operator(fluxes)), fluxes.inputs.ravel()).reshape(fluxes.inputs.shape)


def monthly(months, start):
    """The months as forcing, and their deficit: over 25 cm in the example, over 23 in the forcing."""
    deficit = rothc_deficit(months[:, 1], months[:, 2], CLAY, months[:, 4], DEPTH_CM, start)
    year = jax.tree.map(lambda field: np.broadcast_to(field, (len(months), *field.shape)), forcing(ONE_LAYER))
    column = year._replace(
        temperature=months[:, :1], moisture_deficit=deficit * 23.0 / DEPTH_CM, cover=months[:, 4]
    )
    return column, deficit


def official_steps(model, column):
    """What a month does to the four pools, from the rates of the model: carbon lost as 1 - exp(-rate / 12),
    then shared out as the fluxes are."""
    fluxes = jax.jit(jax.vmap(lambda month: model.equations(model.values, month, model.grid, None)))(column)
    flow, respiration = np.asarray(fluxes.flow)[:, 0], np.asarray(fluxes.respiration)[:, 0]
    rate = flow.sum(axis=-2) + respiration
    lost = -np.expm1(-rate / 12.0)
    return np.eye(4) * (1.0 - lost)[:, None, :] + flow / rate[:, None, :] * lost[:, None, :]


def repeat(kept, gained, years):
    """The pools after so many equal years that start without carbon."""
    once = np.eye(4) - kept
    return np.linalg.solve(once, gained - np.linalg.matrix_power(kept, years) @ gained)


def split(model):
    r = model.values["dpm_to_rpm"]
    return np.array([r, 1.0, 0.0, 0.0]) / (1.0 + r)


@pytest.fixture(scope="module")
def example():
    """The example redone: carbon and radiocarbon after spin-up and after each month, and the deficit."""
    rothc, decay = model("rothc"), np.exp(-1.0 / (12.0 * MEAN_LIFE))
    mean, course = table(MEAN_YEAR), table(YEARS_1939_TO_1942)
    _, first = monthly(mean, 0.0)
    column, deficit = monthly(mean, first[-1])
    year = {"carbon": (np.eye(4), np.zeros(4)), "radiocarbon": (np.eye(4), np.zeros(4))}
    for step, month in zip(official_steps(rothc, column), mean, strict=True):
        added = month[3] * split(rothc)
        for name, (kept, gained) in year.items():
            alive = decay if name == "radiocarbon" else 1.0
            year[name] = (alive * step @ kept, alive * step @ gained + added)
    state = {name: repeat(kept, gained, YEARS_OF_SPIN_UP) for name, (kept, gained) in year.items()}
    states = [state]
    column, deficit = monthly(course, deficit[-1])
    for step, month in zip(official_steps(rothc, column), course, strict=True):
        added = month[3] * split(rothc)
        state = {
            "carbon": step @ state["carbon"] + added,
            "radiocarbon": decay * step @ state["radiocarbon"] + MODERN_IN_1939_TO_1942 * added,
        }
        states.append(state)
    return states, np.asarray(deficit)


def per_mil(state):
    """D14C of all carbon, inert carbon included."""
    inert = IOM * np.exp(-AGE_OF_IOM / MEAN_LIFE)
    return 1000.0 * ((state["radiocarbon"].sum() + inert) / (state["carbon"].sum() + IOM) - 1.0)


def test_official_example_at_the_end_of_its_spin_up(example):
    states, _ = example
    np.testing.assert_allclose(states[0]["carbon"], EQUILIBRIUM[:4], rtol=1e-11)


def test_official_example_month_by_month(example):
    states, _ = example
    redone = np.stack([states[12 * (year + 1)]["carbon"] for year in range(4)])
    np.testing.assert_allclose(redone, [row[:4] for row in DECEMBERS], rtol=1e-11)


def test_official_example_radiocarbon(example):
    # 0.02 per mil of the 13 that decay makes: the official code mixes ages month by month, here 14C decays
    states, _ = example
    redone = [per_mil(states[12 * year]) for year in range(5)]
    np.testing.assert_allclose(redone, [EQUILIBRIUM[4], *(row[4] for row in DECEMBERS)], atol=0.03)


def test_official_example_prints_these_factors(example):
    _, deficit = example
    months, printed = table(YEARS_1939_TO_1942)[36:], table(FACTORS_1942)
    np.testing.assert_allclose(rothc_temperature(months[:, 0]), printed[:, 0], atol=6e-5)
    np.testing.assert_allclose(deficit[36:], printed[:, 1], atol=6e-3)
    np.testing.assert_allclose(rothc_moisture(deficit[36:], CLAY, depth=DEPTH_CM), printed[:, 2], atol=6e-5)


def test_a_model_in_continuous_time_comes_near_the_monthly_one():
    mean = table(MEAN_YEAR)
    column, _ = monthly(mean, rothc_deficit(mean[:, 1], mean[:, 2], CLAY, mean[:, 4], DEPTH_CM)[-1])
    fluxes = fluxes_of(model("rothc"), column._replace(litter=np.full(12, 0.174)))
    stock = 10.0 * steady_stock(fluxes)[0]
    np.testing.assert_allclose(stock[[1, 3]], [EQUILIBRIUM[1], EQUILIBRIUM[3]], rtol=5e-3)
    assert stock.sum() == pytest.approx(sum(EQUILIBRIUM[:4]), rel=1e-3)


def test_bare_soil_keeps_the_denominator_of_covered_soil():
    # September 1939 of the example: bare, deficit -21.28 mm = 0.556 of -38.27, printed factor 0.8388, not 0.2
    bare = 0.556 * rothc_max_deficit(CLAY, DEPTH_CM)
    assert float(bare) == pytest.approx(-21.28, abs=6e-3)
    assert float(rothc_moisture(bare, CLAY, depth=DEPTH_CM)) == pytest.approx(0.8388, abs=6e-5)
    assert float(rothc_deficit(np.zeros(9), np.full(9, 90.0), CLAY, 0.0, DEPTH_CM)[-1]) == pytest.approx(bare)


def test_split_by_clay():
    # clay 23 %: x = 1.67 (1.85 + 1.60 exp(-0.0786 * 23)) = 3.5278, CO2 x / (x + 1) = 0.7791
    share = humification(model("rothc").values, np.array([0.23]))[0]
    np.testing.assert_allclose(share[2], 0.46 / 4.5278, rtol=2e-5)
    np.testing.assert_allclose(share[3], 0.54 / 4.5278, rtol=2e-5)
    np.testing.assert_allclose(1.0 - share.sum(axis=0), 0.7791, atol=5e-5)
    # JULES, clay 20 %: x = 1.67 (1.21 + 2.24 exp(-0.085 * 20)) = 2.7041
    share = humification(model("jules").values, np.array([0.20]))[0]
    np.testing.assert_allclose(1.0 - share.sum(axis=0), 2.7041 / 3.7041, rtol=1e-5)


def test_steady_state_by_hand():
    """All that decomposes is the input over the share of CO2; each pool holds its part over its rate."""
    rothc, column = model("rothc"), forcing(ONE_LAYER, mat=9.25, cover=0.0, clay=0.23)
    stock = steady_stock(fluxes_of(rothc, column))[0]
    a, x = 47.91 / (1.0 + np.exp(106.06 / (9.25 + 18.27))), 1.67 * (1.85 + 1.60 * np.exp(-0.0786 * 23.0))
    decomposed = 0.4 * (x + 1.0) / x
    share = np.array(
        [0.4 * 1.44 / 2.44, 0.4 / 2.44, 0.46 * decomposed / (x + 1), 0.54 * decomposed / (x + 1)]
    )
    np.testing.assert_allclose(stock, share / (a * np.array([10.0, 0.3, 0.66, 0.02])), rtol=1e-12)


def test_inert_carbon_of_the_official_example():
    # 0.049 * 37.1^1.139 = 3.0041, the IOM of the example
    assert 10.0 * float(inert_carbon(3.71)) == pytest.approx(IOM, abs=5e-5)
    assert float(inert_carbon(0.0)) == 0.0


def test_one_layer_of_rothpc1_is_rothc():
    rothc, column = model("rothc"), forcing(ONE_LAYER)
    alone, plain = fluxes_of(rothc(passage=0.3), column), fluxes_of(rothc, column)
    np.testing.assert_array_equal(dense(operator(alone)), dense(operator(plain)))
    np.testing.assert_array_equal(slowing(rothc.values, DepthGrid.from_cm([0, 23, 46])), 1.0)


def test_passage_takes_its_share_of_what_decomposes():
    """DPM of layer n is the passage share of what layer n - 1 loses, over the rate of layer n."""
    profile = model("rothpc1")
    stock = steady_stock(fluxes_of(profile, forcing(profile.grid)))
    gross = 10.0 * 0.6 * np.asarray(rothc_temperature(10.0) * slowing(profile.values, profile.grid))
    entered = 0.4 * 1.44 / 2.44 * 0.1 ** np.arange(4)
    np.testing.assert_allclose(stock[:, 0], entered / gross, rtol=1e-12)


def test_passage_is_a_velocity():
    """The flow down through a boundary does not depend on how thick the layers are; none leaves below."""
    profile = model("rothpc1")(slowing_steepness=0.0)
    coarse, fine = (
        np.asarray(fluxes_of(profile, forcing(grid), grid).down) * grid.thickness[:, None]
        for grid in (profile.grid, DepthGrid.from_cm(np.arange(0.0, 93.0, 11.5)))
    )
    np.testing.assert_allclose(fine[:-1], np.broadcast_to(coarse[0], (7, 4)), rtol=1e-12)
    assert not coarse[-1].any()
    assert not fine[-1].any()


def test_slowing_with_depth():
    # JULES: exp(-2 z) at 0.05 and 2 m; RothPC-1: (1 + e^-1.25) / (1 + e^(5 (z - 0.25))) at 0.115 and 0.805 m
    jules, profile = (np.asarray(slowing(m.values, m.grid)) for m in (model("jules"), model("rothpc1")))
    np.testing.assert_allclose(jules[[0, 3]], [0.904837, 0.018316], atol=1e-6)
    np.testing.assert_allclose(profile[[0, 3]], [1.286505 / 1.509156, 1.286505 / 17.03863], rtol=1e-6)
