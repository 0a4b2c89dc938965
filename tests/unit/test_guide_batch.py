"""Runs without a board: notebooks that need none, and a stub of the machine that is reset."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

import nbformat.v4 as v4
import pytest

from labkit.boards import Board, Facts, inventory
from labkit.boards.local import LocalTransport
from labkit.errors import BoardUnknown, BoardUnreachable, BootFailed, GuideError, PlatformError
from labkit.guide import Notebook, run, run_guide
from labkit.guide.results import read

PARAMETERS = 'platform = "debian-12"\nboard_name = ""\nrounds = 1'
FACTS = Facts(
    *("Debian", "debian", "6.1.0", "aarch64", "", "QEMU max", 2, frozenset()),
    *(64, 4096, 2**30, (), 0, "/root/.cache/labkit-board", True),
)


@dataclass
class StubMachine:
    """Makes a board a virtual one for the runner, and counts how often it is reset."""

    resets: int = 0
    errors: list[Exception] = field(default_factory=list)

    def reset(self):
        self.resets += 1
        if self.errors:
            raise self.errors.pop()
        return LocalTransport()


class StubBoard(Board):
    facts = FACTS


def provider(machines):
    """A provider of stub boards for these names, for ``labkit.session.PROVIDERS``."""

    def provide(name, sudo_password):
        if name not in machines:
            return None
        return StubBoard(name, LocalTransport(), platform="debian-12", machine=machines[name])

    return provide


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    machine = StubMachine()
    providers = (provider({"debian-12": machine, "real": None}),)
    monkeypatch.setattr("labkit.session.PROVIDERS", providers)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return machine


@pytest.fixture
def write(tmp_path):
    def write(name, *sources):
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        first = v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        cells = [v4.new_markdown_cell("# T"), first, *map(v4.new_code_cell, sources)]
        path.write_text(v4.writes_json(v4.new_notebook(cells=cells)))
        return Notebook(path, name)

    return write


def outcomes(summary):
    return [row.outcome for row in summary.rows]


def outputs(path):
    text = [
        "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        for cell in json.loads(path.read_text())["cells"]
        for output in cell.get("outputs", [])
    ]
    return "".join(text)


@pytest.mark.slow
def test_a_run(tmp_path, write, machine):
    judge = (
        "from labkit import claims\n"
        "_ = claims.cite('c1.0-05', source='go.dev', outcome='fails')\n"
        "_ = claims.cite('c1.0-05', source='go.dev', outcome='fails')"
    )
    show = "import os\nprint(platform, repr(board_name), rounds, os.getcwd())"
    positions = []
    results = tmp_path / "results {run}"  # papermill would fill braces in
    summary = run(
        [write("01/1.0-all-well", show, judge), write("01/1.1-raises", "1/0")],
        "debian-12",
        parameters={"rounds": "7"},
        results_dir=results,
        on_progress=positions.append,
    )
    well, wrong = summary.rows
    directory = results / "debian-12"

    assert (well.outcome, well.cells, well.verdicts) == ("passed", 4, {"fails": 1})
    assert f"debian-12 '' 7 {tmp_path / 'notebooks/01'}" in outputs(
        directory / "01/1.0-all-well.ipynb"
    )
    assert (directory / "01/1.0-all-well.verdicts.jsonl").exists()

    assert (wrong.outcome, wrong.cells, wrong.verdicts) == ("failed", 3, {})
    assert wrong.message.startswith("In [3] ZeroDivisionError: division by zero")
    assert (directory / "01/1.1-raises.ipynb").exists()

    assert (summary.exit_code, summary.emulated, summary.kernel) == (1, True, "6.1.0")
    assert (directory / "summary.md").exists()
    assert read(directory).summary == summary
    assert read(directory).verdicts[well.notebook][0].claim_id == "c1.0-05"
    assert machine.resets == 2, "once before each"
    assert [(p.index, p.cell, p.cells) for p in positions if not p.row][:3] == [
        *((1, 0, 0), (1, 1, 4), (1, 2, 4)),
    ]
    assert [p.row for p in positions if p.row] == [well, wrong]
    assert not [path for path in directory.rglob(".*") if path.is_file()]


@pytest.mark.slow
def test_a_notebook_that_damages_its_verdicts_fails_and_the_next_one_runs(write):
    damage = "import os\nopen(os.environ['LABKIT_VERDICTS'], 'w').write('none')"
    summary = run([write("a", damage), write("b")], "debian-12")
    assert outcomes(summary) == ["failed", "passed"], summary.rows
    assert "a.verdicts.jsonl:1 is not a verdict" in summary.rows[0].message


@pytest.mark.slow
def test_fail_fast(write):
    chosen = [write("a", "1/0"), write("b"), write("c")]
    summary = run(chosen, "debian-12", fail_fast=True)
    assert outcomes(summary) == ["failed", "skipped", "skipped"]
    assert summary.exit_code == 1


@pytest.mark.slow
def test_a_dead_kernel_and_a_slow_cell_are_failures(tmp_path, write):
    dead, slow = (
        write("dead", "import os\nos._exit(1)"),
        write("slow", "import time\ntime.sleep(60)"),
    )
    summary = run([dead, slow], "debian-12", cell_timeout=3)
    assert outcomes(summary) == ["failed", "failed"]
    assert summary.rows[0].message.startswith("In [3] the notebook's kernel died")
    assert summary.rows[1].message.startswith("In [3] the cell ran past 3 s")
    text = (tmp_path / "results/debian-12/slow.ipynb").read_text()
    assert "ran past 3 s and was ended. The run stopped there." in text


@pytest.mark.slow
def test_a_board_that_cannot_be_reset_fails_its_notebook_only(tmp_path, write, machine):
    stale = tmp_path / "results/debian-12/a.ipynb"
    stale.parent.mkdir(parents=True)
    stale.write_text("from an earlier run")
    machine.errors.append(BootFailed("the machine ended"))
    summary = run([write("a"), write("b")], "debian-12")
    assert outcomes(summary) == ["failed", "passed"]
    assert summary.rows[0].message == "BootFailed: the machine ended"
    assert not stale.exists()


@pytest.mark.slow
def test_a_real_board_is_never_reset(write, monkeypatch):
    def refuse(self):
        raise AssertionError("reset of a real board")

    monkeypatch.setattr(StubBoard, "reset", refuse)
    summary = run([write("a", "assert board_name == 'real'")], "debian-12", "real")
    assert outcomes(summary) == ["passed"], summary.rows


class TestBeforeAnythingRuns:
    @pytest.fixture(autouse=True)
    def nothing_ran(self, machine, monkeypatch):
        def refuse(*_, **__):
            raise AssertionError("something ran")

        monkeypatch.setattr("labkit.guide.batch.execute", refuse)
        yield
        assert machine.resets == 0

    def test_an_unknown_platform(self, write):
        with pytest.raises(PlatformError, match="no platform 'debian-11'; expected one of debian-"):
            run([write("a")], "debian-11")

    def test_an_unknown_parameter(self, write):
        with pytest.raises(GuideError, match="has a parameter 'x'; expected one of"):
            run([write("a")], "debian-12", parameters={"x": 1})

    def test_an_unknown_board(self, write):
        with pytest.raises(BoardUnknown, match="no board 'nobody'"):
            run([write("a")], "debian-12", "nobody")

    def test_an_unknown_notebook(self, write):
        write("00-start-here")
        with pytest.raises(GuideError, match="expected 00-start-here"):
            run_guide(["00-start-hare"])

    def test_a_board_of_another_kind(self, write):
        with pytest.raises(
            GuideError, match=r"a raspberry-pi-5; expected debian-12\. Next: --plat"
        ):
            run([write("a")], "debian-12", "raspberry-pi-5@two")
        inventory.add(inventory.BoardEntry("lab-pi", "10.0.0.1", "raspberry-pi-5"))
        try:
            with pytest.raises(GuideError, match="lab-pi is a raspberry-pi-5"):
                run([write("a")], "debian-12", "lab-pi")
        finally:
            inventory.remove("lab-pi")

    def test_a_board_out_of_reach(self, write, monkeypatch):
        def away(self):
            raise BoardUnreachable("no answer")

        monkeypatch.setattr(StubBoard, "facts", property(away))
        with pytest.raises(BoardUnreachable):
            run([write("a")], "debian-12")

    def test_two_notebooks_with_one_result(self, write):
        one, two = write("x/a"), write("y/a")
        with pytest.raises(GuideError, match="2 notebooks would be written to"):
            run([Notebook(one.path, "a"), Notebook(two.path, "a")], "debian-12")

    def test_a_result_over_its_source(self, tmp_path, write):
        notebook = write("debian-12/a")
        with pytest.raises(GuideError, match="would overwrite"):
            run([Notebook(notebook.path, "a")], "debian-12", results_dir=tmp_path / "notebooks")

    def test_a_results_dir_that_is_a_file(self, tmp_path, write):
        (tmp_path / "results").touch()
        with pytest.raises(GuideError, match=r"cannot be made.*--results"):
            run([write("a")], "debian-12")

    def test_a_second_run_on_the_same_board(self, write):
        from labkit.guide.reservation import acquire_board

        with (
            acquire_board("debian-12", keep=True),
            pytest.raises(GuideError, match="another labkit run uses the board debian-12"),
        ):
            run([write("a")], "debian-12")


INTERRUPTED = """
import sys
sys.path.insert(0, {tests!r})
import test_guide_batch as stubs
from labkit import session
from labkit.guide import run_guide
session.PROVIDERS = (stubs.provider({{"debian-12": stubs.StubMachine()}}),)
sys.exit(run_guide(["a", "b"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_a_summary_and_no_kernel(tmp_path, write, eventually, times):
    write("00-start-here")
    write_pid = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))"
    write(
        "a",
        "print('begun')",
        f"{write_pid}\ntry:\n    time.sleep(99)\nfinally:\n    open('undone', 'w')",
    )
    write("b")
    script = INTERRUPTED.format(tests=os.path.dirname(__file__))
    pid = tmp_path / "notebooks/pid"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            eventually(lambda: pid.exists() and pid.read_text(), within=60)
            for _ in range(times):
                process.send_signal(signal.SIGINT)
                time.sleep(0.05)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()  # it has ended by now, unless the test fails

    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "1 stopped, 1 skipped" in out
    eventually(lambda: not alive(int(pid.read_text())))
    directory = tmp_path / "results/debian-12"
    assert "stopped" in (directory / "summary.md").read_text()
    assert "begun" in outputs(directory / "a.ipynb")
    assert "Ctrl-C stopped the run here." in (directory / "a.ipynb").read_text()
    if times == 1:
        assert (tmp_path / "notebooks/undone").exists(), "the cell could not clean up"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
