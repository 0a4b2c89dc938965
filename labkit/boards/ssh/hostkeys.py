"""Host keys: which keys the user trusts, and how a key is shown at first contact."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.paths import config_dir

if TYPE_CHECKING:
    import paramiko

__all__ = ["fingerprint", "known_hosts_files", "known_hosts_name", "lookup", "remove", "trust"]


def known_hosts_files() -> tuple[Path, Path]:
    """labkit's own file of trusted keys (written by :func:`trust`), and the user's (only read)."""
    return config_dir() / "known_hosts", Path("~/.ssh/known_hosts").expanduser()


def known_hosts_name(host: str, port: int) -> str:
    """An address as OpenSSH writes it in a known_hosts file.

    >>> known_hosts_name("pi.local", 2222)
    '[pi.local]:2222'
    """
    return host if port == 22 else f"[{host}]:{port}"


def fingerprint(key: paramiko.PKey) -> str:
    """A key's fingerprint as ``ssh-keygen -lf`` prints it, after its type."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def lookup(host: str, port: int) -> dict[str, paramiko.PKey]:
    """The trusted keys of an address by key type. labkit's file comes before the user's."""
    for file in known_hosts_files():
        keys = _load(file).lookup(known_hosts_name(host, port))
        if keys:
            return dict(keys)
    return {}


def trust(host: str, port: int, key: paramiko.PKey) -> Path:
    """Write the key of an address into labkit's file, over an earlier one; return the file."""
    own, _ = known_hosts_files()
    keys = _load(own)
    address = known_hosts_name(host, port)
    if address in keys:
        del keys[address]
    keys.add(address, key.get_name(), key)
    _save(keys, own)
    return own


def remove(host: str, port: int) -> None:
    """Remove the keys of an address from labkit's file. The user's file is not changed."""
    own, _ = known_hosts_files()
    keys = _load(own)
    address = known_hosts_name(host, port)
    if address in keys:
        del keys[address]
        _save(keys, own)


def _load(path: Path) -> paramiko.HostKeys:
    import paramiko
    from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

    keys = paramiko.HostKeys()
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    for line in lines:
        with suppress(InvalidHostKey, paramiko.SSHException, ValueError):  # ssh skips it too
            entry = HostKeyEntry.from_line(line)
            if entry and entry.key and entry.hostnames:
                for name in entry.hostnames:
                    keys.add(name, entry.key.get_name(), entry.key)
    return keys


def _save(keys: paramiko.HostKeys, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    keys.save(str(temporary))
    temporary.replace(path)
