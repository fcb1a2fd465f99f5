"""New carbon: the formula, its errors in parts, defaults by rule, and the random twin of the analytic
error."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from subsoil import newcarbon
from subsoil.archive.schema import Archive, typed
from subsoil.errors import BadCall
from subsoil.newcarbon import components, covariance, mix, new_carbon, standard_error
from subsoil.variables import columns

PROFILES = (
    # name, treatment, reference, replicates, years
    ("maize", "treatment", "forest", 4, 20.0),
    ("cane", "treatment", "forest", 4, 50.0),
    ("regrowth", "treatment", "pasture", 1, 30.0),
    ("forest", "control", None, 4, np.nan),
    ("pasture", "control", None, 1, np.nan),
)


def archive(rows: list[Mapping[str, object]]) -> Archive:
    """One site with three study profiles and two references; ``rows`` are their layers."""
    key = {"entry_name": "N001", "site_name": "here"}
    profile = [
        {
            **key,
            "pro_name": name,
            "pro_treatment": treatment,
            "ref_pro_name": reference,
            "pro_reps": float(reps),
            "pro_label_years": years,
        }
        for name, treatment, reference, reps, years in PROFILES
    ]
    layer = [
        {**key, "lyr_name": str(i), "src_f": "isotopes", "pair_ref_origin": "same row", **row}
        for i, row in enumerate(rows)
    ]
    return Archive(
        metadata=typed("metadata", pd.DataFrame([{"entry_name": "N001", "study_id": "Test 2000"}])),
        site=typed("site", pd.DataFrame([{**key, "site_lat": -10.0, "site_long": 20.5}])),
        profile=typed("profile", pd.DataFrame(profile).astype({"ref_pro_name": "str"})),
        layer=typed("layer", _numeric(pd.DataFrame(layer))),
    )


def _numeric(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = {v.name for v in columns("layer") if v.is_number}
    return frame.astype({c: float for c in frame if c in numbers})


def row(pro_name: str, top: float, delta: float, ref: float, contrast: float, **more: object) -> dict:
    return {
        "pro_name": pro_name,
        "lyr_top": top,
        "lyr_bot": top + 10,
        "lyr_mid": top + 5,
        "lyr_13c": delta,
        "pair_ref_13c": ref,
        "pair_delta_veg": contrast,
        **more,
    }


MEASURED = {"lyr_13c_sd": 0.6, "lyr_13c_n": 4, "pair_ref_13c_sd": 0.4, "pair_ref_13c_n": 4}


def test_known_layer() -> None:
    """Dalal et al. 2005, mulga to buffel grass, 0-5 cm."""
    assert mix(-21.95, -25.40, 13.5) == pytest.approx(0.2555556, abs=1e-6)


def test_no_contrast_no_fraction() -> None:
    assert np.isnan(mix(-20.0, -25.0, 0.0))


def test_printed_errors_become_standard_errors() -> None:
    assert standard_error(0.6, "SD", 9) == pytest.approx(0.2)
    assert standard_error(0.2, "SE", 9) == pytest.approx(0.2)
    assert standard_error(0.2, "SE") == pytest.approx(0.2)
    assert standard_error(1.96, "IC95") == pytest.approx(1.0, rel=1e-4)
    assert np.isnan(standard_error(0.2, "ND", 9))


def test_error_is_the_sum_of_its_parts_and_each_part_is_right() -> None:
    table = new_carbon(archive([row("maize", 0, -18.0, -26.0, 10.0, **MEASURED)]))
    got = table.iloc[0]
    lab, n = newcarbon.LABORATORY_SIGMA, 4
    assert got.f_new == pytest.approx(0.8)
    assert got.se_laboratory == pytest.approx(lab / n**0.5 / 10)
    assert got.se_replicate == pytest.approx((0.6**2 - lab**2) ** 0.5 / n**0.5 / 10)
    assert got.se_reference == pytest.approx(0.4 / n**0.5 / 10)
    assert got.se_end_member == pytest.approx(0.8 * newcarbon.END_MEMBER_SIGMA / 10)
    parts = got[["se_laboratory", "se_replicate", "se_reference", "se_end_member", "se_method"]].astype(float)
    assert got.f_new_se == pytest.approx((parts**2).sum() ** 0.5)
    # replicates scatter by laboratory error too: together the two are the replicates' own standard error
    assert np.hypot(got.se_laboratory, got.se_replicate) == pytest.approx(0.6 / n**0.5 / 10)
    assert not got.error_imputed
    assert got.f_new_upper - got.f_new_lower == pytest.approx(2 * 1.959964 * got.f_new_se, rel=1e-6)


def test_nothing_is_clipped() -> None:
    table = new_carbon(archive([row("maize", 0, -27.0, -26.0, 10.0), row("maize", 10, -14.0, -26.0, 10.0)]))
    np.testing.assert_allclose(table["f_new"], [-0.1, 1.2])


def test_missing_spread_is_the_archives_median_over_known_replicates() -> None:
    layers = [
        row("maize", 0, -18.0, -26.0, 10.0, **MEASURED),
        row("maize", 10, -22.0, -26.0, 10.0, pair_ref_13c_sd=0.4, pair_ref_13c_n=4),  # replicated profiles: 4
        row("maize", 20, -24.0, -26.0, 10.0, lyr_13c_n=9, pair_ref_13c_sd=0.4),
        row("regrowth", 0, -24.0, -16.0, -10.0),
    ]
    table = new_carbon(archive(layers))
    median = np.median([0.6, 0.4, 0.4, 0.4])
    assert table.attrs["imputed"]["replicate_sd"] == pytest.approx(median)
    assert table["error_imputed"].tolist() == [False, True, True, True]
    sample = np.hypot(table["se_laboratory"], table["se_replicate"]) * 10
    np.testing.assert_allclose(sample, [0.3, median / 2, median / 3, median])
    assert table["se_reference"][3] * 10 == pytest.approx(median)
    assert table["se_reference"][2] * 10 == pytest.approx(0.4)  # a spread without n counts as n = 1
    assert "reference-error-imputed" not in table["flags"][1]
    assert "sample-error-imputed" in table["flags"][1]


def test_an_archive_without_errors_takes_the_published_medians() -> None:
    imputed = new_carbon(archive([row("maize", 0, -18.0, -26.0, 10.0)])).attrs["imputed"]
    assert imputed["replicate_sd"] == newcarbon.REPLICATE_SD
    assert imputed["stock_relative_se"] == newcarbon.STOCK_RELATIVE_SE


def test_fraction_of_the_author() -> None:
    author = {"src_f": "author", "f_author": 0.4}
    layers = [
        row("maize", 0, np.nan, np.nan, np.nan, **author),
        row("cane", 0, -18.0, -26.0, 10.0, **MEASURED, **author),
        row("cane", 10, -22.0, -26.0, 10.0, **MEASURED),
    ]
    table = new_carbon(archive(layers))
    assert table["method"].tolist() == ["author", "author", "isotopes"]
    assert table["f_new"].tolist() == pytest.approx([0.4, 0.4, 0.4])
    assert table["se_method"].tolist() == [newcarbon.AUTHOR_SIGMA, newcarbon.AUTHOR_SIGMA, 0.0]
    assert table["contrast"].tolist() == [10.0, 10.0, 10.0]
    assert table["f_new_se"][1] > table["f_new_se"][2]
    assert "contrast-imputed" in table["flags"][0]


def test_layers_without_a_fraction_are_no_rows() -> None:
    layers = [row("maize", 0, -18.0, np.nan, 10.0), row("forest", 0, -26.0, np.nan, np.nan)]
    assert len(new_carbon(archive([*layers, row("maize", 10, -20.0, -26.0, 10.0)]))) == 1
    assert len(new_carbon(archive(layers))) == 0


def test_small_contrast_is_flagged() -> None:
    table = new_carbon(archive([row("maize", 0, -24, -26.0, 3.0), row("maize", 10, -25, -26, 13.0)]))
    assert ["small-contrast" in flags for flags in table["flags"]] == [True, False]


def test_stocks_carry_both_errors() -> None:
    stock = {"lyr_soc": 0.2, "lyr_soc_sd": 0.04, "lyr_soc_n": 4}
    got = new_carbon(archive([row("maize", 0, -21.0, -26.0, 10.0, **MEASURED, **stock)])).iloc[0]
    assert got.soc_stock == pytest.approx(2.0)
    assert got.soc_stock_se == pytest.approx(0.2)
    assert got.new_soc_stock == pytest.approx(1.0)
    assert got.new_soc_stock_se == pytest.approx(np.hypot(2.0 * got.f_new_se, 0.5 * 0.2))
    relative = {"lyr_soc": 0.2, "lyr_c_org": 2.0, "lyr_c_org_sd": 0.2, "lyr_c_org_n": 4}
    got = new_carbon(archive([row("maize", 0, -21.0, -26.0, 10.0, **relative)])).iloc[0]
    assert got.soc_stock_se / 2.0 == pytest.approx(np.hypot(0.05, newcarbon.BULK_DENSITY_RELATIVE_SE))


def test_columns_and_units_follow_the_table_of_variables() -> None:
    table = new_carbon(archive([row("maize", 0, -18.0, -26.0, 10.0)]))
    names = [v.name for v in columns("newcarbon")]
    assert table.columns[: len(names)].tolist() == names
    assert table.attrs["units"]["soc_stock"] == "kg m-2"
    assert table.iloc[0][["profile_id", "site_id", "reference_id"]].tolist() == [
        "N001/maize",
        "-10.0000,20.5000",
        "forest",
    ]


def test_row_order_does_not_matter() -> None:
    straight, mixed = archive(STUDY), archive(STUDY)
    mixed = replace(mixed, layer=mixed.layer.iloc[::-1].reset_index(drop=True))
    a, b = (new_carbon(x) for x in (straight, mixed))
    pd.testing.assert_frame_equal(a, b.iloc[::-1].reset_index(drop=True))
    np.testing.assert_allclose(covariance(a), covariance(b)[::-1, ::-1])


def test_a_profile_named_twice_raises() -> None:
    whole = archive(STUDY)
    doubled = replace(whole, profile=pd.concat([whole.profile, whole.profile.iloc[:1]], ignore_index=True))
    with pytest.raises(BadCall, match=r"\['maize'\] more than once"):
        new_carbon(doubled)


# ---- the random twin --------------------------------------------------------------------------------------


def simulated(table: pd.DataFrame, n: int, seed: int, sigma_delta: float) -> np.ndarray:
    """f of every row in ``n`` repetitions of the whole study, errors drawn once for whatever is shared."""
    rng = np.random.default_rng(seed)
    contrast, f = table["contrast"].to_numpy(), table["f_new"].to_numpy()
    own = np.hypot(table["se_laboratory"], table["se_replicate"]).to_numpy() * np.abs(contrast)
    enrichment = f * contrast + rng.normal(size=(n, len(table))) * own
    for key, rows in table.groupby("reference_key"):
        sd = (rows["se_reference"] * rows["contrast"].abs()).iloc[0]
        enrichment[:, rows.index] -= rng.normal(0, sd, (n, 1))
        assert key
    plants = np.tile(contrast, (n, 1))
    for _, rows in table.groupby("end_member_key"):
        plants[:, rows.index] += rng.normal(0, sigma_delta, (n, 1))
    return enrichment / plants


STUDY = [
    row("maize", 0, -18.0, -26.0, 13.5, **MEASURED),
    row("maize", 10, -22.0, -25.5, 13.5, **MEASURED),
    row("maize", 20, -25.8, -25.5, 13.5, **MEASURED, pair_ref_origin="at study depth"),
    row("cane", 0, -16.0, -26.0, 12.0, **MEASURED),
    row("cane", 10, -20.0, -25.5, 12.0, **MEASURED),
    row("cane", 20, -21.0, -25.5, 12.0, **MEASURED, pair_ref_origin="at study depth"),
    row("regrowth", 0, -22.0, -15.0, -13.0, **MEASURED),
    row("regrowth", 10, -18.0, -15.0, -13.0, **MEASURED),
]


@pytest.mark.parametrize(("sigma", "second_order"), [(0.1, 0.003), (1.0, 0.06)])
def test_analytic_covariance_agrees_with_random_draws(sigma: float, second_order: float) -> None:
    table = new_carbon(archive(STUDY), end_member_sigma=sigma)
    n = 60_000
    analytic, sampled = covariance(table), np.cov(simulated(table, n, 1, sigma).T)
    scale = np.sqrt(np.outer(np.diag(analytic), np.diag(analytic)))
    # a sampled covariance errs by scale * sqrt((1 + ρ²) / n); beyond that only the second order in σ_Δ/Δ
    assert (np.abs(analytic - sampled) < scale * (4 * np.sqrt(2 / n) + second_order)).all()
    np.testing.assert_allclose(np.sqrt(np.diag(analytic)), table["f_new_se"], rtol=1e-12)


def test_shared_references_and_plants_are_found() -> None:
    table = new_carbon(archive(STUDY))
    shared = covariance(table)
    # maize and cane: beside one layer of the forest at 0-10 cm, beside one interpolated value at 20-30 cm
    assert shared[0, 3] == pytest.approx(table["se_reference"][0] * table["se_reference"][3])
    assert shared[2, 5] == pytest.approx(table["se_reference"][2] * table["se_reference"][5])
    # within a profile the plants are shared, the reference layers are not
    assert shared[0, 1] == pytest.approx(table["se_end_member"][0] * table["se_end_member"][1])
    # maize 20-30 cm is negative: an error of Δ moves it the other way
    assert shared[0, 2] < 0
    # other reference, other plants
    np.testing.assert_array_equal(shared[:6, 6:], 0.0)


def test_covariance_is_positive_semi_definite() -> None:
    assert np.linalg.eigvalsh(covariance(new_carbon(archive(STUDY)))).min() > -1e-12


@pytest.mark.parametrize("f", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("contrast", [13.5, 6.8, 4.8])
def test_first_order_holds_down_to_the_smallest_contrast(f: float, contrast: float) -> None:
    """Spread within 5 %, 95 % interval covers 93.5 to 97.5 %: σ_Δ = 1 ‰, the two soils together 0.5 ‰."""
    rng, n, sigma = np.random.default_rng(2), 100_000, 0.5
    plants = contrast + rng.normal(size=n)
    drawn = (f * contrast + sigma * rng.normal(size=n)) / plants
    nothing = np.zeros(n)
    parts = components(drawn, plants, (nothing, nothing + sigma), nothing, nothing + 1.0)
    estimated = np.sqrt(sum(part**2 for part in parts.values()))
    true = np.hypot(sigma / contrast, f / contrast)
    low, high = np.quantile(drawn, [0.1587, 0.8413])
    assert (high - low) / 2 == pytest.approx(true, rel=0.05)
    assert 0.935 < (np.abs(drawn - f) < 1.959964 * estimated).mean() < 0.975
