"""The outcome of a command."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.display import StrRepr

__all__ = ["Result"]


@dataclass(frozen=True, repr=False)
class Result(StrRepr):
    """The outcome of one command on a board.

    ``exit_status`` is the shell's: 0 is success, 128+N means ended by signal N, and ``None``
    means that labkit ended the command at its timeout. ``seconds`` is the elapsed time on this
    computer; it includes the time of the network.

    >>> Result("true", 0, "", "", 0.1).ok
    True
    """

    command: str
    exit_status: int | None
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command ended with status 0."""
        return self.exit_status == 0

    @property
    def error_line(self) -> str:
        """The last line of ``stderr``, where programs usually print why they failed."""
        return (self.stderr.strip() or "no reason given").splitlines()[-1]

    @property
    def lines(self) -> list[str]:
        """``stdout`` as lines, without newlines."""
        return self.stdout.splitlines()

    def __str__(self) -> str:
        """The output as in a terminal, with the status if it is not 0."""
        text = (self.stdout + self.stderr).rstrip("\n")
        return text if self.ok else f"{text}\n[status {self.exit_status}]".lstrip("\n")
