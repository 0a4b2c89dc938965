"""What a governor was told comes back, whatever its kernel module insists on meanwhile."""

import pytest

from labkit import tuning
from labkit.errors import ChangeRejected, TuningError
from labkit.tuning import Governor, Limits, Tunable

ROOT = "/sys/devices/system/cpu/cpufreq"


def test_thresholds_that_would_cross_on_their_way_back_come_back(pi):
    with Governor(pi, "conservative", load_modules=True):
        up, down = f"{ROOT}/conservative/up_threshold", f"{ROOT}/conservative/down_threshold"
        pi.check(f"echo 95 >{up}; echo 90 >{down}", sudo=True)
        with Tunable(pi, "down_threshold", 20):
            pi.check(f"echo 30 >{up}", sudo=True)
        assert pi.check(f"cat {up} {down}").lines == ["95", "90"]


def test_the_clock_somebody_set_by_hand_comes_back(pi):
    with Governor(pi, "userspace", load_modules=True):
        pi.check(f"echo 1800000 >{ROOT}/policy0/scaling_setspeed", sudo=True)
        with Governor(pi, "performance"):
            assert tuning.policies(pi)[0].setspeed == "<unsupported>"
        (policy,) = tuning.policies(pi)
        assert (policy.governor, policy.setspeed) == ("userspace", "1800000")
    assert tuning.module_governors(pi) == ["conservative", "ondemand", "powersave", "userspace"]
    assert tuning.policies(pi)[0].governors == ("performance", "schedutil")


def test_a_setting_the_governor_has_not_or_refuses_is_said_with_its_words(pi):
    with pytest.raises(TuningError, match="schedutil.*no 'up_threshold'; expected .*rate_limit_us"):
        Tunable(pi, "up_threshold", 60).apply()
    with pytest.raises(
        ChangeRejected, match="refuses rate_limit_us of all policies: fast.*Invalid arg"
    ):
        Tunable(pi, "rate_limit_us", "fast").apply()
    with pytest.raises(TuningError, match="no policy7; expected one of policy0"):
        Limits(pi, max_khz=2_000_000, policy="policy7").apply()
    assert not pi.run("[ -e /var/lib/labkit ]").ok
