"""The user's own boards: one small TOML file in the user's configuration folder."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import BoardUnknown, InventoryError
from labkit.paths import config_dir

if TYPE_CHECKING:
    from labkit.boards.ssh.target import SshTarget

__all__ = [
    "LOCAL",
    "BoardEntry",
    "add",
    "entries",
    "find",
    "inventory_file",
    "remove",
    "ssh_target",
]

LOCAL = "local"
"""The name, and the host in the inventory, of the machine that labkit itself runs on."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class BoardEntry:
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
    return config_dir() / "boards.toml"


def entries() -> dict[str, BoardEntry]:
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


def find(name: str) -> BoardEntry | None:
    """One noted board, or None."""
    return entries().get(name)


def add(entry: BoardEntry) -> Path:
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
        raise BoardUnknown(f"no board of yours is called {name!r}", hint="labkit board list")
    _save(kept)


def ssh_target(entry: BoardEntry) -> SshTarget:
    """Where an entry of the inventory leads, the gaps filled from ~/.ssh/config."""
    # Only here: paramiko takes a tenth of a second to import.
    from labkit.boards.ssh.target import resolve

    return resolve(
        entry.name,
        entry.host,
        port=entry.port or None,
        user=entry.user or None,
        key=Path(entry.key).expanduser() if entry.key else None,
        jump=entry.jump or None,
    )


def _entry(name: str, table: object) -> BoardEntry:
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
    return BoardEntry(name, **table)


def _malformed(found: str, expected: str = "") -> InventoryError:
    file = inventory_file()
    return InventoryError(f"{file} {found}", expected=expected, hint=f"edit {file}")


def _save(boards: dict[str, BoardEntry]) -> Path:
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
