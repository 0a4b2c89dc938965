"""Which sessions are over, as far as the machine they ran on can tell."""

import os
import signal
import subprocess
import sys

import pytest

from labkit.tuning.journal import Entry, _account, _begun


def entry(by):
    return Entry("0123456789ab", "a change", by, gone=False)


def by(process):
    return f"{_account()}:{process.pid}.{_begun(process.pid)}"


def test_this_session_is_not_over_and_one_of_another_machine_cannot_be_told():
    mine = f"{_account()}:{os.getpid()}.{_begun(os.getpid())}"
    assert not entry(mine).unfinished
    assert not entry("pi@elsewhere:1.1").unfinished
    assert entry(f"{_account()}:no number").unfinished


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_session_is_over_when_its_process_is_dead_and_before_anybody_has_waited_for_it(
    sleeper, eventually
):
    session = entry(by(sleeper))
    assert not session.unfinished
    sleeper.send_signal(signal.SIGKILL)
    eventually(lambda: session.unfinished)
    assert sleeper.returncode is None
    sleeper.wait()
    assert session.unfinished


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc when a process began")
def test_a_number_that_was_given_again_is_another_session(sleeper):
    assert entry(f"{_account()}:{sleeper.pid}.1").unfinished
