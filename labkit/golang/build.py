"""Building a Go program for a board."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.boards.places import cache_folder
from labkit.errors import BuildFailed
from labkit.golang.toolchain import go_command
from labkit.shown import Shown

__all__ = ["Binary", "build"]


@dataclass(frozen=True, repr=False)
class Binary(Shown):
    """A program built for a board. ``settings`` are the Go environment it was built with."""

    path: Path
    settings: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    def __str__(self) -> str:
        said = " ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.path.name}, {self.size / 2**20:.2f} MiB, built with {said}"


def build(source: str, *, name: str = "program", **settings: str) -> Binary:
    """Build one Go source text into a program for linux/arm64.

    ``settings`` are Go's environment variables (``GOARM64="v8.1"``, ``CGO_ENABLED="1"``);
    GOOS, GOARCH and CGO_ENABLED=0 are set unless said otherwise. The same source with the
    same settings is built once. Raises :class:`BuildFailed` with what the compiler said.

    >>> build("package main\\nfunc main() {}\\n", name="nothing").path.name   # doctest: +SKIP
    'nothing'
    """
    chosen = {"GOOS": "linux", "GOARCH": "arm64", "CGO_ENABLED": "0"} | settings
    key = hashlib.sha256(repr((source, sorted(chosen.items()))).encode()).hexdigest()[:16]
    folder = cache_folder() / "go" / key
    binary = folder / name
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.go").write_text(source, encoding="utf-8")
        _compile(folder, name, chosen)
    return Binary(binary, chosen)


def _compile(folder: Path, name: str, settings: Mapping[str, str]) -> None:
    # Go's own habit of fetching another version would hide which one built this.
    env = {**os.environ, "GOTOOLCHAIN": "local", "GO111MODULE": "off", "GOFLAGS": "", **settings}
    half = folder / f".{name}"
    line = [str(go_command()), "build", "-trimpath", "-o", str(half), "main.go"]
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if re.match(r".*\.go:\d+", line)]
        raise BuildFailed(
            f"Go does not compile this: {'; '.join(said) or done.stderr.strip()}",
            expected="a program",
        )
    half.replace(folder / name)
