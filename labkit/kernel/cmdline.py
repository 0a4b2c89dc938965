"""How a kernel was started: its command line, the second of the three layers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = ["CommandLine", "parse_cmdline", "read_cmdline"]

# A parameter ends at a space outside double quotes: next_arg() in the kernel's lib/cmdline.c.
_PARAMETER = re.compile(r'(?:"[^"]*"?|[^\s"])+')


@dataclass(frozen=True)
class CommandLine:
    """The parameters a kernel was started with, split as the kernel splits them.

    ``parameters`` are in order, each a name and a value; the value of a flag such as ``quiet`` is
    ``None``. ``-`` and ``_`` in a name mean the same, as for the kernel. ``init_args`` are the
    arguments after ``--``, which go to init. ``text`` is the complete line.

    >>> line = parse_cmdline('root=/dev/vda quiet console=tty1 console=ttyAMA0 -- single')
    >>> line.get("console"), line.getall("console")
    ('ttyAMA0', ['tty1', 'ttyAMA0'])
    >>> "quiet" in line, line.get("quiet"), line.get("ro"), line.init_args
    (True, '', None, ('single',))
    """

    parameters: tuple[tuple[str, str | None], ...]
    init_args: tuple[str, ...]
    text: str

    def __contains__(self, name: str) -> bool:
        return any(_same(name, parameter) for parameter, _ in self.parameters)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The last value of a parameter, "" for a flag, ``default`` where it is absent."""
        values = self.getall(name)
        return values[-1] if values else default

    def getall(self, name: str) -> list[str]:
        """All values of a parameter in order, "" for a flag; an empty list where it is absent."""
        return [value or "" for parameter, value in self.parameters if _same(name, parameter)]

    def __str__(self) -> str:
        return self.text


def parse_cmdline(text: str) -> CommandLine:
    """Parse a command line. Every text is one, so nothing is raised.

    >>> parse_cmdline('dyndbg="file a.c +p" "title=two words"').parameters
    (('dyndbg', 'file a.c +p'), ('title', 'two words'))
    """
    items: list[str] = _PARAMETER.findall(text)
    split = items.index("--") if "--" in items else len(items)
    return CommandLine(
        parameters=tuple(_parameter(item) for item in items[:split]),
        init_args=tuple(items[split + 1 :]),
        text=text.strip(),
    )


def read_cmdline(board: Board) -> CommandLine:
    """Read the command line of the board's kernel, from ``/proc/cmdline``.

    Raises :class:`~labkit.errors.RemoteFileError` where /proc is not mounted.

    >>> read_cmdline(board).get("root")                     # doctest: +SKIP
    '/dev/vda'
    """
    return parse_cmdline(board.read("/proc/cmdline"))


def _parameter(text: str) -> tuple[str, str | None]:
    """The name and the value. Quotes may be around the value or around both."""
    if text.startswith('"'):
        text = text.strip('"')
    name, equals, value = text.partition("=")
    if value.startswith('"'):
        value = value[1:].removesuffix('"')
    return name, value if equals else None


def _same(one: str, other: str) -> bool:
    return one.replace("-", "_") == other.replace("-", "_")
