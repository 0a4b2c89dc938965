"""systemd units from typed settings: checked, run, observed; installed as a change.

systemd drops a line it cannot read, says so in its journal only, and starts the service
without it. So what a unit asks for is checked here before, and what came of it is read after.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.boards import Board
from labkit.errors import NotTaken, TuningError
from labkit.shown import Shown
from labkit.tuning.change import Change, Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InstalledUnit", "Unit", "UnitRun", "run_unit", "verify"]

FOLDER = "/etc/systemd/system"
"""Where a board's owner keeps units of their own."""

_POLICIES = ("other", "batch", "idle", "fifo", "rr")
_MARK = "@@labkit"

# Run by systemd in the unit's own cgroup after its main process, when the counters are still
# there (with the unit they are gone); the shell's own words only, for the cgroup may have no
# memory left.
_LAST_WORDS = f"""
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
"""


@dataclass(frozen=True)
class Unit(Shown):
    """What a service runs, and the settings that this guide is about.

    ``command`` is program and arguments. ``cpus`` is CPUAffinity, a mask the program may
    widen again; ``allowed_cpus`` is AllowedCPUs, a cpuset it may not. Memory sizes are bytes,
    or texts in systemd's spelling: ``512M`` (of 1024 * 1024), ``50%``, ``infinity``.
    ``quota`` is CPUQuota in percent of one processor. ``policy`` is one of other, batch, idle,
    fifo, rr; ``priority`` goes with the last two, 1 to 99.

    Raises :class:`TuningError` for what systemd would drop.

    >>> print(Unit(["/bin/true"], cpus=[2, 3], memory_max="128M").text(), end="")
    [Unit]
    Description=an experiment of the lab guide
    <BLANKLINE>
    [Service]
    ExecStart=/bin/true
    CPUAffinity=2 3
    MemoryMax=128M
    """

    command: Sequence[str]
    cpus: Sequence[int] = ()
    allowed_cpus: Sequence[int] = ()
    memory_max: int | str = ""
    memory_high: int | str = ""
    memory_swap_max: int | str = ""
    quota: int | None = None
    policy: str = ""
    priority: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.command, str) or not self.command:
            raise TuningError(f"{self.command!r} is no command", expected="a list of words")
        for cpu in (*self.cpus, *self.allowed_cpus):
            if not isinstance(cpu, int) or cpu < 0:
                raise TuningError(f"{cpu!r} is no processor", expected="numbers, as in [2, 3]")
        for name in ("memory_max", "memory_high", "memory_swap_max"):
            value = str(getattr(self, name))
            if value and not re.fullmatch(r"\d+[KMGT]?|\d+(\.\d+)?%|infinity", value):
                raise TuningError(
                    f"{name}={value!r} is no size for systemd, which would drop the line",
                    expected="bytes, or 512M, 50%, infinity",
                )
        if self.quota is not None and self.quota <= 0:
            raise TuningError(f"quota={self.quota}", expected="percent of one processor, as in 150")
        if self.policy not in ("", *_POLICIES):
            raise TuningError(f"policy={self.policy!r}", expected=", ".join(_POLICIES))
        allowed = range(1, 100) if self.policy in ("fifo", "rr") else (None,)
        if self.priority not in allowed:
            raise TuningError(
                f"policy={self.policy!r} with priority={self.priority}",
                expected="a priority from 1 to 99 with fifo and rr, and with no other",
            )

    def settings(self) -> dict[str, str]:
        """The settings in systemd's own names."""
        said = {
            "CPUAffinity": " ".join(map(str, self.cpus)),
            "AllowedCPUs": " ".join(map(str, self.allowed_cpus)),
            "MemoryMax": str(self.memory_max),
            "MemoryHigh": str(self.memory_high),
            "MemorySwapMax": str(self.memory_swap_max),
            "CPUQuota": f"{self.quota}%" if self.quota else "",
            "CPUSchedulingPolicy": self.policy,
            "CPUSchedulingPriority": str(self.priority or ""),
        }
        return {name: value for name, value in said.items() if value}

    def text(self) -> str:
        """The unit file."""
        # systemd has its own words behind a % everywhere, behind a $ in commands.
        words = [_quoted(word).replace("%", "%%") for word in self.command]
        start = " ".join(words).replace("$", "$$")
        pairs = [_quoted(f"{k}={v}").replace("%", "%%") for k, v in self.environment.items()]
        variables = [f"Environment={pair}" for pair in pairs]
        lines = [f"{name}={value}" for name, value in self.settings().items()]
        about = "Description=an experiment of the lab guide"
        service = ["[Service]", f"ExecStart={start}", *variables, *lines]
        return "\n".join(["[Unit]", about, "", *service, ""])

    def problems(self, board: Board) -> list[str]:
        """What the board cannot do of it, a line each. systemd would go on without a word."""
        there, cpus = board.facts.cgroup_controllers, board.facts.cpus
        lines = []
        for name, controller in (
            ("MemoryMax", "memory"),
            ("MemoryHigh", "memory"),
            ("MemorySwapMax", "memory"),
            ("AllowedCPUs", "cpuset"),
            ("CPUQuota", "cpu"),
        ):
            if name in self.settings() and controller not in there:
                lines.append(f"{name} does nothing: the board has no {controller} controller")
        beyond = [cpu for cpu in (*self.cpus, *self.allowed_cpus) if cpu >= cpus]
        if beyond:
            lines.append(f"there is no processor {beyond[0]}: the board has 0 to {cpus - 1}")
        return lines

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True, repr=False)
class UnitRun(Shown):
    """A unit that has run to its end.

    ``output`` is what the program printed, ``result`` systemd's word: success, exit-code,
    signal, oom-kill, timeout. ``counters`` hold what the unit's cgroup had counted at the end
    (``memory.events/oom_kill``, ``memory.peak`` in bytes, ``cpu.stat/throttled_usec``,
    ``memory.stat/workingset_refault_file``, pages of files that were taken away and read again).
    ``memory`` has a row a sample: ``seconds``, ``mib`` (memory.current), and how often by then
    the limits ``high`` and ``max`` had been met and ``oom_kill`` had struck.
    """

    unit: Unit
    output: str
    complaints: str
    counters: Mapping[str, str]
    memory: pd.DataFrame
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


