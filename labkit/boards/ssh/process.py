"""One command on one SSH channel: its output read and its input written, until it ends."""

from __future__ import annotations

import select
import time
from contextlib import suppress

import paramiko

from labkit.boards.transport import DRAIN_TIMEOUT, OutputCallback

__all__ = ["CallbackError", "ChannelProcess"]

_READ_SIZE = 1 << 20
_WRITE_SIZE = 1 << 15


class CallbackError(Exception):
    """The output callback raised ``error``. Wrapped, so that it is not taken for the link's."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class ChannelProcess:
    """Runs ``command`` on ``channel`` and reads both output streams in one loop.

    The shell prints its process id on the first line of stderr, so that labkit can end a command
    at its timeout: closing a channel does not do that. And the shell stays until the command
    ends, where some shells would replace themselves by the last program. paramiko ignores SSH's
    message about a death by signal; the shell turns it into an exit status.
    """

    def __init__(
        self,
        channel: paramiko.Channel,
        command: str,
        stdin: bytes,
        on_output: OutputCallback | None = None,
    ) -> None:
        self.status: int | None = None
        self.pid = ""
        """The shell's process id, which is also its process group; empty until it is known."""
        self._on_output = on_output
        self._channel = channel
        self._command = f"echo $$ >&2; {command}\nexit $?"
        self._stdin = memoryview(stdin)
        self._stdin_open = True
        self._pid_line_read = False
        self._stdout = bytearray()
        self._stderr = bytearray()
        channel.settimeout(0.0)

    def start(self) -> None:
        """Start the command on the board."""
        self._channel.exec_command(self._command)

    @property
    def stdout(self) -> bytes:
        """The standard output so far."""
        return bytes(self._stdout)

    @property
    def stderr(self) -> bytes:
        """The standard error so far, without the process id."""
        return bytes(self._stderr)

    def wait(self, deadline: float) -> bool:
        """Read and write until the command has ended (True) or ``deadline`` has passed.

        ``deadline`` is a time of ``time.monotonic``. If the link ended before the command did,
        the result is True and ``status`` stays ``None``.
        """
        idle = 0.0  # seconds waited here without output: a pause of this process does not count
        while True:
            now = time.monotonic()
            moved = self._read() or self._feed()
            if moved:
                idle = 0.0
            elif self._ended(idle):
                while self._read():  # what arrived between the last read and the end
                    pass
                return True
            if now >= deadline:
                return self.status is not None
            if not moved:
                # Output and the end wake select; free space for input does not, so poll for it.
                pause = 0.02 if self._stdin_open else min(0.5, deadline - now)
                ready, _, _ = select.select([self._channel], [], [], pause)
                idle += 0.0 if ready else pause

    def wait_pid(self, deadline: float) -> str:
        """The process id; waits for it if the command has only just started."""
        while not self.pid and not self._channel.closed and time.monotonic() < deadline:
            if not self._read():
                select.select([self._channel], [], [], 0.02)
        return self.pid

    def _ended(self, idle: float) -> bool:
        closed, complete = self._channel.closed, bool(self._channel.eof_received)
        if self._channel.status_event.is_set():
            status = self._channel.recv_exit_status()
            if status >= 0:
                self.status = status
            elif complete:  # a regular end without a status: the shell itself died by a signal
                self.status = 128
        return closed or (self.status is not None and (complete or idle > DRAIN_TIMEOUT))

    def _read(self) -> bool:
        stdout = self._channel.recv(_READ_SIZE) if self._channel.recv_ready() else b""
        stderr = b""
        if self._channel.recv_stderr_ready():
            stderr = self._channel.recv_stderr(_READ_SIZE)
        moved = bool(stdout or stderr)
        self._stdout += stdout
        if self._pid_line_read:
            self._stderr += stderr
        elif stderr:
            stderr = self._read_pid(stderr)
        if self._on_output and (stdout or stderr):
            self._notify(self._on_output, stdout, stderr)
        return moved

    def _notify(self, on_output: OutputCallback, stdout: bytes, stderr: bytes) -> None:
        try:
            on_output(stdout, stderr)
        except Exception as error:
            self._on_output = None  # not called again while the command is being ended
            raise CallbackError(error) from error

    def _read_pid(self, stderr: bytes) -> bytes:
        """Remove the process id from the head of stderr; return what follows it."""
        self._stderr += stderr
        first, newline, rest = self._stderr.partition(b"\n")
        if not newline:
            return b""
        self._pid_line_read = True
        if first.isdigit():
            self.pid = first.decode()
            self._stderr = rest
        return bytes(self._stderr)

    def _feed(self) -> bool:
        if not self._stdin_open or not self._channel.send_ready():
            return False
        # A command may stop reading, or end, before it has read all its input.
        with suppress(OSError):
            if self._stdin:
                sent = self._channel.send(self._stdin[:_WRITE_SIZE].tobytes())
                self._stdin = self._stdin[sent:]
                return True
            self._channel.shutdown_write()
        self._stdin_open = False
        return False
