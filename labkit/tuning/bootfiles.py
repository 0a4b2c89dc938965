"""The Raspberry Pi's boot files as changes: what the firmware reads at the next power-on.

A mistake in them can keep a board from starting, so nothing is written without a word: look
at :meth:`BootFileChange.diff`, then say ``confirmed=True``. Making the change or undoing it
takes effect with a reboot, which is yours to order: ``board.reboot()``.
"""

from __future__ import annotations

import base64
import difflib
import re
from abc import abstractmethod
from collections.abc import Sequence

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.raspberrypi.configtxt import ConfigTxt
from labkit.tuning.change import Change, Plan, replace

__all__ = ["BootFileChange", "CommandLine", "ConfigTxtChange", "boot_dir"]

DIRECTORIES = ("/boot/firmware", "/boot")
"""Where the files are: since Raspberry Pi OS bookworm, and before."""


def boot_dir(board: Board) -> str:
    """Where the board has its ``config.txt``. Raises :class:`TuningError` where it has none."""
    tests = "; ".join(f"[ -f {each}/config.txt ] && echo {each}" for each in DIRECTORIES)
    there = board.run(tests).lines
    if not there:
        raise TuningError(
            f"{board.name} has no config.txt",
            expected=f"one in {' or '.join(DIRECTORIES)}, as a Raspberry Pi has",
            hint="labkit board up raspberry-pi-5, for a virtual board that has",
        )
    return there[0]


def model_of(board: Board) -> str:
    """The name of the board's model in the filters of config.txt: ``pi5``, ``cm4``, ..."""
    said = board.facts.model
    for word, model in (
        ("Compute Module 5", "cm5"),
        ("Compute Module 4", "cm4"),
        ("Pi 500", "pi500"),
        ("Pi 400", "pi400"),
        ("Pi 5", "pi5"),
        ("Pi 4", "pi4"),
        ("Pi 3 Model B Plus", "pi3+"),
        ("Pi 3", "pi3"),
    ):
        if word in said:
            return model
    raise TuningError(f"{board.name} says it is {said!r}", expected="a Raspberry Pi 3, 4 or 5")


class BootFileChange(Change):
    """A change of one boot file. ``confirmed`` is the user's word that it may be written."""

    file = ""

    def __init__(self, board: Board, *, confirmed: bool) -> None:
        super().__init__(board)
        self.confirmed = confirmed

    @abstractmethod
    def edited(self, text: str) -> str:
        """The file's text as it is to be."""

    @property
    def path(self) -> str:
        """The file on the board."""
        return f"{boot_dir(self.board)}/{self.file}"

    def diff(self) -> str:
        """What would be written, as a unified diff; empty where nothing would change."""
        path = self.path
        before = self._text(path)
        old, new = before.splitlines(), self.edited(before).splitlines()
        return "\n".join(difflib.unified_diff(old, new, path, f"{path} (new)", lineterm="", n=1))

    def plan(self) -> Plan:
        """See :meth:`Change.plan`. Raises :class:`TuningError` where it is not confirmed."""
        path = self.path
        before = self._text(path)
        after = self.edited(before)
        if not self.confirmed:
            raise TuningError(
                f"{self.describe()}: not written, for nobody has said so",
                expected=".diff() to be looked at",
                hint="make the change with confirmed=True",
            )
        apply = replace(path, after.encode(errors="surrogateescape"))
        return Plan(path, apply, ":", keep=(path,), persistent=True)

    def _text(self, path: str) -> str:
        # As bytes: an editor's line ends, and what is no UTF-8, stay as they are.
        coded = self.board.check("base64 -w0 %s", path).stdout
        return base64.b64decode(coded).decode(errors="surrogateescape")


