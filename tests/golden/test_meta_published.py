"""Cluster-robust and multilevel regression against numbers that other software published."""

import numpy as np
import pytest

from subsoil.age.meta import cluster_robust
from subsoil.age.multilevel import multilevel

# Made-up effects in ten studies and what R's clubSandwich 0.5.11 says of them, from the tests of PyMARE
# 0.0.13 (MIT licence, Copyright 2020 pymare developers). Columns: study, effect, variance equal within the
# study, moderator within studies, moderator between studies, variance that differs within the study.
EFFECTS = np.fromstring(
    """
1 -0.0073 0.19 -1.624 -0.882 0.1273
2 1.3934 0.209 -0.305 -0.934 0.3027
2 2.0386 0.209 1.437 -0.934 0.3476
2 0.9493 0.209 0.593 -0.934 0.0962
2 0.7504 0.209 -0.724 -0.934 0.1485
3 0.277 0.163 0.332 -1.085 0.3829
3 0.0764 0.163 -0.057 -1.085 0.0893
4 0.8485 0.193 0.351 -0.32 0.1298
4 -0.1053 0.193 -0.283 -0.32 0.4616
4 0.0949 0.193 0.162 -0.32 0.3292
5 2.1082 0.076 0.036 -1.797 0.0893
6 0.5885 0.133 -0.511 -0.333 0.196
6 1.2319 0.133 -0.372 -0.333 0.2383
6 -0.502 0.133 -2.254 -0.333 0.1301
6 0.5587 0.133 -1.259 -0.333 0.0917
6 0.8294 0.133 -1.044 -0.333 0.2733
7 3.0638 0.282 3.284 -0.201 0.5098
7 -0.9789 0.282 -0.622 -0.201 0.4162
8 -0.2288 0.396 -0.445 -0.997 0.8376
8 -1.0822 0.396 -0.992 -0.997 0.615
8 -0.5791 0.396 -2.323 -0.997 0.9741
9 -1.9666 0.214 -0.882 1.334 0.1775
9 -1.2482 0.214 0.083 1.334 0.3344
10 0.7104 0.352 0.867 -0.882 0.4983
10 -1.2881 0.352 -0.993 -0.882 0.4019
10 2.1542 0.352 3.247 -0.882 0.5781
10 1.1171 0.352 0.318 -0.882 0.3147
""",
    sep=" ",
).reshape(-1, 6)

# column of the variance, number of moderators, tau2; then of the last term: beta, standard error, df, p
CLUBSANDWICH = [
    (2, 0, 0.0, 0.5375321806118106, 0.259239381734923, 6.223520532495679, 0.0818056880035906),
    (5, 0, 0.0, 0.49084321493242206, 0.2574968422644787, 6.1344887032545525, 0.10419385814171717),
    (2, 1, 0.0, 0.582738074385725, 0.12111033741211959, 4.172422533863925, 0.0077123070105041235),
    (5, 1, 0.0, 0.5685566895794765, 0.12720698858577267, 4.4898764740051895, 0.00848452547184266),
    (
        2,
        2,
        0.3526689009931959,
        -0.7592188219435735,
        0.32972353985874264,
        2.1206038918830084,
        0.1406718835430436,
    ),
    (
        5,
        2,
        0.27174525692509427,
        -0.7971880314319657,
        0.3101374172023138,
        2.055536636863794,
        0.12052945604062308,
    ),
]


@pytest.mark.parametrize("case", CLUBSANDWICH)
def test_cr2_and_its_degrees_of_freedom_are_those_of_clubsandwich(case: tuple) -> None:
    variance, moderators, tau2, beta, se, df, p = case
    x = np.column_stack([np.ones(27), EFFECTS[:, 3 : 3 + moderators]])
    fit = cluster_robust(EFFECTS[:, 1], x, EFFECTS[:, 0].astype(int), EFFECTS[:, variance] + tau2)
    found = [fit.estimate[-1], fit.se[-1], fit.df[-1], fit.p[-1]]
    np.testing.assert_allclose(found, [beta, se, df, p], rtol=1e-10)


