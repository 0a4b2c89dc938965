"""Host keys: which the user trusts, and what a board shows at first contact."""

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

__all__ = ["fingerprint", "forget", "known_hosts_files", "known_hosts_name", "trust", "trusted"]


def known_hosts_files() -> tuple[Path, Path]:
    """labkit's own file of trusted keys (written by :func:`trust`), and the user's (only read)."""
    return config_dir() / "known_hosts", Path("~/.ssh/known_hosts").expanduser()


def known_hosts_name(host: str, port: int) -> str:
    """How OpenSSH writes an address in a known_hosts file.

    >>> known_hosts_name("pi.local", 2222)
    '[pi.local]:2222'
    """
    return host if port == 22 else f"[{host}]:{port}"


def fingerprint(key: paramiko.PKey) -> str:
    """A key's fingerprint as ``ssh-keygen -lf`` prints it, its type before it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def trusted(host: str, port: int) -> dict[str, paramiko.PKey]:
    """The keys trusted for an address, by kind; labkit's own word outweighs the user's file."""
    for file in known_hosts_files():
        found = _load(file).lookup(known_hosts_name(host, port))
        if found:
            return dict(found)
    return {}


def trust(host: str, port: int, key: paramiko.PKey) -> Path:
    """Note a key as this address's own, in place of an earlier one; give the file it is in."""
    own, _ = known_hosts_files()
    keys = _load(own)
    address = known_hosts_name(host, port)
    if address in keys:
        del keys[address]
    keys.add(address, key.get_name(), key)
    _save(keys, own)
    return own


def forget(host: str, port: int) -> None:
    """Forget labkit's own trust in an address; the user's file is not touched."""
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
        with suppress(InvalidHostKey, paramiko.SSHException, ValueError):  # ssh passes over it too
            entry = HostKeyEntry.from_line(line)
            if entry and entry.key and entry.hostnames:
                for name in entry.hostnames:
                    keys.add(name, entry.key.get_name(), entry.key)
    return keys


def _save(keys: paramiko.HostKeys, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}")
    keys.save(str(half))
    half.replace(path)
