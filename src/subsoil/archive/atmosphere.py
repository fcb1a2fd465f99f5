"""What the atmosphere held and when: CO2, its δ13C and its 14C by zone, spliced from published records.

Times are calendar years with decimals; a mean over a year, quarter or month stands at its middle. No record
is part of the package, for no licence is stated that allows it: `subsoil.archive.registry` finds the files.

**F14C or Δ14C.** F14C is a ratio to a standard that decays too, so carbon keeps the F14C of the air it came
from: a mixture has the mean F14C over its ages, *without* decay. A model whose 14C decays takes the ratio to
the standard of 1950, ``1 + Δ/1000`` (`to_delta14c`). F14C with decay would count decay twice.

IntCal20 and SHCal20 give Δ14C corrected for decay since the calendar year: with year = 1950 - cal BP, F14C
by `subsoil.isotopes.fraction_modern` and ``exp(-age/8033)`` of the column 14C age differ by 0.2 permil of the
value at most to 30 000 cal BP and 8.2 permil before (means of skewed distributions); without the year's term
they differ by 128 permil within the last 1000 years.

**Joins**, in F14C, later record less earlier one; each `History` carries its own. Curve to Hua (NH 1941.21,
SH 1941.46, the first rows of Hua): below 0.0001. Curve to Graven (1850.5): NH 0.0012, Tropics 0.0011 (from
the mean of both curves), SH 0.0009. Hua to forecast (2019.38): the forecast is lowered by its mean difference
from Hua over the last year, 0.0318 NH and 0.0239 SH, which leaves 0.0004 and 0.0011.

The forecast (Sierra 2018, from data to 2010) is a placeholder, not a record: in 2010 to 2019 its Δ14C fell by
3.3 (NH) and 2.2 (SH) permil a year less than Hua's. Its file holds 1 + Δ/1000, the unit of the paper's eq. 1:
read so, Δ < 0 enters the 95 % interval in 2015.4 (NH) and 2024.6 (SH), where the paper says 2016 and 2025;
read as F14C, in 2014.1 and 2020.6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil.archive import registry
from subsoil.archive.registry import Found
from subsoil.constants import RADIOCARBON_BASE_YEAR, Numbers
from subsoil.errors import BadCall, MissingData, UnreadableFile
from subsoil.isotopes import delta14c, delta14c_sigma, fraction_modern

HUA_BOUND: Final = 40.0
"""Latitude between NH1 and NH2, degrees (Hua et al. 2022)."""
ITCZ_SUMMER: Final = 15.0
"""Mean latitude over land of the intertropical convergence in the summer of a hemisphere, degrees. A round
number of this package, not verified: the true line lies between about 5 and 25 degrees with longitude."""


class Zone(NamedTuple):
    """Where the 14C of a zone comes from: calibration curves, bomb record, its label there, forecast."""

    curves: tuple[str, ...]
    bomb: str
    label: str
    forecast: str = ""


ZONES: Final = {
    "NH1": Zone(("intcal20",), "hua2022", "NH zone 1", "NH"),
    "NH2": Zone(("intcal20",), "hua2022", "NH zone 2", "NH"),
    "NH3": Zone(("intcal20",), "hua2022", "NH zone 3", "NH"),
    "SH3": Zone(("shcal20",), "hua2022", "SH zone 3", "SH"),
    "SH12": Zone(("shcal20",), "hua2022", "SH zone 1-2", "SH"),
    "NH": Zone(("intcal20",), "graven2017", "NH"),
    "Tropics": Zone(("intcal20", "shcal20"), "graven2017", "Tropics"),
    "SH": Zone(("shcal20",), "graven2017", "SH"),
}
"""Five zones of Hua et al. 2022 and, as the other source, the three bands of Graven et al. 2017 (split at 30
N and 30 S; to 2015). Annual means of 1960 to 2015 differ by at most 20 permil (NH, NH1), 55 (NH, NH2), 95
(Tropics, NH3), 46 (Tropics, SH3) and 36 (SH, SH12); from 1980 on by at most 11."""


class Span(NamedTuple):
    """Years that one source covers; ``name`` its key in the registry."""

    first: float
    last: float
    name: str
    doi: str


class Join(NamedTuple):
    """Later source less earlier one in ``year``, after ``removed`` was taken off the later one."""

    year: float
    mismatch: float
    removed: float = 0.0


@dataclass(frozen=True, eq=False)
class History:
    """A record in time, linear between its rows.

    ``year`` increasing calendar years, ``value`` and its 1-sigma error ``sigma`` (NaN where none is given) in
    ``unit``; ``source`` who covers which years, ``joins`` how well they meet, ``files`` what was read: its
    ``warnings`` say where a file is not the known one.

    Raises `BadCall` where the years do not increase, or years or values are missing.

    >>> air = History(np.array([2000.5, 2001.5]), np.array([369.0, 371.0]), np.full(2, np.nan), "ppm")
    >>> air.at([1999.0, 2001.0]).tolist()
    [369.0, 370.0]
    """

    year: Float[np.ndarray, " time"]
    value: Float[np.ndarray, " time"]
    sigma: Float[np.ndarray, " time"]
    unit: str
    source: tuple[Span, ...] = ()
    joins: tuple[Join, ...] = ()
    files: tuple[Found, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be interpolated."""
        shapes = {np.shape(a) for a in (self.year, self.value, self.sigma)}
        if len(shapes) != 1 or np.ndim(self.year) != 1 or not self.year.size:
            raise BadCall(f"a history needs year, value and sigma of one length, came {sorted(shapes)}")
        if not np.all(np.diff(self.year) > 0) or not np.all(np.isfinite([self.year, self.value])):
            raise BadCall("a history needs finite values in increasing years: sort the rows, drop empty ones")

    @property
    def last(self) -> float:
        """Year in which the record ends; its last row stands for the time to there."""
        return self.source[-1].last if self.source else float(self.year[-1])

    def at(self, year: Numbers, *, hold: bool = False) -> Float[np.ndarray, "..."]:
        """Value in ``year``: linear between rows, the first value before the first row.

        Raises `BadCall` after `last`, unless ``hold``: then the last value.
        """
        return np.asarray(np.interp(self._inside(year, hold), self.year, self.value))

    def _inside(self, year: Numbers, hold: bool) -> Float[np.ndarray, "..."]:
        year = np.asarray(year, dtype=float)
        if not np.all(np.isfinite(year)):
            raise BadCall("a history was asked for a year that is missing or infinite")
        if not hold and np.any(year > self.last):
            raise BadCall(
                f"the record ends in {self.last:.2f}, year {year.max():.2f} was asked for: pass hold=True to "
                "keep its last value; for 14C, forecast=True when reading goes on to 2029"
            )
        return year


