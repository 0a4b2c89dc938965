"""Fixtures of all tests: the user's own files are not read, and waiting is for a condition."""

import signal
import sys
import time
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

# A shell without job control starts a background process with SIGINT ignored, and its children
# inherit that. The tests of Ctrl-C would wait for an interruption that never comes.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def isolate_from_user_files(tmp_path_factory):
    """Only the boards, trusted keys and passwords of the tests. The image cache is the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CONFIG", str(tmp_path_factory.mktemp("config")))
        patch.setenv("LABKIT_SSH_CONFIG", str(tmp_path_factory.mktemp("ssh") / "none"))
        patch.delenv("LABKIT_SUDO_PASSWORD", raising=False)
        yield


@pytest.fixture(scope="session")
def eventually():
    """Wait until a condition holds; fail if it does not within a few seconds."""

    def wait(condition, within=10.0):
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"the condition does not hold after {within:g} s"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="module")
def shell():
    """A real IPython with the extension, and no history file."""
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    instance = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    instance.run_line_magic("load_ext", "labkit")
    yield instance
    instance.reset(new_session=False)
    InteractiveShell.clear_instance()
    # IPython replaces this module, and multiprocessing cannot pass its replacement to a child.
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def ended():
    """Whether a process of this machine has ended: it is gone, or a zombie."""

    def ended(pid):
        try:
            stat = Path(f"/proc/{int(pid)}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        return stat.rpartition(")")[2].split()[0] == "Z"

    return ended
