"""Processor clocks: what a board can do, and what it does.

All frequencies are in kHz, as the kernel has them (Documentation/admin-guide/pm/cpufreq.rst);
``config.txt`` has MHz, ``vcgencmd`` Hz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.boards import Board
from labkit.errors import TuningError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Policy",
    "chosen",
    "current",
    "module_governors",
    "policies",
    "require",
    "sample",
    "time_in_state",
]

ROOT = "/sys/devices/system/cpu/cpufreq"

# Every readable file of every policy, of a governor's own folder wherever it is, and the
# capacity of the processors; one program, not one a file.
_ASK = f"""
cd {ROOT} 2>/dev/null || exit 0
set --
for file in policy*/* */* policy*/*/*; do
    case $file in
    */stats/* | */cpuinfo_cur_freq | */scaling_cur_freq) ;;
    *) [ -f "$file" ] && set -- "$@" "$file" ;;
    esac
done
exec grep -Hs "" "$@" policy*/scaling_cur_freq ../cpu[0-9]*/cpu_capacity
"""


@dataclass(frozen=True)
class Policy:
    """Processors that share a clock, and how it is governed. Frequencies in kHz.

    ``hardware_min_khz`` and ``hardware_max_khz`` are what the firmware allows, ``min_khz``
    and ``max_khz`` the limits in force. ``available_khz`` is empty where the driver has no
    table. ``capacity`` is the processors' strength, 1024 for the strongest of the board,
    None where the kernel does not say. ``tunables`` are the governor's own settings:
    ``{path below cpufreq/: value}``; some belong to all policies.
    """

    name: str
    cpus: tuple[int, ...]
    driver: str
    governor: str
    governors: tuple[str, ...]
    min_khz: int
    max_khz: int
    hardware_min_khz: int
    hardware_max_khz: int
    current_khz: int
    available_khz: tuple[int, ...] = ()
    capacity: int | None = None
    setspeed: str = ""
    tunables: Mapping[str, str] = field(default_factory=dict)


def policies(board: Board, *, sudo: bool = False) -> list[Policy]:
    """The policies of a board, asked in one round trip; none where it has no cpufreq.

    A policy whose processors are all offline says nothing and is left out. ``sudo`` is for
    kernels where only root may read a governor's settings.

    >>> policies(open_board("raspberry-pi-5"))[0].hardware_max_khz    # doctest: +SKIP
    2400000
    """
    said: dict[str, str] = {}
    for line in board.run(_ASK, sudo=sudo).lines:
        path, _, value = line.partition(":")
        said[path] = value.strip()
    names = (path.split("/")[0] for path in said if path.endswith("/scaling_governor"))
    return [_policy(name, said) for name in sorted(names, key=_number)]


def current(board: Board) -> dict[int, int]:
    """The clock of each processor now, ``{cpu: kHz}``: one command, and the shell's own words.

    Empty where the board has no cpufreq.
    """
    script = (
        "for d in /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do "
        "if read -r f <$d/scaling_cur_freq; then d=${d%/*}; echo ${d##*cpu} $f; fi; "
        "done 2>/dev/null"
    )
    pairs = (line.split() for line in board.run(script).lines)
    return {int(cpu): int(khz) for cpu, khz in sorted(pairs, key=lambda pair: int(pair[0]))}


def module_governors(board: Board) -> list[str]:
    """Governors that the board has as modules, loaded or not."""
    ask = "ls /lib/modules/$(uname -r)/kernel/drivers/cpufreq 2>/dev/null"
    names = (line.partition(".")[0] for line in board.run(ask).lines)
    return sorted(name.removeprefix("cpufreq_") for name in names if name.startswith("cpufreq_"))


def sample(board: Board, *, seconds: float, every: float = 0.05) -> pd.DataFrame:
    """The clocks over time, sampled on the board by its shell, which forks for the pauses only.

    Columns: ``seconds`` since the first sample, ``policy``, ``khz``. ``every`` is the pause
    between two samples in seconds; on a slow board a sample takes longer.
    Raises :class:`TuningError` where the board has no cpufreq.
    """
    import pandas as pd

    require(board)
    count = max(int(seconds / every), 1)
    script = (
        f"cd {ROOT}; i=0; while [ $i -lt {count} ]; do i=$((i+1)); read -r t rest </proc/uptime; "
        "for p in policy*; do read -r f <$p/scaling_cur_freq; echo $t $p $f; done; "
        f"sleep {every:g}; done"
    )
    rows = [line.split() for line in board.check(script, timeout=seconds * 10 + 30).lines]
    frame = pd.DataFrame(rows, columns=["seconds", "policy", "khz"])
    typed: pd.DataFrame = frame.astype({"seconds": float, "khz": int})
    typed["seconds"] -= typed["seconds"].min()
    return typed


def time_in_state(board: Board) -> pd.DataFrame:
    """Seconds spent at each clock since the board came up: a row a kHz, a column a policy.

    The kernel counts in ticks of 10 ms. Raises :class:`TuningError` where it does not count.
    """
    import pandas as pd

    require(board)
    lines = board.run(f"cd {ROOT}; grep -Hs '' policy*/stats/time_in_state").lines
    rows = [line.replace("/stats/time_in_state:", " ").split() for line in lines]
    if not rows:
        raise TuningError(
            f"the kernel of {board.name} does not count the time at each clock",
            expected="CONFIG_CPU_FREQ_STAT=y",
        )
    frame = pd.DataFrame(rows, columns=["policy", "kHz", "seconds"])
    frame = frame.astype({"kHz": int, "seconds": float})
    frame["seconds"] /= 100
    return frame.pivot_table(index="kHz", columns="policy", values="seconds")


def require(board: Board, policy: str | None = None, *, sudo: bool = False) -> list[Policy]:
    """The policies asked for. Raises :class:`TuningError` where there are none."""
    there = policies(board, sudo=sudo)
    if not there:
        raise TuningError(
            f"{board.name} has no processor clock that the kernel governs",
            expected=f"{ROOT}/policy0",
            hint="labkit board up raspberry-pi-5, for a virtual board that has",
        )
    return chosen(board, there, policy)


def chosen(board: Board, there: list[Policy], policy: str | None) -> list[Policy]:
    """Of the policies of a board those asked for. Raises :class:`TuningError`."""
    asked = [each for each in there if policy in (None, each.name)]
    if not asked:
        names = ", ".join(each.name for each in there)
        raise TuningError(f"{board.name} has no {policy}", expected=f"one of {names}")
    return asked


def _policy(name: str, said: Mapping[str, str]) -> Policy:
    def text(file: str) -> str:
        return said.get(f"{name}/{file}", "")

    def khz(file: str) -> int:
        return int(text(file)) if text(file).isdigit() else 0

    governor = text("scaling_governor")
    cpus = tuple(int(cpu) for cpu in text("affected_cpus").split())
    capacity = said.get(f"../cpu{cpus[0]}/cpu_capacity") if cpus else None
    own = (f"{name}/{governor}/", f"{governor}/")
    return Policy(
        name=name,
        cpus=cpus,
        driver=text("scaling_driver"),
        governor=governor,
        governors=tuple(sorted(text("scaling_available_governors").split())),
        min_khz=khz("scaling_min_freq"),
        max_khz=khz("scaling_max_freq"),
        hardware_min_khz=khz("cpuinfo_min_freq"),
        hardware_max_khz=khz("cpuinfo_max_freq"),
        current_khz=khz("scaling_cur_freq"),
        available_khz=tuple(sorted(map(int, text("scaling_available_frequencies").split()))),
        capacity=int(capacity) if capacity else None,
        setspeed=text("scaling_setspeed"),
        tunables={path: value for path, value in said.items() if path.startswith(own)},
    )


def _number(name: str) -> int:
    return int(name.removeprefix("policy"))
