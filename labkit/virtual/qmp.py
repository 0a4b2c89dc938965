"""QEMU's control socket (QMP): a word to a running machine, and its answer.

Written out here because the QEMU project's own Python library runs an event loop of its
own, which a notebook, whose kernel already runs one, does not allow.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from labkit.errors import VirtualError

__all__ = ["Qmp", "answers"]


class Qmp:
    """One conversation with a machine, for use in a ``with`` block.

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
            self.ask("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def ask(self, command: str, **arguments: object) -> Any:
        """Give a command and return its answer. Raises :class:`VirtualError` on a refusal."""
        message = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self._read()
            if "error" in answer:
                raise VirtualError(f"QEMU refuses {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def save_state(self, path: Path, *, timeout: float = 60.0) -> None:
        """Stop the machine and write its whole state but the disk into a file."""
        self.ask("stop")
        self.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 34})
        self.ask("migrate", uri=f"exec:cat > '{path}'")
        until = time.monotonic() + timeout
        while (state := self.ask("query-migrate"))["status"] != "completed":
            if state["status"] == "failed" or time.monotonic() > until:
                why = state.get("error-desc", state["status"])
                raise VirtualError(f"QEMU could not save the machine's memory: {why}")
            time.sleep(0.05)

    def resume(self, *, timeout: float = 60.0) -> None:
        """Let a machine run whose memory is being read back, once that is done."""
        until = time.monotonic() + timeout
        while self.ask("query-status")["status"] == "inmigrate":
            if time.monotonic() > until:
                raise VirtualError("QEMU does not finish reading the machine's memory")
            time.sleep(0.01)
        self.ask("cont")

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the machine ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

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


def answers(path: Path) -> bool:
    """Whether a machine listens at this control socket.

    QEMU holds one conversation at a time: a second one waits, and its machine is alive.
    """
    try:
        with Qmp(path, timeout=2.0):
            return True
    except TimeoutError:
        return True
    except OSError:
        return False
