"""A session that changes a board and dies of it, in a process of its own.

A module, not a fixture: the process is a child that imports it by name.
"""

import os
from dataclasses import dataclass

import labkit
from labkit.boards import journal
from labkit.tuning import (
    CommandLine,
    ConfigSetting,
    CpuSet,
    Governor,
    InstalledUnit,
    Limits,
    Tunable,
    Unit,
)

FLAG = "/run/labkit-cut"
SLEEPER = Unit(["/bin/sleep", "1000"], cpus=[1]).text()

CHANGES = {
    "governor": lambda board: Governor(board, "performance"),
    "governor of a module": lambda board: Governor(board, "powersave", load_modules=True),
    "limits": lambda board: Limits(board, min_khz=1_700_000, max_khz=2_100_000),
    "tunable": lambda board: Tunable(board, "rate_limit_us", 7000),
    "new unit": lambda board: InstalledUnit(board, "labkit-new", SLEEPER),
    "unit that was there": lambda board: InstalledUnit(board, "labkit-old", SLEEPER),
    "config.txt": lambda board: ConfigSetting(board, arm_freq=2000, confirmed=True),
    "cmdline.txt": lambda board: CommandLine(board, add=["cgroup_enable=memory"], confirmed=True),
    "cpu set": lambda board: CpuSet(board, "torture", [1, 2]),
    "three together": lambda board: (
        Governor(board, "performance")
        + ConfigSetting(board, arm_freq_min=1600, confirmed=True)
        + InstalledUnit(board, "labkit-new", SLEEPER)
    ),
}


@dataclass(frozen=True)
class Cut:
    """Where the session dies: at its call number ``call`` of a script on the board.

    ``how``: "before" and "after" the call the process ends; in the "script" itself the shell
    on the board is killed too, behind line ``line``; so it is in the "undo" of the entry.
    """

    change: str
    how: str
    call: int
    line: int = 0

    def __str__(self):
        at = f" line {self.line}" if self.how in ("script", "undo") else ""
        return f"{self.change}: {self.how} {self.call}{at}"


def run(name, cut):
    """Make the change and undo it again, on the board called *name*, and die at the cut."""
    board = labkit.open_board(name, tell=False)
    if cut.how == "undo":
        board.check(f"touch {FLAG}", sudo=True)
    _arm(cut)
    change = CHANGES[cut.change](board)
    change.apply()
    change.undo()
    os._exit(0)


def scripts(name, change):
    """How many lines the scripts of a change have, in the order they are run on the board.

    Runs them: the change is made and undone.
    """
    board, lines, undos = labkit.open_board(name, tell=False), [], []
    as_root, record = journal.as_root, journal.record

    def counting(board, script, *args, **more):
        lines.append(len(script.strip().splitlines()))
        return as_root(board, script, *args, **more)

    def noting(board, what, undo, **more):
        undos.append(len(undo.strip().splitlines()))
        return record(board, what, undo, **more)

    journal.as_root, journal.record = counting, noting
    try:
        made = CHANGES[change](board)
        made.apply()
        made.undo()
    finally:
        journal.as_root, journal.record = as_root, record
        board.close()
    return lines, undos


def _arm(cut):
    as_root, record = journal.as_root, journal.record
    calls = iter(range(1, 100))

    def deadly(board, script, *args, **more):
        number = next(calls)
        if number != cut.call or cut.how == "undo":
            result = as_root(board, script, *args, **more)
            if cut.how == "undo" and result.exit_status not in (0, 1):
                os._exit(9)  # the board's shell was killed, and so are we
            return result
        if cut.how == "before":
            os._exit(9)
        if cut.how == "script":
            script = _with(script, cut.line, "kill -9 $$")
        as_root(board, script, *args, **more)
        os._exit(9)

    def trapped(board, what, undo, **more):
        trap = f"if [ -e {FLAG} ]; then rm {FLAG}; kill -9 $PPID $$; fi"
        return record(board, what, _with(undo, cut.line, trap), **more)

    journal.as_root = deadly
    if cut.how == "undo":
        journal.record = trapped


def _with(script, line, more):
    lines = script.strip().splitlines()
    return "\n".join([*lines[:line], more, *lines[line:]])
