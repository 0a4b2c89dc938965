"""labkit: put statements about Go on ARMv8 to a real arm64 board and see what it says.

>>> import labkit
>>> board = labkit.open_board("debian-12")      # doctest: +SKIP
>>> board.run("uname -m").stdout                # doctest: +SKIP
'aarch64\\n'
"""

from importlib.metadata import version

from labkit.boards import Board, open_board
from labkit.errors import LabError
from labkit.virtual import borrowed_board  # and with it the maker of virtual boards

__all__ = ["Board", "LabError", "__version__", "borrowed_board", "open_board"]

__version__ = version("labkit")
