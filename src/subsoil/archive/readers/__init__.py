"""Readers: from files of known makes to the archive.

A reader is chosen by what a file holds, never by its name. Each module has ``read`` and tells by
``fits`` whether a file is of its make; ``READERS`` names them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from subsoil.archive.readers import balesdent2018, israd, template
from subsoil.archive.schema import Archive
from subsoil.archive.workbook import Book, open_book
from subsoil.errors import BadCall, UnreadableFile

__all__ = ["READERS", "Reader", "read"]


@dataclass(frozen=True)
class Reader:
    """How to recognise and read files of one make; ``expected`` says to a person what they look like."""

    fits: Callable[[list[Book]], bool]
    read: Callable[[list[Book]], Archive]
    expected: str


def _alone(books: list[Book]) -> Book:
    if len(books) != 1:
        raise UnreadableFile(f"expected one file, got a folder of {len(books)} tables")
    return books[0]


READERS: Mapping[str, Reader] = {
    "balesdent2018": Reader(
        lambda books: len(books) == 1 and balesdent2018.fits(books[0]),
        lambda books: balesdent2018.read(_alone(books)),
        "the supplementary workbook of Balesdent et al. 2018 (sheets Profiles and Layers)",
    ),
    "israd": Reader(
        israd.fits,
        israd.read,
        "ISRaD: a folder of its tables as CSV, or its workbook (site_lat, pro_treatment, lyr_top ...)",
    ),
    "template": Reader(
        lambda books: len(books) == 1 and template.fits(books[0]),
        lambda books: template.read(_alone(books)),
        "our template, as `subsoil template FILE.xlsx` or `FILE.csv` writes it",
    ),
}


def read(path: str | Path, reader: str | None = None) -> Archive:
    """A file or folder as an archive; ``reader`` is one of ``READERS``, by default the one that fits.

    Raises
    ------
    BadCall
        There is no reader of this name.
    UnreadableFile
        The file cannot be opened, or no reader knows its columns.
    """
    if reader is not None and reader not in READERS:
        raise BadCall(f"no reader {reader!r}; expected one of {', '.join(READERS)}")
    books = open_books(Path(path))
    if reader is None:
        reader = next((name for name, known in READERS.items() if known.fits(books)), None)
    if reader is None:
        known = "; or ".join(r.expected for r in READERS.values())
        raise UnreadableFile(f"{Path(path).name}: no reader knows these columns. Expected {known}")
    return READERS[reader].read(books)


def open_books(path: Path) -> list[Book]:
    """The file, or every table file of a folder.

    Raises
    ------
    UnreadableFile
        The folder holds no table, or a file cannot be opened.
    """
    if not path.is_dir():
        return [open_book(path)]
    endings = (".csv", ".tsv", ".xlsx", ".csv.gz", ".tsv.gz")
    files = sorted(f for f in path.iterdir() if f.is_file() and f.name.lower().endswith(endings))
    if not files:
        raise UnreadableFile(f"the folder {path.name} holds no .csv, .tsv or .xlsx file")
    return [open_book(f) for f in files]
