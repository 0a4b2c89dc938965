"""The file of verdicts: one complete line for each, whatever happens to the writers."""

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
    ledger.reset()
    yield path
    ledger.reset()


def test_round_trip(file):
    verdicts = [
        _verdict(),
        _verdict("c1.1-05", 'two\nlines, "quotes", \u2028 and Ünïcode <|>'),
    ]
    for verdict in verdicts:
        ledger.record(verdict)
    assert read_verdicts(file) == verdicts
    assert [json.loads(line) for line in file.read_text().split("\n")[:-1]] == [
        {"schema": ledger.SCHEMA, **asdict(verdict)} for verdict in verdicts
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
    ledger.record(_verdict(evidence="before"))
    with file.open("a") as handle:
        handle.write(json.dumps(asdict(_verdict(evidence="lost")))[:left])
    assert [verdict.evidence for verdict in read_verdicts(file)] == ["before"]
    ledger.record(_verdict(evidence="after"))
    assert [verdict.evidence for verdict in read_verdicts(file)] == ["before", "after"]


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
        evidence = [verdict.evidence for verdict in read_verdicts(file) if verdict.board == name]
        assert evidence == [name * 5000 + str(n) for n in range(200)]


@pytest.mark.parametrize("text", ["id,claim\n", '{"claim_id": "c1.1-04"}\n', "[1]\n", "7\n"])
def test_another_file_is_named(file, text):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ClaimError, match=r"verdicts\.jsonl:1 is not a verdict"):
        read_verdicts(file)


def _write_line(file, **changes):
    file.parent.mkdir(exist_ok=True)
    fields = {"schema": ledger.SCHEMA, **asdict(_verdict()), **changes}
    fields = {name: value for name, value in fields.items() if value is not None}
    with file.open("a") as handle:
        handle.write(json.dumps(fields) + "\n")


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": None},  # as labkit wrote lines at commit 6492e96
        {"schema": 99},
        {"schema": 99, "confidence": [0.9, {"unit": "none"}]},
        {"schema": "two"},
    ],
)
def test_an_older_or_newer_line_and_an_unknown_field_are_read(file, changes):
    _write_line(file, **changes)
    assert read_verdicts(file) == [_verdict()]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emulated": "yes"}, r"Expected `bool`, got `str` - at `\$\.emulated`"),
        ({"outcome": "maybe"}, r"Invalid enum value 'maybe' - at `\$\.outcome`"),
        ({"time": None}, "missing required field `time`"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_path(file, changes, message):
    _write_line(file)
    _write_line(file, **changes)
    with pytest.raises(
        ClaimError, match=rf"verdicts\.jsonl:2 is not a verdict: .*{message}"
    ) as error:
        read_verdicts(file)
    assert "\n" not in str(error.value)
    assert "labkit that wrote" not in str(error.value)


def test_a_wrong_value_of_a_newer_schema_says_so(file):
    _write_line(file, schema=2, outcome="undecided")
    with pytest.raises(ClaimError, match="Next: read it with the labkit that wrote schema 2"):
        read_verdicts(file)


def test_no_file(file):
    with pytest.raises(ClaimError, match=r"verdicts\.jsonl cannot be read"):
        read_verdicts(file)


def test_an_unwritable_file_is_one_line_and_the_memory_keeps_the_verdict(monkeypatch):
    monkeypatch.setenv(ledger.FILE_VARIABLE, os.devnull + "/verdicts.jsonl")
    with pytest.raises(ClaimError, match="cannot be written"):
        ledger.record(_verdict())
    assert "c1.1-04" in ledger.verdicts()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(monkeypatch):
    monkeypatch.setenv(ledger.FILE_VARIABLE, "/dev/full")
    with pytest.raises(ClaimError, match="No space left"):
        ledger.record(_verdict())
