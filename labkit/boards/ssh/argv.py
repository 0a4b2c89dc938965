"""The same login as a command for OpenSSH, for a person who wants a shell."""

from __future__ import annotations

import shlex

from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.target import SshTarget

__all__ = ["openssh_argv"]


def openssh_argv(target: SshTarget) -> list[str]:
    """The words of an ``ssh`` command (OpenSSH 8.5 or newer) that checks the same host keys."""
    words = ["ssh", "-p", str(target.port)]
    for key in target.keys:
        words += ["-i", str(key)]
    if target.host_key:
        kind, text = target.host_key.split()[:2]
        words += ["-o", f"KnownHostsCommand=/bin/echo %H {kind} {text}"]
        words += ["-o", "UserKnownHostsFile=none", "-o", "GlobalKnownHostsFile=none"]
        words += ["-o", "IdentitiesOnly=yes"]
    else:
        files = " ".join(f'"{file}"' for file in hostkeys.known_hosts_files())
        words += ["-o", f"UserKnownHostsFile={files}"]
    road = _open_socket(target)
    if road:
        words += ["-o", f"ProxyCommand={road}"]
    return [*words, "-o", "StrictHostKeyChecking=yes", f"{target.user}@{target.host}"]


def _open_socket(target: SshTarget) -> str:
    """What ssh runs its connection over; a ``%`` of ours is no placeholder of its."""
    if not target.jump:
        return target.proxy_command.replace("%", "%%")
    *before, place = (word.replace("%", "%%") for word in openssh_argv(target.jump))
    return f"{shlex.join(before)} -W %h:%p {shlex.quote(place)}"
