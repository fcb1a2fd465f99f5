"""NUTS on an age model as one compiled program that serves every data set and mask of the same shape.

NumPyro's own driver compiles again at each call; a model is fitted here ten times to parts of one archive.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Bool, Float
from numpyro.handlers import seed, trace
from numpyro.infer import NUTS
from numpyro.infer.util import constrain_fn, potential_energy

from subsoil.age.model import Model, priors
from subsoil.datasets import AgeArrays

LATENT = ("profile_effect", "site_effect", "study_effect")
"""Standardised effects: they start at zero where a run follows another."""

START_SPREAD = 0.1
"""Chains begin this far apart, in unconstrained units."""


@dataclass(frozen=True)
class Sampling:
    """How long NUTS runs: ``warmup`` and ``draws`` of each of ``chains``; ``target`` acceptance."""

    chains: int = 4
    warmup: int = 500
    draws: int = 1000
    target: float = 0.85
    tree_depth: int = 8


FULL = Sampling()
QUICK = Sampling(warmup=200, draws=100, target=0.8)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A run of NUTS.

    ``samples`` [chain, draw, ...] by parameter; ``divergent`` and ``steps`` [chain, draw]; ``last``
    unconstrained parameters at the end [chain, ...]; ``step_size`` and ``inverse_mass`` as adapted.
    """

    samples: Mapping[str, Float[np.ndarray, "chain draw ..."]]
    divergent: Bool[np.ndarray, "chain draw"]
    steps: np.ndarray
    last: Mapping[str, Any]
    step_size: float
    inverse_mass: Any


def use_cores(chains: int = FULL.chains) -> None:
    """Let JAX see as many devices as there are chains, so that they run in parallel.

    Does nothing once JAX has started; chains then run one after the other.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "host_platform_device_count" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={chains}".strip()


class Sampler:
    """NUTS on one model; call it with data and the layers that are seen.

    The sampler moves two vectors, the parameters (dense mass matrix) and the standardised effects (diagonal):
    a step on two arrays compiles and runs several times faster than on twenty.

    ``start``: an earlier run on data of this shape. Its step size and mass matrix are kept, and the
    parameters begin where its chains ended, the effects at zero; a short warm-up then only forgets the start.
    """

    def __init__(self, model: Model, sampling: Sampling = FULL, start: Fitted | None = None) -> None:
        self._model, self._sampling, self._start = model, sampling, start

    def __call__(self, data: AgeArrays, seen: Bool[Any, " layer"], key: int) -> Fitted:
        """Sample, given the layers that are ``seen``; the same ``key`` gives the same draws."""
        arrays, mask = jax.tree.map(jnp.asarray, data), jnp.asarray(seen)
        keys = jax.random.split(jax.random.key(key), self._sampling.chains)
        first = self._first(keys, arrays, mask)
        adapted = None if self._start is None else (self._start.step_size, self._start.inverse_mass)
        run = _compiled(self._model, self._sampling, jax.local_device_count() >= self._sampling.chains)
        made = run(jax.random.key_data(keys), first, arrays, mask, adapted)
        samples, divergent, steps, last, step_size, inverse_mass = jax.tree.map(np.asarray, made)
        chosen = jax.tree.map(lambda m: m[0], inverse_mass)
        return Fitted(samples, divergent, steps, last, float(np.median(step_size)), chosen)

    def _first(self, keys: Any, data: AgeArrays, seen: Any) -> Any:
        """Where the chains begin, unconstrained: near the middle of the priors, or where a run ended."""
        if self._start is not None:
            return {n: np.zeros_like(z) if n in LATENT else z for n, z in self._start.last.items()}

        def drawn(key: Any) -> dict[str, Any]:
            sites = trace(seed(self._model, key)).get_trace(data, seen, data.f_new)
            return {n: s["value"] for n, s in sites.items() if s["type"] == "sample" and not s["is_observed"]}

        shapes = jax.eval_shape(drawn, keys[0])  # traced only: nothing is compiled for it
        middle = {n: _middle(n, shape.shape) for n, shape in shapes.items()}
        noise = np.random.default_rng(np.asarray(jax.random.key_data(keys)).ravel())
        return {
            n: jnp.asarray(m + START_SPREAD * noise.normal(size=(len(keys), *np.shape(m))))
            for n, m in middle.items()
        }


@cache
def _compiled(model: Model, sampling: Sampling, parallel: bool) -> Any:
    """All chains as one function, compiled once in a process for each shape of the data."""
    chain = partial(_chain, model, sampling)
    if parallel:
        return jax.pmap(chain, in_axes=(0, 0, None, None, None))

    def one_after_the_other(keys: Any, first: Any, *rest: Any) -> Any:
        return jax.lax.map(lambda begin: chain(*begin, *rest), (keys, first))

    return jax.jit(one_after_the_other)


def _chain(
    model: Model, sampling: Sampling, key: Any, first: Any, data: AgeArrays, seen: Any, adapted: Any
) -> tuple[Any, ...]:
    """One chain: draws of all sites of the model, divergences, steps, and how it ended."""
    arguments: tuple[Any, Any] = ((data, seen, data.f_new), {})
    groups, apart = _grouped(first)

    def potential(z: Any) -> Any:
        return potential_energy(model, *arguments, apart(z))

    def sites(z: Any) -> Any:
        return constrain_fn(model, *arguments, apart(z), return_deterministic=True)

    settings: dict[str, Any] = {}
    if adapted is not None:
        settings = {"step_size": adapted[0], "inverse_mass_matrix": adapted[1]}
        settings |= {"adapt_step_size": False, "adapt_mass_matrix": False}
    kernel = NUTS(
        potential_fn=potential,
        dense_mass=[("parameters",)],
        target_accept_prob=sampling.target,
        max_tree_depth=sampling.tree_depth,
        **settings,
    )
    state = kernel.init(jax.random.wrap_key_data(key), sampling.warmup, groups)

    def step(state: Any, _: None) -> tuple[Any, Any]:
        state = kernel.sample(state, (), {})
        return state, (state.z, state.diverging, state.num_steps)

    # One loop for warm-up and draws: the step is by far the most that is compiled.
    state, path = jax.lax.scan(step, state, length=sampling.warmup + sampling.draws)
    z, diverging, steps = jax.tree.map(lambda x: x[sampling.warmup :], path)
    ended = apart(state.z), state.adapt_state.step_size, state.adapt_state.inverse_mass_matrix
    return jax.lax.map(sites, z), diverging, steps, *ended


def _middle(name: str, shape: tuple[int, ...]) -> Any:
    """Unconstrained middle of a prior; equal shares are zero, and so are effects."""
    row = priors().get(name, {})
    if row.get("family") == "dirichlet":
        return np.zeros(shape[0] - 1)
    return np.full(shape, row.get("location", 0.0))


def _grouped(sites: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Parameters and effects as one vector each, and the way back to named sites."""
    kinds: dict[str, dict[str, Any]] = {"parameters": {}, "effects": {}}
    for name, value in sites.items():
        kinds["effects" if name in LATENT else "parameters"][name] = value
    vectors, back = {}, {}
    for kind, members in kinds.items():
        if members:
            vectors[kind], back[kind] = ravel_pytree(members)

    def apart(z: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for kind in z for name, value in back[kind](z[kind]).items()}

    return vectors, apart
