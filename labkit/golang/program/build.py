"""Building Go programs for a board."""

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
"""A program: the text of its one file, the path of its directory, or ``{file name: text}``."""

CACHED_PROGRAMS = 400
"""Built programs that stay in the cache; each takes about 2 MB."""

_ZIG_ARCH = {"arm64": "aarch64", "amd64": "x86_64", "arm": "arm"}
_ZIG_ABI = {"zig-musl": "linux-musl{eabi}", "zig-glibc": "linux-gnu{eabi}.2.31"}


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
    **env: str,
) -> Binary:
    """Build a program and return its :class:`Binary`; the same program is built only once.

    ``version`` is the Go to build with; without it, the guide's own. ``cc`` turns cgo on and
    names the C compiler: ``zig-musl`` (static), ``zig-glibc`` (glibc 2.31 and newer), or a
    command such as ``aarch64-linux-gnu-gcc``. ``env`` are Go's own variables: GOARM64,
    GOEXPERIMENT, GOARM, ... The program's text is compiled as a module of its own, whose ``go``
    line is the toolchain's version. Nothing is downloaded but the toolchain. Of the user's own
    environment, only the variables that name caches and module servers reach Go.

    Raises :class:`BuildFailed` with the compiler's messages, :class:`ToolchainError`, and
    :class:`GoError` where the directory or the C compiler does not exist.

    >>> build("package main\\nfunc main() {}\\n", name="nothing", GOARM64="v8.1")  # doctest: +SKIP
    """
    go = toolchain(version)
    settings = {"GOOS": GOOS, "GOARCH": GOARCH, "CGO_ENABLED": "0", **_cgo(cc, GOARCH)} | env
    args = ["build", "-buildvcs=false", *_flags(ldflags, gcflags, buildmode, trimpath)]
    # Without -trimpath the toolchain's path is compiled in, and another clone has another path.
    goroot = "" if trimpath else str(go.root)
    key = _digest(source, f"{go.version} {goroot}", args, settings)
    target = cache_dir() / "go" / key / name
    if not target.exists():
        with _source_dir(source, go, target.parent) as directory:
            _compile(go, args, directory, target, settings)
        _remove_oldest(target.parents[1])
    return Binary(target)


def vet(
    source: Source, *, version: str | None = None, GOOS: str = "linux", GOARCH: str = "arm64"
) -> list[str]:
    """The findings of ``go vet``, one line each; an empty list if the program does not compile.

    >>> vet('package main\\nimport "fmt"\\nfunc main() { fmt.Printf("%d") }\\n')  # doctest: +SKIP
    ['main.go:3:15: fmt.Printf format %d reads arg #1, but call has 0 args']
    """
    go = toolchain(version)
    temporary = cache_dir() / "go" / f"vet-{_digest(source, go.version, ['vet'], {})}"
    try:
        with _source_dir(source, go, temporary) as directory:
            result = go.run("vet", ".", cwd=directory, GOOS=GOOS, GOARCH=GOARCH, CGO_ENABLED="0")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    # For a program that does not compile, the lines begin with "vet: " and do not match.
    findings = re.findall(r"^(?:\S*/)?(\S+\.(?:go|s):\d+.*)$", result.stderr, re.MULTILINE)
    return [] if result.ok else findings


def _compile(
    go: Toolchain, args: list[str], directory: Path, target: Path, settings: dict[str, str]
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part_path = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        result = go.run(*args, "-o", str(part_path), ".", cwd=directory, **settings)
        if not result.ok:
            raise _build_error(result, go)
        _require_program(part_path)
        part_path.replace(target)
    finally:
        part_path.unlink(missing_ok=True)
        if not target.exists():
            shutil.rmtree(target.parent, ignore_errors=True)


def _require_program(path: Path) -> None:
    """Raise for a package other than main: Go writes an archive of its exports without an error."""
    with path.open("rb") as file:
        if file.read(17) == b"!<arch>\n__.PKGDEF":
            message = "this is a package but no program"
            raise BuildFailed(message, output=message, expected="package main and its main()")


def _build_error(result: Result, go: Toolchain) -> BuildFailed:
    """The compiler's messages as an error: the first in its line, all of them in ``output``."""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("# ")]
    errors = [line for line in lines if re.match(r".*\.(go|s|c|h):\d+", line)] or lines
    first = errors[0] if errors else f"go ended with status {result.exit_status}"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    too_new = re.search(r"requires go >= ([\d.]+)", result.stderr)
    return BuildFailed(
        f"Go {go.version} does not compile this: {first}{more}",
        output="\n".join(lines).strip(),
        expected=f"a program for Go {go.language_version}" if too_new else "a program",
        hint=f'build(..., version="{too_new[1]}")' if too_new else "",
    )


