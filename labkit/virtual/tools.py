"""The programs that virtual boards take: to run one, and to build its image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from labkit.errors import ToolNotFound
from labkit.tools import Program, missing

__all__ = [
    "BUILD",
    "FIRMWARE",
    "RUN",
    "can_register_binfmt",
    "command",
    "register_binfmt",
    "runs_arm64",
]

RUN = (
    Program("qemu-system-aarch64", "qemu-system-arm", "to run a virtual board"),
    Program("qemu-img", "qemu-utils", "to give each board a disk of its own"),
)
"""Needed to run a virtual board from an image that is there."""

FIRMWARE = (
    Program("mformat", "mtools", "to make the disk the firmware reads"),
    Program("mcopy", "mtools", "to put the firmware's files on it"),
    Program("mtype", "mtools", "to read the firmware's files"),
    Program("dtc", "device-tree-compiler", "to write the board's clocks into its device tree"),
)
"""Needed, besides :data:`RUN`, to run a board whose firmware we play."""

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


def command(name: str) -> str:
    """The path of a program by name. Raises :class:`ToolNotFound`."""
    return {program.name: program for program in (*RUN, *FIRMWARE, *BUILD)}[name].command()


def runs_arm64() -> bool:
    """Whether the kernel knows what to do with an arm64 program (binfmt_misc, or an arm64 CPU)."""
    if os.uname().machine in ("aarch64", "arm64"):
        return True
    return Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists()


def can_register_binfmt() -> bool:
    """Whether :func:`register_binfmt` can do its work: root, and the programs it takes."""
    needed = ("qemu-aarch64-static", "update-binfmts")
    return os.geteuid() == 0 and not missing([each for each in BUILD if each.name in needed])


def register_binfmt() -> None:
    """Have the kernel give arm64 programs to qemu-user. Raises :class:`ToolNotFound`.

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
        raise ToolNotFound(
            "the kernel of this machine does not know arm64 programs yet",
            expected="qemu-aarch64 in binfmt_misc, to build the image",
            hint="sudo update-binfmts --enable qemu-aarch64",
        )
