"""One kind of Go installation, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """One kind of Go installation, as an entry of layouts.toml; paths are below its own root.

    ``models`` describes the real installation that the layout imitates.

    ``roots`` are GOROOT directories. In each, bin/go is a hard link to the one real binary,
    VERSION and go.env are the real files, pkg/tool and src/fmt are empty directories.
    ``binaries`` are further hard links, without a GOROOT around them. The files ``wrong_arch``
    hold the header of the binary, with another processor in it. ``copies`` are copies of files
    of the toolchain, by their path in it. ``links`` are symbolic links to a target, ``commands``
    executable files with a text (mode 755), ``files`` other files with a text (mode 644).

    ``path`` is the beginning of PATH; the directories of the system follow. ``env`` has further
    variables. ``timeout`` is the number of seconds that one go command may take; an emulated
    board needs 0.2.
    """

    name: str
    models: str
    path: Sequence[str]
    roots: Sequence[str] = ()
    binaries: Sequence[str] = ()
    wrong_arch: Sequence[str] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
