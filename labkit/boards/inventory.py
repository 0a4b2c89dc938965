"""The user's own boards: one small TOML file in the user's configuration folder."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.boards.places import config_folder
from labkit.errors import BoardUnknown, InventoryError

__all__ = ["Entry", "add", "entries", "find", "inventory_file", "remove"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Entry:
    """One board of the user's.

    ``host`` is an address or a name from ~/.ssh/config, which also fills what is left
    empty here; ``local`` as the host means the machine labkit runs on. ``platform`` is the
    kind of board (see :func:`labkit.platforms.names`).
    """

    name: str
    host: str
    platform: str
    user: str = ""
    port: int = 0
    key: str = ""
    jump: str = ""


def inventory_file() -> Path:
    """Where the boards are noted."""
    return config_folder() / "boards.toml"


def entries() -> dict[str, Entry]:
    """All noted boards by name. Raises :class:`InventoryError` with the line that is wrong."""
    file = inventory_file()
    if not file.exists():
        return {}
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise _malformed(f"is not TOML: {wrong}") from wrong
    except OSError as wrong:
        raise _malformed(f"cannot be read: {wrong.strerror}") from wrong
    return {name: _entry(name, table) for name, table in tables.items()}


def find(name: str) -> Entry | None:
    """One noted board, or None."""
    return entries().get(name)


def add(entry: Entry) -> Path:
    """Note a board, in place of an earlier one of that name; give the file."""
    if not _NAME.fullmatch(entry.name):
        raise InventoryError(
            f"{entry.name!r} cannot name a board", expected="letters, digits, dots and dashes"
        )
    return _save({**entries(), entry.name: entry})


def remove(name: str) -> None:
    """Forget a board. Raises :class:`BoardUnknown`."""
    kept = entries()
    if kept.pop(name, None) is None:
        raise BoardUnknown(f"no board of yours is called {name!r}", todo="labkit board list")
    _save(kept)


def _entry(name: str, table: object) -> Entry:
    if not isinstance(table, dict):
        raise _malformed(f"{name!r} is not a table", f"[{name}] with host and platform")
    kinds = {"host": str, "platform": str, "user": str, "port": int, "key": str, "jump": str}
    for key, value in table.items():
        if key not in kinds:
            raise _malformed(f"[{name}] has the unknown key {key!r}", f"one of {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            raise _malformed(f"[{name}] {key} = {value!r}", f"a {kinds[key].__name__}")
    for key in ("host", "platform"):
        if key not in table:
            raise _malformed(f"[{name}] lacks {key!r}")
    return Entry(name, **table)


def _malformed(found: str, expected: str = "") -> InventoryError:
    file = inventory_file()
    return InventoryError(f"{file} {found}", expected=expected, todo=f"edit {file}")


def _save(boards: dict[str, Entry]) -> Path:
    file = inventory_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, entry in boards.items():
        lines.append(f'["{name}"]')
        values = {key: value for key, value in asdict(entry).items() if key != "name" and value}
        lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
        lines.append("")
    half = file.with_suffix(f".{os.getpid()}")
    half.write_text("\n".join(lines), encoding="utf-8")
    half.replace(file)
    return file


def _toml(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
