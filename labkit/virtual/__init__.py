"""Machines we make: images, QEMU, and the boards that run in it.

Importing this package is what teaches :func:`labkit.open_board` to boot a virtual board.
"""

from labkit.boards import board_maker
from labkit.virtual import images
from labkit.virtual.machine import (
    VirtualMachine,
    borrowed_board,
    ensure_image,
    machines,
    virtual_board,
)

__all__ = [
    "VirtualMachine",
    "borrowed_board",
    "ensure_image",
    "images",
    "machines",
    "virtual_board",
]

board_maker(virtual_board)
