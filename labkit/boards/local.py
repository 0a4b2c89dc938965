"""This machine itself as the board: for arm64 runners, and for a Pi that runs the guide."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from labkit.boards.shell import kill_group_script, shell_line
from labkit.boards.sudo import Sudo
from labkit.boards.transport import DRAIN_TIMEOUT, OutputCallback, RawResult, Request
from labkit.errors import RemoteFileError

__all__ = ["LocalTransport"]

_READ_SIZE = 1 << 16
_WRITE_SIZE = 1 << 15


class LocalTransport:
    """Runs commands in ``/bin/sh`` of this machine and copies files.

    >>> from labkit.boards import Request
    >>> LocalTransport().run(Request("echo hello")).stdout
    b'hello\\n'
    """

    def __init__(self, sudo: Sudo | None = None) -> None:
        self._sudo = sudo or Sudo()

    @property
    def address(self) -> str:
        """See :class:`~labkit.boards.transport.Transport`."""
        return "this machine"

    def run(self, request: Request, *, on_output: OutputCallback | None = None) -> RawResult:
        """See :class:`~labkit.boards.transport.Transport`."""
        start = time.monotonic()
        line, stdin = shell_line(request, self._sudo)
        process = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that a timeout can end the whole group
        )
        pipes = _Pipes(process, stdin, on_output)
        try:
            in_time = pipes.wait(start + request.timeout)
            if not in_time:
                _end(process)
                pipes.wait(time.monotonic() + 1)
        except BaseException:  # Ctrl-C, or an exception of on_output
            _end(process)
            raise
        finally:
            pipes.close()
        code = process.returncode
        # A shell reports death by signal N as 128+N; Popen reports -N.
        status = (code if code >= 0 else 128 - code) if in_time else None
        seconds = time.monotonic() - start
        result = RawResult(status, bytes(pipes.stdout), bytes(pipes.stderr), seconds)
        if request.root:
            self._sudo.raise_for_refusal(result, self.address)
        return result

    def put(self, local: Path, remote: str, *, mode: int) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        _copy(local, Path(remote), mode)

    def get(self, remote: str, local: Path) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        _copy(Path(remote), local, None)

    def shell_argv(self) -> list[str]:
        """See :class:`~labkit.boards.transport.Transport`."""
        return [os.environ.get("SHELL", "/bin/sh")]

    def close(self) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""


class _Pipes:
    """The three pipes of one process: its output is read and its input written in one loop."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdin: bytes, on_output: OutputCallback | None
    ) -> None:
        self.stdout, self.stderr = bytearray(), bytearray()
        self._process, self._on_output = process, on_output
        self._stdin = memoryview(stdin)
        self._selector = selectors.DefaultSelector()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, self.stdout)
        self._selector.register(process.stderr, selectors.EVENT_READ, self.stderr)
        os.set_blocking(process.stdin.fileno(), False)
        self._selector.register(process.stdin, selectors.EVENT_WRITE)

    def wait(self, deadline: float) -> bool:
        """Whether the command ended before ``deadline``, a time of ``time.monotonic``.

        Background children of an ended command may hold its output open; they are waited for
        only for :data:`DRAIN_TIMEOUT` seconds.
        """
        end_time = None
        while self._reading():
            for key, _ in self._selector.select(0.1):
                pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
                if key.events & selectors.EVENT_WRITE:
                    self._feed(pipe)
                else:
                    self._read(pipe, key.data)
            now = time.monotonic()
            if self._process.poll() is not None:
                end_time = end_time or now
                if now - end_time > DRAIN_TIMEOUT or now >= deadline:
                    return True
            elif now >= deadline:
                return False
        try:  # a command may close its output and go on
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Close the pipes."""
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _reading(self) -> bool:
        registered = self._selector.get_map().values()
        return any(key.events & selectors.EVENT_READ for key in registered)

    def _read(self, pipe: IO[bytes], buffer: bytearray) -> None:
        data = os.read(pipe.fileno(), _READ_SIZE)
        buffer += data
        if not data:
            self._selector.unregister(pipe)
        elif self._on_output:
            self._on_output(*((data, b"") if buffer is self.stdout else (b"", data)))

    def _feed(self, pipe: IO[bytes]) -> None:
        # A command may stop reading, or end, before it has read all its input.
        with suppress(BrokenPipeError):
            if self._stdin:
                self._stdin = self._stdin[os.write(pipe.fileno(), self._stdin[:_WRITE_SIZE]) :]
                return
        self._selector.unregister(pipe)
        pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all it started, including what sudo runs."""
    argv = ["/bin/sh", "-c", kill_group_script(str(process.pid))]
    subprocess.run(argv, stdin=subprocess.DEVNULL, start_new_session=True, check=False)
    process.wait(5)


def _copy(source: Path, target: Path, mode: int | None) -> None:
    """Copy to a temporary file beside the target, then rename it: no partial file ``target``."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy:
            temporary = Path(copy.name)
            with source.open("rb") as original:
                shutil.copyfileobj(original, copy)
        temporary.chmod(source.stat().st_mode & 0o777 if mode is None else mode)
        temporary.replace(target)
    except OSError as error:
        raise RemoteFileError(f"{source} cannot be copied to {target}: {error.strerror}") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)
