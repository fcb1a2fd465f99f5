"""Air of the past: what the files say, how they meet, and means over intervals."""

import csv
from pathlib import Path

import numpy as np
import pytest

from subsoil.archive import fetch, registry
from subsoil.archive.atmosphere import (
    ZONES,
    History,
    annual,
    histories,
    radiocarbon,
    resample,
    to_delta14c,
    zone_of,
)
from subsoil.constants import RADIOCARBON_DECAY
from subsoil.errors import BadCall, MissingData, UnreadableFile
from subsoil.isotopes import delta14c, fraction_modern

HUA = ("NH1", "NH2", "NH3", "SH3", "SH12")
PULSE = 1963


@pytest.fixture
def invented(tmp_path: Path) -> Path:
    """Files of the six data sets with invented numbers: flat air, one pulse in `PULSE`."""
    folder = tmp_path / "atmosphere"
    folder.mkdir()
    rows = "\n".join(f"{bp},{bp},10,0.0,1.0" for bp in range(300, -1, -10))
    for name in ("intcal20.14c", "shcal20.14c"):
        (folder / name).write_text("# CAL BP, 14C age,Sigma,Delta 14C,Sigma\n" + rows)
    months = [1950 + (m + 0.5) / 12 for m in range(12 * 70)]
    hua = [f"{ZONES[z].label},{y},0,1,{1.5 if int(y) == PULSE else 1.0},0.01" for z in HUA for y in months]
    (folder / "hua2022_monthly_d14c.csv").write_text("zone,year,d14c,d14c_sd,f14c,f14c_sd\n" + "\n".join(hua))
    bands = (f"{y}.5,{d},{d},{d}" for y in range(1850, 2016) for d in [500.0 if y == PULSE else 0.0])
    (folder / "graven2017_d14c.csv").write_text("Year.AD,NH,Tropics,SH\n" + "\n".join(bands))
    air = (f"{y},{400 if y == PULSE else 300},-7" for y in range(2025))
    (folder / "co2_d13c_annual_0_2024.csv").write_text("year,co2_ppm,d13c_co2_permil\n" + "\n".join(air))
    quarters = (f'"{y} Q{q}",1.04,1.03,1.05,1.02,1.06' for y in range(2010, 2030) for q in (1, 2, 3, 4))
    lines = '"","Point.Forecast","Lo.68","Hi.68","Lo.95","Hi.95"\n' + "\n".join(quarters)
    for name in ("NH", "SH"):
        (folder / f"sierra2018_forecast{name}.csv").write_text(lines)
    return tmp_path


def flat(value: float = 1.0) -> History:
    return History(np.array([0.0, 10.0]), np.array([value, value]), np.full(2, np.nan), "F14C")


@pytest.mark.parametrize("zone", ZONES)
def test_pulse_arrives_in_its_own_calendar_year(invented: Path, zone: str) -> None:
    air = histories(zone, data=invented)
    years = np.arange(1955.0, 1972.0)
    for history in (air.co2_ppm, air.F14C):
        means = resample(history, years)
        assert years[np.argmax(means)] == PULSE
        assert means[years[:-1] < PULSE - 1].max() < means[years[:-1] == PULSE] * 0.9
    assert np.ptp(air.delta13c_permil.value) == 0.0


def test_files_that_differ_from_the_known_ones_are_told(invented: Path) -> None:
    air = radiocarbon("NH1", data=invented, forecast=True)
    assert [len(found.warnings) for found in air.files] == [1, 1, 2]
    assert [span.name for span in air.source] == ["intcal20", "hua2022", "sierra2018"]


def test_forecast_holds_the_absolute_fraction_and_is_lowered_to_the_record(invented: Path) -> None:
    with pytest.raises(BadCall, match="record ends in 2020"):
        radiocarbon("SH12", data=invented).at(2025.0)
    air = radiocarbon("SH12", data=invented, forecast=True)
    join = air.joins[-1]
    assert abs(join.mismatch) < 1e-4
    year = air.year[air.year > join.year]
    assert air.at(year) + join.removed == pytest.approx(fraction_modern(40.0, year), abs=1e-12)
    assert join.removed == pytest.approx(fraction_modern(40.0, 2019.5) - 1.0, abs=1e-5)
    assert air.last == 2030.0
    with pytest.raises(BadCall, match="no forecast continues graven2017"):
        radiocarbon("SH", data=invented, forecast=True)


