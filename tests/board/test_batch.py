"""Runs on a live virtual board: reset between notebooks, killed under them, interrupted."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat.v4 as v4
import pytest

import labkit
from labkit.guide import Notebook, run
from labkit.virtual import VirtualMachine

pytestmark = pytest.mark.timeout(300, func_only=True)

PARAMETERS = 'platform = "debian-12"\nboard_name = ""'
OPEN = "import labkit\nboard = labkit.open_board(board_name or platform)"
KILL = """\
import os, pathlib, signal
from labkit.virtual import VirtualMachine
pid = int((VirtualMachine(board.name).directory / "qemu.pid").read_text())
os.kill(pid, signal.SIGKILL)
board.check("uname -m")"""


@pytest.fixture
def machine(board_name, board):
    """A second machine of the tests' platform, which does not run; ``board`` made its image."""
    machine = VirtualMachine(f"{board_name.partition('@')[0]}@guide-test")
    machine.down()
    yield machine
    machine.down()


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name, *sources):
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        first = v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        cells = [first, *map(v4.new_code_cell, [OPEN, *sources])]
        path.write_text(v4.writes_json(v4.new_notebook(cells=cells)))
        return Notebook(path, name)

    return write


def outcomes(summary):
    return [row.outcome for row in summary.rows]


def test_each_notebook_gets_a_pristine_board(write, machine):
    mark = 'assert not board.run("test -e /tmp/mark").ok\n_ = board.check("touch /tmp/mark")'
    fail = 'board.check("echo no luck >&2; false")'
    summary = run([write("a", mark), write("b", fail), write("c", mark)], "debian-12", machine.name)
    assert outcomes(summary) == ["passed", "failed", "passed"], summary.rows
    assert "CommandFailed" in summary.rows[1].message
    assert "no luck" in summary.rows[1].message
    assert (summary.emulated, summary.exit_code) == (True, 1)
    assert summary.kernel.endswith("arm64")
    assert not machine.running, "it did not run before"
    saved = json.loads(Path("results/debian-12/c.ipynb").read_text())
    assert saved["metadata"]["papermill"]["parameters"]["board_name"] == machine.name


def test_a_board_that_ran_before_runs_on_as_new(write, machine):
    with labkit.open_board(machine.name) as board:
        board.check("touch /tmp/before")
    run([write("a", 'board.check("touch /tmp/mark")')], "debian-12", machine.name)
    assert machine.running
    with labkit.open_board(machine.name) as board:
        assert not board.run("ls /tmp/before /tmp/mark").stdout


def test_keep_board_leaves_the_last_notebooks_board(write, machine):
    mark = write("a", '_ = board.check("touch /tmp/mark")')
    run([mark], "debian-12", machine.name, keep_board=True)
    assert machine.running
    with labkit.open_board(machine.name) as board:
        assert board.run("test -e /tmp/mark").ok


def test_a_board_killed_under_a_notebook(write, machine):
    fine = write("fine", 'board.check("true")')
    summary = run([write("killed", KILL), fine], "debian-12", machine.name)
    assert outcomes(summary) == ["failed", "passed"], summary.rows
    assert "ConnectionLost" in summary.rows[0].message or "BoardUnreach" in summary.rows[0].message
    assert "the virtual board is gone" in summary.rows[0].message


def test_a_run_killed_with_its_board_needs_no_cleaning(write, machine, tmp_path, eventually):
    """kill -9 of QEMU and of the run itself; the next run works."""
    fine = write("fine", 'board.check("true")')
    process = start_run(write, machine, tmp_path, eventually)
    os.kill(int((machine.directory / "qemu.pid").read_text()), signal.SIGKILL)
    process.kill()
    process.communicate()
    assert outcomes(run([fine], "debian-12", machine.name)) == ["passed"]


def test_ctrl_c_leaves_the_board_usable(write, machine, tmp_path, eventually):
    process = start_run(write, machine, tmp_path, eventually)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler shows where it hangs
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert "1 stopped" in out
    assert not machine.running
    with labkit.open_board(machine.name) as board:
        assert board.check("uname -m").stdout == "aarch64\n"


def start_run(write, machine, tmp_path, eventually):
    """A run in a process of its own, at the moment its notebook waits for the board."""
    wait = "open('begun', 'w').close()\nboard.run('sleep 100', timeout=200)"
    notebook = write("long", wait)
    script = (
        "import sys; from labkit.guide import run_guide;"
        f"sys.exit(run_guide([{str(notebook.path)!r}], board={machine.name!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually((tmp_path / "notebooks/begun").exists, within=60)
    return process
