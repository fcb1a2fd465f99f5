"""The whole study on simulated data: every file, its columns, its banner, and the same bytes again."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import subsoil
from subsoil import pipeline
from subsoil.age import heldout
from subsoil.errors import BadCall, MissingData
from subsoil.studies import load

COLUMNS = {
    "headline": ["name", "value", "lower", "upper", "unit", "n", "published", "source"],
    "isochrones": ["depth_cm", "age_yr", "percent_younger", "percent_se", "method"],
    "heldout": ["model", "depth_cm", "n", "rmse", "bias", "crps", "coverage90"],
    "drivers": ["response", "term", "estimate", "lower", "upper", "method", "n"],
    "claims": ["claim", "value", "lower", "upper", "agrees", "how"],
    "rejects": ["file", "sheet", "row", "column", "rule", "value", "severity", "message"],
}
HEADLINE = {
    "subsoil_stock_share", "subsoil_new_share_50yr", "median_depth_new_50yr",
    "new_fraction_0_30_50yr_tropical", "new_fraction_30_100_50yr_tropical", "median_age_0cm",
    "median_age_100cm", "new_fraction_0_100_50yr",
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of the same study; the folds sample little, for here tables count and not what is in them."""
    home = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FIRST", "FURTHER"):
            patch.setattr(heldout, name, replace(getattr(heldout, name), warmup=40, draws=20))
        patch.setattr("subsoil.archive.registry.cache_folder", lambda: home / "cache")
        for name in ("one", "two"):
            page = pipeline.study(out=home / name, demo=True, quick=True)
            assert page == home / name / "report.html"
    return home / "one", home / "two"


def test_every_table_has_its_columns_and_rows(folders: tuple[Path, Path]) -> None:
    for name, columns in COLUMNS.items():
        table = pd.read_csv(folders[0] / f"{name}.csv")
        assert set(columns) <= set(table.columns), name
        assert len(table) > 0 or name == "rejects", name


def test_the_headline_has_the_names_that_are_asked_for(folders: tuple[Path, Path]) -> None:
    table = pd.read_csv(folders[0] / "headline.csv").set_index("name")
    assert set(table.index) >= HEADLINE
    numbers = table.loc[sorted(HEADLINE)]
    assert (numbers["lower"] <= numbers["value"]).all()
    assert (numbers["value"] <= numbers["upper"]).all()


def test_isochrones_stand_every_ten_centimetres_in_one_block_a_method(folders: tuple[Path, Path]) -> None:
    table = pd.read_csv(folders[0] / "isochrones.csv")
    sizes = table.groupby("method").size()
    assert sizes["hierarchical"] == 11 * 8
    assert sizes["as published (bi-exponential regression)"] == 11 * 8
    assert sizes["published (digitised)"] == 5 * 8


def test_floor_and_siblings_are_scored_at_every_depth(folders: tuple[Path, Path]) -> None:
    table = pd.read_csv(folders[0] / "heldout.csv")
    by_model = table.groupby("model")["depth_cm"].agg(set)
    assert all("all" in depths for depths in by_model)
    assert any(model.startswith("floor") for model in by_model.index)
    for sibling in ("pooled", "unpooled", "partially pooled"):
        assert any(model.startswith(f"{sibling},") for model in by_model.index)


def test_simulated_data_say_so_everywhere(folders: tuple[Path, Path]) -> None:
    assert "simulated" in (folders[0] / "report.html").read_text("utf-8").lower()
    for table in folders[0].glob("*.csv"):
        assert "simulated" in table.read_text("utf-8").splitlines()[0], table.name


def test_a_rerun_gives_the_same_bytes(folders: tuple[Path, Path]) -> None:
    one, two = folders
    names = {p.relative_to(one) for p in one.rglob("*") if p.is_file()}
    assert names == {p.relative_to(two) for p in two.rglob("*") if p.is_file()}
    differing = [str(n) for n in sorted(names) if (one / n).read_bytes() != (two / n).read_bytes()]
    assert set(differing) <= {"manifest.json", "report.html"}, differing  # these hold the seconds


def test_without_data_a_study_stops_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SUBSOIL_DATA", raising=False)
    monkeypatch.setattr("subsoil.archive.registry.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(
        "subsoil.archive.fetch.download", lambda *_, **__: (_ for _ in ()).throw(MissingData("no connection"))
    )
    with pytest.raises(MissingData, match="--data DIR"):
        pipeline.study(out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="there is balesdent2018"):
        pipeline.study("balesdent2019", out=tmp_path)


def test_the_study_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    import tomllib

    study = load("balesdent2018", key=7, quick=True)
    again = tomllib.loads(study.toml())
    assert again["key"] == 7
    assert tuple(again["depths_cm"]) == study.depths_cm
    assert again["quick"] is True


def test_public_names_exist_and_unknown_ones_say_so() -> None:
    for name in subsoil.__all__:
        assert getattr(subsoil, name) is not None
    assert callable(subsoil.study)
    assert callable(subsoil.report)
    with pytest.raises(AttributeError, match="it has"):
        subsoil.forecast


def test_the_first_lines_of_a_notebook(tmp_path: Path) -> None:
    from subsoil.age.sampler import Sampling
    from subsoil.age.simulate import simulate_archive

    version = subsoil.write_release(simulate_archive(3, n_profiles=20), tmp_path, "2026.1")
    layers = subsoil.load_release(version)
    obs = subsoil.new_carbon(layers)
    post = subsoil.fit_age(obs, subsoil.age.partially_pooled, key=0, sampling=Sampling(2, 60, 30))
    page = subsoil.report(post, to=tmp_path / "mine")
    assert "Age" in page.read_text("utf-8")
    assert obs.attrs["units"]["soc_stock"] == "kg m-2"
    assert post["log_shape"].attrs["unit"] == "1"
