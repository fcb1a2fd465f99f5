"""Whatever a file holds: an archive with every row kept or in the rejects, or one clear line of ours.

The kinds of damage are those of ``scripts/fuzz.py``, which reads thousands of them.
"""

import importlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from subsoil.archive.readers import read
from subsoil.archive.validate import validate
from subsoil.errors import UnreadableFile

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CASES, GROUPS, SEED = 304, 8, 599


@pytest.fixture(scope="module")
def fuzz() -> Iterator[ModuleType]:
    """The script, with its folder on the path for as long as it takes to import it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        yield importlib.import_module("fuzz")


@pytest.fixture(scope="module")
def damage(fuzz: ModuleType) -> ModuleType:
    return importlib.import_module("damage")


@pytest.mark.parametrize("group", range(GROUPS))
def test_damaged_files(group: int, fuzz: ModuleType, tmp_path: Path) -> None:
    outcomes = fuzz.fuzz(range(group, CASES, GROUPS), SEED, tmp_path, real=False)
    assert [f"case {o.case.number} {o.case.attack}: {o.failure}" for o in outcomes if o.failure] == []
    results = Counter(o.result for o in outcomes)
    assert results["archive"] > 0
    assert results["UnreadableFile"] > 0
    assert set(results) == {"archive", "UnreadableFile"}


def workbook(damage: ModuleType, fuzz: ModuleType, make: str) -> dict[str, bytes]:
    return damage.parts_of(fuzz.seed_sheets(make, random.Random(0)))


@pytest.mark.parametrize("make", ["balesdent2018", "template", "israd"])
def test_undamaged_file_keeps_every_row(
    make: str, fuzz: ModuleType, damage: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "table.xlsx"
    path.write_bytes(damage.zipped(workbook(damage, fuzz, make)))
    outcome = fuzz.examine(fuzz.Case(0, make, "none", path))
    assert outcome.failure == ""
    assert outcome.result == "archive"
    assert outcome.rows == outcome.kept > 0


REFUSED = {
    "entity-external": "document type or entities",
    "entity-laughs": "document type or entities",
    "bomb": "bomb",
    "far-row": "at most",
    "far-column": "at most",
    "nul": "not UTF-8",
    "utf-16": "not UTF-8",
    "many-parts": "at most 2000 parts",
    "path-out": "leads out of the archive",
}


@pytest.mark.parametrize("attack", REFUSED)
def test_hostile_workbook_is_refused_by_name(
    attack: str, fuzz: ModuleType, damage: ModuleType, tmp_path: Path
) -> None:
    parts = damage.PACKAGE_ATTACKS[attack](workbook(damage, fuzz, "template"), random.Random(1))
    path = tmp_path / "table.xlsx"
    path.write_bytes(damage.zipped(parts))
    with pytest.raises(UnreadableFile, match=REFUSED[attack]):
        read(path)


BROKEN = {
    "empty": "is empty",
    "encrypted": "encrypted",
    "old-xls": "old .xls",
    "pdf": "no table",
    "html": "no table",
    "other-zip": "not an .xlsx",
}


@pytest.mark.parametrize("attack", BROKEN)
def test_other_file_is_refused_by_name(
    attack: str, fuzz: ModuleType, damage: ModuleType, tmp_path: Path
) -> None:
    content = damage.zipped(workbook(damage, fuzz, "template"))
    path = tmp_path / "table.xlsx"
    path.write_bytes(damage.BYTE_ATTACKS[attack](content, random.Random(1)))
    with pytest.raises(UnreadableFile, match=BROKEN[attack]):
        read(path)


SAME = [
    *("encoding-utf-16", "encoding-utf-8-sig", "split-59", "split-9", "decimal-comma"),
    *("line-ends-cr", "line-ends-mixed", "blank-lines", "gzip"),
]


@pytest.mark.parametrize("attack", SAME)
def test_text_saved_otherwise_gives_the_same_numbers(
    attack: str, fuzz: ModuleType, damage: ModuleType, tmp_path: Path
) -> None:
    content = damage.delimited(fuzz.flat_template()["flat"])
    (tmp_path / "plain.csv").write_bytes(content)
    (tmp_path / "other.csv").write_bytes(damage.TEXT_ATTACKS[attack](content, random.Random(1)))
    numbers = ["lyr_top", "lyr_bot", "lyr_13c", "lyr_c_org", "lyr_soc", "pair_ref_13c"]
    plain, other = (read(tmp_path / f"{name}.csv").layer[numbers] for name in ("plain", "other"))
    assert other.equals(plain)


def test_enormous_table_is_read_or_refused(fuzz: ModuleType, damage: ModuleType, tmp_path: Path) -> None:
    (header, *rows) = fuzz.flat_template()["flat"]
    names = {title: j for j, title in enumerate(header)}
    many = []
    for n in range(250):
        for row in rows:
            many.append(list(row))
            many[-1][names["entry_name"]] = f"Mine_{n}"
    path = tmp_path / "many.csv"
    path.write_bytes(damage.delimited([header, *many]))
    checked = validate(read(path))
    assert len(checked.layer) == 1000
    path.write_bytes(damage.delimited([header]) + b"," * 600_000 + b"\r\n" * 600_000)
    with pytest.raises(UnreadableFile, match="at most"):
        read(path)


def test_formula_of_a_csv_never_reaches_the_results(
    fuzz: ModuleType, damage: ModuleType, tmp_path: Path
) -> None:
    (header, *rows) = fuzz.flat_template()["flat"]
    rows[0][header.index("lyr_note")] = "=cmd|' /C calc'!A0"
    path = tmp_path / "armed.csv"
    path.write_bytes(damage.delimited([header, *rows]))
    archive = read(path)
    assert not archive.layer.map(lambda v: isinstance(v, str) and v.startswith("=")).any(axis=None)
    armed = archive.rejects[archive.rejects["rule"] == "formula-text"]
    assert armed["row"].tolist() == [2]
    assert armed["value"].str.startswith("'=").all()


def test_a_case_is_the_same_each_time(fuzz: ModuleType, tmp_path: Path) -> None:
    for number in range(12):
        one = fuzz.make_case(number, SEED, tmp_path / "one", real=False)
        other = fuzz.make_case(number, SEED, tmp_path / "other", real=False)
        files = [
            sorted(p.read_bytes() for p in c.path.parent.rglob("*") if p.is_file()) for c in (one, other)
        ]
        assert one.attack == other.attack
        assert len(files[0]) == len(files[1])


def test_report_of_a_run(fuzz: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = fuzz.fuzz(range(6), SEED, tmp_path, real=False)
    summary = fuzz.report(outcomes, SEED, 1.0)
    fuzz.show(summary)
    assert sum(summary["results"].values()) == 6
    assert "6 damaged files" in capsys.readouterr().out


@pytest.mark.data
def test_damaged_published_workbook(fuzz: ModuleType, tmp_path: Path, data_dir: Path) -> None:
    outcomes = fuzz.fuzz(range(5, 65, 6), SEED, tmp_path)
    assert {o.case.make for o in outcomes} == {"published"}
    assert [o.failure for o in outcomes if o.failure] == []
