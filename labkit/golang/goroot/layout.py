"""One kind of Go installation, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """One kind of installation; layouts.toml says what the fields mean."""

    name: str
    imitates: str
    path: Sequence[str]
    roots: Sequence[str] = ()
    binaries: Sequence[str] = ()
    foreign: Sequence[str] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    patience: float = 10.0
