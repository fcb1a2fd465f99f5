"""Soil models: columns a second, beside what a user would write today with NumPy and SciPy. See `bench.py`.

Both sides start from the same blocks in one run, in turns, so that other work on the machine meets both. The
SciPy sides solve one column after the other; what they want besides the blocks (bands, dense or sparse
matrices) is made beforehand and not counted. Rows "from parameters" add the assembly of the blocks to both.
`make bench` gives BLAS one thread, the fastest choice for matrices as small as these; rows "default BLAS" are
what a user gets who does not know.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import baselines
import jax
import jax.numpy as jnp
import numpy as np
import soils

from subsoil.depth import DepthGrid
from subsoil.equilibrium import Equilibrium, at_rest, solve_at_rest, sweep
from subsoil.forcing import site_forcing
from subsoil.models.catalogue import MODELS
from subsoil.solve import kernel
from subsoil.solve.ages import age_distribution, label_after, label_error, label_response, steady
from subsoil.solve.blocks import use

BATCH, PROFILES = 2000, 112
YEARS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 3000.0)
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
LAYERS = (10, 20, 40, 80)
COLUMNS = (100, 1000, 10_000, 100_000)
MOST_COLUMNS = {"jax": 10_000}
"""By backend: more would take minutes."""
MODELS_CALLED = ("onepool", "rothpc1", "century", "clm5", "orchidee", "yasso20", "millennial", "mimics")
LEAST_RATIO = {
    ("steady state", "scipy banded"): {"jax": 2, "compiled": 20},
    ("label response", "yearly steps"): {"jax": 30, "compiled": 400},
    ("label response", "eigendecomposition"): {"jax": 8, "compiled": 150},
    ("label response", "expm per age"): {"jax": 300, "compiled": 3000},
}
MOST_MS = {
    "age quantiles": {"jax": 2.0, "compiled": 0.25},
    "calibration gradient": {"jax": 80.0, "compiled": 6.0},
}
DEFAULT = ", default BLAS"
FIRST_CALL = 3.0
"""Seconds a model may take to compile."""
KILOBYTE = 1 if sys.platform == "darwin" else 1024
"""Unit of ``ru_maxrss`` in bytes."""


class Row(NamedTuple):
    """One comparison: columns a second, or calls a second, of either side."""

    task: str
    batch: int
    backend: str
    ours_per_s: float
    baseline: str
    baseline_per_s: float
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours_per_s / self.baseline_per_s

    def fields(self) -> list[Any]:
        rates = (self.ours_per_s, self.baseline_per_s, self.ratio)
        ours, baseline, ratio = (float(f"{x:.4g}") for x in rates)
        return [self.task, self.batch, self.backend, ours, self.baseline, baseline, ratio]

    def line(self) -> str:
        """As printed, with the limit it was built to."""
        verdict = self.note
        least = LEAST_RATIO.get((self.task, self.baseline.removesuffix(DEFAULT)), {}).get(self.backend)
        most = MOST_MS.get(self.task, {}).get(self.backend)
        if least is not None:
            verdict = f"{'met' if self.ratio >= least else 'MISSED'}: at least {least}"
        if most is not None:
            ms = 1e3 / self.ours_per_s
            verdict = f"{ms:.3g} ms, {'met' if ms <= most else 'MISSED'}: at most {most:g} ms"
        return (
            f"{self.task:<32}{self.batch:>7} {self.backend:<9}{self.ours_per_s:>10.4g}  "
            f"{self.baseline:<33}{self.baseline_per_s:>10.4g}{self.ratio:>9.3g}  {verdict}"
        )


HEADER = ("task", "batch", "backend", "ours_per_s", "baseline", "baseline_per_s", "ratio")


class Contender(NamedTuple):
    """Something to time: a call, and how many columns it computes."""

    call: Callable[[], Any]
    columns: float


def race(contenders: dict[str, Contender], rounds: int) -> dict[str, float]:
    """Columns a second of each, the median over rounds in which they take turns, after one call unseen."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            start = time.perf_counter()
            jax.block_until_ready(contender.call())
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: contenders[name].columns / median(times) for name, times in seconds.items()}


