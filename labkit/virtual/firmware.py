"""We play the Raspberry Pi's firmware: read its two files before power-on, and decide.

The real firmware reads ``config.txt`` and ``cmdline.txt`` from a FAT disk, hands the kernel
its device tree and its command line, and answers the kernel's driver when that asks for the
lowest and highest clock. Ours reads the same files from the same kind of disk. The clocks
become operating points in the device tree, and the kernel's own ``cpufreq-dt`` takes them.
Speed does not follow: it is an emulator's. ``include`` lines are not followed, and of the keys
only ``arm_freq`` and ``arm_freq_min`` count.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from labkit.errors import BootFailed, VirtualError
from labkit.platforms import VirtualSpec
from labkit.raspberrypi.configtxt import ConfigTxt
from labkit.virtual import tools as programs

__all__ = [
    "TREE",
    "Boot",
    "boot_config_from_disk",
    "decide",
    "fingerprint",
    "new_disk",
    "say",
    "write_device_tree",
]

MODEL = "pi5"
TREE = "board.dtb"
"""The file with a machine's device tree, in its folder."""

TITLE = "Raspberry Pi 5 Model B (virtual, QEMU)"

_DISK_SECTORS = 65536  # of 512 bytes: 32 MiB
_LABEL = "bootfs"
_STEP = 100  # MHz; RASPBERRYPI_FREQ_INTERVAL in drivers/cpufreq/raspberrypi-cpufreq.c
_HIGHEST, _LOWEST = 2400, 1500  # MHz; arm_freq and arm_freq_min of a Pi 5
_SANE = range(200, 4001)  # MHz

# A Pi 5's firmware puts such words before those of cmdline.txt; memory for cgroups costs a
# little of it, so they come disabled.
_OWN_WORDS = "coherent_pool=1M cgroup_disable=memory numa_policy=interleave"

# Without the first nobody hears that the system has switched itself off, without the second
# a kernel that panics hangs: they are there whatever cmdline.txt says.
_NEEDED = ("console=ttyAMA0", "panic=-1")


@dataclass(frozen=True)
class Boot:
    """What the firmware decided: the kernel's ``command_line``, the clocks it may use in MHz.

    ``notes`` say what it overlooked, a line each.
    """

    command_line: str
    megahertz: tuple[int, ...]
    notes: tuple[str, ...] = ()


def new_disk(path: Path) -> None:
    """Make the FAT disk that is /boot/firmware, with the two files as a new system has them."""
    path.unlink(missing_ok=True)
    _do("mformat", "-C", "-i", str(path), "-T", str(_DISK_SECTORS), "-v", _LABEL, "::")
    _write_label_as_it_is(path)
    for name in ("config.txt", "cmdline.txt"):
        _do("mcopy", "-i", str(path), "-", f"::{name}", stdin=_shipped(name))


def boot_config_from_disk(disk: Path | None) -> Boot:
    """Read the two files of a disk and decide; None stands for a disk as it is when new.

    A file that is missing is an empty one: the real firmware starts without them too.
    """
    if disk is None:
        return decide(_shipped("config.txt"), _shipped("cmdline.txt"))
    return decide(_read(disk, "config.txt"), _read(disk, "cmdline.txt"))


def decide(config: str, cmdline: str) -> Boot:
    """What a Pi 5's firmware makes of the texts of its two files.

    >>> decide("arm_freq=1700\\narm_freq_max=1800\\n", "quiet").megahertz
    (1500, 1600, 1700)
    """
    parsed = ConfigTxt.parse(config)
    settings = parsed.settings(MODEL)
    notes = [f"config.txt: no such key, overlooked: {key}" for key in parsed.unknown_keys(MODEL)]
    highest = _clock(settings, "arm_freq", _HIGHEST, notes)
    lowest = _clock(settings, "arm_freq_min", _LOWEST, notes)
    own = _OWN_WORDS
    # The first line, and to a NUL at most, for a file a crash has left full of them.
    theirs = cmdline.partition("\n")[0].partition("\0")[0].split()
    if "cgroup_enable=memory" in theirs:
        # Raspberry Pi's kernel knows this word and lets the last one win. Debian's does not
        # know it, so it is for us to leave our own word out.
        own = own.replace("cgroup_disable=memory ", "")
    needed = [word for word in _NEEDED if word not in theirs]
    return Boot(" ".join([own, *needed, *theirs]), _points(lowest, highest), tuple(notes))


