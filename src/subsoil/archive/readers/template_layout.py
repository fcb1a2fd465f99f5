"""Our own template: which columns it offers, on which sheet, in which unit.

Titles are the names of ``variables.toml``; a spread may be typed as the SD of replicates (``_sd``) or
as the standard error of the mean (``_se``) with the number of replicates (``_n``). Stocks are typed in
kg m-2, as soil scientists count them.
"""

from dataclasses import dataclass

from subsoil.variables import Variable, variable

PROFILE_SHEET, LAYER_SHEET = "profiles", "layers"
UNITS_MARK = "(unit)"
EXAMPLE_MARK = "EXAMPLE"


@dataclass(frozen=True)
class Field:
    """One column: ``name`` is the title, ``of`` the variable whose unit and bounds it has."""

    name: str
    of: str = ""
    required: bool = False
    hint: str = ""

    @property
    def variable(self) -> Variable:
        """The variable behind the column."""
        return variable(self.of or self.name)

    @property
    def unit(self) -> str:
        """What stands in the row of units: the unit, or the words to choose from."""
        known = self.variable
        if self.hint:
            return self.hint
        return " | ".join(known.vocab) or ("yes | no" if known.kind == "flag" else known.unit or "text")


PROFILE_FIELDS = (
    Field("entry_name", required=True, hint="Author_year"),
    Field("pro_name", required=True, hint="your name of the profile"),
    Field("ref_pro_name", hint="pro_name of the reference"),
    Field("site_name"),
    Field("site_lat", required=True),
    Field("site_long", required=True),
    Field("site_elevation"),
    Field("country"),
    Field("pro_land_use"),
    Field("pro_prev_land_cover"),
    Field("pro_label_type"),
    Field("pro_label_years"),
    Field("pair_delta_veg"),
    Field("pair_delta_veg_sigma"),
    Field("pair_ref_is_previous"),
    Field("pro_reps"),
    Field("pro_MAT"),
    Field("pro_MAP"),
    Field("pro_P_PET"),
    Field("pro_clay"),
    Field("pro_soil_taxon"),
    Field("pro_veg_note"),
    Field("doi"),
    Field("bibliographical_reference"),
)

LAYER_FIELDS = (
    Field("entry_name", required=True, hint="as on the sheet profiles"),
    Field("pro_name", required=True, hint="as on the sheet profiles"),
    Field("lyr_obs_date_y", required=True),
    Field("lyr_top", required=True),
    Field("lyr_bot", required=True),
    Field("lyr_mid"),
    Field("lyr_c_org"),
    Field("lyr_c_org_sd"),
    Field("lyr_c_org_se", of="lyr_c_org_sd"),
    Field("lyr_c_org_n"),
    Field("lyr_bd_samp"),
    Field("soc_stock"),
    Field("soc_stock_sd", of="soc_stock_se"),
    Field("soc_stock_se"),
    Field("soc_stock_n", of="lyr_soc_n"),
    Field("lyr_13c"),
    Field("lyr_13c_sd"),
    Field("lyr_13c_se", of="lyr_13c_sd"),
    Field("lyr_13c_n"),
    Field("lyr_13c_sigma"),
    Field("pair_ref_13c"),
    Field("pair_ref_13c_sd"),
    Field("pair_ref_13c_se", of="pair_ref_13c_sd"),
    Field("pair_ref_13c_n"),
    Field("f_author"),
    Field("lyr_14c"),
    Field("lyr_14c_sigma"),
    Field("lyr_14c_sd"),
    Field("lyr_fraction_modern"),
    Field("lyr_fraction_modern_sigma"),
    Field("lyr_note"),
)
SPREADS = ("lyr_c_org", "soc_stock", "lyr_13c", "pair_ref_13c")
"""Quantities whose spread may be typed as _sd, or as _se with _n."""

FLAT_FIELDS = (*PROFILE_FIELDS, *(f for f in LAYER_FIELDS if f.name not in ("entry_name", "pro_name")))
"""The one table of a CSV: the columns of the profile repeated beside each layer."""


def titles(fields: tuple[Field, ...]) -> list[str]:
    """Names of the columns."""
    return [field.name for field in fields]
