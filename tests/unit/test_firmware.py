"""What the played firmware decides from the texts on its disk."""

import dataclasses
import subprocess

import pytest

from labkit import platforms
from labkit.errors import BootFailed, VirtualError
from labkit.virtual import cores, firmware
from labkit.virtual.firmware import boot_config_from_disk, decide, fingerprint

PI = platforms.get("raspberry-pi-5").virtual


def test_a_new_disk_gives_a_pi_5_as_it_comes(tmp_path):
    disk = tmp_path / "firmware.img"
    firmware.new_disk(disk)
    boot = boot_config_from_disk(disk)
    assert boot == boot_config_from_disk(None)
    assert b"BOOTFS" not in disk.read_bytes()
    assert disk.read_bytes().count(b"bootfs     ") == 2, "in the boot sector and in the root folder"
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
    assert decide(config, "").megahertz == tuple(megahertz)


@pytest.mark.parametrize("nonsense", ["fast", "2400000", "0", "-1", "", "2400 # mhz", "²"])
def test_a_clock_that_is_none_is_overlooked_and_said_so(nonsense):
    boot = decide(f"arm_freq={nonsense}", "")
    assert boot.megahertz[-1] == 2400
    assert any("arm_freq" in note for note in boot.notes)


def test_a_key_the_firmware_does_not_know_changes_nothing_but_is_reported():
    boot = decide("arm_freq_max=1800\n", "")
    assert boot.megahertz == decide("", "").megahertz
    assert boot.notes == ("config.txt: no such key, overlooked: arm_freq_max",)


def test_the_memory_controller_is_off_until_the_command_line_asks_for_it():
    assert "cgroup_disable=memory" in decide("", "quiet").command_line.split()
    asked = decide("", "quiet cgroup_enable=memory\nsecond line").command_line.split()
    assert "cgroup_disable=memory" not in asked
    assert asked[-2:] == ["quiet", "cgroup_enable=memory"]


def test_a_console_and_an_end_after_a_panic_are_there_whatever_the_file_says():
    usual = boot_config_from_disk(None).command_line.split()
    for needed in ("console=ttyAMA0", "panic=-1"):
        assert usual.count(needed) == 1
        assert decide("", "quiet console=tty1").command_line.split().count(needed) == 1


def test_a_file_full_of_nuls_is_an_empty_one():
    nuls = "\0" * 512
    assert decide(nuls, nuls) == decide("", "")
    assert decide("", f"quiet{nuls}").command_line == decide("", "quiet").command_line


def test_a_snapshot_is_told_apart_by_clocks_by_command_line_and_by_the_files_as_they_ship(
    monkeypatch,
):
    usual = fingerprint(PI, decide("", ""))
    assert usual == fingerprint(PI, decide("# a comment", ""))
    assert usual != fingerprint(PI, decide("arm_freq=1600", ""))
    assert usual != fingerprint(PI, decide("", "quiet"))
    monkeypatch.setattr(firmware, "_shipped", lambda name: "# written anew\n")
    assert usual != fingerprint(PI, decide("", ""))


def test_a_core_is_refused_only_with_a_kernel_whose_pages_it_lacks():
    old = dataclasses.replace(PI, cpu="cortex-a53")
    with pytest.raises(VirtualError, match="cortex-a53 has no pages of 16 KiB"):
        cores.require_pages(old)
    cores.require_pages(PI)
    cores.require_pages(dataclasses.replace(PI, cpu="max,sve512=on"))
    cores.require_pages(dataclasses.replace(old, kernel="linux-image-arm64"))


def test_a_disk_without_the_files_starts_with_what_a_pi_5_has_by_itself(tmp_path):
    disk = tmp_path / "firmware.img"
    firmware.new_disk(disk)
    words = ["mdel", "-i", str(disk), "::config.txt", "::cmdline.txt"]
    subprocess.run(words, check=True)
    assert boot_config_from_disk(disk).megahertz == boot_config_from_disk(None).megahertz


def test_a_disk_that_is_none_is_said_so(tmp_path):
    disk = tmp_path / "firmware.img"
    disk.write_bytes(b"no disk at all" * 1000)
    with pytest.raises(BootFailed, match="cannot read"):
        boot_config_from_disk(disk)
