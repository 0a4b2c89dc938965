"""Whatever a session dies of, and whenever, the board finds its way back to the last byte.

Each cut is a real one: a process of its own makes a change on a live board and is ended at
one step of the way, often with the shell that works for it on the board. A new session then
says ``restore``, and the board must be what it was.
"""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
import victim
from victim import CHANGES, Cut

import labkit
from labkit.boards import journal
from labkit.virtual import VirtualMachine

NAME = "raspberry-pi-5@torture"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FINGERPRINT = """
cd /sys/devices/system/cpu/cpufreq
grep -Hs '' policy*/scaling_governor policy*/scaling_m??_freq policy*/scaling_setspeed
grep -Hs '' policy*/[a-r]*/* [a-o]*/* [q-z]*/* | grep -v stats/
cut -d' ' -f1 /proc/modules | grep cpufreq_ | sort
find /boot/firmware /etc/systemd/system -type f | sort >/run/names
xargs -a /run/names sha256sum
xargs -a /run/names stat -c '%n %a %u %g %Y'
systemctl list-units --all --plain --no-legend 'labkit-*' | grep -v labkit-wake
ls -d /sys/fs/cgroup/labkit* 2>&1
cat /sys/fs/cgroup/cgroup.subtree_control
ls -A /var/lib/labkit 2>&1
:
"""


@pytest.fixture(scope="module")
def pi():
    with labkit.open_board(NAME) as board:
        # A unit that was there before, with a mode of its own, and running.
        board.check(
            "cd /etc/systemd/system; "
            "printf '[Service]\\nExecStart=/bin/sleep 9999\\n' >labkit-old.service; "
            "chmod 600 labkit-old.service; systemctl daemon-reload; "
            "systemctl start labkit-old",
            sudo=True,
        )
        yield board
    VirtualMachine(NAME).down()


def fingerprint(board):
    return board.check(FINGERPRINT, sudo=True).stdout


def die(context, cut):
    process = context.Process(target=victim.run, args=(NAME, cut))
    process.start()
    process.join(60)
    assert not process.is_alive(), cut
    assert process.exitcode == 9, f"{cut}: was to die, ended with {process.exitcode}"


def cuts_of(change):
    """The cuts of one change: before, in the middle of and after every step."""
    lines, undos = victim.scripts(NAME, change)
    for call, length in enumerate(lines, start=1):
        yield Cut(change, "before", call)
        yield Cut(change, "script", call, length // 2)
    yield Cut(change, "after", len(lines) // 2)
    for line in sorted({0, undos[0] // 2, undos[0]}):
        yield Cut(change, "undo", 0, line)


def test_no_cut_of_a_hundred_and_more_is_lost(pi):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["labkit.boards.ssh", "labkit.tuning", "victim"])
    before = fingerprint(pi)
    made, lost = 0, []
    for change in CHANGES:
        for cut in cuts_of(change):
            die(context, cut)
            journal.restore(pi)
            made += 1
            if (after := fingerprint(pi)) != before:
                lost.append(f"{cut}:\n{difference(before, after)}")
                pi.reset()
                pytest.fail("\n".join(lost))
    print(f"{made} cuts, {len(lost)} lost")
    assert made >= 100


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
    context = multiprocessing.get_context("forkserver")
    die(context, Cut("three together", "after", 6))
    labkit.open_board(NAME).close()
    said = capfd.readouterr().err
    assert "governor of all policies: performance" in said
    assert f"Next: labkit board restore {NAME}" in said
    labkit_ = Path(sys.executable).with_name("labkit")
    done = subprocess.run([labkit_, "board", "restore", NAME], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("undone: ") == 3
    assert fingerprint(pi) == before


def test_a_reboot_between_takes_what_does_not_last_and_restore_takes_the_rest(pi):
    before = fingerprint(pi)
    context = multiprocessing.get_context("forkserver")
    die(context, Cut("three together", "after", 6))
    pi.reboot()
    assert pi.read("/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_min_freq").strip() == "1600000"
    done, left = journal.restore(pi)
    assert (len(done), left) == (3, [])
    pi.reboot()
    pi.check("systemctl start labkit-old", sudo=True)  # it is not enabled
    assert fingerprint(pi) == before
