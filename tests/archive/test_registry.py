"""Where a data set is taken from, and what is said when it is nowhere."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from subsoil.archive import fetch, registry
from subsoil.archive.registry import Card, DataFile, card, cards, find
from subsoil.errors import BadCall, ChecksumMismatch, MissingData

ONE, TWO = b"one", b"two"


def file(path: str, content: bytes, **more: object) -> DataFile:
    return DataFile(path, len(content), sha256(content).hexdigest(), **more)  # type: ignore[arg-type]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Card:
    """A registry of one card, an empty cache, no network."""
    wanted = Card(
        key="small",
        title="Two tables",
        citation="Nobody (2018)",
        doi="10.1234/small",
        doi_checked=True,
        licence="CC0",
        files=(
            file("small/a.csv", ONE, names=("MOESM3.csv",), url="https://nowhere.invalid/a.csv"),
            file("small/b.csv", TWO, url="https://nowhere.invalid/b.csv"),
            file("small/c.csv", TWO, optional=True),
        ),
    )
    monkeypatch.setattr(registry, "cards", lambda: {"small": wanted})
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("SUBSOIL_DATA", raising=False)

    def offline(url: str, *args: object, **options: object) -> Path:
        raise MissingData("no connection")

    monkeypatch.setattr(fetch, "download", offline)
    return wanted


def put(folder: Path, **contents: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.csv").write_bytes(content)
    return folder


def test_order_is_data_then_cache_then_download(
    small: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deliver(url: str, path: Path, digest: str, *, progress: bool) -> Path:
        put(path.parent, **{path.stem: ONE if path.stem == "a" else TWO})
        return path

    monkeypatch.setattr(fetch, "download", deliver)
    assert find("small").where == "download"
    assert find("small").where == "cache"
    put(tmp_path / "named" / "small", a=ONE, b=TWO)
    monkeypatch.setenv("SUBSOIL_DATA", str(tmp_path / "named"))
    assert find("small").where == "SUBSOIL_DATA"
    put(tmp_path / "mine", a=ONE, b=TWO, c=TWO)
    found = find("small", tmp_path / "mine")
    assert found.where == "--data"
    assert found.path == tmp_path / "mine"
    assert [f.path.name for f in found.files] == ["a.csv", "b.csv", "c.csv"]
    assert found.ok
    assert found.warnings == ()


def test_other_names_are_known(small: Card, tmp_path: Path) -> None:
    folder = put(tmp_path / "Downloads", b=TWO, MOESM3=ONE)
    assert find("small", folder).files[0].path.name == "MOESM3.csv"


def test_half_a_data_set_is_not_found(small: Card, tmp_path: Path) -> None:
    with pytest.raises(MissingData):
        find("small", put(tmp_path / "mine", a=ONE))


def test_other_copy_in_the_own_folder_is_a_warning(small: Card, tmp_path: Path) -> None:
    found = find("small", put(tmp_path / "mine", a=b"edited", b=TWO))
    assert not found.ok
    assert len(found.warnings) == 1
    assert "a.csv is not the copy" in found.warnings[0]
    assert found.entry()["warnings"] == list(found.warnings)


def test_damaged_cache_is_not_used(small: Card, tmp_path: Path) -> None:
    put(tmp_path / "cache" / "small", a=b"half a fi", b=TWO)
    with pytest.raises(MissingData):
        find("small")


def test_other_file_of_the_publisher_is_refused(small: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(url: str, *args: object, **options: object) -> Path:
        raise ChecksumMismatch("another file")

    monkeypatch.setattr(fetch, "download", other)
    with pytest.raises(ChecksumMismatch):
        find("small")


def test_message_names_what_where_and_the_two_ways(
    small: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBSOIL_DATA", str(tmp_path / "gone"))
    with pytest.raises(MissingData) as caught:
        find("small")
    what, where, first, second = str(caught.value).splitlines()
    assert "small/a.csv, small/b.csv" in what
    assert "c.csv" not in what
    assert f"{tmp_path / 'gone'} (SUBSOIL_DATA)" in where
    assert str(tmp_path / "cache") in where
    assert "no connection" in where
    assert "--data DIR" in first
    assert "https://doi.org/10.1234/small" in second
    assert "`subsoil fetch small`" in second
    with pytest.raises(MissingData, match="not asked for"):
        find("small", download=False)


def test_nothing_to_download_is_said(small: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = replace(small, files=(replace(small.files[0], url=""),), doi="")
    monkeypatch.setattr(registry, "cards", lambda: {"small": by_hand})
    with pytest.raises(MissingData, match="offers no such file") as caught:
        find("small")
    assert str(caught.value).endswith("Or get them from Nobody (2018).")


def test_bad_calls(small: Card, tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="expected one of small"):
        find("large")
    with pytest.raises(BadCall, match="is not a folder"):
        find("small", tmp_path / "absent")


def test_every_card_says_what_a_user_must_know() -> None:
    for key, each in cards().items():
        assert each.title, key
        assert each.citation, key
        assert each.licence, key
        assert each.files, key
        for member in each.files:
            assert len(bytes.fromhex(member.sha256)) == 32
            assert member.bytes > 0
            assert member.url.startswith("https://") or not member.url
    paths = [f.path for each in cards().values() for f in each.files]
    assert len(paths) == len(set(paths))


def test_untried_address_is_marked() -> None:
    workbook = card("balesdent2018")
    assert not workbook.url_tried
    assert workbook.files[0].url.endswith("41586_2018_328_MOESM3_ESM.xlsx")


@pytest.mark.data
def test_every_card_fits_the_files_at_hand(data_dir: Path) -> None:
    for key in cards():
        found = find(key, data_dir, download=False)
        assert found.ok, found.warnings
        assert [f.path.stat().st_size for f in found.files] == [f.bytes for f in card(key).files]
