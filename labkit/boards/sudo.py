"""Becoming root on a board, in a way that never waits for a person."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from labkit.errors import SudoRefused
from labkit.result import Result

__all__ = ["Sudo"]

# sudo's own words, which we read, come in English whatever the board's language is.
_SUDO = "LANGUAGE= LC_MESSAGES=C sudo"


@dataclass(frozen=True)
class Sudo:
    """sudo with a ``password``, or without one where the account needs none."""

    password: str | None = None

    def words(self, command: str, stdin: bytes, timeout: float) -> tuple[str, bytes]:
        """The command and its input, given to sudo. ``timeout`` is in seconds."""
        if self.password is None:
            return f"{_SUDO} -n -- sh -c {shlex.quote(command)}", stdin
        # -k: ask even where sudo remembers, so that the first line is always the password.
        # And root's own watch: past its time only another password would end the command.
        watch = f"timeout -k 1 {timeout + 1:g}"
        line = f"{_SUDO} -S -k -p '' -- {watch} sh -c {shlex.quote(command)}"
        return line, self.password.encode() + b"\n" + stdin

    def explain(self, result: Result, board: str) -> None:
        """Raise :class:`SudoRefused` where it was sudo that failed, not the command."""
        said = result.stderr
        if "sudo: " in said and ("password is required" in said or "incorrect password" in said):
            done = "refused the password" if self.password else "asks for a password"
            raise SudoRefused(
                f"sudo on {board} {done}",
                expected="one it takes, or that none is asked",
                hint="set LABKIT_SUDO_PASSWORD for this session, or choose an account "
                "that may use sudo without one",
            )
        if "is not in the sudoers file" in said or "is not allowed to execute" in said:
            raise SudoRefused(f"this account may not use sudo on {board}", expected="one that may")
        if result.exit_status == 127 and re.search(r"\bsudo: (command )?not found", said):
            raise SudoRefused(f"{board} has no sudo", expected="it, or root's own account")
