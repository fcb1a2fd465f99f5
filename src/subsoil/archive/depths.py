"""Checks and repairs of the depths of a profile's layers: the four checks of R's aqp, extended.

=============  ==================================================================
aqp            rules here
=============  ==================================================================
missingDepth   missing-depth, bottom-repaired
depthLogic     depth-logic, datum-repaired (the order of rows does not matter here)
sameDepth      same-depth
overlapOrGap   overlap (in part; the same interval twice is meant), gap
=============  ==================================================================

Layers of a profile that were sampled in different years are separate series.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from subsoil.archive.findings import REPAIRED, Finding, finding, has_flag, shown
from subsoil.archive.rules import LAST_BOTTOM, LAST_LAYER, METRES_TO, MILLIMETRES_FROM, RULES
from subsoil.archive.schema import KEYS, Archive, add_flag, typed

FILLED = "filled"
EPS = 1e-6  # cm; depths that were computed differ in the last digit


def profiles(layer: pd.DataFrame) -> pd.Series:
    """A number for every profile and sampling year."""
    keys = [layer[key] for key in (*KEYS["profile"], "lyr_obs_date_y")]
    return layer.groupby(keys, dropna=False, sort=False).ngroup()


def metres(archive: Archive) -> Iterator[Finding]:
    """Profiles of several layers that end above 3 cm: the depths were typed in m."""
    layer, profile = archive.layer, profiles(archive.layer)
    top, bottom = layer["lyr_top"], layer["lyr_bot"]
    shallow = ~(top < 0) & ~(bottom <= top) & ~(top > METRES_TO) & ~(bottom > METRES_TO)
    whole = (top.fillna(0) % 1 == 0) & (bottom.fillna(0) % 1 == 0)
    several = bottom.groupby(profile).transform("nunique") > 1
    mask = several & _every(shallow, profile) & ~_every(whole, profile)
    yield from finding(RULES["depth-unit-m"], "layer", "lyr_bot", mask)


def millimetres(archive: Archive) -> Iterator[Finding]:
    """Profiles below 300 cm in thick layers of round numbers: the depths may have been typed in mm."""
    layer, profile = archive.layer, profiles(archive.layer)
    top, bottom = layer["lyr_top"], layer["lyr_bot"]
    round_and_thick = (top % 10 == 0) & (bottom % 10 == 0) & (bottom - top >= 50)
    several = bottom.groupby(profile).transform("nunique") > 1
    deep = bottom.groupby(profile).transform("max") > MILLIMETRES_FROM
    mask = several & deep & _every(round_and_thick, profile)
    yield from finding(RULES["depth-unit-mm"], "layer", "lyr_bot", mask)


def _every(mask: pd.Series, profile: pd.Series) -> pd.Series:
    return mask.groupby(profile).transform("all")


def datum(archive: Archive) -> Iterator[Finding]:
    """Organic layers counted upwards, such as 5-3 and 3-0 above 0-10: turned to -5 to -3 and -3 to 0.

    Only where they form a stack down to 0 and a mineral layer begins there: a lone 10-0 may as well
    be an exchange of top and bottom.
    """
    layer, profile = archive.layer, profiles(archive.layer)
    top, bottom = layer["lyr_top"], layer["lyr_bot"]
    upward = (top > bottom) & (bottom >= 0) & ~_open_end(layer, profile)
    mineral = ((top == 0) & (bottom > 0)).groupby(profile).transform("any")
    stack = layer[upward].assign(g=profile[upward]).sort_values(["g", "lyr_bot", "lyr_top"])
    below = stack.groupby("g")["lyr_top"].shift()
    joined = (stack["lyr_bot"] - below.fillna(0.0)).abs() <= EPS
    whole = joined.groupby(stack["g"]).transform("all").reindex(layer.index, fill_value=False)
    mask = upward & mineral & whole
    yield from finding(RULES["datum-repaired"], "layer", "lyr_top", mask, becomes=-top)
    yield from finding(RULES["datum-repaired"], "layer", "lyr_bot", mask, becomes=-bottom)


def bottoms(archive: Archive) -> Iterator[Finding]:
    """Missing bottoms, from the next top; of the last layer 10 cm below its top. A 0 there is missing too."""
    layer, profile = archive.layer, profiles(archive.layer)
    top, bottom = layer["lyr_top"], layer["lyr_bot"]
    absent = bottom.isna() | _open_end(layer, profile)
    tops = pd.DataFrame({"g": profile, "top": top}).dropna().drop_duplicates().sort_values(["g", "top"])
    after = tops.assign(next=tops.groupby("g")["top"].shift(-1))
    pairs = pd.DataFrame({"g": profile, "top": top})
    next_top = pairs.merge(after, how="left", on=["g", "top"])["next"].set_axis(layer.index)
    last = (top + LAST_LAYER).clip(upper=LAST_BOTTOM)
    becomes = next_top.fillna(last).where(lambda cm: cm > top)
    yield from finding(
        RULES["bottom-repaired"], "layer", "lyr_bot", absent & becomes.notna(), becomes=becomes
    )


def middles(archive: Archive) -> Iterator[Finding]:
    """Sample depths of repaired layers that their new bounds leave outside, or that had no bounds before."""
    layer = archive.layer
    top, bottom, middle = layer["lyr_top"], layer["lyr_bot"], layer["lyr_mid"]
    repaired = bottom.notna() & top.notna() & has_flag(layer["flags"], REPAIRED)
    outside = repaired & ~middle.between(top, bottom)
    yield from finding(RULES["middle-repaired"], "layer", "lyr_mid", outside, becomes=(top + bottom) / 2)


def _open_end(layer: pd.DataFrame, profile: pd.Series) -> pd.Series:
    """Last layers with a bottom of 0 that begin where the layers above end: the 0 means none."""
    top, bottom = layer["lyr_top"], layer["lyr_bot"]
    deepest = top == top.groupby(profile).transform("max")
    joined = (bottom.groupby(profile).transform("max") - top).abs() <= EPS
    return (bottom == 0) & (top > 0) & deepest & joined


def logic(archive: Archive) -> Iterator[Finding]:
    """Depths that are missing, stand on their head or have no thickness."""
    top, bottom = archive.layer["lyr_top"], archive.layer["lyr_bot"]
    yield from finding(RULES["missing-depth"], "layer", "lyr_top", top.isna())
    yield from finding(RULES["missing-depth"], "layer", "lyr_bot", bottom.isna() & top.notna())
    yield from finding(RULES["depth-logic"], "layer", "lyr_bot", bottom < top)
    yield from finding(RULES["same-depth"], "layer", "lyr_bot", bottom == top)


def spans(archive: Archive) -> Iterator[Finding]:
    """Layers that overlap in part, and gaps between layers."""
    layer = archive.layer
    span = _spans(layer)
    deepest = span.groupby("g")["bot"].cummax().groupby(span["g"]).shift()
    following = span.groupby("g")["top"].shift(-1)
    overlap = (deepest > span["top"] + EPS) | (following < span["bot"] - EPS)
    gap = deepest < span["top"] - EPS
    keys = pd.DataFrame({"g": profiles(layer), "top": layer["lyr_top"], "bot": layer["lyr_bot"]})
    marked = keys.merge(span.assign(overlap=overlap, gap=gap), how="left", on=["g", "top", "bot"])
    marked = marked.set_axis(layer.index)
    reach = shown(layer["lyr_top"]) + "-" + shown(layer["lyr_bot"]) + " cm:"
    for rule in ("overlap", "gap"):
        mask = marked[rule].fillna(False).astype(bool)
        yield from finding(RULES[rule], "layer", "lyr_top", mask, reach)


def _spans(layer: pd.DataFrame) -> pd.DataFrame:
    """The different intervals of every profile, sorted by depth; layers without thickness are left out."""
    span = pd.DataFrame({"g": profiles(layer), "top": layer["lyr_top"], "bot": layer["lyr_bot"]})
    return span[span["bot"] > span["top"]].drop_duplicates().sort_values(["g", "top", "bot"])


def fill(archive: Archive) -> Archive:
    """Placeholders without values, flagged ``filled``, from the surface to the first layer and in every gap.

    For displays and methods that need layers without holes; a placeholder is missing data, never zero.
    """
    layer = archive.layer
    span = _spans(layer)
    above = span.groupby("g")["bot"].cummax().groupby(span["g"]).shift().fillna(0.0)
    holes = span.assign(lyr_top=above, lyr_bot=span["top"])
    holes = holes[holes["lyr_bot"] - holes["lyr_top"] > EPS]
    keys = layer.loc[holes.index, [*KEYS["profile"], "lyr_obs_date_y"]]
    keys = keys.assign(lyr_top=holes["lyr_top"], lyr_bot=holes["lyr_bot"])
    keys = keys.assign(lyr_mid=(keys["lyr_top"] + keys["lyr_bot"]) / 2)
    reach = shown(keys["lyr_top"]) + "-" + shown(keys["lyr_bot"])
    new = typed("layer", keys.assign(lyr_name=FILLED + " " + reach))
    new["flags"] = add_flag(new["flags"], pd.Series(np.ones(len(new), bool)), FILLED)
    both = pd.concat([layer, new], ignore_index=True) if len(new) else layer
    return replace(archive, layer=both)


# The repairs come first; depths that only look right after a bad row is gone are looked at again.
CHECKS = (metres, datum, bottoms, middles, logic, spans, metres, millimetres)
