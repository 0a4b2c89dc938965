"""What a machine's own shell sees of Go: facts, before anyone draws conclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING

from labkit.errors import BoardError

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = ["LOGIN", "PATH", "GoCandidate", "ProbeResult", "Root", "look", "parse"]

PATH, LOGIN = "on PATH", "on the PATH of a login shell"
"""How find_go.sh calls the two places that no table of layouts knows."""

_BUDGET = 120.0
"""Seconds the whole search may take; on an emulated board it takes about half of one."""


@dataclass(frozen=True)
class Root:
    """A folder that is, or is said to be, a GOROOT.

    ``version`` is what its VERSION file says (``1.27.3``, "" without one), ``lacks`` what a
    GOROOT must have and this one has not, ``toolchain`` the GOTOOLCHAIN of its go.env.
    """

    path: str
    version: str = ""
    lacks: tuple[str, ...] = ()
    toolchain: str = ""


@dataclass(frozen=True)
class GoCandidate:
    """One go command.

    ``where`` are the places that led to it, ``real`` the file behind its ``links``, ``header``
    the first 20 bytes of that. ``blocked`` says why a shell passes it over, ``trouble`` what
    else is wrong. ``wrapper`` names its kind where it is none of Go's own binaries. Where only
    running it could tell its GOROOT, ``status`` is its exit status and ``said`` its words;
    ``obeys`` is the GOROOT it then has where that is set.
    """

    command: str
    where: tuple[str, ...]
    real: str = ""
    links: tuple[str, ...] = ()
    header: bytes = b""
    blocked: str = ""
    trouble: str = ""
    wrapper: str = ""
    root: Root | None = None
    status: int | None = None
    said: tuple[str, ...] = ()
    obeys: str = ""

    @property
    def name(self) -> str:
        """The last part of the command: ``go``, ``go1.21.13``."""
        return self.command.rpartition("/")[2]


@dataclass(frozen=True)
class ProbeResult:
    """Every go command of a machine, and what around them decides which one is in force.

    ``path`` is the PATH of the commands labkit runs, ``login`` the one a login shell has ("" if
    it does not say). ``environment`` and ``settings`` (of the file ``settings_file``, which
    `go env -w` writes) hold Go's variables; ``goroot`` is the folder that GOROOT names.
    """

    machine: str
    path: str
    login: str
    login_goroot: str
    environment: Mapping[str, str]
    settings_file: str
    settings: Mapping[str, str]
    gopath: str
    gobin: str
    has_gobin: bool
    commands: tuple[GoCandidate, ...]
    goroot: Root | None

    def variable(self, name: str) -> str:
        """A variable as Go sees it: the environment first, then the settings file."""
        return self.environment.get(name) or self.settings.get(name, "")


def look(
    machine: Board, *, env: Mapping[str, str], root: str = "", patience: float = 5.0
) -> ProbeResult:
    """Look for Go on ``machine`` in one round trip. Raises :class:`BoardError`."""
    script = files("labkit.golang.goroot").joinpath("probe.sh").read_text(encoding="utf-8")
    answer = machine.run(
        "/bin/sh -s -- %s %s", root, f"{patience:g}", env=env, stdin=script, timeout=_BUDGET
    )
    try:
        return parse(answer.stdout)
    except (KeyError, ValueError, IndexError) as strange:
        said = (answer.stderr.strip() or "nothing").splitlines()[-1]
        raise BoardError(
            f"{machine.name} does not say which Go it has ({said})",
            expected="a POSIX shell at /bin/sh",
            hint="look at what `/bin/sh -c 'echo $PATH'` says there",
        ) from strange


def parse(answer: str) -> ProbeResult:
    """Read what find_go.sh told. Raises KeyError, ValueError or IndexError for anything else."""
    sections: list[tuple[str, dict[str, list[str]]]] = [("", {})]
    for line in answer.split("\n"):
        word, _, rest = line.partition("\t")
        if word in ("go", "goroot"):
            sections.append((rest if word == "go" else "", {}))
        else:
            sections[-1][1].setdefault(word, []).append(rest)
    if "end" not in sections[-1][1]:
        raise ValueError("the answer has no end")
    around, last = sections[0][1], sections[-1]
    return ProbeResult(
        machine=around["machine"][0],
        path=around["path"][0],
        login=_first(around, "login"),
        login_goroot=_first(around, "login_goroot"),
        environment=_variables(around.get("env", [])),
        settings_file=_first(around, "settings"),
        settings=_variables(around.get("setting", [])),
        gopath=around["gopath"][0],
        gobin=around["gobin"][0],
        has_gobin="has_gobin" in around,
        commands=_commands([(head, facts) for head, facts in sections[1:] if head]),
        goroot=_root(last[1]) if not last[0] else None,
    )


def _commands(sections: list[tuple[str, dict[str, list[str]]]]) -> tuple[GoCandidate, ...]:
    """One a command, in the order of the search; a real file is described once for all."""
    found: dict[str, GoCandidate] = {}
    described: dict[str, GoCandidate] = {}
    for head, facts in sections:
        where, _, command = head.partition("\t")
        if command in found:
            before = found[command]
            found[command] = replace(before, where=(*before.where, where))
            continue
        sighting = _sighting(command, where, facts)
        twin = described.setdefault(sighting.real, sighting)
        if not sighting.header:
            sighting = replace(sighting, header=twin.header, root=twin.root)
        found[command] = sighting
    return tuple(found.values())


def _sighting(command: str, where: str, facts: Mapping[str, list[str]]) -> GoCandidate:
    return GoCandidate(
        command,
        (where,),
        real=_first(facts, "real"),
        links=tuple(facts.get("link", ())),
        header=bytes.fromhex(_first(facts, "header")),
        blocked=_first(facts, "blocked"),
        trouble=_first(facts, "trouble"),
        wrapper=_first(facts, "wrapper"),
        root=_root(facts),
        status=int(facts["status"][0]) if "status" in facts else None,
        said=tuple(facts.get("said", ())),
        obeys=_first(facts, "obeys"),
    )


def _root(facts: Mapping[str, list[str]]) -> Root | None:
    if "root" not in facts:
        return None
    return Root(
        facts["root"][0],
        version=_first(facts, "version").removeprefix("go"),
        lacks=tuple(facts.get("lacks", ())),
        toolchain=_first(facts, "default").partition("=")[2],
    )


def _variables(lines: list[str]) -> dict[str, str]:
    """NAME=VALUE lines as Go reads them: any other line is passed over."""
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, equals, value in pairs if equals and name[:1].isupper()}


def _first(facts: Mapping[str, list[str]], word: str) -> str:
    return facts[word][0] if word in facts else ""
