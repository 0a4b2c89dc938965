"""Changes of a board that always find their way back."""

from labkit.platforms.configtxt import known_keys
from labkit.tuning.bootfiles import CommandLine, ConfigSetting
from labkit.tuning.cgroups import CpuSet
from labkit.tuning.change import Change, Plan, Together
from labkit.tuning.clocks import Governor, Limits, Tunable
from labkit.tuning.cpufreq import Policy, loadable, policies, sample, time_in_state
from labkit.tuning.runtime import GoSettings
from labkit.tuning.unit_runs import UnitRun, run_unit
from labkit.tuning.units import InstalledUnit, Unit, verify

__all__ = [
    "Change",
    "CommandLine",
    "ConfigSetting",
    "CpuSet",
    "GoSettings",
    "Governor",
    "InstalledUnit",
    "Limits",
    "Plan",
    "Policy",
    "Together",
    "Tunable",
    "Unit",
    "UnitRun",
    "known_keys",
    "loadable",
    "policies",
    "run_unit",
    "sample",
    "time_in_state",
    "verify",
]
