"""Commands over a real OpenSSH server: unchanged, complete, in time, and none left running."""

import os
import signal
import socket
import time

import pytest

from labkit.errors import (
    BoardUnreachable,
    CommandFailed,
    CommandTimeout,
    ConnectionLost,
    UnsupportedArchitecture,
)

AWKWARD = [
    "two words",
    "single ' quote",
    'double " quote',
    "a\nnewline and a\ttab",
    "; exit 7",
    "$(exit 7) `exit 7` $HOME",
    "100%s %d %%",
    "back\\slash \\n",
    "* ? [a-z] ~",
    "-n",
    "",
    "Füße 板子 🦫",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_an_argument_arrives_as_given(loop, text):
    assert loop.check("printf %%s %s", text).stdout == text


def test_all_arguments_arrive_in_order(loop):
    command = "for text in " + "%s " * len(AWKWARD) + "; do printf '%%s|' \"$text\"; done"
    assert loop.check(command, *AWKWARD).stdout == "".join(f"{text}|" for text in AWKWARD)


def test_without_arguments_a_percent_sign_is_itself(loop):
    assert loop.check("printf '%s:%d%%' a 5").stdout == "a:5%"


def test_the_result_holds_all_of_a_command(loop):
    result = loop.run("echo output; echo problem >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_status) == ("output\n", "problem\n", 3)
    assert result.command == "echo output; echo problem >&2; exit 3"
    assert not result.ok
    assert 0 < result.seconds < 5


@pytest.mark.parametrize("status", [0, 1, 127, 255])
def test_an_exit_status_comes_back(loop, status):
    assert loop.run("exit %s", status).exit_status == status


def test_check_raises_with_the_whole_result(loop):
    with pytest.raises(CommandFailed, match="status 4: it broke$") as excinfo:
        loop.check("echo before; echo it broke >&2; exit 4")
    assert excinfo.value.result.stdout == "before\n"


def test_a_command_the_shell_cannot_read_is_a_failed_one(loop):
    result = loop.run("if then fi (")
    assert result.exit_status == 2 or result.exit_status == 1
    assert "yntax error" in result.stderr


def test_death_by_a_signal_is_128_and_its_number(loop):
    result = loop.run("sh -c 'echo last line; kill -ILL $$'")
    assert result.exit_status == 128 + signal.SIGILL
    assert result.stdout == "last line\n"


def test_death_of_the_shell_itself_is_no_lost_link(loop):
    assert loop.run("kill -KILL $$").exit_status == 128


def test_the_environment_is_set_for_the_command_alone(loop):
    env = {"GOMAXPROCS": "2", "AWKWARD": 'a\'b "c" $HOME\nd'}
    assert loop.check('printf "$GOMAXPROCS $AWKWARD"', env=env).stdout == '2 a\'b "c" $HOME\nd'
    assert loop.check('printf %s "${GOMAXPROCS-unset}"').stdout == "unset"


def test_six_megabytes_on_both_streams_at_once(loop):
    size = 6 << 20
    both = "head -c %s /dev/zero | tr '\\0' o & head -c %s /dev/zero | tr '\\0' e >&2; wait"
    result = loop.check(both, size, size)
    assert result.stdout == "o" * size
    assert result.stderr == "e" * size


def test_all_of_stderr_before_any_stdout(loop):
    result = loop.check("head -c 6291456 /dev/zero >&2; echo done")
    assert len(result.stderr) == 6 << 20
    assert result.stdout == "done\n"


def test_five_megabytes_of_input_come_back(loop):
    text = "".join(f"line {number}\n" for number in range(450_000))
    assert len(text) > 5 << 20
    assert loop.check("cat", stdin=text).stdout == text


def test_input_may_be_bytes(loop):
    assert loop.check("od -An -tx1", stdin=b"\x00\xff").stdout == " 00 ff\n"


def test_a_command_that_ignores_its_input_is_no_problem(loop):
    assert loop.check("echo unread", stdin="x" * (5 << 20)).stdout == "unread\n"


def test_a_command_that_waits_for_input_gets_its_end(loop):
    assert loop.check("cat; echo over").stdout == "over\n"


def test_bytes_that_are_no_text_do_not_break_the_result(loop):
    assert loop.check("printf 'a\\377b'").stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_a_timeout_ends_the_command_and_its_children(loop, tmp_path, eventually, ended):
    pids = tmp_path / "pids"
    command = "echo so far; sleep 300 & sleep 300 | sleep 300 & echo $$ $! >%s; jobs -p >>%s; wait"
    with pytest.raises(CommandTimeout, match="timeout=SECONDS") as excinfo:
        loop.run(command, pids, pids, timeout=0.5)
    assert excinfo.value.result.stdout == "so far\n"
    assert excinfo.value.result.exit_status is None
    for pid in pids.read_text().split():
        eventually(lambda pid=pid: ended(pid))
    assert loop.check("echo usable").stdout == "usable\n"


def test_a_timeout_ends_a_command_that_ignores_sigterm(loop, tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        loop.run("trap '' TERM; echo $$ >%s; while :; do sleep 1; done", pid, timeout=0.5)
    eventually(lambda: ended(pid.read_text()))


def test_a_timeout_too_short_for_anything_still_ends_the_command(loop, tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    loop.run("true")
    with pytest.raises(CommandTimeout):
        loop.run("echo $$ >%s; exec sleep 300", pid, timeout=0)
    eventually(pid.exists, within=2)
    eventually(lambda: ended(pid.read_text()))


@pytest.mark.timeout(30)
def test_a_command_that_never_stops_printing_is_ended_in_time(loop):
    with pytest.raises(CommandTimeout) as excinfo:
        loop.run("yes", timeout=1)
    assert excinfo.value.result.seconds < 15
    assert excinfo.value.result.stdout.startswith("y\ny\n")


@pytest.mark.timeout(30)
def test_a_background_child_that_holds_the_output_is_not_waited_for(loop, tmp_path):
    pid = tmp_path / "pid"
    result = loop.check("sleep 300 & echo $! >%s; echo left", pid)
    assert result.stdout == "left\n"
    assert result.seconds < 10
    os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.timeout(30)
def test_a_background_child_that_goes_on_printing_is_not_waited_for(loop, tmp_path):
    pid = tmp_path / "pid"
    chatter = "(while :; do echo more; sleep 0.1; done) & echo $! >%s; echo left"
    result = loop.check(chatter, pid, timeout=3)
    assert "left\n" in result.stdout
    assert result.seconds < 10
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_interrupting_a_run_ends_the_command_on_the_board(loop, tmp_path, eventually, ended):
    pid = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt):
        loop.run("echo $$ >%s; kill -INT %s; exec sleep 300", pid, os.getpid())
    eventually(lambda: ended(pid.read_text()))
    assert loop.check("echo usable").stdout == "usable\n"


@pytest.mark.timeout(30)
def test_a_link_that_drops_in_the_middle_is_lost_and_made_again_once(loop, monkeypatch):
    loop.run("true")
    logins = counted_logins(monkeypatch)
    with pytest.raises(ConnectionLost, match="labkit connects again"):
        loop.run("echo started; kill -KILL $PPID; sleep 300")
    assert loop.check("echo back").stdout == "back\n"
    loop.check("true")
    assert len(logins) == 1


@pytest.mark.timeout(30)
def test_a_link_that_drops_while_a_command_is_interrupted_does_not_hide_the_cause(
    loop, monkeypatch
):
    def unreachable(target):
        raise BoardUnreachable("no answer")

    def on_output(out, err):
        monkeypatch.setattr("labkit.boards.ssh.transport.connect", unreachable)
        loop._transport._client.get_transport().sock.shutdown(socket.SHUT_RDWR)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run("echo started; exec sleep 2", on_output=on_output)


def test_a_link_that_died_unnoticed_is_made_again(loop, monkeypatch, eventually):
    server = loop.check("echo $PPID").stdout.strip()
    logins = counted_logins(monkeypatch)
    os.kill(int(server), signal.SIGKILL)
    assert loop.check("echo back").stdout == "back\n"
    assert len(logins) == 1


def test_a_closed_board_opens_again_by_itself(loop):
    loop.close()
    loop.close()
    assert loop.check("echo back").stdout == "back\n"


@pytest.mark.skipif(os.uname().machine in ("aarch64", "arm64"), reason="this machine is arm64")
def test_a_machine_of_another_kind_is_not_taken_for_a_board(loop):
    with pytest.raises(UnsupportedArchitecture, match=f"loop is a {os.uname().machine} machine"):
        _ = loop.facts


def counted_logins(monkeypatch):
    from labkit.boards.ssh import transport as ssh

    real, logins = ssh.connect, []
    monkeypatch.setattr(ssh, "connect", lambda target: (logins.append(target), real(target))[1])
    return logins


def test_output_is_delivered_as_it_comes_and_is_in_the_result_too(loop):
    pieces = []

    def on_output(out, err):
        pieces.append((time.monotonic(), out, err))

    result = loop.run("echo one; sleep 0.6; echo two >&2", on_output=on_output)
    assert [piece[1:] for piece in pieces] == [(b"one\n", b""), (b"", b"two\n")]
    assert pieces[1][0] - pieces[0][0] > 0.4
    assert (result.stdout, result.stderr) == ("one\n", "two\n")


@pytest.mark.parametrize("kind", [RuntimeError, OSError, TimeoutError])
def test_what_the_callback_raises_ends_the_command_and_comes_out(loop, kind, eventually, ended):
    pieces = []

    def on_output(out, err):
        pieces.append(out)
        raise kind("enough")

    with pytest.raises(kind, match="enough"):
        loop.run("echo $$; exec sleep 300", on_output=on_output)
    eventually(lambda: ended(pieces[0]))
    assert len(pieces) == 1
    assert loop.check("echo usable").stdout == "usable\n"
