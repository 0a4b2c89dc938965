"""What a running kernel does: read on the board, the last of the three layers."""

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

# Their output depends on the user: only opening a device proves that the user may open it, and
# kernel.dmesg_restrict (on by default in Debian) hides the kernel's log from all but root. The
# first line of the log, where it is still there, proves that the log is complete.
_USER_COMMANDS = {
    "kvm_open": "( : <>/dev/kvm ) && echo yes",
    "log": "log=$(dmesg) && echo readable && "
    "printf '%s\\n' \"$log\" | grep -E 'kvm ?\\[|Booting Linux on physical CPU'",
}

_COMMANDS = {
    "uid": "id -u",
    "kernel": "uname -r",
    "build": "uname -v",
    "page_size": "getconf PAGESIZE",
    "cmdline": "cat /proc/cmdline",
    "hwcaps": "grep -m1 '^Features' /proc/cpuinfo",
    "cgroup": "stat -fc %T /sys/fs/cgroup",
    "controllers": "cat /sys/fs/cgroup/cgroup.controllers",
    "thp": "cat /sys/kernel/mm/transparent_hugepage/enabled",
    # With PSI switched off the file may exist, and reading it fails.
    "psi": "head -n1 /proc/pressure/cpu",
    "cpufreq": "cat /sys/devices/system/cpu/cpufreq/policy*/scaling_driver",
    "kvm": "ls /dev/kvm",
    **_USER_COMMANDS,
}


