"""Changes of a board that always find their way back."""

from labkit.raspberrypi.configtxt import known_keys
from labkit.tuning.bootfiles import CommandLine, ConfigTxtChange
from labkit.tuning.cgroups import CpuSet
from labkit.tuning.change import Change, ChangeGroup, Plan
from labkit.tuning.clocks import Governor, Limits, Tunable
from labkit.tuning.cpufreq import Policy, module_governors, policies, sample, time_in_state
from labkit.tuning.gosettings import GoSettings
from labkit.tuning.unit_runs import UnitRun, run_unit
from labkit.tuning.units import InstalledUnit, Unit, verify

__all__ = [
    "Change",
    "ChangeGroup",
    "CommandLine",
    "ConfigTxtChange",
    "CpuSet",
    "GoSettings",
    "Governor",
    "InstalledUnit",
    "Limits",
    "Plan",
    "Policy",
    "Tunable",
    "Unit",
    "UnitRun",
    "known_keys",
    "module_governors",
    "policies",
    "run_unit",
    "sample",
    "time_in_state",
    "verify",
]
