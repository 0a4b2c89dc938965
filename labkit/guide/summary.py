"""The summary of a run: one row for each notebook, and the table printed at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from labkit.claims.verdict import OUTCOMES
from labkit.display import EMULATED_NOTE

__all__ = ["Row", "Status", "Summary"]

Status = Literal["passed", "failed", "stopped", "skipped"]
"""How a notebook ended. Ctrl-C stops a notebook; a skipped one was never started."""

_MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "stopped": "■", "skipped": "-"}
"""Each status with its mark."""


@dataclass(frozen=True)
class Row:
    """One notebook of a run.

    ``cells`` is the number of code cells that were started: the number that Jupyter shows in
    ``In [n]`` at the last of them. ``verdicts`` counts claims by outcome. ``message`` is one
    line, empty if the notebook passed.
    """

    notebook: str
    outcome: Status
    cells: int = 0
    seconds: float = 0.0
    verdicts: dict[str, int] = field(default_factory=dict)
    message: str = ""

    def __str__(self) -> str:
        parts = [f"{self.cells} cells, {self.seconds:.1f} s", self.verdict_summary, self.message]
        return f"{self.status} {self.notebook}: {'; '.join(filter(None, parts))}"

    @property
    def status(self) -> str:
        """The outcome with its mark: ``✓ passed``."""
        return f"{_MARKS[self.outcome]} {self.outcome}"

    @property
    def verdict_summary(self) -> str:
        """The number of verdicts by outcome: ``3 holds, 2 fails``; empty if there are none."""
        counts = ((outcome, self.verdicts.get(outcome, 0)) for outcome in OUTCOMES)
        return ", ".join(f"{n} {outcome}" for outcome, n in counts if n)


@dataclass(frozen=True)
class Summary:
    """One run: the board it used, and its rows.

    ``kernel`` is the board's kernel release, ``version`` is that of labkit, ``when`` is the
    start in UTC (ISO 8601), ``directory`` is where the results are.
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
        """0 if all notebooks passed, 130 if Ctrl-C stopped the run, else 1."""
        outcomes = {row.outcome for row in self.rows}
        if "stopped" in outcomes:
            return 130
        return 0 if outcomes <= {"passed"} else 1

    @property
    def context(self) -> str:
        """The board and the version of labkit, in one line."""
        note = f", {EMULATED_NOTE}" if self.emulated else ""
        return (
            f"{self.platform} on {self.board}{note}; kernel {self.kernel}; "
            f"labkit {self.version}; {self.when}"
        )

    @property
    def totals(self) -> str:
        """The number of notebooks by status, and the time, in one line."""
        outcomes = [row.outcome for row in self.rows]
        counts = [f"{outcomes.count(status)} {status}" for status in _MARKS if status in outcomes]
        return f"{', '.join(counts)} in {sum(row.seconds for row in self.rows):.0f} s"

    @property
    def verdict_summary(self) -> str:
        """The number of verdicts by outcome, in one line; empty if there are none."""
        totals = {o: sum(row.verdicts.get(o, 0) for row in self.rows) for o in OUTCOMES}
        counts = [f"{OUTCOMES[outcome]} {outcome} {n}" for outcome, n in totals.items() if n]
        return f"{sum(totals.values())} verdicts: {', '.join(counts)}" if counts else ""

    @property
    def next_step(self) -> str:
        """The file to read: the first notebook that did not pass, or the summary."""
        paths = (
            self.directory / f"{row.notebook}.ipynb"
            for row in self.rows
            if row.outcome in ("failed", "stopped")
        )
        path = next(filter(Path.exists, paths), self.directory / "summary.md")
        return f"Read {_relative(path)}"

    def show(self) -> None:
        """Print the table, the messages, the context, the totals, and the next step."""
        # Imported here: rich is for terminals, and takes time to import.
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
            name = Path(row.notebook).name  # without its directory it fits on a terminal's line
            counts = (str(row.verdicts.get(outcome) or "") for outcome in OUTCOMES)
            cells = (name, row.status, str(row.cells), f"{row.seconds:.1f}", *counts)
            table.add_row(*map(Text, cells))
        console = Console(highlight=False)
        console.print(table)
        messages = [f"{row.notebook}: {row.message}" for row in self.rows if row.message]
        ends = filter(None, (self.context, self.verdict_summary, self.totals, self.next_step))
        for line in (*messages, *([""] if messages else []), *ends):
            console.print(Text(line), soft_wrap=True)


def _relative(path: Path) -> Path:
    """A path relative to the current directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
