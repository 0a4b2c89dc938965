"""A board: one arm64 machine, and the few things one says to it."""

from __future__ import annotations

import functools
import shlex
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from html import escape
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Protocol

from labkit.boards.facts import FACTS_SCRIPT, Facts, parse_facts
from labkit.boards.files import ABS_MARK, READ_LIMIT, REL_MARK, parse_head_output
from labkit.boards.sudo import Sudo
from labkit.boards.transport import OutputCallback, Transport
from labkit.errors import (
    AuthenticationFailed,
    BoardUnreachable,
    CommandFailed,
    CommandTimeout,
    ConnectionLost,
    NotVirtual,
    RemoteFileError,
)
from labkit.files import sha256_file
from labkit.result import Result

__all__ = ["Board", "Machine"]

DEFAULT_TIMEOUT = 60.0
"""Seconds a command may take unless told otherwise."""


_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Machine(Protocol):
    """What a board can ask of the virtual machine it runs in."""

    def reset(self) -> Transport:
        """Throw the machine's disk and memory away, start a pristine one, give the way to it."""
        ...

    def power_cycle(self, *, timeout: float) -> Transport:
        """Once the system has shut itself down, switch the machine on again, disks kept."""
        ...


class Board:
    """One arm64 machine, reached over ``transport``.

    ``name`` is what the user calls it, ``platform`` the kind of board it is said to be
    (one of :func:`labkit.platforms.names`). ``machine`` is there for virtual boards only.
    ``sudo_password`` is kept in memory and given to sudo over its standard input.

    >>> with open_board("debian-12") as board:          # doctest: +SKIP
    ...     print(board.run("uname -m"))
    aarch64
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        platform: str = "",
        machine: Machine | None = None,
        sudo_password: str | None = None,
    ) -> None:
        self.name = name
        self.platform = platform
        self._transport = transport
        self._machine = machine
        self._sudo = Sudo(sudo_password)

    # -- commands ---------------------------------------------------------------------

    def run(
        self,
        command: str,
        *args: object,
        timeout: float = DEFAULT_TIMEOUT,
        sudo: bool = False,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes = b"",
        on_output: OutputCallback | None = None,
    ) -> Result:
        """Run a shell command and give its :class:`Result`, whatever the exit status.

        Each ``%s`` in ``command`` takes one of ``args``, quoted for the shell: a space, a
        quote, a newline or a ``$()`` in it arrives as it is. With no ``args`` a ``%`` means
        itself. ``env`` adds variables, ``timeout`` is in seconds, ``sudo`` runs as root.
        ``on_output`` is called with new bytes of stdout and stderr while the command runs.

        Raises :class:`CommandTimeout` (the command on the board has been ended),
        :class:`SudoRefused`, :class:`ConnectionLost`.

        >>> board.run("cat %s", "/proc/sys/kernel/ostype").stdout   # doctest: +SKIP
        'Linux\\n'
        """
        line = command % tuple(shlex.quote(str(arg)) for arg in args) if args else command
        told = stdin.encode() if isinstance(stdin, str) else stdin
        to_shell = _with_environment(line, env or {})
        if sudo and self.facts.uid != 0:
            to_shell, told = self._sudo.words(to_shell, told, timeout)
        ended = self._transport.run(to_shell, timeout=timeout, stdin=told, on_output=on_output)
        result = Result(
            line,
            ended.exit_status,
            ended.stdout.decode(errors="replace"),
            ended.stderr.decode(errors="replace"),
            ended.seconds,
        )
        if result.exit_status is None:
            raise CommandTimeout(self.name, result, timeout)
        if sudo and result.exit_status in (1, 127):
            self._sudo.explain(result, self.name)
        return result

    def check(
        self,
        command: str,
        *args: object,
        timeout: float = DEFAULT_TIMEOUT,
        sudo: bool = False,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes = b"",
    ) -> Result:
        """Like :meth:`run`, and raise :class:`CommandFailed` where the status is not 0."""
        result = self.run(command, *args, timeout=timeout, sudo=sudo, env=env, stdin=stdin)
        if not result.ok:
            raise CommandFailed(self.name, result)
        return result

    # -- files ------------------------------------------------------------------------

    def read(self, path: str, *, sudo: bool = False) -> str:
        """The text of a file on the board (at most 64 MiB). Raises :class:`RemoteFileError`."""
        result = self.run("head -c %s -- %s", READ_LIMIT, path, sudo=sudo)
        if not result.ok:
            raise RemoteFileError(f"{self.name}: {_error_text(result)}")
        return result.stdout

    def read_many(self, paths: Iterable[str], *, sudo: bool = False) -> dict[str, str]:
        """The texts of many files in one round trip, as ``{path: text}``.

        A file that cannot be read is left out: asking which are there is what this is for.
        """
        wanted = list(dict.fromkeys(paths))
        if not wanted:
            return {}
        spelled = {f"{ABS_MARK if path[0] == '/' else REL_MARK}{path}": path for path in wanted}
        # One program for all files, in the shell's own place: on an emulated board a fork is dear.
        command = f"exec head -v -c {READ_LIMIT} -- {shlex.join(spelled)}"
        result = self.run(command, sudo=sudo, env={"LC_ALL": "C"})
        found = parse_head_output(result.stdout, list(spelled), result.stderr)
        return {spelled[path]: text for path, text in found.items()}

    def write(self, path: str, text: str, *, sudo: bool = False, kept: bool = True) -> None:
        """Write ``text`` into a file, then read it back and compare (unless not ``kept``).

        The comparison overlooks a last newline: files of the kernel add or drop one.
        Raises :class:`RemoteFileError`, naming what the board kept, where it kept another text.
        """
        # One command, one round trip; tee rather than `>`, which sudo would not cover.
        command = "tee -- %s >/dev/null" + (" && cat -- %s" if kept else "")
        result = self.run(command, *[path] * (2 if kept else 1), sudo=sudo, stdin=text)
        if not result.ok:
            raise RemoteFileError(f"{self.name}: {_error_text(result)}")
        if kept and result.stdout.rstrip("\n") != text.rstrip("\n"):
            raise RemoteFileError(
                f"{self.name}: {path} reads back {result.stdout.rstrip()!r}",
                expected=repr(text.rstrip("\n")),
            )

    def put(self, local: str | Path, remote: str, *, mode: int = 0o755) -> bool:
        """Copy a file to the board unless the same bytes are there; say whether it was copied.

        Raises :class:`RemoteFileError`; half a copy is never left under the name ``remote``.
        """
        source = Path(local)
        if not source.is_file():
            raise RemoteFileError(f"there is no file {source}", expected="a file to copy")
        there = self.run("sha256sum -- %s && chmod %s %s", remote, f"{mode:o}", remote)
        if there.ok and there.stdout.split()[0].lstrip("\\") == sha256_file(source):
            return False
        directory = self.run("mkdir -p -- %s", PurePosixPath(remote).parent)
        if not directory.ok:
            raise RemoteFileError(f"{self.name}: {_error_text(directory)}")
        self._transport.put(source, remote, mode=mode)
        return True

    def get(self, remote: str, local: str | Path) -> Path:
        """Copy a file from the board and give the local path. Raises :class:`RemoteFileError`."""
        target = Path(local)
        self._transport.get(remote, target)
        return target

    # -- the board itself -------------------------------------------------------------

    @functools.cached_property
    def facts(self) -> Facts:
        """What the board says of itself, asked once, in one round trip."""
        return parse_facts(self.run(FACTS_SCRIPT).stdout, self.name)

    @property
    def emulated(self) -> bool:
        """Whether the processor is emulated: then its speed means nothing."""
        return self.facts.emulated

    @property
    def address(self) -> str:
        """Where the board is, for people to read."""
        return self._transport.address

    @property
    def shell(self) -> list[str]:
        """The words of a command that gives a person a shell on the board."""
        return self._transport.shell()

    @property
    def virtual(self) -> bool:
        """Whether labkit made this machine itself and may throw it away."""
        return self._machine is not None

    def reset(self) -> None:
        """Bring a virtual board back to its first moment. Raises :class:`NotVirtual`."""
        if self._machine is None:
            raise NotVirtual(
                f"{self.name} at {self.address} is a real machine",
                expected="a virtual board, which can be thrown away",
            )
        self._transport.close()
        self._transport = self._machine.reset()
        self.__dict__.pop("facts", None)

    def reboot(self, *, timeout: float = 180.0) -> float:
        """Shut the board down in order and have it up again; give the seconds that took.

        A virtual board is switched off and on: its firmware, where it has one, reads its
        files anew. Raises :class:`SudoRefused`, and :class:`BoardUnreachable` or
        :class:`BootFailed` where it is not back after ``timeout`` seconds.
        """
        began = time.monotonic()
        before = self.read(_BOOT_ID)
        with suppress(ConnectionLost):  # the link may go before the answer comes
            self.check("systemctl reboot", sudo=True)
        self._transport.close()
        self.__dict__.pop("facts", None)
        if self._machine:
            self._transport = self._machine.power_cycle(timeout=timeout)
        while time.monotonic() - began < timeout:
            # A board that goes down may take a command and never answer it.
            with suppress(ConnectionLost, BoardUnreachable, AuthenticationFailed, CommandTimeout):
                now = self.run("cat %s", _BOOT_ID, timeout=15.0)
                if now.ok and now.stdout != before:
                    return time.monotonic() - began
            time.sleep(1.0)
        raise BoardUnreachable(
            f"{self.name} has not come back from its reboot after {timeout:g} s",
            expected="an answer over SSH",
            hint=f"look at the board itself, then labkit board info {self.name}",
        )

    def close(self) -> None:
        """Let go of the link; the board itself keeps running."""
        self._transport.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Board {self.name} at {self.address}>"

    def __str__(self) -> str:
        return f"{self.name}: {self.facts}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(key)}</th>"
            f"<td style='text-align:left'>{escape(value)}</td></tr>"
            for key, value in {"address": self.address, **self.facts.as_rows()}.items()
        )
        return f"<table><caption><b>{escape(self.name)}</b></caption>{rows}</table>"


def _with_environment(command: str, env: Mapping[str, str]) -> str:
    """``command`` with variables set before it, in words every POSIX shell knows."""
    settings = "".join(f"export {name}={shlex.quote(value)}; " for name, value in env.items())
    return settings + command


def _error_text(result: Result) -> str:
    """What a tool complained of, without the tool's own name before it."""
    return result.error_line.split(": ", 1)[-1]
