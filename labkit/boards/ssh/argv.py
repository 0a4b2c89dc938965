"""The same login as a command for OpenSSH, for a person who wants a shell."""

from __future__ import annotations

import shlex

from labkit.boards.ssh import hostkeys
from labkit.boards.ssh.target import SshTarget

__all__ = ["openssh_argv"]


def openssh_argv(target: SshTarget) -> list[str]:
    """The arguments of an ``ssh`` command (OpenSSH 8.5 or newer) that checks the same host keys.

    >>> openssh_argv(SshTarget("pi", "10.0.0.7", user="pi"))[-1]
    'pi@10.0.0.7'
    """
    argv = ["ssh", "-p", str(target.port)]
    for key in target.keys:
        argv += ["-i", str(key)]
    if target.host_key:
        key_type, key_text = target.host_key.split()[:2]
        argv += ["-o", f"KnownHostsCommand=/bin/echo %H {key_type} {key_text}"]
        argv += ["-o", "UserKnownHostsFile=none", "-o", "GlobalKnownHostsFile=none"]
        argv += ["-o", "IdentitiesOnly=yes"]
    else:
        files = " ".join(f'"{file}"' for file in hostkeys.known_hosts_files())
        argv += ["-o", f"UserKnownHostsFile={files}"]
    proxy_command = _proxy_command(target)
    if proxy_command:
        argv += ["-o", f"ProxyCommand={proxy_command}"]
    return [*argv, "-o", "StrictHostKeyChecking=yes", f"{target.user}@{target.host}"]


def _proxy_command(target: SshTarget) -> str:
    """The value of ssh's ProxyCommand. Each ``%`` is doubled: it is not one of ssh's tokens."""
    if not target.jump:
        return target.proxy_command.replace("%", "%%")
    *argv, login = (arg.replace("%", "%%") for arg in openssh_argv(target.jump))
    return f"{shlex.join(argv)} -W %h:%p {shlex.quote(login)}"
