"""Every error that labkit raises on purpose, as one tree.

::

    LabError
    ├── PlatformError               a platform is unknown, or its file is malformed
    ├── ToolNotFound                a program that labkit calls is not on this machine
    ├── BoardError
    │   ├── BoardUnknown            no board and no platform has that name
    │   ├── InventoryError          the file of the user's own boards is malformed
    │   ├── BoardUnreachable        nothing answers at the board's address
    │   ├── ConnectionLost          the link dropped; the next call connects again
    │   ├── HostKeyUnknown          first contact: the user has not trusted the host key yet
    │   ├── HostKeyChanged          the board's host key is not the trusted one
    │   ├── AuthenticationFailed    the board accepts none of the user's keys
    │   ├── SudoRefused             sudo needs a password, or does not accept this account
    │   ├── UnsupportedArchitecture the machine is not a 64-bit Arm machine
    │   ├── NotVirtual              only a virtual board can be reset
    │   ├── RemoteFileError         a file on the board cannot be read or written
    │   ├── CommandFailed           a command ended with a status other than 0
    │   └── CommandTimeout          a command ran longer than its timeout and was ended
    ├── VirtualError
    │   ├── DiskFull                the cache directory has too little free space
    │   ├── ImageUnknown            no such image has been built or imported
    │   ├── ImageCorrupt            an image file does not match its manifest
    │   ├── ImageBuildFailed        a step of the image build failed
    │   ├── PortInUse               another program listens on the requested port
    │   └── BootFailed              the machine ended, or did not start in time
    ├── GoError
    │   ├── ToolchainError          a Go version is not available, or its files are damaged
    │   ├── GoCommandFailed         the go command ended with a status other than 0
    │   │   └── BuildFailed         a Go program does not compile
    │   ├── BinaryError             a file is not the kind of program that is needed
    │   └── OutputLimitExceeded     a program printed more than its limit and was ended
    ├── TuningError                 a board has no such setting, or the value is not valid
    │   ├── ChangeRejected          the board did not accept a value, or stored another one
    │   ├── UndoFailed              a change could not be undone; it stays in the board's journal
    │   └── JournalLocked           another session is changing the board
    ├── BenchError                  a measurement cannot be made, or its output is malformed
    ├── KernelConfigError           a kernel configuration is missing or unreadable
    ├── ClaimError                  a claim is unknown, or a verdict contradicts the table
    └── GuideError                  a notebook, parameter or results directory is not usable

Each is one line: what was found, what was expected, and the command to type next::

    >>> str(BoardError("no answer at 10.0.0.7:22", expected="an SSH server",
    ...                hint="labkit board info pi"))
    'no answer at 10.0.0.7:22; expected an SSH server. Next: labkit board info pi'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.result import Result

__all__ = [
    "AuthenticationFailed",
    "BenchError",
    "BinaryError",
    "BoardError",
    "BoardUnknown",
    "BoardUnreachable",
    "BootFailed",
    "BuildFailed",
    "ChangeRejected",
    "ClaimError",
    "CommandFailed",
    "CommandTimeout",
    "ConnectionLost",
    "DiskFull",
    "GoCommandFailed",
    "GoError",
    "GuideError",
    "HostKeyChanged",
    "HostKeyUnknown",
    "ImageBuildFailed",
    "ImageCorrupt",
    "ImageUnknown",
    "InventoryError",
    "JournalLocked",
    "KernelConfigError",
    "LabError",
    "NotVirtual",
    "OutputLimitExceeded",
    "PlatformError",
    "PortInUse",
    "RemoteFileError",
    "SudoRefused",
    "ToolNotFound",
    "ToolchainError",
    "TuningError",
    "UndoFailed",
    "UnsupportedArchitecture",
    "VirtualError",
]


class LabError(Exception):
    """The root of the tree.

    ``message`` is what was found, ``expected`` what would have been right, ``hint`` the command
    to type next.
    """

    def __init__(self, message: str, *, expected: str = "", hint: str = "") -> None:
        self.message = message
        self.expected = expected
        self.hint = hint
        super().__init__(self._line())

    def _line(self) -> str:
        line = self.message
        if self.expected:
            line += f"; expected {self.expected}"
        if self.hint:
            line += f". Next: {self.hint}"
        return " ".join(line.splitlines())

    def _render_traceback_(self) -> list[str]:
        """What Jupyter prints in place of a traceback: the line is enough."""
        return [f"{type(self).__name__}: {self}"]


class PlatformError(LabError):
    """A platform is unknown, or its file is malformed."""


class ToolNotFound(LabError):
    """A program that labkit calls is not on this machine."""


class BoardError(LabError):
    """Any error that concerns one board."""


class BoardUnknown(BoardError):
    """No board and no platform has that name."""


class InventoryError(BoardError):
    """The file of the user's own boards is malformed."""


