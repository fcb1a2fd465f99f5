"""Checks of values one by one: present, in the vocabulary, possible, in the right unit, plausible."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np
import pandas as pd

from subsoil.archive.findings import Finding, finding, shown
from subsoil.archive.rules import (
    MAX_CARBON_DENSITY,
    MAX_MINERAL_CARBON,
    MIN_MINERAL_DENSITY,
    MODERN_TOLERANCE,
    RULES,
    SAME_VALUE,
    SOIL_13C,
    STOCK_RATIO,
)
from subsoil.archive.schema import KEYS, TABLES, Archive
from subsoil.isotopes import delta14c
from subsoil.variables import Variable, columns, variable

# Without these a row stands nowhere in space or time.
PLACES = frozenset({"site_lat", "site_long", "lyr_obs_date_y", "lyr_top", "lyr_bot"})

STOCK, COMPUTED = "lyr_soc", "C x BD x thickness"


@dataclass(frozen=True)
class Unit:
    """A range of impossible values that another unit explains."""

    rule: str
    columns: tuple[str, ...]
    lower: float
    upper: float


UNITS = (
    Unit("density-unit", ("lyr_bd_samp", "lyr_bd_tot", "lyr_bd_fill"), 50, 3000),
    Unit("carbon-unit", ("lyr_c_org", "lyr_c_tot", "frc_c_org"), 60, 1000),
    Unit("temperature-unit", ("pro_MAT",), 40, 400),
    Unit("stock-unit", (STOCK, "lyr_soc_new", "lyr_soc_old"), 10, 2000),
    Unit("13c-sign", ("lyr_13c", "pair_ref_13c", "frc_13c"), 10, 60),
    Unit("modern-unit", ("lyr_fraction_modern", "frc_fraction_modern"), 2, 200),
    Unit("modern-unit", ("lyr_fraction_modern_sigma", "frc_fraction_modern_sigma"), 0.2, 20),
)

Errors = tuple[str, tuple[str, ...]]
ERRORS: tuple[Errors, ...] = (
    ("lyr_14c", ("lyr_14c_sigma", "lyr_14c_sd")),
    ("lyr_fraction_modern", ("lyr_fraction_modern_sigma", "lyr_fraction_modern_sd")),
    ("frc_14c", ("frc_14c_sigma", "frc_14c_sd")),
    ("frc_fraction_modern", ("frc_fraction_modern_sigma", "frc_fraction_modern_sd")),
    ("lyr_13c", ("lyr_13c_sigma", "lyr_13c_sd")),
    ("pair_ref_13c", ("pair_ref_13c_sd",)),
    ("lyr_c_org", ("lyr_c_org_sd",)),
    ("lyr_soc", ("lyr_soc_sigma", "lyr_soc_sd")),
)


def _each(archive: Archive, chosen: Callable[[Variable], bool]) -> Iterator[tuple[str, pd.Series, Variable]]:
    for name in TABLES:
        table = archive.table(name)
        for known in columns(name):
            if known.name in table and chosen(known):
                yield name, table[known.name], known


def _given(archive: Archive, chosen: Callable[[Variable], bool]) -> Iterator[tuple[str, pd.Series, Variable]]:
    """The chosen columns that hold any value: most of the schema's columns are empty in most archives."""
    return (each for each in _each(archive, chosen) if each[1].notna().any())


def required(archive: Archive) -> Iterator[Finding]:
    """Keys and required values are there. Depths have a check of their own."""
    for table, values, known in _each(archive, lambda v: v.required and v.name not in ("lyr_top", "lyr_bot")):
        rule = RULES["missing-key" if known.name in KEYS[table] else "missing-required"]
        yield from finding(rule, table, known.name, values.isna())


def vocabulary(archive: Archive) -> Iterator[Finding]:
    """Words of a closed list are in it."""
    for table, values, known in _given(archive, lambda v: bool(v.vocab)):
        mask = values.notna() & ~values.isin(known.vocab)
        yield from finding(
            RULES["vocabulary"], table, known.name, mask, f"expected {', '.join(known.vocab)};"
        )


def infinite(archive: Archive) -> Iterator[Finding]:
    """Numbers are finite, save where an open limit means something."""
    for table, values, known in _given(archive, _bounded):
        yield from finding(RULES["infinite"], table, known.name, np.isinf(values), becomes=nan)


def computed(archive: Archive) -> Iterator[Finding]:
    """Values that a reader computed from one that cannot be right are not used either."""
    layer = archive.layer
    rule = RULES["computed-value"]
    bad = {name: _outside(layer[name], variable(name)) for name in ("lyr_bd_samp", "lyr_c_org")}
    copied = (layer["lyr_bd_fill"] == layer["lyr_bd_samp"]) & bad["lyr_bd_samp"]
    yield from finding(rule, "layer", "lyr_bd_fill", copied, "from lyr_bd_samp;", nan)
    product = layer[STOCK].notna() & (layer["src_soc"] == COMPUTED) & (bad["lyr_bd_samp"] | bad["lyr_c_org"])
    yield from finding(rule, "layer", STOCK, product, "from lyr_c_org and lyr_bd_samp;", nan)


