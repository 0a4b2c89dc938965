"""One notebook, run by papermill from its first cell to its last or to what stops it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit.claims.verdict import one_line
from labkit.guide.parameters import read_source
from labkit.guide.summary import write_result

__all__ = ["KERNEL_START", "OnCell", "execute"]

KERNEL_START = 60
"""Seconds a kernel may take to start: two, as a rule."""

OnCell = Callable[[int, int], None]
"""Told that code cell n of m begins."""

_BANNER_TAG = "papermill-error-cell-tag"  # papermill takes such cells out when it runs one again


def execute(
    source: Path,
    output: Path,
    values: Mapping[str, object],
    *,
    environment: Mapping[str, str],
    cell_timeout: int,
    on_cell: OnCell,
) -> str:
    """Run ``source`` with these parameters; give why it failed in one line, or nothing.

    The executed notebook is ``output``, whole, however the run ends. The kernel runs in the
    notebook's own folder, with ``environment`` added; a cell may take ``cell_timeout``
    seconds. On KeyboardInterrupt the kernel is ended first, and the error goes on.
    """
    half = output.with_name(f".{output.name}")
    count = _Counter(read_source(source).cells, on_cell)
    why, banner = "", "Ctrl-C stopped the run here."
    try:
        with _environment(environment), _quiet():
            _papermill(source, half, values, cell_timeout, count)
        banner = ""
    except Exception as error:  # whatever goes wrong in one notebook, the next one runs
        why, banner = _reason(error, count.begun, cell_timeout)
    finally:
        _seal(half, output, banner)
    return why


class _Counter:
    """Counts code cells as they begin, as Jupyter does in ``In [n]``."""

    def __init__(self, cells: Any, on_cell: OnCell) -> None:
        code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
        self.begun = 0
        self.all = len(code) + 1  # and the one papermill adds, with the parameters
        self._on_cell = on_cell

    def __call__(self, **_: object) -> None:
        self.begun += 1
        self._on_cell(self.begun, self.all)


def _papermill(
    source: Path, output: Path, values: Mapping[str, object], cell_timeout: int, count: _Counter
) -> None:
    # Only here: papermill takes a second to import.
    import papermill

    papermill.execute_notebook(
        _no_template(source),
        _no_template(output),
        parameters=dict(values),
        kernel_name="python3",
        language="python",
        cwd=str(source.parent),
        progress_bar=False,
        log_output=False,
        request_save_on_cell_execute=True,
        start_timeout=KERNEL_START,
        execution_timeout=cell_timeout,
        # What papermill does not know it hands on to nbclient.
        on_cell_execute=count,
        extra_arguments=["--log-level=CRITICAL"],  # else the kernel talks into our progress
    )


def _reason(error: Exception, cell: int, cell_timeout: int) -> tuple[str, str]:
    """Why a notebook failed, and what its result must say where papermill says nothing."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return f"In [{error.exec_count}] {error.ename}: {one_line(error.evalue, 300)}", ""
    if isinstance(error, CellTimeoutError):
        what = f"the cell ran past {cell_timeout} s and was ended"
    elif isinstance(error, DeadKernelError):
        what = "the notebook's kernel died"
    else:
        what = one_line(f"{type(error).__name__}: {error}", 300)
    why = f"In [{cell}] {what}" if cell else what
    return why, f"{why}. The run stopped there."


def _seal(half: Path, output: Path, banner: str) -> None:
    """Give the executed notebook its name, with a word at its top about how it ended."""
    if not half.exists():
        return
    if banner:
        import nbformat.v4 as v4

        notebook = read_source(half)
        metadata = {"tags": [_BANNER_TAG]}
        cell = v4.new_markdown_cell(f"**{banner}**", metadata=metadata)  # type: ignore[no-untyped-call]
        notebook.cells.insert(0, cell)
        write_result(half, v4.writes_json(notebook))  # type: ignore[no-untyped-call]
    half.replace(output)


def _no_template(path: Path) -> str:
    """A path for papermill, which takes braces for places to put parameters in."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    """Have these variables for a while; a kernel inherits them."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Have papermill and asyncio say nothing: what matters of it stands in the summary."""
    loggers = [logging.getLogger(name) for name in ("papermill", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
