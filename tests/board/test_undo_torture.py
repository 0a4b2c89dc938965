"""However and whenever a session dies, the board can be restored to the last byte.

Each cut is a real one: a process makes a change on a live board and is killed at one step,
often together with its shell on the board. A new session then calls ``restore``, and the board
must be as it was before.
"""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
import victim
from victim import CHANGES, Cut

import labkit
from labkit.tuning import journal
from labkit.virtual import VirtualMachine

NAME = "raspberry-pi-5@torture"
LABKIT = Path(sys.executable).with_name("labkit")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FINGERPRINT = """
cd /sys/devices/system/cpu/cpufreq
grep -Hs '' policy*/scaling_governor policy*/scaling_m??_freq policy*/scaling_setspeed \\
    policy*/[!s]*/* policy*/schedutil/* [!p]*/*
grep -o '^cpufreq_[a-z]*' /proc/modules
find /boot/firmware /etc/systemd/system -type d -printf '%p %m %U %G\\n' \\
    -o -printf '%p %m %U %G %T@ %l\\n' -type f -exec sha256sum {} +
systemctl list-units --all --plain --no-legend 'labkit-[!w]*'
read -r on </sys/fs/cgroup/cgroup.subtree_control
echo "on: $on" /sys/fs/cgroup/labkit* /var/lib/labkit* /var/lib/labkit/journal/.*
"""


CHECKED_EVERY = 6
"""Cuts between two fingerprints of the whole board, each of which takes seconds."""


@pytest.fixture(scope="module")
def pi():
    with labkit.open_board(NAME) as board:
        prepare(board)
        yield board
    VirtualMachine(NAME).down()


def prepare(board):
    """Add a unit that was there before, with a mode of its own, and running."""
    board.check(
        "cd /etc/systemd/system; "
        "printf '[Service]\\nExecStart=/bin/sleep 9999\\n' >labkit-old.service; "
        "chmod 600 labkit-old.service; systemctl daemon-reload; "
        "systemctl start labkit-old",
        sudo=True,
    )


def fingerprint(board):
    return "\n".join(sorted(board.check(FINGERPRINT, sudo=True).lines))


class Session:
    """A process that logs in on the board, waits, and goes on to its cut."""

    def __init__(self, board, cut):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["labkit.boards.ssh.transport", "labkit.tuning", "victim"])
        self.cut, self.may_start = cut, context.Event()
        args = (NAME, board.facts, cut, self.may_start)
        self.process = context.Process(target=victim.run, args=args, daemon=True)
        self.process.start()

    def die(self):
        self.may_start.set()
        self.process.join(90)
        assert not self.process.is_alive(), self.cut
        assert self.process.exitcode == self.cut.ends, f"{self.cut}: {self.process.exitcode}"


def die(board, cut):
    Session(board, cut).die()


def cuts_of(change, turn):
    """The cuts of one change, at every step; which kind it is takes turns."""
    one, two, three = (("lock", "orphan", "link")[(turn + n) % 3] for n in range(3))
    yield Cut(change, "before", 1)
    yield Cut(change, "shell", 1)
    yield Cut(change, one, 1)
    yield Cut(change, "shell", 1, at=1)
    yield Cut(change, "before", 2)
    yield Cut(change, "shell", 2)
    yield Cut(change, two, 2, at=0.8)
    yield Cut(change, three, 2, at=0.8)
    yield Cut(change, "after", 2)
    yield Cut(change, "undo", 3)
    yield Cut(change, "undo", 3, at=1)
    yield Cut(change, one, 3, at=0.8)


def cuts_together(change):
    """Of three changes as one: between them, and while they are undone."""
    yield Cut(change, "before", 3)
    yield Cut(change, "shell", 4)
    yield Cut(change, "before", 6)
    yield Cut(change, "orphan", 6)
    yield Cut(change, "after", 6)
    yield Cut(change, "shell", 7, at=1)
    yield Cut(change, "undo", 8)
    yield Cut(change, "before", 9)


SINGLE = [change for change in CHANGES if change != "three together"]
CUTS = {change: list(cuts_of(change, turn)) for turn, change in enumerate(SINGLE)}
CUTS["three together"] = list(cuts_together("three together"))


def test_there_are_more_than_a_hundred_cuts():
    assert sum(map(len, CUTS.values())) > 100