class BoardUnreachable(BoardError):
    """Nothing answers at the board's address."""


class ConnectionLost(BoardError):
    """The link dropped; the next call connects again, once."""


class HostKeyUnknown(BoardError):
    """First contact: the user has not trusted the board's host key yet."""


class HostKeyChanged(BoardError):
    """The board's host key is not the trusted one."""


class AuthenticationFailed(BoardError):
    """The board accepts none of the user's keys."""


class SudoRefused(BoardError):
    """sudo needs a password, refuses the given one, or does not accept this account."""


class UnsupportedArchitecture(BoardError):
    """The machine is not a 64-bit Arm machine."""


class NotVirtual(BoardError):
    """Only a virtual board can be reset, and this one is a real machine."""


class RemoteFileError(BoardError):
    """A file on the board cannot be read or written, or holds another text after a write."""


class CommandFailed(BoardError):
    """A command ended with a status other than 0; ``result`` holds its output."""

    def __init__(self, board: str, result: Result) -> None:
        self.result = result
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
        last = lines[-1] if lines else "it printed nothing"
        super().__init__(
            f"{board}: `{result.command}` ended with status {result.exit_status}: {last}"
        )


class CommandTimeout(BoardError):
    """A command ran longer than its timeout and was ended; ``result`` holds its output."""

    def __init__(self, board: str, result: Result, timeout: float) -> None:
        self.result = result
        super().__init__(
            f"{board}: `{result.command}` ran past {timeout:g} s and was ended",
            expected="an end before that",
            hint="allow more time with timeout=SECONDS",
        )


class VirtualError(LabError):
    """Any error that concerns the virtual machines that labkit makes."""


class DiskFull(VirtualError):
    """The cache directory has too little free space."""


class ImageUnknown(VirtualError):
    """No such image has been built or imported."""


class ImageCorrupt(VirtualError):
    """An image file does not match its manifest."""


class ImageBuildFailed(VirtualError):
    """A step of the image build failed."""


class PortInUse(VirtualError):
    """Another program listens on the requested port."""


class BootFailed(VirtualError):
    """The machine ended by itself, or did not start in time."""


class GoError(LabError):
    """Any error that concerns Go and the programs it builds."""


class ToolchainError(GoError):
    """A Go version is not available on this machine, or its files are damaged."""


class GoCommandFailed(GoError):
    """The go command ended with a status other than 0; ``output`` is all that it printed."""

    def __init__(self, message: str, *, output: str, expected: str = "", hint: str = "") -> None:
        self.output = output
        super().__init__(message, expected=expected, hint=hint)

    def _render_traceback_(self) -> list[str]:
        """What Jupyter prints: Go's own lines, which name the file and the line."""
        hint = [f"Next: {self.hint}"] if self.hint else []
        return [f"{type(self).__name__}:", *self.output.splitlines(), *hint]


class BuildFailed(GoCommandFailed):
    """A Go program does not compile; ``output`` holds the compiler's messages."""


class BinaryError(GoError):
    """A file is not the kind of program that is needed: not ELF, not arm64, no such function."""


class OutputLimitExceeded(GoError):
    """A program printed more than its limit and was ended; ``result`` holds the first part."""

    def __init__(self, board: str, result: Result, limit: int) -> None:
        self.result = result
        super().__init__(
            f"{board}: {result.command} printed more than {limit / 2**20:g} MiB and was ended",
            expected="less output",
            hint="print less, or allow more with output_limit=BYTES",
        )


class TuningError(LabError):
    """A board has no such setting, or the value is not valid."""


class ChangeRejected(TuningError):
    """The board did not accept a value, or stored another one."""


class UndoFailed(TuningError):
    """A change could not be undone; its entry in the board's journal stays."""


class JournalLocked(TuningError):
    """Another session is changing the board and did not finish in time."""


class BenchError(LabError):
    """A measurement cannot be made, or its output is malformed."""


class KernelConfigError(LabError):
    """A kernel configuration is missing, incomplete or unreadable."""


class ClaimError(LabError):
    """A claim is unknown, or a verdict contradicts the table."""


class GuideError(LabError):
    """A notebook, one of its parameters, or a results directory is not usable."""
