"""What Balesdent et al. 2018 reported: the isochrones of Fig. 2, the stated numbers, the factors to 1 m.

Facts, with the place where each is stated; every run compares itself with them. Digitised numbers are good
to about 0.3 percentage points. What is only *inferred* from the printed curves says so.
"""

import tomllib
from functools import cache
from importlib.resources import files

import pandas as pd

DOI = "10.1038/s41586-018-0328-3"
METHOD = "published (digitised)"
AGES = (3.0, 10.0, 30.0, 50.0, 100.0, 300.0, 1000.0, 3000.0)
"""Ages of the isochrones, yr."""
READ_ERROR = 0.3
"""Error of reading the figure, percentage points."""


@cache
def _facts() -> dict:
    return tomllib.loads((files("subsoil") / "published.toml").read_text("utf-8"))


def citation() -> str:
    """The paper, with its DOI.

    >>> citation().endswith("10.1038/s41586-018-0328-3")
    True
    """
    paper = _facts()["paper"]
    return f"{paper['citation']}. doi:{paper['doi']}"


@cache
def _isochrones() -> pd.DataFrame:
    facts = _facts()["isochrones"]
    rows = [
        {
            "depth_cm": float(depth["depth_cm"]),
            "age_yr": float(age),
            "percent_younger": float(percent),
            "percent_se": float(depth["se"].get(str(age), "nan")),
            "method": METHOD,
            "note": "read from the fitted curve" if age in depth["hidden"] else "",
        }
        for depth in facts["depth"]
        for age, percent in zip(facts["age_yr"], depth["percent"], strict=True)
    ]
    frame = pd.DataFrame(rows)
    frame.attrs = {"source": f"{facts['where_stated']}, doi:{DOI}", "units": _CURVE_UNITS}
    return frame


_CURVE_UNITS = {"depth_cm": "cm", "age_yr": "yr", "percent_younger": "%", "percent_se": "%"}


def isochrones() -> pd.DataFrame:
    """Fig. 2, digitised: percent of the carbon at a depth that is younger than an age.

    Columns depth_cm (0, 10, 30, 50, 100 cm), age_yr (``AGES``), percent_younger (%), percent_se (half-width
    of the printed band of one standard error, percentage points, NaN where it cannot be read), method, note.

    >>> table = isochrones().set_index(["depth_cm", "age_yr"])
    >>> float(table.percent_younger[10, 50]), float(table.percent_se[10, 50])
    (45.9, 2.6)
    """
    return _isochrones().copy()


def headline() -> pd.DataFrame:
    """The stated numbers: name, value, unit, where_stated (abstract, figure caption, press release).

    >>> float(headline().set_index("name").value["tropical_median_age_100cm"])
    1250.0
    """
    frame = pd.DataFrame(_facts()["headline"]).astype({"value": float})
    frame.attrs = {"source": f"doi:{DOI}"}
    return frame


def biexponential() -> pd.DataFrame:
    """Parameters of the age model by depth, **inferred** from the digitised curves (rms 0.09 points).

    Not the printed parameter table. Columns depth_cm, fast_share, fast_rate (yr-1), slow_share, slow_rate
    (yr-1); see ``subsoil.age.distributions.BiExponential``.

    >>> biexponential().slow_share.tolist()
    [0.341, 0.672, 0.855, 0.803, 0.553]
    """
    facts = dict(_facts()["biexponential"])
    where = facts.pop("where_stated")
    frame = pd.DataFrame(facts).astype(float)
    frame.attrs = {"source": where}
    return frame


def to_one_metre() -> pd.DataFrame:
    """Factors from the stock down to the last sampled depth to the stock of 0-100 cm: depth_cm, total, new.

    >>> to_one_metre().set_index("depth_cm").total[50.0].item()
    1.44236
    """
    facts = dict(_facts()["to_one_metre"])
    where = facts.pop("where_stated")
    frame = pd.DataFrame(facts).astype(float)
    frame.attrs = {"source": where}
    return frame
