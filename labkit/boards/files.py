"""Many files of a board read with one command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

__all__ = ["READ_LIMIT", "head_command", "parse_head_output"]

READ_LIMIT = 64 * 1024 * 1024
"""The most bytes of one file that :meth:`Board.read` reads: a log may be endless."""

# Unusual spellings of the root directory and the current one. With them before the paths, the
# headers of `head -v` differ from any that a file may hold, such as its earlier output.
_ABS_MARK, _REL_MARK = "/.//.", ".//.//"


def head_command(paths: Sequence[str]) -> str:
    """The shell command that prints many files; :func:`parse_head_output` reads its output.

    >>> head_command(["/proc/version"])
    'exec head -v -c 67108864 -- /.//./proc/version'
    """
    # One program for all files, and no fork for it: on an emulated board a fork is slow.
    return f"exec head -v -c {READ_LIMIT} -- {shlex.join(map(_spelling, paths))}"


def parse_head_output(stdout: str, stderr: str, paths: Sequence[str]) -> dict[str, str]:
    """The texts of the files from the output of :func:`head_command`, as ``{path: text}``.

    The output is ``==> path <==``, the text, and an empty line before the next header. The
    paths are known and come in order, so a header inside a text is not taken for one. A path
    without a header, or one that ``stderr`` says was not read, is left out.

    >>> parse_head_output("==> /.//./a <==\\n1\\n\\n==> /.//./b <==\\n", "", ["/a", "/gone", "/b"])
    {'/a': '1\\n', '/b': ''}
    """
    bounds: list[tuple[str, int, int]] = []  # the path, where its header starts and its text
    position = 0
    for path in paths:
        header = ("\n" if bounds else "") + f"==> {_spelling(path)} <==\n"
        start = stdout.find(header, position)
        if start >= 0:
            position = start + len(header)
            bounds.append((path, start, position))
    ends = [header_start for _, header_start, _ in bounds[1:]] + [len(stdout)]
    return {
        path: stdout[text_start:end]
        for (path, _, text_start), end in zip(bounds, ends, strict=False)
        if f"reading '{_spelling(path)}'" not in stderr
    }


def _spelling(path: str) -> str:
    return f"{_ABS_MARK if path[0] == '/' else _REL_MARK}{path}"