@dataclass(frozen=True)
class Atmosphere:
    """The air of one zone: CO2 (ppm, the globe), δ13C of CO2 (permil VPDB, the globe), F14C of CO2."""

    zone: str
    co2_ppm: History
    delta13c_permil: History
    F14C: History


def zone_of(latitude: float) -> str:
    """Zone of Hua et al. 2022 (doi:10.1017/RDC.2021.95) at ``latitude`` (degrees, north positive), all year.

    NH1 from 40 N, NH2 to the mean position of the intertropical convergence in the northern summer, NH3 to
    the equator, SH3 to that in the southern summer, SH12 beyond. Those positions vary with longitude and
    season and are taken as 15 N and 15 S (`ITCZ_SUMMER`): name the zone yourself where you know it. It
    matters in 1956 to 1972: NH2 and NH3 differ by up to 0.26 in F14C, SH3 and SH12 by up to 0.15, NH1 and NH2
    by up to 0.09, all by less than 0.001 from 1986 on. NH3 and SH3 still differ by 0.01 in 2019.

    Raises `BadCall` outside -90 to 90.

    >>> [zone_of(x) for x in (52.0, 35.0, 5.0, -5.0, -35.0)]
    ['NH1', 'NH2', 'NH3', 'SH3', 'SH12']
    """
    if not -90.0 <= latitude <= 90.0:
        raise BadCall(f"latitude is {latitude}: expected -90 to 90 degrees, north positive")
    bounds = (HUA_BOUND, ITCZ_SUMMER, 0.0, -ITCZ_SUMMER)
    return ("NH1", "NH2", "NH3", "SH3", "SH12")[sum(latitude < bound for bound in bounds)]


def histories(
    zone: str, *, data: Path | str | None = None, forecast: bool = False, download: bool = True
) -> Atmosphere:
    """All records of a zone; see `annual` and `radiocarbon` for each, which a caller may do without.

    ``zone`` one of `ZONES`, ``data``, ``download`` as in `subsoil.archive.registry.find`, ``forecast`` as in
    `radiocarbon`. Raises what those raise.
    """
    air = radiocarbon(zone, data=data, forecast=forecast, download=download)
    co2 = annual("co2_ppm", data=data, download=download)
    return Atmosphere(zone, co2, annual("delta13c_permil", data=data, download=download), air)


