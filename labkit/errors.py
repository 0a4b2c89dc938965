"""Everything labkit raises on purpose, as one tree.

::

    LabError
    ├── PlatformError           a platform is unknown, or its file is malformed
    ├── ProgramMissing          a program labkit calls is not on this machine
    ├── BoardError
    │   ├── BoardUnknown        no board and no platform has that name
    │   ├── InventoryError      the file of the user's own boards is malformed
    │   ├── BoardUnreachable    nothing answers at the board's address
    │   ├── BoardLost           the link dropped; the next call connects again
    │   ├── HostKeyUnknown      first contact: the key waits for the user's word
    │   ├── HostKeyChanged      the board shows another key than last time
    │   ├── LoginRefused        the board takes none of the user's keys
    │   ├── SudoRefused         sudo asks for a password that was not given
    │   ├── NotArm64            the machine is not a 64-bit Arm one
    │   ├── NotVirtual          only a virtual board can be reset
    │   ├── FileTrouble         a file on the board cannot be read or written
    │   ├── CommandFailed       a command ended with another status than 0
    │   └── CommandTimeout      a command outlived its time and was ended
    ├── VirtualError
    │   ├── NoSpace             the cache folder has too little room
    │   ├── ImageUnknown        no such image has been built or imported
    │   ├── ImageCorrupt        an image file is not what its manifest says
    │   ├── ImageBuildFailed    a step of the image build went wrong
    │   ├── PortTaken           another program listens on the port asked for
    │   └── BootFailed          the machine ended or did not come up in time
    ├── GoError
    │   ├── ToolchainError      a Go version cannot be had, or its files are damaged
    │   ├── GoFailed            the go command said no
    │   │   └── BuildFailed     a Go program does not compile
    │   ├── BinaryError         a file is not the program it was taken for
    │   └── OutputFlood         a program printed more than it was allowed to
    ├── TuningError             a board has no such setting, or the value is no sensible one
    │   ├── NotTaken            the board refuses a value, or makes another one of it
    │   ├── UndoFailed          a change could not be put back; the board's journal knows how
    │   └── JournalBusy         another session is changing the board
    ├── KernelConfigError       a kernel configuration is missing or unreadable
    ├── ClaimError              a claim is unknown, or a verdict contradicts the table
    └── GuideError              a notebook, parameter or results folder is not usable

Each is one line made of what was found, what was expected, and what to type next::

    >>> str(BoardError("no answer at 10.0.0.7:22", expected="an SSH server",
    ...                todo="labkit board info pi"))
    'no answer at 10.0.0.7:22; expected an SSH server. Next: labkit board info pi'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.boards.result import Result

__all__ = [
    "BinaryError",
    "BoardError",
    "BoardLost",
    "BoardUnknown",
    "BoardUnreachable",
    "BootFailed",
    "BuildFailed",
    "ClaimError",
    "CommandFailed",
    "CommandTimeout",
    "FileTrouble",
    "GoError",
    "GoFailed",
    "GuideError",
    "HostKeyChanged",
    "HostKeyUnknown",
    "ImageBuildFailed",
    "ImageCorrupt",
    "ImageUnknown",
    "InventoryError",
    "JournalBusy",
    "KernelConfigError",
    "LabError",
    "LoginRefused",
    "NoSpace",
    "NotArm64",
    "NotTaken",
    "NotVirtual",
    "OutputFlood",
    "PlatformError",
    "PortTaken",
    "ProgramMissing",
    "SudoRefused",
    "ToolchainError",
    "TuningError",
    "UndoFailed",
    "VirtualError",
]


class LabError(Exception):
    """The root of the tree: what was *found*, what was *expected*, what to do (*todo*)."""

    def __init__(self, found: str, *, expected: str = "", todo: str = "") -> None:
        self.found = found
        self.expected = expected
        self.todo = todo
        super().__init__(self._line())

    def _line(self) -> str:
        line = self.found
        if self.expected:
            line += f"; expected {self.expected}"
        if self.todo:
            line += f". Next: {self.todo}"
        return " ".join(line.splitlines())

    def _render_traceback_(self) -> list[str]:
        """What Jupyter prints instead of a traceback: the user's mistake needs none."""
        return [f"{type(self).__name__}: {self}"]


