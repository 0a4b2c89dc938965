"""Where verdicts go: one line each, whole, whatever happens to the writers."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from labkit.claims import Verdict, ledger, read_verdicts
from labkit.errors import ClaimError


def _verdict(claim_id: str = "c1.1-04", evidence: str = "stlr x0, [x1]") -> Verdict:
    return Verdict(
        claim_id=claim_id,
        outcome="holds",
        evidence=evidence,
        needs="",
        kind="board",
        platform="debian-12",
        board="debian-12",
        emulated=True,
        version="1.2.3",
        time="2026-11-24T16:49:00+00:00",
        agrees=True,
    )


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    path = tmp_path / "results" / "verdicts.jsonl"
    monkeypatch.setenv(ledger.FILE_VARIABLE, str(path))
    ledger.forget()
    yield path
    ledger.forget()


def test_round_trip(file):
    given = [
        _verdict(),
        _verdict("c1.1-05", 'two\nlines, "quotes", \u2028 and Ünïcode <|>'),
    ]
    for verdict in given:
        ledger.record(verdict)
    assert read_verdicts(file) == given
    assert [json.loads(line) for line in file.read_text().split("\n")[:-1]] == [
        asdict(verdict) for verdict in given
    ]


def test_verdicts_make_a_frame(file):
    pandas = pytest.importorskip("pandas")
    ledger.record(_verdict())
    frame = pandas.DataFrame(read_verdicts(file))
    assert frame.loc[0, "platform"] == "debian-12"
    assert bool(frame.loc[0, "emulated"])


def test_memory_keeps_the_last_and_the_file_keeps_all(file):
    ledger.record(_verdict(evidence="first"))
    ledger.record(_verdict(evidence="second"))
    assert [verdict.evidence for verdict in ledger.verdicts().values()] == ["second"]
    assert [verdict.evidence for verdict in read_verdicts(file)] == ["first", "second"]


def test_without_the_variable_nothing_is_written(file, monkeypatch):
    monkeypatch.delenv(ledger.FILE_VARIABLE)
    ledger.record(_verdict())
    assert not file.exists()
    assert "c1.1-04" in ledger.verdicts()


@pytest.mark.parametrize("left", [1, 8, 60, 200])
def test_a_cut_off_last_line_costs_no_other_verdict(file, left):
    ledger.record(_verdict(evidence="whole"))
    with file.open("a") as handle:
        handle.write(json.dumps(asdict(_verdict(evidence="lost")))[:left])
    assert [verdict.evidence for verdict in read_verdicts(file)] == ["whole"]
    ledger.record(_verdict(evidence="after"))
    assert [verdict.evidence for verdict in read_verdicts(file)] == ["whole", "after"]


WRITER = """
import sys
from labkit.claims import Verdict, ledger
for n in range(200):
    ledger.record(Verdict("c1.1-04", "holds", sys.argv[1] * 5000 + str(n), "", "board",
                          "debian-12", sys.argv[1], True, "1", "t", True))
"""


def test_two_writers_do_not_mix(file):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for name in "ab":
        mine = [verdict.evidence for verdict in read_verdicts(file) if verdict.board == name]
        assert mine == [name * 5000 + str(n) for n in range(200)]


@pytest.mark.parametrize("text", ["id,claim\n", '{"claim_id": "c1.1-04"}\n', "[1]\n", "7\n"])
def test_another_file_is_named(file, text):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ClaimError, match=r"verdicts\.jsonl:1 is no verdict"):
        read_verdicts(file)


def test_no_file(file):
    with pytest.raises(ClaimError, match=r"verdicts\.jsonl cannot be read"):
        read_verdicts(file)


def test_an_unwritable_file_is_one_line_and_the_memory_keeps_the_verdict(monkeypatch):
    monkeypatch.setenv(ledger.FILE_VARIABLE, os.devnull + "/verdicts.jsonl")
    with pytest.raises(ClaimError, match="cannot be kept"):
        ledger.record(_verdict())
    assert "c1.1-04" in ledger.verdicts()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(monkeypatch):
    monkeypatch.setenv(ledger.FILE_VARIABLE, "/dev/full")
    with pytest.raises(ClaimError, match="No space left"):
        ledger.record(_verdict())
