"""Files over a real OpenSSH server: copied completely or not at all, and only where they differ."""

import errno
import os
import socket
import stat

import paramiko
import pytest

from labkit.boards.board import Board
from labkit.boards.ssh.transport import SshTransport
from labkit.errors import ConnectionLost, RemoteFileError


def test_a_file_is_read_as_it_is(loop, tmp_path):
    for text in ("", "\n", "no newline at the end", "Füße\n板子\n", "x" * 3_000_000):
        (tmp_path / "a file").write_text(text)
        assert loop.read(str(tmp_path / "a file")) == text


def test_a_file_that_is_not_there_is_named(loop, tmp_path):
    with pytest.raises(RemoteFileError, match="'.*/none'.*No such file or directory"):
        loop.read(str(tmp_path / "none"))


def test_a_dir_is_not_read(loop, tmp_path):
    with pytest.raises(RemoteFileError, match="Is a directory"):
        loop.read(str(tmp_path))


def test_many_files_are_read_in_one_round_trip(sshd, tmp_path):
    sshd.trust()
    texts = {str(tmp_path / f"file {number}"): f"text {number}\n" for number in range(50)}
    for path, text in texts.items():
        with open(path, "w") as file:
            file.write(text)
    with Board("loop", Counting(sshd.target)) as board:
        assert board.read_many(texts) == texts
        assert board._transport.trips == 1


def test_files_that_are_not_there_are_left_out(loop, tmp_path):
    (tmp_path / "file").write_text("1\n")
    paths = [str(tmp_path / name) for name in ("none", "file", "missing")]
    assert loop.read_many([*paths, str(tmp_path)]) == {paths[1]: "1\n"}
    assert loop.read_many([paths[0]]) == {}
    assert loop.read_many([]) == {}


