"""Which sessions have ended, and what the journal's requests name of their own session."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from labkit.boards.identity import account, session_id, session_key, start_time
from labkit.result import Result
from labkit.tuning import journal
from labkit.tuning.journal import JournalEntry


def entry(session):
    return JournalEntry("0123456789ab", "a change", session, expired=False)


def session_of(process):
    return f"{account()}:{process.pid}.{start_time(process.pid)}"


def test_this_session_is_not_over_and_one_of_another_machine_cannot_be_told():
    assert not entry(session_id()).orphaned
    assert not entry("pi@elsewhere:1.1").orphaned
    assert entry(f"{account()}:no number").orphaned


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_session_is_over_when_its_process_is_dead_and_before_anybody_has_waited_for_it(
    sleeper, eventually
):
    session = entry(session_of(sleeper))
    assert not session.orphaned
    sleeper.send_signal(signal.SIGKILL)
    eventually(lambda: session.orphaned)
    assert sleeper.returncode is None
    sleeper.wait()
    assert session.orphaned


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc when a process began")
def test_a_number_that_was_given_again_is_another_session(sleeper):
    assert entry(f"{account()}:{sleeper.pid}.1").orphaned


def test_a_request_of_the_journal_names_neither_its_process_nor_its_session():
    requests = []

    def run(command, **options):
        requests.append((command, options))
        return Result(command, 0, "", "", 0.0)

    board = SimpleNamespace(name="x", run=run)
    key = journal.new_key()
    journal.record(board, "a change", ":", key=key, resource="/etc/file", backup=("/etc/file",))
    journal.apply(board, key, "true")
    journal.undo(board, key)
    assert len(requests) == 3
    for command, options in requests:
        assert options["session"]
        for name in (account(), f"{os.getpid()}.", session_key()):
            assert name not in command
    assert journal.new_key() != key
