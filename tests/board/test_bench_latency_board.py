"""The wake-up program of notebook 3.3 on a live board: what its words really do."""

from pathlib import Path

import nbformat
import pytest

from labkit import golang
from labkit.bench import latency_summary, parse_wakeups
from labkit.tuning import CpuSet

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03-runtime" / "3.3-real-time.ipynb"
# Once it is urgent, a moment for its other threads to come.
URGENT = "until ps -L -o cls= -p $! | grep -q FF; do :; done; sleep 1"
POLICIES = f"{URGENT}; ps -L -o cls=,rtprio= -p $!"


@pytest.fixture(scope="module")
def program(board):
    """The program as the notebook shows it, shipped."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (source,) = (each.source for each in cells if "--binary wake" in each.source)
    return golang.ship(board, golang.build(source.partition("\n")[2], name="wake"))


@pytest.fixture
def wake(board, program):
    def wake(words="", before=""):
        line = f"{before} {program} {words} -count 40"
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


@pytest.mark.parametrize("way", ["sleep", "clock"])
def test_no_way_of_waiting_wakes_before_its_moment(wake, way):
    run = wake(f"-lock -wait {way}")
    assert len(run) == 40
    assert run["late_us"].min() >= 0


def test_the_words_fifo_and_chrt_make_one_thread_urgent_and_all_of_them(board, program):
    """The notebook rests on it: a goroutine's sleep is another thread's business."""

    def policies(line):
        run = f"{line} -count 3000 >/dev/null & {POLICIES}; kill $!"
        return [thread.split() for thread in board.check(run, sudo=True).lines]

    one = policies(f"{program} -lock -fifo 80")
    assert one.count(["FF", "80"]) == 1
    assert len(one) > 1
    every = policies(f"chrt -f 80 {program} -lock")
    assert every.count(["FF", "80"]) == len(every) > 1
