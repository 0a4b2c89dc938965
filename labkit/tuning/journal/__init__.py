"""The journal of changes: what has been changed on a board and is to be undone, kept on the board.

One directory for each entry, below ``/var/lib/labkit/journal``. Its name is a number, in the
order of the changes, and a key that no other entry has: ``000001-5f0c2a8e9d3b``. The entry is
on the board's disk before the change is made. It holds all that the undo needs: copies of the
files as they were, and a shell script. So an undo needs neither the session that made the
change nor the same version of labkit, only root on the board.

The shell scripts beside this file run on the board. They use what the shell has built in where
they can, because a fork is slow on an emulated board.
"""

from __future__ import annotations

import functools
import itertools
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from labkit.boards.identity import account, start_time
from labkit.errors import JournalLocked, TuningError, UndoFailed

if TYPE_CHECKING:
    from labkit.boards.board import Board
    from labkit.result import Result

__all__ = [
    "DIRECTORY",
    "JournalEntry",
    "apply",
    "as_root",
    "entries",
    "new_key",
    "record",
    "restore",
    "undo",
    "warn_unfinished",
]

DIRECTORY = "/var/lib/labkit/journal"
"""Where the journal is on a board."""

_LOCK = "/run/labkit.lock"
_LOCK_TIMEOUT = 60  # seconds
_EXIT_LOCKED = 75
_EXIT_LATER_CHANGE = 76  # see undo.sh


@dataclass(frozen=True)
class JournalEntry:
    """One change that is recorded on a board.

    ``key`` names the entry, ``description`` is the change in one line, ``session`` is who made
    it: ``user@host:pid.start`` with the start time of the process in the kernel's ticks.
    ``expired`` means that a reboot has removed the change already.
    """

    key: str
    description: str
    session: str
    expired: bool

    @property
    def orphaned(self) -> bool:
        """Whether the session that made the change has ended, as far as this computer can tell."""
        owner, _, process = self.session.rpartition(":")
        return owner == account() and not _alive(process)

    def __str__(self) -> str:
        return f"{self.description} ({self.session})"


_counter = itertools.count(1)


def new_key() -> str:
    """A key for a new entry of this session: ``+0001``, the next time ``+0002``.

    The scripts put the random key of the session in the place of the ``+``, so that the
    requests of two sessions that do the same are the same.
    """
    return f"+{next(_counter):04x}"


def entries(board: Board) -> list[JournalEntry]:
    """The entries of a board's journal, the oldest first. Needs no root."""
    return _parse_entries(board.run(f"set -- {DIRECTORY}\n{_script('list')}"))


def record(
    board: Board,
    description: str,
    undo: str,
    *,
    key: str,
    resource: str,
    backup: Sequence[str] = (),
    persistent: bool = False,
) -> None:
    """Record a change that is about to be made, under a ``key`` from :func:`new_key`.

    ``undo`` is a shell script for root; running it twice must be harmless. Before it runs, the
    files ``backup`` are put back: bytes, mode, owner and times, or their absence. ``resource``
    names what is changed: of two changes of one resource the later is undone first. A reboot
    removes a change that is not ``persistent``, and its undo then does nothing.

    Raises :class:`TuningError` where the entry cannot be written.
    """
    put_back = [_put_back(index, path) for index, path in enumerate(backup)]
    fields = [" ".join(description.split()), resource, "yes" if persistent else "no"]
    script = "\n".join([*put_back, undo])
    result = as_root(board, _script("record"), DIRECTORY, *fields, script, key, *backup)
    if not result.ok:
        raise TuningError(
            f"{board.name} cannot record a change in {DIRECTORY}: {result.error_line}",
            expected="free space there, and root's permissions",
        )


def apply(board: Board, key: str, script: str) -> Result:
    """Run the shell commands of a change, as root, if its entry is in the journal."""
    return as_root(board, f"{_script('apply')}\n{script}", DIRECTORY, key)