def annual(quantity: str, *, data: Path | str | None = None, download: bool = True) -> History:
    """``co2_ppm`` or ``delta13c_permil`` of the globe, annual means of year 0 to 2024, no errors given.

    Source: Belmecheri and Lavergne 2020, extended. Raises `BadCall` for another quantity, `MissingData`.
    """
    units = {"co2_ppm": ("co2_ppm", "ppm"), "delta13c_permil": ("d13c_co2_permil", "permil")}
    if quantity not in units:
        raise BadCall(f"unknown quantity {quantity!r}: expected one of {', '.join(units)}")
    column, unit = units[quantity]
    found = _find(("belmecheri2020",), data, download)["belmecheri2020"]
    table = _table(found.files[0].path, ("year", column))
    return _history(table["year"] + 0.5, table[column], np.nan, unit, found)


def radiocarbon(
    zone: str, *, data: Path | str | None = None, forecast: bool = False, download: bool = True
) -> History:
    """F14C of atmospheric CO2 with its 1-sigma error, from 55 000 cal BP on.

    ``zone`` one of `ZONES`. ``forecast`` goes on after the measurements (see the module; zones of Hua only);
    its sigma is half of the 68 % interval, 0.025 (NH) or 0.011 (SH) at once. Before the first row F14C stays
    as it is there, 0.002. Graven et al. give no sigma.

    Raises `BadCall` for an unknown zone; `MissingData` with every file that is missing and the two ways to
    provide it (a run can go on without 14C); `UnreadableFile` where a file is another table.
    """
    if zone not in ZONES:
        raise BadCall(f"unknown zone {zone!r}: expected one of {', '.join(ZONES)}; see zone_of(latitude)")
    place = ZONES[zone]
    if forecast and not place.forecast:
        raise BadCall(f"no forecast continues {place.bomb} ({zone}): use a zone of Hua et al., such as NH1")
    keys = (*place.curves, place.bomb, *(("sierra2018",) if forecast else ()))
    found = _find(keys, data, download)
    bomb = _bomb(found[place.bomb], place.label)
    air = _splice(_calibration([found[key] for key in place.curves]), bomb, float(bomb.year[0]))
    if not forecast:
        return air
    later, end = _forecast(found["sierra2018"], place.forecast), float(bomb.year[-1])
    year = later.year[(later.year > end - 1.0) & (later.year <= end)]
    if not year.size:
        raise UnreadableFile(f"the forecast has no row in the year before {end:.2f}: nothing ties its level")
    return _splice(air, later, end, float(np.mean(later.at(year) - bomb.at(year))))


def to_delta14c(air: History) -> History:
    """Δ14C (permil) of a history of F14C, row by row with the year of the row (`isotopes.delta14c`).

    >>> to_delta14c(History(np.array([2010.0]), np.array([1.0]), np.array([0.002]), "F14C")).value.round(2)
    array([-7.23])
    """
    if air.unit != "F14C":
        raise BadCall(f"Δ14C comes from a history of F14C, this one is in {air.unit}")
    value, sigma = delta14c(air.value, air.year), delta14c_sigma(air.sigma, air.year)
    joins = tuple(
        Join(j.year, *map(float, delta14c_sigma([j.mismatch, j.removed], j.year))) for j in air.joins
    )
    return History(air.year, value, sigma, "permil", air.source, joins, air.files)


def resample(history: History, edges: Numbers, *, hold: bool = False) -> Float[np.ndarray, " interval"]:
    """Mean over each interval, ``m_i = ∫ v dt / (e_{i+1} - e_i)`` from e_i to e_{i+1}, exact for linear v.

    ``edges`` e [edge] increasing calendar years. Before the first row the first value counts. Raises
    `BadCall` where edges do not increase, and after the end unless ``hold``.

    >>> air = History(np.array([0.0, 10.0]), np.array([0.0, 10.0]), np.full(2, np.nan), "ppm")
    >>> resample(air, [-2.0, 0.0, 4.0, 10.0]).tolist()
    [0.0, 2.0, 7.0]
    """
    at = history._inside(edges, hold)
    if at.ndim != 1 or at.size < 2 or np.any(np.diff(at) <= 0):
        raise BadCall("edges must be two or more increasing years")
    year, value = history.year, history.value
    areas = np.diff(year) * (value[1:] + value[:-1]) / 2.0
    # Counted from the end: the narrow young intervals must not be differences of large sums.
    left = np.append(np.cumsum(areas[::-1])[::-1], 0.0)
    after = np.clip(np.searchsorted(year, at, side="left"), 0, year.size - 1)
    area = left[after] + (year[after] - at) * (value[after] + np.interp(at, year, value)) / 2.0
    return np.asarray((area[:-1] - area[1:]) / np.diff(at))


def _find(keys: Sequence[str], data: Path | str | None, download: bool) -> dict[str, Found]:
    """Every data set, or one message on all that are missing."""
    found, missing = {}, []
    for key in keys:
        try:
            found[key] = registry.find(key, data, download=download)
        except MissingData as error:
            missing.append(str(error))
    if missing:
        raise MissingData("\n".join(missing))
    return found


