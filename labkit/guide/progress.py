"""The progress of a run, as a person sees it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from labkit.guide.summary import Row

__all__ = ["Progress", "ProgressCallback", "progress_display"]

LINE_INTERVAL = 10.0
"""Seconds between two lines about one notebook, if stderr is not a terminal."""


@dataclass(frozen=True)
class Progress:
    """The position of a run: notebook ``index`` of ``total``, code cell ``cell`` of ``cells``.

    Cell 0 means that the board is being reset. ``row`` is set once the notebook has ended.

    >>> print(Progress("1.1", 1, 2, 3, 9))
    [1/2] 1.1: cell 3 of 9
    """

    notebook: str
    index: int
    total: int
    cell: int = 0
    cells: int = 0
    row: Row | None = None

    def __str__(self) -> str:
        step = f"cell {self.cell} of {self.cells}" if self.cell else "preparing the board"
        return f"[{self.index}/{self.total}] {self.row or f'{self.notebook}: {step}'}"


ProgressCallback = Callable[[Progress], None]
"""Called with the new position whenever a notebook starts, starts a cell, or ends."""


@contextmanager
def progress_display() -> Iterator[ProgressCallback]:
    """A display on stderr: one line that is updated on a terminal, a log of lines elsewhere."""
    if not sys.stderr.isatty():
        yield _LogDisplay()
        return
    terminal = _TerminalDisplay()
    try:
        yield terminal
    finally:
        terminal.close()


class _LogDisplay:
    """Prints a line when a notebook starts, one when it ends, and one every few seconds between."""

    def __init__(self) -> None:
        self._start = self._last_line = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        starts = not progress.cell and not progress.row
        if starts:
            self._start = now
        if starts or progress.row or now - self._last_line > LINE_INTERVAL:
            elapsed = "" if starts or progress.row else f", {now - self._start:.0f} s"
            print(f"{progress}{elapsed}", file=sys.stderr, flush=True)
            self._last_line = now


class _TerminalDisplay:
    """Updates one line, and prints a line that stays for each notebook that has ended."""

    def __init__(self) -> None:
        # Imported here: rich is for terminals, and takes time to import.
        from rich.console import Console
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
        console = Console(stderr=True, highlight=False)
        self._bar = Bar(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._task = self._bar.add_task("")

    def __call__(self, progress: Progress) -> None:
        from rich.text import Text

        self._bar.start()  # not before: an image may have displayed its own progress until now
        if progress.row:
            self._bar.console.print(Text(str(progress)), soft_wrap=True)
        elif not progress.cell:
            self._bar.reset(self._task)
        self._bar.update(self._task, description="" if progress.row else str(progress))

    def close(self) -> None:
        """Remove the updated line."""
        self._bar.stop()