@pytest.mark.parametrize("change", CUTS)
def test_no_cut_is_lost(pi, change):
    """Every cut is made and restored; the whole board is compared after every sixth one.

    Where it differs then, the cuts since the last comparison are made again one by one, each on
    a board that was reset, and the first that leaves a difference is named. A later cut does not
    hide what an earlier one left: its undo puts back what it found. Only the journal would be
    tidied by the next session, so after every cut the journal must be gone.
    """
    cuts = CUTS[change]
    turn = list(CUTS).index(change)
    before = fingerprint(pi)
    unchecked = []
    session = Session(pi, cuts[0])
    for index, cut in enumerate(cuts):
        session.die()
        if index + 1 < len(cuts):
            session = Session(pi, cuts[index + 1])  # it logs in meanwhile
        restore(pi, by_command=index == turn % len(cuts))  # once, at another cut each time
        assert not pi.run("[ -e /var/lib/labkit ]").ok, f"{cut}: the journal is not empty"
        unchecked.append(cut)
        if len(unchecked) == CHECKED_EVERY or cut is cuts[-1]:
            after = fingerprint(pi)
            if after != before:
                session.process.kill()
                pytest.fail(blame(pi, unchecked) or f"{unchecked}:\n{difference(before, after)}")
            unchecked.clear()


def restore(board, *, by_command=False):
    if by_command:
        argv = [LABKIT, "board", "restore", NAME]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    else:
        journal.restore(board)


def blame(board, cuts):
    """The first of the cuts that is not undone, and the difference; None where each one is."""
    for cut in cuts:
        board.reset()
        prepare(board)
        before = fingerprint(board)
        die(board, cut)
        restore(board)
        after = fingerprint(board)
        if after != before:
            return f"{cut}:\n{difference(before, after)}"
    return None


def test_a_lost_cut_is_named(pi, monkeypatch):
    cuts = [Cut("limits", "after", 2), Cut("cpu set", "after", 2)]
    real = journal.restore

    def forgetful(board):
        """Undo nothing of the second cut."""
        if "cpu set" not in str(cuts[forgetful.calls]):
            real(board)
        forgetful.calls += 1

    forgetful.calls = 0
    monkeypatch.setattr(journal, "restore", forgetful)
    assert "cpu set" in blame(pi, cuts).partition("\n")[0]
    pi.reset()
    prepare(pi)
    assert blame(pi, []) is None


def test_a_session_whose_link_drops_leaves_nothing_to_restore(pi):
    before = fingerprint(pi)
    for call in (1, 2):
        die(pi, Cut("limits", "link", call, at=1))
        assert journal.restore(pi) == ([], [])
        assert fingerprint(pi) == before


def difference(before, after):
    old, new = before.splitlines(), after.splitlines()
    return "\n".join(
        [f"- {x}" for x in old if x not in new] + [f"+ {x}" for x in new if x not in old]
    )


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_sees_the_change_and_the_undo(pi, change):
    before = fingerprint(pi)
    with CHANGES[change](pi):
        assert fingerprint(pi) != before
    assert fingerprint(pi) == before


def test_what_a_dead_session_left_is_said_and_undone_by_the_command(pi, capfd):
    before = fingerprint(pi)
    die(pi, Cut("three together", "after", 6))
    labkit.open_board(NAME).close()
    stderr = capfd.readouterr().err
    assert "governor of all policies: performance" in stderr
    assert f"Next: labkit board restore {NAME}" in stderr
    done = subprocess.run([LABKIT, "board", "restore", NAME], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("undone: ") == 3
    assert fingerprint(pi) == before


def test_a_reboot_between_takes_what_does_not_last_and_restore_takes_the_rest(pi):
    before = fingerprint(pi)
    for change, calls in (("three together", 6), ("cpu set", 2), ("limits", 2)):
        die(pi, Cut(change, "after", calls))
    die(pi, Cut("cmdline.txt", "undo", 3))
    pi.reboot()
    assert pi.read("/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_min_freq").strip() == "1600000"
    assert sum(entry.expired for entry in journal.entries(pi)) == 3
    done, left = journal.restore(pi)
    assert (len(done), left) == (6, [])
    pi.reboot()
    pi.check("systemctl start labkit-old", sudo=True)  # it is not enabled
    assert fingerprint(pi) == before
