"""systemd units from typed settings: checked, and installed as a change.

systemd drops a line that it cannot read, logs that to its journal only, and starts the service
without the line. So the settings of a unit are checked here, before it reaches a board.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import TuningError
from labkit.tuning.change import Change, Plan, replace_command

__all__ = ["InstalledUnit", "Unit", "escape", "verify"]

DIRECTORY = "/etc/systemd/system"
"""Where a board's owner keeps units of their own."""

_SCHED_POLICIES = ("other", "batch", "idle", "fifo", "rr")

_CONTROLLERS = {
    "MemoryMax": "memory",
    "MemoryHigh": "memory",
    "MemorySwapMax": "memory",
    "AllowedCPUs": "cpuset",
    "CPUQuota": "cpu",
}
"""The cgroup controller that a setting needs."""


@dataclass(frozen=True)
class Unit(StrRepr):
    """What a service runs, and the settings that this guide is about.

    ``command`` is the program and its arguments. ``cpu_affinity`` is CPUAffinity, a mask that
    the program can widen again; ``allowed_cpus`` is AllowedCPUs, a cpuset that it cannot.
    Memory sizes are bytes, or texts as systemd reads them: ``512M`` (of 1024 * 1024), ``50%``,
    ``infinity``. ``cpu_quota`` is CPUQuota in percent of one processor. ``sched_policy`` is one
    of other, batch, idle, fifo, rr; ``sched_priority`` goes with the last two, 1 to 99.
    ``env`` are environment variables.

    Raises :class:`TuningError` for a value that systemd would drop.

    >>> print(Unit(["/bin/true"], cpu_affinity=[2, 3], memory_max="128M").text(), end="")
    [Unit]
    Description=an experiment of the lab guide
    <BLANKLINE>
    [Service]
    ExecStart=/bin/true
    CPUAffinity=2 3
    MemoryMax=128M
    """

    command: Sequence[str]
    cpu_affinity: Sequence[int] = ()
    allowed_cpus: Sequence[int] = ()
    memory_max: int | str = ""
    memory_high: int | str = ""
    memory_swap_max: int | str = ""
    cpu_quota: int | None = None
    sched_policy: str = ""
    sched_priority: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.command, str) or not self.command:
            raise TuningError(
                f"{self.command!r} is not a command", expected="a list: a program and arguments"
            )
        for cpu in (*self.cpu_affinity, *self.allowed_cpus):
            if not isinstance(cpu, int) or cpu < 0:
                raise TuningError(f"{cpu!r} is not a processor", expected="numbers, as in [2, 3]")
        for name in ("memory_max", "memory_high", "memory_swap_max"):
            _check_memory_size(name, str(getattr(self, name)))
        if self.cpu_quota is not None and self.cpu_quota <= 0:
            raise TuningError(
                f"cpu_quota={self.cpu_quota}", expected="percent of one processor, as in 150"
            )
        if self.sched_policy not in ("", *_SCHED_POLICIES):
            raise TuningError(
                f"sched_policy={self.sched_policy!r}", expected=", ".join(_SCHED_POLICIES)
            )
        priorities = range(1, 100) if self.sched_policy in ("fifo", "rr") else (None,)
        if self.sched_priority not in priorities:
            raise TuningError(
                f"sched_policy={self.sched_policy!r} with sched_priority={self.sched_priority}",
                expected="a priority from 1 to 99 with fifo and rr, and none with the others",
            )

    def settings(self) -> dict[str, str]:
        """The settings by systemd's own names."""
        values = {
            "CPUAffinity": " ".join(map(str, self.cpu_affinity)),
            "AllowedCPUs": " ".join(map(str, self.allowed_cpus)),
            "MemoryMax": str(self.memory_max),
            "MemoryHigh": str(self.memory_high),
            "MemorySwapMax": str(self.memory_swap_max),
            "CPUQuota": f"{self.cpu_quota}%" if self.cpu_quota else "",
            "CPUSchedulingPolicy": self.sched_policy,
            "CPUSchedulingPriority": str(self.sched_priority or ""),
        }
        return {name: value for name, value in values.items() if value}

    def text(self) -> str:
        """The unit file."""
        # systemd replaces what follows a % everywhere, and what follows a $ in commands.
        argv = [escape(arg).replace("%", "%%") for arg in self.command]
        start = " ".join(argv).replace("$", "$$")
        pairs = [escape(f"{k}={v}").replace("%", "%%") for k, v in self.env.items()]
        variables = [f"Environment={pair}" for pair in pairs]
        lines = [f"{name}={value}" for name, value in self.settings().items()]
        about = "Description=an experiment of the lab guide"
        service = ["[Service]", f"ExecStart={start}", *variables, *lines]
        return "\n".join(["[Unit]", about, "", *service, ""])

    def unsupported(self, board: Board) -> list[str]:
        """The settings that the board cannot apply, a line each. systemd ignores them silently."""
        controllers, cpus = board.facts.cgroup_controllers, board.facts.cpus
        lines = [
            f"{name} does nothing: the board has no {_CONTROLLERS[name]} controller"
            for name in _CONTROLLERS
            if name in self.settings() and _CONTROLLERS[name] not in controllers
        ]
        beyond = [cpu for cpu in (*self.cpu_affinity, *self.allowed_cpus) if cpu >= cpus]
        if beyond:
            lines.append(f"there is no processor {beyond[0]}: the board has 0 to {cpus - 1}")
        return lines

    def __str__(self) -> str:
        return self.text()


