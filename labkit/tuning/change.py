"""A change of a board that can be undone."""

from __future__ import annotations

import base64
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import ChangeRejected, SudoRefused, TuningError
from labkit.tuning import journal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Change", "ChangeGroup", "Plan", "replace_command", "write_command"]


@dataclass(frozen=True)
class Plan:
    """How a change is made and undone, in shell commands for root.

    ``resource`` names what is changed (``cpufreq``, a path). Running ``undo`` twice must be
    harmless, and it must work after any part of ``apply``. The files ``backup`` are saved
    before the change and put back before ``undo`` runs. A ``persistent`` change survives a
    reboot.

    Raises :class:`TuningError` for a ``backup`` in /proc or /sys, where no file can be replaced:
    there ``undo`` has to write the old value.

    >>> Plan("vm", "echo 10 >/proc/sys/vm/swappiness", ":", backup=("/proc/sys/vm/swappiness",))
    Traceback (most recent call last):
    ...
    labkit.errors.TuningError: /proc/sys/vm/swappiness cannot be put back from a copy; ...
    """

    resource: str
    apply: str
    undo: str
    backup: tuple[str, ...] = ()
    persistent: bool = False

    def __post_init__(self) -> None:
        for path in self.backup:
            if path.startswith(("/proc/", "/sys/")):
                raise TuningError(
                    f"{path} cannot be put back from a copy",
                    expected="files on a disk as backup, and an undo that writes the old value",
                )


def write_command(value: object, path: str) -> str:
    """A shell command that writes a value to one of the kernel's files.

    ``tee`` prints the kernel's reason for a refusal; the shell's own ``echo`` always prints
    "I/O error".

    >>> write_command(600000, "policy0/scaling_min_freq")
    'echo 600000 | tee policy0/scaling_min_freq >/dev/null'
    """
    return f"echo {shlex.quote(str(value))} | tee {shlex.quote(path)} >/dev/null"


def replace_command(path: str, content: bytes) -> str:
    """A shell command that replaces a file's content and keeps its mode and owner.

    It replaces the file in one step, so that a power cut never leaves a part of the content.
    And it does not write into the existing file, which may be a link to another file.
    """
    target, temporary = shlex.quote(path), shlex.quote(f"{path}.labkit")
    data = base64.b64encode(content).decode()
    return (
        f"[ ! -f {target} ] || cp -aL {target} {temporary}; echo {data} | base64 -d >{temporary}; "
        f"sync -f {temporary}; mv -fT {temporary} {target}; sync -f {target}"
    )


class Change(StrRepr, ABC):
    """One change of one board: described, made, read back, undone.

    A ``with`` block undoes it at its end, also after an error. Before the change is made it is
    recorded on the board (see :mod:`labkit.tuning.journal`): if this process dies or the
    connection drops, ``labkit board restore NAME`` undoes it. ``a + b`` is a change too.

    >>> with Governor(board, "performance"):             # doctest: +SKIP
    ...     measure()
    """

    allow_clamped = False
    """Whether a value that the board changed to another one is accepted."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._key = ""
        """The key of the entry in the board's journal; empty while nothing is to be undone."""

    @abstractmethod
    def describe(self) -> str:
        """The change in one line, for people: ``governor of policy0: performance``."""

    @abstractmethod
    def plan(self) -> Plan:
        """How to make the change and undo it, from the board's present state. Changes nothing.

        Raises :class:`TuningError` where the board has no such setting.
        """

    @abstractmethod
    def current(self) -> Mapping[str, str]:
        """What the board reports now of the settings that are changed: ``{setting: value}``."""

    @abstractmethod
    def desired(self) -> Mapping[str, str]:
        """What :meth:`current` must give after the change is made."""

    @property
    def applied(self) -> bool:
        """Whether the change is made and not yet undone."""
        return bool(self._key)

    def apply(self) -> Change:
        """Record the change on the board, make it, read it back.

        If any of this fails, the change is undone. Raises :class:`ChangeRejected` where the
        board refuses it or reports another value, :class:`TuningError`.
        """
        if self._key:
            raise TuningError(f"{self.describe()} is made already", hint="undo() it before")
        plan = self.plan()
        description = self.describe()
        # Set first: if Ctrl-C comes while the entry is written, the undo finds it by its key.
        self._key = journal.new_key()
        try:
            self._record(description, plan)
            result = journal.apply(self.board, self._key, plan.apply)
            if not result.ok:
                raise ChangeRejected(
                    f"{self.board.name} refuses {description}: {result.error_line}"
                )
            if not self.allow_clamped:
                self._verify(description)
        except BaseException:
            self.undo()
            raise
        return self

    def undo(self) -> None:
        """Put the board back as it was. Does nothing where nothing is to be undone.

        Raises :class:`UndoFailed`; the entry in the board's journal then stays.
        """
        if not self._key:
            return
        try:
            journal.undo(self.board, self._key, self.describe())
        except KeyboardInterrupt:  # an undo that has started is finished first
            journal.undo(self.board, self._key, self.describe())
            self._key = ""
            raise
        self._key = ""

    def read_back(self) -> pd.DataFrame:
        """The values that were asked for and those that the board reports, one row per setting.

        Columns: ``asked`` and ``board says`` (text), ``taken`` (bool).
        """
        import pandas as pd

        current = self.current()
        rows = {
            setting: (value, current.get(setting, "nothing"), current.get(setting) == value)
            for setting, value in self.desired().items()
        }
        frame = pd.DataFrame.from_dict(
            rows, orient="index", columns=["asked", "board says", "taken"]
        )
        frame.index.name = "setting"
        return frame

    def _record(self, description: str, plan: Plan) -> None:
        try:
            journal.record(
                self.board,
                description,
                plan.undo,
                key=self._key,
                resource=plan.resource,
                backup=plan.backup,
                persistent=plan.persistent,
            )
        except SudoRefused:  # then there is no entry, and nothing could be undone either
            self._key = ""
            raise

    def _verify(self, description: str) -> None:
        current = self.current()
        for setting, value in self.desired().items():
            if current.get(setting) != value:
                raise ChangeRejected(
                    f"{description}: {self.board.name} reports "
                    f"{current.get(setting, 'nothing')!r} for {setting}",
                    expected=repr(value),
                )

    def __add__(self, other: Change) -> ChangeGroup:
        return ChangeGroup(self, other)

    def __enter__(self) -> Change:
        return self.apply()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.undo()

    def __str__(self) -> str:
        return f"{self.describe()} on {self.board.name}" + (" (made)" if self.applied else "")


class ChangeGroup(Change):
    """Several changes as one: made in their order, undone in the reverse order."""

    def __init__(self, *changes: Change) -> None:
        super().__init__(changes[0].board)
        self.changes = changes

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return "; ".join(change.describe() for change in self.changes)

    def plan(self) -> Plan:
        """A group has no plan of its own: raises :class:`TuningError`."""
        raise TuningError(
            "a group of changes has no plan of its own", hint="call plan() of each of its .changes"
        )

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`."""
        return {name: value for change in self.changes for name, value in change.current().items()}

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return {name: value for change in self.changes for name, value in change.desired().items()}

    @property
    def applied(self) -> bool:
        """Whether one of the changes is made."""
        return any(change.applied for change in self.changes)

    def apply(self) -> Change:
        """Make all of them. Where one fails, those before it are undone."""
        try:
            for change in self.changes:
                change.apply()
        except BaseException:
            self.undo()
            raise
        return self

    def undo(self) -> None:
        """Undo all of them, the last one first. A failure does not stop the other undos."""
        with ExitStack() as stack:
            for change in self.changes:
                stack.callback(change.undo)
