"""Our re-analysis of the 2018 workbook: what naive regression says, and what is left once dependence counts.

Not published numbers. The first part asks the workbook's own columns (its f, its stocks, its extension to
1 m), the second our own new carbon. Both serve as regression values of our code.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from subsoil.age.drivers import answer, aridity_against_temperature, heterogeneity, leave_one_out
from subsoil.age.meta import NAIVE, ROBUST, least_squares, wild_bootstrap
from subsoil.age.multilevel import HIERARCHICAL
from subsoil.age.profiles import profile_table, sampling_covariances
from subsoil.age.questions import (
    ARIDITY,
    BY_LAYER,
    CLAY,
    CROP,
    DEEP_TO_SURFACE,
    FOREST,
    GRASSLAND,
    JOINT,
    MAIN,
    MAP,
    MAT,
    P_PET,
    PRIMARY,
    SHARE,
    STOCKS,
    SUBSETS,
    YEARS,
    Question,
    Response,
    Term,
    complete_cases,
)
from subsoil.archive.harmonise import cumulative_stocks
from subsoil.archive.readers import balesdent2018
from subsoil.newcarbon import new_carbon

pytestmark = pytest.mark.data

F_TOP, F_SUB = Response("f_0_30"), Response("f_30_100")
LAND_USE = (FOREST, GRASSLAND)
COLUMNS = {
    "Identifier_1": "profile_id",
    "Bibliographic_reference": "study_id",
    "reference_internal_profile_ID_A": "reference_id",
    "MAT_C": "mat",
    "PANN_mm": "map",
    "P to PET ratio": "p_pet",
    "Topsoil Clay_%": "clay",
    "Duration_labeling": "labelling_years",
    "Land_Use": "land_use",
    "RCn_30-100_to_0-100": "share_new_30_100",
    "f0-30": "f_0_30",
    "f_30-100": "f_30_100",
    "Cnew_0-10": "new_soc_stock_0_10",
    "Cnew_0-30": "new_soc_stock_0_30",
}


@pytest.fixture(scope="module")
def published(workbook: Path) -> pd.DataFrame:
    """The 99 profiles with stocks and up to 200 yr, in the words of the profile table."""
    sheet = pd.read_excel(workbook, sheet_name="Profiles", header=7, engine="calamine", na_values=["NA"])[
        :112
    ]
    table = sheet.rename(columns=COLUMNS)
    words = ["profile_id", "study_id", "reference_id", "land_use"]
    table = table[list(COLUMNS.values())].assign(
        site_id=sheet["Latitude"].astype(str) + "," + sheet["Longitude"].astype(str),
        land_use=sheet["Land_Use"].str.lower(),
        new_soc_stock_30_100=sheet["Cnew_0-100estim"].astype(float) - sheet["Cnew_0-30"].astype(float),
    )
    table = table.astype({name: float for name in table if name not in [*words, "site_id"]})
    return table[SUBSETS[MAIN](table) & table["share_new_30_100"].notna()].reset_index(drop=True)


@pytest.fixture(scope="module")
def ours(workbook: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Profile table from our new carbon, and its sampling covariances."""
    archive = balesdent2018.read(workbook)
    layers = new_carbon(archive)
    stocks = cumulative_stocks(layers, range(0, 101, 10))
    table = profile_table(archive, layers, stocks)
    return table, sampling_covariances(layers, table)


def row(
    table: pd.DataFrame, response: Response, terms: tuple[Term, ...], method: str, **more: object
) -> dict:
    """The answer on the last term, beside ln t and the terms before it."""
    question = Question("q", response, terms[-1:], (YEARS, *terms[:-1]))
    return answer(question, complete_cases(question, table, **more), method)[-1]  # type: ignore[arg-type]


def r2(table: pd.DataFrame, response: Response, terms: tuple[Term, ...]) -> float:
    cases = complete_cases(Question("q", response, terms, ()), table)
    residual = cases.y - cases.x @ least_squares(cases.y, cases.x).estimate
    return 1 - float(residual @ residual / np.sum((cases.y - cases.y.mean()) ** 2))


