"""What is set around Go without need, or leads astray: one sentence each."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

from labkit.golang.goroot.probe import LOGIN, PATH, GoCandidate, ProbeResult, Root
from labkit.golang.goroot.resolve import SETS_GOROOT, ActiveGo, numbers, required_toolchain

__all__ = ["warnings"]


def warnings(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    """Everything there is to warn of, in the order of its weight."""
    for check in _CHECKS:
        yield from check(seen, force)


def _goroot(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    told = seen.goroot
    if told is None:
        return
    name = f"GOROOT={told.path}"
    own = force.found.root if force.found else None
    if force.found and force.found.wrapper in SETS_GOROOT:
        yield f"{name} is without effect here: the command sets its own"
    elif "the folder itself" in told.lacks:
        yield f"{name} is stale: no such folder exists, and every go command ends there"
    elif {"pkg/tool", "src/fmt"} & {*told.lacks}:
        yield f"{name} is stale: that is no GOROOT, it has no {' and no '.join(told.lacks)}"
    elif own and told.version and own.version and told.version != own.version:
        yield f"{name} is Go {told.version}, the go command on PATH is {own.version}: they clash"
    elif own and _same(told, own):
        yield f"{name} is set without need: go finds that folder by itself; unset it"
    else:
        yield f"{name} is set: it goes with one Go only, and stays when another comes on PATH"


def _login_goroot(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    told = seen.login_goroot
    if told and told != seen.environment.get("GOROOT"):
        yield f"a login shell sets GOROOT={told}; the commands labkit runs do not have it"


def _passed_over(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    for each in _go_on(PATH, seen):
        if each is force.found:
            return
        yield f"{each.command} comes first on PATH and is passed over: {each.blocked}"


def _shadowed(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    root = force.found.root if force.found else None
    for each in _go_on(PATH, seen):
        if root and each.root and not each.blocked and not _same(each.root, root):
            version = f"Go {each.root.version} " if each.root.version else ""
            yield f"{each.command} ({version}in {each.root.path}) stands behind it on PATH"


def _login_path(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    if not seen.login:
        yield "a login shell does not tell its PATH: it may find another go"
        return
    there = next((each for each in _go_on(LOGIN, seen) if not each.blocked), None)
    if there is None and force.found and seen.login != seen.path:
        yield "a login shell has another PATH, with no go on it"
    elif there and not (force.found and there.real == force.found.real):
        yield f"a login shell has another PATH: there `go` is {there.command}"


def _toolchain(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    version, how = required_toolchain(seen)
    if version and force.command is None and force.found:
        rest = "nor on PATH" if how == "path" else "yet: the next go command fetches it"
        yield f"GOTOOLCHAIN asks for Go {version}, which is not on this machine {rest}"
    elif version and force.command is not force.found:
        yield f"GOTOOLCHAIN asks for Go {version}, so `go` is not the one that PATH leads to"
    if seen.variable("GOTOOLCHAIN") or not force.found or not force.found.root:
        return
    own = force.found.root
    if own.toolchain != "local" and numbers(own.version) >= (1, 21):
        newer = [each for each in _downloads(seen) if numbers(each) > numbers(own.version)]
        if newer:
            yield f"a go.mod that asks for more than Go {own.version} gets {', '.join(newer)}"


def _settings(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    for name in ("GOROOT", "GOTOOLCHAIN", "GOFLAGS", "GO111MODULE"):
        if seen.settings.get(name):
            line = f"{name}={seen.settings[name]}"
            hidden = ", hidden by the environment" if name in seen.environment else ""
            yield f"{seen.settings_file} sets {line}{hidden}; `go env -u {name}` takes it back"


def _gopath(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    if force.goroot and posixpath.normpath(seen.gopath) == force.goroot:
        yield f"GOPATH and GOROOT are one folder, {force.goroot}: go install mixes into Go itself"


def _gobin(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    directories = [posixpath.normpath(each) for each in seen.path.split(":") if each]
    if posixpath.normpath(seen.gobin) not in directories and (
        seen.has_gobin or seen.variable("GOBIN")
    ):
        yield f"{seen.gobin}, where `go install` puts programs, is not on PATH"


def _modules(seen: ProbeResult, force: ActiveGo) -> Iterator[str]:
    if seen.variable("GO111MODULE") == "off":
        yield "GO111MODULE=off: go works as before Go 1.11, without modules or go.mod"


_CHECKS: tuple[Callable[[ProbeResult, ActiveGo], Iterator[str]], ...] = (
    _goroot,
    _login_goroot,
    _passed_over,
    _shadowed,
    _login_path,
    _toolchain,
    _settings,
    _gopath,
    _gobin,
    _modules,
)


def _go_on(where: str, seen: ProbeResult) -> list[GoCandidate]:
    return [each for each in seen.commands if where in each.where and each.name == "go"]


def _same(one: Root, other: Root) -> bool:
    return posixpath.normpath(one.path) == posixpath.normpath(other.path)


def _downloads(seen: ProbeResult) -> list[str]:
    roots = [each.root for each in seen.commands if each.root]
    found = [each.version for each in roots if "/golang.org/toolchain@" in each.path]
    return sorted(set(filter(None, found)), key=numbers)
