"""Common depths: amounts first, then the ratio; missing depth stays missing; errors travel."""

import numpy as np
import pandas as pd
import pytest

from subsoil.archive.harmonise import (
    GLOBAL_SOIL_MAP,
    TOPSOIL_SUBSOIL,
    at_depths,
    cumulative_stocks,
    line_weights,
    max_depth,
    standard_layers,
)
from subsoil.depth import DepthGrid, Layers, contributing_fraction, monotone_means, remap, spline_means
from subsoil.errors import BadCall

METHODS = ("constant", "spline", "monotone")


def profile(
    name: str, bounds: list[float], f: list[float], stock: list[float], **more: object
) -> pd.DataFrame:
    """A new-carbon table of one profile, as far as harmonising reads it."""
    values: dict[str, object] = {
        "profile_id": f"{name}/p",
        "entry_name": name,
        "layer_top": bounds[:-1],
        "layer_bottom": bounds[1:],
        "layer_mid": (np.array(bounds[:-1]) + np.array(bounds[1:])) / 2,
        "f_new": f,
        "contrast": 13.0,
        "se_laboratory": 0.01,
        "se_replicate": 0.03,
        "se_reference": 0.02,
        "se_end_member": np.abs(f) * 0.08,
        "se_method": 0.0,
        "reference_key": [f"{name}{i}" for i in range(len(f))],
        "end_member_key": "plants",
        "soc_stock": stock,
        "soc_stock_se": np.array(stock) * 0.1,
        "labelling_years": 20.0,
        "max_depth": np.nan,
    }
    return pd.DataFrame(values)


DEEP = profile("A", [0, 5, 15, 30, 60, 100], [0.8, 0.5, 0.2, 0.08, 0.05], [3.0, 3.5, 2.25, 1.8, 1.2])
SHALLOW = profile("B", [0, 10, 20, 55], [0.4, 0.3, -0.03], [2.0, 1.5, 2.1])
BOTH = pd.concat([DEEP, SHALLOW], ignore_index=True)


