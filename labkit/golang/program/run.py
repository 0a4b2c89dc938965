"""Running a program on a board: uploaded once, limited in time and in output."""

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
from labkit.golang.analysis.machine import MACHINE_BYTES, e_machine, goarch
from labkit.result import Result

__all__ = ["remove_uploads", "run_on", "upload"]

OUTPUT_LIMIT = 8 * 2**20
"""Bytes a program may print: a notebook with more can no longer be opened."""

# What a 64-bit Arm kernel runs. Some processors run 32-bit Arm programs too.
_RUNNABLE = ("EM_AARCH64", "EM_ARM")

_START_BYTES = 2000
"""How much of a program's output the error keeps, if the program printed too much."""


def run_on(
    board: Board,
    program: str | os.PathLike[str],
    args: Sequence[object] = (),
    env: Mapping[str, str] | None = None,
    *,
    timeout: float = 60.0,
    output_limit: int = OUTPUT_LIMIT,
    on_output: OutputCallback | None = None,
    sudo: bool = False,
) -> Result:
    """Run a program file of this machine on a board and return its Result, whatever the status.

    It is uploaded unless the board has it. ``timeout`` is in seconds, ``output_limit`` in bytes;
    ``on_output`` is called with new bytes of stdout and stderr while the program runs. A program
    that signal N ends has status 128+N: 132 is SIGILL, for an instruction that the processor
    does not have.

    Raises :class:`BinaryError` for a file that is no program for Arm, :class:`CommandTimeout` and
    :class:`OutputLimitExceeded` after the program was ended, and :class:`RemoteFileError` where
    the upload fails, for example because the board's disk is full.

    >>> run_on(board, build(source), ["-n", 3], {"GOMAXPROCS": "1"})   # doctest: +SKIP
    """
    path = Path(program)
    argv = [upload(board, path), *args]
    command = shlex.join([path.name, *map(str, args)])  # without the upload's path
    limiter = _OutputLimiter(on_output, output_limit)
    try:
        result = board.run(
            " ".join(["%s"] * len(argv)),
            *argv,
            timeout=timeout,
            env=env,
            on_output=limiter,
            sudo=sudo,
        )
    except CommandTimeout as error:
        partial = replace(error.result, command=command)
        raise CommandTimeout(board.name, partial, timeout) from None
    except _LimitReached:
        partial = Result(command, None, limiter.start, "", 0.0)
        raise OutputLimitExceeded(board.name, partial, output_limit) from None
    return replace(result, command=command)


def upload(board: Board, program: str | os.PathLike[str]) -> str:
    """Copy a program to the board, unless the board has the same bytes; return its path there.

    Raises :class:`BinaryError` for a file that is no program for Arm, :class:`RemoteFileError`.
    """
    path = Path(program)
    _require_arm(path)
    directory = f"{board.facts.cache_dir}/programs/{sha256_file(path)[:16]}"
    remote_path = f"{directory}/{path.name}"
    try:
        board.put(path, remote_path)
    except RemoteFileError:
        board.run("rmdir -- %s", directory)
        raise
    return remote_path


def remove_uploads(board: Board) -> None:
    """Remove from a board everything that labkit uploaded: programs and toolchains."""
    board.check("rm -rf -- %s", board.facts.cache_dir)


class _LimitReached(Exception):
    pass


class _OutputLimiter:
    """Passes output on to a callback, up to a limit in bytes."""

    def __init__(self, on_output: OutputCallback | None, limit: int) -> None:
        self._on_output = on_output
        self._limit = limit
        self._received = 0
        self.start = ""

    def __call__(self, out: bytes, err: bytes) -> None:
        if not self._received:
            self.start = (out or err)[:_START_BYTES].decode(errors="replace")
        remaining = self._limit - self._received
        self._received += len(out) + len(err)
        if self._on_output:
            self._on_output(out[:remaining], err[: max(0, remaining - len(out))])
        if self._received > self._limit:
            raise _LimitReached


def _require_arm(path: Path) -> None:
    try:
        with path.open("rb") as file:
            machine = e_machine(file.read(MACHINE_BYTES))
    except OSError as error:
        raise BinaryError(f"{path}: {error.strerror}", expected="a program") from error
    if not machine:
        raise BinaryError(f"{path} is no ELF file", expected="a program for Linux")
    if machine not in _RUNNABLE:
        raise BinaryError(
            f"{path.name} is a program for {goarch(machine)}",
            expected="one for arm64",
            hint='build(..., GOARCH="arm64")',
        )
