"""Pool matrices of a linear model with layers, from which new carbon is computed here.

    dX/dt = u + (A xi K - V) X                                         X: carbon of each layer and pool

    turnover   K   1/time      [layer, pool] or [pool]: what leaves each pool by decomposition
    transfer   A   1           [layer, pool_to, pool] or [pool_to, pool]: share of it that pool_to gets, with
                               -1 or 0 on the diagonal; what is not transferred is respired
    scalar     xi  1           [layer] or [layer, pool]; 1 where not given
    transport  V   1/time      [layer_to, layer], also [pool, ...]: positive diagonal, neighbours only
    inputs     u   mass/time   [layer, pool]

each also under its letter, each with columns and draws in front where they differ. Instead of V:
``diffusivity`` (m2 yr-1) and ``velocity`` (m yr-1, positive down) at the inner boundaries [boundary], taken
through `subsoil.models.transport.exchange`. Where inputs are per volume (kg m-3 yr-1) V acts on densities
and is turned into one of stocks with the thickness of the layers. For the form see Lu et al. 2020, "Full
implementation of matrix approach to biogeochemistry module of CLM5".

Carbon is conserved: no transfers above 1, and V moves it without loss.
"""

from collections.abc import Hashable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from subsoil import netcdf
from subsoil.benchmark.adapters import axes
from subsoil.benchmark.adapters.output import Asked, Output
from subsoil.constants import CM_PER_M, DAYS_PER_YEAR
from subsoil.depth import DepthGrid
from subsoil.errors import BadCall
from subsoil.models.transport import exchange
from subsoil.solve.ages import label_response, steady
from subsoil.solve.blocks import Blocks

NAMES: Mapping[str, tuple[str, ...]] = {
    "turnover": ("turnover", "K"), "transfer": ("transfer", "A"), "scalar": ("scalar", "xi"),
    "transport": ("transport", "V"), "inputs": ("inputs", "u"), "diffusivity": ("diffusivity", "D"),
    "velocity": ("velocity", "v"),
}  # fmt: skip
SECONDS = DAYS_PER_YEAR * 86400.0
PER_TIME = {"yr-1": 1.0, "d-1": DAYS_PER_YEAR, "s-1": SECONDS}
PER_AREA = {f"{m} m-2 {t}": a * b for m, a in (("kg", 1.0), ("g", 1e-3)) for t, b in PER_TIME.items()}
PER_VOLUME = {f"{m} m-3 {t}": a * b for m, a in (("kg", 1.0), ("g", 1e-3)) for t, b in PER_TIME.items()}
SPREADS = {"m2 yr-1": 1.0, "cm2 yr-1": 1e-4, "m2 d-1": DAYS_PER_YEAR, "m2 s-1": SECONDS}
FLOWS = {"m yr-1": 1.0, "cm yr-1": 0.01, "m d-1": DAYS_PER_YEAR, "m s-1": SECONDS}
CLOSES = 1e-6
"""Share of a rate by which a column of V or A may miss its balance: files round to single precision."""

Rates = Float[np.ndarray, "draw profile layer pool"]


def main(file: xr.Dataset) -> list[xr.DataArray]:
    """The inputs, or the turnover where it has more axes of columns."""
    inputs, turnover = _named(file, "inputs"), _named(file, "turnover")
    if inputs is None or turnover is None:
        return []
    return sorted([inputs, turnover], key=lambda array: -len(axes.columns_of(file, array)))[:1]


def convert(file: xr.Dataset, asked: Asked) -> Output:
    """Output of a file on profiles: stocks at rest, and new carbon at the times that are asked for.

    Raises BadCall, with matrix, layer and pool, for negative rates, transfers above 1, a transport that
    loses or makes carbon or reaches past a neighbour, and a pool that nothing leaves.
    """
    blocks, inputs, top, bottom = operator(file)
    flat = jax.tree.map(lambda x: jnp.asarray(x).reshape(-1, *x.shape[2:]), blocks)
    entering = jnp.asarray(inputs).reshape(-1, *inputs.shape[2:])
    carbon = np.asarray(steady(flat, entering)).sum(axis=-1)
    f_new = np.asarray(label_response(flat, entering, asked.years))
    if not np.isfinite(carbon).all():
        raise BadCall("the matrices have no steady state: is a pool fed that nothing leaves?")
    f_new = np.where(carbon[..., None] > 0, f_new, np.nan)
    shape = inputs.shape[:2]
    return Output(
        tuple(file["profile_id"].values.tolist()),
        top,
        bottom,
        soc_stock=carbon.reshape(*shape, -1),
        years=np.array(asked.years)[None, None, None],
        f_new=f_new.reshape(*shape, *f_new.shape[1:]),
        notes=("new carbon and stocks are computed from the matrices, at steady state",),
    )


