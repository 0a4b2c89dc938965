"""Governor, limits and tunables of the processor clocks, as changes. Frequencies in kHz."""

from __future__ import annotations

import operator
import shlex
from abc import abstractmethod
from collections.abc import Iterable, Sequence

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.tuning.change import Change, Plan, write_command
from labkit.tuning.cpufreq import ROOT, Policy, require_policies, select

__all__ = ["Governor", "Limits", "Tunable"]


class _CpufreqChange(Change):
    """What changes of clocks share: an undo that puts back all settings of all policies."""

    def __init__(self, board: Board, policy: str | None) -> None:
        super().__init__(board)
        self.policy = policy
        self._desired: dict[str, str] = {}

    @abstractmethod
    def _settings(self, policies: Sequence[Policy]) -> dict[str, str]:
        """The present values of what is changed: ``{path below cpufreq/: value}``."""

    @abstractmethod
    def _value(self, path: str) -> str:
        """The value to be written to ``path``."""

    def _steps(self, policies: Sequence[Policy]) -> tuple[str, str]:
        """Commands before the values are written, and after everything is put back."""
        return "", ""

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        policies = require_policies(self.board, sudo=True)
        selected = select(self.board, policies, self.policy)
        before, after = self._steps(selected)
        self._desired = {path: self._value(path) for path in self._settings(selected)}
        writes = [write_command(value, path) for path, value in self._desired.items()]
        apply = [f"cd {ROOT}", before, *writes]
        # Governor, limits and tunables depend on each other, on some boards between policies
        # too: so they are one resource, and the undo covers all of it.
        undo = [f"cd {ROOT}", *_restore_commands(policies), after]
        return Plan("cpufreq", "\n".join(apply), "\n".join(undo))

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`."""
        return self._settings(require_policies(self.board, self.policy, sudo=True))

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return self._desired or {path: self._value(path) for path in self.current()}

    def _policy_label(self) -> str:
        return self.policy or "all policies"


class Governor(_CpufreqChange):
    """Another governor for one policy, or for all.

    With ``load_modules`` the governor's kernel module is loaded if it must be. Raises
    :class:`TuningError`, when planned, where the board has no such governor.

    >>> with Governor(board, "performance"):                         # doctest: +SKIP
    ...     policies(board)[0].governor
    'performance'
    """

    def __init__(
        self, board: Board, governor: str, *, policy: str | None = None, load_modules: bool = False
    ) -> None:
        super().__init__(board, policy)
        self.governor = governor
        self.load_modules = load_modules

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return f"governor of {self._policy_label()}: {self.governor}"

    def _settings(self, policies: Sequence[Policy]) -> dict[str, str]:
        return {f"{policy.name}/scaling_governor": policy.governor for policy in policies}

    def _value(self, path: str) -> str:
        return self.governor

    def _steps(self, policies: Sequence[Policy]) -> tuple[str, str]:
        if all(self.governor in policy.governors for policy in policies):
            return "", ""
        return self._module(policies[0])

    def _module(self, policy: Policy) -> tuple[str, str]:
        """Commands that load the governor's module, and that unload it again."""
        module = f"cpufreq_{self.governor}"
        known = self.board.run("modinfo -F filename %s", module, sudo=True).ok
        if not (known and self.load_modules):
            raise TuningError(
                f"{self.board.name} has no governor {self.governor!r} now",
                expected=f"one of {', '.join(policy.governors)}",
                hint=f"Governor(board, {self.governor!r}, load_modules=True)" if known else "",
            )
        return f"modprobe {shlex.quote(module)}", f"modprobe -r -q {shlex.quote(module)} || :"


class Limits(_CpufreqChange):
    """Other limits, in kHz, for one policy or for all. None leaves one as it is.

    The kernel moves a value that is out of range to one that is in it. With ``allow_clamped``
    that is accepted, and :meth:`read_back` shows it; otherwise :class:`ChangeRejected` is
    raised. Raises :class:`TuningError` at once for a value that was plainly meant in Hz or MHz.

    >>> Limits(board, max_khz=2400)                                   # doctest: +SKIP
    Traceback (most recent call last):
    labkit.errors.TuningError: max_khz=2400 looks like MHz; expected kHz: 2400000
    """

    def __init__(
        self,
        board: Board,
        *,
        min_khz: int | None = None,
        max_khz: int | None = None,
        policy: str | None = None,
        allow_clamped: bool = False,
    ) -> None:
        super().__init__(board, policy)
        self.limits = {
            file: _in_khz(parameter, value)
            for file, parameter, value in (
                ("scaling_min_freq", "min_khz", min_khz),
                ("scaling_max_freq", "max_khz", max_khz),
            )
            if value is not None
        }
        if not self.limits:
            raise TuningError("no limit was given", expected="min_khz or max_khz")
        if min_khz is not None and max_khz is not None and min_khz > max_khz:
            raise TuningError(f"min_khz={min_khz} is above max_khz={max_khz}")
        self.allow_clamped = allow_clamped

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        limits = ", ".join(f"{name} {khz} kHz" for name, khz in self.limits.items())
        return f"limits of {self._policy_label()}: {limits}"

    def _settings(self, policies: Sequence[Policy]) -> dict[str, str]:
        settings: dict[str, str] = {}
        for policy in policies:
            both = {"scaling_min_freq": policy.min_khz, "scaling_max_freq": policy.max_khz}
            settings |= {f"{policy.name}/{name}": str(both[name]) for name in self.limits}
        return settings

    def _value(self, path: str) -> str:
        return str(self.limits[path.split("/")[1]])

    def _steps(self, policies: Sequence[Policy]) -> tuple[str, str]:
        if len(self.limits) < 2:
            return "", ""
        # The limit that is written first must not cross the other one.
        commands = [
            write_command(policy.hardware_max_khz, f"{policy.name}/scaling_max_freq")
            for policy in policies
        ]
        return "\n".join(commands), ""


class Tunable(_CpufreqChange):
    """Another value for a setting of the active governor, such as ``up_threshold`` (percent).

    Raises :class:`TuningError`, when planned, where the governor has no such setting.
    """

    def __init__(
        self, board: Board, name: str, value: object, *, policy: str | None = None
    ) -> None:
        super().__init__(board, policy)
        self.name = name
        self.value = str(value)

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return f"{self.name} of {self._policy_label()}: {self.value}"

    def _settings(self, policies: Sequence[Policy]) -> dict[str, str]:
        tunables = {path: value for policy in policies for path, value in policy.tunables.items()}
        selected = {path: v for path, v in tunables.items() if path.split("/")[-1] == self.name}
        if not selected:
            names = ", ".join(sorted({path.split("/")[-1] for path in tunables})) or "none"
            raise TuningError(
                f"governor {policies[0].governor} of {self.board.name} has no {self.name!r}",
                expected=f"one of its own: {names}",
            )
        return selected

    def _value(self, path: str) -> str:
        return self.value


def _restore_commands(policies: Iterable[Policy]) -> list[str]:
    """Commands that put every setting of the policies back, whatever they are now.

    The governor comes first, because its tunables exist only while it is active. The upper
    limit goes up to the hardware's before the lower one is set: kernels before 5.3 refuse
    limits that cross.
    """
    lines = [_PUT_FUNCTIONS]
    tunables: dict[str, str] = {}
    for policy in policies:
        low, high = f"{policy.name}/scaling_min_freq", f"{policy.name}/scaling_max_freq"
        lines += [
            f"put {policy.name}/scaling_governor {shlex.quote(policy.governor)}",
            f"if ! same {low} {policy.min_khz} || ! same {high} {policy.max_khz}; then",
            write_command(policy.hardware_max_khz, high),
            write_command(policy.min_khz, low),
            write_command(policy.max_khz, high),
            "fi",
        ]
        if policy.setspeed.isdigit():
            lines.append(f"put {policy.name}/scaling_setspeed {policy.setspeed}")
        tunables |= policy.tunables
    puts = [f"put {shlex.quote(p)} {shlex.quote(v)}" for p, v in tunables.items()]
    # conservative refuses a down_threshold above up_threshold, even for the moment between two
    # writes: so each value is tried twice.
    return [*lines, *(f"{put} 2>/dev/null || :" for put in puts), *puts]


# What has its value already is not written: a fork is slow on an emulated board. Some
# governors have settings that are read-only.
_PUT_FUNCTIONS = """
same() { read -r now <"$1" && [ "$now" = "$2" ]; }
put() { [ ! -w "$1" ] || same "$1" "$2" || echo "$2" | tee "$1" >/dev/null; }
"""


def _in_khz(name: str, value: int) -> int:
    """The value, if it can be a clock in kHz: no clock is below 10 MHz or above 10 GHz."""
    try:
        khz = operator.index(value)
    except TypeError:
        raise TuningError(f"{name}={value!r} is not a clock", expected="whole kHz") from None
    if khz <= 0:
        raise TuningError(f"{name}={khz} is not a clock", expected="a number of kHz above 0")
    for unit, limit, factor in (("GHz", 10, 1_000_000), ("MHz", 10_000, 1000)):
        if khz < limit:
            raise TuningError(f"{name}={khz} looks like {unit}", expected=f"kHz: {khz * factor}")
    if khz >= 10_000_000:
        raise TuningError(f"{name}={khz} looks like Hz", expected=f"kHz: {khz // 1000}")
    return khz
