"""``labkit doctor``: what this computer has, what is missing, and the command that adds it."""

from __future__ import annotations

import importlib.util
import json
import platform as python_platform
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

import labkit
from labkit import golang
from labkit.boards import inventory
from labkit.cli.console import echo, with_command_path
from labkit.cli.tables import print_table
from labkit.errors import LabError
from labkit.golang.analysis.disassembly import OBJDUMP
from labkit.paths import cache_dir
from labkit.tools import HostTool, install_command, missing
from labkit.virtual import images, qemu, tools
from labkit.virtual.builder import SPACE

__all__ = ["HostCheck", "doctor", "run_checks"]

OLDEST_QEMU = (7, 2)
"""The QEMU that labkit is developed with; older ones lack parts of ``-cpu max``."""


@dataclass(frozen=True)
class HostCheck:
    """One check of this computer. ``ok`` is False where the guide cannot work without it.

    ``found`` is what the check saw, ``hint`` the command or step that corrects it.
    """

    name: str
    ok: bool
    found: str
    hint: str = ""


def run_checks() -> list[HostCheck]:
    """Check everything that the guide needs of this computer. Changes nothing."""
    built = [image for image in images.images() if image.current]
    return [
        HostCheck("python", sys.version_info >= (3, 11), python_platform.python_version()),
        HostCheck("labkit", True, labkit.__version__),
        _package("jupyterlab"),
        _go(),
        _qemu(),
        _tools("programs to run a virtual board", tools.RUN, needed=True),
        _tools("programs to emulate a Raspberry Pi's firmware", tools.FIRMWARE, needed=False),
        _tools("programs to build an image", tools.BUILD, needed=not built),
        _tools("a program to read arm64 machine code", (OBJDUMP,), needed=True),
        _binfmt(needed=not built),
        _disk_space(needed=not built),
        HostCheck("images", True, ", ".join(sorted(i.platform for i in built)) or "none yet"),
        _inventory(),
    ]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this computer: what is there, what is missing, and how to add it."""
    checks = run_checks()
    all_ok = all(check.ok for check in checks)
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        rows = [
            (
                check.name,
                "ok" if check.ok else "MISSING",
                with_command_path(check.found),
                with_command_path(check.hint),
            )
            for check in checks
        ]
        print_table(("", "", "found", "next step"), rows)
        echo("All is there. Next: make guide" if all_ok else "Some things are missing: see above.")
    sys.exit(0 if all_ok else 1)


def _package(name: str) -> HostCheck:
    installed = importlib.util.find_spec(name) is not None
    found, hint = ("installed", "") if installed else ("not installed", "make setup")
    return HostCheck(name, installed, found, hint)


def _go() -> HostCheck:
    try:
        return HostCheck("go", True, f"go{golang.toolchain().version}")
    except LabError as error:
        return HostCheck("go", False, error.message, error.hint)


def _qemu() -> HostCheck:
    try:
        version = qemu.version()
    except LabError as error:
        return HostCheck("qemu", False, "not on this machine", error.hint)
    number = re.search(r"(\d+)\.(\d+)", version)
    new_enough = number is not None and tuple(map(int, number.groups())) >= OLDEST_QEMU
    oldest = ".".join(map(str, OLDEST_QEMU))
    hint = "" if new_enough else f"install QEMU {oldest} or newer"
    return HostCheck("qemu", new_enough, version, hint)


def _tools(name: str, required: tuple[HostTool, ...], *, needed: bool) -> HostCheck:
    absent = missing(required)
    if not absent:
        return HostCheck(name, True, "all installed")
    found = "missing: " + ", ".join(tool.name for tool in absent)
    if not needed:
        found += " (not needed now)"
    return HostCheck(name, not needed, found, install_command(absent))


def _binfmt(*, needed: bool) -> HostCheck:
    name = "arm64 programs during a build"
    if tools.runs_arm64():
        return HostCheck(name, True, "the kernel runs them")
    if tools.can_register_binfmt():
        return HostCheck(name, True, "not registered; labkit registers them for the build")
    hint = "sudo update-binfmts --enable qemu-aarch64"
    return HostCheck(name, not needed, "not registered", hint)


def _disk_space(*, needed: bool) -> HostCheck:
    directory = cache_dir()
    existing: Path = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    enough = free >= SPACE or not needed
    return HostCheck(
        "free space for the cache",
        enough,
        f"{free / 2**30:.1f} GiB free in {directory}",
        "" if enough else "free some space, or set LABKIT_CACHE to a directory on a larger disk",
    )


def _inventory() -> HostCheck:
    name = "your own boards"
    try:
        return HostCheck(name, True, ", ".join(inventory.entries()) or "none (labkit board add)")
    except LabError as error:
        return HostCheck(name, False, error.message, error.hint)
