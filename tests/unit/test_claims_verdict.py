"""Judging and citing: which calls are good, what a verdict says, what contradicts the table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from labkit import claims
from labkit.claims import ledger
from labkit.claims.verdict import compatible_outcomes, one_line, prose
from labkit.errors import ClaimError

# One claim of each standing.
STANDINGS = {
    standing: next(claim.id for claim in claims.claims().values() if claim.verdict == standing)
    for standing in (
        "TRUE",
        "FALSE",
        "PARTLY",
        "OUTDATED",
        "UNTESTABLE-HERE",
        "HARDWARE-DEPENDENT",
    )
}
CALLS = {
    "holds": {"holds": True},
    "fails": {"holds": False},
    "partly": {"partly": True},
}
CONTRADICTIONS = {
    ("TRUE", "fails"),
    ("FALSE", "holds"),
    ("PARTLY", "holds"),
    ("PARTLY", "fails"),
    ("OUTDATED", "holds"),
}


@dataclass
class Stand:
    """What a verdict must know of a board."""

    name: str = "debian-12"
    platform: str = "debian-12"
    emulated: bool = True


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr("labkit.claims.judgement.version", lambda _: "1.2.3")
    monkeypatch.delenv(ledger.FILE_VARIABLE, raising=False)
    ledger.forget()
    yield
    ledger.forget()


@pytest.mark.parametrize("outcome", CALLS)
@pytest.mark.parametrize("standing", STANDINGS)
def test_outcomes_against_the_table(standing, outcome):
    claim_id = STANDINGS[standing]
    if (standing, outcome) in CONTRADICTIONS:
        with pytest.raises(ClaimError, match=f"contradicts the table: it says {standing}"):
            claims.judge(claim_id, Stand(), evidence="seen", **CALLS[outcome])
        kept = ledger.verdicts()[claim_id]  # noted before the error
        assert (kept.outcome, kept.evidence, kept.agrees) == (outcome, "seen", False)
    else:
        verdict = claims.judge(claim_id, Stand(), evidence="seen", **CALLS[outcome])
        assert (verdict.outcome, verdict.agrees) == (outcome, True)
        assert ledger.verdicts()[claim_id] is verdict


@pytest.mark.parametrize("standing", STANDINGS)
def test_not_being_able_to_test_never_contradicts(standing):
    verdict = claims.judge(STANDINGS[standing], Stand(), needs="a real Raspberry Pi 5")
    assert (verdict.outcome, verdict.agrees) == ("not testable here", True)
    assert verdict.grounds == "It needs a real Raspberry Pi 5."
    assert "not testable here" in compatible_outcomes(standing)


def test_a_verdict_carries_its_circumstances():
    before = datetime.now(UTC).replace(microsecond=0)
    verdict = claims.judge(STANDINGS["TRUE"], Stand(name="lab-pi"), holds=True, evidence=" yes\n")
    assert (verdict.board, verdict.platform, verdict.emulated) == (
        "lab-pi",
        "debian-12",
        True,
    )
    assert (verdict.evidence, verdict.kind, verdict.version) == (
        "yes",
        "board",
        "1.2.3",
    )
    assert before <= datetime.fromisoformat(verdict.time) <= datetime.now(UTC)
    assert verdict.time.endswith("+00:00")


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ({"evidence": "x"}, "no outcome; expected exactly one of holds="),
        ({"evidence": "x", "holds": None, "partly": False}, "no outcome"),
        ({"evidence": "x", "holds": True, "partly": True}, "2 outcomes"),
        ({"evidence": "x", "holds": False, "needs": "a Pi"}, "2 outcomes"),
        ({"evidence": "x", "partly": True, "needs": "a Pi"}, "2 outcomes"),
        ({"evidence": "x", "holds": "no"}, "holds='no'; expected True or False"),
        ({"evidence": "x", "holds": float("nan")}, "holds=nan"),
        ({"evidence": "x", "partly": 1}, "partly=1"),
        ({"evidence": " ", "holds": True}, "no evidence"),
        ({"partly": True}, "no evidence"),
    ],
)
def test_misuse_of_judge(call, found):
    with pytest.raises(ClaimError) as caught:
        claims.judge("c1.1-04", Stand(), **call)
    assert f"c1.1-04 is given {found}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not ledger.verdicts()


def test_numpy_booleans_and_things_that_show_themselves_as_text_are_good():
    numpy = pytest.importorskip("numpy")
    verdict = claims.judge("c1.1-04", Stand(), holds=numpy.bool_(True), evidence=373)
    assert (verdict.outcome, verdict.evidence) == ("holds", "373")


def test_an_unknown_claim_cannot_be_judged():
    with pytest.raises(ClaimError, match="no claim"):
        claims.judge("c1.1-99", Stand(), holds=True, evidence="x")


def test_a_contradiction_is_one_line_however_long_the_evidence():
    with pytest.raises(ClaimError) as caught:
        claims.judge(STANDINGS["TRUE"], Stand(), holds=False, evidence="line\n" * 100)
    assert "\n" not in str(caught.value)
    assert "expected holds or partly. Next: " in str(caught.value)


def test_citing_a_document():
    verdict = claims.cite("c1.0-05", source="go.dev/doc/go1.5", outcome="fails")
    assert (verdict.kind, verdict.board, verdict.emulated) == ("document", "", False)
    assert verdict.evidence == "go.dev/doc/go1.5"
    assert str(verdict) == "c1.0-05 ✗ fails, by document: go.dev/doc/go1.5"
    with pytest.raises(ClaimError, match="contradicts the table"):
        claims.cite("c1.0-05", source="a rumour", outcome="holds")


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (
            {"source": "x", "outcome": "true"},
            "the outcome 'true'; expected one of holds, ",
        ),
        ({"source": " ", "outcome": "fails"}, "no source"),
        ({"source": "x", "outcome": "fails", "needs": "a Pi"}, "needs="),
        ({"source": "x", "outcome": "not testable here"}, "needs=''"),
    ],
)
def test_misuse_of_cite(call, found):
    with pytest.raises(ClaimError) as caught:
        claims.cite("c1.0-05", **call)
    assert found in str(caught.value)
    assert not ledger.verdicts()


class _Tags(HTMLParser):
    """Checks that tags close in order, and gathers what is shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag != "col":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_every_claim_shows_as_sound_html():
    for claim in claims.claims().values():
        verdict = claims.judge(claim.id, Stand(name="<b>board</b>"), needs="<script>x</script>")
        shown = _Tags(verdict._repr_html_())
        assert shown.seen <= {"div", "code", "q", "strong", "em"}, claim.id
        for text in (claim.claim, claim.correct_fact):
            assert text.replace("`", "") in shown.text.replace("`", ""), claim.id
        assert "<script>x</script>" in shown.text
        assert "? not testable here, on <b>board</b> (emulated)" in shown.text


def test_a_card_takes_the_colours_of_its_page():
    html = claims.judge("c1.1-04", Stand(), holds=True, evidence="$HOME and $PATH")._repr_html_()
    assert "background" not in html
    assert "#" not in html
    assert "color:" not in html.replace("currentColor", "").replace("border-color:", "")
    assert "mathjax_ignore" in html


def test_a_contradiction_shows():
    with pytest.raises(ClaimError):
        claims.judge("c1.1-04", Stand(), holds=False, evidence="no stlr")
    verdict = ledger.verdicts()["c1.1-04"]
    assert "✗ fails, which contradicts the table" in verdict._repr_html_()
    assert "which contradicts the table" in str(verdict)


def test_text_helpers():
    assert one_line("a\n  b") == "a b"
    assert one_line("x" * 500, 10) == "x" * 9 + "…"
    assert prose("a < `b | c` & `d") == "a &lt; <code>b | c</code> &amp; `d"
