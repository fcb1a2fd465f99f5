"""C-Tool against its published values, worked out layer by layer by hand.

Values: sorcering, and rCTOOL 3.1 per month (0.12, 0.0028, 3.85e-5). No printed run of C-Tool was found.
"""

import jax
import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.forcing import site_forcing
from subsoil.models.catalogue import model
from subsoil.models.ctool import temperature_factor, transfer
from subsoil.models.model import operator
from subsoil.solve.blocks import dense

CLAY = np.array([0.10, 0.15])
ENTERS = np.array([0.35, 0.05])  # kg C m-2 yr-1 in topsoil and subsoil
HUMIFIED = np.array([0.1884292, 0.2036092])  # 1 / (1 + 1.67 (1.85 + 1.6 exp(-7.86 clay)))


def steady_stock(ctool, column, grid):
    fluxes = jax.jit(lambda: ctool.equations(ctool.values, column, grid, None))()
    return np.linalg.solve(-dense(operator(fluxes)), fluxes.inputs.ravel()).reshape(-1, 3), fluxes


@pytest.fixture(scope="module")
def solved():
    ctool = model("ctool")
    column = site_forcing(ctool.grid, mat=10.0, map_mm=800.0, clay=CLAY)
    column = column._replace(litter=0.35, roots=0.05, litter_share=np.eye(2)[0], root_share=np.eye(2)[1])
    return steady_stock(ctool, column, ctool.grid)


def test_rates_are_those_of_a_month():
    values = model("ctool").values
    monthly = [values[name] / 12.0 for name in ("k_fom", "k_hum", "k_rom")]
    np.testing.assert_allclose(monthly, [0.12, 0.0028, 3.85e-5], rtol=3e-3)


def test_temperature_factor():
    # 7.24 exp(-3.432 + 1.68 (1 - 5 / 36.9)) = 7.24 * 0.138119
    assert float(temperature_factor(10.0)) == pytest.approx(7.24 * 0.138119, rel=1e-5)
    assert float(temperature_factor(36.9)) > float(temperature_factor(40.0))


def test_fresh_matter_is_humified_by_clay():
    np.testing.assert_allclose(transfer(model("ctool").values, CLAY)[:, 1, 0], HUMIFIED, rtol=1e-5)


def test_steady_state_by_hand(solved):
    """Each pool of each layer holds what enters it over what leaves it."""
    stock, _ = solved
    fom, hum, rom = 1.44 * 0.99998, 0.0336 * 0.99998, 0.000463 * 0.99998
    into_fom = np.array([0.35, 0.05 + 0.03 * 0.35])
    into_hum = np.array([0.97 * HUMIFIED[0], HUMIFIED[1]]) * into_fom
    into_hum[1] += 0.36 * into_hum[0]  # all that leaves HUM of the topsoil is into_hum[0]
    lost = np.array([into_hum[0], into_hum[1] / 0.64])  # in the subsoil 0.36 of what decomposes stays
    into_rom = 0.012 * lost
    into_rom[1] += 0.03 / (0.628 + 0.03) * into_rom[0]
    expected = np.stack(
        [into_fom / fom, lost / hum, into_rom / np.array([0.628 + 0.03, 0.628]) / rom], axis=-1
    )
    np.testing.assert_allclose(stock, expected, rtol=2e-5)


def test_respired_carbon_is_what_enters(solved):
    stock, fluxes = solved
    assert float((np.asarray(fluxes.respiration) * stock).sum()) == pytest.approx(0.4, rel=1e-12)


def test_carbon_goes_down_as_fast_on_finer_layers(solved):
    ctool, (_, published) = model("ctool"), solved
    fine = DepthGrid.from_cm([0, 12.5, 25, 50, 100])
    column = site_forcing(fine, mat=10.0, map_mm=800.0, clay=0.1)
    _, fluxes = steady_stock(ctool, column, fine)
    speed = np.asarray(fluxes.down) * fine.thickness[:, None]
    np.testing.assert_allclose(speed[:3], np.broadcast_to(published.down[0] * 0.25, (3, 3)), rtol=1e-12)
    assert not speed[3].any()
