"""The two real machines of the tests: an SSH server on loopback, and a virtual board."""

import getpass
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

import labkit
from labkit.boards import Board
from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.connect import fetch_host_key
from labkit.boards.ssh.target import SshTarget
from labkit.boards.ssh.transport import SshTransport
from labkit.guide.refresh_outputs import PLATFORMS
from labkit.virtual import VirtualMachine
from labkit.virtual.qemu import free_port

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")


@dataclass(frozen=True)
class Server:
    """A running sshd: its port, and its directory with ``user_key`` and ``wrong_key``."""

    port: int
    directory: Path

    @property
    def key(self):
        return self.directory / "user_key"

    @property
    def target(self):
        return SshTarget(
            "loop", "127.0.0.1", self.port, getpass.getuser(), keys=(self.directory / "user_key",)
        )

    def trust(self):
        hostkeys.trust("127.0.0.1", self.port, fetch_host_key(self.target))


@pytest.fixture(scope="session")
def start_sshd(eventually):
    """A function that runs an OpenSSH server during a ``with`` block."""
    if SSHD is None:
        pytest.skip("no sshd on this machine: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)

    @contextmanager
    def start(directory, port):
        for name in ("host_key", "other_host_key", "user_key", "wrong_key"):
            if not (directory / name).exists():
                new_key(directory / name)
        (directory / "authorized_keys").write_text((directory / "user_key.pub").read_text())
        config = directory / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{port}\nHostKey {directory}/host_key\n"
            f"AuthorizedKeysFile {directory}/authorized_keys\nPidFile none\n"
            "UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nMaxStartups 100\nMaxSessions 50\n"
            "Subsystem sftp internal-sftp\n"
            f"SetEnv HOME={directory}\n"  # the user's own shell files are not read
        )
        argv = [SSHD, "-D", "-e", "-f", str(config)]
        # Newer servers block an address after a few failed logins; the tests fail on purpose.
        options = ["-o", "PerSourcePenalties=no"]
        if subprocess.run([*argv, "-t", *options], capture_output=True, check=False).returncode:
            options = []
        with (directory / "sshd.log").open("ab") as log:
            process = subprocess.Popen([*argv, *options], stderr=log)
        try:
            eventually(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, (directory / "sshd.log").read_text()
            yield Server(port, directory)
        finally:
            process.terminate()
            process.wait(10)

    return start


@pytest.fixture(scope="session")
def sshd(start_sshd, tmp_path_factory):
    """An OpenSSH server on its own port, with its own keys."""
    with start_sshd(tmp_path_factory.mktemp("sshd"), free_port()) as server:
        yield server


@pytest.fixture
def loop(sshd):
    """This machine as a board, over the SSH server on loopback."""
    sshd.trust()
    with Board("loop", SshTransport(sshd.target)) as board:
        yield board


def new_key(path):
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True)


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def suffix(worker_id):
    """The last part of the names of this process's boards: two processes share no board."""
    return "test" if worker_id == "master" else f"test-{worker_id}"


@pytest.fixture(scope="session")
def board_name(suffix):
    return f"debian-12@{suffix}"


@pytest.fixture(scope="session")
def board(board_name):
    """A virtual board. The first test that uses it may have to build its image."""
    with labkit.open_board(board_name) as opened:
        yield opened
    VirtualMachine(board_name).down()


@pytest.fixture(scope="session")
def pi(suffix):
    """A virtual Raspberry Pi 5. A test undoes or resets what it changes there."""
    name = f"raspberry-pi-5@{suffix}"
    with labkit.open_board(name) as opened:
        yield opened
    VirtualMachine(name).down()


LONGEST = {
    "tests/board/test_undo_torture.py": 0,
    "notebooks": 1,
    "tests/board/test_pi_notebooks.py": 2,
}
"""What comes first, so that no process is left with minutes of it at the end."""


def scope(nodeid):
    """What runs in one process: the tests of a file, and all notebooks, which use one board."""
    file = nodeid.partition("::")[0]
    return "notebooks" if file.endswith(".ipynb") else file


class FileScheduling(LoadScopeScheduling):
    """Gives each process one scope after the other."""

    def _split_scope(self, nodeid):
        return scope(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return FileScheduling(config, log)


def pytest_collection_modifyitems(config, items):
    """Leave out what runs elsewhere, begin with what takes longest, and limit each test."""
    config.hook.pytest_deselected(items=[item for item in items if runs_on_the_pi(item.path)])
    items[:] = [item for item in items if not runs_on_the_pi(item.path)]
    items.sort(key=lambda item: LONGEST.get(scope(item.nodeid), len(LONGEST)))
    for item in items:
        needs = {"board", "pi"} & set(getattr(item, "fixturenames", ()))
        if needs and not item.get_closest_marker("timeout"):
            # Without its fixtures: the first board may wait for its image.
            item.add_marker(pytest.mark.timeout(600, func_only=True))


def runs_on_the_pi(path):
    """Whether it is a notebook that test_pi_notebooks.py runs and compares."""
    platform = PLATFORMS.get(f"{path.parent.name}/{path.stem}")
    return path.suffix == ".ipynb" and platform == "raspberry-pi-5"
