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
