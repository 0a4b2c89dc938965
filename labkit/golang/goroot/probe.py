"""The facts about Go that the shell of a machine reports; resolve.py draws the conclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING

from labkit.errors import BoardError

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = ["LOGIN", "PATH", "GoCandidate", "Goroot", "ProbeResult", "parse", "probe"]

PATH, LOGIN = "on PATH", "on the PATH of a login shell"
"""The values of ``found_via`` that are no kind of installation; probe.sh prints them."""

_NO_DIRECTORY = "the directory itself"
"""The value of ``missing`` for a directory that does not exist; probe.sh prints it."""

_TIMEOUT = 120.0
"""Seconds the whole search may take; on an emulated board it takes about half a second."""


@dataclass(frozen=True)
class Goroot:
    """A directory that is a GOROOT, or that somebody takes for one.

    ``version`` comes from its file VERSION (``1.27.3``, "" without one). ``missing`` lists the
    parts of a GOROOT that it does not have: ``pkg/tool``, ``src/fmt``, ``VERSION``.
    ``toolchain`` is the value of GOTOOLCHAIN in its go.env.
    """

    path: str
    version: str = ""
    missing: tuple[str, ...] = ()
    toolchain: str = ""

    @property
    def exists(self) -> bool:
        """Whether there is such a directory."""
        return _NO_DIRECTORY not in self.missing


@dataclass(frozen=True)
class GoCandidate:
    """One go command.

    ``found_via`` lists the searches that found it. ``real`` is the file behind its ``links``,
    ``header`` the first 20 bytes of that file. ``skip_reason`` says why a shell does not run it,
    ``problem`` what else is wrong. ``wrapper`` is the kind of a command that starts another go.

    Where no file tells its GOROOT, it was run: ``exit_status`` and ``output`` are the result, and
    ``goroot_override`` is the GOROOT that it reports while that variable is set.
    """

    command: str
    found_via: tuple[str, ...]
    real: str = ""
    links: tuple[str, ...] = ()
    header: bytes = b""
    skip_reason: str = ""
    problem: str = ""
    wrapper: str = ""
    root: Goroot | None = None
    exit_status: int | None = None
    output: tuple[str, ...] = ()
    goroot_override: str = ""

    @property
    def name(self) -> str:
        """The last part of the command: ``go``, ``go1.21.13``."""
        return self.command.rpartition("/")[2]


@dataclass(frozen=True)
class ProbeResult:
    """Every go command of a machine, and the settings that decide which one is active.

    ``uname`` is the output of ``uname -sm``. ``path`` is the PATH of the commands labkit runs,
    ``login_path`` the PATH of a login shell ("" if it reports none). ``environment`` and
    ``settings`` hold Go's variables; ``settings_file`` is the file that `go env -w` writes.
    ``goroot`` is the directory that GOROOT names, None where the variable is not set.
    """

    uname: str
    path: str
    login_path: str
    login_goroot: str
    environment: Mapping[str, str]
    settings_file: str
    settings: Mapping[str, str]
    gopath: str
    gobin: str
    has_gobin: bool
    commands: tuple[GoCandidate, ...]
    goroot: Goroot | None

    def variable(self, name: str) -> str:
        """A variable as Go reads it: the environment first, then the settings file."""
        return self.environment.get(name) or self.settings.get(name, "")

    def go_commands(self, search: str) -> list[GoCandidate]:
        """The commands named ``go`` of a search (:data:`PATH` or :data:`LOGIN`), in its order."""
        return [go for go in self.commands if search in go.found_via and go.name == "go"]


def probe(
    board: Board, *, env: Mapping[str, str], root: str = "", timeout: float = 5.0
) -> ProbeResult:
    """Search for Go on ``board`` in one round trip. Raises :class:`BoardError`."""
    script = files("labkit.golang.goroot").joinpath("probe.sh").read_text(encoding="utf-8")
    result = board.run(
        "/bin/sh -s -- %s %s", root, f"{timeout:g}", env=env, stdin=script, timeout=_TIMEOUT
    )
    try:
        return parse(result.stdout)
    except (KeyError, ValueError, IndexError) as error:
        last_line = (result.stderr.strip() or "no error message").splitlines()[-1]
        raise BoardError(
            f"{board.name}: the search for Go was not completed ({last_line})",
            expected="a POSIX shell at /bin/sh",
            hint="look at the output of `/bin/sh -c 'echo $PATH'` on the board",
        ) from error


def parse(output: str) -> ProbeResult:
    """Read the output of probe.sh. Raises KeyError, ValueError or IndexError for any other text."""
    sections: list[tuple[str, dict[str, list[str]]]] = [("", {})]
    for line in output.split("\n"):
        name, _, value = line.partition("\t")
        if name in ("go", "goroot"):
            sections.append((value if name == "go" else "", {}))
        else:
            sections[-1][1].setdefault(name, []).append(value)
    if "end" not in sections[-1][1]:
        raise ValueError("the output was cut off")
    first, last = sections[0][1], sections[-1]
    return ProbeResult(
        uname=first["uname"][0],
        path=first["path"][0],
        login_path=_value(first, "login_path"),
        login_goroot=_value(first, "login_goroot"),
        environment=_variables(first.get("env", [])),
        settings_file=_value(first, "settings"),
        settings=_variables(first.get("setting", [])),
        gopath=first["gopath"][0],
        gobin=first["gobin"][0],
        has_gobin="has_gobin" in first,
        commands=_candidates([(head, facts) for head, facts in sections[1:] if head]),
        goroot=_goroot(last[1]) if not last[0] else None,
    )


def _candidates(sections: list[tuple[str, dict[str, list[str]]]]) -> tuple[GoCandidate, ...]:
    """One candidate a command, in the order of the search.

    probe.sh describes a command once, and a file with several names once.
    """
    by_command: dict[str, GoCandidate] = {}
    by_file: dict[str, GoCandidate] = {}
    for head, facts in sections:
        search, _, command = head.partition("\t")
        if command in by_command:
            previous = by_command[command]
            by_command[command] = replace(previous, found_via=(*previous.found_via, search))
            continue
        candidate = _candidate(command, search, facts)
        described = by_file.setdefault(candidate.real, candidate)
        if not candidate.header:
            candidate = replace(candidate, header=described.header, root=described.root)
        by_command[command] = candidate
    return tuple(by_command.values())


def _candidate(command: str, search: str, facts: Mapping[str, list[str]]) -> GoCandidate:
    return GoCandidate(
        command,
        (search,),
        real=_value(facts, "real"),
        links=tuple(facts.get("link", ())),
        header=bytes.fromhex(_value(facts, "header")),
        skip_reason=_value(facts, "skip_reason"),
        problem=_value(facts, "problem"),
        wrapper=_value(facts, "wrapper"),
        root=_goroot(facts),
        exit_status=int(facts["exit_status"][0]) if "exit_status" in facts else None,
        output=tuple(facts.get("output", ())),
        goroot_override=_value(facts, "goroot_override"),
    )


def _goroot(facts: Mapping[str, list[str]]) -> Goroot | None:
    if "root" not in facts:
        return None
    return Goroot(
        facts["root"][0],
        version=_value(facts, "version").removeprefix("go"),
        missing=tuple(facts.get("missing", ())),
        toolchain=_value(facts, "default").partition("=")[2],
    )


def _variables(lines: list[str]) -> dict[str, str]:
    """NAME=VALUE lines as Go reads them: other lines are ignored."""
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, equals, value in pairs if equals and name[:1].isupper()}


def _value(facts: Mapping[str, list[str]], name: str) -> str:
    return facts[name][0] if name in facts else ""
