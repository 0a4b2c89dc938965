"""A board for the length of a run: ours alone, and given back as it was found."""

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

__all__ = ["acquire_board", "check_platform", "ended"]


def check_platform(name: str, platform: str) -> None:
    """Raise :class:`GuideError` where the board of that name is of another platform."""
    entry = inventory.find(name)
    kind = entry.platform if entry else name.partition("@")[0]
    known = entry or kind in platforms.names()  # else `local`, or unknown: open_board will say
    if known and kind != platform:
        raise GuideError(
            f"the board {name} is a {kind}", expected=platform, hint=f"--platform {kind}"
        )


@contextmanager
def acquire_board(name: str, *, keep: bool) -> Iterator[Board]:
    """The board of that name, for one run at a time.

    In the end a virtual board is stopped, or reset where it ran before; where ``keep``, it
    is left running as it is. Raises :class:`GuideError` where another run has it, and what
    :func:`labkit.open_board` raises.
    """
    machine = VirtualMachine(name)
    with _alone(name):
        ran_before = machine.running
        board: Board | None = None
        try:
            board = open_board(name)
            yield board
        finally:
            if board:
                board.close()
            if not keep:
                _give_back(machine, board, ran_before)


def ended(board: Board) -> bool:
    """Whether this is a virtual board whose machine is gone."""
    return board.virtual and not VirtualMachine(board.name).running


def _give_back(machine: VirtualMachine, board: Board | None, ran_before: bool) -> None:
    if not ran_before and machine.directory.exists():
        machine.down()
    elif ran_before and board and board.virtual:
        board.reset()
        board.close()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Be the only run on that board: two would reset it under each other."""
    directory = cache_dir() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory / f"run-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as taken:
        raise GuideError(
            f"another labkit run uses the board {name}",
            expected="one run at a time",
            hint="wait for it, or take one more board with --board PLATFORM@NAME",
        ) from taken
    try:
        yield
    finally:
        lock.release()
