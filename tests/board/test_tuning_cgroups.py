"""A group with processors of its own on a live board, and the tree as it was after it."""

from dataclasses import replace

import pytest

from labkit.errors import ChangeRejected, TuningError, UndoFailed
from labkit.tuning import CpuSet

TREE = "cat /sys/fs/cgroup/cgroup.subtree_control; ls -d /sys/fs/cgroup/*/ /var/lib/labkit; :"
UNIT = "labkit-probe"


@pytest.fixture(autouse=True)
def left_alone(board):
    before = board.check(TREE).stdout
    yield
    assert board.check(TREE).stdout == before


@pytest.fixture
def unit(board):
    """Start a unit of systemd's with a processor of its own; it is stopped at the end."""
    yield lambda: board.check("systemd-run -u %s -p AllowedCPUs=0 sleep 300", UNIT, sudo=True)
    board.check("systemctl stop %s; systemctl daemon-reload", UNIT, sudo=True)


def allowed(board, process):
    return board.check("grep Cpus_allowed_list /proc/%s/status", process).stdout.split()[-1]


def test_what_a_process_in_the_group_starts_is_confined_and_nobody_else(board):
    everyone = allowed(board, 1)
    with CpuSet(board, "test", [1]) as group:
        inside = "echo $$ >%s/cgroup.procs; sh -c 'grep Cpus_allowed_list /proc/self/status'"
        assert board.check(inside, group.path, sudo=True).stdout.split()[-1] == "1"
        assert allowed(board, 1) == everyone


@pytest.mark.parametrize("partition", ["root", "isolated"])
def test_a_partition_takes_its_processors_from_everybody_else_until_it_is_undone(board, partition):
    everyone = allowed(board, 1)
    with CpuSet(board, "test", [1], partition=partition):
        assert allowed(board, 1) == "0"
    assert allowed(board, 1) == everyone


@pytest.mark.parametrize("partition", ["root", "isolated"])
def test_a_partition_of_all_processors_is_refused_in_the_kernels_own_words(board, partition):
    cpus = range(board.facts.cpus)
    with pytest.raises(ChangeRejected, match=rf"reports '{partition} invalid \(Parent unable"):
        CpuSet(board, "test", cpus, partition=partition).apply()


def test_the_members_of_a_group_that_is_undone_live_on_in_the_root_group(board):
    change = CpuSet(board, "test", [1], partition="isolated").apply()
    # They start others all the time: some are there only after the list was read.
    forks = "for i in 1 2 3 4 5 6; do while :; do /bin/true & /bin/true & wait; done & done; wait"
    begin = f"echo $$ >{change.path}/cgroup.procs; echo $$ $PPID >/run/forks; {forks}"
    board.check(f"timeout 100 sh -c '{begin}' >/dev/null 2>&1 & sleep 1", sudo=True)
    process, timeout = board.read("/run/forks").split()
    try:
        assert allowed(board, process) == "1"
        change.undo()
        assert board.read(f"/proc/{process}/cgroup") == "0::/\n"
        assert allowed(board, process) == allowed(board, 1)
    finally:
        board.run("kill %s; rm /run/forks", timeout, sudo=True)
        change.undo()


def test_a_group_is_not_undone_from_under_one_that_was_made_after_it(board):
    first, second = CpuSet(board, "first", [0]).apply(), CpuSet(board, "second", [1]).apply()
    try:
        with pytest.raises(UndoFailed, match="undone before: cgroup labkit-second"):
            first.undo()
        assert second.current() == {"cpus": "1", "partition": "member"}
    finally:
        second.undo()
        first.undo()


def test_a_unit_that_came_meanwhile_keeps_its_processors_when_the_group_goes(board, unit):
    with CpuSet(board, "test", [1]):
        unit()
    its = f"/sys/fs/cgroup/system.slice/{UNIT}.service/cpuset.cpus"
    assert board.read(its).strip() == "0"
    assert board.run("ls -d /sys/fs/cgroup/labkit*").stdout == ""


def test_systemd_takes_the_set_away_when_it_reloads_and_the_undo_still_finds_its_way(board):
    with CpuSet(board, "test", [1]) as group:
        board.check("systemctl daemon-reload", sudo=True)
        assert group.current() == {}


def test_a_processor_that_is_not_there_is_not_taken(board):
    with pytest.raises(ChangeRejected):
        CpuSet(board, "test", [99]).apply()


def test_a_board_without_the_controller_is_told_so_in_one_line(board, monkeypatch):
    without = replace(board.facts, cgroup_controllers=("memory", "pids"))
    monkeypatch.setitem(board.__dict__, "facts", without)
    with pytest.raises(TuningError, match="no cpuset controller; expected cpuset in /sys"):
        CpuSet(board, "test", [1]).apply()
