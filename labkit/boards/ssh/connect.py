"""Logging in: from a target to an open connection, its host key checked."""

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

# Each failure becomes one of labkit's errors; paramiko's own thread need not log it as well.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

__all__ = ["connect", "fetch_host_key"]

CONNECT_TIMEOUT = 15.0
"""Seconds for each of three steps: the TCP connection, the server's banner, and the login."""

KEEPALIVE = 15
"""Seconds between keepalive messages, so that a router does not drop an idle connection."""

TCP_USER_TIMEOUT_MS = 30_000
"""Milliseconds that sent data may remain unacknowledged before the kernel closes the connection."""

_Socket: TypeAlias = paramiko.Channel | paramiko.ProxyCommand | socket.socket


def connect(target: SshTarget) -> paramiko.SSHClient:
    """Connect and log in.

    Raises :class:`BoardUnreachable`, :class:`HostKeyUnknown`, :class:`HostKeyChanged`,
    :class:`AuthenticationFailed`.
    """
    client = _Client()
    try:
        _log_in(client, target)
    except BaseException:
        client.close()
        raise
    return client


def fetch_host_key(target: SshTarget) -> paramiko.PKey:
    """The host key that a board sends, without trusting it. Raises :class:`BoardUnreachable`."""
    jump_client, sock = _open_socket(target)
    transport = paramiko.Transport(sock)
    try:
        transport.start_client(timeout=CONNECT_TIMEOUT)
        return transport.get_remote_server_key()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _unreachable(target, error) from error
    finally:
        transport.close()
        if jump_client:
            jump_client.close()


class _Client(paramiko.SSHClient):
    """A client that also closes the socket and the connection it runs over."""

    sock: _Socket | None = None
    jump_client: paramiko.SSHClient | None = None

    def close(self) -> None:
        super().close()
        for lower in (self.sock, self.jump_client):
            if lower:
                lower.close()


class _ProxyCommand(paramiko.ProxyCommand):
    """paramiko's, but it also waits for its process and closes its pipes."""

    def close(self) -> None:
        with self.process as process:
            process.kill()


def _log_in(client: _Client, target: SshTarget) -> None:
    _set_host_keys(client, target)
    client.jump_client, client.sock = _open_socket(target)
    try:
        client.connect(
            target.host,
            target.port,
            target.user,
            sock=client.sock,
            key_filename=[str(key) for key in target.keys],  # type: ignore[arg-type]
            allow_agent=not target.host_key,
            look_for_keys=not target.keys,
            timeout=CONNECT_TIMEOUT,
            banner_timeout=CONNECT_TIMEOUT,
            auth_timeout=CONNECT_TIMEOUT,
        )
    except paramiko.BadHostKeyException as mismatch:
        raise _key_changed(target, mismatch) from None
    except (OSError, EOFError, ValueError, paramiko.SSHException) as error:
        raise _login_error(client.get_transport(), target, error) from error
    transport = client.get_transport()
    assert transport is not None
    transport.set_keepalive(KEEPALIVE)


def _login_error(
    transport: paramiko.Transport | None, target: SshTarget, error: Exception
) -> BoardUnreachable | AuthenticationFailed:
    active = transport is not None and transport.is_active()
    if active and not transport.initial_kex_done:  # type: ignore[union-attr]
        return _unreachable(target, TimeoutError())
    if active or isinstance(error, paramiko.AuthenticationException):
        return AuthenticationFailed(
            f"{target} accepts none of the keys offered",
            expected="one of its authorized_keys",
            hint=f"ssh-copy-id -p {target.port} {target.user}@{target.host}",
        )
    return _unreachable(target, error)


def _set_host_keys(client: paramiko.SSHClient, target: SshTarget) -> None:
    if target.host_key:
        key_type, key_text = target.host_key.split()[:2]
        key = paramiko.PKey.from_type_string(key_type, base64.b64decode(key_text))
        trusted_keys = {key_type: key}
    else:
        trusted_keys = hostkeys.lookup(target.host, target.port)
    if trusted_keys:
        name = hostkeys.known_hosts_name(target.host, target.port)
        client.get_host_keys()[name] = trusted_keys
    client.set_missing_host_key_policy(_RejectUnknown(target))


class _RejectUnknown(paramiko.MissingHostKeyPolicy):
    """Refuse an unknown host key with an error that shows it and names the command to trust it."""

    def __init__(self, target: SshTarget) -> None:
        self.target = target

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        raise HostKeyUnknown(
            f"first contact with {self.target}, whose host key is {hostkeys.fingerprint(key)}",
            expected="a key you have seen on the board itself",
            hint=f"labkit board trust {self.target.name}",
        )


def _key_changed(target: SshTarget, mismatch: paramiko.BadHostKeyException) -> HostKeyChanged:
    return HostKeyChanged(
        f"the host key of {target} is {hostkeys.fingerprint(mismatch.key)}",
        expected=f"{hostkeys.fingerprint(mismatch.expected_key)}, as before; "
        "either the board was installed again or another machine answers at its address",
        hint=f"check on the board, then labkit board trust {target.name}",
    )


def _unreachable(target: SshTarget, error: BaseException) -> BoardUnreachable:
    if isinstance(error, TimeoutError):
        reason = f"no answer within {CONNECT_TIMEOUT:g} s"
    elif isinstance(error, socket.gaierror):
        reason = "no such host"
    elif isinstance(error, OSError):
        reason = (error.strerror or str(error)).lower()
    else:
        reason = str(error).rstrip(".") or "the connection was closed at once"
    return BoardUnreachable(
        f"{target} cannot be reached: {reason}",
        expected="an SSH server there",
        hint=f"ssh -p {target.port} {target.user}@{target.host}",
    )


def _open_socket(target: SshTarget) -> tuple[paramiko.SSHClient | None, _Socket]:
    """What the connection runs over: a channel of another connection, a command, or TCP.

    The first part is that other connection, if there is one.
    """
    try:
        if target.jump:
            return _open_jump_channel(connect(target.jump), target)
        if target.proxy_command and target.proxy_command != "none":
            return None, _ProxyCommand(target.proxy_command)
        return None, _open_tcp_socket(target.host, target.port)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _unreachable(target, error) from error


def _open_jump_channel(
    client: paramiko.SSHClient, target: SshTarget
) -> tuple[paramiko.SSHClient, paramiko.Channel]:
    transport = client.get_transport()
    assert transport is not None
    address = (target.host, target.port)
    try:
        channel = transport.open_channel(
            "direct-tcpip", address, ("127.0.0.1", 0), timeout=CONNECT_TIMEOUT
        )
    except BaseException:
        client.close()
        raise
    return client, channel


def _open_tcp_socket(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
    # Without this each small packet waits for the answer to the one before: 40 ms a command.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the system's own timeout
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
    return sock
