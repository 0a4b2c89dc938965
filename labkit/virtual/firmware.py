"""An emulated Raspberry Pi firmware: it reads its two files before power-on, and decides.

The real firmware reads ``config.txt`` and ``cmdline.txt`` from a FAT disk, gives the kernel a
device tree and a command line, and answers when the kernel's driver asks for the lowest and the
highest clock. This one reads the same files from the same kind of disk. The clocks become
operating points in the device tree, which the kernel's own driver ``cpufreq-dt`` uses. The speed
of the board does not change with them. ``include`` lines are not followed, and only the keys
``arm_freq``, ``arm_freq_min`` and ``arm_boost`` have an effect. What differs from one model to the
next is in the platform's file: :class:`~labkit.platforms.FirmwareSpec`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from labkit.errors import BootFailed, VirtualError
from labkit.platforms import FirmwareSpec, VirtualSpec
from labkit.raspberrypi.configtxt import ConfigTxt
from labkit.virtual import tools

__all__ = [
    "TREE",
    "BootConfig",
    "boot_config",
    "boot_config_from_disk",
    "fingerprint",
    "new_disk",
    "print_notes",
    "write_device_tree",
]

TREE = "board.dtb"
"""The file with a machine's device tree, in the machine's directory."""

_DISK_SECTORS = 65536  # of 512 bytes: 32 MiB
_LABEL = "bootfs"
_STEP = 100  # MHz; RASPBERRYPI_FREQ_INTERVAL in drivers/cpufreq/raspberrypi-cpufreq.c
_POSSIBLE_CLOCKS = range(200, 4001)  # MHz

# Without the first nobody learns that the system has switched itself off; without the second a
# kernel that panics does not end. So they are added where cmdline.txt lacks them.
_REQUIRED_PARAMETERS = ("console=ttyAMA0", "panic=-1")


@dataclass(frozen=True)
class BootConfig:
    """The firmware's decisions: the kernel's ``command_line``, the clocks it may use in MHz.

    ``model`` is the model that the device tree names. ``notes`` list what the firmware ignored,
    a line each.
    """

    model: str
    command_line: str
    megahertz: tuple[int, ...]
    notes: tuple[str, ...] = ()


def new_disk(path: Path) -> None:
    """Make the FAT disk for /boot/firmware, with the two files as on a new system.

    Raises :class:`~labkit.errors.VirtualError`, and ToolNotFound without mtools.
    """
    path.unlink(missing_ok=True)
    _run("mformat", "-C", "-i", str(path), "-T", str(_DISK_SECTORS), "-v", _LABEL, "::")
    _write_label_in_lower_case(path)
    for name in ("config.txt", "cmdline.txt"):
        _run("mcopy", "-i", str(path), "-", f"::{name}", stdin=_default_file(name))


def boot_config_from_disk(spec: FirmwareSpec, disk: Path | None) -> BootConfig:
    """The decisions for the two files of a disk; None stands for a new disk.

    A missing file counts as an empty one: the real firmware starts without them too. Raises
    :class:`~labkit.errors.BootFailed` where the disk cannot be read.
    """
    if disk is None:
        return boot_config(spec, _default_file("config.txt"), _default_file("cmdline.txt"))
    return boot_config(spec, _read(disk, "config.txt"), _read(disk, "cmdline.txt"))


def boot_config(spec: FirmwareSpec, config: str, cmdline: str) -> BootConfig:
    """The decisions of a model's firmware for the texts of config.txt and cmdline.txt.

    >>> spec = FirmwareSpec("pi5", "Raspberry Pi 5", arm_freq=2400, arm_freq_min=1500)
    >>> boot_config(spec, "arm_freq=1700\\narm_freq_max=1800\\n", "quiet").megahertz
    (1500, 1600, 1700)
    """
    config_txt = ConfigTxt.parse(config)
    settings = config_txt.settings(spec.model)
    unknown_keys = config_txt.unknown_keys(spec.model)
    notes = [f"config.txt: unknown key {key}, ignored" for key in unknown_keys]
    boost = spec.arm_freq_boost and settings.get("arm_boost") == "1"
    highest_default = spec.arm_freq_boost if boost else spec.arm_freq
    highest = _clock(settings, "arm_freq", highest_default, notes)
    lowest = _clock(settings, "arm_freq_min", spec.arm_freq_min, notes)
    # The first line counts, up to a NUL: a file may be full of them after a crash.
    parameters = cmdline.partition("\n")[0].partition("\0")[0].split()
    own = spec.command_line.split()
    if "cgroup_enable=memory" in parameters:
        # Raspberry Pi's kernel knows this parameter, and the last one wins. Debian's kernel does
        # not know it, so the firmware's own parameter must not be there.
        own = [parameter for parameter in own if parameter != "cgroup_disable=memory"]
    required = [parameter for parameter in _REQUIRED_PARAMETERS if parameter not in parameters]
    command_line = " ".join([*own, *required, *parameters])
    return BootConfig(spec.title, command_line, _steps(lowest, highest), tuple(notes))


def fingerprint(recipe: VirtualSpec, boot: BootConfig) -> str:
    """All that a machine has from the firmware at its first power-on, as one text.

    A snapshot's key is made of the text. It stays as it is, so that snapshots stay valid.
    """
    decisions = (
        f"Boot(command_line={boot.command_line!r}, megahertz={boot.megahertz!r}, "
        f"notes={boot.notes!r})"
    )
    default_files = (_default_file("config.txt"), _default_file("cmdline.txt"))
    return "\n".join([decisions, _tree_source(boot, recipe.cpus), _LABEL, *default_files])


def write_device_tree(recipe: VirtualSpec, boot: BootConfig, directory: Path) -> Path:
    """Write QEMU's own device tree, with model and clocks added, to ``directory``.

    Returns the path of the file. Raises :class:`~labkit.errors.VirtualError`.
    """
    plain, source, target = directory / "qemu.dtb", directory / "board.dts", directory / TREE
    _run(
        "qemu-system-aarch64",
        *("-M", f"{recipe.machine},dumpdtb={plain}", "-cpu", recipe.cpu),
        *("-smp", str(recipe.cpus), "-m", str(recipe.memory), "-display", "none", "-nodefaults"),
    )
    text = _run("dtc", "-q", "-I", "dtb", "-O", "dts", str(plain))
    source.write_text(text + _tree_source(boot, recipe.cpus), encoding="utf-8")
    _run("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(target), str(source))
    return target


def print_notes(boot: BootConfig) -> None:
    """Print what the firmware ignored to stderr. The real firmware prints nothing."""
    for note in boot.notes:
        print(f"  {note}", file=sys.stderr)


def _clock(settings: Mapping[str, str], key: str, default: int, notes: list[str]) -> int:
    value = settings.get(key, str(default))
    if value.isascii() and value.isdigit() and int(value) in _POSSIBLE_CLOCKS:
        return int(value)
    notes.append(f"config.txt: {key}={value} is no clock in MHz; {default} is used")
    return default


def _steps(lowest: int, highest: int) -> tuple[int, ...]:
    """Both clocks rounded up to the step, and every step between: as the kernel's driver does."""
    first, last = (-(-clock // _STEP) * _STEP for clock in (min(lowest, highest), highest))
    return tuple(range(first, last + 1, _STEP))


def _tree_source(boot: BootConfig, cpus: int) -> str:
    """Device tree source to append to QEMU's: a second root node adds to the first."""
    points = "".join(
        f"    opp-{clock}000000 {{ opp-hz = /bits/ 64 <{clock}000000>; }};\n"
        for clock in boot.megahertz
    )
    nodes = "".join(
        f"    cpu@{cpu:x} {{ clocks = <&labkit_clock>; operating-points-v2 = <&labkit_opp>; }};\n"
        for cpu in range(cpus)
    )
    return (
        f'/ {{\n  model = "{boot.model}";\n'
        "  labkit_clock: arm-clock {\n"
        '    compatible = "fixed-clock"; #clock-cells = <0>;\n'
        f"    clock-frequency = <{boot.megahertz[-1]}000000>;\n  }};\n"
        '  labkit_opp: opp-table-arm {\n    compatible = "operating-points-v2"; opp-shared;\n'
        f"{points}  }};\n  cpus {{\n{nodes}  }};\n}};\n"
    )


def _write_label_in_lower_case(disk: Path) -> None:
    """Write the label as a Raspberry Pi has it; mtools writes it in capitals."""
    capitals, label = (f"{text:11}".encode() for text in (_LABEL.upper(), _LABEL))
    with disk.open("r+b") as file:
        start = file.read(1 << 20)  # it holds the boot sector, the tables and the root directory
        file.seek(0)
        file.write(start.replace(capitals, label))


def _default_file(name: str) -> str:
    return files("labkit.virtual.guest").joinpath(name).read_text(encoding="utf-8")


def _read(disk: Path, name: str) -> str:
    """The text of a file on the disk; empty where there is no such file."""
    argv = [tools.command("mtype"), "-i", str(disk), f"::{name}"]
    process = subprocess.run(argv, capture_output=True, check=False)
    if process.returncode and b"not found" not in process.stderr:
        raise BootFailed(
            f"the firmware cannot read {disk}: {process.stderr.decode(errors='replace').strip()}",
            expected="a FAT disk",
            hint="labkit board reset NAME",
        )
    return process.stdout.decode(errors="replace")


def _run(program: str, *args: str, stdin: str = "") -> str:
    """The output of a program of this machine. Raises :class:`~labkit.errors.VirtualError`."""
    argv = [tools.command(program), *args]
    process = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if process.returncode:
        raise VirtualError(f"{program}: {process.stderr.strip()}")
    return process.stdout