# Konstantopoulos 2011 (Research Synthesis Methods 2:61-76), from Cooper et al. 2003: school district, effect
# of a modified calendar on achievement (standardised mean difference), its variance, year; 56 studies.
SCHOOLS = np.fromstring(
    """
11 -0.18 0.118 1976  11 -0.22 0.118 1976  11 0.23 0.144 1976  11 -0.30 0.144 1976  12 0.13 0.014 1989
12 -0.26 0.014 1989  12 0.19 0.015 1989  12 0.32 0.024 1989  18 0.45 0.023 1994  18 0.38 0.043 1994
18 0.29 0.012 1994  27 0.16 0.020 1976  27 0.65 0.004 1976  27 0.36 0.004 1976  27 0.60 0.007 1976
56 0.08 0.019 1997  56 0.04 0.007 1997  56 0.19 0.005 1997  56 -0.06 0.004 1997  58 -0.18 0.020 1976
58 0.00 0.018 1976  58 0.00 0.019 1976  58 -0.28 0.022 1976  58 -0.04 0.020 1976  58 -0.30 0.021 1976
58 0.07 0.006 1976  58 0.00 0.007 1976  58 0.05 0.007 1976  58 -0.08 0.007 1976  58 -0.09 0.007 1976
71 0.30 0.015 1997  71 0.98 0.011 1997  71 1.19 0.010 1997  86 -0.07 0.001 1997  86 -0.05 0.001 1997
86 -0.01 0.001 1997  86 0.02 0.001 1997  86 -0.03 0.001 1997  86 0.00 0.001 1997  86 0.01 0.001 1997
86 -0.10 0.001 1997  91 0.50 0.010 2000  91 0.66 0.011 2000  91 0.20 0.010 2000  91 0.00 0.009 2000
91 0.05 0.013 2000  91 0.07 0.013 2000  108 -0.52 0.031 2000  108 0.70 0.031 2000  108 -0.03 0.030 2000
108 0.27 0.030 2000  108 -0.34 0.030 2000  644 0.12 0.087 1995  644 0.61 0.082 1995  644 0.04 0.067 1994
644 -0.05 0.067 1994
""",
    sep=" ",
).reshape(-1, 4)
DISTRICT, EFFECT, VARIANCE, YEAR = SCHOOLS.T


def test_two_levels_as_printed() -> None:
    """Table 4 of the paper: mean .128, standard error .044, tau2 .088."""
    model = multilevel(EFFECT, np.ones((56, 1)), {"study": np.arange(56)}, VARIANCE)
    found = [model.fit.estimate[0], model.fit.se[0], model.tau2["study"]]
    np.testing.assert_allclose(found, [0.128, 0.044, 0.088], atol=5e-4)


def test_three_levels_as_in_metasem_and_metafor() -> None:
    """metaSEM's reml3 prints tau2 .0650619 and .0327365, Q 578.864; metafor's rma.mv a log likelihood of
    -7.9587, mean .185, standard error .085 and, with its formula for I2 by level, 63.3 and 31.9 %."""
    model = multilevel(EFFECT, np.ones((56, 1)), {"district": DISTRICT, "study": np.arange(56)}, VARIANCE)
    assert model.tau2["district"] == pytest.approx(0.0650619, abs=1e-6)
    assert model.tau2["study"] == pytest.approx(0.0327365, abs=1e-6)
    assert model.log_likelihood == pytest.approx(-7.9587, abs=5e-5)
    assert model.q == pytest.approx(578.864, abs=5e-4)
    assert model.q_df == 55
    assert model.fit.n_clusters == 11
    np.testing.assert_allclose([model.fit.estimate[0], model.fit.se[0]], [0.185, 0.085], atol=5e-4)
    np.testing.assert_allclose([model.i2["district"], model.i2["study"]], [0.633, 0.319], atol=5e-4)


def test_three_levels_with_a_moderator_as_in_metasem() -> None:
    """reml3 with the centred year: tau2 .0722656 and .0326502."""
    x = np.column_stack([np.ones(56), YEAR - YEAR.mean()])
    model = multilevel(EFFECT, x, {"district": DISTRICT, "study": np.arange(56)}, VARIANCE)
    assert model.tau2["district"] == pytest.approx(0.0722656, abs=1e-6)
    assert model.tau2["study"] == pytest.approx(0.0326502, abs=1e-6)
