"""What the command says to a person: commands are spelled so that they can be typed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TextIO

__all__ = ["say", "typed"]


def typed(text: str) -> str:
    """``text`` with each ``labkit ...`` in it spelled as it can be typed here.

    Outside an activated virtual environment that is the path of the running command.
    """
    if shutil.which("labkit"):
        return text
    mine = os.path.relpath(Path(sys.argv[0]))
    return re.sub(r"\blabkit(?= (?:board|image|go|doctor|run)\b)", lambda _: mine, text)


def say(text: str, *, to: TextIO | None = None) -> None:
    """Print a line or more for a person, on standard output unless said otherwise."""
    print(typed(text), file=to or sys.stdout)
