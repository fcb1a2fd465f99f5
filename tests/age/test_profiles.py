"""The table of profiles: amounts add up, errors are those of random draws."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from subsoil.age.profiles import AMOUNTS, STEPS, profile_table, sampling_covariances
from subsoil.errors import BadCall

DEPTHS = np.arange(0.0, 101.0, 10.0)


@dataclass(frozen=True)
class Facts:
    """As much of an archive as the table asks for."""

    profile: pd.DataFrame
    layer: pd.DataFrame
    metadata: pd.DataFrame = field(default_factory=pd.DataFrame)
    site: pd.DataFrame = field(default_factory=pd.DataFrame)


def made_up_layers(seed: int = 0, ends: tuple[int, ...] = (100, 100, 100, 60)) -> pd.DataFrame:
    """Profiles with layers of 20 cm, shared reference and plants, one that ends above 1 m."""
    rng = np.random.default_rng(seed)
    rows = [(i, top) for i, end in enumerate(ends) for top in range(0, end, 20)]
    profile, top = np.array(rows).T
    n = len(rows)
    f = 0.6 * np.exp(-top / 40) * rng.uniform(0.8, 1.2, size=n)
    stock = 3 * np.exp(-top / 50) * rng.uniform(0.8, 1.2, size=n)
    table = pd.DataFrame(
        {
            "entry_name": [f"N{i}" for i in profile],
            "pro_name": "p",
            "profile_id": [f"N{i}/p" for i in profile],
            "site_id": "here",
            "study_id": "study",
            "reference_id": "ref",
            "layer_top": top.astype(float),
            "layer_bottom": top + 20.0,
            "f_new": f,
            "contrast": 12.0,
            "se_laboratory": 0.01,
            "se_replicate": 0.02,
            "se_reference": 0.02,
            "se_end_member": 0.05 * f,
            "se_method": 0.0,
            "reference_key": [f"ref {z}" for z in top],
            "end_member_key": "plants",
            "soc_stock": stock,
            "soc_stock_se": 0.08 * stock,
            "new_soc_stock": f * stock,
            "method": np.where(profile == 1, "author", "isotopes"),
            "error_imputed": profile == 2,
            "land_use": "crop",
            "label_type": "C4vsC3",
        }
    )
    numbers = (
        "labelling_years",
        "mat",
        "map",
        "p_pet",
        "clay",
        "latitude",
        "longitude",
        "obs_year",
        "max_depth",
    )
    return table.assign(**dict.fromkeys(numbers, 1.0))


def stocks_of(layers: pd.DataFrame) -> pd.DataFrame:
    """Cumulative stocks with constant density in a layer, missing below the last one."""
    parts = []
    for name, rows in layers.groupby("profile_id", sort=False):
        above = np.clip((DEPTHS[:, None] - rows["layer_top"].to_numpy()) / 20, 0, 1)
        known = rows["layer_bottom"].max() >= DEPTHS
        columns = {
            "soc_stock_cum": above @ rows["soc_stock"],
            "new_soc_stock_cum": above @ rows["new_soc_stock"],
        }
        amounts = {column: np.where(known, values, np.nan) for column, values in columns.items()}
        parts.append(pd.DataFrame({"profile_id": name, "depth_cm": DEPTHS} | amounts))
    return pd.concat(parts, ignore_index=True)


def archive_of(layers: pd.DataFrame) -> Facts:
    keys = ["entry_name", "pro_name"]
    profile = layers[keys].drop_duplicates().assign(pro_reps=3.0)
    return Facts(
        profile, layers[keys].assign(src_bd=np.where(layers["entry_name"] == "N0", "Alexander", "author"))
    )


def table_of(layers: pd.DataFrame) -> pd.DataFrame:
    return profile_table(archive_of(layers), layers, stocks_of(layers))


@pytest.fixture
def layers() -> pd.DataFrame:
    return made_up_layers()


def test_amounts_add_up(layers: pd.DataFrame) -> None:
    table = table_of(layers)
    total = table["new_soc_stock_0_30"] + table["new_soc_stock_30_100"]
    np.testing.assert_allclose(total, table["new_soc_stock_0_100"])
    np.testing.assert_allclose(table["share_new_30_100"], table["new_soc_stock_30_100"] / total)
    np.testing.assert_allclose(table["f_0_30"], table["new_soc_stock_0_30"] / table["soc_stock_0_30"])
    steps = table[[a.name for a in STEPS]].to_numpy()[:3].sum(axis=1)
    np.testing.assert_allclose(steps, table["new_soc_stock_0_100"][:3])
    expected = layers[layers["profile_id"] == "N0/p"]["new_soc_stock"].sum()
    assert table["new_soc_stock_0_100"][0] == pytest.approx(expected)


def test_facts_of_the_profiles(layers: pd.DataFrame) -> None:
    table = table_of(layers).set_index("profile_id")
    assert table["author_f"].tolist() == [False, True, False, False]
    assert table["error_imputed"].tolist() == [False, False, True, False]
    assert table["bd_pedotransfer"].tolist() == [True, False, False, False]
    assert table["extended"].tolist() == [False, False, False, True]
    assert (table["replicates"] == 3).all()


def test_a_shallow_profile_is_extended_by_the_same_sample_ratio(layers: pd.DataFrame) -> None:
    table = table_of(layers)
    whole, to_60 = table[:3], [a.name for a in STEPS[:6]]
    ratio = whole["new_soc_stock_0_100"].sum() / whole[to_60].to_numpy().sum()
    assert table["new_soc_stock_0_100"][3] == pytest.approx(ratio * table[to_60].loc[3].sum())
    assert np.isnan(table["new_soc_stock_60_70"][3])
    ratios = whole["new_soc_stock_0_100"] / whole[to_60].sum(axis=1)
    assert table["new_extension_se"][3] == pytest.approx(table[to_60].loc[3].sum() * ratios.std(ddof=1))
    assert (table["new_extension_se"][:3] == 0).all()


def test_without_full_depth_profiles_nothing_is_extended() -> None:
    table = table_of(made_up_layers(ends=(60, 60)))
    assert table["new_soc_stock_30_100"].isna().all()
    assert table["new_soc_stock_30_100_se"].isna().all()
    assert table["new_soc_stock_0_30_se"].notna().all()


def test_profiles_without_stocks_keep_their_row(layers: pd.DataFrame) -> None:
    bare = layers["profile_id"] == "N2/p"
    stocks = stocks_of(layers[~bare])
    gone = layers.assign(**{c: layers[c].mask(bare) for c in ("soc_stock", "soc_stock_se", "new_soc_stock")})
    table = profile_table(archive_of(gone), gone, stocks)
    assert len(table) == 4
    assert np.isnan(table["share_new_30_100"][2])
    assert np.isnan(table["share_new_30_100_se"][2])
    assert table["share_new_30_100_se"][[0, 1, 3]].notna().all()


def test_rounding_is_not_new_carbon(layers: pd.DataFrame) -> None:
    deep = layers["layer_top"] == 80
    layers = layers.assign(
        f_new=layers["f_new"].mask(deep, 0.0), new_soc_stock=layers["new_soc_stock"].mask(deep, 0.0)
    )
    stocks = stocks_of(layers)
    stocks["new_soc_stock_cum"] += np.where(stocks["depth_cm"] == 100, 1e-15, 0.0)
    table = profile_table(archive_of(layers), layers, stocks)
    assert (table["new_soc_stock_90_100"][:3] == 0).all()


def test_errors_are_those_of_random_draws(layers: pd.DataFrame) -> None:
    """Draw layer errors with their shared parts, make the amounts again, compare the covariance."""
    rng, draws, n = np.random.default_rng(1), 20000, len(layers)
    own = np.hypot(layers["se_laboratory"], layers["se_replicate"]).to_numpy()
    key = layers["reference_key"].factorize()[0]
    plants = layers["se_end_member"].to_numpy() * rng.normal(size=(draws, 1))
    f = layers["f_new"].to_numpy() + own * rng.normal(size=(draws, n)) + plants
    f += 0.02 * rng.normal(size=(draws, key.max() + 1))[:, key]
    soc = layers["soc_stock"].to_numpy() + layers["soc_stock_se"].to_numpy() * rng.normal(size=(draws, n))
    whole = np.array([layers["profile_id"] == f"N{i}/p" for i in range(3)])

    def below(amount: np.ndarray, top: float) -> np.ndarray:  # of 0-100 cm, by profile
        inside = np.clip((layers["layer_bottom"].to_numpy() - top) / 20, 0, 1)
        return amount @ (inside * whole).T

    new = f * soc
    deep, surface = below(new, 30), below(new, 0) - below(new, 10)
    drawn = {
        "share_new_30_100": deep / below(new, 0),
        "f_30_100": deep / below(soc, 30),
        "new_soc_stock_30_100": deep,
        "new_30_100_to_0_10": deep / surface,
    }
    exact = sampling_covariances(layers, table_of(layers))
    for name, values in drawn.items():
        expected = np.cov(values.T)
        scale = np.sqrt(np.outer(*2 * [np.diag(expected)]))
        np.testing.assert_allclose(exact[name][:3, :3] / scale, expected / scale, atol=0.06)


def test_shared_references_and_plants_join_profiles(layers: pd.DataFrame) -> None:
    shared = sampling_covariances(layers, table_of(layers))["f_0_30"]
    assert (shared[np.triu_indices(4, 1)] > 0).all()
    alone = layers.assign(
        reference_key=layers["profile_id"] + layers["reference_key"], end_member_key=layers["profile_id"]
    )
    assert np.allclose(sampling_covariances(alone, table_of(alone))["f_0_30"][np.triu_indices(4, 1)], 0)


def test_the_order_of_rows_is_irrelevant(layers: pd.DataFrame) -> None:
    here = table_of(layers).set_index("profile_id").sort_index()
    there = table_of(layers.sample(frac=1, random_state=2).reset_index(drop=True))
    there = there.set_index("profile_id").sort_index()
    names = [a.name for a in AMOUNTS] + [f"{a.name}_se" for a in AMOUNTS]
    pd.testing.assert_frame_equal(here[names], there[names])


@pytest.mark.parametrize("column", ["study_id", "clay", "error_imputed"])
def test_names_a_missing_column(layers: pd.DataFrame, column: str) -> None:
    with pytest.raises(BadCall, match=column):
        profile_table(archive_of(layers), layers.drop(columns=column), stocks_of(layers))


def test_stocks_must_be_cumulative(layers: pd.DataFrame) -> None:
    with pytest.raises(BadCall, match="soc_stock_cum"):
        profile_table(archive_of(layers), layers, stocks_of(layers).drop(columns="soc_stock_cum"))
