"""QEMU's control socket (QMP): commands to a running machine, and their results.

Written here because the QEMU project's own Python library runs an asyncio event loop. In a
notebook the kernel already runs one, and a second one cannot start in the same thread.
"""

from __future__ import annotations

import json
import shlex
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from labkit.errors import VirtualError

__all__ = ["Qmp", "is_alive"]


class Qmp:
    """One connection to a machine's control socket, for use in a ``with`` block.

    Raises OSError where no machine listens. Source of the protocol: QEMU's
    docs/interop/qmp-spec.
    """

    def __init__(self, path: Path, *, timeout: float = 10.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
            self._lines = self._socket.makefile("rb")
            self._read()
            self.execute("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a command and return its result. Raises :class:`VirtualError` where QEMU refuses."""
        message = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            reply = self._read()
            if "error" in reply:
                raise VirtualError(f"QEMU refuses {command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def save_state(self, path: Path, *, timeout: float = 60.0) -> None:
        """Stop the machine and write its state, memory and devices but no disks, into a file.

        Raises :class:`VirtualError` where that fails or takes more than ``timeout`` seconds.
        """
        self.execute("stop")
        self.execute("migrate-set-parameters", **{"max-bandwidth": 1 << 34})
        self.execute("migrate", uri=f"exec:cat > {shlex.quote(str(path))}")
        deadline = time.monotonic() + timeout
        while (state := self.execute("query-migrate"))["status"] != "completed":
            if state["status"] == "failed" or time.monotonic() > deadline:
                cause = state.get("error-desc", state["status"])
                raise VirtualError(f"QEMU could not save the machine's memory: {cause}")
            time.sleep(0.05)

    def resume(self, *, timeout: float = 60.0) -> None:
        """Wait until QEMU has read the machine's saved state, then let the machine run.

        Raises :class:`VirtualError` where that takes more than ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while self.execute("query-status")["status"] == "inmigrate":
            if time.monotonic() > deadline:
                raise VirtualError("QEMU does not finish reading the machine's memory")
            time.sleep(0.01)
        self.execute("cont")

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the machine ended")
        message: dict[str, Any] = json.loads(line)
        return message

    def __enter__(self) -> Qmp:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._socket.close()


def is_alive(path: Path) -> bool:
    """Whether a machine listens at this control socket.

    QEMU serves one connection at a time. A second one waits, so a timeout means that the
    machine runs.
    """
    try:
        with Qmp(path, timeout=2.0):
            return True
    except TimeoutError:
        return True
    except OSError:
        return False
