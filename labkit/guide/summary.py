"""What a run gave: a row for each notebook, as a table to print and as files to keep."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from labkit.claims.verdict import OUTCOMES
from labkit.errors import GuideError
from labkit.files import write_atomic

__all__ = ["Row", "Status", "Summary", "write_result"]

Status = Literal["passed", "failed", "stopped", "skipped"]
"""How a notebook ended. Stopped is by Ctrl-C; skipped was never begun."""

_MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "stopped": "■", "skipped": "-"}


@dataclass(frozen=True)
class Row:
    """One notebook of a run.

    ``cells`` counts the code cells that were begun, so that it is also the number Jupyter
    shows in ``In [n]`` at the last of them. ``verdicts`` counts claims by outcome.
    ``message`` is one line, empty where the notebook passed.
    """

    notebook: str
    outcome: Status
    cells: int = 0
    seconds: float = 0.0
    verdicts: dict[str, int] = field(default_factory=dict)
    message: str = ""

    def __str__(self) -> str:
        said = [f"{self.cells} cells, {self.seconds:.1f} s", self.judged, self.message]
        return f"{_MARKS[self.outcome]} {self.outcome} {self.notebook}: " + "; ".join(
            filter(None, said)
        )

    @property
    def judged(self) -> str:
        """The verdicts, for people to read: ``3 holds, 2 fails``."""
        counts = ((outcome, self.verdicts.get(outcome, 0)) for outcome in OUTCOMES)
        return ", ".join(f"{n} {outcome}" for outcome, n in counts if n)


@dataclass(frozen=True)
class Summary:
    """A whole run: what it ran on, and its rows.

    ``kernel`` is the board's kernel release, ``version`` is labkit's, ``when`` the UTC time
    of the start in ISO 8601, ``directory`` where the results are.
    """

    platform: str
    board: str
    emulated: bool
    kernel: str
    version: str
    when: str
    directory: Path
    rows: Sequence[Row]

    @property
    def exit_code(self) -> int:
        """0 where all passed, 130 where Ctrl-C stopped the run, else 1."""
        outcomes = {row.outcome for row in self.rows}
        if "stopped" in outcomes:
            return 130
        return 0 if outcomes <= {"passed"} else 1

    @property
    def context(self) -> str:
        """What the run ran on, in one line."""
        made = ", emulated: shape, not speed" if self.emulated else ""
        return (
            f"{self.platform} on {self.board}{made}; kernel {self.kernel}; "
            f"labkit {self.version}; {self.when}"
        )

    @property
    def totals(self) -> str:
        """How many notebooks ended how, in one line."""
        outcomes = [row.outcome for row in self.rows]
        counts = [f"{outcomes.count(end)} {end}" for end in _MARKS if end in outcomes]
        return f"{', '.join(counts)} in {sum(row.seconds for row in self.rows):.0f} s"

    @property
    def judged(self) -> str:
        """All verdicts of the run, in one line; empty where there are none."""
        totals = {o: sum(row.verdicts.get(o, 0) for row in self.rows) for o in OUTCOMES}
        told = [f"{OUTCOMES[outcome]} {outcome} {n}" for outcome, n in totals.items() if n]
        return f"{sum(totals.values())} verdicts: {', '.join(told)}" if told else ""

    @property
    def next_step(self) -> str:
        """What to read now: the first notebook that went wrong, or the summary."""
        wrong = (self._result(row) for row in self.rows if row.outcome in ("failed", "stopped"))
        read = next((path for path in wrong if path.exists()), self.directory / "summary.md")
        return f"Read {_from_here(read)}"

    def write(self) -> None:
        """Write ``summary.md`` and ``summary.csv`` into the folder. Raises :class:`GuideError`."""
        write_result(self.directory / "summary.md", self._markdown())
        write_result(self.directory / "summary.csv", self._csv())

    def show(self) -> None:
        """Print the table, why notebooks failed, what it ran on, and what to read next."""
        # Only here: rich is for terminals, and costs a moment to import.
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        numbers = ("cells", "seconds", *OUTCOMES.values())
        for name in ("notebook", "outcome", *numbers):
            justify: Literal["left", "right"] = "right" if name in numbers else "left"
            table.add_column(name, justify=justify, overflow="fold")
        for row in self.rows:
            path, *told = _shown(row)[:4]  # without its folder it fits on a terminal's line
            counts = (str(row.verdicts.get(outcome) or "") for outcome in OUTCOMES)
            table.add_row(*(Text(text) for text in (Path(path).name, *told, *counts)))
        console = Console(highlight=False)
        console.print(table)
        why = [f"{row.notebook}: {row.message}" for row in self.rows if row.message]
        ends = filter(None, (self.context, self.judged, self.totals, self.next_step))
        for line in (*why, *([""] if why else []), *ends):
            console.print(Text(line), soft_wrap=True)

    def _result(self, row: Row) -> Path:
        return self.directory / f"{row.notebook}.ipynb"

    def _markdown(self) -> str:
        lines = [
            *(f"# Run on {self.platform}", "", self.context, "", self.totals, ""),
            *([self.judged, ""] if self.judged else []),
            "| notebook | outcome | cells | seconds | verdicts | message |",
            "|---|---|--:|--:|---|---|",
        ]
        for row in self.rows:
            name, *rest = (text.replace("|", "\\|") for text in _shown(row))
            if self._result(row).exists():
                name = f"[{name}](<{row.notebook}.ipynb>)"
            lines.append(f"| {' | '.join([name, *rest])} |")
        return "\n".join(lines) + "\n"

    def _csv(self) -> str:
        """A line a notebook. Each carries what the run ran on, for frames made of several runs."""
        text = io.StringIO()
        ran_on = {
            name: getattr(self, name)
            for name in ("platform", "board", "emulated", "kernel", "version", "when")
        }
        ours = ["notebook", "outcome", "cells", "seconds", *OUTCOMES, "message"]
        table = csv.DictWriter(text, [*ours, *ran_on], lineterminator="\n")
        table.writeheader()
        for row in self.rows:
            own = {"notebook": row.notebook, "outcome": row.outcome, "cells": row.cells}
            told = {"seconds": f"{row.seconds:.1f}", "message": row.message}
            counts = {str(outcome): row.verdicts.get(outcome, 0) for outcome in OUTCOMES}
            table.writerow({**own, **told, **counts, **ran_on})
        return text.getvalue()


def write_result(path: Path, text: str) -> None:
    """Write a file of a run in one step. Raises :class:`GuideError`."""
    try:
        write_atomic(path, text)
    except OSError as error:
        raise GuideError(
            f"{path} cannot be written: {error.strerror}",
            expected="a writable directory for results",
            hint="name another with --results FOLDER",
        ) from error


def _shown(row: Row) -> list[str]:
    """A row as the texts of a table's cells."""
    outcome = f"{_MARKS[row.outcome]} {row.outcome}"
    return [row.notebook, outcome, str(row.cells), f"{row.seconds:.1f}", row.judged, row.message]


def _from_here(path: Path) -> Path:
    """A path as short as it can be typed."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
