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

from labkit.boards.transport import DRAIN_TIMEOUT, OutputCallback, RawResult, kill_group_script
from labkit.errors import RemoteFileError

__all__ = ["LocalTransport"]


class LocalTransport:
    """Commands go to ``/bin/sh`` here, files are copied.

    >>> LocalTransport().run("echo hello", timeout=5).stdout
    b'hello\\n'
    """

    @property
    def address(self) -> str:
        """See :class:`~labkit.boards.transport.Transport`."""
        return "this machine"

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
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that a timeout can end the whole group
        )
        talk = _Talk(process, stdin, on_output)
        try:
            in_time = talk.listen(began + timeout)
            if not in_time:
                _end(process)
                talk.listen(time.monotonic() + 1)
        except BaseException:  # Ctrl-C, or whoever hears the output has had enough of it
            _end(process)
            raise
        finally:
            talk.close()
        code = process.returncode
        # A shell reports death by signal N as 128+N; Popen says -N.
        status = (code if code >= 0 else 128 - code) if in_time else None
        return RawResult(status, bytes(talk.out), bytes(talk.err), time.monotonic() - began)

    def put(self, local: Path, remote: str, *, mode: int) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        _copy(local, Path(remote), mode)

    def get(self, remote: str, local: Path) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""
        _copy(Path(remote), local, None)

    def shell(self) -> list[str]:
        """See :class:`~labkit.boards.transport.Transport`."""
        return [os.environ.get("SHELL", "/bin/sh")]

    def close(self) -> None:
        """See :class:`~labkit.boards.transport.Transport`."""


class _Talk:
    """The three pipes of one process: output drained, input fed, in one loop."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdin: bytes, on_output: OutputCallback | None
    ) -> None:
        self.out, self.err = bytearray(), bytearray()
        self._process, self._on_output = process, on_output
        self._stdin = memoryview(stdin)
        self._pipes = selectors.DefaultSelector()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._pipes.register(process.stdout, selectors.EVENT_READ, self.out)
        self._pipes.register(process.stderr, selectors.EVENT_READ, self.err)
        os.set_blocking(process.stdin.fileno(), False)
        self._pipes.register(process.stdin, selectors.EVENT_WRITE)

    def listen(self, until: float) -> bool:
        """Whether the command ended before the clock said ``until``.

        Background children of an ended command may hold its output open: not waited for long.
        """
        ended_at = None
        while self._reading():
            for key, _ in self._pipes.select(0.1):
                pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
                if key.events & selectors.EVENT_WRITE:
                    self._give(pipe)
                else:
                    self._take(pipe, key.data)
            now = time.monotonic()
            if self._process.poll() is not None:
                ended_at = ended_at or now
                if now - ended_at > DRAIN_TIMEOUT or now >= until:
                    return True
            elif now >= until:
                return False
        try:  # it may close its output and go on
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Let go of the pipes."""
        self._pipes.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _reading(self) -> bool:
        return any(key.events & selectors.EVENT_READ for key in self._pipes.get_map().values())

    def _take(self, pipe: IO[bytes], kept: bytearray) -> None:
        piece = os.read(pipe.fileno(), 1 << 16)
        kept += piece
        if not piece:
            self._pipes.unregister(pipe)
        elif self._on_output:
            self._on_output(*((piece, b"") if kept is self.out else (b"", piece)))

    def _give(self, pipe: IO[bytes]) -> None:
        # A command may stop reading, or end, before it has taken all: that is its right.
        with suppress(BrokenPipeError):
            if self._stdin:
                self._stdin = self._stdin[os.write(pipe.fileno(), self._stdin[: 1 << 15]) :]
                return
        self._pipes.unregister(pipe)
        pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all it started, what sudo runs included."""
    line = ["/bin/sh", "-c", kill_group_script(str(process.pid))]
    subprocess.run(line, stdin=subprocess.DEVNULL, start_new_session=True, check=False)
    process.wait(5)


def _copy(source: Path, target: Path, mode: int | None) -> None:
    """Copy by way of a neighbour, so that half a copy is never called by the full name."""
    neighbour: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as half:
            neighbour = Path(half.name)
            with source.open("rb") as whole:
                shutil.copyfileobj(whole, half)
        neighbour.chmod(source.stat().st_mode & 0o777 if mode is None else mode)
        neighbour.replace(target)
    except OSError as trouble:
        raise RemoteFileError(
            f"{source} cannot be copied to {target}: {trouble.strerror}"
        ) from trouble
    finally:
        if neighbour:
            neighbour.unlink(missing_ok=True)
