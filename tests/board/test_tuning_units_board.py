"""systemd units on a live board: what systemd drops, what it does, and that nothing stays."""

import pytest

from labkit import golang
from labkit.bench import allocate
from labkit.errors import ChangeRejected
from labkit.tuning import GoSettings, InstalledUnit, Unit, run_unit, verify

ARGUMENTS = ["$HOME", "%h", 'a "b"', "two\nlines", "100%", "\\n", "é"]


@pytest.fixture
def left_alone(board):
    """The board has the same units and unit files after the test as before."""

    files = "find /etc/systemd/system; find /run/systemd/transient -name 'labkit-*'"
    loaded = "systemctl list-units --all --plain --no-legend 'labkit-*'"

    def units():
        return sorted(board.check(f"{files}; {loaded}").lines)

    before = units()
    yield
    assert units() == before


def test_every_setting_of_a_unit_is_one_that_the_boards_systemd_can_read(board):
    unit = Unit(
        ["/bin/sh", "-c", *ARGUMENTS],
        cpu_affinity=[0, 1],
        allowed_cpus=[0],
        memory_max="10%",
        memory_high="infinity",
        memory_swap_max=0,
        cpu_quota=150,
        sched_policy="rr",
        sched_priority=99,
        env={"A": 'b "c" %h'},
    )
    assert verify(board, unit.text()) == []


def test_a_units_output_and_words_arrive_as_they_are(board, left_alone):
    run = run_unit(board, Unit(["/bin/sh", "-c", "printf '<%s>' \"$@\"", "sh", *ARGUMENTS]))
    assert run.output == "".join(f"<{word}>" for word in ARGUMENTS)
    assert run.result == "success"


def test_an_installed_units_words_arrive_as_they_are(board, left_alone):
    write = 'printf "<%s>" "$@" "$A" >/run/labkit-words; sleep 60'
    unit = Unit(["/bin/sh", "-c", write, "sh", *ARGUMENTS], env={"A": "1 %h $B"})
    with InstalledUnit(board, "labkit-words", unit.text()):
        wait = "until [ -s /run/labkit-words ]; do sleep 0.1; done; cat /run/labkit-words"
        seen = board.check(wait, sudo=True).stdout
    board.check("rm /run/labkit-words", sudo=True)
    assert seen == "".join(f"<{word}>" for word in [*ARGUMENTS, "1 %h $B"])


def test_what_became_of_a_unit_is_told(board, left_alone):
    unit = Unit(
        ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], cpu_affinity=[1], memory_max="64M"
    )
    run = run_unit(board, unit)
    assert (run.result, run.counters["exit"]) == ("exit-code", "exited 3")
    assert (run.output, run.stderr) == ("out", "err")
    assert run.counters["Cpus_allowed_list"] == "1"
    assert run.counter("memory.max") == 64 << 20
    assert 0 < run.counter("memory.peak") < 64 << 20
    assert run.counter("memory.events/oom_kill") == 0
    assert run.log[0].startswith("Started labkit-run.service")
    # On a slow board systemd adds a line about the processor time.
    assert "labkit-run.service: Failed with result 'exit-code'." in run.log


def test_a_program_that_needs_more_than_its_limit_is_kept_within_it(board, left_alone):
    met = allocate(board, live_mib=96, garbage_mib=0, limits={"memory_max": "48M"}, timeout=20)
    run = met.run
    # Killed, as a rule; but the kernel may also spend all that time on the program's own code.
    assert run.result in ("oom-kill", "timeout")
    assert run.counter("memory.events/max") > 0
    assert 40 << 20 < run.counter("memory.peak") < 49 << 20
    assert 0 < run.memory["mib"].max() < 49
    assert (run.memory["seconds"].diff().dropna() > 0).all()
    assert run.memory[["high", "max", "oom_kill"]].iloc[0].tolist() == [0, 0, 0]


