"""A program built by Go, and the facts that its file states."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.display import StrRepr, html_table
from labkit.errors import BinaryError, GoCommandFailed
from labkit.files import sha256_file
from labkit.golang.toolchains.local import toolchain

if TYPE_CHECKING:
    from labkit.golang.analysis.elf import ElfFacts

__all__ = ["Binary"]

_SHOWN_SETTINGS = {"-ldflags", "-trimpath", "-buildmode"}
"""Build settings that :meth:`Binary.rows` shows, besides Go's own variables."""


@dataclass(frozen=True, repr=False)
class Binary(StrRepr):
    """A program file. Every function that takes a path takes it too.

    >>> Binary(Path("app")).size                      # doctest: +SKIP
    2342520
    """

    path: Path

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def size(self) -> int:
        """The file's size in bytes. Raises OSError."""
        return self.path.stat().st_size

    @functools.cached_property
    def sha256(self) -> str:
        """The digest of the file, in hexadecimal. Raises OSError."""
        return sha256_file(self.path)

    @functools.cached_property
    def elf(self) -> ElfFacts:
        """The facts of its ELF headers: type, machine, linking. Raises :class:`BinaryError`."""
        from labkit.golang.analysis.elf import elf_facts

        return elf_facts(self.path)

    @property
    def go_version(self) -> str:
        """The version of Go that built it: ``go1.27.3``. Raises :class:`BinaryError`."""
        return self._build_info[0]

    @property
    def settings(self) -> dict[str, str]:
        """The settings of its build, as ``go version -m`` prints them. Raises BinaryError."""
        return self._build_info[1]

    @functools.cached_property
    def _build_info(self) -> tuple[str, dict[str, str]]:
        """The version and the build settings; Go writes both into each program."""
        try:
            first, *rest = toolchain().check("version", "-m", str(self.path)).lines
        except GoCommandFailed as error:
            raise BinaryError(f"{self.path} is not built by Go", expected="a Go program") from error
        fields = [line.split("\t") for line in rest]
        build = [field[2].partition("=") for field in fields if field[1:2] == ["build"]]
        return first.rpartition(" ")[2], {name: value for name, _, value in build}

    def rows(self) -> dict[str, str]:
        """Size, type, linking and build of the program, as labelled texts. Raises BinaryError."""
        elf = self.elf
        linked = "statically" if elf.static else f"dynamically, by {elf.interpreter or 'no loader'}"
        settings = [
            f"{name}={value}"
            for name, value in self.settings.items()
            if name in _SHOWN_SETTINGS or name.startswith(("GO", "CGO_ENABLED"))
        ]
        return {
            "size": f"{self.size:,} bytes",
            "ELF": f"{elf.type}, {elf.machine}",
            "linked": linked,
            "libraries": ", ".join(elf.needed) or "none",
            "built by": self.go_version,
            "built with": " ".join(settings),
        }

    def __str__(self) -> str:
        rows = self.rows()
        return (
            f"{self.name}: {rows['size']}, {rows['ELF']}, linked {rows['linked']}, "
            f"libraries: {rows['libraries']}, {rows['built by']} {rows['built with']}"
        )

    def _repr_html_(self) -> str:
        return html_table(self.rows(), caption=self.name)
