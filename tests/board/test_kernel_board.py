"""The three layers of the kernel on a live debian-12 board."""

from labkit import kernel


def test_the_configuration_is_read_from_boot(board):
    config = kernel.read_config(board)
    assert config.source == f"/boot/config-{board.facts.kernel}"
    assert config["IKCONFIG"] == "n"
    assert config["KVM"] == "y"
    assert config["MODULES"] == "y"
    assert len(config) > 5000


def test_options_that_were_dropped_are_unknown(board):
    config = kernel.read_config(board)
    for name in ("ARM64_VHE", "KVM_ARM_HOST"):
        assert name not in config
        assert config[name] is None


def test_reading_the_configuration_leaves_no_module_behind(board):
    before = board.check("cut -d' ' -f1 /proc/modules | sort").stdout
    kernel.read_config(board)
    assert board.check("cut -d' ' -f1 /proc/modules | sort").stdout == before


def test_the_command_line_is_the_boards(board):
    line = kernel.read_cmdline(board)
    assert line.text == board.read("/proc/cmdline").strip()
    assert "console" in line


def test_the_running_kernel_agrees_with_the_facts(board):
    runtime = kernel.read_runtime(board)
    assert runtime.kernel == board.facts.kernel
    assert runtime.page_size == board.facts.page_size
    assert runtime.hwcaps == board.facts.features
    assert runtime.cgroup_controllers == board.facts.cgroup_controllers
    assert runtime.cgroup_version == 2
    assert runtime.kvm_mode is not None
    assert bool(runtime.kvm_mode) == runtime.kvm_device


def test_the_go_group_is_decided_and_passes(board):
    report = kernel.check(board, "go")
    assert report.undecided.empty, str(report)
    assert report.ok, str(report)


def test_every_check_is_decided_on_a_board_with_sudo(board):
    report = kernel.check(board)
    assert report.undecided.empty, str(report)
    assert (report.frame["emulated"] == board.emulated).all()


def test_the_memory_controller_is_there(board):
    frame = kernel.check(board, "tuning").frame.set_index("name")
    for name in ("memory cgroup built in", "memory cgroup not switched off", "memory controller"):
        assert frame.loc[name, "ok"] is True
