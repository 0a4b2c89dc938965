"""What the emulated firmware decides from the texts on its disk."""

import dataclasses
import hashlib
import subprocess

import pytest

from labkit import platforms
from labkit.errors import BootFailed, VirtualError
from labkit.virtual import VirtualMachine, firmware
from labkit.virtual.firmware import boot_config, boot_config_from_disk, fingerprint

PI = platforms.get("raspberry-pi-5").virtual


def pi_boot_config(config, cmdline):
    return boot_config(PI.firmware, config, cmdline)


def test_a_new_disk_gives_a_pi_5_as_it_comes(tmp_path):
    disk = tmp_path / "firmware.img"
    firmware.new_disk(disk)
    boot = boot_config_from_disk(PI.firmware, disk)
    assert boot == boot_config_from_disk(PI.firmware, None)
    assert b"BOOTFS" not in disk.read_bytes()
    assert disk.read_bytes().count(b"bootfs     ") == 2, "in boot sector and root directory"
    assert (boot.megahertz[0], boot.megahertz[-1], len(boot.megahertz)) == (1500, 2400, 10)
    assert "cgroup_disable=memory" in boot.command_line.split()
    assert boot.notes == ()


@pytest.mark.parametrize(
    ("config", "megahertz"),
    [
        ("", range(1500, 2401, 100)),
        ("arm_freq=1700", range(1500, 1701, 100)),
        ("arm_freq=1710", range(1500, 1801, 100)),
        ("arm_freq_min=1450\narm_freq=1600", (1500, 1600)),
        ("[pi4]\narm_freq=1500\n[pi5]\narm_freq=1600", (1500, 1600)),
        ("arm_freq=1000", (1000,)),
    ],
)
def test_the_clocks_are_rounded_up_to_steps_of_100_mhz(config, megahertz):
    assert pi_boot_config(config, "").megahertz == tuple(megahertz)


@pytest.mark.parametrize("nonsense", ["fast", "2400000", "0", "-1", "", "2400 # mhz", "²"])
def test_a_value_that_is_no_clock_is_ignored_and_reported(nonsense):
    boot = pi_boot_config(f"arm_freq={nonsense}", "")
    assert boot.megahertz[-1] == 2400
    assert any("arm_freq" in note for note in boot.notes)


def test_a_key_the_firmware_does_not_know_changes_nothing_but_is_reported():
    boot = pi_boot_config("arm_freq_max=1800\n", "")
    assert boot.megahertz == pi_boot_config("", "").megahertz
    assert boot.notes == ("config.txt: unknown key arm_freq_max, ignored",)


def test_the_memory_controller_is_off_until_the_command_line_asks_for_it():
    assert "cgroup_disable=memory" in pi_boot_config("", "quiet").command_line.split()
    parameters = pi_boot_config("", "quiet cgroup_enable=memory\nsecond line").command_line.split()
    assert "cgroup_disable=memory" not in parameters
    assert parameters[-2:] == ["quiet", "cgroup_enable=memory"]


def test_a_console_and_an_end_after_a_panic_are_there_whatever_the_file_says():
    usual = boot_config_from_disk(PI.firmware, None).command_line.split()
    for needed in ("console=ttyAMA0", "panic=-1"):
        assert usual.count(needed) == 1
        assert pi_boot_config("", "quiet console=tty1").command_line.split().count(needed) == 1


def test_a_file_full_of_nuls_is_an_empty_one():
    nuls = "\0" * 512
    assert pi_boot_config(nuls, nuls) == pi_boot_config("", "")
    assert (
        pi_boot_config("", f"quiet{nuls}").command_line == pi_boot_config("", "quiet").command_line
    )


def test_a_snapshot_is_told_apart_by_clocks_by_command_line_and_by_the_files_as_they_ship(
    monkeypatch,
):
    usual = fingerprint(PI, pi_boot_config("", ""))
    assert usual == fingerprint(PI, pi_boot_config("# a comment", ""))
    assert usual != fingerprint(PI, pi_boot_config("arm_freq=1600", ""))
    assert usual != fingerprint(PI, pi_boot_config("", "quiet"))
    monkeypatch.setattr(firmware, "_default_file", lambda name: "# another text\n")
    assert usual != fingerprint(PI, pi_boot_config("", ""))


def test_a_snapshot_of_a_pi_5_stays_valid():
    """Commit 6492e96 made its snapshots' keys of this text, and 25 s of booting of each."""
    text = fingerprint(PI, boot_config_from_disk(PI.firmware, None))
    assert hashlib.sha256(text.encode()).hexdigest().startswith("f10a79e03f633ae5")


def test_a_core_is_refused_only_with_a_kernel_whose_pages_it_lacks():
    with pytest.raises(VirtualError, match="cortex-a53 has no pages of 16 KiB") as error:
        _ = VirtualMachine("raspberry-pi-5", cpu="cortex-a53").recipe
    assert "\n" not in str(error.value)
    assert VirtualMachine("raspberry-pi-5").recipe == PI
    other_core = VirtualMachine("raspberry-pi-5", cpu="max,sve512=on").recipe
    assert other_core == dataclasses.replace(PI, cpu="max,sve512=on")
    assert VirtualMachine("debian-12", cpu="cortex-a53").recipe.cpu == "cortex-a53"


def test_a_disk_without_the_files_starts_with_what_a_pi_5_has_by_itself(tmp_path):
    disk = tmp_path / "firmware.img"
    firmware.new_disk(disk)
    argv = ["mdel", "-i", str(disk), "::config.txt", "::cmdline.txt"]
    subprocess.run(argv, check=True)
    assert (
        boot_config_from_disk(PI.firmware, disk).megahertz
        == boot_config_from_disk(PI.firmware, None).megahertz
    )


def test_a_disk_that_is_no_file_system_is_reported(tmp_path):
    disk = tmp_path / "firmware.img"
    disk.write_bytes(b"no disk at all" * 1000)
    with pytest.raises(BootFailed, match="cannot read"):
        boot_config_from_disk(PI.firmware, disk)
