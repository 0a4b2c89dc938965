"""Recording a verdict on a claim: from an experiment on a board, or from a document."""

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
    """What a verdict records about a board. :class:`labkit.boards.Board` has these attributes."""

    @property
    def name(self) -> str:
        """The name the user opened the board by."""
        ...

    @property
    def platform(self) -> str:
        """The platform, such as ``debian-12``."""
        ...

    @property
    def emulated(self) -> bool:
        """Whether the processor is emulated."""
        ...


def judge(
    claim_id: str, board: Subject, *, outcome: Outcome, evidence: object = "", needs: str = ""
) -> Verdict:
    """Record what an experiment on a board shows about a claim; return the :class:`Verdict`.

    ``outcome`` is ``"holds"``, ``"fails"``, ``"partly"`` or ``"not testable here"``.
    ``evidence`` is what the board showed: text, or an object with a useful ``str()``, such as
    a Result. ``needs`` says what a test would need. It is given with ``"not testable here"``
    and only then; evidence is optional in that case.

    Raises :class:`ClaimError` if the id is unknown, if the arguments do not fit together, or if
    the outcome contradicts the claims table. A contradiction is recorded before the error is
    raised, so the run fails and its evidence is kept.

    >>> outcome = "holds" if "stlr" in code else "fails"                # doctest: +SKIP
    >>> judge("c1.1-04", board, outcome=outcome, evidence=code)         # doctest: +SKIP
    """
    claim = get(claim_id)
    _check_outcome(claim_id, outcome, needs)
    text = str(evidence).strip()
    if not text and not needs:
        raise _misuse(claim_id, "no evidence", "what the board showed, as evidence=")
    return _record(claim, outcome, text, needs, board)


def cite(claim_id: str, *, source: str, outcome: Outcome, needs: str = "") -> Verdict:
    """Record what documents say about a claim that no board can decide.

    ``source`` says where it is written. ``outcome`` and ``needs`` are those of :func:`judge`,
    and so are the errors.

    >>> cite("c1.0-05", source="go.dev/doc/go1.5#ports", outcome="fails")  # doctest: +SKIP
    """
    claim = get(claim_id)
    _check_outcome(claim_id, outcome, needs)
    if not source.strip():
        raise _misuse(claim_id, "no source", "the document, as source=")
    return _record(claim, outcome, source.strip(), needs, board=None)


def _check_outcome(claim_id: str, outcome: object, needs: str) -> None:
    """Raise :class:`ClaimError` if the outcome is unknown, or does not fit ``needs``."""
    if not isinstance(outcome, str) or outcome not in OUTCOMES:
        raise _misuse(
            claim_id,
            f"the outcome {one_line(repr(outcome), 60)}",
            f"one of {', '.join(OUTCOMES)}",
            'outcome="holds" if condition else "fails"',
        )
    if (outcome == "not testable here") != bool(needs.strip()):
        raise _misuse(
            claim_id,
            f"the outcome {outcome!r} with needs={needs!r}",
            "needs= with the outcome 'not testable here', and only then",
        )


def _record(
    claim: Claim, outcome: Outcome, evidence: str, needs: str, board: Subject | None
) -> Verdict:
    """Make the verdict and write it to the ledger. Raises :class:`ClaimError`."""
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
            f"{claim.id} {outcome} {verdict.decided_by}, which contradicts the table: it says "
            f"{claim.verdict}; evidence: {one_line(evidence)}",
            expected=" or ".join(compatible_outcomes(claim.verdict)[:-1]),
            hint="find out whether the experiment or the table is wrong",
        )
    return verdict


def _misuse(claim_id: str, message: str, expected: str, hint: str = "") -> ClaimError:
    return ClaimError(f"{claim_id} is given {message}", expected=expected, hint=hint)
