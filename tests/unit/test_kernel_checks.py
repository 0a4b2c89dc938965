"""The checks: their data is sound, and passed, failed and not known are three results."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.boards import Board, Facts
from labkit.boards.local import LocalTransport
from labkit.errors import KernelConfigError
from labkit.kernel import check
from labkit.kernel.checks import (
    GROUPS,
    LAYERS,
    _cmdline_value,
    evaluate,
    load_checks,
    parse_checks,
)
from labkit.kernel.cmdline import parse_cmdline
from labkit.kernel.report import CheckReport, CheckResult

COLUMNS = [
    "name", "group", "layer", "key", "expected", "actual", "ok", "reason", "source", "remedy",
    "emulated",
]  # fmt: skip

SOUND = """
[[check]]
name = "futex"
group = "go"
layer = "config"
key = "FUTEX"
expected = ["y", "m"]
reason = "Threads sleep with it."
source = "init/Kconfig"
remedy = "build it in"
"""


def spec(**changes):
    return replace(parse_checks(SOUND, "test")[0], **changes)


# -- the data --------------------------------------------------------------------------------


def test_the_checks_that_come_with_labkit_are_sound():
    checks = load_checks()
    assert 20 <= len(checks) <= 30
    assert {check.group for check in checks} == set(GROUPS)
    assert {check.layer for check in checks} == set(LAYERS)


def test_no_check_expects_an_option_the_kernel_dropped():
    assert not {"ARM64_VHE", "KVM_ARM_HOST"} & {check.key for check in load_checks()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('remedy = "build it in"', "", "(futex) has no key 'remedy'"),
        ('remedy = "build it in"', 'fix = "x"', "(futex) has the unknown key 'fix'; expected one"),
        ('reason = "Threads sleep with it."', "reason = 3", "reason = 3; expected text"),
        ('reason = "Threads sleep with it."', 'reason = " "', "reason = ' '; expected text that"),
        ('["y", "m"]', "[]", "expected = (); expected text, or a list"),
        ('["y", "m"]', "[1]", "(futex): expected[0] = 1; expected text"),
        ('["y", "m"]', "true", "(futex): expected = True; expected text or a list"),
        ('["y", "m"]', '">3 or so"', "expected = '>3 or so'; expected >= or <= and a number"),
        ('"go"', '"golang"', "group = 'golang'; expected go or kvm or tuning"),
        ('"config"', '"kconfig"', "layer = 'kconfig'; expected config or cmdline or runtime"),
        ('"config"', '"runtime"', "key = 'FUTEX'; expected a key of Runtime.value"),
        ('"FUTEX"', '"FUTEX"\nunless = "a=b"', "unless"),
        ("[[check]]", "[check", "is not TOML"),
        ("[[check]]", "[other]", "holds no check"),
        ("[[check]]", "[check]", "holds no check"),
    ],
)
def test_a_mistake_in_the_data_is_one_clear_line(old, new, message):
    with pytest.raises(KernelConfigError) as refused:
        parse_checks(SOUND.replace(old, new), "test")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_checks_of_one_name_are_refused():
    with pytest.raises(KernelConfigError, match="two checks are named 'futex'"):
        parse_checks(SOUND + SOUND, "test")


def test_a_list_of_something_else_is_refused():
    with pytest.raises(KernelConfigError, match="check 1 is 3; expected a table"):
        parse_checks("check = [3]", "test")


# -- evaluating -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "actual", "ok"),
    [
        (("y",), "y", True),
        (("y",), "m", False),
        (("y", "m"), "m", True),
        (("y",), "option unknown to this kernel", False),
        (("present",), "option unknown to this kernel", False),
        (("present",), "cpufreq-dt", True),
        (("present",), "absent", False),
        (("absent",), "absent", True),
        (("absent",), "memory", False),
        (("!=none",), "absent", True),
        (("!=none",), "none", False),
        ((">=3.2",), "6.1.0-56-arm64", True),
        ((">=3.2",), "3.2", True),
        ((">=3.2",), "3.2.0", True),
        ((">=3.2",), "3.10.1", True),
        ((">=3.2",), "2.6.32", False),
        (("<=65536",), "16384", True),
        (("<=65536",), "131072", False),
        ((">=250",), "option unknown to this kernel", False),
        ((">=250",), "1000", True),
    ],
)
def test_actual_against_expected(expected, actual, ok):
    assert evaluate(spec(expected=expected), (actual, ""), False).ok is ok


def test_a_single_value_needs_no_list():
    (single,) = parse_checks(SOUND.replace('["y", "m"]', '"y"'), "test")
    assert single.alternatives == ("y",)
    assert evaluate(single, ("y", ""), False).expected == "y"
    assert evaluate(spec(), ("m", ""), False).expected == "y or m"


def test_what_is_not_known_is_neither_passed_nor_failed():
    unknown = evaluate(spec(), (None, "not known: this user cannot read it"), False)
    assert unknown.ok is None
    assert unknown.actual == "not known: this user cannot read it"


@pytest.mark.parametrize(
    ("line", "ok"),
    [
        ("root=/dev/vda", True),
        ("cgroup_disable=memory root=/dev/vda", False),
        ("cgroup_disable=pressure,memory", False),
        ("cgroup_disable=pressure", True),
        ("cgroup_disable=memory cgroup_enable=memory", True),
    ],
)
def test_the_memory_cgroup_of_a_raspberry_pi(line, ok):
    memory = next(check for check in load_checks() if check.key == "cgroup_disable=memory")
    assert evaluate(memory, (_cmdline_value(memory, parse_cmdline(line)), ""), False).ok is ok


@pytest.mark.parametrize(
    ("line", "actual"),
    [("kvm-arm.mode=none", "none"), ("quiet", "absent"), ("a kvm-arm.mode", "present")],
)
def test_a_parameter_of_the_command_line(line, actual):
    mode = next(check for check in load_checks() if check.key == "kvm-arm.mode")
    assert _cmdline_value(mode, parse_cmdline(line)) == actual


# -- a report -------------------------------------------------------------------------------


SOMEBODY = Facts(
    os="Debian",
    os_id="debian",
    kernel="6.1.0-56-arm64",
    machine="aarch64",
    model="",
    cpu="QEMU max",
    cpus=2,
    features=frozenset(),
    long_bit=64,
    page_size=4096,
    memory=2**30,
    cgroup_controllers=(),
    uid=0,
    cache_dir="/home/somebody/.cache/labkit-board",
    emulated=True,
)
EXCERPT = Path(__file__).parent / "data" / "config-6.1.0-56-arm64.excerpt"


class WithConfig(LocalTransport):
    """This machine, with the configuration of Debian's arm64 kernel in place of its own."""

    trips = 0

    def run(self, request, *, on_output=None):
        self.trips += 1
        command = request.command
        for path, instead in (
            ("/boot/config-$release", str(EXCERPT)),
            ("/proc/config.gz", "/nowhere"),
            ("modprobe", "false"),
        ):
            command = command.replace(path, instead)
        return super().run(replace(request, command=command), on_output=on_output)


