"""Measured Delta14C of bulk soil, from the radiocarbon database ISRaD, as values that models must answer.

Mineral soil that nobody treated (Lawrence et al. 2020, Earth Syst. Sci. Data 12:61). What is left out stands
in a table, row by row with its rule (`RULES`). Climate and clay are the study's where it gives them, else
those of the maps that the database read at the profile (WorldClim, SoilGrids); PET is always a map's.

The archive of new carbon holds some of the same places: Guillet_2001, marin-spiotta_2008 and Schwartz_1996
surely, Tifafi_2018, Monreal_1997 and de_Freitas_2001 perhaps. No number is in both, and scores of one
quantity count no soil twice; scores of f_new and of Delta14C are not quite independent there.
"""

import numpy as np
import pandas as pd

from subsoil.archive.findings import has_flag
from subsoil.archive.schema import KEYS, Archive, Reject, rejects_frame
from subsoil.archive.validate import validate
from subsoil.benchmark.protocol import depth_class
from subsoil.benchmark.reference import PROFILES, VALUES
from subsoil.errors import BadCall
from subsoil.isotopes import delta14c_sigma

TARGET, ASSUMED = "delta14c", "sigma-assumed"
PROFILE, NUMBER = list(KEYS["profile"]), "src_row"

DEFAULT_SIGMA = 5.0
"""Standard error (per mil) where none is known: that of a good measurement by counting or an older one by
accelerator; in ISRaD 1.1.2 half of the errors that are known lie below 4.5, three in four below 6.8."""
SMALLEST_SIGMA = 1.0
"""An error below this (per mil) is that of a fraction, not of Delta14C, and is not believed."""
DEEPEST = 200.0
"""cm: the grids of most models end here, as the 2018 archive does."""
MOST_CARBON = 20.0
"""Carbon (%) from which material is organic (IUSS Working Group WRB 2015, World Reference Base)."""
MIDDLE_OF_YEAR = 0.5
SITE_DEGREES = 1
"""Decimals of latitude and longitude that make a site: some 10 km, as studies give one place differently."""
SAME_VALUE = 0.01
"""Per mil: values of the database have two decimals at most, or many where computed from F14C."""
COPIES = (("Czimczik_Unpublished", "Lupascu_2018"), ("Huang_1996", "Huang_1999"), ("Bol_1996", "Huang_1996"))
"""Entries of the database that repeat values of another one, sometimes under other depths or coordinates."""

RULES = {
    "treated-soil": "the soil was treated",
    "organic-surface": "peat, or depth counted from the top of an organic layer",
    "above-mineral-soil": "reaches above the surface of the mineral soil",
    "no-thickness": "top and bottom are one depth",
    "organic-layer": f"an O horizon, or {MOST_CARBON:g} % carbon or more",
    "too-deep": f"reaches below {DEEPEST:g} cm",
    "14c-modern": "14C given twice, and the two differ",
    "no-year": "the year of sampling is missing",
    "no-climate": "neither the study nor a map gives temperature and precipitation",
    "copy": "stands already under another profile or entry",
    ASSUMED: f"no error that can be believed: {DEFAULT_SIGMA:g} per mil is taken",
}
"""Why a layer with 14C is left out; the last is a note on a layer that stays. Further rules are those of
`subsoil.archive.rules`: depths that cannot be, overlapping layers."""

LAND_USE = {"cultivated": "crop", "rangeland/grassland": "grassland"}
"""Words of the database for which the 2018 archive has others."""

FAR_DEGREES, FAR_KELVIN, OTHER_UNIT = 1.0, 6.0, 0.25
"""Study and map disagree: places (degrees), temperatures, and the ratio of precipitations below which the
study's is taken for cm or mm a month."""
YOUNG_KYR = 3.0
"""Age of a soil up to which its rest is doubted, as carbon of the subsoil may be as old: our choice."""
PEAK = (1956, 1972)
"""Years in which the 14C of zones of the air differed by up to a quarter (`archive.atmosphere.zone_of`)."""