def _outside(values: pd.Series, known: Variable) -> pd.Series:
    return (values < known.lower) | (values > known.upper)


def bounds(archive: Archive) -> Iterator[Finding]:
    """Numbers lie within what a soil can show; another unit that explains them is named."""
    for table, values, known in _given(archive, _bounded):
        outside = _outside(values, known)
        unit = "" if known.unit == "1" else f" {known.unit}"
        detail = f"{known.lower:g} to {known.upper:g}{unit} is possible;"
        if known.name in PLACES:
            yield from finding(RULES["place-out-of-bounds"], table, known.name, outside, detail)
            continue
        for other in UNITS:
            if known.name in other.columns:
                explained = outside & values.between(other.lower, other.upper)
                yield from finding(RULES[other.rule], table, known.name, explained, detail, nan)
                outside &= ~explained
        yield from finding(RULES["out-of-bounds"], table, known.name, outside, detail, nan)


def _bounded(known: Variable) -> bool:
    return known.is_number and isfinite(known.lower) and isfinite(known.upper)


def errors(archive: Archive) -> Iterator[Finding]:
    """An error is positive and is not a copy of the value it belongs to."""
    for table, values, known in _given(archive, lambda v: v.kind in ("sd", "sigma")):
        yield from finding(RULES["error-not-positive"], table, known.name, values <= 0, becomes=nan)
    for column, names in ERRORS:
        table = "fraction" if column.startswith("frc") else "layer"
        frame = archive.table(table)
        for name in names:
            same = (frame[name] - frame[column]).abs() <= SAME_VALUE * frame[column].abs().clip(upper=1)
            yield from finding(RULES["error-is-value"], table, name, same, becomes=nan)


def isotopes(archive: Archive) -> Iterator[Finding]:
    """δ13C in the range of soils; Δ14C and F14C of one sample fit each other."""
    for table, column in (("layer", "lyr_13c"), ("layer", "pair_ref_13c"), ("fraction", "frc_13c")):
        values = archive.table(table)[column]
        mask = (values < SOIL_13C[0]) | (values > SOIL_13C[1])
        yield from finding(
            RULES["13c-range"], table, column, mask, f"soils show {SOIL_13C[0]:g} to {SOIL_13C[1]:g} permil;"
        )
    for table, prefix in (("layer", "lyr"), ("fraction", "frc")):
        frame = archive.table(table)
        given = frame[f"{prefix}_14c"]
        expected = pd.Series(
            delta14c(frame[f"{prefix}_fraction_modern"], frame[f"{prefix}_obs_date_y"]), index=frame.index
        )
        mask = (given - expected).abs() > MODERN_TOLERANCE
        detail = "F14C gives " + shown(expected.round(1)) + " permil;"
        yield from finding(RULES["14c-modern"], table, f"{prefix}_14c", mask, detail)


def units(archive: Archive) -> Iterator[Finding]:
    """Possible values that the neighbours contradict: carbon and stocks in another unit."""
    layer = archive.layer
    density = layer["lyr_bd_samp"].fillna(layer["lyr_bd_tot"])
    for column in ("lyr_c_org", "lyr_c_tot"):
        mask = (layer[column] > MAX_MINERAL_CARBON) & (density > MIN_MINERAL_DENSITY)
        detail = "more than a soil of density " + shown(density.round(2)) + " g cm-3 holds;"
        yield from finding(RULES["carbon-unit"], "layer", column, mask, detail)
    thickness = (layer["lyr_bot"] - layer["lyr_top"]).where(lambda cm: cm > 0)
    too_dense = layer[STOCK] / thickness > MAX_CARBON_DENSITY
    profiles = [layer[key].fillna("") for key in KEYS["profile"]]
    suspect = too_dense.groupby(profiles).transform("any") & layer[STOCK].notna()
    limit = f"a layer of the profile exceeds {MAX_CARBON_DENSITY:g} g C cm-3;"
    yield from finding(RULES["stock-density"], "layer", STOCK, suspect, limit)
    ratio = layer[STOCK] / (layer["lyr_c_org"] / 100 * layer["lyr_bd_samp"] * thickness)
    mask = ((ratio < STOCK_RATIO[0]) | (ratio > STOCK_RATIO[1])) & np.isfinite(ratio) & ~suspect
    detail = shown(ratio.round(2)) + " times content x density x thickness;"
    yield from finding(RULES["stock-content"], "layer", STOCK, mask, detail)
