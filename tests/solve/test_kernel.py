"""The compiled kernel: connected wherever a compiler is, refused with a reason where not, safe in memory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy, which

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from subsoil.errors import BadCall
from subsoil.solve import blocks as algebra
from subsoil.solve import kernel
from subsoil.solve.blocks import Blocks

HERE = Path(__file__).parent
COMPILER = which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
SANITIZERS = ["address,undefined", "thread"]


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache and a kernel that is looked for anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = algebra._chosen
    algebra.use("auto")
    kernel._connect.cache_clear()
    yield tmp_path / "subsoil"
    kernel._connect.cache_clear()
    monkeypatch.undo()
    algebra.use(before)


def problem() -> tuple[Blocks, jnp.ndarray]:
    random = np.random.default_rng(3)
    diagonal = jnp.asarray(random.random((11, 4, 3, 3)) - 5.0 * np.eye(3))
    lower, upper, rhs = jnp.asarray(random.random((3, 11, 4, 3)))
    return Blocks(lower, diagonal, upper), rhs


# ---- which backend ----


@needs_compiler
def test_with_a_compiler_the_kernel_is_in_use() -> None:
    assert kernel.why() == "", "built with the package: `python setup.py build_ext --inplace` builds it anew"


@needs_compiler
def test_the_choice_is_kept_by_functions_compiled_before() -> None:
    blocks, rhs = problem()
    function = jax.jit(algebra.solve)
    before = algebra._chosen
    try:
        algebra.use("compiled")
        compiled = function(blocks, rhs)
        assert "subsoil_solve" in function.lower(blocks, rhs).as_text()
        algebra.use("jax")
        plain = function(blocks, rhs)
        assert "subsoil_solve" not in function.lower(blocks, rhs).as_text()
    finally:
        algebra.use(before)
    np.testing.assert_allclose(compiled, plain, rtol=1e-10)


@needs_compiler
def test_both_backends_agree() -> None:
    blocks, rhs = problem()
    chains = jnp.asarray([0.3, 2.0]), jnp.asarray(np.random.default_rng(5).normal(size=(2, 5, 3)))

    def loss(blocks: Blocks, rhs: jnp.ndarray) -> jnp.ndarray:
        sums = algebra.cayley(blocks, algebra.solve(blocks, rhs), *chains, jnp.ones((2, 4, 3)))
        return jnp.sum(sums**3)

    before, got = algebra._chosen, {}
    try:
        for name in ("compiled", "jax"):
            algebra.use(name)
            got[name] = jax.jit(jax.value_and_grad(loss, (0, 1)))(blocks, rhs)
    finally:
        algebra.use(before)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), *got.values())


def test_without_a_compiler_jax_computes_and_the_reason_is_told(
    anew: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert "no C compiler" in kernel.why() or "not built" in kernel.why()
    assert algebra.backend() == "jax"
    algebra.use("compiled")
    with pytest.raises(BadCall, match=r"no C compiler|not built"):
        algebra.backend()


def test_a_failing_compiler_is_a_reason(anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{sys.executable} -c 'raise SystemExit(\"out of order\")'")
    with pytest.raises(kernel._Unusable, match="out of order"):
        kernel._bridge()
    assert list(anew.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_reason(anew: Path) -> None:
    anew.write_text("a file where the folder belongs")
    assert kernel.why() != ""
    assert algebra.backend() == "jax"


def test_a_cache_that_anybody_may_write_is_refused(anew: Path) -> None:
    anew.mkdir()
    anew.chmod(0o777)
    with pytest.raises(kernel._Unusable, match="anybody may write"):
        kernel._bridge()


def test_an_unknown_backend_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algebra, "_chosen", "numpy")
    with pytest.raises(BadCall, match="SUBSOIL_BACKEND is one of auto, compiled, jax"):
        algebra.backend()


@needs_compiler
def test_a_library_older_than_its_source_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = (kernel.HERE / "kernel.c").read_text()
    (tmp_path / "kernel.c").write_text(source + "\n")
    monkeypatch.setattr(kernel, "HERE", tmp_path)
    with pytest.raises(kernel._Unusable, match=r"another kernel\.c"):
        kernel._algebra()


@needs_compiler
def test_a_broken_library_in_the_cache_is_made_anew(anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "_compile", lambda source, library: library.write_bytes(b"truncated"))
        with pytest.raises(OSError, match="too short"):
            kernel._bridge()
    (library,) = anew.iterdir()
    assert kernel._bridge() is not None
    assert library.read_bytes()[:4] == b"\x7fELF"


@needs_compiler
def test_two_processes_at_once_fill_one_cache(anew: Path) -> None:
    code = "from subsoil.solve import kernel; print(repr(kernel.why()))"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[0] for process in started] == ["''\n", "''\n"]
    assert len(list(anew.iterdir())) == 1


@pytest.mark.parametrize(
    ("variables", "count"),
    [({"SUBSOIL_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3), ({"OMP_NUM_THREADS": "5"}, 5), ({}, None)],
)
def test_threads_follow_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], count: int | None
) -> None:
    for name in ("SUBSOIL_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert kernel.threads() == (count or len(os.sched_getaffinity(0)))


# ---- memory ----


@needs_compiler
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("solve", [(2, 3, 4), (2, 3, 4, 4), (2, 3, 4), (2, 1, 3, 5)]),
        ("solve", [(2, 3, 4), (2, 3, 4, 4), (2, 3, 4), (2, 3, 4)]),
        ("cayley", [(2, 3, 4), (2, 3, 4, 4), (2, 3, 4), (2, 3, 4), (2,), (2, 4, 5), (2, 1, 3, 4)]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, shapes: list[tuple[int, ...]]) -> None:
    assert kernel.why() == ""
    result = [jax.ShapeDtypeStruct(shapes[-1], "float64")]
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"{name}: wrong"):
        jax.block_until_ready(jax.ffi.ffi_call(f"subsoil_{name}", result)(*map(jnp.ones, shapes)))


@pytest.fixture(scope="module")
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Compiler command with the sanitizer on and the kernel built under it."""
    if COMPILER is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("watched")
    command = [COMPILER, "-O0", "-pthread", f"-fsanitize={request.param}", "-fno-sanitize-recover=all"]
    (folder / "empty.c").write_text("int main(void) { return 0; }")
    trial = [*command, str(folder / "empty.c"), "-o", str(folder / "empty")]
    for attempt in (trial, trial[-1:]):
        if subprocess.run(attempt, capture_output=True, check=False).returncode:
            pytest.skip(f"the sanitizer {request.param} does not run here")
    kernel_object = str(folder / "kernel.o")
    subprocess.run([*command, "-c", str(kernel.HERE / "kernel.c"), "-o", kernel_object], check=True)
    return [*command, kernel_object, str(HERE / "kernel_driver.c"), "-lm", "-o", str(folder / "driver")]


def drive(command: list[str]) -> subprocess.CompletedProcess[str]:
    subprocess.run(command, check=True)
    return subprocess.run([command[-1]], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("watched", SANITIZERS, indirect=True)
def test_a_sanitizer_finds_nothing(watched: list[str]) -> None:
    done = drive(watched)
    assert done.returncode == 0, done.stderr[:2000]


@pytest.mark.parametrize("watched", SANITIZERS[:1], indirect=True)
def test_a_sanitizer_finds_an_array_too_short(watched: list[str]) -> None:
    done = drive([*watched[:1], "-DSHORT", *watched[1:]])
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr


@needs_compiler
def test_the_package_installs_without_a_compiler(tmp_path: Path) -> None:
    root = HERE.parents[1]
    target = tmp_path / "src" / "subsoil" / "solve"
    target.mkdir(parents=True)
    copy(root / "setup.py", tmp_path)
    copy(kernel.HERE / "kernel.c", target)
    environment = {**os.environ, "CC": "no-such-compiler"}
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(target.glob("_kernel*")) == []