def backends() -> tuple[str, ...]:
    """Those of this machine: on an accelerator the JAX form alone, under the accelerator's name."""
    if jax.default_backend() != "cpu":
        return (jax.default_backend(),)
    missing = kernel.why()
    if missing:
        print(f"no compiled kernel: {missing}")
    return ("jax",) if missing else ("jax", "compiled")


def choose(backend: str) -> None:
    use("compiled" if backend == "compiled" else "jax")


def built(function: Callable[..., Any], *arguments: Any) -> dict[str, Callable[[], Any]]:
    """The call for every backend, compiled now: switching later would forget it."""
    made = {}
    for backend in backends():
        choose(backend)
        made[backend] = partial(jax.jit(function).lower(*arguments).compile(), *arguments)
    return made


def each(function: Callable[..., Any], columns: Sequence[baselines.Column], *arguments: Any) -> Contender:
    """A baseline: one column after the other."""
    return Contender(lambda: [function(column, *arguments) for column in columns], len(columns))


def against(
    task: str, batch: int, ours: dict[str, Callable[[], Any]], others: dict[str, Contender], rounds: int
) -> tuple[list[Row], dict[str, float]]:
    """One row for every backend and baseline, and all rates."""
    rates = race({name: Contender(call, batch) for name, call in ours.items()} | others, rounds)
    return [Row(task, batch, b, rates[b], o, rates[o]) for b in ours for o in others], rates


class Case(NamedTuple):
    """The columns of the benchmark, and what assembling them costs."""

    values: dict[str, jax.Array]
    forcing: Any
    blocks: Any
    inputs: jax.Array
    per_s: float

    @classmethod
    def made(cls) -> "Case":
        values, forcing = soils.parameters(BATCH), soils.sites(BATCH)
        assemble = jax.jit(jax.vmap(soils.assemble))
        blocks, inputs = assemble(values, forcing)
        rate = race({"assembly": Contender(lambda: assemble(values, forcing), BATCH)}, 9)["assembly"]
        return cls(values, forcing, blocks, inputs, rate)

    def end_to_end(
        self, task: str, answer: Callable[..., Any], others: dict[str, float], rounds: int
    ) -> list[Row]:
        """The task from parameters: ours in one call, the others after an assembly as fast as ours."""

        def whole(values: Any, forcing: Any) -> Any:
            return answer(*jax.vmap(soils.assemble)(values, forcing))

        ours = built(whole, self.values, self.forcing)
        rates = race({name: Contender(call, BATCH) for name, call in ours.items()}, rounds)
        named = f"{task}, from parameters"
        slower = {name: 1.0 / (1.0 / rate + 1.0 / self.per_s) for name, rate in others.items()}
        return [Row(named, BATCH, b, rates[b], o, rate) for b in ours for o, rate in slower.items()]


def steady_states(case: Case) -> Iterator[Row]:
    columns = soils.single(case.blocks, case.inputs, 300)
    ours = built(steady, case.blocks, case.inputs)
    exact = np.stack([baselines.steady(column) for column in columns])
    for backend, call in ours.items():
        found = np.asarray(call())[: len(columns)]
        error = np.max(np.abs(found - exact.reshape(found.shape)) / found.sum(axis=-1, keepdims=True))
        say(f"steady state, {backend}: at most {error:.1e} of the layer's carbon off")
    rows, rates = against("steady state", BATCH, ours, {"scipy banded": each(baselines.steady, columns)}, 15)
    yield from rows
    yield from case.end_to_end("steady state", steady, {"scipy banded": rates["scipy banded"]}, 9)