def observations(archive: Archive) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measured Delta14C (`VALUES`), their profiles (`PROFILES`) and what was left out or assumed, row by row.

    archive: ISRaD's (`subsoil.archive.readers.israd`), validated or not. Left out are rows of severity
    "error", assumed errors are "note" (`archive.schema.REJECT_COLUMNS`; `RULES`). The three tables account
    for each layer of the archive that has 14C. obs_year: the middle of the year of sampling. Sites are places
    rounded to 0.1 degree. Errors: spread of replicates, else that of the laboratory, else `DEFAULT_SIGMA`.

    Raises BadCall for an archive without 14C.
    """
    measured = archive.layer[archive.layer["lyr_14c"].notna()]
    if measured.empty:
        raise BadCall("the archive has no layer with Delta14C (lyr_14c): is it the one of ISRaD?")
    checked = validate(archive)
    rows = _described(checked)
    rows["rule"] = _rules(rows)
    kept, unusable = rows[rows["rule"] == ""], measured[~measured[NUMBER].isin(rows[NUMBER])].copy()
    unusable["rule"] = _lost(unusable[NUMBER], checked.rejects)
    sigma = _sigma(kept)
    assumed = kept[sigma.isna()].assign(rule=ASSUMED)
    told = pd.concat([unusable, rows[rows["rule"] != ""], assumed]).sort_values(NUMBER, kind="stable")
    values = _values(kept, sigma.fillna(DEFAULT_SIGMA))
    return values, _profiles(kept), rejects_frame(_reject(archive.source, row) for _, row in told.iterrows())


def _values(rows: pd.DataFrame, sigma: pd.Series) -> pd.DataFrame:
    table = rows.assign(
        target=TARGET,
        years=np.nan,
        sigma=sigma,
        depth_class=depth_class(rows["lyr_top"], rows["lyr_bot"]),
        layer_top=rows["lyr_top"],
        layer_bottom=rows["lyr_bot"],
        observed=rows["lyr_14c"],
    )
    return table[list(VALUES)].reset_index(drop=True)


def _described(archive: Archive) -> pd.DataFrame:
    """Layers with 14C in the order of their names, each with its profile, site and study."""
    layer = archive.layer[archive.layer["lyr_14c"].notna()]
    rows = layer.merge(_above(archive, "profile"), how="left", on=PROFILE)
    rows = rows.merge(_above(archive, "site"), how="left", on=list(KEYS["site"]))
    rows = rows.merge(_above(archive, "metadata"), how="left", on=list(KEYS["metadata"]))
    rows["latitude"] = rows["pro_lat"].fillna(rows["site_lat"])
    rows["longitude"] = rows["pro_long"].fillna(rows["site_long"])
    rows["profile_id"] = "israd/" + rows["entry_name"] + "/" + rows["site_name"] + "/" + rows["pro_name"]
    place = [(rows[name].round(SITE_DEGREES) + 0.0).astype("str") for name in ("latitude", "longitude")]
    rows["site_id"] = place[0] + "," + place[1]
    rows["obs_year"] = rows["lyr_obs_date_y"] + MIDDLE_OF_YEAR
    rows["mat"] = rows["pro_MAT"].fillna(_number(rows, "pro_bio1") / 10.0)
    mapped = _number(rows, "pro_bio12")
    rows["map"] = rows["pro_MAP"].mask(rows["pro_MAP"] < OTHER_UNIT * mapped).fillna(mapped)
    order = ["profile_id", "lyr_top", "lyr_bot", "lyr_obs_date_y", "lyr_14c", "lyr_name", NUMBER]
    return rows.sort_values(order, kind="stable", ignore_index=True)


def _above(archive: Archive, name: str) -> pd.DataFrame:
    table = archive.table(name).drop(columns=NUMBER, errors="ignore")
    return table.drop_duplicates(list(KEYS[name]))


def _number(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column that the archive may lack."""
    return rows[column] if column in rows else pd.Series(np.nan, index=rows.index)


def _rules(rows: pd.DataFrame) -> pd.Series:
    """The first rule by which a row is left out, or ""."""
    carbon = rows["lyr_c_org"].fillna(rows["lyr_c_tot"])
    organic = rows["lyr_hzn"].str.match(r"O|[Ll]itter").eq(True)
    met = {
        "treated-soil": rows["pro_treatment"].eq("treatment"),
        "organic-surface": rows["pro_peatland"].eq("yes")
        | rows["lyr_all_org_neg"].eq("yes")
        | rows["pro_usda_soil_order"].eq("Histosols"),
        "above-mineral-soil": rows["lyr_top"] < 0.0,
        "no-thickness": rows["lyr_bot"] <= rows["lyr_top"],
        "organic-layer": organic | (carbon >= MOST_CARBON),
        "too-deep": rows["lyr_bot"] > DEEPEST,
        "14c-modern": pd.Series(has_flag(rows["flags"], "14c-modern"), index=rows.index),
        "no-year": rows["obs_year"].isna(),
        "no-climate": rows["mat"].isna() | rows["map"].isna(),
    }
    rule = pd.Series(np.select([m.fillna(False) for m in met.values()], list(met), ""), index=rows.index)
    return rule.mask(_copied(rows[rule == ""]).reindex(rule.index, fill_value=False), "copy")


