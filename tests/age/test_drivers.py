"""The study's questions on made-up soils whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from tests.age.soils import made_up_profiles

from subsoil.age.drivers import (
    COLUMNS,
    DOUBTFUL,
    FINE,
    LEAVE_ONE_OUT,
    RANGE,
    answer,
    aridity_against_temperature,
    bias_checks,
    drivers,
    heterogeneity,
    leave_one_out,
)
from subsoil.age.meta import NAIVE, ROBUST
from subsoil.age.multilevel import HIERARCHICAL
from subsoil.age.questions import (
    ARIDITY,
    BY_LAYER,
    CLAY,
    CROP,
    JOINT,
    MAIN,
    MAT,
    PRIMARY,
    QUESTIONS,
    SHARE,
    SINGLE,
    SUBSETS,
    YEARS,
    Question,
    Response,
    complete_cases,
)
from subsoil.errors import BadCall

JOINT_SHARE = next(q for q in QUESTIONS if q.name == JOINT and q.response == SHARE)


@pytest.fixture(scope="module")
def soils() -> pd.DataFrame:
    return made_up_profiles()


@pytest.fixture(scope="module")
def answers(soils: pd.DataFrame) -> pd.DataFrame:
    return drivers(soils)


def one(frame: pd.DataFrame, **where: str) -> pd.Series:
    rows = frame
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


class TestCompleteCases:
    def test_leaves_out_and_counts_missing_values(self, soils: pd.DataFrame) -> None:
        soils = soils.assign(
            clay=soils["clay"].mask(soils.index == 0),
            share_new_30_100=soils["share_new_30_100"].mask(soils.index == 1),
            share_new_30_100_se=soils["share_new_30_100_se"].mask(soils.index == 2),
        )
        cases = complete_cases(Question("q", SHARE, (CLAY,)), soils)
        assert cases.n_missing == 3
        assert len(cases.y) == len(soils) - 3
        assert cases.table.index.min() == 3

    def test_land_use_that_is_not_known_is_missing(self, soils: pd.DataFrame) -> None:
        soils = soils.assign(land_use=soils["land_use"].mask(soils.index < 2))
        assert complete_cases(Question("q", SHARE, (CROP,)), soils).n_missing == 2

    def test_a_logarithm_leaves_out_what_is_not_positive(self, soils: pd.DataFrame) -> None:
        stock = soils["new_soc_stock_0_10"].where(soils.index > 1, [0.0, -0.1, *np.ones(len(soils) - 2)])
        cases = complete_cases(
            Question("q", Response("new_soc_stock_0_10", "ln"), (CROP,)),
            soils.assign(new_soc_stock_0_10=stock),
        )
        assert cases.n_missing == 2

    def test_covariances_follow_their_rows(self, soils: pd.DataFrame) -> None:
        full = np.arange(float(len(soils)))[:, None] * np.ones(len(soils)) + np.diag(np.ones(len(soils)))
        table = soils[soils.index % 3 == 0]
        cases = complete_cases(Question("q", SHARE, (CLAY,)), table, {"share_new_30_100": full})
        np.testing.assert_array_equal(cases.sampling, full[::3, ::3])

    @pytest.mark.parametrize("scale", ["raw", "ln", "logit"])
    def test_the_slope_is_the_derivative(self, soils: pd.DataFrame, scale: str) -> None:
        response, step = Response("f_0_30", scale), 1e-6
        ahead, behind = (soils.assign(f_0_30=soils["f_0_30"] + s) for s in (step, -step))
        expected = (response.values(ahead) - response.values(behind)) / (2 * step)
        np.testing.assert_allclose(response.slope(soils), expected, rtol=1e-5)

    def test_clusters_join_sites_studies_and_references(self, soils: pd.DataFrame) -> None:
        cases = complete_cases(JOINT_SHARE, soils)
        assert len(np.unique(cases.cluster)) == soils["study_id"].nunique()
        joined = complete_cases(JOINT_SHARE, soils.assign(site_id="one"))
        assert len(np.unique(joined.cluster)) == 1

    def test_names_a_column_that_is_not_there(self, soils: pd.DataFrame) -> None:
        with pytest.raises(BadCall, match="clay"):
            complete_cases(JOINT_SHARE, soils.drop(columns="clay"))


class TestAnswer:
    @pytest.mark.parametrize("method", [ROBUST, HIERARCHICAL, NAIVE])
    def test_finds_what_was_put_in(self, soils: pd.DataFrame, method: str) -> None:
        rows = pd.DataFrame(answer(JOINT_SHARE, complete_cases(JOINT_SHARE, soils), method))
        aridity = one(rows, term=ARIDITY.name)
        assert aridity["lower"] < -0.1 < aridity["upper"]
        assert aridity["upper"] < 0
        mat = one(rows, term=MAT.name)
        assert mat["lower"] < 0 < mat["upper"]

    def test_a_logarithm_is_given_back_as_a_ratio(self, soils: pd.DataFrame) -> None:
        question = Question(BY_LAYER, Response("new_soc_stock_0_10", "ln"), (CROP,))
        row = answer(question, complete_cases(question, soils), HIERARCHICAL)[-1]
        assert row["lower"] < 0.5 < row["upper"] < 1
        assert row["unit"] == "ratio"

    def test_units_and_row_order_are_irrelevant(self, soils: pd.DataFrame) -> None:
        question = Question(SINGLE, SHARE, (CLAY,))
        shuffled = (
            soils.assign(clay=soils["clay"] / 100).sample(frac=1, random_state=1).reset_index(drop=True)
        )
        for method in (ROBUST, HIERARCHICAL):
            here = answer(question, complete_cases(question, soils), method)[-1]
            there = answer(question, complete_cases(question, shuffled), method)[-1]
            assert there["p"] == pytest.approx(here["p"], rel=1e-3)
            assert there["estimate"] == pytest.approx(100 * here["estimate"], rel=1e-3)

    def test_a_fit_that_cannot_be_made_says_why(self, soils: pd.DataFrame) -> None:
        few = soils[soils["study_id"] == "Author 0"]
        rows = answer(JOINT_SHARE, complete_cases(JOINT_SHARE, few), ROBUST)
        assert all(np.isnan(row["estimate"]) and row["outcome"].startswith("not fitted") for row in rows)
        nobody = answer(JOINT_SHARE, complete_cases(JOINT_SHARE, soils[:0]), HIERARCHICAL)
        assert nobody[0]["n"] == 0

    def test_few_degrees_of_freedom_are_called_doubtful(self, soils: pd.DataFrame) -> None:
        question = Question(SINGLE, SHARE, (CLAY,))
        names = soils["study_id"].unique()[:4]
        rows = answer(question, complete_cases(question, soils[soils["study_id"].isin(names)]), ROBUST)
        assert rows[-1]["df"] < 4
        assert rows[-1]["outcome"] == DOUBTFUL


class TestDrivers:
    def test_has_every_question_by_every_method(self, answers: pd.DataFrame) -> None:
        assert tuple(answers.columns) == COLUMNS
        main = answers[answers["subset"] == MAIN]
        rows = sum(len(q.terms) for q in QUESTIONS)
        assert main["method"].value_counts().to_dict() == {ROBUST: rows, HIERARCHICAL: rows, NAIVE: rows}
        assert set(answers["subset"]) == {*SUBSETS, LEAVE_ONE_OUT}
        assert not answers.duplicated(["question", "response", "model", "term", "method", "subset"]).any()

    def test_sensitivity_asks_the_primary_questions(self, answers: pd.DataFrame) -> None:
        part = answers[answers["subset"] == "without FACE"]
        assert len(part) == 2 * sum(len(q.terms) for q in PRIMARY)

    def test_holm_counts_the_asked_terms_of_a_family(self, answers: pd.DataFrame) -> None:
        joint = answers[(answers["question"] == JOINT) & (answers["response"] == SHARE.name)]
        joint = joint[(joint["subset"] == MAIN) & (joint["method"] == ROBUST)]
        assert joint["p_holm"].isna().tolist() == (joint["term"] == YEARS.name).tolist()
        best = joint.loc[joint["p"].where(joint["p_holm"].notna()).idxmin()]
        assert best["p_holm"] == pytest.approx(min(1.0, 5 * best["p"]))
        layers = answers[(answers["question"] == BY_LAYER) & (answers["term"] == CROP.name)]
        layers = layers[(layers["subset"] == MAIN) & (layers["method"] == ROBUST)]
        best = layers.loc[layers["p"].idxmin()]
        assert best["p_holm"] == pytest.approx(min(1.0, len(layers) * best["p"]))

    def test_the_bootstrap_agrees_with_the_sandwich(self, answers: pd.DataFrame) -> None:
        row = one(answers, question=JOINT, response=SHARE.name, term=ARIDITY.name, method=ROBUST, subset=MAIN)
        assert row["p"] < 0.05
        assert row["p_wild"] == pytest.approx(row["p"], abs=0.02)
        assert row["outcome"] == FINE

    def test_the_range_holds_the_estimate(self, answers: pd.DataFrame) -> None:
        ranges = answers[answers["method"] == RANGE]
        assert len(ranges) == sum(len(q.asked) for q in PRIMARY)
        assert ((ranges["lower"] <= ranges["estimate"]) & (ranges["estimate"] <= ranges["upper"])).all()
        assert ranges["p_holm"].isna().all()

    def test_counts_profiles_sites_and_studies(self, answers: pd.DataFrame, soils: pd.DataFrame) -> None:
        row = answers.iloc[0]
        assert row["n"] == len(soils)
        assert row["n_sites"] == soils["site_id"].nunique()
        assert row["n_clusters"] == row["n_studies"] == soils["study_id"].nunique()


@pytest.mark.parametrize("n_studies", [0, 1, 2])
def test_a_handful_of_profiles_gives_rows_that_say_why(soils: pd.DataFrame, n_studies: int) -> None:
    names = soils["study_id"].unique()[:n_studies]
    few = soils[soils["study_id"].isin(names)]
    for table in (drivers(few), bias_checks(few), heterogeneity(few)):
        assert len(table) > 0
        assert (table["outcome"] != FINE).any()
        assert table.loc[table["outcome"].str.startswith("not fitted"), "outcome"].str.len().min() > 30


def test_leave_one_out_leaves_each_study_out(soils: pd.DataFrame) -> None:
    table = leave_one_out(soils, [JOINT_SHARE])
    assert len(table) == 5 * soils["study_id"].nunique()
    first = table[table["left_out"] == "Author 0"].iloc[0]
    assert first["n"] == (soils["study_id"] != "Author 0").sum()


def test_heterogeneity_of_the_made_up_soils(soils: pd.DataFrame) -> None:
    row = one(heterogeneity(soils), question=JOINT, response=SHARE.name)
    assert row["tau2_study"] == pytest.approx(0.05**2, rel=0.6)
    assert row["i2_study"] + row["i2_site"] + row["i2_profile"] + row["sampling_share"] == pytest.approx(1)
    assert row["q_p"] < 1e-6
    assert row["r2_marginal"] < row["r2_conditional"]
    assert row["prediction_lower"] < row["lower"] < row["mean"] < row["upper"] < row["prediction_upper"]


class TestBiasChecks:
    def test_finds_nothing_where_nothing_was_put_in(self, soils: pd.DataFrame) -> None:
        found = bias_checks(soils)
        honest = found[(found["term"].isin(["1/sqrt(replicates)", "sampling year"]))]
        assert (honest["p_holm"] < 0.01).sum() == 0

    def test_finds_small_studies_with_large_values(self, soils: pd.DataFrame) -> None:
        small = 1 / np.sqrt(soils["replicates"])
        found = bias_checks(soils.assign(share_new_30_100=soils["share_new_30_100"] + 0.2 * small))
        for method in (ROBUST, HIERARCHICAL):
            row = one(found, response=SHARE.name, question=JOINT, term="1/sqrt(replicates)", method=method)
            assert row["lower"] < 0.2 < row["upper"]
            assert row["p_holm"] < 0.01

    def test_unknown_replicates_are_counted(self, soils: pd.DataFrame) -> None:
        found = bias_checks(soils.assign(replicates=soils["replicates"].mask(soils.index < 5, 0.0)))
        assert (found[found["term"] == "1/sqrt(replicates)"]["n_missing"] >= 5).all()


class TestAridityAgainstTemperature:
    def test_tells_which_one_was_put_in(self) -> None:
        dry = aridity_against_temperature(made_up_profiles(60, seed=3), draws=399)
        assert (dry["lower"] > 0).all()
        warm = aridity_against_temperature(made_up_profiles(60, seed=4, aridity=0.0, mat=0.02), draws=399)
        assert (warm["upper"] < 0).all()
        assert (warm["p"] < 0.05).all()

    def test_is_seeded(self, soils: pd.DataFrame) -> None:
        first, second = (aridity_against_temperature(soils, draws=99, seed=1) for _ in range(2))
        pd.testing.assert_frame_equal(first, second)
