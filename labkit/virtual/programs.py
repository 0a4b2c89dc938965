"""The programs of this machine that labkit calls, and how one gets them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import ProgramMissing

__all__ = [
    "BUILD",
    "MORE_PATH",
    "RUN",
    "Program",
    "command",
    "install_line",
    "may_teach_arm64",
    "missing",
    "require",
    "runs_arm64",
    "teach_arm64",
]

# Debian keeps some of these in folders that are on root's PATH only.
MORE_PATH = ("/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Program:
    """A program, the Debian package it comes in, and why labkit wants it."""

    name: str
    package: str
    why: str

    @property
    def path(self) -> str | None:
        """Where it is on this machine, or None."""
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *MORE_PATH])
        return shutil.which(self.name, path=path)


RUN = (
    Program("qemu-system-aarch64", "qemu-system-arm", "to run a virtual board"),
    Program("qemu-img", "qemu-utils", "to give each board a disk of its own"),
)
"""Needed to run a virtual board from an image that is there."""

BUILD: tuple[Program, ...] = (
    Program("mmdebstrap", "mmdebstrap", "to put the board's system together from packages"),
    Program("arch-test", "arch-test", "asked by mmdebstrap whether arm64 programs run here"),
    Program("qemu-aarch64-static", "qemu-user-static", "to run arm64 programs during the build"),
    Program("update-binfmts", "binfmt-support", "to tell the kernel to use it for them"),
    Program("modprobe", "kmod", "to find the modules the first boot needs"),
    Program("cpio", "cpio", "to pack the initial RAM disk"),
    Program("ssh-keygen", "openssh-client", "to make the board's keys"),
    Program("mke2fs", "e2fsprogs", "to make the board's file system"),
)
"""Needed, besides :data:`RUN`, to build an image."""

if os.geteuid() != 0:
    BUILD = (*BUILD, Program("newuidmap", "uidmap", "to build without being root"))


def missing(programs: Sequence[Program]) -> list[Program]:
    """Those of ``programs`` that are not on this machine."""
    return [program for program in programs if program.path is None]


def require(programs: Sequence[Program]) -> None:
    """Go on only where all are there. Raises :class:`ProgramMissing` with the line that helps."""
    lacking = missing(programs)
    if lacking:
        raise ProgramMissing(
            f"{' and '.join(program.name for program in lacking)} not on this machine",
            expected=f"{lacking[0].name} {lacking[0].why}",
            todo=install_line(lacking),
        )


def install_line(programs: Sequence[Program]) -> str:
    """The command that installs the programs here."""
    if shutil.which("apt-get"):
        packages = " ".join(dict.fromkeys(program.package for program in programs))
        sudo = "" if os.geteuid() == 0 else "sudo "
        return f"{sudo}apt-get install {packages}"
    if shutil.which("brew"):
        return "brew install qemu"
    return "install QEMU 7.2 or newer with this system's package manager"


def command(name: str) -> str:
    """The path of a program by name. Raises :class:`ProgramMissing`."""
    for program in (*RUN, *BUILD):
        if program.name == name:
            require([program])
            assert program.path is not None
            return program.path
    raise KeyError(name)


def runs_arm64() -> bool:
    """Whether the kernel knows what to do with an arm64 program (binfmt_misc, or an arm64 CPU)."""
    if os.uname().machine in ("aarch64", "arm64"):
        return True
    return Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists()


def may_teach_arm64() -> bool:
    """Whether :func:`teach_arm64` can do its work: root, and the programs it takes."""
    needed = ("qemu-aarch64-static", "update-binfmts")
    return os.geteuid() == 0 and not missing([each for each in BUILD if each.name in needed])


def teach_arm64() -> None:
    """Have the kernel give arm64 programs to qemu-user. Raises :class:`ProgramMissing`.

    A fresh Debian does it when qemu-user-static is installed; a container or a small VM
    may lack the mount, or the registration. It lasts until the next boot and changes no file.
    """
    if runs_arm64():
        return
    register = Path("/proc/sys/fs/binfmt_misc/register")
    if os.geteuid() == 0:
        if not register.exists():
            subprocess.run(
                ["mount", "-t", "binfmt_misc", "binfmt_misc", str(register.parent)],
                check=False,
                capture_output=True,
            )
        subprocess.run(
            [command("update-binfmts"), "--enable", "qemu-aarch64"],
            check=False,
            capture_output=True,
        )
    if not runs_arm64():
        raise ProgramMissing(
            "the kernel of this machine does not know arm64 programs yet",
            expected="qemu-aarch64 in binfmt_misc, to build the image",
            todo="sudo update-binfmts --enable qemu-aarch64",
        )