def operator(file: xr.Dataset) -> tuple[Blocks, Rates, np.ndarray, np.ndarray]:
    """The operator of stocks (1/yr), inputs (kg m-2 yr-1), and top and bottom of the layers (cm)."""
    inputs = _named(file, "inputs")
    turnover, transfer = _named(file, "turnover"), _named(file, "transfer")
    assert inputs is not None
    assert turnover is not None
    depth = axes.depth_of(file, inputs)
    pool = next((dim for dim in inputs.dims if dim in axes.POOLS), None)
    if pool is None:
        raise BadCall(f"{inputs.name} has no axis pool: a model of one pool has one of length 1")
    top, bottom = axes.layers_of(file, depth)
    thickness = (bottom - top)[None, :, :, None] / CM_PER_M
    per_volume = netcdf.unit(str(inputs.attrs.get("units"))) in PER_VOLUME
    entering = axes.arranged(
        file, netcdf.in_units(inputs, PER_VOLUME if per_volume else PER_AREA), [depth, pool]
    ) * (thickness if per_volume else 1.0)
    shape = entering.shape[2:]
    rate = _whole(file, netcdf.in_units(turnover, PER_TIME), [depth, pool], shape)
    if (scalar := _named(file, "scalar")) is not None:
        rate = rate * _whole(file, netcdf.in_units(scalar, netcdf.PURE), [depth, pool], shape)
    _want_positive(rate, turnover.name)
    _want_positive(entering, inputs.name)
    diagonal = _within(file, transfer, rate, depth, pool)
    lower, upper, lost = _between(file, depth, pool, thickness if per_volume else None, shape, (top, bottom))
    unit = np.eye(shape[1])
    diagonal = diagonal - unit * lost[..., None, :]
    draws = np.broadcast_shapes(diagonal.shape[:2], lower.shape[:2], entering.shape[:2])
    blocks = Blocks(*(np.broadcast_to(x, draws + x.shape[2:]) for x in (lower, diagonal, upper)))  # type: ignore[arg-type]
    return blocks, np.broadcast_to(entering, draws + shape), top, bottom


def _within(
    file: xr.Dataset, transfer: xr.DataArray | None, rate: Rates, depth: Hashable, pool: Hashable
) -> Float[np.ndarray, "draw profile layer pool pool"]:
    """A xi K of each layer, [to, from]."""
    pools = rate.shape[-1]
    unit = np.eye(pools)
    if transfer is None:
        return -unit * rate[..., None, :]
    layers = rate.shape[2]
    to = next((dim for dim in transfer.dims if str(dim).endswith("_to")), None)
    if to is None:
        raise BadCall(f"{transfer.name} wants axes pool_to and {pool}: row who gets, column who gives")
    share = _whole(file, netcdf.in_units(transfer, netcdf.PURE), [depth, to, pool], (layers, pools, pools))
    own = np.diagonal(share, axis1=-2, axis2=-1)
    if not (np.allclose(own, 0.0, atol=CLOSES) or np.allclose(own, -1.0, atol=CLOSES)):
        raise BadCall(f"{transfer.name} has {own.ravel()[0]:g} on its diagonal: expected 0, or -1 throughout")
    between = np.where(unit > 0, 0.0, share)
    _want_positive(between, transfer.name)
    if (given := between.sum(axis=-2)).max() > 1.0 + CLOSES:
        _refuse(given, f"{transfer.name}: the transfers out of", "sum to {:.4g}, more than 1")
    return (between - unit) * rate[..., None, :]


def _between(
    file: xr.Dataset,
    depth: Hashable,
    pool: Hashable,
    thickness: Float[np.ndarray, "1 profile layer 1"] | None,
    shape: tuple[int, ...],
    bounds: tuple[np.ndarray, np.ndarray],
) -> tuple[Rates, Rates, Rates]:
    """-V of stocks: rates from above and from below into each layer, and the rate out of each layer."""
    matrix, spread = _named(file, "transport"), _named(file, "diffusivity")
    flow = _named(file, "velocity")
    if matrix is None and spread is None and flow is None:
        zero = np.zeros((1, 1, *shape))
        return zero, zero, zero
    if matrix is None:
        return _exchanged(file, spread, flow, pool, shape, bounds)
    to = next((dim for dim in matrix.dims if str(dim).endswith("_to")), None)
    if to is None:
        raise BadCall(f"{matrix.name} wants axes layer_to and {depth}: row who gets, column who gives")
    layers, pools = shape
    v = _whole(file, netcdf.in_units(matrix, PER_TIME), [pool, to, depth], (pools, layers, layers))
    if thickness is not None:
        size = np.moveaxis(thickness, -1, -2)[:, :, None]  # draw, profile, 1, 1, layer
        v = v * np.swapaxes(size, -1, -2) / size
    return _bands(v, str(matrix.name))


