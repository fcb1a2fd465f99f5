"""Model layers to sampled layers: a sample is a mean over its depth interval, weighted by carbon."""

import numpy as np
from jaxtyping import Float

from subsoil.errors import BadCall


def overlap_shares(
    layer_top: Float[np.ndarray, " layer"],
    layer_bottom: Float[np.ndarray, " layer"],
    sample_top: Float[np.ndarray, " sample"],
    sample_bottom: Float[np.ndarray, " sample"],
) -> Float[np.ndarray, "sample layer"]:
    """Part of each model layer that lies in each sample, 0 to 1; of a point (top = bottom), 1 where it lies.

    All depths in one unit. A sample that reaches below the last layer, or above the first, has no support:
    its row is NaN. Raises BadCall for layers that are not in order or have no thickness.

    >>> overlap_shares(*map(np.array, ([0., 10.], [10., 30.], [5., 0., 20.], [20., 40., 20.]))).tolist()
    [[0.5, 0.5], [nan, nan], [0.0, 1.0]]
    """
    top, bottom = np.asarray(layer_top, float), np.asarray(layer_bottom, float)
    if not ((bottom > top).all() and (np.diff(top) > 0).all()):
        raise BadCall("layers want bottoms below tops, from the surface down: reverse the depth axis")
    a, b = np.asarray(sample_top, float)[:, None], np.asarray(sample_bottom, float)[:, None]
    share = np.clip(np.minimum(b, bottom) - np.maximum(a, top), 0.0, None) / (bottom - top)
    last = np.concatenate([np.zeros(len(top) - 1, bool), [True]])
    point = (a >= top) & ((a < bottom) | (last & (a <= bottom)))
    share = np.where(a == b, point, share)
    slack = 1e-6 * (bottom[-1] - top[0])
    held = (a >= top[0] - slack) & (b <= bottom[-1] + slack)
    return np.where(held, share, np.nan)


def on_support(
    share: Float[np.ndarray, "sample layer"],
    soc_stock: Float[np.ndarray, " layer"],
    content: Float[np.ndarray, "layer *rest"],
) -> Float[np.ndarray, "sample *rest"]:
    """Mean content of the carbon of each sample: sum share C x / sum share C, with C the layers' stock.

    NaN where a sample has no support or no carbon.

    >>> on_support(np.array([[1.0, 1.0]]), np.array([3.0, 1.0]), np.array([0.4, 0.8])).round(2).tolist()
    [0.5]
    """
    weight = share * np.asarray(soc_stock, float)
    flat = np.asarray(content, float).reshape(weight.shape[1], -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weight @ flat) / weight.sum(axis=1, keepdims=True)
    return mean.reshape(len(weight), *np.shape(content)[1:])
