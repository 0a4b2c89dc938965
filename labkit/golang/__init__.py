"""Go on this machine and on boards: toolchains, builds, runs, and what is in a binary."""

from labkit.golang.binary import Binary
from labkit.golang.build import Source, build, vet
from labkit.golang.running import clear, run_on, ship
from labkit.golang.shipping import ShippedToolchain, installed_on, remove_from, ship_toolchain
from labkit.golang.toolchain import Toolchain, installed, remove, toolchain

__all__ = [
    "Binary",
    "ShippedToolchain",
    "Source",
    "Toolchain",
    "build",
    "clear",
    "installed",
    "installed_on",
    "remove",
    "remove_from",
    "run_on",
    "ship",
    "ship_toolchain",
    "toolchain",
    "vet",
]
