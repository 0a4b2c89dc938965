"""A session that changes a board and dies while it does, in a process of its own.

A module, not a fixture: the process is a child that imports it by name.
"""

import os
import socket
import subprocess
from dataclasses import dataclass

import labkit
from labkit.errors import LabError
from labkit.tuning import (
    CmdlineTxtChange,
    ConfigTxtChange,
    CpuSet,
    Governor,
    InstalledUnit,
    Limits,
    Tunable,
    Unit,
    journal,
)

SLEEPER = Unit(["/bin/sleep", "1000"], cpu_affinity=[1]).text()

CHANGES = {
    "governor": lambda board: Governor(board, "performance"),
    "governor of a module": lambda board: Governor(board, "powersave", load_modules=True),
    "limits": lambda board: Limits(board, min_khz=1_700_000, max_khz=2_100_000),
    "tunable": lambda board: Tunable(board, "rate_limit_us", 7000),
    "new unit": lambda board: InstalledUnit(board, "labkit-new", SLEEPER),
    "unit that was there": lambda board: InstalledUnit(board, "labkit-old", SLEEPER),
    "config.txt": lambda board: ConfigTxtChange(board, arm_freq=2000, allow_write=True),
    "cmdline.txt": lambda board: CmdlineTxtChange(
        board, add=["cgroup_enable=memory"], allow_write=True
    ),
    "cpu set": lambda board: CpuSet(board, "torture", [1, 2]),
    "three together": lambda board: (
        Governor(board, "performance")
        + ConfigTxtChange(board, arm_freq_min=1600, allow_write=True)
        + InstalledUnit(board, "labkit-new", SLEEPER)
    ),
}

DIED, SURVIVED, MISSED = 9, 7, 8
"""How the process ends: at its cut; after a link that was cut; the cut was not met."""

PARTIAL_UNDO = "/run/labkit-cut"
"""The first part of an undo script, on the board."""


@dataclass(frozen=True)
class Cut:
    """Where a session dies: at its call number ``call`` of a script on the board.

    A change has three calls: it is recorded, made, undone. ``how``: the process ends ``before`` or
    ``after`` the call. Or the script is cut itself, ``at`` a part of its length (0 to 1): its
    ``shell`` on the board is killed; or the ``lock``'s holder is, and the shell goes on; or it
    is an ``orphan``, the process dead while it runs; or the ``link`` drops, and the process
    lives. In the ``undo`` the shell is killed after a part of the entry's own undo script.
    """

    change: str
    how: str
    call: int
    at: float = 0.5

    @property
    def ends(self):
        """The exit status of the process."""
        return SURVIVED if self.how == "link" else DIED


def run(name, facts, cut, may_start):
    """Make the change and undo it again, on the board called *name*, and die at the cut."""
    board = labkit.open_board(name, warn_unfinished=False)
    board.__dict__["facts"] = facts  # of the same board: to read them again takes seconds
    board.check("true")  # it logs in
    may_start.wait()
    _arm(board, cut)
    change = CHANGES[cut.change](board)
    try:
        change.apply()
        change.undo()
    except LabError:
        if cut.how == "link":
            os._exit(SURVIVED)
        raise
    os._exit(MISSED)


def _arm(board, cut):
    as_root, calls, undo_scripts = journal.as_root, [], {}

    def deadly(board, script, *args, **more):
        calls.append(script)
        if len(args) > 2:  # it is being recorded: see record.sh
            undo_scripts[args[5]] = args[4]
        if len(calls) != cut.call:
            return as_root(board, script, *args, **more)
        if cut.how == "before":
            os._exit(DIED)
        if cut.how in ("orphan", "link"):
            _cut_at_first_output(board, cut.how)
        result = as_root(board, _cut(script, cut, undo_scripts.get(args[-1], "")), *args, **more)
        met = result.ok if cut.how == "after" else result.exit_status == 128 + 9
        os._exit(DIED if met else MISSED)

    journal.as_root = deadly


def _cut(script, cut, undo):
    """The script with its own end in it."""
    if cut.how == "undo":
        lines = undo.strip().splitlines()
        part = f"head -n {_boundary(lines, cut.at)} undo >{PARTIAL_UNDO}"
        return script.replace("sh -eu ./undo", f"{part}; sh -eu {PARTIAL_UNDO}; kill -9 $$")
    ends = {
        "shell": "kill -9 $$",
        "lock": "kill -9 $PPID; sleep 0.3",
        "orphan": "echo now >&2; sleep 0.3",
        "link": "echo now >&2; sleep 0.3",
    }
    lines = [line for line in script.strip().splitlines() if not line.startswith("#")]
    boundary = _boundary(lines, cut.at)
    return "\n".join([*lines[:boundary], ends.get(cut.how, ""), *lines[boundary:]])


def _boundary(lines, at):
    """The number of lines that is nearest to a part of a script and ends no command half way."""
    for count in sorted(range(len(lines) + 1), key=lambda n: abs(n - at * len(lines))):
        head = "\n".join(lines[:count])
        if subprocess.run(["sh", "-n"], input=head, text=True, stderr=-3).returncode == 0:
            return count
    raise AssertionError("no script")


def _cut_at_first_output(board, how):
    """Have the process die, or the link drop, when the script on the board prints something."""
    transport = board._transport
    run = transport.run

    def on_output(out, err):
        if how == "orphan":
            os._exit(DIED)
        transport.run = run
        transport._client.get_transport().sock.shutdown(socket.SHUT_RDWR)

    transport.run = lambda request, **more: run(request, on_output=on_output)