def test_ends() -> None:
    air = History(np.array([10.0, 20.0]), np.array([1.0, 3.0]), np.full(2, np.nan), "ppm")
    assert air.at([-1e6, 10.0, 15.0, 20.0]).tolist() == [1.0, 1.0, 2.0, 3.0]
    assert air.at(99.0, hold=True) == 3.0
    with pytest.raises(BadCall, match="hold=True"):
        air.at(20.1)
    with pytest.raises(BadCall, match="hold=True"):
        resample(air, [0.0, 21.0])
    assert resample(air, [20.0, 21.0], hold=True).tolist() == [3.0]
    with pytest.raises(BadCall, match="missing or infinite"):
        air.at([np.nan, 11.0])


def test_means_of_a_linear_record_are_exact() -> None:
    year = np.concatenate([np.linspace(-53_050.0, 1900.0, 500), np.linspace(1901.0, 2020.0, 1000)])
    air = History(year, 3.0 - 2e-5 * year, np.full(year.size, np.nan), "F14C")
    edges = np.sort(np.random.default_rng(7).uniform(-53_000.0, 2020.0, 50))
    middle = (edges[1:] + edges[:-1]) / 2.0
    assert resample(air, edges) == pytest.approx(3.0 - 2e-5 * middle, rel=1e-12)
    fine = 2020.0 - np.array([0.03, 0.02, 0.01, 0.0])
    assert resample(air, fine) == pytest.approx(3.0 - 2e-5 * (fine[1:] + fine[:-1]) / 2.0, rel=1e-12)


def test_means_add_up() -> None:
    rng = np.random.default_rng(8)
    air = History(np.cumsum(rng.uniform(0.1, 3.0, 60)), rng.normal(size=60), np.full(60, np.nan), "F14C")
    edges = np.linspace(-5.0, air.last, 23)
    whole = resample(air, edges[[0, -1]])[0]
    assert np.average(resample(air, edges), weights=np.diff(edges)) == pytest.approx(whole, rel=1e-12)
    fine = np.linspace(-5.0, air.last, 400_001)
    assert whole == pytest.approx(np.trapezoid(air.at(fine), fine) / np.ptp(fine), abs=1e-7)


@pytest.mark.parametrize("edges", [[1.0], [2.0, 1.0], [1.0, 1.0], [[1.0, 2.0]], [1.0, np.inf]])
def test_bad_edges(edges: list) -> None:
    with pytest.raises(BadCall):
        resample(flat(), edges)


def test_carbon_keeps_its_f14c_while_its_ratio_decays() -> None:
    fixed, sampled, ratio = 1964.2, 2021.7, 1.0 + delta14c(1.7, 1964.2) / 1000.0
    decayed = ratio * np.exp(-RADIOCARBON_DECAY * (sampled - fixed))
    assert decayed == pytest.approx(1.0 + delta14c(1.7, sampled) / 1000.0, rel=1e-12)


def test_both_notations_of_14c(invented: Path) -> None:
    air = radiocarbon("NH2", data=invented, forecast=True)
    delta = to_delta14c(air)
    assert fraction_modern(delta.value, delta.year) == pytest.approx(air.value, rel=1e-12)
    upper = fraction_modern(delta.value + delta.sigma, delta.year)
    assert upper == pytest.approx(air.value + air.sigma, rel=1e-12)
    assert (delta.unit, delta.source) == ("permil", air.source)
    assert delta.joins[-1].removed == pytest.approx(1000.0 * air.joins[-1].removed, rel=0.01)
    assert delta.joins[-1].removed != 1000.0 * air.joins[-1].removed
    with pytest.raises(BadCall, match="this one is in permil"):
        to_delta14c(delta)


def test_zone_of_a_latitude() -> None:
    assert [zone_of(x) for x in (90, 40, 39.9, 15, 14.9, 0, -0.1, -15, -15.1, -90)] == [
        *("NH1", "NH1", "NH2", "NH2", "NH3", "NH3", "SH3", "SH3", "SH12", "SH12")
    ]
    for wrong in (90.1, np.nan):
        with pytest.raises(BadCall, match="north positive"):
            zone_of(wrong)