@pytest.mark.parametrize("method", METHODS)
def test_stocks_are_moved_then_divided(method: str) -> None:
    """0-30 cm: f is the ratio of the amounts, not a mean of f (0.5 by layers, 0.4 by depth)."""
    top = standard_layers(DEEP, TOPSOIL_SUBSOIL, method).table.iloc[0]
    amounts = (DEEP["f_new"] * DEEP["soc_stock"])[:3].sum()
    assert top["new_soc_stock"] == pytest.approx(amounts, rel=1e-9)
    assert top["soc_stock"] == pytest.approx(DEEP["soc_stock"][:3].sum(), rel=1e-9)
    assert top["f_new"] == pytest.approx(amounts / DEEP["soc_stock"][:3].sum(), rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_mass_closes_over_any_targets(method: str) -> None:
    moved = standard_layers(DEEP, [0, 7, 13, 42, 100], method).table
    assert moved["soc_stock"].sum() == pytest.approx(DEEP["soc_stock"].sum(), rel=1e-9)
    new = (DEEP["f_new"] * DEEP["soc_stock"]).sum()
    assert moved["new_soc_stock"].sum() == pytest.approx(new, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_missing_depth_lowers_the_fraction_only(method: str) -> None:
    table = standard_layers(SHALLOW, GLOBAL_SOIL_MAP, method).table.set_index("layer_top")
    np.testing.assert_allclose(table["contributing_fraction"], [1, 1, 1, 25 / 30, 0, 0])
    assert np.isnan(table.loc[30.0, "soc_stock"])
    assert table.loc[30.0, "soc_density"] == pytest.approx(2.1 / 0.35, rel=0.35)
    assert table.loc[60.0, ["f_new", "f_new_se", "soc_density"]].isna().all()


def test_negative_f_stays_negative() -> None:
    table = standard_layers(SHALLOW, [20, 55]).table
    assert table["f_new"][0] == pytest.approx(-0.03)


@pytest.mark.parametrize("method", METHODS)
def test_covariance_agrees_with_random_draws(method: str) -> None:
    """Every layer's f (shared plants included) and stock drawn anew, each draw harmonised."""
    rng, n, small = np.random.default_rng(3), 20_000, 0.2  # errors small enough for a first order
    f, stock = BOTH[["f_new"]].to_numpy(), BOTH[["soc_stock"]].to_numpy()
    own = np.sqrt(0.01**2 + 0.03**2 + 0.02**2) * rng.normal(size=(len(BOTH), n))
    drawn_f = f + small * (own - 0.08 * f * rng.normal(size=n))
    drawn_stock = stock * (1 + small * 0.1 * rng.normal(size=(len(BOTH), n)))
    drawn = _moved(drawn_f, drawn_stock, method)
    for name, analytic in standard_layers(BOTH, TOPSOIL_SUBSOIL, method).covariance.items():
        known = ~np.isnan(np.diag(analytic))
        analytic = analytic[np.ix_(known, known)] * small**2
        sampled = np.cov(drawn[name][known])
        scale = np.sqrt(np.outer(np.diag(analytic), np.diag(analytic)))
        assert (np.abs(analytic - sampled) < scale * (4.5 * np.sqrt(2 / n) + 0.01)).all()


def _moved(f: np.ndarray, stock: np.ndarray, method: str) -> dict[str, np.ndarray]:
    """f and new stock of 0-30 and 30-100 cm in every draw, written again without errors."""
    grid = DepthGrid.from_cm(TOPSOIL_SUBSOIL)
    moved: dict[str, list[np.ndarray]] = {"f_new": [], "new_soc_stock": []}
    for rows in BOTH.groupby("profile_id").groups.values():
        source = Layers.from_cm(BOTH["layer_top"][rows], BOTH["layer_bottom"][rows])
        densities = [part[rows] / source.thickness[:, None] for part in (f * stock, (1 - f) * stock)]
        if method == "monotone":
            new, old = (monotone_means(source, density, grid) for density in densities)
        else:
            matrix = (remap if method == "constant" else spline_means)(source, grid)
            new, old = (matrix @ density for density in densities)
        whole = np.where(contributing_fraction(source, grid) > 1 - 1e-9, grid.thickness, np.nan)
        moved["f_new"].append(new / (new + old))
        moved["new_soc_stock"].append(new * whole[:, None])
    return {name: np.concatenate(parts) for name, parts in moved.items()}


def test_standard_errors_are_the_diagonal_and_shared_plants_join_profiles() -> None:
    harmonised = standard_layers(BOTH, TOPSOIL_SUBSOIL)
    for name in ("f_new", "new_soc_stock"):
        variance = np.diag(harmonised.covariance[name])
        np.testing.assert_allclose(harmonised.table[f"{name}_se"] ** 2, variance)
    table = harmonised.table
    assert table["profile_id"].tolist() == ["A/p", "A/p", "B/p", "B/p"]
    # both topsoils hold new carbon of the same plants; nothing else is shared
    assert harmonised.covariance["f_new"][0, 2] == pytest.approx(
        0.08**2 * table["f_new"][0] * table["f_new"][2], rel=1e-6
    )


@pytest.mark.parametrize("method", ["stocks", "balesdent2018"])
def test_row_order_does_not_matter(method: str) -> None:
    shuffled = BOTH.sample(frac=1.0, random_state=4)
    pd.testing.assert_frame_equal(at_depths(shuffled, [0, 20], method), at_depths(BOTH, [0, 20], method))
    a, b = standard_layers(shuffled, [0, 30]), standard_layers(BOTH, [0, 30])
    pd.testing.assert_frame_equal(a.table, b.table)
    np.testing.assert_allclose(a.covariance["f_new"], b.covariance["f_new"], rtol=1e-9)


def test_f_at_a_depth_from_stocks_stays_where_the_layers_are() -> None:
    """New and old carbon are both positive, so 0 < f < 1 at every depth without clipping, ends included."""
    table = at_depths(DEEP, np.arange(0.0, 101.0))
    assert table["f_new"].between(0.0, 1.0, inclusive="neither").all()
    assert table["f_new"][100] == pytest.approx(0.05)  # of the deepest layer
    assert (table["f_new_se"] > 0).all()
    assert not table["extrapolated"].any()


def test_a_depth_without_stocks_is_missing_not_guessed() -> None:
    bare = DEEP.assign(soc_stock=np.nan, soc_stock_se=np.nan)
    assert at_depths(bare, [0, 50])["f_new"].isna().all()
    assert len(at_depths(bare, [0, 50])) == 2
    assert at_depths(bare, [5], "balesdent2018")["f_new"].notna().all()
    assert np.isnan(at_depths(SHALLOW, [56])["f_new"][0])


def test_lines_of_the_workbook() -> None:
    """Straight lines at the samples' depths, end lines continued, clipped, missing below the depth used."""
    table = at_depths(SHALLOW, [0, 5, 10, 50, 60, 70], "balesdent2018")
    slope = (-0.03 - 0.3) / (37.5 - 15)
    np.testing.assert_allclose(table["f_new"][:4], [0.45, 0.4, 0.35, max(0.0, -0.03 + slope * 12.5)])
    assert table["f_new"][4] == 0.0
    assert np.isnan(table["f_new"][5])
    assert table["extrapolated"].tolist() == [True, False, False, True, True, False]
    assert at_depths(SHALLOW, [70], "balesdent2018", below=True)["f_new"][0] == 0.0
    # halfway between two samples with independent and shared errors
    got = at_depths(SHALLOW, [10], "balesdent2018")["f_new_se"][0]
    own = 0.5 * (0.01**2 + 0.03**2 + 0.02**2)
    assert got == pytest.approx(np.sqrt(own + (0.08 * 0.35) ** 2))


def test_weights_of_lines_sum_to_one_in_any_order() -> None:
    mid, depth = np.array([20.0, 5.0, 60.0]), np.array([0.0, 5.0, 30.0, 100.0])
    weights = line_weights(mid, depth)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weights @ mid, depth, atol=1e-12)  # lines meet a line
    np.testing.assert_allclose(weights[:, [1, 0, 2]], line_weights(np.sort(mid), depth))


def test_one_layer_or_two_at_one_depth() -> None:
    single = profile("C", [0, 20], [0.4], [2.0])
    assert at_depths(single, [0, 10], "balesdent2018")["f_new"].tolist() == [0.4, 0.4]
    assert at_depths(single, [0, 10])["f_new"].tolist() == pytest.approx([0.4, 0.4])
    twice = pd.concat([single, single], ignore_index=True)
    assert at_depths(twice, [10], "balesdent2018")["f_new"].tolist() == [0.4]


def test_overlapping_layers_have_no_stocks_to_move() -> None:
    wrong = pd.concat([DEEP, profile("B", [0, 20], [0.4], [2.0]), SHALLOW], ignore_index=True)
    assert set(standard_layers(wrong, [0, 30]).table["profile_id"]) == {"A/p"}
    assert at_depths(wrong, [10]).set_index("profile_id")["f_new"].isna().to_dict() == {
        "A/p": False,
        "B/p": True,
    }


@pytest.mark.parametrize(("bottom", "rounded"), [(57.5, 60), (75, 80), (65, 70), (64.9, 60), (100, 100)])
def test_depth_used(bottom: float, rounded: float) -> None:
    assert max_depth(pd.DataFrame({"layer_bottom": [bottom], "max_depth": [np.nan]})) == rounded


def test_cumulative_stocks() -> None:
    ours = cumulative_stocks(SHALLOW, [0, 10, 30, 55, 60]).set_index("depth_cm")
    np.testing.assert_allclose(ours["soc_stock_cum"][:4], [0, 2.0, 3.5 + 0.6, 5.6])
    np.testing.assert_allclose(ours["new_soc_stock_cum"][:4], [0, 0.8, 1.25 - 0.018, 1.25 - 0.063])
    assert np.isnan(ours["soc_stock_cum"][60.0])
    theirs = cumulative_stocks(SHALLOW, [30, 60, 70], "balesdent2018").set_index("depth_cm")
    assert theirs["soc_stock_cum"][60.0] == pytest.approx(
        5.6 + 2.1 * 5 / 35
    )  # the last layer goes on to 60 cm
    assert theirs["new_soc_stock_cum"][60.0] == pytest.approx(1.25)  # negative f clipped
    assert np.isnan(theirs["soc_stock_cum"][70.0])


def test_a_gap_ends_a_cumulative_stock() -> None:
    gapped = DEEP.drop(index=2)
    stocks = cumulative_stocks(gapped, [10, 15, 20, 60])["soc_stock_cum"]
    assert stocks.notna().tolist() == [True, True, False, False]


@pytest.mark.parametrize("call", [at_depths, standard_layers, cumulative_stocks])
def test_unknown_method_raises(call: object) -> None:
    with pytest.raises(BadCall, match="unknown method 'cubic'"):
        call(DEEP, [0, 10], "cubic")  # type: ignore[operator]


@pytest.mark.parametrize("depths", [[-1.0], [np.nan], [[0.0, 1.0]]])
def test_impossible_depths_raise(depths: list) -> None:
    with pytest.raises(BadCall, match="depths"):
        at_depths(DEEP, depths)


def test_an_empty_table_gives_an_empty_table() -> None:
    nothing = DEEP.iloc[:0]
    assert "f_new" in at_depths(nothing, [0, 10])
    assert "soc_stock_cum" in cumulative_stocks(nothing, [0, 10])
    assert standard_layers(nothing, [0, 10]).table.empty
