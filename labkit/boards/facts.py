"""What a board says of itself, asked in one round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.errors import BoardError, UnsupportedArchitecture

__all__ = ["FACTS_SCRIPT", "Facts", "parse_facts"]

_QUESTIONS = {
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
    f"printf '\\n@@{key}\\n'; {{ {question}; }} 2>/dev/null" for key, question in _QUESTIONS.items()
)
"""Shell commands whose output :func:`parse_facts` reads."""

# Part numbers of the MIDR register; Arm's technical reference manuals, and the kernel's
# arch/arm64/include/asm/cputype.h. 0x51 is what QEMU's `-cpu max` calls itself: part 0x051
# of implementer 0x00, "reserved for software use".
_PARTS = {
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

    ``memory`` and ``page_size`` are in bytes, ``long_bit`` is the word size of user space,
    ``features`` are the kernel's hwcap names (``atomics`` is LSE), ``cpus`` the number of
    processors online, ``cpu`` the names of their kinds. ``cache_dir`` is the one folder that
    labkit may fill on the board. ``emulated`` says that the
    processor is QEMU's own, so that its speed tells nothing.
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
        """The facts a person wants first, ready to show."""
        return {
            "system": self.os,
            "kernel": f"{self.kernel} ({self.machine})",
            "model": self.model or "not said",
            "processor": f"{self.cpus} x {self.cpu}"
            + (", emulated: shape, not speed" if self.emulated else ""),
            "memory": f"{self.memory / 2**20:.0f} MiB in pages of {self.page_size // 1024} KiB",
            "atomics": "LSE" if "atomics" in self.features else "exclusives only, no LSE",
            "vectors": ", ".join(
                name for name in ("asimd", "sve", "sve2") if name in self.features
            ),
            "cgroup controllers": " ".join(self.cgroup_controllers) or "none",
        }

    def __str__(self) -> str:
        made = ", emulated" if self.emulated else ""
        return (
            f"{self.os}, kernel {self.kernel}, {self.cpus} x {self.cpu}{made}, "
            f"{self.memory / 2**20:.0f} MiB"
        )


def parse_facts(output: str, name: str) -> Facts:
    """The facts of the board ``name`` from the output of :data:`FACTS_SCRIPT`.

    Raises :class:`UnsupportedArchitecture`, and :class:`BoardError` where it is no Linux board.
    """
    answers: dict[str, str] = {}
    for part in output.split("\n@@")[1:]:
        key, _, text = part.partition("\n")
        answers[key] = text.strip()
    try:
        return _facts(answers, name)
    except (KeyError, ValueError, IndexError) as error:
        raise BoardError(
            f"{name} does not answer as a Linux board does ({error})",
            expected="uname, id, getconf and /proc",
        ) from error


def _facts(answers: Mapping[str, str], name: str) -> Facts:
    """Raises KeyError, ValueError or IndexError where an answer is missing or has no meaning."""
    if answers["machine"] not in ("aarch64", "arm64"):
        raise UnsupportedArchitecture(
            f"{name} is a {answers['machine']} machine",
            expected="a 64-bit Arm one (aarch64)",
            hint="labkit board up debian-12, for a virtual one",
        )
    system = dict(line.split("=", 1) for line in answers["os"].splitlines() if "=" in line)
    cpu, cpus, features = _processors(answers["cpuinfo"])
    return Facts(
        os=system.get("PRETTY_NAME", "Linux").strip('"'),
        os_id=system.get("ID", "linux").strip('"'),
        kernel=answers["kernel"],
        machine=answers["machine"],
        model=answers["model"],
        cpu=cpu,
        cpus=cpus,
        features=features,
        long_bit=int(answers["long_bit"]),
        page_size=int(answers["page_size"]),
        memory=int(answers["meminfo"].split()[1]) * 1024,
        cgroup_controllers=tuple(answers["cgroups"].split()),
        uid=int(answers["uid"]),
        cache_dir=answers["cache"],
        emulated="QEMU max" in cpu or _is_qemu(answers),
    )


def _processors(cpuinfo: str) -> tuple[str, int, frozenset[str]]:
    """From /proc/cpuinfo: the kinds of processor, how many, what all of them can do."""
    fields: dict[str, list[str]] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), []).append(value.strip())
    makers = fields.get("CPU implementer", [])
    kinds = dict.fromkeys(
        _PARTS.get((maker, part), f"{maker}/{part}")
        for maker, part in zip(makers, fields.get("CPU part", []), strict=False)
    )
    sets = [frozenset(line.split()) for line in fields.get("Features", [])]
    common = frozenset.intersection(*sets) if sets else frozenset()
    return " + ".join(kinds) or "unknown", len(fields.get("processor", [])), common


def _is_qemu(answers: Mapping[str, str]) -> bool:
    """Whether QEMU made the machine. On arm64 hosts it may run on KVM, at the silicon's speed;
    labkit's own machines never do."""
    return "linux,dummy-virt" in answers["compatible"] or "QEMU" in answers["dmi"]
