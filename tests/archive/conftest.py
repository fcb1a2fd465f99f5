"""Fixtures: small invented books, ways to damage them, and the published workbook read once."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from subsoil.archive.readers import balesdent2018
from subsoil.archive.schema import Archive
from subsoil.archive.workbook import Book, Sheet, open_book


@pytest.fixture(scope="session")
def mutations() -> ModuleType:
    """The module ``mutations.py`` beside this file."""
    spec = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutations.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small_workbook(mutations: ModuleType) -> Book:
    """The 2018 workbook in small, with invented numbers."""
    return mutations.small_workbook()


@pytest.fixture
def small_template(mutations: ModuleType) -> Book:
    """A filled template in small."""
    return mutations.small_template()


@pytest.fixture
def small_israd(mutations: ModuleType) -> Book:
    """ISRaD's workbook in small."""
    return mutations.small_israd()


@pytest.fixture(scope="session")
def published_book(workbook: Path) -> Book:
    """The published workbook, opened once."""
    return open_book(workbook)


@pytest.fixture(scope="session")
def published(published_book: Book) -> Archive:
    """The published workbook, read once."""
    return balesdent2018.read(published_book)


@pytest.fixture
def edited() -> Callable[..., Book]:
    """A copy of a book with one sheet's rows put through a function."""

    def edit(book: Book, name: str, change: Callable[[list[list[object]]], list[list[object]]]) -> Book:
        sheets = {n: Sheet(n, [list(row) for row in s.rows]) for n, s in book.sheets.items()}
        sheets[name] = Sheet(name, change(sheets[name].rows))
        return Book(book.file, sheets)

    return edit


@pytest.fixture
def write_xlsx(tmp_path: Path) -> Callable[..., Path]:
    """Write rows by sheet name as an XLSX file."""

    def write(sheets: dict[str, list[list[object]]], name: str = "book.xlsx") -> Path:
        from openpyxl import Workbook

        book = Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def repacked(tmp_path: Path) -> Callable[..., Path]:
    """A copy of an XLSX file with parts put through functions, added or removed."""

    def repack(path: Path, change: dict[str, Callable[[bytes], bytes] | bytes | None]) -> Path:
        out = tmp_path / f"repacked-{path.name}"
        with ZipFile(path) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
            parts = {name: old.read(name) for name in old.namelist()}
            for name, how in change.items():
                if how is None:
                    del parts[name]
                else:
                    parts[name] = how(parts[name]) if callable(how) else how
            for name, content in parts.items():
                new.writestr(name, content)
        return out

    return repack
