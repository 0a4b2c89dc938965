"""Every Go on a machine: where each one is, how it was installed, and which one is active."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labkit.display import StrRepr, html_table
from labkit.golang.goroot.diagnostics import diagnose
from labkit.golang.goroot.probe import LOGIN, PATH, GoCandidate, ProbeResult, probe
from labkit.golang.goroot.resolve import arch_mismatch, resolve_active

if TYPE_CHECKING:
    import pandas as pd

    from labkit.boards import Board

__all__ = ["Installation", "Installations", "find_installations", "naive_goroot"]

_COLUMNS = ("active", "version", "install_method", "command", "resolved", "goroot", "problem")

# The install method where no search names it, by the path of the GOROOT or the kind of command.
_METHOD_BY_PATH = {
    "-packages/go": "pip package",
    "/golang.org/toolchain@": "toolchain download",
    "/Cellar/go": "Homebrew",
    "/nix/store/": "Nix",
}
_METHOD_BY_WRAPPER = {
    "pip": "pip package",
    "golang.org/dl": "golang.org/dl command",
    "snap": "snap",
    "script": "script",
}


@dataclass(frozen=True)
class Installation:
    """One Go. ``command`` is the first command that runs it, ``aliases`` are the others.

    ``active`` is whether the command ``go`` runs this one. ``resolved`` is the file behind the
    command. ``goroot`` and ``version`` ("1.27.3") are "" where there is none.
    ``install_method`` is a short name such as ``snap``. ``problem`` is "" for a Go that works.
    """

    active: bool
    version: str
    install_method: str
    command: str
    resolved: str
    goroot: str
    problem: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Installations(StrRepr):
    """Every Go of one machine.

    ``goroot`` is the output of ``go env GOROOT`` there, "" where that fails or there is no go.
    ``explanation`` says in a sentence which go is active and how it gets its GOROOT.
    ``warnings`` are sentences about settings that have no effect or a wrong one.
    """

    machine: str
    installations: tuple[Installation, ...]
    goroot: str
    explanation: str
    warnings: tuple[str, ...]

    @property
    def active(self) -> Installation | None:
        """The Go that the command ``go`` runs, or None."""
        return next((go for go in self.installations if go.active), None)

    @functools.cached_property
    def frame(self) -> pd.DataFrame:
        """One row an installation, with the fields of :class:`Installation` but for the aliases.

        First those on PATH, in its order, then the others.
        """
        import pandas as pd  # takes half a second, and a plain print does not need it

        rows = [[getattr(go, name) for name in _COLUMNS] for go in self.installations]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    @property
    def summary(self) -> str:
        """Which Go is active and why, in one sentence."""
        number = len(self.installations)
        count = "no Go" if not number else "1 Go" if number == 1 else f"{number} Go installations"
        return f"{self.machine} has {count}: {self.explanation}."

    def __str__(self) -> str:
        rows = [
            (
                "*" if go.active else "",
                go.version or "?",
                go.install_method,
                go.command,
                go.goroot or "no GOROOT",
            )
            for go in self.installations
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [self.summary]
        for row, go in zip(rows, self.installations, strict=True):
            padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(f"  {padded}{f'  {go.problem}' if go.problem else ''}".rstrip())
        return "\n".join([*lines, *(f"  ! {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        header = [name.replace("_", " ") for name in _COLUMNS]
        rows = [
            ("\N{CHECK MARK}" if go.active else "", *(getattr(go, name) for name in _COLUMNS[1:]))
            for go in self.installations
        ]
        items = "".join(f"<li>{escape(warning)}</li>" for warning in self.warnings)
        table = html_table(rows, caption=self.summary, header=header)
        return table + (f"<ul>{items}</ul>" if items else "")


def find_installations(
    board: Board, *, env: Mapping[str, str] | None = None, root: str = "", timeout: float = 5.0
) -> Installations:
    """Find every Go on ``board`` and which one is active, in one round trip.

    ``env`` adds variables to those of a command that labkit runs there (PATH, HOME, GOROOT...).
    The search covers PATH, the PATH of a login shell (not that of an interactive one: ~/.bashrc
    often returns before it sets PATH), and the directories where tarballs, distributions,
    golang.org/dl, pip, snap, asdf, mise, Homebrew, the module cache and others install Go.
    ``root`` is put before those that begin at /. The search changes nothing on the board.

    A GOROOT is recognised by its files. Only scripts, and binaries far from any GOROOT, are
    run, for at most ``timeout`` seconds each. Raises :class:`~labkit.errors.BoardError` where no
    POSIX shell answers.

    >>> print(find_installations(board))                # doctest: +SKIP
    debian-12 has 1 Go: the first `go` on PATH is /usr/bin/go, a link to ...
    """
    result = probe(board, env=env or {}, root=root, timeout=timeout)
    active = resolve_active(result)
    groups = _by_goroot(result.commands)
    return Installations(
        machine=board.name,
        installations=tuple(
            _installation(members, result, active=active.active in members) for members in groups
        ),
        goroot=active.goroot,
        explanation=active.explanation,
        warnings=tuple(diagnose(result, active)),
    )


def naive_goroot(board: Board, *, env: Mapping[str, str] | None = None) -> str:
    """The path of the command ``go`` without its last two names: what many scripts use as GOROOT.

    Links and wrappers are not followed; without a ``go`` the result is ".".

    >>> naive_goroot(board)      # doctest: +SKIP
    '/usr'
    """
    line = 'dirname "$(dirname "$(command -v go)")"'
    return board.run(line, env=env).stdout.rstrip("\n")


def _by_goroot(commands: Iterable[GoCandidate]) -> list[list[GoCandidate]]:
    """Commands with one GOROOT are one installation."""
    groups: dict[str, list[GoCandidate]] = {}
    for go in commands:
        groups.setdefault(go.root.path if go.root else go.real, []).append(go)
    return list(groups.values())


def _installation(members: list[GoCandidate], result: ProbeResult, *, active: bool) -> Installation:
    front = next((go for go in members if not go.skip_reason), members[0])
    root = front.root
    goversion = front.output[-1] if front.exit_status == 0 and front.output else ""
    return Installation(
        active,
        version=(root.version if root else "") or goversion.removeprefix("go"),
        install_method=_install_method(members),
        command=front.command,
        resolved=front.real,
        goroot=root.path if root else "",
        problem="; ".join(_problems(members, front, result)),
        aliases=tuple(go.command for go in members if go is not front),
    )


def _install_method(members: list[GoCandidate]) -> str:
    for go in members:
        for search in go.found_via:
            if search and search not in (PATH, LOGIN):
                return search
    front = members[0]
    path = front.root.path if front.root else front.real
    for part, method in _METHOD_BY_PATH.items():
        if part in path:
            return method
    if front.wrapper:
        return _METHOD_BY_WRAPPER[front.wrapper]
    return "other folder" if front.root else "lone command"


def _problems(members: list[GoCandidate], front: GoCandidate, result: ProbeResult) -> Iterable[str]:
    problems = [front.skip_reason, front.problem]
    if front.exit_status:
        has_message = front.output and front.exit_status < 124
        problems.append(front.output[-1] if has_message else "does not answer")
    if front.root and front.root.missing:
        problems.append(f"no {', no '.join(front.root.missing)}")
    problems += [arch_mismatch(go, result.uname) for go in members]
    return dict.fromkeys(problem for problem in problems if problem)
