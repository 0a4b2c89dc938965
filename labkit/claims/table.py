"""The claims table: every technical statement of the source document, checked by hand."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from labkit.errors import ClaimError

__all__ = ["Claim", "Rating", "claims", "get", "section", "sections"]

Rating = Literal["TRUE", "PARTLY", "FALSE", "OUTDATED", "UNTESTABLE-HERE", "HARDWARE-DEPENDENT"]
"""The table's own verdict on a claim."""


@dataclass(frozen=True)
class Claim:
    """One statement of the document: one row of the table.

    ``section`` is the title of the document's section and ``key`` its number. ``verdict`` is
    the table's own verdict, ``correct_fact`` what is true, ``source`` where that is written or
    was observed, ``experiment`` a way to test it. ``testable_on`` says where the experiment can
    run: a an emulated arm64 board, b real silicon only, c a host with a cross compiler, u
    user-mode emulation, n any Linux host, d documents only.

    >>> get("c2.2-01").key
    '2.2'
    """

    id: str
    section: str
    claim: str
    verdict: Rating
    correct_fact: str
    source: str
    experiment: str
    testable_on: str

    @property
    def key(self) -> str:
        """The section's number, from the id: ``c2.2-04`` is of section ``2.2``."""
        return self.id[1:].partition("-")[0]

    def __str__(self) -> str:
        return f"{self.id}: {self.claim}"


@functools.cache
def claims() -> Mapping[str, Claim]:
    """All claims by id, in the document's order. The mapping is read-only.

    >>> len(claims())
    227
    """
    table = files(__package__).joinpath("claims.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(table.splitlines())
    return MappingProxyType({row["id"]: _claim(row) for row in rows})


def get(claim_id: str) -> Claim:
    """One claim by id. Raises :class:`ClaimError`, with similar ids, if there is none.

    >>> get("c0-02").verdict
    'OUTDATED'
    """
    if claim_id not in claims():
        near = get_close_matches(str(claim_id), claims(), n=3)
        raise ClaimError(
            f"there is no claim {claim_id!r}",
            expected=" or ".join(near) or "an id such as c2.2-04",
            hint='claims.section("2.2") lists the claims of a section',
        )
    return claims()[claim_id]


def section(key: str) -> list[Claim]:
    """The claims of one section, by its number. Raises :class:`ClaimError`.

    >>> [claim.id for claim in section("0")]
    ['c0-01', 'c0-02']
    """
    matching = [claim for claim in claims().values() if claim.key == key]
    if not matching:
        raise ClaimError(
            f"the document has no section {key!r}",
            expected=f"one of {', '.join(sections())}",
        )
    return matching


def sections() -> dict[str, str]:
    """The sections' titles by number, in the document's order.

    >>> sections()["2.4"]
    'Ch.2.4 - Raspberry Pi 5 firmware and CPU frequency'
    """
    return {claim.key: claim.section for claim in claims().values()}


def _claim(row: dict[str, str]) -> Claim:
    """A claim from a row of the table. The column ``where_testable`` becomes ``testable_on``."""
    testable_on = row.pop("where_testable")
    # The tests check that `verdict` is a Rating.
    return Claim(**row, testable_on=testable_on)  # type: ignore[arg-type]
