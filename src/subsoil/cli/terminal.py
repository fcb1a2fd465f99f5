"""What people and programs see: tables, lines of progress, and errors in one line."""

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame


class Progress:
    """Steps of long work on standard error: a moving bar on a terminal, else a line for each step.

    Call it with the name of a step and, where known, the share of the whole work done (0 to 1).
    """

    def __init__(self, verbose: bool) -> None:
        self._bar: Any = None
        self._moving = sys.stderr.isatty() and not verbose
        self._step = ""

    def __enter__(self) -> "Progress":
        if self._moving:
            from rich.console import Console
            from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (SpinnerColumn(), BarColumn(24), TimeElapsedColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("starting", total=None)
            self._bar.start()
        return self

    def __call__(self, step: str, share: float | None = None) -> None:
        if self._bar is not None:
            from rich.markup import escape

            self._bar.update(
                self._task, description=escape(step), total=1.0 if share else None, completed=share
            )
        elif step != self._step:
            say(step if share is None else f"[{100 * share:3.0f} %] {step}")
        self._step = step

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def plain_wanted(as_csv: bool) -> bool:
    """Whether the reader is a program rather than a person."""
    return as_csv or not sys.stdout.isatty()


def print_table(table: "DataFrame", plain: bool, title: str) -> None:
    """CSV for programs, an aligned table for people."""
    try:
        if plain:
            table.to_csv(sys.stdout, index=False)
            sys.stdout.flush()
        elif len(table):
            _draw_table(table, title)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _draw_table(table: "DataFrame", title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in table.columns:
        numeric = table[name].dtype.kind in "fiu"
        drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in table.itertuples(index=False):
        drawn.add_row(*(Text(_cell(value)) for value in row))
    Console().print(drawn)


def _cell(value: object) -> str:
    if value is None or value != value:  # NaN is the only value unlike itself
        return ""
    return f"{value:.4g}" if isinstance(value, float) else shown(str(value))


def counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {word if n == 1 else word + 's'}" for word, n in counts.items())


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def complain(error: object, code: int) -> int:
    """One line on standard error, whatever the message was made of."""
    say("subsoil: " + shown(" ".join(str(error).split())))
    return code


def shown(text: str) -> str:
    """Text without control characters: a name from a file must not steer the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
