"""A kernel module that is loaded, as a change."""

from __future__ import annotations

import re
import shlex

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.tuning.change import Change, Plan

__all__ = ["KernelModule"]


class KernelModule(Change):
    """A kernel module that is loaded, with ``parameters``; the undo unloads it.

    ``module`` is a name, which ``modprobe`` looks up, or the path of a ``.ko`` file on the
    board, which ``insmod`` gives to the kernel as it is. A module that is loaded already is
    left loaded, before and after.

    Raises :class:`TuningError` for what is neither a name nor a path, and :class:`ChangeRejected`
    where the kernel refuses the module.

    >>> with KernelModule(board, "dummy", numdummies=0):                   # doctest: +SKIP
    ...     board.run("grep dummy /proc/modules").ok
    True
    """

    def __init__(self, board: Board, module: str, **parameters: object) -> None:
        super().__init__(board)
        if not re.fullmatch(r"\w[\w-]*|/.+\.ko", module):
            raise TuningError(
                f"{module!r} is not a kernel module", expected="a name, or the path of a .ko file"
            )
        self.module = module
        self.parameters = tuple(f"{name}={value}" for name, value in parameters.items())
        self._name = "" if module.startswith("/") else module.replace("-", "_")

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return " ".join(["kernel module", self.module, *self.parameters])

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        name = self._module_name()
        is_file = self.module.startswith("/")
        load, unload = ("insmod", "rmmod") if is_file else ("modprobe", "modprobe -r")
        apply = shlex.join([load, self.module, *self.parameters])
        undo = f"if grep -q '^{name} ' /proc/modules; then {unload} {name}; fi"
        return Plan(f"module {name}", apply, ":" if self._loaded(name) else undo)

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`."""
        name = self._module_name()
        return {name: "loaded" if self._loaded(name) else "not loaded"}

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return {self._module_name(): "loaded"}

    def _loaded(self, name: str) -> bool:
        return self.board.run("grep -q %s /proc/modules", f"^{name} ").ok

    def _module_name(self) -> str:
        """The module's name in the kernel, which a file's own name need not be."""
        if not self._name:
            name = self.board.run("/sbin/modinfo -F name %s", self.module).stdout.strip()
            if not re.fullmatch(r"\w+", name):
                raise TuningError(
                    f"{self.board.name} has no kernel module {self.module}",
                    expected="the path of a .ko file on the board",
                )
            self._name = name
        return self._name
