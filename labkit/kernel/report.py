"""The results of the checks of a kernel, for people and for pandas."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import TYPE_CHECKING

from labkit.display import Html, StrRepr, html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CheckReport", "CheckResult"]

# A mark and a word, never colour alone: a table is also printed, and read aloud.
_MARKS = {True: "\N{CHECK MARK} yes", False: "\N{BALLOT X} no", None: "? not known"}
_LABELS = {True: "yes", False: "NO", None: "?"}


@dataclass(frozen=True)
class CheckResult:
    """One check on one board. ``ok`` is ``None`` where the board's value is not known."""

    name: str
    group: str
    layer: str
    key: str
    expected: str
    actual: str
    ok: bool | None
    reason: str
    source: str
    remedy: str
    emulated: bool

    @property
    def display_key(self) -> str:
        """The key as a person writes it, such as CONFIG_KVM."""
        return f"CONFIG_{self.key}" if self.layer == "config" else self.key


@dataclass(frozen=True, repr=False)
class CheckReport(StrRepr):
    """The results of one board: a table in a notebook, plain text in a terminal.

    ``frame`` is the same as a :class:`pandas.DataFrame`, one row a check. ``failed`` and
    ``undecided`` are the rows of checks that did not pass. ``ok`` is whether all checks passed.

    >>> report = check(board, "tuning")                     # doctest: +SKIP
    >>> report.failed[["name", "actual", "remedy"]]         # doctest: +SKIP
    """

    board: str
    results: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed; an undecided one did not."""
        return all(result.ok is True for result in self.results)

    @functools.cached_property
    def frame(self) -> pd.DataFrame:
        """One row a check; ``ok`` is True, False or None."""
        return _frame(self.results)

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of the checks that failed."""
        return _frame(tuple(result for result in self.results if result.ok is False))

    @property
    def undecided(self) -> pd.DataFrame:
        """The rows of the checks whose value is not known."""
        return _frame(tuple(result for result in self.results if result.ok is None))

    @property
    def summary(self) -> str:
        """The report in one line."""
        verdicts = [result.ok for result in self.results]
        emulated = ", emulated" if any(result.emulated for result in self.results) else ""
        unknown = f", {verdicts.count(None)} not known" if None in verdicts else ""
        return (
            f"{self.board}{emulated}: {len(verdicts)} checks, {verdicts.count(True)} yes, "
            f"{verdicts.count(False)} no{unknown}"
        )

    def __str__(self) -> str:
        width = max((len(result.name) for result in self.results), default=0)
        lines = [self.summary]
        for result in self.results:
            text = f"{result.display_key}: {result.actual}"
            if not result.ok:
                text += f" (expected: {result.expected})\n{'':{width + 19}}{result.remedy}"
            label = _LABELS[result.ok]
            lines.append(f"  {label:3}  {result.group:6}  {result.name:{width}}    {text}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        header = ("passed", "check", "key", "actual", "expected", "reason", "remedy")
        return html_table(map(_cells, self.results), caption=self.summary, header=header)


def _cells(result: CheckResult) -> tuple[str, ...]:
    key = f"<code>{escape(result.display_key)}</code> <small>{result.layer}</small>"
    reason = f"{escape(result.reason)} <small>({escape(result.source)})</small>"
    return (
        _MARKS[result.ok],
        f"{result.group}: {result.name}",
        Html(key),
        result.actual,
        result.expected,
        Html(reason),
        "" if result.ok else result.remedy,
    )


def _frame(results: tuple[CheckResult, ...]) -> pd.DataFrame:
    import pandas as pd  # Imported here: it takes half a second, and a batch run may not need it.

    columns = [field.name for field in fields(CheckResult)]
    frame = pd.DataFrame([asdict(result) for result in results], columns=columns)
    # True, False and None: as bool or category, pandas would turn None into something else.
    return frame.astype({"ok": object})
