"""What a wake-up program printed: read strictly, counted rightly."""

import pytest

from labkit.bench import latency_summary, parse_wakeups
from labkit.errors import TuningError


def test_a_wake_up_may_be_early_and_its_numbers_stay_in_their_columns():
    run = parse_wakeups("-3 0 71\n1200 3 72\n")
    assert run.to_dict("list") == {"late_us": [-3, 1200], "cpu": [0, 3], "thread": [71, 72]}


@pytest.mark.parametrize("line", ["panic: no", "1 2", "1 2 3 4", "1.5 2 3", "", "1 -2 3"])
def test_the_line_that_is_no_wake_up_is_named(line):
    with pytest.raises(TuningError) as refused:
        parse_wakeups(f"1 0 7\n{line}\n2 0 7\n")
    assert refused.value.message == f"a wake-up reads {line!r}"


def test_a_program_that_printed_nothing_is_no_run():
    with pytest.raises(TuningError):
        parse_wakeups("")


def test_lateness_is_told_in_milliseconds_by_the_middle_the_tail_and_the_worst():
    hundred_and_one = "".join(f"{late}000 0 7\n" for late in range(101))
    row = latency_summary({"a": parse_wakeups(hundred_and_one)}).loc["a"]
    assert (row["p50"], row["p99"], row["max"]) == (50, 99, 100)


@pytest.mark.parametrize(("cpus", "changes"), [("0", 0), ("000", 0), ("0110", 2), ("0101", 3)])
def test_a_change_of_processor_is_one_between_a_wake_up_and_the_next(cpus, changes):
    run = parse_wakeups("".join(f"1 {cpu} 7\n" for cpu in cpus))
    assert latency_summary({"a": run}).loc["a", "CPU changes"] == changes


def test_runs_are_rows_in_their_order_and_know_nothing_of_each_other():
    still, moving = parse_wakeups("1 0 7\n1 0 7\n"), parse_wakeups("1 1 8\n1 2 9\n")
    table = latency_summary({"still": still, "moving": moving})
    assert list(table.index) == ["still", "moving"]
    assert list(table["CPU changes"]) == [0, 1]
    assert list(table["threads"]) == [1, 2]
