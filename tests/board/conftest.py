"""Two real things to speak to: an SSH server on loopback, and a virtual board."""

import getpass
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import labkit
from labkit.boards import Board, hostkeys
from labkit.boards.login import SshTarget, shown_key
from labkit.boards.ssh import SshTransport
from labkit.virtual import VirtualMachine

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")


@dataclass(frozen=True)
class Server:
    """A running sshd: its port, its folder with ``user_key`` and ``wrong_key``."""

    port: int
    folder: Path

    @property
    def key(self):
        return self.folder / "user_key"

    @property
    def target(self):
        return SshTarget(
            "loop", "127.0.0.1", self.port, getpass.getuser(), keys=(self.folder / "user_key",)
        )

    def trust(self):
        hostkeys.trust("127.0.0.1", self.port, shown_key(self.target))


@pytest.fixture(scope="session")
def sshd(tmp_path_factory, eventually):
    """An OpenSSH server on a port of its own, with keys of its own."""
    if SSHD is None:
        pytest.skip("no sshd on this machine: apt-get install openssh-server")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host_key", "other_host_key", "user_key", "wrong_key"):
        new_key(folder / name)
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    with running_sshd(folder, folder / "host_key", free_port(), eventually) as server:
        yield server


class running_sshd:
    """An sshd for the length of a block."""

    def __init__(self, folder, host_key, port, eventually):
        self.server = Server(port, folder)
        self.eventually = eventually
        self.config = folder / "sshd_config"
        self.config.write_text(
            f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\n"
            "UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPidFile none\nMaxStartups 100\nMaxSessions 50\n"
            "AcceptEnv none\nSubsystem sftp internal-sftp\n"
        )

    def __enter__(self):
        if getpass.getuser() == "root":
            Path("/run/sshd").mkdir(exist_ok=True)
        line = [SSHD, "-D", "-e", "-f", str(self.config)]
        # Newer servers shut out an address that fails to log in a few times; ours fails on purpose.
        lenient = ["-o", "PerSourcePenalties=no"]
        if subprocess.run([*line, "-t", *lenient], capture_output=True, check=False).returncode:
            lenient = []
        with (self.server.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen([*line, *lenient], stderr=log)
        self.eventually(lambda: self.process.poll() is not None or listens(self.server.port))
        assert self.process.poll() is None, (self.server.folder / "sshd.log").read_text()
        return self.server

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def loop(sshd):
    """This machine as a board, over the SSH server on loopback."""
    sshd.trust()
    with Board("loop", SshTransport(sshd.target)) as board:
        yield board


def new_key(path):
    line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(line, check=True)


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def listens(port):
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def board_name():
    return "debian-12@test"


@pytest.fixture(scope="session")
def board(board_name):
    """A virtual board; the first test to ask for one may have to build its image."""
    with labkit.open_board(board_name) as opened:
        yield opened
    VirtualMachine(board_name).down()


def pytest_collection_modifyitems(items):
    """Whoever is the first to need a board may wait for the image: ten minutes and no more."""
    for item in items:
        if "board" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))
