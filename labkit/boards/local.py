"""This machine itself as the board: for arm64 runners, and for a Pi that runs the guide."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from labkit.boards.transport import LINGER, Ended, words_to_end
from labkit.errors import FileTrouble

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

    def run(self, command: str, *, timeout: float, stdin: bytes = b"") -> Ended:
        """See :class:`~labkit.boards.transport.Transport`."""
        began = time.monotonic()
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that a timeout can end the whole group
        )
        try:
            in_time, out, err = _listen(process, stdin, began + timeout)
            if not in_time:
                _end(process)
                _, out, err = _listen(process, None, time.monotonic() + 1)
        except BaseException:  # Ctrl-C must not leave the command running
            _end(process)
            raise
        finally:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        code = process.returncode
        # A shell reports death by signal N as 128+N; Popen says -N.
        status = (code if code >= 0 else 128 - code) if in_time else None
        return Ended(status, out, err, time.monotonic() - began)

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


def _listen(
    process: subprocess.Popen[bytes], stdin: bytes | None, until: float
) -> tuple[bool, bytes, bytes]:
    """Whether the command ended in time, and what it printed.

    Background children of an ended command may hold its output open: not waited for long.
    """
    ended_at = None
    while True:
        try:
            out, err = process.communicate(stdin, timeout=0.1)
            return True, out, err
        except subprocess.TimeoutExpired as waiting:
            out, err = waiting.output or b"", waiting.stderr or b""
        now = time.monotonic()
        if process.poll() is not None:
            ended_at = ended_at or now
            if now - ended_at > LINGER or now >= until:
                return True, out, err
        elif now >= until:
            return False, out, err


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all it started, what sudo runs included."""
    line = ["/bin/sh", "-c", words_to_end(str(process.pid))]
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
        raise FileTrouble(f"{source} cannot be copied to {target}: {trouble.strerror}") from trouble
    finally:
        if neighbour:
            neighbour.unlink(missing_ok=True)
