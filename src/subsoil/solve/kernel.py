"""The compiled kernel behind `subsoil.solve.blocks`: found, connected to JAX, or the reason why not.

Two libraries: ``_kernel``, the algebra (kernel.c), built with the package where a C compiler is; and the
connection (ffi.c), which depends on the jaxlib in use, so it is compiled on first use, in under a second,
into the user's cache. Where any step fails, `why` says what was missing, and JAX computes instead.
"""

import ctypes
import os
import platform
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import jax
import jaxlib
from jax import Array
from jaxtyping import Float

HERE = Path(__file__).parent
TARGETS = ("solve", "solve_transposed", "cayley", "cayley_adjoint")
COMPILE_SECONDS = 120.0

_lock = Lock()


class _Unusable(Exception):
    """Why the kernel cannot be used, in words for a user."""


def why() -> str:
    """Why the kernel cannot be called from JAX; empty where it can. The first call connects it."""
    with _lock:  # two threads must not register twice
        return _connect()


def solve(
    lower: Float[Array, "batch layer pool"],
    diagonal: Float[Array, "batch layer pool pool"],
    upper: Float[Array, "batch layer pool"],
    rhs: Float[Array, "batch tracer layer pool"],
    *,
    transposed: bool,
) -> Float[Array, "batch tracer layer pool"]:
    """x with ``A x = rhs``, or ``A^T x = rhs``."""
    (x,) = _call("solve_transposed" if transposed else "solve", [rhs.shape], lower, diagonal, upper, rhs)
    return x


def cayley(
    lower: Float[Array, "batch layer pool"],
    diagonal: Float[Array, "batch layer pool pool"],
    upper: Float[Array, "batch layer pool"],
    start: Float[Array, "batch layer pool"],
    shifts: Float[Array, " shift"],
    weights: Float[Array, "shift step time"],
    project: Float[Array, "batch group layer pool"],
) -> Float[Array, "batch group layer time"]:
    """Weighted sums of the chains of ``subsoil.solve.blocks.cayley``."""
    batch, groups, layers, _ = project.shape
    shape = (batch, groups, layers, weights.shape[2])
    (sums,) = _call("cayley", [shape], lower, diagonal, upper, start, shifts, weights, project)
    return sums


def cayley_adjoint(*arrays: Array) -> tuple[Array, ...]:
    """Cotangents of lower, diagonal, upper, start and project, from those seven arrays and the cotangent."""
    lower, diagonal, upper, start, _, _, project, _ = arrays
    shapes = [x.shape for x in (lower, diagonal, upper, start, project)]
    return tuple(_call("cayley_adjoint", shapes, *arrays))


def _call(name: str, shapes: Sequence[tuple[int, ...]], *arrays: Array) -> list[Array]:
    results = [jax.ShapeDtypeStruct(shape, "float64") for shape in shapes]
    return list(jax.ffi.ffi_call(f"subsoil_{name}", results)(*arrays))


@cache
def _connect() -> str:
    """Load both libraries and register the handlers; returns why that failed, or nothing."""
    try:
        kernel = _algebra()
        bridge = _bridge()
        bridge.subsoil_bind(kernel.subsoil_solve, kernel.subsoil_cayley, kernel.subsoil_cayley_adjoint)
        for name in TARGETS:
            handler = getattr(bridge, f"subsoil_ffi_{name}")
            jax.ffi.register_ffi_target(f"subsoil_{name}", jax.ffi.pycapsule(handler), platform="cpu")
    except (_Unusable, OSError, AttributeError, RuntimeError) as problem:
        return str(problem)
    return ""


def _algebra() -> ctypes.CDLL:
    spec = find_spec("subsoil.solve._kernel")
    if spec is None or spec.origin is None:
        raise _Unusable("the kernel was not built: install a C compiler, then install subsoil again")
    kernel = ctypes.CDLL(spec.origin)
    kernel.subsoil_source.restype = ctypes.c_char_p
    if kernel.subsoil_source().decode() != sha256((HERE / "kernel.c").read_bytes()).hexdigest()[:16]:
        raise _Unusable(f"{spec.origin} was built from another kernel.c: install subsoil again")
    if not kernel.subsoil_fits_processor():
        raise _Unusable(f"{spec.origin} was built for another processor: install subsoil again on this one")
    kernel.subsoil_threads(threads())
    return kernel


def threads() -> int:
    """Threads of a call: ``SUBSOIL_THREADS``, else ``OMP_NUM_THREADS``, else this process's processors."""
    for name in ("SUBSOIL_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "")
        if text.isdigit() and int(text) > 0:
            return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bridge() -> ctypes.CDLL:
    """The connection from the cache; compiled where it is missing or cannot be loaded."""
    source = HERE / "ffi.c"
    header = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    made_of = sha256(source.read_bytes() + header.read_bytes() + platform.machine().encode())
    library = _folder() / f"ffi-{jaxlib.__version__}-{made_of.hexdigest()[:16]}.so"
    if library.exists():
        try:
            return ctypes.CDLL(str(library))
        except OSError:
            pass  # truncated, or of another system: made anew below
    _compile(source, library)
    return ctypes.CDLL(str(library))


def _folder() -> Path:
    """Folder of the cache. Libraries are loaded from it, so nobody else may write there."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "subsoil"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        raise _Unusable(f"{folder} belongs to another user: set XDG_CACHE_HOME to a folder of your own")
    if status.st_mode & stat.S_IWOTH:
        raise _Unusable(f"anybody may write to {folder}: take that right away (chmod o-w)")
    return folder


def _compile(source: Path, library: Path) -> None:
    """Compile beside the target and rename, so that two processes at once both end with a whole file."""
    found = [path for path in map(shutil.which, ("cc", "gcc", "clang")) if path]
    compiler = shlex.split(os.environ.get("CC", "")) or found[:1]
    if not compiler:
        raise _Unusable("no C compiler was found (cc, gcc, clang or CC): it connects the kernel to JAX")
    flags = ["-O2", "-shared", "-fPIC", f"-I{jax.ffi.include_dir()}"]
    handle, name = tempfile.mkstemp(suffix=".so", dir=library.parent)
    os.close(handle)
    try:
        command = [*compiler, *flags, str(source), "-o", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[:500]
            raise _Unusable(f"the compiler failed on {source.name}: {said}")
        Path(name).replace(library)
    except subprocess.TimeoutExpired:
        raise _Unusable(f"the compiler took over {COMPILE_SECONDS:.0f} s on {source.name}") from None
    finally:
        Path(name).unlink(missing_ok=True)
