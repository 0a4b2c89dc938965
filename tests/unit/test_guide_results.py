"""The results of a run in files: written, read back, and read from older and newer labkits."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from labkit.claims import Verdict
from labkit.errors import ClaimError, GuideError
from labkit.guide import Row, Summary, results

OLD = Path(__file__).parent / "data" / "6492e96" / "results"
"""Written by ``labkit run`` of commit 6492e96; without the notebooks and most of the verdicts."""

PASSED = Row("00-start-here", "passed", 9, 4.25, {"holds": 2, "fails": 1})
FAILED = Row("01/1.1-barriers", "failed", 4, 1.0, {}, "In [4] ValueError: a | b")
SKIPPED = Row("01/1.3-locks", "skipped")
VERDICT = Verdict(
    *("c1.1-04", "holds", "stlr", "", "board", "debian-12", "debian-12", True, "0.1.0", "t", True)
)


def summary(directory, *rows):
    return Summary(
        *("debian-12", "pi", True, "6.1.0", "0.1.0", "2026-11-24T18:00:00+00:00", directory),
        list(rows),
    )


def write_verdict(directory, notebook, **fields):
    path = results.verdicts_path(directory, notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**VERDICT.__dict__, **fields}) + "\n")


@pytest.fixture
def written(tmp_path):
    results.write(summary(tmp_path, PASSED, FAILED, SKIPPED))
    return tmp_path


@pytest.fixture
def old(tmp_path):
    """A copy of the old results."""
    return Path(shutil.copytree(OLD / "debian-12", tmp_path / "debian-12"))


def test_the_markdown_says_what_it_ran_on(tmp_path):
    (tmp_path / "00-start-here.ipynb").touch()
    results.write(summary(tmp_path, PASSED, FAILED, SKIPPED))
    text = (tmp_path / "summary.md").read_text()
    assert "debian-12 on pi, emulated: shape, not speed; kernel 6.1.0; labkit 0.1.0" in text
    assert "1 passed, 1 failed, 1 skipped in 5 s" in text
    start = "| [00-start-here](<00-start-here.ipynb>) | ✓ passed | 9 | 4.2 |"
    assert f"{start} 2 holds, 1 fails |  |" in text
    assert "In [4] ValueError: a \\| b |" in text
    assert "[01/1.1-barriers]" not in text, "a link to a file that is not there"


def test_the_csv_has_a_line_a_notebook_and_says_emulated_in_each(tmp_path):
    results.write(summary(tmp_path, PASSED, FAILED))
    with (tmp_path / "summary.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["notebook"], first["outcome"], first["holds"]) == (PASSED.notebook, "passed", "2")
    assert first["not testable here"] == "0"
    assert second["message"] == FAILED.message
    assert {first["emulated"], second["emulated"]} == {"True"}
    assert {first["schema"], second["schema"]} == {str(results.SCHEMA)}


def test_no_temporary_file_is_left(tmp_path):
    results.write(summary(tmp_path, PASSED))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["summary.csv", "summary.json", "summary.md"]


def test_a_dir_that_is_gone(tmp_path):
    with pytest.raises(GuideError, match=r"summary.json cannot be written.*--results"):
        results.write(summary(tmp_path / "gone", PASSED))


def test_round_trip(written):
    write_verdict(written, PASSED.notebook)
    write_verdict(written, SKIPPED.notebook)  # of an earlier run
    back = results.read(written)
    assert back.summary == summary(written, PASSED, FAILED, SKIPPED)
    assert back.verdicts == {
        PASSED.notebook: [VERDICT],
        FAILED.notebook: [],
        SKIPPED.notebook: [],
    }
    assert back.schema == results.SCHEMA


def test_the_table_alone_is_enough(written):
    (written / "summary.json").unlink()
    back = results.read(str(written))
    expected = summary(written, PASSED, FAILED, SKIPPED)
    assert back.summary.rows[0].seconds == pytest.approx(PASSED.seconds, abs=0.05)
    assert back.summary.rows[1:] == expected.rows[1:]
    assert back.summary.rows[0].verdicts == PASSED.verdicts
    assert back.summary.context == expected.context
    assert back.schema == results.SCHEMA


def test_results_of_6492e96_are_read(old):
    back = results.read(old)
    with (old / "summary.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert back.schema == 0
    assert back.summary.exit_code == 0
    assert (back.summary.platform, back.summary.emulated) == ("debian-12", True)
    assert back.summary.context in (old / "summary.md").read_text()
    assert back.summary.verdict_summary in (old / "summary.md").read_text()
    assert [row.notebook for row in back.summary.rows] == [line["notebook"] for line in lines]
    for row, line in zip(back.summary.rows, lines, strict=True):
        assert str(row.cells) == line["cells"]
        assert f"{row.seconds:.1f}" == line["seconds"]
        for outcome in ("holds", "fails", "partly", "not testable here"):
            assert row.verdicts.get(outcome, 0) == int(line[outcome])
        if results.verdicts_path(old, row.notebook).exists():
            verdicts = {verdict.claim_id: verdict for verdict in back.verdicts[row.notebook]}
            assert Counter(verdict.outcome for verdict in verdicts.values()) == row.verdicts
    assert [name for name, verdicts in back.verdicts.items() if verdicts] == [
        "01-foundations/1.2-cross-builds",
        "02-environment/2.2-kernel-and-system",
        "04-verification/4.3-systemd-units",
    ]
    kernel = back.verdicts["02-environment/2.2-kernel-and-system"]
    assert {verdict.claim_id for verdict in kernel} >= {"c2.2-01", "c2.2-04"}
    assert all(verdict.agrees and verdict.emulated for verdict in kernel)


def test_unknown_fields_and_a_newer_schema_are_no_error(written):
    path = written / "summary.json"
    fields = json.loads(path.read_text())
    fields |= {"schema": 99, "machine": {"cores": 2}}
    fields["rows"][0]["retries"] = 1
    path.write_text(json.dumps(fields))
    write_verdict(written, PASSED.notebook, schema=99, confidence=0.9)
    back = results.read(written)
    assert back.summary == summary(written, PASSED, FAILED, SKIPPED)
    assert back.verdicts[PASSED.notebook] == [VERDICT]
    assert back.schema == 99


def test_an_unknown_column_is_no_error(old):
    path = old / "summary.csv"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([f"{first},retries", *(f"{line},0" for line in rest)]))
    assert results.read(old).summary.exit_code == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:100], r"summary\.json:\d+ is not a summary of a run: \w"),
        (lambda text: "", r"summary\.json:1 is not a summary"),
        (lambda text: "[]", r"summary\.json is not a summary .*Expected `object`, got `array`"),
        (
            lambda text: text.replace('"cells": 4', '"cells": "four"'),
            r"json is not a summary .*Expected `int`, got `str` - at `\$\.rows\[1\]\.cells`",
        ),
        (
            lambda text: text.replace('"passed"', '"lost"').replace('"schema": 1', '"schema": 7'),
            r"'lost' - at `\$\.rows\[0\]\.outcome`; .*with the labkit that wrote schema 7",
        ),
    ],
)
def test_a_damaged_summary_is_one_line(written, change, message):
    path = written / "summary.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(GuideError, match=message) as error:
        results.read(written)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", r"summary\.csv is not a summary of a run: no rows"),
        (lambda text: text.replace(",seconds,", ",time,"), r"csv:2 .*missing .*`seconds`"),
        (lambda text: text.replace(",39.2,0,", ",39.2,none,"), r"csv:2 .*`int`.* at `\$\.holds`"),
        (lambda text: text.replace(",True,", ",maybe,"), "Expected `bool`, got `str`"),
        (
            lambda text: text.replace(",passed,", ",lost,"),
            r"csv:2 is not .*'lost' - at `\$\.outcome`",
        ),
        (
            lambda text: text[:-40],
            r"summary\.csv:14 is not .*Expected `str`, got `null` - at `\$\.",
        ),
        (lambda text: text + "\0", r"summary\.csv:15 is not"),
    ],
)
def test_a_damaged_table_is_one_line(old, change, message):
    path = old / "summary.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(GuideError, match=message) as error:
        results.read(old)
    assert "\n" not in str(error.value)


def test_a_damaged_verdict_is_named_with_its_line(old):
    path = results.verdicts_path(old, "02-environment/2.2-kernel-and-system")
    path.write_text(path.read_text() + "no JSON\n")
    lines = path.read_text().count("\n")
    with pytest.raises(ClaimError, match=rf"verdicts\.jsonl:{lines} is not a verdict"):
        results.read(old)


def test_a_directory_without_a_summary(tmp_path):
    with pytest.raises(GuideError, match=r"no summary in .*; expected .*/results/debian-12$"):
        results.read(OLD)
    with pytest.raises(GuideError, match="expected a directory that labkit run wrote"):
        results.read(tmp_path / "none")
