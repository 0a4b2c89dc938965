"""The interface between a board and the connection to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

__all__ = [
    "DEFAULT_TIMEOUT",
    "DRAIN_TIMEOUT",
    "OutputCallback",
    "RawResult",
    "Request",
    "Transport",
]

DEFAULT_TIMEOUT = 60.0
"""Seconds a command may take if the caller sets no timeout."""

DRAIN_TIMEOUT = 2.0
"""Seconds to wait for output after a command has ended: its background children may still hold
the output open."""

OutputCallback = Callable[[bytes, bytes], None]
"""Called with new bytes of stdout and stderr while a command runs.

If it raises an exception, the command is ended on the board, and the caller gets the exception."""


@dataclass(frozen=True)
class Request:
    """One command for a board, independent of the connection.

    It holds nothing that changes from run to run: no password, no process number, no key of a
    session. The transport adds those, so that a request can be recorded and compared.

    ``command`` is a line for a POSIX shell, ``env`` are variables to set for it, ``stdin`` is
    its input, ``timeout`` is in seconds. With ``root`` the transport runs it through sudo.
    With ``session`` it sets ``LABKIT_SESSION`` and ``LABKIT_SESSION_KEY``, which identify this
    process (see :mod:`labkit.boards.identity`).

    >>> Request("uname -m") == Request("uname -m", env={}, timeout=60.0)
    True
    """

    command: str
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    root: bool = False
    session: bool = False
    timeout: float = DEFAULT_TIMEOUT


@dataclass(frozen=True)
class RawResult:
    """The outcome of a command as the transport saw it: bytes, not yet decoded.

    ``exit_status`` is ``None`` where the transport ended the command at its timeout.
    """

    exit_status: int | None
    stdout: bytes
    stderr: bytes
    seconds: float


class Transport(Protocol):
    """A connection to one machine. Each method raises the errors of ``labkit.errors``.

    Implementations read both output streams together, end the command on the board when its
    timeout has passed, and leave the connection usable after that.
    """

    @property
    def address(self) -> str:
        """The address, for people to read: ``pi@10.0.0.7:22``, ``this machine``."""
        ...

    def run(self, request: Request, *, on_output: OutputCallback | None = None) -> RawResult:
        """Run a command in the board's shell and wait for its end.

        Raises :class:`~labkit.errors.SudoRefused` where sudo did not run it.
        """
        ...

    def put(self, local: Path, remote: str, *, mode: int) -> None:
        """Copy a local file to the board. An interrupted copy leaves no file ``remote``."""
        ...

    def get(self, remote: str, local: Path) -> None:
        """Copy a file from the board. An interrupted copy leaves no file ``local``."""
        ...

    def shell_argv(self) -> list[str]:
        """A command, as a list of arguments, that opens an interactive shell on the board."""
        ...

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        ...