def test_bad_calls() -> None:
    with pytest.raises(BadCall, match=r"unknown zone 'NH4': expected one of NH1, .*zone_of"):
        radiocarbon("NH4")
    with pytest.raises(BadCall, match="expected one of co2_ppm"):
        annual("ch4_ppb")
    with pytest.raises(BadCall, match="increasing years"):
        History(np.array([2.0, 1.0]), np.ones(2), np.ones(2), "ppm")
    with pytest.raises(BadCall, match="of one length"):
        History(np.array([1.0, 2.0]), np.ones(3), np.ones(2), "ppm")


def test_missing_data_are_all_named_with_the_two_ways(
    invented: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("SUBSOIL_DATA", raising=False)

    def offline(*args: object, **options: object) -> Path:
        raise MissingData("no connection")

    monkeypatch.setattr(fetch, "download", offline)
    for name in ("intcal20.14c", "hua2022_monthly_d14c.csv"):
        (invented / "atmosphere" / name).unlink()
    with pytest.raises(MissingData) as caught:
        histories("NH1", data=invented)
    message = str(caught.value)
    for part in ("intcal20 is missing", "hua2022 is missing", "pass --data DIR or set SUBSOIL_DATA=DIR"):
        assert part in message
    assert "https://doi.org/10.1017/RDC.2021.95" in message
    assert "shcal20" not in message
    assert annual("co2_ppm", data=invented).at(2000.5) == 300.0  # the rest goes on without 14C


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hua2022_monthly_d14c.csv", "zone,year\nNH zone 1,1950.5"),
        (
            "hua2022_monthly_d14c.csv",
            "zone,year,f14c,f14c_sd\nNH zone 2,1950,1,0.1\nNH zone 2,1951,1,0.1",
        ),
        ("hua2022_monthly_d14c.csv", "zone,year,f14c,f14c_sd\nNH zone 1,1950.5,,0.1"),
        ("hua2022_monthly_d14c.csv", "zone,year,f14c,f14c_sd\nNH zone 1,1951,1,0.1\nNH zone 1,1950,1,0.1"),
        ("intcal20.14c", "<html>gone</html>"),
        ("intcal20.14c", ""),
        ("sierra2018_forecastNH.csv", '"",a,b,c,d,e\nspring,1,1,1,1,1\nsummer,1,1,1,1,1'),
        ("sierra2018_forecastNH.csv", '"",a,b,c,d,e\n2025 Q1,1,1,1,1,1\n2025 Q2,1,1,1,1,1'),
    ],
)
def test_other_tables_are_refused(invented: Path, name: str, content: str) -> None:
    (invented / "atmosphere" / name).write_text(content)
    with pytest.raises(UnreadableFile):
        radiocarbon("NH1", data=invented, forecast=True)


@pytest.fixture(scope="module")
def published(data_dir: Path) -> dict[str, History]:
    """F14C of every zone from the published files."""
    return {zone: radiocarbon(zone, data=data_dir, download=False) for zone in ZONES}


@pytest.mark.data
@pytest.mark.parametrize("zone", ZONES)
def test_records_meet(data_dir: Path, published: dict[str, History], zone: str) -> None:
    first = published[zone].joins[0]
    assert abs(first.mismatch) < (1e-4 if zone in HUA else 1.2e-3)
    assert 0.0 < published[zone].sigma[0] < 0.01
    assert not any(found.warnings for found in published[zone].files)
    if zone not in HUA:
        return
    air = radiocarbon(zone, data=data_dir, download=False, forecast=True)
    assert air.joins[1].year == pytest.approx(2019.375)
    assert air.joins[1].removed == pytest.approx(0.0318 if zone.startswith("NH") else 0.0239, abs=1e-4)
    assert abs(air.joins[1].mismatch) < 1.1e-3
    same = air.year <= air.joins[1].year
    assert np.array_equal(air.value[same], published[zone].value)
    assert air.last > 2029.7
    ends = resample(to_delta14c(air), [2018.4, 2019.4, air.last - 1.0, air.last])
    assert ends[2] < ends[0] - 2.0


