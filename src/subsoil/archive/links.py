"""Checks between rows: repeated keys and rows, rows without a parent, the two sides of a pair."""

from collections.abc import Iterator
from math import nan

import pandas as pd

from subsoil.archive.findings import Finding, finding, shown
from subsoil.archive.rules import MIN_CONTRAST, NO_CONTRAST, RULES
from subsoil.archive.schema import KEYS, TABLES, Archive

PLACE_DIGITS = 2  # decimal degrees, about 1 km
SAME_14C, SAME_13C = 1.5, 0.005  # permil; what rounding and recalculation change in one measurement
OWN = ("src_row", "flags")  # where a row stands and what was noted, not what it says


def duplicates(archive: Archive) -> Iterator[Finding]:
    """The same row twice; the same key for different rows."""
    for name in TABLES:
        key = list(KEYS[name])
        table = archive.table(name)
        table = table[table.duplicated(key, keep=False) & table[key].notna().all(axis=1)]
        if table.empty:
            continue
        content = [c for c in table.columns if c not in OWN]
        twice = table.duplicated(content)
        yield from finding(RULES["duplicate-row"], name, key[-1], twice)
        rest = table[~twice]
        rule = "layer-name-twice" if name in ("layer", "fraction") else "duplicate-key"
        yield from finding(RULES[rule], name, key[-1], rest.duplicated(key, keep=False))


def parents(name: str, archive: Archive) -> Iterator[Finding]:
    """Every row of a table has its parent in the table above."""
    above = TABLES[TABLES.index(name) - 1]
    key = list(KEYS[above])
    table = archive.table(name)
    known = pd.MultiIndex.from_frame(archive.table(above)[key].astype("str"))
    lone = ~pd.MultiIndex.from_frame(table[key].astype("str")).isin(known)
    yield from finding(RULES["orphan"], name, key[-1], pd.Series(lone, index=table.index), f"table {above}:")


def places(archive: Archive) -> Iterator[Finding]:
    """Two sites at one place within an entry; one sample under two entries."""
    site = archive.site
    twice = site.duplicated(["entry_name", "site_lat", "site_long"], keep=False) & site["site_lat"].notna()
    yield from finding(RULES["duplicate-coordinates"], "site", "site_lat", twice)
    if archive.layer["entry_name"].nunique() < 2:
        return
    layer = archive.layer.merge(
        site[["entry_name", "site_name", "site_lat", "site_long"]], how="left", on=["entry_name", "site_name"]
    ).set_axis(archive.layer.index)
    layer = layer[~_is_reference(archive) & layer["site_lat"].notna()]
    place = layer[["site_lat", "site_long"]].round(PLACE_DIGITS)
    keys = [place["site_lat"], place["site_long"], layer["lyr_top"], layer["lyr_bot"]]
    same = pd.Series(False, index=archive.layer.index)
    for column, width in (("lyr_14c", SAME_14C), ("lyr_13c", SAME_13C)):
        same |= _twins(layer, keys, column, width).reindex(same.index, fill_value=False)
    yield from finding(RULES["duplicate-place"], "layer", "entry_name", same)


def _is_reference(archive: Archive) -> pd.Series:
    """Layers of profiles that others name as their reference: they stand beside each of them on purpose."""
    profile = archive.profile
    named = pd.MultiIndex.from_frame(profile[["entry_name", "ref_pro_name"]].dropna().astype("str"))
    here = pd.MultiIndex.from_frame(archive.layer[["entry_name", "pro_name"]].astype("str"))
    return pd.Series(here.isin(named), index=archive.layer.index)


def _twins(layer: pd.DataFrame, keys: list[pd.Series], column: str, width: float) -> pd.Series:
    """Rows whose neighbour in value, at the same place and depth, belongs to another entry."""
    ordered = layer.assign(**{f"k{i}": key for i, key in enumerate(keys)}).dropna(subset=[column])
    names = [f"k{i}" for i in range(len(keys))]
    ordered = ordered.sort_values([*names, column])
    same = pd.Series(False, index=ordered.index)
    for step in (1, -1):
        other = ordered.groupby(names, dropna=False)[[column, "entry_name"]].shift(step)
        near = (ordered[column] - other[column]).abs() <= width
        same |= near & other["entry_name"].notna() & (other["entry_name"] != ordered["entry_name"])
    return same


def pairs(archive: Archive) -> Iterator[Finding]:
    """The reference exists and reaches as deep; the plants differ, and in the direction stated."""
    profile, layer = archive.profile, archive.layer
    key = ["entry_name", "site_name"]
    known = pd.MultiIndex.from_frame(profile[[*key, "pro_name"]].astype("str"))
    named = pd.MultiIndex.from_frame(profile[[*key, "ref_pro_name"]].astype("str"))
    lost = profile["ref_pro_name"].notna() & ~named.isin(known)
    yield from finding(RULES["reference-missing"], "profile", "ref_pro_name", lost)
    if layer["pair_delta_veg"].isna().all() and profile["ref_pro_name"].isna().all():
        return
    contrast = layer["pair_delta_veg"].abs()
    yield from finding(RULES["no-contrast"], "layer", "pair_delta_veg", contrast < NO_CONTRAST, becomes=nan)
    small = (contrast >= NO_CONTRAST) & (contrast < MIN_CONTRAST)
    yield from finding(RULES["small-contrast"], "layer", "pair_delta_veg", small)
    of_profile = _profile_of(layer, profile)
    kind = of_profile["pro_label_type"]
    expected = kind.str.startswith("C4").map({True: 1.0, False: -1.0}).where(kind.notna() & (kind != "FACE"))
    wrong = layer["pair_delta_veg"] * expected.astype("float64") < 0
    detail = "label " + kind.fillna("") + ";"
    yield from finding(RULES["contrast-sign"], "layer", "pair_delta_veg", wrong, detail)
    yield from _deeper_than_reference(layer, of_profile)


def _deeper_than_reference(layer: pd.DataFrame, of_profile: pd.DataFrame) -> Iterator[Finding]:
    """Layers that begin below the reference profile, unless the source gives the reference at this depth."""
    sampled = layer[layer["lyr_13c"].notna()]
    deepest = sampled.groupby(["entry_name", "site_name", "pro_name"])["lyr_bot"].max()
    wanted = pd.MultiIndex.from_arrays(
        [layer["entry_name"], layer["site_name"], of_profile["ref_pro_name"]], names=deepest.index.names
    )
    reach = pd.Series(deepest.reindex(wanted).to_numpy(), index=layer.index)
    given = layer["pair_ref_13c"].notna() & layer["pair_ref_origin"].isin(["same row", "at study depth"])
    mask = (layer["lyr_top"] >= reach) & (layer["lyr_bot"] > reach) & ~given
    detail = "the reference ends at " + shown(reach) + " cm;"
    yield from finding(RULES["reference-depth"], "layer", "lyr_top", mask, detail)


def _profile_of(layer: pd.DataFrame, profile: pd.DataFrame) -> pd.DataFrame:
    """The row of the profile table for every layer."""
    key = list(KEYS["profile"])
    columns = [*key, "ref_pro_name", "pro_label_type"]
    unique = profile[columns].drop_duplicates(key)
    return layer[key].merge(unique, how="left", on=key).set_axis(layer.index)
