"""The Raspberry Pi's ``config.txt``: what its firmware makes of the text, and small edits.

Source: the Raspberry Pi documentation, config.txt ("File format", "Conditional filters").
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["ConfigTxt", "Key", "Line", "known_keys"]

LINE_LIMIT = 98
"""Characters of a line the firmware reads; what stands behind them is lost."""

# Each line of these says one thing more; none takes the place of another.
_GIVEN_AGAIN = {"dtparam", "dtoverlay", "gpio", "include"}

# The filters a model sees besides its own name. Those of a kind replace each other.
_MODELS = {
    "pi5": {"pi5"},
    "pi500": {"pi5", "pi500"},
    "cm5": {"pi5", "cm5"},
    "pi4": {"pi4"},
    "pi400": {"pi4", "pi400"},
    "cm4": {"pi4", "cm4"},
    "pi3": {"pi3"},
    "pi3+": {"pi3", "pi3+"},
}
# str.splitlines() would end a line at a form feed too, and make a setting of half a comment.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ABOUT_MODEL = re.compile(r"(pi\d\w*\+?|cm\d\w*|board-type=.*)")


@dataclass(frozen=True)
class Key:
    """A key the firmware knows: its unit, its default on a Pi 5, what it does, who says so."""

    unit: str
    default: str
    meaning: str
    source: str


@functools.cache
def known_keys() -> dict[str, Key]:
    """The keys the guide knows of, by name. Not all there are: those of displays are few here.

    >>> known_keys()["arm_freq"].unit, "arm_freq_max" in known_keys()
    ('MHz', False)
    """
    text = files("labkit.raspberrypi").joinpath("keys.toml").read_text(encoding="utf-8")
    keys: dict[str, Key] = {}
    for section in tomllib.loads(text).values():
        for name, (unit, default, meaning) in section["keys"].items():
            keys[name] = Key(unit, default, meaning, section["source"])
    return keys


@dataclass(frozen=True)
class Line:
    """One line, its end included. ``filters`` are those that stand over it.

    ``key`` is empty in a comment, a filter and an empty line.
    """

    text: str
    key: str
    value: str
    filters: tuple[str, ...]

    def applies(self, model: str) -> bool:
        """Whether a board of that model takes the line.

        Filters by monitor, serial number or pin cannot be told from the text: not taken.
        """
        seen = _MODELS.get(model, {model})
        return all(each in seen for each in self.filters)


@dataclass(frozen=True)
class ConfigTxt:
    """A ``config.txt``; ``str()`` of it is the text, byte for byte.

    >>> text = ConfigTxt.parse("# mine\\narm_freq=2000\\n[pi4]\\narm_freq=1800\\n")
    >>> text.settings("pi5")
    {'arm_freq': '2000'}
    >>> print(text.set("arm_freq", 2200), end="")
    # mine
    arm_freq=2200
    [pi4]
    arm_freq=1800
    """

    lines: tuple[Line, ...]

    @classmethod
    def parse(cls, text: str) -> ConfigTxt:
        """Read a text. Nothing is refused: the firmware refuses nothing either."""
        filters: dict[str, str] = {}
        lines = []
        for whole in _LINE.findall(text):
            read = whole.rstrip("\r\n")[:LINE_LIMIT]
            head = re.fullmatch(r"\[([^\]]*)\]\s*", read)
            if head:
                _enter(head[1], filters)
            key, equals, value = read.partition("=")
            is_setting = bool(equals) and not head and not read.startswith("#")
            lines.append(
                Line(
                    whole,
                    key if is_setting else "",
                    value.rstrip() if is_setting else "",
                    tuple(filters.values()),
                )
            )
        return cls(tuple(lines))

    def settings(self, model: str = "pi5") -> dict[str, str]:
        """What a board of that model takes from it; of a key given twice, the last."""
        return {each.key: each.value for each in self.lines if each.key and each.applies(model)}

    def unknown_keys(self, model: str = "pi5") -> list[str]:
        """The keys that count for the model and that the firmware, it seems, overlooks.

        It says nothing of them, and so a misspelt key goes unnoticed.
        """
        return [key for key in self.settings(model) if key not in known_keys()]

    def set(self, key: str, value: object, *, model: str = "pi5") -> ConfigTxt:
        """The text with one setting changed: on the line that counts, or on a new last one.

        On a new one too where lines of the key add up, as those of ``dtoverlay`` do.
        """
        new = f"{key}={value}"
        at = [i for i, each in enumerate(self.lines) if each.key == key and each.applies(model)]
        if key in _GIVEN_AGAIN and self.settings(model).get(key) != str(value):
            at = []
        texts = [each.text for each in self.lines]
        if at:
            old = texts[at[-1]]
            texts[at[-1]] = new + old[len(old.rstrip("\r\n")) :]
            return self.parse("".join(texts))
        end = "\r\n" if any(text.endswith("\r\n") for text in texts) else "\n"
        if texts and not texts[-1].endswith("\n"):
            texts[-1] += end
        if self.lines and self.lines[-1].filters:
            texts += [end, f"[all]{end}"]
        return self.parse("".join([*texts, new, end]))

    def __str__(self) -> str:
        return "".join(each.text for each in self.lines)


def _enter(name: str, filters: dict[str, str]) -> None:
    """Under a new filter: ``[all]`` lifts all, one of a kind replaces the one before."""
    if name == "all":
        filters.clear()
        return
    kind = "model" if _ABOUT_MODEL.fullmatch(name) or name == "none" else name.partition("=")[0]
    filters[kind] = name
