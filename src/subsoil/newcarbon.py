"""New carbon of a layer: two-source mixing of paired δ13C, with every error that goes into it.

A soil whose plants changed between C3 and C4 (or were fumed with labelled CO2)
carries the label of the new plants. Beside it stands a reference soil that kept
the old ones. The share of new carbon at the depth of a layer is

    f = (δ - δ_ref) / Δ        Δ = δ_plants now - δ_plants of the reference

The errors are first order (delta method) and kept apart by source:

    σ_f² = (σ_lab² + σ_rep² + σ_ref²) / Δ² + (f σ_Δ / Δ)² + σ_method²

First order is enough while σ_Δ / \\|Δ\\| stays below 0.25: at the smallest contrast of the 2018 archive,
4.8 ‰ with the default σ_Δ of 1 ‰ (ratio 0.21), the spread is met within 4 % and the 95 % interval covers 94
to 97 % (the tests hold the formula against random draws). Smaller contrasts are flagged. f is never
clipped.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from subsoil.constants import Numbers
from subsoil.errors import BadCall
from subsoil.isotopes import NORMAL_975, spread
from subsoil.variables import columns

END_MEMBER_SIGMA = 1.0
"""Default σ_Δ, per mil. Single plants scatter by about 2.3 (C3) and 1.1 ‰ (C4) around their means (Cerling et
al. 1997, Nature 389:153); means over some six plants or litter samples of each kind leave
√(2.3² + 1.1²) / √6 = 1.0 ‰ for the difference. Studies rarely print it."""

LABORATORY_SIGMA = 0.15
"""Default analytical error of one δ13C measurement, per mil: 0.1 to 0.2 ‰ is usual for elemental analyser and
mass spectrometer. Replicates scatter by it too, so it is taken out of their spread, not added."""

AUTHOR_SIGMA = 0.035
"""Standard deviation between f from the author's stocks and f from isotopes in the 24 layers of the 2018
workbook where both exist; added where f is the author's."""

REPLICATE_SD = 0.5
"""Spread of replicates, per mil, where an archive holds none: the median of the 2018 workbook."""

CONTRAST = 13.5
"""\\|Δ\\| in per mil, where an archive holds none: the median of the 2018 workbook."""

STOCK_RELATIVE_SE = 0.1
"""Relative standard error of a carbon stock where an archive holds none."""

LARGEST_RELATIVE_SIGMA = 0.25
"""Above this σ_Δ / \\|Δ\\| first-order errors are too small: the row is flagged ``small-contrast``."""

BULK_DENSITY_RELATIVE_SE = 0.05
"""Relative standard error of a bulk density, which no archive reports; joined to that of C % (assumed)."""

G_CM2_TO_KG_M2 = 10.0


@runtime_checkable
class PairedLayers(Protocol):
    """What is needed of an archive: its tables with ISRaD's names (`subsoil.archive.schema.Archive`)."""

    @property
    def metadata(self) -> pd.DataFrame: ...

    @property
    def site(self) -> pd.DataFrame: ...

    @property
    def profile(self) -> pd.DataFrame: ...

    @property
    def layer(self) -> pd.DataFrame: ...


@dataclass(frozen=True)
class MissingErrors:
    """What stands in for an error or contrast nobody printed: medians of the archive at hand."""

    replicate_sd: float = REPLICATE_SD
    contrast: float = CONTRAST
    stock_relative_se: float = STOCK_RELATIVE_SE
    end_member_sigma: float = END_MEMBER_SIGMA
    laboratory_sigma: float = LABORATORY_SIGMA
    author_sigma: float = AUTHOR_SIGMA


def mix(delta13c: Numbers, delta13c_ref: Numbers, delta_veg: Numbers) -> Float[np.ndarray, "..."]:
    """Share of new carbon ``f = (δ - δ_ref) / Δ``; missing where there is no contrast.

    ``delta13c`` δ and ``delta13c_ref`` δ_ref: soil and reference soil at the same depth; ``delta_veg`` Δ:
    plants now minus plants of the reference; all in one unit (‰ or fraction). f may lie outside [0, 1].

    >>> float(mix(-21.95, -25.40, 13.5).round(6))  # Dalal et al. 2005, 0-5 cm
    0.255556
    """
    contrast = np.asarray(delta_veg, dtype=float)
    enrichment = np.asarray(delta13c, dtype=float) - np.asarray(delta13c_ref, dtype=float)
    return np.asarray(enrichment / np.where(contrast == 0.0, np.nan, contrast))


