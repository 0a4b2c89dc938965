"""Go on this machine and on boards: toolchains, builds, runs, and what is in a binary."""

from labkit.golang.analysis.diff import diff_code
from labkit.golang.analysis.disassembly import disassemble
from labkit.golang.analysis.elf import sections, symbols
from labkit.golang.analysis.mix import instruction_mix
from labkit.golang.goroot.installations import Installations, find_installations, naive_goroot
from labkit.golang.program.binary import Binary
from labkit.golang.program.build import Source, build, vet
from labkit.golang.program.run import remove_uploads, run_on, upload
from labkit.golang.toolchains.local import Toolchain, goarch_host, installed, remove, toolchain
from labkit.golang.toolchains.remote import RemoteToolchain, install_on, installed_on, remove_from

__all__ = [
    "Binary",
    "Installations",
    "RemoteToolchain",
    "Source",
    "Toolchain",
    "build",
    "diff_code",
    "disassemble",
    "find_installations",
    "goarch_host",
    "install_on",
    "installed",
    "installed_on",
    "instruction_mix",
    "naive_goroot",
    "remove",
    "remove_from",
    "remove_uploads",
    "run_on",
    "sections",
    "symbols",
    "toolchain",
    "upload",
    "vet",
]
