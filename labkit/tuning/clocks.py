"""Governor, limits and tunables of the processor clocks, as changes. Frequencies in kHz."""

from __future__ import annotations

import operator
import shlex
from abc import abstractmethod
from collections.abc import Iterable, Sequence

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.tuning.change import Change, Plan, write
from labkit.tuning.cpufreq import ROOT, Policy, chosen, require

__all__ = ["Governor", "Limits", "Tunable"]


class _CpufreqChange(Change):
    """What changes of clocks share: the way back, which puts all of a policy's settings back."""

    def __init__(self, board: Board, policy: str | None) -> None:
        super().__init__(board)
        self.policy = policy
        self._asked: dict[str, str] = {}

    @abstractmethod
    def _settings(self, there: Sequence[Policy]) -> dict[str, str]:
        """What is changed, as it is now: ``{path below cpufreq/: value}``."""

    @abstractmethod
    def _value(self, path: str) -> str:
        """What is asked for there."""

    def _steps(self, there: Sequence[Policy]) -> tuple[str, str]:
        """Commands before the values are written, and after all is put back."""
        return "", ""

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        there = require(self.board, sudo=True)
        mine = chosen(self.board, there, self.policy)
        before, after = self._steps(mine)
        self._asked = {path: self._value(path) for path in self._settings(mine)}
        apply = [f"cd {ROOT}", before, *(write(v, path) for path, v in self._asked.items())]
        # Governor, limits and tunables hang together, on some boards between policies too: so
        # there is one subject, and the way back covers all of it.
        undo = [f"cd {ROOT}", *_way_back(there), after]
        return Plan("cpufreq", "\n".join(apply), "\n".join(undo))

    def read(self) -> dict[str, str]:
        """See :meth:`Change.read`."""
        return self._settings(require(self.board, self.policy, sudo=True))

    def wanted(self) -> dict[str, str]:
        """See :meth:`Change.wanted`."""
        return self._asked or {path: self._value(path) for path in self.read()}

    def _where(self) -> str:
        return self.policy or "all policies"


class Governor(_CpufreqChange):
    """Another governor for one policy, or for all. ``load_modules`` loads its module if need be.

    Raises :class:`TuningError`, when planned, where the board has no such governor.

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
        return f"governor of {self._where()}: {self.governor}"

    def _settings(self, there: Sequence[Policy]) -> dict[str, str]:
        return {f"{each.name}/scaling_governor": each.governor for each in there}

    def _value(self, path: str) -> str:
        return self.governor

    def _steps(self, there: Sequence[Policy]) -> tuple[str, str]:
        if all(self.governor in each.governors for each in there):
            return "", ""
        return self._module(there[0])

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

    The kernel moves a value it cannot have to one it can. With ``allow_clamped`` that is taken, and
    :meth:`read_back` shows it; otherwise it is :class:`ChangeRejected`. Raises :class:`TuningError`
    at once for a value that was plainly meant in Hz or MHz.

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
            name: _in_khz(given, value)
            for name, given, value in (
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
        return f"limits of {self._where()}: {limits}"

    def _settings(self, there: Sequence[Policy]) -> dict[str, str]:
        said: dict[str, str] = {}
        for each in there:
            both = {"scaling_min_freq": each.min_khz, "scaling_max_freq": each.max_khz}
            said |= {f"{each.name}/{name}": str(both[name]) for name in self.limits}
        return said

    def _value(self, path: str) -> str:
        return str(self.limits[path.split("/")[1]])

    def _steps(self, there: Sequence[Policy]) -> tuple[str, str]:
        if len(self.limits) < 2:
            return "", ""
        # Whichever goes first must not cross the other.
        up = [write(each.hardware_max_khz, f"{each.name}/scaling_max_freq") for each in there]
        return "\n".join(up), ""


class Tunable(_CpufreqChange):
    """Another value for a setting of the governor in force, such as ``up_threshold`` (percent)."""

    def __init__(
        self, board: Board, name: str, value: object, *, policy: str | None = None
    ) -> None:
        super().__init__(board, policy)
        self.name = name
        self.value = str(value)

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return f"{self.name} of {self._where()}: {self.value}"

    def _settings(self, there: Sequence[Policy]) -> dict[str, str]:
        all_of = {path: value for each in there for path, value in each.tunables.items()}
        mine = {path: v for path, v in all_of.items() if path.rsplit("/", 1)[-1] == self.name}
        if not mine:
            names = ", ".join(sorted({path.rsplit("/", 1)[-1] for path in all_of})) or "none"
            raise TuningError(
                f"governor {there[0].governor} of {self.board.name} has no {self.name!r}",
                expected=f"one of its own: {names}",
            )
        return mine

    def _value(self, path: str) -> str:
        return self.value


def _way_back(there: Iterable[Policy]) -> list[str]:
    """Commands that put every setting of the policies back, whatever is in force now.

    The governor first, for its tunables are there with it only. The upper limit all the way
    up before the lower one is set: kernels before 5.3 refuse limits that cross.
    """
    lines = [_PUT]
    tunables: dict[str, str] = {}
    for each in there:
        low, high = f"{each.name}/scaling_min_freq", f"{each.name}/scaling_max_freq"
        lines += [
            f"put {each.name}/scaling_governor {shlex.quote(each.governor)}",
            f"if ! same {low} {each.min_khz} || ! same {high} {each.max_khz}; then",
            write(each.hardware_max_khz, high),
            write(each.min_khz, low),
            write(each.max_khz, high),
            "fi",
        ]
        if each.setspeed.isdigit():
            lines.append(f"put {each.name}/scaling_setspeed {each.setspeed}")
        tunables |= each.tunables
    puts = [f"put {shlex.quote(p)} {shlex.quote(v)}" for p, v in tunables.items()]
    # conservative refuses a down_threshold that is above up_threshold even for the moment
    # between two writes: so each has a second try.
    return [*lines, *(f"{each} 2>/dev/null || :" for each in puts), *puts]


# The shell's own words where nothing is to be done: a fork is dear on an emulated board. Some
# governors have settings that can only be read.
_PUT = """
same() { read -r now <"$1" && [ "$now" = "$2" ]; }
put() { [ ! -w "$1" ] || same "$1" "$2" || echo "$2" | tee "$1" >/dev/null; }
"""


def _in_khz(name: str, value: int) -> int:
    """The value, if it can be a clock in kHz: none is below 10 MHz, none above 10 GHz."""
    try:
        khz = operator.index(value)
    except TypeError:
        raise TuningError(f"{name}={value!r} is no clock", expected="whole kHz") from None
    if khz <= 0:
        raise TuningError(f"{name}={khz} is no clock", expected="a number of kHz")
    for unit, limit, factor in (("GHz", 10, 1_000_000), ("MHz", 10_000, 1000)):
        if khz < limit:
            raise TuningError(f"{name}={khz} looks like {unit}", expected=f"kHz: {khz * factor}")
    if khz >= 10_000_000:
        raise TuningError(f"{name}={khz} looks like Hz", expected=f"kHz: {khz // 1000}")
    return khz