@pytest.fixture
def board():
    board = Board("deb", WithConfig())
    board.facts = SOMEBODY
    return board


def test_the_go_group_of_a_debian_kernel_passes(board):
    report = check(board, "go")
    assert report.ok, str(report)
    assert report.failed.empty
    assert report.undecided.empty
    assert board._transport.trips == 2


def test_all_groups_take_three_trips_at_most(board):
    report = check(board)
    assert list(report.frame.columns) == COLUMNS
    assert len(report.frame) == len(load_checks())
    assert set(report.frame["group"]) == set(GROUPS)
    assert report.frame["emulated"].all()
    assert board._transport.trips <= 3


def test_without_a_configuration_its_checks_are_not_known():
    here = Board("here", LocalTransport())
    here.facts = SOMEBODY
    report = check(here, "go")
    configs = report.frame[report.frame["layer"] == "config"]
    if all(actual.startswith("not known: ") for actual in configs["actual"]):  # not an arm64 runner
        assert configs["ok"].isna().all()
        assert not report.ok


def test_a_group_that_does_not_exist(board):
    with pytest.raises(KernelConfigError, match=r"no group of checks 'golang'.*go, kvm, tuning"):
        check(board, "golang")


def result(**changes):
    return CheckResult(
        **{
            "name": "KVM <in>",
            "group": "kvm",
            "layer": "config",
            "key": "KVM",
            "expected": "y",
            "actual": "y",
            "ok": True,
            "reason": "No module.",
            "source": "arch/arm64/kvm/Kconfig",
            "remedy": "build it in",
            "emulated": True,
            **changes,
        }
    )


REPORT = CheckReport(
    "deb",
    (
        result(),
        result(name="device", layer="runtime", key="kvm_device", actual="absent", ok=False),
        result(
            name="log",
            layer="runtime",
            key="kvm_mode",
            actual="not known: this user cannot read it",
            ok=None,
        ),
    ),
)


def test_the_frame_keeps_true_false_and_none_apart():
    passed, failed, unknown = REPORT.frame["ok"]
    assert passed is True
    assert failed is False
    assert unknown is None
    assert list(REPORT.failed["name"]) == ["device"]
    assert list(REPORT.undecided["name"]) == ["log"]
    assert not REPORT.ok


def test_an_empty_part_still_has_its_columns():
    assert list(CheckReport("deb", (result(),)).failed.columns) == COLUMNS


def test_the_html_has_text_beside_marks_and_is_escaped():
    html = REPORT._repr_html_()
    for part in ("✓ yes", "✗ no", "? not known", "KVM &lt;in&gt;", "CONFIG_KVM", "emulated"):
        assert part in html
    assert html.count("build it in") == 2  # only where something is left to do


def test_the_text_says_what_to_do():
    lines = str(REPORT).splitlines()
    assert lines[0] == "deb, emulated: 3 checks, 1 yes, 1 no, 1 not known"
    assert lines[2].split() == ["NO", "kvm", "device", "kvm_device:", "absent", "(expected:", "y)"]
    assert lines[3].strip() == "build it in"


def test_importing_the_package_stays_light():
    code = "import sys, labkit.kernel; print({'pandas', 'numpy', 'paramiko'} & {*sys.modules})"
    argv = [sys.executable, "-c", code]
    process = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"
