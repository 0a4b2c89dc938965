"""The score card that closes a notebook: each claim of its section and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labkit.claims.ledger import verdicts
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
"""What the board (one) and documents (many) do to a number of statements."""

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

    It shows itself as a table in a notebook and as plain text in a terminal. ``frame`` is
    the same as data.
    """

    key: str
    rows: tuple[tuple[Claim, Verdict | None], ...]

    @property
    def complete(self) -> bool:
        """Whether every claim of the section has its verdict."""
        return all(verdict is not None for _, verdict in self.rows)

    @property
    def summary(self) -> str:
        """The card in a sentence or two, and which boards were asked."""
        given = [verdict for _, verdict in self.rows if verdict]
        pending = len(self.rows) - len(given)
        clauses = [
            _clause("the board", 0, _tally(given, "board")),
            _clause("documents", 1, _tally(given, "document")),
            f"{pending} {'is' if pending == 1 else 'are'} {PENDING}" if pending else "",
        ]
        said = f"Of {len(self.rows)} statements " + "; ".join(filter(None, clauses)) + "."
        boards = {verdict.by: None for verdict in given if verdict.kind == "board"}
        return f"{said} Judged {' and '.join(boards)}." if boards else said

    @property
    def frame(self) -> pd.DataFrame:
        """One row a claim; what concerns the verdict is empty where there is none."""
        import pandas as pd  # here, so that judging a claim does not wait for it

        return pd.DataFrame([_record(claim, verdict) for claim, verdict in self.rows])

    def __str__(self) -> str:
        lines = [f"Score card of section {self.key}"]
        for claim, verdict in self.rows:
            lines += [f"{claim.id}  {verdict.label if verdict else PENDING}: {claim.claim}"]
            if verdict:
                lines += [f"    seen: {one_line(verdict.grounds)}"]
            lines += [f"    true: {claim.correct_fact}"]
        return "\n".join([*lines, self.summary])

    def _repr_html_(self) -> str:
        # As in Verdict: no colours of our own, and no mathematics between dollar signs.
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

    Claims that have none are listed as not judged yet. Raises :class:`ClaimError` where the
    document has no such section.

    >>> score_card("0").complete
    False
    """
    given = verdicts()
    return ScoreCard(key, tuple((claim, given.get(claim.id)) for claim in section(key)))


_CELL = "text-align: left; vertical-align: top; overflow-wrap: anywhere"


def _html_row(claim: Claim, verdict: Verdict | None) -> str:
    cells = [
        f'<code style="white-space: nowrap">{escape(claim.id)}</code>',
        prose(claim.claim),
        f"<strong>{escape(verdict.label)}</strong>" if verdict else PENDING,
        escape(one_line(verdict.grounds)) if verdict else "",
        prose(claim.correct_fact),
    ]
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _record(claim: Claim, verdict: Verdict | None) -> dict[str, object]:
    return {
        "id": claim.id,
        "claim": claim.claim,
        "outcome": verdict.outcome if verdict else PENDING,
        "evidence": verdict.grounds if verdict else "",
        "what is true": claim.correct_fact,
        "kind": verdict.kind if verdict else "",
        "platform": verdict.platform if verdict else "",
        "board": verdict.board if verdict else "",
        "emulated": verdict.emulated if verdict else None,
    }


def _tally(given: list[Verdict], kind: Kind) -> Counter[Outcome]:
    return Counter(verdict.outcome for verdict in given if verdict.kind == kind)


def _clause(who: str, number: int, tally: Counter[Outcome]) -> str:
    """Such as ``the board confirms 3, contradicts 8``; empty where there is nothing to say."""
    found = [outcome for outcome in OUTCOMES if tally[outcome]]
    said = [_VERBS[outcome][number].format(tally[outcome]) for outcome in found]
    return f"{who} {', '.join(said)}" if said else ""
