"""Memory over time: a Go program that allocates, under settings of Go and of systemd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from labkit import golang
from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import TuningError
from labkit.tuning.gosettings import GoSettings
from labkit.tuning.unit_runs import UnitRun, run_unit
from labkit.tuning.units import Unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Allocation", "allocate", "source"]


@dataclass(frozen=True, repr=False)
class Allocation(StrRepr):
    """One run of the allocation program.

    ``heap`` has a row a line the program printed: ``seconds``, ``heap_mib``, ``system_mib``
    (what Go had of the system), ``collections``. ``run`` is the unit it ran as.
    """

    label: str
    heap: pd.DataFrame
    run: UnitRun

    def __str__(self) -> str:
        last = self.heap.iloc[-1] if len(self.heap) else None
        told = "it printed nothing"
        if last is not None:
            most = self.heap["system_mib"].max()
            told = f"{last['collections']:.0f} collections, at most {most:.0f} MiB of the system"
        return f"{self.label}: {self.run.result}; {told}"


def source() -> str:
    """The Go program, as text."""
    return files("labkit.bench").joinpath("programs/allocate/main.go").read_text("utf-8")


def allocate(
    board: Board,
    settings: GoSettings | None = None,
    *,
    hold: int = 64,
    waste: int = 256,
    limits: Mapping[str, Any] | None = None,
    seconds: float = 60.0,
    label: str = "",
    anyway: bool = False,
) -> Allocation:
    """Have the program hold ``hold`` MiB and throw ``waste`` MiB away, as a transient unit.

    ``limits`` are fields of :class:`~labkit.tuning.Unit`, such as ``memory_max="128M"``.
    systemd ends it after ``seconds``. Raises :class:`TuningError` for what is out of range.
    """
    if not (0 <= hold <= 4096 and 0 <= waste <= 1 << 16):
        raise TuningError(f"hold={hold}, waste={waste}", expected="MiB, up to 4096 and 65536")
    import pandas as pd

    settings = settings or GoSettings()
    there = golang.ship(board, golang.build(source(), name="allocate"))
    command = [there, str(hold), str(waste), "50"]
    unit = Unit(command, environment=settings.environment(), **(limits or {}))
    run = run_unit(board, unit, name="labkit-allocate", limit=seconds, anyway=anyway)
    rows = [line.split() for line in run.output.splitlines()]
    columns = ["seconds", "heap_mib", "system_mib", "collections"]
    whole = [row for row in rows if len(row) == len(columns) and all(map(str.isdigit, row))]
    heap = pd.DataFrame(whole, columns=columns).astype(float)
    heap["seconds"] /= 1000
    limit = " ".join(f"{k}={v}" for k, v in unit.settings().items())
    own = str(settings) if settings.environment() or not limit else ""
    return Allocation(label or f"{own} {limit}".strip(), heap, run)
