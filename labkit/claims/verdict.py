"""A verdict: what was found about one claim, with all that is needed to trust it later."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

from labkit.claims.table import Rating, get
from labkit.display import StrRepr

__all__ = ["OUTCOMES", "Kind", "Outcome", "Verdict", "compatible_outcomes", "one_line", "prose"]

Outcome = Literal["holds", "fails", "partly", "not testable here"]
"""What became of a claim."""

Kind = Literal["board", "document"]
"""Who decided: a board that was asked, or a document that was read."""

# A mark helps the eye; the word beside it carries the meaning, for screen readers too.
OUTCOMES: dict[Outcome, str] = {
    "holds": "✓",
    "fails": "✗",
    "partly": "½",
    "not testable here": "?",
}
"""Each outcome with its mark."""

_AGREEING: dict[Rating, tuple[Outcome, ...]] = {
    "TRUE": ("holds", "partly"),
    "PARTLY": ("partly",),
    "FALSE": ("fails", "partly"),
    "OUTDATED": ("fails", "partly"),
    "UNTESTABLE-HERE": ("holds", "fails", "partly"),
    "HARDWARE-DEPENDENT": ("holds", "fails", "partly"),
}

# JupyterLab sets `$...$` in HTML as mathematics; $HOME and $GOROOT are none.
_NOT_MATHS = "tex2jax_ignore mathjax_ignore"


def compatible_outcomes(standing: Rating) -> tuple[Outcome, ...]:
    """The outcomes that do not contradict the table. Not being able to test never does.

    >>> compatible_outcomes("PARTLY")
    ('partly', 'not testable here')
    """
    return (*_AGREEING[standing], "not testable here")


@dataclass(frozen=True, repr=False)
class Verdict(StrRepr):
    """What was found about one claim.

    ``evidence`` is what was seen or, for a document, where it is written; ``needs`` is what
    a test would take where there was none. ``kind`` says whether the board or a document
    decided. ``platform``, ``board`` and ``emulated`` say what was asked (empty and False for
    a document), ``version`` is labkit's, ``time`` is UTC in ISO 8601. ``agrees`` is False
    where the outcome contradicts the claims table.

    It shows itself as a small card in a notebook and as one line in a terminal.
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
    def grounds(self) -> str:
        """Why the outcome is what it is: what was seen, and what a test would need."""
        needed = f"It needs {self.needs}." if self.needs else ""
        return "\n".join(filter(None, (self.evidence, needed)))

    @property
    def label(self) -> str:
        """The outcome as a mark and a word, and whether it contradicts the table."""
        label = f"{OUTCOMES[self.outcome]} {self.outcome}"
        return label if self.agrees else f"{label}, which contradicts the table"

    @property
    def by(self) -> str:
        """Who decided, for people to read."""
        if self.kind == "document":
            return "by document"
        return f"on {self.board}{' (emulated)' if self.emulated else ''}"

    def __str__(self) -> str:
        return f"{self.claim_id} {self.label}, {self.by}: {one_line(self.grounds)}"

    def _repr_html_(self) -> str:
        # No colours of our own: the card takes those of JupyterLab's theme, light or dark.
        claim = get(self.claim_id)
        mark = "border-left: 3px solid currentColor; padding-left: 0.8em; margin: 0.4em 0"
        grounds = "white-space: pre-wrap; overflow-wrap: anywhere; padding-left: 1em"
        return (
            f'<div class="{_NOT_MATHS}" style="{mark}">'
            f"<div><code>{escape(claim.id)}</code> <q>{prose(claim.claim)}</q></div>"
            f"<div><strong>{escape(self.label)}</strong>, {escape(self.by)}</div>"
            f'<div style="{grounds}">{escape(self.grounds)}</div>'
            f"<div><em>What is true:</em> {prose(claim.correct_fact)}</div>"
            "</div>"
        )


def one_line(text: str, limit: int = 120) -> str:
    """``text`` on one line of at most ``limit`` characters.

    >>> one_line("Store:\\n  stlr x0, [x1]")
    'Store: stlr x0, [x1]'
    """
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def prose(text: str) -> str:
    """The table's text as HTML: escaped, and what stands in backticks as code.

    >>> prose("`a | b` < c")
    '<code>a | b</code> &lt; c'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
