"""Results are written whole or not at all.

Everything goes to a temporary sibling first, is flushed to the disk and then takes the place of what
was there in one rename. A run that is killed at any moment leaves the earlier results whole; its
leftovers are removed by the next one.

The same content gives the same bytes: ``canonical_json`` sorts its keys and rounds floats to the
digits that a rerun reproduces, ``sha256`` and ``checksums`` are what a manifest holds.
"""

import ctypes
import hashlib
import json
import math
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

from subsoil.errors import BadCall

MARKER = ".subsoil"
MARKER_TEXT = "Written by subsoil. The next run replaces this folder as a whole: keep notes elsewhere.\n"
DIGITS = 12  # the 13th differs between machines that add in another order

_TEMPORARY, _PREVIOUS = ".tmp", ".previous"
_ABANDONED_AFTER = 86400.0  # s; a leftover of another machine, or whose process number was given again
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # Linux, <linux/fs.h>
_RENAME_SWAP = 2  # macOS, <sys/stdio.h>


def write_bytes(path: Path | str, data: bytes) -> None:
    """Put `data` into the file `path`, which is at every moment either the old one or the new one.

    Raises `BadCall` where the folder cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(Path(folder) / "a.bin", b"new")
    ...     (Path(folder) / "a.bin").read_bytes()
    b'new'
    """
    target = _prepare(path)
    if target.is_dir():
        raise BadCall(f"{target} is a folder; expected the name of a file")
    temporary = _sibling(target, _TEMPORARY)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def write_text(path: Path | str, text: str) -> None:
    """As `write_bytes`, in UTF-8 with line ends as they are in `text`."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, content: object) -> None:
    """As `write_bytes`, in the form of `canonical_json`."""
    write_text(path, canonical_json(content))


@contextmanager
def folder(path: Path | str) -> Iterator[Path]:
    """A new folder to fill; at the end of the block it takes the place of `path` in one step.

    If the block raises or the process dies, `path` stays as it was. One process at a time may write
    a folder. A folder that holds files and was not written by subsoil is refused with `BadCall`,
    because it would be replaced as a whole.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with folder(Path(parent) / "out") as new:
    ...         write_text(new / "headline.csv", "name,value")
    ...     sorted(p.name for p in (Path(parent) / "out").iterdir())
    ['.subsoil', 'headline.csv']
    """
    target = replaceable(path)
    temporary = _sibling(target, _TEMPORARY)
    temporary.mkdir()
    try:
        yield temporary
        (temporary / MARKER).write_text(MARKER_TEXT)
        _sync_tree(temporary)
        _refuse_foreign(target)
        _replace_folder(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(temporary, ignore_errors=True)


def replaceable(path: Path | str) -> Path:
    """Whether `folder` could write `path`, asked before long work; returns its absolute path.

    Raises `BadCall` as `folder` does.
    """
    target = _prepare(path)
    _refuse_foreign(target)
    return target


def recover(path: Path | str) -> None:
    """Undo what a killed run left beside `path`: restore the earlier folder, remove leftovers.

    Every write does this first; call it before reading a folder that a killed run may have held.
    """
    target = Path(path).resolve()
    if not target.parent.is_dir():
        return
    leftovers = [p for p in target.parent.glob(f".{_escaped(target.name)}.*") if _abandoned(p, target)]
    for previous in leftovers:
        if previous.suffix == _PREVIOUS and not target.exists():
            os.rename(previous, target)
    for leftover in leftovers:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def sha256(path: Path | str) -> str:
    """Checksum of a file, as 64 hexadecimal digits.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     write_bytes(Path(parent) / "empty", b"")
    ...     sha256(Path(parent) / "empty")[:8]
    'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(data: bytes) -> str:
    """Checksum of bytes, as `sha256` gives it for a file.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def checksums(path: Path | str) -> dict[str, str]:
    """Checksum of every file below a folder by its relative name, without the marker."""
    root = Path(path)
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.name != MARKER)
    return {p.relative_to(root).as_posix(): sha256(p) for p in files}


def canonical_json(content: object) -> str:
    """JSON with sorted keys and stable floats: the same content gives the same text.

    Floats keep 12 significant digits; a value that is not finite becomes null, because JSON has no
    other word for it. Raises `BadCall` for what JSON cannot hold.

    >>> print(canonical_json({"b": 0.1 + 0.2, "a": (float("nan"), 1)}), end="")
    {
      "a": [
        null,
        1
      ],
      "b": 0.3
    }
    """
    return json.dumps(_plain(content), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(value: Any) -> object:
    """The value in the words of JSON."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case set() | frozenset():
            return sorted((_plain(item) for item in value), key=str)
        case os.PathLike():
            return Path(value).as_posix()
        case date():
            return value.isoformat()
    if callable(tolist := getattr(value, "tolist", None)):  # NumPy's scalars and arrays
        return _plain(tolist())
    raise BadCall(f"a manifest holds numbers, text, lists and tables; got {type(value).__name__}")


