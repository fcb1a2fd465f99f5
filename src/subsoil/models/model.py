"""What a soil-carbon model is: for one column, where carbon enters and how fast it flows.

A model is one function, ``equations(values, forcing, grid, carbon) -> Fluxes``, and one table of parameters,
``parameters/<file>.toml``. It states rates per unit of the donor and nothing else: no time step, no isotope,
no sum of losses. `operator` adds up what leaves each pool, so that carbon closes by construction, and 12C,
13C, 14C, a virtual label and age ride on the same operator.

With C [layer, pool] the stock (kg m-2 a layer):

    dC/dt = inputs + flow C - (sum of flow out + respiration + leaching + down + up) C + what comes from above
    and below

Linear models do not look at ``carbon``. Nonlinear ones (microbes) write each flux as a rate times its donor:
decomposition of litter by microbes is ``(Vmax M / (K + M)) * litter``, its rate ``Vmax M / (K + M)``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.forcing import Forcing
from subsoil.solve.blocks import Blocks

ROUNDING = 1e-9
"""A share or a rate may pass its limit by this much before it counts as wrong."""

Values: TypeAlias = Mapping[str, Any]
"""Parameter values by name, each a number (or a traced array of shape [])."""


class Fluxes(NamedTuple):
    """Carbon entering and leaving the pools of one column; all but ``inputs`` are rates per unit donor, 1/yr.

    inputs: kg C m-2 yr-1. flow: [layer, to, from] between pools of a layer, its diagonal unused. respiration:
    to CO2. down, up: through the lower and upper boundary of the layer, within the pool (see `transport`).
    leaching: dissolved, out of the soil.
    """

    inputs: Float[Array, "layer pool"]
    flow: Float[Array, "layer pool pool"]
    respiration: Float[Array, "layer pool"]
    down: Float[Array, "layer pool"]
    up: Float[Array, "layer pool"]
    leaching: Float[Array, "layer pool"]


Equations: TypeAlias = Callable[[Values, Forcing, DepthGrid, Any], Fluxes]
FirstGuess: TypeAlias = Callable[[Values, Forcing, DepthGrid], Any]
"""Carbon [layer, pool] from which the search for a nonlinear steady state starts."""


@dataclass(frozen=True)
class Parameter:
    """One row of a table: value, unit, bounds (both included), prior, source, and whether it was checked.

    ``prior``: ``{family = "uniform"}`` between the bounds, or between its own ``lower`` and ``upper``;
    ``lognormal`` or ``normal`` with ``sd``, centred on the value. ``verified``: whether a source was read.
    """

    name: str
    value: float
    unit: str
    lower: float
    upper: float
    reference: str
    meaning: str
    prior: Mapping[str, Any] = field(default_factory=lambda: {"family": "uniform"})
    verified: bool = True


@dataclass(frozen=True, eq=False)
class Model:
    """A published model: equations, the values of its parameters, its pools and its own grid.

    Calling it gives the same model with other values: ``model(k_slow=0.1)``. Raises BadCall for an unknown
    parameter, a value out of its bounds or not finite.
    """

    name: str
    title: str
    reference: str
    pools: tuple[str, ...]
    equations: Equations
    parameters: Mapping[str, Parameter]
    values: Mapping[str, Any]
    grid: DepthGrid
    linear: bool = True
    first_guess: FirstGuess | None = None

    def __call__(self, **changes: Any) -> "Model":
        for name, value in changes.items():
            self._check(name, value)
        return replace(self, values={**self.values, **changes})

    def fluxes(self, forcing: Forcing, grid: DepthGrid | None = None, carbon: Any = None) -> Fluxes:
        """Fluxes at the model's own values, in the mean over the months of a seasonal forcing."""
        return _compiled(self.equations, grid or self.grid)(dict(self.values), forcing, carbon)

    def _check(self, name: str, value: Any) -> None:
        if name not in self.parameters:
            raise BadCall(f"{self.name} has no parameter {name!r}; it has {', '.join(self.parameters)}")
        row, number = self.parameters[name], np.asarray(value, dtype=float)
        slack = ROUNDING * max(1.0, abs(row.lower), abs(row.upper))
        inside = np.isfinite(number) & (number >= row.lower - slack) & (number <= row.upper + slack)
        if not inside.all():
            bounds = f"{row.lower:g} and {row.upper:g} {row.unit}"
            raise BadCall(f"{self.name}: {name} must lie between {bounds}, got {value}")


@lru_cache(maxsize=256)
def _compiled(equations: Equations, grid: DepthGrid) -> Any:
    return jax.jit(lambda values, forcing, carbon: annual_fluxes(equations, values, forcing, grid, carbon))


def annual_fluxes(
    equations: Equations, values: Values, forcing: Forcing, grid: DepthGrid, carbon: Any = None
) -> Fluxes:
    """Fluxes of a steady forcing, or their mean over the months of a seasonal one (leading axis).

    The mean of the rates, not the rates of the mean: responses to temperature and water bend.
    """
    if jnp.ndim(forcing.temperature) == 1:
        return equations(values, forcing, grid, carbon)
    monthly = jax.vmap(lambda month: equations(values, month, grid, carbon))(forcing)
    return jax.tree.map(lambda rate: rate.mean(axis=0), monthly)


def decompose(
    rate: Float[Array, "layer pool"], transfer: Float[Array, "*layer pool pool"]
) -> tuple[Float[Array, "layer pool pool"], Float[Array, "layer pool"]]:
    """Flow and respiration (1/yr) of pools that decompose at ``rate``; ``transfer`` [to, from] of it stays.

        flow_ji = transfer_ji rate_i,   respiration_i = (1 - sum_j transfer_ji) rate_i

    ``transfer`` may differ by layer. A column that sums to more than 1 makes respiration negative, which
    `check_fluxes` refuses by name.
    """
    flow = transfer * rate[:, None, :]
    return flow, (1.0 - transfer.sum(axis=-2)) * rate


