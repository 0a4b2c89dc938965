"""One notebook, executed by papermill until its last cell or the first error."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit.claims.verdict import one_line
from labkit.guide.parameters import read_source
from labkit.guide.results import write_file

__all__ = ["KERNEL_START", "OnCell", "execute"]

KERNEL_START = 60
"""Seconds a kernel may take to start. It usually takes two."""

OnCell = Callable[[int, int], None]
"""Called with n and m when code cell n of m starts."""

_BANNER_TAG = "papermill-error-cell-tag"  # papermill removes such cells when it runs one again


def execute(
    source: Path,
    output: Path,
    values: Mapping[str, object],
    *,
    environment: Mapping[str, str],
    cell_timeout: int,
    on_cell: OnCell,
) -> str:
    """Run ``source`` with these parameters; return why it failed in one line, or "".

    ``output`` becomes the executed notebook, a valid one, however the run ends. The kernel runs
    in the directory of ``source``, with the variables of ``environment`` added. A cell may take
    ``cell_timeout`` seconds. On KeyboardInterrupt the kernel is ended, then the exception is
    raised to the caller.
    """
    part_path = output.with_name(f".{output.name}")
    counter = _CellCounter(read_source(source).cells, on_cell)
    reason, banner = "", "Ctrl-C stopped the run here."
    try:
        with _environment(environment), _silence_loggers():
            _papermill(source, part_path, values, cell_timeout, counter)
        banner = ""
    except Exception as error:  # any error of one notebook must not stop the next one
        reason, banner = _reason(error, counter.started, cell_timeout)
    finally:
        _finish(part_path, output, banner)
    return reason


class _CellCounter:
    """Counts the code cells that were started, as Jupyter does in ``In [n]``."""

    def __init__(self, cells: Any, on_cell: OnCell) -> None:
        code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
        self.started = 0
        self.total = len(code) + 1  # papermill adds one, with the parameters
        self._on_cell = on_cell

    def __call__(self, **_: object) -> None:
        self.started += 1
        self._on_cell(self.started, self.total)


def _papermill(
    source: Path,
    output: Path,
    values: Mapping[str, object],
    cell_timeout: int,
    counter: _CellCounter,
) -> None:
    # Imported here: papermill takes a second to import.
    import papermill

    papermill.execute_notebook(
        _escape_braces(source),
        _escape_braces(output),
        parameters=dict(values),
        kernel_name="python3",
        language="python",
        cwd=str(source.parent),
        progress_bar=False,
        log_output=False,
        request_save_on_cell_execute=True,
        start_timeout=KERNEL_START,
        execution_timeout=cell_timeout,
        # papermill passes arguments that it does not know to nbclient.
        on_cell_execute=counter,
        extra_arguments=["--log-level=CRITICAL"],  # the kernel's log would mix with the progress
    )


def _reason(error: Exception, cell: int, cell_timeout: int) -> tuple[str, str]:
    """Why a notebook failed, and a banner for its result if papermill does not add one."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return f"In [{error.exec_count}] {error.ename}: {one_line(error.evalue, 300)}", ""
    if isinstance(error, CellTimeoutError):
        text = f"the cell ran past {cell_timeout} s and was ended"
    elif isinstance(error, DeadKernelError):
        text = "the notebook's kernel died"
    else:
        text = one_line(f"{type(error).__name__}: {error}", 300)
    reason = f"In [{cell}] {text}" if cell else text
    return reason, f"{reason}. The run stopped there."


def _finish(part_path: Path, output: Path, banner: str) -> None:
    """Rename the executed notebook to ``output``, with the banner as its first cell."""
    if not part_path.exists():
        return
    if banner:
        import nbformat.v4 as v4

        notebook = read_source(part_path)
        metadata = {"tags": [_BANNER_TAG]}
        cell = v4.new_markdown_cell(f"**{banner}**", metadata=metadata)  # type: ignore[no-untyped-call]
        notebook.cells.insert(0, cell)
        write_file(part_path, v4.writes_json(notebook))  # type: ignore[no-untyped-call]
    part_path.replace(output)


def _escape_braces(path: Path) -> str:
    """A path for papermill, which replaces braces by parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set these variables inside the block; a kernel started there inherits them."""
    previous = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _silence_loggers() -> Iterator[None]:
    """Silence the loggers of papermill and asyncio: their errors are in the summary."""
    loggers = [logging.getLogger(name) for name in ("papermill", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
