"""The headline numbers in words: what each name means, and how ours stands to the published one."""

import math
from collections.abc import Mapping

import pandas as pd

from subsoil.reporting.quantities import interval, number, printed_unit, quantity, scale

NEW = "carbon younger than 50 yr"
WORDS: Mapping[str, tuple[str, str]] = {
    "subsoil_stock_share": ("Stock below 30 cm", "Share of the 0–1 m carbon stock that lies at 30–100 cm"),
    "subsoil_new_share_50yr": ("New carbon below 30 cm", f"Share of the {NEW} that lies at 30–100 cm"),
    "median_depth_new_50yr": ("Median depth of new carbon", f"Depth above which half of the {NEW} lies"),
    "new_fraction_0_30_50yr_tropical": (
        "Younger than 50 yr, 0–30 cm",
        "Share of the 0–30 cm carbon younger than 50 yr, tropical grassland and forest",
    ),
    "new_fraction_30_100_50yr_tropical": (
        "Younger than 50 yr, 30–100 cm",
        "Share of the 30–100 cm carbon younger than 50 yr, tropical grassland and forest",
    ),
    "young_ratio_tropical": (
        "Young carbon, topsoil to subsoil",
        "Share of the carbon younger than 50 yr at 0–30 cm over that at 30–100 cm, "
        "tropical grassland and forest",
    ),
    "median_age_0cm": (
        "Median age at the surface",
        "Median age of the carbon at the surface, tropical grassland and forest",
    ),
    "median_age_100cm": (
        "Median age at 1 m",
        "Median age of the carbon at 1 m, tropical grassland and forest",
    ),
    "new_fraction_0_100_50yr": ("Younger than 50 yr, 0–1 m", "Share of the 0–1 m carbon younger than 50 yr"),
    "topsoil_new_share_50yr": ("New carbon above 30 cm", f"Share of the {NEW} that lies at 0–30 cm"),
    "new_carbon_0_100_50yr": ("Stock of new carbon, 0–1 m", f"Stock of {NEW} in 0–1 m"),
    "profiles": ("Profiles", "Profiles with new carbon"),
    "sites": ("Places", "Coordinate pairs"),
    "studies": ("Studies", "Source studies"),
    "profiles_tropical": ("Tropical profiles", "Profiles of tropical grassland and forest"),
}
SENTENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("subsoil_stock_share", "subsoil_new_share_50yr"),
        "Of the organic carbon in the first metre of soil, {subsoil_stock_share} lies below 30 cm; "
        "of the carbon that entered it within the last 50 years, {subsoil_new_share_50yr}.",
    ),
    (
        ("median_depth_new_50yr", "new_fraction_0_100_50yr"),
        "Half of that young carbon lies above {median_depth_new_50yr}; it makes up {new_fraction_0_100_50yr} "
        "of the carbon of the first metre.",
    ),
    (
        ("median_age_0cm", "median_age_100cm"),
        "Under tropical grassland and forest, half of the carbon at the surface is younger than "
        "{median_age_0cm}; at 1 m the median age is {median_age_100cm}.",
    ),
)


def title(name: str, short: bool = False) -> str:
    """The name in words; an unknown name is only made readable.

    >>> title("median_age_0cm", short=True), title("old_share")
    ('Median age at the surface', 'Old share')
    """
    plain = name.replace("_", " ").capitalize()
    return WORDS.get(name, (plain, plain))[0 if short else 1]


def difference(row: pd.Series) -> str:
    """Ours minus the published value; empty where one is missing."""
    gap = (row["value"] - row["published"]) * scale(row["unit"])
    unit = "pp" if printed_unit(row["unit"]) == "%" else printed_unit(row["unit"])
    return f"{'+' if gap > 0 else ''}{number(gap, 2)} {unit}".strip() if math.isfinite(gap) else ""


def held(row: pd.Series) -> str:
    """Whether our interval holds the published value: yes, no, or empty where it cannot be said."""
    if row[["lower", "upper", "published"]].isna().any():
        return ""
    return "yes" if row["lower"] <= row["published"] <= row["upper"] else "no"


def narrative(table: pd.DataFrame) -> list[str]:
    """The headline in plain sentences; a sentence whose numbers are missing is left out."""
    first = table[table["value"].notna()].drop_duplicates("name").set_index("name")
    words = {name: _with_interval(row) for name, row in first.iterrows()}
    told = [text.format_map(words) for names, text in SENTENCES if set(names) <= set(words)]
    return [*told, *comparison(table)]


def _with_interval(row: pd.Series) -> str:
    ends = interval(row["lower"], row["upper"], row["unit"])
    return quantity(row["value"], row["unit"]) + (f" ({ends})" if ends else "")


def comparison(table: pd.DataFrame) -> list[str]:
    """How many published numbers our intervals hold, and which one departs most."""
    known = table.dropna(subset=["value", "lower", "upper", "published"])
    if known.empty:
        return []
    inside = known["published"].between(known["lower"], known["upper"])
    width = (known["upper"] - known["lower"]).where(lambda w: w > 0)
    off = ((known["value"] - known["published"]).abs() / width).fillna(0.0)
    farthest = known.iloc[int(off.to_numpy().argmax())]
    name, unit = title(farthest["name"], short=True), farthest["unit"]
    return [
        f"Our 95 % intervals (in brackets) hold {int(inside.sum())} of the {len(known)} published numbers; "
        f"farthest off, in widths of its interval, is “{name}”: {_with_interval(farthest)} here, "
        f"{quantity(farthest['published'], unit)} in the paper."
    ]
