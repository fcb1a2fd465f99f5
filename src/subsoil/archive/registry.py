"""The data sets of others: what each is, whom to cite, where its files lie, whether they are the known ones.

Looked for in this order, and the manifest says which was used: the folder of ``--data`` or
``SUBSOIL_DATA``; the user's cache; download from the publisher, checked by sha256.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from subsoil.archive import fetch
from subsoil.atomic import digest, sha256
from subsoil.errors import BadCall, MissingData

VARIABLE = "SUBSOIL_DATA"


@dataclass(frozen=True)
class DataFile:
    """One file of a data set; ``path`` is relative to the data folder, ``names`` are its other names."""

    path: str
    bytes: int
    sha256: str
    names: tuple[str, ...] = ()
    url: str = ""
    optional: bool = False

    @property
    def name(self) -> str:
        """The name without folders."""
        return Path(self.path).name


@dataclass(frozen=True)
class Card:
    """One data set: source, licence, files. ``url_tried`` and ``doi_checked`` say what was not verified."""

    key: str
    title: str
    citation: str
    doi: str
    doi_checked: bool
    licence: str
    files: tuple[DataFile, ...]
    note: str = ""
    url_tried: bool = True

    @property
    def page(self) -> str:
        """Address of the publisher's page, by the DOI; empty where no DOI is known."""
        return f"https://doi.org/{self.doi}" if self.doi else ""


@dataclass(frozen=True)
class FoundFile:
    """A file on this machine; ``ok`` says whether its checksum is the one of the card."""

    name: str
    path: Path
    sha256: str
    ok: bool


