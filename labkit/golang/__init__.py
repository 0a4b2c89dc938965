"""Go on this machine and on boards: toolchains, builds, runs, and what is in a binary."""

from labkit.golang.binary import Binary
from labkit.golang.build import Source, build, vet
from labkit.golang.census import census
from labkit.golang.code_comparison import compare
from labkit.golang.disassembly import disassemble
from labkit.golang.elf import sections, symbols
from labkit.golang.installations import Installations, find_installations, naive_goroot
from labkit.golang.running import clear, run_on, ship
from labkit.golang.shipping import ShippedToolchain, installed_on, remove_from, ship_toolchain
from labkit.golang.toolchain import Toolchain, host_arch, installed, remove, toolchain

__all__ = [
    "Binary",
    "Installations",
    "ShippedToolchain",
    "Source",
    "Toolchain",
    "build",
    "census",
    "clear",
    "compare",
    "disassemble",
    "find_installations",
    "host_arch",
    "installed",
    "installed_on",
    "naive_goroot",
    "remove",
    "remove_from",
    "run_on",
    "sections",
    "ship",
    "ship_toolchain",
    "symbols",
    "toolchain",
    "vet",
]