def standard_error(value: Numbers, kind: object, n: Numbers = np.nan) -> Float[np.ndarray, "..."]:
    """Standard error of a mean from an error as printed: `subsoil.isotopes.spread` over √n (n unknown: 1).

    >>> standard_error([0.6, 0.3], ["SD", "SE"], [4, 9]).round(3).tolist()
    [0.3, 0.3]
    """
    replicates = np.asarray(n, dtype=float)
    return np.asarray(spread(value, kind, n) / np.sqrt(np.where(np.isnan(replicates), 1.0, replicates)))


def components(
    f: Float[np.ndarray, "layer"],
    contrast: Float[np.ndarray, "layer"],
    sample: tuple[Float[np.ndarray, "layer"], Float[np.ndarray, "layer"]],
    reference_se: Float[np.ndarray, "layer"],
    end_member_sigma: Float[np.ndarray, "layer"],
) -> dict[str, Float[np.ndarray, "layer"]]:
    """Standard errors that each source brings to f, all first order and >= 0.

    ``contrast`` Δ; ``sample`` laboratory and replicate standard error of δ; ``reference_se`` standard error
    of δ_ref; ``end_member_sigma`` σ_Δ; all in ‰. |∂f/∂δ| = |∂f/∂δ_ref| = 1/|Δ| and |∂f/∂Δ| = |f/Δ|.

    >>> parts = components(*map(np.array, ([0.5], [10.0])), (np.array([0.1]), np.array([0.3])),
    ...                    np.array([0.3]), np.array([1.0]))
    >>> {name: float(part[0].round(3)) for name, part in parts.items()}
    {'se_laboratory': 0.01, 'se_replicate': 0.03, 'se_reference': 0.03, 'se_end_member': 0.05}
    """
    size = np.abs(contrast)
    laboratory_se, replicate_se = sample
    return {
        "se_laboratory": laboratory_se / size,
        "se_replicate": replicate_se / size,
        "se_reference": reference_se / size,
        "se_end_member": np.abs(f) * end_member_sigma / size,
    }


def new_carbon(
    archive: PairedLayers,
    *,
    end_member_sigma: float = END_MEMBER_SIGMA,
    laboratory_sigma: float = LABORATORY_SIGMA,
    author_sigma: float = AUTHOR_SIGMA,
) -> pd.DataFrame:
    """One row for every layer of an archive whose share of new carbon is known, with errors.

    f follows from isotopes (`mix`) or, where ``src_f`` says "author", from the stocks of the source study
    (``f_author``). Rules for what is not printed, each marked in ``flags``:

    - spread of replicates (sample or reference): the median of the archive, over √n, with n the number of
      replicates, else of replicated profiles, else 1 (``error_imputed`` is true);
    - laboratory error: ``laboratory_sigma`` (‰), taken out of the replicates' spread, which contains it;
    - σ_Δ: ``end_member_sigma`` (‰);
    - f of the author: treated as if made from isotopes with the errors above and the archive's median
      contrast, plus ``author_sigma`` for the other route;
    - stock: the median relative standard error of the archive.

    ``f_new_lower`` and ``f_new_upper`` are f ± 1.96 standard errors: normal, since most degrees of freedom
    are unknown. Beside the columns of the table "newcarbon" in ``variables.toml`` stand ``contrast`` (Δ, ‰),
    ``se_method``, ``reference_key`` and ``end_member_key``: who shares an error, for `covariance`.
    ``attrs["units"]`` holds the units, ``attrs["imputed"]`` the values that stood in.
    """
    rows = _paired_rows(archive)
    defaults = missing_errors(rows, end_member_sigma, laboratory_sigma, author_sigma)
    rows = rows.assign(contrast=rows["pair_delta_veg"].fillna(defaults.contrast))
    errors, imputed = _errors_of_f(rows, defaults)
    stocks = _stocks(rows, errors["f_new_se"], defaults)
    table = pd.concat([_labels(rows), errors, stocks], axis=1)
    table["error_imputed"] = imputed["sample-error-imputed"] | imputed["reference-error-imputed"]
    table["flags"] = _joined_flags(rows["flags"], imputed | _other_flags(rows))
    ordered = [v.name for v in columns("newcarbon")]
    table = table[ordered + [c for c in table.columns if c not in ordered]]
    units = {v.name: v.unit for v in columns("newcarbon")} | {"contrast": "permil", "se_method": "1"}
    table.attrs = {"units": units, "imputed": asdict(defaults), "interval": "normal, 95 %"}
    return table


