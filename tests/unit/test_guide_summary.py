"""The summary of a run: the table on the terminal, and the progress."""

import pytest

from labkit.guide import Progress, Row, Summary, progress_display

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
    assert both.verdict_summary == "8 verdicts: ✓ holds 6, ✗ fails 1, ? not testable here 1"
    assert summary(tmp_path, FAILED).verdict_summary == ""


def test_all_passed_leads_to_the_summary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert summary(tmp_path, PASSED).next_step == "Read summary.md"


def test_progress_in_plain_lines(capsys):
    with progress_display() as on_progress:
        on_progress(Progress("1.1", 1, 2))
        on_progress(Progress("1.1", 1, 2, 1, 9))
        on_progress(Progress("1.1", 1, 2, row=FAILED))
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] 1.1: preparing the board",
        "[1/2] ✗ failed 01/1.1-barriers: 4 cells, 1.0 s; In [4] ValueError: a | b",
    ]


def test_a_slow_notebook_says_where_it_is(capsys, monkeypatch):
    monkeypatch.setattr("labkit.guide.progress.LINE_INTERVAL", 0.0)
    with progress_display() as on_progress:
        on_progress(Progress("1.1", 1, 2))
        on_progress(Progress("1.1", 1, 2, 3, 9))
    assert capsys.readouterr().err.splitlines()[1] == "[1/2] 1.1: cell 3 of 9, 0 s"


def test_progress_on_a_terminal_shows_text_as_it_is(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress_display() as on_progress:
        on_progress(Progress("1.1", 1, 2))
        on_progress(Progress("1.1", 1, 2, 1, 9))
        on_progress(Progress("1.1", 1, 2, row=FAILED))
    assert str(FAILED) in capsys.readouterr().err
