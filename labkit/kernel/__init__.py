"""The kernel of a board in three layers: how it was built, how it was started, what it does.

>>> from labkit import kernel
>>> config = kernel.read_config(board)              # doctest: +SKIP
>>> config["KVM"], config["ARM64_VHE"]              # doctest: +SKIP
('y', None)
>>> print(kernel.check(board, "go"))                # doctest: +SKIP
"""

from labkit.kernel.checks import check
from labkit.kernel.cmdline import CommandLine, read_cmdline
from labkit.kernel.config import KernelConfig, load_config, parse_config, read_config
from labkit.kernel.report import CheckReport
from labkit.kernel.runtime import Runtime, read_runtime

__all__ = [
    "CheckReport",
    "CommandLine",
    "KernelConfig",
    "Runtime",
    "check",
    "load_config",
    "parse_config",
    "read_cmdline",
    "read_config",
    "read_runtime",
]
