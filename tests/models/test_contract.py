"""Every model of the catalogue holds the laws of `subsoil.contract`; a model that breaks one is told so."""

import jax.numpy as jnp
import numpy as np
import pytest

from subsoil import contract
from subsoil.contract import Finding, check_contract, temperate
from subsoil.equilibrium import at_rest
from subsoil.errors import BadCall
from subsoil.models.catalogue import MODELS, homes

LAYERS = {name: len(model.grid) for name, model in MODELS.items()}
DEEPEST = sorted(
    max((n for n in homes() if homes()[n] == home), key=LAYERS.get) for home in {*homes().values()}
)
"""The published model of most layers of each file of equations: all laws. Others differ in values only."""
OTHERS = sorted(set(homes()) - set(DEEPEST))


@pytest.mark.parametrize("name", DEEPEST)
def test_laws(name: str) -> None:
    broken = [finding for finding in check_contract(MODELS[name]) if not finding.holds]
    assert not broken


@pytest.mark.parametrize("name", OTHERS)
def test_published_values_hold_the_laws_that_need_no_derivative(name: str) -> None:
    model = MODELS[name]
    rest = at_rest(model, temperate(model.grid))
    broken = [f for f in [*contract.rests(rest), *contract.mass(rest), *contract.label(rest)] if not f.holds]
    assert not broken


def broken_laws(findings: list[Finding]) -> set[str]:
    return {finding.law for finding in findings if not finding.holds}


def test_a_label_run_backwards_is_caught() -> None:
    rest = at_rest(MODELS["icbm"], temperate(MODELS["icbm"].grid))
    backwards = rest._replace(blocks=rest.blocks._replace(diagonal=rest.blocks.diagonal * 1.01))
    assert "columns of the operator sum to what leaves the soil" in broken_laws([*contract.mass(backwards)])


def test_carbon_from_nothing_is_caught() -> None:
    rest = at_rest(MODELS["icbm"], temperate(MODELS["icbm"].grid))
    assert "what enters leaves" in broken_laws([*contract.mass(rest._replace(carbon=1.1 * rest.carbon))])


def test_transfers_above_one_are_refused_by_name() -> None:
    model = MODELS["icbm"]
    wide = {**model.values, "h": 1.2}
    with pytest.raises(BadCall, match="icbm: h must lie between"):
        model(h=1.2)
    with pytest.raises(BadCall, match="transfers out of 'young' sum to more than 1"):
        at_rest(MODELS["icbm"].__class__(**{**vars(model), "values": wide}), temperate(model.grid))


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_bad_values_are_refused_by_name_and_bound(value: float) -> None:
    with pytest.raises(BadCall, match=r"onepool: k must lie between 0 and 100 yr-1"):
        MODELS["onepool"](k=value)


def test_a_pool_that_nothing_leaves_is_refused() -> None:
    model = MODELS["onepool"](k=0.0, diffusivity=0.0)
    with pytest.raises(BadCall, match="nothing leaves pool 'carbon'"):
        at_rest(model, temperate(model.grid))


def test_a_forcing_of_other_layers_is_refused() -> None:
    with pytest.raises(BadCall, match="the forcing has 13 layers, the grid 10"):
        at_rest(MODELS["clm4.5"], temperate(MODELS["onepool"].grid))


def test_a_forcing_with_gaps_is_refused() -> None:
    model = MODELS["icbm"](q10=2.0)
    forcing = temperate(model.grid)
    holes = forcing._replace(temperature=forcing.temperature.at[3].set(jnp.nan))
    with pytest.raises(BadCall, match="layer 3"):
        at_rest(model, holes)


def test_an_unknown_parameter_names_those_there_are() -> None:
    with pytest.raises(BadCall, match="onepool has no parameter 'rate'; it has k, diffusivity, velocity"):
        MODELS["onepool"](rate=1.0)