@dataclass(frozen=True)
class Runtime:
    """The state of one board's kernel while it runs.

    ``kernel`` is ``uname -r`` and ``release`` its numbers. ``preemption`` is the model in
    ``uname -v``, such as PREEMPT_RT ("" for none or voluntary), ``page_size`` is in bytes (0: not
    known). ``thp`` and ``cpufreq_driver`` are "" where the board has none, ``cgroup_version`` is
    0 there. ``kvm_mode`` is KVM's mode in the log: "VHE", "nVHE", "Protected nVHE", or "" where
    KVM did not start. ``kvm_mode`` and ``kvm_by_root`` are ``None`` where only root can find out.
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

    def value(self, key: str) -> str | None:
        """The value for the ``key`` of a check as text; ``None`` where it is not known.

        A key is a field with a single value, ``hwcap.NAME`` or ``cgroup.CONTROLLER``. Raises
        :class:`KeyError` for another key; :func:`is_runtime_key` is the test for that.
        """
        kind, _, name = key.partition(".")
        if kind == "hwcap" and name:
            return _present(name in self.hwcaps)
        if kind == "cgroup" and name:
            return _present(name in self.cgroup_controllers)
        return _VALUES[key](self)


_VALUES: Mapping[str, Callable[[Runtime], str | None]] = {
    "kernel": lambda runtime: runtime.kernel or None,
    "preemption": lambda runtime: runtime.preemption or "none or voluntary",
    "page_size": lambda runtime: str(runtime.page_size) if runtime.page_size else None,
    "cgroup_version": lambda runtime: str(runtime.cgroup_version or "absent"),
    "thp": lambda runtime: runtime.thp or "absent",
    "psi": lambda runtime: _present(runtime.psi),
    "cpufreq_driver": lambda runtime: runtime.cpufreq_driver or "absent",
    "kvm_device": lambda runtime: _present(runtime.kvm_device),
    "kvm_by_user": lambda runtime: "yes" if runtime.kvm_by_user else "no",
    "kvm_by_root": lambda runtime: {True: "yes", False: "no", None: None}[runtime.kvm_by_root],
    "kvm_mode": lambda runtime: None if runtime.kvm_mode is None else runtime.kvm_mode or "absent",
}


ROOT_KEYS = frozenset({"kvm_by_root", "kvm_mode"})
"""The keys whose values only root may be able to read."""


def is_runtime_key(key: str) -> bool:
    """Whether :meth:`Runtime.value` knows ``key``.

    >>> is_runtime_key("hwcap.atomics"), is_runtime_key("hwcaps")
    (True, False)
    """
    kind, _, name = key.partition(".")
    return key in _VALUES or (kind in ("hwcap", "cgroup") and bool(name))


def read_runtime(board: Board, *, root: bool = True) -> Runtime:
    """Read the state of the board's kernel in one round trip.

    Where only root may read the log or open /dev/kvm, and with ``root``, a second round trip
    uses sudo. Without the right to use sudo those fields stay ``None``. Raises the errors of the
    board.

    >>> read_runtime(board).kvm_mode                        # doctest: +SKIP
    'VHE'
    """
    outputs = _run(board, _COMMANDS)
    if outputs.get("uid") == "0":
        return parse_runtime(outputs, outputs)
    as_root: dict[str, str] = {}
    hidden = not outputs.get("log") or (outputs.get("kvm") and not outputs.get("kvm_open"))
    if root and hidden:
        with suppress(SudoRefused):
            as_root = _run(board, _USER_COMMANDS, sudo=True)
    return parse_runtime(outputs, as_root)


def parse_runtime(outputs: Mapping[str, str], as_root: Mapping[str, str]) -> Runtime:
    """Make a :class:`Runtime` of the commands' outputs; a command that failed has an empty one."""
    kernel = outputs.get("kernel", "")
    preemption = re.search(r"PREEMPT\w*", outputs.get("build", ""))
    selected = re.search(r"\[(\w+)\]", outputs.get("thp", ""))
    by_user = outputs.get("kvm_open") == "yes"
    by_root = as_root["kvm_open"] == "yes" if "kvm_open" in as_root else None
    return Runtime(
        kernel=kernel,
        release=tuple(int(part) for part in re.findall(r"\d+", kernel.partition("-")[0])),
        preemption=preemption[0] if preemption else "",
        page_size=int(outputs.get("page_size") or 0),
        cmdline=parse_cmdline(outputs.get("cmdline", "")),
        hwcaps=frozenset(outputs.get("hwcaps", "").partition(":")[2].split()),
        cgroup_version={"cgroup2fs": 2, "tmpfs": 1}.get(outputs.get("cgroup", ""), 0),
        cgroup_controllers=tuple(outputs.get("controllers", "").split()),
        thp=selected[1] if selected else "",
        psi=bool(outputs.get("psi")),
        cpufreq_driver=(outputs.get("cpufreq", "").split() or [""])[0],
        kvm_device=bool(outputs.get("kvm")),
        kvm_by_user=by_user,
        # Root may do what the user may. A device that does not exist cannot be opened.
        kvm_by_root=by_user if by_user or not outputs.get("kvm") else by_root,
        kvm_mode=_kvm_mode(outputs.get("log") or as_root.get("log", "")),
    )


def _kvm_mode(log: str) -> str | None:
    """KVM's mode from its message at the start (kvm_arm_init in arch/arm64/kvm/arm.c).

    Kernels before 6.8 call the mode without VHE "Hyp mode", later ones "Hyp nVHE mode".

    >>> _kvm_mode("readable\\n[0.1] kvm [1]: Hyp mode initialized successfully")
    'nVHE'
    """
    started = re.search(r"kvm \[\d+\]: (.*) mode initialized successfully", log)
    if started:
        return started[1].removeprefix("Hyp").strip() or "nVHE"
    # Without a message of KVM's, KVM did not start; but only a complete log proves that.
    failed = "HYP mode not available" in log or "KVM disabled" in log
    return "" if failed or "Booting Linux" in log else None


def _run(board: Board, commands: Mapping[str, str], *, sudo: bool = False) -> dict[str, str]:
    """The output of each command, all of them run in one round trip."""
    script = "; ".join(
        f"echo '@@{key}'; {{ {command}; }} 2>/dev/null" for key, command in commands.items()
    )
    outputs = {}
    for part in ("\n" + board.run(script, sudo=sudo).stdout).split("\n@@")[1:]:
        key, _, text = part.partition("\n")
        outputs[key] = text.strip()
    return outputs


def _present(present: bool) -> str:
    return "present" if present else "absent"
