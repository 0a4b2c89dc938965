"""Progress on stderr: the steps of a long task, and the seconds that each takes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["step"]


@contextmanager
def step(description: str, *, about: float) -> Iterator[None]:
    """Show a step that takes about ``about`` seconds, for the length of the block.

    On a terminal a progress bar moves. Where stderr is no terminal, one line at the end gives
    the seconds it took.
    """
    start = time.monotonic()
    if sys.stderr.isatty():
        with _bar(description, about, start):
            yield
    else:
        yield
    print(f"  {description}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def _bar(description: str, about: float, start: float) -> Iterator[None]:
    # Imported here: only a terminal needs rich, and its import takes time.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn(f"of about {about:.0f} s"),
    )
    finished = threading.Event()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=about)

        def tick() -> None:
            while not finished.wait(0.2):
                progress.update(task, completed=min(time.monotonic() - start, about))

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            finished.set()
            ticker.join()
