"""The target of an SSH connection: the user's own settings, and those of ~/.ssh/config."""

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

    ``name`` is the user's name for the board. ``keys`` are private key files; if there are
    none, the agent and the usual files in ~/.ssh are tried. ``jump`` is the host to connect
    through. ``host_key`` is the only public key to accept (``ssh-ed25519 AAAA...``); labkit
    sets it for the machines it makes.
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
    """A target from the arguments; what is ``None`` comes from ~/.ssh/config, as for ssh.

    ``jump`` is one or more hosts as in ``ssh -J``: ``user@host:port,...``; an empty string
    means none. Raises :class:`InventoryError` where a file is missing or unreadable.
    """
    if key and not key.is_file():
        raise InventoryError(
            f"{name}: there is no file {key}",
            expected="a private key",
            hint=f"labkit board add {name}, with the right key",
        )
    config = _ssh_config(host)
    files = [str(key)] if key else config.get("identityfile", [])
    hosts = jump if jump is not None else config.get("proxyjump", "none")
    return SshTarget(
        name=name,
        host=config.get("hostname", host),
        port=port or int(config.get("port", 22)),
        user=user or config.get("user") or getpass.getuser(),
        keys=tuple(path for file in files if (path := Path(file).expanduser()).is_file()),
        jump=None if hosts in ("none", "") else _resolve_jump(hosts),
        proxy_command=config.get("proxycommand", ""),
    )


def _ssh_config(host: str) -> paramiko.SSHConfigDict:
    """The settings of a host in ~/.ssh/config. Raises :class:`InventoryError` if unreadable."""
    path = Path(os.environ.get("LABKIT_SSH_CONFIG", "~/.ssh/config")).expanduser()
    try:
        config = paramiko.SSHConfig.from_path(str(path)) if path.is_file() else paramiko.SSHConfig()
        return config.lookup(host)
    except (OSError, ValueError, ImportError, paramiko.SSHException) as error:
        raise InventoryError(
            f"{path} cannot be read: {error}", expected="a file ssh can read", hint=f"ssh -G {host}"
        ) from error


def _resolve_jump(hosts: str) -> SshTarget:
    """The last of the hosts to connect through; each is reached through the one before it."""
    before, _, last = hosts.rpartition(",")
    user, _, address = last.strip().rpartition("@")
    host, _, port = address.partition(":")
    return resolve(
        host, host, user=user or None, port=int(port) if port else None, jump=before or None
    )
