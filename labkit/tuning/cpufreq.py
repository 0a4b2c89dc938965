"""Processor clocks: what a board can do, and what it does.

All frequencies are in kHz, as in the kernel (Documentation/admin-guide/pm/cpufreq.rst);
``config.txt`` has MHz, ``vcgencmd`` Hz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from labkit.boards import Board
from labkit.errors import TuningError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ROOT",
    "Policy",
    "current_khz",
    "module_governors",
    "policies",
    "require_policies",
    "sample",
    "select",
    "time_in_state",
]

ROOT = "/sys/devices/system/cpu/cpufreq"
"""The kernel's directory with one directory for each policy."""

_POLICIES_SCRIPT = files("labkit.tuning").joinpath("policies.sh").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Policy:
    """Processors that share a clock, and how it is governed. Frequencies in kHz.

    ``hardware_min_khz`` and ``hardware_max_khz`` are what the firmware allows, ``min_khz``
    and ``max_khz`` the limits that are set. ``available_khz`` is empty where the driver has no
    table. ``capacity`` is the relative speed of the processors, 1024 for the fastest of the
    board, None where the kernel does not report it. ``tunables`` are the governor's own
    settings, ``{path below cpufreq/: value}``; some of them apply to all policies.
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
    """The policies of a board, read in one round trip; empty where it has no cpufreq.

    A policy whose processors are all offline is left out. ``sudo`` is for kernels where only
    root may read a governor's settings.

    >>> policies(open_board("raspberry-pi-5"))[0].hardware_max_khz    # doctest: +SKIP
    2400000
    """
    values: dict[str, str] = {}
    for line in board.run(_POLICIES_SCRIPT, sudo=sudo).lines:
        path, _, value = line.partition(":")
        values[path] = value.strip()
    names = (path.split("/")[0] for path in values if path.endswith("/scaling_governor"))
    return [_policy(name, values) for name in sorted(names, key=_policy_index)]


def current_khz(board: Board) -> dict[int, int]:
    """The clock of each processor now, ``{cpu: kHz}``; empty where the board has no cpufreq.

    One command, which starts no further program on the board.
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
    script = "ls /lib/modules/$(uname -r)/kernel/drivers/cpufreq 2>/dev/null"
    names = (line.partition(".")[0] for line in board.run(script).lines)
    return sorted(name.removeprefix("cpufreq_") for name in names if name.startswith("cpufreq_"))


def sample(board: Board, *, seconds: float, interval: float = 0.05) -> pd.DataFrame:
    """The clocks over time, sampled on the board by its shell, which forks for the pauses only.

    Columns: ``seconds`` since the first sample, ``policy``, ``khz``. ``interval`` is the pause
    between two samples in seconds; on a slow board a sample takes longer.
    Raises :class:`TuningError` where the board has no cpufreq.
    """
    import pandas as pd

    require_policies(board)
    count = max(int(seconds / interval), 1)
    script = (
        f"cd {ROOT}; i=0; while [ $i -lt {count} ]; do i=$((i+1)); read -r t rest </proc/uptime; "
        "for p in policy*; do read -r f <$p/scaling_cur_freq; echo $t $p $f; done; "
        f"sleep {interval:g}; done"
    )
    rows = [line.split() for line in board.check(script, timeout=seconds * 10 + 30).lines]
    frame = pd.DataFrame(rows, columns=["seconds", "policy", "khz"])
    samples: pd.DataFrame = frame.astype({"seconds": float, "khz": int})
    samples["seconds"] -= samples["seconds"].min()
    return samples


def time_in_state(board: Board) -> pd.DataFrame:
    """Seconds spent at each clock since the board came up: a row per kHz, a column per policy.

    The kernel counts in ticks of 10 ms. Raises :class:`TuningError` where it does not count.
    """
    import pandas as pd

    require_policies(board)
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


def require_policies(
    board: Board, policy: str | None = None, *, sudo: bool = False
) -> list[Policy]:
    """The policy of that name, or all policies. Raises :class:`TuningError` where none is there."""
    available = policies(board, sudo=sudo)
    if not available:
        raise TuningError(
            f"{board.name} has no processor clock that the kernel governs",
            expected=f"{ROOT}/policy0",
            hint="labkit board up raspberry-pi-5, for a virtual board that has one",
        )
    return select(board, available, policy)


def select(board: Board, available: list[Policy], policy: str | None) -> list[Policy]:
    """From the ``available`` policies of a board the one called ``policy``; all of them for None.

    Raises :class:`TuningError` where there is no such policy.
    """
    selected = [candidate for candidate in available if policy in (None, candidate.name)]
    if not selected:
        names = ", ".join(candidate.name for candidate in available)
        raise TuningError(f"{board.name} has no {policy}", expected=f"one of {names}")
    return selected


def _policy(name: str, values: Mapping[str, str]) -> Policy:
    def text(file: str) -> str:
        return values.get(f"{name}/{file}", "")

    def khz(file: str) -> int:
        return int(text(file)) if text(file).isdigit() else 0

    governor = text("scaling_governor")
    cpus = tuple(int(cpu) for cpu in text("affected_cpus").split())
    capacity = values.get(f"../cpu{cpus[0]}/cpu_capacity") if cpus else None
    tunable_dirs = (f"{name}/{governor}/", f"{governor}/")
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
        tunables={path: value for path, value in values.items() if path.startswith(tunable_dirs)},
    )


def _policy_index(name: str) -> int:
    return int(name.removeprefix("policy"))
