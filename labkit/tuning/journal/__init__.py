"""What has been changed on a board and is to be undone, noted on the board itself.

One folder an entry, below ``/var/lib/labkit/journal``, named by its number, in the order of
the changes, and by the key of whoever made it: ``000001-5f0c2a8e``.
It is there, on the disk, before the change is made, and holds all that the way back takes:
copies of the files as they were, and a shell script. So the way back needs nothing of the
session that made the change, nor labkit's version, only root on the board.
"""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import JournalLocked, TuningError, UndoFailed

if TYPE_CHECKING:
    from labkit.boards.board import Board
    from labkit.result import Result

__all__ = [
    "DIRECTORY",
    "Entry",
    "as_root",
    "entries",
    "make",
    "record",
    "restore",
    "undo",
    "warn_unfinished",
]

DIRECTORY = "/var/lib/labkit/journal"
"""Where the journal lies on a board."""

_LOCK = "/run/labkit.lock"
_PATIENCE = 60  # seconds
_BUSY, _NEWER = 75, 76

# The shell's own words where they serve: a fork is dear on an emulated board.
_RECORD = """
umask 022
folder=$1 key=$7
new="$folder/.new.$$"
trap 'rm -rf "$new"; rmdir "$folder" "${folder%/*}" 2>/dev/null || :' EXIT
rm -rf "$folder"/.new.* "$folder"/.done.*
mkdir -p -m 700 "$new/kept"
read -r boot </proc/sys/kernel/random/boot_id
printf '%s\\n' "$boot" >"$new/boot"
printf '%s\\n' "$2" >"$new/what"
printf '%s\\n' "$3" >"$new/by"
printf '%s\\n' "$4" >"$new/subject"
printf '%s\\n' "$5" >"$new/lasting"
printf '%s\\n' "$6" >"$new/undo"
shift 7
number=0
for path; do
    if [ -e "$path" ] || [ -L "$path" ]; then cp -a -- "$path" "$new/kept/$number"; fi
    number=$((number + 1))
done
sync -f "$new"
last=000000
for entry in "$folder"/[0-9]*; do
    if [ -d "$entry" ]; then last=${entry##*/}; fi
done
next=$((1${last%%-*} + 1))  # the 1 keeps it from being octal
mv -T "$new" "$folder/${next#1}-$key"
trap - EXIT
sync -f "$folder"
"""

# A link that drops may leave a command on the way. Should it start after the change has been
# undone and struck out, nobody would know the way back from it: so it must do nothing.
_MAKE = """
set -- "$1"/*-"$2"
[ -d "$1" ] || { echo "the journal has no entry of it any more" >&2; exit 1; }
"""

# Away with what is struck out, and with what a session left that died over an entry. Nobody is
# at it now, for whoever is holds the lock.
_TIDY = """
rm -rf "$1"/.new.* "$1"/.done.*
rmdir "$1" "${1%/*}" 2>/dev/null || :
"""

# Every step may be cut short and done again: the entry goes only when all is as it was.
_UNDO = f"""
set -- "$1" "$2" "$1"/*-"$2"
[ -d "$3" ] || exit 0
cd "$3"
read -r subject <subject
read -r lasting <lasting
read -r boot <boot
read -r now </proc/sys/kernel/random/boot_id
later=no
for other in "$1"/[0-9]*; do
    read -r changed <"$other/subject"
    if [ "$later" = yes ] && [ "$changed" = "$subject" ]; then
        cat "$other/what" >&2
        exit {_NEWER}
    fi
    if [ "$other" = "$3" ]; then later=yes; fi
done
if [ "$lasting" = yes ] || [ "$boot" = "$now" ]; then sh -eu ./undo; fi
cd /
mv -T "$3" "$1/.done.$2"
{_TIDY}"""

_LIST = f"""
for entry in {DIRECTORY}/[0-9]*; do
    # Another session may strike it out meanwhile.
    {{ read -r what <$entry/what && read -r by <$entry/by && read -r lasting <$entry/lasting &&
    read -r boot <$entry/boot; }} 2>/dev/null || continue
    printf '%s\\n' "${{entry##*-}}" "$what" "$by" "$lasting" "$boot"
done
read -r now </proc/sys/kernel/random/boot_id
echo "$now"
"""


@dataclass(frozen=True)
class Entry:
    """One change: its ``key``, ``what`` it was in a line, ``by`` which session it was made.

    ``gone`` says that a reboot has taken the change away already.
    """

    key: str
    what: str
    by: str
    gone: bool

    @property
    def unfinished(self) -> bool:
        """Whether the session that made the change is over, as far as this machine can tell."""
        account, _, process = self.by.rpartition(":")
        return account == _account() and not _alive(process)

    def __str__(self) -> str:
        return f"{self.what} ({self.by})"


def entries(board: Board) -> list[Entry]:
    """The changes that are noted on a board, the oldest first. Takes no root."""
    return _entries(board.run(_LIST))


def _entries(listed: Result) -> list[Entry]:
    lines = listed.lines
    now = lines[-1] if lines else ""
    return [
        Entry(key, what, by, gone=persistent == "no" and boot != now)
        for key, what, by, persistent, boot in zip(*[iter(lines)] * 5, strict=False)
    ]


