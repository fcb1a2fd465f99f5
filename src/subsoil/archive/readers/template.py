"""Reader of our own template, as workbook or as one flat CSV.

Rules of this reader: the row of units and the worked examples are left out; a profile that others name
as reference is a control; stocks are turned into ISRaD's unit or computed from content, density and
thickness; the reference is brought to the depths of the study layers (``pairing``). Bounds, depth logic,
repeated rows and plausibility are the matter of validation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from subsoil.archive.readers import pairing
from subsoil.archive.readers.cells import (
    Grid,
    Log,
    Rule,
    find_header,
    is_missing,
    make_grid,
    need,
    numbers,
    plain,
    repeated_sheet,
    truths,
    words,
)
from subsoil.archive.readers.template_layout import (
    EXAMPLE_MARK,
    FLAT_FIELDS,
    LAYER_FIELDS,
    LAYER_SHEET,
    PROFILE_FIELDS,
    PROFILE_SHEET,
    SPREADS,
    UNITS_MARK,
    Field,
    titles,
)
from subsoil.archive.readers.vocabulary import (
    in_vocabulary,
    land_cover,
    pair_quality,
    photosynthesis,
    site_names,
)
from subsoil.archive.schema import Archive, Reject, rejects_frame, typed
from subsoil.archive.workbook import Book, Sheet
from subsoil.errors import UnreadableFile
from subsoil.isotopes import spread
from subsoil.variables import columns

SOURCE = "template"
EXPECTED = "the template that `subsoil template FILE.xlsx` writes"
KG_M2_PER_G_CM2 = 10.0
FLAT = "flat"
SITE_DEGREES = 0.05  # a site is an area of less than 5 km radius
PROFILE_KEYS = ("entry_name", "pro_name")
NOT_OF_PROFILE = [
    *("site_lat", "site_long", "site_elevation", "country", "doi", "bibliographical_reference"),
    *("pair_delta_veg", "pair_delta_veg_sigma"),
]

RULES = {
    **pairing.RULES,
    **{
        rule.name: rule
        for rule in (
            Rule("example-row", "note", "a worked example of the template: left out"),
            Rule(
                "values-differ",
                "warning",
                "rows of one study, site or profile differ here: the first is used",
            ),
            Rule(
                "place-missing", "warning", "no latitude or longitude: the site bears the name of the entry"
            ),
            Rule(
                "site-too-wide",
                "warning",
                "more than 5 km from the first profile of its site, whose place is used",
            ),
            Rule("profile-unknown", "error", "the sheet profiles has no such profile; the layer is not used"),
            Rule("profile-without-layers", "warning", "no layer names this profile"),
            Rule("two-spreads", "warning", "SD and standard error are both given: the SD is used"),
        )
    },
}


def fits(book: Book) -> bool:
    """Whether a book is the template: its titles are those of the sheets it writes."""
    roles = {role for role, _ in _roles(book)}
    return FLAT in roles or {PROFILE_SHEET, LAYER_SHEET} <= roles


def read(book: Book) -> Archive:
    """A filled template as an archive.

    Raises
    ------
    UnreadableFile
        A sheet or a required column is absent, or nothing is filled in.
    """
    form = _form(book)
    if form.profiles.empty or form.layers.empty:
        raise UnreadableFile(f"{book.file} holds no profiles and layers of your own yet: fill its rows in")
    about_profiles, about_layers = form.logs[0], form.logs[-1]
    profiles = _placed(_named(form.profiles, about_profiles), about_profiles)
    layers = _linked(_named(form.layers, about_layers, unique=False), profiles, about_layers)
    _note_empty(profiles, layers, about_profiles)
    layer = pairing.pair_references(typed("layer", _layers(layers, about_layers)), profiles, about_layers)
    metadata, site = _metadata(profiles, about_profiles), _sites(profiles, about_profiles)
    logged = [reject for log in form.logs for reject in log.rejects]
    return Archive(
        metadata=typed("metadata", metadata),
        site=typed("site", site),
        profile=typed("profile", _profiles(profiles, layer)),
        layer=layer.assign(src_f=_source_of_f(layer)),
        rejects=rejects_frame([*book.rejects, *form.repeated, *logged]),
        source=SOURCE,
    )


# ---- from cells to tables ---------------------------------------------------------------------------------


def _roles(book: Book) -> Iterator[tuple[str, Sheet]]:
    """The sheets with what their titles say they hold: layers, profiles, or both in one."""
    for sheet in book.sheets.values():
        header = find_header(sheet, map(plain, titles(FLAT_FIELDS)))
        found = {plain(t) for t in sheet.rows[header]} if header >= 0 else set()
        layered, placed = "lyr_top" in found, bool({"site_lat", "site_long"} & found)
        if "pro_name" in found and (layered or placed):
            yield FLAT if layered and placed else LAYER_SHEET if layered else PROFILE_SHEET, sheet


@dataclass(frozen=True)
class _Form:
    """Profiles and layers with their columns typed; the log of each sheet, one for a flat table."""

    profiles: pd.DataFrame
    layers: pd.DataFrame
    logs: tuple[Log, ...]
    repeated: list[Reject]


def _form(book: Book) -> _Form:
    found = list(_roles(book))
    roles = dict(reversed(found))
    used = [FLAT] if FLAT in roles else [PROFILE_SHEET, LAYER_SHEET]
    unused = [sheet for role, sheet in found if role not in used or sheet is not roles[role]]
    repeated = [repeated_sheet(book.file, sheet) for sheet in unused]
    if FLAT in roles:
        layers, log = _table(book.file, roles[FLAT], FLAT_FIELDS)
        return _Form(_profiles_in(layers, log), layers, (log,), repeated)
    needed = {PROFILE_SHEET: "site_lat of the sheet profiles", LAYER_SHEET: "lyr_top of the sheet layers"}
    need(book.file, "", roles, needed, EXPECTED)
    profiles, log = _table(book.file, roles[PROFILE_SHEET], PROFILE_FIELDS)
    layers, log_of_layers = _table(book.file, roles[LAYER_SHEET], LAYER_FIELDS)
    return _Form(profiles, layers, (log, log_of_layers), repeated)


def _table(file: str, sheet: Sheet, fields: tuple[Field, ...]) -> tuple[pd.DataFrame, Log]:
    log = Log(file, sheet.name, RULES)
    names = {plain(field.name): field.name for field in fields}
    header = find_header(sheet, names)
    keys: list[str] = []
    for title in sheet.rows[header]:
        name = names.get(plain(title), "")
        if not name and not is_missing(title):
            log.add("unknown-column", header + 1, str(title))
        keys.append("" if name in keys else name)
    need(file, sheet.name, keys, {f.name: f.name for f in fields if f.required}, EXPECTED)
    grid = _filled(make_grid(sheet, header, keys, log), log)
    typed_columns = {field.name: _column(grid, field, log) for field in fields}
    return pd.DataFrame({**typed_columns, "src_row": grid.rows.astype(float)}), log


def _filled(grid: Grid, log: Log) -> Grid:
    """The grid without the row of units and the worked examples."""
    first = grid.frame["entry_name"].astype("str").str.strip()
    units, examples = first.eq(UNITS_MARK), first.str.upper().str.startswith(EXAMPLE_MARK).fillna(False)
    log.add_rows("example-row", grid.rows, examples.to_numpy(bool), "entry_name", first[examples])
    kept = ~(units | examples).to_numpy(bool)
    return Grid(grid.frame[kept].reset_index(drop=True), grid.rows[kept], grid.titles)


def _column(grid: Grid, field: Field, log: Log) -> "pd.Series | np.ndarray":
    known = field.variable
    if known.is_number:
        return numbers(grid, field.name, log)
    if known.kind == "flag":
        return truths(grid, field.name, log)
    text = words(grid, field.name)
    return in_vocabulary(text, known.name).fillna(text) if known.vocab else text


# ---- profiles and sites -----------------------------------------------------------------------------------


def _profiles_in(layers: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The profiles of a flat table, one row each."""
    return _first(layers, list(PROFILE_KEYS), titles(PROFILE_FIELDS)[2:], log)


