"""Running the guide's notebooks in batch: selection, board, execution, results.

>>> from labkit import guide
>>> guide.run_guide(["2.2"], "debian-12")               # doctest: +SKIP
0
>>> guide.results.read("results/debian-12").summary     # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labkit.guide import results
from labkit.guide.batch import CELL_TIMEOUT, run
from labkit.guide.notebooks import Notebook, find, notebooks_dir, resolve
from labkit.guide.parameters import parse, read_parameters
from labkit.guide.progress import Progress, ProgressCallback, progress_display
from labkit.guide.results import Results
from labkit.guide.summary import Row, Status, Summary

__all__ = [
    "CELL_TIMEOUT",
    "Notebook",
    "Progress",
    "ProgressCallback",
    "Results",
    "Row",
    "Status",
    "Summary",
    "find",
    "notebooks_dir",
    "parse",
    "progress_display",
    "read_parameters",
    "resolve",
    "results",
    "run",
    "run_guide",
]


def run_guide(
    notebooks: Iterable[str] = (),
    platform: str = "debian-12",
    board: str = "",
    parameters: Iterable[str] = (),
    results_dir: Path = Path("results"),
    *,
    fail_fast: bool = False,
    keep_board: bool = False,
) -> int:
    """Do what ``labkit run`` does: :func:`run`, with progress on stderr and the table on stdout.

    ``notebooks`` are names for :func:`resolve`, ``parameters`` are ``NAME=VALUE``. Returns the
    exit code: 0 all passed, 1 some did not, 130 stopped by Ctrl-C. Raises :class:`LabError`, or
    KeyboardInterrupt, only before the first notebook starts.
    """
    selected, values = resolve(notebooks), parse(parameters)
    with progress_display() as on_progress:
        summary = run(
            selected,
            platform,
            board,
            values,
            results_dir,
            fail_fast=fail_fast,
            keep_board=keep_board,
            on_progress=on_progress,
        )
    summary.show()
    return summary.exit_code
