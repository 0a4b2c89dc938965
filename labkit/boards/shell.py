"""Lines for a board's shell: a request as one line, and the end of a process group."""

from __future__ import annotations

import shlex

from labkit.boards.identity import session_id, session_key
from labkit.boards.sudo import Sudo
from labkit.boards.transport import Request

__all__ = ["kill_group_script", "shell_line"]


def shell_line(request: Request, sudo: Sudo) -> tuple[str, bytes]:
    """The line for a POSIX shell, and the input for it, that carry out a request.

    >>> shell_line(Request("echo $A", env={"A": "it's"}), Sudo())
    ('export A=\\'it\\'"\\'"\\'s\\'; echo $A', b'')
    """
    variables = dict(request.env)
    if request.session:
        variables |= {"LABKIT_SESSION": session_id(), "LABKIT_SESSION_KEY": session_key()}
    exports = (f"export {name}={shlex.quote(value)}; " for name, value in variables.items())
    line = "".join(exports) + request.command
    if request.root:
        return sudo.wrap(line, request.stdin, request.timeout)
    return line, request.stdin


def kill_group_script(group: str) -> str:
    """A shell script that ends a process group: SIGTERM first, SIGKILL a second later.

    Processes that sudo started belong to root. The script ends them through ``sudo -n``, which
    works where sudo needs no password.
    """
    kill = (
        f"{{ kill -s %s -- -{group}; pgrep -u 0 -g {group} && sudo -n kill -s %s -- -{group}; }} "
        ">/dev/null 2>&1"
    )
    wait = (
        f"for i in 1 2 3 4 5 6 7 8 9 10; do {{ kill -s 0 -- -{group} || pgrep -g {group}; }} "
        ">/dev/null 2>&1 || exit 0; sleep .1; done"
    )
    return f"{kill % ('TERM', 'TERM')}; {wait}; {kill % ('KILL', 'KILL')}"
