"""How a kernel was started: its command line, the second of the three layers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = ["CommandLine", "parse_cmdline", "read_cmdline"]

# A word ends at a space outside double quotes, as in next_arg() of the kernel's lib/cmdline.c.
_WORD = re.compile(r'(?:"[^"]*"?|[^\s"])+')


@dataclass(frozen=True)
class CommandLine:
    """The words a kernel was started with, as the kernel itself takes them apart.

    ``words`` are the parameters in order, each a name and a value; a flag such as ``quiet``
    has ``None``. A name may be written with ``-`` or ``_``: the kernel takes either.
    ``init_args`` are the words after ``--``, which go to init. ``text`` is the whole line.

    >>> line = parse_cmdline('root=/dev/vda quiet console=tty1 console=ttyAMA0 -- single')
    >>> line.get("console"), line.getall("console")
    ('ttyAMA0', ['tty1', 'ttyAMA0'])
    >>> "quiet" in line, line.get("quiet"), line.get("ro"), line.init_args
    (True, '', None, ('single',))
    """

    words: tuple[tuple[str, str | None], ...]
    init_args: tuple[str, ...]
    text: str

    def __contains__(self, name: str) -> bool:
        return any(_same(name, word) for word, _ in self.words)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The last value of a parameter, "" for a flag, ``default`` where it is not there."""
        values = self.getall(name)
        return values[-1] if values else default

    def getall(self, name: str) -> list[str]:
        """Every value of a parameter in order, "" for a flag; empty where it is not there."""
        return [value or "" for word, value in self.words if _same(name, word)]

    def __str__(self) -> str:
        return self.text


def parse_cmdline(text: str) -> CommandLine:
    """Take a command line apart. Any text is one, so nothing is raised.

    >>> parse_cmdline('dyndbg="file a.c +p" "title=two words"').words
    (('dyndbg', 'file a.c +p'), ('title', 'two words'))
    """
    every: list[str] = _WORD.findall(text)
    split = every.index("--") if "--" in every else len(every)
    return CommandLine(
        words=tuple(_parameter(word) for word in every[:split]),
        init_args=tuple(every[split + 1 :]),
        text=text.strip(),
    )


def read_cmdline(board: Board) -> CommandLine:
    """Read what the board's kernel was started with, from ``/proc/cmdline``.

    Raises :class:`~labkit.errors.RemoteFileError` where /proc is not mounted.

    >>> read_cmdline(board).get("root")                     # doctest: +SKIP
    '/dev/vda'
    """
    return parse_cmdline(board.read("/proc/cmdline"))


def _parameter(word: str) -> tuple[str, str | None]:
    """A word as name and value: quotes may stand around the value or around all of it."""
    if word.startswith('"'):
        word = word.strip('"')
    name, equals, value = word.partition("=")
    if value.startswith('"'):
        value = value[1:].removesuffix('"')
    return name, value if equals else None


def _same(one: str, other: str) -> bool:
    return one.replace("-", "_") == other.replace("-", "_")
