"""Running a program on a board: shipped once, heard while it runs, ended when it must be."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from labkit.boards import Board
from labkit.boards.transport import OutputCallback
from labkit.errors import BinaryError, CommandTimeout, OutputLimitExceeded, RemoteFileError
from labkit.files import sha256_file
from labkit.result import Result

__all__ = ["clear", "run_on", "ship"]

OUTPUT_LIMIT = 8 * 2**20
"""Bytes a program may print: a page with more does not open any more."""

# What a 64-bit Arm kernel runs, in the words of the ELF header (e_machine): the second one
# is 32-bit Arm, which some processors can do as well.
_RUNS = {183: "arm64", 40: "arm"}


def run_on(
    board: Board,
    program: str | os.PathLike[str],
    args: Sequence[object] = (),
    env: Mapping[str, str] | None = None,
    *,
    timeout: float = 60.0,
    limit: int = OUTPUT_LIMIT,
    on_output: OutputCallback | None = None,
    sudo: bool = False,
) -> Result:
    """Run a program of this machine on a board and give its Result, whatever the status.

    It is shipped unless the board has it. ``timeout`` is in seconds, ``limit`` in bytes of
    output; ``on_output`` is told what it prints while it runs. A shell gives a death by signal N as
    status 128+N: 132 is SIGILL, an instruction this processor does not have.

    Raises :class:`BinaryError` for a file that is no program for Arm, :class:`CommandTimeout`
    and :class:`OutputLimitExceeded` after ending it, :class:`RemoteFileError` where the board is full.

    >>> run_on(board, build(source), ["-n", 3], {"GOMAXPROCS": "1"})   # doctest: +SKIP
    """
    path = Path(program)
    there = ship(board, path)
    said = shlex.join([path.name, *map(str, args)])
    told = _Limited(on_output, limit)
    try:
        words = [there, *args]
        ended = board.run(
            " ".join(["%s"] * len(words)),
            *words,
            timeout=timeout,
            env=env,
            on_output=told,
            sudo=sudo,
        )
    except CommandTimeout as late:
        raise CommandTimeout(board.name, replace(late.result, command=said), timeout) from None
    except _TooMuch:
        start = Result(said, None, told.start, "", 0.0)
        raise OutputLimitExceeded(board.name, start, limit) from None
    return replace(ended, command=said)


def ship(board: Board, program: str | os.PathLike[str]) -> str:
    """Copy a program to the board, unless the same bytes are there; give its path there.

    Raises :class:`BinaryError`, :class:`RemoteFileError`.
    """
    path = Path(program)
    _require_arm(path)
    directory = f"{board.facts.cache_dir}/programs/{sha256_file(path)[:16]}"
    there = f"{directory}/{path.name}"
    try:
        board.put(path, there)
    except RemoteFileError:
        board.run("rmdir -- %s", directory)
        raise
    return there


def clear(board: Board) -> None:
    """Remove from a board what labkit has shipped there: programs and toolchains."""
    board.check("rm -rf -- %s", board.facts.cache_dir)


class _TooMuch(Exception):
    pass


class _Limited:
    """Passes output on to whoever listens, up to a limit."""

    def __init__(self, on_output: OutputCallback | None, limit: int) -> None:
        self._on_output, self._limit, self._heard = on_output, limit, 0
        self.start = ""

    def __call__(self, out: bytes, err: bytes) -> None:
        if not self._heard:
            self.start = (out or err)[:2000].decode(errors="replace")
        room = self._limit - self._heard
        self._heard += len(out) + len(err)
        if self._on_output:
            self._on_output(out[:room], err[: max(0, room - len(out))])
        if self._heard > self._limit:
            raise _TooMuch


def _require_arm(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as trouble:
        raise BinaryError(f"{path}: {trouble.strerror}", expected="a program") from trouble
    if len(head) < 20 or head[:4] != b"\x7fELF":
        raise BinaryError(f"{path} is no ELF file", expected="a program for Linux")
    machine = int.from_bytes(head[18:20], "little")
    if machine not in _RUNS:
        known = {62: "amd64", 3: "386", 243: "riscv64"}
        raise BinaryError(
            f"{path.name} is a program for {known.get(machine, f'ELF machine {machine}')}",
            expected="one for arm64",
            hint='build(..., GOARCH="arm64")',
        )
