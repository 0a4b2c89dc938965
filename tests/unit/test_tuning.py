"""What tuning refuses before anything reaches a board, and how it edits texts."""

import pytest

from labkit.errors import TuningError
from labkit.tuning import GoSettings, KernelModule, Limits, Unit
from labkit.tuning.bootfiles import CmdlineTxtChange
from labkit.tuning.cgroups import Cgroup, CpuSet, _cpu_list
from labkit.tuning.gosettings import godebug_names


@pytest.mark.parametrize(
    ("khz", "message"),
    [
        (600, "looks like MHz; expected kHz: 600000"),
        (2400, "looks like MHz; expected kHz: 2400000"),
        (2_400_000_000, "looks like Hz; expected kHz: 2400000"),
        (0, "is not a clock"),
        (-1, "is not a clock"),
    ],
)
def test_a_clock_in_another_unit_is_refused_with_the_value_it_would_be(khz, message):
    for name in ("min_khz", "max_khz"):
        with pytest.raises(TuningError, match=message):
            Limits(None, **{name: khz})


def test_limits_that_cross_and_none_at_all_are_refused():
    with pytest.raises(TuningError, match="above"):
        Limits(None, min_khz=2_000_000, max_khz=1_900_000)
    with pytest.raises(TuningError, match="no limit"):
        Limits(None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory_max", "512MB"),
        ("memory_max", "512M  # enough"),
        ("memory_high", "512MiB"),
        ("memory_swap_max", "none"),
        ("cpu_quota", 0),
        ("cpu_quota", -50),
        ("sched_policy", "realtime"),
        ("sched_policy", "fifo"),
        ("sched_priority", 80),
    ],
)
def test_what_systemd_would_drop_is_refused(field, value):
    with pytest.raises(TuningError):
        Unit(["/bin/true"], **{field: value})


def test_a_command_is_a_list_of_words():
    with pytest.raises(TuningError, match="not a command"):
        Unit("/bin/true --now")


def test_a_unit_quotes_what_systemd_would_take_apart():
    text = Unit(["/bin/echo", "two words", 'a "quote"'], env={"A": "b c"}).text()
    assert 'ExecStart=/bin/echo "two words" "a \\"quote\\""' in text
    assert 'Environment="A=b c"' in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gogc": "50%"}, "GOGC=50%"),
        ({"gogc": -1}, "GOGC=-1"),
        ({"gomemlimit": "64M"}, "64MiB"),
        ({"gomemlimit": "64MB"}, "64MiB"),
        ({"gomemlimit": "1.5GiB"}, "GOMEMLIMIT"),
        ({"gomaxprocs": 0}, "from 1"),
        ({"godebug": {"madvdontned": 1}}, "madvdontneed"),
        ({"godebug": {"gctrace": "1,2"}}, "no comma"),
    ],
)
def test_a_spelling_that_go_does_not_take_is_refused(settings, message):
    with pytest.raises(TuningError, match=message):
        GoSettings(**settings)


def test_go_settings_become_variables():
    settings = GoSettings(gogc="off", gomemlimit=1 << 20, gomaxprocs=2, godebug={"gctrace": 1})
    assert settings.env() == {
        "GOGC": "off",
        "GOMEMLIMIT": "1048576",
        "GOMAXPROCS": "2",
        "GODEBUG": "gctrace=1",
    }
    assert GoSettings().env() == {}


def test_the_names_of_godebug_come_from_the_toolchain():
    assert {"gctrace", "madvdontneed", "asyncpreemptoff", "containermaxprocs"} <= godebug_names()


@pytest.mark.parametrize(
    ("before", "add", "remove", "after"),
    [
        ("a b\n", ["c"], [], "a b c\n"),
        ("a  b \n", ["c"], [], "a  b c \n"),
        ("a b", ["b"], [], "a b"),
        ("a b c\r\n", [], ["b"], "a c\r\n"),
        ("quiet a\nsecond\n", [], ["quiet"], "a\nsecond\n"),
        ("", ["c"], [], "c"),
    ],
)
def test_words_of_the_command_line_are_added_and_taken_out_of_its_one_line(
    before, add, remove, after
):
    assert CmdlineTxtChange(None, add=add, remove=remove).render(before) == after


@pytest.mark.parametrize(
    "arguments", [{"add": ["two words"]}, {"add": [""]}, {"remove": ["root=/dev/vda"]}, {}]
)
def test_a_command_line_that_would_break_the_board_is_refused(arguments):
    with pytest.raises(TuningError):
        CmdlineTxtChange(None, **arguments)


def test_a_set_of_processors_is_listed_as_the_kernel_does_it():
    assert _cpu_list([0, 1, 2, 5]) == "0-2,5"
    for wrong in ({"cpus": []}, {"cpus": [1], "partition": "alone"}):
        with pytest.raises(TuningError):
            CpuSet(None, "x", **wrong)
    with pytest.raises(TuningError):
        CpuSet(None, "../x", [1])
    with pytest.raises(TuningError):
        Cgroup(None, "../x")


@pytest.mark.parametrize("module", ["", "two words", "../dummy", "dummy.ko", "/tmp/dummy", "-r"])
def test_what_is_neither_a_module_nor_the_path_of_one_is_refused(module):
    with pytest.raises(TuningError, match="is not a kernel module"):
        KernelModule(None, module)
