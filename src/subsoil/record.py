"""What a run carries along and leaves behind: tables, seconds by step, and the manifest."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import pandas as pd

from subsoil import __version__, atomic, published

Progress = Callable[[str, float | None], None]
"""Told of each step, and of the share of the whole work that is done where it is known."""
BANNER = "SIMULATED DATA"
LIBRARIES = ("numpy", "scipy", "pandas", "jax", "numpyro", "xarray", "matplotlib")


def silent(step: str, share: float | None = None) -> None:
    """Progress that nobody hears."""


@dataclass(kw_only=True)
class Record:
    """Tables by file name, seconds by step, and how fits ended."""

    progress: Progress = silent
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)

    def step(self, name: str, share: float) -> None:
        """Say what is being done, and close the clock of the step before."""
        now = time.perf_counter()
        if self.seconds:
            last = list(self.seconds)[-1]
            self.seconds[last] = round(now - self.seconds[last], 2)
        if name:
            self.seconds[name] = now
            self.progress(name, share)


def write_tables(
    record: Record, folder: Path, simulated: bool = False, digits: Mapping[str, int] | None = None
) -> None:
    """Every table as CSV, with a banner in each row where the data are simulated.

    ``digits``: significant digits by table; as many as it takes by default.
    """
    for name, table in record.tables.items():
        marked = table.assign(simulated=BANNER) if simulated else table
        form = f"%.{digits[name]}g" if digits and name in digits else None
        atomic.write_text(folder / f"{name}.csv", marked.to_csv(index=False, float_format=form))


def manifest(
    record: Record, folder: Path, sources: Sequence[Mapping[str, Any]], simulated: bool, key: int
) -> dict[str, Any]:
    """What another needs to get the same bytes: versions, data, random key, checksums; and the seconds."""
    return {
        "simulated": simulated,
        "data": list(sources),
        "random_key": key,
        "versions": {"subsoil": __version__, "python": python_version()} | {n: version(n) for n in LIBRARIES},
        "citations": [published.citation()],
        "counts": {name: len(table) for name, table in record.tables.items()},
        "outcomes": record.outcomes,
        "files_sha256": atomic.checksums(folder),
        "seconds": {name: round(value, 2) for name, value in record.seconds.items()},
    }
