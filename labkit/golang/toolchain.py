"""The Go toolchain of this machine: the one the guide's requirements bring."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from labkit.errors import ProgramMissing

__all__ = ["go_command", "host_version"]


def go_command() -> Path:
    """The ``go`` command beside this Python, else the one on the PATH.

    Raises :class:`ProgramMissing`.
    """
    beside = Path(sys.executable).parent / "go"
    found = str(beside) if beside.exists() else shutil.which("go")
    if found is None:
        raise ProgramMissing(
            "no Go toolchain on this machine",
            expected="the one in requirements.txt",
            todo="make setup",
        )
    return Path(found)


def host_version() -> str:
    """What the toolchain calls itself, such as ``go1.27.3``."""
    line = [str(go_command()), "env", "GOVERSION"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
