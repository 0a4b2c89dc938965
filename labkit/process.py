"""A program of this machine, run to its end; its children never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["kill_group", "run"]


def run(
    argv: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Run one program and return its exit status, stdout and stderr.

    At Ctrl-C, and after ``timeout`` seconds, the program and its children are killed. Raises
    OSError where it cannot be started, and TimeoutError, which is an OSError too.

    >>> run(["sh", "-c", "echo out; exit 3"], cwd=None, env=os.environ, timeout=10)
    (3, 'out\\n', '')
    """
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # makes a process group of its own, which kill_group can kill
    )
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException as error:
            kill_group(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError from error
            raise
    return process.returncode, out, err


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a program that leads a session of its own, with its children, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()  # after Ctrl-C, Popen itself would not wait
