"""What a kind of board is: one TOML file each, read and checked on first use."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from labkit.errors import PlatformError

__all__ = ["Packages", "Platform", "VirtualSpec", "get", "load", "names"]


@dataclass(frozen=True)
class Packages:
    """What the distribution calls the packages the labs speak of; empty: it has none.

    ``{release}`` in a name stands for what ``uname -r`` prints.
    """

    headers: str
    compiler: str
    libc: str
    tls: str
    extra_modules: str


@dataclass(frozen=True)
class VirtualSpec:
    """How labkit makes a virtual board of this kind.

    ``suite`` is the distribution's release name, ``kernel`` its kernel package, ``include``
    what the labs need baked in. ``memory`` and ``disk`` are in MiB. ``machine`` and ``cpu``
    are QEMU's words, ``command_line`` the kernel's. ``backports`` is a second suite that the
    kernel comes from, ``firmware`` says whether we play the Raspberry Pi's, which then has the
    word on the command line.
    """

    suite: str
    kernel: str
    machine: str
    cpu: str
    cpus: int
    memory: int
    disk: int
    include: list[str]
    command_line: str = ""
    backports: str = ""
    firmware: bool = False


@dataclass(frozen=True)
class Platform:
    """One kind of board. ``virtual`` is None where labkit cannot make one itself.

    ``os_id`` and ``os_version`` are ID and VERSION_ID of its /etc/os-release, ``section``
    is where the source document treats it.
    """

    name: str
    title: str
    os_id: str
    os_version: str
    section: str
    packages: Packages
    virtual: VirtualSpec | None = None


def names() -> list[str]:
    """The platforms there are.

    >>> names()
    ['debian-12', 'raspberry-pi-5', 'ubuntu-22.04']
    """
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".toml")
    )


@functools.cache
def get(name: str) -> Platform:
    """One platform by name. Raises :class:`PlatformError`, naming those there are."""
    if name not in names():
        raise PlatformError(
            f"there is no platform {name!r}", expected=f"one of {', '.join(names())}"
        )
    return load(Path(str(files(__name__).joinpath(f"{name}.toml"))))


def load(path: Path) -> Platform:
    """Read one platform file. Raises :class:`PlatformError`, naming the key that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as wrong:
        raise PlatformError(f"{path} cannot be read: {wrong}", expected="a TOML file") from wrong
    table["packages"] = _build(Packages, table.get("packages"), f"{path}: [packages]")
    if "virtual" in table:
        table["virtual"] = _build(VirtualSpec, table["virtual"], f"{path}: [virtual]")
    platform: Platform = _build(Platform, {"name": path.stem, **table}, str(path))
    return platform


# How the types of a dataclass are written, and what a value of each is in TOML.
_TYPES: dict[str, type] = {
    "str": str,
    "int": int,
    "bool": bool,
    "list[str]": list,
    "Packages": Packages,
    "VirtualSpec | None": VirtualSpec,
}


def _build(kind: Any, table: object, where: str) -> Any:
    """A dataclass from a table, each key and type checked."""
    if not isinstance(table, dict):
        raise PlatformError(f"{where} is missing or not a table")
    known = {field.name: field for field in fields(kind)}
    for key in table:
        if key not in known:
            raise PlatformError(f"{where} has the unknown key {key!r}", expected=", ".join(known))
    for key, field in known.items():
        if key not in table:
            if field.default is not MISSING:
                continue
            raise PlatformError(f"{where} lacks the key {key!r}")
        wanted = _TYPES[str(field.type)]
        value = table[key]
        good = type(value) is wanted
        if isinstance(value, list):
            good = good and all(isinstance(item, str) for item in value)
        if not good:
            raise PlatformError(f"{where}: {key} = {value!r}", expected=f"a {field.type}")
    return kind(**table)
