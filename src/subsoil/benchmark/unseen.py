"""The hierarchical age model at sites that it has not seen, kept on disk, as sampling takes half a minute.

Sites are left out by folds as in `subsoil.age.heldout`. Of each layer left out the draws are of its true f:
the model's mean with the effects of a new site, and the discrepancy sigma_0^2 + sigma_1^2 f (1 - f), which is
what the soil has and the curve has not (`subsoil.age.model`), without the error of the observation: scores of
ensembles add that (`subsoil.ensembles`). They are not cut at 0 and 1, which would move their mean. The error
of the plants' 13C, shared in a profile, is part of a site's effect too, so it counts twice there: intervals
are rather too wide than too narrow.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from subsoil import __version__, atomic
from subsoil.age import heldout, model, sampler
from subsoil.age.heldout import Candidate, Fold, refits
from subsoil.age.model import partially_pooled, priors
from subsoil.archive import registry
from subsoil.benchmark.protocol import PROTOCOL
from subsoil.benchmark.reference import AGES
from subsoil.constants import CM_PER_M
from subsoil.datasets import AgeData, age_data
from subsoil.errors import BadCall

EDGES = np.arange(0.0, 101.0, 5.0)
"""cm: layers in which the model's curves are given."""
KEY = 2018
COVARIATES = ("crop", "allophanic")
"""Of the study of the 2018 archive."""
FOLDER = "benchmark"
LIBRARIES = ("numpy", "jax", "numpyro")

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, eq=False)
class Unseen:
    """What the age model says where it has seen nothing of the site.

    ``layers``: profile_id, layer_top, layer_bottom (cm), one row for each column of ``f`` [draw, layer],
    draws of the true share of new carbon; ``younger`` mean share younger than `AGES`, between `EDGES`.
    """

    layers: pd.DataFrame
    f: Float[np.ndarray, "draw layer"]
    profile_id: tuple[str, ...]
    younger: Float[np.ndarray, "profile depth age"]


def unseen(
    layers: pd.DataFrame,
    *,
    covariates: Sequence[str] = COVARIATES,
    key: int = KEY,
    folds: int = heldout.FOLDS,
    draws: int = 100,
    cache: Path | None = None,
    progress: Progress = lambda step, done: None,
) -> Unseen:
    """Fit the age model without each fold of sites, or read what an earlier call has kept in ``cache``.

    ``layers``: of `subsoil.newcarbon.new_carbon`; ``cache``: a folder, by default one in the user's cache. A
    result is found again if data, settings, seed, protocol, versions and the code of the model are the same;
    where the folder cannot be written, ``progress`` is told and nothing is kept.

    Raises
    ------
    BadCall
        The table is empty, a covariate is unknown, or there are fewer sites than folds.
    """
    data = age_data(layers, covariates)
    settings = {"covariates": list(covariates), "key": key, "folds": folds, "draws": draws}
    folder = registry.cache_folder() / FOLDER if cache is None else cache
    path = folder / f"ceiling-{_fingerprint(data, settings)[:20]}.npz"
    shapes = {"f": (draws, len(data.rows)), "younger": (len(data.profile_id), len(EDGES) - 1, len(AGES))}
    found = _kept(path, shapes)
    if not found:
        candidate = Candidate("age model", partially_pooled, tuple(covariates))
        found = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
        for number, fold in enumerate(refits(layers, candidate, key=key, folds=folds, progress=progress)):
            _fill(found, fold, np.random.default_rng((key, number)))
        buffer = io.BytesIO()
        np.savez(buffer, f=found["f"], younger=found["younger"])
        try:
            atomic.write_bytes(path, buffer.getvalue())
        except BadCall as why:  # the draws are there all the same
            progress(f"the draws of the ceiling are not kept: {why}", None)
    rows = data.rows[["profile_id", "layer_top", "layer_bottom"]]
    return Unseen(rows, found["f"], data.profile_id, found["younger"])


def _kept(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays of these shapes in a file of an earlier call; none where it is not there or broken."""
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        file = np.load(io.BytesIO(path.read_bytes()))
        found = {name: file[name] for name in shapes}
        if all(found[name].shape == shape for name, shape in shapes.items()):
            return found
    return {}


def _fill(found: dict[str, np.ndarray], fold: Fold, rng: np.random.Generator) -> None:
    """Draws of the profiles that a fold leaves out, thinned to those asked for."""
    middle = 0.5 * (EDGES[1:] + EDGES[:-1]) / CM_PER_M
    for profile in map(int, np.flatnonzero(fold.left_out)):
        rows, mean = fold.layers(profile)
        true = fold.scattered(mean, 0.0, rng)
        chosen = np.linspace(0, len(true) - 1, len(found["f"])).round().astype(int)
        found["f"][:, rows] = true[chosen]
        curves = fold.ages(profile, middle[:, None]).cdf(np.asarray(AGES))
        found["younger"][profile] = np.asarray(curves).mean(axis=0)


def _fingerprint(data: AgeData, settings: dict[str, object]) -> str:
    """Checksum of all that decides the draws."""
    content = {
        "data": atomic.digest(b"".join(np.ascontiguousarray(array).tobytes() for array in data.arrays)),
        "profiles": data.profile_id,
        "protocol": PROTOCOL,
        "sampling": [vars(heldout.FIRST), vars(heldout.FURTHER)],
        "priors": priors(),
        "code": [atomic.sha256(str(part.__file__)) for part in (heldout, model, sampler)],
        "versions": {"subsoil": __version__} | {name: version(name) for name in LIBRARIES},
    }
    return atomic.digest(atomic.canonical_json(content | settings).encode())
