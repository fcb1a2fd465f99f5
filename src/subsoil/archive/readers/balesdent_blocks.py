"""Which row of the sheet Layers belongs to which profile, and which rows are layers at all.

The identifiers stand on the first row of a block only. A block ends where the next identifier stands;
where depths start again without one, the rows that follow belong to nobody and are not used.
"""

import numpy as np
import pandas as pd

from subsoil.archive.readers.balesdent_rules import close
from subsoil.archive.readers.cells import Log

KEYS = ["entry", "profile", "ref_profile", "src_soc", "src_f", "src_bd"]
STUDIED = ["top", "bot", "mid", "c", "bd", "d13c", "soc", "old", "new", "summary_f", "summary_soc"]
REFERENCE = ["ref_c", "ref_soc", "ref_bd", "ref_d13c"]
DEEPEST_OVERLAP_CM = 1e-6


def known_profiles(profiles: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The rows of the sheet Profiles with a name, once each."""
    unnamed = profiles["entry"].isna() | profiles["profile"].isna()
    log.add_rows("key-missing", profiles["row"], unnamed.to_numpy(), "Identifier_1", profiles["row"][unnamed])
    repeated = profiles["entry"].duplicated() & ~unnamed
    values = profiles["entry"][repeated]
    log.add_rows("key-repeated", profiles["row"], repeated.to_numpy(), "Identifier_1", values)
    return profiles[~unnamed & ~repeated].reset_index(drop=True)


def named_blocks(cells: pd.DataFrame, profiles: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The rows of the sheet Layers with their block's identifiers, rows of no known profile left out."""
    cells = cells[cells[STUDIED + REFERENCE].notna().any(axis=1) | cells["entry"].notna()]
    starts = cells["entry"].notna()
    block = starts.cumsum()
    first = cells[starts].assign(block=block[starts]).set_index("block")
    cells = cells.assign(**{key: block.map(first[key]).astype("str") for key in KEYS})
    restarted = _restarted(cells, block)
    repeated = block.isin(first.index[first["entry"].duplicated()])
    unknown = ~cells["entry"].isin(profiles["entry"])
    wrong = pd.Series(False, index=cells.index)
    for rule, holds in (
        ("key-missing", block == 0),
        ("key-repeated", repeated),
        ("layers-without-profile", unknown),
        ("block-without-name", restarted),
    ):
        holds = holds & ~wrong
        log.add_rows(rule, cells["row"], holds.to_numpy(), "Identifier_1", cells["entry"][holds].fillna(""))
        wrong |= holds
    return cells[~wrong].reset_index(drop=True)


def _restarted(cells: pd.DataFrame, block: pd.Series) -> pd.Series:
    """Rows of a block from the first whose top lies above the top before it; litter rows do not count."""
    top = cells["top"].where(cells["top"] != cells["bot"])
    before = top.groupby(block).ffill().groupby(block).shift()
    return (top < before - DEEPEST_OVERLAP_CM).groupby(block).cummax()


def study_rows(cells: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The layers of the studied profiles: those with both bounds, litter that the source leaves out apart."""
    given = cells[cells[STUDIED].notna().any(axis=1)]
    for bound in ("top", "bot"):
        given = given.assign(**{bound: given[bound].fillna(given[f"summary_{bound}"])})
    lost = given["top"].isna() | given["bot"].isna()
    unused = (given["top"] == given["bot"]) & given["summary_f"].isna() & ~lost
    log.add_rows("depth-missing", given["row"], lost.to_numpy(), "z1, z2", given["entry"][lost])
    log.add_rows("organic-layer-unused", given["row"], unused.to_numpy(), "z2", given["entry"][unused])
    return given[~lost & ~unused].reset_index(drop=True)


def reference_rows(cells: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The layers of the reference profiles, under the titles of the studied ones; ``flags`` are set."""
    given = cells[cells[REFERENCE].notna().any(axis=1)]
    beside = given["ref_top"].isna() & given["ref_bot"].isna() & given["top"].notna() & given["bot"].notna()
    beside &= ~_inside_another(given)
    top, bot = (given[f"ref_{b}"].mask(beside, given[b]) for b in ("top", "bot"))
    lost = top.isna() | bot.isna()
    for rule, holds in (("reference-depth-from-study", beside), ("reference-depth-missing", lost)):
        log.add_rows(rule, given["row"], holds.to_numpy(), "z1ref, z2ref", given["entry"][holds])
    flags = pd.Series("reference-depth-from-study", index=given.index, dtype="str").where(beside, "")
    given = given.assign(ref_top=top, ref_bot=bot, flags=flags)
    return given[~lost].reset_index(drop=True)


def _inside_another(given: pd.DataFrame) -> pd.Series:
    """Rows whose studied layer shares depths with a reference layer of the block that states its own."""
    inside = pd.Series(False, index=given.index)
    for _, block in given.groupby("entry", sort=False):
        top, bot = (block[name].to_numpy()[:, None] for name in ("top", "bot"))
        shares = (top < block["ref_bot"].to_numpy()) & (bot > block["ref_top"].to_numpy())
        inside[block.index] = np.asarray(shares.any(axis=1))
    return inside


def with_layers(profiles: pd.DataFrame, study: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The profiles that have a layer; the others are logged."""
    alone = ~profiles["entry"].isin(study["entry"])
    log.add_rows(
        "profile-without-layers", profiles["row"], alone.to_numpy(), "Identifier_1", profiles["entry"][alone]
    )
    names = study.drop_duplicates("entry").set_index("entry")["profile"]
    other = profiles["entry"].map(names).ne(profiles["profile"]) & ~alone
    values = profiles["profile"][other]
    log.add_rows("profile-name-differs", profiles["row"], other.to_numpy(), "Internal_profile_ID", values)
    return profiles[~alone].reset_index(drop=True)


def shifted_stocks(reference: pd.Series, summary: pd.Series) -> bool:
    """Whether the summary repeats our stocks of a reference one row too low, with a gap before.

    >>> shifted_stocks(pd.Series([3.0, 2.0, 1.0]), pd.Series([3.0, 0.0, 2.0, 1.0]))
    True
    """
    ours, theirs = reference.dropna().reset_index(drop=True), summary.reset_index(drop=True)
    gaps = theirs.index[(theirs == 0) & (theirs.index < len(ours))]
    if len(gaps) == 0 or len(theirs) <= len(ours):
        return False
    return bool(close(theirs.drop(gaps[0]).reset_index(drop=True)[: len(ours)], ours).all())
