"""One row a profile: what the drivers are asked of.

Layers of the new-carbon table and cumulative stocks become, for every profile, new carbon by depth interval,
its share of all carbon and its share below 30 cm, each with a standard error that follows the errors of the
layers, shared references and shared plants included.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from subsoil.age.carbon import SAME_SAMPLE, complete, layer_carbon
from subsoil.errors import BadCall
from subsoil.newcarbon import PairedLayers
from subsoil.newcarbon import covariance as layer_covariance

BOTTOM = 100
"""cm: depth to which stocks are reported; shallower profiles are extended to it."""

KEYS = ("profile_id", "site_id", "study_id", "reference_id")
COVARIATES = (
    "labelling_years", "mat", "map", "p_pet", "clay", "land_use", "latitude", "longitude", "label_type",
    "obs_year", "max_depth",
)  # fmt: skip
NOISE = 1e-9
"""kg C m-2: differences of cumulative stocks below this are rounding, and a logarithm would find them."""
KINDS = ("new_soc_stock", "soc_stock")
MEASURED = "author"
"""What ``src_bd`` says of a bulk density that the source study gives; others are pedotransfer functions."""


@dataclass(frozen=True)
class Amount:
    """A column made from new carbon N between ``top`` and ``bottom`` cm.

    ``over`` None: N in kg C m-2. "soc": N / total carbon of the same interval. "new": N / N of the interval
    ``of``, cm.
    """

    top: int
    bottom: int
    over: str | None = None
    of: tuple[int, int] = (0, BOTTOM)

    @property
    def name(self) -> str:
        """Column of the table.

        >>> Amount(0, 30).name, Amount(30, 100, "soc").name, Amount(30, 100, "new").name
        ('new_soc_stock_0_30', 'f_30_100', 'share_new_30_100')
        >>> Amount(30, 100, "new", of=(0, 10)).name
        'new_30_100_to_0_10'
        """
        if self.over == "new" and self.of != (0, BOTTOM):
            return f"new_{self.top}_{self.bottom}_to_{self.of[0]}_{self.of[1]}"
        prefix = {None: "new_soc_stock", "soc": "f", "new": "share_new"}[self.over]
        return f"{prefix}_{self.top}_{self.bottom}"

    @property
    def below_the_line(self) -> str | None:
        """Column that N is divided by."""
        total, new = f"soc_stock_{self.top}_{self.bottom}", "new_soc_stock_{}_{}".format(*self.of)
        return {None: None, "soc": total, "new": new}[self.over]


STEPS = tuple(Amount(top, top + 10) for top in range(0, BOTTOM, 10))
COARSE = (
    Amount(0, 30),
    Amount(30, BOTTOM),
    Amount(0, BOTTOM),
    Amount(0, 30, "soc"),
    Amount(30, BOTTOM, "soc"),
    Amount(30, BOTTOM, "new"),
    Amount(30, BOTTOM, "new", of=(0, 10)),
)
AMOUNTS = (*STEPS, *COARSE)


def profile_table(archive: PairedLayers, layers: pd.DataFrame, stocks: pd.DataFrame) -> pd.DataFrame:
    """One row for each profile of a new-carbon table, in its order.

    ``archive``: where the layers come from (for replicates and the origin of bulk densities). ``layers``: its
    new-carbon table. ``stocks``: cumulative stocks from the surface, columns profile_id, depth_cm (0, 10 ...
    100), soc_stock_cum, new_soc_stock_cum (kg C m-2), rows below a profile's depth absent or missing.

    Beside keys and covariates: ``new_soc_stock_a_b`` and ``soc_stock_a_b`` (kg C m-2) between a and b cm,
    ``f_a_b`` = new / all, ``share_new_30_100`` = new carbon of 30-100 cm / of 0-100 cm, each column of new
    carbon with its standard error ``_se``. ``author_f``, ``error_imputed``, ``bd_pedotransfer``: whether any
    layer has an f of the source study, an imputed error, a bulk density from a pedotransfer function.
    ``replicates``: replicated profiles behind the row. ``extended``: whether the sampling ends above 100 cm
    and is completed by the same-sample ratio (`age.carbon.complete`), with the errors ``new_extension_se``
    and ``soc_extension_se`` (kg C m-2); steps of 10 cm are never filled in. A profile without stocks keeps
    its row with missing amounts.

    Raises
    ------
    BadCall
        A needed column is absent.
    """
    _require(layers, {*KEYS, *COVARIATES, "method", "error_imputed"}, "new-carbon table")
    _require(stocks, {"profile_id", "depth_cm", "soc_stock_cum", "new_soc_stock_cum"}, "table of stocks")
    groups = layers.groupby("profile_id", sort=False)
    table = groups[[*KEYS[1:], *COVARIATES]].first().reset_index()
    table["author_f"] = _any(layers["method"] == "author", layers)
    table["error_imputed"] = _any(layers["error_imputed"], layers)
    table = table.merge(_facts(archive), on="profile_id", how="left", validate="1:1")
    new, soc = (_layers(stocks, f"{kind}_cum", table["profile_id"]) for kind in KINDS)
    whole = [_to_bottom(new, "new"), _to_bottom(soc, "total")]
    table["extended"] = np.isfinite(soc[:, 0]) & np.isnan(soc[:, -1])
    table["new_extension_se"], table["soc_extension_se"] = (se for _, se in whole)
    columns = _columns(STEPS, new, soc) | _columns(COARSE, *(filled for filled, _ in whole))
    table = pd.concat([table, pd.DataFrame(columns)], axis=1)
    errors = sampling_covariances(layers, table)
    return table.assign(**{f"{name}_se": np.sqrt(np.diag(matrix)) for name, matrix in errors.items()})


def _layers(stocks: pd.DataFrame, column: str, profiles: pd.Series) -> Float[np.ndarray, "profile step"]:
    """Amounts in steps of 10 cm, NaN where a profile does not reach."""
    steps = layer_carbon(stocks, column).reindex(profiles).to_numpy(float)
    return np.where(np.abs(steps) < NOISE, 0.0, steps)


def _to_bottom(
    amounts: Float[np.ndarray, "profile step"], kind: str
) -> tuple[Float[np.ndarray, "profile step"], Float[np.ndarray, "profile"]]:
    """Steps filled in down to 100 cm by the same-sample ratio, and the error of their sum.

    The error is C(z) times the standard deviation of C(100) / C(z) over the profiles that reach 100 cm, for a
    profile that ends at z; 0 elsewhere.
    """
    se = np.zeros(len(amounts))
    whole = np.cumsum(amounts[np.isfinite(amounts).all(axis=1)], axis=1)
    if len(whole) < 2:  # nothing to learn the ratio from
        return amounts, se
    filled = complete(amounts, np.ones((1, len(amounts))), SAME_SAMPLE, kind)[0]
    for row in np.flatnonzero(np.isfinite(filled[:, -1]) & np.isnan(amounts[:, -1])):
        last = np.flatnonzero(np.isfinite(amounts[row]))[-1]
        se[row] = np.nansum(amounts[row]) * np.std(whole[:, -1] / whole[:, last], ddof=1)
    return filled, se


def sampling_covariances(
    layers: pd.DataFrame, table: pd.DataFrame
) -> dict[str, Float[np.ndarray, "profile profile"]]:
    """Covariance of each column of new carbon between the profiles of a table, from the errors of the layers.

    First order. With w the share of a layer inside the interval, C its stock, f its new fraction, N = sum of
    w C f, T = sum of w C and D what stands below the line (1, T, or N of another interval, weights w_D):

        y = N / D,   dy/df = (w - y w_D) C / D,   dy/dC = ((w - y w_D) f - y w) / D  (y w only for D = T)
        Cov(y) = F Cov(f) F' + S diag(se_C^2) S' + (errors of extending a profile to 100 cm)

    so profiles that share a reference or plants err together. NaN on the diagonal where y is missing.
    """
    used = layers["soc_stock"].notna() & layers["profile_id"].isin(table["profile_id"])
    part = layers[used & (layers["layer_bottom"] > layers["layer_top"])]
    f_covariance = layer_covariance(part)
    stock_variance = np.nan_to_num(part["soc_stock_se"].to_numpy(float)) ** 2
    owner = pd.Index(table["profile_id"]).get_indexer(part["profile_id"])
    member = (owner[None, :] == np.arange(len(table))[:, None]).astype(float)
    factors = [_extension(part, member, table, kind) for kind in KINDS]
    out = {}
    for amount in AMOUNTS:
        by_f, by_stock = _gradients(amount, part, table.iloc[owner], [k[owner] for k in factors])
        by_f, by_stock = member * by_f, member * by_stock
        known = np.where(table[amount.name].notna(), 1.0, np.nan)
        matrix = by_f @ f_covariance @ by_f.T + (by_stock * stock_variance) @ by_stock.T
        out[amount.name] = matrix + np.diag(_extension_variance(amount, table) * known)
    return out


def _extension(part: pd.DataFrame, member: np.ndarray, table: pd.DataFrame, kind: str) -> np.ndarray:
    """How much more of an amount than its layers hold an extended profile has: k(z), 1 elsewhere."""
    sampled = member @ (_inside(part, 0, BOTTOM) * part[kind].to_numpy(float))
    total = table[f"{kind}_0_{BOTTOM}"].to_numpy(float)
    return np.where(table["extended"] & (sampled != 0), total / np.where(sampled == 0, 1.0, sampled), 1.0)


def _gradients(
    amount: Amount, part: pd.DataFrame, own: pd.DataFrame, factors: list[np.ndarray]
) -> tuple[Float[np.ndarray, "layer"], Float[np.ndarray, "layer"]]:
    """dy/df and dy/dC of each layer, ``own`` holding the row of its profile; 0 where y is missing."""
    new, soc = (_inside(part, amount.top, amount.bottom, k) for k in factors)
    y = own[amount.name].to_numpy(float)
    below = _below(amount, own)
    slope = new - y * _inside(part, *amount.of, factors[0]) if amount.over == "new" else new
    by_f = slope * part["soc_stock"].to_numpy(float) / below
    by_stock = (slope * part["f_new"].to_numpy(float) - (y * soc if amount.over == "soc" else 0.0)) / below
    return np.nan_to_num(by_f), np.nan_to_num(by_stock)


def _extension_variance(amount: Amount, table: pd.DataFrame) -> Float[np.ndarray, "profile"]:
    if amount.bottom < BOTTOM or amount in STEPS:
        return np.zeros(len(table))
    y, below = table[amount.name].to_numpy(float), _below(amount, table)
    slope = (1 - y) if amount.over == "new" and amount.of[1] == BOTTOM else 1.0
    by_soc = y if amount.over == "soc" else 0.0
    new, soc = (table[f"{kind}_extension_se"].to_numpy(float) for kind in ("new", "soc"))
    return ((slope * new) ** 2 + (by_soc * soc) ** 2) / below**2


def _below(amount: Amount, table: pd.DataFrame) -> Float[np.ndarray, "row"]:
    column = amount.below_the_line
    return table[column].to_numpy(float) if column else np.ones(len(table))


def _inside(
    part: pd.DataFrame, top: int, bottom: int, factor: np.ndarray | float = 1.0
) -> Float[np.ndarray, "layer"]:
    """Share of each layer between two depths, cm; what is above 100 cm counts ``factor`` times."""
    start, end = part["layer_top"].to_numpy(float), part["layer_bottom"].to_numpy(float)
    above = [np.clip((z - start) / (end - start), 0.0, 1.0) for z in (top, bottom)]
    return (factor if bottom == BOTTOM else 1.0) * above[1] - above[0]


def _facts(archive: PairedLayers) -> pd.DataFrame:
    """profile_id, replicates, bd_pedotransfer."""
    keys = ["entry_name", "pro_name"]
    filled = (
        (archive.layer["src_bd"].notna() & (archive.layer["src_bd"] != MEASURED))
        .groupby([archive.layer[key] for key in keys])
        .any()
    )
    facts = archive.profile[[*keys, "pro_reps"]].merge(
        filled.rename("bd_pedotransfer").reset_index(), on=keys
    )
    names = facts["entry_name"] + "/" + facts["pro_name"]
    return pd.DataFrame(
        {"profile_id": names, "replicates": facts["pro_reps"], "bd_pedotransfer": facts["bd_pedotransfer"]}
    )


def _any(marked: pd.Series, layers: pd.DataFrame) -> Bool[np.ndarray, "profile"]:
    return marked.astype(bool).groupby(layers["profile_id"], sort=False).any().to_numpy()


def _columns(amounts: tuple[Amount, ...], new: np.ndarray, soc: np.ndarray) -> dict[str, np.ndarray]:
    out = {}
    for amount in amounts:
        total = _sum(soc, amount.top, amount.bottom)
        choices = {"soc": total, "new": _sum(new, *amount.of)}
        below = choices[amount.over] if amount.over else np.ones(len(new))
        out[amount.name] = _sum(new, amount.top, amount.bottom) / np.where(below == 0, np.nan, below)
        if amount.over is None:
            out[f"soc_stock_{amount.top}_{amount.bottom}"] = total
    return out


def _sum(steps: np.ndarray, top: int, bottom: int) -> Float[np.ndarray, "profile"]:
    return steps[:, top // 10 : bottom // 10].sum(axis=1)


def _require(frame: pd.DataFrame, columns: set[str], what: str) -> None:
    missing = sorted(columns - set(frame.columns))
    if missing:
        raise BadCall(f"the {what} lacks the columns {', '.join(missing)}")
