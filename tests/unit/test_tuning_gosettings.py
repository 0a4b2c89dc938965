"""Go's settings: the values that Go rejects or ignores, according to the toolchain's source."""

import pytest

from labkit.errors import TuningError
from labkit.tuning import GoSettings
from labkit.tuning.gosettings import godebug_names


@pytest.mark.parametrize(
    "settings",
    [
        {"gogc": "off", "gomemlimit": "off"},
        {"gogc": 0},
        {"gomemlimit": 67108864},
        {"gomemlimit": "512B"},
        {"gomemlimit": "2TiB"},
        {"godebug": {"cpu.atomics": "off", "netdns": "go", "memprofilerate": 1}},
    ],
)
def test_what_go_takes_is_taken(settings):
    assert GoSettings(**settings).env()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gogc": 10**12}, "GOGC=1000000000000"),
        ({"gomemlimit": -1}, "Go exits with an error"),
        ({"godebug": {"gctrace": "on"}}, "GODEBUG gctrace=on: Go ignores it"),
    ],
)
def test_a_number_that_is_none_of_gos_is_refused(settings, message):
    with pytest.raises(TuningError) as refused:
        GoSettings(**settings)
    assert message in str(refused.value)


def test_the_names_of_godebug_are_those_of_the_library_the_runtime_and_the_processor():
    assert {"netdns", "gctrace", "memprofilerate", "cpu.atomics", "cpu.all"} <= godebug_names()
    assert not {"name", "cpu", "atomics"} & godebug_names()
