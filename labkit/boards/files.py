"""Many files of a board read with one command."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ABS_MARK", "READ_LIMIT", "REL_MARK", "parse_head_output"]

READ_LIMIT = 64 * 1024 * 1024
"""Bytes of one file that :meth:`Board.read` takes: a log may be endless."""

ABS_MARK, REL_MARK = "/.//.", ".//.//"
"""Spellings of the root and the present folder that no text has by chance: with them before
the paths, what ``head -v`` printed once and somebody kept in a file misleads nobody."""


def parse_head_output(text: str, paths: Sequence[str], complaints: str = "") -> dict[str, str]:
    """Take apart what ``head -v`` prints: ``==> path <==``, the text, an empty line between.

    The paths are known and come in order, so a text that holds a header of its own does
    not mislead. A path that ``complaints`` names, or with no header, is left out.

    >>> parse_head_output("==> a <==\\n1\\n\\n==> b <==\\n", ["a", "gone", "b"])
    {'a': '1\\n', 'b': ''}
    """
    starts: list[tuple[str, int, int]] = []
    at = 0
    for path in paths:
        header = ("\n" if starts else "") + f"==> {path} <==\n"
        found = text.find(header, at)
        if found >= 0:
            at = found + len(header)
            starts.append((path, found, at))
    ends = [begin for _, begin, _ in starts[1:]] + [len(text)]
    return {
        path: text[begin:end]
        for (path, _, begin), end in zip(starts, ends, strict=False)
        if f"reading '{path}'" not in complaints
    }
