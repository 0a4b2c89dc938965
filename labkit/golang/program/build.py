"""Building a Go program for a board."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import BuildFailed, GoError
from labkit.golang.program.binary import Binary
from labkit.golang.toolchains.local import Toolchain, toolchain
from labkit.paths import cache_dir
from labkit.result import Result

__all__ = ["Source", "build", "vet"]

Source = str | os.PathLike[str] | Mapping[str, str]
"""A program: the text of its one file, the path of its folder, or ``{file name: text}``."""

KEPT_PROGRAMS = 400
"""Built programs that stay in the cache; each is some 2 MB."""

_ZIG = {"arm64": "aarch64", "amd64": "x86_64", "arm": "arm"}
_LIBCS = {"zig-musl": "linux-musl{eabi}", "zig-glibc": "linux-gnu{eabi}.2.31"}


def build(
    source: Source,
    *,
    name: str = "program",
    version: str | None = None,
    ldflags: str = "",
    gcflags: str = "",
    buildmode: str = "",
    trimpath: bool = True,
    cc: str = "",
    GOOS: str = "linux",
    GOARCH: str = "arm64",
    **environment: str,
) -> Binary:
    """Build a program and give its :class:`Binary`; the same one is built once.

    ``version`` is the Go to build with (the guide's own unless said). ``cc`` turns cgo on and
    names the C compiler: ``zig-musl`` (static), ``zig-glibc`` (2.31 and newer), or a command
    such as ``aarch64-linux-gnu-gcc``. ``environment`` are Go's own variables: GOARM64,
    GOEXPERIMENT, GOARM, ... The program's text is compiled as a module of its own, whose
    ``go`` line is the toolchain's version. Nothing is fetched but the toolchain.

    Raises :class:`BuildFailed` with what the compiler said, and :class:`ToolchainError`.

    >>> build("package main\\nfunc main() {}\\n", name="nothing", GOARM64="v8.1")  # doctest: +SKIP
    """
    with_go = toolchain(version)
    settings = {"GOOS": GOOS, "GOARCH": GOARCH, "CGO_ENABLED": "0", **_cgo(cc, GOARCH)}
    settings |= environment
    words = ["build", "-buildvcs=false", *_flags(ldflags, gcflags, buildmode, trimpath)]
    # Without -trimpath the compiler's own place is compiled in: another clone's is another.
    place = "" if trimpath else str(with_go.root)
    key = _digest(source, f"{with_go.version} {place}", words, settings)
    target = cache_dir() / "go" / key / name
    if not target.exists():
        with _dir_of(source, with_go, target.parent) as directory:
            _compile(with_go, words, directory, target, settings)
        _keep_newest(target.parents[1])
    return Binary(target)


def vet(
    source: Source, *, version: str | None = None, GOOS: str = "linux", GOARCH: str = "arm64"
) -> list[str]:
    """What ``go vet`` finds in a program, a line each; nothing where it does not compile.

    >>> vet('package main\\nimport "fmt"\\nfunc main() { fmt.Printf("%d") }\\n')  # doctest: +SKIP
    ['main.go:3:15: fmt.Printf format %d reads arg #1, but call has 0 args']
    """
    with_go = toolchain(version)
    key = _digest(source, with_go.version, ["vet"], {})
    place = cache_dir() / "go" / f"vet-{key}"
    try:
        with _dir_of(source, with_go, place) as directory:
            said = with_go.run("vet", ".", cwd=directory, GOOS=GOOS, GOARCH=GOARCH, CGO_ENABLED="0")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    # What it says of a program that does not compile begins with "vet: ".
    found = re.findall(r"^(?:\S*/)?(\S+\.(?:go|s):\d+.*)$", said.stderr, re.MULTILINE)
    return [] if said.ok else found


def _compile(
    with_go: Toolchain, words: list[str], directory: Path, target: Path, settings: dict[str, str]
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        done = with_go.run(*words, "-o", str(half), ".", cwd=directory, **settings)
        if not done.ok:
            raise _refused(done, with_go)
        _require_program(half)
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
        if not target.exists():
            shutil.rmtree(target.parent, ignore_errors=True)


def _require_program(file: Path) -> None:
    """Of a package that is not main, Go makes an archive with its exports and says nothing."""
    with file.open("rb") as built:
        if built.read(17) == b"!<arch>\n__.PKGDEF":
            raise BuildFailed(
                "this is a package but no program",
                said="this is a package but no program",
                expected="package main and its main()",
            )


def _refused(done: Result, with_go: Toolchain) -> BuildFailed:
    """The compiler's complaint: the first line in the message, all of it in ``said``."""
    said = [line for line in done.stderr.splitlines() if not line.startswith("# ")]
    complaints = [line for line in said if re.match(r".*\.(go|s|c|h):\d+", line)] or said
    first = complaints[0] if complaints else f"go ended with status {done.exit_status}"
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    too_new = re.search(r"requires go >= ([\d.]+)", done.stderr)
    return BuildFailed(
        f"Go {with_go.version} does not compile this: {first}{more}",
        said="\n".join(said).strip(),
        expected=f"a program for Go {with_go.minor}" if too_new else "a program",
        hint=f'build(..., version="{too_new[1]}")' if too_new else "",
    )


def _flags(ldflags: str, gcflags: str, buildmode: str, trimpath: bool) -> list[str]:
    words = ["-trimpath"] if trimpath else []
    given = {"-ldflags": ldflags, "-gcflags": gcflags, "-buildmode": buildmode}
    return words + [f"{flag}={value}" for flag, value in given.items() if value]


def _cgo(cc: str, arch: str) -> dict[str, str]:
    """What turns cgo on, with zig as a C compiler for any target, or with a command."""
    if not cc:
        return {}
    if cc in _LIBCS:
        libc = _LIBCS[cc].format(eabi="eabihf" if arch == "arm" else "")
        line = [sys.executable, "-m", "ziglang", "cc", "-target", f"{_ZIG[arch]}-{libc}"]
        # A program of musl is wanted static: it is to run on any board.
        extra = {"CGO_LDFLAGS": "-static"} if "musl" in libc else {}
        return {"CGO_ENABLED": "1", "CC": shlex.join(line), **extra}
    if shutil.which(shlex.split(cc)[0]) is None:
        raise GoError(
            f"there is no C compiler {cc!r} on this machine",
            expected=f"a command, or one of {', '.join(_LIBCS)}",
            hint='build(..., cc="zig-musl")',
        )
    return {"CGO_ENABLED": "1", "CC": cc}


@contextmanager
def _dir_of(source: Source, with_go: Toolchain, beside: Path) -> Iterator[Path]:
    """A folder with the source as Go wants it: the user's own, or a module made for the text."""
    if isinstance(source, os.PathLike):
        yield _own_dir(Path(source))
        return
    texts = {"main.go": source} if isinstance(source, str) else source
    # One place for one program: a path that is compiled in is then the same every time.
    directory = beside / ".source"
    directory.mkdir(parents=True, exist_ok=True)
    for file, text in {"go.mod": f"module program\n\ngo {with_go.minor}\n", **texts}.items():
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(text, encoding="utf-8")
    yield directory


def _own_dir(directory: Path) -> Path:
    if not directory.is_dir():
        raise GoError(f"there is no folder {directory}", expected="a folder with Go files")
    return directory.absolute()


def _digest(source: Source, version: str, words: list[str], settings: Mapping[str, str]) -> str:
    whole = hashlib.sha256(repr((version, words, sorted(settings.items()))).encode())
    if isinstance(source, os.PathLike):
        directory = _own_dir(Path(source))
        whole.update(str(directory).encode())
        for path in sorted(directory.rglob("*")):
            if path.is_file() and ".git" not in path.parts:
                whole.update(repr((str(path.relative_to(directory)), path.read_bytes())).encode())
    else:
        whole.update(repr(source if isinstance(source, str) else sorted(source.items())).encode())
    return whole.hexdigest()[:16]


def _keep_newest(directory: Path) -> None:
    """Let the oldest programs go where there are too many."""
    programs = [path for path in directory.iterdir() if not path.name.startswith("vet-")]
    for old in sorted(programs, key=_age)[KEPT_PROGRAMS:]:
        shutil.rmtree(old, ignore_errors=True)


def _age(program: Path) -> float:
    """To sort by, youngest first; another process may have removed it just now."""
    try:
        return -program.stat().st_mtime
    except FileNotFoundError:
        return 0.0
