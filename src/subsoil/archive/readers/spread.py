"""The spread of replicates as a standard deviation, whatever the source reported.

With n replicates and t the 97.5 % quantile of Student's t:

    SD        the value
    SE        SD = SE sqrt(n)
    IC95      SD = h sqrt(n) / t(n - 1),            h the half width of the 95 % interval of the mean
    LSDP0.05  SD = LSD / (t(2n - 2) sqrt(2 / n)),   least significant difference of two means of n each

Any other type, and any but SD without n of at least 2, gives no SD.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

CONVERTED = ("SD", "SE", "IC95", "LSDP0.05")
ALIASES = {"SEM": "SE", "CI95": "IC95", "LSD": "LSDP0.05", "LSD0.05": "LSDP0.05"}


def standard_deviation(
    value: Float[np.ndarray, "row"], kind: np.ndarray, n: Float[np.ndarray, "row"]
) -> Float[np.ndarray, "row"]:
    """SD of replicates from a reported ``value`` of spread, its ``kind`` and the number of replicates ``n``.

    Same unit as ``value``; NaN where it cannot be converted. A negative value gives NaN.

    >>> standard_deviation(np.array([0.3, 0.3]), np.array(["SE", "SE"]), np.array([4.0, np.nan]))
    array([0.6, nan])
    """
    kind = np.array([ALIASES.get(str(k).strip().upper(), str(k).strip().upper()) for k in kind], dtype=object)
    m = np.where(n >= 2, n, np.nan)
    factors = {
        "SD": np.ones_like(m),
        "SE": np.sqrt(m),
        "IC95": np.sqrt(m) / stdtrit(m - 1, 0.975),
        "LSDP0.05": 1 / (stdtrit(2 * m - 2, 0.975) * np.sqrt(2 / m)),
    }
    factor = np.full(m.shape, np.nan)
    for name, of_kind in factors.items():
        factor = np.where(kind == name, of_kind, factor)
    return np.where(value >= 0, value, np.nan) * factor