def undo(board: Board, key: str, description: str = "the change") -> None:
    """Undo one entry and remove it. Does nothing where it is removed already.

    Raises :class:`UndoFailed`, and the entry stays, where a command of the undo fails, or where
    a later change of the same resource has to be undone before.
    """
    result = as_root(board, _script("undo") + _script("tidy"), DIRECTORY, key)
    if result.exit_status == _EXIT_LATER_CHANGE:
        raise UndoFailed(
            f"{description} cannot be undone yet",
            expected=f"this later change to be undone before: {result.error_line}",
        )
    if not result.ok:
        raise UndoFailed(
            f"{description} cannot be undone on {board.name}: {result.error_line}",
            hint=f"look at {DIRECTORY} on the board",
        )


def restore(
    board: Board, *, include_active: bool = False
) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Undo the changes that ended sessions have left, the latest first.

    Returns the entries that were undone, and those that remain. The changes of a session that
    still runs remain, and those made from another computer, whose sessions this one cannot see;
    with ``include_active`` they are undone too.
    Raises :class:`UndoFailed` for what cannot be undone, after everything else is undone.
    """
    # Run as root, the listing waits for the lock, and so for what a session had started before
    # it died: that may still add an entry or make a change.
    listing = as_root(board, _script("tidy") + _script("list"), DIRECTORY)
    recorded = _parse_entries(listing)
    selected = [entry for entry in recorded if include_active or entry.orphaned]
    failures = []
    for entry in reversed(selected):
        try:
            undo(board, entry.key, entry.description)
        except UndoFailed as failure:
            failures.append(failure)
    if failures:  # the first is the cause: earlier changes of the same resource wait for it
        raise failures[0]
    return selected, [entry for entry in recorded if entry not in selected]


def warn_unfinished(board: Board) -> None:
    """Print on stderr which changes ended sessions have left on a board, if there are any."""
    orphaned = [entry for entry in entries(board) if entry.orphaned]
    if orphaned:
        changes = "; ".join(entry.description for entry in orphaned)
        print(
            f"{board.name}: a session that has ended left this changed: {changes}. "
            f"Next: labkit board restore {board.name}",
            file=sys.stderr,
        )


def as_root(board: Board, script: str, *args: object, timeout: float = 120.0) -> Result:
    """Run a shell script as root, with ``args`` as ``$1`` and so on, one script at a time.

    Raises :class:`JournalLocked` where another session's script does not end in time.
    """
    # Whatever the script starts holds the lock too: if the shell is killed, the next script
    # waits for a program that is still running.
    argv = ["flock", "-w", str(_LOCK_TIMEOUT), "-E", str(_EXIT_LOCKED), _LOCK]
    argv += ["sh", "-eu", "-c", script, "labkit", *map(str, args)]
    result = board.run(shlex.join(argv), sudo=True, session=True, timeout=timeout)
    if result.exit_status == _EXIT_LOCKED:
        raise JournalLocked(
            f"another session has been changing {board.name} for {_LOCK_TIMEOUT} s",
            expected="it to finish",
            hint=f"labkit board run {board.name} --sudo -- fuser -v {_LOCK}",
        )
    return result


@functools.cache
def _script(name: str) -> str:
    return files(__name__).joinpath(f"{name}.sh").read_text(encoding="utf-8")


def _parse_entries(listing: Result) -> list[JournalEntry]:
    lines = listing.lines
    current_boot = lines[-1] if lines else ""
    return [
        JournalEntry(key, description, session, expired=persistent == "no" and boot != current_boot)
        for key, description, session, persistent, boot in zip(*[iter(lines)] * 5, strict=False)
    ]


def _put_back(index: int, path: str) -> str:
    """Shell commands that put one file back in one step, or remove it where there was none."""
    backup, target = f"kept/{index}", shlex.quote(path)
    temporary = shlex.quote(f"{path}.labkit")
    return (
        f"if [ -e {backup} ] || [ -L {backup} ]; then cp -a -- {backup} {temporary}; "
        f"sync -f {temporary}; mv -fT -- {temporary} {target}; sync -f {target}; "
        f"else rm -f -- {target} {temporary}; fi"
    )


def _alive(process: str) -> bool:
    """Whether a process ``pid.start`` still runs; a pid may belong to a new process by now."""
    pid, _, started = process.partition(".")
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return start_time(int(pid)) == started
