"""A running virtual board: its facts, its files, root, and commands that reach their timeout."""

import os
from dataclasses import replace

import pytest

import labkit
from labkit.boards import Board, inventory
from labkit.boards.inventory import BoardEntry
from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.connect import fetch_host_key
from labkit.boards.ssh.transport import SshTransport
from labkit.boards.sudo import Sudo
from labkit.errors import CommandFailed, CommandTimeout, RemoteFileError, SudoRefused
from labkit.virtual import VirtualMachine


class Counting(SshTransport):
    trips = 0

    def run(self, request, *, on_output=None):
        self.trips += 1
        return super().run(request, on_output=on_output)


@pytest.fixture(scope="module")
def target(board, board_name):
    """The login of the board, for tests that open a second connection to it."""
    return VirtualMachine(board_name).up().target


def test_the_facts_are_right(board):
    facts = board.facts
    assert facts.machine == "aarch64"
    assert facts.os_id == "debian"
    assert facts.os.startswith("Debian GNU/Linux 12")
    assert facts.kernel == board.check("uname -r").stdout.strip()
    assert facts.emulated
    assert board.emulated
    assert facts.page_size == 4096
    assert facts.long_bit == 64
    assert facts.cpus == 2
    assert {"atomics", "asimd", "sve", "sve2"} <= facts.features
    assert 800 << 20 < facts.memory < 1024 << 20
    assert {"cpu", "memory", "pids"} <= set(facts.cgroup_controllers)
    assert facts.uid == 1000


def test_the_facts_take_one_round_trip_and_are_asked_once(target):
    with Board("counted", Counting(target)) as board:
        assert board.facts is board.facts
        assert board.facts.machine == "aarch64"
        assert board._transport.trips == 1


def test_a_board_shows_itself_as_a_line_and_as_a_card(board, board_name):
    assert str(board).startswith(f"{board_name}: Debian GNU/Linux 12")
    assert "\n" not in str(board)
    assert "emulated" in str(board)
    card = board._repr_html_()
    for part in (board_name, board.address, "aarch64", "emulated: shape, not speed", "LSE"):
        assert part in card


@pytest.mark.parametrize("text", ["it's", 'a\n"b"', "; exit 7", "$(exit 7)", "100%s", "板子"])
def test_an_argument_arrives_as_given_with_and_without_sudo(board, text):
    assert board.check("printf %%s %s", text).stdout == text
    assert board.check("printf %%s %s", text, sudo=True).stdout == text


def test_sudo_is_root(board):
    assert board.check("id -u").stdout == "1000\n"
    assert board.check("id -u", sudo=True).stdout == "0\n"
    assert board.check("cat", sudo=True, stdin="through\n").stdout == "through\n"
    assert board.check('echo "$A"', sudo=True, env={"A": "it's"}).stdout == "it's\n"
    with pytest.raises(CommandFailed, match="status 3: broken"):
        board.check("echo broken >&2; exit 3", sudo=True)


def test_root_reads_and_writes_where_others_may_not(board):
    with pytest.raises(RemoteFileError, match="Permission denied"):
        board.read("/etc/shadow")
    assert "root:" in board.read("/etc/shadow", sudo=True)
    assert board.read_many(["/etc/shadow"]) == {}
    assert "/etc/shadow" in board.read_many(["/etc/shadow"], sudo=True)
    with pytest.raises(RemoteFileError, match="Permission denied"):
        board.put(__file__, "/etc/new folder/file")


def test_a_kernel_setting_is_written_and_read_back(board):
    path = "/proc/sys/vm/swappiness"
    before = board.read(path)
    board.write(path, "17", sudo=True)
    assert board.read(path) == "17\n"
    board.write(path, before, sudo=True)
    with pytest.raises(RemoteFileError, match="Permission denied"):
        board.write(path, "18")
    assert board.read(path) == before


def test_a_setting_the_kernel_refuses_says_why(board):
    with pytest.raises(RemoteFileError, match="Invalid argument"):
        board.write("/proc/sys/vm/swappiness", "many", sudo=True)
    with pytest.raises(RemoteFileError, match="Invalid argument"):
        board.write("/proc/sys/vm/swappiness", "99999", sudo=True)


def test_a_setting_the_kernel_stores_differently_is_named(board):
    path = "/proc/sys/kernel/core_pattern"
    before = board.read(path)
    try:
        with pytest.raises(RemoteFileError, match="reads back"):
            board.write(path, "x" * 300, sudo=True)
    finally:
        board.write(path, before, sudo=True)


