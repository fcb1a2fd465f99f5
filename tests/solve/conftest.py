"""Soils whose matrices are small enough for dense algebra, which is what the solvers are held against."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from subsoil.contract import temperate
from subsoil.equilibrium import at_rest
from subsoil.models.catalogue import MODELS
from subsoil.solve.blocks import Blocks, dense


@dataclass(frozen=True)
class Soil:
    """Columns [column, layer, pool] with their dense matrices and steady states."""

    blocks: Blocks
    inputs: np.ndarray
    respiration: np.ndarray
    matrix: np.ndarray
    stock: np.ndarray

    @classmethod
    def of(cls, blocks: Blocks, inputs: np.ndarray, respiration: np.ndarray) -> "Soil":
        matrix = np.asarray(dense(blocks))
        stock = -np.linalg.solve(matrix, inputs.reshape(len(inputs), -1, 1)).reshape(inputs.shape)
        return cls(blocks, inputs, respiration, matrix, stock)

    def left(self, column: int, age: float) -> np.ndarray:
        """exp(A age) C: carbon that entered more than ``age`` years ago [layer, pool]."""
        return (expm(self.matrix[column] * age) @ self.stock[column].ravel()).reshape(self.stock.shape[1:])

    def mean_age(self, column: int) -> np.ndarray:
        """-A^-1 C / C (Metzler & Sierra 2018), [layer, pool]."""
        stock = self.stock[column].ravel()
        return (-np.linalg.solve(self.matrix[column], stock) / stock).reshape(self.stock.shape[1:])


@pytest.fixture(scope="session")
def rings() -> Soil:
    """Four columns of four layers; three pools pass 97 % of their carbon on in a ring, at one pace or three.

    The eigenvalues of the first column lie 0.5 radians off the real axis, more than in any published model.
    """
    random = np.random.default_rng(7)
    columns, layers, pools = 4, 4, 3
    rate = 10.0 ** random.uniform(-3.0, 1.0, (columns, layers, 1)) * np.ones(pools)
    rate[1:] *= 10.0 ** random.uniform(-0.5, 0.5, (columns - 1, layers, pools))
    down, up = 10.0 ** random.uniform(-4.0, -2.0, (2, columns, layers, pools))
    down[:, -1], up[:, 0] = 0.0, 0.0
    ring = 0.97 * np.roll(np.eye(pools), 1, axis=0)
    diagonal = ring * rate[..., None, :] - np.eye(pools) * (rate + down + up)[..., None, :]
    none = np.zeros((columns, 1, pools))
    lower = np.concatenate([none, down[:, :-1]], axis=1)
    upper = np.concatenate([up[:, 1:], none], axis=1)
    blocks = Blocks(*map(jnp.asarray, (lower, diagonal, upper)))
    return Soil.of(blocks, random.uniform(0.1, 1.0, rate.shape), 0.03 * rate)


@pytest.fixture(scope="session")
def clm() -> Soil:
    """One column of CLM4.5, 7 pools in 10 layers: rates over six decades, ages to 100 000 yr."""
    model = MODELS["clm4.5"]
    rest = at_rest(model, temperate(model.grid))
    blocks = Blocks(*(part[None] for part in rest.blocks))
    return Soil.of(blocks, np.asarray(rest.fluxes.inputs)[None], np.asarray(rest.fluxes.respiration)[None])