def _table(path: Path, columns: Sequence[str], header: Literal["infer", 0] | None = "infer") -> pd.DataFrame:
    """Columns of a file of numbers; ``columns`` names them where the file does not (header None or 0)."""
    names = None if header == "infer" else list(columns)
    try:
        table = pd.read_csv(path, comment="#", header=header, names=names)[list(columns)]
        numbers = table.drop(columns=["zone", "quarter"], errors="ignore").to_numpy(dtype=float)
    except (ValueError, KeyError) as error:
        raise UnreadableFile(f"{path}: expected numbers in columns {', '.join(columns)}: {error}") from error
    if not numbers.size or not np.all(np.isfinite(numbers)):
        raise UnreadableFile(f"{path}: numbers are missing in columns {', '.join(columns)}: copy it again")
    return table


def _history(year: Numbers, value: Numbers, sigma: Numbers, unit: str, found: Found) -> History:
    """The record of one file; a row stands for the time halfway to its neighbours."""
    at = np.asarray(year, dtype=float)
    if at.size < 2 or not np.all(np.diff(at) > 0):
        raise UnreadableFile(f"{found.path}: years do not increase, or fewer than two rows: copy it again")
    half = np.diff(at)[[0, -1]] / 2.0
    span = Span(float(at[0] - half[0]), float(at[-1] + half[1]), found.key, found.card.doi)
    sigmas = np.broadcast_to(np.asarray(sigma, dtype=float), at.shape)
    return History(at, np.asarray(value, dtype=float), sigmas, unit, (span,), (), (found,))


def _calibration(curves: Sequence[Found]) -> History:
    """F14C of a calibration curve, or the mean of two."""
    records = []
    for found in curves:
        table = _table(found.files[0].path, ("bp", "age", "age_sigma", "delta", "sigma"), None)
        year = RADIOCARBON_BASE_YEAR - table["bp"].to_numpy(dtype=float)
        value, sigma = fraction_modern(table["delta"], year), table["sigma"] / delta14c_sigma(1.0, year)
        records.append(_history(year, value, sigma, "F14C", found))
    if len(records) == 1:
        return records[0]
    one, two = records
    span = one.source[0]._replace(
        name=f"mean of {one.source[0].name} and {two.source[0].name}",
        doi=f"{one.source[0].doi} {two.source[0].doi}",
    )
    value = (one.value + two.at(one.year, hold=True)) / 2.0
    sigma = (one.sigma + np.interp(one.year, two.year, two.sigma)) / 2.0  # as if the errors were shared
    return History(one.year, value, sigma, one.unit, (span,), (), one.files + two.files)


def _bomb(found: Found, label: str) -> History:
    path = found.files[0].path
    if found.key == "graven2017":
        table = _table(path, ("Year.AD", label))
        value = fraction_modern(table[label], table["Year.AD"])
        return _history(table["Year.AD"], value, np.nan, "F14C", found)
    table = _table(path, ("zone", "year", "f14c", "f14c_sd"))
    rows = table[table["zone"] == label]
    return _history(rows["year"], rows["f14c"], rows["f14c_sd"], "F14C", found)


def _forecast(found: Found, hemisphere: str) -> History:
    path = next(f.path for f in found.files if f.name.endswith(f"{hemisphere}.csv"))
    table = _table(path, ("quarter", "mean", "low68", "high68", "low95", "high95"), 0)
    quarter = table["quarter"].astype(str).str.extract(r"^(\d{4}) Q([1-4])$").to_numpy(dtype=float)
    year = quarter[:, 0] + (quarter[:, 1] - 0.5) / 4.0
    value = fraction_modern((table["mean"] - 1.0) * 1000.0, year)
    sigma = (table["high68"] - table["low68"]) * 500.0 / delta14c_sigma(1.0, year)
    return _history(year, value, sigma, "F14C", found)


def _splice(early: History, late: History, at: float, removed: float = 0.0) -> History:
    """The earlier record to the year ``at``, the later one, less ``removed``, from there on."""
    old = early.year <= at
    new = late.year > early.year[old][-1]
    step = float(np.interp(at, late.year, late.value - removed) - early.at(at, hold=True))
    spans = (*early.source[:-1], early.source[-1]._replace(last=at), late.source[0]._replace(first=at))
    return History(
        np.concatenate([early.year[old], late.year[new]]),
        np.concatenate([early.value[old], late.value[new] - removed]),
        np.concatenate([early.sigma[old], late.sigma[new]]),
        early.unit,
        spans,
        (*early.joins, Join(at, step, removed)),
        early.files + late.files,
    )
