"""Messages for a person: the commands in them can be typed as they stand."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TextIO

__all__ = ["echo", "with_command_path"]


def with_command_path(text: str) -> str:
    """``text`` with each ``labkit ...`` command spelled so that it can be typed here.

    Outside an activated virtual environment ``labkit`` is not on PATH; the path of the running
    command is used instead.
    """
    if shutil.which("labkit"):
        return text
    path = os.path.relpath(Path(sys.argv[0]))
    return re.sub(r"\blabkit(?= (?:board|image|go|doctor|run)\b)", lambda _: path, text)


def echo(text: str, *, file: TextIO | None = None) -> None:
    """Print one or more lines for a person, on standard output unless ``file`` is given."""
    print(with_command_path(text), file=file or sys.stdout)
