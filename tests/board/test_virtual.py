"""The life of a virtual board: pristine after a reset, alone on its disk, found by everyone."""

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
from labkit.boards.inventory import BoardEntry
from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.connect import fetch_host_key
from labkit.cli import app
from labkit.errors import BoardUnknown, BoardUnreachable, ConnectionLost, PortInUse, VirtualError
from labkit.session import ssh_target
from labkit.virtual import VirtualMachine, images, machines, virtual_board

A, B = "debian-12@a", "debian-12@b"


@pytest.fixture
def two(board):
    """Names for two more boards beside the shared one; they are thrown away afterwards."""
    yield A, B
    for name in (A, B):
        VirtualMachine(name).down()


@pytest.fixture
def somebodys_own(two):
    """One more board, known to labkit by its address alone, as a real one is."""
    labkit.open_board(A).close()
    key = images.find(platforms.get("debian-12")).directory / "login_key"
    port = VirtualMachine(A).port
    entry = BoardEntry("own", "127.0.0.1", "debian-12", user="lab", port=port, key=str(key))
    inventory.add(entry)
    hostkeys.trust(entry.host, entry.port, fetch_host_key(ssh_target(entry)))
    with labkit.open_board("own") as own:
        yield own
    inventory.remove("own")
    hostkeys.forget(entry.host, entry.port)


def test_the_board_is_among_the_machines(board, board_name):
    machine = VirtualMachine(board_name)
    assert machine in machines()
    assert machine.running
    assert board.virtual
    assert board.address == f"lab@127.0.0.1:{machine.port}"


def test_a_reset_brings_a_pristine_disk_and_the_right_time(board, board_name):
    port = VirtualMachine(board_name).port
    board.write("/home/lab/mark", "was here\n")
    board.check("date --set '2001-02-03'; touch /etc/mark", sudo=True)
    board.reset()
    assert abs(float(board.check("date +%s.%N").stdout) - time.time()) < 2
    assert board.read_many(["/home/lab/mark", "/etc/mark"]) == {}
    assert board.facts.machine == "aarch64"
    assert VirtualMachine(board_name).port == port


def test_a_reset_takes_seconds(board):
    began = time.monotonic()
    board.reset()
    board.check("true")
    assert time.monotonic() - began < 10


def test_two_boards_from_one_image_share_nothing(two):
    with labkit.open_board(A) as a, labkit.open_board(B) as b:
        assert drawn(a).isdisjoint(drawn(b))
        assert a.address != b.address
        a.write("/home/lab/mark", "a\n")
        assert b.read_many(["/home/lab/mark"]) == {}
        b.write("/home/lab/mark", "b\n")
        b.check("sync")
        assert a.read("/home/lab/mark") == "a\n"


def test_a_restored_board_draws_other_random_numbers_than_before(two):
    with labkit.open_board(A) as a:
        before = drawn(a)
        a.reset()
        assert before.isdisjoint(drawn(a))


