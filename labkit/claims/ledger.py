"""The record of verdicts: in memory for the score card, and in a file for the report.

The file has one verdict a line, as JSON (JSON lines). Each line carries the schema number of
the results, :data:`SCHEMA`.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import msgspec

from labkit.claims.verdict import Verdict
from labkit.errors import ClaimError

__all__ = [
    "FILE_VARIABLE",
    "SCHEMA",
    "read_verdicts",
    "record",
    "reset",
    "schema_hint",
    "verdicts",
]

FILE_VARIABLE = "LABKIT_VERDICTS"
"""The environment variable that names the file. The batch runner sets it."""

SCHEMA = 1
"""The version of the format of verdict lines and summaries.

0 is the format before the number was written; its fields are the same. Readers ignore fields
they do not know, so only a changed or removed field needs a new number.
"""

_session: dict[str, Verdict] = {}


def record(verdict: Verdict) -> None:
    """Keep a verdict in memory and, if ``LABKIT_VERDICTS`` is set, append it to that file.

    Memory keeps the last verdict of each claim; the file keeps all of them. Raises
    :class:`ClaimError` if the file cannot be written.
    """
    _session[verdict.claim_id] = verdict
    file = os.environ.get(FILE_VARIABLE)
    if not file:
        return
    try:
        _append(Path(file), json.dumps({"schema": SCHEMA, **asdict(verdict)}))
    except OSError as error:
        raise ClaimError(
            f"the verdict cannot be written to {file}: {error.strerror}",
            expected="a writable file",
            hint=f"set {FILE_VARIABLE} to another file",
        ) from error


def verdicts() -> Mapping[str, Verdict]:
    """The verdicts of this session by claim id, the last one of each claim."""
    return MappingProxyType(_session)


def reset() -> None:
    """Forget the verdicts in memory. The file stays as it is."""
    _session.clear()


def read_verdicts(path: str | Path) -> list[Verdict]:
    """The verdicts of a file, in the order they were written.

    A line that was cut off because its process was killed is skipped. Fields that this labkit
    does not know are ignored. ``pandas.DataFrame(read_verdicts(path))`` is a data frame with one
    column for each field. Raises :class:`ClaimError`, with the line's number and the path of the
    wrong value in it, if the file holds something else.

    >>> read_verdicts("results/verdicts.jsonl")[0].outcome      # doctest: +SKIP
    'fails'
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimError(
            f"{path} cannot be read: {error}", expected="a file of verdicts"
        ) from error
    lines = enumerate(text.split("\n"), 1)
    parsed = (_parse(line, f"{path}:{number}") for number, line in lines if line.strip())
    return [verdict for verdict in parsed if verdict is not None]


def schema_hint(fields: object) -> str:
    """What to do about fields that cannot be read, if a newer labkit wrote them; else empty.

    >>> schema_hint({"schema": 99})
    'read it with the labkit that wrote schema 99'
    >>> schema_hint({"schema": SCHEMA})
    ''
    """
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        return f"read it with the labkit that wrote schema {schema}"
    return ""


def _append(file: Path, line: str) -> None:
    """Append a line with one write in append mode, so that concurrent writers do not mix."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        # A killed process may have left part of a line: end it, so that ours is a line of its own.
        incomplete = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        content = (("\n" if incomplete else "") + line + "\n").encode()
        if os.write(handle, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)


def _parse(line: str, where: str) -> Verdict | None:
    """The verdict of a line, or None if the line was cut off. Raises :class:`ClaimError`."""
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        if line.startswith("{"):
            return None
        raise ClaimError(f"{where} is not a verdict", expected="a line of JSON") from error
    try:
        return msgspec.convert(fields, Verdict)
    except msgspec.ValidationError as error:
        raise ClaimError(
            f"{where} is not a verdict: {error}",
            expected=f"the fields of Verdict, schema {SCHEMA} or older",
            hint=schema_hint(fields),
        ) from error
