"""Reader of the supplementary workbook of Balesdent et al. 2018 (doi 10.1038/s41586-018-0328-3).

112 profiles in which the 13C of the plant input changed at a known time, each beside a reference
profile. What the authors measured or cite goes into the archive; what they computed (f at a depth,
cumulative stocks) is kept apart in ``summary`` and serves only to check that we reproduce it.

Rules of this reader:

- Every trap has a name: see ``balesdent_rules.RULES``. Reading repairs what the source contradicts
  itself in, and flags it; it does not judge plausibility, which is the matter of validation.
- Stock: the author's, else C x BD x thickness / 100; BD measured, else Alexander's function.
- δ13C of the reference: the value that the source gives at the study depth, else the one of the row.
- Spread: converted to the SD of replicates (``subsoil.isotopes.spread``); an unknown type gives none.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from subsoil.archive.readers.balesdent_blocks import (
    known_profiles,
    named_blocks,
    reference_rows,
    shifted_stocks,
    study_rows,
    with_layers,
)
from subsoil.archive.readers.balesdent_layers import reference_layers, study_layers
from subsoil.archive.readers.balesdent_layout import LAYERS, PROFILES, fits, read_sheet
from subsoil.archive.readers.balesdent_rules import (
    REFERENCE_TESTS,
    RULES,
    STUDY_TESTS,
    off_the_line,
    run_tests,
)
from subsoil.archive.readers.cells import Grid, Log, numbers
from subsoil.archive.readers.study_labels import study_labels
from subsoil.archive.readers.vocabulary import (
    in_vocabulary,
    land_cover,
    pair_quality,
    photosynthesis,
    site_names,
)
from subsoil.archive.schema import Archive, Reject, rejects_frame, typed
from subsoil.archive.workbook import Book, open_book

__all__ = ["fits", "read", "summary"]

SOURCE = "balesdent2018"
COMPILATION_DOI = "10.1038/s41586-018-0328-3"
STATED_FIRST_YEAR = 1965
ROUNDED_TO_CM = 10  # the workbook rounds the deepest bound up or down to this


def read(source: str | Path | Book) -> Archive:
    """The workbook as an archive: 112 study profiles with 754 layers, and their reference profiles.

    Raises
    ------
    UnreadableFile
        The file is not this workbook, or lacks a sheet or a column.
    """
    book = source if isinstance(source, Book) else open_book(source)
    profiles, grid, rejects_p = read_sheet(book, "Profiles", PROFILES)
    cells, _, rejects_l = read_sheet(book, "Layers", LAYERS)
    log_p, log_l = Log(book.file, "Profiles", RULES), Log(book.file, "Layers", RULES)
    profiles["summary_depth"] = _summary_depth(grid, profiles, log_p)
    profiles = known_profiles(profiles, log_p)
    cells = named_blocks(cells, profiles, log_l)
    study, reference = study_rows(cells, log_l), reference_rows(cells, log_l)
    study["flags"] = _joined(_cell_flags(study, rejects_l, ""), run_tests(STUDY_TESTS, study, log_l))
    reference["flags"] = _joined(
        reference["flags"],
        _cell_flags(reference, rejects_l, "ref_"),
        run_tests(REFERENCE_TESTS, reference, log_l),
    )
    profiles = _repaired(with_layers(profiles, study, log_p), log_p)
    layer = pd.concat([study_layers(study), reference_layers(reference)], ignore_index=True)
    layer = _dated(layer, profiles)
    _note_profiles(profiles, layer, log_p)
    _note_references(study, layer, log_l)
    rejects = [*book.rejects, *rejects_p, *rejects_l, *log_p.rejects, *log_l.rejects]
    return Archive(
        metadata=typed("metadata", _metadata(profiles)),
        site=typed("site", _sites(profiles)),
        profile=typed("profile", pd.concat([_studied(profiles), _references(profiles, layer)])),
        layer=typed("layer", layer),
        rejects=rejects_frame(rejects),
        source=SOURCE,
    )


# ---- flags and notes --------------------------------------------------------------------------------------


def _joined(*flags: pd.Series) -> pd.Series:
    return pd.Series(["; ".join(filter(None, row)) for row in zip(*flags, strict=True)], dtype="str")


def _cell_flags(rows: pd.DataFrame, rejects: list[Reject], side: str) -> pd.Series:
    """Names of the rules that repaired a cell of these rows, on the side of the profile or its reference."""
    titles = {c.title for c in LAYERS if c.key.startswith("ref_") == (side == "ref_")}
    found: dict[int, list[str]] = {}
    for r in rejects:
        if r.severity == "warning" and r.column in titles and r.rule not in found.get(r.row, []):
            found.setdefault(r.row, []).append(r.rule)
    return pd.Series(["; ".join(found.get(row, [])) for row in rows["row"]], dtype="str")


def _repaired(profiles: pd.DataFrame, log: Log) -> pd.DataFrame:
    """Profiles with the words of our vocabularies; zero replicates count as unknown."""
    zero = profiles["ref_reps"] == 0
    title = "reference_nb_replicated profiles"
    log.add_rows(
        "reference-replicates-zero", profiles["row"], zero.to_numpy(), title, profiles["entry"][zero]
    )
    return profiles.assign(
        ref_reps=profiles["ref_reps"].mask(zero),
        land_use=_vocabulary(profiles, "land_use", "pro_land_use", "Land_Use", log),
        ref_land_use=_vocabulary(profiles, "ref_land_use", "pro_land_use", "reference_LANDUSE", log),
        previous=_vocabulary(profiles, "previous", "pro_prev_land_cover", "Previous vegetation", log),
        label_type=_vocabulary(profiles, "label_type", "pro_label_type", "Label type", log),
        site_name=site_names(profiles["lat"], profiles["long"], profiles["entry"]),
        study_id=study_labels(profiles["reference"]),
    )


def _summary_depth(grid: Grid, profiles: pd.DataFrame, log: Log) -> pd.Series:
    """The deepest depth for which the workbook gives a cumulative stock."""
    totals = _long(profiles["entry"], _computed(grid, log), *_BY_DEPTH["c_total"])
    deep = totals[totals["value"] > 0].groupby("entry_name")["depth_cm"].max()
    return profiles["entry"].map(deep).astype("float64")


def _vocabulary(profiles: pd.DataFrame, key: str, name: str, title: str, log: Log) -> pd.Series:
    """A column in the words of a variable, whatever their case and with or without "prev" before."""
    found = in_vocabulary(profiles[key].str.strip().str.lower().str.removeprefix("prev"), name)
    odd = found.isna() & profiles[key].notna()
    log.add_rows("unknown-word", profiles["row"], odd.to_numpy(), title, profiles[key][odd])
    return found


def _note_profiles(profiles: pd.DataFrame, layer: pd.DataFrame, log: Log) -> None:
    studied = layer[layer["src_f"].notna()].groupby("entry_name")
    of_entry = pd.DataFrame(
        {"layers": studied.size(), "deepest": studied["lyr_bot"].max(), "stocks": studied["lyr_soc"].count()}
    ).reindex(profiles["entry"])
    of_entry.index = profiles.index
    summed = profiles["summary_depth"] > of_entry["deepest"] + ROUNDED_TO_CM
    for rule, holds, title, value in (
        ("labelled-by-co2", profiles["label_type"] == "FACE", "Label type", profiles["entry"]),
        (
            "sampled-before-1965",
            profiles["obs_year"] < STATED_FIRST_YEAR,
            "Sampling date",
            profiles["obs_year"],
        ),
        (
            "horizons-miscounted",
            profiles["n_layers"] != of_entry["layers"],
            "nb horizons",
            profiles["n_layers"],
        ),
        ("no-stock", of_entry["stocks"] == 0, "Source C stock", profiles["entry"]),
        ("summary-below-soil", summed, "Ctotal_0-100", profiles["summary_depth"]),
    ):
        log.add_rows(rule, profiles["row"], holds.to_numpy(bool), title, value[holds])


def _note_references(study: pd.DataFrame, layer: pd.DataFrame, log: Log) -> None:
    off = off_the_line(study)
    title = "d13Cref_at_study_soil_depth"
    log.add_rows("reference-not-on-the-line", study["row"], off.to_numpy(bool), title, study["entry"][off])
    ours = layer[layer["pro_name"].isin(study["ref_profile"])].groupby("entry_name")["lyr_soc"]
    stocks = {entry: soc * 10 for entry, soc in ours}
    gaps = study["entry"].isin(study["entry"][study["summary_ref_soc"] == 0])
    for entry, block in study[gaps].groupby("entry", sort=False):
        if entry in stocks and shifted_stocks(stocks[entry], block["summary_ref_soc"]):
            log.add("reference-stock-shifted", block["row"].iloc[0], "Cstock_reference", entry)


# ---- tables -----------------------------------------------------------------------------------------------


def _dated(layer: pd.DataFrame, profiles: pd.DataFrame) -> pd.DataFrame:
    by_entry = profiles.set_index("entry")
    layer = layer[layer["entry_name"].isin(by_entry.index)].reset_index(drop=True)
    return layer.assign(
        site_name=layer["entry_name"].map(by_entry["site_name"]),
        lyr_obs_date_y=layer["entry_name"].map(by_entry["obs_year"]),
    )


def _metadata(p: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "entry_name": p["entry"],
            "compilation_doi": COMPILATION_DOI,
            "bibliographical_reference": p["reference"],
            "study_id": p["study_id"],
            "src_row": p["row"].astype("float64"),
        }
    )


def _sites(p: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "entry_name": p["entry"],
            "site_name": p["site_name"],
            "site_lat": p["lat"],
            "site_long": p["long"],
            "site_elevation": p["elevation"],
            "country": p["country"],
            "src_elevation": p["src_elevation"],
            "src_row": p["row"].astype("float64"),
        }
    )


def _shared(p: pd.DataFrame) -> dict[str, object]:
    """Columns that a profile and its reference have in common."""
    return {
        "entry_name": p["entry"],
        "site_name": p["site_name"],
        "pro_lat": p["lat"],
        "pro_long": p["long"],
        "pro_MAT": p["mat"],
        "pro_MAP": p["map"],
        "pro_P_PET": p["p_pet"],
        "pro_soil_taxon": p["soil"],
        "pro_clay": p["clay"],
        "pro_texture": p["texture"],
        "src_MAT": p["src_mat"],
        "src_MAP": p["src_map"],
        "src_clay": p["src_clay"],
        "src_obs_date": p["src_obs_year"],
        "src_row": p["row"].astype("float64"),
    }


def _studied(p: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **_shared(p),
            "pro_name": p["profile"],
            "pro_treatment": "treatment",
            "pro_reps": p["reps"],
            "pro_land_use": p["land_use"],
            "pro_land_cover": land_cover(p["land_use"]),
            "pro_lc_photosyn_path": photosynthesis(p["label_type"]),
            "pro_veg_note": p["vegetation"],
            "pro_prev_land_cover": p["previous"],
            "pro_label_type": p["label_type"],
            "pro_label_years": p["years"],
            "pro_max_depth": p["max_depth"],
            "pro_n_layers": p["n_layers"],
            "ref_pro_name": p["ref_profile"],
            "pair_ref_is_previous": p["ref_is_previous"],
            "pair_quality": pair_quality(p["ref_is_previous"], p["reps"], p["ref_reps"]),
        }
    )


def _references(p: pd.DataFrame, layer: pd.DataFrame) -> pd.DataFrame:
    """One row for the reference beside each profile; without layers where the source gives none."""
    deepest = layer.groupby(["entry_name", "pro_name"])["lyr_bot"].max()
    keys = pd.MultiIndex.from_arrays([p["entry"], p["ref_profile"]])
    return pd.DataFrame(
        {
            **_shared(p),
            "pro_name": p["ref_profile"],
            "pro_treatment": "control",
            "pro_reps": p["ref_reps"],
            "pro_land_use": p["ref_land_use"],
            "pro_land_cover": land_cover(p["ref_land_use"]),
            "pro_lc_photosyn_path": photosynthesis(p["label_type"], reference=True),
            "pro_veg_note": p["ref_vegetation"],
            "pro_max_depth": deepest.reindex(keys).to_numpy(),
        }
    )


# ---- what the authors computed ----------------------------------------------------------------------------

_BY_DEPTH = {
    "f_depth": (r"f_(\d+)", "f"),
    "c_total": (r"ctotal_0_([1-9]\d*)", "value"),  # the workbook writes 0 at 0 cm, stock or no stock
    "c_new": (r"cnew_0_([1-9]\d*)", "value"),
    "c_reference": (r"cref_0_([1-9]\d*)", "value"),
}
_BY_PROFILE = {
    "f_0_30": "f0_30",
    "f_30_100": "f_30_100",
    "c_total_0_100": "ctotal_0_100estim",
    "c_new_0_100": "cnew_0_100estim",
    "c_reference_0_100": "cref_0_100estim",
}
_SHARE = re.compile(r"rcn(?:ew)?_(\d+)_(\d+)_to_0_100")
_BY_LAYER = {
    "entry": "entry_name",
    "row": "row",
    "top": "lyr_top",
    "bot": "lyr_bot",
    "mid": "lyr_mid",
    "summary_f": "ratio_newCtoC",
    "summary_soc": "c_stock",
    "summary_new": "c_new_stock",
    "summary_ref_soc": "c_reference_stock",
}


def summary(source: str | Path | Book) -> dict[str, pd.DataFrame]:
    """What the authors computed, to be reproduced and never to be used as data.

    ``f_depth`` (entry_name, depth_cm, f), ``c_total``, ``c_new``, ``c_reference`` (entry_name, depth_cm,
    value: stock from 0 to the depth, kg m-2), ``shares`` (entry_name, top_cm, bottom_cm, value: share of
    the new carbon of 0-100 cm), ``profiles`` (entry_name, max_depth, f_0_30, f_30_100 and the stocks
    0-100 cm that the authors extrapolate, kg m-2), ``layers`` (entry_name, row, lyr_top, lyr_bot, lyr_mid,
    ratio_newCtoC, c_stock, c_new_stock, c_reference_stock; kg m-2). Missing values are left out of the
    long tables.
    """
    book = source if isinstance(source, Book) else open_book(source)
    profiles, grid, _ = read_sheet(book, "Profiles", PROFILES)
    cells, _, _ = read_sheet(book, "Layers", LAYERS)
    log = Log(book.file, "Profiles", RULES)
    columns = _computed(grid, log)
    out = {name: _long(profiles["entry"], columns, *how) for name, how in _BY_DEPTH.items()}
    out["shares"] = _shares(profiles["entry"], columns)
    per_profile = {name: columns.get(key, np.nan) for name, key in _BY_PROFILE.items()}
    out["profiles"] = pd.DataFrame(
        {"entry_name": profiles["entry"], "max_depth": profiles["max_depth"], **per_profile}
    )
    cells["entry"] = cells["entry"].ffill()
    layers = cells[cells["summary_f"].notna()][list(_BY_LAYER)].rename(columns=_BY_LAYER)
    out["layers"] = layers.reset_index(drop=True)
    return out


def _computed(grid: Grid, log: Log) -> dict[str, np.ndarray]:
    """The columns of the sheet Profiles that the authors computed, by key."""
    named = set(_BY_PROFILE.values())
    patterns = [re.compile(pattern) for pattern, _ in _BY_DEPTH.values()] + [_SHARE]
    keys = [k for k in grid.titles if k in named or any(p.fullmatch(k) for p in patterns)]
    return {key: numbers(grid, key, log) for key in keys}


def _long(entries: pd.Series, columns: dict[str, np.ndarray], pattern: str, name: str) -> pd.DataFrame:
    """Columns of one quantity at several depths, one row a value."""
    found = {int(m[1]): values for key, values in columns.items() if (m := re.fullmatch(pattern, key))}
    parts = [
        pd.DataFrame({"entry_name": entries, "depth_cm": float(depth), name: values})
        for depth, values in sorted(found.items())
    ]
    if not parts:
        return pd.DataFrame({"entry_name": [], "depth_cm": [], name: []})
    table = pd.concat(parts).dropna(subset=[name])
    return table.sort_values(["entry_name", "depth_cm"], kind="stable").reset_index(drop=True)


def _shares(entries: pd.Series, columns: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {"entry_name": entries, "top_cm": float(m[1]), "bottom_cm": float(m[2]), "value": values}
        )
        for key, values in columns.items()
        if (m := _SHARE.fullmatch(key))
    ]
    names = ["entry_name", "top_cm", "bottom_cm", "value"]
    table = pd.concat(parts) if parts else pd.DataFrame(columns=names)
    return table.dropna(subset=["value"]).sort_values(names[:3], kind="stable").reset_index(drop=True)
