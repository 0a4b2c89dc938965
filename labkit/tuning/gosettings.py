"""Go's run-time settings as environment variables, checked before they reach a board.

Go treats a malformed value in three ways: with GOMEMLIMIT it exits with an error, with GOGC and
GOMAXPROCS it uses the default, and in GODEBUG it ignores the setting. Source:
runtime/mgcpacer.go, runtime/proc.go, runtime/runtime1.go and internal/godebugs/table.go of the
toolchain.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from labkit.display import StrRepr
from labkit.errors import TuningError
from labkit.golang.toolchains.local import toolchain

__all__ = ["GoSettings", "godebug_names"]


@dataclass(frozen=True)
class GoSettings(StrRepr):
    """GOGC in percent or ``off``, GOMEMLIMIT in bytes or ``64MiB`` or ``off``, GOMAXPROCS, GODEBUG.

    None leaves a setting at Go's default. Raises :class:`TuningError` for a value that Go
    rejects, ignores or replaces by the default.

    >>> GoSettings(gogc=50, gomemlimit="64MiB").env()
    {'GOGC': '50', 'GOMEMLIMIT': '64MiB'}
    >>> GoSettings(gomemlimit="64M")
    Traceback (most recent call last):
    labkit.errors.TuningError: GOMEMLIMIT=64M: Go exits with an error; expected bytes, 64MiB or off
    """

    gogc: int | str | None = None
    gomemlimit: int | str | None = None
    gomaxprocs: int | None = None
    godebug: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.gogc is not None and not re.fullmatch(r"\d{1,9}|off", str(self.gogc)):
            raise TuningError(
                f"GOGC={self.gogc}: Go uses 100 instead", expected="a percentage, as in 50, or off"
            )
        limit = str(self.gomemlimit)
        if self.gomemlimit is not None and not re.fullmatch(r"\d+(B|[KMGT]iB)?|off", limit):
            raise TuningError(
                f"GOMEMLIMIT={limit}: Go exits with an error", expected="bytes, 64MiB or off"
            )
        if self.gomaxprocs is not None and self.gomaxprocs < 1:
            raise TuningError(
                f"GOMAXPROCS={self.gomaxprocs}: Go ignores it", expected="a number from 1"
            )
        for name, value in self.godebug.items():
            if name not in godebug_names():
                raise TuningError(
                    f"GODEBUG has no {name!r}: Go ignores it", expected=_similar(name)
                )
            if re.search(r"[,\s]", str(value)):
                raise TuningError(f"GODEBUG {name}={value!r}", expected="no comma and no space")
            if name in _runtime_names() and not re.fullmatch(r"[+-]?\d+", str(value)):
                raise TuningError(f"GODEBUG {name}={value}: Go ignores it", expected="a number")

    def env(self) -> dict[str, str]:
        """The environment variables, for :func:`labkit.golang.run_on` or a :class:`Unit`."""
        values = {
            "GOGC": self.gogc,
            "GOMEMLIMIT": self.gomemlimit,
            "GOMAXPROCS": self.gomaxprocs,
            "GODEBUG": ",".join(f"{k}={v}" for k, v in self.godebug.items()) or None,
        }
        return {name: str(value) for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        return " ".join(f"{k}={v}" for k, v in self.env().items()) or "Go's defaults"


@functools.cache
def godebug_names() -> frozenset[str]:
    """The names that GODEBUG has in the guide's Go, read from its sources.

    They are the standard library's (``internal/godebugs``), the runtime's, and the features of
    the processor, such as ``cpu.atomics``.
    """
    table = _matches("internal/godebugs/table.go", r'\{Name: "(\w+)"')
    processor = _matches("internal/cpu/cpu_arm64.go", r'\{Name: "(\w+)"')
    return table | _runtime_names() | {f"cpu.{name}" for name in (*processor, "all")}


@functools.cache
def _runtime_names() -> frozenset[str]:
    """The names that the runtime reads itself; their values are numbers."""
    return _matches("runtime/runtime1.go", r'(?:\{name: |key == )"(\w+)"')


def _matches(file: str, pattern: str) -> frozenset[str]:
    text = (toolchain().root / "src" / file).read_text(encoding="utf-8")
    return frozenset(re.findall(pattern, text))


def _similar(name: str) -> str:
    import difflib

    names = difflib.get_close_matches(name, sorted(godebug_names()), n=3)
    return f"one such as {', '.join(names or ['gctrace', 'madvdontneed'])}"
