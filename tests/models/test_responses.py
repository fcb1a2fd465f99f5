"""Response functions: published values, direction, range, and gradients that equal differences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.models import responses
from subsoil.water import rothc_deficit, rothc_max_deficit, rothc_yearly_deficit

jax.config.update("jax_enable_x64", True)

RISES, FALLS, BENDS = 1, -1, 0
POINTS = 101  # one shape: each primitive of the curves is compiled once

# name: curve of one variable, where it is meant to hold, direction, lowest and highest value there
CURVES = {
    "q10": (lambda t: responses.q10(t, 2.0, 10.0), (-40, 50), RISES, (0.0, 17.0)),
    "clm_temperature": (lambda t: responses.clm_temperature(t, q10_frozen=4.0), (-40, 50), RISES, (0.0, 2.8)),
    "century_temperature": (responses.century_temperature, (-40, 60), RISES, (0.0, 1.28)),
    "daily_century_temperature": (responses.daily_century_temperature, (-40, 60), BENDS, (0.0, 1.0)),
    "daycent_temperature": (responses.daycent_temperature, (-40, 60), RISES, (0.0, 1.29)),
    "rothc_temperature": (responses.rothc_temperature, (-40, 50), RISES, (0.0, 10.0)),
    "lloyd_taylor": (responses.lloyd_taylor, (-60, 50), RISES, (0.0, 10.0)),
    "kirschbaum": (responses.kirschbaum, (-20, 60), BENDS, (0.0, 1.0001)),
    "arrhenius": (lambda t: responses.arrhenius(t, 5e4, 20.0), (-40, 50), RISES, (0.0, 8.0)),
    "century_moisture": (lambda p: responses.century_moisture(p, 1.0), (0, 3), RISES, (1 / 31, 1.0)),
    "century_moisture_dry": (lambda e: responses.century_moisture(0.5, e), (0, 3), FALLS, (0.0, 1.0)),
    "rothc_moisture": (lambda s: responses.rothc_moisture(s, 0.2), (-60, 0), RISES, (0.2, 1.0)),
    "moyano": (responses.moyano, (0, 1), BENDS, (0.0, 1.0)),
    "candy": (responses.candy, (0, 1), RISES, (0.0, 1.0)),
    "skopp": (responses.skopp, (0, 1), BENDS, (0.0, 1.0)),
    "gompertz": (responses.gompertz, (0, 1), RISES, (0.1, 1.0)),
    "demeter": (responses.demeter, (0, 1), RISES, (0.25, 1.0)),
    "yasso_warmth": (
        lambda t: responses.yasso_climate(t, 0.8, 0.1, -0.0014, -1.2),
        (-40, 30),
        RISES,
        (0, 5),
    ),
    "yasso_rain": (lambda p: responses.yasso_climate(5.0, p, 0.1, -0.0014, -1.2), (0, 4), RISES, (0, 2)),
    "water_potential": (lambda s: responses.water_potential(s, 0.4, 0.2), (0, 1), RISES, (-1e10, 0.0)),
    "water_scalar": (lambda psi: responses.water_scalar(psi, -2.0, -0.002), (-20, -1e-4), RISES, (0.0, 1.0)),
    "depth_decay": (lambda z: responses.depth_decay(z, 0.5), (0, 4), FALLS, (0.0, 1.0)),
}


@pytest.mark.parametrize("name", CURVES)
def test_direction_and_range(name):
    curve, (low, high), direction, (least, most) = CURVES[name]
    values = np.asarray(curve(jnp.linspace(low, high, POINTS)))
    assert np.isfinite(values).all()
    assert least - 1e-12 <= values.min() <= values.max() <= most
    steps = np.diff(values)
    if direction == BENDS:
        assert (steps > 0).any()
        assert (steps < 0).any()
    else:
        assert (direction * steps >= -1e-12).all()
        assert (direction * steps > 0).any()


@pytest.mark.parametrize("name", CURVES)
def test_gradient_is_finite_and_equals_differences(name):
    """Finite on the range and its ends; equal to central differences but at a step or a corner."""
    curve, (low, high), _, _ = CURVES[name]
    x = jnp.linspace(low, high, POINTS)
    slope = np.asarray(jax.jvp(curve, (x,), (jnp.ones_like(x),))[1])
    assert np.isfinite(slope).all()
    inner, h = np.linspace(low, high, POINTS + 2)[1:-1], 1e-6 * (high - low)
    got = np.asarray(jax.jvp(curve, (jnp.asarray(inner),), (jnp.ones_like(inner),))[1])
    after, at, before = (np.asarray(curve(jnp.asarray(inner + d))) for d in (h, 0.0, -h))
    smooth = np.abs((after - at) - (at - before)) <= 1e-4 * np.abs(after - before) + 1e-12
    assert smooth.mean() > 0.9
    np.testing.assert_allclose(got[smooth], ((after - before) / (2 * h))[smooth], rtol=2e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # CLM's normalisation: after the code of CTSM
        (lambda: responses.century_temperature(15.0), 0.5471),
        (lambda: responses.century_temperature(15.0) / responses.q10(15.0, 1.5, 25.0), 0.8206),
        (lambda: responses.clm_temperature(15.0), 0.6667),
        (lambda: responses.clm_temperature(0.0), 1.5**-2.5),
        (lambda: responses.clm_temperature(-20.0, q10_frozen=3.0), 1.5**-2.5 / 9.0),
        (lambda: responses.daily_century_temperature(35.0), 1.0),
        (lambda: responses.daycent_temperature(15.7), 0.56),
        (lambda: responses.lloyd_taylor(10.0), 1.0),
        (lambda: responses.rothc_temperature(-5.0), 47.91 / (1 + math.exp(106.06 / 13.27))),
        (lambda: responses.kirschbaum(0.0), math.exp(-3.764)),
        (lambda: responses.century_moisture(0.6, 1.2), 1 / (1 + 30 * math.exp(-4.25))),
        # 23.4 % clay and 23 cm: the soil of Hoosfield in the RothC guide
        (lambda: rothc_max_deficit(0.234, 23.0), -44.94),
        (lambda: responses.moyano(0.643), 0.9992),
        (lambda: responses.skopp(0.5), 2 * 0.5**1.3),
        (lambda: responses.skopp(0.9), 2 * 0.1**0.8),
        (lambda: responses.gompertz(0.02), math.exp(-math.exp(0.824 - 0.616))),
        # -2 and -0.002 MPa are the ends of CLM5; the middle of their logarithms is half
        (lambda: responses.water_scalar(-math.sqrt(2 * 0.002), -2.0, -0.002), 0.5),
        (lambda: responses.depth_decay(1.0, 0.5), math.exp(-2)),
        # 40 % sand, 20 % clay: 10^(1.88 - 0.524) = 22.7 cm of water at saturation, b = 6.09
        (lambda: responses.water_potential(1.0, 0.4, 0.2), -0.0022259),
        (lambda: responses.water_potential(0.5, 0.4, 0.2), -0.0022259 * 2**6.09),
        (lambda: responses.arrhenius(20.0, 5e4, math.inf), math.exp(-5e4 / (8.314462618 * 293.15))),
    ],
)
def test_published_values(value, expected):
    assert float(value()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("curve", "warmest_zero"),
    [
        (responses.rothc_temperature, -5.001),
        (responses.century_temperature, -15.0),
        (responses.daycent_temperature, -11.5),
        (responses.lloyd_taylor, -46.02),
    ],
)
def test_nothing_decomposes_below(curve, warmest_zero):
    """0, never negative, and with no slope that a fit could follow; just above it is positive again."""
    cold = jnp.linspace(-80.0, warmest_zero, POINTS)
    value, slope = jax.jvp(curve, (cold,), (jnp.ones_like(cold),))
    np.testing.assert_array_equal(value, 0.0)
    np.testing.assert_array_equal(slope, 0.0)
    assert float(curve(warmest_zero + 4.0)) > 0.0


def test_heat_stops_daily_century():
    hot = jnp.array([45.0, 46.0, 80.0])
    value, slope = jax.jvp(responses.daily_century_temperature, (hot,), (jnp.ones_like(hot),))
    np.testing.assert_array_equal(value, 0.0)
    np.testing.assert_array_equal(slope, 0.0)


@pytest.mark.parametrize(
    ("precipitation", "potential"), [(0.0, 0.0), (0.5, 0.0), (0.5, 1e-300), (0.0, 1e-300)]
)
def test_century_moisture_without_evaporation_has_gradients(precipitation, potential):
    slopes = jax.grad(responses.century_moisture, argnums=(0, 1))(precipitation, potential)
    assert all(np.isfinite(slopes))


def test_water_potential_has_gradients_in_texture_and_holds_at_the_dry_end():
    driest = responses.water_potential(responses.DRIEST_SATURATION, 0.3, 0.3)
    assert float(responses.water_potential(0.0, 0.3, 0.3)) == float(driest)
    slopes = jax.grad(responses.water_potential, argnums=(0, 1, 2))(0.0, 0.3, 0.3)
    assert all(np.isfinite(slopes))
    assert float(responses.water_potential(0.5, 0.1, 0.5)) < float(responses.water_potential(0.5, 0.8, 0.05))


def test_water_scalar_is_clipped():
    potential = jnp.array([-50.0, -2.0, -0.002, -1e-9])
    np.testing.assert_array_equal(responses.water_scalar(potential, -2.0, -0.002), [0, 0, 1, 1])


def test_jit_and_vmap_give_the_same():
    t = jnp.linspace(-30.0, 40.0, 7)
    plain = [float(responses.rothc_temperature(float(x))) for x in t]
    np.testing.assert_allclose(jax.jit(jax.vmap(responses.rothc_temperature))(t), plain, rtol=1e-14)


# ---- the moisture deficit of RothC ------------------------------------------------------------------------


def test_bare_soil_dries_less_but_its_response_uses_the_full_deficit():
    """The trap: 0.556 of the greatest deficit is b = 0.2 + 0.8 (0.444 / 0.556), not 0.2."""
    dry, pan = np.zeros(24), np.full(24, 100.0)
    covered, bare = (np.asarray(rothc_deficit(dry, pan, 0.234, cover)) for cover in (1.0, 0.0))
    assert covered[-1] == pytest.approx(-44.9444)
    assert bare[-1] == pytest.approx(-0.556 * 44.9444)
    assert float(responses.rothc_moisture(covered[-1], 0.234)) == pytest.approx(0.2)
    assert float(responses.rothc_moisture(bare[-1], 0.234)) == pytest.approx(0.2 + 0.8 * 0.444 / 0.556)
    assert (np.asarray(responses.rothc_moisture(jnp.array([0.0, -0.443 * 44.94]), 0.234)) == 1.0).all()


def test_bare_soil_keeps_a_deficit_that_plants_left_and_rain_fills_it():
    pan = np.array([100.0, 100.0, 0.0, 0.0])
    rain = np.array([0.0, 0.0, 20.0, 500.0])
    deficit = np.asarray(rothc_deficit(rain, pan, 0.234, np.array([1.0, 0.0, 0.0, 0.0])))
    np.testing.assert_allclose(deficit, [-44.9444, -44.9444, -24.9444, 0.0], rtol=1e-12)


def test_columns_run_side_by_side():
    rng = np.random.default_rng(0)
    rain, pan = rng.uniform(0, 120, (2, 18, 3))
    clay = np.array([0.05, 0.2, 0.6])
    both = np.asarray(rothc_deficit(rain, pan, clay, np.arange(18) % 2.0))
    alone = [np.asarray(rothc_deficit(rain[:, i], pan[:, i], clay[i], np.arange(18) % 2.0)) for i in range(3)]
    np.testing.assert_array_equal(both, np.stack(alone, axis=1))


@pytest.mark.parametrize("excess", [30.0, 0.0, -30.0])
def test_the_yearly_deficit_repeats_itself(excess):
    """Started where the year ends it comes back to itself, whether rain or evaporation wins over the year."""
    season = np.cos(2 * np.pi * np.arange(12) / 12)
    rain, potential = 60 + excess / 12 + 10 * season, 60 - 50 * season
    cycle = rothc_yearly_deficit(rain, potential, 0.2)
    again = rothc_deficit(rain, potential / 0.75, 0.2, start=cycle[-1])
    np.testing.assert_allclose(again, cycle, atol=1e-9)
    assert float(cycle.min()) < -10.0
    assert float(cycle.max()) <= 0.0


def test_the_gradient_of_the_yearly_deficit_equals_differences():
    season = np.cos(2 * np.pi * np.arange(12) / 12)

    def driest(total):
        return rothc_yearly_deficit(total / 12 * jnp.ones(12), jnp.asarray(60 - 50 * season), 0.25).sum()

    slope = float(jax.grad(driest)(700.0))
    difference = float(driest(700.01) - driest(699.99)) / 0.02
    assert slope > 0.0
    assert slope == pytest.approx(difference, rel=1e-6)
