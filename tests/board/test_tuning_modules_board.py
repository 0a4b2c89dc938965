"""Kernel modules and empty cgroups on a live board: loaded or made, and gone again."""

import pytest

from labkit.errors import ChangeRejected, TuningError
from labkit.tuning import Cgroup, KernelModule, journal

LOADED = "grep '^dummy ' /proc/modules"
COPY = "/tmp/labkit-module.ko"


@pytest.fixture(autouse=True)
def nothing_stays(board):
    yield
    assert not board.run(LOADED).ok
    assert not board.run("[ -e /var/lib/labkit ]").ok


@pytest.fixture
def copy(board):
    """A copy of the module's file under another name."""
    file = "$(/sbin/modinfo -n dummy)"
    board.check(f"case {file} in *.xz) xz -dc {file} ;; *) cat {file} ;; esac >{COPY}")
    yield COPY
    board.check(f"rm {COPY}")


def test_a_module_is_loaded_with_its_parameters_and_unloaded(board):
    with KernelModule(board, "dummy", numdummies=3) as change:
        assert board.run(LOADED).ok
        assert board.check("ls -d /sys/class/net/dummy*").lines[-1].endswith("/dummy2")
        assert change.read_back()["taken"].all()


def test_a_module_comes_from_a_file_whose_name_is_another_one(board, copy):
    with KernelModule(board, copy, numdummies=0) as change:
        assert change.current() == {"dummy": "loaded"}


def test_a_module_that_was_loaded_before_stays_loaded(board):
    board.check("modprobe dummy numdummies=0", sudo=True)
    with KernelModule(board, "dummy"):
        assert board.run(LOADED).ok
    assert board.run(LOADED).ok
    board.check("modprobe -r dummy", sudo=True)


def test_a_module_that_the_kernel_refuses_is_rejected_with_its_reason(board, copy):
    board.check("sed -i 's/ SMP / smp /' %s", copy)
    with pytest.raises(ChangeRejected, match=f"refuses kernel module {copy}: .*: [A-Z].* "):
        KernelModule(board, copy).apply()
    with pytest.raises(ChangeRejected, match="Module labkit-no-such-module not found"):
        KernelModule(board, "labkit-no-such-module").apply()
    with pytest.raises(TuningError, match="has no kernel module /tmp/none.ko"):
        KernelModule(board, "/tmp/none.ko").apply()


def test_what_a_dead_session_has_loaded_is_unloaded_by_a_restore(board):
    KernelModule(board, "dummy", numdummies=0).apply()
    undone, remaining = journal.restore(board, include_active=True)
    assert [entry.description for entry in undone] == ["kernel module dummy numdummies=0"]
    assert remaining == []


def test_an_empty_group_is_made_without_a_controller_and_is_gone_again(board):
    control = "/sys/fs/cgroup/cgroup.subtree_control"
    before = board.read(control)
    with Cgroup(board, "test") as group:
        assert board.read(control) == before
        assert board.run("[ -d %s ]", group.path).ok
        with pytest.raises(TuningError, match="has a group /sys/fs/cgroup/labkit-test already"):
            Cgroup(board, "test").apply()
    assert not board.run("[ -e %s ]", group.path).ok
