"""What a user would write today with NumPy and SciPy, one column at a time: the other side of the benchmark.

Each takes the operator in the form its solver wants, made beforehand and not timed, and gives the same answer
as `subsoil`. State is counted layer by layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import expm, solve_banded
from scipy.optimize import brentq
from scipy.sparse import csc_matrix, identity
from scipy.sparse.linalg import splu


class Column(NamedTuple):
    """One column: operator as a dense matrix, as bands and as sparse columns; inputs; layers and pools."""

    dense: np.ndarray
    bands: np.ndarray
    sparse: csc_matrix
    inputs: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, lower: np.ndarray, diagonal: np.ndarray, upper: np.ndarray, inputs: np.ndarray) -> "Column":
        layers, pools = inputs.shape
        size = layers * pools
        dense = np.zeros((size, size))
        for layer in range(layers):
            own = slice(layer * pools, (layer + 1) * pools)
            dense[own, own] = diagonal[layer]
            if layer > 0:
                dense[own, (layer - 1) * pools : layer * pools] = np.diag(lower[layer])
            if layer < layers - 1:
                dense[own, (layer + 1) * pools : (layer + 2) * pools] = np.diag(upper[layer])
        bands = np.zeros((2 * pools + 1, size))
        for offset in range(-pools, pools + 1):
            row = np.diagonal(dense, offset)
            bands[pools - offset, max(offset, 0) : max(offset, 0) + len(row)] = row
        return cls(dense, bands, csc_matrix(dense), inputs.ravel(), (layers, pools))

    def by_layer(self, state: np.ndarray) -> np.ndarray:
        """Sum over pools; times, if any, are the last axis."""
        return state.reshape(*self.shape, *state.shape[1:]).sum(axis=1)


def steady(column: Column) -> np.ndarray:
    """C = -A^-1 u by LAPACK's banded solver."""
    pools = column.shape[1]
    return solve_banded((pools, pools), column.bands, -column.inputs)


def label_by_years(column: Column, years: Sequence[float]) -> np.ndarray:
    """f_new by implicit steps of one year, factored once: the label arrives with the inputs."""
    step = splu(csc_matrix(identity(len(column.inputs)) - column.sparse))
    stock = column.by_layer(splu(column.sparse).solve(-column.inputs))
    wanted, found = set(years), []
    arrived = np.zeros_like(column.inputs)
    for year in range(1, int(max(years)) + 1):
        arrived = step.solve(arrived + column.inputs)
        if year in wanted:
            found.append(column.by_layer(arrived) / stock)
    return np.stack(found, axis=-1)


def label_by_eigenvalues(column: Column, years: Sequence[float]) -> np.ndarray:
    """f_new at all ages from one eigendecomposition."""
    rates, shares = _modes(column)
    return 1.0 - (shares @ np.exp(np.outer(rates, years))).real


def label_by_expm(column: Column, years: Sequence[float]) -> np.ndarray:
    """f_new by one dense matrix exponential an age."""
    carbon = steady(column)
    left = np.stack([expm(column.dense * year) @ carbon for year in years], axis=-1)
    return 1.0 - column.by_layer(left) / column.by_layer(carbon)[:, None]


def quantiles_by_eigenvalues(column: Column, shares: Sequence[float]) -> np.ndarray:
    """Age quantiles of each layer: one eigendecomposition, then a root search for each layer and share."""
    rates, modes = _modes(column)

    def beyond(log_age: float, of: np.ndarray, share: float) -> float:
        return 1.0 - float((of @ np.exp(rates * np.exp(log_age))).real) - share

    ends = np.log(1e-3), np.log(2e7)
    found = [[brentq(beyond, *ends, (mode, share), xtol=1e-8) for share in shares] for mode in modes]
    return np.exp(found)


def _modes(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, and what each contributes to the share of carbon left in each layer [layer, mode]."""
    carbon = steady(column)
    rates, vectors = np.linalg.eig(column.dense)
    weights = np.linalg.solve(vectors, carbon.astype(complex))
    return rates, column.by_layer(vectors * weights) / column.by_layer(carbon)[:, None]
