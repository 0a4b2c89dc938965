"""A unit run once, to its end, and what became of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import ChangeRejected, TuningError
from labkit.tuning.units import Unit, escape

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UnitRun", "run_unit"]

_MARK = "@@labkit"

# Run by systemd in the unit's own cgroup after its main process, when the counters are still
# there (with the unit they are gone); the shell's own words only, for the cgroup may have no
# memory left.
_EXIT_REPORT = f"""
IFS=: read -r zero none group </proc/self/cgroup
cd "/sys/fs/cgroup$group"
echo "{_MARK} result $SERVICE_RESULT"
echo "{_MARK} exit $EXIT_CODE $EXIT_STATUS"
while read -r key value; do
    case $key in Cpus_allowed_list:) echo "{_MARK} Cpus_allowed_list $value" ;; esac
done </proc/self/status
for file in memory.peak memory.max memory.high memory.swap.max cpu.max cpuset.cpus.effective; do
    if read -r value <$file; then echo "{_MARK} $file $value"; fi
done 2>/dev/null
for file in memory.events cpu.stat; do
    while read -r key value; do echo "{_MARK} $file/$key $value"; done <$file
done 2>/dev/null
while read -r key value; do
    case $key in workingset_refault_file) echo "{_MARK} memory.stat/$key $value" ;; esac
done 2>/dev/null <memory.stat
exit 0
"""

# Beside the unit, for as long as its main process is there; in bash's own words, for a fork
# for each sample, and be it for a pause, would cost more than the sample. The samples are
# kept until the program has done printing.
_SAMPLE = f"""
exec {{never}}<> <(:)
{{
until read -r main <$group/cgroup.procs || ! kill -0 $run; do read -rt 0.01 -u $never; done
while kill -0 ${{main:-$run}}; do
    if read -r bytes <$group/memory.current; then
        while read -r key value; do
            case $key in high) high=$value ;; max) max=$value ;; oom_kill) oom=$value ;; esac
        done <$group/memory.events
        samples+="{_MARK} sample $EPOCHREALTIME $bytes $high $max $oom"$'\\n'
    fi
    read -rt $every -u $never
done
}} 2>/dev/null
wait $run
printf %s "$samples"
journalctl --sync 2>/dev/null
journalctl -qb -o cat -u $name --since @$began 2>/dev/null | while IFS= read -r line; do
    echo "{_MARK} journal $line"
done
"""


@dataclass(frozen=True, repr=False)
class UnitRun(StrRepr):
    """A unit that has run to its end.

    ``output`` is what the program printed, ``result`` systemd's word: success, exit-code,
    signal, oom-kill, timeout. ``counters`` hold what the unit's cgroup had counted at the end
    (``memory.events/oom_kill``, ``memory.peak`` in bytes, ``cpu.stat/throttled_usec``,
    ``memory.stat/workingset_refault_file``, pages of files that were taken away and read again).
    ``memory`` has a row a sample: ``seconds``, ``mib`` (memory.current), and how often by then
    the limits ``high`` and ``max`` had been met and ``oom_kill`` had struck. ``journal`` is what
    systemd and the kernel noted of the unit meanwhile, a line each.
    """

    unit: Unit
    output: str
    complaints: str
    counters: Mapping[str, str]
    memory: pd.DataFrame
    journal: Sequence[str]
    seconds: float

    @property
    def result(self) -> str:
        """systemd's word for how it ended."""
        return self.counters.get("result", "not started")

    def count(self, name: str) -> int:
        """One of the counters as a number; 0 where the board does not count it."""
        value = self.counters.get(name, "0")
        return int(value) if value.isdigit() else 0

    def as_frame(self) -> pd.DataFrame:
        """All that was counted, a row a counter: column ``at the end`` (text)."""
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
    limit: float = 60.0,
    every: float = 0.1,
    anyway: bool = False,
) -> UnitRun:
    """Run a unit once, transient and as root, to its end, and observe it.

    systemd ends it after ``limit`` seconds, whatever becomes of us, and forgets it: there is
    nothing to undo. Its memory is looked at ``every`` so many seconds. Raises
    :class:`TuningError` for what the board cannot do (see :meth:`Unit.problems`), unless
    ``anyway``.
    """
    problems = unit.problems(board)
    if problems and not anyway:
        raise TuningError(f"{board.name}: {problems[0]}", hint="run_unit(..., anyway=True)")
    last = f"/bin/sh -c {escape(_EXIT_REPORT)}".replace("$", "$$")
    words = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={name}"]
    properties = {**unit.settings(), "RuntimeMaxSec": f"{limit:g}", "ExecStopPost": last}
    words += [f"--property={key}={value}" for key, value in properties.items()]
    words += [f"--setenv={key}={value}" for key, value in unit.environment.items()]
    command = [word.replace("$", "$$") for word in unit.command]
    script = (
        f"cd /; began=$EPOCHREALTIME name={name}.service every={every:g}\n"
        f"{shlex.join([*words, '--', *command])} & run=$!\n"
        f"group=/sys/fs/cgroup/system.slice/$name\n{_SAMPLE}"
    )
    done = board.run("LC_ALL=C exec bash -c %s", script, sudo=True, timeout=limit + 60)
    run = _observed(unit, done.stdout, done.stderr, done.seconds)
    if not run.counters:
        said = (run.complaints or f"status {done.exit_status}").splitlines()[-1]
        raise ChangeRejected(f"{board.name} has not run {name}: {said}")
    return run


def _observed(unit: Unit, out: str, err: str, seconds: float) -> UnitRun:
    import pandas as pd

    counters: dict[str, str] = {}
    samples: list[list[str]] = []
    journal: list[str] = []
    printed: list[str] = []
    for line in out.splitlines():
        before, mark, rest = line.partition(f"{_MARK} ")
        if not mark:
            printed.append(line)
            continue
        if before:  # the program ended without an end of line
            printed.append(before)
        key, _, value = rest.partition(" ")
        if key == "sample":
            samples.append(value.split())
        elif key == "journal":
            journal.append(value)
        else:
            counters[key] = value
    columns = ["seconds", "mib", "high", "max", "oom_kill"]
    memory = pd.DataFrame(samples, columns=columns).astype(float)
    memory["seconds"] -= memory["seconds"].min()
    memory["mib"] /= 2**20
    typed = memory.astype(dict.fromkeys(columns[2:], int))
    return UnitRun(unit, "\n".join(printed), err.strip(), counters, typed, journal, seconds)