def _prepare(path: Path | str) -> Path:
    """Absolute path in an existing folder, with the leftovers of killed runs removed."""
    target = Path(path).resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadCall(f"cannot make the folder {target.parent}: {error.strerror}; name another") from error
    if not os.access(target.parent, os.W_OK):
        raise BadCall(f"the folder {target.parent} cannot be written; name another")
    recover(target)
    return target


def _refuse_foreign(target: Path) -> None:
    """A results folder is replaced as a whole, so it must be ours, empty or absent."""
    if target.is_dir():
        if any(target.iterdir()) and not (target / MARKER).is_file():
            raise BadCall(
                f"{target} holds files that subsoil did not write and would be replaced as a whole; "
                "name a new or empty folder"
            )
    elif target.exists():
        raise BadCall(f"{target} is a file; expected the name of a folder")


def _sibling(target: Path, suffix: str) -> Path:
    """A new hidden name beside `target` that says which process holds it."""
    owner = f"{socket.gethostname().replace('.', '-')}-{os.getpid()}"
    return target.with_name(f".{target.name}.{owner}-{secrets.token_hex(4)}{suffix}")


def _abandoned(leftover: Path, target: Path) -> bool:
    """Whether the process that made this sibling is gone."""
    owner = leftover.name.removeprefix(f".{target.name}.").removesuffix(leftover.suffix)
    host, _, process = owner.rpartition("-")[0].rpartition("-")
    if leftover.suffix not in (_TEMPORARY, _PREVIOUS) or not process.isdecimal():
        return False
    if os.name == "posix" and host == socket.gethostname().replace(".", "-") and not _alive(int(process)):
        return True
    with suppress(OSError):
        return time.time() - leftover.stat().st_mtime > _ABANDONED_AFTER
    return False


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _escaped(name: str) -> str:
    """The name as a pattern that matches only itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _replace_folder(new: Path, target: Path) -> None:
    """Put `new` in the place of `target`; what was there ends up at `new` or is gone."""
    if not target.exists():
        os.rename(new, target)
    elif not _exchange(new, target):
        _replace_in_two(new, target)
    _sync_folder(target.parent)


def _replace_in_two(new: Path, target: Path) -> None:
    """Where the system has no exchange: a kill between the renames is undone by `recover`."""
    previous = _sibling(target, _PREVIOUS)
    os.rename(target, previous)
    try:
        os.rename(new, target)
    except BaseException:
        os.rename(previous, target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where system or file system has no such call."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(library.renamex_np(bytes(one), bytes(other), _RENAME_SWAP) == 0)
        return bool(library.renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):
        return False


def _sync_tree(root: Path) -> None:
    """Flush every file and folder to the disk before a name points to them."""
    for parent, _, names in os.walk(root):
        for name in names:
            with open(Path(parent) / name, "rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(path: Path) -> None:
    if os.name != "posix":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
