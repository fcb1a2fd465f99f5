"""What rides on carbon: signatures are kept where nothing fractionates, and move the right way elsewhere."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.constants import R_PDB, RADIOCARBON_DECAY
from subsoil.errors import BadCall
from subsoil.isotopes import delta14c
from subsoil.models.model import Fluxes, operator
from subsoil.solve.ages import steady
from subsoil.solve.transient import Run, run
from subsoil.tracers import CARBON13, LABEL, RADIOCARBON, Tracer, content13, delta13, system

POOLS = ("fast", "slow")


@pytest.fixture(scope="module")
def fluxes() -> Fluxes:
    """Two pools in three layers; both mix and respire, a fifth of the fast one's loss becomes slow carbon."""
    ones = jnp.ones((3, 2))
    flow = jnp.zeros((3, 2, 2)).at[:, 1, 0].set(0.1)
    down, up = ones.at[-1].set(0.0) * 0.02, ones.at[0].set(0.0) * 0.01
    inputs = jnp.array([[0.5, 0.05], [0.2, 0.0], [0.1, 0.0]])
    return Fluxes(inputs, flow, ones * jnp.array([0.4, 0.01]), down, up, ones * jnp.array([0.02, 0.0]))


def at_rest(fluxes: Fluxes, tracer: Tracer, signature: float = 1.0) -> jax.Array:
    """Content of a tracer fed with one signature for ever [layer, pool]."""
    return steady(tracer.ride(fluxes, POOLS), signature * fluxes.inputs) / steady(
        operator(fluxes), fluxes.inputs
    )


