"""The shell scripts of this repository pass shellcheck, and `make setup` is quiet."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELLCHECK = Path(sys.executable).with_name("shellcheck")

# The digest in an image's name is made of the bytes of this script, so it gets no first line.
WITHOUT_SHEBANG = ROOT / "labkit/virtual/compose.sh"


def scripts():
    """Files that end in .sh or whose first line names a shell."""
    for directory in ("labkit", "binder", ".ci"):
        for path in sorted((ROOT / directory).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                with path.open("rb") as file:
                    first_line = file.readline(100)
                if path.suffix == ".sh" or re.match(rb"#!.*\b(ba)?sh\b", first_line):
                    yield path


def test_the_scripts_are_found():
    paths = {str(path.relative_to(ROOT)) for path in scripts()}
    assert {"binder/setup.sh", ".ci/run"} <= paths
    guest = {"labkit/virtual/guest/init", "labkit/virtual/guest/labkit-wake"}
    assert {"labkit/virtual/compose.sh", *guest} <= paths


@pytest.mark.parametrize("path", list(scripts()), ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_finds_no_fault(path):
    shell = ["--shell=sh"] if path == WITHOUT_SHEBANG else []
    argv = [SHELLCHECK, "--color=never", *shell, path]
    process = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("path", list(scripts()), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_script_pauses_with_a_time_limit_of_read(path):
    """bash 5.2 restores a signal mask that it never saved, where the time is over too early.

    A run of a unit then waited for ever for a child that had ended, on a board under load.
    """
    assert not re.search(r"^[^#]*\bread +-\w*t", path.read_text(), re.MULTILINE)


def test_setup_without_apt_and_python_prints_one_line(tmp_path):
    """With the programs of a machine that has neither, up to the point where Python is missing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("cat", "cksum", "dirname", "id"):
        (programs / name).symlink_to(shutil.which(name))
    for name in ("qemu-system-aarch64", "qemu-img", "ssh"):
        (programs / name).symlink_to(shutil.which("true"))
    argv = [shutil.which("sh"), ROOT / "binder/setup.sh", tmp_path / "venv"]
    env = {"PATH": str(programs)}
    process = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line == "setup: found no Python; expected Python 3.11 or newer."