class ConfigTxtChange(BootFileChange):
    """Settings of ``config.txt``, each on the line that counts for this model.

    A key the firmware does not have is not refused, for the firmware does not refuse it
    either; :attr:`unknown` names it. Values are in the firmware's units (clocks in MHz).

    >>> change = ConfigTxtChange(board, arm_freq=2000, confirmed=True)  # doctest: +SKIP
    >>> with change:                                                  # doctest: +SKIP
    ...     board.reboot()
    """

    file = "config.txt"

    def __init__(
        self, board: Board, *, confirmed: bool = False, model: str = "", **settings: object
    ) -> None:
        super().__init__(board, confirmed=confirmed)
        if not settings:
            raise TuningError("no setting was given", expected="one, such as arm_freq=2000")
        for key, value in settings.items():
            if not re.fullmatch(r"[\w:]+", key):
                raise TuningError(f"{key!r} is no key of config.txt", expected="letters, digits, _")
            if not str(value) or any(each in str(value) for each in "\r\n"):
                raise TuningError(f"{key}={value!r} is no setting", expected="a text in one line")
        self.settings = {key: str(value) for key, value in settings.items()}
        self.model = model or model_of(board)

    @property
    def unknown(self) -> list[str]:
        """Those of the keys that the firmware would overlook without a word."""
        lines = "\n".join(f"{key}={value}" for key, value in self.settings.items())
        return ConfigTxt.parse(lines).unknown_keys(self.model)

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return "config.txt: " + ", ".join(f"{k}={v}" for k, v in self.settings.items())

    def edited(self, text: str) -> str:
        """See :meth:`BootFileChange.edited`."""
        config = ConfigTxt.parse(text)
        for key, value in self.settings.items():
            config = config.set(key, value, model=self.model)
        return str(config)

    def read(self) -> dict[str, str]:
        """See :meth:`Change.read`."""
        there = ConfigTxt.parse(self._text(self.path)).settings(self.model)
        return {key: there[key] for key in self.settings if key in there}

    def wanted(self) -> dict[str, str]:
        """See :meth:`Change.wanted`."""
        return self.settings


class CommandLine(BootFileChange):
    """Words of ``cmdline.txt``, the kernel's command line: some added, some taken out.

    >>> CommandLine(board, add=["cgroup_enable=memory"]).diff()       # doctest: +SKIP
    """

    file = "cmdline.txt"

    def __init__(
        self,
        board: Board,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        confirmed: bool = False,
    ) -> None:
        super().__init__(board, confirmed=confirmed)
        self.add, self.remove = tuple(add), tuple(remove)
        for word in (*self.add, *self.remove):
            if not word or word.split() != [word]:
                raise TuningError(f"{word!r} is no word of a command line", expected="no spaces")
        if any(word.startswith(("root=", "rootfstype=", "init=")) for word in self.remove):
            raise TuningError(
                "without root= the board does not start", expected="it to be left in cmdline.txt"
            )
        if not (self.add or self.remove):
            raise TuningError("no word was given", expected="add=[...] or remove=[...]")

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        signs = [f"+{word}" for word in self.add] + [f"-{word}" for word in self.remove]
        return f"cmdline.txt: {' '.join(signs)}"

    def edited(self, text: str) -> str:
        """See :meth:`BootFileChange.edited`. The kernel gets the first line, and that only."""
        first, end, rest = text.partition("\n")
        line = first.rstrip()
        for word in self.remove:
            pieces = _pieces(line)
            kept = [each for each in pieces if each.strip() != word]
            line = "".join(kept)
            if kept[:1] != pieces[:1]:
                line = line.lstrip()
        there = line.split()
        added = [word for word in self.add if word not in there]
        words = " ".join(filter(None, [line, *added]))
        return words + first[len(first.rstrip()) :] + end + rest

    def read(self) -> dict[str, str]:
        """See :meth:`Change.read`."""
        there = (self._text(self.path).splitlines() or [""])[0].split()
        return {
            word: "there" if word in there else "not there" for word in (*self.add, *self.remove)
        }

    def wanted(self) -> dict[str, str]:
        """See :meth:`Change.wanted`."""
        return dict.fromkeys(self.add, "there") | dict.fromkeys(self.remove, "not there")


def _pieces(line: str) -> list[str]:
    """The words of a line, each with the spaces before it: together they are the line."""
    return re.findall(r"\s*\S+", line)
