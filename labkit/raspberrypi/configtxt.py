"""The language of the Raspberry Pi's ``config.txt``: how the firmware reads it, and small edits.

The keys that the firmware knows are in keys.toml, the models in models.toml.
Source: the Raspberry Pi documentation, config.txt ("File format", "Conditional filters").
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from labkit.raspberrypi import models

__all__ = ["ConfigTxt", "Key", "Line", "known_keys"]

LINE_LIMIT = 98
"""Characters of a line that the firmware reads; it drops the rest."""

# Every line with one of these keys counts; a later line does not replace an earlier one.
_REPEATABLE = {"dtparam", "dtoverlay", "gpio", "include"}

# str.splitlines() ends a line at a form feed too: a part of a comment would become a setting.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MODEL_FILTER = re.compile(r"(pi\d\w*\+?|cm\d\w*|board-type=.*)")


@dataclass(frozen=True)
class Key:
    """A key that the firmware knows. ``default`` is that of a Pi 5, ``source`` a document."""

    unit: str
    default: str
    meaning: str
    source: str


@functools.cache
def known_keys() -> dict[str, Key]:
    """The keys in keys.toml, by name. The list is not complete: most keys for displays are missing.

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
    """One line with its line end. ``filters`` are the filters in force where it stands.

    ``key`` is "" for a comment, a filter and an empty line.
    """

    text: str
    key: str
    value: str
    filters: tuple[str, ...]

    def applies(self, model: str) -> bool:
        """Whether the line counts on a board of that model.

        A filter by monitor, serial number or pin depends on the board, not on the text. Lines
        under one do not count here.
        """
        return models.filters(model).issuperset(self.filters)


@dataclass(frozen=True)
class ConfigTxt:
    """A ``config.txt``. ``str()`` gives the text, byte for byte.

    >>> text = ConfigTxt.parse("# clocks\\narm_freq=2000\\n[pi4]\\narm_freq=1800\\n")
    >>> text.settings("pi5")
    {'arm_freq': '2000'}
    >>> print(text.set("arm_freq", 2200), end="")
    # clocks
    arm_freq=2200
    [pi4]
    arm_freq=1800
    """

    lines: tuple[Line, ...]

    @classmethod
    def parse(cls, text: str) -> ConfigTxt:
        """Parse a text. Every text is accepted, as the firmware accepts every text."""
        filters: dict[str, str] = {}
        lines = []
        for line in _LINE.findall(text):
            content = line.rstrip("\r\n")[:LINE_LIMIT]
            header = re.fullmatch(r"\[([^\]]*)\]\s*", content)
            if header:
                _apply_filter(header[1], filters)
            key, equals, value = content.partition("=")
            is_setting = bool(equals) and not header and not content.startswith("#")
            lines.append(
                Line(
                    line,
                    key if is_setting else "",
                    value.rstrip() if is_setting else "",
                    tuple(filters.values()),
                )
            )
        return cls(tuple(lines))

    def settings(self, model: str = "pi5") -> dict[str, str]:
        """The settings that count on a board of that model; the last line of a key counts."""
        return {line.key: line.value for line in self.lines if line.key and line.applies(model)}

    def unknown_keys(self, model: str = "pi5") -> list[str]:
        """The keys that count for the model and are not in :func:`known_keys`.

        The firmware ignores a key that it does not know, without a message, so a misspelt key
        goes unnoticed.
        """
        return [key for key in self.settings(model) if key not in known_keys()]

    def set(self, key: str, value: object, *, model: str = "pi5") -> ConfigTxt:
        """The text with one setting changed: on the line that counts, or on a new last line.

        A key of which every line counts, such as ``dtoverlay``, gets a new line, except where its
        last line has that value already.
        """
        new = f"{key}={value}"
        positions = [
            i for i, line in enumerate(self.lines) if line.key == key and line.applies(model)
        ]
        if key in _REPEATABLE and self.settings(model).get(key) != str(value):
            positions = []
        texts = [line.text for line in self.lines]
        if positions:
            last = positions[-1]
            texts[last] = new + texts[last][len(texts[last].rstrip("\r\n")) :]
            return self.parse("".join(texts))
        end = "\r\n" if any(text.endswith("\r\n") for text in texts) else "\n"
        if texts and not texts[-1].endswith("\n"):
            texts[-1] += end
        if self.lines and self.lines[-1].filters:
            texts += [end, f"[all]{end}"]
        return self.parse("".join([*texts, new, end]))

    def __str__(self) -> str:
        return "".join(line.text for line in self.lines)


def _apply_filter(name: str, filters: dict[str, str]) -> None:
    """Change the filters in force: ``[all]`` ends them, others replace the one of their kind."""
    if name == "all":
        filters.clear()
        return
    kind = "model" if _MODEL_FILTER.fullmatch(name) or name == "none" else name.partition("=")[0]
    filters[kind] = name
