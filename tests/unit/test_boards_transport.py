"""What reaches a transport: requests that are the same in every run and hold no secret."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.boards import Board, Facts, Request
from labkit.boards.identity import session_id, session_key
from labkit.boards.local import LocalTransport
from labkit.boards.sudo import Sudo
from labkit.errors import SudoRefused
from labkit.tuning import journal

PASSWORD = "open sesame"

USER = Facts(
    *("Debian", "debian", "6.1.0", "aarch64", "", "QEMU max", 2, frozenset()),
    *(64, 4096, 2**30, (), 1000, "/home/user/.cache/labkit-board", True),
)

# Takes the first line as the password, as sudo -S does, and runs the rest as it is.
SUDO = f"""#!/bin/sh
read -r password
if [ "$password" != '{PASSWORD}' ]; then
    echo 'sudo: 1 incorrect password attempt' >&2
    exit 1
fi
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


class Recording(LocalTransport):
    """This machine, with a list of the requests it got."""

    def __init__(self, sudo):
        super().__init__(sudo)
        self.requests = []

    def run(self, request, *, on_output=None):
        self.requests.append(request)
        return super().run(request, on_output=on_output)


def record(directory):
    """Use a board in each way that sends requests; return them and the journal's directory."""
    transport = Recording(Sudo(PASSWORD))
    board = Board("here", transport)
    board.facts = USER
    file, source = directory / "file", directory / "source"
    source.write_text("x")
    board.run("echo $A; cat", env={"A": "1"}, stdin="input", timeout=5)
    assert board.check("cat", stdin="input\n", sudo=True).stdout == "input\n"
    board.write(str(file), "before", sudo=True)
    board.read_many([str(file), str(directory / "none")])
    board.put(source, str(directory / "target"))
    journal.DIRECTORY, journal._LOCK = str(directory / "labkit/journal"), str(directory / "lock")
    key = journal.new_key()
    journal.record(
        board, "a change", ":", key=key, resource="file", backup=[str(file)], persistent=True
    )
    (entry,) = journal.entries(board)
    assert entry.session == session_id()
    assert entry.key == f"{session_key()}{key[1:]}"
    assert journal.apply(board, key, f"echo after >{file}").ok
    assert file.read_text() == "after\n"
    journal.undo(board, key)
    assert file.read_text() == "before"
    assert journal.entries(board) == []
    return transport.requests


@pytest.fixture
def fake_sudo(tmp_path, monkeypatch):
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "sudo").write_text(SUDO)
    (directory / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=":")


@pytest.mark.slow
@pytest.mark.usefixtures("fake_sudo")
def test_two_sessions_that_do_the_same_send_the_same_requests_without_the_password(tmp_path):
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2]); import test_boards_transport as t\n"
        "print(*t.record(pathlib.Path(sys.argv[1])), sep='\\n')"
    )
    outputs = []
    for _ in range(2):  # each in a process with its own pid, start time and session key
        directory = tmp_path / "work"
        directory.mkdir()
        argv = [sys.executable, "-c", script, str(directory), str(Path(__file__).parent)]
        outputs.append(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
        directory.rename(tmp_path / f"work{len(outputs)}")
    assert len(outputs[0].splitlines()) == 11
    assert "Request(command='tee" in outputs[0]
    assert "root=True, session=True" in outputs[0]
    assert outputs[0] == outputs[1]
    assert PASSWORD not in outputs[0]


@pytest.mark.usefixtures("fake_sudo")
def test_a_wrong_password_is_refused_below_the_requests():
    board = Board("here", LocalTransport(Sudo("wrong")))
    board.facts = USER
    with pytest.raises(SudoRefused, match="sudo on this machine refused the password"):
        board.run("true", sudo=True)


def test_root_itself_needs_no_sudo():
    transport = Recording(Sudo(PASSWORD))
    board = Board("here", transport)
    board.facts = dataclasses.replace(USER, uid=0)
    assert board.check("echo hello", sudo=True).stdout == "hello\n"
    assert transport.requests == [Request("echo hello")]


def test_only_a_request_of_a_session_has_its_identity():
    transport = LocalTransport()
    line = 'printf "${LABKIT_SESSION-none} ${LABKIT_SESSION_KEY-none}"'
    assert transport.run(Request(line)).stdout == b"none none"
    identity = f"{session_id()} {session_key()}".encode()
    assert transport.run(Request(line, session=True)).stdout == identity


def test_a_password_is_not_printed():
    assert PASSWORD not in repr(Sudo(PASSWORD))
