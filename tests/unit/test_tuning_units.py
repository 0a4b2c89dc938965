"""A unit's text, and the settings that systemd would drop without a word."""

import pytest

from labkit.errors import TuningError
from labkit.tuning import InstalledUnit, Unit


def test_a_unit_file_has_the_settings_in_systemds_own_names():
    unit = Unit(
        ["/bin/true"],
        cpus=[2, 3],
        allowed_cpus=[3],
        memory_max="128M",
        memory_high=1 << 26,
        memory_swap_max=0,
        quota=150,
        policy="fifo",
        priority=80,
        environment={"GOMEMLIMIT": "112MiB"},
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
    text = Unit(["/bin/echo", 'a "b"', "100%", "$HOME"], environment={"A": "1 %h $B"}).text()
    assert 'ExecStart=/bin/echo "a \\"b\\"" "100%%" "$$HOME"' in text
    assert 'Environment="A=1 %%h $B"' in text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"memory_max": -1}, "memory_max='-1'"),
        ({"cpus": "2-3"}, "'2' is no processor"),
        ({"allowed_cpus": [-1]}, "-1 is no processor"),
        ({"policy": "rr", "priority": 0}, "priority=0"),
        ({"policy": "fifo", "priority": 100}, "priority=100"),
        ({"priority": 0}, "policy='' with priority=0"),
    ],
)
def test_a_number_that_is_none_of_systemds_is_refused(settings, said):
    with pytest.raises(TuningError) as refused:
        Unit(["/bin/true"], **settings)
    assert said in str(refused.value)
    assert refused.value.expected


@pytest.mark.parametrize("name", ["", "../ssh", "a b", "labkit-x.service", "-x"])
def test_a_name_that_cannot_be_a_unit_is_refused_before_the_board_is_asked(name):
    with pytest.raises(TuningError, match="cannot name a unit"):
        InstalledUnit(None, name, "")
