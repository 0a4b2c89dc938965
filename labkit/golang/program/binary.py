"""A program built by Go, and what its file says of itself."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.display import StrRepr
from labkit.errors import BinaryError, GoCommandFailed
from labkit.files import sha256_file
from labkit.golang.toolchains.local import toolchain

if TYPE_CHECKING:
    from labkit.golang.analysis.elf import ElfFacts

__all__ = ["Binary"]


@dataclass(frozen=True, repr=False)
class Binary(StrRepr):
    """A program file. It can be given wherever a path can.

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
        """Bytes."""
        return self.path.stat().st_size

    @functools.cached_property
    def sha256(self) -> str:
        """The digest of the file, in hexadecimal."""
        return sha256_file(self.path)

    @functools.cached_property
    def elf(self) -> ElfFacts:
        """What the ELF header says: type, machine, how it is linked. Raises BinaryError."""
        from labkit.golang.analysis.elf import elf_facts

        return elf_facts(self.path)

    @property
    def go_version(self) -> str:
        """The Go that built it, as it says itself: ``go1.27.3``."""
        return self._said[0]

    @property
    def settings(self) -> dict[str, str]:
        """What it was built with, as it says itself (``go version -m``)."""
        return self._said[1]

    @functools.cached_property
    def _said(self) -> tuple[str, dict[str, str]]:
        try:
            first, *rest = toolchain().check("version", "-m", str(self.path)).lines
        except GoCommandFailed as no:
            raise BinaryError(f"{self.path} is not built by Go", expected="a Go program") from no
        fields = [line.split("\t") for line in rest]
        build = [field[2].partition("=") for field in fields if field[1:2] == ["build"]]
        return first.rpartition(" ")[2], {name: value for name, _, value in build}

    def rows(self) -> dict[str, str]:
        """What a person wants to know of it, ready to show."""
        elf = self.elf
        links = "statically" if elf.static else f"dynamically, by {elf.interpreter or 'no loader'}"
        shown = {"-ldflags", "-trimpath", "-buildmode", "GOEXPERIMENT"}
        told = [
            f"{name}={value}"
            for name, value in self.settings.items()
            if name in shown or name.startswith(("GO", "CGO_ENABLED"))
        ]
        return {
            "size": f"{self.size:,} bytes",
            "ELF": f"{elf.type}, {elf.machine}",
            "linked": links,
            "libraries": ", ".join(elf.needed) or "none",
            "built by": self.go_version,
            "built with": " ".join(told),
        }

    def __str__(self) -> str:
        rows = self.rows()
        return (
            f"{self.name}: {rows['size']}, {rows['ELF']}, linked {rows['linked']}, "
            f"libraries: {rows['libraries']}, {rows['built by']} {rows['built with']}"
        )

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(key)}</th>"
            f"<td style='text-align:left'>{escape(value)}</td></tr>"
            for key, value in self.rows().items()
        )
        return f"<table><caption><b>{escape(self.name)}</b></caption>{body}</table>"