def covariance(table: pd.DataFrame) -> Float[np.ndarray, "layer layer"]:
    """Covariance of ``f_new`` between the rows of a new-carbon table (dimensionless²).

    Laboratory, replicate and method errors are a row's own. A reference value used twice (``reference_key``)
    and a difference of plants used twice (``end_member_key``) err together:

        Cov(f_i, f_j) = σ_ref² / (Δ_i Δ_j)  [same reference]  +  f_i f_j σ_Δ² / (Δ_i Δ_j)  [same plants]

    so opposite contrasts move against each other. The diagonal is ``f_new_se²``. Plants are shared by rows of
    one study with one Δ. Not followed: interpolated reference values with one neighbour in common, and plants
    of the reference that two differences of one study have in common.

    >>> table = pd.DataFrame({"f_new": [0.5, 0.2], "contrast": [10.0, 10.0], "se_laboratory": 0.0,
    ...     "se_replicate": 0.0, "se_reference": 0.03, "se_end_member": [0.05, 0.02], "se_method": 0.0,
    ...     "reference_key": ["a", "a"], "end_member_key": ["p", "p"]})
    >>> covariance(table).round(4).tolist()
    [[0.0034, 0.0019], [0.0019, 0.0013]]
    """
    sign = np.sign(table["contrast"].to_numpy(float))
    own = table[["se_laboratory", "se_replicate", "se_method"]].to_numpy(float)
    reference = _shared(sign * table["se_reference"].to_numpy(float), table["reference_key"])
    slope = sign * np.sign(table["f_new"].to_numpy(float))
    plants = _shared(slope * table["se_end_member"].to_numpy(float), table["end_member_key"])
    return np.diag((own**2).sum(axis=1)) + reference + plants


def missing_errors(
    layer: pd.DataFrame,
    end_member_sigma: float = END_MEMBER_SIGMA,
    laboratory_sigma: float = LABORATORY_SIGMA,
    author_sigma: float = AUTHOR_SIGMA,
) -> MissingErrors:
    """The defaults that hold for an archive: medians over its layers, the 2018 medians where it has none.

    >>> missing_errors(pd.DataFrame({"lyr_13c_sd": [0.4, np.nan, 0.8]})).replicate_sd.__round__(3)
    0.6
    """
    known = pd.concat([_column(layer, "lyr_13c_sd"), _column(layer, "pair_ref_13c_sd")])
    return MissingErrors(
        _median(known[known > 0], REPLICATE_SD),
        _median(_column(layer, "pair_delta_veg").abs(), CONTRAST),
        _median(_relative_stock_error(layer), STOCK_RELATIVE_SE),
        end_member_sigma,
        laboratory_sigma,
        author_sigma,
    )