def ride(fluxes: Fluxes, tracers: list[Tracer], signatures: Any, contents: Any, dt: float, order: int) -> Run:
    """A run from rest. signatures [step, tracer]; litter halves for some years, twenty steps each."""
    carbon = steady(operator(fluxes), fluxes.inputs)
    share = jnp.where((jnp.arange(len(signatures)) // 20) % 2 == 0, 1.0, 0.5)

    def at(now: Any, _: Any) -> Any:
        litter, entering = now
        return system(fluxes._replace(inputs=litter * fluxes.inputs), POOLS, tracers, entering)

    start = jnp.stack([carbon, *(content * carbon for content in contents)])
    return run(at, (share, jnp.asarray(signatures)), start, dt, order)


# Notation.


def test_content_and_delta_are_one_another() -> None:
    delta = np.array([-1000.0, -38.5, -27.0, 0.0, 12.0])
    np.testing.assert_allclose(delta13(content13(delta)), delta, atol=1e-9)
    assert float(content13(0.0)) == 1.0
    assert float(content13(-1000.0)) == 0.0


def test_content_mixes_as_atoms_do() -> None:
    """12C and 13C of two carbons counted one by one; the mean of their deltas is not that."""
    delta, amount = np.array([-600.0, 900.0]), np.array([3.0, 1.0])
    ratio = R_PDB * (1.0 + delta / 1000.0)
    heavy, light = amount * ratio / (1.0 + ratio), amount / (1.0 + ratio)
    atoms = (heavy.sum() / light.sum() / R_PDB - 1.0) * 1000.0
    assert float(delta13(content13(delta) @ amount / amount.sum())) == pytest.approx(atoms, abs=1e-9)
    assert abs(delta @ amount / amount.sum() - atoms) > 1.0


# Riding.


def test_what_nothing_acts_on_is_carbon_itself(fluxes: Fluxes) -> None:
    """Operator and row 0 of a system, to the last bit, whatever else rides."""
    alone = operator(fluxes)
    moved = system(fluxes, POOLS, [LABEL, RADIOCARBON], jnp.array([1.0, 0.5]))
    for part, same, rows in zip(alone, LABEL.ride(fluxes, POOLS), moved.blocks, strict=True):
        np.testing.assert_array_equal(part, same)
        np.testing.assert_array_equal(part, rows[0])
        np.testing.assert_array_equal(part, rows[1])
    np.testing.assert_array_equal(moved.inputs, [fluxes.inputs, fluxes.inputs, 0.5 * fluxes.inputs])
    np.testing.assert_allclose(
        alone.diagonal - moved.blocks.diagonal[2],
        RADIOCARBON_DECAY * np.ones((3, 1, 1)) * np.eye(2),
        atol=1e-16,
    )


def test_a_constant_signature_is_kept(fluxes: Fluxes) -> None:
    """delta13C of every pool and layer, to 1e-9 per mil, while stocks change by half."""
    content = float(content13(-27.0))
    ran = ride(fluxes, [CARBON13], np.full((60, 1), content), [content], 1.0, 2)
    assert np.ptp(np.asarray(ran.state[:, 0].sum((1, 2)))) > 0.1 * float(ran.state[0, 0].sum())
    np.testing.assert_allclose(delta13(ran.state[:, 1] / ran.state[:, 0]), -27.0, atol=1e-9)


@pytest.mark.parametrize("permil", [-2.0, 2.0])
def test_fractionation_moves_what_stays_the_other_way(fluxes: Fluxes, permil: float) -> None:
    """And at rest what leaves the soil has the signature of what enters."""
    tracer = Tracer("c13", fractionation={"*->co2": permil})
    content = at_rest(fluxes, tracer)
    assert (np.sign(content - 1.0) == -np.sign(permil)).all()
    carbon = steady(operator(fluxes), fluxes.inputs)
    lost = system(fluxes, POOLS, [tracer], jnp.ones(1)).loss * jnp.stack([carbon, content * carbon])
    np.testing.assert_allclose(lost.sum((1, 2)), fluxes.inputs.sum(), rtol=1e-12)


def test_fractionation_of_one_flux_acts_where_it_goes() -> None:
    """One layer, by hand: X1/C1 = k / (r + alpha f), X2/C2 = alpha X1/C1 with k = r + f."""
    none, r, f = jnp.zeros((1, 2)), 0.4, 0.1
    flow = jnp.zeros((1, 2, 2)).at[0, 1, 0].set(f)
    one = Fluxes(jnp.array([[1.0, 0.0]]), flow, jnp.array([[r, 0.01]]), none, none, none)
    alpha = 0.997
    fast, slow = np.ravel(at_rest(one, Tracer("c13", fractionation={"fast->slow": -3.0})))
    assert fast == pytest.approx((r + f) / (r + alpha * f), rel=1e-14)
    assert slow == pytest.approx(alpha * fast, rel=1e-14)
    respired = np.ravel(at_rest(one, Tracer("c13", fractionation={"fast->co2": -3.0})))
    np.testing.assert_allclose(respired, (r + f) / (alpha * r + f), rtol=1e-14)


@pytest.mark.parametrize("order", [1, 2])
def test_both_isotopes_close(fluxes: Fluxes, order: int) -> None:
    """13C that enters is there or was lost, with fractionation; so is 12C, and their sum is carbon."""
    tracer = Tracer("c13", fractionation={"*->co2": -2.0, "fast->slow": 1.5})
    signature = np.asarray(content13(np.linspace(-24.0, -30.0, 60)))[:, None]
    ran = ride(fluxes, [tracer], signature, [content13(-27.0)], 0.5, order)
    state, lost = np.asarray(ran.state).sum((2, 3)), np.asarray(ran.lost).sum((2, 3))
    share = np.where((np.arange(60) // 20) % 2 == 0, 1.0, 0.5) * 0.5 * float(fluxes.inputs.sum())
    entered = share[:, None] * np.concatenate([np.ones((60, 1)), signature], axis=1)
    standard = R_PDB / (1.0 + R_PDB)  # mass of 13C a unit of content
    for isotope in (np.array([0.0, standard]), np.array([1.0, -standard])):
        stock = state @ isotope
        assert np.abs(np.diff(stock) - ((entered - lost) @ isotope)[1:]).max() < 1e-14 * stock.max()


# Radiocarbon.


def test_decay_is_the_age_of_one_pool() -> None:
    none = jnp.zeros((1, 1))
    one = Fluxes(none + 1.0, none[..., None], none + 1e-3, none, none, none)
    content = float((steady(RADIOCARBON.ride(one, ("a",)), one.inputs) / 1000.0)[0, 0])
    assert content == pytest.approx(1e-3 / (1e-3 + RADIOCARBON_DECAY), rel=1e-12)


def test_f14c_rides_without_decay_and_the_absolute_content_with_it(fluxes: Fluxes) -> None:
    """Fed with the same air both say the same; F14C that decays comes out too low."""
    year = 1950.0 + np.arange(0.0, 70.0, 0.25)
    air = 1.0 + 0.7 * np.exp(-((year - 1965.0) ** 2) / 30.0)  # F14C
    absolute = 1.0 + delta14c(air, year) / 1000.0
    start = at_rest(fluxes, RADIOCARBON)
    notation = Tracer("f14c")
    ran = ride(
        fluxes,
        [notation, RADIOCARBON, RADIOCARBON],
        np.stack([air, absolute, air], axis=1),
        [start, start, start],
        0.25,
        2,
    )
    _, fraction, content, wrong = ran.state[-1] / ran.state[-1, :1]
    np.testing.assert_allclose(1000.0 * (content - 1.0), delta14c(fraction, year[-1] + 0.25), atol=0.1)
    assert float(np.abs(1000.0 * (wrong - fraction)).max()) > 1.0


# At the door.


@pytest.mark.parametrize("decay", [-1e-4, np.nan])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(BadCall, match="decay must be zero or positive"):
        Tracer("c14", decay=decay)


@pytest.mark.parametrize("flux", ["fast->stone", "stone->co2", "fast", "co2->fast", "->co2"])
def test_a_flux_that_is_none_is_refused(fluxes: Fluxes, flux: str) -> None:
    with pytest.raises(BadCall, match=f"no flux '{flux}'; pools are fast, slow, and co2"):
        Tracer("c13", fractionation={flux: 1.0}).ride(fluxes, POOLS)