class TestNaive:
    """Every profile an independent study, as in our notes on the paper."""

    def test_mean_share_below_30_cm(self, published: pd.DataFrame) -> None:
        assert len(published) == 99
        means = published.groupby("land_use")["share_new_30_100"].mean()
        assert means.round(3).to_dict() == {"crop": 0.277, "forest": 0.199, "grassland": 0.196}

    @pytest.mark.parametrize(
        ("terms", "expected"),
        [
            ((), 0.046),
            ((MAT,), 0.047),
            ((P_PET,), 0.131),
            ((MAP,), 0.074),
            ((CLAY,), 0.047),
            (LAND_USE, 0.135),
            ((ARIDITY, MAT, CLAY, *LAND_USE), 0.249),
        ],
    )
    def test_r2_of_the_share(self, published: pd.DataFrame, terms: tuple[Term, ...], expected: float) -> None:
        assert r2(published, SHARE, (YEARS, *terms)) == pytest.approx(expected, abs=5e-4)

    @pytest.mark.parametrize(
        ("term", "p", "digits"),
        [(MAT, 0.75, 0.005), (P_PET, 0.003, 5e-4), (MAP, 0.09, 0.005), (CLAY, 0.79, 0.005)],
    )
    def test_p_of_one_predictor(self, published: pd.DataFrame, term: Term, p: float, digits: float) -> None:
        assert row(published, SHARE, (term,), NAIVE)["p"] == pytest.approx(p, abs=digits)

    def test_slope_of_aridity(self, published: pd.DataFrame) -> None:
        assert row(published, SHARE, (P_PET,), NAIVE)["estimate"] == pytest.approx(-0.060, abs=5e-4)

    def test_all_predictors(self, published: pd.DataFrame) -> None:
        question = Question("q", SHARE, (ARIDITY, MAT, CLAY, FOREST, GRASSLAND))
        rows = answer(question, complete_cases(question, published), NAIVE)
        p = {r["term"]: r["p"] for r in rows}
        assert p[ARIDITY.name] == pytest.approx(0.001, abs=5e-4)
        assert p[MAT.name] == pytest.approx(0.09, abs=0.005)
        assert p[CLAY.name] == pytest.approx(0.36, abs=0.005)
        assert p[FOREST.name] == pytest.approx(0.0006, abs=5e-5)

    @pytest.mark.parametrize(
        ("depth", "ratio", "p", "n"),
        [("0_10", 0.49, 5e-7, 99), ("0_30", 0.71, 0.007, 99), ("30_100", 1.16, 0.35, 97)],
    )
    def test_crop_against_the_rest(
        self, published: pd.DataFrame, depth: str, ratio: float, p: float, n: int
    ) -> None:
        found = row(published, Response(f"new_soc_stock_{depth}", "ln"), (CROP,), NAIVE)
        assert found["estimate"] == pytest.approx(ratio, abs=0.005)
        assert found["p"] == pytest.approx(p, rel=0.1)
        assert found["n"] == n

    @pytest.mark.parametrize(
        ("depth", "ratio", "p"), [("0_10", 0.50, 5e-7), ("0_30", 0.72, 0.007), ("30_100", 1.24, 0.19)]
    )
    def test_crop_with_an_offset(self, published: pd.DataFrame, depth: str, ratio: float, p: float) -> None:
        """Logarithm of new carbon + .02 kg m-2, which keeps the two values at or below 0."""
        column = f"new_soc_stock_{depth}"
        table = published.assign(**{column: published[column] + 0.02})
        found = row(table, Response(column, "ln"), (CROP,), NAIVE)
        assert found["estimate"] == pytest.approx(ratio, abs=0.005)
        assert found["p"] == pytest.approx(p, rel=0.1)
        assert found["n"] == 99

    @pytest.mark.parametrize(
        ("response", "term", "p", "digits"),
        [
            (F_TOP, MAT, 0.002, 5e-4),
            (F_TOP, ARIDITY, 0.98, 0.005),
            (F_SUB, ARIDITY, 0.04, 0.005),
            (F_SUB, MAT, 0.54, 0.005),
        ],
    )
    def test_drivers_differ_by_depth(
        self, published: pd.DataFrame, response: Response, term: Term, p: float, digits: float
    ) -> None:
        assert row(published, response, (term,), NAIVE)["p"] == pytest.approx(p, abs=digits)