def test_two_processes_get_the_same_board(two):
    program = (
        f"import labkit; board = labkit.open_board({A!r}); "
        "board.check('echo here >>seen'); print(board.address)"
    )
    line = [sys.executable, "-W", "error", "-c", program]
    both = [subprocess.Popen(line, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1] != ""
    with labkit.open_board(A) as board:
        assert board.read("/home/lab/seen") == "here\nhere\n"


def test_a_killed_machine_is_lost_and_comes_back_without_cleaning(two):
    with labkit.open_board(A) as board:
        board.write("/home/lab/mark", "before\n")
        process = int((VirtualMachine(A).directory / "qemu.pid").read_text())
        # Killed in the middle of a command: the command's first word on the console says when.
        console = str(VirtualMachine(A).qemu.console)
        line = 'until grep -q begun "$0"; do sleep 0.02; done; kill -KILL "$1"'
        killer = subprocess.Popen(["sh", "-c", line, console, str(process)])
        with pytest.raises(ConnectionLost) as lost:
            board.run("echo begun >/dev/console; sleep 300", sudo=True)
        killer.wait(10)
        assert "\n" not in str(lost.value)
        with pytest.raises(BoardUnreachable):
            board.run("true")
    assert not VirtualMachine(A).running
    with labkit.open_board(A) as board:
        assert board.check("uname -m").stdout == "aarch64\n"
        assert board.read_many(["/home/lab/mark"]) == {}


def test_a_machine_that_hangs_is_ended_too_whatever_the_terminals_width(two, monkeypatch, ended):
    monkeypatch.setenv("COLUMNS", "80")  # ps cuts its lines there, unless told
    labkit.open_board(A).close()
    process = int((VirtualMachine(A).directory / "qemu.pid").read_text())
    os.kill(process, signal.SIGSTOP)
    VirtualMachine(A).down()
    assert ended(process)


def test_a_board_taken_down_is_gone_and_so_are_its_files(two, ended):
    machine = VirtualMachine(A)
    labkit.open_board(A).close()
    process = int((machine.directory / "qemu.pid").read_text())
    machine.down()
    machine.down()
    assert not machine.running
    assert not machine.directory.exists()
    assert ended(process)


@pytest.mark.slow
def test_a_reboot_is_another_boot_of_the_same_disk(two):
    with labkit.open_board(A) as board:
        before, address = boot_id(board), board.address
        board.write("/home/lab/mark", "before\n")
        board.facts  # noqa: B018  (what is known now is not to be kept)
        assert 0 < board.reboot() < 180
        assert "facts" not in vars(board)
        assert boot_id(board) != before
        assert board.read("/home/lab/mark") == "before\n"
        assert board.address == address


@pytest.mark.slow
def test_a_machine_is_off_though_the_process_that_started_it_does_not_ask_for_it(two):
    VirtualMachine(A).down()
    program = f"import labkit; labkit.open_board({A!r}); print('up', flush=True); input()"
    line = [sys.executable, "-c", program]
    starter = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert starter.stdout.readline() == "up\n"
    with labkit.open_board(A) as board:
        before = boot_id(board)
        board.check("(sleep 1; systemctl reboot) >/dev/null 2>&1 &", sudo=True)
    VirtualMachine(A).power_cycle(timeout=60)  # QEMU stays on as the starter's zombie
    with labkit.open_board(A) as board:
        assert boot_id(board) != before
    starter.communicate("go\n", timeout=10)


@pytest.mark.slow
def test_the_reboot_of_a_real_board_is_waited_for_until_it_answers_as_another_boot(somebodys_own):
    before = boot_id(somebodys_own)
    somebodys_own.write("/home/lab/mark", "before\n")
    with ThreadPoolExecutor(1) as hand:
        # A real board switches itself on again; this one needs a hand.
        switched_on = hand.submit(VirtualMachine(A).power_cycle, timeout=170)
        somebodys_own.reboot(timeout=170)
        switched_on.result()
    assert boot_id(somebodys_own) != before
    assert somebodys_own.read("/home/lab/mark") == "before\n"


@pytest.mark.slow
def test_a_real_board_that_stays_away_is_said_so_in_one_line(somebodys_own, eventually):
    somebodys_own.write("/home/lab/mark", "before\n")
    began = time.monotonic()
    with pytest.raises(BoardUnreachable, match="own has not come back .* after 20 s") as away:
        somebodys_own.reboot(timeout=20)
    assert time.monotonic() - began < 60
    assert "\n" not in str(away.value)
    eventually(lambda: not VirtualMachine(A).running, within=60)
    with labkit.open_board(A) as board:  # its own system has switched it off: no fresh disk
        assert board.read("/home/lab/mark") == "before\n"


def test_a_real_board_is_rebooted_only_after_a_yes(somebodys_own):
    before = boot_id(somebodys_own)
    asked = CliRunner().invoke(app, ["board", "reboot", "own"], input="n\n")
    assert "own at lab@127.0.0.1" in asked.output
    assert "is a real machine. Reboot it?" in asked.output
    assert asked.exit_code == 1
    assert boot_id(somebodys_own) == before


def test_a_port_somebody_listens_on_is_not_taken(two):
    with listening() as port:
        with pytest.raises(PortInUse, match=f"port {port} of this machine is in use") as taken:
            virtual_board(A, port=port)
        assert "\n" not in str(taken.value)
    assert not VirtualMachine(A).running
    with virtual_board(A, port=port) as board:
        assert board.check("echo hello").stdout == "hello\n"
        assert board.address.endswith(f":{port}")


def test_a_name_without_a_platform_is_no_virtual_board():
    assert virtual_board("debian-13@x") is None
    with pytest.raises(BoardUnknown):
        labkit.open_board("debian-13@x")


@pytest.mark.parametrize("name", ["debian-12@", "debian-12@../x", "debian-12@a b", "debian-12@a/b"])
def test_a_name_that_would_be_trouble_as_a_dir_is_refused(name):
    with pytest.raises((VirtualError, BoardUnknown)) as refused:
        labkit.open_board(name)
    assert "\n" not in str(refused.value)


def boot_id(board):
    return board.read("/proc/sys/kernel/random/boot_id")


def drawn(board):
    return set(board.check("for i in 1 2 3; do cat /proc/sys/kernel/random/uuid; done").lines)


@contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
