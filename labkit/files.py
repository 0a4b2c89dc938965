"""Files of this machine: digests, writing in one step, and locks between processes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from labkit.paths import cache_dir

__all__ = ["lock", "part_file", "sha256_file", "write_atomic"]


def sha256_file(path: Path) -> str:
    """The sha256 of a file, in hexadecimal. Raises OSError.

    >>> sha256_file(Path("/dev/null"))[:12]
    'e3b0c44298fc'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def part_file(path: Path) -> Iterator[Path]:
    """The path of a temporary file beside ``path``, which replaces ``path`` in one step.

    Write the temporary file inside the block. At the end it is renamed to ``path``; after an
    exception it is removed, and ``path`` stays as it was. Raises OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = Path(directory) / "greeting"
    ...     with part_file(path) as temporary:
    ...         _ = temporary.write_text("hello")
    ...         before = path.exists()
    ...     before, path.read_text()
    (False, 'hello')
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, text: str) -> None:
    """Write a text file in one step: readers see the old content or the new one, never a part.

    See :func:`part_file`. Raises OSError, and leaves nothing behind then.
    """
    with part_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the lock of that name in the cache directory; wait until other processes release it."""
    directory = cache_dir() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / f"{name}.lock"):
        yield
