"""A release gives back what went in, gives the same bytes each time, and notices every change."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from subsoil import atomic
from subsoil.archive import release
from subsoil.archive.release import load_release, write_release
from subsoil.archive.schema import TABLES, Archive, Reject, empty, rejects_frame, typed
from subsoil.errors import BadCall, ChecksumMismatch, MissingData, UnreadableFile
from subsoil.variables import columns


def archive() -> Archive:
    layer = typed(
        "layer",
        pd.DataFrame(
            {
                "entry_name": ["N001", "N001"],
                "lyr_top": [0.0, 0.1 + 0.2],
                "lyr_13c": [-25.123456789012345, float("nan")],
                "flags": ["overlap; repaired", None],
                "notes_of_mine": ["é", None],
            }
        ),
    )
    profile = typed("profile", pd.DataFrame({"pro_name": ["a", "b"], "pair_ref_is_previous": [True, None]}))
    rejects = rejects_frame([Reject("a.xlsx", "Layers", 13, "z1", "gap", "30", "note", "nothing above")])
    return replace(empty("doe", simulated=True), layer=layer, profile=profile, rejects=rejects)


def test_round_trip_loses_nothing(tmp_path: Path) -> None:
    before = archive()
    after = load_release(write_release(before, tmp_path, "2026.1"))
    for name in (*TABLES, "rejects"):
        pd.testing.assert_frame_equal(getattr(after, name), getattr(before, name))
    assert (after.source, after.simulated) == ("doe", True)


def test_same_archive_gives_the_same_bytes(tmp_path: Path) -> None:
    one = write_release(archive(), tmp_path / "one", "2026.1")
    other = write_release(load_release(one), tmp_path / "other", "2026.1")
    assert atomic.checksums(one) == atomic.checksums(other)
    assert write_release(archive(), tmp_path / "one", "2026.1") == one


def test_a_version_never_changes(tmp_path: Path) -> None:
    path = write_release(archive(), tmp_path, "2026.1")
    before = atomic.checksums(path)
    with pytest.raises(BadCall, match="other contents; give a new version"):
        write_release(replace(archive(), simulated=False), tmp_path, "2026.1")
    assert atomic.checksums(path) == before


@pytest.mark.parametrize("version", ["", "../x", "a/b", ".hidden", "a b", "x" * 65])
def test_version_is_a_plain_name(version: str, tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="letters, digits"):
        write_release(archive(), tmp_path, version)


def test_mixed_column_of_the_user_is_a_bad_call(tmp_path: Path) -> None:
    mixed = archive()
    mixed = replace(mixed, layer=mixed.layer.assign(mixed=pd.Series([1, "a"], dtype=object)))
    with pytest.raises(BadCall, match="table layer mixes"):
        write_release(mixed, tmp_path, "1")


@pytest.mark.parametrize("name", ["layer.parquet", "rejects.parquet", "layer.dictionary.csv"])
def test_changed_or_missing_file_is_noticed(name: str, tmp_path: Path) -> None:
    path = write_release(archive(), tmp_path, "1")
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(ChecksumMismatch, match=name):
        load_release(path)
    (path / name).unlink()
    with pytest.raises(ChecksumMismatch, match="no such file"):
        load_release(path)


def forge(path: Path, **changes: object) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def test_damaged_manifest_is_named(tmp_path: Path) -> None:
    path = write_release(archive(), tmp_path, "1")
    forge(path, format=release.FORMAT + 1)
    with pytest.raises(UnreadableFile, match="update"):
        load_release(path)
    forge(path, format=1, sha256={})
    with pytest.raises(UnreadableFile, match=r"does not list fraction\.parquet"):
        load_release(path)
    forge(path, sha256=[])
    with pytest.raises(UnreadableFile, match="not the manifest"):
        load_release(path)
    (path / "manifest.json").write_text('{"format": 1,')
    with pytest.raises(UnreadableFile, match="damaged"):
        load_release(path)


def test_forged_tables_are_named(tmp_path: Path) -> None:
    path = write_release(archive(), tmp_path, "1")
    (path / "rejects.parquet").write_bytes(b"PAR1 no")
    forge(path, sha256={k: v for k, v in atomic.checksums(path).items() if k != "manifest.json"})
    with pytest.raises(UnreadableFile, match="no Parquet file"):
        load_release(path)
    pq.write_table(pa.table({"other": [1]}), path / "rejects.parquet")
    forge(path, sha256={k: v for k, v in atomic.checksums(path).items() if k != "manifest.json"})
    with pytest.raises(UnreadableFile, match="no table of rejects"):
        load_release(path)


def test_version_is_looked_up_where_releases_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(release, "cache_folder", lambda: tmp_path / "cache")
    write_release(archive(), tmp_path / "cache" / "releases", "2026.1")
    assert load_release("2026.1").simulated
    write_release(replace(archive(), simulated=False), tmp_path / "out" / "releases", "2026.1")
    assert not load_release("2026.1").simulated
    with pytest.raises(MissingData, match=r"no release 2026.2: looked for manifest\.json in 2026.2, out"):
        load_release("2026.2")


def test_dictionary_tells_every_column(tmp_path: Path) -> None:
    path = write_release(archive(), tmp_path, "1")
    with open(path / "layer.dictionary.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["col", "required", "type", "unit", "min", "max", "vocab", "description"]
    assert [row["col"] for row in rows] == [v.name for v in columns("layer")]
    top = next(row for row in rows if row["col"] == "lyr_top")
    assert (top["required"], top["type"], top["unit"], top["min"]) == ("yes", "float", "cm", "-1000")


def test_manifest_counts_rows_and_rejects(tmp_path: Path) -> None:
    path = write_release(archive(), tmp_path, "1", sources=[{"key": "doe", "doi": "10.1/x"}])
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["rows"]["layer"] == 2
    assert manifest["rejects"] == {"error": {}, "warning": {}, "note": {"gap": 1}}
    assert manifest["sources"] == [{"key": "doe", "doi": "10.1/x"}]
    assert str(tmp_path) not in (path / "manifest.json").read_text()