def transfers(pools: int, shares: Mapping[tuple[int, int], Any]) -> Float[Array, "*layer pool pool"]:
    """The matrix [..., to, from] of ``shares`` ``{(to, from): share}``, each a number or one a layer.

    >>> transfers(2, {(1, 0): 0.2}).tolist()
    [[0.0, 0.0], [0.2, 0.0]]
    """
    each = jnp.broadcast_arrays(*(jnp.asarray(share, dtype=float) for share in shares.values()))
    at = np.zeros((len(shares), pools, pools))
    for row, place in enumerate(shares):
        at[(row, *place)] = 1.0
    return jnp.tensordot(jnp.stack(each, axis=-1), jnp.asarray(at), axes=1)


def spread_inputs(amount: Any, share: Float[Array, " layer"], split: Float[Array, " pool"]) -> Array:
    """Inputs [layer, pool]: ``amount`` (kg C m-2 yr-1), over layers by ``share`` and pools by ``split``."""
    return amount * share[:, None] * split[None, :]


def operator(fluxes: Fluxes) -> Blocks:
    """The operator A of dC/dt = inputs + A C, with every column's sum equal to minus what leaves the soil.

    >>> import jax.numpy as jnp
    >>> one = jnp.ones((1, 2))
    >>> flow = jnp.array([[[0.0, 0.2], [0.3, 0.0]]])
    >>> blocks = operator(Fluxes(one, flow, 0.1 * one, 0 * one, 0 * one, 0 * one))
    >>> blocks.diagonal[0].round(3).tolist()
    [[-0.4, 0.2], [0.3, -0.3]]
    """
    n = fluxes.flow.shape[-1]
    between = fluxes.flow * (1.0 - jnp.eye(n))
    loss = between.sum(axis=-2) + fluxes.respiration + fluxes.leaching + fluxes.down + fluxes.up
    zero = jnp.zeros_like(fluxes.down[..., :1, :])
    return Blocks(
        lower=jnp.concatenate([zero, fluxes.down[..., :-1, :]], axis=-2),
        diagonal=between - jnp.eye(n) * loss[..., None, :],
        upper=jnp.concatenate([fluxes.up[..., 1:, :], zero], axis=-2),
    )


def tendency(fluxes: Fluxes, carbon: Float[Array, "layer pool"]) -> Float[Array, "layer pool"]:
    """dC/dt, kg m-2 yr-1: every flux is added where it arrives and taken where it leaves, so mass closes."""
    n = fluxes.flow.shape[-1]
    moved = fluxes.flow * (1.0 - jnp.eye(n)) * carbon[..., None, :]
    down, up = fluxes.down * carbon, fluxes.up * carbon
    gone = moved.sum(axis=-2) + (fluxes.respiration + fluxes.leaching) * carbon + down + up
    zero = jnp.zeros_like(down[..., :1, :])
    from_above = jnp.concatenate([zero, down[..., :-1, :]], axis=-2)
    from_below = jnp.concatenate([up[..., 1:, :], zero], axis=-2)
    return fluxes.inputs + moved.sum(axis=-1) + from_above + from_below - gone


def check_fluxes(model: Model, fluxes: Fluxes, outcome: ArrayLike = 0) -> None:
    """Refuse fluxes that no soil has: not finite, negative, of a wrong shape, or a pool that nothing leaves.

    Columns whose ``outcome`` is not 0 found no state and are left out. Call with numbers, not traced. Raises
    BadCall with the model, the flux, the layer and the pool, and what usually is the reason.
    """
    layers, pools = np.shape(fluxes.inputs)[-2:]
    found = np.asarray(outcome) == 0 if not model.linear else np.full(np.shape(outcome), True)
    for name, rate in zip(Fluxes._fields, fluxes, strict=True):
        wanted = (layers, pools, pools) if name == "flow" else (layers, pools)
        if np.shape(rate)[-len(wanted) :] != wanted or pools != len(model.pools):
            raise BadCall(f"{model.name}: {name} must end in shape {wanted}, got {np.shape(rate)}")
        array = np.asarray(rate)[found]
        if name == "flow":
            array = np.where(np.eye(pools, dtype=bool), 0.0, array)
        size = np.max(np.abs(array), initial=0.0, where=np.isfinite(array))
        bad = np.argwhere(~np.isfinite(array) | (array < -ROUNDING * size))
        if bad.size:
            where = tuple(int(i) for i in bad[0])
            layer, pool = where[-3 if name == "flow" else -2], model.pools[where[-1]]
            usual = {
                "respiration": f"the transfers out of {pool!r} sum to more than 1",
                "inputs": "an input of the forcing is negative or missing",
            }.get(name, "a rate or a diffusivity is negative, or the forcing has gaps")
            here = f"{name} of pool {pool!r} in layer {layer} is {array[where]:.3g}"
            raise BadCall(f"{model.name}: {here}; usually {usual}")
    away = np.asarray(fluxes.respiration + fluxes.leaching + fluxes.down + fluxes.up)
    away = (away + np.where(np.eye(pools, dtype=bool), 0.0, np.asarray(fluxes.flow)).sum(axis=-2))[found]
    kept = np.argwhere(away <= 0.0)
    if kept.size:
        layer, pool = int(kept[0][-2]), model.pools[int(kept[0][-1])]
        raise BadCall(
            f"{model.name}: nothing leaves pool {pool!r} of layer {layer}: it never rests; is a rate 0?"
        )
