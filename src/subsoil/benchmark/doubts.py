"""What speaks against a profile: its label or its steady state in doubt. Named in words, never a reason to
leave the profile out."""

import numpy as np
import pandas as pd

from subsoil.newcarbon import PairedLayers

FLAGS = {
    "author-f": "f from the stocks of the source study, not from isotopes",
    "small-contrast": "small contrast between the plants",
    "new-and-old-exchanged": "new and old carbon exchanged in the source",
    "stock-is-old-carbon": "the source's stock is its old carbon alone",
    "layer-interpolated": "a layer without a sample, interpolated",
    "reference-depth-differs": "reference sampled at other depths",
    "zero-thickness": "a sample without thickness, probably litter",
}
"""Flags of layers (`subsoil.newcarbon`, ``balesdent_rules``) that bear on the whole profile, in words."""

OUT_OF_BALANCE = 1.5
"""Reference stock over the profile's, or its inverse, above which the soil is taken to gain or lose carbon.
Half of the pairs lie between 0.9 and 1.1, nine in ten between 0.6 and 1.7; where to draw the line is ours."""

NOTHING = np.zeros((1, 2))

LONGEST = 1000.0
"""Labelling (yr) from which its time was not observed but dated by other means: the old C4 savannas."""


def doubts(archive: PairedLayers, layers: pd.DataFrame) -> pd.Series:
    """Doubts of each profile of a new-carbon table, in words by profile_id, "" where there is none.

    Raises KeyError for a table without the columns of `subsoil.newcarbon.new_carbon`.
    """
    of_profile = layers.groupby("profile_id", sort=True)
    ratio = stock_ratio(archive)
    found = {}
    for name, own in of_profile:
        marks = set("; ".join(own["flags"]).split("; "))
        here = [words for flag, words in FLAGS.items() if flag in marks]
        if own["label_type"].iloc[0] == "FACE":
            here.append("labelled through the CO2 of the air")
        if own["labelling_years"].iloc[0] >= LONGEST:
            here.append(f"labelling of {LONGEST:g} yr or more, dated by other means")
        balance = ratio.get(str(name), 1.0)
        if not 1.0 / OUT_OF_BALANCE <= balance <= OUT_OF_BALANCE:
            here.append(f"carbon out of balance: reference stock {balance:.2f} of the profile's")
        found[str(name)] = "; ".join(here)
    return pd.Series(found, dtype="str")


def stock_ratio(archive: PairedLayers) -> pd.Series:
    """Stock of the reference soil over that of the profile, by profile_id, where both have stocks.

    Both from the surface to the greatest depth that both reach without a gap, 100 cm at most; the longer
    one's last layer is cut in proportion. 1 at steady state, where the reference is the soil as it was.
    """
    layers = archive.layer.groupby(["entry_name", "pro_name"])
    curves = {key: cumulative(part, "lyr_top", "lyr_bot", "lyr_soc") for key, part in layers}
    names = archive.profile[["entry_name", "pro_name", "ref_pro_name"]]
    ratio = {}
    for entry, name, beside in names.itertuples(index=False):
        own, reference = (curves.get((entry, key), NOTHING) for key in (name, beside))
        depth = min(own[-1, 0], reference[-1, 0], 100.0)
        if depth > 0.0:
            ratio[f"{entry}/{name}"] = np.interp(depth, *reference.T) / np.interp(depth, *own.T)
    return pd.Series(ratio, dtype=float)


def cumulative(layers: pd.DataFrame, top: str, bottom: str, stock: str) -> np.ndarray:
    """Depth and stock above it [bound, 2] of layers that follow each other from the surface without a gap.

    Ends at the first gap or missing stock; layers without thickness are passed over.

    >>> table = pd.DataFrame({"a": [10.0, 0.0, 40.0], "b": [30.0, 10.0, 50.0], "c": [2.0, 3.0, 1.0]})
    >>> cumulative(table, "a", "b", "c").tolist()
    [[0.0, 0.0], [10.0, 3.0], [30.0, 5.0]]
    """
    bounds = [(0.0, 0.0)]
    for above, below, carbon in layers.sort_values([top, bottom])[[top, bottom, stock]].to_numpy(float):
        if below > above:
            if abs(above - bounds[-1][0]) > 1e-6 or not np.isfinite(carbon):
                break
            bounds.append((below, bounds[-1][1] + carbon))
    return np.array(bounds)
