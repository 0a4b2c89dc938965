"""The score card at the end of a notebook: the claims of its section and their outcomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labkit.claims import ledger
from labkit.claims.table import Claim, section
from labkit.claims.verdict import OUTCOMES, Kind, Outcome, Verdict, one_line, prose
from labkit.display import StrRepr

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScoreCard", "score_card"]

PENDING = "not judged yet"

_VERBS: dict[Outcome, tuple[str, str]] = {
    "holds": ("confirms {}", "confirm {}"),
    "fails": ("contradicts {}", "contradict {}"),
    "partly": ("finds {} partly right", "find {} partly right"),
    "not testable here": ("cannot test {}", "leave {} open"),
}
"""The verb for each outcome, with the subject "the board" (singular) or "documents" (plural)."""

_WIDTHS = {
    "id": "9%",
    "claim": "25%",
    "outcome": "13%",
    "evidence": "25%",
    "what is true": "28%",
}


@dataclass(frozen=True, repr=False)
class ScoreCard(StrRepr):
    """The claims of the section ``key`` and this session's verdicts on them.

    It is displayed as a table in a notebook and as plain text in a terminal. ``frame`` has the
    same content as a pandas data frame.
    """

    key: str
    rows: tuple[tuple[Claim, Verdict | None], ...]

    @property
    def complete(self) -> bool:
        """Whether every claim of the section has a verdict."""
        return all(verdict is not None for _, verdict in self.rows)

    @property
    def summary(self) -> str:
        """The card in one or two sentences, with the boards that decided."""
        verdicts = [verdict for _, verdict in self.rows if verdict]
        pending = len(self.rows) - len(verdicts)
        clauses = [
            _clause("the board", 0, _tally(verdicts, "board")),
            _clause("documents", 1, _tally(verdicts, "document")),
            f"{pending} {'is' if pending == 1 else 'are'} {PENDING}" if pending else "",
        ]
        text = f"Of {len(self.rows)} statements " + "; ".join(filter(None, clauses)) + "."
        boards = {verdict.decided_by: None for verdict in verdicts if verdict.kind == "board"}
        return f"{text} Judged {' and '.join(boards)}." if boards else text

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each claim. The verdict's columns are empty if there is none."""
        import pandas as pd  # imported here: judging a claim does not need it

        return pd.DataFrame([_record(claim, verdict) for claim, verdict in self.rows])

    def __str__(self) -> str:
        lines = [f"Score card of section {self.key}"]
        for claim, verdict in self.rows:
            lines += [f"{claim.id}  {verdict.label if verdict else PENDING}: {claim.claim}"]
            if verdict:
                lines += [f"    seen: {one_line(verdict.rationale)}"]
            lines += [f"    true: {claim.correct_fact}"]
        return "\n".join([*lines, self.summary])

    def _repr_html_(self) -> str:
        # As in Verdict: no colours are set, and text between dollar signs is not mathematics.
        columns = "".join(f'<col style="width: {width}">' for width in _WIDTHS.values())
        heads = "".join(f'<th scope="col" style="{_CELL}">{name}</th>' for name in _WIDTHS)
        body = "".join(_html_row(claim, verdict) for claim, verdict in self.rows)
        return (
            '<div class="tex2jax_ignore mathjax_ignore"><table style="width: 100%">'
            f"<caption>Score card of section {escape(self.key)}</caption>"
            f"<colgroup>{columns}</colgroup>"
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{escape(self.summary)}</p></div>"
        )


def score_card(key: str) -> ScoreCard:
    """The score card of a section, from the verdicts of this session.

    A claim without a verdict is listed as not judged yet. Raises :class:`ClaimError` if the
    document has no such section.

    >>> score_card("0").complete
    False
    """
    by_id = ledger.verdicts()
    return ScoreCard(key, tuple((claim, by_id.get(claim.id)) for claim in section(key)))


_CELL = "text-align: left; vertical-align: top; overflow-wrap: anywhere"


def _html_row(claim: Claim, verdict: Verdict | None) -> str:
    cells = [
        f'<code style="white-space: nowrap">{escape(claim.id)}</code>',
        prose(claim.claim),
        f"<strong>{escape(verdict.label)}</strong>" if verdict else PENDING,
        escape(one_line(verdict.rationale)) if verdict else "",
        prose(claim.correct_fact),
    ]
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _record(claim: Claim, verdict: Verdict | None) -> dict[str, object]:
    return {
        "id": claim.id,
        "claim": claim.claim,
        "outcome": verdict.outcome if verdict else PENDING,
        "evidence": verdict.rationale if verdict else "",
        "what is true": claim.correct_fact,
        "kind": verdict.kind if verdict else "",
        "platform": verdict.platform if verdict else "",
        "board": verdict.board if verdict else "",
        "emulated": verdict.emulated if verdict else None,
    }


def _tally(verdicts: list[Verdict], kind: Kind) -> Counter[Outcome]:
    return Counter(verdict.outcome for verdict in verdicts if verdict.kind == kind)


def _clause(subject: str, form: int, tally: Counter[Outcome]) -> str:
    """A clause such as ``the board confirms 3, contradicts 8``; empty if nothing was counted.

    ``form`` is 0 for a singular subject and 1 for a plural one.
    """
    counts = [(outcome, tally[outcome]) for outcome in OUTCOMES if tally[outcome]]
    verbs = [_VERBS[outcome][form].format(count) for outcome, count in counts]
    return f"{subject} {', '.join(verbs)}" if verbs else ""
