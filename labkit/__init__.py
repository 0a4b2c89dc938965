"""labkit: statements about Go on ARMv8, tested on a real arm64 board.

>>> import labkit
>>> board = labkit.open_board("debian-12")      # doctest: +SKIP
>>> board.run("uname -m").stdout                # doctest: +SKIP
'aarch64\\n'
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from labkit.boards import Board
from labkit.errors import LabError
from labkit.session import open_board
from labkit.virtual import temporary_board

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "Board",
    "LabError",
    "__version__",
    "load_ipython_extension",
    "open_board",
    "temporary_board",
]

__version__ = version("labkit")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext labkit`` in a notebook: the cell magic ``%%go``."""
    from labkit.golang.program.magic import GoMagics

    shell.register_magics(GoMagics)
