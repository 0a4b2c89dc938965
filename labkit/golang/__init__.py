"""Go programs: built on this machine, for the board."""

from labkit.golang.build import Binary, build
from labkit.golang.toolchain import go_command, host_version

__all__ = ["Binary", "build", "go_command", "host_version"]