def verify(board: Board, text: str) -> list[str]:
    """What ``systemd-analyze verify`` on the board says of a unit's text, a line each.

    >>> verify(board, "[Service]\\nExecStart=/bin/true\\nMemoryMax=1G # ok\\n")  # doctest: +SKIP
    ["labkit.service:3: Invalid memory limit '1G # ok', ignoring: Invalid argument"]
    """
    script = (
        'folder=$(mktemp -d); cat >"$folder/labkit.service"; '
        'systemd-analyze verify --man=no "$folder/labkit.service" 2>&1; rm -r "$folder"'
    )
    lines = board.run(script, stdin=text, env={"SYSTEMD_COLORS": "0"}).lines
    ours = [re.sub(r"^.*/(labkit\.service:)", r"\1", line) for line in lines]
    return [line for line in ours if line.startswith("labkit.service:")]


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
        raise TuningError(f"{board.name}: {problems[0]}", todo="run_unit(..., anyway=True)")
    last = f"/bin/sh -c {_quoted(_LAST_WORDS)}".replace("$", "$$")
    words = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={name}"]
    properties = {**unit.settings(), "RuntimeMaxSec": f"{limit:g}", "ExecStopPost": last}
    words += [f"--property={key}={value}" for key, value in properties.items()]
    words += [f"--setenv={key}={value}" for key, value in unit.environment.items()]
    command = [word.replace("$", "$$") for word in unit.command]
    script = (
        f"cd /; {shlex.join([*words, '--', *command])} & run=$!\n"
        f"group=/sys/fs/cgroup/system.slice/{name}.service every={every:g}\n{_SAMPLE}"
    )
    done = board.run("LC_ALL=C exec bash -c %s", script, sudo=True, timeout=limit + 60)
    run = _observed(unit, done.stdout, done.stderr, done.seconds)
    if not run.counters:
        said = (run.complaints or f"status {done.exit_status}").splitlines()[-1]
        raise NotTaken(f"{board.name} has not run {name}: {said}")
    return run


