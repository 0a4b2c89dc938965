"""A command line that ends in ``-- PROGRAM ARGUMENTS``, as kubectl and docker have it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

__all__ = ["CommandAfterDashes", "split_at_dashes"]

_OPTIONS_WITH_VALUE = frozenset({"--timeout"})


class CommandAfterDashes(TyperCommand):
    """A command with a name and a shell line as its arguments, or a name, ``--`` and a program.

    What follows ``--`` becomes one quoted shell line: each argument reaches the program
    unchanged. Options may then stand before or after the name.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before ``--``, and join what follows it to one shell line."""
        head, argv = split_at_dashes(args)
        if argv:
            ctx.allow_interspersed_args = True
            ctx.ignore_unknown_options = False
            args = [*head, "--", shlex.join(argv)]
        return super().parse_args(ctx, args)


def split_at_dashes(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before and after a ``--`` that stands directly behind the name and options.

    A ``--`` after the first word of a shell line belongs to that line.

    >>> split_at_dashes(["pi", "--sudo", "--", "cat", "a file"])
    (['pi', '--sudo'], ['cat', 'a file'])
    >>> split_at_dashes(["pi", "git", "checkout", "--", "file"])
    (['pi', 'git', 'checkout', '--', 'file'], [])
    """
    names = 0
    remaining = iter(enumerate(args))
    for index, word in remaining:
        if word == "--" and names == 1:
            return list(args[:index]), list(args[index + 1 :])
        if word in _OPTIONS_WITH_VALUE:
            next(remaining, None)
        elif not word.startswith("-"):
            names += 1
        if names > 1 or word == "--":
            break
    return list(args), []
