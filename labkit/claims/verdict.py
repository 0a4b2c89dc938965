"""A verdict: the outcome for one claim, with the evidence and the circumstances."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

from labkit.claims.table import Rating, get
from labkit.display import StrRepr

__all__ = ["OUTCOMES", "Kind", "Outcome", "Verdict", "compatible_outcomes", "one_line", "prose"]

Outcome = Literal["holds", "fails", "partly", "not testable here"]
"""The outcome of a test of a claim."""

Kind = Literal["board", "document"]
"""What decided the outcome: an experiment on a board, or a document."""

# The mark is for quick reading. The word beside it carries the meaning, for screen readers too.
OUTCOMES: dict[Outcome, str] = {
    "holds": "✓",
    "fails": "✗",
    "partly": "½",
    "not testable here": "?",
}
"""Each outcome with its mark."""

_COMPATIBLE: dict[Rating, tuple[Outcome, ...]] = {
    "TRUE": ("holds", "partly"),
    "PARTLY": ("partly",),
    "FALSE": ("fails", "partly"),
    "OUTDATED": ("fails", "partly"),
    "UNTESTABLE-HERE": ("holds", "fails", "partly"),
    "HARDWARE-DEPENDENT": ("holds", "fails", "partly"),
}

# JupyterLab renders `$...$` in HTML as mathematics; these classes keep $HOME and $GOROOT as text.
_NO_MATH = "tex2jax_ignore mathjax_ignore"


def compatible_outcomes(rating: Rating) -> tuple[Outcome, ...]:
    """The outcomes that do not contradict the table. "not testable here" never contradicts it.

    >>> compatible_outcomes("PARTLY")
    ('partly', 'not testable here')
    """
    return (*_COMPATIBLE[rating], "not testable here")


@dataclass(frozen=True, repr=False)
class Verdict(StrRepr):
    """The outcome for one claim.

    ``evidence`` is what the board showed or, for a document, where it is written. ``needs`` is
    what a test would need, if none was possible. ``kind`` says whether a board or a document
    decided. ``platform``, ``board`` and ``emulated`` describe the board (empty and False for a
    document). ``version`` is that of labkit, ``time`` is UTC in ISO 8601. ``agrees`` is False
    if the outcome contradicts the claims table.

    It is displayed as a small card in a notebook and as one line in a terminal.
    """

    claim_id: str
    outcome: Outcome
    evidence: str
    needs: str
    kind: Kind
    platform: str
    board: str
    emulated: bool
    version: str
    time: str
    agrees: bool

    @property
    def rationale(self) -> str:
        """The reason for the outcome: the evidence, and what a test would need."""
        requirement = f"It needs {self.needs}." if self.needs else ""
        return "\n".join(filter(None, (self.evidence, requirement)))

    @property
    def label(self) -> str:
        """The outcome as a mark and a word, with a note if it contradicts the table."""
        label = f"{OUTCOMES[self.outcome]} {self.outcome}"
        return label if self.agrees else f"{label}, which contradicts the table"

    @property
    def decided_by(self) -> str:
        """What decided the outcome, as text: ``on NAME`` or ``by document``."""
        if self.kind == "document":
            return "by document"
        return f"on {self.board}{' (emulated)' if self.emulated else ''}"

    def __str__(self) -> str:
        return f"{self.claim_id} {self.label}, {self.decided_by}: {one_line(self.rationale)}"

    def _repr_html_(self) -> str:
        # No colours are set here: the card takes those of JupyterLab's theme, light or dark.
        claim = get(self.claim_id)
        border = "border-left: 3px solid currentColor; padding-left: 0.8em; margin: 0.4em 0"
        pre = "white-space: pre-wrap; overflow-wrap: anywhere; padding-left: 1em"
        return (
            f'<div class="{_NO_MATH}" style="{border}">'
            f"<div><code>{escape(claim.id)}</code> <q>{prose(claim.claim)}</q></div>"
            f"<div><strong>{escape(self.label)}</strong>, {escape(self.decided_by)}</div>"
            f'<div style="{pre}">{escape(self.rationale)}</div>'
            f"<div><em>What is true:</em> {prose(claim.correct_fact)}</div>"
            "</div>"
        )


def one_line(text: str, limit: int = 120) -> str:
    """``text`` on one line of at most ``limit`` characters; a longer text ends with "…".

    >>> one_line("Store:\\n  stlr x0, [x1]")
    'Store: stlr x0, [x1]'
    """
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def prose(text: str) -> str:
    """The table's text as HTML: escaped, and text in backticks as code.

    >>> prose("`a | b` < c")
    '<code>a | b</code> &lt; c'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
