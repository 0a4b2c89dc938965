"""What all tests share: nothing of the user's own is read, and waiting is for a condition."""

import sys
import time
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@pytest.fixture(autouse=True, scope="session")
def nothing_of_the_users_own(tmp_path_factory):
    """No boards, trusted keys or passwords but those of the tests; the image cache is kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CONFIG", str(tmp_path_factory.mktemp("config")))
        patch.setenv("LABKIT_SSH_CONFIG", str(tmp_path_factory.mktemp("ssh") / "none"))
        patch.delenv("LABKIT_SUDO_PASSWORD", raising=False)
        yield


@pytest.fixture(scope="session")
def eventually():
    """Wait until something is so; fail where it is not within a few seconds."""

    def wait(what, within=10.0):
        until = time.monotonic() + within
        while not what():
            assert time.monotonic() < until, f"not so after {within:g} s"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="module")
def shell():
    """A real IPython with the extension, and no history file."""
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    made.run_line_magic("load_ext", "labkit")
    yield made
    made.reset(new_session=False)
    InteractiveShell.clear_instance()
    # IPython puts a module of its own there, which multiprocessing cannot tell to a child.
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def ended():
    """Whether a process of this machine is gone, or a zombie nobody has asked for yet."""

    def ended(process):
        try:
            stat = Path(f"/proc/{int(process)}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        return stat.rpartition(")")[2].split()[0] == "Z"

    return ended
