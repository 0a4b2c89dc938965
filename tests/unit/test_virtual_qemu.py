"""The QEMU process of a machine, without QEMU: its PID file and the channel to its guest."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from labkit.errors import BootFailed
from labkit.virtual import pidfile
from labkit.virtual.qemu import Qemu

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def machine(tmp_path):
    directory = tmp_path / "debian-12"
    directory.mkdir()
    return Qemu(directory)


@contextmanager
def process(*args, code=SLEEP):
    """A process with these arguments; it ends with the block."""
    with subprocess.Popen([sys.executable, "-c", code, *args]) as child:
        try:
            yield child
        finally:
            child.kill()


def write_pid(machine, pid):
    path = machine.directory / "qemu.pid"
    path.write_text(f"{pid}\n")
    return path


def test_a_process_that_has_the_number_of_an_earlier_one_is_not_ended(machine):
    with process() as child:
        path = write_pid(machine, child.pid)
        assert pidfile.find(path) is None
        assert pidfile.wait_gone(path, timeout=0)
        machine.stop()
        assert child.poll() is None
    assert not path.exists()


def test_the_process_of_a_board_whose_name_begins_alike_is_not_ended(machine):
    other = machine.directory.with_name("debian-12@a") / "qemu.pid"
    disk = f"file={other.with_name('disk.qcow2')}"
    with process("-drive", disk, "-pidfile", str(other)) as child:
        write_pid(machine, child.pid)
        machine.stop()
        assert child.poll() is None


def test_a_process_that_does_not_end_by_itself_is_killed(machine):
    path = machine.directory / "qemu.pid"
    with process("-pidfile", str(path)) as child:
        write_pid(machine, child.pid)
        assert pidfile.find(path).pid == child.pid
        assert not pidfile.wait_gone(path, timeout=0.1)
        pidfile.end(path, timeout=0.1)
        assert pidfile.wait_gone(path, timeout=0)
        child.returncode = -9  # its status is taken


@pytest.mark.parametrize("text", ["", "none\n", "-1\n", "0\n", "99999999999999999999\n"])
def test_a_pid_file_without_a_process_number_names_no_process(machine, text):
    path = machine.directory / "qemu.pid"
    assert pidfile.find(path) is None
    path.write_text(text)
    assert pidfile.find(path) is None


@pytest.mark.slow
def test_a_zombie_of_another_process_is_gone(machine, eventually):
    """As where one labkit process has started the board and another one waits for its end."""
    path = machine.directory / "qemu.pid"
    code = (
        "import subprocess, sys; "
        f"argv = [sys.executable, '-c', 'import time; time.sleep(1)', '-pidfile', {str(path)!r}]; "
        "child = subprocess.Popen(argv); print(child.pid, flush=True); input()"
    )
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        write_pid(machine, pid)
        eventually(lambda: pidfile.find(path))
        start = time.monotonic()
        assert pidfile.wait_gone(path, timeout=10)
        assert time.monotonic() - start < 5
        os.kill(pid, 0)  # it is still there, as a zombie
        assert pidfile.find(path) is None
        parent.communicate("\n", timeout=10)


def test_a_machine_that_ends_while_it_boots_is_an_error_with_the_consoles_last_line(machine):
    machine.console.write_text("Kernel panic - not syncing\n\n")
    path = machine.socket("wake")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def end():
            with server.accept()[0] as guest:
                guest.recv(10)

        ending = threading.Thread(target=end)
        ending.start()
        try:
            with pytest.raises(
                BootFailed, match=r"ended while it booted .*panic - not sync"
            ) as error:
                machine.wait_ready(timeout=10)
        finally:
            ending.join()
            path.unlink()
    assert "\n" not in str(error.value)


def test_a_machine_that_has_ended_before_is_an_error_too(machine):
    with pytest.raises(BootFailed, match="ended while it booted"):
        machine.wait_ready(timeout=10)


@pytest.mark.slow
def test_a_machine_that_does_not_answer_is_an_error_after_the_timeout(machine):
    path = machine.socket("wake")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        try:
            with pytest.raises(BootFailed, match="was not up after 1 s"):
                machine.wait_ready(timeout=1)
        finally:
            path.unlink()
