"""Where an SSH connection leads: what the user said, and what ~/.ssh/config adds."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

from labkit.errors import InventoryError

__all__ = ["SshTarget", "resolve"]


@dataclass(frozen=True)
class SshTarget:
    """Everything one login needs.

    ``name`` is what the user calls the board. ``keys`` are private key files (none: the
    agent and the usual files in ~/.ssh). ``jump`` is the machine to go through first.
    ``host_key`` pins the one public key that is right (``ssh-ed25519 AAAA...``), as labkit
    does for the machines it makes.
    """

    name: str
    host: str
    port: int = 22
    user: str = field(default_factory=getpass.getuser)
    keys: tuple[Path, ...] = ()
    jump: SshTarget | None = None
    proxy_command: str = ""
    host_key: str = ""

    def __str__(self) -> str:
        through = f" through {self.jump}" if self.jump else ""
        return f"{self.user}@{self.host}:{self.port}{through}"


def resolve(
    name: str,
    host: str,
    *,
    port: int | None = None,
    user: str | None = None,
    key: Path | None = None,
    jump: str | None = None,
) -> SshTarget:
    """A target from what the user said, the gaps filled from ~/.ssh/config as ssh does.

    ``jump`` is one or more hosts as in ``ssh -J``: ``user@host:port,...``.
    """
    if key and not key.is_file():
        raise InventoryError(
            f"{name}: there is no file {key}",
            expected="a private key",
            hint=f"labkit board add {name}, with the right key",
        )
    said = _ssh_config(host)
    files = [str(key)] if key else said.get("identityfile", [])
    through = jump if jump is not None else said.get("proxyjump", "none")
    return SshTarget(
        name=name,
        host=said.get("hostname", host),
        port=port or int(said.get("port", 22)),
        user=user or said.get("user") or getpass.getuser(),
        keys=tuple(path for file in files if (path := Path(file).expanduser()).is_file()),
        jump=None if through in ("none", "") else _resolve_jump(through),
        proxy_command=said.get("proxycommand", ""),
    )


def _ssh_config(host: str) -> paramiko.SSHConfigDict:
    """What ~/.ssh/config says of a host. Raises :class:`InventoryError` where it is unreadable."""
    path = Path(os.environ.get("LABKIT_SSH_CONFIG", "~/.ssh/config")).expanduser()
    try:
        known = paramiko.SSHConfig.from_path(str(path)) if path.is_file() else paramiko.SSHConfig()
        return known.lookup(host)
    except (OSError, ValueError, ImportError, paramiko.SSHException) as wrong:
        raise InventoryError(
            f"{path} cannot be read: {wrong}", expected="a file ssh takes", hint=f"ssh -G {host}"
        ) from wrong


def _resolve_jump(through: str) -> SshTarget:
    """The last of the machines to go through; each goes through the one before it."""
    before, _, last = through.rpartition(",")
    user, _, place = last.strip().rpartition("@")
    host, _, port = place.partition(":")
    return resolve(
        host, host, user=user or None, port=int(port) if port else None, jump=before or None
    )
