"""A run: notebooks one after the other on one board, and a summary of their outcomes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import labkit
from labkit import platforms
from labkit.boards import Board
from labkit.claims import read_verdicts
from labkit.claims.ledger import FILE_VARIABLE
from labkit.errors import ClaimError, GuideError, LabError
from labkit.guide.execution import OnCell, execute
from labkit.guide.notebooks import Notebook
from labkit.guide.parameters import bind
from labkit.guide.progress import Progress, ProgressCallback
from labkit.guide.reservation import acquire_board, check_platform, machine_gone
from labkit.guide.results import notebook_path, verdicts_path, write
from labkit.guide.summary import Row, Status, Summary
from labkit.paths import cache_dir, config_dir

__all__ = ["CELL_TIMEOUT", "run"]

CELL_TIMEOUT = 600
"""Seconds one cell may take."""


@dataclass(frozen=True)
class _Job:
    """One notebook with its parameter values, and the files of its results."""

    notebook: Notebook
    values: Mapping[str, object]
    output: Path
    verdicts: Path


def run(
    notebooks: Sequence[Notebook],
    platform: str,
    board: str = "",
    parameters: Mapping[str, object] | None = None,
    results_dir: Path = Path("results"),
    *,
    fail_fast: bool = False,
    keep_board: bool = False,
    cell_timeout: int = CELL_TIMEOUT,
    on_progress: ProgressCallback = lambda progress: None,
) -> Summary:
    """Run notebooks on one board; write the results and return their :class:`Summary`.

    ``board`` is a name for :func:`labkit.open_board`; empty, it is a virtual board of
    ``platform``. A virtual board is reset before each notebook. At the end it is stopped, or
    reset if it ran before; ``keep_board`` leaves it running. A real board is never reset.
    ``results_dir/PLATFORM`` gets the files that :mod:`labkit.guide.results` lists.
    ``cell_timeout`` is in seconds.

    Raises :class:`LabError` before any notebook runs: for an unknown platform or parameter, or a
    board that cannot be reached. After that every error is in the summary: a notebook that
    fails does not stop the others (unless ``fail_fast``), and after Ctrl-C the remaining
    notebooks are skipped.

    >>> run(resolve(["2.2"]), "debian-12").exit_code                # doctest: +SKIP
    0
    """
    kind = platforms.get(platform).name
    name = board or kind
    check_platform(name, kind)
    directory = results_dir.absolute() / kind
    jobs = _plan(notebooks, directory, bind(notebooks, kind, board, parameters or {}))
    when = datetime.now(UTC).isoformat(timespec="seconds")
    with acquire_board(name, keep=keep_board) as acquired:
        facts = acquired.facts  # raises an error now if the board cannot be reached
        rows = _run_all(jobs, acquired, fail_fast, cell_timeout, on_progress)
        summary = Summary(
            kind, name, facts.emulated, facts.kernel, labkit.__version__, when, directory, rows
        )
        write(summary)
    return summary


def _plan(
    notebooks: Sequence[Notebook], directory: Path, values: Mapping[Notebook, Mapping[str, object]]
) -> list[_Job]:
    """The jobs, with the directories for their results made. Raises :class:`GuideError`."""
    jobs = [
        _Job(
            notebook,
            values[notebook],
            notebook_path(directory, notebook.name),
            verdicts_path(directory, notebook.name),
        )
        for notebook in notebooks
    ]
    for output, count in Counter(job.output for job in jobs).items():
        if count > 1:
            raise GuideError(
                f"{count} notebooks would be written to {output}", hint="run one at a time"
            )
    for job in jobs:
        if job.output.resolve() == job.notebook.path.resolve():
            raise GuideError(f"the result would overwrite {job.output}", hint="--results DIRECTORY")
        try:
            job.output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GuideError(
                f"{job.output.parent} cannot be made: {error.strerror}",
                expected="a directory for results",
                hint="name another with --results DIRECTORY",
            ) from error
    return jobs


def _run_all(
    jobs: Sequence[_Job],
    board: Board,
    fail_fast: bool,
    cell_timeout: int,
    on_progress: ProgressCallback,
) -> list[Row]:
    rows: list[Row] = []
    for index, job in enumerate(jobs, 1):
        name = job.notebook.name
        last = rows[-1].outcome if rows else "passed"
        if last in ("stopped", "skipped") or (fail_fast and last == "failed"):
            rows.append(Row(name, "skipped"))
            continue

        def on_cell(cell: int, cells: int, name: str = name, index: int = index) -> None:
            on_progress(Progress(name, index, len(jobs), cell, cells))

        rows.append(_run_one(job, board, cell_timeout, on_cell))
        on_progress(Progress(name, index, len(jobs), row=rows[-1]))
    return rows


def _run_one(job: _Job, board: Board, cell_timeout: int, on_cell: OnCell) -> Row:
    """Reset the board and run the notebook. Every error becomes a part of the row."""
    start = time.monotonic()
    started_cells = 0

    def count_cell(cell: int, cells: int) -> None:
        nonlocal started_cells
        started_cells = cell
        on_cell(cell, cells)

    outcome: Status = "failed"
    try:
        on_cell(0, 0)
        _remove_results(job)
        if board.virtual:
            board.reset()
        message = execute(
            job.notebook.path,
            job.output,
            job.values,
            environment=_environment(job),
            cell_timeout=cell_timeout,
            on_cell=count_cell,
        )
        if not message:
            outcome = "passed"
        elif machine_gone(board):
            message += " (the virtual board is gone; the next notebook gets a new one)"
    except (LabError, OSError) as error:
        message = f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        outcome, message = "stopped", "Ctrl-C"
    seconds = time.monotonic() - start
    try:
        verdicts = _count_verdicts(job)
    except ClaimError as error:  # the notebook damaged the file
        verdicts, message = {}, message or str(error)
        outcome = "failed" if outcome == "passed" else outcome
    return Row(job.notebook.name, outcome, started_cells, seconds, verdicts, message)


def _remove_results(job: _Job) -> None:
    """Remove the files of an earlier run, so that they are not taken for results of this one."""
    for file in (job.output, job.verdicts):
        file.unlink(missing_ok=True)


def _environment(job: _Job) -> dict[str, str]:
    """Variables for the kernel. It runs in another directory, so paths are absolute."""
    return {
        FILE_VARIABLE: str(job.verdicts),
        "LABKIT_CACHE": str(cache_dir().absolute()),
        "LABKIT_CONFIG": str(config_dir().absolute()),
        # A page on a disk has no kernel behind it: panels show themselves as text.
        "LABKIT_PANELS": "text",
    }


def _count_verdicts(job: _Job) -> dict[str, int]:
    """The number of claims by outcome. A claim that was judged twice counts with its last one."""
    if not job.verdicts.exists():
        return {}
    last = {verdict.claim_id: verdict.outcome for verdict in read_verdicts(job.verdicts)}
    return dict(Counter(last.values()))
