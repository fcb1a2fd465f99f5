"""A release: the tables of an archive as Parquet, with dictionary, rejects and checksums, under a version.

The same archive gives the same bytes, so two people can compare checksums; nothing in it says when or
where it was made. A version that exists is never changed.
"""

import csv
import io
import json
import platform
import re
from collections.abc import Iterable, Mapping
from math import isinf
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import subsoil
from subsoil import atomic
from subsoil.archive.registry import cache_folder
from subsoil.archive.schema import SEVERITIES, TABLES, Archive, rejects_frame, typed
from subsoil.errors import BadCall, ChecksumMismatch, MissingData, UnreadableFile
from subsoil.variables import columns

FORMAT = 1
MANIFEST = "manifest.json"
RELEASES = "releases"
DICTIONARY = ("col", "required", "type", "unit", "min", "max", "vocab", "description")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")


def write_release(
    archive: Archive, folder: Path | str, version: str, sources: Iterable[Mapping[str, object]] = ()
) -> Path:
    """Write a release into ``folder/version`` and return that path.

    Parameters
    ----------
    archive
        Best after validation: what it rejected is part of the release.
    folder
        Where releases are kept.
    version
        Such as "2026.1"; letters, digits, dots, plus and minus.
    sources
        ``Found.entry()`` of every data set that went in, for the manifest.

    Raises
    ------
    BadCall
        The version is no name for a folder, or exists with other contents.
    """
    if not VERSION.fullmatch(version):
        raise BadCall(f"version {version!r}: expected letters, digits, dots, plus and minus, such as 2026.1")
    files = _files(archive)
    manifest = atomic.canonical_json(_manifest(archive, version, files, list(sources))).encode()
    target = Path(folder) / version
    atomic.recover(target)
    if (target / MANIFEST).exists() and (target / MANIFEST).read_bytes() != manifest:
        raise BadCall(f"release {version} exists in {folder} with other contents; give a new version")
    with atomic.folder(target) as new:
        for name, content in {**files, MANIFEST: manifest}.items():
            (new / name).write_bytes(content)
    return target


def version_of(archive: Archive) -> str:
    """A version that names the contents: that of the package, and eight digits of the tables' checksum.

    >>> from subsoil.archive.schema import empty
    >>> version_of(empty()).startswith(subsoil.__version__ + "+")
    True
    """
    contents = "".join(atomic.digest(data) for _, data in sorted(_files(archive).items()))
    return f"{subsoil.__version__}+{atomic.digest(contents.encode())[:8]}"


def _files(archive: Archive) -> dict[str, bytes]:
    files = {}
    for name in TABLES:
        files[f"{name}.parquet"] = _parquet(name, typed(name, archive.table(name)))
        files[f"{name}.dictionary.csv"] = _dictionary(name)
    files["rejects.parquet"] = _parquet("rejects", archive.rejects)
    return files


def _parquet(name: str, frame: pd.DataFrame) -> bytes:
    """A table as Parquet without the traces of library versions that pandas leaves in it."""
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadCall(f"table {name} mixes kinds of values in a column: {error}") from error
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _dictionary(name: str) -> bytes:
    """The data dictionary of a table; a limit that does not exist is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(DICTIONARY)
    for known in columns(name):
        limits = ["" if isinf(limit) else f"{limit:g}" for limit in (known.lower, known.upper)]
        required = "yes" if known.required else "no"
        kind = known.dtype.removesuffix("64").replace("str", "text")
        vocab = " | ".join(known.vocab)
        writer.writerow([known.name, required, kind, known.unit, *limits, vocab, known.meaning])
    return text.getvalue().encode()


def _manifest(
    archive: Archive, version: str, files: Mapping[str, bytes], sources: list[Mapping[str, object]]
) -> dict[str, Any]:
    rejects = archive.rejects
    return {
        "format": FORMAT,
        "version": version,
        "source": archive.source,
        "simulated": archive.simulated,
        "written_with": {
            "subsoil": subsoil.__version__,
            "python": platform.python_version(),
            "pandas": pd.__version__,
            "pyarrow": pa.__version__,
        },
        "rows": {name: len(archive.table(name)) for name in TABLES},
        "rejects": {
            severity: rejects.loc[rejects["severity"] == severity, "rule"].value_counts().to_dict()
            for severity in SEVERITIES
        },
        "sha256": {name: atomic.digest(content) for name, content in files.items()},
        "sources": sources,
    }


def load_release(path_or_version: Path | str) -> Archive:
    """A release by its folder, or by its version from the places where releases are kept.

    Those are ``out/releases`` in the working directory and ``releases`` in the user's cache.

    Raises
    ------
    MissingData
        There is no such folder and no such version.
    ChecksumMismatch
        A file was changed, or is missing.
    UnreadableFile
        The manifest is damaged or of a later format.
    """
    folder = _folder(path_or_version)
    manifest = _read_manifest(folder)
    for name, expected in manifest["sha256"].items():
        path = folder / Path(name).name
        found = atomic.sha256(path) if path.is_file() else "no such file"
        if found != expected:
            raise ChecksumMismatch(f"{path}: sha256 should be {expected}, got {found}; get the release again")
    tables: dict[str, Any] = {name: typed(name, _table(folder, name)) for name in TABLES}
    return Archive(
        **tables, rejects=_rejects(folder), source=manifest["source"], simulated=manifest["simulated"]
    )


def _rejects(folder: Path) -> pd.DataFrame:
    types = rejects_frame().dtypes
    try:
        return _table(folder, "rejects")[list(types.index)].astype(types.to_dict())
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{folder / 'rejects.parquet'} is no table of rejects: {error}") from error


def _folder(path_or_version: Path | str) -> Path:
    named = Path(path_or_version)
    homes = (Path("out"), cache_folder()) if VERSION.fullmatch(str(path_or_version)) else ()
    places = [named, *(home / RELEASES / named for home in homes)]
    for place in places:
        atomic.recover(place)
        if (place / MANIFEST).is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise MissingData(f"no release {path_or_version}: looked for {MANIFEST} in {looked}; write one first")


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except ValueError as error:
        raise UnreadableFile(f"{folder / MANIFEST} is damaged ({error}): get the release again") from error
    wanted = {"format": int, "source": str, "simulated": bool, "sha256": dict}
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(k), t) for k, t in wanted.items()):
        raise UnreadableFile(f"{folder / MANIFEST} is not the manifest of a release")
    if manifest["format"] > FORMAT:
        raise UnreadableFile(f"{folder} has format {manifest['format']}, this version reads {FORMAT}: update")
    lacking = {f"{name}.parquet" for name in (*TABLES, "rejects")} - set(manifest["sha256"])
    if lacking:
        raise UnreadableFile(f"{folder / MANIFEST} does not list {', '.join(sorted(lacking))}")
    return manifest


def _table(folder: Path, name: str) -> pd.DataFrame:
    try:
        return pq.read_table(folder / f"{name}.parquet").to_pandas()
    except pa.ArrowException as error:
        raise UnreadableFile(f"{folder / name}.parquet is no Parquet file: {error}") from error