def label_responses(case: Case) -> Iterator[Row]:
    columns = soils.single(case.blocks, case.inputs, 12)

    def label(blocks: Any, inputs: Any) -> Any:
        return label_response(blocks, inputs, YEARS)

    ours = built(label, case.blocks, case.inputs)
    exact = np.stack([baselines.label_by_expm(column, YEARS) for column in columns[:4]])
    for backend, call in ours.items():
        error = np.max(np.abs(np.asarray(call())[: len(exact)] - exact))
        own = float(jnp.max(label_error(case.blocks, case.inputs, YEARS)))
        say(f"label response, {backend}: error {error:.1e} against expm; label_error over all: {own:.1e}")
    for name, function in (
        ("yearly steps", baselines.label_by_years),
        ("eigendecomposition", baselines.label_by_eigenvalues),
    ):
        error = np.max(np.abs(np.stack([function(column, YEARS) for column in columns[:4]]) - exact))
        say(f"label response, {name}: error {error:.1e} against expm")
    others = {
        "yearly steps": each(baselines.label_by_years, columns[:2], YEARS),
        "eigendecomposition": each(baselines.label_by_eigenvalues, columns, YEARS),
        "expm per age": each(baselines.label_by_expm, columns[:2], YEARS),
    }
    rows, rates = against("label response", BATCH, ours, others, 7)
    yield from rows
    for name, rate in child("--default-blas").items():
        for backend in ours:
            yield Row("label response", BATCH, backend, rates[backend], name + DEFAULT, rate)
    yield from case.end_to_end("label response", label, {name: rates[name] for name in others}, 3)


def age_quantiles(case: Case) -> Iterator[Row]:
    columns = soils.single(case.blocks, case.inputs, 4)

    def quantiles(blocks: Any, inputs: Any) -> Any:
        return age_distribution(blocks, steady(blocks, inputs)).quantile(SHARES)

    ours = built(quantiles, case.blocks, case.inputs)
    exact = np.stack([baselines.quantiles_by_eigenvalues(column, SHARES) for column in columns])
    for backend, call in ours.items():
        found = np.asarray(call())[: len(columns), 0]
        say(f"age quantiles, {backend}: largest relative difference {np.max(np.abs(found / exact - 1)):.1e}")
    others = {"eigendecomposition": each(baselines.quantiles_by_eigenvalues, columns, SHARES)}
    yield from against("age quantiles", BATCH, ours, others, 5)[0]


def calibration_gradients() -> Iterator[Row]:
    """Loss and gradient of f_new over profiles that have their own site and labelling time each."""
    random = np.random.default_rng(2)
    forcing, grid = soils.sites(PROFILES), soils.MODEL.grid
    years = np.exp(random.uniform(0.0, np.log(3000.0), PROFILES))
    observed = random.uniform(0.0, 1.0, (PROFILES, len(grid)))
    values = {name: jnp.asarray(float(value)) for name, value in soils.MODEL.values.items()}

    def loss(values: Any, forcing: Any, years: Any) -> Any:
        blocks, inputs = jax.vmap(soils.assemble, (None, 0))(values, forcing)
        return jnp.mean((label_after(blocks, inputs, years) - observed) ** 2)

    ours = built(jax.value_and_grad(loss), values, forcing, jnp.asarray(years))
    alone = jax.jit(loss)
    for backend, call in ours.items():
        gradient, error = call()[1], 0.0
        for name in ("k_slow", "k_passive", "q10", "active_to_passive", "bioturbation", "z_efold"):
            step = 1e-4 * float(values[name])
            after, before = (
                alone({**values, name: values[name] + way * step}, forcing, years) for way in (1, -1)
            )
            error = max(error, abs(float((after - before) / (2 * step) / gradient[name]) - 1.0))
        say(
            f"calibration gradient, {backend}: {error:.0e} from central differences, {len(values)} parameters"
        )

    blocks, inputs = jax.vmap(soils.assemble, (None, 0))(values, forcing)
    columns = soils.single(blocks, inputs, 6)
    calls = len(columns) / PROFILES / (1 + len(values))  # of the loss, once more for each parameter

    def differences(label: Callable[..., Any]) -> Contender:
        return Contender(
            lambda: [label(column, [year]) for column, year in zip(columns, years, strict=False)], calls
        )

    others = {
        "eigendecomposition": differences(baselines.label_by_eigenvalues),
        "expm per age": differences(baselines.label_by_expm),
    }
    rates = race({name: Contender(call, 1) for name, call in ours.items()} | others, 15)
    for backend in ours:
        for other in others:
            yield Row("calibration gradient", PROFILES, backend, rates[backend], other, rates[other])
    say(
        "calibration gradient: the baselines are finite differences of a loss without its assembly, estimated"
    )


