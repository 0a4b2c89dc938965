"""Go on this machine and on boards: toolchains, builds, runs, and what is in a binary."""

from labkit.golang.analysis.diff import compare
from labkit.golang.analysis.disassembly import disassemble
from labkit.golang.analysis.elf import sections, symbols
from labkit.golang.analysis.mix import census
from labkit.golang.goroot.installations import Installations, find_installations, naive_goroot
from labkit.golang.program.binary import Binary
from labkit.golang.program.build import Source, build, vet
from labkit.golang.program.run import clear, run_on, ship
from labkit.golang.toolchains.local import Toolchain, goarch_host, installed, remove, toolchain
from labkit.golang.toolchains.remote import RemoteToolchain, install_on, installed_on, remove_from

__all__ = [
    "Binary",
    "Installations",
    "RemoteToolchain",
    "Source",
    "Toolchain",
    "build",
    "census",
    "clear",
    "compare",
    "disassemble",
    "find_installations",
    "goarch_host",
    "install_on",
    "installed",
    "installed_on",
    "naive_goroot",
    "remove",
    "remove_from",
    "run_on",
    "sections",
    "ship",
    "symbols",
    "toolchain",
    "vet",
]
