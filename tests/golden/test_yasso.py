"""Yasso in its four versions against the published vectors of values and numbers worked out by hand.

The vectors are given in the order of the publications and of the codes: k of A, W, E, N, H; the twelve
transfers W-A, E-A, N-A, A-W, E-W, N-W, A-E, W-E, N-E, A-N, W-N, E-N; p_H. Yasso07: SoilR. Yasso15: estimate
of Järvenpää et al. 2015 as codes carry it. Yasso20: Viskari et al. 2022, ParY20.dat. JSBACH: constants of
ICON-Land in soil_diskin.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.forcing import site_forcing
from subsoil.models.catalogue import model
from subsoil.models.model import check_fluxes, operator
from subsoil.models.yasso import climate, transfer, wood_slowing
from subsoil.solve.blocks import dense

VECTORS = {
    "yasso07": (
        (0.66, 4.3, 0.35, 0.22, 0.0033),
        (0.32, 0.01, 0.93, 0.34, 0, 0, 0.035, 0.005, 0.01, 0.0005, 0.03, 0.92),
        0.04,
    ),
    "yasso15": (
        (0.48971473, 4.9138734, 0.24197346, 0.094876416, 0.001302583),
        (
            *(0.43628932, 0.24997402, 0.91512685, 0.99258227, 0.083853738, 0.011476783),
            *(6.08e-4, 4.76e-4, 0.066037729, 7.71e-4, 0.10401742, 0.64880756),
        ),
        0.004596472,
    ),
    "yasso20": (
        (0.51, 5.19, 0.13, 0.10, 0.0015),
        (0.5, 0, 1 - 0.0042, 1 - 0.0042, 0.99, 0, 0, 0, 0, 0, 0.163, 0),  # 1 and 1 as published
        0.0042,
    ),
    "jsbach": (
        (0.72, 5.9, 0.28, 0.031, 0.0016),
        (0.48, 0.01, 0.83, 0.99, 0, 0.01, 0, 0, 0.02, 0, 0.015, 0.95),
        0.0045,
    ),
}
# exp(b1 T + b2 T^2) (1 - exp(gamma P)) at 5 degree C and 0.6 m yr-1: of A, W and E, of N, of H
CLIMATE = {
    "yasso07": (0.7626308, 0.7626308, 0.7626308),
    "yasso15": (1.0361154, 0.6434005, 1.1854957),
    "yasso20": (1.2125557, 1.4428460, 1.3756812),
    "jsbach": (0.8014446, 0.8014446, 0.8014446),
}
LEAF = np.array([0.4651, 0.304, 0.0942, 0.1367])
ORDER = ((1, 0), (2, 0), (3, 0), (0, 1), (2, 1), (3, 1), (0, 2), (1, 2), (3, 2), (0, 3), (1, 3), (2, 3))
TOPSOIL = DepthGrid.from_cm([0, 20])


def forcing(**changes):
    known = {"mat": 5.0, "map_mm": 600.0, "npp": 0.5, "wood": 0.0, **changes}
    return site_forcing(TOPSOIL, above=0.6, **known)


def matrix(name):
    """The five pools as published, from the vector in its order and the climate factors above."""
    k, p, to_humus = VECTORS[name]
    m = np.array(CLIMATE[name])[[0, 0, 0, 1, 2]]
    share = np.zeros((5, 5))
    for (donor, receiver), value in zip(ORDER, p, strict=True):
        share[receiver, donor] = value
    share[4, :4] = to_humus
    return (share - np.eye(5)) * (m * np.array(k))


@pytest.fixture(scope="module", params=VECTORS)
def solved(request):
    """A version, its fluxes without and with half of the litter wood, and the stocks at steady state."""
    yasso = model(request.param)
    fluxes_of = jax.jit(lambda column: yasso.equations(yasso.values, column, TOPSOIL, None))
    plain, woody = fluxes_of(forcing()), fluxes_of(forcing(wood=0.5))
    stock = [np.linalg.solve(-dense(operator(f)), f.inputs.ravel()) for f in (plain, woody)]
    return yasso, (plain, woody), stock


def test_steady_state_of_the_published_vector(solved):
    yasso, _, (stock, _) = solved
    expected = np.linalg.solve(-matrix(yasso.name), np.append(0.5 * LEAF, 0.0))
    np.testing.assert_allclose(stock[[0, 1, 2, 3, 8]], expected, rtol=1e-6)
    np.testing.assert_allclose(stock[4:8], 0.0, atol=1e-15)


def test_no_column_makes_carbon(solved):
    yasso, (plain, _), _ = solved
    sums = np.asarray(transfer(yasso.values)).sum(axis=0)
    assert (sums <= 1.0 + 1e-12).all()
    assert sums[8] == 0.0
    check_fluxes(yasso, plain)


def test_columns_by_hand():
    # Yasso07: 0.34 + 0.035 + 0.0005 + 0.04 of A; Yasso15: 0.99258 + 0.00061 + 0.00077 + 0.0046 of A
    sums = {name: np.asarray(transfer(model(name).values)).sum(axis=0)[:4] for name in VECTORS}
    np.testing.assert_allclose(sums["yasso07"], [0.4155, 0.395, 0.97, 0.98], rtol=1e-12)
    np.testing.assert_allclose(sums["yasso15"], [0.99856, 0.54538, 0.98723, 0.99724], atol=5e-6)
    np.testing.assert_allclose(sums["yasso20"], [1.0, 0.6672, 0.9942, 1.0], rtol=1e-12)
    np.testing.assert_allclose(sums["jsbach"], [0.9945, 0.4995, 0.9645, 0.8645], rtol=1e-12)


def test_climate_factors_by_hand(solved):
    yasso, _, _ = solved
    factors = [float(climate(yasso.values, forcing(), group)[0]) for group in ("awe", "nonsoluble", "humus")]
    np.testing.assert_allclose(factors, CLIMATE[yasso.name], rtol=1e-6)


def test_yasso07_splits_its_input(solved):
    # SoilR puts all of it in A
    _, (plain, woody), _ = solved
    np.testing.assert_allclose(plain.inputs[0, :4], 0.5 * LEAF, rtol=1e-12)
    np.testing.assert_allclose(woody.inputs[0, 4:8], 0.15 * np.array([0.65, 0.025, 0.025, 0.3]), rtol=1e-12)
    assert float(woody.inputs.sum()) == pytest.approx(0.5, rel=1e-12)


def test_humus_of_yasso20_comes_from_its_own_share():
    # p_H is 0.0042 and k_H 0.0015; a code that shifts the vector by one position takes 0.0015 for both
    values = model("yasso20").values
    assert (values["to_humus"], values["k_humus"]) == (0.0042, 0.0015)
    np.testing.assert_allclose(np.asarray(transfer(values))[8], [0.0042] * 8 + [0.0], rtol=1e-12)


def test_humus_holds_its_share_of_all_that_decomposes(solved):
    yasso, (_, woody), (_, stock) = solved
    gross = np.asarray(woody.respiration + woody.flow.sum(axis=-2))[0]
    made = yasso.values["to_humus"] * (gross * stock)[:8].sum()
    assert made == pytest.approx(gross[8] * stock[8], rel=1e-10)


def test_wood_slows_with_its_size():
    # by hand: 7.92^-0.306, 19.524^-0.25691, 10.64^-0.25 at 4 cm
    for name, factor in (("jsbach", 0.5309), ("yasso07", 0.5309), ("yasso15", 0.4661), ("yasso20", 0.5537)):
        v = model(name).values
        size = [v[key] for key in ("size_1", "size_2", "size_power")]
        assert float(wood_slowing(4.0, *size)) == pytest.approx(factor, abs=6e-5)
        assert float(wood_slowing(0.0, *size)) == 1.0


def test_size_of_wood_has_a_value_and_a_slope_everywhere():
    # 1 - 2.55 d + 1.24 d^2 of Yasso20 is negative between 0.53 and 1.53 cm
    size = jnp.array([-2.55, 1.24, 0.25])
    for diameter in (0.0, 0.528, 1.0, 1.9, 30.0):
        slope = jax.grad(lambda d: wood_slowing(d, *size))(diameter)
        assert np.isfinite(slope)
        assert slope <= 0.0
    assert float(wood_slowing(1.0, *size)) == 1.0


def test_wood_changes_its_own_stock_and_humus_only_by_its_split(solved):
    yasso, _, (_, stock) = solved
    column = forcing(wood=0.5)
    thick = yasso(wood_diameter=20.0)
    fluxes = jax.jit(lambda: thick.equations(thick.values, column, TOPSOIL, None))()
    thicker = np.linalg.solve(-dense(operator(fluxes)), fluxes.inputs.ravel())
    np.testing.assert_allclose(thicker[[0, 1, 2, 3, 8]], stock[[0, 1, 2, 3, 8]], rtol=1e-10)
    v = yasso.values
    size = [v[key] for key in ("size_1", "size_2", "size_power")]
    ratio = float(wood_slowing(4.0, *size) / wood_slowing(20.0, *size))
    np.testing.assert_allclose(thicker[4:8], ratio * stock[4:8], rtol=1e-10)
    assert ratio > 1.5
