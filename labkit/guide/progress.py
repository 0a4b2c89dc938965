"""What a person sees while notebooks run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from labkit.guide.summary import Row

__all__ = ["Progress", "Report", "shown"]

BETWEEN_LINES = 10.0
"""Seconds between two lines about one notebook, where no terminal is watched."""


@dataclass(frozen=True)
class Progress:
    """Where a run is: in notebook ``number`` of ``of``, in code cell ``cell`` of ``cells``.

    Cell 0 means that the board is being reset. ``row`` is there once the notebook has ended.
    """

    notebook: str
    number: int
    of: int
    cell: int = 0
    cells: int = 0
    row: Row | None = None

    def __str__(self) -> str:
        at = f"cell {self.cell} of {self.cells}" if self.cell else "preparing the board"
        return f"[{self.number}/{self.of}] {self.row or f'{self.notebook}: {at}'}"


Report = Callable[[Progress], None]
"""Who is told where a run is."""


@contextmanager
def shown() -> Iterator[Report]:
    """A report for people, on stderr: a moving line on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    terminal = _Terminal()
    try:
        yield terminal
    finally:
        terminal.close()


class _Lines:
    """A line where a notebook begins, where it ends, and now and then between."""

    def __init__(self) -> None:
        self._began = self._said = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        begins = not progress.cell and not progress.row
        if begins:
            self._began = now
        if begins or progress.row or now - self._said > BETWEEN_LINES:
            since = "" if begins or progress.row else f", {now - self._began:.0f} s"
            print(f"{progress}{since}", file=sys.stderr, flush=True)
            self._said = now


class _Terminal:
    """One line that moves, and a line that stays for each notebook that has ended."""

    def __init__(self) -> None:
        # Only here: rich is for terminals, and costs a moment to import.
        from rich.console import Console
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
        console = Console(stderr=True, highlight=False)
        self._bar = Bar(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._task = self._bar.add_task("")

    def __call__(self, progress: Progress) -> None:
        from rich.text import Text

        self._bar.start()  # only now: before, an image may have shown its own progress
        if progress.row:
            self._bar.console.print(Text(str(progress)), soft_wrap=True)
        elif not progress.cell:
            self._bar.reset(self._task)
        self._bar.update(self._task, description="" if progress.row else str(progress))

    def close(self) -> None:
        """Take the moving line away."""
        self._bar.stop()