def _paired_rows(archive: PairedLayers) -> pd.DataFrame:
    """Layers with an f, joined to what is known of their profile, site and study."""
    keys = ["entry_name", "site_name", "pro_name"]
    profile = _one_each(archive.profile, keys, "profile")
    reference = profile[[*keys, "pro_reps"]].set_axis([*keys[:2], "ref_pro_name", "ref_reps"], axis=1)
    rows = archive.layer.merge(profile, on=keys, how="left", suffixes=("", "_profile"))
    rows = rows.merge(reference, on=[*keys[:2], "ref_pro_name"], how="left")
    rows = rows.merge(
        _one_each(archive.site, keys[:2], "site"), on=keys[:2], how="left", suffixes=("", "_site")
    )
    study = _one_each(archive.metadata, keys[:1], "metadata")[["entry_name", "study_id"]]
    rows = rows.merge(study, on="entry_name", how="left", suffixes=("", "_study"))
    isotopic = mix(rows["lyr_13c"], rows["pair_ref_13c"], rows["pair_delta_veg"])
    author = (rows["src_f"] == "author") | np.isnan(isotopic)
    rows = rows.assign(
        f_new=np.where(author, rows["f_author"], isotopic),
        method=np.where(author, "author", "isotopes"),
        study_id=rows["study_id"].fillna(rows["entry_name"]),
    )
    return rows[rows["f_new"].notna()].reset_index(drop=True)


def _one_each(frame: pd.DataFrame, keys: list[str], name: str) -> pd.DataFrame:
    twice = frame.loc[frame.duplicated(keys), keys[-1]].tolist()
    if twice:
        raise BadCall(f"table {name} holds {twice[:3]} more than once: see `subsoil check`, remove doubles")
    return frame


def _errors_of_f(rows: pd.DataFrame, defaults: MissingErrors) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """f, its standard error in parts, its interval; and which rows took a default."""
    sample, sample_missing = _mean_error(rows, "lyr_13c", "pro_reps", defaults)
    reference, reference_missing = _mean_error(rows, "pair_ref_13c", "ref_reps", defaults)
    sigma = rows["pair_delta_veg_sigma"].fillna(defaults.end_member_sigma).to_numpy(float)
    f, contrast = rows["f_new"].to_numpy(float), rows["contrast"].to_numpy(float)
    parts = components(f, contrast, sample, np.hypot(*reference), sigma)
    parts["se_method"] = np.where(rows["method"] == "author", defaults.author_sigma, 0.0)
    se = np.sqrt(sum(part**2 for part in parts.values()))
    out = pd.DataFrame({"f_new": f, "f_new_se": se, **parts, "contrast": contrast}, index=rows.index)
    out["f_new_lower"], out["f_new_upper"] = f - NORMAL_975 * se, f + NORMAL_975 * se
    flags = {
        "small-contrast": pd.Series(sigma > LARGEST_RELATIVE_SIGMA * np.abs(contrast), index=rows.index),
        "sample-error-imputed": sample_missing,
        "reference-error-imputed": reference_missing,
        "end-member-error-default": rows["pair_delta_veg_sigma"].isna(),
    }
    return out, flags


def _mean_error(
    rows: pd.DataFrame, name: str, reps: str, defaults: MissingErrors
) -> tuple[tuple[Float[np.ndarray, "layer"], Float[np.ndarray, "layer"]], Bool[pd.Series, "layer"]]:
    """Laboratory and replicate standard error of a δ13C, ‰, and where the spread is the default."""
    sd, n = _column(rows, f"{name}_sd"), _column(rows, f"{name}_n")
    missing = ~(sd > 0)
    n = n.where(~missing | n.notna(), rows[reps]).fillna(1.0).clip(lower=1.0)
    laboratory = _column(rows, f"{name}_sigma").fillna(defaults.laboratory_sigma)
    between = (sd.where(~missing, defaults.replicate_sd) ** 2 - laboratory**2).clip(lower=0.0)
    return ((laboratory / n**0.5).to_numpy(float), ((between / n) ** 0.5).to_numpy(float)), missing


def _stocks(rows: pd.DataFrame, f_se: pd.Series, defaults: MissingErrors) -> pd.DataFrame:
    """Stock and new stock, kg m-2, with first-order errors: ``σ² = (C σ_f)² + (f σ_C)²``."""
    stock = rows["lyr_soc"] * G_CM2_TO_KG_M2
    stock_se = stock * _relative_stock_error(rows).fillna(defaults.stock_relative_se)
    return pd.DataFrame(
        {
            "soc_stock": stock,
            "soc_stock_se": stock_se,
            "new_soc_stock": rows["f_new"] * stock,
            "new_soc_stock_se": np.hypot(stock * f_se, rows["f_new"] * stock_se),
        }
    )


