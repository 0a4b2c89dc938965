"""systemd units from typed settings: checked, and installed as a change.

systemd drops a line it cannot read, says so in its journal only, and starts the service
without it. So what a unit asks for is checked here, before it reaches a board.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import TuningError
from labkit.tuning.change import Change, Plan, replace

__all__ = ["InstalledUnit", "Unit", "escape", "verify"]

DIRECTORY = "/etc/systemd/system"
"""Where a board's owner keeps units of their own."""

_POLICIES = ("other", "batch", "idle", "fifo", "rr")


@dataclass(frozen=True)
class Unit(StrRepr):
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
        words = [escape(word).replace("%", "%%") for word in self.command]
        start = " ".join(words).replace("$", "$$")
        pairs = [escape(f"{k}={v}").replace("%", "%%") for k, v in self.environment.items()]
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
        return f"{DIRECTORY}/{self.name}.service"

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
        unit = f"{self.name}.service"
        undo = [
            f"systemctl stop {unit} 2>/dev/null || :",
            "systemctl daemon-reload",
            f"systemctl reset-failed {unit} 2>/dev/null || :",
            f"systemctl start {unit}" if state == "active" else ":",
        ]
        # systemctl's own last line only says where else to look.
        why = f'echo "it ended: $(systemctl show --value -p Result {unit})" >&2; exit 1'
        apply = [
            replace(self.path, self.content.encode()),
            "systemctl daemon-reload",
            f"systemctl restart {unit} || {{ {why}; }}",
        ]
        steps = "\n".join(apply), "\n".join(undo)
        return Plan(self.path, *steps, keep=(self.path,), persistent=True)

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


def escape(word: str) -> str:
    """A word as systemd reads it: in double quotes, with C's escapes."""
    if re.fullmatch(r"[\w./:=,+@-]+", word):
        return word
    inner = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'