def _flags(ldflags: str, gcflags: str, buildmode: str, trimpath: bool) -> list[str]:
    flags = ["-trimpath"] if trimpath else []
    values = {"-ldflags": ldflags, "-gcflags": gcflags, "-buildmode": buildmode}
    return flags + [f"{flag}={value}" for flag, value in values.items() if value]


def _cgo(cc: str, goarch: str) -> dict[str, str]:
    """The variables that turn cgo on, with zig as a C compiler for any target, or a command."""
    if not cc:
        return {}
    if cc in _ZIG_ABI and goarch not in _ZIG_ARCH:
        raise GoError(f"cc={cc!r} cannot build for {goarch}", expected=", ".join(_ZIG_ARCH))
    if cc in _ZIG_ABI:
        abi = _ZIG_ABI[cc].format(eabi="eabihf" if goarch == "arm" else "")
        target = f"{_ZIG_ARCH[goarch]}-{abi}"
        argv = [sys.executable, "-m", "ziglang", "cc", "-target", target]
        # Linked statically, a program with musl runs on any board.
        extra = {"CGO_LDFLAGS": "-static"} if "musl" in abi else {}
        return {"CGO_ENABLED": "1", "CC": shlex.join(argv), **extra}
    if shutil.which(shlex.split(cc)[0]) is None:
        raise GoError(
            f"there is no C compiler {cc!r} on this machine",
            expected=f"a command, or one of {', '.join(_ZIG_ABI)}",
            hint='build(..., cc="zig-musl")',
        )
    return {"CGO_ENABLED": "1", "CC": cc}


@contextmanager
def _source_dir(source: Source, go: Toolchain, parent: Path) -> Iterator[Path]:
    """A directory to build in: the user's own, or a module in ``parent`` made for the text."""
    if isinstance(source, os.PathLike):
        yield _user_dir(Path(source))
        return
    texts = {"main.go": source} if isinstance(source, str) else source
    # The same program always gets the same directory, as its path may be compiled in.
    directory = parent / ".source"
    directory.mkdir(parents=True, exist_ok=True)
    go_mod = f"module program\n\ngo {go.language_version}\n"
    for file, text in {"go.mod": go_mod, **texts}.items():
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(text, encoding="utf-8")
    yield directory


def _user_dir(directory: Path) -> Path:
    if not directory.is_dir():
        raise GoError(f"there is no directory {directory}", expected="a directory with Go files")
    return directory.absolute()


def _digest(source: Source, version: str, args: list[str], settings: Mapping[str, str]) -> str:
    digest = hashlib.sha256(repr((version, args, sorted(settings.items()))).encode())
    if isinstance(source, os.PathLike):
        directory = _user_dir(Path(source))
        digest.update(str(directory).encode())
        for path in sorted(directory.rglob("*")):
            if path.is_file() and ".git" not in path.parts:
                digest.update(repr((str(path.relative_to(directory)), path.read_bytes())).encode())
    else:
        digest.update(repr(source if isinstance(source, str) else sorted(source.items())).encode())
    return digest.hexdigest()[:16]


def _remove_oldest(directory: Path) -> None:
    """Remove the oldest programs if there are more than :data:`CACHED_PROGRAMS`."""
    programs = [path for path in directory.iterdir() if not path.name.startswith("vet-")]
    for path in sorted(programs, key=_newest_first)[CACHED_PROGRAMS:]:
        shutil.rmtree(path, ignore_errors=True)


def _newest_first(program: Path) -> float:
    """A sort key. Another process may have removed the program meanwhile."""
    try:
        return -program.stat().st_mtime
    except FileNotFoundError:
        return 0.0