class PlatformError(LabError):
    """A platform is unknown, or its file is malformed."""


class ProgramMissing(LabError):
    """A program labkit calls is not on this machine."""


class BoardError(LabError):
    """Anything that concerns one board."""


class BoardUnknown(BoardError):
    """No board and no platform has that name."""


class InventoryError(BoardError):
    """The file of the user's own boards is malformed."""


class BoardUnreachable(BoardError):
    """Nothing answers at the board's address."""


class BoardLost(BoardError):
    """The link dropped; the next call connects again, once."""


class HostKeyUnknown(BoardError):
    """First contact: the board's key waits for the user's word."""


class HostKeyChanged(BoardError):
    """The board shows another key than the one that was trusted."""


class LoginRefused(BoardError):
    """The board takes none of the user's keys."""


class SudoRefused(BoardError):
    """sudo asks for a password that was not given, or refuses the one it got."""


class NotArm64(BoardError):
    """The machine is not a 64-bit Arm one."""


class NotVirtual(BoardError):
    """Only a virtual board can be reset; this one is somebody's real machine."""


class FileTrouble(BoardError):
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
            todo="give it longer with timeout=SECONDS",
        )


class VirtualError(LabError):
    """Anything that concerns the machines labkit makes itself."""


class NoSpace(VirtualError):
    """The cache folder has too little room."""


class ImageUnknown(VirtualError):
    """No such image has been built or imported."""


class ImageCorrupt(VirtualError):
    """An image file is not what its manifest says."""


class ImageBuildFailed(VirtualError):
    """A step of the image build went wrong."""


class PortTaken(VirtualError):
    """Another program listens on the port asked for."""


class BootFailed(VirtualError):
    """The machine ended by itself or did not come up in time."""


class GoError(LabError):
    """Anything that concerns Go and what it builds."""


class ToolchainError(GoError):
    """A Go version cannot be had here, or its files are damaged."""


class GoFailed(GoError):
    """The go command ended with another status than 0; ``said`` holds its own words, whole."""

    def __init__(self, found: str, *, said: str, expected: str = "", todo: str = "") -> None:
        self.said = said
        super().__init__(found, expected=expected, todo=todo)

    def _render_traceback_(self) -> list[str]:
        """What Jupyter prints: Go's own lines, which say in which file and line."""
        todo = [f"Next: {self.todo}"] if self.todo else []
        return [f"{type(self).__name__}:", *self.said.splitlines(), *todo]


class BuildFailed(GoFailed):
    """A Go program does not compile; the compiler's own words say where."""


class BinaryError(GoError):
    """A file is not the program it was taken for: not ELF, not arm64, without that function."""


class OutputFlood(GoError):
    """A program printed more than it was allowed to, and was ended; ``result`` has the start."""

    def __init__(self, board: str, result: Result, limit: int) -> None:
        self.result = result
        super().__init__(
            f"{board}: {result.command} printed more than {limit / 2**20:g} MiB and was ended",
            expected="less",
            todo="have it print less, or allow more with limit=BYTES",
        )


class TuningError(LabError):
    """A board has no such setting, or the value asked for is no sensible one."""


class NotTaken(TuningError):
    """The board refuses a value, or makes another one of it."""


class UndoFailed(TuningError):
    """A change could not be put back; its entry in the board's journal stays."""


class JournalBusy(TuningError):
    """Another session is changing the board and does not come to an end."""


class KernelConfigError(LabError):
    """A kernel configuration is missing, cut off, or not one at all."""


class ClaimError(LabError):
    """A claim is unknown, or a verdict contradicts the table."""


class GuideError(LabError):
    """A notebook, one of its parameters, or a results folder is not usable."""
