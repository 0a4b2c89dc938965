"""``labkit doctor``: what is here, what is missing, and the line that mends it."""

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
from labkit import golang, platforms
from labkit.boards import inventory
from labkit.cli.console import say, typed
from labkit.cli.tables import show
from labkit.errors import LabError
from labkit.golang.analysis.disassembly import OBJDUMP
from labkit.paths import cache_dir
from labkit.tools import Program, install_command, missing
from labkit.virtual import images, qemu
from labkit.virtual import tools as programs
from labkit.virtual.builder import SPACE

__all__ = ["Finding", "doctor", "examine"]

OLDEST_QEMU = (7, 2)
"""The QEMU this was written with; older ones lack parts of `-cpu max`."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``ok`` is False where something will not work without it."""

    what: str
    ok: bool
    found: str
    hint: str = ""


def examine() -> list[Finding]:
    """Look at everything the guide needs of this machine; nothing is changed."""
    built = [image for image in images.images() if _current(image)]
    return [
        Finding("python", sys.version_info >= (3, 11), python_platform.python_version()),
        Finding("labkit", True, labkit.__version__),
        _package("jupyterlab", "jupyterlab"),
        _go(),
        _qemu(),
        _programs("programs to run a virtual board", programs.RUN, needed=True),
        _programs("programs to play a Raspberry Pi's firmware", programs.FIRMWARE, needed=False),
        _programs("programs to build an image", programs.BUILD, needed=not built),
        _programs("a program to read arm64 machine code", (OBJDUMP,), needed=True),
        _arm64(needed=not built),
        _room(needed=not built),
        Finding("images", True, ", ".join(sorted(i.platform for i in built)) or "none yet"),
        _boards(),
    ]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For a program to read.")] = False,
) -> None:
    """Look at this machine: what is here, what is missing, and the line that mends it."""
    findings = examine()
    well = all(finding.ok for finding in findings)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        rows = [
            (f.what, "ok" if f.ok else "MISSING", typed(f.found), typed(f.hint)) for f in findings
        ]
        show(("", "", "found", "what to type"), rows)
        say("All is there. Next: make guide" if well else "Some things are missing, as above.")
    sys.exit(0 if well else 1)


def _current(image: images.Image) -> bool:
    if image.platform not in platforms.names():
        return False
    return images.recipe_digest(platforms.get(image.platform)) == image.recipe


def _package(what: str, module: str) -> Finding:
    there = importlib.util.find_spec(module) is not None
    return Finding(what, there, "here" if there else "not installed", "" if there else "make setup")


def _go() -> Finding:
    try:
        return Finding("go", True, f"go{golang.toolchain().version}")
    except LabError as error:
        return Finding("go", False, error.message, error.hint)


def _qemu() -> Finding:
    try:
        said = qemu.version()
    except LabError as error:
        return Finding("qemu", False, "not on this machine", error.hint)
    number = re.search(r"(\d+)\.(\d+)", said)
    new_enough = number is not None and tuple(map(int, number.groups())) >= OLDEST_QEMU
    wanted = ".".join(map(str, OLDEST_QEMU))
    return Finding("qemu", new_enough, said, "" if new_enough else f"install {wanted} or newer")


def _programs(what: str, wanted: tuple[Program, ...], *, needed: bool) -> Finding:
    lacking = missing(wanted)
    if not lacking:
        return Finding(what, True, "all here")
    names = ", ".join(program.name for program in lacking)
    found = f"without {names}" + ("" if needed else " (not needed: there is an image)")
    return Finding(what, not needed, found, install_command(lacking))


def _arm64(*, needed: bool) -> Finding:
    if programs.runs_arm64():
        return Finding("arm64 programs during a build", True, "the kernel runs them")
    return Finding(
        "arm64 programs during a build",
        not needed or programs.can_register_binfmt(),
        "not registered; labkit does it at the build"
        if programs.can_register_binfmt()
        else "not registered",
        "" if programs.can_register_binfmt() else "sudo update-binfmts --enable qemu-aarch64",
    )


def _room(*, needed: bool) -> Finding:
    directory = cache_dir()
    there: Path = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(there).free
    enough = free >= SPACE or not needed
    return Finding(
        "room in the cache folder",
        enough,
        f"{free / 2**30:.1f} GiB free in {directory}",
        "" if enough else "make room, or set LABKIT_CACHE to a folder on a larger disk",
    )


def _boards() -> Finding:
    try:
        names = ", ".join(inventory.entries()) or "none (labkit board add)"
    except LabError as error:
        return Finding("your own boards", False, error.message, error.hint)
    return Finding("your own boards", True, names)
