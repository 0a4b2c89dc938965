"""A unit run once, to its end, and what was observed."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import ChangeRejected, TuningError
from labkit.tuning.units import Unit, escape

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UnitRun", "run_unit"]

_MARK = "@@labkit"
"""Before each line of the scripts, to tell it from the program's own output."""


@dataclass(frozen=True, repr=False)
class UnitRun(StrRepr):
    """A unit that has run to its end.

    ``output`` and ``stderr`` are what the program printed. ``counters`` are the values of the
    unit's cgroup at the end: ``memory.events/oom_kill``, ``memory.peak`` in bytes,
    ``cpu.stat/throttled_usec``, and ``memory.stat/workingset_refault_file``, the pages of files
    that were reclaimed and read again.
    ``memory`` has a row per sample: ``seconds``, ``mib`` (memory.current), and how often by then
    the limits ``high`` and ``max`` had been reached and ``oom_kill`` had happened. ``log`` is
    what systemd and the kernel logged about the unit meanwhile, a line each. ``seconds`` is
    the wall time of the whole run.
    """

    unit: Unit
    output: str
    stderr: str
    counters: Mapping[str, str]
    memory: pd.DataFrame
    log: Sequence[str]
    seconds: float

    @property
    def result(self) -> str:
        """systemd's word for how it ended: success, exit-code, signal, oom-kill, timeout."""
        return self.counters.get("result", "not started")

    def counter(self, name: str) -> int:
        """One of the counters as a number; 0 where the board does not count it."""
        value = self.counters.get(name, "0")
        return int(value) if value.isdigit() else 0

    def as_frame(self) -> pd.DataFrame:
        """All counters, a row each: column ``at the end`` (text)."""
        import pandas as pd

        frame = pd.DataFrame({"at the end": dict(self.counters)})
        frame.index.name = "counter"
        return frame

    def __str__(self) -> str:
        cpus = self.counters.get("Cpus_allowed_list", "?")
        return f"{self.result}, on processors {cpus}, after {self.seconds:.1f} s\n{self.output}"


def run_unit(
    board: Board,
    unit: Unit,
    *,
    name: str = "labkit-run",
    timeout: float = 60.0,
    interval: float = 0.1,
    force: bool = False,
) -> UnitRun:
    """Run a unit once, transient and as root, to its end, and observe it.

    systemd ends it after ``timeout`` seconds, also if this process dies, and then forgets it:
    there is nothing to undo. Its memory is sampled every ``interval`` seconds. Raises
    :class:`TuningError` for a setting that the board cannot apply (see
    :meth:`Unit.unsupported`), unless ``force``, and :class:`ChangeRejected` where the unit does
    not start.
    """
    unsupported = unit.unsupported(board)
    if unsupported and not force:
        raise TuningError(
            f"{board.name}: {unsupported[0]}", hint="run_unit(..., force=True) to run it without"
        )
    argv = ["bash", "-c", _script("unit_run"), "labkit", f"{name}.service", f"{interval:g}"]
    argv += _systemd_run(unit, name, timeout)
    command = f"LC_ALL=C exec {shlex.join(argv)}"
    result = board.run(command, sudo=True, timeout=timeout + 60)
    run = _parse(unit, result.stdout, result.stderr, result.seconds)
    if not run.counters:
        reason = (run.stderr or f"status {result.exit_status}").splitlines()[-1]
        raise ChangeRejected(f"{board.name} has not run {name}: {reason}")
    return run


@functools.cache
def _script(name: str) -> str:
    return files("labkit.tuning").joinpath(f"{name}.sh").read_text(encoding="utf-8")


def _systemd_run(unit: Unit, name: str, timeout: float) -> list[str]:
    """The command that runs a unit. systemd replaces what follows a $ in its commands."""
    at_exit = f"/bin/sh -c {escape(_script('unit_exit'))}".replace("$", "$$")
    properties = {**unit.settings(), "RuntimeMaxSec": f"{timeout:g}", "ExecStopPost": at_exit}
    argv = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={name}"]
    argv += [f"--property={key}={value}" for key, value in properties.items()]
    argv += [f"--setenv={key}={value}" for key, value in unit.env.items()]
    return [*argv, "--", *(argument.replace("$", "$$") for argument in unit.command)]


def _parse(unit: Unit, stdout: str, stderr: str, seconds: float) -> UnitRun:
    counters: dict[str, str] = {}
    samples: list[list[str]] = []
    log: list[str] = []
    output: list[str] = []
    for line in stdout.splitlines():
        before, mark, rest = line.partition(f"{_MARK} ")
        if not mark:
            output.append(line)
            continue
        if before:  # the program ended without an end of line
            output.append(before)
        key, _, value = rest.partition(" ")
        if key == "sample":
            samples.append(value.split())
        elif key == "journal":
            log.append(value)
        else:
            counters[key] = value
    memory = _memory_frame(samples)
    return UnitRun(unit, "\n".join(output), stderr.strip(), counters, memory, log, seconds)


def _memory_frame(samples: list[list[str]]) -> pd.DataFrame:
    import pandas as pd

    columns = ["seconds", "mib", "high", "max", "oom_kill"]
    frame = pd.DataFrame(samples, columns=columns).astype(float)
    frame["seconds"] -= frame["seconds"].min()
    frame["mib"] /= 2**20
    return frame.astype(dict.fromkeys(columns[2:], int))
