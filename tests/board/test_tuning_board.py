"""Clocks, boot files, units and groups on a virtual Raspberry Pi 5, and on a board without."""

import pytest

from labkit import tuning
from labkit.bench import allocate
from labkit.errors import ChangeRejected, TuningError
from labkit.tuning import ConfigTxtChange, CpuSet, Governor, InstalledUnit, Limits, Tunable, Unit
from labkit.widgets import GovernorPanel, MemoryPanel, UnitPanel


def test_a_policy_tells_all_of_its_clocks_in_khz(pi):
    (policy,) = tuning.policies(pi)
    assert (policy.name, policy.cpus, policy.driver) == ("policy0", (0, 1, 2, 3), "cpufreq-dt")
    assert (policy.hardware_min_khz, policy.hardware_max_khz) == (1_500_000, 2_400_000)
    assert policy.available_khz[1] - policy.available_khz[0] == 100_000
    assert policy.current_khz in policy.available_khz
    assert policy.capacity == 1024
    assert policy.tunables


def test_a_governor_and_its_setting_are_changed_and_come_back(pi):
    before = tuning.policies(pi)[0]
    with Governor(pi, "ondemand", load_modules=True), Tunable(pi, "up_threshold", 60):
        now = tuning.policies(pi)[0]
        assert now.governor == "ondemand"
        assert now.tunables["ondemand/up_threshold"] == "60"
    after = tuning.policies(pi)[0]
    assert (after.governor, after.governors) == (before.governor, before.governors)
    assert after.tunables == before.tunables


def test_a_governor_the_board_has_not_is_refused_with_the_ones_it_has(pi):
    with pytest.raises(TuningError, match="performance, schedutil.*load_modules=True"):
        Governor(pi, "ondemand").apply()
    with pytest.raises(TuningError, match="performance, schedutil$"):
        Governor(pi, "turbo", load_modules=True).apply()


def test_a_limit_the_kernel_moves_is_not_taken_unless_that_is_wanted(pi):
    with pytest.raises(ChangeRejected, match="'1500000'.*expected '600000'"):
        Limits(pi, min_khz=600_000).apply()
    with Limits(pi, min_khz=600_000, allow_clamped=True) as change:
        assert list(change.read_back()["board says"]) == ["1500000"]
    with Limits(pi, min_khz=2_000_000, max_khz=2_100_000):
        policy = tuning.policies(pi)[0]
        assert (policy.min_khz, policy.max_khz) == (2_000_000, 2_100_000)
    policy = tuning.policies(pi)[0]
    assert (policy.min_khz, policy.max_khz) == (1_500_000, 2_400_000)


def test_clocks_are_sampled_and_counted(pi):
    samples = tuning.sample(pi, seconds=0.5)
    assert set(samples["policy"]) == {"policy0"}
    assert samples["khz"].between(1_500_000, 2_400_000).all()
    counted = tuning.time_in_state(pi)
    assert list(counted.index) == list(tuning.policies(pi)[0].available_khz)
    assert counted["policy0"].sum() > 0


def test_boot_files_are_written_only_when_somebody_says_so(pi):
    before = pi.read("/boot/firmware/config.txt")
    change = ConfigTxtChange(pi, arm_freq=2000, arm_freq_max=1800)
    assert "+arm_freq=2000" in change.diff()
    assert change.unknown_keys == ["arm_freq_max"]
    with pytest.raises(TuningError, match="allow_write=True"):
        change.apply()
    assert pi.read("/boot/firmware/config.txt") == before
    with ConfigTxtChange(pi, arm_freq=2000, allow_write=True):
        assert pi.read("/boot/firmware/config.txt") == before + "arm_freq=2000\n"
    assert pi.read("/boot/firmware/config.txt") == before


def test_a_board_without_clocks_or_boot_files_is_told_so_in_one_line(board):
    assert tuning.policies(board) == []
    for change in (Governor(board, "performance"), Limits(board, max_khz=2_000_000)):
        with pytest.raises(TuningError, match="no processor clock.*labkit board up raspberry-pi-5"):
            change.apply()
    with pytest.raises(TuningError, match="expected a Raspberry Pi"):
        ConfigTxtChange(board, arm_freq=2000)
    with pytest.raises(TuningError, match="no config.txt"):
        ConfigTxtChange(board, arm_freq=2000, model="pi5").diff()


