"""The process whose number stands in a PID file that QEMU has written."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["end", "find", "wait_gone"]


def find(pid_file: Path) -> psutil.Process | None:
    """The running process of a PID file, or None.

    Process numbers are used again after some time. The process counts only where the PID file
    itself is one of its arguments (``-pidfile``). A zombie has no arguments and does not count.
    """
    try:
        process = psutil.Process(int(pid_file.read_text(encoding="utf-8")))
        return process if str(pid_file) in process.cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


def wait_gone(pid_file: Path, *, timeout: float) -> bool:
    """Whether the process of a PID file is gone, now or within ``timeout`` seconds."""
    process = find(pid_file)
    return process is None or _wait_gone(process, timeout)


def end(pid_file: Path, *, timeout: float = 3.0) -> None:
    """Wait for the process of a PID file to end by itself; kill it after ``timeout`` seconds."""
    process = find(pid_file)
    if process is not None and not _wait_gone(process, timeout):
        with suppress(psutil.NoSuchProcess):
            process.kill()
        _wait_gone(process, timeout)


def _wait_gone(process: psutil.Process, timeout: float) -> bool:
    # Not `process.wait`: for it a zombie of another process is still there.
    deadline = time.monotonic() + timeout
    while not _is_gone(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _is_gone(process: psutil.Process) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)  # where this process has started it: no zombie stays
    try:
        # A zombie has ended. Its parent, another labkit process, has not waited for it yet.
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
