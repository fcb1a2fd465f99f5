"""Microbial models against numbers that others printed."""

import numpy as np
import pytest

from subsoil.depth import DepthGrid
from subsoil.equilibrium import at_rest
from subsoil.forcing import site_forcing
from subsoil.models.catalogue import model

# Control run of MIMICS in Sulman et al. 2018 (Biogeochemistry 141:109; figshare 10.6084/m9.figshare.6981842,
# MIMICS_Control_CLAY20_LIG24.4.csv, first day, mg C cm-3): 20 cm, 20 % clay, lignin 24.4 %, nitrogen 0.73 %,
# 500 g C m-2 in 365 days, 20 degree C. The file heads its last two columns SOMa, SOMc, but the script that
# wrote it (wwieder/MIMICS) holds SOMc before SOMa.
MIMICS_CONTROL = {
    "LITm": 0.492538137344356,
    "LITs": 4.03784968450293,
    "MICr": 0.0683321459899585,
    "MICk": 0.273132235184018,
    "SOMp": 5.22826929321219,
    "SOMc": 3.23842406685668,
    "SOMa": 2.41554338509434,
}


def test_mimics_has_the_steady_state_of_its_own_code() -> None:
    m, grid = model("mimics"), DepthGrid.from_cm([0, 20])
    forcing = site_forcing(
        grid,
        mat=20.0,
        map_mm=900.0,
        p_pet=1.0,
        clay=0.2,
        npp=0.5 * 365.25 / 365.0,
        lignin_to_nitrogen=24.4 / 0.73,
    )
    found = np.asarray(at_rest(m, forcing, grid).carbon)[0] / 0.2
    np.testing.assert_allclose(found, [MIMICS_CONTROL[pool] for pool in m.pools], rtol=1e-4)


def test_mend_has_the_closed_form_of_its_equations() -> None:
    """Wang et al. 2013 at 20 degree C: the steady state of table 2, worked out by hand from the equations.

    DOC = K_D m_R / V_D; microbes I E_c / ((1 - E_c) m_R); enzymes p m_R B / r; of POC and MOC the input over
    the largest decay; QOC by Langmuir. I = 1.6e-4 mg g-1 h-1.
    """
    m, grid = model("mend"), DepthGrid.from_cm([0, 10])
    hours = 24.0 * 365.25
    npp = 1.6e-4 * hours * 1300.0 * 0.1 / 1000.0  # kg m-2 yr-1 into 10 cm of 1300 kg m-3
    forcing = site_forcing(grid, mat=20.0, map_mm=900.0, p_pet=1.0, bulk_density=1300.0, npp=npp)
    doc = 0.26 * 2.8e-4 / 5e-4
    microbes = 1.6e-4 * 0.47 / (0.53 * 2.8e-4)
    enzyme = 0.01 * 2.8e-4 * microbes / 1e-3
    into_poc = 8e-5 + 0.5 * 0.98 * 2.8e-4 * microbes
    poc, moc = (
        half * x / (1.0 - x)
        for half, x in ((50.0, into_poc / (2.5 * enzyme)), (250.0, 0.5 * into_poc / (1.0 * enzyme)))
    )
    qoc = 1.7 * 6.0 * doc / (1.0 + 6.0 * doc)
    wanted = np.array([poc, moc, qoc, doc, microbes, enzyme, enzyme])
    found = np.asarray(at_rest(m, forcing, grid).carbon)[0] / (1300.0 * 0.1) * 1000.0
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize(("slope", "sign"), [(0.012, 1.0), (0.0, -1.0)])
def test_warming_by_two_degrees_in_mend_depends_on_the_efficiency(slope: float, sign: float) -> None:
    """Abstract of Wang et al. 2013: from 12 to 14 degree C total carbon rises with an efficiency that falls
    with temperature and falls with a constant one."""
    m, grid = model("mend")(cue_slope=slope), DepthGrid.from_cm([0, 10])
    before, after = (
        float(at_rest(m, site_forcing(grid, mat=mat, map_mm=900.0, p_pet=1.0, npp=0.2), grid).carbon.sum())
        for mat in (12.0, 14.0)
    )
    assert sign * (after - before) > 0.0


def test_corpse_of_the_testbed_keeps_its_published_rates() -> None:
    """400, 25 and 200 a year on S^3 (1 - S)^2.5 (biogeochem_testbed, corpse_params_new_march20)."""
    m = model("corpse_testbed")
    s = np.linspace(0.0, 1.0, 100_001)
    peak = (s**3 * (1.0 - s) ** 2.5).max()
    rates = [m.values[f"vmax_{kind}"] / peak for kind in ("fast", "slow", "necromass")]
    np.testing.assert_allclose(rates, [400.0, 25.0, 200.0], rtol=1e-5)
    sorption = 10 ** (0.4833 * np.log10(20.0) + 2.3282) * (1.0 - 0.54) * 2650e-6
    protection = [m.values[f"protection_{kind}"] / sorption for kind in ("fast", "slow", "necromass")]
    np.testing.assert_allclose(protection, [1.5, 0.0015, 1.5], rtol=1e-5)
