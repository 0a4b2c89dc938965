"""The virtual Raspberry Pi 5: its processor, its clocks, its firmware, its reboots."""

import time

import pytest

import labkit
from labkit.errors import VirtualError
from labkit.virtual import VirtualMachine

POLICY = "/sys/devices/system/cpu/cpufreq/policy0"


def test_it_is_four_cortex_a76_with_16_kib_pages_and_says_that_it_is_virtual(pi):
    facts = pi.facts
    assert (facts.cpus, facts.cpu, facts.page_size) == (4, "Cortex-A76", 16384)
    assert facts.emulated
    assert "atomics" in facts.features
    assert "sve" not in facts.features
    assert "virtual" in facts.model


def test_the_kernels_own_driver_has_taken_the_clocks_of_the_device_tree(pi):
    assert pi.read(f"{POLICY}/scaling_driver").strip() == "cpufreq-dt"
    assert pi.read(f"{POLICY}/affected_cpus").split() == ["0", "1", "2", "3"]
    points = pi.read(f"{POLICY}/scaling_available_frequencies").split()
    assert points == [str(khz) for khz in range(1_500_000, 2_400_001, 100_000)]


def test_a_limit_outside_of_the_clocks_is_clamped_and_nonsense_is_refused(pi):
    writes = "cd %s; echo 600000 >scaling_min_freq; cat scaling_min_freq; "
    writes += "echo 3000000 >scaling_max_freq; cat scaling_max_freq; "
    writes += "echo none | tee scaling_governor; echo 2400000000 | tee scaling_max_freq"
    result = pi.run(writes, POLICY, sudo=True)
    assert result.stdout.split()[:2] == ["1500000", "2400000"]
    assert "scaling_governor: Invalid argument" in result.stderr
    assert "scaling_max_freq: Invalid argument" in result.stderr, "Hz do not fit"


def test_the_memory_controller_is_missing_as_on_a_pi_that_was_just_set_up(pi):
    assert "memory" not in pi.facts.cgroup_controllers
    assert "cpuset" in pi.facts.cgroup_controllers


def test_the_firmwares_disk_is_where_a_pi_has_it_and_the_kernels_driver_gets_its_governors(pi):
    mounted = pi.check("findmnt -no FSTYPE,LABEL /boot/firmware").stdout.split()
    assert mounted == ["vfat", "bootfs"]
    names = [f"cpufreq_{name}" for name in ("ondemand", "conservative", "powersave", "userspace")]
    pi.check(f"modprobe -a {' '.join(names)}", sudo=True)
    governors = pi.read(f"{POLICY}/scaling_available_governors").split()
    assert {"ondemand", "conservative", "powersave", "userspace"} <= set(governors)
    pi.check(f"modprobe -ra {' '.join(names)}", sudo=True)


@pytest.mark.parametrize("cpu", ["cortex-a72", "cortex-a72,pmu=off"])
def test_a_core_without_pages_of_16_kib_is_refused_at_once(cpu):
    start = time.monotonic()
    with (
        pytest.raises(VirtualError, match="cortex-a72 has no pages of 16 KiB") as error,
        labkit.temporary_board("raspberry-pi-5", cpu=cpu),
    ):
        pass
    assert time.monotonic() - start < 10
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_what_is_edited_in_the_two_files_counts_after_a_reboot_and_the_disk_stays(pi):
    pi.write("/home/lab/note", "still here")
    pi.check(
        "sed -i 's/^arm_64bit.*/&\\narm_freq=1700\\narm_freq_max=2000/' /boot/firmware/config.txt",
        sudo=True,
    )
    pi.check("sed -i 's/$/ cgroup_enable=memory/' /boot/firmware/cmdline.txt", sudo=True)
    before = pi.read("/proc/sys/kernel/random/boot_id")
    pi.reboot()
    assert pi.read("/proc/sys/kernel/random/boot_id") != before
    assert pi.read(f"{POLICY}/cpuinfo_max_freq").strip() == "1700000"
    assert "memory" in pi.facts.cgroup_controllers
    assert pi.read("/home/lab/note") == "still here"


@pytest.mark.slow
def test_a_line_that_names_no_console_takes_nothing_from_a_board_switched_off_inside(
    pi, eventually
):
    pi.write("/home/lab/note", "and here")
    pi.write("/boot/firmware/cmdline.txt", "quiet console=tty1 root=PARTUUID=4e1f\n", sudo=True)
    pi.reboot()
    pi.run("systemctl poweroff", sudo=True)
    eventually(lambda: not VirtualMachine(pi.name).running, within=60)
    with labkit.open_board(pi.name) as board:
        assert board.read("/home/lab/note") == "and here"


@pytest.mark.slow
def test_a_board_switched_off_from_inside_is_switched_on_again_with_its_disk(pi, eventually):
    pi.write("/home/lab/note", "here too")
    pi.run("systemctl poweroff", sudo=True)
    machine = VirtualMachine(pi.name)
    eventually(lambda: not machine.running, within=60)
    assert machine.qemu.guest_powered_off
    with labkit.open_board(pi.name) as board:
        assert board.read("/home/lab/note") == "here too"


def test_a_reset_brings_the_firmwares_files_back_too(pi):
    pi.check("echo arm_freq=1600 >>/boot/firmware/config.txt; sync", sudo=True)
    pi.reset()
    assert "arm_freq" not in pi.read("/boot/firmware/config.txt")
    assert pi.read(f"{POLICY}/cpuinfo_max_freq").strip() == "2400000"
