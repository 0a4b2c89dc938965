"""A Go toolchain on a board: the same package's arm64 half, shipped and checked there."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import RemoteFileError, ToolchainError
from labkit.files import sha256_file
from labkit.golang.toolchains.local import Toolchain, toolchain
from labkit.paths import cache_dir

__all__ = ["RemoteToolchain", "install_on", "installed_on", "remove_from"]

UNPACKED_BYTES = 180 * 2**20
"""Bytes of room it takes on the board, with the archive beside it while it is unpacked."""

_UNPACK = """set -e
echo "$1  $2/go.tar.gz" | sha256sum -c --quiet
mkdir "$2/go.part"
tar -xzf "$2/go.tar.gz" -C "$2/go.part" --strip-components=1
echo "$1" >"$2/go.part/labkit-sha256"
mv "$2/go.part" "$2/$3"
"""


@dataclass(frozen=True, repr=False)
class RemoteToolchain(StrRepr):
    """A Go on a board: its version, and its GOROOT there."""

    version: str
    root: str

    @property
    def go(self) -> str:
        """The go command's path on the board."""
        return f"{self.root}/bin/go"

    def __str__(self) -> str:
        return f"Go {self.version} in {self.root} on the board"


def install_on(board: Board, version: str | None = None) -> RemoteToolchain:
    """Put a Go on a board, unless it is there: what a build needs, 60 MB over the link.

    The sources of the go command itself and all tests stay here. The archive is compared with
    its sha256 on the board before it is unpacked; it appears there whole or not at all.
    Raises :class:`ToolchainError`, :class:`RemoteFileError` where the board has too little room.

    >>> install_on(board, "1.26.6").go                        # doctest: +SKIP
    '/home/pi/.cache/labkit-board/toolchains/go1.26.6/bin/go'
    """
    ours = toolchain(version, "arm64")
    archive = _packed(ours)
    directory = f"{board.facts.cache_dir}/toolchains"
    there = RemoteToolchain(ours.version, f"{directory}/go{ours.version}")
    digest = sha256_file(archive)
    if board.run("cat %s", f"{there.root}/labkit-sha256").stdout.strip() == digest:
        return there
    _require_room(board, directory)
    board.run("rm -rf -- %s", there.root)
    try:
        board.put(archive, f"{directory}/go.tar.gz", mode=0o644)
        args = (_UNPACK, digest, directory, PurePosixPath(there.root).name)
        done = board.run("sh -c %s sh %s %s %s", *args, timeout=600)
        if not done.ok:
            said = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise RemoteFileError(f"{board.name}: Go cannot be unpacked: {said}")
    finally:
        board.run("rm -rf -- %s %s", f"{directory}/go.part", f"{directory}/go.tar.gz")
    return there


def installed_on(board: Board) -> list[RemoteToolchain]:
    """The toolchains that labkit has put on a board."""
    directory = f"{board.facts.cache_dir}/toolchains"
    names = board.run("ls %s", directory).lines
    whole = [name for name in names if name[:2] == "go" and name[2:3].isdigit()]
    return [RemoteToolchain(name[2:], f"{directory}/{name}") for name in whole]


def remove_from(board: Board, version: str) -> None:
    """Remove a toolchain that labkit has put on a board. Raises :class:`ToolchainError`."""
    for there in installed_on(board):
        if there.version == version:
            board.check("rm -rf -- %s", there.root)
            return
    raise ToolchainError(
        f"labkit has put no Go {version} on {board.name}",
        expected=" or ".join(each.version for each in installed_on(board)) or "one it has",
    )


def _packed(ours: Toolchain) -> Path:
    """The archive that is shipped, made once."""
    archive = cache_dir() / "toolchains" / f"board-go{ours.version}.tar.gz"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        half = archive.with_name(f".{archive.name}.part")
        try:
            with tarfile.open(half, "w:gz", compresslevel=1) as packing:
                packing.add(ours.root, "go", filter=_needed_to_build)
            half.replace(archive)
        finally:
            half.unlink(missing_ok=True)
    return archive


def _needed_to_build(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    path = PurePosixPath(member.name)
    tests = path.name.endswith("_test.go") or path.name == "testdata"
    itself = path.parts[1:3] == ("src", "cmd")
    return None if tests or itself else member


def _require_room(board: Board, directory: str) -> None:
    board.check("mkdir -p -- %s", directory)
    free = int(board.check("df -Pk %s | tail -n 1", directory).stdout.split()[3]) * 1024
    if free < UNPACKED_BYTES + 60 * 2**20:
        raise RemoteFileError(
            f"{board.name} has {free / 2**20:.0f} MiB free",
            expected=f"{UNPACKED_BYTES / 2**20 + 60:.0f} MiB for a Go toolchain",
        )
