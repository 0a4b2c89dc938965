"""An entry that an earlier version of labkit wrote is listed and undone.

The entry is in ``data/6492e96/journal-entry.tar``. On a virtual debian-12 board, labkit at commit
6492e96 ran this, and the archive was made on the board::

    board.check(
        "cd /etc/systemd/system; "
        "printf '[Service]\\nExecStart=/bin/sleep 9999\\n' >labkit-old.service; "
        "chmod 640 labkit-old.service; chown 1:2 labkit-old.service; "
        "touch -d @1000000000 labkit-old.service; "
        "systemctl daemon-reload; systemctl start labkit-old", sudo=True)
    text = "[Service]\\nExecStart=/bin/sleep 1000\\nCPUAffinity=0\\n"
    InstalledUnit(board, "labkit-old", text).apply()
    board.check("tar -C /var/lib/labkit/journal --numeric-owner -cf - . | base64", sudo=True)
    os._exit(9)
"""

import base64
from pathlib import Path

import pytest

from labkit.tuning import journal

ENTRY = Path(__file__).parent / "data" / "6492e96" / "journal-entry.tar"
UNIT = "labkit-old.service"
FILE = f"/etc/systemd/system/{UNIT}"


@pytest.fixture
def entry_of_6492e96(board):
    """The board as the session left it: its change is made, its entry is in the journal."""
    archive = base64.b64encode(ENTRY.read_bytes()).decode()
    board.check(
        f"printf '[Service]\\nExecStart=/bin/sleep 1000\\nCPUAffinity=0\\n' >{FILE}; "
        f"systemctl daemon-reload; systemctl start {UNIT}; mkdir -p {journal.DIRECTORY}; "
        f"echo {archive} | base64 -d | tar -C {journal.DIRECTORY} --numeric-owner -xpf -",
        sudo=True,
    )
    yield
    board.check(
        f"systemctl stop {UNIT}; rm -rf {FILE} /var/lib/labkit; systemctl daemon-reload",
        sudo=True,
    )


def test_an_entry_of_commit_6492e96_is_listed_and_undone(board, entry_of_6492e96):
    (entry,) = journal.entries(board)
    assert entry.key == "ccf6783d0a7c"
    assert entry.description == f"unit {UNIT}"
    assert entry.session == "root@vm:20937.864414"
    assert not entry.expired
    assert journal.restore(board, include_active=True) == ([entry], [])
    assert board.read(FILE, sudo=True) == "[Service]\nExecStart=/bin/sleep 9999\n"
    assert board.check(f"stat -c '%a %u %g %Y' {FILE}", sudo=True).stdout == "640 1 2 1000000000\n"
    command = board.check(f"ps -o args= -p $(systemctl show --value -p MainPID {UNIT})").stdout
    assert command == "/bin/sleep 9999\n"
    assert not board.run("[ -e /var/lib/labkit ]").ok
    assert journal.entries(board) == []
