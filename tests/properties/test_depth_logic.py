"""Laws of the depth checks, whatever the depths."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from subsoil.archive import depths
from subsoil.archive.findings import REPAIRED, has_flag
from subsoil.archive.schema import Archive, typed
from subsoil.archive.validate import validate

NAN = float("nan")
Row = tuple[float, float, str, float]  # top, bottom, profile, year

# Few numbers, so that depths meet; a few of every kind that people type.
depth = st.sampled_from(
    [NAN, -5.0, -3.0, 0.0, 0.1, 0.3, 1.0, 3.0, 5.0, 10.0, 20.0, 60.0, 100.0, 195.0, 600.0]
)
# Profiles do not see each other, so one example holds many of them and a check runs once for all.
profile = st.sampled_from([f"p{i}" for i in range(20)])
row = st.tuples(depth, depth, profile, st.sampled_from([1990.0, NAN]))
rows_ = st.lists(row, max_size=80)
few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def archive(rows: Iterable[Row]) -> Archive:
    rows = list(rows)
    frame = pd.DataFrame(rows, columns=["lyr_top", "lyr_bot", "pro_name", "lyr_obs_date_y"])
    frame = frame.astype({"lyr_top": float, "lyr_bot": float, "pro_name": "str", "lyr_obs_date_y": float})
    names = [str(i) for i in range(len(rows))]
    frame = frame.assign(
        entry_name="e", site_name="s", lyr_name=names, src_row=np.arange(len(rows)) + 2.0, lyr_soc=NAN
    )
    return Archive(layer=typed("layer", frame))


def checked(before: Archive, fill: bool = False) -> Archive:
    return validate(before, checks=depths.CHECKS, fill=fill)


def by_row(after: Archive) -> tuple[pd.DataFrame, pd.DataFrame]:
    rejects = after.rejects.sort_values(["row", "rule", "column"]).reset_index(drop=True)
    return after.layer.sort_values("src_row").reset_index(drop=True), rejects


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows_, st.randoms(use_true_random=False))
@example([(5, 0, "a", 1990), (0, NAN, "a", 1990), (10, 20, "a", 1990)], Random(1))
@example([(30, 0, "a", 1990), (0, 30, "a", 1990)], Random(1))
@example([(0.1, 0.3, "a", 1990), (0.3, NAN, "a", 1990), (0.0, 0.1, "a", 1990)], Random(1))
def test_laws_of_the_depth_checks(rows: list[Row], random: Random) -> None:
    before = archive(rows)
    after = checked(before)
    order_of_rows_does_not_matter(before, after, random)
    repair_is_done_once(after)
    every_row_is_kept_or_rejected(before, after)
    what_is_kept_can_be_used(after.layer)
    only_flagged_depths_changed(before.layer, after.layer)


def order_of_rows_does_not_matter(before: Archive, after: Archive, random: Random) -> None:
    order = list(range(len(before.layer)))
    random.shuffle(order)
    shuffled = Archive(layer=before.layer.iloc[order].reset_index(drop=True))
    for one, other in zip(by_row(after), by_row(checked(shuffled)), strict=True):
        pd.testing.assert_frame_equal(one, other)


def repair_is_done_once(once: Archive) -> None:
    pd.testing.assert_frame_equal(checked(once).layer, once.layer)


def every_row_is_kept_or_rejected(before: Archive, after: Archive) -> None:
    kept = after.layer["src_row"].astype(int).tolist()
    lost = after.rejects.loc[after.rejects["severity"] == "error", "row"]
    assert sorted(kept + sorted(set(lost))) == before.layer["src_row"].astype(int).tolist()


def what_is_kept_can_be_used(layer: pd.DataFrame) -> None:
    assert (layer["lyr_bot"] >= layer["lyr_top"]).all()
    thick = layer[layer["lyr_bot"] > layer["lyr_top"]]
    for _, one in thick.groupby(["pro_name", "lyr_obs_date_y"], dropna=False):
        spans = one[["lyr_top", "lyr_bot"]].drop_duplicates().sort_values(["lyr_top", "lyr_bot"])
        assert (spans["lyr_top"].to_numpy()[1:] >= spans["lyr_bot"].to_numpy()[:-1]).all()


def only_flagged_depths_changed(before: pd.DataFrame, after: pd.DataFrame) -> None:
    old, new = before.set_index("src_row"), after.set_index("src_row")
    same = old.loc[new.index, ["lyr_top", "lyr_bot"]].eq(new[["lyr_top", "lyr_bot"]]).all(axis=1)
    assert (same | has_flag(new["flags"], REPAIRED)).all()


@few
@given(st.lists(st.tuples(st.lists(st.integers(1, 35), min_size=1, max_size=8), st.integers(0, 40))))
def test_valid_profile_has_no_flags(profiles: list[tuple[list[int], int]]) -> None:
    rows = []
    for i, (thicknesses, organic) in enumerate(profiles):
        bounds = np.concatenate([[0], np.cumsum(thicknesses)]) - float(organic)
        rows += [(top, bottom, f"p{i}", 1990.0) for top, bottom in pairwise(bounds)]
    after = checked(archive(rows))
    assert len(after.rejects) == 0
    assert (after.layer["flags"] == "").all()
    assert len(after.layer) == len(rows)


@few
@given(rows_)
def test_filled_profile_has_no_holes_and_no_new_values(rows: list[Row]) -> None:
    plain = checked(archive(rows)).layer
    filled = checked(archive(rows), fill=True).layer
    new = has_flag(filled["flags"], depths.FILLED)
    pd.testing.assert_frame_equal(filled[~new].reset_index(drop=True), plain)
    assert filled.loc[new, ["lyr_soc", "lyr_13c", "lyr_c_org"]].isna().all(axis=None)
    for _, profile in filled[filled["lyr_bot"] > filled["lyr_top"]].groupby(
        ["pro_name", "lyr_obs_date_y"], dropna=False
    ):
        spans = profile[["lyr_top", "lyr_bot"]].drop_duplicates().sort_values("lyr_top")
        joins = spans["lyr_top"].to_numpy()[1:] - spans["lyr_bot"].to_numpy()[:-1]
        assert (np.abs(joins) <= depths.EPS).all()
        assert spans["lyr_top"].iloc[0] <= 0
