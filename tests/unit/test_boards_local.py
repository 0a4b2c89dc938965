"""This machine itself as the board: it behaves as a board over SSH does."""

import os
import signal
import stat
import time

import pytest

import labkit
from labkit.boards import Board
from labkit.boards.local import LocalTransport
from labkit.errors import (
    CommandFailed,
    CommandTimeout,
    NotVirtual,
    RemoteFileError,
    UnsupportedArchitecture,
)


@pytest.fixture
def here():
    with Board("here", LocalTransport()) as board:
        yield board


def test_it_is_opened_by_name():
    with labkit.open_board("local") as board:
        assert board.address == "this machine"
        assert board.check("uname -n").stdout == f"{os.uname().nodename}\n"


@pytest.mark.parametrize(
    "text", ["a b", "it's", '"', "a\nb", "; exit 7", "$(exit 7)", "100%s", "é"]
)
def test_an_argument_arrives_as_given(here, text):
    assert here.check("printf %%s %s", text).stdout == text


def test_without_arguments_a_percent_sign_is_itself(here):
    assert here.check("printf '%d%%' 5").stdout == "5%"


def test_the_result_holds_all_of_a_command(here):
    result = here.run("echo output; echo problem >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_status) == ("output\n", "problem\n", 3)
    with pytest.raises(CommandFailed, match="problem"):
        here.check("echo problem >&2; exit 3")


def test_death_by_a_signal_is_128_and_its_number(here):
    assert here.run("kill -KILL $$").exit_status == 128 + signal.SIGKILL
    assert here.run("sh -c 'kill -ILL $$'").exit_status == 128 + signal.SIGILL


def test_six_megabytes_on_both_streams_at_once(here):
    size = 6 << 20
    both = "head -c %s /dev/zero | tr '\\0' o & head -c %s /dev/zero | tr '\\0' e >&2; wait"
    result = here.check(both, size, size)
    assert (result.stdout, result.stderr) == ("o" * size, "e" * size)


def test_five_megabytes_of_input_come_back(here):
    text = "0123456789abcde\n" * 330_000
    assert here.check("cat", stdin=text).stdout == text
    assert here.check("echo unread", stdin=text).stdout == "unread\n"


def test_the_environment_is_set_for_the_command_alone(here):
    assert here.check('printf "$A"', env={"A": "it's $HOME"}).stdout == "it's $HOME"
    assert here.check('printf %%s "${A-unset}"%s', "").stdout == "unset"


@pytest.mark.slow
def test_a_timeout_ends_the_command_and_its_children(here, tmp_path, eventually, ended):
    pids = tmp_path / "pids"
    command = "echo so far; sleep 300 & echo $$ $! >%s; wait"
    with pytest.raises(CommandTimeout) as excinfo:
        here.run(command, pids, timeout=0.5)
    assert excinfo.value.result.stdout == "so far\n"
    for pid in pids.read_text().split():
        eventually(lambda pid=pid: ended(pid))


@pytest.mark.slow
def test_a_timeout_ends_a_command_that_ignores_sigterm(here, tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        here.run("trap '' TERM; echo $$ >%s; while :; do sleep 1; done", pid, timeout=0.5)
    eventually(lambda: ended(pid.read_text()))


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_a_background_child_that_holds_the_output_is_not_waited_for(here, tmp_path):
    pid = tmp_path / "pid"
    result = here.check("sleep 300 & echo $! >%s; echo left", pid)
    assert result.stdout == "left\n"
    assert result.seconds < 10
    os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_interrupting_a_run_ends_the_command(here, tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt):
        # Not at once: Popen must have returned before Python can end the command.
        here.run("echo $$ >%s; sleep 0.3; kill -INT %s; exec sleep 300", pid, os.getpid())
    eventually(lambda: ended(pid.read_text()))


def test_files_are_read_and_written(here, tmp_path):
    path = str(tmp_path / "a file")
    here.write(path, "it's\n")
    assert here.read(path) == "it's\n"
    assert here.read_many([path, f"{path}.none"]) == {path: "it's\n"}
    with pytest.raises(RemoteFileError, match="No such file or directory"):
        here.read(f"{path}.none")
    with pytest.raises(RemoteFileError, match="No space left on device"):
        here.write("/dev/full", "x")


def test_a_file_is_put_with_its_mode_and_only_once(here, tmp_path):
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_bytes(os.urandom(10_000))
    assert here.put(source, str(target), mode=0o700)
    assert not here.put(source, str(target), mode=0o640)
    assert target.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert here.get(str(target), tmp_path / "back").read_bytes() == source.read_bytes()


def test_a_file_that_cannot_be_copied_leaves_nothing(here, tmp_path):
    (tmp_path / "source").write_text("x")
    (tmp_path / "in the way").mkdir()
    with pytest.raises(RemoteFileError, match="cannot be copied"):
        here.put(tmp_path / "source", str(tmp_path / "in the way"))
    with pytest.raises(RemoteFileError, match="No such file"):
        here.get(str(tmp_path / "none"), tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in the way", "source"]


def test_a_real_machine_is_never_reset(here):
    with pytest.raises(NotVirtual, match="here at this machine is a real machine"):
        here.reset()


@pytest.mark.skipif(os.uname().machine in ("aarch64", "arm64"), reason="this machine is arm64")
def test_a_machine_of_another_kind_is_not_taken_for_a_board(here):
    with pytest.raises(
        UnsupportedArchitecture, match=r"here is a \w+ machine.*labkit board up debian-12"
    ):
        _ = here.facts


def test_output_is_delivered_as_it_comes_and_is_in_the_result_too(here):
    pieces = []

    def on_output(out, err):
        pieces.append((time.monotonic(), out, err))

    result = here.run("echo one; sleep 0.6; echo two >&2", on_output=on_output)
    assert [piece[1:] for piece in pieces] == [(b"one\n", b""), (b"", b"two\n")]
    assert pieces[1][0] - pieces[0][0] > 0.4
    assert (result.stdout, result.stderr) == ("one\n", "two\n")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RuntimeError, OSError, TimeoutError])
def test_what_the_callback_raises_ends_the_command_and_comes_out(here, kind, eventually, ended):
    pieces = []

    def on_output(out, err):
        pieces.append(out)
        raise kind("enough")

    with pytest.raises(kind, match="enough"):
        here.run("echo $$; exec sleep 300", on_output=on_output)
    eventually(lambda: ended(pieces[0]))
