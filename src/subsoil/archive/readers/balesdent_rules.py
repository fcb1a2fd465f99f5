"""The known traps of the 2018 workbook: one named rule each, found by a test on the data.

A rule that repairs or marks a layer leaves its name in ``flags`` and a row in the rejects. Only where
the numbers cannot show it is a layer named outright, with the reason (``NAMED``).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil.archive.readers.cells import Log, Rule
from subsoil.isotopes import PRINTED_ERRORS

RULES = {
    rule.name: rule
    for rule in (
        # layers that cannot be used
        Rule("layers-without-profile", "error", "the sheet Profiles has no such identifier; not used"),
        Rule(
            "block-without-name", "error", "depths start again without a new identifier: whose layer is it?"
        ),
        Rule("organic-layer-unused", "error", "organic layer that the source leaves out of its own summary"),
        Rule("profile-without-layers", "warning", "the sheet Layers has no layer for this profile"),
        Rule(
            "profile-name-differs", "warning", "the two sheets name the profile differently; Profiles is used"
        ),
        # bounds and depths
        Rule(
            "zero-thickness",
            "warning",
            "zero-thickness layer at the surface, probably litter: f kept, no stock",
        ),
        Rule(
            "sample-depth-not-middle", "note", "the authors' sample depth is not the middle; theirs is kept"
        ),
        Rule("sample-depth-outside-layer", "warning", "the sample depth lies outside the layer; it is kept"),
        Rule(
            "sample-depth-doubtful",
            "warning",
            "the sample depth looks wrong beside its neighbours; it is kept",
        ),
        Rule("layer-expanded", "note", "the source study sampled a thinner layer"),
        Rule("layer-interpolated", "warning", "no sample: the workbook's authors interpolated this layer"),
        # bulk density and stocks
        Rule(
            "negative-bulk-density", "warning", "the pedotransfer function fails on organic matter: missing"
        ),
        Rule("bulk-density-without-carbon", "warning", "calculated from no carbon content: missing"),
        Rule(
            "measured-bulk-density-unused",
            "warning",
            "the workbook's stock ignores the measured value; ours not",
        ),
        Rule(
            "stock-is-old-carbon",
            "warning",
            "the workbook's stock is the old carbon alone; old + new is used",
        ),
        Rule("stock-from-summary", "warning", "the stock stands in the summary only; it is used"),
        Rule(
            "new-and-old-exchanged",
            "warning",
            "columns Cnew and Cold exchanged: f of the workbook follows Cold",
        ),
        Rule("no-stock", "note", "the source gives no carbon stock for this profile"),
        # spread
        Rule("spread-of-unknown-type", "warning", "spread without a type (SD, SE, IC95, LSDP0.05): not used"),
        Rule(
            "spread-of-one-value",
            "warning",
            "replicates unknown or 1: taken as the error of a single value",
        ),
        # reference
        Rule(
            "reference-depth-differs", "warning", "reference sampled at other depths, no value at this depth"
        ),
        Rule(
            "reference-depth-from-study",
            "warning",
            "reference depth not given: taken from the layer beside it",
        ),
        Rule("reference-depth-missing", "error", "reference value without any depth; not used"),
        Rule(
            "reference-not-on-the-line", "note", "value at study depth is not between the reference's layers"
        ),
        Rule(
            "reference-stock-shifted",
            "note",
            "the workbook's reference stock stands one row too low; not used",
        ),
        Rule(
            "reference-bulk-density-unused",
            "note",
            "the workbook's reference stock ignores the measured value",
        ),
        Rule("reference-replicates-zero", "warning", "zero replicates: counts as unknown"),
        # profiles
        Rule(
            "labelled-by-co2",
            "note",
            "labelled through the CO2 of a FACE experiment, not by a change of plants",
        ),
        Rule("sampled-before-1965", "note", "sampled before the period that the paper states"),
        Rule("horizons-miscounted", "note", "the number of horizons differs from the layers given"),
        Rule(
            "summary-below-soil",
            "note",
            "the summary goes on below the deepest layer, with f = 0 and no carbon",
        ),
        Rule("unknown-word", "warning", "not a word of this column's vocabulary; counts as missing"),
    )
}

# Layers that no test on the numbers finds: entry, top, bottom, rule, why.
NAMED = (
    ("N104", 10.0, 85.0, "sample-depth-doubtful", "zmid 60 of 10-85 cm; its neighbours have the middle"),
)
ALEXANDER_A, ALEXANDER_B = 1.66, 0.0974
ROUNDING = 1e-6
LINE_TOLERANCE_PERMIL = 0.006  # reference values are given to 0.01 permil


def alexander(carbon: Float[np.ndarray, "layer"]) -> Float[np.ndarray, "layer"]:
    """Bulk density (g cm-3) from carbon content (g kg-1): 1.66 - 0.0974 sqrt(C); organic matter gives < 0.

    >>> alexander(np.array([25.0]))
    array([1.173])
    """
    return ALEXANDER_A - ALEXANDER_B * np.sqrt(np.where(carbon >= 0, carbon, np.nan))


@dataclass(frozen=True)
class Test:
    """One rule on layers: the column it is about and the mask of rows it holds for."""

    rule: str
    column: str
    holds: Callable[[pd.DataFrame], pd.Series]


def close(a: pd.Series, b: pd.Series) -> pd.Series:
    """Whether two columns agree to the rounding of the workbook; missing values never do."""
    return (a - b).abs() <= ROUNDING * (1 + b.abs())


def _exchanged(t: pd.DataFrame) -> pd.Series:
    """f of the source follows Cold, not Cnew, in every layer of the profile where they differ."""
    as_old = close(t["summary_f"], t["old"] / t["soc"])
    as_new = close(t["summary_f"], t["new"] / t["soc"])
    differs = t["new"].notna() & ~close(t["new"], t["old"])
    wrong = (as_old & ~as_new & differs).groupby(t["entry"]).transform("any")
    right = (as_new & ~as_old & differs).groupby(t["entry"]).transform("any")
    return wrong & ~right & t["new"].notna()


def _negative_density(t: pd.DataFrame) -> pd.Series:
    return t["bd_calc"] <= 0


def _measured_unused(t: pd.DataFrame) -> pd.Series:
    thickness = (t["bot"] - t["top"]) / 100
    used = close(t["summary_soc"], t["c"] * t["bd_calc"] * thickness)
    return used & ~close(t["bd"], t["bd_calc"]) & t["bd"].notna()


def _old_alone(t: pd.DataFrame) -> pd.Series:
    total = t["soc"].fillna(t["old"] + t["new"])
    return close(t["summary_soc"], t["old"]) & (t["new"] > 0) & ~close(t["summary_soc"], total)


def _reference_differs(t: pd.DataFrame) -> pd.Series:
    other = ((t["top"] - t["ref_top"]).abs() > ROUNDING) | ((t["bot"] - t["ref_bot"]).abs() > ROUNDING)
    return other & t["ref_d13c_here"].isna() & t["ref_d13c"].notna() & t["ref_top"].notna()


def _reference_density_unused(t: pd.DataFrame) -> pd.Series:
    thickness = (t["ref_bot"] - t["ref_top"]) / 100
    stock = t["ref_c"] * alexander(t["ref_c"].to_numpy()) * thickness
    measured = close(t["summary_ref_soc"], t["ref_c"] * t["ref_bd"] * thickness)
    return close(t["summary_ref_soc"], stock) & t["ref_bd"].notna() & ~measured


def _named(rule: str) -> Callable[[pd.DataFrame], pd.Series]:
    keys = {(entry, top, bot) for entry, top, bot, name, _ in NAMED if name == rule}

    def holds(t: pd.DataFrame) -> pd.Series:
        found = [key in keys for key in zip(t["entry"], t["top"], t["bot"], strict=True)]
        return pd.Series(found, index=t.index)

    return holds


def _outside(t: pd.DataFrame) -> pd.Series:
    return (t["mid"] < t["top"] - ROUNDING) | (t["mid"] > t["bot"] + ROUNDING)


def spread_tests(key: str, title: str) -> tuple[Test, ...]:
    """The two rules on the spread of one measured column."""

    def known(t: pd.DataFrame) -> pd.Series:
        return t[f"{key}_kind"].str.upper().isin(PRINTED_ERRORS)

    def unknown(t: pd.DataFrame) -> pd.Series:
        return t[f"{key}_spread"].notna() & ~known(t)

    def alone(t: pd.DataFrame) -> pd.Series:
        of_mean = known(t) & (t[f"{key}_kind"].str.upper() != "SD")
        return t[f"{key}_spread"].notna() & of_mean & ~(t[f"{key}_n"] >= 2)

    return Test("spread-of-unknown-type", title, unknown), Test("spread-of-one-value", title, alone)


STUDY_TESTS = (
    Test("zero-thickness", "z2", lambda t: t["top"] == t["bot"]),
    Test("sample-depth-outside-layer", "zmid", _outside),
    Test("sample-depth-doubtful", "zmid", _named("sample-depth-doubtful")),
    Test(
        "sample-depth-not-middle",
        "zmid",
        lambda t: ((t["mid"] - (t["top"] + t["bot"]) / 2).abs() > ROUNDING) & ~_outside(t),
    ),
    Test("layer-expanded", "Commentary", lambda t: t["comment"].str.contains("expanded", na=False)),
    Test("layer-interpolated", "Commentary", lambda t: t["comment"].str.contains("interpolation", na=False)),
    Test("negative-bulk-density", "Bulk_density_calculated", _negative_density),
    Test(
        "bulk-density-without-carbon",
        "Bulk_density_calculated",
        lambda t: t["bd_calc"].notna() & t["c"].isna() & t["bd"].isna(),
    ),
    Test("measured-bulk-density-unused", "bulk_density", _measured_unused),
    Test("new-and-old-exchanged", "Cnew", _exchanged),
    Test("stock-is-old-carbon", "Cstock", _old_alone),
    Test(
        "stock-from-summary",
        "Cstock",
        lambda t: (t["src_soc"] == "author") & t["soc"].isna() & t["summary_soc"].notna(),
    ),
    Test("reference-depth-differs", "z1ref", _reference_differs),
    *spread_tests("c", "variance_value_C"),
    *spread_tests("d13c", "variance_value_d13C"),
    *spread_tests("soc", "variance_value_Cstock"),
    *spread_tests("old", "variance_value_C_old"),
    *spread_tests("new", "variance_value_Cnew"),
)
REFERENCE_TESTS = (
    Test("reference-bulk-density-unused", "bulk_density_ref", _reference_density_unused),
    *spread_tests("ref_c", "variance_value_C_ref"),
    *spread_tests("ref_soc", "variance_value_Cstock_ref"),
    *spread_tests("ref_d13c", "variance_value_d13C_ref"),
)


def off_the_line(t: pd.DataFrame) -> pd.Series:
    """Where the reference at study depth is not on the line between the middles of the reference's layers."""
    off = pd.Series(False, index=t.index)
    for _, block in t[t["entry"].isin(t["entry"][t["ref_d13c_here"].notna()])].groupby("entry", sort=False):
        mid, ref_mid = ((block[f"{s}top"] + block[f"{s}bot"]).to_numpy() / 2 for s in ("", "ref_"))
        here, ref = block["ref_d13c_here"].to_numpy(), block["ref_d13c"].to_numpy()
        known = ~np.isnan(ref) & ~np.isnan(ref_mid)
        if known.any():
            order = np.argsort(ref_mid[known])
            x, y = ref_mid[known][order], ref[known][order]
            inside = (mid >= x[0]) & (mid <= x[-1])
            off[block.index] = inside & (np.abs(np.interp(mid, x, y) - here) > LINE_TOLERANCE_PERMIL)
    return off


def run_tests(tests: tuple[Test, ...], layers: pd.DataFrame, log: Log) -> pd.Series:
    """Log every test that holds and give the flags of the rows, rules joined by "; "."""
    names: list[list[str]] = [[] for _ in range(len(layers))]
    for test in tests:
        holds = test.holds(layers).fillna(False).to_numpy(bool)
        about = layers["entry"].astype("str").to_numpy()[holds]
        log.add_rows(test.rule, layers["row"], holds, test.column, about)
        for i in np.flatnonzero(holds):
            if test.rule not in names[i]:
                names[i].append(test.rule)
    return pd.Series(["; ".join(n) for n in names], index=layers.index, dtype="str")
