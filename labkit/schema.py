"""TOML files read into dataclasses; a mistake in one is a single line that names the wrong key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from labkit.errors import LabError

__all__ = ["convert", "parse_toml"]

T = TypeVar("T")

# msgspec's names of types, in the words of this project's errors.
_TYPE_NAMES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_VALUE_LIMIT = 80
"""Characters of a wrong value that an error quotes."""


def parse_toml(
    text: str | bytes, *, source: str, error: type[LabError], hint: str = ""
) -> dict[str, Any]:
    """Parse TOML. Raises ``error``, with the line of the mistake, where ``text`` is something else.

    ``source`` names the file in the error.

    >>> parse_toml("cpus = 2", source="board.toml", error=LabError)
    {'cpus': 2}
    """
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as invalid:
        raise error(f"{source} is not TOML: {invalid}", hint=hint) from invalid


def convert(
    data: object,
    kind: type[T],
    *,
    source: str,
    error: type[LabError],
    hint: str = "",
    given: Mapping[str, object] | None = None,
) -> T:
    """Make a dataclass ``kind`` of a table; each key and the type of each value is checked.

    ``given`` are fields that the caller knows already, so the table may not have them. Types are
    strict: 1 is not true, "22" is not 22. Raises ``error``, one line with the path of the wrong
    value in the table. ``source`` names the table in it, ``hint`` is the next command to type.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> convert({"x": 1}, Point, source="point.toml", error=LabError)
    Point(x=1, y=0)
    >>> convert({"x": "1"}, Point, source="point.toml", error=LabError)
    Traceback (most recent call last):
    ...
    labkit.errors.LabError: point.toml: x = '1'; expected a whole number
    """
    import msgspec  # Imported here: it would add a tenth to the time of `import labkit`.

    given = given or {}
    if unknown := next(_unknown_keys(data, kind, "", frozenset(given)), None):
        path, allowed = unknown
        raise error(
            f"{source} has the unknown key {path!r}", expected=f"one of {allowed}", hint=hint
        )
    try:
        return msgspec.convert({**data, **given} if isinstance(data, dict) else data, kind)
    except msgspec.ValidationError as invalid:
        message, expected = _explain(str(invalid), data, kind)
        raise error(f"{source}{message}", expected=expected, hint=hint) from invalid


def _unknown_keys(
    data: object, hint: Any, path: str, hidden: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """The path of each key that no dataclass has, and the keys that would be allowed there."""
    kind = next((option for option in (hint, *get_args(hint)) if is_dataclass(option)), None)
    if kind is None:
        return
    if isinstance(data, list):
        for index, item in enumerate(data):
            yield from _unknown_keys(item, kind, f"{path}[{index}]")
    elif isinstance(data, dict) and get_origin(hint) is dict:
        for key, item in data.items():
            yield from _unknown_keys(item, kind, _join(path, key))
    elif isinstance(data, dict):
        hints = get_type_hints(kind)
        allowed = [field.name for field in fields(kind) if field.name not in hidden]
        for key, value in data.items():
            if key not in allowed:
                yield _join(path, key), ", ".join(allowed)
            else:
                yield from _unknown_keys(value, hints[key], _join(path, key))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _explain(message: str, data: object, kind: type) -> tuple[str, str]:
    """An error of msgspec in our words: what was found, and what was expected."""
    detail, _, location = message.partition(" - at ")
    path = location.strip("`").removeprefix("$").removeprefix(".")
    keys = re.findall(r"(?<=\[)\.\.\.|[^.\[\]]+", path)
    if missing := re.fullmatch("Object missing required field `(.*)`", detail):
        return f" has no key {_join(path, missing[1])!r}", ""
    problem = f" is {_quoted(data)}" if not path else f": {path}{_value_at(data, keys)}"
    if detail.startswith("Invalid enum value"):
        return problem, " or ".join(map(str, get_args(_type_at(kind, keys))))
    expected = detail.removeprefix("Expected ").partition(", got ")[0].replace(" | null", "")
    expected = re.sub(r"\w+", lambda name: _TYPE_NAMES.get(name[0], name[0]), expected)
    return problem, expected.replace("`", "").replace(" | ", " or ")


def _value_at(data: Any, keys: list[str]) -> str:
    """`` = VALUE``; empty where the path goes through a dict, whose keys msgspec does not name."""
    for key in keys:
        if key == "...":
            return ""
        data = data[int(key)] if isinstance(data, list) else data[key]
    return f" = {_quoted(data)}"


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _VALUE_LIMIT else f"{text[:_VALUE_LIMIT]}..."


def _type_at(kind: Any, keys: list[str]) -> Any:
    """The type of the field that the path leads to; the indices of lists are no step."""
    for key in keys:
        if is_dataclass(kind):
            kind = get_type_hints(kind).get(key, kind)
        kind = next((option for option in get_args(kind) if is_dataclass(option)), kind)
    return kind
