"""A killed run leaves the earlier results whole, at whatever moment it dies."""

import json
import math
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsoil import atomic
from subsoil.errors import BadCall

# Writes generation 2 over generation 1 and dies before the n-th call to the system, for every n: each
# rename, write, flush and removal is such a call. Prints what a reader finds after each death.
KILLER = """
import json, os, shutil, signal, sys
from pathlib import Path
from subsoil import atomic

what, exchange, root = sys.argv[1], sys.argv[2] == "exchange", Path(sys.argv[3])
if not exchange:
    atomic._exchange = lambda one, other: False
target = root / "out"

def write(generation):
    if what == "file":
        atomic.write_text(target, generation * 1000)
        return
    with atomic.folder(target) as new:
        for name in ("report.html", "table.csv"):
            (new / name).write_text(generation)

def die_before(call):
    count = 0
    def watch(frame, event, argument):
        nonlocal count
        owner = getattr(argument, "__module__", None) or type(getattr(argument, "__self__", None)).__module__
        count += event == "c_call" and owner in ("posix", "_io", "io")
        if count == call:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(watch)

def content():
    if what == "file":
        return sorted(set(target.read_text())) if target.exists() else None
    return sorted({p.read_text() for p in target.glob("[a-z]*")}) if target.exists() else None

outcomes, call = [], 0
while True:
    call += 1
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    write("1")
    child = os.fork()
    if child == 0:
        die_before(call)
        write("2")
        sys.setprofile(None)
        os._exit(0)
    survived = os.waitpid(child, 0)[1] == 0
    at_once = content()
    atomic.recover(target)
    recovered, leftovers = content(), [p.name for p in root.iterdir() if p.name != "out"]
    outcomes.append([at_once, recovered, leftovers])
    if survived:
        break
print(json.dumps(outcomes))
"""


def kill_everywhere(what: str, how: str, root: Path) -> list[list[list[str] | None]]:
    run = subprocess.run(
        [sys.executable, "-c", KILLER, what, how, str(root)], capture_output=True, text=True, check=True
    )
    outcomes: list[list[list[str] | None]] = json.loads(run.stdout)
    assert len(outcomes) > 30
    return outcomes


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@needs_fork
@pytest.mark.parametrize("what", ["file", "folder"])
def test_one_rename_leaves_results_whole_at_every_moment(what: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    if not atomic._exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot exchange two names")
    for at_once, recovered, leftovers in kill_everywhere(what, "exchange", tmp_path / "root"):
        assert at_once in (["1"], ["2"])
        assert recovered == at_once
        assert leftovers == []


@needs_fork
def test_two_renames_leave_results_whole_after_the_next_start(tmp_path: Path) -> None:
    outcomes = kill_everywhere("folder", "two", tmp_path / "root")
    for at_once, recovered, leftovers in outcomes:
        assert at_once in (["1"], ["2"], None)
        assert recovered == (at_once or ["1"])
        assert leftovers == []
    assert None in [at_once for at_once, _, _ in outcomes], "no death fell between the two renames"


def test_folder_is_replaced_whole(tmp_path: Path) -> None:
    for names in (["a.csv", "old.csv"], ["a.csv", "figures/b.svg"]):
        with atomic.folder(tmp_path / "deep" / "out") as new:
            (new / "figures").mkdir()
            for name in names:
                (new / name).write_text(name)
        assert sorted(atomic.checksums(tmp_path / "deep" / "out")) == names
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


def test_failed_block_changes_nothing(tmp_path: Path) -> None:
    with atomic.folder(tmp_path / "out") as new:
        (new / "a").write_text("1")

    def fail() -> None:
        with atomic.folder(tmp_path / "out") as new:
            (new / "a").write_text("2")
            1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "out" / "a").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_failed_second_rename_puts_the_first_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with atomic.folder(tmp_path / "out") as new:
        (new / "a").write_text("1")
    rename = os.rename

    def fail(source: Path, target: Path) -> None:
        if source.suffix == ".tmp":
            raise OSError("the disk is gone")
        rename(source, target)

    monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="the disk is gone"), atomic.folder(tmp_path / "out") as new:
        (new / "a").write_text("2")
    assert (tmp_path / "out" / "a").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(BadCall, match="subsoil did not write"), atomic.folder(tmp_path / "thesis"):
        pass
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    with pytest.raises(BadCall, match="is a file"), atomic.folder(tmp_path / "thesis" / "chapter.tex"):
        pass
    with pytest.raises(BadCall, match="is a folder"):
        atomic.write_text(tmp_path / "thesis", "x")
    with pytest.raises(BadCall, match="cannot make the folder"):
        atomic.write_text(tmp_path / "thesis" / "chapter.tex" / "x", "x")


def test_folder_that_others_fill_meanwhile_is_refused(tmp_path: Path) -> None:
    def meet() -> None:
        with atomic.folder(tmp_path / "out") as new:
            (new / "a").write_text("1")
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "notes").write_text("mine")

    with pytest.raises(BadCall, match="subsoil did not write"):
        meet()
    assert (tmp_path / "out" / "notes").read_text() == "mine"


def test_link_keeps_pointing_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with atomic.folder(tmp_path / "out") as new:
        (new / "a").write_text("1")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "a").read_text() == "1"


def test_leftovers_of_living_and_foreign_processes_stay(tmp_path: Path) -> None:
    target = tmp_path / "out[1]"
    mine = atomic._sibling(target, ".tmp")
    elsewhere = tmp_path / ".out[1].otherhost-1-abcdef01.tmp"
    old = tmp_path / ".out[1].otherhost-2-abcdef01.tmp"
    unrelated = [tmp_path / ".out[1].swp", tmp_path / ".out[1].x-y-z.tmp", tmp_path / ".out[1].a.b"]
    for path in (mine, elsewhere, old, *unrelated):
        path.write_text("")
    long_ago = time.time() - 2 * 86400
    os.utime(old, (long_ago, long_ago))
    atomic.recover(target)
    assert not old.exists()
    assert all(p.exists() for p in (mine, elsewhere, *unrelated))
    atomic.recover(tmp_path / "absent" / "out")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_canonical_json_is_a_fixed_point(content: object) -> None:
    once = atomic.canonical_json(content)
    assert atomic.canonical_json(json.loads(once)) == once


@given(st.dictionaries(st.text(), st.integers(), min_size=1), st.randoms())
def test_order_of_keys_does_not_matter(content: dict[str, int], random: object) -> None:
    keys = list(content)
    random.shuffle(keys)  # type: ignore[attr-defined]
    assert atomic.canonical_json({k: content[k] for k in keys}) == atomic.canonical_json(content)


def test_canonical_json_speaks_the_words_of_the_field() -> None:
    content = {
        "array": np.array([1.5, np.nan]),
        "scalar": np.float32(0.5),
        "count": np.int64(3),
        "path": Path("a") / "b",
        "day": date(2018, 7, 11),
        "kinds": {"b", "a"},
        "infinite": math.inf,
    }
    assert json.loads(atomic.canonical_json(content)) == {
        "array": [1.5, None],
        "scalar": 0.5,
        "count": 3,
        "path": "a/b",
        "day": "2018-07-11",
        "kinds": ["a", "b"],
        "infinite": None,
    }
    with pytest.raises(BadCall, match="got object"):
        atomic.canonical_json({"a": object()})


def test_json_file_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        atomic.write_json(tmp_path / name, {"seconds": 0.1 + 0.2, "title": "δ13C"})
    assert atomic.sha256(tmp_path / "a") == atomic.sha256(tmp_path / "b")
    assert "δ13C" in (tmp_path / "a").read_text(encoding="utf-8")
