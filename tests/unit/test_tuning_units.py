"""A unit's text, and the settings that systemd would drop without a word."""

import pytest

from labkit.errors import TuningError
from labkit.tuning import InstalledUnit, Unit


def test_a_unit_file_has_the_settings_in_systemds_own_names():
    unit = Unit(
        ["/bin/true"],
        cpu_affinity=[2, 3],
        allowed_cpus=[3],
        memory_max="128M",
        memory_high=1 << 26,
        memory_swap_max=0,
        cpu_quota=150,
        sched_policy="fifo",
        sched_priority=80,
        env={"GOMEMLIMIT": "112MiB"},
    )
    assert unit.text().splitlines()[4:] == [
        "ExecStart=/bin/true",
        "Environment=GOMEMLIMIT=112MiB",
        "CPUAffinity=2 3",
        "AllowedCPUs=3",
        "MemoryMax=128M",
        "MemoryHigh=67108864",
        "MemorySwapMax=0",
        "CPUQuota=150%",
        "CPUSchedulingPolicy=fifo",
        "CPUSchedulingPriority=80",
    ]
    assert str(unit) == unit.text()


def test_a_word_with_spaces_quotes_or_systemds_own_signs_is_quoted():
    text = Unit(["/bin/echo", 'a "b"', "100%", "$HOME"], env={"A": "1 %h $B"}).text()
    assert 'ExecStart=/bin/echo "a \\"b\\"" "100%%" "$$HOME"' in text
    assert 'Environment="A=1 %%h $B"' in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory_max": -1}, "memory_max='-1'"),
        ({"cpu_affinity": "2-3"}, "'2' is not a processor"),
        ({"allowed_cpus": [-1]}, "-1 is not a processor"),
        ({"sched_policy": "rr", "sched_priority": 0}, "sched_priority=0"),
        ({"sched_policy": "fifo", "sched_priority": 100}, "sched_priority=100"),
        ({"sched_priority": 0}, "sched_policy='' with sched_priority=0"),
    ],
)
def test_a_number_that_is_none_of_systemds_is_refused(settings, message):
    with pytest.raises(TuningError) as refused:
        Unit(["/bin/true"], **settings)
    assert message in str(refused.value)
    assert refused.value.expected


@pytest.mark.parametrize("name", ["", "../ssh", "a b", "labkit-x.service", "-x"])
def test_a_name_that_cannot_be_a_unit_is_refused_before_the_board_is_asked(name):
    with pytest.raises(TuningError, match="cannot name a unit"):
        InstalledUnit(None, name, "")
