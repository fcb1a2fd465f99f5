"""Summary values of Balesdent et al. 2018 (Nature 559:599, doi 10.1038/s41586-018-0328-3) from the layers.

The workbook behind the paper holds what was measured and what its authors made of it. Every rule by which
they made it is applied here to the measured part and compared value by value; values that do not follow are
named. Each test prints what it counted (``pytest -s``).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from subsoil import published
from subsoil.age.carbon import FACTORS, complete, layer_carbon
from subsoil.archive.harmonise import (
    PUBLISHED_DEPTHS,
    at_depths,
    cumulative_stocks,
    max_depth,
)
from subsoil.archive.readers import balesdent2018
from subsoil.archive.schema import Archive
from subsoil.newcarbon import covariance, mix, new_carbon

pytestmark = pytest.mark.data
CLOSE = 1e-6


@dataclass(frozen=True)
class Study:
    """The archive, our table, the same with the workbook's own stocks, and the workbook's summary."""

    archive: Archive
    table: pd.DataFrame
    theirs: pd.DataFrame
    summary: dict[str, pd.DataFrame]

    def cumulative(self) -> pd.DataFrame:
        return cumulative_stocks(self.theirs, PUBLISHED_DEPTHS, "balesdent2018")


@pytest.fixture(scope="module")
def study(workbook: Path) -> Study:
    archive, summary = balesdent2018.read(workbook), balesdent2018.summary(workbook)
    table = new_carbon(archive)
    rows = summary["layers"].rename(columns={"lyr_top": "layer_top", "lyr_bot": "layer_bottom"})
    keys = ["entry_name", "layer_top", "layer_bottom"]
    theirs = table.merge(rows[[*keys, "ratio_newCtoC", "c_stock", "c_new_stock"]], on=keys, validate="1:1")
    return Study(archive, table, theirs.assign(soc_stock=theirs["c_stock"]), summary)


def count(label: str, agree: pd.Series) -> int:
    print(f"{label}: {int(agree.sum())} of {len(agree)}")
    return int(agree.sum())


def wide_by_depth(values: pd.DataFrame) -> pd.DataFrame:
    """One row a profile, one column a depth."""
    return values.set_index(["entry_name", "depth_cm"])["value"].unstack()  # noqa: PD010


def test_f_of_every_layer(study: Study) -> None:
    difference = (study.theirs["f_new"] - study.theirs["ratio_newCtoC"]).abs()
    isotopes = study.theirs["method"] == "isotopes"
    assert count("f from isotopes", difference[isotopes] < CLOSE) == isotopes.sum() == 577
    assert count("f of the authors", difference[~isotopes] < CLOSE) == 177


def test_values_outside_zero_and_one_are_kept(study: Study) -> None:
    assert count("f below 0", study.table["f_new"] < 0) == 31
    assert count("f above 1", study.table["f_new"] > 1) == 4
    assert study.table["f_new"].max() == pytest.approx(1.190476, abs=1e-6)


def test_f_at_depths(study: Study) -> None:
    ours = at_depths(study.table, PUBLISHED_DEPTHS, "balesdent2018", below=True)
    both = study.summary["f_depth"].merge(ours, on=["entry_name", "depth_cm"], how="left", validate="1:1")
    agree = (both["f"] - both["f_new"]).abs() < CLOSE
    assert len(both) == 1142
    assert count("f at depths", agree) == 1131
    # N102 does not follow any line of its three layers; N067 and N068 are set to 0 below their soil
    odd = both.loc[~agree, "entry_name"].value_counts().to_dict()
    assert odd == {"N102": 6, "N067": 4, "N068": 1}


def test_where_f_at_depths_ends(study: Study) -> None:
    """A value is given down to the stated depth, and only there, but for three profiles that go on with 0."""
    ours = at_depths(study.table, PUBLISHED_DEPTHS, "balesdent2018")
    both = ours.merge(study.summary["f_depth"], on=["entry_name", "depth_cm"], how="left", validate="1:1")
    assert not (both["f_new"].notna() & both["f"].isna()).any()
    below = both[both["f_new"].isna() & both["f"].notna()]
    assert below["entry_name"].value_counts().to_dict() == {"N067": 4, "N068": 4, "N019": 2}
    assert (below["f"] == 0).all()
    assert count("f at depths, stated depth kept", (both["f"] - both["f_new"]).abs() < CLOSE) == 1126


def test_depth_of_a_profile(study: Study) -> None:
    """Deepest bound rounded to 10 cm, down to 1 m."""
    deepest = study.table.groupby("entry_name").agg(
        layer_bottom=("layer_bottom", "max"), stated=("max_depth", "first")
    )
    shallow = deepest[deepest["stated"] < 100]
    bounds = shallow["layer_bottom"].to_numpy()
    rounded = [max_depth(pd.DataFrame({"layer_bottom": [b], "max_depth": [np.nan]})) for b in bounds]
    assert count("stated depth", shallow["stated"] == rounded) == len(shallow)


def test_stocks_of_layers(study: Study) -> None:
    """Ours differ in two profiles, on purpose: measured bulk density (N005), all carbon (N071)."""
    same = np.isclose(study.table["soc_stock"], study.theirs["c_stock"], equal_nan=True)
    assert study.theirs.loc[~same, "entry_name"].value_counts().to_dict() == {"N005": 8, "N071": 4}
    total = study.table[study.table["entry_name"] == "N071"]["soc_stock"].sum()
    assert total == pytest.approx(13.02, abs=0.005)
    assert study.theirs[study.theirs["entry_name"] == "N071"]["c_stock"].sum() == pytest.approx(
        8.51, abs=0.005
    )


def test_new_carbon_of_layers(study: Study) -> None:
    stocked = study.theirs[study.theirs["c_new_stock"].notna()]
    clipped = stocked["f_new"].clip(0, 1) * stocked["c_stock"]
    agree = (clipped - stocked["c_new_stock"]).abs() < CLOSE
    assert len(stocked) == 669
    assert count("new carbon of layers", agree) == 664
    odd = stocked[~agree]
    assert odd["entry_name"].value_counts().to_dict() == {"N098": 2, "N099": 2, "N078": 1}
    np.testing.assert_allclose(odd["f_new"] * odd["c_stock"], odd["c_new_stock"], atol=CLOSE)  # not clipped


@pytest.mark.parametrize(("name", "ours"), [("c_total", "soc_stock_cum"), ("c_new", "new_soc_stock_cum")])
def test_cumulative_stocks(study: Study, name: str, ours: str) -> None:
    both = study.summary[name].merge(study.cumulative(), on=["entry_name", "depth_cm"], validate="1:1")
    both = both[both["depth_cm"] > 0]
    deepest = study.theirs[study.theirs["soc_stock"].notna()].groupby("entry_name")["layer_bottom"].max()
    sampled = both["depth_cm"] <= both["entry_name"].map(deepest)
    agree = (both["value"] - both[ours]).abs() < CLOSE
    assert count(f"{name} within the samples", agree[sampled]) == sampled.sum() == 906
    # Where the stated depth is rounded up, the last layer goes on with its density, it is not carried flat.
    beyond = ~sampled & both[ours].notna()
    assert count(f"{name} between the deepest bound and the stated depth", agree[beyond]) == beyond.sum() == 8
    # Flat to 1 m only in the two profiles whose soil ends at 60 cm.
    flat = both[~sampled & ~beyond]
    assert flat["entry_name"].value_counts().to_dict() == {"N067": 4, "N068": 4}
    assert flat.groupby("entry_name")["value"].nunique().eq(1).all()


def test_the_first_metre(study: Study) -> None:
    """Factor of the last depth, in 99 of 101; N067 and N068 count as reaching 1 m."""
    profiles = study.summary["profiles"].set_index("entry_name")
    for kind, ours, name in (
        ("total", "soc_stock_cum", "c_total_0_100"),
        ("new", "new_soc_stock_cum", "c_new_0_100"),
    ):
        carbon = layer_carbon(study.cumulative(), ours)
        metre = complete(carbon.to_numpy(), np.ones((1, len(carbon))), FACTORS, kind)[0].sum(axis=1)
        entries = carbon.index.str.split("/").str[0]
        agree = pd.Series(np.isclose(metre, profiles[name].reindex(entries), rtol=1e-5), index=entries)
        assert count(name, agree) == 99
        assert agree.index[~agree].tolist() == ["N067", "N068"]


def test_factors_over_the_same_profiles(study: Study) -> None:
    """Over the 70 profiles that the workbook sees reach 1 m ratios fall with depth; printed ones do not."""
    same_sample = {
        "c_total": {50: 1.411, 60: 1.285, 70: 1.190, 80: 1.114, 90: 1.053},
        "c_new": {50: 1.124, 60: 1.084, 70: 1.057, 80: 1.034, 90: 1.016},
    }
    for name, factors in same_sample.items():
        wide = wide_by_depth(study.summary[name])
        full = wide[wide[100.0].notna()]
        assert len(full) == 70
        for depth, factor in factors.items():
            assert full[100.0].mean() / full[float(depth)].mean() == pytest.approx(factor, abs=6e-4)
    assert not published.to_one_metre()["new"].is_monotonic_decreasing


def test_ratios_of_profiles(study: Study) -> None:
    """f of 0-30 and 30-100 cm, and every share of the new carbon of 0-100 cm, from the cumulative stocks."""
    total = wide_by_depth(study.summary["c_total"])
    new = wide_by_depth(study.summary["c_new"])
    profiles = study.summary["profiles"].set_index("entry_name").dropna(subset=["f_0_30"])
    total, new = total.loc[profiles.index], new.loc[profiles.index]
    top = new[30.0] / total[30.0]
    sub = (profiles["c_new_0_100"] - new[30.0]) / (profiles["c_total_0_100"] - total[30.0])
    assert count("f 0-30 cm", (top - profiles["f_0_30"]).abs() < CLOSE) == 101
    assert count("f 30-100 cm", (sub - profiles["f_30_100"]).abs() < CLOSE) == 101
    upto = new.assign(surface=0.0).rename(columns={"surface": 0.0})
    upto[100.0] = profiles["c_new_0_100"]
    shares = study.summary["shares"]
    top_amount, bottom_amount = (
        np.array([upto.loc[e, z] for e, z in zip(shares["entry_name"], shares[bound], strict=True)])
        for bound in ("top_cm", "bottom_cm")
    )
    share = (bottom_amount - top_amount) / shares["entry_name"].map(profiles["c_new_0_100"])
    assert count("shares of new carbon", (share - shares["value"]).abs() < CLOSE) == len(shares)
    assert shares["entry_name"].nunique() == 101


def test_authors_f_against_isotopes(study: Study) -> None:
    """24 layers allow both: they differ with sd 0.035, the error given to an f of the authors."""
    layer = study.archive.layer[study.archive.layer["src_f"] == "author"]
    isotopic = mix(layer["lyr_13c"], layer["pair_ref_13c"], layer["pair_delta_veg"])
    difference = (layer["f_author"] - isotopic).dropna()
    print(f"f of the authors and of isotopes: n {len(difference)}, sd {difference.std():.4f}")
    assert len(difference) == 24
    assert difference.std() == pytest.approx(0.035, abs=0.001)


def test_errors_of_the_archive(study: Study) -> None:
    imputed, table = study.table.attrs["imputed"], study.table
    print({k: round(v, 4) for k, v in imputed.items()})
    assert imputed["replicate_sd"] == pytest.approx(0.5, abs=0.05)
    assert imputed["contrast"] == pytest.approx(13.5, abs=0.6)
    assert count("a δ13C error imputed", table["error_imputed"]) > 400
    assert (table["f_new_se"] > 0).all()
    assert table["f_new_se"].median() == pytest.approx(0.05, abs=0.01)
    assert np.linalg.eigvalsh(covariance(table)).min() > 0
