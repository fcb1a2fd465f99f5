"""A results folder costs no more than the section whose file is bad."""

from pathlib import Path

import pandas as pd
import pytest

from subsoil.errors import UnreadableFile
from subsoil.reporting import results


def test_reads_every_table(written: Path) -> None:
    found = results.read(written)
    assert {*results.TEXT, *results.NUMBERS} <= set(found.tables)
    assert set(found.absent) == set(results.AS_WRITTEN) - {"subsets"}
    assert not found.simulated
    for name, columns in results.NUMBERS.items():
        assert all(found[name][column].dtype == float for column in columns)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "was not written"),
        ("", "cannot be read"),
        ("depth_cm,n\n", "no column soc_density"),
        ("depth_cm,soc_density,soc_density_se,new_soc_density,new_soc_density_se,n\n", "no rows"),
        (b"\xff\xfe\x00broken\x00", "cannot be read"),
        (b"PK\x03\x04\x14\x00\x00\x00", "stocks.csv"),
    ],
)
def test_bad_table_is_named_and_the_rest_kept(
    results_folder: Path, content: str | bytes | None, reason: str
) -> None:
    path = results_folder / "stocks.csv"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = results.read(results_folder)
    assert reason in found.lacking({"headline": (), "stocks": ()})
    assert "stocks.csv" in found.lacking({"stocks": ("n",)})
    assert found.lacking({"headline": ("value",)}) == ""
    assert "stocks" not in found


def test_words_among_the_numbers_are_missing_values(results_folder: Path) -> None:
    path = results_folder / "headline.csv"
    table = pd.read_csv(path).astype({"value": object})
    table.loc[0, "value"] = "n.a."
    table.to_csv(path, index=False)
    assert results.read(results_folder)["headline"]["value"].isna().sum() == 1


@pytest.mark.parametrize("text", ["", "[1, 2]", "{broken", '"text"'])
def test_unreadable_manifest_is_an_empty_one(results_folder: Path, text: str) -> None:
    (results_folder / "manifest.json").write_text(text)
    assert results.read(results_folder).manifest == {}


def test_folder_without_results(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="run `subsoil study` first"):
        results.read(tmp_path)


def test_table_without_a_value_is_of_no_use(results_folder: Path) -> None:
    path = results_folder / "fractions.csv"
    pd.read_csv(path).assign(latitude="unknown").to_csv(path, index=False)
    found = results.read(results_folder)
    assert found.lacking({"fractions": ("latitude",)}) == "fractions.csv holds no row with latitude."
    assert found.lacking({"fractions": ("f_new",)}) == ""
