"""A board: one arm64 machine, its commands, its files and its power."""

from __future__ import annotations

import functools
import shlex
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Protocol

from labkit.boards.facts import FACTS_SCRIPT, Facts, parse_facts
from labkit.boards.files import READ_LIMIT, head_command, parse_head_output
from labkit.boards.transport import DEFAULT_TIMEOUT, OutputCallback, Request, Transport
from labkit.display import html_table
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

__all__ = ["Board", "PowerControl"]

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class PowerControl(Protocol):
    """The virtual machine a board runs in: what replaces it, and what switches it on again."""

    def reset(self) -> Transport:
        """Delete the machine's disk and memory, start it in its first state, and connect to it."""
        ...

    def power_cycle(self, *, timeout: float) -> Transport:
        """Wait until the system has shut down, start the machine again with the same disks."""
        ...


class Board:
    """One arm64 machine, reached over ``transport``.

    ``name`` is the user's name for it, ``platform`` the kind of board it should be (one of
    :func:`labkit.platforms.names`). Only virtual boards have a ``machine``.

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
        machine: PowerControl | None = None,
    ) -> None:
        self.name = name
        self.platform = platform
        self._transport = transport
        self._machine = machine

    # -- commands ---------------------------------------------------------------------

    def run(
        self,
        command: str,
        *args: object,
        timeout: float = DEFAULT_TIMEOUT,
        sudo: bool = False,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes = b"",
        session: bool = False,
        on_output: OutputCallback | None = None,
    ) -> Result:
        """Run a shell command and return its :class:`Result`, whatever the exit status.

        Each ``%s`` in ``command`` is replaced by one of ``args``, quoted for the shell: a space,
        a quote, a newline or a ``$()`` in it reaches the command unchanged. Without ``args`` a
        ``%`` has no special meaning. ``timeout`` is in seconds, ``sudo`` runs as root, ``env``
        adds variables, and ``session`` adds those that identify this process (see
        :class:`~labkit.boards.transport.Request`). ``on_output`` is called with new bytes of
        stdout and stderr while the command runs.

        Raises :class:`CommandTimeout` (the command on the board has been ended),
        :class:`SudoRefused`, :class:`ConnectionLost`.

        >>> board.run("cat %s", "/proc/sys/kernel/ostype").stdout   # doctest: +SKIP
        'Linux\\n'
        """
        line = command % tuple(shlex.quote(str(arg)) for arg in args) if args else command
        request = Request(
            line,
            env=dict(env or {}),
            stdin=stdin.encode() if isinstance(stdin, str) else stdin,
            root=sudo and self.facts.uid != 0,
            session=session,
            timeout=timeout,
        )
        raw = self._transport.run(request, on_output=on_output)
        result = Result(
            line,
            raw.exit_status,
            raw.stdout.decode(errors="replace"),
            raw.stderr.decode(errors="replace"),
            raw.seconds,
        )
        if result.exit_status is None:
            raise CommandTimeout(self.name, result, timeout)
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
        """Like :meth:`run`, but raise :class:`CommandFailed` if the exit status is not 0."""
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

        A file that cannot be read is left out, so the keys also tell which files exist.
        """
        unique = list(dict.fromkeys(paths))
        if not unique:
            return {}
        result = self.run(head_command(unique), sudo=sudo, env={"LC_ALL": "C"})
        return parse_head_output(result.stdout, result.stderr, unique)

    def write(self, path: str, text: str, *, sudo: bool = False, verify: bool = True) -> None:
        """Write ``text`` into a file; with ``verify``, read it back and compare.

        The comparison ignores newlines at the end: files of the kernel add or drop one.
        Raises :class:`RemoteFileError` where the file cannot be written or holds another text
        afterwards.
        """
        # One command, one round trip; tee rather than `>`, which sudo would not cover.
        command = "tee -- %s >/dev/null" + (" && cat -- %s" if verify else "")
        result = self.run(command, *[path] * (2 if verify else 1), sudo=sudo, stdin=text)
        if not result.ok:
            raise RemoteFileError(f"{self.name}: {_error_text(result)}")
        if verify and result.stdout.rstrip("\n") != text.rstrip("\n"):
            raise RemoteFileError(
                f"{self.name}: {path} reads back {result.stdout.rstrip()!r}",
                expected=repr(text.rstrip("\n")),
            )

    def put(self, local: str | Path, remote: str, *, mode: int = 0o755) -> bool:
        """Copy a file to the board if it is not there yet; return whether it was copied.

        A file with the same bytes is not copied again, but gets the ``mode``. An interrupted
        copy leaves no file ``remote``. Raises :class:`RemoteFileError`.
        """
        source = Path(local)
        if not source.is_file():
            raise RemoteFileError(f"there is no file {source}", expected="a file to copy")
        remote_sum = self.run("sha256sum -- %s && chmod %s %s", remote, f"{mode:o}", remote)
        if remote_sum.ok and remote_sum.stdout.split()[0].lstrip("\\") == sha256_file(source):
            return False
        directory = self.run("mkdir -p -- %s", PurePosixPath(remote).parent)
        if not directory.ok:
            raise RemoteFileError(f"{self.name}: {_error_text(directory)}")
        self._transport.put(source, remote, mode=mode)
        return True

    def get(self, remote: str, local: str | Path) -> Path:
        """Copy a file from the board; return its local path. Raises :class:`RemoteFileError`."""
        target = Path(local)
        self._transport.get(remote, target)
        return target

    # -- the board itself -------------------------------------------------------------

    @functools.cached_property
    def facts(self) -> Facts:
        """The properties of the board, read once, in one round trip."""
        return parse_facts(self.run(FACTS_SCRIPT).stdout, self.name)

    @property
    def emulated(self) -> bool:
        """Whether the processor is emulated; if so, times measured on the board mean nothing."""
        return self.facts.emulated

    @property
    def address(self) -> str:
        """The address of the board, for people to read."""
        return self._transport.address

    @property
    def shell_argv(self) -> list[str]:
        """A command, as a list of arguments, that opens an interactive shell on the board."""
        return self._transport.shell_argv()

    @property
    def virtual(self) -> bool:
        """Whether the board is a virtual machine that labkit made and may delete."""
        return self._machine is not None

    def reset(self) -> None:
        """Bring a virtual board back to its first state. Raises :class:`NotVirtual`."""
        if self._machine is None:
            raise NotVirtual(
                f"{self.name} at {self.address} is a real machine",
                expected="a virtual board",
            )
        self._transport.close()
        self._transport = self._machine.reset()
        self.__dict__.pop("facts", None)

    def reboot(self, *, timeout: float = 180.0) -> float:
        """Reboot the board, wait until it answers again, and return how many seconds that took.

        A virtual board is switched off and on: if it has firmware, that reads its files again.
        Raises :class:`SudoRefused`, and :class:`BoardUnreachable` or :class:`BootFailed` where
        it does not answer within ``timeout`` seconds.
        """
        start = time.monotonic()
        boot_id = self.read(_BOOT_ID)
        with suppress(ConnectionLost):  # the connection may end before the answer arrives
            self.check("systemctl reboot", sudo=True)
        self._transport.close()
        self.__dict__.pop("facts", None)
        if self._machine:
            self._transport = self._machine.power_cycle(timeout=timeout)
        while time.monotonic() - start < timeout:
            # A board that shuts down may accept a command and never answer it.
            with suppress(ConnectionLost, BoardUnreachable, AuthenticationFailed, CommandTimeout):
                current = self.run("cat %s", _BOOT_ID, timeout=15.0)
                if current.ok and current.stdout != boot_id:
                    return time.monotonic() - start
            time.sleep(1.0)
        raise BoardUnreachable(
            f"{self.name} has not come back from its reboot after {timeout:g} s",
            expected="an answer over SSH",
            hint=f"look at the board itself, then labkit board info {self.name}",
        )

    def close(self) -> None:
        """Close the connection. The board itself keeps running."""
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
        rows = {"address": self.address, **self.facts.as_rows()}
        return html_table(rows, caption=self.name)


def _error_text(result: Result) -> str:
    """The last line of stderr without the name of the program before it."""
    return result.error_line.split(": ", 1)[-1]
