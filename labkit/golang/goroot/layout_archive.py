"""The files of layouts as one tar archive, with the go binary in it once."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.errors import ToolchainError
from labkit.golang.analysis.machine import HEADER_BYTES, e_machine, with_machine
from labkit.golang.goroot.layout import Layout

__all__ = ["build_archive", "expand", "template_vars"]

_BINARY = "go"
"""The name of the one real binary, at the top of the archive."""


def template_vars(toolchain: Path) -> dict[str, str]:
    """The variables that layouts.toml may use in braces, and their values.

    ``toolchain`` is a GOROOT. Raises :class:`ToolchainError` where it is none.

    >>> template_vars(toolchain(arch="arm64").root)["os_arch"]      # doctest: +SKIP
    'linux_arm64'
    """
    try:
        version = (toolchain / "VERSION").read_text(encoding="utf-8").split()[0].removeprefix("go")
        os_arch = next((toolchain / "pkg" / "tool").iterdir()).name
    except (OSError, IndexError, StopIteration) as error:
        raise ToolchainError(
            f"{toolchain} is no Go toolchain ({error})",
            expected="a GOROOT, with VERSION, bin/go and pkg/tool",
        ) from error
    return {
        "version": version,
        "minor": ".".join(version.split(".")[:2]),
        "os_arch": os_arch,
        "os-arch": os_arch.replace("_", "-"),
    }


def expand(value: Any, variables: Mapping[str, str]) -> Any:
    """Lists, tables and texts with each variable in braces replaced; other braces stay.

    >>> expand({"bin/go": "{root}/${0##*/}"}, {"root": "/x"})
    {'bin/go': '/x/${0##*/}'}
    """
    if isinstance(value, dict):
        return {expand(key, variables): expand(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(expand(item, variables) for item in value)
    for name, text in variables.items() if isinstance(value, str) else ():
        value = value.replace(f"{{{name}}}", text)
    return value


def build_archive(layouts: Iterable[Layout], toolchain: Path) -> bytes:
    """One gzipped archive; each layout is a directory in it, named by its index.

    ``toolchain`` is the GOROOT whose binary is packed. Raises OSError where a file is missing.
    """
    archive = io.BytesIO()
    # Level 1: on an emulated board the link is slower than the unpacking, but not by much.
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
        tar.add(toolchain / "bin" / "go", _BINARY, filter=_owned_by_root)
        for index, layout in enumerate(layouts):
            _add(tar, layout, str(index), toolchain)
    return archive.getvalue()


def _add(tar: tarfile.TarFile, layout: Layout, directory: str, toolchain: Path) -> None:
    _directory(tar, f"{directory}/home/pi")
    for root in layout.roots:
        _add_goroot(tar, f"{directory}/{root}", toolchain)
    for path, data, mode in _files(layout, toolchain):
        _file(tar, f"{directory}/{path}", data, mode=mode)
    for path in _binaries(layout):
        _link(tar, f"{directory}/{path}", _BINARY, tarfile.LNKTYPE)
    for path, target in layout.links.items():
        _link(tar, f"{directory}/{path}", target, tarfile.SYMTYPE)


def _add_goroot(tar: tarfile.TarFile, directory: str, toolchain: Path) -> None:
    """The files by which the go command, and a person, recognise a GOROOT."""
    for empty in (f"pkg/tool/{template_vars(toolchain)['os_arch']}", "src/fmt"):
        _directory(tar, f"{directory}/{empty}")
    for name in ("VERSION", "go.env"):
        if (toolchain / name).exists():  # go.env came with Go 1.21
            _file(tar, f"{directory}/{name}", (toolchain / name).read_bytes())


def _binaries(layout: Layout) -> Iterator[str]:
    yield from layout.binaries
    for root in layout.roots:
        command = f"{root}/bin/go"
        if command not in layout.wrong_arch and command not in layout.commands:
            yield command


def _files(layout: Layout, toolchain: Path) -> Iterator[tuple[str, bytes, int]]:
    """Path, content and mode of each file that only this layout has."""
    for path in layout.wrong_arch:
        yield path, _wrong_arch(toolchain), 0o755
    for path, source in layout.copies.items():
        yield path, (toolchain / source).read_bytes(), 0o644
    for path, text in layout.commands.items():
        yield path, text.encode(), 0o755
    for path, text in layout.files.items():
        yield path, text.encode(), 0o644


def _wrong_arch(toolchain: Path) -> bytes:
    """The header of the go binary, with the other one of two processors in it."""
    with (toolchain / "bin" / "go").open("rb") as binary:
        header = binary.read(HEADER_BYTES)
    return with_machine(header, "EM_X86_64" if e_machine(header) == "EM_AARCH64" else "EM_AARCH64")


def _owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o755
    return info


def _file(tar: tarfile.TarFile, name: str, data: bytes, *, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, len(data)
    tar.addfile(info, io.BytesIO(data))


def _directory(tar: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)


def _link(tar: tarfile.TarFile, name: str, target: str, kind: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o777
    tar.addfile(info)
