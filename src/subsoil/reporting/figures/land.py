"""A coarse outline of the land, drawn by hand for this package (`land.csv`, degrees).

For orientation on a small map only: points lie up to several degrees off the coast. It is no copy of
any data set, so that the figure carries no other licence.
"""

from importlib.resources import files

import pandas as pd


def outlines() -> list[pd.DataFrame]:
    """Closed outlines with columns `longitude` and `latitude`.

    >>> len(outlines()) > 20, outlines()[0]["longitude"].between(-180, 180).all()
    (True, np.True_)
    """
    with files("subsoil.reporting.figures").joinpath("land.csv").open(encoding="utf-8") as file:
        points = pd.read_csv(file)
    return [rows for _, rows in points.groupby("outline")]
