"""The edge: one command, its exit code, and no traceback."""

import os
import sys
from collections.abc import Sequence

import typer

from subsoil import missing_extra
from subsoil.cli.app import app
from subsoil.cli.terminal import complain
from subsoil.errors import SubsoilError

REFUSED, DEFECT, INTERRUPTED = 7, 70, 130
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # wherever this release of typer keeps it


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; no traceback leaves this function.

    >>> run(["stduy"])  # says on standard error: did you mean 'study'?
    2
    """
    try:
        code = int(app(list(arguments) or ["--help"], prog_name="subsoil", standalone_mode=False) or 0)
    except SubsoilError as error:
        return complain(error, error.exit_code)
    except UsageError as error:
        return complain(f"{error.format_message()} (see subsoil --help)", 2)  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        return complain(f"{error.strerror or error}: {error.filename or 'the system refused'}", REFUSED)
    except MemoryError:
        return complain("out of memory; close other programs or use --quick", REFUSED)
    except Exception as error:  # the one edge where a defect becomes a line
        absent = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
        if absent is not None:
            return complain(absent, absent.exit_code)
        if os.environ.get("SUBSOIL_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {error}"
        return complain(f"this is a defect in subsoil: {what}; rerun with SUBSOIL_TRACEBACK=1", DEFECT)
    if code == INTERRUPTED:
        complain("interrupted; earlier results are untouched", code)
    return code


def _one_blas_thread() -> None:
    """Matrices here are small, and two threads of BLAS mostly wait for each other: seven times slower."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Entry point of the `subsoil` command."""
    _one_blas_thread()
    code = run(sys.argv[1:])
    if code == INTERRUPTED:  # a compiled computation still runs in its threads: an orderly exit would crash
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
