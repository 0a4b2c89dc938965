"""A board for the time of a run: reserved for this process, and released in its earlier state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import filelock

from labkit import platforms
from labkit.boards import Board, inventory
from labkit.errors import GuideError
from labkit.paths import cache_dir
from labkit.session import open_board
from labkit.virtual import VirtualMachine

__all__ = ["acquire_board", "check_platform", "machine_gone"]


def check_platform(name: str, platform: str) -> None:
    """Raise :class:`GuideError` if the board of that name is known and of another platform."""
    entry = inventory.find(name)
    actual = entry.platform if entry else name.partition("@")[0]
    # Other names are `local`, or unknown: open_board raises the error for those.
    known = entry or actual in platforms.names()
    if known and actual != platform:
        raise GuideError(
            f"the board {name} is a {actual}", expected=platform, hint=f"--platform {actual}"
        )


@contextmanager
def acquire_board(name: str, *, keep: bool) -> Iterator[Board]:
    """Open the board of that name for one run at a time.

    At the end a virtual board is stopped, or reset if it ran before; with ``keep`` it is left
    running as it is. Raises :class:`GuideError` if another run uses the board, and the errors
    of :func:`labkit.open_board`.
    """
    machine = VirtualMachine(name)
    with _exclusive(name):
        ran_before = machine.running
        board: Board | None = None
        try:
            board = open_board(name)
            yield board
        finally:
            if board:
                board.close()
            if not keep:
                _release(machine, board, ran_before)


def machine_gone(board: Board) -> bool:
    """Whether this is a virtual board whose machine does not run any more."""
    return board.virtual and not VirtualMachine(board.name).running


def _release(machine: VirtualMachine, board: Board | None, ran_before: bool) -> None:
    if not ran_before and machine.directory.exists():
        machine.down()
    elif ran_before and board and board.virtual:
        board.reset()
        board.close()


@contextmanager
def _exclusive(name: str) -> Iterator[None]:
    """Hold the run lock of a board: two runs would reset the board under each other."""
    directory = cache_dir() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory / f"run-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise GuideError(
            f"another labkit run uses the board {name}",
            expected="one run at a time",
            hint="wait for it, or use another board: --board PLATFORM@NAME",
        ) from error
    try:
        yield
    finally:
        lock.release()
