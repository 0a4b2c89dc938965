"""What a person sees while a long thing is made: its steps, and how long each takes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["step"]


@contextmanager
def step(what: str, *, about: float) -> Iterator[None]:
    """Show that ``what`` is under way, and that it takes ``about`` so many seconds.

    On a terminal a bar moves; in a log or a notebook a line stands there at the end.
    """
    began = time.monotonic()
    if sys.stderr.isatty():
        with _bar(what, about, began):
            yield
    else:
        yield
    print(f"  {what}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def _bar(what: str, about: float, began: float) -> Iterator[None]:
    # Only here: rich is for terminals, and costs a moment to import.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn(f"of about {about:.0f} s"),
    )
    over = threading.Event()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=about)

        def tick() -> None:
            while not over.wait(0.2):
                progress.update(task, completed=min(time.monotonic() - began, about))

        ticking = threading.Thread(target=tick, daemon=True)
        ticking.start()
        try:
            yield
        finally:
            over.set()
            ticking.join()
