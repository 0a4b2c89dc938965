"""The Raspberry Pi's boot files as changes: what the firmware reads at the next power-on.

A mistake in these files can keep a board from starting, so nothing is written by default: look
at :meth:`BootFileChange.diff`, then pass ``allow_write=True``. A change and its undo take
effect at the next reboot, which you start yourself: ``board.reboot()``.
"""

from __future__ import annotations

import base64
import difflib
import re
from abc import abstractmethod
from collections.abc import Sequence

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.raspberrypi import models
from labkit.raspberrypi.configtxt import ConfigTxt
from labkit.tuning.change import Change, Plan, replace_command

__all__ = ["BootFileChange", "CmdlineTxtChange", "ConfigTxtChange"]

DIRECTORIES = ("/boot/firmware", "/boot")
"""Where the files are: since Raspberry Pi OS bookworm, and before."""


def _boot_dir(board: Board) -> str:
    """The board's directory with ``config.txt``. Raises :class:`TuningError` where it has none."""
    tests = "; ".join(f"[ -f {path}/config.txt ] && echo {path}" for path in DIRECTORIES)
    paths = board.run(tests).lines
    if not paths:
        raise TuningError(
            f"{board.name} has no config.txt",
            expected=f"one in {' or '.join(DIRECTORIES)}, as on a Raspberry Pi",
            hint="labkit board up raspberry-pi-5, for a virtual board that has one",
        )
    return paths[0]


def _model_of(board: Board) -> str:
    """The board's model as the filters of config.txt name it: ``pi5``, ``cm4``, ...

    Raises :class:`TuningError` where it is no Raspberry Pi 3, 4 or 5.
    """
    device_tree = board.facts.model
    model = models.identify(device_tree)
    if model is None:
        raise TuningError(
            f"the model of {board.name} is {device_tree!r}", expected="a Raspberry Pi 3, 4 or 5"
        )
    return model


class BootFileChange(Change):
    """A change of one boot file. ``allow_write`` confirms that the file may be written."""

    file = ""

    def __init__(self, board: Board, *, allow_write: bool) -> None:
        super().__init__(board)
        self.allow_write = allow_write

    @abstractmethod
    def render(self, text: str) -> str:
        """The new text of the file, made from its present ``text``."""

    @property
    def path(self) -> str:
        """The file on the board."""
        return f"{_boot_dir(self.board)}/{self.file}"

    def diff(self) -> str:
        """What would be written, as a unified diff; empty where nothing would change."""
        path = self.path
        before = self._text(path)
        old, new = before.splitlines(), self.render(before).splitlines()
        return "\n".join(difflib.unified_diff(old, new, path, f"{path} (new)", lineterm="", n=1))

    def plan(self) -> Plan:
        """See :meth:`Change.plan`. Raises :class:`TuningError` without ``allow_write``."""
        path = self.path
        content = self.render(self._text(path)).encode(errors="surrogateescape")
        if not self.allow_write:
            raise TuningError(
                f"{self.describe()}: not written, because allow_write is False",
                expected="a look at .diff() first",
                hint="create the change with allow_write=True",
            )
        apply = replace_command(path, content)
        return Plan(path, apply, ":", backup=(path,), persistent=True)

    def _text(self, path: str) -> str:
        # As bytes: an editor's line ends, and what is not UTF-8, stay as they are.
        encoded = self.board.check("base64 -w0 %s", path).stdout
        return base64.b64decode(encoded).decode(errors="surrogateescape")