def record(
    board: Board,
    what: str,
    undo: str,
    *,
    key: str,
    subject: str,
    keep: Sequence[str] = (),
    persistent: bool = False,
) -> None:
    """Note a change that is about to be made, under a ``key`` that no other has.

    ``undo`` are shell commands for root, fit to be run twice. Before them the files
    ``keep`` are put back: bytes, mode, owner and times, or their absence. ``subject`` names
    what is changed: of two changes of one subject the later is undone first. A change
    that is not ``persistent`` is gone with a reboot, and its undo then does nothing.
    """
    back = [_put_back(number, path) for number, path in enumerate(keep)]
    by = f"{_account()}:{os.getpid()}.{_begun(os.getpid())}"
    words = [" ".join(what.split()), by, subject, "yes" if persistent else "no"]
    script = "\n".join([*back, undo])
    noted = as_root(board, _RECORD, DIRECTORY, *words, script, key, *keep)
    if not noted.ok:
        raise TuningError(
            f"{board.name} cannot note a change in {DIRECTORY}: {noted.error_line}",
            expected="room there, and root's rights",
        )


def make(board: Board, key: str, script: str) -> Result:
    """Run the shell commands of a change, as root, if its entry is in the journal."""
    return as_root(board, f"{_MAKE}\n{script}", DIRECTORY, key)


def undo(board: Board, key: str, what: str = "the change") -> None:
    """Undo one entry and strike it out; nothing where it is gone already.

    Raises :class:`UndoFailed`, and the entry stays, where the board refuses, or where a
    later change of the same subject has to be undone before.
    """
    result = as_root(board, _UNDO, DIRECTORY, key)
    if result.exit_status == _NEWER:
        raise UndoFailed(
            f"{what} cannot be undone yet",
            expected=f"this later change to be undone before: {result.error_line}",
        )
    if not result.ok:
        raise UndoFailed(
            f"{what} cannot be put back: {board.name} says {result.error_line!r}",
            hint=f"look at {DIRECTORY} on the board",
        )


def restore(board: Board, *, everything: bool = False) -> tuple[list[Entry], list[Entry]]:
    """Undo what sessions that are over have left, the latest first; give what was undone, and
    what stays.

    What a session that still runs has changed stays, and so does what was changed from
    another machine, of which this one cannot tell; unless ``everything``.
    Raises :class:`UndoFailed` for what cannot be undone, when all else is.
    """
    # As root, for that waits for what a session had begun before it died: it may yet note a
    # change, or make one.
    there = _entries(as_root(board, _TIDY + _LIST, DIRECTORY))
    mine = [each for each in there if everything or each.unfinished]
    failures = []
    for entry in reversed(mine):
        try:
            undo(board, entry.key, entry.what)
        except UndoFailed as failure:
            failures.append(failure)
    if failures:  # the first is the cause: earlier changes of the same subject wait for it
        raise failures[0]
    return mine, [each for each in there if each not in mine]


def warn_unfinished(board: Board) -> None:
    """Say on stderr which changes a dead session has left on a board, if any."""
    left = [entry for entry in entries(board) if entry.unfinished]
    if left:
        changes = "; ".join(entry.what for entry in left)
        print(
            f"{board.name}: a session that is over has left this changed: {changes}. "
            f"Next: labkit board restore {board.name}",
            file=sys.stderr,
        )


def as_root(board: Board, script: str, *args: object, timeout: float = 120.0) -> Result:
    """Run a shell script as root, with ``args`` as ``$1`` and on, no two at a time on a board.

    Raises :class:`JournalLocked` where another session's script does not end.
    """
    # Whatever the script starts holds the lock too: should the shell be killed, the next one
    # waits for a program that is still at work.
    words = ["flock", "-w", str(_PATIENCE), "-E", str(_BUSY), _LOCK]
    words += ["sh", "-eu", "-c", script, "labkit", *map(str, args)]
    result = board.run(shlex.join(words), sudo=True, timeout=timeout)
    if result.exit_status == _BUSY:
        raise JournalLocked(
            f"another session has been changing {board.name} for {_PATIENCE} s",
            expected="it to be done",
            hint=f"labkit board run {board.name} fuser -v {_LOCK} --sudo",
        )
    return result


def _put_back(number: int, path: str) -> str:
    """Shell for one file: as it was, replaced in one step; or gone, where it was not there."""
    kept, there, half = f"kept/{number}", shlex.quote(path), shlex.quote(f"{path}.labkit")
    return (
        f"if [ -e {kept} ] || [ -L {kept} ]; then cp -a -- {kept} {half}; sync -f {half}; "
        f"mv -fT -- {half} {there}; sync -f {there}; else rm -f -- {there} {half}; fi"
    )


def _account() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _alive(process: str) -> bool:
    """Whether a process, ``number.begun``, still runs; numbers are given again, to others."""
    number, _, begun = process.partition(".")
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return _begun(int(number)) == begun


def _begun(number: int) -> str:
    """When a process began, in the kernel's ticks; empty where there is no /proc to ask."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()  # the name before may hold anything
    return "ended" if state in "ZX" else rest[18]
