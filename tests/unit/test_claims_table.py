"""The table: what is in it, and how a claim is found."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from labkit import claims
from labkit.errors import ClaimError


def test_all_rows_are_there():
    assert len(claims.claims()) == 227
    assert Counter(claim.verdict for claim in claims.claims().values()) == {
        "FALSE": 120,
        "PARTLY": 43,
        "TRUE": 42,
        "UNTESTABLE-HERE": 10,
        "OUTDATED": 8,
        "HARDWARE-DEPENDENT": 4,
    }


def test_every_row_is_whole():
    for claim in claims.claims().values():
        assert re.fullmatch(r"c(0|[1-5]\.[0-5])-\d\d", claim.id), claim.id
        assert claim.section.startswith("Title" if claim.key == "0" else f"Ch.{claim.key[0]}")
        texts = (
            claim.claim,
            claim.correct_fact,
            claim.source,
            claim.experiment,
            claim.testable_on,
        )
        assert all(text.strip() for text in texts), claim.id


def test_sections_are_numbered_through():
    for key in claims.sections():
        numbers = [int(claim.id.partition("-")[2]) for claim in claims.section(key)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert list(claims.sections())[:2] == ["0", "1.0"]
    assert len(claims.section("2.2")) == 14


def test_get_names_what_comes_near():
    assert claims.get("c2.2-04").key == "2.2"
    with pytest.raises(ClaimError, match=r"no claim '2\.2-04'; expected .*c2\.2-04"):
        claims.get("2.2-04")
    with pytest.raises(ClaimError, match=r"no claim 'zzz'; expected an id"):
        claims.get("zzz")


def test_an_unknown_section_names_the_known():
    with pytest.raises(ClaimError, match=r"no section '9'; expected one of 0, 1\.0, .*5\.5"):
        claims.section("9")


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        claims.claims()["c9.9-01"] = claims.get("c0-01")  # type: ignore[index]


def test_importing_is_light():
    code = "import sys, labkit.claims; labkit.claims.claims(); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_exported_is_there():
    assert claims.__all__ == sorted(claims.__all__)
    assert all(hasattr(claims, name) for name in claims.__all__)