def _check_memory_size(name: str, value: str) -> None:
    if value and not re.fullmatch(r"\d+[KMGT]?|\d+(\.\d+)?%|infinity", value):
        raise TuningError(
            f"{name}={value!r} is no size for systemd, which would drop the line",
            expected="bytes, or 512M, 50%, infinity",
        )


def verify(board: Board, text: str) -> list[str]:
    """What ``systemd-analyze verify`` on the board reports for a unit's text, a line each.

    >>> verify(board, "[Service]\\nExecStart=/bin/true\\nMemoryMax=1G # ok\\n")  # doctest: +SKIP
    ["labkit.service:3: Invalid memory limit '1G # ok', ignoring: Invalid argument"]
    """
    script = (
        'directory=$(mktemp -d); cat >"$directory/labkit.service"; '
        'systemd-analyze verify --man=no "$directory/labkit.service" 2>&1; rm -r "$directory"'
    )
    lines = board.run(script, stdin=text, env={"SYSTEMD_COLORS": "0"}).lines
    stripped = [re.sub(r"^.*/(labkit\.service:)", r"\1", line) for line in lines]
    return [line for line in stripped if line.startswith("labkit.service:")]


class InstalledUnit(Change):
    """A service file in /etc/systemd/system, started; the undo stops and removes it.

    The service is not enabled: after a reboot the file is there and the service is not started.
    ``text`` is the content of the file (see :meth:`Unit.text`).
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
        return f"{DIRECTORY}/{self.name}.service"

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return f"unit {self.name}.service"

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        unit = f"{self.name}.service"
        lines = self.board.run("systemctl show -p FragmentPath -p ActiveState %s", unit).lines
        properties = dict(line.split("=", 1) for line in lines)
        fragment_path = properties.get("FragmentPath", "")
        if fragment_path and fragment_path != self.path:
            raise TuningError(
                f"{self.board.name} has a unit {self.name} in {fragment_path}",
                expected="a name that is not in use",
            )
        undo = [
            f"systemctl stop {unit} 2>/dev/null || :",
            "systemctl daemon-reload",
            f"systemctl reset-failed {unit} 2>/dev/null || :",
            f"systemctl start {unit}" if properties.get("ActiveState") == "active" else ":",
        ]
        # The last line of systemctl's own message only names other commands to type.
        report = f'echo "it ended: $(systemctl show --value -p Result {unit})" >&2; exit 1'
        apply = [
            replace_command(self.path, self.content.encode()),
            "systemctl daemon-reload",
            f"systemctl restart {unit} || {{ {report}; }}",
        ]
        steps = "\n".join(apply), "\n".join(undo)
        return Plan(self.path, *steps, backup=(self.path,), persistent=True)

    def log(self) -> list[str]:
        """The service's lines in systemd's journal, since the board came up."""
        command = "journalctl -q -b -o cat -u %s"
        return self.board.check(command, f"{self.name}.service", sudo=True).lines

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`."""
        return {self.path: self.board.read_many([self.path], sudo=True).get(self.path, "")}

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return {self.path: self.content}


def escape(argument: str) -> str:
    """An argument as systemd reads it: in double quotes, with C's escapes, where it must be.

    >>> print(escape("plain"), escape('a "b"'))
    plain "a \\"b\\""
    """
    if re.fullmatch(r"[\w./:=,+@-]+", argument):
        return argument
    inner = argument.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'
