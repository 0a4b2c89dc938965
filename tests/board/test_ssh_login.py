"""Logging in to a real OpenSSH server: every way it can go wrong says what to do next."""

import base64
import getpass
import os
import shlex
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace

import paramiko
import pytest

import labkit
from labkit.boards import Board, inventory
from labkit.boards.inventory import BoardEntry
from labkit.boards.ssh import connect as login
from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.connect import fetch_host_key
from labkit.boards.ssh.target import resolve
from labkit.boards.ssh.transport import SshTransport
from labkit.errors import (
    AuthenticationFailed,
    BoardError,
    BoardUnreachable,
    HostKeyChanged,
    HostKeyUnknown,
    InventoryError,
)
from labkit.virtual.qemu import free_port


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own: no trusted keys, no boards, no SSH configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_CONFIG", str(tmp_path / "labkit"))
    monkeypatch.setenv("LABKIT_SSH_CONFIG", str(tmp_path / "ssh_config"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


def say_hello(target):
    with Board(target.name, SshTransport(target)) as board:
        return board.check("echo hello").stdout


def test_an_unknown_key_waits_for_the_users_word(sshd):
    shown = hostkeys.fingerprint(fetch_host_key(sshd.target))
    with pytest.raises(HostKeyUnknown) as first:
        say_hello(sshd.target)
    assert shown in str(first.value)
    assert "labkit board trust loop" in str(first.value)
    assert one_line(first)
    sshd.trust()
    assert say_hello(sshd.target) == "hello\n"


def test_the_fingerprint_is_the_one_ssh_keygen_prints(sshd):
    line = ["ssh-keygen", "-lf", str(sshd.directory / "host_key.pub")]
    printed = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    kind, digest = hostkeys.fingerprint(fetch_host_key(sshd.target)).split()
    assert kind == "ssh-ed25519"
    assert digest == printed.split()[1]


def test_trust_that_is_taken_back_is_gone(sshd):
    sshd.trust()
    hostkeys.forget("127.0.0.1", sshd.port)
    hostkeys.forget("127.0.0.1", sshd.port)
    with pytest.raises(HostKeyUnknown):
        say_hello(sshd.target)


def test_a_key_the_user_trusts_already_is_trusted(sshd, home):
    note(home / ".ssh" / "known_hosts", sshd.port, sshd.directory / "host_key.pub")
    assert say_hello(sshd.target) == "hello\n"


def test_a_changed_key_names_both(sshd):
    shown = hostkeys.fingerprint(fetch_host_key(sshd.target))
    other = public_key(sshd.directory / "other_host_key.pub")
    hostkeys.trust("127.0.0.1", sshd.port, other)
    with pytest.raises(HostKeyChanged) as changed:
        say_hello(sshd.target)
    assert shown in changed.value.message
    assert hostkeys.fingerprint(other) in changed.value.expected
    assert "labkit board trust loop" in changed.value.hint
    assert one_line(changed)
    sshd.trust()
    assert say_hello(sshd.target) == "hello\n"


def test_a_key_trusted_anew_outweighs_the_users_old_one(sshd, home):
    note(home / ".ssh" / "known_hosts", sshd.port, sshd.directory / "other_host_key.pub")
    with pytest.raises(HostKeyChanged):
        say_hello(sshd.target)
    sshd.trust()
    assert say_hello(sshd.target) == "hello\n"
    assert (home / ".ssh" / "known_hosts").read_text().count("\n") == 1


def test_a_key_of_another_kind_is_a_changed_one(sshd, home):
    hostkeys.trust("127.0.0.1", sshd.port, paramiko.RSAKey.generate(2048))
    with pytest.raises(HostKeyChanged, match="ssh-ed25519.*expected ssh-rsa"):
        say_hello(sshd.target)


def test_a_damaged_line_in_the_users_keys_is_passed_over(sshd, home):
    note(home / ".ssh" / "known_hosts", sshd.port, sshd.directory / "host_key.pub")
    with (home / ".ssh" / "known_hosts").open("a") as file:
        file.write("pi ssh-ed25519 not!base64\npi ssh-ed25519\n@cert-authority * ssh-rsa AAAA\n")
    assert say_hello(sshd.target) == "hello\n"


def test_a_pinned_key_is_the_only_right_one(sshd):
    right = (sshd.directory / "host_key.pub").read_text()
    wrong = (sshd.directory / "other_host_key.pub").read_text()
    assert say_hello(replace(sshd.target, host_key=right)) == "hello\n"
    with pytest.raises(HostKeyChanged):
        say_hello(replace(sshd.target, host_key=wrong))


def test_a_key_the_board_does_not_take_is_refused(sshd):
    sshd.trust()
    with pytest.raises(AuthenticationFailed, match="none of the keys.*ssh-copy-id") as refused:
        say_hello(replace(sshd.target, keys=(sshd.directory / "wrong_key",)))
    assert one_line(refused)


def test_no_key_at_all_is_refused(sshd):
    sshd.trust()
    with pytest.raises(AuthenticationFailed):
        say_hello(replace(sshd.target, keys=()))


def test_a_file_that_is_no_key_is_refused(sshd, home):
    sshd.trust()
    (home / "no_key").write_text("this is no key\n")
    with pytest.raises(AuthenticationFailed) as refused:
        say_hello(replace(sshd.target, keys=(home / "no_key",)))
    assert one_line(refused)


def test_a_port_nobody_listens_on_is_unreachable(sshd):
    with pytest.raises(BoardUnreachable, match="connection refused.*an SSH server") as nobody:
        say_hello(replace(sshd.target, port=free_port()))
    assert one_line(nobody)


def test_a_name_nobody_has_is_unreachable(sshd):
    with pytest.raises(BoardUnreachable, match="no such host"):
        say_hello(replace(sshd.target, host="nobody.invalid"))


@pytest.mark.timeout(20)
def test_a_server_that_says_nothing_is_unreachable_in_bounded_time(sshd, monkeypatch):
    monkeypatch.setattr(login, "CONNECT_TIMEOUT", 0.5)
    with listener() as silent:
        target = replace(sshd.target, port=silent)
        with pytest.raises(BoardUnreachable) as nothing:
            say_hello(target)
        assert one_line(nothing)
        with pytest.raises(BoardUnreachable):
            fetch_host_key(target)


def test_a_server_that_speaks_something_else_is_unreachable(sshd):
    with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as other:
        with pytest.raises(BoardUnreachable) as strange:
            say_hello(replace(sshd.target, port=other))
        assert one_line(strange)


def test_a_server_that_is_started_anew_is_reached_anew(start_sshd, tmp_path):
    port = free_port()
    with start_sshd(tmp_path, port) as server:
        server.trust()
        board = Board("loop", SshTransport(server.target))
        session = board.check("echo $PPID").stdout.strip()
    os.kill(int(session), signal.SIGKILL)  # a server that ends leaves its sessions running
    with pytest.raises(BoardUnreachable):
        board.run("true")
    with start_sshd(tmp_path, port), board:
        assert board.check("echo hello").stdout == "hello\n"


def test_a_board_behind_another_is_reached_through_it(sshd, eventually):
    sshd.trust()
    behind = replace(sshd.target, name="behind", jump=sshd.target)
    before = links()
    with Board("behind", SshTransport(behind)) as board:
        assert board.check("echo hello").stdout == "hello\n"
        assert "through" in board.address
        came_from = board.check("echo $SSH_CONNECTION").stdout.split()
        assert came_from[0] == came_from[2] == "127.0.0.1"
    eventually(lambda: links() <= before)


def test_a_machine_to_go_through_that_is_not_there_is_named(sshd):
    jump = replace(sshd.target, name="jump", port=free_port())
    with pytest.raises(BoardUnreachable, match=f"127.0.0.1:{jump.port} cannot be reached"):
        say_hello(replace(sshd.target, jump=jump))


def test_a_board_that_is_not_there_behind_another_is_unreachable(sshd, eventually):
    sshd.trust()
    before = links()
    with pytest.raises(BoardUnreachable, match="through") as nobody:
        say_hello(replace(sshd.target, port=free_port(), jump=sshd.target))
    assert one_line(nobody)
    eventually(lambda: links() <= before)


def test_a_refused_login_leaves_no_connection_open(sshd, eventually):
    sshd.trust()
    before = links()
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            say_hello(replace(sshd.target, keys=(sshd.directory / "wrong_key",)))
    eventually(lambda: links() <= before)


def test_the_users_ssh_configuration_fills_the_gaps(sshd, home):
    write_ssh_config(sshd, home)
    sshd.trust()
    target = resolve("mine", "bench")
    assert (target.host, target.port, target.user) == ("127.0.0.1", sshd.port, getpass.getuser())
    assert target.keys == (sshd.key,)
    assert say_hello(target) == "hello\n"


def test_what_the_user_says_outweighs_the_ssh_configuration(sshd, home):
    write_ssh_config(sshd, home)
    target = resolve("mine", "bench", port=1, user="somebody", key=sshd.directory / "wrong_key")
    assert (target.port, target.user) == (1, "somebody")
    assert target.keys == (sshd.directory / "wrong_key",)


def test_the_ssh_configurations_way_through_is_taken(sshd, home):
    write_ssh_config(sshd, home)
    sshd.trust()
    target = resolve("mine", "behind-bench")
    assert target.jump == replace(resolve("bench", "bench"), name="bench")
    assert say_hello(target) == "hello\n"
    assert resolve("mine", "behind-bench", jump="").jump is None


def test_several_machines_to_go_through_come_in_order(sshd, home):
    target = resolve("mine", "10.0.0.9", jump="pi@10.0.0.1:2022,10.0.0.2")
    assert (target.jump.host, target.jump.port) == ("10.0.0.2", 22)
    assert (target.jump.jump.host, target.jump.jump.port) == ("10.0.0.1", 2022)
    assert target.jump.jump.user == "pi"
    assert target.jump.jump.jump is None


def test_a_proxy_command_is_run(sshd, home):
    sshd.trust()
    *ssh, place = Board("loop", SshTransport(sshd.target)).shell
    write_ssh_config(sshd, home, f"ProxyCommand {shlex.join(ssh)} -F none -W %h:%p {place}")
    target = resolve("mine", "bench")
    assert target.proxy_command.endswith(f"-W 127.0.0.1:{sshd.port} {place}")
    assert say_hello(target) == "hello\n"


def test_an_ssh_configuration_that_is_none_says_so(sshd, home):
    (home / "ssh_config").write_text("Host bench\n  HostName\n")
    with pytest.raises(BoardError, match="ssh_config") as unreadable:
        resolve("mine", "bench")
    assert one_line(unreadable)


def test_a_board_of_the_users_own_is_opened_by_name(sshd):
    sshd.trust()
    inventory.add(
        BoardEntry("mine", "127.0.0.1", "debian-12", port=sshd.port, key=str(sshd.key), jump="")
    )
    with labkit.open_board("mine") as board:
        assert board.check("echo hello").stdout == "hello\n"
        assert board.platform == "debian-12"
        assert not board.virtual


def test_a_board_whose_key_file_is_gone_says_which(sshd, home):
    sshd.trust()
    inventory.add(BoardEntry("mine", "127.0.0.1", "debian-12", port=sshd.port, key="~/.ssh/gone"))
    with pytest.raises(InventoryError, match=r"\.ssh/gone") as gone:
        labkit.open_board("mine").run("true")
    assert one_line(gone)


def test_a_person_gets_a_shell_by_the_same_keys(sshd):
    sshd.trust()
    assert said_in_shell(sshd.target) == "hello\n"
    pinned = replace(sshd.target, host_key=(sshd.directory / "host_key.pub").read_text())
    hostkeys.forget("127.0.0.1", sshd.port)
    assert said_in_shell(pinned) == "hello\n"
    assert said_in_shell(replace(sshd.target, jump=pinned)) == ""
    sshd.trust()
    assert said_in_shell(replace(sshd.target, jump=pinned)) == "hello\n"
    assert said_in_shell(replace(pinned, jump=sshd.target)) == "hello\n"


def said_in_shell(target):
    line = [*Board("loop", SshTransport(target)).shell, "echo hello"]
    line[1:1] = ["-F", "none", "-o", "BatchMode=yes"]
    return subprocess.run(line, capture_output=True, text=True, timeout=20, check=False).stdout


def one_line(raised):
    return "\n" not in str(raised.value)


def note(file, port, public):
    file.parent.mkdir(exist_ok=True)
    kind, text = public.read_text().split()[:2]
    file.write_text(f"[127.0.0.1]:{port} {kind} {text}\n")


def public_key(path):
    kind, text = path.read_text().split()[:2]
    return paramiko.PKey.from_type_string(kind, base64.b64decode(text))


def write_ssh_config(sshd, home, more=""):
    (home / "ssh_config").write_text(
        f"Host *bench\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {sshd.key}\n  {more}\n"
        "Host behind-bench\n  ProxyJump bench\n"
    )


@contextmanager
def listener(word=b""):
    """A server that accepts, says one thing or nothing, and then only listens."""
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                accepted.append(client)
                if word:
                    client.sendall(word)
                    client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for client in accepted:
        client.close()


def links():
    """The connections that are open: paramiko has a thread for each."""
    return {thread for thread in threading.enumerate() if isinstance(thread, paramiko.Transport)}
