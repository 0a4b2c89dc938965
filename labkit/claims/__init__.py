"""The statements of the source document: what is true, and what a board shows about each.

>>> from labkit import claims
>>> print(claims.get("c1.1-04"))
c1.1-04: atomic.StoreUint64 compiles to STLR on arm64.
>>> claims.judge("c1.1-04", board,                                # doctest: +SKIP
...              outcome="holds" if "stlr" in listing else "fails",
...              evidence="Store: stlr x0, [x1]")
>>> claims.score_card("1.1")                                      # doctest: +SKIP
"""

from labkit.claims.judgement import Subject, cite, judge
from labkit.claims.ledger import read_verdicts
from labkit.claims.scorecard import ScoreCard, score_card
from labkit.claims.table import Claim, claims, get, section, sections
from labkit.claims.verdict import Verdict

__all__ = [
    "Claim",
    "ScoreCard",
    "Subject",
    "Verdict",
    "cite",
    "claims",
    "get",
    "judge",
    "read_verdicts",
    "score_card",
    "section",
    "sections",
]
