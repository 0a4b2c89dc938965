"""The user's own boards: one small TOML file in the user's configuration directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import schema
from labkit.errors import BoardUnknown, InventoryError
from labkit.files import write_atomic
from labkit.paths import config_dir

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Item, Key, Table

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

    ``host`` is an address or a name from ~/.ssh/config, which also fills what is left empty here;
    ``local`` means the machine that labkit runs on. ``platform`` is the kind of board (see
    :func:`labkit.platforms.names`). ``key`` is the path of a private SSH key, ``jump`` a list of
    jump hosts as ``ssh -J`` takes it.
    """

    name: str
    host: str
    platform: str
    user: str = ""
    port: int = 0
    key: str = ""
    jump: str = ""


def inventory_file() -> Path:
    """The path of the file, which need not exist."""
    return config_dir() / "boards.toml"


def entries() -> dict[str, BoardEntry]:
    """All boards of the inventory by name.

    Raises :class:`~labkit.errors.InventoryError` with the key that is wrong.
    """
    return _parse(_text())


def find(name: str) -> BoardEntry | None:
    """One board of the inventory, or None."""
    return entries().get(name)


def add(entry: BoardEntry) -> Path:
    """Write a board into the inventory, in place of an earlier one of that name.

    Returns the path of the file. The rest of the file stays as it is, comments included. Raises
    :class:`~labkit.errors.InventoryError` for a name or a value that cannot be stored.
    """
    import tomlkit  # Imported here: only `board add` and `board remove` need it.

    if not _NAME.fullmatch(entry.name):
        raise InventoryError(
            f"{entry.name!r} cannot name a board", expected="letters, digits, dots and dashes"
        )
    text = _text()
    boards = _parse(text)
    values = {key: value for key, value in asdict(entry).items() if key != "name" and value}
    document = tomlkit.parse(text)
    if entry.name in boards and (table := _table(document, entry.name)) is not None:
        _set_values(table, values)
        text = document.as_string()
    else:
        if entry.name in boards:
            text = _without(document, entry.name)
        text += "" if not text or text.endswith("\n") else "\n"
        text += "" if not text or text.endswith("\n\n") else "\n"
        text += tomlkit.dumps({entry.name: values})
    return _save(text, {**boards, entry.name: entry})


def remove(name: str) -> None:
    """Remove a board from the inventory. The rest of the file stays as it is.

    Raises :class:`~labkit.errors.BoardUnknown`.
    """
    import tomlkit

    text = _text()
    boards = _parse(text)
    if boards.pop(name, None) is None:
        raise BoardUnknown(f"no board of yours is called {name!r}", hint="labkit board list")
    _save(_without(tomlkit.parse(text), name), boards)


def ssh_target(entry: BoardEntry) -> SshTarget:
    """The SSH address of a board, the gaps filled from ~/.ssh/config."""
    # Imported here: paramiko takes a tenth of a second.
    from labkit.boards.ssh.target import resolve

    return resolve(
        entry.name,
        entry.host,
        port=entry.port or None,
        user=entry.user or None,
        key=Path(entry.key).expanduser() if entry.key else None,
        jump=entry.jump or None,
    )


def _text() -> str:
    """The text of the file; empty where there is no file."""
    try:
        return inventory_file().read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise _malformed(f"is not TOML: {error}") from error
    except OSError as error:
        raise _malformed(f"cannot be read: {error.strerror}") from error


def _parse(text: str) -> dict[str, BoardEntry]:
    file = inventory_file()
    hint = f"edit {file}"
    tables = schema.parse_toml(text, source=str(file), error=InventoryError, hint=hint)
    return {
        name: schema.convert(
            table,
            BoardEntry,
            source=f"{file} [{name}]",
            error=InventoryError,
            hint=hint,
            given={"name": name},
        )
        for name, table in tables.items()
    }


def _malformed(problem: str) -> InventoryError:
    file = inventory_file()
    return InventoryError(f"{file} {problem}", hint=f"edit {file}")


# -- the text of the file, edited so that comments stay ------------------------------------------


def _table(document: TOMLDocument, name: str) -> Table | None:
    """The table under the header ``[name]``; None where the board is written in another way."""
    from tomlkit.items import Table

    table = document[name]
    return table if isinstance(table, Table) and not table.is_super_table() else None


def _set_values(table: Table, values: Mapping[str, object]) -> None:
    """Change a board's table to ``values``; lines that do not change stay as they are."""
    for key in [key for key in table if key not in values]:
        del table[key]
    for key, value in values.items():
        if key not in table:
            comments = _last_comments(table)
            del table.value.body[len(table.value.body) - len(comments) :]
            table.add(key, value)
            table.value.body.extend(comments)
        elif table[key] != value:
            table[key] = value


def _without(document: TOMLDocument, name: str) -> str:
    """The document's text without one board."""
    from tomlkit.items import Whitespace

    table = _table(document, name)
    comments = _last_comments(table) if table is not None else []
    text = "".join(item.as_string() for _, item in comments).lstrip("\n")
    index = next(i for i, (key, _) in enumerate(document.body) if key and key.key == name)
    document.remove(name)
    document.body[index] = (None, Whitespace(text))
    return document.as_string()


def _last_comments(table: Table) -> list[tuple[Key | None, Item]]:
    """The comments and blank lines after the last key: they may be about what follows."""
    items = list(takewhile(lambda item: item[0] is None, reversed(table.value.body)))
    return items[::-1]


def _save(text: str, boards: Mapping[str, BoardEntry]) -> Path:
    """Write the inventory, once it is certain that the text reads as ``boards``."""
    file = inventory_file()
    try:
        text.encode()
        good = _parse(text) == boards
    except (UnicodeEncodeError, InventoryError):
        good = False
    if not good:
        raise InventoryError(
            f"{file} cannot hold these values", expected="UTF-8 text", hint=f"edit {file}"
        )
    if file.exists() and b"\r\n" in file.read_bytes():
        text = text.replace("\n", "\r\n")  # the user's editor writes line ends of Windows
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file.resolve(), text)
    return file
