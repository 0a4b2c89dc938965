"""A run: notebooks one after the other on one board, and what came of each."""

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
from labkit.errors import GuideError, LabError
from labkit.guide.execution import OnCell, execute
from labkit.guide.notebooks import Notebook
from labkit.guide.parameters import fill
from labkit.guide.progress import Progress, Report
from labkit.guide.reservation import acquire_board, check_platform, ended
from labkit.guide.summary import Row, Status, Summary
from labkit.paths import cache_dir, config_dir

__all__ = ["CELL_TIMEOUT", "run"]

CELL_TIMEOUT = 600
"""Seconds one cell may take."""


@dataclass(frozen=True)
class _Job:
    """One notebook with its values, and the file its executed copy becomes."""

    notebook: Notebook
    values: Mapping[str, object]
    output: Path

    @property
    def verdicts(self) -> Path:
        return self.output.with_name(f"{self.output.stem}.verdicts.jsonl")


def run(
    notebooks: Sequence[Notebook],
    platform: str,
    board: str = "",
    parameters: Mapping[str, object] | None = None,
    results: Path = Path("results"),
    *,
    fail_fast: bool = False,
    keep_board: bool = False,
    cell_timeout: int = CELL_TIMEOUT,
    report: Report = lambda progress: None,
) -> Summary:
    """Run notebooks on one board; give the :class:`Summary`, which is also written.

    ``board`` is a name for :func:`labkit.open_board`; empty, a virtual board of ``platform``.
    A virtual board is reset before each notebook and, unless ``keep_board``, stopped in the
    end, or reset where it ran before. A real one is never reset. ``results/PLATFORM`` gets
    each executed notebook, its verdicts beside it, and the summary of this run.
    ``cell_timeout`` is in seconds.

    Raises :class:`LabError` before any notebook runs: an unknown platform or parameter, a
    board that cannot be reached. After that, whatever happens stands in the summary: a
    notebook that fails does not stop the others (unless ``fail_fast``), and Ctrl-C ends the
    run with the rest of its notebooks skipped.

    >>> run(resolve(["2.2"]), "debian-12").exit_code                # doctest: +SKIP
    0
    """
    kind = platforms.get(platform).name
    name = board or kind
    check_platform(name, kind)
    directory = results.absolute() / kind
    jobs = _plan(notebooks, directory, fill(notebooks, kind, board, parameters or {}))
    when = datetime.now(UTC).isoformat(timespec="seconds")
    with acquire_board(name, keep=keep_board) as opened:
        facts = opened.facts  # a board that is out of reach says so here
        rows = _run_all(jobs, opened, fail_fast, cell_timeout, report)
        summary = Summary(
            kind, name, facts.emulated, facts.kernel, labkit.__version__, when, directory, rows
        )
        summary.write()
    return summary


def _plan(
    notebooks: Sequence[Notebook], directory: Path, values: Mapping[Notebook, Mapping[str, object]]
) -> list[_Job]:
    """What is to be done, with a folder for each result. Raises :class:`GuideError`."""
    jobs = [
        _Job(notebook, values[notebook], directory / f"{notebook.name}.ipynb")
        for notebook in notebooks
    ]
    for output, times in Counter(job.output for job in jobs).items():
        if times > 1:
            raise GuideError(f"{times} notebooks would become {output}", hint="run one at a time")
    for job in jobs:
        if job.output.resolve() == job.notebook.path.resolve():
            raise GuideError(f"the result would overwrite {job.output}", hint="--results FOLDER")
        try:
            job.output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as trouble:
            raise GuideError(
                f"{job.output.parent} cannot be made: {trouble.strerror}",
                expected="a folder for results",
                hint="name another with --results FOLDER",
            ) from trouble
    return jobs


def _run_all(
    jobs: Sequence[_Job], board: Board, fail_fast: bool, cell_timeout: int, report: Report
) -> list[Row]:
    rows: list[Row] = []
    for number, job in enumerate(jobs, 1):
        name = job.notebook.name
        last = rows[-1].outcome if rows else "passed"
        if last in ("stopped", "skipped") or (fail_fast and last == "failed"):
            rows.append(Row(name, "skipped"))
            continue

        def tell(cell: int, cells: int, job: _Job = job, number: int = number) -> None:
            report(Progress(job.notebook.name, number, len(jobs), cell, cells))

        rows.append(_run_one(job, board, cell_timeout, tell))
        report(Progress(name, number, len(jobs), row=rows[-1]))
    return rows


def _run_one(job: _Job, board: Board, cell_timeout: int, tell: OnCell) -> Row:
    """Reset the board, run the notebook; the row says what came of it, whatever it was."""
    began = time.monotonic()
    begun = 0

    def on_cell(cell: int, cells: int) -> None:
        nonlocal begun
        begun = cell
        tell(cell, cells)

    outcome: Status = "failed"
    try:
        tell(0, 0)
        _clear(job)
        if board.virtual:
            board.reset()
        message = execute(
            job.notebook.path,
            job.output,
            job.values,
            environment=_environment(job),
            cell_timeout=cell_timeout,
            on_cell=on_cell,
        )
        if not message:
            outcome = "passed"
        elif ended(board):
            message += " (the virtual board is gone; the next notebook gets a new one)"
    except (LabError, OSError) as error:
        message = f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        outcome, message = "stopped", "Ctrl-C"
    seconds = time.monotonic() - began
    return Row(job.notebook.name, outcome, begun, seconds, _count_verdicts(job), message)


def _clear(job: _Job) -> None:
    """Take away what an earlier run left, so that it is never taken for this one's."""
    for file in (job.output, job.verdicts):
        file.unlink(missing_ok=True)


def _environment(job: _Job) -> dict[str, str]:
    """What the kernel must know. It runs in another folder, so every path is a whole one."""
    return {
        FILE_VARIABLE: str(job.verdicts),
        "LABKIT_CACHE": str(cache_dir().absolute()),
        "LABKIT_CONFIG": str(config_dir().absolute()),
        # A page on a disk has no kernel behind it: panels show themselves as text.
        "LABKIT_PANELS": "text",
    }


def _count_verdicts(job: _Job) -> dict[str, int]:
    """How many claims had which outcome; a claim judged again counts with its last one."""
    if not job.verdicts.exists():
        return {}
    last = {verdict.claim_id: verdict.outcome for verdict in read_verdicts(job.verdicts)}
    return dict(Counter(last.values()))
