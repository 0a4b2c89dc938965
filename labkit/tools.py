"""Programs of this machine that labkit calls: whether they are here, and how one gets them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.errors import ToolNotFound

__all__ = ["EXTRA_PATH", "Program", "install_command", "missing", "require"]

# Debian keeps some of these in folders that are on root's PATH only.
EXTRA_PATH = ("/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Program:
    """A program, the Debian package it comes in, and why labkit wants it."""

    name: str
    package: str
    why: str

    @property
    def path(self) -> str | None:
        """Where it is on this machine, or None."""
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *EXTRA_PATH])
        return shutil.which(self.name, path=path)

    def command(self) -> str:
        """Where it is on this machine. Raises :class:`ToolNotFound`."""
        require([self])
        assert self.path is not None
        return self.path


def missing(programs: Sequence[Program]) -> list[Program]:
    """Those of ``programs`` that are not on this machine."""
    return [program for program in programs if program.path is None]


def require(programs: Sequence[Program]) -> None:
    """Go on only where all are there. Raises :class:`ToolNotFound` with the line that helps."""
    lacking = missing(programs)
    if lacking:
        raise ToolNotFound(
            f"{' and '.join(program.name for program in lacking)} not on this machine",
            expected=f"{lacking[0].name} {lacking[0].why}",
            hint=install_command(lacking),
        )


def install_command(programs: Sequence[Program]) -> str:
    """The command that installs the programs here."""
    if shutil.which("apt-get"):
        packages = " ".join(dict.fromkeys(program.package for program in programs))
        sudo = "" if os.geteuid() == 0 else "sudo "
        return f"{sudo}apt-get install {packages}"
    if shutil.which("brew"):
        return "brew install qemu"
    return "install QEMU 7.2 or newer with this system's package manager"
