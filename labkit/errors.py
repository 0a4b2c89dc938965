"""Everything labkit raises on purpose, as one tree.

::

    LabError
    ├── PlatformError           a platform is unknown, or its file is malformed
    ├── ToolNotFound          a program labkit calls is not on this machine
    ├── BoardError
    │   ├── BoardUnknown        no board and no platform has that name
    │   ├── InventoryError      the file of the user's own boards is malformed
    │   ├── BoardUnreachable    nothing answers at the board's address
    │   ├── ConnectionLost           the link dropped; the next call connects again
    │   ├── HostKeyUnknown      first contact: the key waits for the user's word
    │   ├── HostKeyChanged      the board shows another key than last time
    │   ├── AuthenticationFailed        the board takes none of the user's keys
    │   ├── SudoRefused         sudo asks for a password that was not given
    │   ├── UnsupportedArchitecture            the machine is not a 64-bit Arm one
    │   ├── NotVirtual          only a virtual board can be reset
    │   ├── RemoteFileError         a file on the board cannot be read or written
    │   ├── CommandFailed       a command ended with another status than 0
    │   └── CommandTimeout      a command outlived its time and was ended
    ├── VirtualError
    │   ├── DiskFull             the cache folder has too little room
    │   ├── ImageUnknown        no such image has been built or imported
    │   ├── ImageCorrupt        an image file is not what its manifest says
    │   ├── ImageBuildFailed    a step of the image build went wrong
    │   ├── PortInUse           another program listens on the port asked for
    │   └── BootFailed          the machine ended or did not come up in time
    ├── GoError
    │   ├── ToolchainError      a Go version cannot be had, or its files are damaged
    │   ├── GoCommandFailed            the go command said no
    │   │   └── BuildFailed     a Go program does not compile
    │   ├── BinaryError         a file is not the program it was taken for
    │   └── OutputLimitExceeded         a program printed more than it was allowed to
    ├── TuningError             a board has no such setting, or the value is no sensible one
    │   ├── ChangeRejected            the board refuses a value, or makes another one of it
    │   ├── UndoFailed          a change could not be put back; the board's journal knows how
    │   └── JournalLocked         another session is changing the board
    ├── KernelConfigError       a kernel configuration is missing or unreadable
    ├── ClaimError              a claim is unknown, or a verdict contradicts the table
    └── GuideError              a notebook, parameter or results folder is not usable

Each is one line made of what was found, what was expected, and what to type next::

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

    ``message`` says what was found, ``expected`` what would have been right, ``hint`` the next
    command to type.
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
        """What Jupyter prints instead of a traceback: a user's mistake needs none."""
        return [f"{type(self).__name__}: {self}"]


class PlatformError(LabError):
    """A platform is unknown, or its file is malformed."""


class ToolNotFound(LabError):
    """A program labkit calls is not on this machine."""


class BoardError(LabError):
    """Anything that concerns one board."""


class BoardUnknown(BoardError):
    """No board and no platform has that name."""


class InventoryError(BoardError):
    """The file of the user's own boards is malformed."""


class BoardUnreachable(BoardError):
    """Nothing answers at the board's address."""


class ConnectionLost(BoardError):
    """The link dropped; the next call connects again, once."""


class HostKeyUnknown(BoardError):
    """First contact: the board's key waits for the user's word."""


class HostKeyChanged(BoardError):
    """The board shows another key than the one that was trusted."""


class AuthenticationFailed(BoardError):
    """The board takes none of the user's keys."""


class SudoRefused(BoardError):
    """sudo asks for a password that was not given, or refuses the one it got."""


class UnsupportedArchitecture(BoardError):
    """The machine is not a 64-bit Arm one."""


class NotVirtual(BoardError):
    """Only a virtual board can be reset; this one is somebody's real machine."""


class RemoteFileError(BoardError):
    """A file on the board cannot be read or written, or did not keep what was written."""


class CommandFailed(BoardError):
    """A command ended with another status than 0; ``result`` holds all of it."""

    def __init__(self, board: str, result: Result) -> None:
        self.result = result
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        last = said[-1] if said else "it printed nothing"
        super().__init__(
            f"{board}: `{result.command}` ended with status {result.exit_status}: {last}"
        )


class CommandTimeout(BoardError):
    """A command outlived its time and was ended; ``result`` holds what it printed."""

    def __init__(self, board: str, result: Result, timeout: float) -> None:
        self.result = result
        super().__init__(
            f"{board}: `{result.command}` ran past {timeout:g} s and was ended",
            expected="it to be done by then",
            hint="give it longer with timeout=SECONDS",
        )


class VirtualError(LabError):
    """Anything that concerns the machines labkit makes itself."""


class DiskFull(VirtualError):
    """The cache folder has too little room."""


class ImageUnknown(VirtualError):
    """No such image has been built or imported."""


class ImageCorrupt(VirtualError):
    """An image file is not what its manifest says."""


class ImageBuildFailed(VirtualError):
    """A step of the image build went wrong."""


class PortInUse(VirtualError):
    """Another program listens on the port asked for."""


class BootFailed(VirtualError):
    """The machine ended by itself or did not come up in time."""


class GoError(LabError):
    """Anything that concerns Go and what it builds."""


class ToolchainError(GoError):
    """A Go version cannot be had here, or its files are damaged."""


class GoCommandFailed(GoError):
    """The go command ended with another status than 0; ``said`` holds its own words, whole."""

    def __init__(self, found: str, *, said: str, expected: str = "", hint: str = "") -> None:
        self.said = said
        super().__init__(found, expected=expected, hint=hint)

    def _render_traceback_(self) -> list[str]:
        """What Jupyter prints: Go's own lines, which say in which file and line."""
        hint = [f"Next: {self.hint}"] if self.hint else []
        return [f"{type(self).__name__}:", *self.said.splitlines(), *hint]


class BuildFailed(GoCommandFailed):
    """A Go program does not compile; the compiler's own words say where."""


class BinaryError(GoError):
    """A file is not the program it was taken for: not ELF, not arm64, without that function."""


class OutputLimitExceeded(GoError):
    """A program printed more than it was allowed to, and was ended; ``result`` has the start."""

    def __init__(self, board: str, result: Result, limit: int) -> None:
        self.result = result
        super().__init__(
            f"{board}: {result.command} printed more than {limit / 2**20:g} MiB and was ended",
            expected="less",
            hint="have it print less, or allow more with limit=BYTES",
        )


class TuningError(LabError):
    """A board has no such setting, or the value asked for is no sensible one."""


class ChangeRejected(TuningError):
    """The board refuses a value, or makes another one of it."""


class UndoFailed(TuningError):
    """A change could not be put back; its entry in the board's journal stays."""


class JournalLocked(TuningError):
    """Another session is changing the board and does not come to an end."""


class KernelConfigError(LabError):
    """A kernel configuration is missing, cut off, or not one at all."""


class ClaimError(LabError):
    """A claim is unknown, or a verdict contradicts the table."""


class GuideError(LabError):
    """A notebook, one of its parameters, or a results folder is not usable."""
