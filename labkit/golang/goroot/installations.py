"""Every Go on a machine: where each one is, how it got there, and which one is in force."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labkit.display import StrRepr
from labkit.golang.goroot.diagnostics import warnings
from labkit.golang.goroot.probe import LOGIN, PATH, GoCandidate, ProbeResult, look
from labkit.golang.goroot.resolve import arch_mismatch, decide

if TYPE_CHECKING:
    import pandas as pd

    from labkit.boards import Board

__all__ = ["Installation", "Installations", "find_installations", "naive_goroot"]

_COLUMNS = ("in_force", "version", "layout", "command", "resolved", "goroot", "trouble")

# What a GOROOT that no place led to is called, by its path or by the kind of its command.
_BY_PATH = {
    "-packages/go": "pip package",
    "/golang.org/toolchain@": "toolchain download",
    "/Cellar/go": "Homebrew",
    "/nix/store/": "Nix",
}
_BY_WRAPPER = {
    "pip": "pip package",
    "golang.org/dl": "golang.org/dl command",
    "snap": "snap",
    "script": "script",
}


@dataclass(frozen=True)
class Installation:
    """One Go. ``command`` is the first way to it, ``also`` are the others.

    ``resolved`` is the file behind the command, ``goroot`` and ``version`` ("1.27.3") are ""
    where there is none. ``layout`` says how it got here, in a word or two. ``trouble`` is ""
    for a healthy one.
    """

    in_force: bool
    version: str
    layout: str
    command: str
    resolved: str
    goroot: str
    trouble: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Installations(StrRepr):
    """Every Go of one machine.

    ``goroot`` is what ``go env GOROOT`` says there, "" where it ends with an error or there is
    no go. ``why`` says in a sentence which go is in force and how it comes to its GOROOT,
    ``warnings`` are sentences about what is set without need or leads astray.
    """

    machine: str
    found: tuple[Installation, ...]
    goroot: str
    why: str
    warnings: tuple[str, ...]

    @property
    def in_force(self) -> Installation | None:
        """The Go that the word ``go`` runs, or None."""
        return next((each for each in self.found if each.in_force), None)

    @functools.cached_property
    def frame(self) -> pd.DataFrame:
        """One row an installation: in_force, version, layout, command, resolved, goroot, trouble.

        First those on PATH, in its order, then the others.
        """
        import pandas as pd  # half a second, and a plain print does without

        rows = [[getattr(each, name) for name in _COLUMNS] for each in self.found]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    @property
    def summary(self) -> str:
        """What is in force and why, in one sentence."""
        many = len(self.found)
        count = "no Go" if not many else "1 Go" if many == 1 else f"{many} Go installations"
        return f"{self.machine} has {count}: {self.why}."

    def __str__(self) -> str:
        cells = [
            (
                "*" if each.in_force else "",
                each.version or "?",
                each.layout,
                each.command,
                each.goroot or "no GOROOT",
            )
            for each in self.found
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [self.summary]
        for row, each in zip(cells, self.found, strict=True):
            padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(f"  {padded}{f'  {each.trouble}' if each.trouble else ''}".rstrip())
        return "\n".join([*lines, *(f"  ! {each}" for each in self.warnings)])

    def _repr_html_(self) -> str:
        titles = ("in force", *_COLUMNS[1:])
        head = "".join(f"<th scope='col' style='text-align:left'>{each}</th>" for each in titles)
        rows = "".join(_row(each) for each in self.found)
        listed = "".join(f"<li>{escape(each)}</li>" for each in self.warnings)
        return (
            f"<table><caption>{escape(self.summary)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            + (f"<ul>{listed}</ul>" if listed else "")
        )


def find_installations(
    machine: Board, *, env: Mapping[str, str] | None = None, root: str = "", patience: float = 5.0
) -> Installations:
    """Find every Go on ``machine`` and say which one is in force, in one round trip.

    ``env`` adds variables to those of a command that labkit runs there (PATH, HOME, GOROOT...).
    It looks along PATH and the PATH of a login shell (not of an interactive one: ~/.bashrc
    often stops before a PATH is set), and in the folders where tarballs, distributions,
    golang.org/dl, pip, snap, asdf, mise, Homebrew, the module cache and others put it; ``root``
    is put before those that begin at /. Nothing is changed there.

    A GOROOT is told by files, without running anything. Only scripts and binaries that are far
    from any GOROOT are asked, for at most ``patience`` seconds each. Raises
    :class:`~labkit.errors.BoardError` where no POSIX shell answers.

    >>> print(find_installations(board))                # doctest: +SKIP
    debian-12 has 1 Go: the first `go` on PATH is /usr/bin/go, a link to ...
    """
    seen = look(machine, env=env or {}, root=root, patience=patience)
    force = decide(seen)
    groups = _groups(seen.commands)
    return Installations(
        machine=machine.name,
        found=tuple(
            _installation(members, seen, in_force=force.command in members) for members in groups
        ),
        goroot=force.goroot,
        why=force.why,
        warnings=tuple(warnings(seen, force)),
    )


def naive_goroot(machine: Board, *, env: Mapping[str, str] | None = None) -> str:
    """What one gets for GOROOT by cutting two names off the path of the command.

    Links are not followed and wrappers not looked through; without a ``go`` it is ".".

    >>> naive_goroot(board)      # doctest: +SKIP
    '/usr'
    """
    line = 'dirname "$(dirname "$(command -v go)")"'
    return machine.run(line, env=env).stdout.rstrip("\n")


def _groups(commands: Iterable[GoCandidate]) -> list[list[GoCandidate]]:
    """Commands with one GOROOT are one installation."""
    groups: dict[str, list[GoCandidate]] = {}
    for each in commands:
        groups.setdefault(each.root.path if each.root else each.real, []).append(each)
    return list(groups.values())


def _installation(members: list[GoCandidate], seen: ProbeResult, *, in_force: bool) -> Installation:
    front = next((each for each in members if not each.blocked), members[0])
    root = front.root
    answered = front.said[-1].removeprefix("go") if front.status == 0 and front.said else ""
    return Installation(
        in_force,
        version=(root.version if root else "") or answered,
        layout=_layout(members),
        command=front.command,
        resolved=front.real,
        goroot=root.path if root else "",
        trouble="; ".join(_troubles(members, front, seen)),
        also=tuple(each.command for each in members if each is not front),
    )


def _layout(members: list[GoCandidate]) -> str:
    for each in members:
        for where in each.where:
            if where and where not in (PATH, LOGIN):
                return where
    front = members[0]
    path = front.root.path if front.root else front.real
    for mark, layout in _BY_PATH.items():
        if mark in path:
            return layout
    if front.wrapper:
        return _BY_WRAPPER[front.wrapper]
    return "other folder" if front.root else "lone command"


def _troubles(members: list[GoCandidate], front: GoCandidate, seen: ProbeResult) -> Iterable[str]:
    said = [front.blocked, front.trouble]
    if front.status:
        said.append(front.said[-1] if front.said and front.status < 124 else "does not answer")
    if front.root and front.root.lacks:
        said.append(f"no {', no '.join(front.root.lacks)}")
    said += [arch_mismatch(each, seen.machine) for each in members]
    return dict.fromkeys(each for each in said if each)


def _row(each: Installation) -> str:
    cells = ("\N{CHECK MARK}" if each.in_force else "", *(getattr(each, x) for x in _COLUMNS[1:]))
    return (
        "<tr>"
        + "".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in cells)
        + "</tr>"
    )
