"""The command line as a user meets it: what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LABKIT = Path(sys.executable).with_name("labkit")


@pytest.fixture
def labkit(tmp_path):
    """Run the real command with a cache and a configuration of the test's own."""

    def call(*words, typed="", **env):
        return subprocess.run(
            [LABKIT, *words],
            input=typed,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "LABKIT_CACHE": str(tmp_path / "cache"),
                "LABKIT_CONFIG": str(tmp_path / "config"),
                "COLUMNS": "100",
                **env,
            },
            check=False,
            timeout=60,
        )

    return call


def one_line(text):
    return len(text.strip().splitlines()) == 1


def test_it_says_its_version(labkit):
    assert labkit("--version").stdout.startswith("labkit ")


def test_its_help_names_the_parts_and_the_exit_codes(labkit):
    said = labkit("--help").stdout
    for word in ("doctor", "run", "board", "image", "Exit codes"):
        assert word in said


def test_a_wrong_word_is_exit_code_2(labkit):
    assert labkit("boards").returncode == 2
    assert labkit("board", "up").returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("board", "up", "debian-13"), "there is no platform 'debian-13'"),
        (("board", "info", "nobody"), "there is no board 'nobody'"),
        (("board", "down", "debian-12@/../../x"), "there is no board 'debian-12@/../../x'"),
        (("board", "reset", "debian-12@/../../x"), "there is no board 'debian-12@/../../x'"),
        (("run", "--board", "debian-12@/../../x"), "there is no board 'debian-12@/../../x'"),
        (("board", "restore", "nobody"), "there is no board 'nobody'"),
        (("board", "reboot", "nobody"), "there is no board 'nobody'"),
        (("board", "remove", "nobody"), "no board of yours is called 'nobody'"),
        (("image", "import", "nothing.labimage"), "there is no file nothing.labimage"),
        (("image", "export", "debian-12", "x"), "there is no image of debian-12"),
        (("run", "--platform", "debian-13"), "there is no platform 'debian-13'"),
        (("run", "-p", "colour=red", "00-start-here"), "colour"),
        (("run", "9.9"), "9.9"),
    ],
)
def test_what_stands_in_the_way_is_one_line_and_exit_code_3(labkit, words, said):
    ended = labkit(*words)
    assert ended.returncode == 3
    assert said in ended.stderr
    assert one_line(ended.stderr)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", [".", "..", "debian-12@..", "/"])
def test_a_name_that_leads_out_of_the_machines_dir_removes_nothing(labkit, tmp_path, name):
    kept = tmp_path / "cache" / "machines" / "debian-12" / "disk"
    kept.parent.mkdir(parents=True)
    kept.touch()
    for words in (("run", "--board", name), ("board", "down", name), ("board", "reset", name)):
        ended = labkit(*words)
        assert ended.returncode == 3
        assert one_line(ended.stderr)
    assert kept.exists()


def test_a_board_of_ones_own_is_noted_listed_and_forgotten(labkit):
    noted = labkit("board", "add", "pi", "127.0.0.1", "--platform", "raspberry-pi-5", "--port", "1")
    assert noted.returncode == 0
    assert "board trust pi" in noted.stdout
    assert "pi" in labkit("board", "list").stdout
    unreachable = labkit("board", "info", "pi")
    assert unreachable.returncode == 3
    assert "cannot be reached: connection refused" in unreachable.stderr
    assert one_line(unreachable.stderr)
    reset = labkit("board", "reset", "pi")
    assert reset.returncode == 3
    assert "pi is a real machine" in reset.stderr
    assert labkit("board", "remove", "pi").returncode == 0
    assert "127.0.0.1" not in labkit("board", "list").stdout


@pytest.mark.skipif(os.uname().machine == "aarch64", reason="this machine is an arm64 one")
def test_a_board_that_is_not_arm64_is_refused(labkit):
    ended = labkit("board", "info", "local")
    assert ended.returncode == 3
    assert f"local is a {os.uname().machine} machine" in ended.stderr


def test_the_doctor_speaks_to_people_and_to_programs(labkit):
    for_programs = labkit("doctor", "--json")
    findings = json.loads(for_programs.stdout)
    assert {"what", "ok", "found", "todo"} == set(findings[0])
    well = all(finding["ok"] for finding in findings)
    for_people = labkit("doctor")
    assert for_people.returncode == for_programs.returncode == (0 if well else 1)
    assert all(finding["what"].split()[0] in for_people.stdout for finding in findings)


def test_the_doctor_says_what_to_type_where_qemu_is_missing(labkit, tmp_path):
    ended = labkit("doctor", "--json", PATH=str(tmp_path))
    assert ended.returncode == 1
    qemu = next(each for each in json.loads(ended.stdout) if each["what"] == "qemu")
    assert qemu["ok"] is False
    assert "QEMU" in qemu["todo"] or "qemu" in qemu["todo"]


def test_without_qemu_a_board_does_not_come_up_and_the_line_that_mends_it_is_said(labkit, tmp_path):
    ended = labkit("board", "up", "debian-12", PATH=str(tmp_path))
    assert ended.returncode == 3
    assert "qemu-system-aarch64 and qemu-img not on this machine" in ended.stderr
    assert one_line(ended.stderr)
