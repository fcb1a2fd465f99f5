"""How fast subsoil is on this machine, beside the limits it was built to.

    python bench/bench.py            the study, then the soil models
    python bench/bench.py --study    the study in a temporary folder: out/bench_study.csv
    python bench/bench.py --models   soil models beside NumPy and SciPy: out/bench.csv
    python bench/bench.py --reuse    takes the study's seconds from its last run

Nothing fails on a slow machine; without the published workbook, what needs it is left out. Where JAX sees a
GPU the soil models run there, as the backend "gpu": .venv/bin/pip install "jax[cuda12]", then --models.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

STUDY = "balesdent2018"
OUT = Path("out")
MANIFEST = OUT / STUDY / "manifest.json"
PROGRAM = str(Path(sys.executable).with_name("subsoil"))
SAMPLING = ("age of carbon: the hierarchical model", "sites left out")
"""Steps of the study that sample, by their names in the manifest."""
KILOBYTE = 1 if sys.platform == "darwin" else 1024
"""Unit of ``ru_maxrss`` in bytes."""
FIND = f"""
import sys
from subsoil.archive import registry
from subsoil.errors import MissingData
try:
    print(registry.find({STUDY!r}, download=False).path)
except MissingData as missing:
    print(missing, file=sys.stderr)
"""
READ = """
import sys, time
from subsoil.archive.readers import read
start = time.perf_counter()
read(sys.argv[1])
print(time.perf_counter() - start)
"""
SCORE = """
import sys, time
from subsoil import pipeline
table = pipeline.list_models()
for turn in range(2):
    start = time.perf_counter()
    pipeline.leaderboard(sys.argv[1], models=table["model"][table["linear"]].tolist())
    print(time.perf_counter() - start)
"""
"""The leaderboard twice in one process: what the second takes needs no compilation and no sampling."""


class Row(NamedTuple):
    """One figure and its limit: seconds, unless the note gives another unit."""

    task: str
    seconds: float
    limit: float
    note: str = ""

    def line(self) -> str:
        met = "met" if self.seconds <= self.limit else "MISSED"
        return f"{self.task:<46}{self.seconds:>9.2f}{self.limit:>8g}  {met:<8}{self.note}"


def timed(*command: str) -> tuple[float, str]:
    """Wall seconds and standard output of a command in a fresh process."""
    start = time.perf_counter()
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - start, result.stdout


def startup(repeats: int = 7) -> Row:
    wall = median(timed(PROGRAM, "--help")[0] for _ in range(repeats))
    return Row("subsoil --help", wall, 0.4, f"median of {repeats}")


def reading(workbook: str, repeats: int = 3) -> Iterator[Row]:
    runs = [timed(sys.executable, "-c", READ, workbook) for _ in range(repeats)]
    note = f"median of {repeats}"
    yield Row("read the workbook, a fresh process", median(wall for wall, _ in runs), 2.0, note)
    yield Row("read the workbook, imports done", median(float(alone) for _, alone in runs), 2.0, note)


def study() -> Iterator[Row]:
    """A whole run. Its memory is that of the largest process so far, and none before it is as large."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / STUDY
        wall, _ = timed(PROGRAM, "study", STUDY, "--out", str(out))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KILOBYTE / 1e9
        yield Row("subsoil study", wall, 360.0, "from start to exit")
        yield sampling(json.loads((out / "manifest.json").read_text("utf-8"))["seconds"])
        yield Row("subsoil study, peak memory", peak, 3.0, "GB")


def earlier_study(manifest: Path) -> Iterator[Row]:
    if not manifest.is_file():
        print(f"no earlier run: {manifest} is not there; leave out --reuse", file=sys.stderr)
        return
    seconds = json.loads(manifest.read_text("utf-8"))["seconds"]
    yield Row("subsoil study", sum(seconds.values()), 360.0, "steps of an earlier run; no memory")
    yield sampling(seconds)


def sampling(seconds: dict[str, float]) -> Row:
    return Row("subsoil study, sampling alone", sum(seconds[step] for step in SAMPLING), 180.0)


def leaderboard() -> Row:
    """All linear models, every profile, a bootstrap of 2000 and the page."""
    with tempfile.TemporaryDirectory() as folder:
        _, printed = timed(sys.executable, "-c", SCORE, str(Path(folder) / "leaderboard"))
    first, again = map(float, printed.split())
    return Row(
        "leaderboard of all linear models", again, 60.0, f"compiled before; the first took {first:.0f} s"
    )


def figures(reuse: bool) -> Iterator[Row]:
    """Every figure that this machine has the data for."""
    yield startup()
    workbook = timed(sys.executable, "-c", FIND)[1].strip()
    if not workbook:  # said already, with what to do
        return
    yield from reading(workbook)
    yield from earlier_study(MANIFEST) if reuse else study()
    yield leaderboard()


def measure_study(reuse: bool, file: Path) -> None:
    """Print and write the figures of the study."""
    rows = []
    print(f"{'task':<46}{'seconds':>9}{'limit':>8}")
    for row in figures(reuse):
        rows.append(row)
        print(row.line(), flush=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([Row._fields, *rows])
    print(file)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--study", action="store_true", help="the study alone")
    parser.add_argument("--models", action="store_true", help="the soil models alone")
    parser.add_argument("--reuse", action="store_true", help="take the study's seconds from its last run")
    asked = parser.parse_args(arguments)
    OUT.mkdir(exist_ok=True)
    print(f"{os.cpu_count()} cores; {os.getloadavg()[0]:.1f} processes were busy before the first run")
    if asked.study or not asked.models:
        measure_study(asked.reuse, OUT / "bench_study.csv")
    if asked.models or not asked.study:
        import models  # JAX starts here, after the study and its memory were measured

        models.compare(OUT / "bench.csv")


if __name__ == "__main__":
    main(sys.argv[1:])
