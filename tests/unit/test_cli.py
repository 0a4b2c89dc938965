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

    def call(*args, **env):
        return subprocess.run(
            [LABKIT, *args],
            stdin=subprocess.DEVNULL,
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


def test_it_shows_its_version(labkit):
    assert labkit("--version").stdout.startswith("labkit ")


def test_its_help_names_the_parts_and_the_exit_codes(labkit):
    text = labkit("--help").stdout
    for word in ("doctor", "run", "board", "image", "Show the version", "Exit codes"):
        assert word in text


@pytest.mark.slow
def test_a_wrong_word_is_exit_code_2(labkit):
    assert labkit("boards").returncode == 2
    assert labkit("board", "up").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "message"),
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
def test_what_prevents_a_command_is_one_line_and_exit_code_3(labkit, args, message):
    ended = labkit(*args)
    assert ended.returncode == 3
    assert message in ended.stderr
    assert one_line(ended.stderr)
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", [".", "..", "debian-12@..", "/"])
def test_a_name_that_leads_out_of_the_machines_dir_removes_nothing(labkit, tmp_path, name):
    disk = tmp_path / "cache" / "machines" / "debian-12" / "disk"
    disk.parent.mkdir(parents=True)
    disk.touch()
    for args in (("run", "--board", name), ("board", "down", name), ("board", "reset", name)):
        ended = labkit(*args)
        assert ended.returncode == 3
        assert one_line(ended.stderr)
    assert disk.exists()


@pytest.mark.slow
def test_a_board_of_ones_own_is_added_listed_and_removed(labkit):
    added = labkit("board", "add", "pi", "127.0.0.1", "--platform", "raspberry-pi-5", "--port", "1")
    assert added.returncode == 0
    assert "board trust pi" in added.stdout
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


@pytest.mark.slow
def test_the_doctor_reports_to_people_and_to_programs(labkit):
    for_programs = labkit("doctor", "--json")
    checks = json.loads(for_programs.stdout)
    assert {"name", "ok", "found", "hint"} == set(checks[0])
    all_ok = all(check["ok"] for check in checks)
    for_people = labkit("doctor")
    assert for_people.returncode == for_programs.returncode == (0 if all_ok else 1)
    assert all(check["name"].split()[0] in for_people.stdout for check in checks)


def test_the_doctor_says_what_to_type_where_qemu_is_missing(labkit, tmp_path):
    ended = labkit("doctor", "--json", PATH=str(tmp_path))
    assert ended.returncode == 1
    qemu = next(check for check in json.loads(ended.stdout) if check["name"] == "qemu")
    assert qemu["ok"] is False
    assert "qemu" in qemu["hint"].lower()


def test_without_qemu_a_board_does_not_come_up_and_the_next_step_is_named(labkit, tmp_path):
    ended = labkit("board", "up", "debian-12", PATH=str(tmp_path))
    assert ended.returncode == 3
    assert "qemu-system-aarch64 and qemu-img not on this machine" in ended.stderr
    assert "Next: " in ended.stderr
    assert one_line(ended.stderr)


class TestBoardRun:
    """``labkit board run``, on this computer."""

    @pytest.mark.parametrize(
        "argv",
        [
            ["one word", "$HOME", "it's", '"', "*", "a\nb", "", "--", "--sudo", "-x", "ä"],
            ["--timeout", "0"],
        ],
    )
    def test_after_dashes_each_argument_reaches_the_program_unchanged(self, labkit, argv):
        show = "import sys; print(sys.argv[1:])"
        ended = labkit("board", "run", "local", "--", sys.executable, "-c", show, *argv)
        assert ended.stdout == f"{argv}\n"
        assert ended.returncode == 0

    @pytest.mark.slow
    def test_without_dashes_the_words_are_one_line_for_the_shell(self, labkit):
        assert labkit("board", "run", "local", "echo $((20 + 22)) | cat").stdout == "42\n"
        assert labkit("board", "run", "local", "echo", "$((20", "+", "22))").stdout == "42\n"

    def test_dashes_within_a_shell_line_belong_to_it(self, labkit):
        assert labkit("board", "run", "local", "echo", "a", "--", "b").stdout == "a -- b\n"

    @pytest.mark.slow
    def test_options_may_stand_before_or_after_the_name(self, labkit):
        for options in (("--timeout", "5", "local"), ("local", "--timeout", "5")):
            assert labkit("board", "run", *options, "--", "echo", "a").stdout == "a\n"
        assert labkit("board", "run", "local", "--timout", "5", "--", "echo").returncode == 2

    @pytest.mark.slow
    def test_its_exit_code_is_that_of_the_command(self, labkit):
        assert labkit("board", "run", "local", "--", "sh", "-c", "exit 7").returncode == 7
        assert labkit("board", "run", "local", "--").returncode == 2
        late = labkit("board", "run", "local", "--timeout", "0.2", "--", "sleep", "9")
        assert late.returncode == 3
        assert one_line(late.stderr)
