"""The life of a virtual board: new after a reset, a disk of its own, one for all processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

import labkit
from labkit import platforms
from labkit.boards import inventory
from labkit.boards.inventory import BoardEntry, ssh_target
from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.connect import fetch_host_key
from labkit.cli import app
from labkit.errors import BoardUnknown, BoardUnreachable, ConnectionLost, PortInUse, VirtualError
from labkit.virtual import VirtualMachine, images, machines, virtual_board

A, B = "debian-12@a", "debian-12@b"


@pytest.fixture
def two(board):
    """Names of two more boards beside the shared one; they are removed afterwards."""
    yield A, B
    for name in (A, B):
        VirtualMachine(name).down()


@pytest.fixture
def own_board(two):
    """One more board, which labkit knows by its address only, as it knows a real one."""
    labkit.open_board(A).close()
    key = images.find(platforms.get("debian-12")).directory / "login_key"
    port = VirtualMachine(A).port
    entry = BoardEntry("own", "127.0.0.1", "debian-12", user="lab", port=port, key=str(key))
    inventory.add(entry)
    hostkeys.trust(entry.host, entry.port, fetch_host_key(ssh_target(entry)))
    with labkit.open_board("own") as own:
        yield own
    inventory.remove("own")
    hostkeys.remove(entry.host, entry.port)


def test_the_board_is_among_the_machines(board, board_name):
    machine = VirtualMachine(board_name)
    assert machine in machines()
    assert machine.running
    assert board.virtual
    assert board.address == f"lab@127.0.0.1:{machine.port}"


def test_a_program_lies_at_the_same_addresses_in_each_process(board):
    assert board.read("/proc/sys/kernel/randomize_va_space") == "0\n"
    first, second = (board.check("grep stack /proc/self/maps").stdout for _ in range(2))
    assert first == second


def test_a_reset_brings_a_new_disk_and_the_right_time(board, board_name):
    port = VirtualMachine(board_name).port
    board.write("/home/lab/mark", "was here\n")
    board.check("date --set '2001-02-03'; touch /etc/mark", sudo=True)
    board.reset()
    assert abs(float(board.check("date +%s.%N").stdout) - time.time()) < 2
    assert board.read_many(["/home/lab/mark", "/etc/mark"]) == {}
    assert board.facts.machine == "aarch64"
    assert VirtualMachine(board_name).port == port


def test_a_reset_takes_seconds(board):
    start = time.monotonic()
    board.reset()
    board.check("true")
    assert time.monotonic() - start < 10


def test_two_boards_from_one_image_share_nothing(two):
    with labkit.open_board(A) as a, labkit.open_board(B) as b:
        assert random_numbers(a).isdisjoint(random_numbers(b))
        assert a.address != b.address
        a.write("/home/lab/mark", "a\n")
        assert b.read_many(["/home/lab/mark"]) == {}
        b.write("/home/lab/mark", "b\n")
        b.check("sync")
        assert a.read("/home/lab/mark") == "a\n"


def test_a_restored_board_draws_other_random_numbers_than_before(two):
    with labkit.open_board(A) as a:
        before = random_numbers(a)
        a.reset()
        assert before.isdisjoint(random_numbers(a))


def test_two_temporary_boards_of_one_kind_are_two_machines(board):
    temporary_boards = [labkit.temporary_board("debian-12") for _ in range(2)]
    with temporary_boards[0] as a, temporary_boards[1] as b:
        assert a.address != b.address
        a.write("/home/lab/mark", "a\n")
        assert b.read_many(["/home/lab/mark"]) == {}
    assert not [machine for machine in machines() if f"-{os.getpid()}" in machine.name]


def test_two_processes_get_the_same_board(two):
    program = (
        f"import labkit; board = labkit.open_board({A!r}); "
        "board.check('echo here >>opened'); print(board.address)"
    )
    argv = [sys.executable, "-W", "error", "-c", program]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    addresses = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert addresses[0] == addresses[1] != ""
    with labkit.open_board(A) as board:
        assert board.read("/home/lab/opened") == "here\nhere\n"


def test_a_killed_machine_is_lost_and_comes_back_without_cleaning(two):
    with labkit.open_board(A) as board:
        board.write("/home/lab/mark", "before\n")
        pid = int((VirtualMachine(A).directory / "qemu.pid").read_text())
        # Killed while a command runs: the command's line on the console says when.
        console = str(VirtualMachine(A).qemu.console)
        script = 'until grep -q started "$0"; do sleep 0.02; done; kill -KILL "$1"'
        killer = subprocess.Popen(["sh", "-c", script, console, str(pid)])
        with pytest.raises(ConnectionLost) as error:
            board.run("echo started >/dev/console; sleep 300", sudo=True)
        killer.wait(10)
        assert "\n" not in str(error.value)
        with pytest.raises(BoardUnreachable):
            board.run("true")
    assert not VirtualMachine(A).running
    with labkit.open_board(A) as board:
        assert board.check("uname -m").stdout == "aarch64\n"
        assert board.read_many(["/home/lab/mark"]) == {}


def test_a_machine_that_hangs_is_killed_whatever_the_terminals_width(two, monkeypatch, ended):
    monkeypatch.setenv("COLUMNS", "80")  # ps cuts its lines at this width
    labkit.open_board(A).close()
    pid = int((VirtualMachine(A).directory / "qemu.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    VirtualMachine(A).down()
    assert ended(pid)


def test_a_board_taken_down_is_gone_and_so_are_its_files(two, ended):
    machine = VirtualMachine(A)
    labkit.open_board(A).close()
    pid = int((machine.directory / "qemu.pid").read_text())
    machine.down()
    machine.down()
    assert not machine.running
    assert not machine.directory.exists()
    assert ended(pid)


@pytest.mark.slow
def test_a_reboot_is_another_boot_of_the_same_disk(two):
    with labkit.open_board(A) as board:
        before, address = boot_id(board), board.address
        board.write("/home/lab/mark", "before\n")
        board.facts  # noqa: B018  (read once: a reboot must forget it)
        assert 0 < board.reboot() < 180
        assert "facts" not in vars(board)
        assert boot_id(board) != before
        assert board.read("/home/lab/mark") == "before\n"
        assert board.address == address


@pytest.mark.slow
def test_a_machine_is_off_though_the_process_that_started_it_does_not_wait_for_it(two):
    VirtualMachine(A).down()
    program = f"import labkit; labkit.open_board({A!r}); print('up', flush=True); input()"
    argv = [sys.executable, "-c", program]
    starter = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert starter.stdout.readline() == "up\n"
    with labkit.open_board(A) as board:
        before = boot_id(board)
        board.check("(sleep 1; systemctl reboot) >/dev/null 2>&1 &", sudo=True)
    VirtualMachine(A).power_cycle(timeout=170)  # QEMU stays on as the starter's zombie
    with labkit.open_board(A) as board:
        assert boot_id(board) != before
    starter.communicate("go\n", timeout=10)


@pytest.mark.slow
def test_the_reboot_of_a_real_board_is_waited_for_until_it_answers_as_another_boot(own_board):
    before = boot_id(own_board)
    own_board.write("/home/lab/mark", "before\n")
    with ThreadPoolExecutor(1) as executor:
        # A real board switches itself on again; a virtual one does not.
        power_cycle = executor.submit(VirtualMachine(A).power_cycle, timeout=170)
        own_board.reboot(timeout=170)
        power_cycle.result()
    assert boot_id(own_board) != before
    assert own_board.read("/home/lab/mark") == "before\n"


@pytest.mark.slow
def test_a_real_board_that_does_not_come_back_is_an_error_of_one_line(own_board, eventually):
    own_board.write("/home/lab/mark", "before\n")
    start = time.monotonic()
    with pytest.raises(BoardUnreachable, match="own has not come back .* after 20 s") as error:
        own_board.reboot(timeout=20)
    assert time.monotonic() - start < 60
    assert "\n" not in str(error.value)
    eventually(lambda: not VirtualMachine(A).running, within=60)
    with labkit.open_board(A) as board:  # its own system has switched it off: no fresh disk
        assert board.read("/home/lab/mark") == "before\n"


def test_a_real_board_is_rebooted_only_after_a_yes(own_board):
    before = boot_id(own_board)
    result = CliRunner().invoke(app, ["board", "reboot", "own"], input="n\n")
    assert "own at lab@127.0.0.1" in result.output
    assert "is a real machine. Reboot it?" in result.output
    assert result.exit_code == 1
    assert boot_id(own_board) == before


def test_a_port_on_which_a_program_listens_is_not_taken(two):
    with listening() as port:
        with pytest.raises(PortInUse, match=f"port {port} of this machine is in use") as error:
            virtual_board(A, port=port)
        assert "\n" not in str(error.value)
    assert not VirtualMachine(A).running
    with virtual_board(A, port=port) as board:
        assert board.check("echo hello").stdout == "hello\n"
        assert board.address.endswith(f":{port}")


def test_a_name_without_a_platform_is_no_virtual_board():
    assert virtual_board("debian-13@x") is None
    with pytest.raises(BoardUnknown):
        labkit.open_board("debian-13@x")


@pytest.mark.parametrize("name", ["debian-12@", "debian-12@../x", "debian-12@a b", "debian-12@a/b"])
def test_a_name_that_is_unsafe_for_a_directory_is_refused(name):
    with pytest.raises((VirtualError, BoardUnknown)) as error:
        labkit.open_board(name)
    assert "\n" not in str(error.value)


def boot_id(board):
    return board.read("/proc/sys/kernel/random/boot_id")


def random_numbers(board):
    return set(board.check("for i in 1 2 3; do cat /proc/sys/kernel/random/uuid; done").lines)


@contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
