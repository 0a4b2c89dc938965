"""Opening a board by name: the user's own boards, this machine, and virtual boards."""

from __future__ import annotations

import os
from collections.abc import Callable

from labkit.boards import inventory
from labkit.boards.board import Board
from labkit.boards.inventory import LOCAL, BoardEntry
from labkit.boards.local import LocalTransport
from labkit.boards.sudo import Sudo
from labkit.boards.transport import Transport
from labkit.errors import BoardUnknown

__all__ = ["PROVIDERS", "BoardProvider", "open_board"]

BoardProvider = Callable[[str, str | None], Board | None]
"""Called with a name and a password for sudo (or None); returns the board of that name, or None."""


def open_board(
    name: str, *, sudo_password: str | None = None, warn_unfinished: bool = True
) -> Board:
    """Open a board by name. A virtual board is booted first.

    ``name`` is a board of the user's inventory, ``local`` for this machine, or a platform
    (``debian-12``), which means a virtual board of that kind. The password for sudo is
    ``sudo_password`` or the variable ``LABKIT_SUDO_PASSWORD``. It stays in memory; sudo reads
    it from its standard input.

    With ``warn_unfinished``, a line on stderr names the changes that an ended session has
    left on the board.

    Raises :class:`BoardUnknown`, and the errors of the connection or of the virtual machine.

    >>> open_board("debian-12").run("uname -m").stdout     # doctest: +SKIP
    'aarch64\\n'
    """
    password = sudo_password or os.environ.get("LABKIT_SUDO_PASSWORD")
    board = next(filter(None, (provide(name, password) for provide in PROVIDERS)), None)
    if board is None:
        raise BoardUnknown(
            f"there is no board {name!r}",
            expected="a platform, or a board you added",
            hint="labkit board list",
        )
    if warn_unfinished:
        from labkit.tuning import journal

        journal.warn_unfinished(board)
    return board


def _from_inventory(name: str, sudo_password: str | None) -> Board | None:
    entry = inventory.find(name)
    return _board(entry, sudo_password) if entry else None


def _local(name: str, sudo_password: str | None) -> Board | None:
    return _board(BoardEntry(LOCAL, LOCAL, ""), sudo_password) if name == LOCAL else None


def _virtual(name: str, sudo_password: str | None) -> Board | None:
    # Imported here: it would take most of the time of `import labkit`.
    from labkit.virtual import virtual_board

    return virtual_board(name)


PROVIDERS: tuple[BoardProvider, ...] = (_from_inventory, _local, _virtual)
"""Called in this order; the first board is the one that is opened."""


def _board(entry: BoardEntry, sudo_password: str | None) -> Board:
    transport = _transport_for(entry, Sudo(sudo_password))
    return Board(entry.name, transport, platform=entry.platform)


def _transport_for(entry: BoardEntry, sudo: Sudo) -> Transport:
    if entry.host == LOCAL:
        return LocalTransport(sudo)
    # Imported here: paramiko takes a tenth of a second.
    from labkit.boards.ssh.transport import SshTransport

    return SshTransport(inventory.ssh_target(entry), sudo)
