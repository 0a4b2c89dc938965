"""Programs of this machine that labkit calls: are they installed, and what installs them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.errors import ToolNotFound

__all__ = ["EXTRA_PATH", "HostTool", "install_command", "missing", "require"]

EXTRA_PATH = ("/usr/sbin", "/sbin")
"""Directories that are searched besides PATH: on Debian, only root's PATH has them."""


@dataclass(frozen=True)
class HostTool:
    """A program, the Debian package that has it, and what labkit needs it for.

    ``purpose`` completes the program's name: ``to run a virtual board``.
    """

    name: str
    package: str
    purpose: str

    @property
    def path(self) -> str | None:
        """The program's path on this machine, or None."""
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *EXTRA_PATH])
        return shutil.which(self.name, path=path)

    def command(self) -> str:
        """The program's path on this machine. Raises :class:`ToolNotFound`."""
        require([self])
        assert self.path is not None
        return self.path


def missing(tools: Sequence[HostTool]) -> list[HostTool]:
    """Those of ``tools`` that are not installed.

    >>> [tool.name for tool in missing([HostTool("sh", "dash", ""), HostTool("no-sh", "", "")])]
    ['no-sh']
    """
    return [tool for tool in tools if tool.path is None]


def require(tools: Sequence[HostTool]) -> None:
    """Do nothing where all are installed, else raise :class:`ToolNotFound`.

    The error has the command that installs them.
    """
    absent = missing(tools)
    if absent:
        raise ToolNotFound(
            f"{' and '.join(tool.name for tool in absent)} not on this machine",
            expected=f"{absent[0].name} {absent[0].purpose}",
            hint=install_command(absent),
        )


def install_command(tools: Sequence[HostTool]) -> str:
    """The command that installs the tools on this system."""
    if shutil.which("apt-get"):
        packages = " ".join(dict.fromkeys(tool.package for tool in tools))
        sudo = "" if os.geteuid() == 0 else "sudo "
        return f"{sudo}apt-get install {packages}"
    if shutil.which("brew"):
        return "brew install qemu"
    return "install QEMU 7.2 or newer with this system's package manager"