class InstalledUnit(Change):
    """A service file of one's own in /etc/systemd/system, started; undone it is gone again.

    Not enabled: after a reboot the file is there and the service is not started. ``text`` is
    the whole file (see :meth:`Unit.text`).
    Raises :class:`TuningError`, when planned, where another unit has that name.
    """

    def __init__(self, board: Board, name: str, text: str) -> None:
        super().__init__(board)
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) or name.endswith(".service"):
            raise TuningError(f"{name!r} cannot name a unit", expected="a name such as labkit-web")
        self.name = name
        self.content = text

    @property
    def path(self) -> str:
        """The unit file on the board."""
        return f"{FOLDER}/{self.name}.service"

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return f"unit {self.name}.service"

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        ask = "systemctl show -p FragmentPath -p ActiveState %s"
        lines = self.board.run(ask, f"{self.name}.service").lines
        said = dict(line.split("=", 1) for line in lines)
        where, state = said.get("FragmentPath", ""), said.get("ActiveState", "")
        if where and where != self.path:
            raise TuningError(
                f"{self.board.name} has a unit {self.name} in {where}", expected="a name of its own"
            )
        unit, file = f"{self.name}.service", shlex.quote(self.path)
        half = shlex.quote(f"{self.path}.labkit")
        undo = [
            f"systemctl stop {unit} 2>/dev/null || :",
            "systemctl daemon-reload",
            f"systemctl reset-failed {unit} 2>/dev/null || :",
            f"systemctl start {unit}" if state == "active" else ":",
        ]
        # systemctl's own last line only says where else to look.
        why = f'echo "it ended: $(systemctl show --value -p Result {unit})" >&2; exit 1'
        # In the place of what is there, not into it: that may be a link to somebody's file.
        apply = [
            f"printf %s {shlex.quote(self.content)} >{half}",
            f"chmod --reference={file} {half} 2>/dev/null || :",
            f"mv -fT {half} {file}",
            "systemctl daemon-reload",
            f"systemctl restart {unit} || {{ {why}; }}",
        ]
        steps = "\n".join(apply), "\n".join(undo)
        return Plan(self.path, *steps, keep=(self.path,), lasting=True)

    def journal(self) -> list[str]:
        """What the service and systemd have said of it since the board came up, a line each."""
        words = "journalctl -q -b -o cat -u %s"
        return self.board.check(words, f"{self.name}.service", sudo=True).lines

    def read(self) -> dict[str, str]:
        """See :meth:`Change.read`."""
        return {self.path: self.board.read_many([self.path], sudo=True).get(self.path, "")}

    def wanted(self) -> dict[str, str]:
        """See :meth:`Change.wanted`."""
        return {self.path: self.content}


def _observed(unit: Unit, out: str, err: str, seconds: float) -> UnitRun:
    import pandas as pd

    counters: dict[str, str] = {}
    samples: list[list[str]] = []
    printed = []
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
        else:
            counters[key] = value
    columns = ["seconds", "mib", "high", "max", "oom_kill"]
    memory = pd.DataFrame(samples, columns=columns).astype(float)
    memory["seconds"] -= memory["seconds"].min()
    memory["mib"] /= 2**20
    typed = memory.astype(dict.fromkeys(columns[2:], int))
    return UnitRun(unit, "\n".join(printed), err.strip(), counters, typed, seconds)


def _quoted(word: str) -> str:
    """A word as systemd reads it: in double quotes, with C's escapes."""
    if re.fullmatch(r"[\w./:=,+@-]+", word):
        return word
    inner = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'
