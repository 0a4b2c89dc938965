"""The files of layouts as one tar archive, with the go binary in it once."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.errors import ToolchainError
from labkit.golang.goroot.layout import Layout

__all__ = ["fill", "pack", "words"]

_BINARY = "go"
"""The name of the one real binary, in the archive's first folder."""

_HEADER = 64
"""Bytes of an ELF header. Its two bytes at 18 name the processor."""


def words(toolchain: Path) -> dict[str, str]:
    """What layouts.toml may call by a word in braces. Raises :class:`ToolchainError`.

    >>> words(toolchain(arch="arm64").root)["os_arch"]      # doctest: +SKIP
    'linux_arm64'
    """
    try:
        version = (toolchain / "VERSION").read_text(encoding="utf-8").split()[0].removeprefix("go")
        os_arch = next((toolchain / "pkg" / "tool").iterdir()).name
    except (OSError, IndexError, StopIteration) as lacking:
        raise ToolchainError(
            f"{toolchain} is no Go toolchain ({lacking})",
            expected="a GOROOT, with VERSION, bin/go and pkg/tool",
        ) from lacking
    return {
        "version": version,
        "minor": ".".join(version.split(".")[:2]),
        "os_arch": os_arch,
        "os-arch": os_arch.replace("_", "-"),
    }


def fill(value: Any, meanings: Mapping[str, str]) -> Any:
    """Lists, tables and texts with every word in braces replaced; a shell's own braces stay.

    >>> fill({"bin/go": "{root}/${0##*/}"}, {"root": "/x"})
    {'bin/go': '/x/${0##*/}'}
    """
    if isinstance(value, dict):
        return {fill(key, meanings): fill(each, meanings) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(fill(each, meanings) for each in value)
    for word, meaning in meanings.items() if isinstance(value, str) else ():
        value = value.replace(f"{{{word}}}", meaning)
    return value


def pack(layouts: Iterable[Layout], toolchain: Path) -> bytes:
    """One gzipped archive; each layout is a folder in it, by its number."""
    packed = io.BytesIO()
    # Level 1: on an emulated board the link is slower than the unpacking, but not by much.
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tree:
        tree.add(toolchain / "bin" / "go", _BINARY, filter=_anonymous)
        for number, layout in enumerate(layouts):
            _add(tree, layout, str(number), toolchain)
    return packed.getvalue()


def _add(tree: tarfile.TarFile, layout: Layout, directory: str, toolchain: Path) -> None:
    _directory(tree, f"{directory}/home/pi")
    for root in layout.roots:
        _add_root(tree, f"{directory}/{root}", toolchain)
    for path, data, mode in _files(layout, toolchain):
        _file(tree, f"{directory}/{path}", data, mode=mode)
    for path in _binaries(layout):
        _link(tree, f"{directory}/{path}", _BINARY, tarfile.LNKTYPE)
    for path, target in layout.links.items():
        _link(tree, f"{directory}/{path}", target, tarfile.SYMTYPE)


def _add_root(tree: tarfile.TarFile, directory: str, toolchain: Path) -> None:
    """What makes a folder a GOROOT for the go command, and for a person."""
    for lone in (f"pkg/tool/{words(toolchain)['os_arch']}", "src/fmt"):
        _directory(tree, f"{directory}/{lone}")
    for name in ("VERSION", "go.env"):
        if (toolchain / name).exists():  # go.env came with Go 1.21
            _file(tree, f"{directory}/{name}", (toolchain / name).read_bytes())


def _binaries(layout: Layout) -> Iterator[str]:
    yield from layout.binaries
    for root in layout.roots:
        command = f"{root}/bin/go"
        if command not in layout.foreign and command not in layout.commands:
            yield command


def _files(layout: Layout, toolchain: Path) -> Iterator[tuple[str, bytes, int]]:
    """Path, content and mode of each file that a layout has of its own."""
    for path in layout.foreign:
        yield path, _foreign(toolchain), 0o755
    for path, source in layout.copies.items():
        yield path, (toolchain / source).read_bytes(), 0o644
    for path, text in layout.commands.items():
        yield path, text.encode(), 0o755
    for path, text in layout.files.items():
        yield path, text.encode(), 0o644


def _foreign(toolchain: Path) -> bytes:
    """The binary's own header, with the other of two processors in it."""
    with (toolchain / "bin" / "go").open("rb") as binary:
        header = bytearray(binary.read(_HEADER))
    header[18] = 0x3E if header[18] == 0xB7 else 0xB7  # EM_X86_64, EM_AARCH64
    return bytes(header)


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o755
    return info


def _file(tree: tarfile.TarFile, name: str, data: bytes, *, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, len(data)
    tree.addfile(info, io.BytesIO(data))


def _directory(tree: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tree.addfile(info)


def _link(tree: tarfile.TarFile, name: str, target: str, kind: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o777
    tree.addfile(info)
