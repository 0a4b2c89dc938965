"""A change is recorded on the board before it is made, and undone however the session ends."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import labkit
from labkit.boards import Board
from labkit.boards.ssh.transport import SshTransport
from labkit.boards.sudo import Sudo
from labkit.errors import ChangeRejected, JournalLocked, SudoRefused, TuningError, UndoFailed
from labkit.tuning import Change, Plan, journal

FILE = "/etc/labkit-test"


class Text(Change):
    """A file with another text."""

    def __init__(self, board, text, path=FILE, expected=None, apply="", undo=":"):
        super().__init__(board)
        self.text, self.path, self.expected = text, path, expected or text
        self.apply_commands, self.undo_commands = apply, undo

    def describe(self):
        return f"{self.path}: {self.text}"

    def plan(self):
        write = f"echo {self.text} >{self.path}; {self.apply_commands}"
        return Plan(self.path, write, self.undo_commands, backup=(self.path,), persistent=True)

    def current(self):
        return {"text": self.board.read(self.path, sudo=True).strip()}

    def desired(self):
        return {"text": self.expected}


@pytest.fixture
def file(board):
    """A file with an owner, a mode and a time of its own."""
    bytes_ = f"printf 'a\\0b\\n' >{FILE}"
    rest = f"chown 1:2 {FILE}; chmod 4640 {FILE}; touch -d @1000000 {FILE}"
    board.check(f"{bytes_}; {rest}", sudo=True)
    yield state
    board.check(f"rm -f {FILE}", sudo=True)
    assert not board.run("[ -e /var/lib/labkit ]").ok, "something is left in the journal"


def state(board):
    return board.check(f"stat -c '%a %u %g %Y %s' {FILE}; sha256sum {FILE}", sudo=True).stdout


def test_a_file_comes_back_with_its_bytes_mode_owner_and_time(board, file):
    before = file(board)
    with Text(board, "other") as change:
        assert file(board) != before
        assert change.applied
        assert list(change.read_back()["taken"]) == [True]
    assert file(board) == before
    assert not change.applied


def test_a_file_that_was_not_there_is_gone_again(board, file):
    with Text(board, "new", path=f"{FILE}-new"):
        assert board.run(f"[ -e {FILE}-new ]").ok
    assert not board.run(f"[ -e {FILE}-new ]").ok


def test_an_error_in_the_block_undoes(board, file):
    before = file(board)
    with pytest.raises(ZeroDivisionError), Text(board, "other"):
        raise ZeroDivisionError
    assert file(board) == before


def test_ctrl_c_while_it_is_made_undoes(board, file, monkeypatch):
    before, as_root, calls = file(board), journal.as_root, []

    def interrupted(board, script, *args, **more):
        calls.append(script)
        result = as_root(board, script, *args, **more)
        if len(calls) == 2:  # the change is made, and its result is not read yet
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(journal, "as_root", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Text(board, "other").apply()
    assert file(board) == before


def test_ctrl_c_while_it_is_undone_lets_the_undo_end(board, file, monkeypatch):
    before, undo, calls = file(board), journal.undo, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 1:
            raise KeyboardInterrupt
        undo(*args)

    change = Text(board, "other").apply()
    monkeypatch.setattr(journal, "undo", interrupted)
    with pytest.raises(KeyboardInterrupt):
        change.undo()
    assert file(board) == before
    assert not change.applied


def test_a_link_that_drops_in_the_block_is_made_anew_for_the_undo(board, file):
    before = file(board)
    with Text(board, "other"):
        board._transport._client.get_transport().sock.close()
    assert file(board) == before


def test_another_value_than_the_desired_one_undoes_and_names_both(board, file):
    before = file(board)
    with pytest.raises(ChangeRejected, match="'other'.*expected 'else'"):
        Text(board, "other", expected="else").apply()
    assert file(board) == before


def test_a_refusal_of_the_board_undoes_and_gives_its_reason(board, file):
    before = file(board)
    with pytest.raises(ChangeRejected, match="No such file or directory"):
        Text(board, "other", apply="cat /nowhere").apply()
    assert file(board) == before


def test_of_two_changes_of_one_file_the_later_is_undone_first(board, file):
    before = file(board)
    first, second = Text(board, "one").apply(), Text(board, "two").apply()
    with pytest.raises(UndoFailed, match="two"):
        first.undo()
    assert board.read(FILE, sudo=True) == "two\n"
    second.undo()
    first.undo()
    assert file(board) == before


def test_changes_together_are_made_or_undone_together(board, file):
    before = file(board)
    with Text(board, "one") + Text(board, "new", path=f"{FILE}-new") as both:
        assert both.applied
    assert file(board) == before
    with pytest.raises(ChangeRejected):
        (Text(board, "one") + Text(board, "new", path="/nowhere/file")).apply()
    assert file(board) == before


def test_a_change_that_is_made_is_not_made_twice(board, file):
    with Text(board, "one") as change, pytest.raises(TuningError, match="made already"):
        change.apply()


def test_a_live_session_is_left_alone_and_a_dead_one_is_undone(board, board_name, file, capfd):
    before = file(board)
    script = (
        "import os, sys; sys.path[:0] = [sys.argv[2]]\n"
        "import labkit; from test_journal import Text\n"
        "Text(labkit.open_board(sys.argv[1]), 'left').apply(); os._exit(9)"
    )
    line = [sys.executable, "-c", script, board_name, str(Path(__file__).parent)]
    assert subprocess.run(line, check=False).returncode == 9
    active = Text(board, "active", path=f"{FILE}-active").apply()
    labkit.open_board(board_name).close()
    warning = capfd.readouterr().err
    assert f"{FILE}: left" in warning
    assert "active" not in warning
    undone, remaining = journal.restore(board)
    assert [entry.description for entry in undone] == [f"{FILE}: left"]
    assert [entry.description for entry in remaining] == [f"{FILE}-active: active"]
    assert file(board) == before
    assert active.applied
    active.undo()


def test_the_command_says_what_it_undid_and_when_there_is_nothing(board, board_name, file):
    labkit_ = Path(sys.executable).with_name("labkit")
    Text(board, "one").apply()
    line = [labkit_, "board", "restore", board_name]
    stdout = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert f"not undone: {FILE}: one" in stdout
    assert f"labkit board restore {board_name} --all" in stdout
    stdout = subprocess.run([*line, "--all"], capture_output=True, text=True, check=True).stdout
    assert stdout == f"undone: {FILE}: one\n"
    stdout = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert stdout == f"There is nothing to undo on {board_name}\n"


def test_a_change_that_does_not_last_is_only_struck_out_after_a_reboot(board, file):
    with Text(board, "one"):
        (entry,) = journal.entries(board)
        directory = f"{journal.DIRECTORY}/*-{entry.key}"
        board.check(f"cd {directory}; echo no >lasting; echo other >boot", sudo=True)
        assert [entry.expired for entry in journal.entries(board)] == [True]
    assert board.read(FILE, sudo=True) == "one\n"


def test_a_disk_without_room_is_said_before_anything_is_changed(board, file):
    before = file(board)
    small = "mount -t tmpfs -o size=4k tmpfs /var/lib/labkit"
    board.check(f"mkdir -p /var/lib/labkit; {small}", sudo=True)
    try:
        with pytest.raises(TuningError, match="cannot record a change.*expected free space"):
            Text(board, "other").apply()
    finally:
        board.check("umount /var/lib/labkit; rmdir /var/lib/labkit", sudo=True)
    assert file(board) == before


def test_two_sessions_at_once_wait_for_each_other(board, file):
    hold = "nohup flock /run/labkit.lock sleep 2 >/dev/null 2>&1 &"
    board.check(hold, sudo=True)
    start = time.monotonic()
    with Text(board, "one"):
        pass
    assert time.monotonic() - start > 1


def test_a_session_that_does_not_end_is_named_after_a_while(board, file, monkeypatch):
    before = file(board)
    monkeypatch.setattr(journal, "_LOCK_TIMEOUT", 1)
    board.check("nohup flock /run/labkit.lock sleep 9 >/dev/null 2>&1 &", sudo=True)
    with pytest.raises(JournalLocked, match="another session.*fuser -v /run/labkit.lock"):
        Text(board, "one").apply()
    board.check("fuser -ks /run/labkit.lock || pkill -f 'sleep [9]'", sudo=True)
    assert file(board) == before


def test_a_command_that_comes_after_the_undo_does_nothing(board, file):
    before = file(board)
    late = journal.apply(board, "0123456789ab", f"echo late >{FILE}")
    assert "no entry" in late.stderr
    assert not late.ok
    assert file(board) == before


def test_what_cannot_be_undone_keeps_nothing_else_from_it(board, file):
    before = file(board)
    stuck = "[ -e /run/labkit-now ] || { echo stuck >&2; exit 1; }"
    both = Text(board, "one") + Text(board, "two", path=f"{FILE}-new", undo=stuck)
    both.apply()
    with pytest.raises(UndoFailed, match="stuck"):
        both.undo()
    assert file(board) == before
    assert both.applied
    Text(board, "three").apply()
    with pytest.raises(UndoFailed, match=f"{FILE}-new: two cannot be undone.*stuck"):
        journal.restore(board, include_active=True)
    assert file(board) == before
    board.check("touch /run/labkit-now", sudo=True)
    both.undo()
    board.check(f"rm /run/labkit-now; [ ! -e {FILE}-new ]", sudo=True)


def test_a_link_comes_back_as_the_link_it_was(board, file):
    link = f"{FILE}-link"
    board.check(f"ln -s /dev/null {link}", sudo=True)
    with Text(board, "x", path=link, expected="other", apply=f"rm {link}; echo other >{link}"):
        assert not board.run(f"[ -L {link} ]").ok
    assert board.check(f"readlink {link}; sudo rm {link}").stdout == "/dev/null\n"


@pytest.fixture
def locked(board):
    """The same account, whose sudo now asks for a password."""
    rule = "/etc/sudoers.d/zz-test"
    board.check(f"echo lab:wonder | chpasswd; echo 'lab ALL=(ALL) PASSWD: ALL' >{rule}", sudo=True)
    with Board("locked", SshTransport(board._transport.target, Sudo("wonder"))) as own:
        yield own
        own.check(f"rm {rule}; usermod -p '*' lab", sudo=True)


def test_sudo_may_ask_for_a_password(board, file, locked):
    before = locked.check(f"sha256sum {FILE}", sudo=True).stdout
    with Text(locked, "one"):
        assert locked.check(f"sha256sum {FILE}", sudo=True).stdout != before
    assert locked.check(f"sha256sum {FILE}", sudo=True).stdout == before
    change = Text(board, "one")
    with pytest.raises(SudoRefused, match="asks for a password.*LABKIT_SUDO_PASSWORD"):
        change.apply()
    assert not change.applied


class WithoutSudo(Sudo):
    """sudo on a board that does not have it: the shell does not find it."""

    def wrap(self, command, stdin, timeout):
        line, stdin = super().wrap(command, stdin, timeout)
        return f"PATH=/tmp/none; {line}", stdin


def test_a_board_without_sudo_is_one_clear_line(board, file):
    before = file(board)
    board.check("mkdir /tmp/none; ln -s /usr/bin/* /tmp/none/; rm /tmp/none/sudo")
    with Board("other", SshTransport(board._transport.target, WithoutSudo())) as other:
        assert other.facts.uid
        change = Text(other, "one")
        with pytest.raises(SudoRefused, match="has no sudo; expected sudo, or root"):
            change.apply()
        assert not change.applied
    board.check("rm -r /tmp/none")
    assert file(board) == before
