"""Damaged tables of every make: an archive or one of our own errors, and no row vanishes."""

import random
from types import ModuleType

import pytest

from subsoil.archive.readers import READERS
from subsoil.errors import SubsoilError

SEEDS = 40


@pytest.mark.parametrize("make", ["balesdent2018", "template", "israd"])
def test_the_undamaged_books_read(mutations: ModuleType, make: str) -> None:
    assert mutations.outcome(make, mutations.SMALL[make]()) == "read"


@pytest.mark.parametrize("make", ["balesdent2018", "template", "israd"])
def test_damaged_books_give_an_archive_or_our_own_error_and_lose_no_layer(
    mutations: ModuleType, make: str
) -> None:
    read = 0
    for seed in range(SEEDS):
        book = mutations.mutate(mutations.SMALL[make](), random.Random(f"{make} {seed}"))
        try:
            archive = READERS[make].read([book])
        except SubsoilError as error:
            message = str(error)
            assert "\n" not in message, seed
            continue
        read += 1
        mutations.check(archive)
        assert mutations.lost_rows(make, archive, book) == set(), seed
    assert SEEDS > read > SEEDS // 4


@pytest.mark.parametrize("make", ["balesdent2018", "template", "israd"])
@pytest.mark.parametrize("long", ["x" * 100_000, "1" * 100_000, "A " * 50_000 + "b", "-a" + "b" * 100_000])
def test_a_very_long_cell_costs_no_more_than_its_length(mutations: ModuleType, make: str, long: str) -> None:
    """A search that backtracks would not come back from these within minutes."""
    book = mutations.SMALL[make]()
    for sheet in book.sheets.values():
        for row in sheet.rows[-2:]:
            row[:] = [long if isinstance(cell, str) and cell and len(cell) > 2 else cell for cell in row]
    try:
        archive = READERS[make].read([book])
    except SubsoilError:
        return
    assert archive.rejects["value"].str.len().max() < 1000 or archive.rejects.empty
