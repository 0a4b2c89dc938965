"""Virtual boards: their images, the QEMU processes, and the machines' life."""

from labkit.virtual import images
from labkit.virtual.builder import ensure_image
from labkit.virtual.machine import VirtualMachine, machines, temporary_board, virtual_board

__all__ = [
    "VirtualMachine",
    "ensure_image",
    "images",
    "machines",
    "temporary_board",
    "virtual_board",
]
