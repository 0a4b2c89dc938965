"""The wake-up program of notebook 3.3 on a live board: the effect of each of its options."""

from pathlib import Path

import nbformat
import pytest

from labkit import golang
from labkit.bench import latency_summary, parse_wakeups
from labkit.tuning import CpuSet

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03-runtime" / "3.3-real-time.ipynb"
# Wait until one thread is in the class FF, then for the program's other threads to start.
WAIT_FOR_FIFO = "until ps -L -o cls= -p $! | grep -q FF; do :; done; sleep 1"
POLICIES = f"{WAIT_FOR_FIFO}; ps -L -o cls=,rtprio= -p $!"


@pytest.fixture(scope="module")
def program(board):
    """The path on the board of the program that the notebook shows."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (source,) = (cell.source for cell in cells if "--binary wake" in cell.source)
    return golang.upload(board, golang.build(source.partition("\n")[2], name="wake"))


@pytest.fixture
def wake(board, program):
    """A function that runs the program with some options and parses its wake-ups."""

    def wake(options="", before=""):
        line = f"{before} {program} {options} -count 40"
        return parse_wakeups(board.check(line, sudo=True).stdout)

    return wake


def test_a_locked_goroutine_has_one_thread_and_with_a_mask_one_processor(board, wake):
    last = board.facts.cpus - 1
    run = wake(f"-lock -mask {1 << last}")
    assert set(run["cpu"]) == {last}
    row = latency_summary({"a": run}).loc["a"]
    assert (row["CPU changes"], row["CPUs"], row["threads"]) == (0, 1, 1)


def test_a_group_confines_the_threads_of_a_program_that_locks_nothing(board, wake):
    with CpuSet(board, "test", [0]) as group:
        run = wake(before=f"echo $$ >{group.path}/cgroup.procs; exec")
    assert set(run["cpu"]) == {0}


@pytest.mark.parametrize("method", ["sleep", "clock"])
def test_no_method_of_waiting_wakes_before_its_time(wake, method):
    run = wake(f"-lock -wait {method}")
    assert len(run) == 40
    assert run["late_us"].min() >= 0


def test_the_option_fifo_sets_the_policy_of_one_thread_and_chrt_that_of_all(board, program):
    """The notebook relies on it: another thread than the sleeper's wakes a goroutine."""

    def policies(line):
        run = f"{line} -count 3000 >/dev/null & {POLICIES}; kill $!"
        return [thread.split() for thread in board.check(run, sudo=True).lines]

    one = policies(f"{program} -lock -fifo 80")
    assert one.count(["FF", "80"]) == 1
    assert len(one) > 1
    every = policies(f"chrt -f 80 {program} -lock")
    assert every.count(["FF", "80"]) == len(every) > 1
