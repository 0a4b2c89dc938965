"""Putting a claim to a board, or to a document, and noting what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

from labkit.claims.ledger import record
from labkit.claims.table import Claim, get
from labkit.claims.verdict import OUTCOMES, Outcome, Verdict, compatible_outcomes, one_line
from labkit.errors import ClaimError

__all__ = ["Subject", "cite", "judge"]


class Subject(Protocol):
    """What a verdict must know of a board; :class:`labkit.boards.Board` has it."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    @property
    def platform(self) -> str:
        """The kind of board."""
        ...

    @property
    def emulated(self) -> bool:
        """Whether its processor is emulated."""
        ...


def judge(
    claim_id: str,
    board: Subject,
    *,
    holds: bool | None = None,
    partly: bool = False,
    evidence: object = "",
    needs: str = "",
) -> Verdict:
    """Note what a board says of a claim, and give the :class:`Verdict`.

    Give exactly one of ``holds`` (True or False), ``partly=True`` and ``needs``, which says
    what a test would take where this board cannot decide. ``evidence`` is what was seen: text,
    or anything that shows itself as text, such as a Result. Only ``needs`` goes without.

    Raises :class:`ClaimError` where the id is unknown or the call gives no or two outcomes,
    and where the outcome contradicts the claims table. In that last case the verdict has
    been noted already: the run fails and its evidence is kept.

    >>> judge("c1.1-04", board, holds="stlr" in code, evidence=code)    # doctest: +SKIP
    """
    claim = get(claim_id)
    outcome = _outcome(claim_id, holds, partly, needs)
    seen = str(evidence).strip()
    if not seen and not needs:
        raise _misuse(claim_id, "no evidence", "what the board showed, as evidence=")
    return _noted(claim, outcome, seen, needs, board)


def cite(claim_id: str, *, source: str, outcome: Outcome, needs: str = "") -> Verdict:
    """Note what documents say of a claim that no board can decide.

    ``source`` names where it is written. ``needs`` goes with the outcome "not testable here",
    and only with it. Raises :class:`ClaimError` as :func:`judge` does.

    >>> cite("c1.0-05", source="go.dev/doc/go1.5#ports", outcome="fails")  # doctest: +SKIP
    """
    claim = get(claim_id)
    if outcome not in OUTCOMES:
        raise _misuse(claim_id, f"the outcome {outcome!r}", f"one of {', '.join(OUTCOMES)}")
    if not source.strip():
        raise _misuse(claim_id, "no source", "the document, as source=")
    if (outcome == "not testable here") != bool(needs):
        raise _misuse(
            claim_id,
            f"{outcome!r} with needs={needs!r}",
            "needs= for what cannot be tested, only",
        )
    return _noted(claim, outcome, source.strip(), needs, board=None)


def _outcome(claim_id: str, holds: object, partly: object, needs: str) -> Outcome:
    """The one outcome a call of :func:`judge` gives. Raises :class:`ClaimError`."""
    for name, value in {"holds": holds, "partly": partly}.items():
        # By name, as numpy's booleans are good too: they are what pandas compares to.
        if value is not None and type(value).__name__ not in ("bool", "bool_"):
            found = f"{name}={one_line(repr(value), 60)}"
            raise _misuse(claim_id, found, "True or False", f"{name}=bool(...)")
    given: list[Outcome] = []
    if holds is not None:
        given.append("holds" if holds else "fails")
    if partly:
        given.append("partly")
    if needs:
        given.append("not testable here")
    if len(given) != 1:
        found = f"{len(given)} outcomes ({', '.join(given)})" if given else "no outcome"
        raise _misuse(claim_id, found, "exactly one of holds=, partly=True and needs=")
    return given[0]


def _noted(
    claim: Claim, outcome: Outcome, evidence: str, needs: str, board: Subject | None
) -> Verdict:
    """The verdict, entered in the ledger. Raises :class:`ClaimError` on a contradiction."""
    agrees = outcome in compatible_outcomes(claim.verdict)
    verdict = Verdict(
        claim.id,
        outcome,
        evidence,
        needs,
        kind="document" if board is None else "board",
        platform="" if board is None else board.platform,
        board="" if board is None else board.name,
        emulated=board is not None and bool(board.emulated),
        version=version("labkit"),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        agrees=agrees,
    )
    record(verdict)  # before the error: a contradiction fails the run, its evidence stays
    if not agrees:
        raise ClaimError(
            f"{claim.id} {outcome} {verdict.by}, which contradicts the table: it says "
            f"{claim.verdict}; seen: {one_line(evidence)}",
            expected=" or ".join(compatible_outcomes(claim.verdict)[:-1]),
            hint="find out whether the experiment or the table is wrong",
        )
    return verdict


def _misuse(claim_id: str, found: str, expected: str, hint: str = "") -> ClaimError:
    return ClaimError(f"{claim_id} is given {found}", expected=expected, hint=hint)
