"""Machines we make: images, QEMU, and the boards that run in it."""

from labkit.virtual import images
from labkit.virtual.machine import (
    VirtualMachine,
    ensure_image,
    machines,
    temporary_board,
    virtual_board,
)

__all__ = [
    "VirtualMachine",
    "ensure_image",
    "images",
    "machines",
    "temporary_board",
    "virtual_board",
]
