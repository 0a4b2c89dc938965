"""Memory over time: a Go program that allocates, under settings of Go and of systemd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from labkit import golang
from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import BenchError
from labkit.tuning.gosettings import GoSettings
from labkit.tuning.unit_runs import UnitRun, run_unit
from labkit.tuning.units import Unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Allocation", "allocate", "source"]

_COLUMNS = ["seconds", "heap_mib", "system_mib", "collections"]
_INTERVAL_MS = 50
"""Milliseconds between two lines of the program's output."""


@dataclass(frozen=True, repr=False)
class Allocation(StrRepr):
    """One run of the allocation program.

    ``heap`` has one row for each line that the program printed. Its columns are ``seconds``
    since the start, ``heap_mib``, ``system_mib`` (memory that Go holds from the system) and
    ``collections`` (of garbage, so far). ``run`` is the run of the systemd unit.
    """

    label: str
    heap: pd.DataFrame
    run: UnitRun

    def __str__(self) -> str:
        if self.heap.empty:
            return f"{self.label}: {self.run.result}; it printed nothing"
        collections = self.heap["collections"].iloc[-1]
        most = self.heap["system_mib"].max()
        return (
            f"{self.label}: {self.run.result}; {collections:.0f} collections, "
            f"at most {most:.0f} MiB from the system"
        )


def source() -> str:
    """The source of the Go program that :func:`allocate` runs."""
    return files("labkit.bench").joinpath("programs/allocate/main.go").read_text("utf-8")


def allocate(
    board: Board,
    settings: GoSettings | None = None,
    *,
    live_mib: int = 64,
    garbage_mib: int = 256,
    limits: Mapping[str, Any] | None = None,
    timeout: float = 60.0,
    label: str = "",
    force: bool = False,
) -> Allocation:
    """Run the allocation program on the board once, as a transient systemd unit.

    The program allocates ``live_mib`` MiB and keeps them, then allocates ``garbage_mib`` MiB
    and discards them. ``settings`` are those of Go's runtime. ``limits`` are fields of
    :class:`~labkit.tuning.Unit`, such as ``memory_max="128M"``. systemd ends the program after
    ``timeout`` seconds. Without a ``label``, the run is named after its settings and limits.

    Raises :class:`BenchError` for a size that is out of range, and :class:`TuningError` for a
    limit that the board does not support, unless ``force`` is true.

    >>> allocate(board, GoSettings(gogc=50), live_mib=32)      # doctest: +SKIP
    GOGC=50: success; 12 collections, at most 55 MiB from the system
    """
    if not (0 <= live_mib <= 4096 and 0 <= garbage_mib <= 1 << 16):
        raise BenchError(
            f"live_mib={live_mib}, garbage_mib={garbage_mib}",
            expected="0 to 4096 MiB live, 0 to 65536 MiB garbage",
        )
    settings = settings or GoSettings()
    path = golang.upload(board, golang.build(source(), name="allocate"))
    command = [path, str(live_mib), str(garbage_mib), str(_INTERVAL_MS)]
    unit = Unit(command, env=settings.env(), **(limits or {}))
    run = run_unit(board, unit, name="labkit-allocate", timeout=timeout, force=force)
    limits_text = " ".join(f"{k}={v}" for k, v in unit.settings().items())
    go_text = str(settings) if settings.env() or not limits_text else ""
    return Allocation(label or f"{go_text} {limits_text}".strip(), _parse_heap(run.output), run)


def _parse_heap(output: str) -> pd.DataFrame:
    # A program that is killed may leave an incomplete last line, which is left out.
    import pandas as pd

    rows = [line.split() for line in output.splitlines()]
    complete = [row for row in rows if len(row) == len(_COLUMNS) and all(map(str.isdigit, row))]
    heap = pd.DataFrame(complete, columns=_COLUMNS).astype(float)
    heap["seconds"] /= 1000
    return heap