def _copied(rows: pd.DataFrame) -> pd.Series:
    """Rows that repeat another: same place, depths, year and value; or a value of the entry they repeat."""
    value = (rows["lyr_14c"] / SAME_VALUE).round()
    key = pd.DataFrame({name: rows[name] for name in ("site_id", "lyr_top", "lyr_bot", "lyr_obs_date_y")})
    same = key.assign(value=value).duplicated()
    for copy, original in COPIES:
        given = value[rows["entry_name"] == original]
        same |= (rows["entry_name"] == copy) & value.isin(given)
    near = key[has_flag(rows["flags"], "duplicate-place")].drop(columns="lyr_obs_date_y")
    return same | near.duplicated().reindex(same.index, fill_value=False)


def _sigma(rows: pd.DataFrame) -> pd.Series:
    """Standard error, per mil, missing where none is given that can be believed."""
    modern = pd.Series(
        delta14c_sigma(rows["lyr_fraction_modern_sigma"], rows["obs_year"]), index=rows.index, dtype=float
    )
    sigma = pd.Series(np.nan, index=rows.index)
    for given in (rows["lyr_14c_sd"], rows["lyr_14c_sigma"], modern):
        sigma = sigma.fillna(given.where(given >= SMALLEST_SIGMA))
    return sigma


def _profiles(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each profile, in the order of its name."""
    of_profile = rows.groupby("profile_id", sort=True)
    first = of_profile[
        ["site_id", "study_id", "latitude", "longitude", "mat", "map", "pro_PET", "pro_land_cover"]
    ].first()
    topsoil = rows[rows["lyr_bot"] <= 30.0].groupby("profile_id")["lyr_clay_tot_psa"].mean()
    maps = rows.assign(
        clay=sum(_number(rows, f"pro_SG_clay_{depth}cm") for depth in (0, 10, 30)) / 3.0
    ).groupby("profile_id")["clay"]
    table = first.assign(
        profile_id=first.index,
        archive="israd",
        p_pet=first["map"] / first["pro_PET"],
        clay=topsoil.reindex(first.index).fillna(maps.first()) / 100.0,
        land_use=first["pro_land_cover"].replace(LAND_USE).fillna(""),
        labelling_years=np.nan,
        obs_year=of_profile["obs_year"].last(),
        tropical=False,
        doubts=_doubts(rows),
    )
    return table[list(PROFILES)].reset_index(drop=True)


def _doubts(rows: pd.DataFrame) -> pd.Series:
    """What speaks against a steady state of each profile, or for another climate, in words."""
    mapped = _number(rows, "pro_bio1") / 10.0
    far = [(rows[f"pro_{a}"] - rows[f"site_{a}"]).abs() > FAR_DEGREES for a in ("lat", "long")]
    frozen = rows["pro_usda_soil_order"].eq("Gelisols") | rows["pro_land_cover"].eq("tundra")
    met = {
        "cryoturbated or permafrost": frozen | rows["pro_permafrost"].eq("yes") | (rows["mat"] < 0.0),
        "wetland": rows["pro_land_cover"].eq("wetland"),
        f"soil younger than {1000 * YOUNG_KYR:g} yr": rows["pro_soil_age"] <= YOUNG_KYR,
        "buried horizon": rows["lyr_hzn"].str.match(r"\d*[ABC][a-z]*b\d*$").eq(True),
        "sampled before 1950": rows["obs_year"] < 1950,
        f"sampled {PEAK[0]} to {PEAK[1]}, when zones of the air differed": rows["lyr_obs_date_y"].between(
            *PEAK
        ),
        "places of site and profile differ": far[0] | far[1],
        "temperatures of study and map differ": (rows["pro_MAT"] - mapped).abs() > FAR_KELVIN,
    }
    words = pd.Series("", index=rows["profile_id"].unique(), dtype="str")
    for doubt, mask in met.items():
        here = words.index.isin(rows["profile_id"][mask.fillna(False)])
        words = words.where(~here, words + np.where(words == "", "", "; ") + doubt)
    return words


def _lost(rows: pd.Series, rejects: pd.DataFrame) -> pd.Series:
    """The rule by which validation took layers out, by their row."""
    taken = rejects[(rejects["severity"] == "error") & (rejects["sheet"] == "layer")]
    return rows.map(taken.drop_duplicates("row").set_index("row")["rule"]).fillna("not-valid").astype("str")


def _reject(source: str, row: pd.Series) -> Reject:
    assumed = row["rule"] == ASSUMED
    name = "/".join(str(row[key]) for key in KEYS["layer"])
    return Reject(
        source,
        "layer",
        int(row[NUMBER]),
        "lyr_14c_sigma" if assumed else "lyr_14c",
        row["rule"],
        f"{row['lyr_14c']:.6g}",
        "note" if assumed else "error",
        f"{name}: {RULES.get(row['rule'], 'not valid: see the rejects of the archive')}",
    )