def many_layers() -> Iterator[Row]:
    """Cost against the number of layers of the same soils."""
    count = 256
    calls: dict[str, dict[int, Callable[[], Any]]] = {}
    for number in LAYERS:
        grid = DepthGrid.from_cm((860.0 * (np.arange(number + 1) / number) ** 1.6).tolist())
        assemble = jax.vmap(lambda values, forcing, grid=grid: soils.assemble(values, forcing, grid))
        blocks, inputs = jax.jit(assemble)(soils.parameters(count), soils.sites(count, grid))
        for backend, call in built(lambda b, u: label_response(b, u, YEARS), blocks, inputs).items():
            calls.setdefault(backend, {})[number] = call
    for backend, by_number in calls.items():
        rates = race({str(n): Contender(call, count) for n, call in by_number.items()}, 7)
        for number in by_number:
            linear = rates[str(LAYERS[0])] * LAYERS[0] / number
            task, baseline = f"label response, {number} layers", f"linear from {LAYERS[0]} layers"
            yield Row(task, count, backend, rates[str(number)], baseline, linear)


def many_columns() -> Iterator[Row]:
    """Cost and memory against the number of columns, a chunk of them at a time, each in a fresh process."""
    for backend in backends():
        first = 0.0
        for count in COLUMNS:
            if count > MOST_COLUMNS.get(backend, count):
                continue
            done = child("--sweep", str(count), "--backend", backend)
            rate = count / done["seconds"]
            first = first or rate
            note = f"peak {done['peak']:.2f} GB, {done['arrays']:.2f} GB of it forcing and answers"
            task = f"label response, {count} columns"
            yield Row(task, count, backend, rate, f"linear from {COLUMNS[0]} columns", first, note)


def first_calls() -> Iterator[Row]:
    """Seconds of the first steady state and label of a model, compilation included, in a fresh process."""
    for backend in backends():
        for name, seconds in child("--first-calls", "--backend", backend).items():
            verdict = "met" if seconds <= FIRST_CALL else "MISSED"
            note = f"{seconds:.2f} s, {verdict}: at most {FIRST_CALL:g} s"
            baseline = f"{FIRST_CALL:g} s"
            yield Row(f"first call, {name}", 1, backend, 1 / seconds, baseline, 1 / FIRST_CALL, note)


def peer() -> Iterator[Row]:
    """RothC beside pyRothC, the one peer on PyPI that solves equations found here. None there has ages."""
    if find_spec("pyRothC") is None:
        say("pyRothC is not installed; with it (pip install pyRothC) one more row is measured")
        return
    from pyRothC.RothC import RothC

    model, months = MODELS["rothc"], np.ones(12)
    clay, mat, rain, litter = 0.234, 9.3, 120.0, 1.7
    site = partial(
        site_forcing,
        model.grid,
        map_mm=12 * rain,
        pet_mm=12 * 40.0,
        moisture_deficit=0.0,
        above=1.0,
        cover=0.0,
    )
    forcing = jax.vmap(lambda npp: site(mat=mat, clay=clay, npp=npp))(jnp.full(BATCH, 0.1 * litter))

    def spin_up() -> Any:
        return RothC(
            temperature=mat * months, precip=rain * months, evaporation=40.0 * months, years=1000,
            clay=100 * clay, soil_thickness=23.0, input_carbon=litter, pE=1.0, C0=np.zeros(5),
        ).compute()  # fmt: skip

    ours = built(
        jax.vmap(partial(solve_at_rest, model.equations, None, True, model.grid), (None, 0)),
        jax.tree.map(jnp.asarray, dict(model.values)),
        forcing,
    )
    theirs = spin_up().iloc[-1, :4].sum()
    for backend, call in ours.items():
        stock = 10.0 * float(call().carbon[0].sum())
        say(f"steady state, RothC, {backend}: {stock:.2f} t/ha, pyRothC after 1000 years {theirs:.2f} t/ha")
    others = {"pyRothC, 1000 years": Contender(spin_up, 1)}
    yield from against("steady state, RothC", BATCH, ours, others, 5)[0]


