"""What models write is read as what it is: units, axes and forms change no value, mistakes are named."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from subsoil.benchmark.adapters import axes, land, layered, matrices, places, recognise, table
from subsoil.benchmark.adapters.output import Asked, Output
from subsoil.benchmark.adapters.times import delta14c_at, share_at
from subsoil.errors import BadCall
from subsoil.models.catalogue import model
from subsoil.solve.ages import label_response, steady
from subsoil.solve.blocks import Blocks, dense

TOP, BOTTOM = np.array([0.0, 10.0, 30.0]), np.array([10.0, 30.0, 100.0])
YEARS = np.array([1.0, 10.0, 100.0])
NAMES = ["a", "b"]
LABELLED, INPUTS = ("profile", "layer", "labelling_years"), ("profile", "layer", "pool")
ASKED = Asked((10.0, 100.0), np.array([10.0, 100.0]))
F = 1.0 - np.exp(
    -YEARS[None, None, :] * np.array([[0.05], [0.02], [0.005]])[None] * np.array([[[1.0]], [[0.7]]])
)
C = np.array([[3.0, 4.0, 5.0], [2.0, 3.0, 4.0]])


def short(**changes: Any) -> xr.Dataset:
    """The short form, variables replaced by others; None takes one away."""
    content: dict[str, Any] = {
        "f_new": (LABELLED, F, {"units": "1"}),
        "soc_stock": (("profile", "layer"), C, {"units": "kg m-2"}),
        "layer_top": ("layer", TOP, {"units": "cm"}),
        "layer_bottom": ("layer", BOTTOM, {"units": "cm"}),
        "labelling_years": ("labelling_years", YEARS, {"units": "yr"}),
        "profile_id": ("profile", NAMES),
    } | changes
    return xr.Dataset({name: value for name, value in content.items() if value is not None})


def read(file: xr.Dataset, asked: Asked = ASKED) -> Output:
    return recognise(file).convert(file, asked)


def same(first: Output, second: Output) -> None:
    for name in ("layer_top", "layer_bottom", "soc_stock", "years", "f_new", "obs_year", "delta14c"):
        one, other = getattr(first, name), getattr(second, name)
        if one is None:
            assert other is None
        else:
            np.testing.assert_allclose(other, one, rtol=1e-12, err_msg=name)


# The short form, CMIP names ---------------------------------------------------------------------------


def test_the_short_form() -> None:
    found = read(short())
    np.testing.assert_array_equal(found.f_new[0], F)
    np.testing.assert_array_equal(found.soc_stock[0], C)
    np.testing.assert_array_equal(found.layer_bottom, [BOTTOM, BOTTOM])
    np.testing.assert_array_equal(found.years[0, 1, 0], YEARS)
    assert found.notes == ()


@pytest.mark.parametrize(
    "other",
    [
        short(f_new=(LABELLED, 100.0 * F, {"units": "percent"})),
        short(f_new=(("labelling_years", "layer", "profile"), F.T, {})),
        short(soc_stock=(("profile", "layer"), 1000.0 * C, {"units": "gC/m^2"})),
        short(soc_stock=(("profile", "layer"), C / (0.01 * (BOTTOM - TOP)), {"units": "kg m-3"})),
        short(
            layer_top=(("profile", "layer"), np.stack([TOP, TOP]) / 100.0, {"units": "m"}),
            layer_bottom=("layer", BOTTOM / 100.0, {"units": "metres"}),
        ),
        short(labelling_years=("labelling_years", 365.25 * YEARS, {"units": "days"})),
        short().rename(f_new="fNewSoilLevels", soc_stock="cSoilLevels"),
        short(f_new=(("draw", "profile", "layer", "labelling_years"), F[None], {"units": "1"})),
        short().rename(labelling_years="time").assign_coords(
            time=("time", 365.0 * YEARS, {"units": "days since 1900-01-01", "calendar": "noleap"})
        ).assign_attrs(label_start="1900-01-01"),
    ],
    ids=["percent", "order of axes", "g", "per volume", "m", "days", "CMIP", "one draw", "dates"],
)  # fmt: skip
def test_units_and_order_of_axes_change_no_value(other: xr.Dataset) -> None:
    same(read(short()), read(other))


def test_a_depth_axis_with_bounds_stands_for_tops_and_bottoms() -> None:
    axis = {"units": "cm", "bounds": "depth_bnds", "positive": "down"}
    other = short(layer_top=None, layer_bottom=None).rename(layer="depth")
    other = other.assign_coords(depth=("depth", (TOP + BOTTOM) / 2, axis))
    other["depth_bnds"] = (("depth", "bnds"), np.stack([TOP, BOTTOM], axis=-1))
    same(read(short()), read(other))


def test_without_times_new_carbon_is_that_of_the_profiles_own_time() -> None:
    own = {"f_new": (("profile", "layer"), F[..., 1], {"units": "1"}), "labelling_years": None}
    np.testing.assert_array_equal(read(short(**own)).years[0, :, 0, 0], ASKED.own)
    own["labelling_years"] = ("profile", [7.0, 8.0])
    np.testing.assert_array_equal(read(short(**own)).years[0, :, 0, 0], [7.0, 8.0])


def test_an_ensemble_keeps_its_draws() -> None:
    draws = np.stack([F, 0.5 * F])
    found = read(short(f_new=(("member", "profile", "layer", "labelling_years"), draws, {"units": "1"})))
    np.testing.assert_array_equal(found.f_new, draws)


def test_radiocarbon_has_its_dates() -> None:
    delta = np.array([[90.0, 10.0, -200.0], [80.0, 0.0, -300.0]])
    one = short(delta14c=(("profile", "layer"), delta, {"units": "per mil"})).assign_attrs(obs_year=2005.5)
    found = read(one)
    assert found.obs_year.ravel().tolist() == [2005.5, 2005.5]
    np.testing.assert_array_equal(found.delta14c[0, :, :, 0], delta)
    amount = C * (1.0 + delta / 1000.0)
    other = one.drop_vars("delta14c").assign(c14SoilLevels=(("profile", "layer"), amount))
    np.testing.assert_allclose(read(other).delta14c, found.delta14c, atol=1e-9)
    dated = short(
        delta14c=(("profile", "layer", "obs_year"), np.stack([delta, delta - 30.0], axis=-1), {}),
        obs_year=("obs_year", [1990.0, 2000.0]),
    )
    np.testing.assert_array_equal(read(dated).obs_year, [[1990.0, 2000.0]] * 2)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (short(f_new=(LABELLED, 100 * F, {})), "for per cent give units = '%'"),
        (short(f_new=(LABELLED, 100 * F, {"units": "1"})), "per cent"),
        (short(f_new=(LABELLED, F, {"units": "kg"})), "f_new is in 'kg'"),
        (short(f_new=(LABELLED, 1 - F, {})), "is this the share of OLD carbon"),
        (short(f_new=(LABELLED, F - 1e20, {})), "fill value"),
        (short(f_new=(LABELLED, F * np.nan, {})), "f_new has no number"),
        (short(f_new=(("profile", "labelling_years"), F[:, 0], {})), "has no axis of layers"),
        (short(labelling_years=("labelling_years", [1950.0, 1990.0, 2010.0])), "not dates"),
        (short(labelling_years=("labelling_years", [-1.0, 10.0, 20.0])), "begin at -1 yr"),
        (short().rename(labelling_years="time").assign_coords(
            time=("time", YEARS, {"units": "days since 1900-01-01"})), "add the attribute label_start"),
        (short(layer_top=("layer", BOTTOM, {"units": "cm"}), layer_bottom=("layer", TOP, {"units": "cm"})),
         "are layer_top and layer_bottom exchanged"),
        (short(layer_top=("layer", -TOP, {"units": "cm"}), layer_bottom=("layer", -BOTTOM, {"units": "cm"})),
         "exchanged"),
        (short(layer_top=("layer", -BOTTOM, {"units": "cm"}), layer_bottom=("layer", -TOP, {"units": "cm"})),
         "positive down"),
        (short().isel(layer=[2, 1, 0]), "run from below upwards: reverse"),
        (short(layer_top=("layer", TOP, {"units": "m"}), layer_bottom=("layer", BOTTOM, {"units": "m"})),
         "is it cm instead of m"),
        (short(layer_top=("layer", TOP / 100, {"units": "cm"}),
               layer_bottom=("layer", BOTTOM / 100, {"units": "cm"})), "m instead of cm"),
        (short(layer_top=("layer", TOP, {}), layer_bottom=("layer", BOTTOM, {})), "has no units"),
        (short(layer_top=None, layer_bottom=None), "no values: add a coordinate layer"),
        (short(layer_bottom=("layer", TOP, {"units": "cm"})), "no thickness"),
        (short(soc_stock=(("profile", "layer"), -C, {"units": "kg m-2"})), "a stock is not negative"),
        (short(soc_stock=(("profile", "layer"), C, {"units": "kg"})), "soc_stock is in 'kg'"),
        (short(fNewSoilLevels=(LABELLED, F)), "both give f_new"),
        (xr.Dataset({"temperature": ("layer", TOP)}), "nothing to score"),
        (short(delta14c=(("profile", "layer"), C)), "has no date: add obs_year"),
        (short(delta14c=(("profile", "layer"), 1.0 - C / 20)).assign_attrs(obs_year=2000), "is it F14C"),
        (short(delta14c=(("profile", "layer"), 1e-12 * C)).assign_attrs(obs_year=2000), "the ratio 14C/C"),
        (short(delta14c=(("profile", "layer"), C / 10 - 0.4)).assign_attrs(obs_year=2000), "a fraction"),
        (short(delta14c=(("profile", "layer"), C - 9999)).assign_attrs(obs_year=2000), "below -1000"),
        (short(extra=("profile", [1, 2])).expand_dims(wave=2).assign(
            layer_top=("layer", TOP, {"units": "cm"}), layer_bottom=("layer", BOTTOM, {"units": "cm"})),
         "has an axis 'wave' that has no place"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_fix(file: xr.Dataset, words: str) -> None:
    with pytest.raises(BadCall) as error:
        read(file)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_stock_summed_from_the_surface_is_seen_and_layers_that_thicken_are_not() -> None:
    edges = np.array([0, 10, 20, 30, 40, 60.0])
    density = np.exp(-edges[:-1] / 25.0) * np.array([[1.0], [3.0]])
    bounds = {"layer_top": ("layer", edges[:-1], {"units": "cm"}),
              "layer_bottom": ("layer", edges[1:], {"units": "cm"})}  # fmt: skip
    stock = density * np.diff(edges)
    share = np.broadcast_to(F[:, :1], (2, 5, 3))
    base: dict[str, Any] = {"f_new": (LABELLED, share)} | bounds
    read(short(**base, soc_stock=(("profile", "layer"), stock, {"units": "kg m-2"})))
    summed = np.cumsum(stock, axis=1)
    with pytest.raises(BadCall, match="summed from the surface"):
        read(short(**base, soc_stock=(("profile", "layer"), summed, {"units": "kg m-2"})))
    thick = np.array([0, 2, 6, 12, 20, 32.0])  # a stock that grows down because layers do
    bounds = {"layer_top": ("layer", thick[:-1], {"units": "cm"}),
              "layer_bottom": ("layer", thick[1:], {"units": "cm"})}  # fmt: skip
    grows = np.diff(thick) * np.exp(-thick[:-1] / 25.0) * np.ones((2, 1))
    assert (np.diff(grows) > 0).all()
    read(short(**(base | bounds), soc_stock=(("profile", "layer"), grows, {"units": "kg m-2"})))


# Times --------------------------------------------------------------------------------------------------


def test_between_times_new_carbon_is_exact_at_knots_monotone_and_never_extrapolated() -> None:
    years = np.array([1.0, 3.0, 10.0, 30.0, 100.0])
    f = 1.0 - np.exp(-np.array([[0.1], [0.01]]) * years)
    wanted = np.geomspace(1.0, 100.0, 41)
    found = np.stack([share_at(years[None, None], f[None], t)[0] for t in wanted], axis=-1)
    assert (np.diff(found) >= 0).all()
    for i, t in enumerate(years):
        np.testing.assert_array_equal(share_at(years[None, None], f[None], t)[0], f[:, i])
    np.testing.assert_allclose(found, 1.0 - np.exp(-np.array([[0.1], [0.01]]) * wanted), atol=0.02)
    assert np.isnan(share_at(years[None, None], f[None], 0.9)).all()
    assert np.isnan(share_at(years[None, None], f[None], 101.0)).all()
    shuffled = [3, 0, 4, 1, 2]
    np.testing.assert_array_equal(
        share_at(years[None, None, shuffled], f[None][..., shuffled], 20.0),
        share_at(years[None, None], f[None], 20.0),
    )


def test_layers_with_times_of_their_own_or_gaps_are_drawn_alone() -> None:
    years = np.array([[[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]]])
    f = np.array([[[0.1, 0.3, 0.5], [0.1, np.nan, 0.5]]])
    found = share_at(years, f, 20.0)
    assert found[0, 0] == share_at(years[:, :1], f[:, :1], 20.0)[0, 0]
    np.testing.assert_allclose(found[0, 1], 0.3)  # half way in ln(t)
    np.testing.assert_allclose(share_at(years, f, 150.0), [[np.nan, 0.1 + 0.4 * np.log(75) / np.log(100)]])


def test_radiocarbon_is_not_drawn_across_the_bomb_peak() -> None:
    dates, values = np.array([1950.0, 1963.0, 1964.0]), np.array([[[0.0, 700.0, 900.0]]])
    assert delta14c_at(dates, values, 1963.25).item() == 750.0
    assert np.isnan(delta14c_at(dates, values, 1956.0)).all()
    assert delta14c_at(dates, values, 1950.9).item() == 0.0
    assert np.isnan(delta14c_at(dates, values, np.nan)).all()


# Ages -----------------------------------------------------------------------------------------------------


def quantiles(shares: np.ndarray, years: np.ndarray, **changes: Any) -> xr.Dataset:
    file = short(f_new=None, labelling_years=None, **changes)
    file["ageSoilLevels"] = (("profile", "quantile", "layer"), years, {"units": "yr"})
    return file.assign_coords(quantile=shares)


def test_quantiles_of_age_are_points_of_new_carbon() -> None:
    shares = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    years = np.moveaxis(np.broadcast_to(-100.0 * np.log1p(-shares), (2, 3, 5)) * C[..., None], -1, 1)
    found = read(quantiles(shares, years))
    for i, share in enumerate(shares):
        np.testing.assert_array_equal(
            share_at(found.years[:, 0], found.f_new[:, 0], float(years[0, i, 0]))[0, 0], share
        )
    assert np.isnan(share_at(found.years[:, 0], found.f_new[:, 0], 1e5)).all()
    assert any("quantiles of age" in note for note in found.notes)
    with pytest.raises(BadCall, match="share that is OLDER"):
        read(quantiles(shares, years[:, ::-1]))
    with pytest.raises(BadCall, match="shares between 0 and 1"):
        read(quantiles(100 * shares, years))


def test_a_mean_age_is_refused() -> None:
    file = short(f_new=None, soc_stock=None, mean_age=(("profile", "layer"), C, {"units": "yr"}))
    with pytest.raises(BadCall, match="is a mean age: it does not say how much carbon is young"):
        read(file)


# History files of CLM ----------------------------------------------------------------------------------


def history(nodes: np.ndarray, new: bool = True, **changes: Any) -> xr.Dataset:
    """A history file after `places.on_profiles`: carbon, a label and 14C, one column."""
    carbon = 1e4 * np.exp(-nodes)[None, :, None] * np.ones((3, 1, 1))
    dims = ("time", "levsoi", "profile")
    gram, gram14 = {"units": "gC/m^3"}, {"units": "gC14/m^3"}
    content: dict[str, Any] = {
        "SOILC_vr": (dims, carbon, gram),
        "SOIL1C_vr": (dims, 0.1 * carbon, gram),
        "LITR1C_vr": (dims, 0.5 * carbon, gram),
        "CWDC_vr": (dims, carbon, gram),
        "C14_SOILC_vr": (dims, 0.9e-12 * carbon, gram14),
        "C14_LITR1C_vr": (dims, 1.2e-12 * 0.5 * carbon, gram14),
    } | changes
    if new:
        for name, share in (("SOILC_vr", 0.1), ("LITR1C_vr", 0.8)):
            factor = share * np.arange(1, 4)[:, None, None] / 3
            content[f"{name}_new"] = (dims, factor * content[name][1], gram)
    coords = {
        "levsoi": ("levsoi", nodes, {"units": "m"}),
        "time": ("time", 365.0 * np.array([1.0, 10.0, 50.0]),
                 {"units": "days since 1950-01-01 00:00:00", "calendar": "noleap"}),
        "profile_id": ("profile", ["a"]),
    }  # fmt: skip
    return xr.Dataset(
        {name: value for name, value in content.items() if value is not None}, coords, {"label_start": 1950.0}
    )


@pytest.mark.parametrize("name", ["clm4.5", "clm5"])
def test_history_files_know_their_levels(name: str) -> None:
    grid = model(name).grid
    file = history(np.float32(grid.node).astype(float))
    found = read(file, Asked((10.0,), np.array([10.0])))
    np.testing.assert_allclose(found.layer_top[0], 100 * grid.top, rtol=1e-5)
    np.testing.assert_allclose(found.layer_bottom[0], 100 * grid.bottom, rtol=1e-5)
    carbon = 15.0 * np.exp(-grid.node) * grid.thickness  # soil and litter, kg m-2
    np.testing.assert_allclose(found.soc_stock[0, 0], carbon, rtol=1e-5)
    np.testing.assert_allclose(found.years[0, 0, 0], [1.0, 10.0, 50.0])
    np.testing.assert_allclose(found.f_new[0, 0, :, 2], (0.1 + 0.5 * 0.8) / 1.5)
    np.testing.assert_allclose(found.delta14c[0, 0, :, 0], 1000 * ((0.9 + 0.6) / 1.5 - 1), atol=1e-9)
    np.testing.assert_allclose(found.obs_year[0], [1951.0, 1960.0, 2000.0])
    assert found.notes == ("carbon is SOILC_vr + LITR1C_vr; woody debris is left out",)


def test_levels_of_rock_below_and_thicknesses_of_the_file() -> None:
    grid = model("clm5").grid
    rock = np.array([9.7, 12.0, 17.0, 26.0, 42.0])
    file = history(np.append(grid.node, rock))
    found = read(file, Asked((10.0,), np.array([10.0])))
    np.testing.assert_allclose(found.layer_bottom[0, :20], 100 * grid.bottom)
    np.testing.assert_array_equal(found.layer_top[0, 1:], found.layer_bottom[0, :-1])
    odd = history(np.array([0.05, 0.2, 0.5]))
    with pytest.raises(BadCall, match="no grid known here: add DZSOI"):
        read(odd)
    odd["DZSOI"] = ("levsoi", [0.1, 0.2, 0.4], {"units": "m"})
    np.testing.assert_allclose(read(odd).layer_bottom, [[10.0, 30.0, 70.0]])


def test_c13_as_a_label_and_tracers_that_lack_a_pool() -> None:
    nodes = model("clm4.5").grid.node
    carbon = history(nodes).SOILC_vr.values
    ratio = 0.0108 + np.array([0.0, 0.25, 0.5])[:, None, None] * (0.0110 - 0.0108)
    c13 = {"C13_SOILC_vr": (("time", "levsoi", "profile"), ratio * carbon, {"units": "gC13/m^3"}),
           "C14_SOILC_vr": None, "C14_LITR1C_vr": None}  # fmt: skip
    file = history(nodes, new=False, **c13)
    with pytest.raises(BadCall, match="says nothing of age"):
        read(file)
    file = file.assign_attrs(label_ratio_before=0.0108, label_ratio_after=0.0110)
    np.testing.assert_allclose(read(file).f_new[0, 0, 0], [0.0, 0.25, 0.5], atol=1e-9)
    pools = history(nodes, new=False, SOILC_vr=None, C14_SOILC_vr=None)
    pools["SOIL2C_vr"], pools["C14_SOIL1C_vr"] = pools.SOIL1C_vr, 1e-12 * pools.SOIL1C_vr
    pools["C14_SOIL1C_vr"].attrs["units"] = "gC14/m^3"
    with pytest.raises(BadCall, match="C14_SOIL2C_vr is missing"):
        read(pools)


# Matrices ------------------------------------------------------------------------------------------------

K = np.array([[2.0, 0.05], [1.0, 0.02], [0.5, 0.004]])
A = np.array([[0.0, 0.1], [0.3, 0.0]])
V = np.array([[0.05, -0.01, 0.0], [-0.05, 0.03, -0.005], [0.0, -0.02, 0.005]])
U = np.array([[0.3, 0.0], [0.2, 0.01], [0.1, 0.0]])


def system(**changes: Any) -> xr.Dataset:
    content: dict[str, Any] = {
        "turnover": (("layer", "pool"), K, {"units": "yr-1"}),
        "transfer": (("pool_to", "pool"), A, {"units": "1"}),
        "transport": (("layer_to", "layer"), V, {"units": "yr-1"}),
        "inputs": (INPUTS, np.stack([U, 2 * U]), {"units": "kg m-2 yr-1"}),
        "layer_top": ("layer", TOP, {"units": "cm"}),
        "layer_bottom": ("layer", BOTTOM, {"units": "cm"}),
        "profile_id": ("profile", NAMES),
    } | changes
    return xr.Dataset({name: value for name, value in content.items() if value is not None})


def test_matrices_are_the_system_that_they_say() -> None:
    """dX/dt = u + (A K - V) X, against the dense matrix put together by hand."""
    blocks, inputs, *_ = matrices.operator(system())
    by_hand = np.zeros((6, 6))
    for layer in range(3):
        at = slice(2 * layer, 2 * layer + 2)
        by_hand[at, at] += (A - np.eye(2)) @ np.diag(K[layer])
        for to in range(3):
            by_hand[2 * to : 2 * to + 2, at] -= V[to, layer] * np.eye(2)
    one = Blocks(*(jnp.asarray(x[0, 0]) for x in blocks))
    np.testing.assert_allclose(dense(one), by_hand, atol=1e-15)
    np.testing.assert_allclose(steady(one, inputs[0, 0]).ravel(), -np.linalg.solve(by_hand, U.ravel()))
    found = read(system())
    expected = label_response(one, U, [10.0, 100.0])
    np.testing.assert_allclose(found.f_new[0], [expected, expected], atol=1e-10)
    np.testing.assert_allclose(found.soc_stock[0, 1], 2 * found.soc_stock[0, 0])


THICK = (BOTTOM - TOP) / 100.0


@pytest.mark.parametrize(
    "other",
    [
        system(turnover=(("layer", "pool"), K / 365.25, {"units": "1/day"})),
        system(transfer=(("layer", "pool_to", "pool"), np.stack([A - np.eye(2)] * 3), {})),
        system(transport=(("pool", "layer_to", "layer"), np.stack([V, V]), {"units": "year-1"})),
        system(turnover=(("layer", "pool"), 2 * K, {"units": "yr-1"}), scalar=("layer", [0.5, 0.5, 0.5])),
        system().rename(turnover="K", transfer="A", transport="V", inputs="u"),
        system(inputs=(("draw", *INPUTS), 1e3 * np.stack([U, 2 * U])[None], {"units": "gC/m^2/yr"})),
        system(
            inputs=(INPUTS, np.stack([U, 2 * U]) / THICK[:, None], {"units": "kg m-3 yr-1"}),
            transport=(("layer_to", "layer"), V / THICK[:, None] * THICK, {"units": "yr-1"}),
        ),
    ],
    ids=["per day", "minus one on the diagonal", "by pool", "scalar", "letters", "g and a draw", "densities"],
)  # fmt: skip
def test_forms_of_matrices_are_one_system(other: xr.Dataset) -> None:
    for one, two in zip(matrices.operator(system())[:2], matrices.operator(other)[:2], strict=True):
        for x, y in zip(one, two, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-15)


def test_diffusivity_and_velocity_make_the_transport() -> None:
    file = system(
        transport=None,
        diffusivity=("boundary", [1e-4, 5e-5], {"units": "m2 yr-1"}),
        velocity=("boundary", [0.1, 0.05], {"units": "cm yr-1"}),
    )
    lower, diagonal, upper = matrices.operator(file)[0]
    within = (A - np.eye(2)) * K[:, None, :]
    lost = -(np.diagonal(diagonal - within, axis1=-2, axis2=-1))[0, 0]
    np.testing.assert_allclose(lost[:-1].sum(), lower[0, 0, 1:].sum() + upper[0, 0, :-2].sum(), rtol=1e-12)
    assert (lower[0, 0, 1:] > upper[0, 0, :-1]).all()  # it sinks


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (system(turnover=(("layer", "pool"), -K, {"units": "yr-1"})), "turnover of pool 0 in layer 0 is -2"),
        (system(turnover=(("layer", "pool"), K, {})), "turnover has no units"),
        (system(transfer=(("pool_to", "pool"), np.array([[0.0, 1.2], [0.3, 0.0]]))),
         "transfer: the transfers out of pool 1 in layer 0 sum to 1.2, more than 1"),
        (system(transfer=(("pool_to", "pool"), A + 0.5 * np.eye(2))), "on its diagonal"),
        (system(transfer=(("pool", "other"), A)), "wants axes pool_to"),
        (system(transport=(("layer_to", "layer"), 1.1 * V - 0.1 * np.diag(V.diagonal()), {"units": "yr-1"})),
         "transport: what leaves pool 0 in layer 0 does not arrive"),
        (system(transport=(("layer_to", "layer"), -V, {"units": "yr-1"})), "V is subtracted"),
        (system(transport=(("layer_to", "layer"), V + np.array([[0, 0, -0.1], [0, 0, 0], [0, 0, 0.1]]),
                           {"units": "yr-1"})), "past a neighbour: -0.1 from layer 2 to 0"),
        (system(inputs=(INPUTS, np.stack([U, np.nan * U]), {"units": "kg m-2 yr-1"})),
         "inputs of pool 0 in layer 0 is missing"),
        (system(inputs=(("profile", "layer"), U.T, {"units": "kg m-2 yr-1"})).isel(layer=[0, 1]),
         "no axis pool"),
        (system(turnover=(("layer", "pool"), 0 * K, {"units": "yr-1"}), transport=None), "nothing leaves"),
        (system(diffusivity=("boundary", [-1.0, 1.0], {"units": "m2 yr-1"}), transport=None), "not negative"),
    ],
)  # fmt: skip
def test_matrices_that_no_soil_has(file: xr.Dataset, words: str) -> None:
    with pytest.raises(BadCall) as error:
        read(file)
    assert words in str(error.value)


# Places --------------------------------------------------------------------------------------------------


def grid(longitudes: np.ndarray) -> xr.Dataset:
    latitudes = np.arange(-88.0, 90.0, 4.0)
    number = np.arange(len(latitudes) * len(longitudes), dtype=float)
    values = number.reshape(len(latitudes), len(longitudes))[:, :, None] * np.ones(2)
    return xr.Dataset(
        {"f_new": (("lat", "lon", "layer"), values)}, coords={"lat": latitudes, "lon": longitudes}
    )


def table_of(latitude: list[float], longitude: list[float]) -> pd.DataFrame:
    names = [f"p{i}" for i in range(len(latitude))]
    return pd.DataFrame({"profile_id": names, "latitude": latitude, "longitude": longitude})


def chosen(file: xr.Dataset, profiles: pd.DataFrame) -> tuple[dict[str, float], dict[str, str]]:
    at, why, _ = places.on_profiles(file, [file["f_new"]], profiles)
    return dict(zip(at["profile_id"].values.tolist(), at["f_new"].values[:, 0].tolist(), strict=True)), why


def test_the_nearest_cell_is_the_same_on_either_count_of_longitudes() -> None:
    east = grid(np.arange(0.0, 360.0, 5.0))
    profiles = table_of([50.0, -10.0, 64.9, 0.0], [179.9, -179.9, -0.1, 359.9])
    cells, why = chosen(east, profiles)
    assert why == {}
    west = east.assign_coords(lon=(east.lon + 180.0) % 360.0 - 180.0).sortby("lon")
    assert chosen(west, profiles)[0] == cells
    shifted = profiles.assign(longitude=(profiles["longitude"] + 360.0) % 360.0)
    assert chosen(west, shifted)[0] == cells
    for name, number in cells.items():
        at = divmod(int(number), 72)
        row = profiles.set_index("profile_id").loc[name]
        assert abs(east.lat.values[at[0]] - row["latitude"]) <= 2.0
        assert (east.lon.values[at[1]] - row["longitude"] + 180) % 360 - 180 == pytest.approx(0, abs=2.5)


def test_sea_is_passed_over_within_the_limit_only() -> None:
    file = grid(np.arange(0.0, 360.0, 5.0))
    file["f_new"] = file["f_new"].where((file.lat < 0) | (file.lon > 20.0))
    cells, why = chosen(file, table_of([0.5, 40.0, 10.0, np.nan], [10.0, 10.0, 18.0, 3.0]))
    assert set(cells) == {"p0", "p2"}
    assert why["p1"].startswith("the nearest column with values is")
    assert why["p3"] == "the profile has no coordinates"


def test_columns_by_name_and_those_without_a_place() -> None:
    file = short()
    profiles = table_of([0.0, 0.0], [0.0, 0.0]).assign(profile_id=["b", "c"])
    found, why, notes = places.on_profiles(file, [file["f_new"]], profiles)
    np.testing.assert_array_equal(found["f_new"].values, F[1:])
    assert why == {"c": "not in the file"}
    assert notes == ("columns without a profile in the reference: 1, the first a",)
    with pytest.raises(BadCall, match="no profile_id of the file is one of the reference"):
        places.on_profiles(file, [file["f_new"]], profiles.assign(profile_id=["x", "y"]))
    with pytest.raises(BadCall, match="two columns"):
        places.on_profiles(file.assign(profile_id=("profile", ["b", "b"])), [file["f_new"]], profiles)
    with pytest.raises(BadCall, match="say where columns are"):
        places.on_profiles(file.drop_vars("profile_id"), [file["f_new"]], profiles)
    swapped = file.drop_vars("profile_id").assign(lat=("profile", [120.0, 5.0]), lon=("profile", [5.0, 5.0]))
    with pytest.raises(BadCall, match="not lat for lon"):
        places.on_profiles(swapped, [file["f_new"]], profiles)


def test_one_column_stands_for_its_own_place() -> None:
    file = short().isel(profile=0).drop_vars("profile_id").assign(lat=50.0, lon=-5.0)
    cells, why, _ = places.on_profiles(
        file, [file["f_new"]], table_of([50.01, 51.0, 49.99], [355.0, -5.0, -5.0])
    )
    assert cells["profile_id"].values.tolist() == ["p0", "p2"]
    np.testing.assert_array_equal(cells["f_new"], [F[0], F[0]])
    assert set(why) == {"p1"}


# Tables ----------------------------------------------------------------------------------------------------


def rows(**changes: Any) -> pd.DataFrame:
    at = [(p, layer, t) for p in range(2) for layer in range(3) for t in range(3)]
    return pd.DataFrame(
        {
            "profile_id": [NAMES[p] for p, _, _ in at],
            "layer_top": [TOP[layer] for _, layer, _ in at],
            "layer_bottom": [BOTTOM[layer] for _, layer, _ in at],
            "labelling_years": [YEARS[t] for _, _, t in at],
            "f_new": [F[i] for i in at],
            "soc_stock": [C[p, layer] for p, layer, _ in at],
        }
        | changes
    )


def written(folder: Path, content: pd.DataFrame) -> Path:
    path = folder / "model.csv"
    content.to_csv(path, index=False)
    return path


def from_table(folder: Path, content: pd.DataFrame) -> Output:
    file = table.read(written(folder, content))
    return read(file.rename(column="profile"))


def test_a_table_is_the_short_form_in_any_order_of_rows(tmp_path: Path) -> None:
    one = from_table(tmp_path, rows())
    same(read(short()), one)
    same(one, from_table(tmp_path, rows().sample(frac=1, random_state=1)))
    own = rows()[lambda t: t["labelling_years"] == 10].drop(columns="labelling_years")
    np.testing.assert_array_equal(from_table(tmp_path, own).f_new[0, :, :, 0], F[..., 1])


def test_a_table_may_have_ragged_layers_and_draws(tmp_path: Path) -> None:
    ragged = rows()[lambda t: (t["profile_id"] == "a") | (t["layer_top"] < 30)]
    found = from_table(
        tmp_path, pd.concat([ragged.assign(draw=d, f_new=ragged["f_new"] * d) for d in (1, 0.5)])
    )
    np.testing.assert_array_equal(np.isnan(found.layer_top), [[False] * 3, [False, False, True]])
    np.testing.assert_allclose(found.f_new[:, 0], [0.5 * F[0], F[0]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (rows().drop(columns="layer_top"), "has no column layer_top"),
        (rows().drop(columns="profile_id"), "profile_id (or latitude and longitude)"),
        (rows().drop(columns=["f_new", "soc_stock"]), "has no column f_new"),
        (rows().assign(f_new="x"), "line 2: f_new is 'x', not a number"),
        (rows().assign(delta14c=1.0), "no column obs_year"),
        (rows().assign(labelling_years=[np.nan, *rows()["labelling_years"][1:]]),
         "rows without labelling_years"),
        (pd.concat([rows(), rows().assign(f_new=rows()["f_new"] + 0.1)]),
         "two values for layer 0-10 cm of a"),
        (rows().iloc[:0], "has no rows"),
        (rows().assign(layer_top=rows()["layer_top"] / 100, layer_bottom=rows()["layer_bottom"] / 100), "cm"),
        (rows().assign(f_new=100 * rows()["f_new"]), "a share is 0 to 1"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used(tmp_path: Path, content: pd.DataFrame, words: str) -> None:
    with pytest.raises(BadCall) as error:
        from_table(tmp_path, content)
    assert words in str(error.value)


def test_dates_of_calendars() -> None:
    for calendar, days in (("noleap", 365.0), ("360_day", 360.0), ("standard", 365.2425)):
        axis = xr.DataArray([150 * days], attrs={"units": "days since 1850-01-01", "calendar": calendar})
        np.testing.assert_allclose(axes.decimal_years(axis), [2000.0])


def test_each_form_finds_its_adapter() -> None:
    forms = {layered: short(), matrices: system(), land: history(model("clm5").grid.node)}
    assert {recognise(file) for file in forms.values()} == set(forms)
    assert all(recognise(file) is adapter for adapter, file in forms.items())


def test_a_list_of_sites_does_not_stand_for_far_ones() -> None:
    """Sites 10 degrees apart are no grid of 10 degrees: 1.5 degrees is as far as a list reaches."""
    at = np.arange(0.0, 50.0, 10.0)
    file = xr.Dataset(
        {"f_new": (("site", "layer"), np.ones((5, 2))), "lat": ("site", at), "lon": ("site", 0.0 * at)}
    )
    cells, why = chosen(file, table_of([11.4, 11.6], [0.0, 0.0]))
    assert (set(cells), set(why)) == ({"p0"}, {"p1"})
