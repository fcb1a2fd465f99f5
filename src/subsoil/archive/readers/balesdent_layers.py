"""Raw rows of the 2018 workbook as layers of the archive, for the studied and the reference profiles."""

import numpy as np
import pandas as pd

from subsoil.archive.readers.balesdent_rules import alexander
from subsoil.isotopes import spread

KG_M2_PER_G_CM2 = 10.0
G_KG_PER_PERCENT = 10.0


def study_layers(t: pd.DataFrame) -> pd.DataFrame:
    """The studied layers; ``t`` holds the raw columns and ``flags``, names of the rules that hold."""
    exchanged = t["flags"].str.contains("new-and-old-exchanged")
    new, old = (t[a].mask(exchanged, t[b]) for a, b in (("new", "old"), ("old", "new")))
    new_sd, old_sd = (_sd(t, a).mask(exchanged, _sd(t, b)) for a, b in (("new", "old"), ("old", "new")))
    new_n, old_n = (t[f"{a}_n"].mask(exchanged, t[f"{b}_n"]) for a, b in (("new", "old"), ("old", "new")))
    pedotransfer = t["bd_calc"].where((t["bd_calc"] > 0) & t["c"].notna())
    total = t["soc"].fillna(t["new"] + t["old"])
    by_author = t["src_soc"] == "author"
    computed = _stock(t["c"], t["bd"].fillna(pedotransfer), t["bot"] - t["top"]).where(t["src_soc"].notna())
    soc = total.fillna(t["summary_soc"]).where(by_author, computed)
    at_depth = t["ref_d13c_here"].notna()
    nearest = _nearest_reference(t)
    return pd.DataFrame(
        {
            **_common(t, "", t["top"], t["bot"]),
            "lyr_mid": t["mid"].fillna((t["top"] + t["bot"]) / 2),
            **_density(t["bd"], pedotransfer),
            **_soc(t, "soc", soc, by_author),
            "lyr_soc_new": new / KG_M2_PER_G_CM2,
            "lyr_soc_new_sd": new_sd / KG_M2_PER_G_CM2,
            "lyr_soc_new_n": new_n,
            "lyr_soc_old": old / KG_M2_PER_G_CM2,
            "lyr_soc_old_sd": old_sd / KG_M2_PER_G_CM2,
            "lyr_soc_old_n": old_n,
            "pair_ref_13c": t["ref_d13c_here"].fillna(t["ref_d13c"]),
            "pair_ref_13c_sd": nearest["sd"],
            "pair_ref_13c_n": nearest["n"],
            "pair_ref_origin": _words(
                t.index, {"same row": t["ref_d13c"].notna() & ~at_depth, "at study depth": at_depth}
            ),
            "pair_delta_veg": t["delta_veg"],
            "f_author": new / total,
            "src_f": _words(t.index, {"isotopes": t["src_f"] != "author", "author": t["src_f"] == "author"}),
        }
    )


def reference_layers(t: pd.DataFrame) -> pd.DataFrame:
    """The layers of the reference profiles, one copy beside each studied profile."""
    carbon = t["ref_c"]
    pedotransfer = pd.Series(alexander(carbon.to_numpy()), index=t.index)
    pedotransfer = pedotransfer.where(pedotransfer > 0)
    computed = _stock(carbon, t["ref_bd"].fillna(pedotransfer), t["ref_bot"] - t["ref_top"])
    by_author = t["ref_soc"].notna()
    return pd.DataFrame(
        {
            **_common(t, "ref_", t["ref_top"], t["ref_bot"]),
            "lyr_mid": (t["ref_top"] + t["ref_bot"]) / 2,
            **_density(t["ref_bd"], pedotransfer),
            **_soc(t, "ref_soc", t["ref_soc"].fillna(computed), by_author),
        }
    )


def _common(t: pd.DataFrame, side: str, top: pd.Series, bot: pd.Series) -> dict[str, pd.Series]:
    """Columns that both sides have; ``side`` is "" for the studied and "ref_" for the reference profile."""
    names = [f"{a:g}-{b:g}" for a, b in zip(top, bot, strict=True)]
    return {
        "entry_name": t["entry"],
        "pro_name": t[f"{side}profile"],
        "lyr_name": pd.Series(names, index=t.index, dtype="str"),
        "lyr_top": top,
        "lyr_bot": bot,
        "lyr_c_org": t[f"{side}c"] / G_KG_PER_PERCENT,
        "lyr_c_org_sd": _sd(t, f"{side}c") / G_KG_PER_PERCENT,
        "lyr_c_org_n": t[f"{side}c_n"],
        "lyr_13c": t[f"{side}d13c"],
        "lyr_13c_sd": _sd(t, f"{side}d13c"),
        "lyr_13c_n": t[f"{side}d13c_n"],
        "flags": t["flags"],
        "src_row": t["row"].astype("float64"),
    }


def _soc(t: pd.DataFrame, key: str, soc: pd.Series, by_author: pd.Series) -> dict[str, pd.Series]:
    author = {"C x BD x thickness": soc.notna() & ~by_author, "author": soc.notna() & by_author}
    return {
        "lyr_soc": soc / KG_M2_PER_G_CM2,
        "lyr_soc_sd": _sd(t, key).where(by_author) / KG_M2_PER_G_CM2,
        "lyr_soc_n": t[f"{key}_n"].where(by_author),
        "src_soc": _words(t.index, author),
    }


def _density(measured: pd.Series, pedotransfer: pd.Series) -> dict[str, pd.Series]:
    sources = {"Alexander": pedotransfer.notna() & measured.isna(), "author": measured.notna()}
    return {
        "lyr_bd_samp": measured,
        "lyr_bd_fill": measured.fillna(pedotransfer),
        "src_bd": _words(measured.index, sources),
    }


def _stock(carbon: pd.Series, density: pd.Series, thickness: pd.Series) -> pd.Series:
    """Carbon stock (kg m-2) of C (g kg-1), bulk density (g cm-3) and thickness (cm); 0 without thickness."""
    return (carbon * density * thickness / 100).mask(thickness == 0, 0.0)


def _sd(t: pd.DataFrame, key: str) -> pd.Series:
    return pd.Series(spread(t[f"{key}_spread"], t[f"{key}_kind"].to_numpy(), t[f"{key}_n"]), index=t.index)


def _nearest_reference(t: pd.DataFrame) -> pd.DataFrame:
    """Spread and replicates of the reference for each layer: its own row's, else the nearest in depth.

    A value that the source gives at the study depth has no spread of its own.
    """
    out = pd.DataFrame({"sd": _sd(t, "ref_d13c"), "n": t["ref_d13c_n"]}).where(t["ref_d13c"].notna())
    mid, ref_mid = (t["top"] + t["bot"]) / 2, (t["ref_top"] + t["ref_bot"]) / 2
    given = t["entry"].isin(t["entry"][t["ref_d13c_here"].notna()])
    for _, block in t[given].groupby("entry", sort=False):
        sampled = block.index[block["ref_d13c"].notna() & ref_mid[block.index].notna()]
        wanting = block.index[block["ref_d13c_here"].notna()]
        if len(sampled):
            distance = np.abs(ref_mid[sampled].to_numpy() - mid[wanting].to_numpy()[:, None])
            out.loc[wanting] = out.loc[sampled].to_numpy()[distance.argmin(axis=1)]
    return out


def _words(index: pd.Index, where: dict[str, pd.Series]) -> pd.Series:
    """A text column: each word on its rows, missing elsewhere."""
    out = pd.Series([None] * len(index), index=index, dtype="str")
    for word, rows in where.items():
        out = out.mask(rows, word)
    return out
