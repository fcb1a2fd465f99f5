"""The soils of the benchmark: columns of CLM5 (7 pools x 20 layers), parameters and sites vary at random."""

import jax
import numpy as np
from baselines import Column
from jax import Array

from subsoil.depth import DepthGrid
from subsoil.forcing import Forcing, site_forcing
from subsoil.models.catalogue import MODELS
from subsoil.models.model import Values, annual_fluxes, operator
from subsoil.solve.blocks import Blocks

MODEL = MODELS["clm5"]
VARIED = (
    "k_cwd",
    "k_metabolic",
    "k_cellulose",
    "k_lignin",
    "k_active",
    "k_slow",
    "k_passive",
    "z_efold",
    "bioturbation",
)


def sites(count: int, grid: DepthGrid | None = None, seed: int = 0) -> Forcing:
    """Random climate, texture and litter: the ranges of soils under crops, grass and forest."""
    random = np.random.default_rng(seed)
    site = {
        "mat": random.uniform(2.0, 27.0, count),
        "map_mm": random.uniform(400.0, 2500.0, count),
        "clay": random.uniform(0.05, 0.5, count),
        "sand": random.uniform(0.1, 0.5, count),
        "npp": random.uniform(0.1, 0.8, count),
    }
    return jax.vmap(lambda one: site_forcing(grid or MODEL.grid, **one))(site)


def parameters(count: int, seed: int = 1) -> dict[str, Array]:
    """Values of the model, one set a column: rates and mixing vary by some 30 %."""
    random = np.random.default_rng(seed)
    values = {name: np.full(count, float(value)) for name, value in MODEL.values.items()}
    for name in VARIED:
        values[name] *= np.exp(random.normal(0.0, 0.3, count))
    return jax.tree.map(jax.numpy.asarray, values)


def assemble(values: Values, forcing: Forcing, grid: DepthGrid | None = None) -> tuple[Blocks, Array]:
    """Operator and inputs of one column, by the equations of the model."""
    fluxes = annual_fluxes(MODEL.equations, values, forcing, grid or MODEL.grid)
    return operator(fluxes), fluxes.inputs


def single(blocks: Blocks, inputs: Array, count: int) -> list[Column]:
    """The first columns of a batch in the forms that SciPy wants."""
    first = (np.asarray(part[:count]) for part in (*blocks, inputs))
    return [Column.of(*parts) for parts in zip(*first, strict=True)]
