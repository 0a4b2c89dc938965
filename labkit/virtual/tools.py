"""The programs that virtual boards need: to run one, and to build its image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from labkit.errors import ToolNotFound
from labkit.tools import HostTool, missing

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
    HostTool("qemu-system-aarch64", "qemu-system-arm", "to run a virtual board"),
    HostTool("qemu-img", "qemu-utils", "to give each board a disk of its own"),
)
"""Needed to run a virtual board whose image exists."""

FIRMWARE = (
    HostTool("mformat", "mtools", "to create the disk that the firmware reads"),
    HostTool("mcopy", "mtools", "to copy the firmware's files to its disk"),
    HostTool("mtype", "mtools", "to read the files on the firmware's disk"),
    HostTool("dtc", "device-tree-compiler", "to write the board's clocks into its device tree"),
)
"""Needed, besides :data:`RUN`, to run a board whose firmware labkit emulates."""

BUILD: tuple[HostTool, ...] = (
    HostTool("mmdebstrap", "mmdebstrap", "to install the board's system from packages"),
    HostTool("arch-test", "arch-test", "to tell mmdebstrap whether arm64 programs run here"),
    HostTool("qemu-aarch64-static", "qemu-user-static", "to run arm64 programs during the build"),
    HostTool("update-binfmts", "binfmt-support", "to register qemu-user with the kernel"),
    HostTool("modprobe", "kmod", "to find the modules of the initial RAM disk"),
    HostTool("cpio", "cpio", "to pack the initial RAM disk"),
    HostTool("ssh-keygen", "openssh-client", "to create the board's keys"),
    HostTool("mke2fs", "e2fsprogs", "to create the board's file system"),
)
"""Needed, besides :data:`RUN`, to build an image."""

if os.geteuid() != 0:
    BUILD = (*BUILD, HostTool("newuidmap", "uidmap", "to build as an ordinary user"))


def command(name: str) -> str:
    """The path of one of these programs. Raises :class:`ToolNotFound`."""
    return {tool.name: tool for tool in (*RUN, *FIRMWARE, *BUILD)}[name].command()


def runs_arm64() -> bool:
    """Whether this machine's kernel can start arm64 programs: binfmt_misc, or an arm64 CPU."""
    if os.uname().machine in ("aarch64", "arm64"):
        return True
    return Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists()


def can_register_binfmt() -> bool:
    """Whether :func:`register_binfmt` can register: it needs root and two programs."""
    needed = ("qemu-aarch64-static", "update-binfmts")
    return os.geteuid() == 0 and not missing([tool for tool in BUILD if tool.name in needed])


def register_binfmt() -> None:
    """Register qemu-user with the kernel for arm64 programs. Raises :class:`ToolNotFound`.

    Debian does so when qemu-user-static is installed. A container or a small VM may lack the
    mount of binfmt_misc, or the registration. It holds until the next boot and changes no file.
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
            "the kernel of this machine cannot start arm64 programs",
            expected="qemu-aarch64 in binfmt_misc, to build the image",
            hint="sudo update-binfmts --enable qemu-aarch64",
        )