def child(*arguments: str) -> Any:
    """What a fresh process measured."""
    environment = dict(os.environ)
    if "--default-blas" in arguments:
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout)


def measure_default_blas() -> dict[str, float]:
    """Columns a second of the dense baselines in a process that leaves the threads of BLAS alone."""
    columns = soils.single(*jax.jit(jax.vmap(soils.assemble))(soils.parameters(2), soils.sites(2)), 2)
    others = {
        "eigendecomposition": each(baselines.label_by_eigenvalues, columns, YEARS),
        "expm per age": each(baselines.label_by_expm, columns[:1], YEARS),
    }
    return race(others, 5)


def measure_sweep(count: int) -> dict[str, float]:
    """Seconds and peak memory (GB) of the label of so many columns, after one chunk for compilation."""
    forcing = jax.tree.map(np.asarray, soils.sites(count))
    start = jax.tree.map(lambda field: field[: min(count, 2048)], forcing)
    sweep(soils.MODEL, start, labels)
    begin = time.perf_counter()
    found = sweep(soils.MODEL, forcing, labels)
    seconds = time.perf_counter() - begin
    peak = peak_memory()
    arrays = (found.nbytes + sum(field.nbytes for field in forcing)) / 1e9
    return {"seconds": seconds, "peak": peak, "arrays": arrays}


def peak_memory() -> float:
    """GB of this process; ``ru_maxrss`` would also hold what its parent had when it began, on Linux."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE / 1e9


def labels(rest: Equilibrium) -> jax.Array:
    return rest.label(YEARS)


def measure_first_calls() -> dict[str, float]:
    jnp.ones(3).sum().block_until_ready()  # JAX itself is up
    seconds = {}
    for name in MODELS_CALLED:
        model = MODELS[name]
        forcing = site_forcing(model.grid, mat=12.0, map_mm=900.0)
        begin = time.perf_counter()
        jax.block_until_ready(at_rest(model, forcing).label([50.0]))
        seconds[name] = time.perf_counter() - begin
    return seconds


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def rows() -> Iterator[Row]:
    """Every row, as it is measured."""
    case = Case.made()
    say(f"assembly of the blocks from parameters: {case.per_s:.4g} columns a second")
    yield from steady_states(case)
    yield from label_responses(case)
    yield from age_quantiles(case)
    yield from calibration_gradients()
    yield from peer()
    yield from many_layers()
    yield from many_columns()
    yield from first_calls()


def compare(file: Path) -> None:
    """Measure, print and write all rows."""
    device = jax.devices()[0]
    print(
        f"soil models: {soils.MODEL.title}, {len(soils.MODEL.pools)} pools x {len(soils.MODEL.grid)} layers,"
    )
    print(f"float64 on {device.device_kind}, {kernel.threads()} threads; backends {', '.join(backends())}")
    print(f"{'task':<32}{'batch':>7} {'backend':<9}{'ours/s':>10}  {'baseline':<33}{'its/s':>10}{'ratio':>9}")
    file.parent.mkdir(exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(HEADER)
        for row in rows():
            table.writerow(row.fields())
            print(row.line(), flush=True)
    print(file)


def main(arguments: Sequence[str]) -> None:
    """One measurement in a process of its own; prints JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--backend", default="jax")
    parser.add_argument("--sweep", type=int)
    parser.add_argument("--first-calls", action="store_true")
    parser.add_argument("--default-blas", action="store_true")
    asked = parser.parse_args(arguments)
    choose(asked.backend)
    if asked.default_blas:
        found = measure_default_blas()
    else:
        found = measure_first_calls() if asked.first_calls else measure_sweep(asked.sweep)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
