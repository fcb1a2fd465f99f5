"""Floor, ceiling and noise: by hand, no site sees itself, what was sampled is found again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from subsoil.age.heldout import Fold
from subsoil.age.model import CURVE, SCATTER, priors
from subsoil.age.simulate import simulate_archive
from subsoil.archive.validate import validate
from subsoil.benchmark import climatology, protocol, unseen
from subsoil.benchmark.baselines import MEMBERS, ceiling, floor, noise
from subsoil.benchmark.reference import AGES, PROFILES, VALUES, Reference
from subsoil.datasets import age_data
from subsoil.ensembles import crps, inside
from subsoil.errors import BadCall
from subsoil.newcarbon import new_carbon


def _reference(rows: list[tuple], target: str = "f_new", **columns: object) -> Reference:
    """Rows of site, profile, top, bottom, observed; profiles with the columns given."""
    values = pd.DataFrame({name: [np.nan] * len(rows) for name in VALUES})
    names = ["site_id", "profile_id", "layer_top", "layer_bottom", "observed"]
    values[names] = pd.DataFrame(rows, columns=names)
    values = values.assign(target=target, sigma=0.05, years=30.0, obs_year=2000.0, depth_class="0-10")
    profiles = values.drop_duplicates("profile_id")[["profile_id", "site_id"]].reset_index(drop=True)
    known = {"mat": 20.0, "p_pet": 1.0, "obs_year": 2000.0, "land_use": "forest"} | columns
    return Reference(values, profiles.assign(**known).reindex(columns=[*PROFILES]), "1.0")


TWO_AND_ONE = [
    ("a", "a1", 0.0, 20.0, 0.9),
    ("a", "a2", 0.0, 20.0, 0.8),
    ("b", "b1", 0.0, 10.0, 0.6),
    ("b", "b1", 10.0, 30.0, 0.2),
    ("c", "c1", 0.0, 40.0, 0.5),
    ("c", "c1", 15.0, 15.0, 0.3),
]


def test_the_floor_by_hand() -> None:
    """0-20 cm of a1: half of 0.6 and half of 0.2 at b; at c 20 cm of the layer and 0.1 cm of the point.

    10-30 cm of b1: both profiles of a have sampled half of it; the point at 15 cm lies in all of them.
    """
    made = floor(_reference(TWO_AND_ONE))
    at_c = (20 * 0.5 + 0.1 * 0.3) / 20.1
    deep = (20 * 0.5 + 0.1 * 0.3) / 20.1
    shallow = (10 * 0.5) / 10.0
    expected = [
        (0.4 + at_c) / 2,
        (0.4 + at_c) / 2,
        (0.9 + 0.8 + shallow) / 3,
        (0.9 + 0.8 + deep) / 3,
        (0.9 + 0.8 + (10 * 0.6 + 20 * 0.2) / 30) / 3,
        (0.9 + 0.8 + 0.2) / 3,
    ]
    assert made.values.shape == (MEMBERS, 6)
    assert made.values.mean(axis=0) == pytest.approx(expected)


def test_a_layer_below_all_others_takes_those_that_reach_into_it_or_stays_empty() -> None:
    rows = [("a", "a", 0.0, 20.0, 0.9), ("b", "b", 15.0, 100.0, 0.1), ("b", "b", 100.0, 120.0, 0.0)]
    values = floor(_reference(rows)).values.mean(axis=0)
    assert values[1] == pytest.approx(0.9)
    assert np.isnan(values[2])


def test_the_floor_of_shares_fills_the_profile_that_is_predicted() -> None:
    """0-10 and 10-20 cm: b has 0.6 and half of 0.4 there, so 3/4 and 1/4; c ends at 10 cm: left out."""
    rows = [
        ("a", "a", 0.0, 10.0, 0.5),
        ("a", "a", 10.0, 20.0, 0.5),
        ("b", "b", 0.0, 10.0, 0.6),
        ("b", "b", 10.0, 30.0, 0.4),
        ("c", "c", 0.0, 10.0, 1.0),
    ]
    values = floor(_reference(rows, "stock_share")).values.mean(axis=0)
    assert values[:2] == pytest.approx([0.75, 0.25])
    assert np.isnan(values[2:4]).all()  # nobody else reaches 30 cm
    assert values[4] == pytest.approx(1.0)


def test_the_floor_of_isochrones_is_the_mean_of_the_other_ages_at_the_depth() -> None:
    rows = [(f"{z} cm", "", float(z), float(z), p) for z, p in ((0, 0.3), (0, 0.5), (0, 0.7), (50, 0.1))]
    values = floor(_reference(rows, "isochrone")).values.mean(axis=0)
    assert values[:3] == pytest.approx([0.6, 0.5, 0.4])
    assert np.isnan(values[3])


def test_condensed_ensembles_keep_the_mean_and_most_of_the_spread() -> None:
    rng = np.random.default_rng(0)
    others = rng.gamma(2.0, 1.0, (5, 37))
    others[others > 4.0] = np.nan
    weight = rng.uniform(0.1, 3.0, others.shape)
    made = climatology.condensed(others, 100, weight)
    known = np.isfinite(others)
    mean = np.where(known, weight * others, 0).sum(axis=1) / np.where(known, weight, 0).sum(axis=1)
    square = np.where(known, weight * others**2, 0).sum(axis=1) / np.where(known, weight, 0).sum(axis=1)
    np.testing.assert_allclose(made.mean(axis=0), mean, rtol=1e-12)
    np.testing.assert_allclose(made.std(axis=0), np.sqrt(square - mean**2), rtol=0.01)
    np.testing.assert_allclose(climatology.condensed(others, 100, 7 * weight), made)


@pytest.fixture(scope="module")
def layers() -> pd.DataFrame:
    return new_carbon(validate(simulate_archive(5, n_profiles=30)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return protocol.build(validate(simulate_archive(5, n_profiles=30)))


def _rmse(values: np.ndarray, reference: Reference, target: str) -> float:
    rows = reference.rows(target)
    error = values.mean(axis=0)[rows] - reference.values["observed"].to_numpy(float)[rows]
    return float(np.sqrt(np.nanmean(error**2)))


def test_a_site_does_not_see_itself_and_another_does(reference: Reference) -> None:
    site = reference.values["site_id"].iloc[0]
    own = (reference.values["site_id"] == site).to_numpy()
    table = reference.values.assign(observed=reference.values["observed"].mask(own, 0.123))
    first, second = floor(reference).values, floor(replace(reference, values=table)).values
    np.testing.assert_array_equal(first[:, own], second[:, own])
    rows = reference.rows("f_new")
    assert np.nanmax(np.abs(first - second)[:, rows]) > 1e-3


def test_the_order_of_rows_and_the_unit_do_not_matter(reference: Reference) -> None:
    order = np.random.default_rng(1).permutation(len(reference.values))
    mixed = replace(reference, values=reference.values.iloc[order])
    for made in (floor, noise):
        np.testing.assert_array_equal(made(reference).values[:, order], made(mixed).values)
    percent = reference.values.assign(
        observed=100 * reference.values["observed"], sigma=100 * reference.values["sigma"]
    )
    other = replace(reference, values=percent)
    rows = np.concatenate([reference.rows(target) for target in ("f_new", "isochrone")])
    np.testing.assert_allclose(floor(other).values[:, rows], 100 * floor(reference).values[:, rows])
    np.testing.assert_allclose(noise(other).values, 100 * noise(reference).values)


def test_noise_scores_what_a_perfect_model_would() -> None:
    """rmse sqrt(mean sigma^2), CRPS sigma / sqrt(pi), intervals as wide as they say; another seed, others."""
    rng = np.random.default_rng(3)
    count = 4000
    made = _reference([(f"s{i}", f"p{i}", 0.0, 10.0, o) for i, o in enumerate(rng.uniform(0, 1, count))])
    sigma = rng.uniform(0.02, 0.2, count)
    made = replace(made, values=made.values.assign(sigma=sigma))
    observed = made.values["observed"].to_numpy()
    values = noise(made).values
    assert values.shape == (1, count)
    assert np.sqrt(np.mean((values[0] - observed) ** 2)) == pytest.approx(
        np.sqrt(np.mean(sigma**2)), rel=0.03
    )
    assert crps(values, observed, sigma).mean() == pytest.approx(sigma.mean() / np.sqrt(np.pi), rel=0.03)
    assert inside(values, observed, 0.9, sigma).mean() == pytest.approx(0.9, abs=0.02)
    assert (noise(made, seed=1).values != values).all()
    unknown = replace(made, values=made.values.assign(sigma=np.where(np.arange(count) < 5, 0.0, sigma)))
    assert np.flatnonzero(np.isnan(noise(unknown).values[0])).tolist() == [0, 1, 2, 3, 4]


class Refits:
    """Folds of a model that is nearly right at every layer; counts how often it is fitted."""

    def __init__(self) -> None:
        self.fitted = 0

    def __call__(self, table: pd.DataFrame, candidate: object, *, folds: int, **_: object) -> Iterator[Fold]:
        self.fitted += 1
        data = age_data(table)
        rng = np.random.default_rng(0)
        draws = {name: np.full(20, float(priors()[name]["location"])) for name in (*CURVE, *SCATTER)}
        draws |= {"log_sd_constant": np.full(20, -4.0), "log_sd_binomial": np.full(20, -9.0)}
        draws |= {name: np.zeros((20, len(data.profile_id))) for name in ("u", "v")}
        draws["f_mean"] = data.arrays.f_new + 0.02 * rng.standard_normal((20, len(data.rows)))
        for k in range(folds):
            yield Fold(data, data.arrays.site % folds == k, draws)


@pytest.fixture
def refits(monkeypatch: pytest.MonkeyPatch) -> Refits:
    made = Refits()
    monkeypatch.setattr(unseen, "refits", made)
    return made


def test_the_ceiling_puts_each_draw_at_its_layer(
    layers: pd.DataFrame, reference: Reference, refits: Refits, tmp_path: Path
) -> None:
    """A model that is right to 0.02 is right to 0.02 in whatever order the values stand."""
    order = np.random.default_rng(2).permutation(len(reference.values))
    mixed = replace(reference, values=reference.values.iloc[order])
    for asked in (reference, mixed):
        made = ceiling(layers, asked, folds=3, members=10, cache=tmp_path)
        assert made.values.shape == (10, len(asked.values))
        assert np.isfinite(made.values[:, asked.rows("f_new")]).all()
        assert _rmse(made.values, asked, "f_new") < 0.02
    kept = layers[layers["profile_id"] != reference.values["profile_id"].iloc[0]]
    fewer = ceiling(kept, reference, folds=3, members=10, cache=tmp_path).values.mean(axis=0)
    absent = (reference.values["profile_id"] == reference.values["profile_id"].iloc[0]).to_numpy()
    rows = reference.rows("f_new")
    np.testing.assert_array_equal(np.isnan(fewer[rows]), absent[rows])


def test_the_ceiling_has_the_models_curves_on_stocks_of_other_sites(
    layers: pd.DataFrame, reference: Reference, refits: Refits, tmp_path: Path
) -> None:
    curves = ceiling(layers, reference, folds=3, members=10, cache=tmp_path).curves
    assert curves is not None
    assert curves.f_new.shape == (len(curves.profile_id), len(curves.layer_top), len(AGES))
    assert (np.diff(curves.f_new, axis=2) > 0).all()  # more is younger than a greater age
    assert (np.diff(curves.f_new, axis=1) < 0).all()  # the model's curve falls with depth
    site = layers.drop_duplicates("profile_id").set_index("profile_id")["site_id"]
    own = layers["site_id"] == site[curves.profile_id[0]]
    heavy = layers.assign(soc_stock=layers["soc_stock"].where(~own, 100 * layers["soc_stock"]))
    again = ceiling(heavy, reference, folds=3, members=10, cache=tmp_path).curves
    assert again is not None
    alone = np.array([site[name] == site[curves.profile_id[0]] for name in curves.profile_id])
    np.testing.assert_allclose(again.soc_stock[alone], curves.soc_stock[alone])
    assert (again.soc_stock[~alone] > 1.5 * curves.soc_stock[~alone]).any()


def test_what_was_sampled_is_kept_until_anything_changes(
    layers: pd.DataFrame, reference: Reference, refits: Refits, tmp_path: Path
) -> None:
    def ask(table: pd.DataFrame = layers, **options: int) -> np.ndarray:
        return ceiling(table, reference, cache=tmp_path, **({"folds": 3, "members": 10} | options)).values

    first = ask()
    np.testing.assert_array_equal(ask(), first)
    assert refits.fitted == 1
    (path,) = tmp_path.iterdir()
    for broken in (path.read_bytes()[:200], b"", b"not an archive"):
        path.write_bytes(broken)
        np.testing.assert_array_equal(ask(), first)
    assert refits.fitted == 4
    moved = layers.assign(f_new=layers["f_new"].where(layers.index > 0, 0.321))
    ask(moved)
    ask(key=1)
    ask(folds=4)
    ask(members=9)
    assert refits.fitted == 8
    ask()
    assert refits.fitted == 8
    assert len(list(tmp_path.iterdir())) == 5


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    layers: pd.DataFrame, reference: Reference, refits: Refits, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    told: list[str] = []
    made = ceiling(layers, reference, folds=3, members=10, cache=tmp_path / "file" / "cache",
                   progress=lambda step, done: told.append(step))  # fmt: skip
    assert _rmse(made.values, reference, "f_new") < 0.02
    assert "not kept" in told[-1]


def test_likeness_lifts_the_ceiling_above_the_floor(
    layers: pd.DataFrame, refits: Refits, tmp_path: Path
) -> None:
    """Cold soils are old, warm ones young: the floor takes the mean of both, the ceiling that of its own."""
    rng = np.random.default_rng(4)
    warm = np.arange(40) % 2 == 1
    value = np.where(warm, 100.0, -300.0) + rng.normal(0, 10, 40)
    rows = [(f"s{i}", f"p{i}", 0.0, 30.0, value[i]) for i in range(40)]
    made = _reference(rows, "delta14c", mat=np.where(warm, 25.0, 3.0))
    low = _rmse(floor(made).values, made, "delta14c")
    high = _rmse(ceiling(layers, made, folds=3, members=50, cache=tmp_path).values, made, "delta14c")
    assert low == pytest.approx(205, abs=10)
    assert high < 25
    blind = _reference(rows, "delta14c", mat=np.nan, p_pet=np.nan)
    same = _rmse(ceiling(layers, blind, folds=3, members=50, cache=tmp_path).values, blind, "delta14c")
    assert same == pytest.approx(low)


def test_bad_calls_are_refused(layers: pd.DataFrame, reference: Reference, tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="members"):
        floor(reference, members=1)
    with pytest.raises(BadCall, match="folds"):
        ceiling(layers, reference, folds=1, cache=tmp_path)
    with pytest.raises(BadCall, match="covariate"):
        ceiling(layers, reference, covariates=("sunshine",), cache=tmp_path)


@pytest.mark.data
def test_floor_and_noise_of_the_archive(workbook: Path) -> None:
    from subsoil.archive.readers import read

    made = protocol.build(validate(read(workbook)))
    rows = made.rows("f_new")
    assert len(rows) == 754
    assert np.isfinite(floor(made).values).all()
    assert _rmse(floor(made).values, made, "f_new") == pytest.approx(0.211, abs=0.002)
    assert _rmse(floor(made).values, made, "stock_share") == pytest.approx(0.0574, abs=0.0005)
    sigma = made.values["sigma"].to_numpy(float)[rows]
    assert _rmse(noise(made).values, made, "f_new") == pytest.approx(np.sqrt(np.mean(sigma**2)), rel=0.1)