def _relative_stock_error(layer: pd.DataFrame) -> pd.Series:
    """Relative standard error of a stock: of its own replicates, else of C % and an assumed bulk density."""
    own = _standard_error(layer, "lyr_soc") / _column(layer, "lyr_soc")
    content = _standard_error(layer, "lyr_c_org") / _column(layer, "lyr_c_org")
    relative = own.fillna((content**2 + BULK_DENSITY_RELATIVE_SE**2) ** 0.5)
    return relative.where(np.isfinite(relative) & (relative > 0))


def _labels(rows: pd.DataFrame) -> pd.DataFrame:
    """Who, where, when: keys and covariates under the names of the table."""
    names = {
        **{key: key for key in ("entry_name", "site_name", "pro_name", "lyr_name", "study_id", "method")},
        "layer_top": "lyr_top",
        "layer_bottom": "lyr_bot",
        "layer_mid": "lyr_mid",
        "labelling_years": "pro_label_years",
        "latitude": "site_lat",
        "longitude": "site_long",
        "mat": "pro_MAT",
        "map": "pro_MAP",
        "p_pet": "pro_P_PET",
        "clay": "pro_clay",
        "clay_source": "src_clay",
        "land_use": "pro_land_use",
        "label_type": "pro_label_type",
        "obs_year": "lyr_obs_date_y",
        "max_depth": "pro_max_depth",
    }
    out = pd.DataFrame({ours: rows[theirs] for ours, theirs in names.items()})
    out["profile_id"] = rows["entry_name"] + "/" + rows["pro_name"]
    out["site_id"] = _text(rows["site_lat"], ".4f") + "," + _text(rows["site_long"], ".4f")
    out["reference_id"] = rows["ref_pro_name"]
    out["reference_key"] = _reference_key(rows)
    out["end_member_key"] = rows["study_id"] + "|" + _text(rows["contrast"])
    return out


def _reference_key(rows: pd.DataFrame) -> pd.Series:
    """Name of the reference measurement behind a row.

    The same value of the same reference profile is one measurement, also where several study profiles use it.
    Values that stand beside the layer at its own depth are told apart by depth, since two layers of a
    reference may agree by chance. A row without a reference value shares it with nobody.
    """
    value = _text(rows["pair_ref_13c"], ".4f")
    beside = rows["pair_ref_origin"] == "same row"
    depth = _text(rows["lyr_top"]) + "-" + _text(rows["lyr_bot"])
    key = rows["study_id"] + "|" + rows["ref_pro_name"].fillna("?") + "|" + value
    key = key + ("|" + depth).where(beside, "")
    alone = rows["pair_ref_13c"].isna() | rows["ref_pro_name"].isna()
    return key.where(~alone, "row " + _text(rows.index.to_series()))


def _other_flags(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "author-f": rows["method"] == "author",
        "contrast-imputed": rows["pair_delta_veg"].isna(),
        "stock-error-imputed": rows["lyr_soc"].notna() & _relative_stock_error(rows).isna(),
    }


def _joined_flags(old: pd.Series, named: Mapping[str, pd.Series]) -> pd.Series:
    flags = old.fillna("")
    for name, mask in named.items():
        flags = flags.where(~mask.astype(bool), flags.where(flags == "", flags + "; ") + name)
    return flags


def _shared(signed_error: Float[np.ndarray, "layer"], keys: pd.Series) -> Float[np.ndarray, "layer layer"]:
    same = keys.to_numpy()[:, None] == keys.to_numpy()[None, :]
    return np.where(same, np.outer(signed_error, signed_error), 0.0)


def _standard_error(frame: pd.DataFrame, name: str) -> pd.Series:
    values = standard_error(_column(frame, f"{name}_sd"), "SD", _column(frame, f"{name}_n"))
    return pd.Series(values, index=frame.index)


def _text(values: pd.Series, spec: str = "g") -> pd.Series:
    return pd.Series([format(v, spec) for v in values], index=values.index, dtype="str")


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name].astype(float) if name in frame else pd.Series(np.nan, index=frame.index)


def _median(values: pd.Series, otherwise: float) -> float:
    middle = values.median()
    return float(middle) if np.isfinite(middle) else otherwise