class ConfigTxtChange(BootFileChange):
    """Settings of ``config.txt``, each on the line that counts for this model.

    ``settings`` are the keys and their values, in the firmware's units (clocks in MHz). The
    firmware ignores a key that it does not know, so such a key is accepted here too;
    :attr:`unknown_keys` lists it. ``model`` is the model as config.txt's filters name it; by
    default the board's own.

    Raises :class:`TuningError` for a key or a value that is not one of config.txt.

    >>> change = ConfigTxtChange(board, arm_freq=2000, allow_write=True)  # doctest: +SKIP
    >>> with change:                                                  # doctest: +SKIP
    ...     board.reboot()
    """

    file = "config.txt"

    def __init__(
        self, board: Board, *, allow_write: bool = False, model: str = "", **settings: object
    ) -> None:
        super().__init__(board, allow_write=allow_write)
        if not settings:
            raise TuningError("no setting was given", expected="one, such as arm_freq=2000")
        for key, value in settings.items():
            if not re.fullmatch(r"[\w:]+", key):
                raise TuningError(
                    f"{key!r} is not a key of config.txt", expected="letters, digits and _"
                )
            if not str(value) or re.search(r"[\r\n]", str(value)):
                raise TuningError(
                    f"{key}={value!r} is not a setting", expected="a value on one line"
                )
        self.settings = {key: str(value) for key, value in settings.items()}
        self.model = model or _model_of(board)

    @property
    def unknown_keys(self) -> list[str]:
        """The keys that the firmware does not know, and ignores without a message."""
        lines = "\n".join(f"{key}={value}" for key, value in self.settings.items())
        return ConfigTxt.parse(lines).unknown_keys(self.model)

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return "config.txt: " + ", ".join(f"{k}={v}" for k, v in self.settings.items())

    def render(self, text: str) -> str:
        """See :meth:`BootFileChange.render`."""
        config = ConfigTxt.parse(text)
        for key, value in self.settings.items():
            config = config.set(key, value, model=self.model)
        return str(config)

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`."""
        settings = ConfigTxt.parse(self._text(self.path)).settings(self.model)
        return {key: settings[key] for key in self.settings if key in settings}

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return self.settings


class CmdlineTxtChange(BootFileChange):
    """Parameters added to ``cmdline.txt``, the kernel's command line, or removed from it.

    Raises :class:`TuningError` for a parameter with a space in it, and where one is removed
    that the board needs to start.

    >>> CmdlineTxtChange(board, add=["cgroup_enable=memory"]).diff()       # doctest: +SKIP
    """

    file = "cmdline.txt"

    def __init__(
        self,
        board: Board,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        allow_write: bool = False,
    ) -> None:
        super().__init__(board, allow_write=allow_write)
        self.add, self.remove = tuple(add), tuple(remove)
        for parameter in (*self.add, *self.remove):
            if not parameter or parameter.split() != [parameter]:
                raise TuningError(
                    f"{parameter!r} is not a parameter of a command line", expected="no spaces"
                )
        if any(item.startswith(("root=", "rootfstype=", "init=")) for item in self.remove):
            raise TuningError(
                "a board without root= does not start", expected="it to stay in cmdline.txt"
            )
        if not (self.add or self.remove):
            raise TuningError("no parameter was given", expected="add=[...] or remove=[...]")

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        signs = [f"+{item}" for item in self.add] + [f"-{item}" for item in self.remove]
        return f"cmdline.txt: {' '.join(signs)}"

    def render(self, text: str) -> str:
        """See :meth:`BootFileChange.render`. The kernel gets only the first line of the file."""
        first, end, rest = text.partition("\n")
        line = first.rstrip()
        for parameter in self.remove:
            pieces = _pieces(line)
            remaining = [piece for piece in pieces if piece.strip() != parameter]
            line = "".join(remaining)
            if remaining[:1] != pieces[:1]:
                line = line.lstrip()
        parameters = line.split()
        added = [item for item in self.add if item not in parameters]
        trailing_space = first[len(first.rstrip()) :]
        return " ".join(filter(None, [line, *added])) + trailing_space + end + rest

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`: ``present`` or ``absent`` for each parameter."""
        parameters = (self._text(self.path).splitlines() or [""])[0].split()
        return {
            item: "present" if item in parameters else "absent"
            for item in (*self.add, *self.remove)
        }

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return dict.fromkeys(self.add, "present") | dict.fromkeys(self.remove, "absent")


def _pieces(line: str) -> list[str]:
    """The parameters of a line, each with the spaces before it; joined, they are the line."""
    return re.findall(r"\s*\S+", line)