def _first(table: pd.DataFrame, keys: list[str], names: list[str], log: Log) -> pd.DataFrame:
    """One row for each key with the first value of every column; values that differ are logged."""
    key = _key(table, keys)
    out = table[~key.duplicated()].assign(key=key).set_index("key")
    for name in names:
        filled = table[table[name].notna()].assign(key=key)
        first = filled.drop_duplicates("key").set_index("key")[name]
        differs = table[name].notna() & (table[name] != key.map(first).astype(table[name].dtype))
        log.add_rows("values-differ", table["src_row"], differs.to_numpy(bool), name, table[name][differs])
        out[name] = first.reindex(out.index).astype(table[name].dtype)
    return out[[*keys, *names, "src_row"]].reset_index(drop=True)


def _key(table: pd.DataFrame, keys: Sequence[str] = PROFILE_KEYS) -> pd.Series:
    """The keys of each row in one text."""
    parts = [table[key].astype("str") for key in keys]
    return pd.Series(["\n".join(map(str, row)) for row in zip(*parts, strict=True)], table.index, dtype="str")


def _named(table: pd.DataFrame, log: Log, unique: bool = True) -> pd.DataFrame:
    """The rows with a name; each profile once."""
    lost = table["entry_name"].isna() | table["pro_name"].isna()
    log.add_rows(
        "key-missing", table["src_row"], lost.to_numpy(), "entry_name, pro_name", table["src_row"][lost]
    )
    repeated = _key(table).duplicated() & ~lost & unique
    log.add_rows(
        "key-repeated", table["src_row"], repeated.to_numpy(), "pro_name", table["pro_name"][repeated]
    )
    return table[~lost & ~repeated].reset_index(drop=True)