@dataclass(frozen=True)
class Found:
    """A data set on this machine. ``where``: "--data", "SUBSOIL_DATA", "cache" or "download"."""

    card: Card
    where: str
    files: tuple[FoundFile, ...]

    @property
    def key(self) -> str:
        """Key of the data set."""
        return self.card.key

    @property
    def path(self) -> Path:
        """The file, or the folder that holds them where there are several."""
        first = self.files[0].path
        return first if len(self.card.files) == 1 else first.parent

    @property
    def sha256(self) -> str:
        """Checksum of the file; of the list of checksums where there are several."""
        if len(self.files) == 1:
            return self.files[0].sha256
        return digest("".join(f"{f.sha256}  {f.name}\n" for f in self.files).encode())

    @property
    def ok(self) -> bool:
        """Whether every file is the one that the card names."""
        return all(f.ok for f in self.files)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each file that is not the one the card names."""
        return tuple(
            f"{f.path} is not the copy this version was developed with (sha256 {f.sha256[:12]}...); "
            "numbers may differ from the published ones"
            for f in self.files
            if not f.ok
        )

    def entry(self) -> dict[str, object]:
        """What a manifest says about the data set."""
        return {
            "key": self.key,
            "title": self.card.title,
            "citation": self.card.citation,
            "doi": self.card.doi,
            "licence": self.card.licence,
            "where": self.where,
            "files": [{"name": f.name, "sha256": f.sha256, "as_registered": f.ok} for f in self.files],
            "warnings": list(self.warnings),
        }


@cache
def cards() -> Mapping[str, Card]:
    """Every data set by its key.

    >>> sorted(cards())[:3]
    ['balesdent2018', 'belmecheri2020', 'clm5_texture']
    """
    table = tomllib.loads((files("subsoil.archive") / "registry.toml").read_text("utf-8"))
    return {key: _card(key, row) for key, row in table.items()}


def _card(key: str, row: dict) -> Card:
    members = tuple(DataFile(**{**f, "names": tuple(f.get("names", ()))}) for f in row["files"])
    return Card(key=key, **{**row, "files": members})


def card(key: str) -> Card:
    """The card of one data set.

    Raises `BadCall` where the key is unknown.

    >>> card("balesdent2018").doi
    '10.1038/s41586-018-0328-3'
    """
    if key not in cards():
        raise BadCall(f"unknown data set {key!r}: expected one of {', '.join(sorted(cards()))}")
    return cards()[key]


def find(key: str, data: Path | str | None = None, *, download: bool = True, progress: bool = False) -> Found:
    """A data set by its key: in the data folder, else in the cache, else by download.

    Parameters
    ----------
    key
        One of ``cards()``.
    data
        Folder of ``--data``; without it the one that SUBSOIL_DATA names. A file of another checksum
        is taken from there, with a warning: it may be the data set's other copy.
    download
        Whether the publisher may be asked.
    progress
        Whether a bar shows the download.

    Raises
    ------
    BadCall
        The key is unknown or `data` is no folder.
    MissingData
        The data set is in none of the places; the message says what to do.
    ChecksumMismatch
        The publisher sent another file than the card names.
    """
    wanted = card(key)
    place = _data_folder(data)
    if place is not None:
        found = _look(wanted, place[0], place[1])
        if found is not None:
            return found
    store = cache_folder()
    cached = _look(wanted, store, "cache")
    if cached is not None and cached.ok:
        return cached
    if not download:
        raise MissingData(missing_message(wanted, place, store, "not asked for"))
    return _download(wanted, place, store, progress)


def cache_folder() -> Path:
    """Where downloads are kept for this user."""
    import pooch

    return Path(pooch.os_cache("subsoil"))


def _data_folder(data: Path | str | None) -> tuple[Path, str] | None:
    """The folder to look into first, and who named it."""
    if data is not None:
        folder = Path(data).expanduser()
        if not folder.is_dir():
            raise BadCall(f"--data {data} is not a folder; name the one that holds the data files")
        return folder, "--data"
    named = os.environ.get(VARIABLE)
    return (Path(named).expanduser(), VARIABLE) if named else None


def _look(wanted: Card, folder: Path, where: str) -> Found | None:
    """The data set in one folder, if every file that is needed lies there."""
    paths = {file: _locate(file, folder) for file in wanted.files}
    if any(path is None and not file.optional for file, path in paths.items()):
        return None
    return Found(wanted, where, tuple(_checked(file, path) for file, path in paths.items() if path))


def _locate(file: DataFile, folder: Path) -> Path | None:
    inside = folder / Path(file.path).parent
    choices = [parent / name for parent in (inside, folder) for name in (file.name, *file.names)]
    return next((path for path in choices if path.is_file()), None)


def _checked(file: DataFile, path: Path) -> FoundFile:
    found = sha256(path)
    return FoundFile(file.path, path, found, found == file.sha256)


def _download(wanted: Card, place: tuple[Path, str] | None, store: Path, progress: bool) -> Found:
    got = []
    for file in wanted.files:
        if not file.url:
            if file.optional:
                continue
            raise MissingData(missing_message(wanted, place, store, "the publisher offers no such file"))
        try:
            path = fetch.download(file.url, store / file.path, file.sha256, progress=progress)
        except MissingData as error:
            raise MissingData(missing_message(wanted, place, store, str(error))) from error
        got.append(_checked(file, path))
    return Found(wanted, "download", tuple(got))


def missing_message(wanted: Card, place: tuple[Path, str] | None, store: Path, download: str) -> str:
    """What is missing, where it was looked for, and the two ways to provide it."""
    names = ", ".join(file.path for file in wanted.files if not file.optional)
    looked = f"{place[0]} ({place[1]})" if place else f"no folder (neither --data nor {VARIABLE} is set)"
    page = wanted.page or wanted.citation
    again = f", or run `subsoil fetch {wanted.key}` when online" if any(f.url for f in wanted.files) else ""
    return "\n".join(
        (
            f"The data set {wanted.key} is missing: {names}.",
            f"Looked for in: {looked}; cache {store}; download: {download}.",
            f"Either have the files in a folder already: pass --data DIR or set {VARIABLE}=DIR.",
            f"Or get them from {page}{again}.",
        )
    )
