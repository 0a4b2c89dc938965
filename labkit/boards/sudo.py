"""Root's permissions on a board through sudo, which never waits for a person."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from labkit.boards.transport import RawResult
from labkit.errors import SudoRefused

__all__ = ["Sudo"]

# The messages of sudo that are matched below come in English, whatever the board's language is.
_SUDO = "LANGUAGE= LC_MESSAGES=C sudo"


@dataclass(frozen=True)
class Sudo:
    """sudo with a ``password``, or without one where the account needs none.

    >>> Sudo().wrap("id -u", b"", timeout=60)
    ("LANGUAGE= LC_MESSAGES=C sudo -n -- sh -c 'id -u'", b'')
    >>> Sudo("secret")
    Sudo()
    """

    password: str | None = field(default=None, repr=False)

    def wrap(self, command: str, stdin: bytes, timeout: float) -> tuple[str, bytes]:
        """The shell line and the input that run ``command`` as root. ``timeout`` in seconds."""
        if self.password is None:
            return f"{_SUDO} -n -- sh -c {shlex.quote(command)}", stdin
        # -k: sudo asks even if it remembers the account, so the first line is always the password.
        # timeout runs as root: without the password nobody else could end the command.
        guard = f"timeout -k 1 {timeout + 1:g}"
        line = f"{_SUDO} -S -k -p '' -- {guard} sh -c {shlex.quote(command)}"
        return line, self.password.encode() + b"\n" + stdin

    def raise_for_refusal(self, result: RawResult, board: str) -> None:
        """Raise :class:`SudoRefused` where sudo itself failed, not the command it was to run."""
        if result.exit_status not in (1, 127):
            return
        stderr = result.stderr.decode(errors="replace")
        if "sudo: " in stderr and (
            "password is required" in stderr or "incorrect password" in stderr
        ):
            problem = "refused the password" if self.password else "asks for a password"
            raise SudoRefused(
                f"sudo on {board} {problem}",
                expected="the account's password, or an account that needs none",
                hint="set LABKIT_SUDO_PASSWORD for this session, or choose an account "
                "that may use sudo without a password",
            )
        if "is not in the sudoers file" in stderr or "is not allowed to execute" in stderr:
            raise SudoRefused(
                f"this account may not use sudo on {board}", expected="an account that may"
            )
        if result.exit_status == 127 and re.search(r"\bsudo: (command )?not found", stderr):
            raise SudoRefused(f"{board} has no sudo", expected="sudo, or root's own account")
