"""The output of a wake-up program: parsed strictly, summarized rightly."""

import pytest

from labkit.bench import latency_summary, parse_wakeups
from labkit.errors import BenchError


def test_a_wake_up_may_be_early_and_its_numbers_stay_in_their_columns():
    run = parse_wakeups("-3 0 71\n1200 3 72\n")
    assert run.to_dict("list") == {"late_us": [-3, 1200], "cpu": [0, 3], "thread": [71, 72]}


@pytest.mark.parametrize("line", ["panic: no", "1 2", "1 2 3 4", "1.5 2 3", "", "1 -2 3"])
def test_an_error_quotes_the_line_that_is_no_wake_up(line):
    with pytest.raises(BenchError) as error:
        parse_wakeups(f"1 0 7\n{line}\n2 0 7\n")
    assert error.value.message == f"a wake-up line is {line!r}"


@pytest.mark.parametrize("text", ["", "panic: no", "1 2\n"])
def test_an_output_without_wake_ups_is_refused(text):
    with pytest.raises(BenchError):
        parse_wakeups(text)


def test_lateness_is_summarized_in_milliseconds_by_median_tail_and_maximum():
    output = "".join(f"{late}000 0 7\n" for late in range(101))
    row = latency_summary({"a": parse_wakeups(output)}).loc["a"]
    assert (row["p50"], row["p99"], row["max"]) == (50, 99, 100)


def test_a_summary_counts_processors_threads_and_changes_of_processor():
    run = parse_wakeups("1000 0 7\n2000 1 7\n3000 1 8\n4000 0 8\n")
    row = latency_summary({"a": run}).loc["a"]
    assert (row["p50"], row["max"]) == (2.5, 4.0)
    assert (row["CPU changes"], row["CPUs"], row["threads"]) == (2, 2, 2)


@pytest.mark.parametrize(("cpus", "changes"), [("0", 0), ("000", 0), ("0110", 2), ("0101", 3)])
def test_a_change_of_processor_is_one_between_a_wake_up_and_the_next(cpus, changes):
    run = parse_wakeups("".join(f"1 {cpu} 7\n" for cpu in cpus))
    assert latency_summary({"a": run}).loc["a", "CPU changes"] == changes


def test_a_summary_has_the_runs_in_their_order_and_keeps_them_apart():
    still, moving = parse_wakeups("1 0 7\n1 0 7\n"), parse_wakeups("1 1 8\n1 2 9\n")
    table = latency_summary({"still": still, "moving": moving})
    assert list(table.index) == ["still", "moving"]
    assert list(table["CPU changes"]) == [0, 1]
    assert list(table["threads"]) == [1, 2]