def test_a_unit_runs_where_and_with_what_it_says(board):
    unit = Unit(
        ["/bin/sh", "-c", "nproc; echo $A"], cpu_affinity=[1], cpu_quota=150, env={"A": "b c"}
    )
    run = tuning.run_unit(board, unit)
    assert run.output.splitlines() == ["1", "b c"]
    assert run.result == "success"
    assert run.counters["Cpus_allowed_list"] == "1"
    assert run.as_frame()["at the end"]["cpu.max"] == "150000 100000"
    assert "labkit" not in board.check("systemctl list-units --all --plain 'labkit-r*'").stdout


def test_a_unit_that_fails_or_does_not_end_says_how(board):
    assert tuning.run_unit(board, Unit(["/bin/false"])).result == "exit-code"
    assert tuning.run_unit(board, Unit(["/bin/sleep", "100"]), timeout=1).result == "timeout"
    with pytest.raises(ChangeRejected, match="/bin/nothing"):
        tuning.run_unit(board, Unit(["/bin/nothing"]))


def test_the_comment_behind_a_value_is_seen_by_verify(board):
    good = Unit(["/bin/true"], cpu_affinity=[0], memory_max="64M").text()
    assert tuning.verify(board, good) == []
    bad = good.replace("MemoryMax=64M", "MemoryMax=64M  # enough")
    assert len(tuning.verify(board, bad)) == 1


def test_a_limit_the_board_has_no_controller_for_is_refused(pi):
    with pytest.raises(TuningError, match="no memory controller"):
        tuning.run_unit(pi, Unit(["/bin/true"], memory_max="64M"))
    with pytest.raises(TuningError, match="no processor 9"):
        tuning.run_unit(pi, Unit(["/bin/true"], cpu_affinity=[9]))


def test_what_an_installed_unit_prints_is_in_its_log(board):
    unit = Unit(["/bin/sh", "-c", "echo here I am; exec sleep 100"]).text()
    with InstalledUnit(board, "labkit-says", unit) as service:
        assert "here I am" in service.log()


def test_a_unit_never_takes_the_place_of_one_of_the_systems(board):
    with pytest.raises(TuningError, match="has a unit ssh"):
        InstalledUnit(board, "ssh", Unit(["/bin/true"]).text()).apply()


def test_memory_that_is_held_meets_the_wall_and_is_counted(board):
    dead = allocate(board, live_mib=100, garbage_mib=0, limits={"memory_max": "48M"}, timeout=120)
    assert dead.run.result == "oom-kill"
    assert dead.run.counter("memory.events/oom_kill") == 1
    assert dead.run.counter("memory.peak") < 49 << 20
    alive = allocate(board, live_mib=8, garbage_mib=100, limits={"memory_max": "48M"}, timeout=40)
    assert alive.run.result == "success"
    assert alive.heap["system_mib"].max() < 48


def test_a_group_keeps_its_processors_and_leaves_the_tree_as_it_was(pi):
    control = "/sys/fs/cgroup/cgroup.subtree_control"
    before = pi.read(control)
    with CpuSet(pi, "test", [3], partition="isolated") as group:
        inside = "echo $$ >%s/cgroup.procs; grep Cpus_allowed_list /proc/self/status"
        assert pi.check(inside, group.path, sudo=True).stdout.split()[-1] == "3"
        assert pi.check("grep Cpus_allowed_list /proc/1/status").stdout.split()[-1] == "0-2"
        with pytest.raises(TuningError, match="has a group"):
            CpuSet(pi, "test", [2]).apply()
    assert pi.read(control) == before
    with pytest.raises(ChangeRejected):
        CpuSet(pi, "test", [99]).apply()
    assert pi.read(control) == before


def test_panels_do_their_work_without_widgets_and_show_themselves_as_text(pi, board):
    panel = GovernorPanel(pi)
    assert "governor schedutil" in str(panel)
    state = panel.apply("policy0", "performance", 1_600_000, 2_000_000)
    assert "governor performance, 1600 to 2000 MHz" in state
    again = panel.apply("policy0", "performance", 1_600_000, 2_000_000)
    assert again == "no change: these settings are active already"
    panel.close()
    assert tuning.policies(pi)[0].governor == "schedutil"
    assert "no processor clock" in str(GovernorPanel(board))
    unit = UnitPanel(board, live_mib=8, garbage_mib=16)
    assert "success" in unit.run(cpu_affinity=[1])
    assert "CPUAffinity=1" in str(unit)
    assert MemoryPanel(board).plot() is None


def test_a_panel_is_text_where_there_are_no_widgets(board, monkeypatch):
    monkeypatch.setenv("LABKIT_PANELS", "text")
    assert set(MemoryPanel(board)._repr_mimebundle_()) == {"text/plain"}
    monkeypatch.delenv("LABKIT_PANELS")
    bundle = MemoryPanel(board)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Memory of Go panel" in bundle["text/plain"]
