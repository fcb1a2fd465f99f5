"""Made-up profiles with known drivers."""

import numpy as np
import pandas as pd


def made_up_profiles(n_studies: int = 24, seed: int = 0, **effects: float) -> pd.DataFrame:
    """A profile table: studies of 1 to 5 profiles, one or two sites each, with a shared error of .05.

    The share below 30 cm is .25 + .03 ln(years / 30) + aridity (-.1) ln(P/PET) + mat (0) MAT + crop (.08) +
    study + noise; new carbon of 0-10 cm is halved under crop, deeper it is not changed.
    """
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(n_studies), rng.integers(1, 6, size=n_studies))
    n = study.size
    site = study * 10 + rng.integers(0, 2, size=n)
    by_study = {name: rng.normal(size=n_studies)[study] for name in ("share", "stock", "wet", "warm")}
    table = pd.DataFrame(
        {
            "profile_id": [f"N{i:03d}/p" for i in range(n)],
            "site_id": site.astype(str),
            "study_id": [f"Author {s}" for s in study],
            "reference_id": [f"ref {s}" for s in site],
            "labelling_years": rng.uniform(5, 150, size=n),
            "p_pet": np.exp(0.5 * by_study["wet"]),
            "mat": 18 + 5 * by_study["warm"],
            "map": 1200 + 400 * by_study["wet"],
            "clay": rng.uniform(5, 70, size=n),
            "land_use": rng.choice(["crop", "grassland", "forest"], size=n),
            "label_type": "C4vsC3",
            "obs_year": rng.integers(1970, 2015, size=n).astype(float),
            "author_f": rng.random(n) < 0.2,
            "error_imputed": rng.random(n) < 0.5,
            "bd_pedotransfer": rng.random(n) < 0.3,
            "extended": rng.random(n) < 0.3,
            "replicates": rng.integers(1, 7, size=n).astype(float),
        }
    )
    crop = (table["land_use"] == "crop").to_numpy(float)
    years = np.log(table["labelling_years"] / 30)
    share = 0.25 + 0.03 * years + 0.05 * by_study["share"] + 0.02 * rng.normal(size=n)
    share += effects.get("aridity", -0.1) * np.log(table["p_pet"]) + effects.get("mat", 0.0) * (
        table["mat"] - 18
    )
    share += effects.get("crop", 0.08) * crop
    table["share_new_30_100"] = share
    table["f_0_30"] = 0.4 + 0.1 * years + 0.05 * by_study["share"] + 0.02 * rng.normal(size=n)
    table["f_30_100"] = 0.1 + 0.03 * years + 0.02 * by_study["share"] + 0.01 * rng.normal(size=n)
    level = 0.5 * years + 0.3 * by_study["stock"]
    for top, bottom in ((0, 30), (30, 100), *((z, z + 10) for z in range(0, 100, 10))):
        lowered = np.log(0.5) * crop if bottom == 10 else 0.0
        table[f"new_soc_stock_{top}_{bottom}"] = np.exp(level + lowered + 0.2 * rng.normal(size=n))
    table["new_30_100_to_0_10"] = table["new_soc_stock_30_100"] / table["new_soc_stock_0_10"]
    for column in [c for c in table if c.startswith(("share", "f_", "new_"))]:
        table[f"{column}_se"] = 0.01 if column.startswith(("share", "f_")) else 0.05 * table[column]
    return table
