"""Where verdicts are kept: in memory for the score card, and in a file for the report."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from labkit.claims.verdict import Verdict
from labkit.errors import ClaimError

__all__ = ["forget", "read_verdicts", "record", "verdicts"]

FILE_VARIABLE = "LABKIT_VERDICTS"
"""The environment variable that names the file; the batch runner sets it."""

_session: dict[str, Verdict] = {}


def record(verdict: Verdict) -> None:
    """Keep a verdict in memory and, where ``LABKIT_VERDICTS`` is set, as a line of that file.

    In memory a claim keeps its last verdict; the file keeps all of them. Raises
    :class:`ClaimError` where the file cannot be written.
    """
    _session[verdict.claim_id] = verdict
    file = os.environ.get(FILE_VARIABLE)
    if not file:
        return
    try:
        _append(Path(file), json.dumps(asdict(verdict)))
    except OSError as trouble:
        raise ClaimError(
            f"the verdict cannot be kept in {file}: {trouble.strerror}",
            expected="a file that can be written",
            hint=f"set {FILE_VARIABLE} to another one",
        ) from trouble


def verdicts() -> Mapping[str, Verdict]:
    """The verdicts of this session by claim id, the last of each."""
    return MappingProxyType(_session)


def forget() -> None:
    """Start this session afresh; the file stays as it is."""
    _session.clear()


def read_verdicts(path: str | Path) -> list[Verdict]:
    """The verdicts of a file, in the order they were given.

    A line cut off when its run was killed is left out. ``pandas.DataFrame(read_verdicts(path))``
    is a frame with a column for each field. Raises :class:`ClaimError`, naming the line, where
    the file is none of verdicts.

    >>> read_verdicts("results/verdicts.jsonl")[0].outcome      # doctest: +SKIP
    'fails'
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as trouble:
        raise ClaimError(
            f"{path} cannot be read: {trouble}", expected="a file of verdicts"
        ) from trouble
    read = (_verdict(line, f"{path}:{n}") for n, line in enumerate(text.splitlines(), 1) if line)
    return [verdict for verdict in read if verdict is not None]


def _append(file: Path, line: str) -> None:
    """Add a line with one write in append mode: writers at the same time do not mix."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        # A killed run may have left half a line: ours must not become the end of it.
        cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        whole = ("\n" if cut else "") + line + "\n"
        if os.write(handle, whole.encode()) < len(whole):  # the line is ASCII
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)


def _verdict(line: str, where: str) -> Verdict | None:
    """The verdict of a line, or None where the line was cut off."""
    try:
        return Verdict(**json.loads(line))
    except json.JSONDecodeError as wrong:
        if line.startswith("{"):
            return None
        raise ClaimError(f"{where} is no verdict", expected="a line of JSON") from wrong
    except TypeError as wrong:
        raise ClaimError(
            f"{where} is no verdict of this labkit: {wrong}",
            expected="the fields of Verdict",
        ) from wrong