def test_a_quota_is_counted(board, left_alone):
    spin = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
    run = run_unit(board, Unit(["/bin/sh", "-c", spin], cpu_quota=20))
    assert run.counters["cpu.max"] == "20000 100000"
    assert run.counter("cpu.stat/nr_throttled") > 0


def test_an_installed_unit_runs_and_is_gone_when_undone(board, left_alone):
    change = InstalledUnit(
        board, "labkit-test", Unit(["/bin/sleep", "300"], cpu_affinity=[1]).text()
    )
    with change:
        assert change.read_back()["taken"].all()
        assert board.run("systemctl is-active labkit-test").stdout == "active\n"
        assert board.run("cat /etc/systemd/system/labkit-test.service").stdout == change.content
    assert board.run("systemctl is-active labkit-test").stdout == "inactive\n"
    assert "not-found" in board.run("systemctl show -p LoadState labkit-test").stdout


def test_a_unit_of_the_same_name_that_ran_is_put_back_and_runs_again(board, left_alone):
    own = Unit(["/bin/sleep", "300"], cpu_affinity=[0]).text()
    with InstalledUnit(board, "labkit-test", own) as first:
        board.check("chmod 600 %s", first.path, sudo=True)
        other = InstalledUnit(board, "labkit-test", Unit(["/bin/sleep", "200"]).text())
        with other:
            assert board.run("cat %s", first.path, sudo=True).stdout == other.content
        assert board.run("cat %s", first.path, sudo=True).stdout == own
        assert board.run("stat -c %%a %s", first.path).stdout == "600\n"
        assert board.run("systemctl is-active labkit-test").stdout == "active\n"
        command = board.run("ps -o args= -p $(systemctl show --value -p MainPID labkit-test)")
        assert command.stdout == "/bin/sleep 300\n"


def test_a_unit_that_does_not_start_leaves_nothing_behind(board, left_alone):
    change = InstalledUnit(board, "labkit-test", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    with pytest.raises(
        ChangeRejected, match="refuses unit labkit-test.service: it ended: exit-code"
    ):
        change.apply()
    assert not change.applied


LIMITS = """
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

func main() {
	fmt.Println(debug.SetGCPercent(100), debug.SetMemoryLimit(-1)>>20, runtime.GOMAXPROCS(0))
}
"""


def test_go_takes_the_settings_as_they_were_meant(board):
    program = golang.build(LIMITS, name="limits")

    def seen(settings):
        return golang.run_on(board, program, env=settings.env()).stdout.split()

    assert seen(GoSettings(gogc=50, gomemlimit="64MiB", gomaxprocs=1)) == ["50", "64", "1"]
    assert seen(GoSettings(gogc="off", gomemlimit=32 << 20))[:2] == ["-1", "32"]


def test_what_is_refused_before_is_what_go_dies_of_or_overlooks(board):
    program = golang.build(LIMITS, name="limits")
    died = golang.run_on(board, program, env={"GOMEMLIMIT": "64M"})
    assert died.exit_status == 2
    assert "malformed GOMEMLIMIT" in died.stderr
    overlooked = golang.run_on(board, program, env={"GOGC": "50%", "GOMAXPROCS": "0"})
    assert overlooked.stdout.split()[::2] == ["100", str(board.facts.cpus)]


def test_a_memory_limit_of_gos_own_has_it_collect_more_often(board, left_alone):
    limits = {"memory_max": "128M"}
    free = allocate(board, GoSettings(gogc="off"), live_mib=8, garbage_mib=80, limits=limits)
    tight = allocate(board, GoSettings(gogc="off", gomemlimit="32MiB"), live_mib=8, garbage_mib=80)
    assert free.run.result == tight.run.result == "success"
    assert free.heap["collections"].iloc[-1] == 0
    assert tight.heap["collections"].iloc[-1] > 1
    assert tight.heap["system_mib"].max() < free.heap["system_mib"].max()
    assert tight.label == "GOGC=off GOMEMLIMIT=32MiB"
