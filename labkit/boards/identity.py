"""The identity of this process, which the journal of changes on a board records."""

from __future__ import annotations

import functools
import getpass
import os
import socket
from pathlib import Path

__all__ = ["account", "session_id", "session_key", "start_time"]


def account() -> str:
    """The user and the computer this process runs as and on: ``user@host``."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def session_id() -> str:
    """This process as ``user@host:pid.start``; ``start`` is its :func:`start_time`."""
    return f"{account()}:{os.getpid()}.{start_time(os.getpid())}"


def session_key() -> str:
    """A random key of this process: eight hexadecimal digits.

    >>> session_key() == session_key()
    True
    """
    return _random_key(os.getpid())


def start_time(pid: int) -> str:
    """When a process started, in the kernel's clock ticks since boot; see proc(5), ``stat``.

    Together with the pid it identifies a process, because the kernel reuses pids. ``ended`` for
    a process that has ended and whose parent has not waited for it; empty without ``/proc``.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()  # the name before `)` may hold any character
    return "ended" if state in "ZX" else fields[18]


@functools.cache
def _random_key(pid: int) -> str:
    """By pid, so that a forked process gets another key than its parent."""
    return os.urandom(4).hex()
