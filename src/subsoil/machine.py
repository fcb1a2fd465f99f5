"""What this machine has and lacks: libraries, compiled kernel, data."""

from importlib.metadata import version
from importlib.util import find_spec
from platform import python_version

from subsoil.archive import registry
from subsoil.archive.readers import READERS
from subsoil.errors import MissingData


def doctor() -> list[tuple[str, bool, str, str]]:
    """What this machine has and lacks: (check, fine, detail, what to do)."""
    rows = [("Python", True, python_version(), "")]
    extras = {"jax": "models", "xarray": "models", "numpyro": "age", "matplotlib": "report"}
    for name, extra in extras.items():
        present = find_spec(name) is not None
        detail = version(name) if present else "not installed"
        rows.append((name, present, detail, "" if present else f"pip install 'subsoil[{extra}]'"))
    rows += _compiled_kernel()
    for key in sorted(READERS.keys() & registry.cards().keys()):
        try:
            found = registry.find(key, download=False)
            rows.append((f"data: {key}", True, f"{found.path} ({found.where})", "; ".join(found.warnings)))
        except MissingData as missing:
            rows.append((f"data: {key}", False, "not on this machine", str(missing)))
    return rows


def _compiled_kernel() -> list[tuple[str, bool, str, str]]:
    """Whether models run on the compiled kernel; without it they are slower, not wrong."""
    if find_spec("jax") is None:
        return []
    from subsoil.solve import kernel

    why = kernel.why()
    return [
        (
            "compiled kernel",
            True,
            f"not in use: {why}" if why else "in use",
            "JAX computes instead" * bool(why),
        )
    ]
