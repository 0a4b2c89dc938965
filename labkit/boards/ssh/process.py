"""One command on one SSH channel: output drained, input fed, until its end or its time."""

from __future__ import annotations

import select
import time
from contextlib import suppress

import paramiko

from labkit.boards.transport import DRAIN_TIMEOUT, OutputCallback

__all__ = ["CallbackError", "ChannelProcess"]

_PIECE = 1 << 15


class CallbackError(Exception):
    """Whoever hears the output raised ``trouble``: an OSError of theirs is not the link's."""

    def __init__(self, trouble: Exception) -> None:
        self.trouble = trouble


class ChannelProcess:
    """Runs ``command`` on ``channel``; both output streams are drained in one loop.

    The shell is made to say its process id on the first line of stderr, so that a command
    past its time can be ended on the far side: closing a channel does not do that. And it
    is made to stay to the end, where some become the last program they start: paramiko
    overlooks SSH's word on a death by signal, a shell turns it into a status.
    """

    def __init__(
        self,
        channel: paramiko.Channel,
        command: str,
        stdin: bytes,
        on_output: OutputCallback | None = None,
    ) -> None:
        self.status: int | None = None
        self.process_id = ""
        """The far shell's process id, which is its process group too; empty if unknown."""
        self._on_output = on_output
        self._channel = channel
        self._command = f"echo $$ >&2; {command}\nexit $?"
        self._stdin = memoryview(stdin)
        self._input_open = True
        self._introduced = False
        self._out = bytearray()
        self._err = bytearray()
        channel.settimeout(0.0)

    def begin(self) -> None:
        """Have the far side start the command."""
        self._channel.exec_command(self._command)

    @property
    def stdout(self) -> bytes:
        """What came on standard output so far."""
        return bytes(self._out)

    @property
    def stderr(self) -> bytes:
        """What came on standard error so far, without the process id."""
        return bytes(self._err)

    def listen(self, until: float) -> bool:
        """Take and give until the command has ended (True) or the clock says ``until``.

        ``status`` stays ``None`` at True where the link ended before the command did.
        """
        quiet = 0.0  # as waited for here: a stall of our own is not the board's silence
        while True:
            now = time.monotonic()
            moved = self._take() or self._give()
            if moved:
                quiet = 0.0
            elif self._ended(quiet):
                while self._take():  # what came between the last look and the end
                    pass
                return True
            if now >= until:
                return self.status is not None
            if not moved:
                # Output and the end wake this; room for more input does not, so ask again.
                pause = 0.02 if self._input_open else min(0.5, until - now)
                waited, _, _ = select.select([self._channel], [], [], pause)
                quiet += 0.0 if waited else pause

    def introduced(self, until: float) -> str:
        """The process id, waited for where the command has only just begun."""
        while not self.process_id and not self._channel.closed and time.monotonic() < until:
            if not self._take():
                select.select([self._channel], [], [], 0.02)
        return self.process_id

    def _ended(self, quiet: float) -> bool:
        closed, whole = self._channel.closed, bool(self._channel.eof_received)
        if self._channel.status_event.is_set():
            status = self._channel.recv_exit_status()
            if status >= 0:
                self.status = status
            elif whole:  # an orderly end without a status: the shell itself died by a signal
                self.status = 128
        return closed or (self.status is not None and (whole or quiet > DRAIN_TIMEOUT))

    def _take(self) -> bool:
        out = self._channel.recv(1 << 20) if self._channel.recv_ready() else b""
        err = self._channel.recv_stderr(1 << 20) if self._channel.recv_stderr_ready() else b""
        moved = bool(out or err)
        self._out += out
        if self._introduced:
            self._err += err
        elif err:
            err = self._introduction(err)
        if self._on_output and (out or err):
            self._tell(self._on_output, out, err)
        return moved

    def _tell(self, on_output: OutputCallback, out: bytes, err: bytes) -> None:
        try:
            on_output(out, err)
        except Exception as trouble:
            self._on_output = None  # not asked again while the command is being ended
            raise CallbackError(trouble) from trouble

    def _introduction(self, err: bytes) -> bytes:
        """Take the process id off the head of stderr; give what stands behind it."""
        self._err += err
        first, end, rest = self._err.partition(b"\n")
        if not end:
            return b""
        self._introduced = True
        if first.isdigit():
            self.process_id = first.decode()
            self._err = rest
        return bytes(self._err)

    def _give(self) -> bool:
        if not self._input_open or not self._channel.send_ready():
            return False
        # A command may stop reading, or end, before it has taken all: that is its right.
        with suppress(OSError):
            if self._stdin:
                self._stdin = self._stdin[self._channel.send(self._stdin[:_PIECE].tobytes()) :]
                return True
            self._channel.shutdown_write()
        self._input_open = False
        return False
