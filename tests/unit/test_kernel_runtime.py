"""The state of a running kernel: the commands run in a real shell, the output is understood."""

import pytest

from labkit.boards import Board
from labkit.boards.local import LocalTransport
from labkit.kernel import read_runtime
from labkit.kernel.runtime import is_runtime_key, parse_runtime


class Counting(LocalTransport):
    trips = 0

    def run(self, request, *, on_output=None):
        self.trips += 1
        return super().run(request, on_output=on_output)


def test_this_machine_is_read_in_one_trip():
    transport = Counting()
    runtime = read_runtime(Board("here", transport), root=False)
    assert transport.trips == 1
    with open("/proc/sys/kernel/osrelease") as release:
        assert runtime.kernel == release.read().strip()
    assert runtime.release[0] >= 4
    assert runtime.page_size in (4096, 16384, 65536)
    assert runtime.cmdline.text


# The output on Debian 12 for a user in no group, and for root: booted for this test with
# QEMU 7.2, -M virt,virtualization=on -cpu max. The processor's features are shortened.
USER = {
    "uid": "1000",
    "kernel": "6.1.0-56-arm64",
    "build": "#1 SMP Debian 6.1.192-2 (2026-11-16)",
    "page_size": "4096",
    "cmdline": "rdinit=/probe console=ttyAMA0 quiet psi=1",
    "hwcaps": "Features\t: fp asimd evtstrm aes pmull atomics sve sve2",
    "cgroup": "cgroup2fs",
    "controllers": "cpuset cpu io memory hugetlb pids rdma misc",
    "thp": "[always] madvise never",
    "psi": "some avg10=5.61 avg60=1.66 avg300=0.38 total=1332681",
    "cpufreq": "",
    "kvm": "/dev/kvm",
    "kvm_open": "",
    "log": "",
}
ROOT = {
    "kvm_open": "yes",
    "log": "readable\n[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x000f0510]\n"
    "[    2.476700] kvm [1]: IPA Size Limit: 48 bits\n"
    "[    2.486923] kvm [1]: vgic interrupt IRQ9\n"
    "[    2.510712] kvm [1]: VHE mode initialized successfully",
}


def test_the_output_for_a_user_and_for_root_comes_together():
    runtime = parse_runtime(USER, ROOT)
    assert runtime.release == (6, 1, 0)
    assert runtime.preemption == ""
    assert runtime.thp == "always"
    assert runtime.psi
    assert (runtime.kvm_device, runtime.kvm_by_user, runtime.kvm_by_root) == (True, False, True)
    assert runtime.kvm_mode == "VHE"
    assert runtime.value("hwcap.atomics") == "present"
    assert runtime.value("hwcap.mte") == "absent"
    assert runtime.value("cgroup.memory") == "present"
    assert runtime.value("cpufreq_driver") == "absent"
    assert runtime.value("preemption") == "none or voluntary"


def test_what_only_root_can_read_stays_open():
    runtime = parse_runtime(USER, {})
    assert runtime.kvm_mode is None
    assert runtime.kvm_by_root is None
    assert runtime.value("kvm_mode") is None
    assert runtime.value("kvm_by_root") is None
    assert runtime.value("kvm_by_user") == "no"


@pytest.mark.parametrize(
    ("log", "mode"),
    [
        ("kvm [1]: Hyp mode initialized successfully", "nVHE"),
        ("kvm [1]: Hyp nVHE mode initialized successfully", "nVHE"),
        ("kvm [1]: VHE mode initialized successfully", "VHE"),
        ("kvm [1]: Protected nVHE mode initialized successfully", "Protected nVHE"),
        ("kvm [1]: HYP mode not available", ""),
        ("Booting Linux on physical CPU 0x0", ""),
        ("", None),
    ],
)
def test_the_mode_of_kvm_in_the_log(log, mode):
    assert parse_runtime(USER, {"log": f"readable\n[    0.3] {log}"}).kvm_mode == mode


@pytest.mark.parametrize(
    ("build", "preemption"),
    [
        ("#1 SMP PREEMPT_RT Debian 6.1.192-1 (2025-11-06)", "PREEMPT_RT"),
        ("#1 SMP PREEMPT Debian 1:6.12.34-1+rpt1~bookworm (2025-06-26)", "PREEMPT"),
        ("#85-Ubuntu SMP PREEMPT_DYNAMIC Thu Sep 18", "PREEMPT_DYNAMIC"),
    ],
)
def test_preemption_is_a_part_of_uname(build, preemption):
    assert parse_runtime({**USER, "build": build}, {}).preemption == preemption


def test_a_device_that_does_not_exist_cannot_be_opened():
    runtime = parse_runtime({**USER, "kvm": ""}, {})
    assert runtime.value("kvm_device") == "absent"
    assert runtime.value("kvm_by_root") == "no"


def test_without_output_the_values_are_not_known_rather_than_failed():
    runtime = parse_runtime({}, {})
    assert runtime.value("kernel") is None
    assert runtime.value("page_size") is None
    assert runtime.value("kvm_mode") is None


def test_several_policies_have_one_driver():
    assert parse_runtime({**USER, "cpufreq": "cpufreq-dt\ncpufreq-dt"}, {}).cpufreq_driver == (
        "cpufreq-dt"
    )


def test_keys():
    assert is_runtime_key("kvm_mode")
    assert is_runtime_key("cgroup.cpu")
    assert not is_runtime_key("cgroup.")
    assert not is_runtime_key("hz")
