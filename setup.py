"""Builds the optional kernel of `subsoil.solve`; everything else about the package is in pyproject.toml.

Without a C compiler the package installs all the same and computes in JAX.
"""

from hashlib import sha256
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, CompileError, ExecError, PlatformError

SOURCE = "src/subsoil/solve/kernel.c"
NATIVE = "-march=native"


class BuildKernel(build_ext):
    """Builds for the processor at hand where the compiler knows it, else for any of its kind."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except (CCompilerError, CompileError, ExecError, PlatformError):
            if NATIVE not in ext.extra_compile_args:
                raise
            ext.extra_compile_args.remove(NATIVE)
            super().build_extension(ext)


kernel = Extension(
    "subsoil.solve._kernel",
    [SOURCE],
    define_macros=[
        ("SUBSOIL_MODULE", "1"),
        # kernel.py refuses a library that is older than its source
        ("SUBSOIL_SOURCE", f'"{sha256(Path(SOURCE).read_bytes()).hexdigest()[:16]}"'),
    ],
    extra_compile_args=["-O3", NATIVE, "-pthread"],
    extra_link_args=["-pthread"],
    optional=True,
)

setup(ext_modules=[kernel], cmdclass={"build_ext": BuildKernel})