@pytest.mark.data
@pytest.mark.parametrize(("zone", "name"), [("NH1", "intcal20"), ("NH3", "intcal20"), ("SH12", "shcal20")])
def test_before_1941_the_curve_row_by_row(
    data_dir: Path, published: dict[str, History], zone: str, name: str
) -> None:
    lines = (data_dir / "atmosphere" / f"{name}.14c").read_text("utf-8").splitlines()
    rows = np.array([line.split(",") for line in lines if not line.startswith("#")], dtype=float)
    rows = rows[rows[:, 0] > 9]
    bp, age, delta, sigma = rows[:, 0], rows[:, 1], rows[:, 3], rows[:, 4]
    found = to_delta14c(published[zone])
    assert found.at(1950.0 - bp) == pytest.approx(delta, abs=1e-9)
    assert found.sigma[: len(bp)] == pytest.approx(sigma, rel=1e-9)
    # the column Δ14C carries the term of the calendar year: the column 14C age gives the same F14C
    relative = published[zone].at(1950.0 - bp) * np.exp(age / 8033.0) - 1.0
    assert np.abs(relative[bp <= 30_000]).max() < 2.1e-4
    assert np.abs(relative).max() < 8.2e-3


@pytest.mark.data
def test_bomb_peaks(published: dict[str, History]) -> None:
    peak = {zone: published[zone].year[np.argmax(published[zone].value)] for zone in HUA}
    height = [published[zone].value.max() for zone in HUA]
    assert 1963.0 < peak["NH1"] < 1964.0
    assert 1963.0 < peak["NH2"] < 1964.0
    assert peak["NH2"] < peak["NH3"] < peak["SH3"] < peak["SH12"] < 1966.0
    assert height == sorted(height, reverse=True)
    assert 1.9 < height[0] < 2.0
    yearly = np.arange(1955.0, 1975.0)
    means = {zone: yearly[np.argmax(resample(published[zone], yearly))] for zone in HUA}
    assert means == {"NH1": 1964.0, "NH2": 1964.0, "NH3": 1965.0, "SH3": 1965.0, "SH12": 1965.0}


@pytest.mark.data
def test_published_rows_of_the_bomb_record(data_dir: Path, published: dict[str, History]) -> None:
    with (data_dir / "atmosphere" / "hua2022_monthly_d14c.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["zone"] == "NH zone 2"]
    year = np.array([float(row["year"]) for row in rows])
    air = published["NH2"]
    assert air.at(year).tolist() == [float(row["f14c"]) for row in rows]
    assert to_delta14c(air).at(year) == pytest.approx([float(row["d14c"]) for row in rows], abs=0.06)


@pytest.mark.data
@pytest.mark.parametrize(
    ("band", "zone", "largest"),
    [
        ("NH", "NH1", 20),
        ("NH", "NH2", 55),
        ("Tropics", "NH3", 95),
        ("Tropics", "SH3", 46),
        ("SH", "SH12", 36),
    ],
)
def test_two_sources_of_the_bomb_curve(
    published: dict[str, History], band: str, zone: str, largest: float
) -> None:
    edges = np.arange(1960.0, 2017.0)
    graven, hua = to_delta14c(published[band]), to_delta14c(published[zone])
    difference = np.abs(graven.at(edges[:-1] + 0.5) - resample(hua, edges))
    assert difference.max() < largest
    assert difference[edges[:-1] >= 1980].max() < 11.0


@pytest.mark.data
def test_co2_and_13c(data_dir: Path) -> None:
    air = histories("NH2", data=data_dir, download=False)
    assert air.co2_ppm.at([1850.5, 1950.5, 2000.5]) == pytest.approx([286.10, 311.61, 368.92])
    assert air.delta13c_permil.at([1850.5, 2015.5, 2024.5]) == pytest.approx([-6.61, -8.44, -8.71])
    assert (air.co2_ppm.unit, air.delta13c_permil.unit, air.F14C.unit) == ("ppm", "permil", "F14C")
    assert np.abs(np.diff(air.co2_ppm.value)).max() < 3.3
    assert resample(air.co2_ppm, [2023.0, 2025.0])[0] < resample(air.co2_ppm, [2024.0, 2025.0])[0]
