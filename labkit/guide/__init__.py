"""Running the guide's notebooks in batch: which ones, on which board, and what came of it.

>>> from labkit import guide
>>> guide.run_guide(["2.2"], "debian-12")               # doctest: +SKIP
0
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labkit.guide.batch import CELL_TIMEOUT, run
from labkit.guide.notebooks import Notebook, find, notebooks_dir, resolve
from labkit.guide.parameters import parse, read_parameters
from labkit.guide.progress import Progress, Report, shown
from labkit.guide.summary import Row, Status, Summary

__all__ = [
    "CELL_TIMEOUT",
    "Notebook",
    "Progress",
    "Report",
    "Row",
    "Status",
    "Summary",
    "find",
    "notebooks_dir",
    "parse",
    "read_parameters",
    "resolve",
    "run",
    "run_guide",
    "shown",
]


def run_guide(
    notebooks: Iterable[str] = (),
    platform: str = "debian-12",
    board: str = "",
    parameters: Iterable[str] = (),
    results: Path = Path("results"),
    *,
    fail_fast: bool = False,
    keep_board: bool = False,
) -> int:
    """What ``labkit run`` does: :func:`run` with progress on stderr and the table on stdout.

    ``notebooks`` are as :func:`resolve` takes them, ``parameters`` are ``NAME=VALUE``. Gives
    the exit code: 0 all passed, 1 some did not, 130 stopped by Ctrl-C. Raises
    :class:`LabError` where nothing has been run, and KeyboardInterrupt where Ctrl-C came
    before the first notebook.
    """
    chosen, values = resolve(notebooks), parse(parameters)
    with shown() as report:
        summary = run(
            chosen,
            platform,
            board,
            values,
            results,
            fail_fast=fail_fast,
            keep_board=keep_board,
            report=report,
        )
    summary.show()
    return summary.exit_code
