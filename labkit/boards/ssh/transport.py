"""A board over SSH: one connection, which stays open and is made again when it drops."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import paramiko

from labkit.boards.shell import kill_group_script, shell_line
from labkit.boards.ssh.argv import openssh_argv
from labkit.boards.ssh.connect import connect
from labkit.boards.ssh.process import CallbackError, ChannelProcess
from labkit.boards.ssh.target import SshTarget
from labkit.boards.sudo import Sudo
from labkit.boards.transport import OutputCallback, RawResult, Request
from labkit.errors import BoardError, ConnectionLost, RemoteFileError

__all__ = ["SshTransport"]

SFTP_TIMEOUT = 60.0
"""Seconds without progress after which a file transfer counts the link as lost."""

CHANNEL_TIMEOUT = 15.0
"""Seconds a board may take to open one more channel."""

# What paramiko raises when a link is gone. Which of these depends on the call that notices it:
# writing to a closed channel, for one, is a plain OSError, "Socket is closed".
_LINK_ERRORS = (OSError, EOFError, paramiko.SSHException, paramiko.SFTPError)

_T = TypeVar("_T")


class SshTransport:
    """Commands and files over SSH. Connects at the first call, not before."""

    def __init__(self, target: SshTarget, sudo: Sudo | None = None) -> None:
        self.target = target
        self._sudo = sudo or Sudo()
        self._client: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None

    @property
    def address(self) -> str:
        """See :class:`~labkit.boards.transport.Transport`."""
        return str(self.target)

    def run(self, request: Request, *, on_output: OutputCallback | None = None) -> RawResult:
        """See :class:`~labkit.boards.transport.Transport`."""
        start = time.monotonic()
        line, stdin = shell_line(request, self._sudo)
        channel = self._with_client(_open_session)
        try:
            process = ChannelProcess(channel, line, stdin, on_output)
            in_time = self._wait(process, start + request.timeout)
        except CallbackError as wrapper:
            raise wrapper.error from wrapper.error.__cause__
        except _LINK_ERRORS as error:
            raise self._lost() from error
        finally:
            channel.close()
        if in_time and process.status is None:
            raise self._lost()
        status = process.status if in_time else None
        result = RawResult(status, process.stdout, process.stderr, time.monotonic() - start)
        if request.root:
            self._sudo.raise_for_refusal(result, self.target.name)
        return result

    def put(self, local: Path, remote: str, *, mode: int) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        part_path = f"{remote}.part"

        def send(sftp: paramiko.SFTPClient) -> None:
            try:
                sftp.put(str(local), part_path)
                sftp.chmod(part_path, mode)
                sftp.posix_rename(part_path, remote)
            except BaseException:
                with suppress(*_LINK_ERRORS):
                    sftp.remove(part_path)
                raise

        self._transfer(send, f"{local} cannot be copied to {remote} on {self.address}")

    def get(self, remote: str, local: Path) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        part_path = local.with_name(local.name + ".part")

        def fetch(sftp: paramiko.SFTPClient) -> None:
            try:
                sftp.get(remote, str(part_path))
                part_path.chmod(stat.S_IMODE(sftp.stat(remote).st_mode or 0o644))
                part_path.replace(local)
            finally:
                part_path.unlink(missing_ok=True)

        self._transfer(fetch, f"{remote} on {self.address} cannot be copied to {local}")

    def shell_argv(self) -> list[str]:
        """See :class:`~labkit.boards.transport.Transport`."""
        return openssh_argv(self.target)

    def close(self) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        client, self._client, self._sftp = self._client, None, None
        if client:
            client.close()

    def _wait(self, process: ChannelProcess, deadline: float) -> bool:
        """Whether the command ended by itself before the deadline; if not, it has been ended."""
        try:
            process.start()
            if process.wait(deadline):
                return True
        except _LINK_ERRORS:
            raise
        except BaseException:  # Ctrl-C, or an exception of on_output
            with suppress(BoardError, *_LINK_ERRORS):  # a lost link must not hide the first cause
                self._end(process)
            raise
        self._end(process)
        process.wait(time.monotonic() + 5)
        return False

    def _end(self, process: ChannelProcess) -> None:
        """End a command and its children."""
        group = process.wait_pid(time.monotonic() + 5)
        if not group:
            return
        channel = self._with_client(_open_session)
        kill = ChannelProcess(channel, kill_group_script(group), b"")
        kill.start()
        kill.wait(time.monotonic() + 10)
        channel.close()

    def _transfer(self, copy: Callable[[paramiko.SFTPClient], None], failure: str) -> None:
        sftp = self._with_client(self._open_sftp)
        try:
            copy(sftp)
        except _LINK_ERRORS as error:
            if not isinstance(error, OSError) or _is_lost(error, sftp):
                raise self._lost() from error
            # SFTP version 3 has one code, "Failure", for a full disk and for many other causes.
            reason = error.strerror or str(error)
            if reason == "Failure" or reason.startswith("size mismatch"):
                reason = f"the board reports only {reason!r}: a full disk?"
            raise RemoteFileError(f"{failure}: {reason}") from error

    def _open_sftp(self, client: paramiko.SSHClient) -> paramiko.SFTPClient:
        if self._sftp is None or not _is_open(self._sftp):
            self._sftp = client.open_sftp()
            channel = self._sftp.get_channel()
            assert channel is not None
            channel.settimeout(SFTP_TIMEOUT)
        return self._sftp

    def _with_client(self, use: Callable[[paramiko.SSHClient], _T]) -> _T:
        """Call ``use`` with the open connection; if that is lost, once more with a new one."""
        client = self._client
        if client is not None and _is_active(client.get_transport()):
            with suppress(*_LINK_ERRORS):
                return use(client)
        self.close()
        self._client = connect(self.target)
        try:
            return use(self._client)
        except _LINK_ERRORS as error:
            raise self._lost() from error

    def _lost(self) -> ConnectionLost:
        self.close()
        return ConnectionLost(
            f"the link to {self.address} dropped",
            hint="run the command or cell again; labkit connects again by itself",
        )


def _is_lost(error: OSError, sftp: paramiko.SFTPClient) -> bool:
    """Whether an error of a file transfer comes from the link, and not from a file."""
    return isinstance(error, (TimeoutError, ConnectionError)) or not _is_open(sftp)


def _is_open(sftp: paramiko.SFTPClient) -> bool:
    channel = sftp.get_channel()
    return channel is not None and not channel.closed and _is_active(channel.get_transport())


def _is_active(transport: paramiko.Transport | None) -> bool:
    return transport is not None and transport.is_active()


def _open_session(client: paramiko.SSHClient) -> paramiko.Channel:
    transport = client.get_transport()
    if transport is None:
        raise EOFError
    return transport.open_session(timeout=CHANNEL_TIMEOUT)
