"""Settings around Go that have no effect or a wrong one: one sentence each."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

from labkit.golang import version
from labkit.golang.goroot.probe import LOGIN, PATH, Goroot, ProbeResult
from labkit.golang.goroot.resolve import (
    SETS_GOROOT,
    TOOLCHAIN_SWITCH,
    ActiveGo,
    required_toolchain,
)

__all__ = ["diagnose"]


def diagnose(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    """All warnings about a machine, the most important first."""
    for check in _CHECKS:
        yield from check(result, active)


def _goroot(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    variable = result.goroot
    if variable is None:
        return
    setting = f"GOROOT={variable.path}"
    own = active.on_path.root if active.on_path else None
    if active.on_path and active.on_path.wrapper in SETS_GOROOT:
        yield f"{setting} has no effect here: the command sets its own"
    elif not variable.exists:
        yield f"{setting} is stale: no such directory exists, and every go command fails"
    elif {"pkg/tool", "src/fmt"} & {*variable.missing}:
        missing = " and no ".join(variable.missing)
        yield f"{setting} is stale: that is no GOROOT, it has no {missing}"
    elif own and variable.version and own.version and variable.version != own.version:
        yield (
            f"{setting} is Go {variable.version}, but the go command on PATH is {own.version}: "
            "the two do not work together"
        )
    elif own and _same_directory(variable, own):
        yield f"{setting} is not necessary: go finds that directory by itself; unset it"
    else:
        yield f"{setting} fits one Go only, and stays set when another one comes on PATH"


def _login_goroot(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    goroot = result.login_goroot
    if goroot and goroot != result.environment.get("GOROOT"):
        yield f"a login shell sets GOROOT={goroot}; the commands that labkit runs do not have it"


def _skipped(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    for go in result.go_commands(PATH):
        if go is active.on_path:
            return
        yield f"{go.command} comes first on PATH but the shell skips it: {go.skip_reason}"


def _shadowed(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    root = active.on_path.root if active.on_path else None
    for go in result.go_commands(PATH):
        if root and go.root and not go.skip_reason and not _same_directory(go.root, root):
            name = f"Go {go.root.version} " if go.root.version else ""
            yield f"{go.command} ({name}in {go.root.path}) comes later on PATH, so it does not run"


def _login_path(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    if not result.login_path:
        yield "a login shell does not report its PATH: it may find another go"
        return
    login_go = next((go for go in result.go_commands(LOGIN) if not go.skip_reason), None)
    if login_go is None and active.on_path and result.login_path != result.path:
        yield "a login shell has another PATH, with no go on it"
    elif login_go and not (active.on_path and login_go.real == active.on_path.real):
        yield f"a login shell has another PATH, where `go` is {login_go.command}"


def _required_toolchain(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    required, mode = required_toolchain(result)
    if required and active.active is None and active.on_path:
        missing = "nor on PATH" if mode == "path" else "yet: the next go command fetches it"
        yield f"GOTOOLCHAIN asks for Go {required}, which is not on this machine {missing}"
    elif required and active.active is not active.on_path:
        yield f"GOTOOLCHAIN asks for Go {required}, so the first `go` on PATH starts another one"


def _newer_toolchains(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    own = active.on_path.root if active.on_path else None
    if own is None or result.variable("GOTOOLCHAIN") or own.toolchain == "local":
        return
    current = version.key(own.version)
    newer = [download for download in _downloads(result) if version.key(download) > current]
    if newer and current >= version.key(TOOLCHAIN_SWITCH):
        yield f"a go.mod that asks for more than Go {own.version} gets {', '.join(newer)}"


def _settings(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    for name in ("GOROOT", "GOTOOLCHAIN", "GOFLAGS", "GO111MODULE"):
        if result.settings.get(name):
            setting = f"{name}={result.settings[name]}"
            hidden = ", which the environment overrides" if name in result.environment else ""
            yield f"{result.settings_file} sets {setting}{hidden}; `go env -u {name}` removes it"


def _gopath(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    if active.goroot and posixpath.normpath(result.gopath) == active.goroot:
        yield (
            f"GOPATH and GOROOT are one directory, {active.goroot}: "
            "go install writes into Go's own files"
        )


def _gobin(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    path = [posixpath.normpath(directory) for directory in result.path.split(":") if directory]
    is_used = result.has_gobin or result.variable("GOBIN")
    if is_used and posixpath.normpath(result.gobin) not in path:
        yield f"{result.gobin}, where `go install` puts programs, is not on PATH"


def _modules(result: ProbeResult, active: ActiveGo) -> Iterator[str]:
    if result.variable("GO111MODULE") == "off":
        yield "GO111MODULE=off: go works as before Go 1.11, without modules or go.mod"


_CHECKS: tuple[Callable[[ProbeResult, ActiveGo], Iterator[str]], ...] = (
    _goroot,
    _login_goroot,
    _skipped,
    _shadowed,
    _login_path,
    _required_toolchain,
    _newer_toolchains,
    _settings,
    _gopath,
    _gobin,
    _modules,
)


def _same_directory(one: Goroot, other: Goroot) -> bool:
    return posixpath.normpath(one.path) == posixpath.normpath(other.path)


def _downloads(result: ProbeResult) -> list[str]:
    """The versions of the toolchains in the module cache, in order."""
    roots = [go.root for go in result.commands if go.root]
    versions = {root.version for root in roots if "/golang.org/toolchain@" in root.path}
    return sorted(versions - {""}, key=version.key)
