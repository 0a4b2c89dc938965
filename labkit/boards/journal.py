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
from typing import TYPE_CHECKING

from labkit.errors import JournalBusy, TuningError, UndoFailed

if TYPE_CHECKING:
    from labkit.boards.board import Board
    from labkit.boards.result import Result

__all__ = ["FOLDER", "Entry", "as_root", "entries", "record", "restore", "tell", "undo"]

FOLDER = "/var/lib/labkit/journal"
"""Where the journal lies on a board."""

_LOCK = "/run/labkit.lock"
_BUSY, _NEWER = 75, 76

_RECORD = """
umask 022
mkdir -p "$1"
rm -rf "$1"/.new.* "$1"/.done.*
folder=$1 key=$7
new="$folder/.new.$$"
trap 'rm -rf "$new"; rmdir "$folder" "${folder%/*}" 2>/dev/null || :' EXIT
mkdir "$new"
mkdir -m 700 "$new/kept"
cat /proc/sys/kernel/random/boot_id >"$new/boot"
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
last=$(ls "$folder" | sort -n | tail -n 1)
next=$(printf %06d "$(expr "${last%%-*}" + 1 2>/dev/null || echo 1)")
mv -T "$new" "$folder/$next-$key"
trap - EXIT
sync -f "$folder"
"""

# Every step may be cut short and done again: the entry goes only when all is as it was.
_UNDO = """
cd "$1"/*-"$2" 2>/dev/null || exit 0
later=no
for other in "$1"/[0-9]*; do
    if [ "$later" = yes ] && [ "$(cat "$other/subject")" = "$(cat subject)" ]; then
        cat "$other/what" >&2
        exit 76
    fi
    if [ "$other" = "$PWD" ]; then later=yes; fi
done
here=$PWD
read -r now </proc/sys/kernel/random/boot_id
if [ "$(cat lasting)" = yes ] || [ "$(cat boot)" = "$now" ]; then sh -eu ./undo; fi
cd /
mv -T "$here" "$1/.done.$2"
rm -rf "$1"/.done.*
rmdir "$1" "${1%/*}" 2>/dev/null || :
"""

# What a session left that died while it wrote or struck out an entry. Nobody is at it now,
# for whoever is holds the lock.
_TIDY = """
rm -rf "$1"/.new.* "$1"/.done.*
rmdir "$1" "${1%/*}" 2>/dev/null || :
"""

_LIST = f"""
for entry in {FOLDER}/[0-9]*; do
    [ -d "$entry" ] || continue
    echo "${{entry##*-}}"
    cat "$entry/what" "$entry/by" "$entry/lasting" "$entry/boot"
done
cat /proc/sys/kernel/random/boot_id
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
    lines = board.run(_LIST).lines
    now = lines[-1] if lines else ""
    return [
        Entry(key, what, by, gone=lasting == "no" and boot != now)
        for key, what, by, lasting, boot in zip(*[iter(lines)] * 5, strict=False)
    ]


def record(
    board: Board,
    what: str,
    undo: str,
    *,
    key: str,
    subject: str,
    keep: Sequence[str] = (),
    lasting: bool = False,
) -> None:
    """Note a change that is about to be made, under a ``key`` that no other has.

    ``undo`` are shell commands for root, fit to be run twice. Before them the files
    ``keep`` are put back: bytes, mode, owner and times, or their absence. ``subject`` names
    what is changed: of two changes of one subject the later is undone first. A change
    that is not ``lasting`` is gone with a reboot, and its undo then does nothing.
    """
    back = [_put_back(number, path) for number, path in enumerate(keep)]
    words = [what, f"{_account()}:{os.getpid()}", subject, "yes" if lasting else "no"]
    script = "\n".join([*back, undo])
    noted = as_root(board, _RECORD, FOLDER, *words, script, key, *keep)
    if not noted.ok:
        raise TuningError(
            f"{board.name} cannot note a change in {FOLDER}: {_last(noted.stderr)}",
            expected="room there, and root's rights",
        )


def undo(board: Board, key: str, what: str = "the change") -> None:
    """Undo one entry and strike it out; nothing where it is gone already.

    Raises :class:`UndoFailed`, and the entry stays, where the board refuses, or where a
    later change of the same subject has to be undone before.
    """
    result = as_root(board, _UNDO, FOLDER, key)
    if result.exit_status == _NEWER:
        raise UndoFailed(
            f"{what} cannot be undone yet",
            expected=f"this later change to be undone before: {_last(result.stderr)}",
        )
    if not result.ok:
        raise UndoFailed(
            f"{what} cannot be put back: {board.name} says {_last(result.stderr)!r}",
            todo=f"look at {FOLDER} on the board",
        )


def restore(board: Board, *, everything: bool = False) -> tuple[list[Entry], list[Entry]]:
    """Undo what sessions that are over have left, the latest first; give what was undone, and
    what stays.

    What a session that still runs has changed stays, and so does what was changed from
    another machine, of which this one cannot tell; unless ``everything``.
    Raises :class:`UndoFailed` at the first entry that cannot be undone.
    """
    there = entries(board)
    mine = [each for each in there if everything or each.unfinished]
    for entry in reversed(mine):
        undo(board, entry.key, entry.what)
    if board.run("[ -e %s ]", FOLDER).ok:
        as_root(board, _TIDY, FOLDER)
    return mine, [each for each in there if each not in mine]


def tell(board: Board) -> None:
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

    Raises :class:`JournalBusy` where another session's script does not end.
    """
    words = ["flock", "-o", "-w", "60", "-E", str(_BUSY), _LOCK]
    words += ["sh", "-eu", "-c", script, "labkit", *map(str, args)]
    result = board.run(shlex.join(words), sudo=True, timeout=timeout)
    if result.exit_status == _BUSY:
        raise JournalBusy(
            f"another session has been changing {board.name} for a minute",
            expected="it to be done",
            todo=f"labkit board run {board.name} fuser -v {_LOCK} --sudo",
        )
    return result


def _last(said: str) -> str:
    return (said.strip() or "no reason given").splitlines()[-1]


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
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