def test_five_megabytes_go_there_and_back(board, tmp_path):
    (tmp_path / "file").write_bytes(os.urandom(5 << 20))
    assert board.put(tmp_path / "file", "/home/lab/a folder/five", mode=0o644)
    assert not board.put(tmp_path / "file", "/home/lab/a folder/five")
    board.get("/home/lab/a folder/five", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()
    board.check("rm -r %s", "/home/lab/a folder")


def test_a_full_disk_leaves_no_half_file(board, tmp_path):
    (tmp_path / "big").write_bytes(bytes(3 << 20))
    board.check(
        "mkdir -p /tmp/small && mount -t tmpfs -o size=1m,uid=lab none /tmp/small", sudo=True
    )
    try:
        with pytest.raises(RemoteFileError, match="full disk") as excinfo:
            board.put(tmp_path / "big", "/tmp/small/big")
        assert "\n" not in str(excinfo.value)
        assert board.check("ls -A /tmp/small").stdout == ""
    finally:
        board.check("umount /tmp/small && rmdir /tmp/small", sudo=True)


def test_a_program_the_processor_does_not_know_ends_with_its_signal(board):
    assert board.run("sh -c 'kill -ILL $$'").exit_status == 128 + 4


def test_a_timeout_ends_what_root_runs_too(board):
    with pytest.raises(CommandTimeout):
        board.run("sleep 4321 & sleep 4322", sudo=True, timeout=1)
    assert board.run("pgrep -f 'sleep 432[12]'").stdout == ""


def test_a_timeout_ends_what_root_runs_and_what_ignores_sigterm(board):
    with pytest.raises(CommandTimeout):
        board.run("trap '' TERM; while :; do sleep 0.5; done # endless", sudo=True, timeout=1)
    assert board.run("pgrep -f '# endles[s]'").stdout == ""


@pytest.fixture(scope="module")
def alice(board, target, tmp_path_factory):
    """An account whose sudo asks for a password, as a board of the inventory."""
    board.check(
        "useradd --create-home --shell /bin/sh alice && echo alice:wonderland | chpasswd && "
        "echo 'alice ALL=(ALL) ALL' >/etc/sudoers.d/alice && "
        "install -d -o alice /home/alice/.ssh && "
        "install -o alice /home/lab/.ssh/authorized_keys /home/alice/.ssh/",
        sudo=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CONFIG", str(tmp_path_factory.mktemp("alice")))
        key = str(target.keys[0])
        entry = BoardEntry(
            "alice", target.host, "debian-12", user="alice", port=target.port, key=key
        )
        inventory.add(entry)
        hostkeys.trust(target.host, target.port, fetch_host_key(target))
        yield "alice"
    board.check("userdel --remove alice 2>/dev/null; rm /etc/sudoers.d/alice", sudo=True)


def test_sudo_that_asks_for_a_password_is_refused_at_once(alice):
    with labkit.open_board(alice) as board:
        assert board.check("id -un").stdout == "alice\n"
        with pytest.raises(SudoRefused, match="asks for a password.*LABKIT_SUDO_PASS") as excinfo:
            board.run("id -u", sudo=True, timeout=20)
        assert "\n" not in str(excinfo.value)
        with pytest.raises(SudoRefused):
            board.write("/proc/sys/vm/swappiness", "17", sudo=True)


def test_the_right_password_from_the_environment_is_given_to_sudo(alice, monkeypatch):
    monkeypatch.setenv("LABKIT_SUDO_PASSWORD", "wonderland")
    with labkit.open_board(alice) as board:
        for _ in range(2):  # the second time sudo remembers
            assert board.check("id -u; cat", sudo=True, stdin="more\n").stdout == "0\nmore\n"
        assert board.check("cat", sudo=True).stdout == ""
        assert board.run("exit 1", sudo=True).exit_status == 1


def test_the_wrong_password_is_refused_and_no_input_is_taken_for_one(alice, monkeypatch):
    monkeypatch.setenv("LABKIT_SUDO_PASSWORD", "looking glass")
    with labkit.open_board(alice) as board, pytest.raises(SudoRefused, match="refused the pass"):
        board.run("cat", sudo=True, timeout=30)


def test_a_timeout_ends_what_sudo_runs_by_password(alice, board, eventually):
    with labkit.open_board(alice, sudo_password="wonderland") as own:
        with pytest.raises(CommandTimeout):
            own.run("sleep 5432", sudo=True, timeout=1)
        eventually(lambda: board.run("pgrep -f 'sleep 543[2]'").stdout == "")


def test_a_timeout_works_in_a_plain_shell_too(alice):
    with labkit.open_board(alice) as board:
        with pytest.raises(CommandTimeout):
            board.run("sleep 6543", timeout=0.5)
        assert board.run("pgrep -f 'sleep 654[3]'").stdout == ""


def test_an_account_that_may_not_use_sudo_is_refused(board, alice, target):
    board.check("rm /etc/sudoers.d/alice", sudo=True)
    transport = SshTransport(replace(target, user="alice"), Sudo("wonderland"))
    try:
        own = Board("alice", transport)
        with own, pytest.raises(SudoRefused, match="may not use sudo"):
            own.run("id", sudo=True)
    finally:
        board.check("echo 'alice ALL=(ALL) ALL' >/etc/sudoers.d/alice", sudo=True)