def _placed(profiles: pd.DataFrame, log: Log) -> pd.DataFrame:
    """Profiles with the name of their site: as typed, else the coordinates, else the entry.

    A reference belongs to the site of the profile that names it, wherever exactly it was dug.
    """
    lost = profiles["site_lat"].isna() | profiles["site_long"].isna()
    log.add_rows(
        "place-missing", profiles["src_row"], lost.to_numpy(), "site_lat", profiles["pro_name"][lost]
    )
    names = site_names(profiles["site_lat"], profiles["site_long"], profiles["entry_name"])
    pair = profiles.assign(of=profiles["ref_pro_name"].fillna(profiles["pro_name"]), site=names)
    pair["later"] = profiles["ref_pro_name"].isna()
    first = pair.sort_values("later", kind="stable").groupby(["entry_name", "of"])["site"].transform("first")
    profiles = profiles.assign(site_name=profiles["site_name"].fillna(first))
    by_site = profiles.groupby(["entry_name", "site_name"])[["site_lat", "site_long"]]
    wide = ((profiles[["site_lat", "site_long"]] - by_site.transform("first")).abs() > SITE_DEGREES).any(
        axis=1
    )
    log.add_rows(
        "site-too-wide", profiles["src_row"], wide.to_numpy(), "site_lat", profiles["pro_name"][wide]
    )
    return profiles


def _note_empty(profiles: pd.DataFrame, layers: pd.DataFrame, log: Log) -> None:
    alone = ~_key(profiles).isin(_key(layers))
    log.add_rows(
        "profile-without-layers",
        profiles["src_row"],
        alone.to_numpy(),
        "pro_name",
        profiles["pro_name"][alone],
    )


def _metadata(profiles: pd.DataFrame, log: Log) -> pd.DataFrame:
    out = _first(profiles, ["entry_name"], ["doi", "bibliographical_reference"], log)
    return out.assign(study_id=out["entry_name"].str.replace("_", " "))


def _sites(profiles: pd.DataFrame, log: Log) -> pd.DataFrame:
    keys = ["entry_name", "site_name"]
    places = profiles.groupby(keys, sort=False)[["site_lat", "site_long"]].first().reset_index()
    return _first(profiles, keys, ["site_elevation", "country"], log).merge(places, how="left", on=keys)


