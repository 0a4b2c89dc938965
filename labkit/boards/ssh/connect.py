"""Logging in: from a target to a connection that is open, its host key checked."""

from __future__ import annotations

import base64
import logging
import socket
from contextlib import suppress
from typing import TypeAlias

import paramiko

from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.target import SshTarget
from labkit.errors import (
    AuthenticationFailed,
    BoardUnreachable,
    HostKeyChanged,
    HostKeyUnknown,
)

# What goes wrong on the way becomes one of our errors; paramiko's own thread need not print it.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

__all__ = ["connect", "fetch_host_key"]

CONNECT_TIMEOUT = 15.0
"""Seconds for the TCP connection, for the banner, and for the login, each."""

KEEPALIVE = 15
"""Seconds between signs of life, so that a router does not forget a quiet link."""

TCP_USER_TIMEOUT_MS = 30_000
"""Milliseconds that sent data may stay unanswered before the kernel gives the link up."""


def connect(target: SshTarget) -> paramiko.SSHClient:
    """Connect and log in.

    Raises :class:`BoardUnreachable`, :class:`HostKeyUnknown`, :class:`HostKeyChanged`,
    :class:`AuthenticationFailed`.
    """
    client = _Client()
    try:
        _connect(client, target)
    except BaseException:
        client.close()
        raise
    return client


def fetch_host_key(target: SshTarget) -> paramiko.PKey:
    """The host key a board shows, asked without trusting it. Raises :class:`BoardUnreachable`."""
    through, road = _open_socket(target)
    link = paramiko.Transport(road)
    try:
        link.start_client(timeout=CONNECT_TIMEOUT)
        return link.get_remote_server_key()
    except (OSError, EOFError, paramiko.SSHException) as trouble:
        raise _unreachable(target, trouble) from trouble
    finally:
        link.close()
        if through:
            through.close()


class _Client(paramiko.SSHClient):
    """A connection that closes with it what it runs over."""

    road: _Road | None = None
    through: paramiko.SSHClient | None = None

    def close(self) -> None:
        super().close()
        for below in (self.road, self.through):
            if below:
                below.close()


class _ProxyCommand(paramiko.ProxyCommand):
    """paramiko's, with its process waited for and its pipes closed."""

    def close(self) -> None:
        with self.process as process:
            process.kill()


def _connect(client: _Client, target: SshTarget) -> None:
    _set_host_keys(client, target)
    client.through, client.road = _open_socket(target)
    try:
        client.connect(
            target.host,
            target.port,
            target.user,
            sock=client.road,
            key_filename=[str(key) for key in target.keys],  # type: ignore[arg-type]
            allow_agent=not target.host_key,
            look_for_keys=not target.keys,
            timeout=CONNECT_TIMEOUT,
            banner_timeout=CONNECT_TIMEOUT,
            auth_timeout=CONNECT_TIMEOUT,
        )
    except paramiko.BadHostKeyException as changed:
        raise _key_changed(target, changed) from None
    except (OSError, EOFError, ValueError, paramiko.SSHException) as trouble:
        link = client.get_transport()
        there = link is not None and link.is_active()
        if there and not link.initial_kex_done:  # type: ignore[union-attr]
            raise _unreachable(target, TimeoutError()) from trouble
        if there or isinstance(trouble, paramiko.AuthenticationException):
            raise AuthenticationFailed(
                f"{target} takes none of the keys offered",
                expected="one of its authorized_keys",
                hint=f"ssh-copy-id -p {target.port} {target.user}@{target.host}",
            ) from trouble
        raise _unreachable(target, trouble) from trouble
    link = client.get_transport()
    assert link is not None
    link.set_keepalive(KEEPALIVE)


def _set_host_keys(client: paramiko.SSHClient, target: SshTarget) -> None:
    if target.host_key:
        kind, text = target.host_key.split()[:2]
        right = {kind: paramiko.PKey.from_type_string(kind, base64.b64decode(text))}
    else:
        right = hostkeys.trusted(target.host, target.port)
    if right:
        client.get_host_keys()[hostkeys.known_hosts_name(target.host, target.port)] = right
    client.set_missing_host_key_policy(_RejectUnknown(target))


class _RejectUnknown(paramiko.MissingHostKeyPolicy):
    """An unknown key is the user's to judge: show it, say how to trust it, go no further."""

    def __init__(self, target: SshTarget) -> None:
        self.target = target

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        raise HostKeyUnknown(
            f"first contact with {self.target}, which shows {hostkeys.fingerprint(key)}",
            expected="a key you have seen on the board itself",
            hint=f"labkit board trust {self.target.name}",
        )


def _key_changed(target: SshTarget, changed: paramiko.BadHostKeyException) -> HostKeyChanged:
    return HostKeyChanged(
        f"{target} shows {hostkeys.fingerprint(changed.key)}",
        expected=f"{hostkeys.fingerprint(changed.expected_key)}, as before; "
        "either the board was installed anew or somebody stands between",
        hint=f"check on the board, then labkit board trust {target.name}",
    )


def _unreachable(target: SshTarget, trouble: BaseException) -> BoardUnreachable:
    if isinstance(trouble, TimeoutError):
        why = f"no answer within {CONNECT_TIMEOUT:g} s"
    elif isinstance(trouble, socket.gaierror):
        why = "no such host"
    elif isinstance(trouble, OSError):
        why = (trouble.strerror or str(trouble)).lower()
    else:
        why = str(trouble).rstrip(".") or "the link closed at once"
    return BoardUnreachable(
        f"{target} cannot be reached: {why}",
        expected="an SSH server there",
        hint=f"ssh -p {target.port} {target.user}@{target.host}",
    )


_Road: TypeAlias = paramiko.Channel | paramiko.ProxyCommand | socket.socket


def _open_socket(target: SshTarget) -> tuple[paramiko.SSHClient | None, _Road]:
    """What the connection runs over: another connection and its channel, a command, a socket."""
    try:
        if target.jump:
            return _through(connect(target.jump), target)
        if target.proxy_command and target.proxy_command != "none":
            return None, _ProxyCommand(target.proxy_command)
        return None, _socket(target.host, target.port)
    except (OSError, EOFError, paramiko.SSHException) as trouble:
        raise _unreachable(target, trouble) from trouble


def _through(
    client: paramiko.SSHClient, target: SshTarget
) -> tuple[paramiko.SSHClient, paramiko.Channel]:
    link = client.get_transport()
    assert link is not None
    place = (target.host, target.port)
    try:
        channel = link.open_channel(
            "direct-tcpip", place, ("127.0.0.1", 0), timeout=CONNECT_TIMEOUT
        )
    except BaseException:
        client.close()
        raise
    return client, channel


def _socket(host: str, port: int) -> socket.socket:
    road = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
    # Without this each small packet waits for the answer to the one before: 40 ms a command.
    road.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the system's own patience
        road.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
    return road
