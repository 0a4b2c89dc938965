"""From a name to a board: the user's own first, then what labkit can make."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.boards import inventory, journal
from labkit.boards.board import Board
from labkit.boards.inventory import Entry
from labkit.boards.local import LocalTransport
from labkit.boards.transport import Transport
from labkit.errors import BoardUnknown

if TYPE_CHECKING:
    from labkit.boards.target import SshTarget

__all__ = ["LOCAL", "MakeBoard", "board_maker", "open_board", "ssh_target"]

LOCAL = "local"
"""The name, and the host in the inventory, of the machine labkit itself runs on."""

MakeBoard = Callable[[str], Board | None]

_maker: MakeBoard | None = None


def board_maker(make: MakeBoard) -> MakeBoard:
    """Register who makes a board that must first be booted (there is one: labkit.virtual).

    It gets a name and gives a running board, or None where it knows no such name. So this
    package need not know that virtual machines exist.
    """
    global _maker
    _maker = make
    return make


def open_board(name: str, *, sudo_password: str | None = None, tell: bool = True) -> Board:
    """Open a board by name, booting it first where it is a virtual one.

    ``name`` is a board of the user's inventory, ``local`` for this machine, or a platform
    (``debian-12``), which means a virtual board of that kind. A password for sudo comes
    from ``sudo_password`` or the variable ``LABKIT_SUDO_PASSWORD``.

    Where a session that is over has left changes on it, a line on stderr says so (``tell``).

    Raises :class:`BoardUnknown`, and whatever the way there meets.

    >>> open_board("debian-12").run("uname -m").stdout     # doctest: +SKIP
    'aarch64\\n'
    """
    board = _find(name, sudo_password or os.environ.get("LABKIT_SUDO_PASSWORD"))
    if tell:
        journal.tell(board)
    return board


def _find(name: str, password: str | None) -> Board:
    entry = inventory.find(name)
    if entry is None and name == LOCAL:
        entry = Entry(LOCAL, LOCAL, "")
    if entry is not None:
        return Board(name, _way(entry), platform=entry.platform, sudo_password=password)
    board = _maker(name) if _maker else None
    if board is None:
        raise BoardUnknown(
            f"there is no board {name!r}",
            expected="a platform, or a board you added",
            todo="labkit board list",
        )
    return board


def ssh_target(entry: Entry) -> SshTarget:
    """Where an entry of the inventory leads, the gaps filled from ~/.ssh/config."""
    # Only here: paramiko takes a tenth of a second to import.
    from labkit.boards.target import resolve

    return resolve(
        entry.name,
        entry.host,
        port=entry.port or None,
        user=entry.user or None,
        key=Path(entry.key).expanduser() if entry.key else None,
        jump=entry.jump or None,
    )


def _way(entry: Entry) -> Transport:
    if entry.host == LOCAL:
        return LocalTransport()
    from labkit.boards.ssh import SshTransport

    return SshTransport(ssh_target(entry))