def test_odd_texts_among_many_files_are_kept_apart(loop, tmp_path):
    texts = {
        "empty": "",
        "newline": "\n",
        "two": "\n\n",
        "unfinished": "no newline",
        "a quote's name": "it's here\n",
        "last": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    contents = loop.read_many(str(tmp_path / name) for name in texts)
    assert contents == {str(tmp_path / name): text for name, text in texts.items()}


def test_a_text_that_looks_like_the_head_of_another_file_misleads_nobody(loop, tmp_path):
    later, missing = tmp_path / "later", tmp_path / "missing"
    texts = {
        "plain": "\n==> other <==\nx\n",
        "record": f"first\n\n==> {later} <==\nnot it\n\n==> {missing} <==\nnor this\n",
        "later": f"==> {tmp_path}/plain <==\n\n==> {later} <==\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    contents = loop.read_many([*(str(tmp_path / name) for name in texts), str(missing)])
    assert contents == {str(tmp_path / name): text for name, text in texts.items()}


def test_the_kernels_own_files_are_read(loop):
    paths = ["/proc/sys/kernel/ostype", "/proc/self/mem", "/proc/sys/kernel/osrelease"]
    assert loop.read_many(paths) == {paths[0]: "Linux\n", paths[2]: f"{os.uname().release}\n"}


@pytest.mark.parametrize("text", ["", "one line", "one line\n", "Füße 'n' \"quotes\" $(x)\n\n"])
def test_what_is_written_is_there(loop, tmp_path, text):
    loop.write(str(tmp_path / "a file"), text)
    assert (tmp_path / "a file").read_text() == text


def test_a_file_that_keeps_something_else_says_what(loop):
    with pytest.raises(RemoteFileError, match="/dev/null reads back ''; expected 'lost'"):
        loop.write("/dev/null", "lost")
    loop.write("/dev/null", "lost", verify=False)


def test_a_file_that_cannot_be_written_says_why(loop, tmp_path):
    with pytest.raises(RemoteFileError, match="No space left on device"):
        loop.write("/dev/full", "x")
    with pytest.raises(RemoteFileError, match="No such file or directory"):
        loop.write(str(tmp_path / "none" / "x"), "x")


def test_a_file_is_put_with_its_mode_and_only_once(loop, tmp_path):
    source, target = tmp_path / "source", tmp_path / "new folder" / "it's the target"
    source.write_bytes(os.urandom(300_000))
    assert loop.put(source, str(target), mode=0o700)
    assert target.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    first = target.stat().st_ino
    assert not loop.put(source, str(target), mode=0o640)
    assert target.stat().st_ino == first
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_changed_file_is_put_again(loop, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for text in ("one", "two", ""):
        source.write_text(text)
        assert loop.put(source, str(target))
        assert target.read_text() == text


def test_a_file_that_cannot_be_put_leaves_nothing(loop, tmp_path):
    source = tmp_path / "source"
    source.write_text("x")
    (tmp_path / "in the way").mkdir()
    with pytest.raises(RemoteFileError, match="there is no file"):
        loop.put(tmp_path / "none", str(tmp_path / "target"))
    with pytest.raises(RemoteFileError, match="cannot be copied"):
        loop.put(source, str(tmp_path / "in the way"))
    with pytest.raises(RemoteFileError, match="Not a directory"):
        loop.put(source, str(source / "below" / "target"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in the way", "source"]


def test_a_file_is_fetched_with_its_mode(loop, tmp_path):
    (tmp_path / "remote").write_bytes(os.urandom(300_000))
    (tmp_path / "remote").chmod(0o751)
    assert loop.get(str(tmp_path / "remote"), tmp_path / "local") == tmp_path / "local"
    assert (tmp_path / "local").read_bytes() == (tmp_path / "remote").read_bytes()
    assert stat.S_IMODE((tmp_path / "local").stat().st_mode) == 0o751


def test_a_file_that_cannot_be_fetched_leaves_nothing(loop, tmp_path):
    with pytest.raises(RemoteFileError, match="No such file"):
        loop.get(str(tmp_path / "none"), tmp_path / "local")
    (tmp_path / "remote").write_text("x")
    with pytest.raises(RemoteFileError, match=os.strerror(errno.ENOENT)):
        loop.get(str(tmp_path / "remote"), tmp_path / "no folder" / "here")
    assert [path.name for path in tmp_path.iterdir()] == ["remote"]


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings(  # paramiko's read-ahead thread raises as well
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)
@pytest.mark.parametrize("method", ["put", "get"])
def test_a_link_that_drops_during_a_copy_leaves_no_half_file(sshd, tmp_path, method):
    sshd.trust()
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.truncate(400 << 20)
    with Board("loop", SshTransport(sshd.target)) as board:
        server = board.check("echo $PPID").stdout.strip()
        # Another process ends the server as soon as a part of the file is there.
        script = 'until [ -s "$0.part" ]; do sleep 0.01; done; kill -KILL "$1"'
        killer = os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", script, str(target), server)
        with pytest.raises(ConnectionLost):
            getattr(board, method)(str(source), str(target))
        os.waitpid(killer, 0)
        assert not target.exists()
        source.write_text("small")
        getattr(board, method)(str(source), str(target))
    assert target.read_text() == "small"


STEPS = [
    *[("put", step) for step in ("file", "stat", "posix_rename")],
    *[("get", step) for step in ("open", "stat")],
]


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("method", "step"), STEPS)
def test_a_link_that_drops_between_two_steps_of_a_copy_is_lost(
    loop, tmp_path, monkeypatch, eventually, method, step
):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("x")
    drop_link_before(monkeypatch, loop, eventually, step)
    with pytest.raises(ConnectionLost):
        getattr(loop, method)(str(source), str(target))
    assert not target.exists()
    getattr(loop, method)(str(source), str(target))
    assert target.read_text() == "x"


@pytest.mark.parametrize("method", ["put", "get"])
def test_a_link_that_drops_before_the_copy_starts_is_made_again(
    loop, tmp_path, monkeypatch, eventually, method
):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("x")
    drop_link_before(monkeypatch, loop, eventually, "_send_version")
    getattr(loop, method)(str(source), str(target))
    assert target.read_text() == "x"


def test_an_sftp_server_that_ended_is_started_again(loop, tmp_path, eventually):
    (tmp_path / "source").write_text("x")
    loop.put(tmp_path / "source", str(tmp_path / "one"))
    channel = loop._transport._sftp.get_channel()
    channel.close()
    loop.put(tmp_path / "source", str(tmp_path / "two"))
    assert (tmp_path / "two").read_text() == "x"


def drop_link_before(monkeypatch, board, eventually, step):
    """Have the link of a board drop, once, just before one method of paramiko's SFTP client."""
    real = getattr(paramiko.SFTPClient, step)
    board.run("true")
    link = board._transport._client.get_transport()

    def dropping(*args, **options):
        monkeypatch.setattr(paramiko.SFTPClient, step, real)
        link.sock.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not link.is_active())
        return real(*args, **options)

    monkeypatch.setattr(paramiko.SFTPClient, step, dropping)


class Counting(SshTransport):
    trips = 0

    def run(self, request, *, on_output=None):
        self.trips += 1
        return super().run(request, on_output=on_output)