class TestWithDependence:
    """The same columns of the workbook, with shared sites, studies and reference profiles."""

    def test_profiles_are_not_99_studies(self, published: pd.DataFrame) -> None:
        found = row(published, SHARE, (ARIDITY,), ROBUST)
        counts = {name: found[name] for name in ("n", "n_sites", "n_studies", "n_clusters")}
        assert counts == {"n": 99, "n_sites": 63, "n_studies": 47, "n_clusters": 46}

    @pytest.mark.parametrize(
        ("response", "terms", "p", "df"),
        [
            (SHARE, (P_PET,), 0.025, 2.9),
            (SHARE, (ARIDITY,), 0.016, 7.3),
            (SHARE, (MAT, CLAY, GRASSLAND, FOREST, ARIDITY), 0.013, 8.2),
            (SHARE, (ARIDITY, MAT, CLAY, GRASSLAND, FOREST), 0.018, 14.2),
            (F_TOP, (MAT,), 0.056, 14.7),
            (F_SUB, (ARIDITY,), 0.095, 7.3),
            (STOCKS[0], (CROP,), 0.00014, 24.9),
            (STOCKS[1], (CROP,), 0.030, 24.9),
            (STOCKS[2], (CROP,), 0.39, 25.3),
        ],
    )
    def test_cluster_robust(
        self, published: pd.DataFrame, response: Response, terms: tuple[Term, ...], p: float, df: float
    ) -> None:
        found = row(published, response, terms, ROBUST)
        assert found["p"] == pytest.approx(p, rel=0.05)
        assert found["df"] == pytest.approx(df, abs=0.06)

    def test_what_naive_regression_made_too_sure(self, published: pd.DataFrame) -> None:
        """Topsoil f on temperature: p .002 if profiles are independent, .06 if not; subsoil f on aridity."""
        for response, term in ((F_TOP, MAT), (F_SUB, ARIDITY)):
            assert (
                row(published, response, (term,), NAIVE)["p"]
                < 0.05
                < row(published, response, (term,), ROBUST)["p"]
            )

    def test_the_bootstrap_agrees(self, published: pd.DataFrame) -> None:
        cases = complete_cases(Question("q", SHARE, (ARIDITY, MAT, CLAY, GRASSLAND, FOREST)), published)
        assert wild_bootstrap(cases.y, cases.x, cases.cluster, 2) == pytest.approx(0.007, abs=0.004)


class TestOurs:
    """From our own new carbon: f not clipped, N071 repaired, extension to 1 m by the same profiles."""

    def test_share_below_30_cm(self, ours: tuple) -> None:
        share = ours[0]["share_new_30_100"]
        assert share.notna().sum() == 101
        assert share.mean() == pytest.approx(0.229, abs=0.005)

    def test_aridity_holds_and_temperature_does_not(self, ours: tuple) -> None:
        table, covariances = ours
        question = next(q for q in PRIMARY if q.name == JOINT and q.response == SHARE)
        cases = complete_cases(question, table[SUBSETS[MAIN](table)], covariances)
        for method, estimate, p in ((ROBUST, -0.096, 0.0087), (HIERARCHICAL, -0.108, 0.0016)):
            rows = {r["term"]: r for r in answer(question, cases, method)}
            assert rows[ARIDITY.name]["estimate"] == pytest.approx(estimate, abs=0.006)
            assert rows[ARIDITY.name]["p"] == pytest.approx(p, rel=0.35)
            assert rows[MAT.name]["p"] > 0.05

    @pytest.mark.parametrize(
        ("response", "robust", "hierarchical"),
        [
            (STOCKS[0], 0.50, 0.56),
            (STOCKS[1], 0.72, 0.72),
            (STOCKS[2], 1.10, 1.08),
            (DEEP_TO_SURFACE, 2.17, 1.78),
        ],
    )
    def test_crop_by_layer(self, ours: tuple, response: Response, robust: float, hierarchical: float) -> None:
        table, covariances = ours
        question = next(q for q in PRIMARY if q.name == BY_LAYER and q.response == response)
        cases = complete_cases(question, table[SUBSETS[MAIN](table)], covariances)
        assert answer(question, cases, ROBUST)[-1]["estimate"] == pytest.approx(robust, rel=0.04)
        assert answer(question, cases, HIERARCHICAL)[-1]["estimate"] == pytest.approx(hierarchical, rel=0.05)

    def test_no_study_alone_carries_aridity_or_crop(self, ours: tuple) -> None:
        asked = [q for q in PRIMARY if q.response in (SHARE, STOCKS[0]) and q.name in (JOINT, BY_LAYER)]
        singles = leave_one_out(ours[0], asked)
        aridity = singles[singles["term"] == ARIDITY.name]
        assert aridity["estimate"].between(-0.12, -0.07).all()
        assert (aridity["p"] < 0.05).all()
        crop = singles[singles["term"] == CROP.name]
        assert crop["estimate"].between(0.45, 0.57).all()

    def test_aridity_beats_temperature_but_not_surely(self, ours: tuple) -> None:
        table = aridity_against_temperature(ours[0]).set_index("measure")
        assert table["difference"].to_dict() == pytest.approx(
            {"R2 gained": 0.081, "standardised slope": 0.252, "held-out R2": 0.100}, rel=0.1
        )
        assert (table["lower"] < 0).all()

    def test_most_of_the_spread_is_between_studies_and_sites(self, ours: tuple) -> None:
        table = heterogeneity(*ours).set_index(["question", "response"])
        share = table.loc[(JOINT, SHARE.name)]
        assert 0.6 < share["i2_study"] + share["i2_site"] < 0.8
        assert (table["sampling_share"] < 0.2).all()
        assert share["prediction_lower"] < 0.05
        assert share["prediction_upper"] > 0.40
