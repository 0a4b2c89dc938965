"""labkit: put statements about Go on ARMv8 to a real arm64 board and see what it says.

>>> import labkit
>>> board = labkit.open_board("debian-12")      # doctest: +SKIP
>>> board.run("uname -m").stdout                # doctest: +SKIP
'aarch64\\n'
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from labkit.boards import Board, open_board
from labkit.errors import LabError
from labkit.virtual import borrowed_board  # and with it the maker of virtual boards

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Board", "LabError", "__version__", "borrowed_board", "open_board"]

__version__ = version("labkit")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext labkit`` in a notebook: the cell magic ``%%go``."""
    from labkit.golang.cell import GoMagics

    shell.register_magics(GoMagics)
