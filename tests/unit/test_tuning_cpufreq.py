"""Boards with several policies, which no virtual board has."""

from types import SimpleNamespace

import pytest

from labkit.errors import TuningError
from labkit.tuning import Governor, Limits, Tunable, cpufreq, policies


def policy_lines(name, cpus, top, governor="schedutil"):
    files = {
        "affected_cpus": cpus,
        "scaling_driver": "cpufreq-dt",
        "scaling_governor": governor,
        "scaling_available_governors": "performance schedutil ",
        "scaling_available_frequencies": f"600000 {top} ",
        "scaling_min_freq": 600000,
        "scaling_max_freq": top,
        "cpuinfo_min_freq": 600000,
        "cpuinfo_max_freq": top,
        "scaling_setspeed": "<unsupported>",
        "scaling_cur_freq": top,
        f"{governor}/rate_limit_us": 2000,
    }
    return [f"{name}/{file}:{value}" for file, value in files.items()]


LINES = [
    *policy_lines("policy10", "10 11", 2400000),
    *policy_lines("policy4", "4 5", 2208000),
    *policy_lines("policy0", "0 1 2 3", 1800000),
    "policy12/related_cpus:12 13",  # offline: it says no more than that
    "../cpu0/cpu_capacity:530",
    "../cpu4/cpu_capacity:1024",
]


@pytest.fixture
def board():
    """Eight processors and more, of two kinds; a stand-in that can only be asked."""
    return SimpleNamespace(
        name="rock", run=lambda *args, **more: SimpleNamespace(lines=LINES, ok=False)
    )


def test_policies_come_in_their_order_with_the_strength_of_their_processors(board):
    all_policies = policies(board)
    assert [policy.name for policy in all_policies] == ["policy0", "policy4", "policy10"]
    assert [policy.capacity for policy in all_policies] == [530, 1024, None]
    assert all_policies[1].cpus == (4, 5)
    assert all_policies[1].available_khz == (600_000, 2_208_000)
    assert all_policies[1].tunables == {"policy4/schedutil/rate_limit_us": "2000"}


def test_a_change_of_one_policy_writes_to_it_alone_and_its_way_back_covers_all(board):
    for change in (
        Governor(board, "performance", policy="policy4"),
        Limits(board, max_khz=2_000_000, policy="policy4"),
        Tunable(board, "rate_limit_us", 1, policy="policy4"),
    ):
        plan = change.plan()
        assert [line for line in plan.apply.splitlines() if "policy0" in line] == []
        assert "policy4/" in plan.apply
        for name in ("policy0", "policy4", "policy10"):
            assert f"put {name}/scaling_governor schedutil" in plan.undo
            assert f"put {name}/schedutil/rate_limit_us 2000" in plan.undo
        assert plan.resource == "cpufreq"
        assert change.desired().keys() == set(change.current())


def test_both_limits_go_up_before_they_go_down(board):
    steps = Limits(board, min_khz=700_000, max_khz=800_000, policy="policy0").plan().apply
    written = [line.split()[1] for line in steps.splitlines() if line.startswith("echo")]
    assert written == ["1800000", "700000", "800000"]


@pytest.mark.parametrize(
    ("khz", "message"),
    [(2, "looks like GHz; expected kHz: 2000000"), (2.4e6, "whole kHz"), ("fast", "whole kHz")],
)
def test_a_clock_that_is_no_whole_number_of_khz_is_refused(khz, message):
    with pytest.raises(TuningError, match=message):
        Limits(None, max_khz=khz)


def test_a_board_without_clocks_has_no_policies():
    nothing = SimpleNamespace(name="x", run=lambda *args, **more: SimpleNamespace(lines=[]))
    assert policies(nothing) == []
    with pytest.raises(TuningError, match=f"expected {cpufreq.ROOT}/policy0"):
        cpufreq.require_policies(nothing)
