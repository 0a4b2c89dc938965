"""The facts of a board: its system and its processors, read in one round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.display import EMULATED_NOTE
from labkit.errors import BoardError, UnsupportedArchitecture

__all__ = ["FACTS_SCRIPT", "Facts", "parse_facts"]

_COMMANDS = {
    "machine": "uname -m",
    "kernel": "uname -r",
    "uid": "id -u",
    "long_bit": "getconf LONG_BIT",
    "page_size": "getconf PAGESIZE",
    "os": "cat /etc/os-release",
    "model": "tr -d '\\0' </proc/device-tree/model",
    "compatible": "tr '\\0' ' ' </proc/device-tree/compatible",
    "cpuinfo": "cat /proc/cpuinfo",
    "meminfo": "head -n1 /proc/meminfo",
    "cgroups": "cat /sys/fs/cgroup/cgroup.controllers",
    "dmi": "cat /sys/class/dmi/id/sys_vendor",
    "cache": 'printf %s "${XDG_CACHE_HOME:-$HOME/.cache}/labkit-board"',
}

FACTS_SCRIPT = "; ".join(
    f"printf '\\n@@{key}\\n'; {{ {command}; }} 2>/dev/null" for key, command in _COMMANDS.items()
)
"""The shell commands whose output :func:`parse_facts` reads."""

# Part numbers of the MIDR register; Arm's technical reference manuals, and the kernel's
# arch/arm64/include/asm/cputype.h. QEMU's `-cpu max` has part 0x051 of implementer 0x00, which
# is "reserved for software use".
_PROCESSORS = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse N1",
    ("0x41", "0xd40"): "Neoverse V1",
    ("0x41", "0xd49"): "Neoverse N2",
    ("0x41", "0xd4f"): "Neoverse V2",
    ("0x00", "0x051"): "QEMU max",
}


@dataclass(frozen=True)
class Facts:
    """The facts of one board.

    ``memory`` and ``page_size`` are in bytes, ``long_bit`` is the word size of user space in
    bits. ``features`` are the kernel's hwcap names (``atomics`` is LSE), ``cpus`` is the number of
    processors online, ``cpu`` the names of their types. ``cache_dir`` is the only directory of
    the board that labkit fills. ``emulated`` is whether QEMU emulates the processor: the durations
    that are measured there mean nothing.
    """

    os: str
    os_id: str
    kernel: str
    machine: str
    model: str
    cpu: str
    cpus: int
    features: frozenset[str]
    long_bit: int
    page_size: int
    memory: int
    cgroup_controllers: tuple[str, ...]
    uid: int
    cache_dir: str
    emulated: bool

    def as_rows(self) -> dict[str, str]:
        """The most important facts as texts, by title."""
        return {
            "system": self.os,
            "kernel": f"{self.kernel} ({self.machine})",
            "model": self.model or "not known",
            "processor": f"{self.cpus} x {self.cpu}"
            + (f", {EMULATED_NOTE}" if self.emulated else ""),
            "memory": f"{self.memory / 2**20:.0f} MiB in pages of {self.page_size // 1024} KiB",
            "atomics": "LSE" if "atomics" in self.features else "exclusives only, no LSE",
            "vectors": ", ".join(
                name for name in ("asimd", "sve", "sve2") if name in self.features
            ),
            "cgroup controllers": " ".join(self.cgroup_controllers) or "none",
        }

    def __str__(self) -> str:
        emulated = ", emulated" if self.emulated else ""
        return (
            f"{self.os}, kernel {self.kernel}, {self.cpus} x {self.cpu}{emulated}, "
            f"{self.memory / 2**20:.0f} MiB"
        )


def parse_facts(output: str, name: str) -> Facts:
    """The facts of the board ``name`` from the output of :data:`FACTS_SCRIPT`.

    Raises :class:`~labkit.errors.UnsupportedArchitecture`, and
    :class:`~labkit.errors.BoardError` where it is no Linux board.
    """
    outputs: dict[str, str] = {}
    for part in output.split("\n@@")[1:]:
        key, _, text = part.partition("\n")
        outputs[key] = text.strip()
    try:
        return _facts(outputs, name)
    except (KeyError, ValueError, IndexError) as error:
        raise BoardError(
            f"{name} does not look like a Linux board ({type(error).__name__}: {error})",
            expected="uname, id, getconf and /proc",
        ) from error


def _facts(outputs: Mapping[str, str], name: str) -> Facts:
    """Raises KeyError, ValueError or IndexError where an output is missing or has no meaning."""
    if outputs["machine"] not in ("aarch64", "arm64"):
        raise UnsupportedArchitecture(
            f"{name} is a {outputs['machine']} machine",
            expected="a 64-bit Arm one (aarch64)",
            hint="labkit board up debian-12, for a virtual one",
        )
    system = dict(line.split("=", 1) for line in outputs["os"].splitlines() if "=" in line)
    cpu, cpus, features = _processors(outputs["cpuinfo"])
    return Facts(
        os=system.get("PRETTY_NAME", "Linux").strip('"'),
        os_id=system.get("ID", "linux").strip('"'),
        kernel=outputs["kernel"],
        machine=outputs["machine"],
        model=outputs["model"],
        cpu=cpu,
        cpus=cpus,
        features=features,
        long_bit=int(outputs["long_bit"]),
        page_size=int(outputs["page_size"]),
        memory=int(outputs["meminfo"].split()[1]) * 1024,
        cgroup_controllers=tuple(outputs["cgroups"].split()),
        uid=int(outputs["uid"]),
        cache_dir=outputs["cache"],
        emulated="QEMU max" in cpu or _is_qemu(outputs),
    )


def _processors(cpuinfo: str) -> tuple[str, int, frozenset[str]]:
    """From /proc/cpuinfo: the types of the processors, their number, their common features."""
    fields: dict[str, list[str]] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), []).append(value.strip())
    implementers = fields.get("CPU implementer", [])
    types = dict.fromkeys(
        _PROCESSORS.get((implementer, part), f"{implementer}/{part}")
        for implementer, part in zip(implementers, fields.get("CPU part", []), strict=False)
    )
    sets = [frozenset(line.split()) for line in fields.get("Features", [])]
    common = frozenset.intersection(*sets) if sets else frozenset()
    return " + ".join(types) or "unknown", len(fields.get("processor", [])), common


def _is_qemu(outputs: Mapping[str, str]) -> bool:
    """Whether it is a machine of QEMU's.

    With KVM such a machine has the speed of the real processor. That is not distinguished here,
    for labkit's own machines never use KVM.
    """
    return "linux,dummy-virt" in outputs["compatible"] or "QEMU" in outputs["dmi"]
