"""A program of this machine, run to its end with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["kill_group", "run"]


def run(
    line: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of one program.

    At Ctrl-C, and after ``timeout`` seconds, the program and its children are ended. Raises
    OSError where it cannot be started, TimeoutError where it took too long.
    """
    process = subprocess.Popen(
        line,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its compilers can be ended with it
    )
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException as stopped:
            kill_group(process)
            if isinstance(stopped, subprocess.TimeoutExpired):
                raise TimeoutError from stopped
            raise
    return process.returncode, out, err


def kill_group(process: subprocess.Popen[str]) -> None:
    """End a program that leads a session of its own, with all it started, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()  # after Ctrl-C, Popen itself would not
