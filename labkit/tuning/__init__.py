"""Changes of a board that can be undone, and the settings that they change."""

from labkit.raspberrypi.configtxt import known_keys
from labkit.tuning.bootfiles import CmdlineTxtChange, ConfigTxtChange
from labkit.tuning.cgroups import Cgroup, CpuSet
from labkit.tuning.change import Change, ChangeGroup, Plan
from labkit.tuning.clocks import Governor, Limits, Tunable
from labkit.tuning.cpufreq import Policy, module_governors, policies, sample, time_in_state
from labkit.tuning.gosettings import GoSettings
from labkit.tuning.modules import KernelModule
from labkit.tuning.unit_runs import UnitRun, run_unit
from labkit.tuning.units import InstalledUnit, Unit, verify

__all__ = [
    "Cgroup",
    "Change",
    "ChangeGroup",
    "CmdlineTxtChange",
    "ConfigTxtChange",
    "CpuSet",
    "GoSettings",
    "Governor",
    "InstalledUnit",
    "KernelModule",
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
