"""Judging and citing: valid calls, the text of a verdict, contradictions to the table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from labkit import claims
from labkit.claims import ledger
from labkit.claims.verdict import compatible_outcomes, one_line, prose
from labkit.errors import ClaimError

# One claim of each rating.
RATINGS = {
    rating: next(claim.id for claim in claims.claims().values() if claim.verdict == rating)
    for rating in (
        "TRUE",
        "FALSE",
        "PARTLY",
        "OUTDATED",
        "UNTESTABLE-HERE",
        "HARDWARE-DEPENDENT",
    )
}
DECIDED = ("holds", "fails", "partly")
CONTRADICTIONS = {
    ("TRUE", "fails"),
    ("FALSE", "holds"),
    ("PARTLY", "holds"),
    ("PARTLY", "fails"),
    ("OUTDATED", "holds"),
}


@dataclass
class StubBoard:
    """What a verdict records about a board."""

    name: str = "debian-12"
    platform: str = "debian-12"
    emulated: bool = True


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr("labkit.claims.judgement.version", lambda _: "1.2.3")
    monkeypatch.delenv(ledger.FILE_VARIABLE, raising=False)
    ledger.reset()
    yield
    ledger.reset()


@pytest.mark.parametrize("outcome", DECIDED)
@pytest.mark.parametrize("rating", RATINGS)
def test_outcomes_against_the_table(rating, outcome):
    claim_id = RATINGS[rating]
    if (rating, outcome) in CONTRADICTIONS:
        with pytest.raises(ClaimError, match=f"contradicts the table: it says {rating}"):
            claims.judge(claim_id, StubBoard(), outcome=outcome, evidence="seen")
        verdict = ledger.verdicts()[claim_id]  # recorded before the error
        assert (verdict.outcome, verdict.evidence, verdict.agrees) == (outcome, "seen", False)
    else:
        verdict = claims.judge(claim_id, StubBoard(), outcome=outcome, evidence="seen")
        assert (verdict.outcome, verdict.agrees) == (outcome, True)
        assert ledger.verdicts()[claim_id] is verdict


@pytest.mark.parametrize("rating", RATINGS)
def test_not_being_able_to_test_never_contradicts(rating):
    verdict = claims.judge(
        RATINGS[rating], StubBoard(), outcome="not testable here", needs="a real Raspberry Pi 5"
    )
    assert (verdict.outcome, verdict.agrees) == ("not testable here", True)
    assert verdict.rationale == "It needs a real Raspberry Pi 5."
    assert "not testable here" in compatible_outcomes(rating)


def test_a_verdict_carries_its_circumstances():
    before = datetime.now(UTC).replace(microsecond=0)
    verdict = claims.judge(
        RATINGS["TRUE"], StubBoard(name="lab-pi"), outcome="holds", evidence=" yes\n"
    )
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
    ("call", "message"),
    [
        (("true", {"evidence": "x"}), "the outcome 'true'; expected one of holds, "),
        ((None, {"evidence": "x"}), "the outcome None; expected one of holds, "),
        ((True, {"evidence": "x"}), "the outcome True; expected one of holds, "),
        ((float("nan"), {"evidence": "x"}), "the outcome nan; expected one of holds, "),
        ((["holds"], {"evidence": "x"}), "the outcome ['holds']; expected one of holds, "),
        (("fails", {"evidence": "x", "needs": "a Pi"}), "the outcome 'fails' with needs='a Pi'"),
        (("partly", {"evidence": "x", "needs": "a Pi"}), "the outcome 'partly' with needs="),
        (("not testable here", {"evidence": "x"}), "the outcome 'not testable here' with needs=''"),
        (("not testable here", {"needs": " "}), "the outcome 'not testable here' with needs=' '"),
        (("holds", {"evidence": " "}), "no evidence"),
        (("partly", {}), "no evidence"),
    ],
)
def test_misuse_of_judge(call, message):
    outcome, arguments = call
    with pytest.raises(ClaimError) as caught:
        claims.judge("c1.1-04", StubBoard(), outcome=outcome, **arguments)
    assert f"c1.1-04 is given {message}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not ledger.verdicts()


def test_a_bool_says_how_to_write_an_outcome():
    with pytest.raises(ClaimError, match=r'Next: outcome="holds" if condition else "fails"'):
        claims.judge("c1.1-04", StubBoard(), outcome=True, evidence="x")


def test_an_outcome_is_always_given_and_the_old_arguments_are_gone():
    with pytest.raises(TypeError, match="outcome"):
        claims.judge("c1.1-04", StubBoard(), evidence="x")
    with pytest.raises(TypeError, match="holds"):
        claims.judge("c1.1-04", StubBoard(), holds=True, evidence="x")


def test_numpy_strings_and_evidence_of_any_type_are_good():
    numpy = pytest.importorskip("numpy")
    verdict = claims.judge("c1.1-04", StubBoard(), outcome=numpy.str_("holds"), evidence=373)
    assert (verdict.outcome, verdict.evidence) == ("holds", "373")


def test_an_unknown_claim_cannot_be_judged():
    with pytest.raises(ClaimError, match="no claim"):
        claims.judge("c1.1-99", StubBoard(), outcome="holds", evidence="x")


def test_a_contradiction_is_one_line_however_long_the_evidence():
    with pytest.raises(ClaimError) as caught:
        claims.judge(RATINGS["TRUE"], StubBoard(), outcome="fails", evidence="line\n" * 100)
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
    ("call", "message"),
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
def test_misuse_of_cite(call, message):
    with pytest.raises(ClaimError) as caught:
        claims.cite("c1.0-05", **call)
    assert message in str(caught.value)
    assert not ledger.verdicts()


class _Tags(HTMLParser):
    """Checks that tags close in order, and collects the tags and the displayed text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag != "col":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_every_claim_shows_as_sound_html():
    for claim in claims.claims().values():
        verdict = claims.judge(
            claim.id,
            StubBoard(name="<b>board</b>"),
            outcome="not testable here",
            needs="<script>x</script>",
        )
        page = _Tags(verdict._repr_html_())
        assert page.tags <= {"div", "code", "q", "strong", "em"}, claim.id
        for text in (claim.claim, claim.correct_fact):
            assert text.replace("`", "") in page.text.replace("`", ""), claim.id
        assert "<script>x</script>" in page.text
        assert "? not testable here, on <b>board</b> (emulated)" in page.text


def test_a_card_takes_the_colours_of_its_page():
    verdict = claims.judge("c1.1-04", StubBoard(), outcome="holds", evidence="$HOME and $PATH")
    html = verdict._repr_html_()
    assert "background" not in html
    assert "#" not in html
    assert "color:" not in html.replace("currentColor", "").replace("border-color:", "")
    assert "mathjax_ignore" in html


def test_a_contradiction_shows():
    with pytest.raises(ClaimError):
        claims.judge("c1.1-04", StubBoard(), outcome="fails", evidence="no stlr")
    verdict = ledger.verdicts()["c1.1-04"]
    assert "✗ fails, which contradicts the table" in verdict._repr_html_()
    assert "which contradicts the table" in str(verdict)


def test_text_helpers():
    assert one_line("a\n  b") == "a b"
    assert one_line("x" * 500, 10) == "x" * 9 + "…"
    assert prose("a < `b | c` & `d") == "a &lt; <code>b | c</code> &amp; `d"