def fingerprint(recipe: VirtualSpec, boot: Boot) -> str:
    """All a machine has from us at its first power-on, as text to tell one from another."""
    texts = (_LABEL, _shipped("config.txt"), _shipped("cmdline.txt"))
    return "\n".join([repr(boot), _clocks(boot, recipe.cpus), *texts])


def write_device_tree(recipe: VirtualSpec, boot: Boot, directory: Path) -> Path:
    """QEMU's own device tree with the clocks added, in ``directory``; give the file."""
    plain, source, target = directory / "qemu.dtb", directory / "board.dts", directory / TREE
    _do(
        "qemu-system-aarch64",
        *("-M", f"{recipe.machine},dumpdtb={plain}", "-cpu", recipe.cpu),
        *("-smp", str(recipe.cpus), "-m", str(recipe.memory), "-display", "none", "-nodefaults"),
    )
    text = _do("dtc", "-q", "-I", "dtb", "-O", "dts", str(plain))
    source.write_text(text + _clocks(boot, recipe.cpus), encoding="utf-8")
    _do("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(target), str(source))
    return target


def _clock(settings: dict[str, str], key: str, usual: int, notes: list[str]) -> int:
    value = settings.get(key, str(usual))
    if value.isascii() and value.isdigit() and int(value) in _SANE:
        return int(value)
    notes.append(f"config.txt: {key}={value} is no clock in MHz; {usual} it stays")
    return usual


def _points(lowest: int, highest: int) -> tuple[int, ...]:
    """Both rounded up to the step, and every step between, as the kernel's driver does it."""
    first, last = (-(-clock // _STEP) * _STEP for clock in (min(lowest, highest), highest))
    return tuple(range(first, last + 1, _STEP))


def _clocks(boot: Boot, cpus: int) -> str:
    """Device tree source to stand behind QEMU's own: a second root block adds to the first."""
    points = "".join(
        f"    opp-{clock}000000 {{ opp-hz = /bits/ 64 <{clock}000000>; }};\n"
        for clock in boot.megahertz
    )
    nodes = "".join(
        f"    cpu@{cpu:x} {{ clocks = <&labkit_clock>; operating-points-v2 = <&labkit_opp>; }};\n"
        for cpu in range(cpus)
    )
    return (
        f'/ {{\n  model = "{TITLE}";\n'
        "  labkit_clock: arm-clock {\n"
        '    compatible = "fixed-clock"; #clock-cells = <0>;\n'
        f"    clock-frequency = <{boot.megahertz[-1]}000000>;\n  }};\n"
        '  labkit_opp: opp-table-arm {\n    compatible = "operating-points-v2"; opp-shared;\n'
        f"{points}  }};\n  cpus {{\n{nodes}  }};\n}};\n"
    )


def _write_label_as_it_is(disk: Path) -> None:
    """Where mtools has written the label, in capitals, write it as a Raspberry Pi has it."""
    capitals, label = (f"{text:11}".encode() for text in (_LABEL.upper(), _LABEL))
    with disk.open("r+b") as whole:
        head = whole.read(1 << 20)  # the boot sector, the tables and the root folder lie in it
        whole.seek(0)
        whole.write(head.replace(capitals, label))


def _shipped(name: str) -> str:
    return files("labkit.virtual.guest").joinpath(name).read_text(encoding="utf-8")


def _read(disk: Path, name: str) -> str:
    """A file of the disk; empty where it is not there."""
    line = [programs.command("mtype"), "-i", str(disk), f"::{name}"]
    done = subprocess.run(line, capture_output=True, check=False)
    if done.returncode and b"not found" not in done.stderr:
        raise BootFailed(
            f"the firmware cannot read {disk}: {done.stderr.decode(errors='replace').strip()}",
            expected="a FAT disk",
            hint="labkit board reset NAME",
        )
    return done.stdout.decode(errors="replace")


def _do(program: str, *words: str, stdin: str = "") -> str:
    line = [programs.command(program), *words]
    done = subprocess.run(line, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VirtualError(f"{program}: {done.stderr.strip()}")
    return done.stdout


def say(boot: Boot) -> None:
    """Print what the firmware overlooked: the real one would not."""
    for note in boot.notes:
        print(f"  {note}", file=sys.stderr)
