"""The table of a run, on the terminal and in files."""

import csv

import pytest

from labkit.errors import GuideError
from labkit.guide import Progress, Row, Summary, shown

PASSED = Row("00-start-here", "passed", 9, 4.25, {"holds": 2, "fails": 1})
FAILED = Row("01/1.1-barriers", "failed", 4, 1.0, {}, "In [4] ValueError: a | b")
STOPPED = Row("01/1.2-counters", "stopped", 2, 1.0, {}, "Ctrl-C")
SKIPPED = Row("01/1.3-locks", "skipped")


def summary(directory, *rows):
    return Summary(
        "debian-12", "pi", True, "6.1.0", "0.1.0", "2026-11-24T18:00:00+00:00", directory, rows
    )


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([PASSED], 0),
        ([PASSED, FAILED], 1),
        ([FAILED, SKIPPED], 1),
        ([FAILED, STOPPED, SKIPPED], 130),
    ],
)
def test_exit_code(tmp_path, rows, code):
    assert summary(tmp_path, *rows).exit_code == code


def test_the_markdown_says_what_it_ran_on(tmp_path):
    (tmp_path / "00-start-here.ipynb").touch()
    summary(tmp_path, PASSED, FAILED, SKIPPED).write()
    text = (tmp_path / "summary.md").read_text()
    assert "debian-12 on pi, emulated: shape, not speed; kernel 6.1.0; labkit 0.1.0" in text
    assert "1 passed, 1 failed, 1 skipped in 5 s" in text
    start = "| [00-start-here](<00-start-here.ipynb>) | ✓ passed | 9 | 4.2 |"
    assert f"{start} 2 holds, 1 fails |  |" in text
    assert "In [4] ValueError: a \\| b |" in text
    assert "[01/1.1-barriers]" not in text, "a link to a file that is not there"


def test_the_csv_has_a_line_a_notebook_and_says_emulated_in_each(tmp_path):
    summary(tmp_path, PASSED, FAILED).write()
    with (tmp_path / "summary.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["notebook"], first["outcome"], first["holds"]) == (PASSED.notebook, "passed", "2")
    assert first["not testable here"] == "0"
    assert second["message"] == FAILED.message
    assert {first["emulated"], second["emulated"]} == {"True"}


def test_no_half_file_is_left(tmp_path):
    summary(tmp_path, PASSED).write()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["summary.csv", "summary.md"]


def test_a_dir_that_is_gone(tmp_path):
    with pytest.raises(GuideError, match=r"summary.md cannot be written.*--results"):
        summary(tmp_path / "gone", PASSED).write()


def test_the_table_ends_with_the_next_step(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "01").mkdir()
    (tmp_path / "01/1.1-barriers.ipynb").touch()
    summary(tmp_path, PASSED, FAILED).show()
    out = capsys.readouterr().out
    assert "01/1.1-barriers: In [4] ValueError: a | b\n" in out
    assert out.endswith("Read 01/1.1-barriers.ipynb\n")


def test_the_table_of_the_whole_guide_fits_on_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long = "01-foundations/1.3-preemption-and-pointers"
    counts = {"not testable here": 1, "fails": 41, "holds": 2}
    summary(tmp_path, Row(long, "passed", 43, 197.8, counts), PASSED).show()
    table = capsys.readouterr().out.splitlines()[:5]
    assert all(len(line.rstrip()) <= 80 for line in table)
    assert table[1].split() == ["notebook", "outcome", "cells", "seconds", "✓", "✗", "½", "?"]
    assert table[3].split() == [
        "1.3-preemption-and-pointers",
        "✓",
        "passed",
        "43",
        "197.8",
        "2",
        "41",
        "1",
    ]


def test_all_verdicts_of_a_run_are_added_up(tmp_path):
    other = Row("2.2", "passed", 3, 1, {"not testable here": 1, "holds": 4})
    both = summary(tmp_path, PASSED, other)
    assert both.judged == "8 verdicts: ✓ holds 6, ✗ fails 1, ? not testable here 1"
    assert summary(tmp_path, FAILED).judged == ""


def test_all_passed_leads_to_the_summary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert summary(tmp_path, PASSED).next_step == "Read summary.md"


def test_progress_in_plain_lines(capsys):
    with shown() as report:
        report(Progress("1.1", 1, 2))
        report(Progress("1.1", 1, 2, 1, 9))
        report(Progress("1.1", 1, 2, row=FAILED))
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] 1.1: preparing the board",
        "[1/2] ✗ failed 01/1.1-barriers: 4 cells, 1.0 s; In [4] ValueError: a | b",
    ]


def test_a_slow_notebook_says_where_it_is(capsys, monkeypatch):
    monkeypatch.setattr("labkit.guide.progress.BETWEEN_LINES", 0.0)
    with shown() as report:
        report(Progress("1.1", 1, 2))
        report(Progress("1.1", 1, 2, 3, 9))
    assert capsys.readouterr().err.splitlines()[1] == "[1/2] 1.1: cell 3 of 9, 0 s"


def test_progress_on_a_terminal_shows_text_as_it_is(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with shown() as report:
        report(Progress("1.1", 1, 2))
        report(Progress("1.1", 1, 2, 1, 9))
        report(Progress("1.1", 1, 2, row=FAILED))
    assert str(FAILED) in capsys.readouterr().err
