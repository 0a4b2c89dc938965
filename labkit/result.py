"""What a command left behind."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.display import StrRepr

__all__ = ["Result"]


@dataclass(frozen=True, repr=False)
class Result(StrRepr):
    """One command, run to its end on a board.

    ``exit_status`` is the shell's: 0 is success, 128+N ended by signal N, and ``None``
    where labkit ended it at its timeout. ``seconds`` is wall time seen from here, the
    link included.

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
        """The last line of ``stderr``, where programs say why they ended."""
        return (self.stderr.strip() or "no reason given").splitlines()[-1]

    @property
    def lines(self) -> list[str]:
        """``stdout`` as lines, without their ends."""
        return self.stdout.splitlines()

    def __str__(self) -> str:
        """What a terminal would show, and the status where it is not 0."""
        text = (self.stdout + self.stderr).rstrip("\n")
        return text if self.ok else f"{text}\n[status {self.exit_status}]".lstrip("\n")
