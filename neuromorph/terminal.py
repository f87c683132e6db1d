"""What the command line shows: one width, one look of tables, one display of progress.

rich is imported where it is needed, so that the command line starts fast.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from neuromorph.progress import Progress, silent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

PIPE_WIDTH = 160
"""Columns of what is written to a pipe or a file; a terminal has its own width."""

LINE_EVERY_S = 10.0
"""Plain lines of progress come no faster than this."""


def console(file: TextIO | None = None) -> Console:
    """A console on `file` (standard output)."""
    from rich.console import Console

    found = Console(file=file)
    return found if found.is_terminal else Console(file=file, width=PIPE_WIDTH)


def show(what: RenderableType) -> None:
    """Print a renderable of rich on standard output."""
    console().print(what)


def grid(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]] = (), left: int | Sequence[str] = 1,
    *, footers: Sequence[str] = (), whole: bool = False,
) -> Table:  # fmt: skip
    """A table, not yet printed. left: how many columns, or which, are aligned left; numbers stand right.

    whole: numbers are never broken into lines, so that texts give way on a narrow terminal.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False,
        show_footer=bool(footers),
    )  # fmt: skip
    for k, column in enumerate(columns):
        text = k < left if isinstance(left, int) else column in left
        table.add_column(
            Text(column), Text(footers[k]) if footers else "", justify="left" if text else "right", overflow="fold",
            no_wrap=whole and not text,
        )  # fmt: skip
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], left: int | Sequence[str] = 1,
    footers: Sequence[str] = (),
) -> None:  # fmt: skip
    """Print a table on standard output, see `grid`."""
    show(grid(title, columns, rows, left, footers=footers))


@contextmanager
def progress(stream: TextIO | None = None, *, quiet: bool = False, counted: bool = False) -> Iterator[Progress]:
    """A callback that shows progress on `stream` (standard error): a bar on a terminal, plain lines elsewhere.

    Plain lines come every LINE_EVERY_S, so that short work prints none. counted: what is being done tells by itself how
    far it is and how long it takes; then nothing is added, lines begin at once and the last state stays on the screen.
    """
    out = stream or sys.stderr
    if quiet:
        yield silent
    elif out.isatty():
        with _bar(out, counted) as say:
            yield say
    else:
        yield _lines(out, counted)


def _lines(out: TextIO, counted: bool) -> Progress:
    latest = time.monotonic() - (LINE_EVERY_S if counted else 0.0)

    def say(done: float, what: str) -> None:
        nonlocal latest
        now = time.monotonic()
        if now - latest >= LINE_EVERY_S or (counted and done >= 1.0):
            print(what if counted else f"{done:.0%} {what}", file=out, flush=True)
            latest = now

    return say


@contextmanager
def _bar(out: TextIO, counted: bool) -> Iterator[Progress]:
    from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns: list[ProgressColumn] = [BarColumn(), TextColumn("{task.description}", markup=False)]
    if not counted:
        columns.append(TimeRemainingColumn())
    with Bar(*columns, console=console(out), transient=not counted) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda done, what: bar.update(task, total=1.0, completed=done, description=what)