def _profiles(profiles: pd.DataFrame, layer: pd.DataFrame) -> pd.DataFrame:
    """The profile table: references are controls, depths and qualities follow from the layers and pairs."""
    reference = profiles[["entry_name", "site_name", "ref_pro_name"]].dropna()
    keys = ["entry_name", "site_name", "pro_name"]
    named = pd.MultiIndex.from_frame(profiles[keys]).isin(pd.MultiIndex.from_frame(reference))
    deepest = layer.groupby(keys)["lyr_bot"].max().reindex(pd.MultiIndex.from_frame(profiles[keys]))
    paired = profiles["ref_pro_name"].notna() | profiles["pro_label_years"].notna()
    reps = profiles.set_index(pd.MultiIndex.from_frame(profiles[keys]))["pro_reps"]
    of_reference = pd.MultiIndex.from_frame(profiles[["entry_name", "site_name", "ref_pro_name"]])
    quality = pair_quality(
        profiles["pair_ref_is_previous"],
        profiles["pro_reps"],
        pd.Series(reps.reindex(of_reference).to_numpy(), index=profiles.index),
    )
    return profiles.drop(columns=NOT_OF_PROFILE).assign(
        pro_lat=profiles["site_lat"],
        pro_long=profiles["site_long"],
        pro_treatment=np.where(named | ~paired, "control", "treatment"),
        pro_land_cover=land_cover(profiles["pro_land_use"]),
        pro_lc_photosyn_path=photosynthesis(profiles["pro_label_type"]),
        pro_max_depth=deepest.to_numpy(),
        pair_quality=quality.where(profiles["ref_pro_name"].notna()),
    )


# ---- layers -----------------------------------------------------------------------------------------------


def _linked(layers: pd.DataFrame, profiles: pd.DataFrame, log: Log) -> pd.DataFrame:
    """Layers with what their profile says of them; layers of an unknown profile are logged."""
    of_profile = profiles[[*PROFILE_KEYS, "site_name", "pair_delta_veg", "pair_delta_veg_sigma"]]
    own = layers.drop(columns=[c for c in of_profile if c in layers and c not in PROFILE_KEYS])
    joined = own.merge(of_profile, how="left", on=list(PROFILE_KEYS))
    lost = joined["site_name"].isna()
    log.add_rows("profile-unknown", joined["src_row"], lost.to_numpy(), "pro_name", joined["pro_name"][lost])
    return joined[~lost].reset_index(drop=True)


def _layers(t: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The layer table before pairing: spreads as SD, stocks in g cm-2."""
    sd = {f"{name}_sd": _sd(t, name, log) for name in SPREADS}
    thickness = t["lyr_bot"] - t["lyr_top"]
    computed = t["lyr_c_org"] / 100 * t["lyr_bd_samp"] * thickness
    typed_in = t["soc_stock"].notna()
    source = pd.Series("C x BD x thickness", index=t.index, dtype="str").mask(typed_in, "author")
    stock = (t["soc_stock"] / KG_M2_PER_G_CM2).fillna(computed)
    names = [f"{a:g}-{b:g}" for a, b in zip(t["lyr_top"], t["lyr_bot"], strict=True)]
    out = t.assign(
        **sd,
        lyr_name=pd.Series(names, index=t.index, dtype="str"),
        lyr_mid=t["lyr_mid"].fillna((t["lyr_top"] + t["lyr_bot"]) / 2),
        lyr_bd_fill=t["lyr_bd_samp"],
        src_bd=pd.Series("author", index=t.index, dtype="str").where(t["lyr_bd_samp"].notna()),
        lyr_soc=stock,
        lyr_soc_sd=sd["soc_stock_sd"] / KG_M2_PER_G_CM2,
        lyr_soc_n=t["soc_stock_n"],
        src_soc=source.where(stock.notna()),
    )
    known = {v.name for v in columns("layer")}
    return out[[c for c in out if c in known]]


def _sd(t: pd.DataFrame, name: str, log: Log) -> pd.Series:
    """The SD as typed, else from the standard error."""
    sd, se = t[f"{name}_sd"], t[f"{name}_se"]
    both = sd.notna() & se.notna()
    log.add_rows("two-spreads", t["src_row"], both.to_numpy(), f"{name}_se", se[both])
    return sd.fillna(pd.Series(spread(se, "SE", t[f"{name}_n"]), index=t.index))


def _source_of_f(layer: pd.DataFrame) -> pd.Series:
    """f follows from the isotopes wherever it can, else from the stocks of the source study."""
    isotopic = layer[["lyr_13c", "pair_ref_13c", "pair_delta_veg"]].notna().all(axis=1)
    out = pd.Series("isotopes", index=layer.index, dtype="str").where(isotopic)
    return out.mask(~isotopic & layer["f_author"].notna(), "author")
