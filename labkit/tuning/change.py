"""A change of a board that finds its way back."""

from __future__ import annotations

import base64
import shlex
import uuid
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

__all__ = ["Change", "ChangeGroup", "Plan", "replace", "write"]


@dataclass(frozen=True)
class Plan:
    """How a change is made and unmade, in shell commands for root.

    ``subject`` names what is changed (``cpufreq policy0``, a path). ``undo`` must be fit to
    be run twice, and from any point of ``apply``. The files ``keep`` are saved before and put
    back before ``undo`` runs. ``persistent`` changes outlive a reboot.
    """

    subject: str
    apply: str
    undo: str
    keep: tuple[str, ...] = ()
    persistent: bool = False


def write(value: object, path: str) -> str:
    """A shell command that writes a value into one of the kernel's files.

    tee names the kernel's reason where it refuses; a shell's own echo says "I/O error" always.
    """
    return f"echo {shlex.quote(str(value))} | tee {shlex.quote(path)} >/dev/null"


def replace(path: str, content: bytes) -> str:
    """A shell command that puts new content in a file's place, mode and owner as they were.

    In one step, so that no power cut finds half a file; and in the place of what is there,
    not into it, for that may be a link to somebody else's file.
    """
    there, half = shlex.quote(path), shlex.quote(f"{path}.labkit")
    data = base64.b64encode(content).decode()
    return (
        f"[ ! -f {there} ] || cp -aL {there} {half}; echo {data} | base64 -d >{half}; "
        f"sync -f {half}; mv -fT {half} {there}; sync -f {there}"
    )


class Change(StrRepr, ABC):
    """One change of one board: described, made, read back, undone.

    In a ``with`` block it is undone at the end, whatever ends it. Before it is made it is
    noted on the board (see :mod:`labkit.tuning.journal`): should this process die or the link
    drop, ``labkit board restore NAME`` undoes it. ``a + b`` is a change too.

    >>> with Governor(board, "performance"):             # doctest: +SKIP
    ...     measure()
    """

    allow_clamped = False
    """Whether another answer of the board than the one asked for is taken as it is."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._entry = ""

    @abstractmethod
    def describe(self) -> str:
        """The change in one line, for people: ``governor of policy0: performance``."""

    @abstractmethod
    def plan(self) -> Plan:
        """The way there and back, from what the board says now. Changes nothing.

        Raises :class:`TuningError` where the board has no such thing.
        """

    @abstractmethod
    def read(self) -> Mapping[str, str]:
        """What the board says now of what is changed: ``{setting: value}``."""

    @abstractmethod
    def wanted(self) -> Mapping[str, str]:
        """What :meth:`read` is to say when the change is made."""

    @property
    def applied(self) -> bool:
        """Whether it is made and not yet undone."""
        return bool(self._entry)

    def apply(self) -> Change:
        """Note the change on the board, make it, read it back.

        Where any of this fails, all is undone. Raises :class:`ChangeRejected` where the board
        refuses or answers another value, :class:`TuningError`.
        """
        if self._entry:
            raise TuningError(f"{self.describe()} is made already", hint="undo() it before")
        plan = self.plan()
        what = self.describe()
        # Set first: should Ctrl-C come while it is being noted, the undo finds it by its key.
        self._entry = uuid.uuid4().hex[:12]
        try:
            self._note(what, plan)
            done = journal.make(self.board, self._entry, plan.apply)
            if not done.ok:
                raise ChangeRejected(f"{self.board.name} refuses {what}: {done.error_line}")
            if not self.allow_clamped:
                self._compare(what)
        except BaseException:
            self.undo()
            raise
        return self

    def undo(self) -> None:
        """Put back what was there. Harmless where nothing is to be undone.

        Raises :class:`UndoFailed`; the board's journal then still knows the way back.
        """
        if not self._entry:
            return
        try:
            journal.undo(self.board, self._entry, self.describe())
        except KeyboardInterrupt:  # what was begun is ended first
            journal.undo(self.board, self._entry, self.describe())
            self._entry = ""
            raise
        self._entry = ""

    def read_back(self) -> pd.DataFrame:
        """What was asked for and what the board says, a row a setting.

        Columns: ``asked`` and ``board says`` (text), ``taken`` (bool).
        """
        import pandas as pd

        said = self.read()
        rows = {
            setting: (asked, said.get(setting, "nothing"), said.get(setting) == asked)
            for setting, asked in self.wanted().items()
        }
        frame = pd.DataFrame.from_dict(
            rows, orient="index", columns=["asked", "board says", "taken"]
        )
        frame.index.name = "setting"
        return frame

    def _note(self, what: str, plan: Plan) -> None:
        try:
            journal.record(
                self.board,
                what,
                plan.undo,
                key=self._entry,
                subject=plan.subject,
                keep=plan.keep,
                persistent=plan.persistent,
            )
        except SudoRefused:  # then nothing is noted, and there is no undoing either
            self._entry = ""
            raise

    def _compare(self, what: str) -> None:
        said = self.read()
        for setting, asked in self.wanted().items():
            if said.get(setting) != asked:
                raise ChangeRejected(
                    f"{what}: {self.board.name} says {said.get(setting, 'nothing')!r} "
                    f"for {setting}",
                    expected=repr(asked),
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
    """Several changes as one: made in their order, undone in the reverse one."""

    def __init__(self, *changes: Change) -> None:
        super().__init__(changes[0].board)
        self.changes = changes

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return "; ".join(each.describe() for each in self.changes)

    def plan(self) -> Plan:
        """A change of changes has no plan of its own."""
        raise TuningError("several changes have a plan each", hint="ask each one of .changes")

    def read(self) -> dict[str, str]:
        """See :meth:`Change.read`."""
        return {name: value for each in self.changes for name, value in each.read().items()}

    def wanted(self) -> dict[str, str]:
        """See :meth:`Change.wanted`."""
        return {name: value for each in self.changes for name, value in each.wanted().items()}

    @property
    def applied(self) -> bool:
        """Whether one of them is made."""
        return any(each.applied for each in self.changes)

    def apply(self) -> Change:
        """Make all, or none."""
        try:
            for each in self.changes:
                each.apply()
        except BaseException:
            self.undo()
            raise
        return self

    def undo(self) -> None:
        """Undo all, the last one first; one that fails does not keep the others from it."""
        with ExitStack() as stack:
            for each in self.changes:
                stack.callback(each.undo)
