"""What a board needs of the way to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["DRAIN_TIMEOUT", "OutputCallback", "RawResult", "Transport", "kill_group_script"]

DRAIN_TIMEOUT = 2.0
"""Seconds to wait for output that background children of an ended command hold open."""

OutputCallback = Callable[[bytes, bytes], None]
"""Who is told what a command prints while it runs: new bytes of stdout, and of stderr.

Raising an exception ends the command on the far side; the exception goes on to the caller."""


@dataclass(frozen=True)
class RawResult:
    """A command as the transport saw it end: raw bytes, before anyone reads meaning into them.

    ``exit_status`` is ``None`` where the transport ended the command at its timeout.
    """

    exit_status: int | None
    stdout: bytes
    stderr: bytes
    seconds: float


class Transport(Protocol):
    """A way to one machine. Each method raises the errors of ``labkit.errors``.

    Implementations drain both output streams together, end the command on the far side
    when ``timeout`` (seconds) has passed, and leave the link usable after that.
    """

    @property
    def address(self) -> str:
        """Where this leads, for people to read: ``pi@10.0.0.7:22``, ``this machine``."""
        ...

    def run(
        self,
        command: str,
        *,
        timeout: float,
        stdin: bytes = b"",
        on_output: OutputCallback | None = None,
    ) -> RawResult:
        """Give ``command`` to the far shell and wait for its end; ``on_output`` what it prints."""
        ...

    def put(self, local: Path, remote: str, *, mode: int) -> None:
        """Copy a local file there; a copy cut short leaves no file called ``remote``."""
        ...

    def get(self, remote: str, local: Path) -> None:
        """Copy a file from there; a copy cut short leaves no file called ``local``."""
        ...

    def shell(self) -> list[str]:
        """The words of a command that gives a person a shell there."""
        ...

    def close(self) -> None:
        """Let go of the link. Closing twice is harmless."""
        ...


def kill_group_script(group: str) -> str:
    """A shell command that ends a process group: asked to, and a second later made to.

    What sudo runs in it is root's, so root has to say it; that works where sudo asks for
    no password.
    """
    tell = (
        f"{{ kill -s %s -- -{group}; pgrep -u 0 -g {group} && sudo -n kill -s %s -- -{group}; }} "
        ">/dev/null 2>&1"
    )
    wait = (
        f"for i in 1 2 3 4 5 6 7 8 9 10; do {{ kill -s 0 -- -{group} || pgrep -g {group}; }} "
        ">/dev/null 2>&1 || exit 0; sleep .1; done"
    )
    return f"{tell % ('TERM', 'TERM')}; {wait}; {tell % ('KILL', 'KILL')}"
