"""A board over SSH: one connection, kept, and renewed once when it drops."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import paramiko

from labkit.boards.ssh.argv import openssh_argv
from labkit.boards.ssh.connect import connect
from labkit.boards.ssh.process import CallbackError, ChannelProcess
from labkit.boards.ssh.target import SshTarget
from labkit.boards.transport import OutputCallback, RawResult, kill_group_script
from labkit.errors import ConnectionLost, RemoteFileError

__all__ = ["SshTransport"]

SFTP_TIMEOUT = 60.0
"""Seconds a file transfer may stand still before the link counts as lost."""

CHANNEL_TIMEOUT = 15.0
"""Seconds a board may take to open one more channel."""

# What paramiko raises when a link is gone, in whichever call notices.
_DROPPED = (EOFError, TimeoutError, ConnectionError, paramiko.SSHException)

_T = TypeVar("_T")


class SshTransport:
    """Commands and files over SSH. Connects at the first call, not before."""

    def __init__(self, target: SshTarget) -> None:
        self.target = target
        self._client: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None

    @property
    def address(self) -> str:
        """See :class:`~labkit.boards.transport.Transport`."""
        return str(self.target)

    def run(
        self,
        command: str,
        *,
        timeout: float,
        stdin: bytes = b"",
        on_output: OutputCallback | None = None,
    ) -> RawResult:
        """See :class:`~labkit.boards.transport.Transport`."""
        began = time.monotonic()
        channel = self._with_client(_open_session)
        try:
            talk = ChannelProcess(channel, command, stdin, on_output)
            in_time = self._listen(talk, began + timeout)
        except CallbackError as raised:
            raise raised.trouble from raised.trouble.__cause__
        except (OSError, *_DROPPED) as dropped:
            raise self._lost() from dropped
        finally:
            channel.close()
        if in_time and talk.status is None:
            raise self._lost()
        status = talk.status if in_time else None
        return RawResult(status, talk.stdout, talk.stderr, time.monotonic() - began)

    def put(self, local: Path, remote: str, *, mode: int) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        half = f"{remote}.part"

        def send(sftp: paramiko.SFTPClient) -> None:
            try:
                sftp.put(str(local), half)
                sftp.chmod(half, mode)
                sftp.posix_rename(half, remote)
            except BaseException:
                with suppress(OSError, *_DROPPED):
                    sftp.remove(half)
                raise

        self._transfer(send, f"{local} cannot be copied to {remote} on {self.address}")

    def get(self, remote: str, local: Path) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        half = local.with_name(local.name + ".part")

        def fetch(sftp: paramiko.SFTPClient) -> None:
            try:
                sftp.get(remote, str(half))
                half.chmod(stat.S_IMODE(sftp.stat(remote).st_mode or 0o644))
                half.replace(local)
            finally:
                half.unlink(missing_ok=True)

        self._transfer(fetch, f"{remote} on {self.address} cannot be copied to {local}")

    def shell(self) -> list[str]:
        """See :class:`~labkit.boards.transport.Transport`."""
        return openssh_argv(self.target)

    def close(self) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        client, self._client, self._sftp = self._client, None, None
        if client:
            client.close()

    def _listen(self, talk: ChannelProcess, until: float) -> bool:
        """Whether the command ended by itself in time; where not, it has been ended."""
        try:
            talk.begin()
            if talk.listen(until):
                return True
        except (OSError, *_DROPPED):
            raise
        except BaseException:  # Ctrl-C, or whoever hears the output has had enough of it
            self._end(talk)
            raise
        self._end(talk)
        talk.listen(time.monotonic() + 5)
        return False

    def _end(self, talk: ChannelProcess) -> None:
        """End a command and its children."""
        group = talk.introduced(time.monotonic() + 5)
        if not group:
            return
        channel = self._with_client(_open_session)
        ending = ChannelProcess(channel, kill_group_script(group), b"")
        ending.begin()
        ending.listen(time.monotonic() + 10)
        channel.close()

    def _transfer(self, move: Callable[[paramiko.SFTPClient], None], failure: str) -> None:
        try:
            move(self._with_client(self._open_sftp))
        except _DROPPED as dropped:
            raise self._lost() from dropped
        except OSError as trouble:
            # SFTP knows one word, "Failure", for a full disk and for a good deal else.
            why = trouble.strerror or str(trouble)
            if why == "Failure" or why.startswith("size mismatch"):
                why = f"the board says no more than {why!r}: a full disk?"
            raise RemoteFileError(f"{failure}: {why}") from trouble

    def _open_sftp(self, client: paramiko.SSHClient) -> paramiko.SFTPClient:
        if self._sftp is None:
            self._sftp = client.open_sftp()
            channel = self._sftp.get_channel()
            assert channel is not None
            channel.settimeout(SFTP_TIMEOUT)
        return self._sftp

    def _with_client(self, ask: Callable[[paramiko.SSHClient], _T]) -> _T:
        """Ask something of the connection; where it turns out dead, of a new one, once."""
        kept = self._client
        if kept is not None and _alive(kept):
            with suppress(*_DROPPED):
                return ask(kept)
        self.close()
        self._client = connect(self.target)
        try:
            return ask(self._client)
        except _DROPPED as dropped:
            raise self._lost() from dropped

    def _lost(self) -> ConnectionLost:
        self.close()
        return ConnectionLost(
            f"the link to {self.address} dropped",
            hint="run the command or cell again; labkit connects anew by itself",
        )


def _alive(client: paramiko.SSHClient) -> bool:
    link = client.get_transport()
    return link is not None and link.is_active()


def _open_session(client: paramiko.SSHClient) -> paramiko.Channel:
    link = client.get_transport()
    if link is None:
        raise EOFError
    return link.open_session(timeout=CHANNEL_TIMEOUT)
