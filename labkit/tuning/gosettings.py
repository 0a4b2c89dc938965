"""Go's run-time settings as an environment, checked before they reach a board.

Go itself treats a wrong spelling in three ways: of GOMEMLIMIT it dies, of GOGC and
GOMAXPROCS it takes the default, and of GODEBUG it says nothing. Source: runtime/mgcpacer.go,
runtime/proc.go, runtime/runtime1.go and internal/godebugs/table.go of the toolchain.
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

    None leaves one to Go. Raises :class:`TuningError` for a spelling Go does not take as meant.

    >>> GoSettings(gogc=50, gomemlimit="64MiB").environment()
    {'GOGC': '50', 'GOMEMLIMIT': '64MiB'}
    >>> GoSettings(gomemlimit="64M")
    Traceback (most recent call last):
    labkit.errors.TuningError: GOMEMLIMIT=64M: Go dies of it; expected bytes, 64MiB or off
    """

    gogc: int | str | None = None
    gomemlimit: int | str | None = None
    gomaxprocs: int | None = None
    godebug: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.gogc is not None and not re.fullmatch(r"\d{1,9}|off", str(self.gogc)):
            raise TuningError(
                f"GOGC={self.gogc}: Go takes 100 for it", expected="a percentage, as in 50, or off"
            )
        limit = str(self.gomemlimit)
        if self.gomemlimit is not None and not re.fullmatch(r"\d+(B|[KMGT]iB)?|off", limit):
            raise TuningError(f"GOMEMLIMIT={limit}: Go dies of it", expected="bytes, 64MiB or off")
        if self.gomaxprocs is not None and self.gomaxprocs < 1:
            raise TuningError(
                f"GOMAXPROCS={self.gomaxprocs}: Go overlooks it", expected="a number from 1"
            )
        for name, value in self.godebug.items():
            if name not in godebug_names():
                raise TuningError(f"GODEBUG has no {name!r}: Go overlooks it", expected=_near(name))
            if re.search(r"[,\s]", str(value)):
                raise TuningError(f"GODEBUG {name}={value!r}", expected="no comma and no space")
            if name in _own_names() and not re.fullmatch(r"[+-]?\d+", str(value)):
                raise TuningError(f"GODEBUG {name}={value}: Go overlooks it", expected="a number")

    def environment(self) -> dict[str, str]:
        """The variables, for :func:`labkit.golang.run_on` or a unit."""
        said = {
            "GOGC": self.gogc,
            "GOMEMLIMIT": self.gomemlimit,
            "GOMAXPROCS": self.gomaxprocs,
            "GODEBUG": ",".join(f"{k}={v}" for k, v in self.godebug.items()) or None,
        }
        return {name: str(value) for name, value in said.items() if value is not None}

    def __str__(self) -> str:
        return " ".join(f"{k}={v}" for k, v in self.environment().items()) or "Go's own settings"


@functools.cache
def godebug_names() -> frozenset[str]:
    """The names that GODEBUG has in the guide's Go, read from its sources.

    They are the library's (``internal/godebugs``), the runtime's own, and the processor's
    abilities, such as ``cpu.atomics``.
    """
    table = _found("internal/godebugs/table.go", r'\{Name: "(\w+)"')
    processor = _found("internal/cpu/cpu_arm64.go", r'\{Name: "(\w+)"')
    return table | _own_names() | {f"cpu.{name}" for name in (*processor, "all")}


@functools.cache
def _own_names() -> frozenset[str]:
    """The names whose value is a number in the runtime."""
    return _found("runtime/runtime1.go", r'(?:\{name: |key == )"(\w+)"')


def _found(file: str, pattern: str) -> frozenset[str]:
    text = (toolchain().root / "src" / file).read_text(encoding="utf-8")
    return frozenset(re.findall(pattern, text))


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, sorted(godebug_names()), n=3)
    return f"one such as {', '.join(near or ['gctrace', 'madvdontneed'])}"
