"""What the checks of a kernel found, for people and for pandas."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import TYPE_CHECKING

from labkit.display import StrRepr

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CheckReport", "Finding"]

# A mark and a word, never colour alone: a table is also read in print and by ear.
_MARKS = {True: "\N{CHECK MARK} yes", False: "\N{BALLOT X} no", None: "? not known"}
_WORDS = {True: "yes", False: "NO", None: "?"}


@dataclass(frozen=True)
class Finding:
    """One check put to one board. ``ok`` is ``None`` where the answer could not be had."""

    name: str
    group: str
    layer: str
    key: str
    wanted: str
    found: str
    ok: bool | None
    reason: str
    source: str
    hint: str
    emulated: bool

    @property
    def asked(self) -> str:
        """The key as a person would write it."""
        return f"CONFIG_{self.key}" if self.layer == "config" else self.key


@dataclass(frozen=True, repr=False)
class CheckReport(StrRepr):
    """The findings of one board: a table in a notebook, plain text in a terminal.

    ``frame`` is the same as a :class:`pandas.DataFrame`, one row a check; ``failed`` and
    ``undecided`` are the rows that need a person. ``ok`` says that every check passed.

    >>> report = check(board, "tuning")                     # doctest: +SKIP
    >>> report.failed[["name", "found", "hint"]]            # doctest: +SKIP
    """

    board: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed; one that could not be decided did not."""
        return all(each.ok is True for each in self.findings)

    @functools.cached_property
    def frame(self) -> pd.DataFrame:
        """One row a check; ``ok`` is True, False or None."""
        return _frame(self.findings)

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of the checks that failed."""
        return _frame(tuple(each for each in self.findings if each.ok is False))

    @property
    def undecided(self) -> pd.DataFrame:
        """The rows of the checks whose answer could not be had."""
        return _frame(tuple(each for each in self.findings if each.ok is None))

    @property
    def summary(self) -> str:
        """The report in one line."""
        verdicts = [each.ok for each in self.findings]
        emulated = ", emulated" if any(each.emulated for each in self.findings) else ""
        unknown = f", {verdicts.count(None)} not known" if None in verdicts else ""
        return (
            f"{self.board}{emulated}: {len(verdicts)} checks, {verdicts.count(True)} yes, "
            f"{verdicts.count(False)} no{unknown}"
        )

    def __str__(self) -> str:
        names = max((len(each.name) for each in self.findings), default=0)
        lines = [self.summary]
        for each in self.findings:
            said = f"{each.asked}: {each.found}"
            if not each.ok:
                said += f" (wanted: {each.wanted})\n{'':{names + 19}}{each.hint}"
            lines.append(f"  {_WORDS[each.ok]:3}  {each.group:6}  {each.name:{names}}    {said}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th scope='col' style='text-align:left'>{title}</th>"
            for title in ("passed", "check", "asked", "found", "wanted", "why", "what to do")
        )
        rows = "".join(_row(each) for each in self.findings)
        return (
            f"<table><caption>{escape(self.summary)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def _row(each: Finding) -> str:
    why = f"{escape(each.reason)} <small>({escape(each.source)})</small>"
    cells = (
        _MARKS[each.ok],
        escape(f"{each.group}: {each.name}"),
        f"<code>{escape(each.asked)}</code> <small>{each.layer}</small>",
        escape(each.found),
        escape(each.wanted),
        why,
        "" if each.ok else escape(each.hint),
    )
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"


def _frame(findings: tuple[Finding, ...]) -> pd.DataFrame:
    import pandas as pd  # half a second, and a batch run may not need it

    columns = [each.name for each in fields(Finding)]
    frame = pd.DataFrame([asdict(each) for each in findings], columns=columns)
    # Three answers: as bool or category pandas would turn None into something else.
    return frame.astype({"ok": object})
