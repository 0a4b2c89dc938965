"""The score card: every claim of the section, its outcome, and a summary in one sentence."""

from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from labkit import claims
from labkit.claims import ledger
from labkit.errors import ClaimError

BOARD = SimpleNamespace(name="debian-12", platform="debian-12", emulated=True)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr("labkit.claims.judgement.version", lambda _: "1.2.3")
    monkeypatch.delenv(ledger.FILE_VARIABLE, raising=False)
    ledger.reset()
    yield
    ledger.reset()


def _judge_some_of_1_1() -> None:
    claims.judge("c1.1-01", BOARD, outcome="not testable here", needs="a multi-core Arm chip")
    claims.judge("c1.1-02", BOARD, outcome="partly", evidence="23 dmb <and> 215 | stlr")
    claims.judge("c1.1-03", BOARD, outcome="fails", evidence="intrinsics in 1.9 too")
    claims.judge("c1.1-04", BOARD, outcome="holds", evidence="stlr x0, [x1]")
    claims.cite("c1.1-05", source="Arm ARM B2", outcome="partly")


def test_nothing_judged_yet():
    card = claims.score_card("0")
    assert not card.complete
    assert card.summary == "Of 2 statements 2 are not judged yet."
    assert str(card).count("not judged yet") == 3


def test_the_sentence_counts():
    _judge_some_of_1_1()
    card = claims.score_card("1.1")
    assert not card.complete
    assert card.summary == (
        "Of 6 statements the board confirms 1, contradicts 1, finds 1 partly right, "
        "cannot test 1; documents find 1 partly right; 1 is not judged yet. "
        "Judged on debian-12 (emulated)."
    )
    claims.judge("c1.1-06", BOARD, outcome="fails", evidence="undefined: atomic.MemBarrier")
    assert claims.score_card("1.1").complete
    assert not card.complete  # a card is of its moment


def test_other_sections_do_not_count():
    _judge_some_of_1_1()
    assert claims.score_card("1.2").summary == "Of 6 statements 6 are not judged yet."


def test_plain_text_has_each_claim():
    _judge_some_of_1_1()
    text = str(claims.score_card("1.1"))
    for claim in claims.section("1.1"):
        assert claim.id in text
        assert claim.correct_fact in text
    assert "c1.1-03  ✗ fails: " in text
    assert "seen: It needs a multi-core Arm chip." in text


def test_the_frame():
    _judge_some_of_1_1()
    frame = claims.score_card("1.1").frame
    assert list(frame.columns[:5]) == [
        "id",
        "claim",
        "outcome",
        "evidence",
        "what is true",
    ]
    assert list(frame["id"]) == [claim.id for claim in claims.section("1.1")]
    assert list(frame["outcome"])[3:] == ["holds", "partly", "not judged yet"]
    assert frame.loc[3, "emulated"] is True
    assert frame.loc[5, "emulated"] is None


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("key", claims.sections())
def test_html(key):
    page = _Page(claims.score_card(key)._repr_html_())
    rows = len(claims.section(key))
    assert page.tags.count("tr") == rows + 1
    assert page.tags.count("td") == 5 * rows
    known = {
        "div",
        "table",
        "caption",
        "colgroup",
        "col",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert set(page.tags) <= known | {"code", "strong", "p"}
    for claim in claims.section(key):
        assert claim.correct_fact.replace("`", "") in page.text.replace("`", "")


def test_html_escapes_evidence_and_sets_no_colours():
    _judge_some_of_1_1()
    html = claims.score_card("1.1")._repr_html_()
    assert "23 dmb &lt;and&gt; 215 | stlr" in html
    assert "color" not in html
    assert "background" not in html


def test_a_contradiction_is_marked():
    with pytest.raises(ClaimError):
        claims.judge("c1.1-04", BOARD, outcome="fails", evidence="no stlr")
    assert "✗ fails, which contradicts the table" in claims.score_card("1.1")._repr_html_()


def test_an_unknown_section():
    with pytest.raises(ClaimError, match="no section"):
        claims.score_card("9.9")
