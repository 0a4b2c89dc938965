"""Logging in to a real OpenSSH server: each error names the next command."""

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
from labkit.boards.ssh import connect, hostkeys
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
    """An empty home directory: no trusted keys, no boards, no SSH configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_CONFIG", str(tmp_path / "labkit"))
    monkeypatch.setenv("LABKIT_SSH_CONFIG", str(tmp_path / "ssh_config"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


def run_hello(target):
    with Board(target.name, SshTransport(target)) as board:
        return board.check("echo hello").stdout


def test_an_unknown_key_waits_for_the_user_to_trust_it(sshd):
    fingerprint = hostkeys.fingerprint(fetch_host_key(sshd.target))
    with pytest.raises(HostKeyUnknown) as excinfo:
        run_hello(sshd.target)
    assert fingerprint in str(excinfo.value)
    assert "labkit board trust loop" in str(excinfo.value)
    assert one_line(excinfo)
    sshd.trust()
    assert run_hello(sshd.target) == "hello\n"


def test_the_fingerprint_is_the_one_ssh_keygen_prints(sshd):
    argv = ["ssh-keygen", "-lf", str(sshd.directory / "host_key.pub")]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    key_type, digest = hostkeys.fingerprint(fetch_host_key(sshd.target)).split()
    assert key_type == "ssh-ed25519"
    assert digest == printed.split()[1]


def test_trust_that_is_taken_back_is_gone(sshd):
    sshd.trust()
    hostkeys.remove("127.0.0.1", sshd.port)
    hostkeys.remove("127.0.0.1", sshd.port)
    with pytest.raises(HostKeyUnknown):
        run_hello(sshd.target)


def test_a_key_the_user_trusts_already_is_trusted(sshd, home):
    add_known_host(home / ".ssh" / "known_hosts", sshd.port, sshd.directory / "host_key.pub")
    assert run_hello(sshd.target) == "hello\n"


def test_a_changed_key_names_both(sshd):
    fingerprint = hostkeys.fingerprint(fetch_host_key(sshd.target))
    other = public_key(sshd.directory / "other_host_key.pub")
    hostkeys.trust("127.0.0.1", sshd.port, other)
    with pytest.raises(HostKeyChanged) as excinfo:
        run_hello(sshd.target)
    assert fingerprint in excinfo.value.message
    assert hostkeys.fingerprint(other) in excinfo.value.expected
    assert "labkit board trust loop" in excinfo.value.hint
    assert one_line(excinfo)
    sshd.trust()
    assert run_hello(sshd.target) == "hello\n"


def test_a_key_trusted_again_comes_before_the_users_old_one(sshd, home):
    add_known_host(home / ".ssh" / "known_hosts", sshd.port, sshd.directory / "other_host_key.pub")
    with pytest.raises(HostKeyChanged):
        run_hello(sshd.target)
    sshd.trust()
    assert run_hello(sshd.target) == "hello\n"
    assert (home / ".ssh" / "known_hosts").read_text().count("\n") == 1


def test_a_key_of_another_kind_is_a_changed_one(sshd, home):
    hostkeys.trust("127.0.0.1", sshd.port, paramiko.RSAKey.generate(2048))
    with pytest.raises(HostKeyChanged, match="ssh-ed25519.*expected ssh-rsa"):
        run_hello(sshd.target)


def test_a_damaged_line_in_the_users_keys_is_passed_over(sshd, home):
    add_known_host(home / ".ssh" / "known_hosts", sshd.port, sshd.directory / "host_key.pub")
    with (home / ".ssh" / "known_hosts").open("a") as file:
        file.write("pi ssh-ed25519 not!base64\npi ssh-ed25519\n@cert-authority * ssh-rsa AAAA\n")
    assert run_hello(sshd.target) == "hello\n"


def test_a_pinned_key_is_the_only_right_one(sshd):
    host_key = (sshd.directory / "host_key.pub").read_text()
    other_key = (sshd.directory / "other_host_key.pub").read_text()
    assert run_hello(replace(sshd.target, host_key=host_key)) == "hello\n"
    with pytest.raises(HostKeyChanged):
        run_hello(replace(sshd.target, host_key=other_key))


def test_a_key_the_board_does_not_take_is_refused(sshd):
    sshd.trust()
    with pytest.raises(AuthenticationFailed, match="none of the keys.*ssh-copy-id") as excinfo:
        run_hello(replace(sshd.target, keys=(sshd.directory / "wrong_key",)))
    assert one_line(excinfo)


def test_no_key_at_all_is_refused(sshd):
    sshd.trust()
    with pytest.raises(AuthenticationFailed):
        run_hello(replace(sshd.target, keys=()))


def test_a_file_that_is_no_key_is_refused(sshd, home):
    sshd.trust()
    (home / "no_key").write_text("this is no key\n")
    with pytest.raises(AuthenticationFailed) as excinfo:
        run_hello(replace(sshd.target, keys=(home / "no_key",)))
    assert one_line(excinfo)


def test_a_port_nobody_listens_on_is_unreachable(sshd):
    with pytest.raises(BoardUnreachable, match="connection refused.*an SSH server") as excinfo:
        run_hello(replace(sshd.target, port=free_port()))
    assert one_line(excinfo)


def test_a_name_nobody_has_is_unreachable(sshd):
    with pytest.raises(BoardUnreachable, match="no such host"):
        run_hello(replace(sshd.target, host="nobody.invalid"))


@pytest.mark.timeout(20)
def test_a_server_that_sends_nothing_is_unreachable_in_bounded_time(sshd, monkeypatch):
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT", 0.5)
    with listener() as port:
        target = replace(sshd.target, port=port)
        with pytest.raises(BoardUnreachable) as excinfo:
            run_hello(target)
        assert one_line(excinfo)
        with pytest.raises(BoardUnreachable):
            fetch_host_key(target)


def test_a_server_that_speaks_something_else_is_unreachable(sshd):
    with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(BoardUnreachable) as excinfo:
            run_hello(replace(sshd.target, port=port))
        assert one_line(excinfo)


def test_a_server_that_is_started_again_is_reached_again(start_sshd, tmp_path):
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
    before = connections()
    with Board("behind", SshTransport(behind)) as board:
        assert board.check("echo hello").stdout == "hello\n"
        assert "through" in board.address
        came_from = board.check("echo $SSH_CONNECTION").stdout.split()
        assert came_from[0] == came_from[2] == "127.0.0.1"
    eventually(lambda: connections() <= before)


def test_a_machine_to_go_through_that_is_not_there_is_named(sshd):
    jump = replace(sshd.target, name="jump", port=free_port())
    with pytest.raises(BoardUnreachable, match=f"127.0.0.1:{jump.port} cannot be reached"):
        run_hello(replace(sshd.target, jump=jump))


def test_a_board_that_is_not_there_behind_another_is_unreachable(sshd, eventually):
    sshd.trust()
    before = connections()
    with pytest.raises(BoardUnreachable, match="through") as excinfo:
        run_hello(replace(sshd.target, port=free_port(), jump=sshd.target))
    assert one_line(excinfo)
    eventually(lambda: connections() <= before)


def test_a_refused_login_leaves_no_connection_open(sshd, eventually):
    sshd.trust()
    before = connections()
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            run_hello(replace(sshd.target, keys=(sshd.directory / "wrong_key",)))
    eventually(lambda: connections() <= before)


def test_the_users_ssh_configuration_fills_the_gaps(sshd, home):
    write_ssh_config(sshd, home)
    sshd.trust()
    target = resolve("own", "bench")
    assert (target.host, target.port, target.user) == ("127.0.0.1", sshd.port, getpass.getuser())
    assert target.keys == (sshd.key,)
    assert run_hello(target) == "hello\n"


def test_the_users_arguments_come_before_the_ssh_configuration(sshd, home):
    write_ssh_config(sshd, home)
    target = resolve("own", "bench", port=1, user="somebody", key=sshd.directory / "wrong_key")
    assert (target.port, target.user) == (1, "somebody")
    assert target.keys == (sshd.directory / "wrong_key",)


def test_the_jump_host_of_the_ssh_configuration_is_used(sshd, home):
    write_ssh_config(sshd, home)
    sshd.trust()
    target = resolve("own", "behind-bench")
    assert target.jump == replace(resolve("bench", "bench"), name="bench")
    assert run_hello(target) == "hello\n"
    assert resolve("own", "behind-bench", jump="").jump is None


def test_several_machines_to_go_through_come_in_order(sshd, home):
    target = resolve("own", "10.0.0.9", jump="pi@10.0.0.1:2022,10.0.0.2")
    assert (target.jump.host, target.jump.port) == ("10.0.0.2", 22)
    assert (target.jump.jump.host, target.jump.jump.port) == ("10.0.0.1", 2022)
    assert target.jump.jump.user == "pi"
    assert target.jump.jump.jump is None


def test_a_proxy_command_is_run(sshd, home):
    sshd.trust()
    *ssh, login = Board("loop", SshTransport(sshd.target)).shell_argv
    write_ssh_config(sshd, home, f"ProxyCommand {shlex.join(ssh)} -F none -W %h:%p {login}")
    target = resolve("own", "bench")
    assert target.proxy_command.endswith(f"-W 127.0.0.1:{sshd.port} {login}")
    assert run_hello(target) == "hello\n"


def test_a_malformed_ssh_configuration_is_one_clear_line(sshd, home):
    (home / "ssh_config").write_text("Host bench\n  HostName\n")
    with pytest.raises(BoardError, match="ssh_config") as excinfo:
        resolve("own", "bench")
    assert one_line(excinfo)


def test_a_board_of_the_users_own_is_opened_by_name(sshd):
    sshd.trust()
    inventory.add(
        BoardEntry("own", "127.0.0.1", "debian-12", port=sshd.port, key=str(sshd.key), jump="")
    )
    with labkit.open_board("own") as board:
        assert board.check("echo hello").stdout == "hello\n"
        assert board.platform == "debian-12"
        assert not board.virtual


def test_a_board_whose_key_file_is_gone_says_which(sshd, home):
    sshd.trust()
    inventory.add(BoardEntry("own", "127.0.0.1", "debian-12", port=sshd.port, key="~/.ssh/gone"))
    with pytest.raises(InventoryError, match=r"\.ssh/gone") as excinfo:
        labkit.open_board("own").run("true")
    assert one_line(excinfo)


def test_a_person_gets_a_shell_by_the_same_keys(sshd):
    sshd.trust()
    assert shell_output(sshd.target) == "hello\n"
    pinned = replace(sshd.target, host_key=(sshd.directory / "host_key.pub").read_text())
    hostkeys.remove("127.0.0.1", sshd.port)
    assert shell_output(pinned) == "hello\n"
    assert shell_output(replace(sshd.target, jump=pinned)) == ""
    sshd.trust()
    assert shell_output(replace(sshd.target, jump=pinned)) == "hello\n"
    assert shell_output(replace(pinned, jump=sshd.target)) == "hello\n"


def shell_output(target):
    argv = [*Board("loop", SshTransport(target)).shell_argv, "echo hello"]
    argv[1:1] = ["-F", "none", "-o", "BatchMode=yes"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout


def one_line(excinfo):
    return "\n" not in str(excinfo.value)


def add_known_host(file, port, public):
    file.parent.mkdir(exist_ok=True)
    key_type, text = public.read_text().split()[:2]
    file.write_text(f"[127.0.0.1]:{port} {key_type} {text}\n")


def public_key(path):
    key_type, text = path.read_text().split()[:2]
    return paramiko.PKey.from_type_string(key_type, base64.b64decode(text))


def write_ssh_config(sshd, home, more=""):
    (home / "ssh_config").write_text(
        f"Host *bench\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {sshd.key}\n  {more}\n"
        "Host behind-bench\n  ProxyJump bench\n"
    )


@contextmanager
def listener(greeting=b""):
    """A server that accepts connections, sends ``greeting``, and nothing after that."""
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                accepted.append(client)
                if greeting:
                    client.sendall(greeting)
                    client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for client in accepted:
        client.close()


def connections():
    """The open connections: paramiko has a thread for each."""
    return {thread for thread in threading.enumerate() if isinstance(thread, paramiko.Transport)}