def _bands(v: Float[np.ndarray, "draw profile pool layer_to layer"], name: str) -> tuple[Rates, Rates, Rates]:
    """Bands of a transport matrix of stocks; BadCall where it does not conserve or reaches too far."""
    layers = v.shape[-1]
    size = np.abs(v).max()
    row, column = np.indices((layers, layers))
    far = np.where(np.abs(row - column) > 1, v, 0.0)
    if np.abs(far).max() > CLOSES * size:
        _refuse_pair(far, f"{name} moves carbon past a neighbour")
    beside = np.where(np.abs(row - column) == 1, -v, 0.0)
    if beside.min() < -CLOSES * size:
        _refuse_pair(
            np.minimum(beside, 0.0), f"{name} has a positive rate beside the diagonal (V is subtracted)"
        )
    balance = v.sum(axis=-2)
    if np.abs(balance).max() > CLOSES * size:
        _refuse(
            np.moveaxis(balance, -2, -1),
            f"{name}: what leaves",
            "does not arrive (the column sums to {:.3g})",
        )
    lower, upper = np.zeros(v.shape[:-1]), np.zeros(v.shape[:-1])
    lower[..., 1:] = np.diagonal(beside, offset=-1, axis1=-2, axis2=-1)
    upper[..., :-1] = np.diagonal(beside, offset=1, axis1=-2, axis2=-1)
    lost = beside.sum(axis=-2)
    found = tuple(np.moveaxis(x, -2, -1) for x in (lower, upper, lost))
    return found[0], found[1], found[2]


def _exchanged(
    file: xr.Dataset,
    spread: xr.DataArray | None,
    flow: xr.DataArray | None,
    pool: Hashable,
    shape: tuple[int, ...],
    bounds: tuple[np.ndarray, np.ndarray],
) -> tuple[Rates, Rates, Rates]:
    layers, pools = shape
    inner = (layers - 1, pools)
    d, v = (
        np.zeros((1, 1, *inner))
        if array is None
        else _whole(file, netcdf.in_units(array, units), ["boundary", pool], inner)
        for array, units in ((spread, SPREADS), (flow, FLOWS))
    )
    if d.min() < 0:
        _refuse(np.minimum(d, 0.0), "diffusivity of", "is {:.3g}: it is not negative")
    draws, profiles = np.broadcast_shapes(d.shape[:2], v.shape[:2])
    profiles = max(profiles, len(bounds[0]))
    d, v = (np.broadcast_to(x, (draws, profiles, *inner)) for x in (d, v))
    down, up = np.zeros((2, draws, profiles, *shape))
    for profile in range(profiles):
        edges = np.append(bounds[0][profile], bounds[1][profile][-1]) / CM_PER_M
        for draw in range(draws):
            down[draw, profile], up[draw, profile] = exchange(
                DepthGrid(edges), d[draw, profile], v[draw, profile]
            )
    lower, upper = np.zeros_like(down), np.zeros_like(up)
    lower[:, :, 1:], upper[:, :, :-1] = down[:, :, :-1], up[:, :, 1:]
    return lower, upper, down + up


def _named(file: xr.Dataset, kind: str) -> xr.DataArray | None:
    return next((file[name] for name in NAMES[kind] if name in file.data_vars), None)


def _whole(file: xr.Dataset, array: xr.DataArray, last: list[Hashable], shape: tuple[int, ...]) -> np.ndarray:
    """Values on axes draw, profile and ``last``; BadCall where one of these has another length."""
    values = axes.arranged(file, array, last)
    try:
        return np.broadcast_to(values, (*values.shape[:2], *shape))
    except ValueError:
        raise BadCall(
            f"{array.name} has {values.shape[2:]} values on {', '.join(map(str, last))}: expected {shape}"
        ) from None


def _want_positive(values: np.ndarray, name: Hashable) -> None:
    size = np.nanmax(np.abs(values), initial=0.0)
    if not np.isfinite(values).all():
        _refuse(np.where(np.isfinite(values), 0.0, np.inf), f"{name} of", "is missing")
    if values.min() < -1e-12 * size:
        _refuse(np.minimum(values, 0.0), f"{name} of", "is {:.3g}: it is not negative")


def _refuse(values: np.ndarray, said: str, what: str) -> None:
    """Raise with the layer and the pool of the largest of the values, [..., layer, pool]."""
    *_, layer, pool = np.unravel_index(np.argmax(np.abs(values)), values.shape)
    worst = values.ravel()[np.argmax(np.abs(values))]
    raise BadCall(f"{said} pool {int(pool)} in layer {int(layer)} {what.format(worst)} (counted from 0)")


def _refuse_pair(values: np.ndarray, said: str) -> None:
    *_, to, layer = np.unravel_index(np.argmax(np.abs(values)), values.shape)
    raise BadCall(f"{said}: {values.ravel()[np.argmax(np.abs(values))]:.3g} from layer {layer} to {to}")
