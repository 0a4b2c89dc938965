"""What a running kernel does: asked on the board, the last of the three layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.errors import SudoRefused
from labkit.kernel.cmdline import CommandLine, parse_cmdline

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = ["ROOT_KEYS", "Runtime", "is_runtime_key", "parse_runtime", "read_runtime"]

# What depends on who asks: opening is the only proof that a device may be opened, and
# kernel.dmesg_restrict (on by default in Debian) keeps the kernel's log for root. The first
# line of the log, where it is still there, tells that nothing has dropped out of it.
_PERSONAL = {
    "kvm_open": "( : <>/dev/kvm ) && echo yes",
    "log": "log=$(dmesg) && echo readable && "
    "printf '%s\\n' \"$log\" | grep -E 'kvm ?\\[|Booting Linux on physical CPU'",
}

_QUESTIONS = {
    "uid": "id -u",
    "kernel": "uname -r",
    "build": "uname -v",
    "page_size": "getconf PAGESIZE",
    "cmdline": "cat /proc/cmdline",
    "hwcaps": "grep -m1 '^Features' /proc/cpuinfo",
    "cgroup": "stat -fc %T /sys/fs/cgroup",
    "controllers": "cat /sys/fs/cgroup/cgroup.controllers",
    "thp": "cat /sys/kernel/mm/transparent_hugepage/enabled",
    # Where PSI is off the file may be there all the same, and refuse to be read.
    "psi": "head -n1 /proc/pressure/cpu",
    "cpufreq": "cat /sys/devices/system/cpu/cpufreq/policy*/scaling_driver",
    "kvm": "ls /dev/kvm",
    **_PERSONAL,
}


@dataclass(frozen=True)
class Runtime:
    """What one board's kernel says of itself while it runs.

    ``kernel`` is ``uname -r`` and ``release`` its numbers. ``preemption`` is the word in
    ``uname -v`` ("" for none or voluntary), ``page_size`` in bytes (0: not known). ``thp`` and
    ``cpufreq_driver`` are "" where the board has none, ``cgroup_version`` is 0 there.
    ``kvm_mode`` is what the log says of KVM: "VHE", "nVHE", "Protected nVHE", "" where KVM did
    not start. ``kvm_mode`` and ``kvm_by_root`` are ``None`` where only root could tell.
    """

    kernel: str
    release: tuple[int, ...]
    preemption: str
    page_size: int
    cmdline: CommandLine
    hwcaps: frozenset[str]
    cgroup_version: int
    cgroup_controllers: tuple[str, ...]
    thp: str
    psi: bool
    cpufreq_driver: str
    kvm_device: bool
    kvm_by_user: bool
    kvm_by_root: bool | None
    kvm_mode: str | None

    def answer(self, key: str) -> str | None:
        """What was found for the ``key`` of a check, ``None`` where it could not be told.

        Keys: a field of this class, ``hwcap.NAME``, ``cgroup.CONTROLLER``.
        Raises :class:`KeyError` for any other (:func:`is_runtime_key` tells beforehand).
        """
        kind, _, name = key.partition(".")
        if kind == "hwcap" and name:
            return _present(name in self.hwcaps)
        if kind == "cgroup" and name:
            return _present(name in self.cgroup_controllers)
        return _ANSWERS[key](self)


_ANSWERS: Mapping[str, Callable[[Runtime], str | None]] = {
    "kernel": lambda board: board.kernel or None,
    "preemption": lambda board: board.preemption or "none or voluntary",
    "page_size": lambda board: str(board.page_size) if board.page_size else None,
    "cgroup_version": lambda board: str(board.cgroup_version or "absent"),
    "thp": lambda board: board.thp or "absent",
    "psi": lambda board: _present(board.psi),
    "cpufreq_driver": lambda board: board.cpufreq_driver or "absent",
    "kvm_device": lambda board: _present(board.kvm_device),
    "kvm_by_user": lambda board: "yes" if board.kvm_by_user else "no",
    "kvm_by_root": lambda board: {True: "yes", False: "no", None: None}[board.kvm_by_root],
    "kvm_mode": lambda board: None if board.kvm_mode is None else board.kvm_mode or "absent",
}


ROOT_KEYS = frozenset({"kvm_by_root", "kvm_mode"})
"""The keys that may need root to be answered."""


def is_runtime_key(key: str) -> bool:
    """Whether :meth:`Runtime.answer` knows ``key``.

    >>> is_runtime_key("hwcap.atomics"), is_runtime_key("hwcaps")
    (True, False)
    """
    kind, _, name = key.partition(".")
    return key in _ANSWERS or (kind in ("hwcap", "cgroup") and bool(name))


def read_runtime(board: Board, *, root: bool = True) -> Runtime:
    """Ask ``board`` what its kernel does, in one round trip.

    Where only root may see the log or open /dev/kvm, and ``root`` allows it, a second round
    trip asks with sudo. Without the right to use sudo those fields stay ``None``.

    >>> read_runtime(board).kvm_mode                        # doctest: +SKIP
    'VHE'
    """
    said = _ask(board, _QUESTIONS)
    if said.get("uid") == "0":
        return parse_runtime(said, said)
    as_root: dict[str, str] = {}
    hidden = not said.get("log") or (said.get("kvm") and not said.get("kvm_open"))
    if root and hidden:
        with suppress(SudoRefused):
            as_root = _ask(board, _PERSONAL, sudo=True)
    return parse_runtime(said, as_root)


def parse_runtime(said: Mapping[str, str], as_root: Mapping[str, str]) -> Runtime:
    """Make a :class:`Runtime` of the answers to the questions; empty ones were refused."""
    kernel = said.get("kernel", "")
    preemption = re.search(r"PREEMPT\w*", said.get("build", ""))
    chosen = re.search(r"\[(\w+)\]", said.get("thp", ""))
    by_user = said.get("kvm_open") == "yes"
    by_root = as_root["kvm_open"] == "yes" if "kvm_open" in as_root else None
    return Runtime(
        kernel=kernel,
        release=tuple(int(part) for part in re.findall(r"\d+", kernel.partition("-")[0])),
        preemption=preemption[0] if preemption else "",
        page_size=int(said.get("page_size") or 0),
        cmdline=parse_cmdline(said.get("cmdline", "")),
        hwcaps=frozenset(said.get("hwcaps", "").partition(":")[2].split()),
        cgroup_version={"cgroup2fs": 2, "tmpfs": 1}.get(said.get("cgroup", ""), 0),
        cgroup_controllers=tuple(said.get("controllers", "").split()),
        thp=chosen[1] if chosen else "",
        psi=bool(said.get("psi")),
        cpufreq_driver=(said.get("cpufreq", "").split() or [""])[0],
        kvm_device=bool(said.get("kvm")),
        kvm_by_user=by_user,
        # Root may do what the user may; a device that is not there nobody opens.
        kvm_by_root=by_user if by_user or not said.get("kvm") else by_root,
        kvm_mode=_kvm_mode(said.get("log") or as_root.get("log", "")),
    )


def _kvm_mode(log: str) -> str | None:
    """What KVM said when it started (kvm_arm_init in arch/arm64/kvm/arm.c).

    Kernels before 6.8 call the mode without VHE "Hyp mode", later ones "Hyp nVHE mode".

    >>> _kvm_mode("readable\\n[0.1] kvm [1]: Hyp mode initialized successfully")
    'nVHE'
    """
    started = re.search(r"kvm \[\d+\]: (.*) mode initialized successfully", log)
    if started:
        return started[1].removeprefix("Hyp").strip() or "nVHE"
    # No word of KVM means something only where the log still has its beginning.
    told = "HYP mode not available" in log or "KVM disabled" in log
    return "" if told or "Booting Linux" in log else None


def _ask(board: Board, questions: Mapping[str, str], *, sudo: bool = False) -> dict[str, str]:
    asked = "; ".join(f"echo '@@{key}'; {{ {ask}; }} 2>/dev/null" for key, ask in questions.items())
    said = {}
    for part in ("\n" + board.run(asked, sudo=sudo).stdout).split("\n@@")[1:]:
        key, _, text = part.partition("\n")
        said[key] = text.strip()
    return said


def _present(there: bool) -> str:
    return "present" if there else "absent"
